//! People and branches: who is added, invited and disabled, and on whose word (D33, D34).
//!
//! The operator on the host and administrators at the console come through here alike. It must never know pages, the command
//! line, or content.
//!
//! Invariants: every change is one custody event, checked inside the transaction that commits it; who administers at the
//! console is an active administrator at that moment, and shows a second factor anew for whatever lets somebody in or out;
//! there is always an administrator left.

mod key;
mod registration;

pub use key::{KeyFile, KeyRefused};
pub use registration::{MAX_KEYS, MAX_TEXT, NewPerson, plain_text};

use super::{
    OPERATOR,
    authorizer::{self, Who},
    credentials::{Code, Confirmed, CredentialError, invitation, token},
    logins::LiveSessions,
    policy::{Action, Relation},
    refusal::{AccessError, Refusal},
    refusals::Refused,
    room::ReadingRoom,
};
use crate::{
    catalog::{CatalogueError, people},
    custody::sequencer::{CommitError, Committed, Proposed, Turn},
    domain::{
        event::Draft,
        role::{Role, RoleError},
    },
};
use rusqlite::Connection;
use std::sync::mpsc::sync_channel;
use zeroize::Zeroizing;

/// On whose word something is administered.
#[derive(Clone, Debug)]
pub enum By {
    /// The command line on the host.
    Operator,
    /// An administrator at the console, with the factor that they showed for it.
    Person(Who, Option<Confirmed>),
}

impl By {
    /// Who the log names.
    pub fn actor(&self) -> &str {
        match self {
            By::Operator => OPERATOR,
            By::Person(who, _) => &who.person,
        }
    }

    fn admitted(&self, connection: &Connection, needs_factor: bool) -> Result<(), PeopleError> {
        let By::Person(who, factor) = self else {
            return Ok(());
        };
        let action = Action::AdministerPeople;
        who.present_for(action).map_err(PeopleError::Denied)?;
        let person = who.active(connection)?;
        authorizer::permit(person, action, Relation::ANY).map_err(PeopleError::Denied)?;
        match factor {
            Some(factor) if factor.person() == who.person => factor.redeem(connection)?,
            _ if needs_factor => return Err(CredentialError::Refused.into()),
            _ => {}
        }
        Ok(())
    }

    fn facts(&self, draft: Draft) -> Draft {
        match self {
            By::Person(_, Some(factor)) => factor.facts(draft),
            _ => draft,
        }
    }
}

/// Why it wasn't done; nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// A text is missing.
    #[error("{0} is blank")]
    Blank(&'static str),
    /// A text that isn't one short line.
    #[error("{0} must be one line of at most {MAX_TEXT} characters")]
    Long(&'static str),
    /// No branch code.
    #[error("'{0}' can't be a branch code: 2 to 12 letters (A-Z, a-z) and digits")]
    BranchCode(String),
    /// The branch is there.
    #[error("branch {0} exists already; `muniment branch list` shows it")]
    BranchTaken(String),
    /// No log-in name.
    #[error(
        "'{0}' can't be a log-in name: up to 32 of a-z, 0-9, '.', '_' and '-', the first a letter or a digit"
    )]
    LoginName(String),
    /// Roles that nobody may hold together, or that need a branch.
    #[error(transparent)]
    Roles(#[from] RoleError),
    /// A key that isn't taken.
    #[error(transparent)]
    Key(#[from] KeyRefused),
    /// An uploader without a key.
    #[error("an uploader needs at least one public key (--key FILE.pub)")]
    NoKey,
    /// The same key twice.
    #[error("key {0} is given twice")]
    KeyTwice(String),
    /// Somebody else's key.
    #[error(
        "key {fingerprint} belongs to {owner} already: a key names one person, so {name} needs a key of their own"
    )]
    KeyTaken {
        /// Which key.
        fingerprint: String,
        /// Whose it is.
        owner: String,
        /// Who would have had it.
        name: String,
    },
    /// Their own key.
    #[error("{name} has key {fingerprint} already")]
    KeyTheirs {
        /// Which key.
        fingerprint: String,
        /// Whose it is.
        name: String,
    },
    /// More than one key where each is an event of its own.
    #[error("the key file holds several keys: give one at a time")]
    KeySeveral,
    /// More keys than a person needs.
    #[error("{0} would have more than {MAX_KEYS} keys: revoke those that aren't used")]
    KeyLimit(String),
    /// No such key, or not any longer.
    #[error("{name} has no key '{fingerprint}'; `muniment user list` shows the keys that people have")]
    NoSuchKey {
        /// What was given for one.
        fingerprint: String,
        /// Who hasn't got it.
        name: String,
    },
    /// The name is somebody's.
    #[error("{0} exists already; `muniment user list` shows what they may do")]
    NameTaken(String),
    /// The name was somebody's.
    #[error("{0} was somebody who is disabled, and their history stays under that name: choose another")]
    NameOfHistory(String),
    /// No such branch.
    #[error("branch {0} is unknown: `muniment branch add {0} --name NAME` first")]
    UnknownBranch(String),
    /// No such person.
    #[error("nobody is called '{0}'; `muniment user list` shows everybody")]
    Nobody(String),
    /// No such person who is active.
    #[error("nobody is called '{0}', or they are disabled; `muniment user list` shows everybody")]
    NobodyActive(String),
    /// Nothing left to disable.
    #[error("{0} is disabled already")]
    DisabledAlready(String),
    /// Nobody would be left who administers.
    #[error("{0} is the only active administrator: add another one first")]
    LastAdministrator(String),
    /// No such token.
    #[error("there is no such token, or it is revoked; `muniment token list` shows them")]
    NoToken,
    /// It isn't theirs to do.
    #[error("{}", .0.en())]
    Denied(Refusal),
    /// The factor isn't right, or was used before.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// The log couldn't take it.
    #[error(transparent)]
    Commit(CommitError),
    /// The catalogue can't be read.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The system has no randomness.
    #[error("the system has no randomness to give")]
    Random,
}

