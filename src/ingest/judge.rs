//! The judge: what a complete body is, by its name, by what was declared about it, and by its structure.
//!
//! It changes nothing. Order: a temporary name isn't judged; a declaration is read; an evidence file must be named (by
//! its path, or by a manifest), then proved complete (by a declared digest, or by its structure). What passes is a
//! candidate: `examine` has it inspected.

use super::{
    Ingest,
    declare::{bagit, checksum, manifest},
    naming::{Naming, NamingFault, is_temporary_name, parse_date},
    settle::SettleError,
    structure::{NO_STRUCTURE_CHECK, ReadSeek, Structure},
    taken::Taken,
    text::relative_path,
};
use crate::{
    catalog::accessions::{self, DeclaredRow},
    domain::{doctype::DocumentTypes, hex, reason::Reason},
};
use serde_json::{Map, Value};
use std::{cmp::Ordering, collections::BTreeMap, sync::Arc};

/// Bytes of a declaration file at the most.
const DECLARATION_LIMIT_BYTES: usize = 4 * 1024 * 1024;

/// What a piece of evidence is.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Customer number.
    pub customer: String,
    /// Flow number.
    pub flow: String,
    /// Document type code.
    pub doctype: String,
    /// The table it is judged by, from here to its verdict.
    pub types: Arc<DocumentTypes>,
    /// Category code.
    pub category: &'static str,
    /// Sequence within flow and type.
    pub seq: u32,
    /// Business date, yyyymmdd.
    pub date: Option<i64>,
    /// Extension, lower case.
    pub ext: String,
    /// `declared` or `server_only`.
    pub grade: &'static str,
    /// Accession id of the declaration that proved it.
    pub declaration: Option<String>,
    /// What else was declared: witnesses, disc number and so on.
    pub fields: Map<String, Value>,
    /// What the structure said.
    pub structure: String,
}

/// One file that a declaration speaks of.
#[derive(Clone, Debug)]
pub struct DeclaredFile {
    /// Inbox path.
    pub path: String,
    /// Declared size in bytes.
    pub size_bytes: Option<u64>,
    /// Declared SHA-256.
    pub sha256: Option<[u8; 32]>,
    /// Customer, flow, document type, sequence and the rest.
    pub fields: Map<String, Value>,
}

/// The judge's word.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// A name that its client will change.
    Temporary,
    /// Not complete, or not named: it can still become evidence.
    Wait(Reason),
    /// It can't become evidence as it is.
    Reject(Reason),
    /// It is named and all there, as far as declarations and structure tell; inspection has the last word.
    Candidate(Box<Candidate>),
    /// It speaks of other files.
    Declaration {
        /// `manifest`, `checksum`, `bag_manifest` or `bag_tag`.
        form: &'static str,
        /// What it says.
        rows: Vec<DeclaredFile>,
    },
}

/// What may become evidence when it is inspected.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// What it is.
    pub identity: Identity,
    /// The document types that it is judged by, to the end.
    pub types: Arc<DocumentTypes>,
    /// Why its structure couldn't tell whether it is all there: then inspection must.
    pub unproved: Option<Reason>,
}

/// The words for a digest that isn't the declared one, both shown.
pub fn digest_mismatch(declared: &[u8; 32], found: &[u8; 32]) -> Reason {
    let (declared, found) = (hex::encode(declared), hex::encode(found));
    Reason::new(
        "digest_mismatch",
        format!(
            "the bytes received have SHA-256 {found}, but {declared} was declared: the file changed or was damaged on the \
             way. Copy it again from the original, check the declaration, and upload both"
        ),
        format!(
            "收到的文件 SHA-256 为 {found}，与申报值 {declared} 不一致：文件已改动或传输损坏。请从原件重新复制，核对申报文件后重新上传"
        ),
    )
}

