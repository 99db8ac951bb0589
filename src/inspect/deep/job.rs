//! One version, from the queue to its event.

use super::{
    Parts, Pause,
    copy::{self, Copy},
    playback::{self, Copying},
    sheet::{self, Pictures},
    source::Original,
};
use crate::{
    blob::staging,
    catalog::{
        inspections::{self, Due},
        placements, receipts,
        search::{self, Evidence},
    },
    crypto::FileKey,
    custody::sequencer::{CommitError, Proposed},
    domain::{
        event::{Draft, Kind, Openings},
        finding::{Finding, Severity, Verdict},
        hex,
    },
    inspect::{
        outcome::Inspection,
        policy,
        process::WorkerError,
        report::Report,
        wire::{Answer, Job, Measures, Sink, Task},
        workers::is_recording,
    },
};
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

/// How long a body that is being moved to its place is waited for.
const PLACEMENT_WAIT: Duration = Duration::from_secs(30);
/// Between two looks whether it is there.
const PLACEMENT_LOOK: Duration = Duration::from_millis(100);
/// A worker that fails is started once more: a crash may be the machine's.
const TRIES: u32 = 2;

/// A version in hand.
struct Version<'a> {
    due: &'a Due,
    row: Evidence,
    number: u32,
    ext: String,
    /// Inbox path as committed to, for its receipt.
    path: String,
    content: PathBuf,
    file_key: FileKey,
    /// What the gate saw.
    gate: Option<Report>,
    /// Asked for again: what the configuration leaves out is done too.
    asked: bool,
}

/// What a worker came to.
enum Worked {
    Answer(Answer),
    /// It failed, each time. For an engineer: how.
    Failed(String),
}

impl Parts {
    /// Inspects a version and takes it out of the queue.
    pub(super) fn inspect(&self, due: &Due) -> Result<Verdict, Pause> {
        let version = self.version(due)?;
        let rules = &self.ingest.rules;
        if !(rules.deep || rules.sm3 || version.asked) {
            return Err(Pause::SwitchedOff);
        }
        self.wait_until_placed(&version.content)?;
        let seen_as_recording = version.gate.as_ref().map(|report| report.media.is_some());
        let recording = seen_as_recording.unwrap_or_else(|| is_recording(&version.ext));
        let (report, findings) = if recording && (rules.deep || version.asked) {
            self.decode(&version)?
        } else {
            (None, Vec::new())
        };
        let seen = report.as_ref().or(version.gate.as_ref());
        if let Some(report) = seen.filter(|_| recording && self.playback) {
            self.play(&version, report)?;
        }
        let sm3 = match rules.sm3 {
            true => Some(self.open(&version)?.sm3()?),
            false => None,
        };
        let inspection = Inspection {
            report,
            findings,
            types_version: rules.types.current().version(),
        };
        self.commit(&version, &inspection, sm3)?;
        Ok(inspection.verdict())
    }