fn storage(error: CatalogueError) -> PeopleError {
    PeopleError::Catalogue(error)
}

/// A person who was added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    /// What the log calls them.
    pub id: String,
    /// Fingerprints of their keys.
    pub keys: Vec<String>,
    /// Position of the event.
    pub leaf: u64,
}

/// An SSH key that was added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddedKey {
    /// `SHA256:…`
    pub fingerprint: String,
    /// Position of the event.
    pub leaf: u64,
}

/// An invitation that was given out. Its code is nowhere else.
pub struct Invitation {
    /// What the person types, in groups.
    pub code: Zeroizing<String>,
    /// Until when it counts, milliseconds since 1970.
    pub expires_ms: i64,
    /// Position of the event.
    pub leaf: u64,
}

impl ReadingRoom {
    /// Adds a branch and gives the event's position.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn add_branch(&self, by: By, code: &str, name: &str) -> Result<u64, PeopleError> {
        let (code, name) = (code.to_owned(), name.to_owned());
        let done = self.administer(by, false, move |turn, event, actor| {
            registration::branch_add(turn.connection, event, actor, &code, &name)
        })?;
        Ok(done.index)
    }

    /// Adds a person. They can do nothing before they have a key or used an invitation.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn add_person(&self, by: By, person: NewPerson) -> Result<Added, PeopleError> {
        let id = self.new_id().map_err(|_| PeopleError::Random)?;
        let called = id.clone();
        let done = self.administer(by, true, move |turn, event, actor| {
            registration::user_add(turn.connection, event, actor, &called, &person)
        })?;
        let keys = done.leaf.data.get("keys").and_then(|keys| keys.as_array());
        let texts = keys.into_iter().flatten().filter_map(|key| key.as_str());
        Ok(Added {
            id,
            keys: texts.map(str::to_owned).collect(),
            leaf: done.index,
        })
    }

    /// Invites a person, by log-in name. An earlier invitation counts no longer.
    ///
    /// # Errors
    /// When there is nobody active of that name.
    pub fn invite(&self, by: By, name: &str) -> Result<Invitation, PeopleError> {
        let code = Code::invitation(self.random.as_ref()).map_err(|_| PeopleError::Random)?;
        let shown = code.grouped();
        let name = name.to_owned();
        let done = self.administer(by, true, move |turn, event, actor| {
            invitation::invite(turn.connection, event, actor, &name, &code, turn.time_ms).map_err(|error| {
                match error {
                    CredentialError::Unknown => PeopleError::NobodyActive(name),
                    other => other.into(),
                }
            })
        })?;
        Ok(Invitation {
            code: shown,
            expires_ms: done.leaf.integer("expires_ms").unwrap_or_default(),
            leaf: done.index,
        })
    }

    /// Disables a person, by log-in name: when this returns their sessions and readings have ended, and their grants count no
    /// longer. Gives the event's position and how many sessions those were.
    ///
    /// # Errors
    /// When there is nobody of that name, they are disabled already, or nobody would be left who administers.
    pub fn disable(
        &self,
        by: By,
        logins: &dyn LiveSessions,
        name: &str,
        reason: Option<&str>,
    ) -> Result<(u64, usize), PeopleError> {
        let actor = by.actor().to_owned();
        let may_leave_nobody = matches!(by, By::Operator);
        let (asked, reason) = (name.to_owned(), reason.map(str::to_owned));
        let done = self.administer(by, true, move |turn, event, actor| {
            if !may_leave_nobody && is_last_administrator(turn.connection, &asked)? {
                return Err(PeopleError::LastAdministrator(asked));
            }
            registration::user_disable(turn.connection, event, actor, &asked, reason.as_deref())
        });
        if let Err(PeopleError::Denied(_) | PeopleError::Credential(_)) = &done {
            return done.map(|done| (done.index, 0));
        }
        // Sessions end after the commit, so that none can begin between; and also when the person was disabled
        // before, for a server that stopped between the two.
        let disabled = self
            .catalogue
            .read(|catalogue| people::by_name(catalogue, name))?
            .filter(|person| person.disabled_ms.is_some());
        let sessions_ended = disabled.map_or(0, |person| {
            self.reads.end_person(&person.id);
            logins.kill_person(&person.id, &actor)
        });
        Ok((done?.index, sessions_ended))
    }

    /// Adds an SSH key to what a person, by log-in name, has.
    ///
    /// # Errors
    /// When there is nobody active of that name, or the key isn't taken or is in use.
    pub fn add_key(&self, by: By, name: &str, key: KeyFile) -> Result<AddedKey, PeopleError> {
        let name = name.to_owned();
        let done = self.administer(by, true, move |turn, event, actor| {
            registration::key_add(turn.connection, event, actor, &name, &key)
        })?;
        Ok(AddedKey {
            fingerprint: done.leaf.text("key").unwrap_or_default().to_owned(),
            leaf: done.index,
        })
    }

    /// Revokes an SSH key of a person, by log-in name: when this returns, the SSH sessions that they logged in to with that
    /// key have ended, and what was read in them. Their other sessions stay, also one that a certificate let in: that is the
    /// authority's to revoke. Gives the event's position and how many sessions those were.
    ///
    /// # Errors
    /// When there is nobody active of that name, or they don't have that key.
    pub fn revoke_key(
        &self,
        by: By,
        logins: &dyn LiveSessions,
        name: &str,
        fingerprint: &str,
    ) -> Result<(u64, usize), PeopleError> {
        let (of, revoked) = (name.to_owned(), fingerprint.to_owned());
        let done = self.administer(by, true, move |turn, event, actor| {
            registration::key_revoke(turn.connection, event, actor, &of, &revoked)
        })?;
        // After the commit, so that none can begin between.
        let person = done.leaf.text("person").unwrap_or_default();
        Ok((done.index, logins.kill_key(person, fingerprint)))
    }

    /// Revokes a token, whoever's, by its id or by the whole of it; what is read with it ends. Gives the event's position.
    ///
    /// # Errors
    /// When there is no such token that counts.
    pub fn revoke_any_token(&self, by: By, given: &str) -> Result<u64, PeopleError> {
        let id = token::id_in(given).to_owned();
        let done = self.administer(by, false, move |turn, event, actor| {
            token::revoke(turn.connection, event, actor, &id, None).map_err(|error| match error {
                CredentialError::Unknown => PeopleError::NoToken,
                other => other.into(),
            })
        })?;
        if let Some(token) = done.leaf.text("token") {
            self.reads.end_holder(token);
        }
        Ok(done.index)
    }

    /// Commits the event that `decide` makes, on somebody's word. What somebody may not do is on record when this returns.
    fn administer(
        &self,
        by: By,
        needs_factor: bool,
        decide: impl FnOnce(&Turn<'_>, &str, &str) -> Result<Draft, PeopleError> + Send + 'static,
    ) -> Result<Committed, PeopleError> {
        let event = self.new_id().map_err(|_| PeopleError::Random)?;
        let place = self.sealer.registry(event.clone());
        let (tell, told) = sync_channel(1);
        let asking = match &by {
            By::Operator => None,
            By::Person(who, _) => Some(who.clone()),
        };
        let done = self.custody.commit(move |turn| {
            let drafted = by
                .admitted(turn.connection, needs_factor)
                .and_then(|()| decide(turn, &event, by.actor()));
            match drafted {
                Ok(draft) => {
                    let draft = by.facts(draft);
                    let place = draft.has_record().then_some(place);
                    Ok(Proposed { draft, place })
                }
                Err(error) => {
                    let words = error.to_string();
                    let _ = tell.try_send(error);
                    Err(CommitError::Refused(words))
                }
            }
        });
        let done = done.map_err(|error| told.try_recv().unwrap_or(PeopleError::Commit(error)));
        if let (Some(who), Err(error)) = (asking, &done) {
            self.on_record_of(&who, error);
        }
        done
    }

    /// A try of what nobody may do is on record, not a mistake in a form.
    fn on_record_of(&self, who: &Who, error: &PeopleError) {
        let why = match error {
            PeopleError::Denied(refusal) => refusal.id(),
            PeopleError::Roles(RoleError::Conflict(..)) => "forbidden_roles",
            PeopleError::LastAdministrator(_) => "last_administrator",
            _ => return,
        };
        self.refusals.record(Refused {
            person: Some(who.person.clone()),
            what: Action::AdministerPeople.id().to_owned(),
            evidence: None,
            why: why.to_owned(),
        });
    }
}

/// Whether a person is the only one active who administers.
fn is_last_administrator(connection: &Connection, name: &str) -> Result<bool, PeopleError> {
    let mut active = people::people(connection)?;
    active.retain(|person| person.holds(Role::Sysadmin));
    Ok(matches!(active.as_slice(), [only] if only.name == name))
}

impl From<AccessError> for PeopleError {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Refused(refusal) => PeopleError::Denied(refusal),
            other => PeopleError::Commit(CommitError::Storage(other.to_string())),
        }
    }
}
