//! What a person changes about their own credentials. Each change needs their present second factor, shown anew.

use super::{
    CredentialError, Credentials, MAX_PASSKEYS, Result, active, label,
    passkey::{NewPasskey, Purpose, Registration},
    password::Password,
    proof::{Proof, Shown},
    qr, totp,
};
use crate::{
    catalog::{
        credentials::{self, Factors, PasskeyRow},
        people::Person,
    },
    domain::{
        event::{Draft, Kind},
        hex,
    },
};
use rusqlite::Connection;
use serde_json::Value;

/// An authenticator app's secret on its way to the app.
#[derive(Clone, Debug)]
pub struct Enrolment {
    /// For people who type: base32 in groups of four.
    pub text: String,
    /// For people who scan: a `data:` address of a picture.
    pub picture: String,
    /// What the page sends back with the first code. Counts for this person and for a while.
    pub sealed: String,
}

/// Makes the event of a second factor inside the transaction.
pub(super) type FactorEvent = Box<dyn FnOnce(&Connection, &str) -> Result<Draft> + Send>;

impl Credentials {
    /// What a person has, and their passkeys.
    ///
    /// # Errors
    /// When the catalogue can't be read.
    pub fn factors(&self, person: &str) -> Result<(Factors, Vec<PasskeyRow>)> {
        Ok(self.parts.catalogue.read(|connection| {
            Ok((
                credentials::factors(connection, person)?,
                credentials::passkeys(connection, person)?,
            ))
        })?)
    }

    /// A new password. Other sessions of the person have to be ended when this returns.
    ///
    /// # Errors
    /// When the factor or the password isn't taken.
    pub fn change_password(&self, person: &Person, session: &str, shown: Shown<'_>, new: &str) -> Result<()> {
        let password = Password::chosen(new, &person.name)?;
        let proof = self.confirm(&person.id, session, shown)?;
        let verifier = self.hasher.hash(&password, self.random())?;
        let id = person.id.clone();
        self.commit(move |turn, event| {
            active(turn.connection, &id)?;
            proof.redeem(turn.connection, &id)?;
            let draft = Draft::new(Kind::UserPasswordSet, event, id.as_str())
                .fact("person", id.as_str())
                .fact("by", proof.by())
                .commit("verifier", verifier);
            Ok(proof.facts(draft))
        })?;
        Ok(())
    }

