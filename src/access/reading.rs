//! Reading content: leave, the event, and only then the first byte (D29–D32).
//!
//! Order: the person may read at all; the key is at hand and the object opens; inside one transaction the person is still
//! active and a live grant covers the record for that purpose, and `access.read` is committed; the reading is listed, so that
//! a revocation finds it; the grant is looked at once more, for a revocation that came between. *A crash after the commit
//! leaves a reading without an end in the log.*

use super::{
    authorizer::{self, Who},
    content::{Content, ContentError, Part},
    grants,
    keyring::Closed,
    live::Reading,
    policy::{Action, Relation},
    refusal::{AccessError, Refusal},
    room::{ReadingRoom, storage},
};
use crate::{
    catalog::{
        CatalogueError,
        access::{self, Grant},
        credentials, inspections, people,
        search::{self, Evidence},
    },
    custody::sequencer::Proposed,
    domain::{access::Purpose, event::Kind},
    seal::VersionId,
};
use rusqlite::Connection;
use std::{
    fmt,
    sync::{Arc, OnceLock},
};

/// By which way content leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// A file fetched over SFTP.
    Sftp,
    /// A page of the console.
    Console,
    /// A program with a token.
    Api,
}

impl Channel {
    /// The word in the log.
    pub fn id(self) -> &'static str {
        match self {
            Channel::Sftp => "sftp",
            Channel::Console => "console",
            Channel::Api => "api",
        }
    }
}

/// Which content of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The original.
    Original,
    /// The newest contact sheet made from it.
    ContactSheet,
    /// The newest playback copy made from it.
    Playback,
}

impl What {
    /// The word in the log and in addresses.
    pub fn id(self) -> &'static str {
        match self {
            What::Original => "original",
            What::ContactSheet => "contact_sheet",
            What::Playback => "playback",
        }
    }

    /// The content with this word.
    pub fn from_id(id: &str) -> Option<What> {
        [What::Original, What::ContactSheet, What::Playback]
            .into_iter()
            .find(|what| what.id() == id)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// Something somebody wants to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Evidence id.
    pub evidence: String,
    /// Version, from 1.
    pub version: u32,
    /// Which content of it.
    pub what: What,
    /// To look, or to take away.
    pub purpose: Purpose,
    /// By which way.
    pub channel: Channel,
    /// The session, connection or (through the API) token, by id, that may use the reading, and ends it when it ends.
    pub holder: String,
}

/// A reading as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Id of the `access.read` event.
    pub id: String,
    /// Its position in the log.
    pub leaf: u64,
    /// The grant.
    pub grant: String,
    /// Until when it may be read: the end of the grant, or of the token where that comes first; milliseconds since 1970.
    pub expires_ms: i64,
    /// Who reads, by id.
    pub person: String,
    /// Evidence id.
    pub evidence: String,
    /// Version.
    pub version: u32,
    /// Which content.
    pub what: What,
    /// For what.
    pub purpose: Purpose,
    /// By which way.
    pub channel: Channel,
    /// Which session, connection or token holds it.
    pub holder: String,
    /// Media type of what is read, where it is known.
    pub media_type: Option<String>,
    /// File name of the original.
    pub file_name: String,
    /// SHA-256 of the whole of it, lower-case hex.
    pub sha256: String,
}

/// What is told of the content that is read.
struct File {
    name: String,
    media_type: Option<String>,
    sha256: String,
}

/// When whatever holds a reading ends by itself, where that is known beforehand: of the API's tokens it is, and one that
/// doesn't count at this time gives `None`. Sessions and connections end their readings themselves.
fn holder_end_ms(
    connection: &Connection,
    wanted: &Wanted,
    now_ms: i64,
) -> Result<Option<i64>, CatalogueError> {
    if wanted.channel != Channel::Api {
        return Ok(Some(i64::MAX));
    }
    let token = credentials::token(connection, &wanted.holder)?;
    Ok(token
        .filter(|token| token.revoked_ms.is_none() && now_ms < token.expires_ms)
        .map(|token| token.expires_ms))
}

/// The refusal of a keyring that gives no key.
pub(super) fn closed(why: Closed) -> Refusal {
    match why {
        Closed::Locked => Refusal::Locked,
        Closed::IngestOnly => Refusal::IngestOnly,
    }
}

impl ReadingRoom {
    /// Opens content for reading, once `access.read` is committed.
    ///
    /// # Errors
    /// A refusal, which is on record; damage; or that it couldn't be committed, and then nothing is read.
    pub fn open(&self, who: &Who, wanted: &Wanted) -> Result<Arc<Reading>, AccessError> {
        let opened = self.try_open(who, wanted);
        self.on_record(who, Action::ReadContent, Some(&wanted.evidence), opened)
    }

