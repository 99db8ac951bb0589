//! Signing in and out.
//!
//! Name, password and code are sent together and looked at together: whatever is wrong, the same work is done and the same
//! answer given. A passkey needs none of the three.

use super::{
    CredentialError, Credentials, Result, active,
    passkey::{Assertion, Purpose},
    password::{Password, Verdict},
    proof::{Factor, Proof},
    refused::{RefusedSignIn, Why},
    totp,
};
use crate::{
    catalog::{
        credentials::{self, PasswordRow, TotpRow},
        people::{self, Person},
    },
    domain::event::{Draft, Kind},
};
use std::net::IpAddr;

/// Longest log-in name that is looked at.
const MAX_NAME: usize = 64;
/// Characters of a browser's name that are kept.
const MAX_AGENT: usize = 200;

/// What somebody typed.
#[derive(Clone, Copy)]
pub struct Typed<'a> {
    /// Log-in name.
    pub name: &'a str,
    /// Password.
    pub password: &'a str,
    /// The app's code.
    pub code: &'a str,
}

/// Where a try comes from.
#[derive(Clone, Copy, Debug)]
pub struct Peer<'a> {
    /// The peer's address.
    pub address: IpAddr,
    /// What the browser calls itself; claimed.
    pub agent: &'a str,
    /// The device cookie, empty without one.
    pub device: &'a str,
}

/// Somebody who proved who they are. The event is in the log.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Who.
    pub person: Person,
    /// What the log calls their session.
    pub session: String,
    /// How.
    pub factor: Factor,
    /// The device cookie's new value.
    pub device: String,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The person signed out.
    Person,
    /// The person signed out everywhere, or ended this one from another.
    Elsewhere,
    /// A factor was changed or an invitation used.
    Credentials,
    /// It ran out.
    Expired,
    /// There were too many, and this one was seen longest ago.
    Displaced,
    /// An administrator ended it, or disabled the person.
    Operator,
}

impl Ending {
    /// As the log says it.
    pub fn id(self) -> &'static str {
        match self {
            Ending::Person => "person",
            Ending::Elsewhere => "elsewhere",
            Ending::Credentials => "credentials",
            Ending::Expired => "expired",
            Ending::Displaced => "displaced",
            Ending::Operator => "operator",
        }
    }
}

/// What there is to compare with.
#[derive(Default)]
pub(super) struct Known {
    pub(super) person: Option<Person>,
    pub(super) password: Option<PasswordRow>,
    pub(super) totp: Option<TotpRow>,
}

impl Credentials {
    /// Signs somebody in by name, password and code.
    ///
    /// # Errors
    /// [`CredentialError::Refused`] whatever is wrong; that too many tried; or that it can't be told.
    pub fn sign_in(&self, typed: Typed<'_>, from: Peer<'_>) -> Result<SignedIn> {
        let now_ms = self.now_ms();
        let name = normal(typed.name);
        let device = self.devices.known(from.device, &name, now_ms);
        let admission = self.throttle.sign_in(&name, from.address, device, now_ms)?;
        let known = self.known(&name)?;
        let verifier = known.password.as_ref().map(|row| row.verifier.as_str());
        let password = Password::typed(typed.password);
        let verdict = match self.hasher.verify(password.as_ref(), verifier) {
            Err(error) => {
                // Nothing was compared, so it was no mistake.
                admission.succeeded();
                return Err(error.into());
            }
            Ok(verdict) => verdict,
        };
        let step = self.step(&known, typed.code, now_ms);
        let person = known.person.as_ref().map(|person| person.id.clone());
        let done = match (known, verdict, step) {
            (_, Verdict::Wrong, _) | (_, _, None) => Err(CredentialError::Refused),
            (
                Known {
                    person: Some(person),
                    password: Some(row),
                    totp: Some(totp),
                },
                _,
                Some(step),
            ) => {
                let proof = Proof::of_code(&totp, step);
                self.signed_in(person, Factor::PasswordTotp, proof, Some(row.set_index), from)
                    .map(|signed_in| (signed_in, row))
            }
            _ => Err(CredentialError::Refused),
        };
        match done {
            Ok((signed_in, row)) => {
                admission.succeeded();
                if let (Verdict::RightButWeak, Some(password)) = (verdict, &password) {
                    self.hash_better(&signed_in.person.id, password, &row);
                }
                Ok(signed_in)
            }
            Err(error) => {
                self.refused(&error, person, from, Why::Wrong);
                Err(error)
            }
        }
    }

