//! The server's own keys: OpenSSH private key files, without passphrase, readable by their owner only.

use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use russh::keys::key::safe_rng;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::{KeypairData, RsaKeypair};
use russh::keys::{Algorithm, PrivateKey};

use super::limits::MIN_RSA_BITS;

/// Bits of a generated RSA host key.
const RSA_BITS: usize = 3072;

/// What is wrong with a host key file.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum HostKeyError {
    #[error("host key {path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error("host key {path} can't be read as an OpenSSH private key: {source}")]
    Format {
        path: PathBuf,
        source: russh::keys::ssh_key::Error,
    },
    #[error("host key {0} is readable by others; `chmod 600` it")]
    Exposed(PathBuf),
    #[error("host key {0} has a passphrase; host keys are used unattended")]
    Encrypted(PathBuf),
    #[error("host key {0} is neither Ed25519 nor RSA of at least {MIN_RSA_BITS} bits")]
    Kind(PathBuf),
    #[error("no host key is configured")]
    None,
    #[error("a host key can't be generated: {0}")]
    Generate(russh::keys::ssh_key::Error),
}

/// Which key to generate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostKeyKind {
    /// The one every server has.
    Ed25519,
    /// For old clients.
    Rsa,
}

/// Reads the keys, all or none.
pub fn load(paths: &[PathBuf]) -> Result<Vec<PrivateKey>, HostKeyError> {
    if paths.is_empty() {
        return Err(HostKeyError::None);
    }
    paths.iter().map(|path| load_one(path)).collect()
}

fn load_one(path: &Path) -> Result<PrivateKey, HostKeyError> {
    let io = |source| HostKeyError::Io {
        path: path.to_owned(),
        source,
    };
    if std::fs::metadata(path).map_err(io)?.mode() & 0o077 != 0 {
        return Err(HostKeyError::Exposed(path.to_owned()));
    }
    let text = zeroize::Zeroizing::new(std::fs::read(path).map_err(io)?);
    let format = |source| HostKeyError::Format {
        path: path.to_owned(),
        source,
    };
    let key = PrivateKey::from_openssh(&*text).map_err(format)?;
    match key.key_data() {
        _ if key.is_encrypted() => Err(HostKeyError::Encrypted(path.to_owned())),
        KeypairData::Ed25519(_) => Ok(key),
        KeypairData::Rsa(pair) if pair.public().key_size() >= MIN_RSA_BITS => Ok(key),
        _ => Err(HostKeyError::Kind(path.to_owned())),
    }
}

/// Makes a key and writes it to a new file (mode 0600). An RSA key takes seconds.
pub fn generate(path: &Path, kind: HostKeyKind) -> Result<PrivateKey, HostKeyError> {
    let key = match kind {
        HostKeyKind::Ed25519 => PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519),
        HostKeyKind::Rsa => RsaKeypair::random(&mut safe_rng(), RSA_BITS).map(PrivateKey::from),
    };
    let key = key.map_err(HostKeyError::Generate)?;
    let text = key.to_openssh(LineEnding::LF).map_err(HostKeyError::Generate)?;
    let write = || -> std::io::Result<()> {
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|source| HostKeyError::Io {
        path: path.to_owned(),
        source,
    })?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_generated_key_loads_and_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("host_ed25519");
        let key = generate(&path, HostKeyKind::Ed25519).unwrap();
        let loaded = load(std::slice::from_ref(&path)).unwrap();
        assert_eq!(loaded[0].public_key(), key.public_key());
        assert!(matches!(
            generate(&path, HostKeyKind::Ed25519),
            Err(HostKeyError::Io { .. })
        ));
    }

    #[test]
    fn exposed_missing_and_foreign_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        assert!(matches!(load(&[]), Err(HostKeyError::None)));
        assert!(matches!(
            load(std::slice::from_ref(&path)),
            Err(HostKeyError::Io { .. })
        ));
        generate(&path, HostKeyKind::Ed25519).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(
            load(std::slice::from_ref(&path)),
            Err(HostKeyError::Exposed(_))
        ));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, "not a key").unwrap();
        assert!(matches!(load(&[path]), Err(HostKeyError::Format { .. })));
    }
}
