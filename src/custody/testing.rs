//! A small vault for tests: a real catalogue and a real log, filled through the sequencer.

use super::{
    edge::Publisher,
    log_view::LogView,
    sequencer::{CommitError, Committed, Custody, Parts, Proposed, Sequencer},
};
use crate::{
    access::{
        ReadingRoom,
        checks::Checks,
        content::Contents,
        keyring::Keyring,
        live::LiveReads,
        refusals::Refusals,
        requests::{Approved, Narrowing},
        testing::{asked, who},
    },
    blob::layout::Layout,
    catalog::{Catalogue, Writer, people, receipts::ReceiptRow, search},
    crypto::{FileKey, Identity, Recipients, body},
    domain::{
        access::Purpose,
        event::{Draft, Kind, Leaf},
        hex,
        id::new_id,
        time::{Clock, Zone},
    },
    seal::{Sealer, StagedBody, VersionId, placer},
    tlog::{
        key::{Algorithm, SignerKey},
        store::LogDir,
    },
};
use ring::{digest, rand::SystemRandom};
use serde_json::json;
use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};
use zeroize::Zeroizing;

/// 2026-07-28 15:42:07 +08:00.
pub(crate) const NOW_MS: i64 = 1_785_224_527_000;
pub(crate) const ORIGIN: &str = "muniment.example/test";
pub(crate) const SHA: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
pub(crate) const OTHER_SHA: &str = "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752";

/// A clock that stands where it is put.
#[derive(Default)]
pub(crate) struct TestClock(pub(crate) AtomicI64);

impl Clock for TestClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl TestClock {
    pub(crate) fn advance(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }
}

pub(crate) struct TestVault {
    _folder: tempfile::TempDir,
    pub(crate) layout: Layout,
    pub(crate) catalogue: Catalogue,
    pub(crate) custody: Custody,
    pub(crate) log: LogView,
    pub(crate) clock: Arc<TestClock>,
    /// Opens what [`TestVault::seal_original`] sealed.
    pub(crate) identity: Identity,
    sequencer: Sequencer,
}

/// An original to be sealed by the real functions.
#[derive(Clone, Copy)]
pub(crate) struct Original<'a> {
    pub(crate) by: &'a str,
    /// Another version of this evidence, or a new one.
    pub(crate) of: Option<&'a str>,
    /// Inbox path.
    pub(crate) path: &'a str,
    pub(crate) customer: &'a str,
    pub(crate) flow: &'a str,
    pub(crate) doctype: &'a str,
    pub(crate) date: i64,
    /// What a manifest said besides.
    pub(crate) said: &'a [(&'a str, &'a str)],
    /// What the inspection at the gate came to, as leaf and record have it.
    pub(crate) inspection: Option<(&'a str, &'a str)>,
    pub(crate) bytes: &'a [u8],
}

impl Default for Original<'_> {
    fn default() -> Self {
        Original {
            by: "zhang.san",
            of: None,
            path: "000100012345_20260728_A0098877_WVID_01.mp4",
            customer: "000100012345",
            flow: "A0098877",
            doctype: "WVID",
            date: 20_260_728,
            said: &[],
            inspection: None,
            bytes: b"what the camera saw",
        }
    }
}

/// The key of a person of [`TestVault::user`].
pub(crate) fn fingerprint(person: &str) -> String {
    format!("SHA256:{person:A<43}")
}

pub(crate) fn signer(name: &str, algorithm: Algorithm, seed: u8) -> SignerKey {
    SignerKey::from_seed(name, algorithm, Zeroizing::new([seed; 32])).unwrap()
}

