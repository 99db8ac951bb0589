//! Publishing a table of document types: the event that does it, and when it is refused.

use crate::{
    catalog::doctypes,
    custody::sequencer::CommitError,
    domain::{
        doctype::DocumentTypes,
        event::{Draft, Kind},
        hex,
    },
};
use ring::digest::{SHA256, digest};
use rusqlite::Connection;

/// The event that publishes `types` as the next version. Called inside the transaction that commits it. `base` is the
/// version that the change was made from; when another came between, nobody would have seen what this one undoes.
pub(crate) fn publish(
    connection: &Connection,
    event: &str,
    actor: &str,
    types: &DocumentTypes,
    base: u32,
) -> Result<Draft, CommitError> {
    let last = doctypes::last_version(connection).map_err(|error| CommitError::Storage(error.to_string()))?;
    if last != base {
        return Err(CommitError::Refused(format!(
            "version {last} of the document types was published since version {base}, which this was compared with: look at \
             `muniment doctype diff {base} {last}` and import again"
        )));
    }
    let text = types.to_toml();
    Ok(Draft::new(Kind::DocumentTypesPublished, event, actor)
        .fact("version", last + 1)
        .fact("sha256", hex::encode(digest(&SHA256, text.as_bytes())))
        .fact("types", types.count())
        .private("text", text))
}
