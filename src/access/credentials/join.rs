//! Using an invitation: a password and a second factor, and everything from before counts no longer.
//!
//! Two events: `user.password_set`, which takes the old factors and tokens away, then the second factor's, which uses the
//! invitation up. A crash between the two leaves a password that opens nothing by itself, and an invitation that still counts.

use super::{
    Code, CredentialError, Credentials, Enrolment, Peer, Result, active,
    invitation::counting,
    passkey::{Purpose, Registration},
    password::Password,
    proof::Proof,
    refused::Why,
    throttle::Admission,
};
use crate::{
    catalog::people::Person,
    domain::event::{Draft, Kind},
};
use serde_json::Value;

/// Somebody with an invitation.
#[derive(Clone, Debug)]
pub struct Invited {
    /// Who.
    pub person: Person,
    /// What the log calls the invitation.
    pub invitation: String,
    /// For an authenticator app.
    pub enrolment: Enrolment,
    /// For a passkey, where there are any.
    pub passkey: Option<Value>,
}

/// The second factor that somebody chooses.
#[derive(Clone, Copy)]
pub enum Second<'a> {
    /// An authenticator app: the enrolment that was shown, and the app's code.
    Totp(&'a str, &'a str),
    /// A passkey, and what to call it.
    Passkey(&'a Registration, &'a str),
}

impl Credentials {
    /// Whom a code invites, and what they need for a second factor.
    ///
    /// # Errors
    /// [`CredentialError::Invitation`] whatever is wrong with it; that too many tried; or that it can't be told.
    pub fn invited(&self, code: &str, from: Peer<'_>) -> Result<Invited> {
        let (person, invitation, admission) = self.invitee(code, from)?;
        let enrolment = self.enrolment(&person)?;
        let passkey = match self.party.get() {
            None => None,
            Some(party) => {
                let purpose = Purpose::Register(&person.id, &invitation);
                let challenge = self.challenges.issue(&purpose, self.now_ms(), self.random())?;
                Some(party.creation(&challenge, &person.id, &person.name, &[]))
            }
        };
        admission.succeeded();
        Ok(Invited {
            person,
            invitation,
            enrolment,
            passkey,
        })
    }

    /// Sets password and second factor. All is looked at before anything is changed. The person's sessions have to be ended
    /// when this returns, and they sign in with what they chose.
    ///
    /// # Errors
    /// What is wrong; nothing was changed then.
    pub fn join(&self, code: &str, password: &str, second: Second<'_>, from: Peer<'_>) -> Result<Person> {
        let (person, invitation, admission) = self.invitee(code, from)?;
        let password = Password::chosen(password, &person.name)?;
        let proof = Proof::Invitation(invitation.clone());
        let factor = match second {
            Second::Totp(enrolment, code) => self.totp_event(&person, enrolment, code, &proof)?,
            Second::Passkey(answer, label) => {
                let purpose = Purpose::Register(&person.id, &invitation);
                self.passkey_event(&person, answer, label, &purpose, &proof)?
            }
        };
        let verifier = self.hasher.hash(&password, self.random())?;
        let (used, id) = (code.to_owned(), person.id.clone());
        let still = move |connection: &rusqlite::Connection, now_ms| -> Result<()> {
            let code = Code::typed(&used).ok_or(CredentialError::Invitation)?;
            active(connection, &id).map_err(|_| CredentialError::Invitation)?;
            counting(connection, &code, now_ms).map(|_| ())
        };
        let (first, id) = (still.clone(), person.id.clone());
        self.commit(move |turn, event| {
            first(turn.connection, turn.time_ms)?;
            let draft = Draft::new(Kind::UserPasswordSet, event, id.as_str())
                .fact("person", id.as_str())
                .fact("by", "invitation")
                .commit("verifier", verifier);
            Ok(Proof::Invitation(invitation).facts(draft))
        })?;
        self.commit(move |turn, event| {
            still(turn.connection, turn.time_ms)?;
            factor(turn.connection, event)
        })?;
        admission.succeeded();
        Ok(person)
    }

    fn invitee(&self, code: &str, from: Peer<'_>) -> Result<(Person, String, Admission<'_>)> {
        let now_ms = self.now_ms();
        let admission = self.throttle.unnamed(from.address, now_ms)?;
        let found = self.parts.catalogue.read(|connection| {
            let found = Code::typed(code)
                .ok_or(CredentialError::Invitation)
                .and_then(|code| counting(connection, &code, now_ms))
                .and_then(|row| Ok((active(connection, &row.person)?, row.id)));
            Ok(found)
        })?;
        match found {
            Ok((person, invitation)) => Ok((person, invitation, admission)),
            Err(CredentialError::Failed(words)) => Err(CredentialError::Failed(words)),
            Err(_) => {
                let error = CredentialError::Invitation;
                self.refused(&error, None, from, Why::Wrong);
                Err(error)
            }
        }
    }
}