    /// A new secret for the person's authenticator app, to be shown. Nothing is changed yet.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn enrolment(&self, person: &Person) -> Result<Enrolment> {
        let secret = totp::Secret::generate(self.random())?;
        self.shown_again(&secret, person)
    }

    /// The same enrolment again, for a page that has to be shown once more. `None` when it expired.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn enrolment_again(&self, person: &Person, sealed: &str) -> Result<Option<Enrolment>> {
        let secret = totp::Secret::enrolled(&self.totp_key, sealed, &person.id, self.now_ms());
        secret.map(|secret| self.shown_again(&secret, person)).transpose()
    }

    fn shown_again(&self, secret: &totp::Secret, person: &Person) -> Result<Enrolment> {
        let uri = secret.uri(&self.parts.issuer, &person.name);
        Ok(Enrolment {
            text: secret.text(),
            picture: qr::data_uri(&uri)
                .ok_or_else(|| CredentialError::Failed("the address doesn't fit a QR code".to_owned()))?,
            sealed: secret.enrolment(&self.totp_key, &person.id, self.now_ms(), self.random())?,
        })
    }

    /// Another authenticator app in place of the one before, or a first one beside passkeys.
    ///
    /// # Errors
    /// When the present factor or the new app's code isn't right.
    pub fn change_totp(
        &self,
        person: &Person,
        session: &str,
        shown: Shown<'_>,
        enrolment: &str,
        code: &str,
    ) -> Result<()> {
        let proof = self.confirm(&person.id, session, shown)?;
        let factor = self.totp_event(person, enrolment, code, &proof)?;
        self.commit_factor(person, proof, factor)
    }

    /// What a browser is asked for to register a passkey for a person who is signed in.
    ///
    /// # Errors
    /// When passkeys can't be used here.
    pub fn creation_options(&self, person: &Person, session: &str) -> Result<Value> {
        let party = self.party()?;
        let known = self
            .parts
            .catalogue
            .read(|connection| credentials::passkeys(connection, &person.id))?;
        let known: Vec<Vec<u8>> = known.into_iter().map(|row| row.credential).collect();
        let purpose = Purpose::Register(&person.id, session);
        let challenge = self.challenges.issue(&purpose, self.now_ms(), self.random())?;
        Ok(party.creation(&challenge, &person.id, &person.name, &known))
    }

    /// One more passkey.
    ///
    /// # Errors
    /// When the present factor or the new passkey isn't right.
    pub fn add_passkey(
        &self,
        person: &Person,
        session: &str,
        shown: Shown<'_>,
        answer: &Registration,
        name: &str,
    ) -> Result<()> {
        let proof = self.confirm(&person.id, session, shown)?;
        let purpose = Purpose::Register(&person.id, session);
        let factor = self.passkey_event(person, answer, name, &purpose, &proof)?;
        self.commit_factor(person, proof, factor)
    }

    /// A passkey counts no longer. The only second factor stays.
    ///
    /// # Errors
    /// When the factor isn't right, or there is no such passkey of theirs, or it is the last factor.
    pub fn remove_passkey(
        &self,
        person: &Person,
        session: &str,
        shown: Shown<'_>,
        passkey: &str,
    ) -> Result<()> {
        let proof = self.confirm(&person.id, session, shown)?;
        let (id, passkey) = (person.id.clone(), passkey.to_owned());
        self.commit(move |turn, event| {
            active(turn.connection, &id)?;
            proof.redeem(turn.connection, &id)?;
            let rows = credentials::passkeys(turn.connection, &id)?;
            if !rows.iter().any(|row| row.id == passkey) {
                return Err(CredentialError::Unknown);
            }
            if rows.len() == 1 && !credentials::factors(turn.connection, &id)?.totp {
                return Err(CredentialError::LastFactor);
            }
            let draft = Draft::new(Kind::UserPasskeyRemoved, event, id.as_str())
                .fact("person", id.as_str())
                .fact("removed", passkey);
            Ok(proof.facts(draft))
        })?;
        Ok(())
    }

    /// The event of an app whose first code is right.
    pub(super) fn totp_event(
        &self,
        person: &Person,
        enrolment: &str,
        code: &str,
        proof: &Proof,
    ) -> Result<FactorEvent> {
        let now_ms = self.now_ms();
        let secret = totp::Secret::enrolled(&self.totp_key, enrolment, &person.id, now_ms);
        let secret = secret.ok_or(CredentialError::Refused)?;
        let step = secret.step_of(code, now_ms).ok_or(CredentialError::Refused)?;
        let sealed = secret.seal(&self.totp_key, &person.id, self.random())?;
        let (id, proof) = (person.id.clone(), proof.clone());
        Ok(Box::new(move |_, event| {
            let draft = Draft::new(Kind::UserTotpEnrolled, event, id.as_str())
                .fact("person", id.as_str())
                .fact("by", proof.by())
                .fact("first_step", step)
                .commit("secret", hex::encode(sealed));
            Ok(proof.facts(draft))
        }))
    }

    /// The event of a passkey that was just made.
    pub(super) fn passkey_event(
        &self,
        person: &Person,
        answer: &Registration,
        name: &str,
        purpose: &Purpose<'_>,
        proof: &Proof,
    ) -> Result<FactorEvent> {
        let label = label(name)?;
        let made = self
            .party()?
            .registered(answer, &self.challenges, purpose, self.now_ms())
            .map_err(|error| {
                tracing::info!(%error, "a new passkey was refused");
                CredentialError::Refused
            })?;
        let (id, proof) = (person.id.clone(), proof.clone());
        Ok(Box::new(move |connection, event| {
            let NewPasskey {
                credential,
                public_key,
                sign_count,
            } = made;
            let taken = credentials::passkey_by_credential(connection, &credential)?.is_some();
            if taken || credentials::passkeys(connection, &id)?.len() >= MAX_PASSKEYS {
                return Err(CredentialError::PasskeyTaken);
            }
            let draft = Draft::new(Kind::UserPasskeyAdded, event, id.as_str())
                .fact("person", id.as_str())
                .fact("by", proof.by())
                .fact("first_count", sign_count)
                .commit("credential", hex::encode(credential))
                .commit("public_key", hex::encode(public_key))
                .commit("label", label);
            Ok(proof.facts(draft))
        }))
    }

    fn commit_factor(&self, person: &Person, proof: Proof, factor: FactorEvent) -> Result<()> {
        let id = person.id.clone();
        self.commit(move |turn, event| {
            active(turn.connection, &id)?;
            proof.redeem(turn.connection, &id)?;
            factor(turn.connection, event)
        })?;
        Ok(())
    }
}
