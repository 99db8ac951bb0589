//! The fold: applies one (leaf, record) pair to the tables. Committing and rebuilding both call this, nothing else does.

mod access;
mod credentials;

use super::{CatalogueError, Result};
use crate::domain::{
    event::{Kind, Leaf, Record},
    hex,
    role::{Role, RoleSet},
    time::Zone,
};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

/// Commit size of rows whose batch isn't closed yet; [`close_batch`] puts the real one.
const OPEN_BATCH: i64 = -1;

/// Applies one event.
///
/// # Errors
/// When the event lacks what its kind promises, or SQLite refuses.
pub fn apply(
    connection: &Connection,
    zone: Zone,
    index: u64,
    leaf: &Leaf,
    record: Option<&Record>,
) -> Result<()> {
    let event = Event {
        connection,
        zone,
        index,
        leaf,
        record,
    };
    connection
        .prepare_cached(
            "INSERT INTO event (leaf_index, kind, subject, actor, time_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            event.row(),
            leaf.kind.to_string(),
            event.subject(),
            leaf.actor,
            leaf.time_ms
        ])?;
    match leaf.kind {
        Kind::VaultCreated
        | Kind::FixityChecked
        | Kind::AccessRefused
        | Kind::KeyUnlocked
        | Kind::KeyLocked
        | Kind::Recover => Ok(()),
        Kind::StoreCapability => event.store_capability(),
        Kind::BranchAdded => event.branch_added(),
        Kind::UserAdded => event.user_added(),
        Kind::UserDisabled => event.user_disabled(),
        Kind::UserKeyAdded => event.user_key_added(),
        Kind::UserKeyRevoked => event.user_key_revoked(),
        Kind::UserInvited => event.user_invited(),
        Kind::UserPasswordSet => event.user_password_set(),
        Kind::UserTotpEnrolled => event.user_totp_enrolled(),
        Kind::UserPasskeyAdded => event.user_passkey_added(),
        Kind::UserPasskeyRemoved => event.user_passkey_removed(),
        Kind::UserSignedIn => event.user_signed_in(),
        Kind::UserSignedOut => Ok(()),
        Kind::TokenIssued => event.token_issued(),
        Kind::TokenRevoked => event.token_revoked(),
        Kind::AccessionReceived => event.accession("received"),
        Kind::AccessionRejected => event.accession("rejected"),
        Kind::AccessionDuplicate => event.accession("duplicate"),
        Kind::AccessionWithdrawn => event.accession("withdrawn"),
        Kind::EvidenceSealed => event.evidence_sealed(),
        Kind::DeclarationReceived => event.declaration_received(),
        Kind::EvidenceDeclared => event.evidence_declared(),
        Kind::EvidenceInspected => event.evidence_inspected(),
        Kind::DerivedMade => event.derived_made(),
        Kind::InspectionRequested => event.inspection_requested(),
        Kind::AccessRequested => event.access_requested(),
        Kind::AccessEndorsed => event.access_endorsed(),
        Kind::AccessApproved => event.access_approved(),
        Kind::AccessDeclined => event.access_declined(),
        Kind::AccessWithdrawn => event.access_withdrawn(),
        Kind::AccessRevoked => event.access_revoked(),
        Kind::AccessRead => event.access_read(),
        Kind::AccessReadEnded => event.access_read_ended(),
        Kind::Anchor => event.anchor(),
        Kind::DocumentTypesPublished => event.document_types_published(),
    }
}

/// Ends a batch: every receipt in it is proved against the checkpoint of `commit_size` leaves.
///
/// # Errors
/// When SQLite refuses.
pub fn close_batch(connection: &Connection, first_index: u64, commit_size: u64) -> Result<()> {
    connection
        .prepare_cached("UPDATE receipt SET commit_size = ?1 WHERE leaf_index >= ?2")?
        .execute(params![signed(commit_size), signed(first_index)])?;
    Ok(())
}

/// SQLite's integers are signed; log positions stay far below 2^63.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

struct Event<'a> {
    connection: &'a Connection,
    zone: Zone,
    index: u64,
    leaf: &'a Leaf,
    record: Option<&'a Record>,
}

