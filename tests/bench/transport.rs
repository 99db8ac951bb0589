//! A server with the SSH and SFTP that ship and next to nothing behind them: what is written is thrown away, what is read lies in a folder as it
//! is. What it costs no server on these two goes below (`./bench --transport`).
//!
//! It lets everybody in, so it listens on loopback only.

use muniment::{
    sftp::space::*,
    ssh::{Doorkeeper, Login, Server, SshSettings, host_keys},
};
use russh::keys::{Certificate, HashAlg, PublicKey};
use std::{
    collections::HashMap,
    error::Error,
    ffi::OsStr,
    fs::File,
    net::{Ipv4Addr, SocketAddr},
    os::unix::{ffi::OsStrExt, fs::FileExt},
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, Mutex},
};

/// Sizes of what was written, by name: clients look.
type Written = Arc<Mutex<HashMap<Vec<u8>, u64>>>;

struct Everybody {
    folder: PathBuf,
    written: Written,
}

/// One folder: files that can be read, and names that nothing is kept under.
struct Nothing {
    folder: PathBuf,
    written: Written,
}

struct Lying {
    file: File,
}

/// What has come: as many bytes as reach furthest.
struct Gone {
    name: Vec<u8>,
    size_bytes: u64,
    written: Written,
}

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("transport: {error}");
            ExitCode::from(2)
        }
    }
}

fn serve() -> std::result::Result<(), Box<dyn Error>> {
    // `cargo bench` adds a word of its own.
    let mut words = std::env::args_os().skip(1).filter(|word| word != "--bench");
    let (Some(port), Some(host_key), Some(folder)) = (words.next(), words.next(), words.next()) else {
        return Err("three words: PORT HOST-KEY FOLDER".into());
    };
    let port = port.to_str().ok_or("the port is a number")?.parse()?;
    let settings = SshSettings {
        max_connections: 2_000,
        max_connections_per_address: 2_000,
        ..SshSettings::default()
    };
    let host_keys = host_keys::load(&[host_key.into()])?;
    let door = Arc::new(Everybody {
        folder: folder.into(),
        written: Written::default(),
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let _server = Server::start(address, host_keys, settings, door).await?;
        std::future::pending().await
    })
}

impl Doorkeeper for Everybody {
    fn by_key(&self, user: &str, _: &str, key: &PublicKey, peer: SocketAddr) -> Option<Login> {
        Some(Login {
            person_id: user.to_owned(),
            user_name: user.to_owned(),
            key_fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
            by_certificate: false,
            peer,
        })
    }

    fn by_certificate(&self, _: &str, _: &Certificate, _: SocketAddr) -> Option<Login> {
        None
    }

    fn open_space(&self, _: &Login, _: &str) -> Result<Box<dyn FileSpace>> {
        Ok(Box::new(Nothing {
            folder: self.folder.clone(),
            written: self.written.clone(),
        }))
    }

    fn refused(&self, _: &str, _: &str, _: SocketAddr, _: &str) {}
}

fn failed(error: std::io::Error) -> SpaceError {
    let kind = match error.kind() {
        std::io::ErrorKind::NotFound => SpaceErrorKind::NoSuchFile,
        _ => SpaceErrorKind::Failure,
    };
    SpaceError::new(kind, error.to_string())
}

fn not_offered<T>() -> Result<T> {
    Err(SpaceError::new(SpaceErrorKind::Unsupported, "not in a benchmark"))
}

/// Of a file, or of the folder when there is no size.
fn attributes(size_bytes: Option<u64>) -> Attributes {
    Attributes {
        size_bytes: Some(size_bytes.unwrap_or(0)),
        uid_gid: None,
        permissions: Some(if size_bytes.is_some() {
            0o100_600
        } else {
            0o040_700
        }),
        atime_mtime: None,
    }
}

fn name_of(path: &VirtualPath) -> Result<&[u8]> {
    match path.components.as_slice() {
        [name] => Ok(name),
        _ => Err(SpaceError::new(
            SpaceErrorKind::NoSuchFile,
            "one folder is all there is",
        )),
    }
}

impl Nothing {
    fn open(&self, name: &[u8]) -> Result<Lying> {
        let file = File::open(self.folder.join(OsStr::from_bytes(name)));
        file.map(|file| Lying { file }).map_err(failed)
    }
}

impl FileSpace for Nothing {
    fn stat(&mut self, path: &VirtualPath) -> Result<Attributes> {
        if path.components.is_empty() {
            return Ok(attributes(None));
        }
        let name = name_of(path)?;
        let written = self
            .written
            .lock()
            .map_or(None, |written| written.get(name).copied());
        match written {
            Some(size_bytes) => Ok(attributes(Some(size_bytes))),
            None => self.open(name)?.attributes(),
        }
    }

    fn list(&mut self, _: &VirtualPath) -> Result<Vec<Entry>> {
        Ok(Vec::new())
    }

    fn open_read(&mut self, path: &VirtualPath) -> Result<Box<dyn ReadFile>> {
        Ok(Box::new(self.open(name_of(path)?)?))
    }

    fn open_write(&mut self, path: &VirtualPath, _: WriteMode, _: &Attributes) -> Result<Box<dyn WriteFile>> {
        Ok(Box::new(Gone {
            name: name_of(path)?.to_vec(),
            size_bytes: 0,
            written: self.written.clone(),
        }))
    }

    fn set_attributes(&mut self, _: &VirtualPath, _: &Attributes) -> Result<()> {
        Ok(())
    }

    fn make_directory(&mut self, _: &VirtualPath) -> Result<()> {
        not_offered()
    }

    fn remove_directory(&mut self, _: &VirtualPath) -> Result<()> {
        not_offered()
    }

    fn remove(&mut self, _: &VirtualPath) -> Result<()> {
        not_offered()
    }

    /// Clients put a file under another name first.
    fn rename(&mut self, from: &VirtualPath, to: &VirtualPath, _: bool) -> Result<()> {
        if let Ok(mut written) = self.written.lock()
            && let Some(size_bytes) = written.remove(name_of(from)?)
        {
            written.insert(name_of(to)?.to_vec(), size_bytes);
        }
        Ok(())
    }

    fn capacity(&mut self, _: &VirtualPath) -> Result<Capacity> {
        not_offered()
    }

    fn digest_sha256(&mut self, _: &VirtualPath) -> Result<String> {
        not_offered()
    }

    fn home(&self) -> VirtualPath {
        VirtualPath::default()
    }
}

impl ReadFile for Lying {
    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.file.read_at(&mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(got) => filled += got,
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(filled)
    }

    fn attributes(&mut self) -> Result<Attributes> {
        let known = self.file.metadata().map_err(failed)?;
        Ok(attributes(Some(known.len())))
    }
}

impl WriteFile for Gone {
    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.size_bytes = self.size_bytes.max(offset + bytes.len() as u64);
        Ok(())
    }

    fn read(&mut self, _: u64, _: &mut [u8]) -> Result<usize> {
        not_offered()
    }

    fn attributes(&mut self) -> Result<Attributes> {
        Ok(attributes(Some(self.size_bytes)))
    }

    fn set_attributes(&mut self, _: &Attributes) -> Result<()> {
        Ok(())
    }

    fn sync(&mut self) -> Result<()> {
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<()> {
        if let Ok(mut written) = self.written.lock() {
            written.insert(self.name, self.size_bytes);
        }
        Ok(())
    }
}
