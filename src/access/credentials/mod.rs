//! How people prove who they are to the console and the API: invitations, passwords, authenticator apps, passkeys, tokens.
//!
//! Two factors, always: a password with an app's code, or a passkey, which is both (D37). There is no default account: the
//! first invitation comes from the command line on the host. It must never know HTTP, nor what a role may do.
//!
//! Invariants: what is used once (a code, an invitation, a counter's value) is checked and used up inside the transaction
//! that commits what it was used for; whoever fails learns that something was wrong, never what; every call here blocks, so
//! it belongs on a thread that may.

mod account;
mod code;
pub mod device;
pub mod invitation;
mod join;
pub mod passkey;
pub mod password;
mod proof;
mod qr;
pub mod refused;
mod sign_in;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod throttle;
pub mod token;
pub mod totp;

pub use account::Enrolment;
pub use code::Code;
pub use join::{Invited, Second};
pub use proof::{Confirmed, Factor, Shown};
pub use sign_in::{Ending, Peer, SignedIn, Typed};

use crate::{
    catalog::{
        Catalogue, CatalogueError,
        people::{self, Person},
    },
    crypto::{StagingKey, staging_key::StagingKeyError},
    custody::sequencer::{CommitError, Committed, Custody, Proposed, Turn},
    domain::{event::Draft, id::new_id, random::RandomError, time::Clock},
    seal::Sealer,
};
use device::Devices;
use passkey::{Challenges, RelyingParty};
use password::{HashError, Hasher, PasswordError};
use refused::Recorder;
use ring::rand::SecureRandom;
use rusqlite::Connection;
use std::sync::{Arc, OnceLock, mpsc::sync_channel};
use throttle::{Throttle, TooMany};
use token::LastUse;

/// Passkeys of one person at the most.
pub const MAX_PASSKEYS: usize = 16;
/// Tokens of one person that count at one time.
pub const MAX_TOKENS: i64 = 20;
/// Characters of a label at the most.
pub const MAX_LABEL: usize = 60;

/// Why somebody isn't let in, or a change isn't made. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// Something of what was shown is wrong, or was used before. One answer for everything.
    #[error("this doesn't fit together: name, password or code is wrong, or the code was used before")]
    Refused,
    /// Too many mistakes.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// Too many sign-ins at one time.
    #[error("too many people sign in at this moment; try again in a few seconds")]
    Busy,
    /// The invitation's code isn't one that counts.
    #[error("this code doesn't count, or no longer: ask for a new invitation")]
    Invitation,
    /// The password isn't taken.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The only second factor can't be removed.
    #[error("this is the only second factor: add another one first")]
    LastFactor,
    /// There is no address that passkeys could be bound to.
    #[error("passkeys need a console with a host name: set console.origin")]
    NoPasskeys,
    /// The authenticator is registered already, or there are too many.
    #[error("this passkey is registered already, or there are {MAX_PASSKEYS}")]
    PasskeyTaken,
    /// Too many tokens.
    #[error("{MAX_TOKENS} tokens count already: revoke one first")]
    TooManyTokens,
    /// Roles that the person doesn't hold.
    #[error("a token has at least one role, and only roles that the person holds")]
    Roles,
    /// A token without a sensible end.
    #[error("a token counts for 1 to {} days", token::MAX_DAYS)]
    Days,
    /// No label, or one that isn't a short line.
    #[error("a label is one line of 1 to {MAX_LABEL} characters")]
    Label,
    /// Nobody, or nothing, of that name.
    #[error("there is no such person, passkey or token, or it counts no longer")]
    Unknown,
    /// The vault couldn't take or give it.
    #[error("it couldn't be done: {0}")]
    Failed(String),
}

impl From<CatalogueError> for CredentialError {
    fn from(error: CatalogueError) -> Self {
        CredentialError::Failed(error.to_string())
    }
}

impl From<StagingKeyError> for CredentialError {
    fn from(error: StagingKeyError) -> Self {
        CredentialError::Failed(error.to_string())
    }
}

impl From<RandomError> for CredentialError {
    fn from(error: RandomError) -> Self {
        CredentialError::Failed(error.to_string())
    }
}

