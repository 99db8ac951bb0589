//! Public key files as people bring them: OpenSSH's one line, or the block that PuTTYgen saves (RFC 4716).
//!
//! Invariant: what is accepted is a plain public key strong enough to name a person for years; its comment, which often
//! holds a name or a host, is not kept. A private key is refused in words that can't be overlooked.

use base64::{Engine, engine::general_purpose::STANDARD};
use russh::keys::{HashAlg, PublicKey, ssh_key::public::KeyData};
use serde::{Deserialize, Serialize};

/// Keys in one file at the most.
const MAX_KEYS: usize = 8;
/// Smallest RSA modulus in bits.
const MIN_RSA_BITS: u32 = 2_048;
/// Largest RSA modulus in bits: beyond it a signature check costs the server more than it proves.
const MAX_RSA_BITS: u32 = 16_384;

/// The text of a public key file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyFile {
    /// What to call it, such as its file name.
    pub name: String,
    /// What stands in it.
    pub text: String,
}

/// A person's public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PersonKey {
    /// `SHA256:…` as `ssh-keygen -l` prints it.
    pub(super) fingerprint: String,
    /// One line as in `authorized_keys`, without a comment.
    pub(super) line: String,
}

/// Why a key file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefused {
    /// Somebody was about to give their secret away.
    #[error(
        "STOP: {0} is a PRIVATE key. It must never leave its owner's machine and nothing of it was stored. If it was \
         mailed or copied here, make a new pair (ssh-keygen -t ed25519) and give the .pub file instead"
    )]
    Private(String),
    /// Nothing that can be read as a public key.
    #[error(
        "{name} holds no public key that can be read ({what}): give the .pub file that ssh-keygen or PuTTYgen made"
    )]
    Unreadable {
        /// Which file.
        name: String,
        /// What is wrong with it.
        what: String,
    },
    /// A certificate names its authority, not a person's key.
    #[error("{0} is a certificate: give the plain public key, or trust its authority by ssh.user_ca_keys")]
    Certificate(String),
    /// Too weak, or of no kind that the server accepts.
    #[error("{name}: {what} isn't accepted; make a new key with ssh-keygen -t ed25519")]
    Weak {
        /// Which file.
        name: String,
        /// Kind and size.
        what: String,
    },
}

/// The keys in a file, at least one.
pub(super) fn parse(file: &KeyFile) -> Result<Vec<PersonKey>, KeyRefused> {
    let KeyFile { name, text } = file;
    let unreadable = |what: &str| KeyRefused::Unreadable {
        name: name.clone(),
        what: what.to_owned(),
    };
    if text.contains("PRIVATE KEY") || text.contains("PuTTY-User-Key-File") {
        return Err(KeyRefused::Private(name.clone()));
    }
    let text = text.trim_start_matches('\u{feff}');
    let keys: Vec<PublicKey> = if text.trim_start().starts_with("---- BEGIN SSH2 PUBLIC KEY ----") {
        let bytes = rfc4716(text).ok_or_else(|| unreadable("its base64 block is damaged"))?;
        vec![PublicKey::from_bytes(&bytes).map_err(|error| unreadable(&error.to_string()))?]
    } else {
        text.lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(|line| PublicKey::from_openssh(line).map_err(|error| unreadable(&error.to_string())))
            .collect::<Result<_, _>>()?
    };
    if keys.is_empty() || keys.len() > MAX_KEYS {
        return Err(unreadable(&format!(
            "{} keys, between 1 and {MAX_KEYS} are possible",
            keys.len()
        )));
    }
    keys.into_iter().map(|key| accept(name, key)).collect()
}

fn accept(name: &str, mut key: PublicKey) -> Result<PersonKey, KeyRefused> {
    let weak = |what: String| {
        Err(KeyRefused::Weak {
            name: name.to_owned(),
            what,
        })
    };
    match key.key_data() {
        KeyData::Ed25519(_) | KeyData::Ecdsa(_) | KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_) => {
        }
        KeyData::Rsa(rsa) if !(MIN_RSA_BITS..=MAX_RSA_BITS).contains(&rsa.key_size()) => {
            return weak(format!(
                "an RSA key of {} bits (from {MIN_RSA_BITS} to {MAX_RSA_BITS})",
                rsa.key_size()
            ));
        }
        KeyData::Rsa(_) => {}
        KeyData::Certificate(_) => return Err(KeyRefused::Certificate(name.to_owned())),
        other => return weak(format!("a key of kind {}", other.algorithm().as_str())),
    }
    key.set_comment("");
    let line = key.to_openssh().map_err(|error| KeyRefused::Unreadable {
        name: name.to_owned(),
        what: error.to_string(),
    })?;
    Ok(PersonKey {
        fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
        line: line.trim_end().to_owned(),
    })
}

