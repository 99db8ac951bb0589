//! The inspector that the server uses: the malware scanner where one is configured, then a worker process, then another
//! for each recording that a bundle stores as it is.

use super::{
    gate::{Inspector, Looked, Seen, Unavailable},
    malware::{Clamd, ScanError, Scanned},
    process::{self, WorkerError, WorkerSettings},
    report::{Fault, FaultCode, MAX_TEXT, Report},
    wire::{Answer, Job, NoSink, Source, Task},
};
use std::io::{self, Read, Seek, SeekFrom};

/// Recordings of one bundle that are looked at; more is a fault.
const MAX_RECORDINGS: usize = 64;
/// A worker that fails is started once more: a crash may be the machine's.
const TRIES: usize = 2;

/// Extensions of recordings; everything else goes to the worker for scans and bundles.
const RECORDINGS: [&str; 24] = [
    "mp4", "mov", "m4v", "qt", "3gp", "mkv", "webm", "mka", "avi", "wav", "wmv", "wma", "asf", "mpg", "mpeg",
    "vob", "ts", "m2v", "flv", "mp3", "m4a", "aac", "mts", "m2ts",
];

/// Whether files with this extension (lower case) are recordings.
pub fn is_recording(ext: &str) -> bool {
    RECORDINGS.contains(&ext)
}

/// Worker processes, and the scanner before them.
pub struct Workers {
    settings: WorkerSettings,
    scanner: Option<Clamd>,
}

impl Workers {
    /// Workers of these programs; `scanner` is asked first.
    pub fn new(settings: WorkerSettings, scanner: Option<Clamd>) -> Self {
        Workers { settings, scanner }
    }

    /// The report of one file, without the malware scanner.
    fn report(&self, source: &mut dyn Source, size_bytes: u64, ext: &str) -> Result<Report, WorkerError> {
        let mut report = self.one(source, size_bytes, ext)?;
        self.recordings(source, &mut report)?;
        Ok(report)
    }

    fn one(&self, source: &mut dyn Source, size_bytes: u64, ext: &str) -> Result<Report, WorkerError> {
        let job = Job {
            task: if is_recording(ext) { Task::Gate } else { Task::Scan },
            ext: ext.to_owned(),
            size_bytes,
        };
        let mut failure = String::new();
        for _ in 0..TRIES {
            match process::ask(&self.settings, &job, source, &mut NoSink) {
                Ok(Answer::Report(report)) => return Ok(*report),
                Ok(Answer::Failed { detail }) => failure = detail,
                Ok(_) => failure = "the worker answered something else".to_owned(),
                Err(WorkerError::Failed(detail)) => failure = detail,
                Err(error) => return Err(error),
            }
            tracing::warn!(failure, ext, size_bytes, "a worker failed");
        }
        Err(WorkerError::Failed(failure))
    }

    /// Looks at the recordings that a bundle stores as they are, where they lie in it.
    fn recordings(&self, source: &mut dyn Source, report: &mut Report) -> Result<(), WorkerError> {
        let Some(mut bundle) = report.bundle.take() else {
            return Ok(());
        };
        let mut looked_at = 0;
        for member in &mut bundle.members {
            let ext = member
                .name
                .rsplit_once('.')
                .map_or("", |(_, ext)| ext)
                .to_ascii_lowercase();
            let Some(offset) = member.stored_at.filter(|_| is_recording(&ext)) else {
                continue;
            };
            looked_at += 1;
            if looked_at > MAX_RECORDINGS {
                let fault = Fault::new(
                    FaultCode::LimitExceeded,
                    format!("more than {MAX_RECORDINGS} recordings"),
                );
                report.fault(fault.in_member(&member.name));
                break;
            }
            let mut part = Part::new(source, offset, member.size_bytes);
            match self.one(&mut part, member.size_bytes, &ext) {
                Ok(inner) => {
                    member.container = inner.container;
                    member.media = inner.media;
                    for fault in inner.faults {
                        report.fault(fault.in_member(&member.name));
                    }
                }
                Err(WorkerError::Failed(detail)) => {
                    report.fault(Fault::new(FaultCode::Undecodable, detail).in_member(&member.name));
                }
                Err(error) => return Err(error),
            }
        }
        report.bundle = Some(bundle);
        Ok(())
    }

    fn scan(&self, source: &mut dyn Source) -> Result<Scanned, Unavailable> {
        let Some(scanner) = &self.scanner else {
            return Ok(Scanned::Clean);
        };
        scanner.scan(source).map_err(|error| match error {
            ScanError::Scanner { .. } => Unavailable::Scanner(error.to_string()),
            ScanError::Source(_) => Unavailable::Inspector(error.to_string()),
        })
    }
}

impl Inspector for Workers {
    fn inspect(&self, source: &mut dyn Source, size_bytes: u64, ext: &str) -> Looked {
        let scanned = self.scan(source)?;
        if let Scanned::Found(signature) = scanned {
            return Ok(Seen::Malware(signature));
        }
        match self.report(source, size_bytes, ext) {
            Ok(report) if scanned == Scanned::Beyond => Ok(Seen::NotScanned(Box::new(report))),
            Ok(report) => Ok(Seen::Report(Box::new(report))),
            Err(WorkerError::Failed(detail)) => Ok(Seen::Failed(detail.chars().take(MAX_TEXT).collect())),
            Err(error) => Err(Unavailable::Inspector(error.to_string())),
        }
    }

    /// Recordings take long enough for the start of their worker not to matter.
    fn prepare(&self) {
        process::prepare(&self.settings);
    }
}

/// A range of a source as a source of its own.
struct Part<'a> {
    whole: &'a mut dyn Source,
    offset: u64,
    size_bytes: u64,
    position: u64,
}

impl<'a> Part<'a> {
    fn new(whole: &'a mut dyn Source, offset: u64, size_bytes: u64) -> Self {
        Part {
            whole,
            offset,
            size_bytes,
            position: 0,
        }
    }
}

impl Read for Part<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.size_bytes.saturating_sub(self.position);
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let start = self.offset.saturating_add(self.position);
        self.whole.seek(SeekFrom::Start(start))?;
        let got = self.whole.read(&mut buffer[..wanted])?;
        self.position += got as u64;
        Ok(got)
    }
}

impl Seek for Part<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (base, step) = match to {
            SeekFrom::Start(offset) => (offset, 0),
            SeekFrom::End(step) => (self.size_bytes, step),
            SeekFrom::Current(step) => (self.position, step),
        };
        self.position = base
            .checked_add_signed(step)
            .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn a_part_is_its_range_and_no_more() {
        let mut whole = Cursor::new(b"0123456789".to_vec());
        let mut part = Part::new(&mut whole, 2, 5);
        let mut bytes = Vec::new();
        part.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"23456");
        assert_eq!(part.seek(SeekFrom::End(-2)).unwrap(), 3);
        bytes.clear();
        part.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"56");
        assert!(part.seek(SeekFrom::Current(-6)).is_err());
    }
}