impl From<HashError> for CredentialError {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Busy(_) => CredentialError::Busy,
            other => CredentialError::Failed(other.to_string()),
        }
    }
}

/// Result of a call here.
pub type Result<T> = std::result::Result<T, CredentialError>;

/// What this needs of the vault.
pub struct Parts {
    /// Reads.
    pub catalogue: Catalogue,
    /// Commits.
    pub custody: Custody,
    /// Encrypts records.
    pub sealer: Sealer,
    /// Now.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn SecureRandom + Send + Sync>,
    /// What an authenticator app shows above the code, and an authenticator above the question.
    pub issuer: String,
    /// Told of refusals.
    pub refusals: Arc<dyn Recorder>,
}

/// Everything about proving who one is.
pub struct Credentials {
    parts: Parts,
    /// What passkeys are bound to; none until the console knows its address, or without a host name.
    party: OnceLock<RelyingParty>,
    totp_key: StagingKey,
    /// Compared with where there is nothing to compare with.
    nobody: totp::Secret,
    hasher: Hasher,
    devices: Devices,
    challenges: Challenges,
    throttle: Throttle,
    last_use: LastUse,
}

impl Credentials {
    /// With keys derived from the staging key.
    ///
    /// # Errors
    /// When there is no randomness, or no memory for one password.
    pub fn new(parts: Parts, staging_key: &StagingKey) -> Result<Self> {
        let random = parts.random.as_ref();
        Ok(Credentials {
            totp_key: staging_key.derived(totp::SEALING_LABEL)?,
            nobody: totp::Secret::generate(random)?,
            hasher: Hasher::new(random)?,
            devices: Devices::new(staging_key.mac(device::LABEL)?),
            challenges: Challenges::new(random)?,
            throttle: Throttle::default(),
            last_use: LastUse::default(),
            party: OnceLock::new(),
            parts,
        })
    }

    /// Says under which address browsers see the console, which is what passkeys are bound to. Only the first word counts.
    pub fn served_at(&self, origin: &str) {
        if let Some(party) = RelyingParty::new(origin, &self.parts.issuer) {
            let _ = self.party.set(party);
        }
    }

    /// Whether passkeys can be used here.
    pub fn has_passkeys(&self) -> bool {
        self.party.get().is_some()
    }

    fn now_ms(&self) -> i64 {
        self.parts.clock.now_ms()
    }

    fn random(&self) -> &dyn SecureRandom {
        self.parts.random.as_ref()
    }

    fn party(&self) -> Result<&RelyingParty> {
        self.party.get().ok_or(CredentialError::NoPasskeys)
    }

    fn new_id(&self) -> Result<String> {
        new_id(self.random(), self.now_ms()).map_err(|_| RandomError.into())
    }

    /// Commits the event that `decide` makes of its id and the catalogue inside the transaction. A refusal comes back as it is.
    fn commit(
        &self,
        decide: impl FnOnce(&Turn<'_>, &str) -> Result<Draft> + Send + 'static,
    ) -> Result<Committed> {
        let event = self.new_id()?;
        let place = self.parts.sealer.registry(event.clone());
        let (tell, told) = sync_channel(1);
        let done = self.parts.custody.commit(move |turn| match decide(turn, &event) {
            Ok(draft) => {
                let place = draft.has_record().then_some(place);
                Ok(Proposed { draft, place })
            }
            Err(error) => {
                let words = error.to_string();
                let _ = tell.try_send(error);
                Err(CommitError::Refused(words))
            }
        });
        done.map_err(|error| {
            let refusal = told.try_recv();
            refusal.unwrap_or_else(|_| CredentialError::Failed(error.to_string()))
        })
    }
}

/// A person who may still come in.
fn active(connection: &Connection, person: &str) -> Result<Person> {
    people::by_id(connection, person)?
        .filter(|person| person.disabled_ms.is_none())
        .ok_or(CredentialError::Refused)
}

/// A text that people give a thing to tell it from others.
fn label(text: &str) -> Result<String> {
    let text = text.trim();
    let is_one = (1..=MAX_LABEL).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    is_one.then(|| text.to_owned()).ok_or(CredentialError::Label)
}
