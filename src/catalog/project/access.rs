//! The fold of requests, grants and readings.

use super::{Event, Result};
use rusqlite::params;
use serde_json::Value;

impl Event<'_> {
    pub(super) fn access_requested(&self) -> Result<()> {
        let form = self.record()?.private.get("form").filter(|form| form.is_object());
        let form_text = |name: &str| form.and_then(|form| form[name].as_str());
        self.connection
            .prepare_cached(
                "INSERT INTO access_request (id, leaf_index, person, branch, purpose, basis, reason, duration_s, emergency, \
                 form_name, form_media_type, form_size_bytes, requested_ms, state) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, 'pending')",
            )?
            .execute(params![
                self.leaf.id,
                self.row(),
                self.text("person")?,
                self.leaf.text("branch"),
                self.text("purpose")?,
                self.text("basis")?,
                self.opened("reason")?,
                self.integer("duration_s")?,
                self.integer("emergency")?,
                form_text("name"),
                form_text("media_type"),
                form.and_then(|form| form["size_bytes"].as_i64()),
                self.leaf.time_ms,
            ])?;
        self.items("INSERT INTO access_request_item (request, evidence) VALUES (?1, ?2)")
    }

    /// Which records an event is about; they stand in the record, so that the log doesn't show who looked for whom.
    fn items(&self, insert: &str) -> Result<()> {
        let items = self
            .private("evidence")?
            .as_array()
            .ok_or_else(|| self.missing("'evidence' is no list"))?;
        let mut insert = self.connection.prepare_cached(insert)?;
        for item in items {
            let evidence = item
                .as_str()
                .ok_or_else(|| self.missing("an evidence id is no text"))?;
            insert.execute(params![self.leaf.id, evidence])?;
        }
        Ok(())
    }

    pub(super) fn access_endorsed(&self) -> Result<()> {
        self.connection
            .prepare_cached(
                "UPDATE access_request SET endorser = ?2 WHERE id = ?1 AND state = 'pending' AND endorser IS NULL",
            )?
            .execute(params![self.text("request")?, self.text("approver")?])?;
        Ok(())
    }

    pub(super) fn access_approved(&self) -> Result<()> {
        self.decided("approved")?;
        self.connection
            .prepare_cached(
                "INSERT INTO access_grant (id, leaf_index, request, person, branch, approver, endorser, purpose, basis, \
                 emergency, granted_ms, expires_ms) \
                 SELECT ?1, ?2, id, person, branch, ?4, endorser, ?5, basis, emergency, ?6, ?7 \
                 FROM access_request WHERE id = ?3",
            )?
            .execute(params![
                self.leaf.id,
                self.row(),
                self.text("request")?,
                self.text("approver")?,
                self.text("purpose")?,
                self.leaf.time_ms,
                self.integer("expires_ms")?,
            ])?;
        self.items("INSERT INTO access_grant_item (grant_id, evidence) VALUES (?1, ?2)")
    }

    pub(super) fn access_declined(&self) -> Result<()> {
        self.decided("declined")
    }

    pub(super) fn access_withdrawn(&self) -> Result<()> {
        self.decided("withdrawn")
    }

    fn decided(&self, state: &str) -> Result<()> {
        let reason = self.record.and_then(|record| record.opened("reason"));
        self.connection
            .prepare_cached(
                "UPDATE access_request SET state = ?2, decided_index = ?3, decided_by = ?4, decided_ms = ?5, \
                 decided_reason = ?6 WHERE id = ?1 AND state = 'pending'",
            )?
            .execute(params![
                self.text("request")?,
                state,
                self.row(),
                self.leaf.actor,
                self.leaf.time_ms,
                reason
            ])?;
        Ok(())
    }

    pub(super) fn access_revoked(&self) -> Result<()> {
        self.connection
            .prepare_cached(
                "UPDATE access_grant SET revoked_index = ?2, revoked_by = ?3, revoked_ms = ?4, revoked_reason = ?5 \
                 WHERE id = ?1 AND revoked_index IS NULL",
            )?
            .execute(params![
                self.text("grant")?,
                self.row(),
                self.leaf.actor,
                self.leaf.time_ms,
                self.opened("reason")?
            ])?;
        Ok(())
    }

    /// A reading under a grant; an operator's export on the host has none.
    pub(super) fn access_read(&self) -> Result<()> {
        let Some(grant) = self.leaf.text("grant") else {
            return Ok(());
        };
        self.connection
            .prepare_cached(
                "INSERT INTO access_read (leaf_index, id, grant_id, person, evidence, version, part, purpose, channel, \
                 started_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?
            .execute(params![
                self.row(),
                self.leaf.id,
                grant,
                self.text("person")?,
                self.text("evidence")?,
                self.integer("version")?,
                self.text("part")?,
                self.text("purpose")?,
                self.text("channel")?,
                self.leaf.time_ms,
            ])?;
        Ok(())
    }

    pub(super) fn access_read_ended(&self) -> Result<()> {
        self.connection
            .prepare_cached(
                "UPDATE access_read SET ended_index = ?2, ended_ms = ?3, bytes = ?4, ranges = ?5, watched_s = ?6 \
                 WHERE id = ?1 AND ended_index IS NULL",
            )?
            .execute(params![
                self.text("read")?,
                self.row(),
                self.leaf.time_ms,
                self.integer("bytes")?,
                self.integer("ranges")?,
                self.leaf.data.get("watched_s").and_then(Value::as_i64),
            ])?;
        Ok(())
    }
}
