//! Where each thing lies in a vault. The tree is written out in `docs/FORMAT.md`.
//!
//! It must never touch the disk, but for making the empty folders of a new vault.
//!
//! Invariant: a path is made of components that were checked here, so no id can lead outside its folder.

use std::{
    fs::DirBuilder,
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use super::BlobError;

/// An id that can't be part of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// Not 1 to 64 of `0-9 A-Z a-z . _ -`, or beginning with a dot.
    #[error("{what} can't be part of a path: 1 to 64 of 0-9 A-Z a-z . _ -, not beginning with a dot")]
    Component {
        /// What the id is of.
        what: &'static str,
    },
    /// Version 0.
    #[error("versions are counted from 1")]
    Version,
}

/// The paths of one vault.
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
}

/// Suffix of the file beside a staged body that says how to go on with it.
const RESUME: &str = ".resume";
/// Suffix of the file that opens a sealed body for its deep inspection.
const DEEP: &str = ".deep";

/// What a file in `staging` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StagedFile {
    /// A body.
    Body,
    /// How to go on with it.
    Sidecar,
    /// What opens it after it is sealed.
    Deep,
}

/// Folders of an empty vault.
const FOLDERS: [&str; 8] = [
    "objects", "headers", "kept", "registry", "staging", "tray", "log", "keys",
];

type Result<T> = std::result::Result<T, LayoutError>;

