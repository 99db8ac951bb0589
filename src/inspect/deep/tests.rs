//! The queue over a real store, catalogue and log; only the worker is told what to say. The real programs come in `tests/it`.

use super::*;
use crate::{
    blob::staging,
    catalog::{Catalogue, placements, receipts, search::Evidence},
    crypto::{BodyReader, header},
    custody::{fixity, rebuild},
    domain::{event::Leaf, finding::Verdict, hex},
    ingest::{
        structure::samples,
        tests::{Fixture, all, jpeg, put},
    },
    inspect::{
        outcome::Inspection,
        report::{Deep, Report, Tier},
        testing::good,
        wire::{Picture, Task},
    },
    server::VaultHandle,
};
use sm3::{Digest, Sm3};
use std::{fs, path::PathBuf};

const FILM: &str = "000100012345_20260728_A0098877_WVID_01.mp4";
const OLD_FILM: &str = "000100012345_20260728_A0098878_WVID_01.avi";
const PAGE: &str = "000100012345_20260728_A0098877_IDF_01.jpg";

/// What a worker does with one job.
type Does = dyn Fn(&Job, &mut dyn Source, &mut dyn Sink) -> Result<Answer, WorkerError> + Send + Sync;

/// A worker that does what it is told, and remembers what it was asked.
struct Told {
    does: Box<Does>,
    asked: Mutex<Vec<&'static str>>,
}

impl Work for Told {
    fn run(&self, job: &Job, source: &mut dyn Source, sink: &mut dyn Sink) -> Result<Answer, WorkerError> {
        let name = match job.task {
            Task::Deep { .. } => "deep",
            Task::Playback { .. } => "playback",
            _ => "other",
        };
        self.asked.lock().unwrap().push(name);
        (self.does)(job, source, sink)
    }
}

/// Reads everything, sends three pictures or 300 KB of a copy, finds nothing wrong.
fn works(job: &Job, source: &mut dyn Source, sink: &mut dyn Sink) -> Result<Answer, WorkerError> {
    let mut bytes = Vec::new();
    source.read_to_end(&mut bytes)?;
    assert_eq!(bytes.len() as u64, job.size_bytes);
    match &job.task {
        Task::Deep { picture_width, .. } => {
            for at_ms in [0, 60_000, 120_000] {
                sink.picture(Picture {
                    width: *picture_width,
                    height: 180,
                    at_ms,
                    rgb: vec![90; *picture_width as usize * 180 * 3],
                })?;
            }
            Ok(Answer::Report(Box::new(decoded(job))))
        }
        Task::Playback { .. } => {
            for piece in copy_bytes().chunks(100_000) {
                sink.output(piece)?;
            }
            Ok(Answer::Made {
                duration_ms: 300_000,
                width: 854,
                height: 480,
                audio: true,
            })
        }
        _ => Err(WorkerError::Failed("not asked for".to_owned())),
    }
}

fn decoded(job: &Job) -> Report {
    let mut report = good(job.size_bytes, &job.ext);
    report.tier = Tier::Deep;
    if let Some(media) = &mut report.media {
        media.deep = Some(Deep {
            loudness_lufs_centi: Some(-2_000),
            ..Deep::default()
        });
    }
    report
}

fn copy_bytes() -> Vec<u8> {
    (0..300_000u32).map(|at| (at % 253) as u8).collect()
}

/// A vault, its queue without a thread, and what its worker was asked.
struct Bench {
    fixture: Fixture,
    vault: VaultHandle,
    parts: Parts,
    told: Arc<Told>,
}

impl Bench {
    fn new(does: Box<Does>, change: impl FnOnce(&mut Fixture)) -> Self {
        let mut fixture = Fixture::new();
        change(&mut fixture);
        let vault = fixture.open();
        let told = Arc::new(Told {
            does,
            asked: Mutex::default(),
        });
        let parts = Parts {
            ingest: vault.ingest.clone(),
            work: told.clone(),
            playback: true,
            signals: vault.deep.clone(),
        };
        Bench {
            fixture,
            vault,
            parts,
            told,
        }
    }

