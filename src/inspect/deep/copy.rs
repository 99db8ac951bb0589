//! Derived copies on their way into the vault: sealed under the original's own file key, committed as `derived.made`.

use super::Pause;
use crate::{
    catalog::search::Evidence,
    crypto::FileKey,
    custody::sequencer::{CommitError, Proposed},
    domain::{
        event::{Draft, Kind},
        hex,
    },
    ingest::{Ingest, upload::Body},
    seal::{StagedBody, VersionId},
};

/// What a copy is.
pub(super) struct Copy<'a> {
    /// `contact_sheet` or `playback`.
    pub(super) form: &'static str,
    /// Such as `image/jpeg`.
    pub(super) media_type: &'static str,
    /// The program that made it.
    pub(super) made_by: &'a str,
}

/// A staged body for a copy of a version, under that version's file key with a salt of its own.
pub(super) fn body(ingest: &Ingest, file_key: &FileKey) -> Result<Body, Pause> {
    // A key of the same bytes: the header that opens the original opens the copy, and both go when it is erased.
    let same = FileKey::from_bytes(*file_key.expose());
    Body::create_under(&ingest.tools, same).map_err(|error| Pause::Ours(error.to_string()))
}

/// Completes a body and commits the copy. A crash before the commit leaves a staged body that the next start removes;
/// after it the placer moves it to its place.
pub(super) fn commit(
    ingest: &Ingest,
    row: &Evidence,
    version: u32,
    body: Body,
    copy: &Copy<'_>,
) -> Result<(), Pause> {
    let mut finished = body.finish().map_err(|error| Pause::Ours(error.to_string()))?;
    let synced = finished.body.sync();
    synced.map_err(|error| Pause::Ours(error.to_string()))?;
    let made_by: String = copy.made_by.chars().filter(char::is_ascii).take(200).collect();
    let draft = Draft::new(Kind::DerivedMade, finished.id.clone(), "system")
        .fact("evidence", row.id.as_str())
        .fact("version", row.version)
        .fact("of", row.receipt)
        .fact("form", copy.form)
        .fact("media_type", copy.media_type)
        .fact("original_sha256", row.sha256.as_str())
        .fact("size_bytes", finished.size_bytes)
        .fact("sha256", hex::encode(finished.sha256))
        .fact("stored_size_bytes", finished.stored_size_bytes)
        .fact("stored_blake3", hex::encode(finished.stored_blake3))
        .fact("made_by", made_by);
    let place = ingest.sealer.derived(
        StagedBody {
            accession: finished.id.clone(),
            size_bytes: finished.stored_size_bytes,
        },
        VersionId {
            customer: row.customer.clone(),
            evidence: row.id.clone(),
            version,
        },
    );
    let committed = ingest.custody.commit(move |_| {
        Ok(Proposed {
            draft,
            place: Some(place),
        })
    });
    match committed {
        Ok(_) => Ok(()),
        // Whether it was committed is open: the next start finds out.
        Err(CommitError::Stopped) => Err(Pause::Stopped),
        Err(error) => {
            ingest.forget_staged(&finished.id);
            Err(Pause::Ours(error.to_string()))
        }
    }
}
