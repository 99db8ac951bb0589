//! Finding evidence, what is known of it, its receipts, and "verify now". No content.

use super::{
    Time,
    grants::Grant,
    json,
    taken::{self, Query, wrong},
};
use crate::{
    access::{
        check::{self, Compared, Outcome},
        find::EvidenceFile,
        policy::Action,
    },
    catalog::{access::Read, inspections::InspectionRow, search, timeline::Entry},
    console::{
        Console,
        fault::Fault,
        routes::{Need, Route, get, post},
        visit::Visit,
    },
    custody::receipt::Form,
    domain::{digest_prefix::DigestPrefix, time::Zone},
};
use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::civil::Date;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

pub(super) fn routes() -> Vec<Route> {
    let may_search = Need::May(Action::SearchMetadata);
    vec![
        get("/api/v1/evidence", may_search, search_evidence),
        get("/api/v1/evidence/{id}", may_search, show_evidence),
        get(
            "/api/v1/evidence/{id}/receipts/{number}/{form}",
            may_search,
            fetch_receipt,
        ),
        post(
            "/api/v1/evidence/{id}/versions/{version}/verify",
            Need::May(Action::VerifyObject),
            verify_version,
        )
        .body_limit(0),
    ]
}

/// What to look for. Without any, everything in reach.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Search {
    /// Customer number.
    #[param(min_length = 1, max_length = 64, example = "000100012345")]
    customer: Option<String>,
    /// Flow number.
    #[param(min_length = 1, max_length = 64)]
    flow: Option<String>,
    /// Branch code.
    #[param(min_length = 1, max_length = 64)]
    branch: Option<String>,
    /// Code of a document type.
    #[param(min_length = 1, max_length = 64)]
    doctype: Option<String>,
    /// First business date.
    #[param(value_type = Option<String>, format = Date, example = "2026-07-01")]
    from: Option<Date>,
    /// Last business date.
    #[param(value_type = Option<String>, format = Date)]
    to: Option<Date>,
    /// `sealed`, `needs_review` and what else a version can come to.
    #[param(min_length = 1, max_length = 64)]
    state: Option<String>,
    /// SHA-256 of the original in hex: all of it, or its first 8 digits and more.
    #[param(value_type = Option<String>, pattern = "^[0-9a-fA-F]{8,64}$")]
    sha256: Option<DigestPrefix>,
    /// Rows of the page.
    #[param(required = false, minimum = 1, maximum = 100, default = 20)]
    limit: usize,
    /// `next` of the page before.
    #[param(value_type = Option<String>, pattern = "^[0-9]{8}-[0-9]{1,15}$")]
    cursor: Option<(i64, u64)>,
}

impl Search {
    fn of(visit: &Visit) -> Result<Self, Fault> {
        let query = Query::of::<Search>(visit)?;
        let cursor = query.text("cursor")?.map(|text| {
            let parts = text
                .split_once('-')
                .and_then(|(date, receipt)| Some((date.parse().ok()?, receipt.parse().ok()?)));
            parts.ok_or_else(|| wrong("cursor", &"it is no page's next"))
        });
        Ok(Search {
            customer: query.text("customer")?,
            flow: query.text("flow")?,
            branch: query.text("branch")?,
            doctype: query.text("doctype")?,
            from: query.value("from", "a date such as 2026-07-28")?,
            to: query.value("to", "a date such as 2026-07-28")?,
            state: query.text("state")?,
            sha256: query.value("sha256", "8 to 64 digits of hex")?,
            limit: query.limit()?,
            cursor: cursor.transpose()?,
        })
    }

    fn filter(&self) -> search::Filter {
        let number = |date: Date| {
            i64::from(date.year()) * 10_000 + i64::from(date.month()) * 100 + i64::from(date.day())
        };
        search::Filter {
            customer: self.customer.clone(),
            flow: self.flow.clone(),
            branch: self.branch.clone(),
            doctype: self.doctype.clone(),
            date_from: self.from.map(number),
            date_to: self.to.map(number),
            state: self.state.clone(),
            sha256: self.sha256,
            after: self.cursor,
        }
    }
}

/// A page of what was found, newest business date first.
#[derive(Serialize, ToSchema)]
pub(super) struct FoundPage {
    items: Vec<FoundVersion>,
    /// The cursor of the next page; `null` on the last one.
    next: Option<String>,
}

/// A version that was found.
#[derive(Serialize, ToSchema)]
struct FoundVersion {
    #[serde(flatten)]
    version: Version,
    /// Whether a grant of the token's person covers it now.
    granted: bool,
}

