//! What is negotiated: modern algorithms only, the post-quantum hybrid first, no compression (a decompression bomb works
//! before login).

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::{Algorithm, EcdsaCurve, HashAlg, PrivateKey};
use russh::server::Config;
use russh::{Limits, MethodKind, MethodSet, Preferred, SshId, cipher, compression, kex, mac};

use super::limits::{EVENT_QUEUE, MAX_PACKET_BYTES, MAX_REKEY_BYTES, REKEY_TIME, SshSettings, WINDOW_BYTES};

/// The markers at the end announce signature algorithms (RFC 8308) and strict key exchange (OpenSSH `PROTOCOL`, 1.10).
const KEY_EXCHANGES: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::ECDH_SHA2_NISTP256,
    kex::ECDH_SHA2_NISTP384,
    kex::ECDH_SHA2_NISTP521,
    kex::DH_G16_SHA512,
    kex::DH_G18_SHA512,
    kex::DH_G14_SHA256,
    kex::EXTENSION_SUPPORT_AS_SERVER,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
];

/// The client's preference decides; with AES in hardware GCM is the fastest.
const CIPHERS: &[cipher::Name] = &[
    cipher::AES_256_GCM,
    cipher::AES_128_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
];

/// For the CTR ciphers. Encrypt-then-MAC first; the plain two are for clients that have nothing else.
const MACS: &[mac::Name] = &[
    mac::HMAC_SHA256_ETM,
    mac::HMAC_SHA512_ETM,
    mac::HMAC_SHA256,
    mac::HMAC_SHA512,
];

/// Host keys, and announced to clients as what they may sign with. Never SHA-1.
const SIGNATURES: &[Algorithm] = &[
    Algorithm::Ed25519,
    Algorithm::SkEd25519,
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP256,
    },
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP384,
    },
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP521,
    },
    Algorithm::SkEcdsaSha2NistP256,
    Algorithm::Rsa {
        hash: Some(HashAlg::Sha512),
    },
    Algorithm::Rsa {
        hash: Some(HashAlg::Sha256),
    },
];

/// The whole configuration of russh.
pub(super) fn config(settings: &SshSettings, keys: Vec<PrivateKey>) -> Arc<Config> {
    let rekey_bytes = settings.rekey_bytes.min(MAX_REKEY_BYTES);
    Arc::new(Config {
        server_id: SshId::Standard(Cow::Borrowed("SSH-2.0-Muniment")),
        methods: MethodSet::from(&[MethodKind::PublicKey][..]),
        auth_rejection_time: settings.auth_delay,
        // The probe without a key is refused at once: it tells nothing.
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys,
        limits: Limits::new(rekey_bytes, rekey_bytes, REKEY_TIME),
        window_size: WINDOW_BYTES,
        maximum_packet_size: MAX_PACKET_BYTES,
        channel_buffer_size: EVENT_QUEUE,
        event_buffer_size: EVENT_QUEUE,
        preferred: Preferred {
            kex: Cow::Borrowed(KEY_EXCHANGES),
            key: Cow::Borrowed(SIGNATURES),
            host_key_certificates: Cow::Borrowed(&[]),
            cipher: Cow::Borrowed(CIPHERS),
            mac: Cow::Borrowed(MACS),
            compression: Cow::Borrowed(&[compression::NONE]),
        },
        max_auth_attempts: settings.max_auth_attempts,
        inactivity_timeout: Some(settings.inactivity_timeout),
        keepalive_interval: Some(settings.keepalive_interval),
        keepalive_max: settings.keepalive_max,
        nodelay: true,
        ..Config::default()
    })
}
