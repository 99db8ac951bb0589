//! Fixity of the published document types: what judges must be what the log says was published.

use super::Check;
use crate::{
    catalog::{CatalogueError, doctypes},
    domain::{event::Leaf, hex},
};
use ring::digest::{SHA256, digest};

impl Check<'_> {
    pub(super) fn document_types(&mut self, index: u64, leaf: &Leaf) -> Result<(), CatalogueError> {
        let version = leaf
            .integer("version")
            .and_then(|version| u32::try_from(version).ok())
            .unwrap_or_default();
        let name = format!("catalog.db document types version {version}");
        let row = self
            .subject
            .catalogue
            .read(|connection| doctypes::by_version(connection, version))?;
        let Some(row) = row else {
            self.find(name, "the row is missing");
            return Ok(());
        };
        let logged = leaf.text("sha256");
        if logged != Some(&row.sha256) || row.leaf.unsigned_abs() != index {
            self.find(&name, "the row isn't what the log says");
        }
        match row.text {
            None => self.find(name, "its text was lost with its record"),
            Some(text) if logged != Some(hex::encode(digest(&SHA256, text.as_bytes())).as_str()) => {
                self.find(name, "its text isn't the one that was published");
            }
            Some(_) => {}
        }
        Ok(())
    }
}