/// A sealed version of a piece of evidence.
#[derive(Serialize, ToSchema)]
struct Version {
    /// Evidence id, the same for every version.
    id: String,
    #[schema(minimum = 1)]
    version: i64,
    customer: String,
    flow: String,
    /// Code of the document type.
    doctype: String,
    /// Sequence within flow and type.
    seq: String,
    category: String,
    branch: String,
    /// Who uploaded it, by id.
    uploader: String,
    /// Accession id.
    accession: String,
    /// Business date.
    #[schema(format = Date)]
    date: String,
    sealed_at: Time,
    /// When the upload began.
    started_at: Time,
    /// Of the original.
    size_bytes: i64,
    /// Of the original, lower-case hex.
    sha256: String,
    /// RFC 6962 root over chunks of 1 MiB, from 64 MiB on.
    chunk_root: Option<String>,
    /// Of the encrypted body.
    stored_size_bytes: i64,
    /// Of the encrypted body, lower-case hex.
    stored_blake3: String,
    /// `declared`, or `server_only` where nobody declared a digest: then the transfer itself isn't verified.
    grade: String,
    state: String,
    /// As uploaded.
    file_name: String,
    /// Number of the receipt: the position of its leaf in the log.
    receipt: u64,
}

impl Version {
    fn of(row: search::Evidence, zone: Zone) -> Self {
        let (year, month, day) = (row.date / 10_000, row.date / 100 % 100, row.date % 100);
        Version {
            date: format!("{year:04}-{month:02}-{day:02}"),
            sealed_at: Time::new(zone, row.sealed_ms),
            started_at: Time::new(zone, row.started_ms),
            id: row.id,
            version: row.version,
            customer: row.customer,
            flow: row.flow,
            doctype: row.doctype,
            seq: row.seq,
            category: row.category,
            branch: row.branch,
            uploader: row.person,
            accession: row.accession,
            size_bytes: row.size_bytes,
            sha256: row.sha256,
            chunk_root: row.chunk_root,
            stored_size_bytes: row.stored_size_bytes,
            stored_blake3: row.stored_blake3,
            grade: row.grade,
            state: row.state,
            file_name: row.file_name,
            receipt: row.receipt,
        }
    }
}

/// Find evidence by what is known of it, in the token's reach.
#[utoipa::path(
    get,
    path = "/api/v1/evidence",
    tag = "evidence",
    params(Search),
    responses((status = 200, description = "A page of it", body = FoundPage))
)]
pub(super) fn search_evidence(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    let search = Search::of(visit)?;
    let found = console
        .room
        .search(&visit.who()?, &search.filter(), search.limit)?;
    let items = found.rows.into_iter().map(|row| FoundVersion {
        granted: found.viewable.contains(&row.id),
        version: Version::of(row, console.zone),
    });
    let page = FoundPage {
        items: items.collect(),
        next: found.next.map(|(date, receipt)| format!("{date}-{receipt}")),
    };
    json(StatusCode::OK, &page)
}

/// Everything about a piece of evidence but its content.
#[derive(Serialize, ToSchema)]
pub(super) struct EvidenceDetail {
    id: String,
    /// Oldest first.
    versions: Vec<VersionDetail>,
    /// Its custody events, in the order of the log.
    timeline: Vec<Event>,
    /// Who read it, newest first: everybody's for those who may see that, else the token's person's.
    readings: Vec<PastReading>,
    /// The live grants of the token's person that cover it.
    grants: Vec<Grant>,
    /// Log-in names of the people named here, by id.
    people: BTreeMap<String, String>,
}

/// A version with what came of it.
#[derive(Serialize, ToSchema)]
struct VersionDetail {
    #[serde(flatten)]
    version: Version,
    receipts: Vec<ReceiptRef>,
    inspections: Vec<Inspection>,
    /// What a manifest said of it, as written.
    declared: BTreeMap<String, String>,
    /// Copies made from it.
    copies: Vec<Copy>,
}

/// A receipt that an upload had.
#[derive(Serialize, ToSchema)]
struct ReceiptRef {
    number: u64,
    /// Such as `ACCEPTED`.
    outcome: String,
}

/// What an inspection came to.
#[derive(Serialize, ToSchema)]
struct Inspection {
    /// `gate` or `deep`.
    tier: String,
    /// `accepted`, `needs_review` or `rejected`.
    verdict: String,
    /// Codes of `docs/FINDINGS.md`, the gravest first.
    findings: Vec<String>,
    /// Version of the document types that judged it.
    types_version: i64,
    log_position: u64,
}

/// A copy made from a version.
#[derive(Serialize, ToSchema)]
struct Copy {
    /// `contact_sheet` or `playback`: what a reading of it names.
    form: String,
    media_type: String,
    size_bytes: i64,
    sha256: String,
    log_position: u64,
}

