//! Asking for a background inspection again.

use super::{AdminError, KeyText, OPERATOR, Response};
use crate::{
    blob::staging,
    catalog::{
        inspections,
        search::{self, Evidence},
    },
    crypto::BodyReader,
    custody::sequencer::{CommitError, Proposed},
    domain::event::{Draft, Kind},
    ingest::{settle::SettleError, taken::Taken},
    inspect::deep,
    server::Vault,
};
use std::fs::File;

impl From<SettleError> for AdminError {
    fn from(error: SettleError) -> Self {
        AdminError::Commit(CommitError::Storage(error.to_string()))
    }
}

/// Puts a version into the queue again. With the file key the queue can open it whatever became of the first sidecar.
pub(super) fn again(
    vault: &Vault,
    evidence: &str,
    version: i64,
    file_key: Option<&KeyText>,
) -> Result<Response, AdminError> {
    let versions = vault
        .catalogue
        .read(|catalogue| search::versions(catalogue, evidence))?;
    let Some(row) = versions.into_iter().find(|row| row.version == version) else {
        return Err(AdminError::Refused(format!(
            "there is no version {version} of evidence {evidence}"
        )));
    };
    let taken = match file_key {
        Some(text) => Some(opened(vault, &row, text)?),
        None => {
            openable(vault, &row)?;
            None
        }
    };
    let draft = Draft::new(Kind::InspectionRequested, vault.new_id()?, OPERATOR)
        .fact("evidence", row.id.as_str())
        .fact("version", row.version)
        .fact("of", row.receipt);
    let custody = vault.custody.clone();
    let committed = deep::with_sidecar(&vault.deep, &vault.ingest, taken.as_ref(), move || {
        custody
            .commit(move |_| Ok(Proposed { draft, place: None }))
            .map_err(AdminError::from)
    })?;
    Ok(Response::Logged {
        leaf: committed.index,
    })
}

/// What a sidecar says of a version, once the key is seen to open it.
fn opened(vault: &Vault, row: &Evidence, text: &KeyText) -> Result<Taken, AdminError> {
    let refused = |what: &str| AdminError::Refused(format!("{} version {}: {what}", row.id, row.version));
    let file_key = text.file_key().ok_or_else(|| refused("the file key is none"))?;
    let number = u32::try_from(row.version).map_err(|_| refused("no such version"))?;
    let content = vault
        .layout
        .content(&row.customer, &row.id, number)
        .map_err(|error| refused(&error.to_string()))?;
    let file = File::open(content).map_err(|error| refused(&format!("its body can't be read: {error}")))?;
    BodyReader::open(&file_key, file).map_err(|error| refused(&error.to_string()))?;
    Ok(Taken::of_sealed(row, &file_key))
}

/// Without a key: only while it is due anyway and what opens it is still there.
fn openable(vault: &Vault, row: &Evidence) -> Result<(), AdminError> {
    let due = vault
        .catalogue
        .read(|catalogue| inspections::due_of(catalogue, row.receipt))?;
    let sidecar = staging::read_deep_sidecar(&vault.layout, &row.accession)
        .map_err(|error| AdminError::Commit(CommitError::Storage(error.to_string())))?;
    if due.is_some() && sidecar.is_some() {
        return Ok(());
    }
    Err(AdminError::Refused(format!(
        "nothing on this host opens {} version {} any more: give the identity with --identity",
        row.id, row.version
    )))
}
