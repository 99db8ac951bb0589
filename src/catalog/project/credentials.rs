//! The part of the fold about how people prove who they are.
//!
//! Invariant: what a lost record would have replaced is taken away all the same, so that a rebuild never brings an older
//! password, app secret or invitation back to life.

use super::Event;
use crate::{catalog::Result, domain::hex};
use rusqlite::params;

impl Event<'_> {
    pub(super) fn user_invited(&self) -> Result<()> {
        let person = self.text("person")?;
        self.actor_proved()?;
        self.connection
            .prepare_cached(
                "UPDATE invitation SET closed_index = ?2 WHERE person = ?1 AND closed_index IS NULL",
            )?
            .execute(params![person, self.row()])?;
        if self.record.is_none() {
            return Ok(());
        }
        self.connection
            .prepare_cached(
                "INSERT INTO invitation (id, person, code_sha256, issued_ms, expires_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                self.leaf.id,
                person,
                self.opened_hex("code_sha256")?,
                self.leaf.time_ms,
                self.integer("expires_ms")?
            ])?;
        Ok(())
    }

    pub(super) fn user_password_set(&self) -> Result<()> {
        let person = self.text("person")?;
        self.proved(person)?;
        if self.leaf.text("invitation").is_some() {
            // Whoever is invited begins anew: nothing of before counts any longer.
            for statement in [
                "DELETE FROM person_totp WHERE person = ?1",
                "DELETE FROM passkey WHERE person = ?1",
            ] {
                self.connection.prepare_cached(statement)?.execute([person])?;
            }
            self.connection
                .prepare_cached(
                    "UPDATE api_token SET revoked_ms = ?2 WHERE person = ?1 AND revoked_ms IS NULL",
                )?
                .execute(params![person, self.leaf.time_ms])?;
        }
        self.connection
            .prepare_cached("DELETE FROM person_password WHERE person = ?1")?
            .execute([person])?;
        if self.record.is_none() {
            return Ok(());
        }
        self.connection
            .prepare_cached(
                "INSERT INTO person_password (person, verifier, set_index, set_ms) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![
                person,
                self.opened("verifier")?,
                self.row(),
                self.leaf.time_ms
            ])?;
        Ok(())
    }

    pub(super) fn user_totp_enrolled(&self) -> Result<()> {
        let person = self.text("person")?;
        self.proved(person)?;
        self.invitation_used()?;
        self.connection
            .prepare_cached("DELETE FROM person_totp WHERE person = ?1")?
            .execute([person])?;
        if self.record.is_none() {
            return Ok(());
        }
        self.connection
            .prepare_cached(
                "INSERT INTO person_totp (person, sealed, last_step, enrolled_index, enrolled_ms) \
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                person,
                self.opened_hex("secret")?,
                self.integer("first_step")?,
                self.row(),
                self.leaf.time_ms
            ])?;
        Ok(())
    }

    pub(super) fn user_passkey_added(&self) -> Result<()> {
        let person = self.text("person")?;
        self.proved(person)?;
        self.invitation_used()?;
        if self.record.is_none() {
            return Ok(());
        }
        self.connection
            .prepare_cached(
                "INSERT INTO passkey (id, person, credential, public_key, label, sign_count, added_index, added_ms) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                self.leaf.id,
                person,
                self.opened_hex("credential")?,
                self.opened_hex("public_key")?,
                self.opened("label")?,
                self.integer("first_count")?,
                self.row(),
                self.leaf.time_ms
            ])?;
        Ok(())
    }

    pub(super) fn user_passkey_removed(&self) -> Result<()> {
        let person = self.text("person")?;
        self.proved(person)?;
        self.connection
            .prepare_cached("DELETE FROM passkey WHERE id = ?1 AND person = ?2")?
            .execute(params![self.text("removed")?, person])?;
        Ok(())
    }

    pub(super) fn user_signed_in(&self) -> Result<()> {
        self.proved(self.text("person")?)
    }

    pub(super) fn token_issued(&self) -> Result<()> {
        let person = self.text("person")?;
        self.proved(person)?;
        if self.record.is_none() {
            return Ok(());
        }
        let roles = self
            .leaf
            .data
            .get("roles")
            .ok_or_else(|| self.missing("no 'roles'"))?;
        self.connection
            .prepare_cached(
                "INSERT INTO api_token (id, person, roles, label, secret_sha256, issued_ms, expires_ms) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                self.leaf.id,
                person,
                roles.to_string(),
                self.opened("label")?,
                self.opened_hex("secret_sha256")?,
                self.leaf.time_ms,
                self.integer("expires_ms")?
            ])?;
        Ok(())
    }

    pub(super) fn token_revoked(&self) -> Result<()> {
        self.connection
            .prepare_cached(
                "UPDATE api_token SET revoked_ms = ?2 WHERE id = ?1 AND person = ?3 AND revoked_ms IS NULL",
            )?
            .execute(params![
                self.text("token")?,
                self.leaf.time_ms,
                self.text("person")?
            ])?;
        Ok(())
    }

    /// Whoever caused the event showed a factor for it.
    pub(super) fn actor_proved(&self) -> Result<()> {
        self.proved(&self.leaf.actor)
    }

    /// What the event rests on is used up: no code up to this time step, no lower counter, is accepted again.
    fn proved(&self, person: &str) -> Result<()> {
        if let Some(step) = self.leaf.integer("totp_step") {
            self.connection
                .prepare_cached("UPDATE person_totp SET last_step = max(last_step, ?2) WHERE person = ?1")?
                .execute(params![person, step])?;
        }
        if let (Some(passkey), Some(count)) = (self.leaf.text("passkey"), self.leaf.integer("sign_count")) {
            self.connection
                .prepare_cached("UPDATE passkey SET sign_count = ?3 WHERE id = ?1 AND person = ?2")?
                .execute(params![passkey, person, count])?;
        }
        Ok(())
    }

    fn invitation_used(&self) -> Result<()> {
        if let Some(invitation) = self.leaf.text("invitation") {
            self.connection
                .prepare_cached("UPDATE invitation SET closed_index = ?2 WHERE id = ?1")?
                .execute(params![invitation, self.row()])?;
        }
        Ok(())
    }

    fn opened_hex(&self, name: &str) -> Result<Vec<u8>> {
        hex::decode(self.opened(name)?).map_err(|_| self.missing(format!("'{name}' is no hex")))
    }
}