/// Something that happened to it.
#[derive(Serialize, ToSchema)]
struct Event {
    log_position: u64,
    /// Such as `evidence.sealed`.
    kind: String,
    /// Id of what it is about: the evidence or an accession.
    subject: String,
    /// Who caused it: a person's id, `operator` or `system`.
    actor: String,
    at: Time,
    /// What the log says of it.
    #[schema(value_type = Object)]
    facts: Map<String, Value>,
}

/// A reading of its content.
#[derive(Serialize, ToSchema)]
struct PastReading {
    id: String,
    log_position: u64,
    grant: String,
    /// Who, by id.
    person: String,
    version: i64,
    /// `original`, `contact_sheet` or `playback`.
    what: String,
    /// `view` or `export`.
    purpose: String,
    /// `sftp`, `console` or `api`.
    channel: String,
    started_at: Time,
    /// `null` while it goes on.
    ended_at: Option<Time>,
    /// Bytes that left.
    bytes: Option<i64>,
    /// Seconds that a player said it played.
    watched_s: Option<i64>,
}

fn detail(file: EvidenceFile, id: &str, console: &Console) -> Result<EvidenceDetail, Fault> {
    let zone = console.zone;
    let EvidenceFile {
        versions,
        mut receipts,
        mut inspections,
        mut derived,
        mut declared,
        mut facts,
        timeline,
        reads,
        grants,
        people,
    } = file;
    let versions = versions.into_iter().map(|row| {
        let number = row.version;
        let inspections = inspections.remove(&number).unwrap_or_default();
        let copies = derived.remove(&number).unwrap_or_default().into_iter();
        let receipts = receipts.remove(&number).unwrap_or_default().into_iter();
        Ok(VersionDetail {
            version: Version::of(row, zone),
            receipts: receipts
                .map(|(number, outcome)| ReceiptRef { number, outcome })
                .collect(),
            declared: declared.remove(&number).unwrap_or_default(),
            inspections: inspections
                .into_iter()
                .map(inspection)
                .collect::<Result<_, Fault>>()?,
            copies: copies
                .map(|copy| Copy {
                    form: copy.form,
                    media_type: copy.media_type,
                    size_bytes: copy.size_bytes,
                    sha256: copy.sha256,
                    log_position: copy.leaf,
                })
                .collect(),
        })
    });
    let versions = versions.collect::<Result<_, Fault>>()?;
    Ok(EvidenceDetail {
        id: id.to_owned(),
        versions,
        timeline: timeline
            .into_iter()
            .map(|entry| event(entry, &mut facts, zone))
            .collect(),
        readings: reads.into_iter().map(|read| past_reading(read, zone)).collect(),
        grants: Grant::all(console, grants)?,
        people,
    })
}

fn inspection(row: InspectionRow) -> Result<Inspection, Fault> {
    Ok(Inspection {
        tier: row.tier,
        verdict: row.verdict,
        findings: serde_json::from_str(&row.findings).map_err(Fault::internal)?,
        types_version: row.types_version,
        log_position: row.leaf,
    })
}

fn event(entry: Entry, facts: &mut BTreeMap<u64, Map<String, Value>>, zone: Zone) -> Event {
    Event {
        facts: facts.remove(&entry.leaf).unwrap_or_default(),
        log_position: entry.leaf,
        kind: entry.kind,
        subject: entry.subject,
        actor: entry.actor,
        at: Time::new(zone, entry.time_ms),
    }
}

fn past_reading(read: Read, zone: Zone) -> PastReading {
    PastReading {
        id: read.id,
        log_position: read.leaf,
        grant: read.grant,
        person: read.person,
        version: read.version,
        what: read.part,
        purpose: read.purpose,
        channel: read.channel,
        started_at: Time::new(zone, read.started_ms),
        ended_at: read.ended_ms.map(|ms| Time::new(zone, ms)),
        bytes: read.bytes,
        watched_s: read.watched_s,
    }
}

/// What a piece of evidence is: versions, inspections, custody, who read it.
#[utoipa::path(
    get,
    path = "/api/v1/evidence/{id}",
    tag = "evidence",
    params(("id" = String, Path, description = "Evidence id")),
    responses((status = 200, description = "All of it but the content", body = EvidenceDetail))
)]
pub(super) fn show_evidence(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    taken::no_query(visit)?;
    let id = visit.param("id")?;
    let file = console.room.evidence(&visit.who()?, id)?;
    json(StatusCode::OK, &detail(file, id, console)?)
}