    fn upload(&self, name: &str, bytes: &[u8]) {
        put(&mut self.fixture.inbox(&self.vault), name, bytes).unwrap();
        self.vault.settle_placements();
    }

    fn due(&self) -> Vec<inspections::Due> {
        let read = |after| {
            let next = |connection: &_| inspections::next_due(connection, after);
            self.vault.catalogue.read(next).unwrap()
        };
        let mut found: Vec<inspections::Due> = Vec::new();
        while let Some(due) = read(found.last().map(|due| due.since)) {
            found.push(due);
        }
        found
    }

    fn inspect(&self) -> Result<Verdict, Pause> {
        let due = self.due();
        let verdict = self.parts.inspect(&due[0]);
        self.vault.settle_placements();
        verdict
    }

    fn evidence(&self) -> Evidence {
        all(&self.vault).remove(0)
    }

    /// Kinds of the events about the piece of evidence, in the order of the log.
    fn kinds(&self) -> Vec<String> {
        let id = self.evidence().id;
        let events = |connection: &_| crate::catalog::accessions::events_of(connection, &id);
        let events = self.vault.catalogue.read(events).unwrap();
        events.into_iter().map(|(_, kind, _)| kind).collect()
    }

    fn derived(&self) -> Vec<inspections::Derived> {
        let row = self.evidence();
        let made = |connection: &_| inspections::derived_of(connection, &row.id, row.version);
        self.vault.catalogue.read(made).unwrap()
    }

    fn derived_path(&self, copy: &inspections::Derived) -> PathBuf {
        let row = self.evidence();
        let layout = self.fixture.layout();
        layout.derived(&row.customer, &row.id, 1, &copy.id).unwrap()
    }

    /// A copy as the version's header opens it.
    fn decrypted(&self, copy: &inspections::Derived) -> Vec<u8> {
        let row = self.evidence();
        let header_bytes = fs::read(self.fixture.layout().header(&row.id, 1).unwrap()).unwrap();
        let file_key = header::unwrap(&header_bytes, std::slice::from_ref(&self.fixture.identity)).unwrap();
        let body = fs::read(self.derived_path(copy)).unwrap();
        assert_eq!(hex::encode(blake3::hash(&body).as_bytes()), copy.stored_blake3);
        BodyReader::open(&file_key, body)
            .unwrap()
            .read_all(1 << 30)
            .unwrap()
    }

    fn leaf(&self, kind: &str) -> Leaf {
        let id = self.evidence().id;
        let events = |connection: &_| crate::catalog::accessions::events_of(connection, &id);
        let events = self.vault.catalogue.read(events).unwrap();
        let (index, ..) = events.into_iter().rfind(|(_, found, _)| found == kind).unwrap();
        let size = index + 1;
        let (_, bytes) = self
            .vault
            .log_dir
            .leaves(index..size, self.log_size())
            .next()
            .unwrap()
            .unwrap();
        let leaf: Leaf = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(crate::verify::facts::faults(&leaf), Vec::<String>::new());
        leaf
    }

    fn log_size(&self) -> u64 {
        self.vault.custody.published().catch_up();
        let note = self.vault.log_dir.checkpoint().unwrap().unwrap();
        let text = String::from_utf8(note).unwrap();
        text.lines().nth(1).unwrap().parse().unwrap()
    }

    fn fixity(&self, with_identity: bool) -> Vec<String> {
        let identities = with_identity.then_some(std::slice::from_ref(&self.fixture.identity));
        let subject = fixity::Subject {
            layout: &self.fixture.layout(),
            catalogue: &self.vault.catalogue,
            log_dir: &self.vault.log_dir,
            verifier: &self.vault.verifier,
            identities,
        };
        let report = fixity::check(&subject, &|_, _| {});
        assert!(report.complete || !report.findings.is_empty());
        let told = report.findings.into_iter();
        told.map(|finding| format!("{}: {}", finding.path, finding.what))
            .collect()
    }