/// Holds a size against the declared one where no digest was declared: `None` when it agrees.
fn against_size(found: u64, declared: u64) -> Option<Verdict> {
    match found.cmp(&declared) {
        Ordering::Equal => None,
        Ordering::Less => Some(Verdict::Wait(incomplete(found, Some(declared)))),
        Ordering::Greater => Some(Verdict::Reject(Reason::new(
            "size_mismatch",
            format!(
                "{found} bytes were received, but {declared} were declared: it isn't the file that was declared. Check \
                 the manifest, and upload both again"
            ),
            format!("收到 {found} 字节，申报为 {declared} 字节，不是所申报的文件；请核对清单后重新上传"),
        ))),
    }
}

fn incomplete(have: u64, declared: Option<u64>) -> Reason {
    let of = declared.map_or_else(|| "?".to_owned(), |size_bytes| size_bytes.to_string());
    Reason::new(
        "incomplete",
        format!("{have} of {of} bytes are here; resume the upload to complete it"),
        format!("已收到 {have} 字节，共 {of} 字节；请续传"),
    )
}

fn candidate(identity: Identity, types: Arc<DocumentTypes>, unproved: Option<Reason>) -> Verdict {
    Verdict::Candidate(Box::new(Candidate {
        identity,
        types,
        unproved,
    }))
}

impl Ingest {
    /// Judges a complete body.
    ///
    /// # Errors
    /// When the catalogue or the body can't be read: no judgement is made then.
    pub(super) fn judge(&self, taken: &Taken) -> Result<Verdict, SettleError> {
        let claim = &taken.claim;
        if is_temporary_name(claim.file_name()) {
            return Ok(Verdict::Temporary);
        }
        let types = self.rules.types.current();
        if let Some(form) = declaration_form(claim.file_name()) {
            return self.read_declaration(taken, form, &types);
        }
        let declared = self
            .catalogue
            .read(|connection| accessions::declared(connection, &claim.person, &claim.path))?;
        let naming = match self.name(taken, declared.as_ref(), &types) {
            Ok(naming) => naming,
            Err(NamingFault::Unrecognised(reason)) => return Ok(Verdict::Wait(reason)),
            Err(NamingFault::Refused { reason, .. }) => return Ok(Verdict::Reject(reason)),
        };
        let doctype = match types.find(&naming.doctype) {
            Ok(doctype) => doctype,
            Err(reason) => return Ok(Verdict::Reject(reason)),
        };
        if let Err(reason) = doctype.size(taken.size_bytes) {
            return Ok(Verdict::Reject(reason));
        }
        let structure = self.structure(taken, &naming.ext)?;
        let mut identity = Identity {
            customer: naming.customer.as_str().to_owned(),
            flow: naming.flow.as_str().to_owned(),
            doctype: naming.doctype.clone(),
            types: Arc::clone(&types),
            category: doctype.category.code(),
            seq: naming.seq,
            date: naming.date.map(|date| {
                i64::from(date.year()) * 10_000 + i64::from(date.month()) * 100 + i64::from(date.day())
            }),
            ext: naming.ext,
            grade: "server_only",
            declaration: None,
            fields: declared
                .as_ref()
                .map(|row| row_fields(&row.fields))
                .unwrap_or_default(),
            structure: structure.code().to_owned(),
        };
        if let Some((row, sha256)) = declared.as_ref().and_then(|row| Some((row, row.sha256?))) {
            if let Some(verdict) = self.against(taken, row, &sha256, &structure) {
                return Ok(verdict);
            }
            identity.grade = "declared";
            identity.declaration = Some(row.declaration.clone());
            return Ok(candidate(identity, types, None));
        }
        if let Some(verdict) = declared
            .as_ref()
            .and_then(|row| against_size(taken.size_bytes, row.size_bytes?))
        {
            return Ok(verdict);
        }
        Ok(match structure {
            Structure::Whole { bag, .. } => {
                if bag {
                    identity.grade = "declared";
                }
                candidate(identity, types, None)
            }
            Structure::Unknown { reason } if reason.code == NO_STRUCTURE_CHECK => {
                candidate(identity, types, Some(reason))
            }
            Structure::Incomplete { reason } | Structure::Unknown { reason } => Verdict::Wait(reason),
            Structure::Damaged { reason } => Verdict::Reject(reason),
        })
    }