/// The blob in an RFC 4716 block: headers, which a backslash continues, then base64.
fn rfc4716(text: &str) -> Option<Vec<u8>> {
    let mut base64 = String::new();
    let mut in_header = false;
    for line in text
        .lines()
        .map(str::trim)
        .skip_while(|line| !line.starts_with("---- BEGIN"))
        .skip(1)
    {
        if line.starts_with("---- END SSH2 PUBLIC KEY ----") {
            return STANDARD.decode(base64).ok();
        }
        if in_header || line.contains(": ") {
            in_header = line.ends_with('\\');
        } else {
            base64.push_str(line);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use russh::keys::ssh_key::{
        Mpint,
        private::Ed25519Keypair,
        public::{DsaPublicKey, RsaPublicKey},
    };

    fn file(text: impl Into<String>) -> KeyFile {
        KeyFile {
            name: "k.pub".to_owned(),
            text: text.into(),
        }
    }

    fn ed25519(comment: &str) -> PublicKey {
        PublicKey::new(
            KeyData::Ed25519(Ed25519Keypair::from_seed(&[7; 32]).public),
            comment,
        )
    }

    fn rsa(bytes: usize) -> String {
        let mut modulus = vec![0xc5; bytes];
        modulus[bytes - 1] = 1;
        let number = |bytes: &[u8]| Mpint::from_positive_bytes(bytes);
        let key = RsaPublicKey::new(number(&[1, 0, 1]), number(&modulus)).unwrap();
        PublicKey::new(KeyData::Rsa(key), "").to_openssh().unwrap()
    }

    #[test]
    fn the_comment_is_dropped_and_the_fingerprint_is_sshs() {
        let key = ed25519("zhang.san@branch-pc");
        let parsed = parse(&file(format!(
            "\u{feff}# mine\r\n{}\r\n",
            key.to_openssh().unwrap()
        )))
        .unwrap();
        assert_eq!(parsed.len(), 1);
        assert_eq!(parsed[0].line.split(' ').count(), 2);
        assert!(parsed[0].line.starts_with("ssh-ed25519 AAAA"));
        assert_eq!(
            parsed[0].fingerprint,
            key.fingerprint(HashAlg::Sha256).to_string()
        );
    }

    #[test]
    fn what_puttygen_saves_is_the_same_key() {
        let base64 = STANDARD.encode(ed25519("").to_bytes().unwrap());
        let (one, two) = base64.split_at(40);
        let block = format!(
            "---- BEGIN SSH2 PUBLIC KEY ----\r\nComment: \"a: long \\\r\ncomment\"\r\n{one}\r\n{two}\r\n\
             ---- END SSH2 PUBLIC KEY ----\r\n"
        );
        let line = file(ed25519("").to_openssh().unwrap());
        assert_eq!(parse(&file(&block)), parse(&line));
        assert!(matches!(
            parse(&file(&block[..90])),
            Err(KeyRefused::Unreadable { .. })
        ));
    }

    #[test]
    fn a_private_key_is_refused_and_never_repeated() {
        for text in [
            "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----\n",
            "PuTTY-User-Key-File-3: ssh-ed25519\nc2VjcmV0\n",
            "-----BEGIN RSA PRIVATE KEY-----\nc2VjcmV0\n",
        ] {
            let refused = parse(&file(text)).unwrap_err();
            assert_eq!(refused, KeyRefused::Private("k.pub".to_owned()));
            assert!(refused.to_string().starts_with("STOP") && !refused.to_string().contains("c2VjcmV0"));
        }
    }

    #[test]
    fn weak_keys_are_refused_and_strong_rsa_is_not() {
        assert!(matches!(parse(&file(rsa(128))), Err(KeyRefused::Weak { .. })));
        assert!(matches!(parse(&file(rsa(255))), Err(KeyRefused::Weak { .. })));
        assert!(parse(&file(rsa(256))).is_ok());
        let number = || Mpint::from_positive_bytes(&[9; 128]);
        let dsa = DsaPublicKey::new(number(), number(), number(), number()).unwrap();
        let dsa = PublicKey::new(KeyData::Dsa(dsa), "").to_openssh().unwrap();
        assert!(matches!(parse(&file(dsa)), Err(KeyRefused::Weak { .. })));
    }

    #[test]
    fn what_is_no_key_is_named() {
        for text in ["", "# nothing\n", "ssh-ed25519", "hello", "ssh-ed25519 AAAA x"] {
            let refused = parse(&file(text)).unwrap_err().to_string();
            assert!(refused.contains("k.pub"), "{refused}");
        }
    }
}
