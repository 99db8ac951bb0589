//! Uploads at the gate: late answers, scanners that are away, what a restart finds.

use super::*;
use crate::{
    catalog::{accessions, inspections},
    inspect::{
        gate::{Inspector, Looked, Seen, Unavailable},
        testing::{Says, good},
        wire::Source,
    },
};
use std::{
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

fn away() -> Looked {
    Err(Unavailable::Scanner("nobody listens".to_owned()))
}

fn passed() -> Looked {
    Ok(Seen::Report(Box::new(good(1, "jpg"))))
}

fn says(looked: impl Into<Vec<Looked>>) -> Arc<dyn Inspector> {
    Arc::new(Says(Mutex::new(looked.into())))
}

/// Answers when it is told to.
struct Held(Mutex<Receiver<Looked>>);

impl Inspector for Held {
    fn inspect(&self, _: &mut dyn Source, _: u64, _: &str) -> Looked {
        self.0.lock().unwrap().recv().unwrap_or_else(|_| away())
    }
}

fn held() -> (Sender<Looked>, Arc<dyn Inspector>) {
    let (answer, receiver) = channel();
    (answer, Arc::new(Held(Mutex::new(receiver))))
}

impl Fixture {
    fn open_with(&self, inspector: Arc<dyn Inspector>) -> VaultHandle {
        let vault = VaultHandle::open_inspected_by(self.config.clone(), "a test", inspector).unwrap();
        vault.ingest.salvage().unwrap();
        vault
    }
}

/// Outcomes that weren't superseded, with their reasons.
fn outcomes(vault: &VaultHandle) -> Vec<(String, Option<String>)> {
    vault
        .catalogue
        .read(|connection| {
            let mut query = connection.prepare(
                "SELECT outcome, reason FROM receipt JOIN accession ON accession.id = receipt.accession \
                 WHERE superseded IS NULL AND state <> 'withdrawn' ORDER BY receipt.leaf_index",
            )?;
            let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .unwrap()
}

fn only(outcome: &str, reason: Option<&str>) -> Vec<(String, Option<String>)> {
    vec![(outcome.to_owned(), reason.map(str::to_owned))]
}

/// Waits until something can be seen.
fn until(what: &str, seen: impl Fn() -> bool) {
    for _ in 0..3_000 {
        if seen() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("never: {what}");
}

fn events(vault: &VaultHandle) -> u64 {
    vault
        .catalogue
        .read(|connection| {
            let count: i64 = connection.query_row("SELECT COUNT(*) FROM event", [], |row| row.get(0))?;
            Ok(count.unsigned_abs())
        })
        .unwrap()
}

#[test]
fn malware_is_refused_and_what_cannot_be_looked_at_is_reviewed() {
    let fixture = Fixture::new();
    let vault = fixture.open_with(says([
        Ok(Seen::Malware("Eicar".to_owned())),
        Ok(Seen::Failed("SIGSEGV".to_owned())),
    ]));
    let mut inbox = fixture.inbox(&vault);
    put(&mut inbox, NAME, &jpeg(10_000)).unwrap();
    assert_eq!(outcomes(&vault), only("REJECTED", Some("malware")));
    let second = NAME.replace("_01.", "_02.");
    put(&mut inbox, &second, &jpeg(20_000)).unwrap();
    let evidence = all(&vault);
    assert_eq!(evidence.len(), 1);
    assert_eq!(evidence[0].state, "needs_review");
    assert!(outcomes(&vault).contains(&("NEEDS_REVIEW".to_owned(), None)));
    let verdicts: Vec<(String, String)> = vault
        .catalogue
        .read(|connection| {
            let mut query =
                connection.prepare("SELECT verdict, findings FROM inspection ORDER BY leaf_index")?;
            let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .unwrap();
    let expected = [
        ("rejected", "[\"malware\"]"),
        ("needs_review", "[\"inspection_failed\"]"),
    ];
    assert_eq!(
        verdicts,
        expected.map(|(verdict, codes)| (verdict.to_owned(), codes.to_owned()))
    );
}

#[test]
fn an_inspection_that_outlasts_its_client_settles_the_upload_itself() {
    let mut fixture = Fixture::new();
    fixture.config.inspect.close_wait_ms = 0;
    let (answer, inspector) = held();
    let vault = fixture.open_with(inspector);
    put(&mut fixture.inbox(&vault), NAME, &jpeg(10_000)).unwrap();
    assert_eq!(outcomes(&vault), only("WAITING", Some("inspecting")));
    let before = events(&vault);
    vault.ingest.sweep().unwrap();
    assert_eq!(events(&vault), before, "it is in the gate already");
    answer.send(passed()).unwrap();
    until("the late answer settles it", || {
        outcomes(&vault) == only("ACCEPTED", None)
    });
    until("its body is placed and its sidecar gone", || {
        staging::list(&fixture.layout()).unwrap().accessions.is_empty()
    });
}

#[test]
fn an_upload_withdrawn_while_it_is_looked_at_stays_withdrawn() {
    let mut fixture = Fixture::new();
    fixture.config.inspect.close_wait_ms = 0;
    let (answer, inspector) = held();
    let vault = fixture.open_with(inspector);
    let mut inbox = fixture.inbox(&vault);
    put(&mut inbox, NAME, &jpeg(10_000)).unwrap();
    let id = vault.catalogue.read(accessions::received_ids).unwrap().remove(0);
    inbox.remove(&path(NAME)).unwrap();
    answer.send(passed()).unwrap();
    until("the answer is taken", || !vault.ingest.gate.holds(&id));
    vault.close();
    let vault = fixture.open();
    assert_eq!(all(&vault).len(), 0);
    assert_eq!(outcomes(&vault), []);
}

#[test]
fn what_waits_on_the_scanner_is_neither_waved_through_nor_given_up() {
    let mut fixture = Fixture::new();
    fixture.config.ingest.waiting_hours = 0;
    let vault = fixture.open_with(says([away(), away(), away(), passed()]));
    put(&mut fixture.inbox(&vault), NAME, &jpeg(10_000)).unwrap();
    assert_eq!(outcomes(&vault), only("WAITING", Some("scanner_unavailable")));
    let before = events(&vault);
    let id = vault.catalogue.read(accessions::received_ids).unwrap().remove(0);
    for _ in 0..2 {
        vault.ingest.sweep().unwrap();
        until("the answer is taken", || !vault.ingest.gate.holds(&id));
    }
    until("the second answer left no event", || events(&vault) == before);
    assert_eq!(outcomes(&vault), only("WAITING", Some("scanner_unavailable")));
    vault.ingest.sweep().unwrap();
    until("it is looked at when the scanner is back", || {
        outcomes(&vault) == only("ACCEPTED", None)
    });
}

#[test]
fn a_restart_looks_again_at_what_was_in_the_gate() {
    let mut fixture = Fixture::new();
    fixture.config.inspect.close_wait_ms = 0;
    let (answer, inspector) = held();
    let vault = fixture.open_with(inspector);
    put(&mut fixture.inbox(&vault), NAME, &jpeg(10_000)).unwrap();
    drop(answer);
    vault.close();
    let vault = fixture.open();
    assert!(matches!(outcomes(&vault)[0].0.as_str(), "WAITING"));
    vault.ingest.sweep().unwrap();
    until("it is looked at again", || {
        outcomes(&vault) == only("ACCEPTED", None)
    });
}

#[test]
fn what_opens_a_sealed_body_stays_while_its_deep_inspection_is_due() {
    let mut fixture = Fixture::new();
    fixture.config.inspect.sm3 = true;
    let vault = fixture.open();
    put(&mut fixture.inbox(&vault), NAME, &jpeg(10_000)).unwrap();
    let evidence = all(&vault);
    let due = vault.catalogue.read(inspections::due_accessions).unwrap();
    assert_eq!(due, [evidence[0].accession.clone()]);
    staging::write_deep_sidecar(&fixture.layout(), "01jzzzzzzzzzzzzzzzzzzzzzzy", b"nobody's").unwrap();
    vault.close();
    let vault = fixture.open();
    let listed = staging::list(&fixture.layout()).unwrap().accessions;
    let deep: Vec<&str> = listed.iter().map(|staged| staged.accession_id.as_str()).collect();
    assert_eq!(deep, [due[0].as_str()]);
    let sealed = staging::read_deep_sidecar(&fixture.layout(), &due[0])
        .unwrap()
        .unwrap();
    let taken = crate::ingest::taken::Taken::open(&sealed, &due[0], &vault.ingest.staging_key).unwrap();
    assert_eq!(taken.sha256, evidence[0].sha256);
    // The same bytes again are a duplicate and leave nothing behind.
    put(&mut fixture.inbox(&vault), NAME, &jpeg(10_000)).unwrap();
    assert_eq!(staging::list(&fixture.layout()).unwrap().accessions.len(), 1);
}