impl TestVault {
    /// Two branches, a clerk in each, and an auditor.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path().join("vault"));
        layout.create_folders().unwrap();
        let path = layout.catalog();
        let writer = Writer::create(&path, ORIGIN).unwrap();
        let signer = signer(ORIGIN, Algorithm::Ed25519, 7);
        let verifier = signer.verifier().clone();
        let clock = Arc::new(TestClock(AtomicI64::new(NOW_MS)));
        let (placer, _) = std::sync::mpsc::channel();
        let reopened = path.clone();
        let parts = Parts {
            writer,
            reopen: Box::new(move || Writer::open(&reopened)),
            signer,
            origin: ORIGIN.to_owned(),
            zone: Zone::default(),
            clock: clock.clone(),
            random: Arc::new(SystemRandom::new()),
            stopped_file: layout.log_stopped(),
            placer,
        };
        let catalogue = Catalogue::open(&path).unwrap();
        let publisher = Publisher::new(layout.log()).unwrap();
        let (sequencer, custody) = Sequencer::start(parts, publisher, catalogue.clone()).unwrap();
        let log = LogView::new(catalogue.clone(), LogDir::new(layout.log()), verifier).beside(&custody);
        let vault = TestVault {
            _folder: folder,
            layout,
            catalogue,
            custody,
            log,
            clock,
            identity: Identity::generate(),
            sequencer,
        };
        for branch in ["0101", "0202"] {
            vault.commit(
                Draft::new(Kind::BranchAdded, format!("b{branch}"), "operator")
                    .fact("branch", branch)
                    .commit("name", format!("营业部 {branch}")),
            );
        }
        vault.user("zhang.san", &["uploader"], Some("0101"));
        vault.user("li.na", &["uploader"], Some("0202"));
        vault.user("audit", &["auditor"], None);
        vault
    }

    /// The retrieval side, locked.
    pub(crate) fn room(&self) -> Arc<ReadingRoom> {
        self.room_with(&self.identity, Keyring::locked())
    }

    /// The retrieval side with this keyring; what it seals opens with this identity.
    pub(crate) fn room_with(&self, identity: &Identity, keyring: Keyring) -> Arc<ReadingRoom> {
        let random: Arc<SystemRandom> = Arc::new(SystemRandom::new());
        Arc::new(ReadingRoom {
            contents: Contents::new(self.layout.clone(), self.catalogue.clone(), keyring),
            log: self.log.clone(),
            checks: Checks::default(),
            refusals: Refusals::new(self.custody.clone(), self.clock.clone(), random.clone()),
            reads: LiveReads::start(self.custody.clone(), self.clock.clone(), random.clone()).unwrap(),
            catalogue: self.catalogue.clone(),
            custody: self.custody.clone(),
            sealer: Sealer::new(
                Recipients::new(&[identity.recipient()]).unwrap(),
                random.clone(),
                self.layout.clone(),
            ),
            layout: self.layout.clone(),
            clock: self.clock.clone(),
            random,
            zone: Zone::default(),
        })
    }

    pub(crate) fn commit(&self, draft: Draft) -> Committed {
        self.custody
            .commit(move |_| Ok(Proposed { draft, place: None }))
            .unwrap()
    }

    /// Returns when everything that was committed before is published.
    pub(crate) fn catch_up(&self) {
        // Proposals go in order after what came before, and one that is refused leaves no trace.
        assert!(self.custody.commit(|_| Err(CommitError::Stopped)).is_err());
        self.custody.published().catch_up();
    }

    /// Every leaf of the log so far: of everything that was answered before.
    pub(crate) fn leaves(&self) -> Vec<Leaf> {
        self.catch_up();
        let size = self.log.published_size().unwrap();
        (0..size)
            .map(|index| serde_json::from_slice(&self.log.leaf(index).unwrap()).unwrap())
            .collect()
    }

    /// A person whose id is `p-<name>`.
    pub(crate) fn user(&self, name: &str, roles: &[&str], branch: Option<&str>) {
        let key = fingerprint(name);
        let mut draft = Draft::new(Kind::UserAdded, format!("u-{name}"), "operator")
            .fact("person", format!("p-{name}"))
            .fact("roles", roles.to_vec())
            .fact("keys", vec![key.clone()])
            .commit("name", name)
            .commit("nda", "NDA-1")
            .private("keys", json!({ key: "ssh-ed25519 AAAA" }));
        if let Some(branch) = branch {
            draft = draft.fact("branch", branch);
        }
        self.commit(draft);
    }

    pub(crate) fn disable(&self, name: &str) {
        self.commit(
            Draft::new(Kind::UserDisabled, format!("d-{name}"), "operator")
                .fact("person", format!("p-{name}")),
        );
    }

    /// What every event about an upload has.
    pub(crate) fn upload(&self, kind: Kind, id: &str, name: &str, path: &str) -> Draft {
        let person = self
            .catalogue
            .read(|connection| people::by_name(connection, name))
            .unwrap()
            .unwrap();
        Draft::new(kind, id, person.id.as_str())
            .fact("person", person.id.as_str())
            .fact("branch", person.branch.unwrap())
            .fact("key", fingerprint(name))
            .fact("size_bytes", 209_715_200)
            .fact("sha256", SHA)
            .fact("started_ms", NOW_MS - 65_000)
            .commit("path", path)
            .private("path_raw", crate::domain::hex::encode(path))
    }

    /// Seals version 1 of a video.
    pub(crate) fn seal(&self, name: &str, path: &str, flow: &str) -> Committed {
        let draft = self
            .upload(Kind::EvidenceSealed, &format!("a-{name}-{flow}"), name, path)
            .fact("evidence", format!("e-{flow}"))
            .fact("version", 1)
            .fact("category", "customer")
            .fact("doctype", "WVID")
            .fact("grade", "server_only")
            .fact("stored_size_bytes", 209_766_432)
            .fact("stored_blake3", OTHER_SHA)
            .fact("date", 20_260_728)
            .commit("customer", "000100012345")
            .commit("flow", flow)
            .commit("seq", "1");
        self.commit(draft)
    }

    /// Seals an original and puts its files in their places.
    pub(crate) fn seal_original(&self, original: Original<'_>) -> search::Evidence {
        let random = SystemRandom::new();
        let id = || new_id(&random, self.clock.now_ms()).unwrap();
        let (accession, evidence) = (id(), original.of.map_or_else(id, str::to_owned));
        let newest = self
            .catalogue
            .read(|connection| search::newest_version(connection, &evidence));
        let version = u32::try_from(newest.unwrap() + 1).unwrap();
        let file_key = FileKey::generate(&random).unwrap();
        let stored = body::seal(&file_key, &random, original.bytes).unwrap();
        fs::write(self.layout.staged(&accession).unwrap(), &stored).unwrap();
        let mut draft = self
            .upload(Kind::EvidenceSealed, &accession, original.by, original.path)
            .fact("evidence", evidence.as_str())
            .fact("version", version)
            .fact("category", "customer")
            .fact("doctype", original.doctype)
            .fact("grade", "declared")
            .fact("size_bytes", original.bytes.len())
            .fact(
                "sha256",
                hex::encode(digest::digest(&digest::SHA256, original.bytes)),
            )
            .fact("stored_size_bytes", stored.len())
            .fact("stored_blake3", hex::encode(blake3::hash(&stored).as_bytes()))
            .fact("date", original.date)
            .commit("customer", original.customer)
            .commit("flow", original.flow)
            .commit("seq", "01")
            .private(
                "fields",
                original.said.iter().copied().collect::<serde_json::Value>(),
            );
        if let Some((verdict, whole)) = original.inspection {
            let whole: serde_json::Value = serde_json::from_str(whole).unwrap();
            let findings = whole["findings"].as_array().unwrap();
            let codes: Vec<_> = findings.iter().map(|finding| finding["code"].clone()).collect();
            draft = draft
                .fact("verdict", verdict)
                .fact("types_version", 1)
                .fact("findings", codes)
                .private("inspection", whole);
        }
        let version_id = VersionId {
            customer: original.customer.to_owned(),
            evidence: evidence.clone(),
            version,
        };
        let staged = StagedBody {
            accession,
            size_bytes: stored.len() as u64,
        };
        let recipients = Recipients::new(&[self.identity.recipient()]).unwrap();
        let sealer = Sealer::new(recipients, Arc::new(SystemRandom::new()), self.layout.clone());
        let place = Some(sealer.evidence(staged, sealer.wrap(file_key), version_id));
        self.custody
            .commit(move |_| Ok(Proposed { draft, place }))
            .unwrap();
        placer::place_all(&self.catalogue, &self.custody, &self.layout);
        self.catch_up();
        let row = |connection: &rusqlite::Connection| search::version(connection, &evidence, version);
        self.catalogue.read(row).unwrap().unwrap()
    }

    /// Gives a person leave to read for an hour, by the real request and its approval.
    pub(crate) fn grant(
        &self,
        room: &ReadingRoom,
        person: &str,
        approver: &str,
        evidence: &[&str],
        purpose: Purpose,
    ) -> String {
        let filed = room.file_request(&who(person), asked(evidence, purpose)).unwrap();
        let decided = room.approve_request(&who(approver), &filed, Narrowing::default());
        match decided.unwrap() {
            Approved::Granted(grant) => grant,
            Approved::Endorsed => panic!("an emergency takes two"),
        }
    }

    /// An upload that waits to be completed.
    pub(crate) fn wait(&self, name: &str, id: &str, path: &str) -> Committed {
        let draft = self
            .upload(Kind::AccessionReceived, id, name, path)
            .fact("reason", "truncated")
            .fact("expires_ms", NOW_MS + 72 * 3_600_000)
            .private("reason_en", "the file ends early; resume the upload")
            .private("reason_zh", "文件不完整，请续传");
        self.commit(draft)
    }

    pub(crate) fn receipt_row(&self, number: u64) -> ReceiptRow {
        self.catalogue
            .read(|connection| crate::catalog::receipts::by_number(connection, number))
            .unwrap()
            .unwrap()
    }

    /// Replies come before the log's files are written; this ends the thread, and so comes after both.
    pub(crate) fn settle_log(&mut self) {
        self.sequencer.stop();
    }
}
