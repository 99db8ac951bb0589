//! The console's certificate: the one that is configured, else one that the vault makes itself, once.

use crate::{
    config::console::{ConsoleConfig, WebOrigin},
    domain::{
        hex,
        time::{Clock, Zone},
    },
};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, date_time_ymd,
};
use ring::digest;
use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio_rustls::rustls::{
    self, ServerConfig,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    version::{TLS12, TLS13},
};
use zeroize::Zeroizing;

/// Years that a self-made certificate lasts: browsers are told to trust this very one, so there is nothing to renew it for.
const SELF_MADE_YEARS: i32 = 10;

/// Why the console has no certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read, written or understood.
    #[error("{path}: {error}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        error: String,
    },
    /// The vault can't make one.
    #[error("a certificate for {origin} can't be made: {error}")]
    Make {
        /// For which address.
        origin: String,
        /// Why.
        error: rcgen::Error,
    },
    /// Certificate and key can't be used together.
    #[error("{path}: {error}")]
    Use {
        /// The certificate.
        path: PathBuf,
        /// Why.
        error: rustls::Error,
    },
}

/// What the listener needs.
pub(super) struct Identity {
    pub(super) config: Arc<ServerConfig>,
    /// SHA-256 of the certificate, as browsers show it: to compare before trusting one that is self-made.
    pub(super) fingerprint: String,
    /// Whether the vault made it.
    pub(super) is_self_made: bool,
}

/// Reads the certificate, making it first where the vault makes its own.
pub(super) fn identity(
    config: &ConsoleConfig,
    origin: &WebOrigin,
    keys: &Path,
    clock: &dyn Clock,
) -> Result<Identity, TlsError> {
    let (certificate, key) = match (&config.tls_certificate, &config.tls_key) {
        (Some(certificate), Some(key)) => (certificate.clone(), key.clone()),
        _ => (keys.join("console.crt"), keys.join("console.key")),
    };
    let is_self_made = config.tls_certificate.is_none();
    if is_self_made {
        make(&certificate, &key, origin, clock)?;
    }
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |error: rustls::pki_types::pem::Error| TlsError::File {
            path,
            error: error.to_string(),
        }
    };
    let chain = CertificateDer::pem_file_iter(&certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(unreadable(&certificate))?;
    let Some(own) = chain.first() else {
        return Err(TlsError::File {
            path: certificate,
            error: "there is no certificate in it".to_owned(),
        });
    };
    let fingerprint = hex::encode(digest::digest(&digest::SHA256, own));
    let private = PrivateKeyDer::from_pem_file(&key).map_err(unreadable(&key))?;
    let unusable = |error| TlsError::Use {
        path: certificate.clone(),
        error,
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(unusable)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Identity {
        config: Arc::new(config),
        fingerprint,
        is_self_made,
    })
}

/// Makes key and certificate where they aren't. A crash between the two leaves a key that the next start makes the certificate
/// for; one in the middle of a file leaves only its `.new`.
fn make(certificate: &Path, key: &Path, origin: &WebOrigin, clock: &dyn Clock) -> Result<(), TlsError> {
    let failed = |error| TlsError::Make {
        origin: origin.to_string(),
        error,
    };
    if certificate.exists() {
        return Ok(());
    }
    let pair = if key.exists() {
        let text = fs::read_to_string(key)
            .map(Zeroizing::new)
            .map_err(in_file(key))?;
        KeyPair::from_pem(&text).map_err(failed)?
    } else {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
        write_new(key, &Zeroizing::new(pair.serialize_pem()))?;
        pair
    };
    let mut names = vec![origin.host().to_owned()];
    if origin.host() == "localhost" {
        names.extend(["127.0.0.1", "::1"].map(str::to_owned));
    }
    let mut params = CertificateParams::new(names).map_err(failed)?;
    let today = Zone::default().day(clock.now_ms());
    let (month, day) = (today.month().unsigned_abs(), today.day().unsigned_abs().min(28));
    // From the year before, for browsers whose clocks are behind.
    params.not_before = date_time_ymd(i32::from(today.year()) - 1, month, day);
    params.not_after = date_time_ymd(i32::from(today.year()) + SELF_MADE_YEARS, month, day);
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, format!("Muniment at {}", origin.host()));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let made = params.self_signed(&pair).map_err(failed)?;
    write_new(certificate, &made.pem())
}

/// Writes a file whole or not at all, for its owner only.
fn write_new(path: &Path, text: &str) -> Result<(), TlsError> {
    let unfinished = path.with_added_extension("new");
    let write = || {
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&unfinished)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        fs::File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    };
    write().map_err(in_file(path))
}

fn in_file(path: &Path) -> impl FnOnce(io::Error) -> TlsError {
    let path = path.to_owned();
    move |error| TlsError::File {
        path,
        error: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::custody::testing::{NOW_MS, TestClock};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_certificate_is_made_once_and_belongs_to_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let config: ConsoleConfig = toml::from_str("listen = \"127.0.0.1:0\"").unwrap();
        let origin = config.origin(8443);
        let clock = TestClock(NOW_MS.into());
        let get = || identity(&config, &origin, folder.path(), &clock);
        let first = get().unwrap();
        assert!(first.is_self_made);
        for name in ["console.crt", "console.key"] {
            let mode = fs::metadata(folder.path().join(name))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        assert_eq!(
            get().unwrap().fingerprint,
            first.fingerprint,
            "the next start has the same"
        );

        let key = fs::read(folder.path().join("console.key")).unwrap();
        fs::remove_file(folder.path().join("console.crt")).unwrap();
        get().unwrap();
        assert_eq!(
            fs::read(folder.path().join("console.key")).unwrap(),
            key,
            "made for the key that is there"
        );

        fs::write(folder.path().join("console.crt"), "no certificate").unwrap();
        let error = get().err().unwrap().to_string();
        assert!(error.contains("console.crt"), "{error}");
        fs::remove_file(folder.path().join("console.crt")).unwrap();
        fs::write(folder.path().join("console.key"), "no key").unwrap();
        assert!(get().is_err());
    }

    #[test]
    fn a_key_that_does_not_fit_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let clock = TestClock(NOW_MS.into());
        let own: ConsoleConfig = toml::from_str("listen = \"127.0.0.1:0\"").unwrap();
        let [one, two] = ["one", "two"].map(|name| folder.path().join(name));
        for keys in [&one, &two] {
            fs::create_dir(keys).unwrap();
            identity(&own, &own.origin(1), keys, &clock).unwrap();
        }
        let mixed = ConsoleConfig {
            tls_certificate: Some(one.join("console.crt")),
            tls_key: Some(two.join("console.key")),
            ..own
        };
        assert!(matches!(
            identity(&mixed, &mixed.origin(1), folder.path(), &clock),
            Err(TlsError::Use { .. })
        ));
    }
}
