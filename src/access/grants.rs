//! Grants: what a person may read now, and ending that before its time (D30).

use super::{
    authorizer::{self, Who},
    policy::{Action, Relation},
    refusal::{AccessError, Refusal},
    register,
    requests::one_line,
    room::{ReadingRoom, storage},
};
use crate::{
    catalog::{
        access::{self, Grant},
        people::Person,
    },
    domain::{access::Purpose, event::Kind},
};

impl ReadingRoom {
    /// Ends a grant. Streams that are open under it have ended when this returns.
    ///
    /// # Errors
    /// A refusal, which is on record, or that it couldn't be committed.
    pub fn revoke_grant(&self, who: &Who, id: &str, reason: &str) -> Result<(), AccessError> {
        let checked = one_line(reason).map_err(AccessError::from);
        let reason = self.on_record(who, Action::RevokeGrant, None, checked)?;
        let (asking, grant_id) = (who.clone(), id.to_owned());
        self.commit(who, Action::RevokeGrant, None, move |turn, event| {
            let grant = access::grant(turn.connection, &grant_id).map_err(storage)?;
            let grant = grant.ok_or(Refusal::NotFound)?;
            let person = asking.active(turn.connection).map_err(storage)?;
            let person = person.ok_or(Refusal::NotActive)?;
            // Whose it isn't to see doesn't hear that it is there.
            if !register::sees_grant(&person, &grant) {
                return Err(Refusal::NotFound.into());
            }
            let relation = relation(&person, &grant);
            let permit = authorizer::permit(Some(person), Action::RevokeGrant, relation)?;
            if !grant.is_live(turn.time_ms) {
                return Err(Refusal::GrantEnded.into());
            }
            Ok(permit
                .event(Kind::AccessRevoked, event)
                .fact("grant", grant.id)
                .commit("reason", reason))
        })?;
        self.reads.end_grant(id);
        Ok(())
    }
}

/// How a person stands to a grant.
pub(super) fn relation(person: &Person, grant: &Grant) -> Relation {
    Relation {
        own: grant.person == person.id,
        in_scope: person.branch.is_none() || person.branch == grant.branch,
        ..Relation::default()
    }
}

/// Which of a person's live grants for a record a reading for `wanted` goes by: the narrowest that serves it, of those the one
/// that lasts longest.
///
/// # Errors
/// [`Refusal::NoGrant`], or [`Refusal::ViewOnly`] where there is one, but not for that.
pub(super) fn choose(grants: Vec<Grant>, wanted: Purpose) -> Result<Grant, Refusal> {
    let any = !grants.is_empty();
    grants
        .into_iter()
        .filter_map(|grant| Some((grant.purpose.parse::<Purpose>().ok()?, grant)))
        .filter(|(purpose, _)| purpose.serves(wanted))
        // Stable: the query gives the longest first.
        .min_by_key(|(purpose, _)| *purpose)
        .map(|(_, grant)| grant)
        .ok_or(if any { Refusal::ViewOnly } else { Refusal::NoGrant })
}