    /// Holds a body against its declared digest: `None` when it agrees.
    fn against(
        &self,
        taken: &Taken,
        row: &DeclaredRow,
        declared: &[u8; 32],
        structure: &Structure,
    ) -> Option<Verdict> {
        let found = hex::decode_array::<32>(&taken.sha256).unwrap_or_default();
        if *declared == found {
            return None;
        }
        let still_coming = match row.size_bytes {
            Some(size_bytes) => taken.size_bytes < size_bytes,
            None => matches!(structure, Structure::Incomplete { .. }),
        };
        if !still_coming {
            return Some(Verdict::Reject(digest_mismatch(declared, &found)));
        }
        Some(Verdict::Wait(incomplete(taken.size_bytes, row.size_bytes)))
    }

    /// Names a body by what a manifest says of it, else by its path.
    fn name(
        &self,
        taken: &Taken,
        declared: Option<&DeclaredRow>,
        types: &DocumentTypes,
    ) -> Result<Naming, NamingFault> {
        let by_path = self
            .rules
            .templates
            .parse(&taken.claim.components(), &self.rules.numbers, types);
        let Some(row) = declared else { return by_path };
        let fields = row_fields(&row.fields);
        let text = |name: &str| fields.get(name).and_then(Value::as_str);
        let (Some(customer), Some(flow), Some(doctype)) = (text("customer"), text("flow"), text("doctype"))
        else {
            return by_path;
        };
        let unrecognised = NamingFault::Unrecognised;
        let ext = taken
            .claim
            .file_name()
            .rsplit_once('.')
            .map_or("", |(_, ext)| ext);
        let seq = fields
            .get("seq")
            .and_then(Value::as_u64)
            .and_then(|seq| u32::try_from(seq).ok());
        let doctype = types.find(doctype).map_err(unrecognised)?;
        Ok(Naming {
            customer: self
                .rules
                .numbers
                .customer(customer)
                .map_err(NamingFault::Unrecognised)?,
            flow: self.rules.numbers.flow(flow).map_err(NamingFault::Unrecognised)?,
            doctype: doctype.code.clone(),
            seq: seq
                .or_else(|| by_path.as_ref().ok().map(|naming| naming.seq))
                .unwrap_or(1),
            date: by_path
                .ok()
                .and_then(|naming| naming.date)
                .or_else(|| text("date").and_then(|date| parse_date(&date.replace('-', "")).ok())),
            ext: doctype.extension(ext).map_err(NamingFault::Unrecognised)?,
        })
    }

    fn structure(&self, taken: &Taken, ext: &str) -> Result<Structure, SettleError> {
        let mut content = self.read_body(taken, &taken.file_key()?)?.into_stream();
        Ok(self
            .structure
            .check(&mut content as &mut dyn ReadSeek, taken.size_bytes, ext))
    }

    fn read_declaration(
        &self,
        taken: &Taken,
        form: Form,
        types: &DocumentTypes,
    ) -> Result<Verdict, SettleError> {
        if taken.size_bytes > DECLARATION_LIMIT_BYTES as u64 {
            return Ok(Verdict::Reject(Reason::new(
                "declaration_too_large",
                "a manifest or checksum file has at most 4 MiB; split it",
                "清单或校验文件最大 4 MiB，请拆分后上传",
            )));
        }
        let bytes = self
            .read_body(taken, &taken.file_key()?)?
            .read_all(DECLARATION_LIMIT_BYTES)?;
        let folder = taken.claim.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        Ok(
            match self.parse_declaration(form, &bytes, folder, taken.claim.file_name(), types) {
                Ok(rows) => Verdict::Declaration {
                    form: form.name(),
                    rows,
                },
                Err(reason) => Verdict::Reject(reason),
            },
        )
    }

