//! Whatever happens in a day costs the same with ten times as much sealed: counted in steps of SQLite, not in seconds.

#[path = "../../../tests/support/grown.rs"]
mod grown;

use super::*;
use crate::{
    catalog::{
        Result as Answer, accessions, log_edge, people,
        reports::{self, Listed, Span},
        search::Filter,
        work::{Costs, Work},
    },
    custody::receipt::{Form, Receipt},
    domain::time::{Clock, SystemClock},
    server::read_signer,
};
use grown::{Shape, grow};
use rusqlite::Connection;

/// Items of the smaller vault; the other one has ten times as many.
const ITEMS: u64 = 200;
const TIMES: u64 = 10;
/// Steps that a run may take more because of what happens at the same time: files on their way to their places.
const SLACK: u64 = 200;

/// Everything that runs at the start, for a log-in's files, for a seal, a receipt, a search, a sweep and an auditor's reports.
fn a_day(items: u64) -> (Costs, Vec<String>) {
    let fixture = Fixture::new();
    let layout = fixture.layout();
    let shape = Shape {
        items,
        branches: 1,
        people: 1,
        until_ms: SystemClock.now_ms() - 3 * 86_400_000,
        days: 50,
    };
    let signer = read_signer(&fixture.config.keys.log_key).unwrap();
    grow(&layout, &signer, fixture.config.zone(), &shape).unwrap();
    // What comes with items, and isn't grown with them: inspections, anchors, files that came and went.
    let connection = Connection::open(layout.catalog()).unwrap();
    connection
        .execute_batch(
            "INSERT INTO inspection (leaf_index, subject, version, tier, verdict, types_version, findings, whole) \
             SELECT leaf_index, id, version, 'gate', 'accepted', 1, '[]', '{}' FROM evidence; \
             INSERT INTO anchor (leaf_index, witness, size, cosignature) SELECT leaf_index, 'w', leaf_index, 'AAAA' FROM evidence; \
             INSERT INTO accession (id, person, branch, path, path_raw, state, size_bytes, sha256, leaf_index, time_ms, hidden) \
             SELECT 'x' || id, person, branch, '000100012345_20260728_A0098877_IDF_01.jpg', path_raw, \
             CASE leaf_index % 3 WHEN 0 THEN 'withdrawn' WHEN 1 THEN 'replaced' ELSE 'sealed' END, size_bytes, sha256, \
             leaf_index, time_ms, leaf_index % 2 FROM accession;",
        )
        .unwrap();
    let work = Work::watch(&layout.catalog());
    let vault = fixture.open();
    upload(&fixture, &vault);
    ask(&vault);
    vault.ingest.sweep().unwrap();
    vault.close();
    let costs = work.take();
    let plans = costs.keys().flat_map(|statement| scans(&connection, statement));
    let plans = plans.collect();
    (costs, plans)
}

/// Uploads in every way, by the person who sent everything before.
fn upload(fixture: &Fixture, vault: &VaultHandle) {
    let uploader = Uploader {
        person: grown::person(0, 0),
        branch: grown::branch(0),
        key_fingerprint: "SHA256:test".to_owned(),
    };
    let mut inbox = Inbox::new(vault.ingest.clone(), vault.open_paths.clone(), uploader);
    let root = VirtualPath {
        components: Vec::new(),
    };
    assert!(inbox.list(&root).unwrap().is_empty());
    assert!(
        inbox.stat(&path("scans")).is_err(),
        "what lies there is out of view"
    );
    inbox.make_directory(&path("scans")).unwrap();
    for name in [NAME, NAME, &format!("scans/{}", NAME.replace("_01.", "_02."))] {
        put(&mut inbox, name, &jpeg(20_000)).unwrap();
    }
    put(&mut inbox, NAME, &jpeg(30_000)).unwrap();
    assert!(inbox.stat(&path("scans")).is_ok());
    let later = NAME.replace("_01.", "_03.");
    put(&mut inbox, &format!("{later}.part"), &jpeg(20_000)[..9_000]).unwrap();
    inbox
        .rename(&path(&format!("{later}.part")), &path(&later), false)
        .unwrap();
    inbox.remove(&path(&later)).unwrap();
    put(
        &mut inbox,
        &format!("{NAME}.sha256"),
        format!("{:064}  {NAME}\n", 0).as_bytes(),
    )
    .unwrap();
    assert_eq!(inbox.list(&root).unwrap().len(), 3);
    assert_eq!(fixture.content(&newest(vault)).len(), jpeg(30_000).len());
}

fn newest(vault: &VaultHandle) -> search::Evidence {
    vault.settle_placements();
    let found = vault
        .catalogue
        .read(|connection| search::by_identity(connection, "000100012345", "A0098877", "IDF", "1"));
    found.unwrap().pop().unwrap()
}

