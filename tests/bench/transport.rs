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
    error::Error,
    ffi::OsStr,
    fs::File,
    net::{Ipv4Addr, SocketAddr},
    os::unix::{ffi::OsStrExt, fs::FileExt},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

struct Everybody {
    folder: PathBuf,
}

/// One folder: files that can be read, and names that nothing is kept under.
struct Nothing {
    folder: PathBuf,
}

struct Lying {
    file: File,
}

/// What has come: as many bytes as reach furthest.
#[derive(Default)]
struct Gone {
    size_bytes: u64,
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

impl Nothing {
    fn open(&self, path: &VirtualPath) -> Result<File> {
        let [name] = path.components.as_slice() else {
            return Err(SpaceError::new(
                SpaceErrorKind::NoSuchFile,
                "one folder is all there is",
            ));
        };
        File::open(self.folder.join(OsStr::from_bytes(name))).map_err(failed)
    }
}

impl FileSpace for Nothing {
    fn stat(&mut self, path: &VirtualPath) -> Result<Attributes> {
        match path.components.as_slice() {
            [] => Ok(attributes(None)),
            _ => Lying {
                file: self.open(path)?,
            }
            .attributes(),
        }
    }

    fn list(&mut self, _: &VirtualPath) -> Result<Vec<Entry>> {
        Ok(Vec::new())
    }

    fn open_read(&mut self, path: &VirtualPath) -> Result<Box<dyn ReadFile>> {
        Ok(Box::new(Lying {
            file: self.open(path)?,
        }))
    }

    fn open_write(&mut self, _: &VirtualPath, _: WriteMode, _: &Attributes) -> Result<Box<dyn WriteFile>> {
        Ok(Box::new(Gone::default()))
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

    fn rename(&mut self, _: &VirtualPath, _: &VirtualPath, _: bool) -> Result<()> {
        not_offered()
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
        Ok(())
    }
}