/// A receipt, in one of its forms.
///
/// The leaf as it was logged, the text for people, or the proof.
#[utoipa::path(
    get,
    path = "/api/v1/evidence/{id}/receipts/{number}/{form}",
    tag = "evidence",
    params(
        ("id" = String, Path, description = "Evidence id"),
        ("number" = u64, Path, description = "Number of the receipt"),
        ("form" = ReceiptForm, Path, description = "Which form"),
    ),
    responses((
        status = 200,
        description = "The same bytes whenever it is fetched",
        content(
            (serde_json::Value = "application/json"),
            (String = "text/plain"),
        )
    ))
)]
pub(super) fn fetch_receipt(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    taken::no_query(visit)?;
    let wanted = visit.param("form")?;
    let form = Form::ALL.into_iter().find(|form| form.suffix() == wanted);
    let form = form.ok_or(Fault::NotFound)?;
    let number = visit.param("number")?.parse().map_err(|_| Fault::NotFound)?;
    let receipt = console.room.receipt(&visit.who()?, visit.param("id")?, number)?;
    let (media_type, bytes) = match form {
        Form::Json => ("application/json", receipt.json().to_vec()),
        Form::Text => ("text/plain; charset=utf-8", receipt.text(console.zone)),
        Form::Proof => {
            let proof = receipt.proof(&console.room.log).map_err(Fault::internal)?;
            ("text/plain; charset=utf-8", proof)
        }
    };
    Ok(([(header::CONTENT_TYPE, media_type)], bytes).into_response())
}

/// The forms of a receipt.
#[derive(ToSchema)]
#[schema(rename_all = "kebab-case")]
#[allow(dead_code, reason = "the document's name for `custody::receipt::Form`")]
pub(super) enum ReceiptForm {
    /// The leaf.
    Json,
    /// For people, in Chinese and English.
    Txt,
    /// C2SP tlog-proof, for `muniment-verify`.
    TlogProof,
}

/// What reading a version's stored files again came to.
#[derive(Serialize, ToSchema)]
pub(super) struct Verified {
    /// Whether nothing is wrong. What couldn't be looked at isn't wrong: see the checks.
    sound: bool,
    checks: Vec<Check>,
    /// Bytes that were read.
    bytes: u64,
    /// Position of the event that says so.
    log_position: u64,
}

/// One comparison.
#[derive(Serialize, ToSchema)]
struct Check {
    #[schema(inline)]
    what: ComparedWith,
    #[schema(inline)]
    outcome: CheckOutcome,
    /// The digest or position that was found, or why it failed.
    detail: String,
}

/// What is held against the log.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ComparedWith {
    Leaf,
    Catalogue,
    Body,
    Header,
    Record,
    Original,
}

/// How that came out.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum CheckOutcome {
    Passed,
    Failed,
    /// It couldn't be looked at, for instance because the decryption key is locked.
    NotChecked,
}

impl Check {
    fn of(check: check::Check) -> Self {
        Check {
            what: match check.what {
                Compared::Leaf => ComparedWith::Leaf,
                Compared::Catalogue => ComparedWith::Catalogue,
                Compared::Body => ComparedWith::Body,
                Compared::Header => ComparedWith::Header,
                Compared::Record => ComparedWith::Record,
                Compared::Original => ComparedWith::Original,
            },
            outcome: match check.outcome {
                Outcome::Passed => CheckOutcome::Passed,
                Outcome::Failed => CheckOutcome::Failed,
                Outcome::NotChecked => CheckOutcome::NotChecked,
            },
            detail: check.detail,
        }
    }
}

/// Verify a version now.
///
/// Its stored files are read again and held against the log. No content leaves; it takes as long as reading and decrypting
/// takes, and is put on record.
#[utoipa::path(
    post,
    path = "/api/v1/evidence/{id}/versions/{version}/verify",
    tag = "evidence",
    params(
        ("id" = String, Path, description = "Evidence id"),
        ("version" = u32, Path, description = "Version, from 1"),
    ),
    responses((status = 200, description = "Each check and how it came out", body = Verified))
)]
pub(super) fn verify_version(console: &Console, visit: &Visit) -> Result<Response, Fault> {
    taken::no_query(visit)?;
    let version = visit.param("version")?.parse().map_err(|_| Fault::NotFound)?;
    let checked = console
        .room
        .check_version(&visit.who()?, visit.param("id")?, version)?;
    let verified = Verified {
        sound: !checked.has_finding(),
        bytes: checked.bytes,
        log_position: checked.leaf,
        checks: checked.checks.into_iter().map(Check::of).collect(),
    };
    json(StatusCode::OK, &verified)
}