impl Layout {
    /// The layout of the vault at `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The vault itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Makes the folders of an empty vault, for its owner only. Folders that are there stay as they are.
    pub fn create_folders(&self) -> std::result::Result<(), BlobError> {
        let create = |path: &Path| match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(BlobError::new(self.label(path), error))
            }
            _ => Ok(()),
        };
        create(&self.root)?;
        FOLDERS
            .iter()
            .try_for_each(|folder| create(&self.root.join(folder)))
    }

    /// `objects/<customer_no>/<evidence_id>/v<N>`: a version of a piece of evidence.
    pub fn version_folder(&self, customer_no: &str, evidence_id: &str, version: u32) -> Result<PathBuf> {
        let mut path = self.objects();
        path.push(component(customer_no, "a customer number")?);
        path.push(component(evidence_id, "an evidence id")?);
        path.push(format!("v{}", counted(version)?));
        Ok(path)
    }

    /// `…/v<N>/content`: body of the original.
    pub fn content(&self, customer_no: &str, evidence_id: &str, version: u32) -> Result<PathBuf> {
        Ok(self
            .version_folder(customer_no, evidence_id, version)?
            .join("content"))
    }

    /// `…/v<N>/record`: body of the record, under the same file key.
    pub fn record(&self, customer_no: &str, evidence_id: &str, version: u32) -> Result<PathBuf> {
        Ok(self
            .version_folder(customer_no, evidence_id, version)?
            .join("record"))
    }

    /// `…/v<N>/derived/<event_id>`: body of a copy made from the original, under the same file key.
    pub fn derived(
        &self,
        customer_no: &str,
        evidence_id: &str,
        version: u32,
        event_id: &str,
    ) -> Result<PathBuf> {
        let mut path = self.version_folder(customer_no, evidence_id, version)?;
        path.push("derived");
        path.push(component(event_id, "an event id")?);
        Ok(path)
    }

    /// `headers/<aa>/<evidence_id>.v<N>`: header of content, record and derived copies of a version.
    pub fn header(&self, evidence_id: &str, version: u32) -> Result<PathBuf> {
        self.header_of(evidence_id, "an evidence id", &format!("v{}", counted(version)?))
    }

    /// `kept/<accession_id>/content`: bytes that were received but didn't become evidence.
    pub fn kept_content(&self, accession_id: &str) -> Result<PathBuf> {
        Ok(self.kept_folder(accession_id)?.join("content"))
    }

    /// `kept/<accession_id>/record`: record of an accession that didn't become evidence.
    pub fn kept_record(&self, accession_id: &str) -> Result<PathBuf> {
        Ok(self.kept_folder(accession_id)?.join("record"))
    }

    /// `headers/<aa>/<accession_id>.kept`: header of both.
    pub fn kept_header(&self, accession_id: &str) -> Result<PathBuf> {
        self.header_of(accession_id, "an accession id", "kept")
    }

    /// `registry/<event_id>`: body of the record of an administrative event.
    pub fn registry_record(&self, event_id: &str) -> Result<PathBuf> {
        Ok(self.registry().join(component(event_id, "an event id")?))
    }

    /// `headers/<aa>/<event_id>.event`: its header.
    pub fn registry_header(&self, event_id: &str) -> Result<PathBuf> {
        self.header_of(event_id, "an event id", "event")
    }

    /// `staging/<accession_id>`: body being received.
    pub fn staged(&self, accession_id: &str) -> Result<PathBuf> {
        Ok(self.staging().join(staged_id(accession_id)?))
    }

    /// `staging/<accession_id>.resume`: how to go on with it.
    pub fn sidecar(&self, accession_id: &str) -> Result<PathBuf> {
        Ok(self
            .staging()
            .join(format!("{}{RESUME}", staged_id(accession_id)?)))
    }

    /// `staging/<accession_id>.deep`: opens its sealed body until the deep inspection is done.
    pub fn deep_sidecar(&self, accession_id: &str) -> Result<PathBuf> {
        Ok(self.staging().join(format!("{}{DEEP}", staged_id(accession_id)?)))
    }

    /// The accession a name in `staging` belongs to, and what it is; nothing for a name that no path from here has.
    pub(super) fn staged_name(name: &str) -> Option<(&str, StagedFile)> {
        let (id, kind) = [(RESUME, StagedFile::Sidecar), (DEEP, StagedFile::Deep)]
            .into_iter()
            .find_map(|(suffix, kind)| Some((name.strip_suffix(suffix)?, kind)))
            .unwrap_or((name, StagedFile::Body));
        Some((staged_id(id).ok()?, kind))
    }

    /// `objects`.
    pub fn objects(&self) -> PathBuf {
        self.root.join("objects")
    }

    /// `headers`.
    pub fn headers(&self) -> PathBuf {
        self.root.join("headers")
    }

    /// `kept`.
    pub fn kept(&self) -> PathBuf {
        self.root.join("kept")
    }

    /// `registry`.
    pub fn registry(&self) -> PathBuf {
        self.root.join("registry")
    }

    /// `staging`.
    pub fn staging(&self) -> PathBuf {
        self.root.join("staging")
    }

    /// `tray`.
    pub fn tray(&self) -> PathBuf {
        self.root.join("tray")
    }

    /// `tray/<number>`: a segment of the tray.
    pub(super) fn tray_segment(&self, number: usize) -> PathBuf {
        self.tray().join(number.to_string())
    }

    /// `log`: checkpoint and tiles.
    pub fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    /// `keys`.
    pub fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    /// `catalog.db`.
    pub fn catalog(&self) -> PathBuf {
        self.root.join("catalog.db")
    }

    /// `log-stopped`: why the log may not be signed, once that is so; an operator who knows removes it.
    pub fn log_stopped(&self) -> PathBuf {
        self.root.join("log-stopped")
    }

    /// `lock`: held by the one process that writes.
    pub fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// A path as it may be told in a message: below the vault, without the customer's number.
    pub fn label(&self, path: &Path) -> String {
        let Ok(inside) = path.strip_prefix(&self.root) else {
            return "a path outside the vault".into();
        };
        let mut parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
        match parts.as_mut_slice() {
            [] => return "the vault".into(),
            [first, customer, ..] if first == "objects" => *customer = "…".into(),
            _ => {}
        }
        parts.join("/")
    }

    fn kept_folder(&self, accession_id: &str) -> Result<PathBuf> {
        Ok(self.kept().join(component(accession_id, "an accession id")?))
    }

    /// Headers are spread by the last two characters, which differ even in ids that begin with a time. The part behind
    /// the last dot tells the three kinds apart, whatever the ids are.
    fn header_of(&self, id: &str, what: &'static str, kind: &str) -> Result<PathBuf> {
        let id = component(id, what)?;
        let spread = id.len().checked_sub(2).and_then(|from| id.get(from..));
        let spread = spread.filter(|spread| spread.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        let spread = spread.ok_or(LayoutError::Component { what })?;
        Ok(self.headers().join(spread).join(format!("{id}.{kind}")))
    }
}