    /// Names in staging, when everything that was promised is in its place.
    fn staged(&self) -> Vec<String> {
        self.vault.settle_placements();
        let mut names: Vec<String> = fs::read_dir(self.fixture.layout().staging())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn ask_again(&self, with_key: bool) -> Result<crate::admin::Response, crate::admin::AdminError> {
        self.vault.settle_placements();
        let row = self.evidence();
        let file_key = with_key.then(|| {
            let bytes = fs::read(self.fixture.layout().header(&row.id, 1).unwrap()).unwrap();
            let identities = std::slice::from_ref(&self.fixture.identity);
            crate::admin::KeyText::of(&header::unwrap(&bytes, identities).unwrap())
        });
        let request = crate::admin::Request::InspectAgain {
            evidence: row.id,
            version: 1,
            file_key,
        };
        crate::admin::execute(&self.vault, &crate::admin::NoSessions, request)
    }
}

fn bench() -> Bench {
    Bench::new(Box::new(works), |_| {})
}

#[test]
fn a_film_is_decoded_its_sheet_kept_and_it_leaves_the_queue() {
    let bench = bench();
    bench.upload(FILM, &samples::mp4_index_last());
    assert_eq!(bench.due().len(), 1);
    assert_eq!(bench.inspect().unwrap(), Verdict::Accepted);
    assert_eq!(
        bench.kinds(),
        ["evidence.sealed", "derived.made", "evidence.inspected"]
    );
    assert_eq!(
        *bench.told.asked.lock().unwrap(),
        ["deep"],
        "browsers play it as it is"
    );
    assert_eq!(
        (bench.due().len(), bench.evidence().state.as_str()),
        (0, "sealed")
    );
    assert_eq!(bench.staged(), Vec::<String>::new(), "what opened it is gone");

    let [sheet] = &bench.derived()[..] else {
        panic!("one copy")
    };
    assert_eq!(
        (sheet.form.as_str(), sheet.media_type.as_str()),
        ("contact_sheet", "image/jpeg")
    );
    assert_eq!(bench.decrypted(sheet)[..3], [0xFF, 0xD8, 0xFF]);
    let leaf = bench.leaf("derived.made");
    assert_eq!(
        leaf.text("original_sha256"),
        Some(bench.evidence().sha256.as_str())
    );
    assert_eq!(bench.leaf("evidence.inspected").text("sm3"), None);
    assert_eq!(bench.fixity(true), Vec::<String>::new());
}

#[test]
fn a_film_that_browsers_dont_play_gets_a_copy_once_and_again_when_asked() {
    let bench = bench();
    bench.upload(OLD_FILM, &samples::avi(false));
    bench.inspect().unwrap();
    let forms =
        |bench: &Bench| -> Vec<String> { bench.derived().into_iter().map(|copy| copy.form).collect() };
    assert_eq!(forms(&bench), ["contact_sheet", "playback"]);
    assert_eq!(bench.decrypted(&bench.derived()[1]), copy_bytes());

    let refused = bench.ask_again(false).unwrap_err().to_string();
    assert!(refused.contains("--identity"), "{refused}");
    bench.ask_again(true).unwrap();
    assert_eq!(bench.due().len(), 1);
    // Now what opens it is here, so asking needs no key.
    bench.ask_again(false).unwrap();
    assert_eq!(bench.due().len(), 1);
    bench.inspect().unwrap();
    assert_eq!(
        forms(&bench),
        ["contact_sheet", "playback", "contact_sheet", "playback"]
    );
    assert_eq!((bench.due().len(), bench.staged().len()), (0, 0));
    assert_eq!(bench.fixity(true), Vec::<String>::new());
}

#[test]
fn what_was_made_before_a_failure_of_ours_isnt_made_again() {
    let first = Mutex::new(true);
    let does = move |job: &Job, source: &mut dyn Source, sink: &mut dyn Sink| {
        if matches!(job.task, Task::Playback { .. }) && std::mem::take(&mut *first.lock().unwrap()) {
            sink.output(b"half a copy")?;
            return Err(WorkerError::Environment(io::Error::other("the disk is full")));
        }
        works(job, source, sink)
    };
    let bench = Bench::new(Box::new(does), |_| {});
    bench.upload(OLD_FILM, &samples::avi(false));
    assert!(matches!(bench.inspect(), Err(Pause::Ours(_))));
    assert_eq!(bench.due().len(), 1);
    assert_eq!(bench.staged().len(), 1, "the sidecar, and no half a copy");
    bench.inspect().unwrap();
    assert_eq!(
        bench.kinds(),
        [
            "evidence.sealed",
            "derived.made",
            "derived.made",
            "evidence.inspected"
        ]
    );
}

#[test]
fn a_worker_that_fails_twice_is_for_a_person_and_that_stays() {
    let failing = Arc::new(Mutex::new(true));
    let fails = failing.clone();
    let does = move |job: &Job, source: &mut dyn Source, sink: &mut dyn Sink| match *fails.lock().unwrap() {
        true => Err(WorkerError::Failed("it crashed".to_owned())),
        false => works(job, source, sink),
    };
    let bench = Bench::new(Box::new(does), |_| {});
    bench.upload(FILM, &samples::mp4_index_last());
    assert_eq!(bench.inspect().unwrap(), Verdict::NeedsReview);
    assert_eq!(*bench.told.asked.lock().unwrap(), ["deep", "deep"]);
    assert_eq!(bench.evidence().state, "needs_review");
    let leaf = bench.leaf("evidence.inspected");
    assert_eq!(leaf.data["findings"], serde_json::json!(["inspection_failed"]));
    let outcomes = |bench: &Bench| -> Vec<String> {
        let rows = bench.vault.catalogue.read(|connection| {
            let date = receipts::dates(connection, "0101")?[0];
            receipts::of_day(connection, "0101", date)
        });
        rows.unwrap().into_iter().map(|row| row.outcome).collect()
    };
    assert_eq!(outcomes(&bench), ["ACCEPTED", "NEEDS_REVIEW"]);

    // A later inspection that finds nothing doesn't take a person's task away.
    *failing.lock().unwrap() = false;
    bench.ask_again(true).unwrap();
    assert_eq!(bench.inspect().unwrap(), Verdict::Accepted);
    assert_eq!(bench.evidence().state, "needs_review");
    assert_eq!(outcomes(&bench), ["ACCEPTED", "NEEDS_REVIEW"]);
    assert_eq!(bench.fixity(true), Vec::<String>::new());
}

#[test]
fn what_would_reject_at_the_gate_asks_for_a_look_here() {
    let does = |job: &Job, source: &mut dyn Source, sink: &mut dyn Sink| {
        let Ok(Answer::Report(mut report)) = works(job, source, sink) else {
            panic!("a report")
        };
        report.fault(crate::inspect::report::Fault::new(
            crate::inspect::report::FaultCode::Undecodable,
            "nothing of it",
        ));
        Ok(Answer::Report(report))
    };
    let bench = Bench::new(Box::new(does), |_| {});
    bench.upload(FILM, &samples::mp4_index_last());
    assert_eq!(bench.inspect().unwrap(), Verdict::NeedsReview);
    let row = bench.evidence();
    let seen = |connection: &_| inspections::of(connection, &row.id, 1);
    let seen = bench.vault.catalogue.read(seen).unwrap();
    let whole: Inspection = serde_json::from_str(&seen.last().unwrap().whole).unwrap();
    assert!(
        whole.findings.iter().any(|finding| finding.code == "undecodable"),
        "{:?}",
        whole.findings
    );
    assert_eq!(whole.verdict(), Verdict::NeedsReview);
}

#[test]
fn a_worker_that_sends_too_much_has_failed() {
    let does = |job: &Job, source: &mut dyn Source, sink: &mut dyn Sink| {
        if let Task::Playback { .. } = job.task {
            let piece = vec![0; 1 << 20];
            loop {
                sink.output(&piece)?;
            }
        }
        for _ in 0..100 {
            works(job, source, sink)?;
            source.rewind()?;
        }
        works(job, source, sink)
    };
    let bench = Bench::new(Box::new(does), |_| {});
    bench.upload(OLD_FILM, &samples::avi(false));
    assert_eq!(bench.inspect().unwrap(), Verdict::NeedsReview);
    assert_eq!(
        *bench.told.asked.lock().unwrap(),
        ["deep", "deep", "playback", "playback"]
    );
    assert_eq!(bench.kinds(), ["evidence.sealed", "evidence.inspected"]);
    assert_eq!(bench.staged(), Vec::<String>::new());
}

#[test]
fn a_page_is_digested_where_that_is_configured_and_no_worker_runs() {
    let bench = Bench::new(Box::new(works), |fixture| fixture.config.inspect.sm3 = true);
    let page = jpeg(300_000);
    bench.upload(PAGE, &page);
    assert_eq!(bench.inspect().unwrap(), Verdict::Accepted);
    assert_eq!(bench.told.asked.lock().unwrap().len(), 0);
    let expected = hex::encode(Sm3::digest(&page));
    assert_eq!(
        bench.leaf("evidence.inspected").text("sm3"),
        Some(expected.as_str())
    );
    assert_eq!(bench.staged(), Vec::<String>::new());
}

#[test]
fn sm3_is_the_standards() {
    // GB/T 32905-2016, appendix A.1.
    assert_eq!(
        hex::encode(Sm3::digest(b"abc")),
        "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    );
}

#[test]
fn a_stop_ends_the_work_and_the_version_stays_due() {
    let (begun, waits) = std::sync::mpsc::channel();
    let begun = Mutex::new(begun);
    let does = move |_: &Job, source: &mut dyn Source, _: &mut dyn Sink| {
        begun.lock().unwrap().send(()).unwrap();
        loop {
            // A worker that never ends, and reads now and then.
            source.rewind()?;
            source.read_exact(&mut [0; 16])?;
        }
    };
    let bench = Bench::new(Box::new(does), |_| {});
    bench.upload(FILM, &samples::mp4_index_last());
    let mut queue = DeepQueue::start(Parts {
        ingest: bench.vault.ingest.clone(),
        work: bench.told.clone(),
        playback: true,
        signals: bench.vault.deep.clone(),
    })
    .unwrap();
    waits.recv().unwrap();
    queue.stop();
    assert_eq!(bench.due().len(), 1);
    assert_eq!(bench.kinds(), ["evidence.sealed"]);
    assert_eq!(bench.staged().len(), 1, "what opens it stays");
}

#[test]
fn without_what_opens_it_a_version_waits_and_others_dont() {
    let bench = bench();
    bench.upload(FILM, &samples::mp4_index_last());
    bench.upload(OLD_FILM, &samples::avi(false));
    let [first, second] = &bench.due()[..] else {
        panic!("two are due")
    };
    staging::remove_deep_sidecar(&bench.fixture.layout(), &first.accession).unwrap();
    assert!(matches!(bench.parts.inspect(first), Err(Pause::Locked)));
    bench.parts.inspect(second).unwrap();
    let left = bench.due();
    assert_eq!(left, std::slice::from_ref(first));
    bench.ask_again(true).unwrap();
    assert_eq!(bench.inspect().unwrap(), Verdict::Accepted);
}

#[test]
fn switched_off_nothing_is_claimed_to_have_been_inspected() {
    let Bench {
        mut fixture, vault, ..
    } = {
        let bench = bench();
        bench.upload(FILM, &samples::mp4_index_last());
        bench
    };
    vault.close();
    fixture.config.inspect.deep = false;
    let vault = fixture.open();
    let told = Arc::new(Told {
        does: Box::new(works),
        asked: Mutex::default(),
    });
    let parts = Parts {
        ingest: vault.ingest.clone(),
        work: told.clone(),
        playback: false,
        signals: vault.deep.clone(),
    };
    let bench = Bench {
        fixture,
        vault,
        parts,
        told,
    };
    assert!(matches!(bench.inspect(), Err(Pause::SwitchedOff)));
    assert_eq!((bench.due().len(), bench.kinds().len()), (1, 1));
    // Whoever asks for it gets it all the same.
    bench.ask_again(false).unwrap();
    assert_eq!(bench.inspect().unwrap(), Verdict::Accepted);
    assert_eq!(
        bench.kinds().last().map(String::as_str),
        Some("evidence.inspected")
    );
}

#[test]
fn a_request_during_the_work_isnt_lost() {
    let bench = bench();
    bench.upload(FILM, &samples::mp4_index_last());
    let before = bench.due().remove(0);
    bench.ask_again(false).unwrap();
    bench.parts.inspect(&before).unwrap();
    let due = bench.due();
    assert_eq!(due.len(), 1, "the later request stands");
    assert!(due[0].since > before.since);
    assert_eq!(bench.staged().len(), 1, "so does what opens it");
}

#[test]
fn damage_to_a_copy_its_row_or_its_folder_is_found() {
    let bench = bench();
    bench.upload(OLD_FILM, &samples::avi(false));
    bench.inspect().unwrap();
    let copy = bench.derived().remove(1);
    let path = bench.derived_path(&copy);
    let whole = fs::read(&path).unwrap();
    let write = |bytes: &[u8]| {
        fs::remove_file(&path).unwrap();
        fs::write(&path, bytes).unwrap();
    };
    let named = |found: &[String]| found.iter().any(|line| line.contains(&copy.id));
    for at in [0, 20, whole.len() / 2, whole.len() - 1] {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        write(&flipped);
        let found = bench.fixity(false);
        assert!(named(&found), "byte {at}: {found:?}");
    }
    write(&whole[..whole.len() - 1]);
    assert!(named(&bench.fixity(false)));
    fs::remove_file(&path).unwrap();
    assert!(named(&bench.fixity(false)));
    fs::write(&path, &whole).unwrap();
    assert_eq!(bench.fixity(true), Vec::<String>::new());

    let extra = path.with_file_name("01jzzzzzzzzzzzzzzzzzzzzzzq");
    fs::write(&extra, b"smuggled in").unwrap();
    let found = bench.fixity(false);
    assert!(
        found
            .iter()
            .any(|line| line.contains("01jzzzzzzzzzzzzzzzzzzzzzzq")),
        "{found:?}"
    );
    fs::remove_file(&extra).unwrap();

    let catalogue = rusqlite::Connection::open(bench.fixture.layout().catalog()).unwrap();
    for sql in [
        "UPDATE derived SET form = 'contact_sheet' WHERE form = 'playback'",
        "UPDATE inspection SET verdict = 'needs_review' WHERE tier = 'deep'",
        "UPDATE evidence SET state = 'needs_review'",
        "DELETE FROM inspection WHERE tier = 'gate'",
        "DELETE FROM derived",
        "INSERT INTO inspection_due (receipt, since, evidence, version, accession) VALUES (0, 0, 'x', 1, 'x')",
    ] {
        let copy_of = bench.fixture.folder.path().join("kept.db");
        catalogue
            .execute_batch(&format!("VACUUM INTO '{}'", copy_of.display()))
            .unwrap();
        catalogue.execute(sql, []).unwrap();
        let found = bench.fixity(false);
        assert!(!found.is_empty(), "{sql}");
        let tables = ["derived", "inspection", "evidence", "inspection_due"];
        catalogue
            .execute_batch(&format!("ATTACH '{}' AS kept", copy_of.display()))
            .unwrap();
        for table in tables {
            catalogue
                .execute_batch(&format!(
                    "DELETE FROM {table}; INSERT INTO {table} SELECT * FROM kept.{table}"
                ))
                .unwrap();
        }
        catalogue.execute_batch("DETACH kept").unwrap();
        fs::remove_file(copy_of).unwrap();
    }
    assert_eq!(bench.fixity(true), Vec::<String>::new());
}

#[test]
fn a_version_that_was_dropped_from_the_queue_is_missed() {
    let bench = bench();
    bench.upload(FILM, &samples::mp4_index_last());
    assert_eq!(bench.fixity(false), Vec::<String>::new());
    let catalogue = rusqlite::Connection::open(bench.fixture.layout().catalog()).unwrap();
    catalogue.execute("DELETE FROM inspection_due", []).unwrap();
    let found = bench.fixity(false);
    assert!(
        found.iter().any(|line| line.contains("inspection_due")),
        "{found:?}"
    );
}

/// Every row of the tables that inspections fill.
fn rows(catalogue: &Catalogue) -> Vec<String> {
    let dump = |connection: &rusqlite::Connection| {
        let mut lines = Vec::new();
        for table in ["inspection", "inspection_due", "derived", "evidence", "receipt"] {
            let mut query = connection.prepare(&format!("SELECT * FROM {table} ORDER BY 1"))?;
            let columns = query.column_count();
            let mut found = query.query([])?;
            while let Some(row) = found.next()? {
                let values: Vec<String> = (0..columns)
                    .filter(|column| row.as_ref().column_name(*column).unwrap() != "commit_size")
                    .map(|column| format!("{:?}", row.get_ref(column).unwrap()))
                    .collect();
                lines.push(format!("{table}: {}", values.join(" | ")));
            }
        }
        Ok(lines)
    };
    catalogue.read(dump).unwrap()
}

#[test]
fn a_rebuild_brings_back_the_same_rows() {
    let bench = bench();
    bench.upload(OLD_FILM, &samples::avi(false));
    bench.inspect().unwrap();
    bench.upload(FILM, &samples::mp4_index_last());
    bench.ask_again(true).unwrap();
    assert_eq!(bench.due().len(), 2);
    assert_eq!(bench.vault.catalogue.read(placements::pending_count).unwrap(), 0);
    let before = rows(&bench.vault.catalogue);
    let Bench { fixture, vault, .. } = bench;
    let (verifier, origin) = (vault.verifier.clone(), fixture.config.vault.origin.clone());
    vault.close();
    let layout = fixture.layout();
    for suffix in ["", "-wal", "-shm"] {
        let path = format!("{}{suffix}", layout.catalog().display());
        let _ = fs::rename(&path, fixture.folder.path().join(format!("old.db{suffix}")));
    }
    let source = rebuild::Source {
        layout: &layout,
        origin: &origin,
        zone: fixture.config.zone(),
        log_dir: &crate::tlog::store::LogDir::new(layout.log()),
        verifier: &verifier,
        identities: std::slice::from_ref(&fixture.identity),
    };
    let rebuilt = rebuild::rebuild(&source, &|_, _| {}).unwrap();
    assert!(rebuilt.findings.is_empty(), "{:?}", rebuilt.findings);
    assert_eq!(rows(&Catalogue::open(&layout.catalog()).unwrap()), before);

    // A copy that is damaged or doesn't belong is named by the rebuild too.
    fs::remove_file(layout.catalog()).unwrap();
    let objects = layout.objects();
    let copies: Vec<PathBuf> = walk(&objects)
        .into_iter()
        .filter(|path| path.to_string_lossy().contains("/derived/"))
        .collect();
    let bytes = fs::read(&copies[0]).unwrap();
    fs::remove_file(&copies[0]).unwrap();
    fs::write(&copies[0], &bytes[1..]).unwrap();
    fs::write(copies[0].with_file_name("extra"), b"x").unwrap();
    let rebuilt = rebuild::rebuild(&source, &|_, _| {}).unwrap();
    let named: Vec<&str> = rebuilt
        .findings
        .iter()
        .map(|finding| finding.path.as_str())
        .collect();
    assert_eq!(named.len(), 2, "{named:?}");
    assert!(named.iter().any(|path| path.ends_with("derived/extra")));
}

fn walk(folder: &std::path::Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(walk(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}