    fn try_open(&self, who: &Who, wanted: &Wanted) -> Result<Arc<Reading>, AccessError> {
        self.reads.room_for(&wanted.holder)?;
        let (person, grants, row, copy) = self.catalogue.read(|connection| {
            let now_ms = self.clock.now_ms();
            let person = who.active(connection)?;
            let grants = access::live_grants_for(connection, &who.person, &wanted.evidence, now_ms)?;
            let row = search::version(connection, &wanted.evidence, wanted.version)?;
            let copies = inspections::derived_of(connection, &wanted.evidence, i64::from(wanted.version))?;
            let copy = copies.into_iter().rfind(|copy| copy.form == wanted.what.id());
            Ok((person, grants, row, copy))
        })?;
        authorizer::permit(person, Action::ReadContent, Relation::OWN)?;
        // Before whether there is such a record: without a grant nobody learns that.
        grants::choose(grants, wanted.purpose)?;
        let row = row.ok_or(Refusal::NotFound)?;
        let size_bytes = match (&wanted.what, &copy) {
            (What::ContactSheet | What::Playback, Some(copy)) => copy.size_bytes,
            _ => row.size_bytes,
        };
        let (part, media_type, sha256) = match (wanted.what, copy) {
            (What::Original, _) => (Part::Original, None, row.sha256.clone()),
            (What::ContactSheet, Some(copy)) => (
                Part::ContactSheet { event: copy.id },
                Some(copy.media_type),
                copy.sha256,
            ),
            (What::Playback, Some(copy)) => (
                Part::Playback { event: copy.id },
                Some(copy.media_type),
                copy.sha256,
            ),
            (What::ContactSheet | What::Playback, None) => return Err(Refusal::NotFound.into()),
        };
        let content = self.content(&row, &part, size_bytes.unsigned_abs())?;
        let file = File {
            name: row.file_name,
            media_type,
            sha256,
        };
        let opened = self.commit_read(who, wanted, file)?;
        let (grant, person) = (opened.grant.clone(), opened.person.clone());
        let reading = self.reads.add(opened, content);
        // Revoked or disabled between the commit and the list? From here on whoever does that finds the reading.
        let ended = self.catalogue.read(|connection| {
            let person = people::by_id(connection, &person)?;
            let grant = access::grant(connection, &grant)?;
            let now_ms = self.clock.now_ms();
            let held = holder_end_ms(connection, wanted, now_ms)?.is_some();
            Ok(if person.is_none_or(|person| person.disabled_ms.is_some()) {
                Some(Refusal::NotActive)
            } else if !held || grant.is_none_or(|grant| !grant.is_live(now_ms)) {
                Some(Refusal::GrantEnded)
            } else {
                None
            })
        });
        match ended {
            Ok(None) => Ok(reading),
            Ok(Some(why)) => {
                self.reads.end(&reading.opened().id);
                Err(why.into())
            }
            Err(error) => {
                self.reads.end(&reading.opened().id);
                Err(error.into())
            }
        }
    }

    fn content(&self, row: &Evidence, part: &Part, size_bytes: u64) -> Result<Content, AccessError> {
        let version = VersionId {
            customer: row.customer.clone(),
            evidence: row.id.clone(),
            version: u32::try_from(row.version)
                .map_err(|error| AccessError::Unavailable(error.to_string()))?,
        };
        // One key opens the original and its copies, so that one in another's place would open too.
        let opened = self
            .contents
            .open(&version, part)
            .and_then(|content| content.expecting(size_bytes));
        opened.map_err(|error| match error {
            ContentError::Closed(why) => AccessError::Refused(closed(why)),
            ContentError::NotPlaced | ContentError::Catalogue(_) | ContentError::Io { .. } => {
                AccessError::Unavailable(error.to_string())
            }
            error => {
                tracing::error!(%error, evidence = row.id, version = row.version, "a sealed object doesn't open");
                AccessError::Damaged {
                    what: error.to_string(),
                }
            }
        })
    }

    fn commit_read(&self, who: &Who, wanted: &Wanted, file: File) -> Result<Opened, AccessError> {
        let event = self.new_id()?;
        let place = self.sealer.registry(event.clone());
        let (asking, asked) = (who.clone(), wanted.clone());
        let chosen: Arc<OnceLock<(Grant, i64)>> = Arc::default();
        let choice = chosen.clone();
        let committed = self.custody.commit(move |turn| {
            let person = asking.active(turn.connection).map_err(storage)?;
            let permit = authorizer::permit(person, Action::ReadContent, Relation::OWN)?;
            let grants =
                access::live_grants_for(turn.connection, &asking.person, &asked.evidence, turn.time_ms)
                    .map_err(storage)?;
            let grant = grants::choose(grants, asked.purpose)?;
            let holder_end_ms = holder_end_ms(turn.connection, &asked, turn.time_ms).map_err(storage)?;
            let expires_ms = grant.expires_ms.min(holder_end_ms.ok_or(Refusal::NotActive)?);
            let draft = permit
                .event(Kind::AccessRead, event)
                .fact("evidence", asked.evidence)
                .fact("version", asked.version)
                .fact("purpose", asked.purpose.id())
                .fact("basis", grant.basis.as_str())
                .fact("grant", grant.id.as_str())
                .fact("person", asking.person)
                .fact("part", asked.what.id())
                .fact("channel", asked.channel.id())
                .commit("reason", grant.reason.as_str())
                .commit("requester", permit.person().name.as_str());
            let _ = choice.set((grant, expires_ms));
            Ok(Proposed {
                draft,
                place: Some(place),
            })
        })?;
        let (grant, expires_ms) = chosen.get().ok_or_else(|| {
            AccessError::Unavailable("a reading was committed without its grant".to_owned())
        })?;
        Ok(Opened {
            id: committed.leaf.id,
            leaf: committed.index,
            grant: grant.id.clone(),
            expires_ms: *expires_ms,
            person: who.person.clone(),
            evidence: wanted.evidence.clone(),
            version: wanted.version,
            what: wanted.what,
            purpose: wanted.purpose,
            channel: wanted.channel,
            holder: wanted.holder.clone(),
            media_type: file.media_type,
            file_name: file.name,
            sha256: file.sha256,
        })
    }
}
