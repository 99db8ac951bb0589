//! Passwords, app secrets, passkeys, invitations and tokens, as the catalogue holds them.
//!
//! It must never know a secret in the clear, nor decide whether somebody may come in.

use super::Result;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;

/// A password's verifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordRow {
    /// The argon2id string.
    pub verifier: String,
    /// The event that set it.
    pub set_index: i64,
    /// When.
    pub set_ms: i64,
}

/// An authenticator app's secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TotpRow {
    /// The secret, sealed.
    pub sealed: Vec<u8>,
    /// The newest time step that was accepted.
    pub last_step: i64,
    /// The event that enrolled it.
    pub enrolled_index: i64,
    /// When.
    pub enrolled_ms: i64,
}

/// A passkey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasskeyRow {
    /// What the log calls it.
    pub id: String,
    /// Whose it is.
    pub person: String,
    /// What the authenticator calls it.
    pub credential: Vec<u8>,
    /// COSE_Key.
    pub public_key: Vec<u8>,
    /// What the person calls it.
    pub label: String,
    /// The newest counter seen.
    pub sign_count: i64,
    /// When it was added.
    pub added_ms: i64,
}

/// An invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvitationRow {
    /// What the log calls it.
    pub id: String,
    /// Whom it is for.
    pub person: String,
    /// Until when it counts.
    pub expires_ms: i64,
    /// The event that used it up or replaced it.
    pub closed_index: Option<i64>,
}

/// A token of the API, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TokenRow {
    /// What the log calls it; its middle part.
    pub id: String,
    /// Whose it is, by id.
    pub person: String,
    /// Role ids.
    pub roles: Vec<String>,
    /// What it is for.
    pub label: String,
    /// SHA-256 of its secret.
    #[serde(skip)]
    pub secret_sha256: Vec<u8>,
    /// When it was issued.
    pub issued_ms: i64,
    /// Until when it counts.
    pub expires_ms: i64,
    /// When it was revoked.
    pub revoked_ms: Option<i64>,
}

/// Which ways of proving who they are a person has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Factors {
    /// A password.
    pub password: bool,
    /// An authenticator app.
    pub totp: bool,
    /// Passkeys.
    pub passkeys: i64,
    /// Invited, and the invitation isn't used: until when it counts.
    pub invited_until_ms: Option<i64>,
}

/// A person's password.
///
/// # Errors
/// When SQLite refuses.
pub fn password(connection: &Connection, person: &str) -> Result<Option<PasswordRow>> {
    Ok(connection
        .prepare_cached("SELECT verifier, set_index, set_ms FROM person_password WHERE person = ?1")?
        .query_row([person], |row| {
            Ok(PasswordRow {
                verifier: row.get(0)?,
                set_index: row.get(1)?,
                set_ms: row.get(2)?,
            })
        })
        .optional()?)
}

/// A person's authenticator app.
///
/// # Errors
/// When SQLite refuses.
pub fn totp(connection: &Connection, person: &str) -> Result<Option<TotpRow>> {
    Ok(connection
        .prepare_cached(
            "SELECT sealed, last_step, enrolled_index, enrolled_ms FROM person_totp WHERE person = ?1",
        )?
        .query_row([person], |row| {
            Ok(TotpRow {
                sealed: row.get(0)?,
                last_step: row.get(1)?,
                enrolled_index: row.get(2)?,
                enrolled_ms: row.get(3)?,
            })
        })
        .optional()?)
}

const PASSKEY: &str = "SELECT id, person, credential, public_key, label, sign_count, added_ms FROM passkey";

fn passkey(row: &Row<'_>) -> rusqlite::Result<PasskeyRow> {
    Ok(PasskeyRow {
        id: row.get(0)?,
        person: row.get(1)?,
        credential: row.get(2)?,
        public_key: row.get(3)?,
        label: row.get(4)?,
        sign_count: row.get(5)?,
        added_ms: row.get(6)?,
    })
}