    fn version<'a>(&self, due: &'a Due) -> Result<Version<'a>, Pause> {
        let file_key = self.file_key(due)?;
        let (row, sealed, inspected) = self.ingest.catalogue.read(|connection| {
            Ok((
                search::by_receipt(connection, due.receipt)?,
                receipts::by_number(connection, due.receipt)?,
                inspections::by_leaf(connection, due.receipt)?,
            ))
        })?;
        let (Some(row), Some(sealed)) = (row, sealed) else {
            return Err(Pause::Ours("the catalogue doesn't know it".to_owned()));
        };
        let openings: Openings =
            serde_json::from_str(&sealed.openings).map_err(|error| Pause::Ours(error.to_string()))?;
        let number = u32::try_from(row.version).map_err(|error| Pause::Ours(error.to_string()))?;
        let content = self
            .ingest
            .layout
            .content(&row.customer, &row.id, number)
            .map_err(|error| Pause::Ours(error.to_string()))?;
        let gate = inspected.and_then(|row| serde_json::from_str::<Inspection>(&row.whole).ok());
        let extension = row.file_name.rsplit_once('.').map_or("", |(_, ext)| ext);
        Ok(Version {
            due,
            number,
            ext: extension.to_ascii_lowercase(),
            path: openings
                .get("path")
                .map(|opening| opening.value.clone())
                .unwrap_or_default(),
            content,
            file_key,
            gate: gate.and_then(|inspection| inspection.report),
            asked: due.since != due.receipt,
            row,
        })
    }

    /// The placer moves a body after the commit that made it due.
    fn wait_until_placed(&self, content: &std::path::Path) -> Result<(), Pause> {
        let below = content
            .strip_prefix(self.ingest.layout.root())
            .ok()
            .and_then(|path| path.to_str());
        let target = below.unwrap_or_default();
        let deadline = Instant::now() + PLACEMENT_WAIT;
        // Under its name it is whole. To look for it among all that is promised costs more the more that is.
        while !content.exists()
            && self
                .ingest
                .catalogue
                .read(|connection| placements::is_pending(connection, target))?
        {
            if self.signals.stopped() {
                return Err(Pause::Stopped);
            }
            if Instant::now() >= deadline {
                return Err(Pause::Ours("its body isn't in its place yet".to_owned()));
            }
            std::thread::sleep(PLACEMENT_LOOK);
        }
        Ok(())
    }

    fn open(&self, version: &Version<'_>) -> Result<Original<'_>, Pause> {
        Original::open(&version.content, &version.file_key, &self.signals)
    }

    /// Everything decoded and measured, held against the document type as it is now; the contact sheet is kept.
    fn decode(&self, version: &Version<'_>) -> Result<(Option<Report>, Vec<Finding>), Pause> {
        let task = Task::Deep {
            measures: Measures::default(),
            pictures: sheet::PICTURES,
            picture_width: sheet::PICTURE_WIDTH,
        };
        let mut pictures = Pictures::default();
        let worked = self.work(version, &task, |sink| {
            pictures = Pictures::default();
            let result = sink(&mut pictures);
            (result, pictures.overrun)
        })?;
        let mut report = match worked {
            Worked::Answer(Answer::Report(report)) => *report,
            Worked::Answer(Answer::Failed { detail }) | Worked::Failed(detail) => {
                return Ok((None, vec![policy::inspection_failed(&detail)]));
            }
            Worked::Answer(_) => {
                let finding = policy::inspection_failed("the worker answered something else");
                return Ok((None, vec![finding]));
            }
        };
        // The deep tier adds to the gate's facts, it doesn't repeat the demuxer's.
        for fault in version.gate.iter().flat_map(|gate| &gate.faults) {
            if !report.faults.iter().any(|known| known.code == fault.code) {
                report.fault(fault.clone());
            }
        }
        self.keep_sheet(version, &pictures, &report.inspector)?;
        let types = self.ingest.rules.types.current();
        let mut findings = match types.find(&version.row.doctype) {
            Ok(doctype) => policy::judge(&report, doctype),
            // Head office took the type out of the table since.
            Err(reason) => vec![policy::inspection_failed(reason.code)],
        };
        for finding in &mut findings {
            // It is accepted: nothing takes that back, a person looks.
            finding.severity = finding.severity.min(Severity::Review);
        }
        Ok((Some(report), findings))
    }

    fn keep_sheet(&self, version: &Version<'_>, pictures: &Pictures, inspector: &str) -> Result<(), Pause> {
        if self.is_made(version, "contact_sheet")? {
            return Ok(());
        }
        let jpeg = match sheet::compose(pictures) {
            Ok(Some(jpeg)) => jpeg,
            Ok(None) => return Ok(()),
            Err(error) => {
                tracing::warn!(error, evidence = version.row.id, "no contact sheet could be made");
                return Ok(());
            }
        };
        let mut body = copy::body(&self.ingest, &version.file_key)?;
        if let Err(error) = body.push(&jpeg) {
            body.discard();
            return Err(Pause::Ours(error.to_string()));
        }
        let copy = Copy {
            form: "contact_sheet",
            media_type: "image/jpeg",
            made_by: inspector,
        };
        copy::commit(&self.ingest, &version.row, version.number, body, &copy)
    }

    /// Makes a copy that browsers play, where they don't play the original. One that can't be made isn't a finding about
    /// the original: what is wrong with that, the full decode says.
    fn play(&self, version: &Version<'_>, report: &Report) -> Result<(), Pause> {
        let Some(plan) = playback::plan(report) else {
            return Ok(());
        };
        if self.is_made(version, "playback")? {
            return Ok(());
        }
        let original_bytes = version.row.size_bytes.unsigned_abs();
        let mut body = None;
        let mut ours = None;
        let worked = self.work(version, &Task::Playback { plan }, |run| {
            let fresh = copy::body(&self.ingest, &version.file_key)
                .and_then(|body| Copying::new(&self.ingest, body, original_bytes));
            let mut copying = match fresh {
                Ok(copying) => copying,
                Err(pause) => {
                    ours = Some(pause);
                    return (Err(std::io::Error::other("no room for a copy").into()), false);
                }
            };
            let result = run(&mut copying);
            let overrun = copying.overrun;
            match &result {
                Ok(Answer::Made { .. }) => body = Some(copying.into_body()),
                _ => copying.discard(),
            }
            (result, overrun)
        });
        if let Some(pause) = ours {
            return Err(pause);
        }
        match (worked?, body) {
            (Worked::Answer(Answer::Made { .. }), Some(body)) => {
                let copy = Copy {
                    form: "playback",
                    media_type: "video/mp4",
                    made_by: &report.inspector,
                };
                copy::commit(&self.ingest, &version.row, version.number, body, &copy)
            }
            (Worked::Answer(Answer::Failed { detail }) | Worked::Failed(detail), _) => {
                tracing::warn!(
                    detail,
                    evidence = version.row.id,
                    "no playback copy could be made"
                );
                Ok(())
            }
            _ => {
                tracing::warn!(
                    evidence = version.row.id,
                    "the worker answered something else than a copy"
                );
                Ok(())
            }
        }
    }

    /// Whether a copy of this form was made since the version became due.
    fn is_made(&self, version: &Version<'_>, form: &str) -> Result<bool, Pause> {
        let made = self
            .ingest
            .catalogue
            .read(|connection| inspections::derived_of(connection, &version.row.id, version.row.version))?;
        Ok(made
            .iter()
            .any(|copy| copy.form == form && copy.leaf > version.due.since))
    }

    /// Has a worker do a job, twice if it fails. `attempt` brings a sink and says whether the worker overran it.
    fn work(
        &self,
        version: &Version<'_>,
        task: &Task,
        mut attempt: impl FnMut(
            &mut dyn FnMut(&mut dyn Sink) -> Result<Answer, WorkerError>,
        ) -> (Result<Answer, WorkerError>, bool),
    ) -> Result<Worked, Pause> {
        let job = Job {
            task: task.clone(),
            ext: version.ext.clone(),
            size_bytes: version.row.size_bytes.unsigned_abs(),
        };
        let mut failure = String::new();
        for _ in 0..TRIES {
            let mut original = self.open(version)?;
            let (result, overrun) = attempt(&mut |sink| self.work.run(&job, &mut original, sink));
            if self.signals.stopped() && result.is_err() {
                return Err(Pause::Stopped);
            }
            match result {
                Ok(answer) => return Ok(Worked::Answer(answer)),
                Err(error) if overrun => failure = error.to_string(),
                Err(WorkerError::Failed(detail)) => failure = detail,
                Err(WorkerError::Environment(error)) => return Err(error.into()),
            }
            tracing::warn!(
                failure,
                evidence = version.row.id,
                "a worker failed in the background"
            );
        }
        Ok(Worked::Failed(failure))
    }

    /// The event that takes the version out of the queue; then what opened it goes, unless it was asked for again.
    fn commit(
        &self,
        version: &Version<'_>,
        inspection: &Inspection,
        sm3: Option<[u8; 32]>,
    ) -> Result<(), Pause> {
        let (due, row) = (version.due, &version.row);
        let id = self
            .ingest
            .new_id()
            .map_err(|error| Pause::Ours(error.to_string()))?;
        let mut draft = Draft::new(Kind::EvidenceInspected, id.clone(), "system")
            .fact("evidence", row.id.as_str())
            .fact("version", row.version)
            .fact("of", row.receipt)
            .fact("due", due.since)
            .fact("tier", "deep")
            .fact("sha256", row.sha256.as_str())
            .fact("size_bytes", row.size_bytes)
            .fact("branch", row.branch.as_str())
            .fact("person", row.person.as_str())
            .fact("key", row.key_fingerprint.as_str())
            .commit("path", version.path.as_str());
        if let Some(sm3) = sm3 {
            draft = draft.fact("sm3", hex::encode(sm3));
        }
        let draft = inspection.write(draft);
        let place = self.ingest.sealer.registry(id);
        let committed = self.ingest.custody.commit(move |_| {
            Ok(Proposed {
                draft,
                place: Some(place),
            })
        });
        match committed {
            Ok(_) => {}
            Err(CommitError::Stopped) => return Err(Pause::Stopped),
            Err(error) => return Err(Pause::Ours(error.to_string())),
        }
        let _guard = self.signals.sidecars();
        let still = self
            .ingest
            .catalogue
            .read(|connection| inspections::due_of(connection, due.receipt))?;
        if still.is_none()
            && let Err(error) = staging::remove_deep_sidecar(&self.ingest.layout, &due.accession)
        {
            tracing::warn!(%error, "a sidecar stays behind until the next start");
        }
        Ok(())
    }
}