    /// What a browser is asked for to sign in by passkey. `browser` is the digest of a secret that this browser carries.
    ///
    /// # Errors
    /// When passkeys can't be used here, or there is no randomness.
    pub fn passkey_options(&self, browser: &[u8]) -> Result<serde_json::Value> {
        let challenge = self
            .challenges
            .issue(&Purpose::SignIn(browser), self.now_ms(), self.random())?;
        Ok(self.party()?.request(&challenge, &[]))
    }

    /// Signs somebody in by passkey.
    ///
    /// # Errors
    /// Like [`Credentials::sign_in`].
    pub fn sign_in_by_passkey(&self, answer: &Assertion, browser: &[u8], from: Peer<'_>) -> Result<SignedIn> {
        let now_ms = self.now_ms();
        let party = self.party()?;
        let credential = answer.credential().unwrap_or_default();
        let found = self.parts.catalogue.read(|connection| {
            let Some(row) = credentials::passkey_by_credential(connection, &credential)? else {
                return Ok(None);
            };
            let person = people::by_id(connection, &row.person)?;
            Ok(person
                .filter(|person| person.disabled_ms.is_none())
                .map(|person| (row, person)))
        })?;
        let name = found
            .as_ref()
            .map(|(_, person)| person.name.clone())
            .unwrap_or_default();
        // On a device of theirs a person isn't held up by what strangers do.
        let admission = match self.devices.known(from.device, &name, now_ms) {
            Some(device) => self.throttle.sign_in(&name, from.address, Some(device), now_ms)?,
            None => self.throttle.unnamed(from.address, now_ms)?,
        };
        let mut why = Why::Wrong;
        let id = found.as_ref().map(|(_, person)| person.id.clone());
        let done = found.ok_or(CredentialError::Refused).and_then(|(row, person)| {
            let purpose = Purpose::SignIn(browser);
            let count = party
                .asserted(
                    answer,
                    &row.public_key,
                    &person.id,
                    &self.challenges,
                    &purpose,
                    now_ms,
                )
                .map_err(|error| {
                    tracing::info!(%error, "a passkey was refused");
                    CredentialError::Refused
                })?;
            if super::passkey::follows(row.sign_count, count).is_err() {
                why = Why::Clone;
                return Err(CredentialError::Refused);
            }
            let proof = Proof::of_passkey(&row, count);
            self.signed_in(person, Factor::Passkey, proof, None, from)
        });
        match &done {
            Ok(_) => admission.succeeded(),
            Err(error) => self.refused(error, id, from, why),
        }
        done
    }

    /// Puts the end of a session on record. The session itself is the console's to end, before this is called.
    ///
    /// # Errors
    /// When the log can't take it.
    pub fn signed_out(&self, person: &str, session: &str, how: Ending) -> Result<()> {
        let actor = match how {
            Ending::Expired | Ending::Displaced => "system",
            Ending::Operator => crate::access::OPERATOR,
            _ => person,
        };
        self.signed_out_by(actor, person, session, how)
    }

    /// The same, where somebody else ended it.
    ///
    /// # Errors
    /// When the log can't take it.
    pub fn signed_out_by(&self, actor: &str, person: &str, session: &str, how: Ending) -> Result<()> {
        let [actor, person, session] = [actor, person, session].map(str::to_owned);
        self.commit(move |_, event| {
            Ok(Draft::new(Kind::UserSignedOut, event, actor)
                .fact("person", person)
                .fact("session", session)
                .fact("how", how.id()))
        })?;
        Ok(())
    }