impl Event<'_> {
    fn row(&self) -> i64 {
        signed(self.index)
    }

    fn subject(&self) -> &str {
        ["evidence", "person", "branch", "request", "grant"]
            .into_iter()
            .filter(|_| !self.is_accession())
            .find_map(|name| self.leaf.text(name))
            .unwrap_or(&self.leaf.id)
    }

    fn is_accession(&self) -> bool {
        matches!(
            self.leaf.kind,
            Kind::AccessionReceived
                | Kind::AccessionRejected
                | Kind::AccessionDuplicate
                | Kind::AccessionWithdrawn
                | Kind::DeclarationReceived
        )
    }

    fn missing(&self, what: impl Into<String>) -> CatalogueError {
        CatalogueError::Event {
            index: self.index,
            kind: self.leaf.kind.to_string(),
            what: what.into(),
        }
    }

    fn text(&self, name: &str) -> Result<&str> {
        self.leaf
            .text(name)
            .ok_or_else(|| self.missing(format!("no text '{name}'")))
    }

    fn integer(&self, name: &str) -> Result<i64> {
        self.leaf
            .integer(name)
            .ok_or_else(|| self.missing(format!("no integer '{name}'")))
    }

    fn digest(&self, name: &str) -> Result<Vec<u8>> {
        hex::decode(self.text(name)?).map_err(|_| self.missing(format!("'{name}' is no digest")))
    }

    fn record(&self) -> Result<&Record> {
        self.record.ok_or_else(|| self.missing("it has no record"))
    }

    fn opened(&self, name: &str) -> Result<&str> {
        self.record()?
            .opened(name)
            .ok_or_else(|| self.missing(format!("its record doesn't open '{name}'")))
    }

    fn private(&self, name: &str) -> Result<&Value> {
        self.record()?
            .private
            .get(name)
            .ok_or_else(|| self.missing(format!("its record lacks '{name}'")))
    }

    fn store_capability(&self) -> Result<()> {
        self.connection.execute(
            "UPDATE vault SET immutable_flag = ?1",
            [self.text("immutable_flag")?],
        )?;
        Ok(())
    }

    fn branch_added(&self) -> Result<()> {
        self.connection.execute(
            "INSERT INTO branch (code, name, leaf_index) VALUES (?1, ?2, ?3)",
            params![self.text("branch")?, self.opened("name")?, self.row()],
        )?;
        Ok(())
    }

    fn user_added(&self) -> Result<()> {
        self.actor_proved()?;
        let person = self.text("person")?;
        let branch = self.leaf.text("branch");
        let roles: Vec<Role> = self
            .leaf
            .data
            .get("roles")
            .and_then(Value::as_array)
            .map(|roles| {
                roles
                    .iter()
                    .filter_map(|role| role.as_str()?.parse().ok())
                    .collect()
            })
            .unwrap_or_default();
        let roles = RoleSet::new(roles, branch.is_some()).map_err(|error| self.missing(error.to_string()))?;
        self.connection.execute(
            "INSERT INTO person (id, name, branch, nda, added_index, added_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![person, self.opened("name")?, branch, self.opened("nda")?, self.row(), self.leaf.time_ms],
        )?;
        for role in roles.iter() {
            self.connection.execute(
                "INSERT INTO person_role (person, role) VALUES (?1, ?2)",
                params![person, role.id()],
            )?;
        }
        let keys = self
            .private("keys")?
            .as_object()
            .ok_or_else(|| self.missing("'keys' is no object"))?;
        for (fingerprint, key) in keys {
            let key = key.as_str().ok_or_else(|| self.missing("a key is no text"))?;
            self.connection.execute(
                "INSERT INTO person_key (fingerprint, person, public_key) VALUES (?1, ?2, ?3)",
                params![fingerprint, person, key],
            )?;
        }
        Ok(())
    }

    fn user_key_added(&self) -> Result<()> {
        self.actor_proved()?;
        let Some(record) = self.record else {
            return Ok(());
        };
        let line = record
            .text("line")
            .ok_or_else(|| self.missing("its record lacks 'line'"))?;
        self.connection.execute(
            "INSERT INTO person_key (fingerprint, person, public_key) VALUES (?1, ?2, ?3)",
            params![self.text("key")?, self.text("person")?, line],
        )?;
        Ok(())
    }

    /// The log keeps whose key it was; the table holds only what lets somebody in.
    fn user_key_revoked(&self) -> Result<()> {
        self.actor_proved()?;
        self.connection.execute(
            "DELETE FROM person_key WHERE fingerprint = ?1 AND person = ?2",
            params![self.text("key")?, self.text("person")?],
        )?;
        Ok(())
    }

    /// With the person go their grants, tokens and invitation; none of them comes back (D34).
    fn user_disabled(&self) -> Result<()> {
        self.actor_proved()?;
        let (person, now_ms) = (self.text("person")?, self.leaf.time_ms);
        self.connection.execute(
            "UPDATE person SET disabled_index = ?2, disabled_ms = ?3 WHERE id = ?1 AND disabled_index IS NULL",
            params![person, self.row(), now_ms],
        )?;
        self.connection.execute(
            "UPDATE access_grant SET revoked_index = ?2, revoked_by = ?3, revoked_ms = ?4 \
             WHERE person = ?1 AND revoked_index IS NULL AND expires_ms > ?4",
            params![person, self.row(), self.leaf.actor, now_ms],
        )?;
        self.connection.execute(
            "UPDATE api_token SET revoked_ms = ?2 WHERE person = ?1 AND revoked_ms IS NULL",
            params![person, now_ms],
        )?;
        self.connection.execute(
            "UPDATE invitation SET closed_index = ?2 WHERE person = ?1 AND closed_index IS NULL",
            params![person, self.row()],
        )?;
        Ok(())
    }

    /// The row of an accession in its new state, and its receipt.
    fn accession(&self, state: &str) -> Result<()> {
        let path = self.opened("path")?;
        let path_raw = self
            .private("path_raw")?
            .as_str()
            .and_then(|text| hex::decode(text).ok())
            .ok_or_else(|| self.missing("'path_raw' is no hex"))?;
        if let Some(replaced) = self.leaf.text("replaces") {
            self.connection
                .prepare_cached(
                    "UPDATE accession SET state = 'replaced', leaf_index = ?2, expires_ms = NULL \
                     WHERE id = ?1 AND state = 'received'",
                )?
                .execute(params![replaced, self.row()])?;
            self.supersede_waiting(replaced)?;
        }
        self.connection
            .prepare_cached(
                "INSERT INTO accession (id, person, branch, path, path_raw, state, size_bytes, sha256, mtime_s, \
                 leaf_index, time_ms, expires_ms, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) \
                 ON CONFLICT (id) DO UPDATE SET path = excluded.path, path_raw = excluded.path_raw, \
                 state = excluded.state, mtime_s = excluded.mtime_s, leaf_index = excluded.leaf_index, \
                 time_ms = excluded.time_ms, expires_ms = excluded.expires_ms, reason = excluded.reason",
            )?
            .execute(params![
                self.leaf.id,
                self.text("person")?,
                self.text("branch")?,
                path,
                path_raw,
                state,
                self.integer("size_bytes")?,
                self.digest("sha256")?,
                self.record()?.private.get("mtime_s").and_then(Value::as_i64),
                self.row(),
                self.leaf.time_ms,
                self.leaf.integer("expires_ms"),
                self.leaf.text("reason"),
            ])?;
        self.supersede_waiting(&self.leaf.id)?;
        let outcome = match state {
            "received" if self.leaf.text("reason") == Some("temporary") => return Ok(()),
            "received" => "WAITING",
            "rejected" => "REJECTED",
            "duplicate" => "DUPLICATE",
            "withdrawn" => return Ok(()),
            _ if self.leaf.text("verdict") == Some("needs_review") => "NEEDS_REVIEW",
            _ => "ACCEPTED",
        };
        if state == "rejected" {
            self.inspection(&self.leaf.id, 0, "gate")?;
        }
        self.receipt(outcome, file_name(path))
    }

    /// What an inspection came to, where the event has one.
    fn inspection(&self, subject: &str, version: i64, tier: &str) -> Result<()> {
        let Some(verdict) = self.leaf.text("verdict") else {
            return Ok(());
        };
        let findings = self
            .leaf
            .data
            .get("findings")
            .ok_or_else(|| self.missing("no 'findings'"))?;
        self.connection
            .prepare_cached(
                "INSERT INTO inspection (leaf_index, subject, version, tier, verdict, types_version, findings, whole) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                self.row(),
                subject,
                version,
                tier,
                verdict,
                self.integer("types_version")?,
                findings.to_string(),
                self.private("inspection")?.to_string(),
            ])?;
        Ok(())
    }

    fn supersede_waiting(&self, accession: &str) -> Result<()> {
        self.connection
            .prepare_cached(
                "UPDATE receipt SET superseded = ?2 WHERE accession = ?1 AND outcome = 'WAITING' AND superseded IS NULL",
            )?
            .execute(params![accession, self.row()])?;
        Ok(())
    }

    fn receipt(&self, outcome: &str, file_name: &str) -> Result<()> {
        self.receipt_of(&self.leaf.id, outcome, file_name)
    }

    fn receipt_of(&self, accession: &str, outcome: &str, file_name: &str) -> Result<()> {
        let branch = self.text("branch")?;
        let date = self.date()?;
        let record = self.record()?;
        let taken = |name: &str| -> Result<bool> {
            Ok(self
                .connection
                .prepare_cached(
                    "SELECT 1 FROM receipt WHERE branch = ?1 AND date = ?2 AND name = ?3 AND outcome = ?4",
                )?
                .query_row(params![branch, date, name, outcome], |_| Ok(()))
                .optional()?
                .is_some())
        };
        // A second receipt of one name and outcome on one day carries its number, which nothing else has.
        let name = if taken(file_name)? {
            format!("{file_name}~{}", self.index)
        } else {
            file_name.to_owned()
        };
        self.connection
            .prepare_cached(
                "INSERT INTO receipt (leaf_index, accession, branch, date, name, outcome, commit_size, openings, private) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                self.row(),
                accession,
                branch,
                date,
                name,
                outcome,
                OPEN_BATCH,
                json(&record.openings).map_err(|error| self.missing(error))?,
                json(&record.private).map_err(|error| self.missing(error))?,
            ])?;
        Ok(())
    }

    /// The day in the vault's zone, as yyyymmdd.
    fn date(&self) -> Result<i64> {
        self.zone
            .date(self.leaf.time_ms)
            .replace('-', "")
            .parse()
            .map_err(|_| self.missing("its time has no date"))
    }

    fn evidence_sealed(&self) -> Result<()> {
        self.accession("sealed")?;
        let chunk_root = self
            .leaf
            .text("chunk_root")
            .map(|_| self.digest("chunk_root"))
            .transpose()?;
        self.count_sealed()?;
        self.connection
            .prepare_cached(
                "INSERT INTO evidence (leaf_index, id, version, customer, flow, doctype, seq, category, branch, person, \
                 key_fingerprint, accession, date, sealed_ms, started_ms, size_bytes, sha256, chunk_root, \
                 stored_size_bytes, stored_blake3, grade, state, file_name) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, \
                 ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23)",
            )?
            .execute(params![
                self.row(),
                self.text("evidence")?,
                self.integer("version")?,
                self.opened("customer")?,
                self.opened("flow")?,
                self.text("doctype")?,
                self.opened("seq")?,
                self.text("category")?,
                self.text("branch")?,
                self.text("person")?,
                self.text("key")?,
                self.leaf.id,
                match self.leaf.integer("date") {
                    Some(date) => date,
                    None => self.date()?,
                },
                self.leaf.time_ms,
                self.integer("started_ms")?,
                self.integer("size_bytes")?,
                self.digest("sha256")?,
                chunk_root,
                self.integer("stored_size_bytes")?,
                self.digest("stored_blake3")?,
                self.text("grade")?,
                match self.leaf.text("verdict") {
                    Some("needs_review") => "needs_review",
                    _ => "sealed",
                },
                file_name(self.opened("path")?),
            ])?;
        self.inspection(self.text("evidence")?, self.integer("version")?, "gate")?;
        if self.leaf.text("deep") == Some("due") {
            self.due(self.row(), &self.leaf.id)?;
        }
        Ok(())
    }

    /// Counts a version for its branch and in all, before its row is there.
    fn count_sealed(&self) -> Result<()> {
        let (evidence, branch) = (self.text("evidence")?, self.text("branch")?);
        let sealed = |statement: &str, of: &[&str]| -> Result<bool> {
            let mut query = self.connection.prepare_cached(statement)?;
            Ok(query.exists(rusqlite::params_from_iter(of))?)
        };
        let known = sealed("SELECT 1 FROM evidence WHERE id = ?1", &[evidence])?;
        let known_there = known
            && sealed(
                "SELECT 1 FROM evidence WHERE id = ?1 AND branch = ?2",
                &[evidence, branch],
            )?;
        let mut count = self.connection.prepare_cached(
            "INSERT INTO sealed_total (branch, pieces, versions, size_bytes, stored_bytes, derived_bytes, declared, first_ms, \
             last_ms) VALUES (?1, ?2, 1, ?3, ?4, 0, ?5, ?6, ?6) ON CONFLICT (branch) DO UPDATE SET \
             pieces = pieces + excluded.pieces, versions = versions + 1, size_bytes = size_bytes + excluded.size_bytes, \
             stored_bytes = stored_bytes + excluded.stored_bytes, declared = declared + excluded.declared, \
             first_ms = MIN(first_ms, excluded.first_ms), last_ms = MAX(last_ms, excluded.last_ms)",
        )?;
        for (of, known) in [("", known), (branch, known_there)] {
            count.execute(params![
                of,
                !known,
                self.integer("size_bytes")?,
                self.integer("stored_size_bytes")?,
                self.text("grade")? == "declared",
                self.leaf.time_ms,
            ])?;
        }
        Ok(())
    }

    fn declaration_received(&self) -> Result<()> {
        self.accession("declaration")?;
        let rows = self
            .private("rows")?
            .as_array()
            .ok_or_else(|| self.missing("'rows' is no list"))?;
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO declared (declaration, person, path, size_bytes, sha256, fields, leaf_index) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        for row in rows {
            let path = row["path"]
                .as_str()
                .ok_or_else(|| self.missing("a declared row has no path"))?;
            let sha256 = row["sha256"]
                .as_str()
                .map(|text| hex::decode(text).map_err(|_| self.missing("a declared digest is no hex")))
                .transpose()?;
            insert.execute(params![
                self.leaf.id,
                self.text("person")?,
                path,
                row["size_bytes"].as_i64(),
                sha256,
                row["fields"].to_string(),
                self.row(),
            ])?;
        }
        Ok(())
    }

    fn evidence_declared(&self) -> Result<()> {
        let agrees = self.text("result")? == "match";
        let of = params![self.text("evidence")?, self.integer("version")?];
        let raised = agrees
            && self
                .connection
                .prepare_cached(
                    "UPDATE evidence SET grade = 'declared' WHERE id = ?1 AND version = ?2 AND grade <> 'declared'",
                )?
                .execute(of)?
                > 0;
        if raised {
            self.connection
                .prepare_cached(
                    "UPDATE sealed_total SET declared = declared + 1 WHERE branch = '' \
                     OR branch = (SELECT branch FROM evidence WHERE id = ?1 AND version = ?2)",
                )?
                .execute(of)?;
        }
        self.receipt(
            if agrees { "ACCEPTED" } else { "REJECTED" },
            file_name(self.opened("path")?),
        )
    }

    /// What the full decode came to. It can ask for a person's look; it takes nothing back.
    fn evidence_inspected(&self) -> Result<()> {
        let (evidence, version) = (self.text("evidence")?, self.integer("version")?);
        self.inspection(evidence, version, "deep")?;
        self.connection
            .prepare_cached("DELETE FROM inspection_due WHERE receipt = ?1 AND since <= ?2")?
            .execute(params![self.integer("of")?, self.integer("due")?])?;
        if self.text("verdict")? == "accepted" {
            return Ok(());
        }
        self.connection
            .prepare_cached(
                "UPDATE evidence SET state = 'needs_review' WHERE id = ?1 AND version = ?2 AND state = 'sealed'",
            )?
            .execute(params![evidence, version])?;
        let accession = self.accession_of(evidence, version)?;
        self.receipt_of(&accession, "NEEDS_REVIEW", file_name(self.opened("path")?))
    }

    fn derived_made(&self) -> Result<()> {
        // A copy of something that isn't sealed would hang in the air.
        self.accession_of(self.text("evidence")?, self.integer("version")?)?;
        self.connection
            .prepare_cached(
                "INSERT INTO derived (leaf_index, id, evidence, version, form, media_type, size_bytes, sha256, \
                 stored_size_bytes, stored_blake3) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?
            .execute(params![
                self.row(),
                self.leaf.id,
                self.text("evidence")?,
                self.integer("version")?,
                self.text("form")?,
                self.text("media_type")?,
                self.integer("size_bytes")?,
                self.digest("sha256")?,
                self.integer("stored_size_bytes")?,
                self.digest("stored_blake3")?,
            ])?;
        self.connection
            .prepare_cached(
                "UPDATE sealed_total SET derived_bytes = derived_bytes + ?3 WHERE branch = '' \
                 OR branch = (SELECT branch FROM evidence WHERE id = ?1 AND version = ?2)",
            )?
            .execute(params![
                self.text("evidence")?,
                self.integer("version")?,
                self.integer("stored_size_bytes")?,
            ])?;
        Ok(())
    }

    fn inspection_requested(&self) -> Result<()> {
        let accession = self.accession_of(self.text("evidence")?, self.integer("version")?)?;
        self.due(self.integer("of")?, &accession)
    }

    /// Puts the version that `receipt` sealed into the queue, at its end.
    fn due(&self, receipt: i64, accession: &str) -> Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO inspection_due (receipt, since, evidence, version, accession) VALUES (?1, ?2, ?3, ?4, ?5) \
                 ON CONFLICT (receipt) DO UPDATE SET since = excluded.since",
            )?
            .execute(params![
                receipt,
                self.row(),
                self.text("evidence")?,
                self.integer("version")?,
                accession
            ])?;
        Ok(())
    }

    /// The accession that a sealed version was.
    fn accession_of(&self, evidence: &str, version: i64) -> Result<String> {
        self.connection
            .prepare_cached("SELECT accession FROM evidence WHERE id = ?1 AND version = ?2")?
            .query_row(params![evidence, version], |row| row.get(0))
            .optional()?
            .ok_or_else(|| self.missing("no such version is sealed"))
    }

    /// A version whose record is lost keeps its row, so that its number is never given again.
    fn document_types_published(&self) -> Result<()> {
        let text = match self.record {
            None => None,
            Some(_) => Some(
                self.private("text")?
                    .as_str()
                    .ok_or_else(|| self.missing("'text' is no text"))?,
            ),
        };
        self.connection.execute(
            "INSERT INTO document_types (version, leaf_index, sha256, text) VALUES (?1, ?2, ?3, ?4)",
            params![self.integer("version")?, self.row(), self.digest("sha256")?, text],
        )?;
        Ok(())
    }

    fn anchor(&self) -> Result<()> {
        self.connection.execute(
            "INSERT INTO anchor (leaf_index, witness, size, cosignature) VALUES (?1, ?2, ?3, ?4)",
            params![
                self.row(),
                self.text("witness")?,
                self.integer("size")?,
                self.text("cosignature")?
            ],
        )?;
        Ok(())
    }
}

fn json(value: &impl serde::Serialize) -> std::result::Result<String, String> {
    serde_json::to_string(value).map_err(|error| error.to_string())
}

/// The last component of an inbox path.
pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