/// A person's passkeys, oldest first.
///
/// # Errors
/// When SQLite refuses.
pub fn passkeys(connection: &Connection, person: &str) -> Result<Vec<PasskeyRow>> {
    let mut query =
        connection.prepare_cached(&format!("{PASSKEY} WHERE person = ?1 ORDER BY added_index"))?;
    let rows = query.query_map([person], passkey)?;
    rows.map(|row| Ok(row?)).collect()
}

/// The passkey that an authenticator calls so.
///
/// # Errors
/// When SQLite refuses.
pub fn passkey_by_credential(connection: &Connection, credential: &[u8]) -> Result<Option<PasskeyRow>> {
    Ok(connection
        .prepare_cached(&format!("{PASSKEY} WHERE credential = ?1"))?
        .query_row([credential], passkey)
        .optional()?)
}

/// The invitation with this code's digest, in whatever state.
///
/// # Errors
/// When SQLite refuses.
pub fn invitation(connection: &Connection, code_sha256: &[u8]) -> Result<Option<InvitationRow>> {
    Ok(connection
        .prepare_cached("SELECT id, person, expires_ms, closed_index FROM invitation WHERE code_sha256 = ?1")?
        .query_row([code_sha256], |row| {
            Ok(InvitationRow {
                id: row.get(0)?,
                person: row.get(1)?,
                expires_ms: row.get(2)?,
                closed_index: row.get(3)?,
            })
        })
        .optional()?)
}

/// What a person has.
///
/// # Errors
/// When SQLite refuses.
pub fn factors(connection: &Connection, person: &str) -> Result<Factors> {
    Ok(connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM person_password WHERE person = ?1), \
             EXISTS (SELECT 1 FROM person_totp WHERE person = ?1), \
             (SELECT COUNT(*) FROM passkey WHERE person = ?1), \
             (SELECT MAX(expires_ms) FROM invitation WHERE person = ?1 AND closed_index IS NULL)",
        )?
        .query_row([person], |row| {
            Ok(Factors {
                password: row.get(0)?,
                totp: row.get(1)?,
                passkeys: row.get(2)?,
                invited_until_ms: row.get(3)?,
            })
        })?)
}

const TOKEN: &str =
    "SELECT id, person, roles, label, secret_sha256, issued_ms, expires_ms, revoked_ms FROM api_token";

fn token_row(row: &Row<'_>) -> rusqlite::Result<TokenRow> {
    let roles: String = row.get(2)?;
    Ok(TokenRow {
        id: row.get(0)?,
        person: row.get(1)?,
        // Written by the fold; a text that is no list grants nothing.
        roles: serde_json::from_str(&roles).unwrap_or_default(),
        label: row.get(3)?,
        secret_sha256: row.get(4)?,
        issued_ms: row.get(5)?,
        expires_ms: row.get(6)?,
        revoked_ms: row.get(7)?,
    })
}

/// A token by its id, in whatever state.
///
/// # Errors
/// When SQLite refuses.
pub fn token(connection: &Connection, id: &str) -> Result<Option<TokenRow>> {
    Ok(connection
        .prepare_cached(&format!("{TOKEN} WHERE id = ?1"))?
        .query_row([id], token_row)
        .optional()?)
}

/// A person's tokens, or everybody's, newest first.
///
/// # Errors
/// When SQLite refuses.
pub fn tokens(connection: &Connection, person: Option<&str>) -> Result<Vec<TokenRow>> {
    let mut query = connection.prepare_cached(&format!(
        "{TOKEN} WHERE ?1 IS NULL OR person = ?1 ORDER BY id DESC"
    ))?;
    let rows = query.query_map([person], token_row)?;
    rows.map(|row| Ok(row?)).collect()
}

/// How many tokens of a person count now.
///
/// # Errors
/// When SQLite refuses.
pub fn live_tokens(connection: &Connection, person: &str, now_ms: i64) -> Result<i64> {
    Ok(connection
        .prepare_cached(
            "SELECT COUNT(*) FROM api_token WHERE person = ?1 AND revoked_ms IS NULL AND expires_ms > ?2",
        )?
        .query_row(params![person, now_ms], |row| row.get(0))?)
}
