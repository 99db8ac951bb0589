//! Tokens of the API: `mnt_<id>_<secret>`. Each belongs to a person, has some of their roles, and ends by itself.
//!
//! A disabled person's tokens, and roles that a person lost, count no longer at once: both are looked up at each use.

use super::{
    Code, CredentialError, Credentials, MAX_TOKENS, Result, active, label,
    proof::{Proof, Shown},
    refused::{RefusedSignIn, Why},
};
use crate::{
    access::authorizer::Who,
    catalog::{
        credentials::{self, TokenRow},
        people::{self, Person},
    },
    domain::{
        event::{Draft, Kind},
        hex, id,
        role::{Role, RoleSet},
    },
};
use rusqlite::Connection;
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Days that a token may count.
pub const MAX_DAYS: u32 = 366;
const PREFIX: &str = "mnt_";
const DAY_MS: i64 = 24 * 3_600_000;

/// What a new token is to be.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Role ids: some of the person's.
    pub roles: Vec<String>,
    /// Days that it counts.
    pub days: u32,
    /// What it is for.
    pub label: String,
}

/// Who comes with a token.
#[derive(Clone, Debug)]
pub struct Bearer {
    /// What the log calls the token.
    pub token: String,
    /// What it is for, as its person put it.
    pub label: String,
    /// When it ends, milliseconds since 1970.
    pub expires_ms: i64,
    /// Whose it is, with the token's roles and no other.
    pub person: Person,
    /// The roles that it stands for: some of theirs.
    pub roles: RoleSet,
}

impl Bearer {
    /// As the authorizer takes it: the person with the token's roles only.
    pub fn who(&self) -> Who {
        Who {
            person: self.person.id.clone(),
            only: Some(self.roles.iter().collect()),
        }
    }
}

/// What a text that was sent as a token is.
enum Read {
    /// One that counts.
    Counts(Box<Bearer>),
    /// One that was right once: it was revoked or ran out, or its person may come in no longer; the person's id.
    Ended(String),
    /// None, or one with a wrong secret; then whose it would be.
    Wrong(Option<String>),
}

/// When tokens were last used, while the server runs.
#[derive(Default)]
pub(super) struct LastUse(Mutex<HashMap<String, i64>>);

/// The event that issues a token. `event` becomes its id.
///
/// # Errors
/// When roles, days or label aren't permitted, or there are too many.
pub fn issue(
    connection: &Connection,
    event: &str,
    actor: &str,
    person: &Person,
    new: &NewToken,
    secret: &Code,
    now_ms: i64,
) -> Result<Draft> {
    let person = active(connection, &person.id)?;
    let label = label(&new.label)?;
    if !(1..=MAX_DAYS).contains(&new.days) {
        return Err(CredentialError::Days);
    }
    let roles = subset(&person, &new.roles).filter(|roles| roles.iter().count() == new.roles.len());
    let roles = roles.ok_or(CredentialError::Roles)?;
    if credentials::live_tokens(connection, &person.id, now_ms)? >= MAX_TOKENS {
        return Err(CredentialError::TooManyTokens);
    }
    let role_ids: Vec<&str> = roles.iter().map(Role::id).collect();
    Ok(Draft::new(Kind::TokenIssued, event, actor)
        .fact("person", person.id)
        .fact("roles", role_ids)
        .fact("expires_ms", now_ms + i64::from(new.days) * DAY_MS)
        .commit("label", label)
        .commit("secret_sha256", hex::encode(secret.sha256())))
}

/// The event that revokes a token; with `person` only one of theirs.
///
/// # Errors
/// When there is no such token that counts.
pub fn revoke(
    connection: &Connection,
    event: &str,
    actor: &str,
    token: &str,
    person: Option<&str>,
) -> Result<Draft> {
    let row = credentials::token(connection, token)?
        .filter(|row| row.revoked_ms.is_none() && person.is_none_or(|person| row.person == person))
        .ok_or(CredentialError::Unknown)?;
    Ok(Draft::new(Kind::TokenRevoked, event, actor)
        .fact("person", row.person)
        .fact("token", row.id))
}

/// A token's whole text, which is shown once.
pub fn text(id: &str, secret: &Code) -> Zeroizing<String> {
    Zeroizing::new(format!("{PREFIX}{id}_{}", secret.plain()))
}

/// The id in a token, or what was given when that is an id already.
pub fn id_in(given: &str) -> &str {
    let rest = given.trim().strip_prefix(PREFIX);
    rest.map_or(given.trim(), |rest| rest.split('_').next().unwrap_or(rest))
}

/// Those of the roles that the person holds; `None` when that is none of them.
fn subset(person: &Person, roles: &[String]) -> Option<RoleSet> {
    let held = Role::ALL.into_iter().filter(|role| person.holds(*role));
    let wanted = held.filter(|role| roles.iter().any(|wanted| wanted == role.id()));
    RoleSet::new(wanted, person.branch.is_some()).ok()
}