fn component<'a>(text: &'a str, what: &'static str) -> Result<&'a str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let fits = (1..=64).contains(&text.len()) && !text.starts_with('.') && text.bytes().all(allowed);
    if fits {
        Ok(text)
    } else {
        Err(LayoutError::Component { what })
    }
}

/// An accession id whose body could not be taken for another's sidecar.
fn staged_id(text: &str) -> Result<&str> {
    let what = "an accession id";
    if text.ends_with(RESUME) || text.ends_with(DEEP) {
        Err(LayoutError::Component { what })
    } else {
        component(text, what)
    }
}

fn counted(version: u32) -> Result<u32> {
    if version == 0 {
        Err(LayoutError::Version)
    } else {
        Ok(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_has_its_place() {
        let layout = Layout::new("/v");
        let shown = |path: Result<PathBuf>| path.unwrap().to_str().unwrap().to_owned();
        assert_eq!(
            shown(layout.content("000100012345", "E-7a", 2)),
            "/v/objects/000100012345/E-7a/v2/content"
        );
        assert_eq!(
            shown(layout.record("000100012345", "E-7a", 2)),
            "/v/objects/000100012345/E-7a/v2/record"
        );
        assert_eq!(
            shown(layout.derived("000100012345", "E-7a", 2, "ev1")),
            "/v/objects/000100012345/E-7a/v2/derived/ev1"
        );
        assert_eq!(shown(layout.header("E-7a", 2)), "/v/headers/7a/E-7a.v2");
        assert_eq!(shown(layout.kept_content("A1")), "/v/kept/A1/content");
        assert_eq!(shown(layout.kept_record("A1")), "/v/kept/A1/record");
        assert_eq!(shown(layout.kept_header("A1")), "/v/headers/A1/A1.kept");
        assert_eq!(shown(layout.registry_record("ev1")), "/v/registry/ev1");
        assert_eq!(shown(layout.registry_header("ev1")), "/v/headers/v1/ev1.event");
        assert_eq!(shown(layout.staged("A1")), "/v/staging/A1");
        assert_eq!(shown(layout.sidecar("A1")), "/v/staging/A1.resume");
    }

    #[test]
    fn no_id_leads_elsewhere() {
        let layout = Layout::new("/v");
        let long = "a".repeat(65);
        for bad in [
            "", ".", "..", ".hidden", "../x", "a/b", "a\0b", "a b", "张三", "a\n", "~/x/", &long,
        ] {
            assert!(layout.content(bad, "E1", 1).is_err(), "{bad:?}");
            assert!(layout.content("1", bad, 1).is_err(), "{bad:?}");
            assert!(layout.header(bad, 1).is_err(), "{bad:?}");
            assert!(layout.derived("1", "E1", 1, bad).is_err(), "{bad:?}");
            assert!(layout.kept_content(bad).is_err(), "{bad:?}");
            assert!(layout.registry_record(bad).is_err(), "{bad:?}");
            assert!(layout.staged(bad).is_err(), "{bad:?}");
        }
        assert!(layout.staged(&long[..64]).is_ok());
        assert_eq!(layout.content("1", "E1", 0), Err(LayoutError::Version));
        for bad in ["a", "a..", "a.b", "ab-"] {
            assert!(layout.header(bad, 1).is_err(), "{bad:?}");
        }
        assert!(layout.staged("A1.resume").is_err());
        assert!(layout.sidecar("A1.resume").is_err());
    }

    #[test]
    fn a_label_names_no_customer() {
        let layout = Layout::new("/v");
        let content = layout.content("000100012345", "E1", 1).unwrap();
        assert_eq!(layout.label(&content), "objects/…/E1/v1/content");
        assert_eq!(layout.label(&layout.staged("A1").unwrap()), "staging/A1");
        assert_eq!(layout.label(Path::new("/v")), "the vault");
        assert_eq!(
            layout.label(Path::new("/elsewhere/000100012345")),
            "a path outside the vault"
        );
    }

    #[test]
    fn a_new_vault_is_its_owners_and_can_be_asked_for_twice() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path().join("vault"));
        layout.create_folders().unwrap();
        layout.create_folders().unwrap();
        for path in [
            layout.root().to_owned(),
            layout.objects(),
            layout.staging(),
            layout.keys(),
        ] {
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        }
    }
}
