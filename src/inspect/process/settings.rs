//! Where the workers are and what they may cost.

use super::Program;
use crate::{
    config::InspectConfig,
    inspect::{
        sandbox::{Confinement, Filter, Priority, Profile},
        wire::Task,
    },
};
use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

/// Memory that a worker for media may fill. 4K H.264 decoded by two threads holds 190 MB, by four 240 MB; the rest is for
/// codecs that keep more pictures, and for the encoder of playback copies.
pub const MEDIA_MEMORY_BYTES: u64 = 1 << 30;
/// Memory that a worker for scans may fill: a page of 100 megapixels in colour, and what it was decoded from.
pub const SCAN_MEMORY_BYTES: u64 = 768 << 20;
/// Threads that a worker for media keeps busy, for its limit of processor time.
const BUSY_THREADS: u32 = 4;

/// Where the workers are and what they may cost.
#[derive(Clone, Debug)]
pub struct WorkerSettings {
    /// `muniment-inspector`.
    pub media_program: PathBuf,
    /// `muniment-scan-inspector`.
    pub scan_program: PathBuf,
    /// Wall-clock limit of a gate inspection.
    pub gate_limit: Duration,
    /// Wall-clock limit of a deep inspection or a playback copy.
    pub deep_limit: Duration,
    /// Whether a worker without a system call filter works.
    pub filter: Filter,
    /// Memory that a worker for media may fill, in bytes.
    pub media_memory_bytes: u64,
    /// Memory that a worker for scans may fill, in bytes.
    pub scan_memory_bytes: u64,
    /// Processor time that a worker may take; a multiple of the wall-clock limit when absent.
    pub cpu_limit: Option<Duration>,
}

impl WorkerSettings {
    /// Programs at these places, with the limits that a configuration has by default.
    pub fn new(media_program: PathBuf, scan_program: PathBuf) -> Self {
        Self::with(media_program, scan_program, &InspectConfig::default())
    }

    /// The programs of the configuration, or those beside this one.
    ///
    /// # Errors
    /// When a program isn't there.
    pub fn from_config(config: &InspectConfig) -> io::Result<Self> {
        let own = std::env::current_exe()?;
        let find = |configured: &Option<PathBuf>, name: &str, field: &str| match configured {
            Some(path) => present(path.clone(), &format!("inspect.{field} names it")),
            None => present(
                beside(&own, name),
                &format!("install {name} beside this program, or name it in inspect.{field}"),
            ),
        };
        Ok(Self::with(
            find(&config.media_worker, "muniment-inspector", "media_worker")?,
            find(&config.scan_worker, "muniment-scan-inspector", "scan_worker")?,
            config,
        ))
    }

    fn with(media_program: PathBuf, scan_program: PathBuf, config: &InspectConfig) -> Self {
        WorkerSettings {
            media_program,
            scan_program,
            gate_limit: Duration::from_secs(config.gate_limit_seconds),
            deep_limit: Duration::from_secs(config.deep_limit_seconds),
            filter: if config.require_seccomp {
                Filter::Required
            } else {
                Filter::Optional
            },
            media_memory_bytes: MEDIA_MEMORY_BYTES,
            scan_memory_bytes: SCAN_MEMORY_BYTES,
            cpu_limit: None,
        }
    }

    pub(super) fn program(&self, program: Program) -> &Path {
        match program {
            Program::Media => &self.media_program,
            Program::Scan => &self.scan_program,
        }
    }

    pub(super) fn wall_limit(&self, task: &Task) -> Duration {
        if is_background(task) {
            self.deep_limit
        } else {
            self.gate_limit
        }
    }

    pub(super) fn confinement(&self, program: Program, task: &Task) -> Confinement {
        let (profile, memory_bytes, threads) = match program {
            Program::Media => (Profile::Media, self.media_memory_bytes, BUSY_THREADS),
            Program::Scan => (Profile::Scan, self.scan_memory_bytes, 1),
        };
        let cpu = self
            .cpu_limit
            .unwrap_or_else(|| self.wall_limit(task).saturating_mul(threads));
        Confinement {
            profile,
            filter: self.filter,
            memory_bytes,
            // The kernel counts whole seconds, and takes 0 for "at once".
            cpu_seconds: cpu.as_secs().max(1),
            priority: match (is_background(task), program) {
                (true, _) => Priority::Background,
                (false, Program::Scan) => Priority::Ahead,
                (false, Program::Media) => Priority::Alike,
            },
        }
    }
}

fn is_background(task: &Task) -> bool {
    matches!(task, Task::Deep { .. } | Task::Playback { .. })
}

/// The program's folder; for a test program, which cargo puts into `deps`, the folder above.
fn beside(own: &Path, name: &str) -> PathBuf {
    let path = own.with_file_name(name);
    match own.parent() {
        Some(folder) if folder.ends_with("deps") && !path.exists() => folder.with_file_name(name),
        _ => path,
    }
}

fn present(path: PathBuf, remedy: &str) -> io::Result<PathBuf> {
    if path.is_file() {
        return Ok(path);
    }
    let text = format!("there is no program {}: {remedy}", path.display());
    Err(io::Error::new(io::ErrorKind::NotFound, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_named_with_its_remedy() {
        let config = InspectConfig {
            media_worker: Some("/nowhere/at/all".into()),
            ..InspectConfig::default()
        };
        let error = WorkerSettings::from_config(&config).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let text = error.to_string();
        assert!(
            text.contains("/nowhere/at/all") && text.contains("inspect.media_worker"),
            "{text}"
        );
    }

    #[test]
    fn limits_follow_the_task() {
        let mut settings = WorkerSettings::new("m".into(), "s".into());
        settings.gate_limit = Duration::from_secs(10);
        let gate = settings.confinement(Program::Media, &Task::Gate);
        assert_eq!((gate.cpu_seconds, gate.priority), (40, Priority::Alike));
        let scan = settings.confinement(Program::Scan, &Task::Scan);
        assert_eq!((scan.cpu_seconds, scan.memory_bytes), (10, SCAN_MEMORY_BYTES));
        assert_eq!(scan.priority, Priority::Ahead);
        let plan = super::super::wire::Plan::Remux;
        let copy = settings.confinement(Program::Media, &Task::Playback { plan });
        assert_eq!(copy.priority, Priority::Background);
        assert_eq!(gate.filter, Filter::Required);
    }
}
