//! Passphrases as people and programs give them: typed on the terminal without an echo, or through a file descriptor.
//!
//! Invariant: no passphrase is an argument, an environment variable, part of a message, or left in memory that was freed.

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use muniment::crypto::{
    Passphrase,
    protected::{MAX_PASSPHRASE_BYTES, MIN_PASSPHRASE_CHARS},
};
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::fd::{FromRawFd, OwnedFd, RawFd},
};
use zeroize::Zeroizing;

/// What Ctrl-C sends while the terminal makes no signal of it.
const BREAK: u8 = 3;

/// How a command comes by the passphrase of an identity file.
#[derive(Args, Default)]
pub(super) struct Asking {
    /// Custodians who each know a part of the passphrase
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=4))]
    pub(super) parts: u8,
    /// Read the passphrase from this file descriptor, one part a line, instead of asking
    #[arg(long, value_name = "FD", value_parser = from_descriptor)]
    pub(super) passphrase_fd: Option<Passphrase>,
}

impl Asking {
    /// The passphrase of a file that exists.
    pub(super) fn passphrase(&self) -> anyhow::Result<Passphrase> {
        match &self.passphrase_fd {
            Some(given) => self.of_as_many_parts(given),
            None => self.asked("Passphrase", |terminal, prompt| terminal.ask(prompt)),
        }
    }

    /// A passphrase for a new file: typed twice, and not a short one.
    pub(super) fn new_passphrase(&self) -> anyhow::Result<Passphrase> {
        let passphrase = match &self.passphrase_fd {
            Some(given) => self.of_as_many_parts(given)?,
            None => self.asked("New passphrase", |terminal, prompt| {
                loop {
                    let typed = terminal.ask(prompt)?;
                    if *typed == *terminal.ask("Again: ")? {
                        break Ok(typed);
                    }
                    terminal.say("They differ. Once more.\n")?;
                }
            })?,
        };
        if passphrase.shortest_part_chars() < MIN_PASSPHRASE_CHARS {
            bail!("a passphrase, and each part of one, has at least {MIN_PASSPHRASE_CHARS} characters");
        }
        Ok(passphrase)
    }

    fn of_as_many_parts(&self, given: &Passphrase) -> anyhow::Result<Passphrase> {
        if given.parts() != usize::from(self.parts) {
            bail!(
                "--passphrase-fd gave {} lines, --parts says {}: one line for each custodian",
                given.parts(),
                self.parts
            );
        }
        Ok(given.clone())
    }

    fn asked(
        &self,
        what: &str,
        ask: impl Fn(&mut Terminal, &str) -> anyhow::Result<Zeroizing<String>>,
    ) -> anyhow::Result<Passphrase> {
        let mut terminal = Terminal::open()?;
        let mut parts = Vec::with_capacity(self.parts.into());
        for part in 1..=self.parts {
            let prompt = match self.parts {
                1 => format!("{what}: "),
                of => format!("{what}, part {part} of {of}, by its custodian: "),
            };
            parts.push(ask(&mut terminal, &prompt)?);
        }
        Ok(Passphrase::of_parts(parts.iter().map(|part| part.as_str())))
    }
}

/// Reads a passphrase to the end of a descriptor that whoever started this program left open. Runs while the arguments
/// are parsed, so that the program itself has nothing open yet.
#[allow(unsafe_code)]
pub(super) fn from_descriptor(number: &str) -> anyhow::Result<Passphrase> {
    let number: RawFd = number.parse().context("a file descriptor is a number")?;
    if number == 0 {
        return read_passphrase(io::stdin().lock());
    }
    if number < 3 {
        bail!("stdout and stderr give no passphrase: use 0, or 3 and above");
    }
    // Says whether it is open without owning it.
    if fs::symlink_metadata(format!("/proc/self/fd/{number}")).is_err() {
        bail!("file descriptor {number} isn't open");
    }
    // SAFETY: it is open, and nothing in this process owns it: arguments are parsed before anything is opened, and this
    // takes each of them once.
    let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
    read_passphrase(File::from(descriptor))
}

/// A passphrase, one line a part.
pub(super) fn read_passphrase(source: impl Read) -> anyhow::Result<Passphrase> {
    // Room for the line end behind it, and all of it at once: growing would leave copies behind.
    let limit = MAX_PASSPHRASE_BYTES + 3;
    let mut text = Zeroizing::new(String::with_capacity(limit));
    source
        .take(limit as u64)
        .read_to_string(&mut text)
        .context("the passphrase can't be read")?;
    if text.len() >= limit {
        bail!("a passphrase has at most {MAX_PASSPHRASE_BYTES} bytes");
    }
    let passphrase = Passphrase::from_lines(&text);
    if passphrase.shortest_part_chars() == 0 {
        bail!("the passphrase, or a part of it, is empty");
    }
    Ok(passphrase)
}