/// Receipts, proofs, searches and reports.
fn ask(vault: &VaultHandle) {
    let (log, zone) = (&vault.room.log, vault.config.zone());
    let branch = grown::branch(0);
    fn read<T>(vault: &VaultHandle, question: impl FnOnce(&Connection) -> Answer<T>) -> T {
        vault.catalogue.read(question).unwrap()
    }
    let days = read(vault, |connection| receipts::dates(connection, &branch));
    assert!((45..=55).contains(&days.len()), "{days:?}");
    let row = read(vault, |connection| receipts::of_day(connection, &branch, days[0])).remove(0);
    let named = read(vault, |connection| {
        receipts::by_name(connection, &branch, row.date, &row.name, &row.outcome)
    });
    let receipt = Receipt::load(log, named.unwrap()).unwrap();
    for form in Form::ALL {
        receipt.render(form, log, zone).unwrap();
    }
    log.head().unwrap().unwrap();
    read(vault, log_edge::largest_anchor);

    let evidence = newest(vault);
    for filter in [
        Filter::default(),
        Filter {
            branch: Some(branch),
            ..Filter::default()
        },
        Filter {
            flow: Some(evidence.flow.clone()),
            ..Filter::default()
        },
        Filter {
            sha256: Some(hex::decode_array(&evidence.sha256).unwrap().into()),
            ..Filter::default()
        },
    ] {
        assert!(!read(vault, |connection| search::search(connection, &filter, 50)).is_empty());
    }
    read(vault, |connection| search::versions(connection, &evidence.id));

    let span = Span {
        limit: 50,
        ..Span::default()
    };
    assert!(read(vault, |connection| reports::questioned(connection, &span)).is_empty());
    for listed in [Listed::Fixity, Listed::Refused, Listed::HostRead] {
        read(vault, |connection| reports::listed(connection, listed, &span));
    }
    assert!(read(vault, reports::totals).versions > ITEMS);
    read(vault, reports::evidence_by_branch);
    read(vault, reports::waiting);
    read(vault, reports::waiting_count);
    read(vault, |connection| {
        reports::waiting_of(connection, &grown::person(0, 0))
    });
    read(vault, |connection| accessions::expired(connection, i64::MAX, 10));
    read(vault, |connection| people::by_name(connection, "clerk0.0101"));
}

/// The steps of a statement's plan that go over a whole table which grows.
fn scans(connection: &Connection, statement: &str) -> Vec<String> {
    let explained = connection.prepare(&format!("EXPLAIN QUERY PLAN {statement}"));
    // Neither transactions nor settings have a plan.
    let Ok(mut query) = explained else {
        return Vec::new();
    };
    let mut rows = query.raw_query();
    let mut found = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        let step: String = row.get(3).unwrap();
        let scanned = step.strip_prefix("SCAN ").and_then(|step| step.split(' ').next());
        let grows = |table| !SMALL.contains(&table) && !FIRST_ONLY.iter().any(|end| statement.ends_with(end));
        if scanned.is_some_and(grows) && !step.contains(WAITING) {
            found.push(format!("{step}: {statement}"));
        }
    }
    found
}

/// What may be gone over: tables of one row, of people and branches, what waits, and what is no table.
const SMALL: [&str; 10] = [
    "CONSTANT",
    "vault",
    "log_published",
    "placement",
    "inspection_due",
    "document_types",
    "branch",
    "b",
    "day",
    "json_each",
];
/// The indices of what waits go over nothing else.
const WAITING: &str = " INDEX accession_waiting";
/// A whole table in the order of its key, left after the first row or page.
const FIRST_ONLY: [&str; 2] = [
    "FROM log_checkpoint ORDER BY size DESC LIMIT 1",
    "INDEXED BY evidence_date ORDER BY date DESC, leaf_index DESC LIMIT 50",
];

#[test]
fn a_day_costs_the_same_with_ten_times_as_much_sealed() {
    let ((few, scanned), (many, _)) = (a_day(ITEMS), a_day(ITEMS * TIMES));
    assert!(few.len() > 60, "only {} statements were seen", few.len());
    let mut grown = scanned;
    for (statement, cost) in &many {
        let before = few.get(statement).copied().unwrap_or_default();
        if cost.steps > before.steps + SLACK {
            grown.push(format!(
                "{} steps became {}: {statement}",
                before.steps, cost.steps
            ));
        }
        // How often the placer looks is a matter of time.
        if cost.runs > 2 * before.runs + 20 && !statement.contains("placement") {
            grown.push(format!("{} runs became {}: {statement}", before.runs, cost.runs));
        }
    }
    assert!(grown.is_empty(), "{grown:#?}");
}
