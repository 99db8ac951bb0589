//! Unlocking at the start, with a passphrase that the server was started with.
//!
//! Invariant: whatever goes wrong here leaves the server locked and running: taking evidence in never waits for a
//! passphrase.

use crate::{
    access::identity_file::IdentityFile,
    admin::{
        self, NoSessions, Request,
        keyring::{self, Unlocked},
    },
    crypto::{Passphrase, protected::ProtectedError},
    server::Vault,
};

/// Unlocks the configured identity, or says in the operators' log why it stays locked.
pub(super) fn at_start(vault: &Vault, passphrase: Option<Passphrase>) {
    let Some(retrieval) = &vault.config.retrieval else {
        tracing::info!("no [retrieval] in the configuration: this server takes in and never reads");
        return;
    };
    let file = IdentityFile::read(&retrieval.identity);
    if file.as_ref().is_ok_and(|file| !file.is_protected()) {
        tracing::warn!(
            "the identity file lies on this host without a passphrase: `muniment key protect` makes a protected one"
        );
    }
    let Some(passphrase) = passphrase else {
        tracing::info!("the decryption key is locked until a key custodian runs `muniment key unlock`");
        return;
    };
    let locked = |error: &dyn std::fmt::Display| {
        tracing::error!(%error, "the decryption key stays locked: `muniment key unlock` tries again");
    };
    let opened = match file {
        Ok(file) => file.open(Some(&passphrase)),
        Err(error) => return locked(&format!("retrieval.identity can't be read: {error}")),
    };
    match opened {
        Ok(identities) => {
            if let Err(error) = keyring::unlock(vault, identities, Unlocked::Start) {
                locked(&error);
            }
        }
        Err(error) => {
            locked(&error);
            if error == ProtectedError::WrongPassphrase {
                let refused = Request::AccessRefused {
                    what: "key_unlock".to_owned(),
                    evidence: None,
                    reason: error.to_string(),
                    requester: "the start of the server".to_owned(),
                };
                if let Err(error) = admin::execute(vault, &NoSessions, refused) {
                    tracing::error!(%error, "a refused unlocking couldn't be logged");
                }
            }
        }
    }
}
