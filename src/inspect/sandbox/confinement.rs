//! How a worker is to be confined, as words of its command line: written by the parent, read by the worker.
//!
//! Invariant: what one side writes the other reads, and a worker whose words it doesn't understand doesn't start.

/// What a worker needs besides computing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Threads: libav decodes with several.
    Media,
    /// Nothing.
    Scan,
}

/// What becomes of a worker without a system call filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// It doesn't work.
    Required,
    /// It works behind the other layers, where the kernel has no filter.
    Optional,
    /// None is set: shows in tests what the other layers are worth by themselves.
    Absent,
}

/// Who goes first when processors are short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// Before others, where the parent may give that: somebody waits for an answer that takes little work.
    Ahead,
    /// As its parent.
    Alike,
    /// Behind everything else that wants the processor or the disk.
    Background,
}

/// A worker's profile and limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confinement {
    /// What it needs.
    pub profile: Profile,
    /// Whether it works without a filter.
    pub filter: Filter,
    /// Memory that it may fill, in bytes.
    pub memory_bytes: u64,
    /// Processor time of all its threads together, in seconds.
    pub cpu_seconds: u64,
    /// Who goes first.
    pub priority: Priority,
}

impl Confinement {
    /// The words of the command line.
    pub fn words(&self) -> Vec<String> {
        let profile = match self.profile {
            Profile::Media => "media",
            Profile::Scan => "scan",
        };
        let mut words = vec![
            profile.to_owned(),
            format!("--memory={}", self.memory_bytes),
            format!("--cpu={}", self.cpu_seconds),
        ];
        match self.filter {
            Filter::Required => {}
            Filter::Optional => words.push("--without-seccomp".to_owned()),
            Filter::Absent => words.push("--no-seccomp".to_owned()),
        }
        match self.priority {
            Priority::Ahead => words.push("--ahead".to_owned()),
            Priority::Alike => {}
            Priority::Background => words.push("--background".to_owned()),
        }
        words
    }

    /// Reads them. Nothing has a default but the switches.
    pub fn parse(words: impl IntoIterator<Item = String>) -> Option<Self> {
        let mut words = words.into_iter();
        let profile = match words.next()?.as_str() {
            "media" => Profile::Media,
            "scan" => Profile::Scan,
            _ => return None,
        };
        let (mut filter, mut priority) = (Filter::Required, Priority::Alike);
        let (mut memory_bytes, mut cpu_seconds) = (None, None);
        for word in words {
            match word.split_once('=') {
                Some(("--memory", bytes)) => memory_bytes = Some(bytes.parse().ok()?),
                Some(("--cpu", seconds)) => cpu_seconds = Some(seconds.parse().ok()?),
                None if word == "--without-seccomp" => filter = Filter::Optional,
                None if word == "--no-seccomp" => filter = Filter::Absent,
                None if word == "--ahead" => priority = Priority::Ahead,
                None if word == "--background" => priority = Priority::Background,
                _ => return None,
            }
        }
        Some(Confinement {
            profile,
            filter,
            memory_bytes: memory_bytes?,
            cpu_seconds: cpu_seconds?,
            priority,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for profile in [Profile::Media, Profile::Scan] {
            for filter in [Filter::Required, Filter::Optional, Filter::Absent] {
                for priority in [Priority::Ahead, Priority::Alike, Priority::Background] {
                    let confinement = Confinement {
                        profile,
                        filter,
                        memory_bytes: 1 << 30,
                        cpu_seconds: 7,
                        priority,
                    };
                    assert_eq!(Confinement::parse(confinement.words()), Some(confinement));
                }
            }
        }
    }

    #[test]
    fn what_isnt_understood_starts_nothing() {
        for line in [
            "",
            "media",
            "media --memory=1",
            "other --memory=1 --cpu=1",
            "scan --memory=1 --cpu=1 --without-secomp",
            "scan --memory=x --cpu=1",
        ] {
            let words = line.split_whitespace().map(str::to_owned);
            assert_eq!(Confinement::parse(words), None, "{line}");
        }
    }
}