impl Credentials {
    /// Who comes with this token, and with which roles. A token that counts is never kept waiting, whatever others send from the
    /// same address; one that doesn't is charged to its address, and on record.
    ///
    /// # Errors
    /// That it doesn't count, without saying why; that too many didn't; or that it can't be told.
    pub fn bearer(&self, sent: &str, from: IpAddr) -> Result<Bearer> {
        let now_ms = self.now_ms();
        let (why, person) = match self.read_token(sent, now_ms)? {
            Read::Counts(bearer) => return Ok(*bearer),
            Read::Ended(person) => (Why::TokenEnded, Some(person)),
            Read::Wrong(person) => (Why::TokenWrong, person),
        };
        // Kept, not given back: it was no mistake that is put right.
        let _charged = self.throttle.token(from, now_ms)?;
        self.parts.refusals.refused(RefusedSignIn {
            person,
            address: from.to_canonical(),
            why,
        });
        Err(CredentialError::Refused)
    }

    /// Takes the same time for a wrong secret as for a right one.
    fn read_token(&self, sent: &str, now_ms: i64) -> Result<Read> {
        let parts = sent.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_'));
        let Some((id, secret)) =
            parts.and_then(|(id, secret)| Some((id, Code::sent(secret).filter(|_| id::is_id(id))?)))
        else {
            return Ok(Read::Wrong(None));
        };
        let (row, person) = self.parts.catalogue.read(|connection| {
            let row = credentials::token(connection, id)?;
            let person = row.as_ref().map(|row| people::by_id(connection, &row.person));
            Ok((row, person.transpose()?.flatten()))
        })?;
        let nothing = [0; 32];
        let kept = row
            .as_ref()
            .map_or(&nothing[..], |row| row.secret_sha256.as_slice());
        let is_right = bool::from(secret.sha256().ct_eq(kept));
        let Some(row) = row.filter(|_| is_right) else {
            return Ok(Read::Wrong(person.map(|person| person.id)));
        };
        let counts = row.revoked_ms.is_none() && now_ms < row.expires_ms;
        let person = person.filter(|person| counts && person.disabled_ms.is_none());
        let roles = person.as_ref().and_then(|person| subset(person, &row.roles));
        let (Some(mut person), Some(roles)) = (person, roles) else {
            return Ok(Read::Ended(row.person));
        };
        person
            .roles
            .retain(|held| roles.iter().any(|role| role.id() == held));
        self.last_use.note(&row.id, now_ms);
        Ok(Read::Counts(Box::new(Bearer {
            token: row.id,
            label: row.label,
            expires_ms: row.expires_ms,
            person,
            roles,
        })))
    }

    /// A person's tokens, newest first, each with when it was last used since the server started.
    ///
    /// # Errors
    /// When the catalogue can't be read.
    pub fn tokens(&self, person: &str) -> Result<Vec<(TokenRow, Option<i64>)>> {
        let rows = self
            .parts
            .catalogue
            .read(|connection| credentials::tokens(connection, Some(person)))?;
        Ok(rows
            .into_iter()
            .map(|row| {
                let used = self.last_use.of(&row.id);
                (row, used)
            })
            .collect())
    }

    /// A new token for somebody who shows their second factor. The text isn't kept.
    ///
    /// # Errors
    /// When the factor isn't right, or such a token isn't permitted.
    pub fn issue_token(
        &self,
        person: &Person,
        session: &str,
        shown: Shown<'_>,
        new: NewToken,
    ) -> Result<Zeroizing<String>> {
        let proof: Proof = self.confirm(&person.id, session, shown)?;
        let secret = Code::token(self.random())?;
        let (owner, kept) = (
            person.clone(),
            Code::sent(secret.plain()).ok_or(CredentialError::Unknown)?,
        );
        let done = self.commit(move |turn, event| {
            proof.redeem(turn.connection, &owner.id)?;
            let draft = issue(
                turn.connection,
                event,
                &owner.id,
                &owner,
                &new,
                &kept,
                turn.time_ms,
            )?;
            Ok(proof.facts(draft))
        })?;
        Ok(text(&done.leaf.id, &secret))
    }

    /// Revokes a token of this person. No factor is asked for: giving up a right is never made hard.
    ///
    /// # Errors
    /// When there is no such token of theirs that counts.
    pub fn revoke_token(&self, person: &Person, token: &str) -> Result<()> {
        let (id, token) = (person.id.clone(), token.to_owned());
        self.commit(move |turn, event| revoke(turn.connection, event, &id, &token, Some(&id)))?;
        Ok(())
    }
}

impl LastUse {
    /// Only of tokens that count, so bounded by their number.
    fn note(&self, token: &str, now_ms: i64) {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        used.insert(token.to_owned(), now_ms);
    }

    fn of(&self, token: &str) -> Option<i64> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(token)
            .copied()
    }
}
