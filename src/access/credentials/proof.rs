//! A second factor, shown: checked first, used up inside the transaction that it allows.

use super::{
    CredentialError, Credentials, Result,
    passkey::{self, Assertion, Purpose},
    totp,
};
use crate::{
    catalog::credentials::{self, PasskeyRow, TotpRow},
    domain::event::Draft,
};
use rusqlite::Connection;

/// What somebody shows to prove again who they are.
#[derive(Clone, Copy, Debug)]
pub enum Shown<'a> {
    /// The code of their app.
    Code(&'a str),
    /// An answer of their passkey.
    Passkey(&'a Assertion),
}

/// With what somebody signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Factor {
    /// Password and app.
    PasswordTotp,
    /// A passkey, which verified its person: two factors by itself.
    Passkey,
}

impl Factor {
    /// As the log says it.
    pub fn id(self) -> &'static str {
        match self {
            Factor::PasswordTotp => "password_totp",
            Factor::Passkey => "passkey",
        }
    }
}

/// A factor that was right when it was looked at. Only [`Proof::redeem`], in a transaction, makes it count.
#[derive(Clone, Debug)]
pub(super) enum Proof {
    /// A code of this step, of the app that this event enrolled.
    Totp { step: i64, enrolled_index: i64 },
    /// An answer of this passkey with this counter.
    Passkey { id: String, count: u32 },
    /// An invitation, by its id. [`super::join`] checks it.
    Invitation(String),
}

impl Proof {
    pub(super) fn of_code(row: &TotpRow, step: i64) -> Self {
        Proof::Totp {
            step,
            enrolled_index: row.enrolled_index,
        }
    }

    pub(super) fn of_passkey(row: &PasskeyRow, count: u32) -> Self {
        Proof::Passkey {
            id: row.id.clone(),
            count,
        }
    }

    /// Checks that nobody used it before. The event with [`Proof::facts`] uses it up.
    pub(super) fn redeem(&self, connection: &Connection, person: &str) -> Result<()> {
        match self {
            Proof::Totp { step, enrolled_index } => {
                let row = credentials::totp(connection, person)?;
                let counts =
                    row.is_some_and(|row| row.enrolled_index == *enrolled_index && *step > row.last_step);
                counts.then_some(()).ok_or(CredentialError::Refused)
            }
            Proof::Passkey { id, count } => {
                let rows = credentials::passkeys(connection, person)?;
                let row = rows
                    .iter()
                    .find(|row| row.id == *id)
                    .ok_or(CredentialError::Refused)?;
                passkey::follows(row.sign_count, *count).map_err(|_| CredentialError::Refused)
            }
            Proof::Invitation(_) => Ok(()),
        }
    }

    /// Says in an event what it rests on.
    pub(super) fn facts(&self, draft: Draft) -> Draft {
        match self {
            Proof::Totp { step, .. } => draft.fact("totp_step", *step),
            Proof::Passkey { id, count } => draft.fact("passkey", id.as_str()).fact("sign_count", *count),
            Proof::Invitation(id) => draft.fact("invitation", id.as_str()),
        }
    }

    /// `by` in an event: on whose word.
    pub(super) fn by(&self) -> &'static str {
        match self {
            Proof::Invitation(_) => "invitation",
            _ => "person",
        }
    }
}

/// A person's factor, shown again in a session of theirs and right when it was looked at. It can be made here only; the event
/// that rests on it uses it up.
#[derive(Clone, Debug)]
pub struct Confirmed {
    person: String,
    proof: Proof,
}

impl Confirmed {
    /// Whose it is, by id.
    pub fn person(&self) -> &str {
        &self.person
    }

    /// Checks, inside the transaction that it allows something in, that nobody used it before.
    ///
    /// # Errors
    /// [`CredentialError::Refused`].
    pub(in crate::access) fn redeem(&self, connection: &Connection) -> Result<()> {
        self.proof.redeem(connection, &self.person)
    }

    /// Says in the event what it rests on.
    pub(in crate::access) fn facts(&self, draft: Draft) -> Draft {
        self.proof.facts(draft)
    }
}

impl Credentials {
    /// Looks at a factor that a person shows again in a session, for something that another use case commits.
    ///
    /// # Errors
    /// [`CredentialError::Refused`], or that there were too many mistakes.
    pub fn confirmed(&self, person: &str, session: &str, shown: Shown<'_>) -> Result<Confirmed> {
        let proof = self.confirm(person, session, shown)?;
        Ok(Confirmed {
            person: person.to_owned(),
            proof,
        })
    }

    /// What a browser is asked for to show a passkey again; nothing when the person has none.
    ///
    /// # Errors
    /// When the catalogue can't be read or there is no randomness.
    pub fn confirm_options(&self, person: &str, session: &str) -> Result<Option<serde_json::Value>> {
        let Some(party) = self.party.get() else {
            return Ok(None);
        };
        let known = self
            .parts
            .catalogue
            .read(|connection| credentials::passkeys(connection, person))?;
        if known.is_empty() {
            return Ok(None);
        }
        let purpose = Purpose::Confirm(person, session);
        let challenge = self.challenges.issue(&purpose, self.now_ms(), self.random())?;
        let known: Vec<Vec<u8>> = known.into_iter().map(|row| row.credential).collect();
        Ok(Some(party.request(&challenge, &known)))
    }

    /// Looks at what a person shows in a session. Mistakes are counted for the session alone, so they lock nobody out.
    pub(super) fn confirm(&self, person: &str, session: &str, shown: Shown<'_>) -> Result<Proof> {
        let now_ms = self.now_ms();
        let admission = self.throttle.confirm(person, session, now_ms)?;
        let proof = match shown {
            Shown::Code(code) => {
                let row = self
                    .parts
                    .catalogue
                    .read(|connection| credentials::totp(connection, person))?;
                let row = row.ok_or(CredentialError::Refused)?;
                let secret = totp::Secret::open(&self.totp_key, &row.sealed, person)?;
                let step = secret.step_of(code, now_ms).ok_or(CredentialError::Refused)?;
                if step <= row.last_step {
                    return Err(CredentialError::Refused);
                }
                Proof::of_code(&row, step)
            }
            Shown::Passkey(answer) => {
                let credential = answer.credential().ok_or(CredentialError::Refused)?;
                let row = self
                    .parts
                    .catalogue
                    .read(|connection| credentials::passkey_by_credential(connection, &credential))?
                    .filter(|row| row.person == person)
                    .ok_or(CredentialError::Refused)?;
                let purpose = Purpose::Confirm(person, session);
                let count = self
                    .party()?
                    .asserted(
                        answer,
                        &row.public_key,
                        person,
                        &self.challenges,
                        &purpose,
                        now_ms,
                    )
                    .map_err(|_| CredentialError::Refused)?;
                Proof::of_passkey(&row, count)
            }
        };
        admission.succeeded();
        Ok(proof)
    }
}