    /// A person by name, if active, and what they can be compared with.
    pub(super) fn known(&self, name: &str) -> Result<Known> {
        Ok(self.parts.catalogue.read(|connection| {
            let person = people::by_name(connection, name)?.filter(|person| person.disabled_ms.is_none());
            // Asked for nobody too, so that there is no difference.
            let id = person.as_ref().map_or("", |person| person.id.as_str());
            Ok(Known {
                password: credentials::password(connection, id)?,
                totp: credentials::totp(connection, id)?,
                person,
            })
        })?)
    }

    /// The step that a code is right for; computed for nobody too.
    fn step(&self, known: &Known, code: &str, now_ms: i64) -> Option<i64> {
        let secret = known.person.as_ref().zip(known.totp.as_ref()).and_then(|(person, row)| {
            let opened = totp::Secret::open(&self.totp_key, &row.sealed, &person.id);
            opened
                .inspect_err(|error| tracing::error!(%error, "an app's secret doesn't open: was the staging key replaced?"))
                .ok()
        });
        let step = secret.as_ref().unwrap_or(&self.nobody).step_of(code, now_ms);
        step.filter(|_| secret.is_some())
    }

    /// Commits a sign-in: the person is still active, the password still the same, the code or counter not used yet.
    pub(super) fn signed_in(
        &self,
        person: Person,
        factor: Factor,
        proof: Proof,
        password: Option<i64>,
        from: Peer<'_>,
    ) -> Result<SignedIn> {
        let session = self.new_id()?;
        let device = self
            .devices
            .remember(from.device, &person.name, self.now_ms(), self.random())?;
        let (id, event_session) = (person.id.clone(), session.clone());
        let (address, agent) = (from.address.to_string(), agent(from.agent));
        self.commit(move |turn, event| {
            active(turn.connection, &id)?;
            if let Some(set_index) = password {
                let row = credentials::password(turn.connection, &id)?;
                if row.is_none_or(|row| row.set_index != set_index) {
                    return Err(CredentialError::Refused);
                }
            }
            proof.redeem(turn.connection, &id)?;
            let draft = Draft::new(Kind::UserSignedIn, event, id.as_str())
                .fact("person", id.as_str())
                .fact("session", event_session)
                .fact("factor", factor.id())
                .commit("address", address)
                .commit("agent", agent);
            Ok(proof.facts(draft))
        })?;
        Ok(SignedIn {
            person,
            session,
            factor,
            device,
        })
    }

    /// The same password with today's effort. That it fails changes nothing: the next sign-in tries again.
    fn hash_better(&self, person: &str, password: &Password, before: &PasswordRow) {
        let (person, set_index) = (person.to_owned(), before.set_index);
        let hashed = self
            .hasher
            .hash(password, self.random())
            .map_err(CredentialError::from);
        let done = hashed.and_then(|verifier| {
            self.commit(move |turn, event| {
                let row = credentials::password(turn.connection, &person)?;
                if row.is_none_or(|row| row.set_index != set_index) {
                    return Err(CredentialError::Refused);
                }
                Ok(Draft::new(Kind::UserPasswordSet, event, "system")
                    .fact("person", person)
                    .fact("by", "upgrade")
                    .commit("verifier", verifier))
            })
        });
        if let Err(error) = done {
            tracing::warn!(%error, "a password couldn't be hashed with today's effort");
        }
    }

    pub(super) fn refused(&self, error: &CredentialError, person: Option<String>, from: Peer<'_>, why: Why) {
        if matches!(error, CredentialError::Refused | CredentialError::Invitation) {
            self.parts.refusals.refused(RefusedSignIn {
                person,
                address: from.address.to_canonical(),
                why,
            });
        }
    }
}

/// A name as it is looked up. What is too long for a name is nobody's.
fn normal(name: &str) -> String {
    let name = name.trim();
    if name.len() > MAX_NAME {
        String::new()
    } else {
        name.to_ascii_lowercase()
    }
}

fn agent(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_AGENT).collect()
}