/// The terminal of whoever runs the command, wherever stdin and stdout lead.
struct Terminal {
    file: File,
}

impl Terminal {
    fn open() -> anyhow::Result<Self> {
        let file = File::options().read(true).write(true).open("/dev/tty");
        let file =
            file.context("there is no terminal to ask on: give the passphrase with --passphrase-fd")?;
        Ok(Self { file })
    }

    fn say(&mut self, words: &str) -> anyhow::Result<()> {
        Ok(self.file.write_all(words.as_bytes())?)
    }

    /// One line, typed without being shown.
    fn ask(&mut self, prompt: &str) -> anyhow::Result<Zeroizing<String>> {
        let quiet = Quiet::new(self.file.try_clone()?)?;
        self.say(prompt)?;
        let mut line = Zeroizing::new([0; MAX_PASSPHRASE_BYTES]);
        let mut length = 0;
        let ended = loop {
            let mut byte = Zeroizing::new([0]);
            match self.file.read(byte.as_mut_slice()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => break Err(error.into()),
                Ok(0) => break Err(anyhow!("broken off: nothing was done")),
                Ok(_) => {}
            }
            match byte[0] {
                b'\n' => break Ok(()),
                BREAK => break Err(anyhow!("broken off: nothing was done")),
                byte => match line.get_mut(length) {
                    Some(place) => {
                        *place = byte;
                        length += 1;
                    }
                    None => break Err(anyhow!("a passphrase has at most {MAX_PASSPHRASE_BYTES} bytes")),
                },
            }
        };
        drop(quiet);
        self.say("\n")?;
        ended?;
        let typed = std::str::from_utf8(&line[..length]).context("the passphrase isn't UTF-8")?;
        if typed.is_empty() {
            bail!("the passphrase is empty: nothing was done");
        }
        let mut text = Zeroizing::new(String::with_capacity(length));
        text.push_str(typed);
        Ok(text)
    }
}

/// A terminal that shows nothing of what is typed, and sends Ctrl-C as a character that ends the line, until dropped:
/// a signal would end the program and leave the terminal mute.
struct Quiet {
    file: File,
    before: Termios,
}

impl Quiet {
    fn new(file: File) -> anyhow::Result<Self> {
        let before = tcgetattr(&file).context("the terminal can't be asked")?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ISIG);
        quiet.local_modes.insert(LocalModes::ICANON);
        quiet.special_codes[SpecialCodeIndex::VEOL] = BREAK;
        // What was typed before the question is no answer to it.
        tcsetattr(&file, OptionalActions::Flush, &quiet)
            .context("the terminal can't be made to hide typing")?;
        Ok(Self { file, before })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.file, OptionalActions::Flush, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_is_read_to_its_end_within_bounds() {
        let read = |text: &str| read_passphrase(text.as_bytes());
        assert_eq!(read("one part\n").unwrap().parts(), 1);
        assert_eq!(read("first\nsecond").unwrap().parts(), 2);
        for refused in [
            "",
            "\n",
            "first\n\n",
            "\nsecond\n",
            &"x".repeat(MAX_PASSPHRASE_BYTES + 3),
        ] {
            assert!(read(refused).is_err(), "{} bytes", refused.len());
        }
        assert!(read(&"x".repeat(MAX_PASSPHRASE_BYTES)).is_ok());
        assert!(read_passphrase(&[0xff, 0xfe][..]).is_err());
    }

    #[test]
    fn a_descriptor_that_isnt_open_or_no_number_is_refused() {
        for number in ["1", "2", "-1", "x", "987654"] {
            assert!(from_descriptor(number).is_err(), "{number}");
        }
    }

    #[test]
    fn as_many_lines_as_custodians() {
        let asking = |parts, text: &str| Asking {
            parts,
            passphrase_fd: Some(read_passphrase(text.as_bytes()).unwrap()),
        };
        assert!(asking(2, "first\nsecond\n").passphrase().is_ok());
        assert!(asking(1, "first\nsecond\n").passphrase().is_err());
        assert!(asking(2, "both in one\n").passphrase().is_err());
        assert!(asking(1, "long enough to be new").new_passphrase().is_ok());
        assert!(
            asking(2, "long enough to be new\nshort")
                .new_passphrase()
                .is_err()
        );
    }
}