    fn parse_declaration(
        &self,
        form: Form,
        bytes: &[u8],
        folder: &str,
        file_name: &str,
        types: &DocumentTypes,
    ) -> Result<Vec<DeclaredFile>, Reason> {
        let at = |path: &str| {
            if folder.is_empty() {
                path.to_owned()
            } else {
                format!("{folder}/{path}")
            }
        };
        match form {
            Form::Manifest => {
                let rows =
                    manifest::parse(bytes, &self.rules.numbers, types).map_err(|error| error.reason)?;
                Ok(rows
                    .into_iter()
                    .map(|row| {
                        let mut fields: Map<String, Value> = row
                            .extra
                            .into_iter()
                            .map(|(name, value)| (name, value.into()))
                            .collect();
                        let texts = [
                            ("customer", row.customer.map(|number| number.as_str().to_owned())),
                            ("flow", row.flow.map(|number| number.as_str().to_owned())),
                            ("doctype", row.doctype),
                        ];
                        for (name, value) in texts {
                            if let Some(value) = value {
                                fields.insert(name.to_owned(), value.into());
                            }
                        }
                        if let Some(seq) = row.seq {
                            fields.insert("seq".to_owned(), seq.into());
                        }
                        DeclaredFile {
                            path: at(&row.path),
                            size_bytes: row.size_bytes,
                            sha256: row.sha256,
                            fields,
                        }
                    })
                    .collect())
            }
            Form::Checksum => {
                let stem = file_name
                    .get(..file_name.len() - ".sha256".len())
                    .unwrap_or(file_name);
                let lines = checksum::parse(bytes)?;
                lines
                    .into_iter()
                    .map(|line| {
                        // certutil and sha256sum print the path they were given; the file stands beside its checksum.
                        let name = match line.name {
                            Some(name) => {
                                let path = relative_path(&name)?;
                                path.rsplit('/').next().unwrap_or(&path).to_owned()
                            }
                            None => stem.to_owned(),
                        };
                        Ok(DeclaredFile {
                            path: at(&name),
                            size_bytes: None,
                            sha256: Some(line.sha256),
                            fields: Map::new(),
                        })
                    })
                    .collect()
            }
            Form::BagManifest => {
                // The manifest may come before bagit.txt does; its own lines are the same in every version.
                let tags = BTreeMap::from([
                    (
                        "bagit.txt".to_owned(),
                        b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n".to_vec(),
                    ),
                    ("manifest-sha256.txt".to_owned(), bytes.to_vec()),
                ]);
                let bag = bagit::Bag::parse(&tags)?;
                Ok(bag
                    .payload
                    .into_iter()
                    .map(|(path, sha256)| DeclaredFile {
                        path: at(&path),
                        size_bytes: None,
                        sha256: Some(sha256),
                        fields: Map::new(),
                    })
                    .collect())
            }
            Form::BagFetch => Err(Reason::new(
                "bag_fetch",
                "fetch.txt asks the server to load files from elsewhere, which it never does; put the files into the bag",
                "不接受 fetch.txt：服务器不会从别处下载文件，请把文件放入 BagIt 包内",
            )),
            Form::BagTag => Ok(Vec::new()),
        }
    }
}

/// Kinds of declaration files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Manifest,
    Checksum,
    BagManifest,
    BagFetch,
    BagTag,
}

impl Form {
    fn name(self) -> &'static str {
        match self {
            Form::Manifest => "manifest",
            Form::Checksum => "checksum",
            Form::BagManifest => "bag_manifest",
            Form::BagFetch | Form::BagTag => "bag_tag",
        }
    }
}

/// Whether a file name is that of a declaration.
fn declaration_form(name: &str) -> Option<Form> {
    let lower = name.to_ascii_lowercase();
    Some(match lower.as_str() {
        "manifest.csv" => Form::Manifest,
        "manifest-sha256.txt" => Form::BagManifest,
        "fetch.txt" => Form::BagFetch,
        "bagit.txt" | "bag-info.txt" => Form::BagTag,
        _ if lower.len() > ".sha256".len() && lower.ends_with(".sha256") => Form::Checksum,
        _ if lower.ends_with(".txt")
            && (lower.starts_with("tagmanifest-") || lower.starts_with("manifest-")) =>
        {
            Form::BagTag
        }
        _ => return None,
    })
}

fn row_fields(json: &str) -> Map<String, Value> {
    serde_json::from_str(json).unwrap_or_default()
}
