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
    /// Whether it stands behind everything else that wants the processor or the disk.
    pub background: bool,
    /// Whether it looks at nothing itself, but becomes a worker for each file by forking: for scans, which take less time
    /// than to start a program.
    pub template: bool,
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
        if self.background {
            words.push("--background".to_owned());
        }
        if self.template {
            words.push("--template".to_owned());
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
        let (mut filter, mut background, mut template) = (Filter::Required, false, false);
        let (mut memory_bytes, mut cpu_seconds) = (None, None);
        for word in words {
            match word.split_once('=') {
                Some(("--memory", bytes)) => memory_bytes = Some(bytes.parse().ok()?),
                Some(("--cpu", seconds)) => cpu_seconds = Some(seconds.parse().ok()?),
                None if word == "--without-seccomp" => filter = Filter::Optional,
                None if word == "--no-seccomp" => filter = Filter::Absent,
                None if word == "--background" => background = true,
                // A template has its filter before it has a file: only that of scans lets it fork.
                None if word == "--template" && profile == Profile::Scan => template = true,
                _ => return None,
            }
        }
        Some(Confinement {
            profile,
            filter,
            memory_bytes: memory_bytes?,
            cpu_seconds: cpu_seconds?,
            background,
            template,
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
                for (background, template) in [(false, false), (true, false), (false, profile == Profile::Scan)] {
                    let confinement = Confinement {
                        profile,
                        filter,
                        memory_bytes: 1 << 30,
                        cpu_seconds: 7,
                        background,
                        template,
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
            "media --memory=1 --cpu=1 --template",
        ] {
            let words = line.split_whitespace().map(str::to_owned);
            assert_eq!(Confinement::parse(words), None, "{line}");
        }
    }
}
