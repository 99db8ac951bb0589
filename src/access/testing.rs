//! A reading room over a small vault with sealed evidence in it, people of each kind, and a clock that stands.

use super::{
    ReadingRoom,
    authorizer::Who,
    keyring::Keyring,
    live::Reading,
    reading::{Channel, Wanted, What},
    refusal::{AccessError, Refusal},
    requests::{Approved, Narrowing, NewRequest},
};
use crate::{
    crypto::{FileKey, Identity, Recipients, body, header},
    custody::testing::TestVault,
    domain::{
        access::{Basis, Purpose},
        event::{Draft, Kind, Leaf},
        hex,
    },
};
use ring::{
    digest::{SHA256, digest},
    rand::SystemRandom,
};
use serde_json::json;
use std::{fs, path::PathBuf, sync::Arc};

pub(crate) const CUSTOMER: &str = "000100012345";
/// How long access is asked for, in seconds.
pub(crate) const HOUR_S: i64 = 3_600;

/// Uploaders `zhang.san` (0101) and `li.na` (0202), retrievers `finder` (0101) and `seeker` (0202), approvers `lead` (0101),
/// `boss` and `chief` (head office), auditor `audit`, `ops`.
pub(crate) struct Desk {
    pub(crate) vault: TestVault,
    pub(crate) identity: Identity,
    pub(crate) keyring: Keyring,
    pub(crate) room: Arc<ReadingRoom>,
}

pub(crate) fn who(name: &str) -> Who {
    Who::person(format!("p-{name}"))
}

pub(crate) fn wanted(evidence: &str, purpose: Purpose) -> Wanted {
    Wanted {
        evidence: evidence.to_owned(),
        version: 1,
        what: What::Original,
        purpose,
        channel: Channel::Console,
        holder: "session".to_owned(),
    }
}

pub(crate) fn asked(evidence: &[&str], purpose: Purpose) -> NewRequest {
    NewRequest {
        evidence: evidence.iter().map(|id| (*id).to_owned()).collect(),
        purpose,
        basis: Some(Basis::Regulator),
        reason: "监管调阅 letter 12".to_owned(),
        duration_s: HOUR_S,
        emergency: false,
        form: None,
    }
}

/// The refusal, or the test fails.
#[track_caller]
pub(crate) fn refusal<T>(result: Result<T, AccessError>) -> Refusal {
    match result {
        Err(AccessError::Refused(refusal)) => refusal,
        Err(other) => panic!("{other:?} is no refusal"),
        Ok(_) => panic!("this was permitted"),
    }
}

/// Bytes that are the same each time, and different at each place.
pub(crate) fn plain(length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| (at % 251) as u8 ^ (at / 65_536) as u8)
        .collect()
}

impl Desk {
    pub(crate) fn new() -> Self {
        let vault = TestVault::new();
        for (name, role, branch) in [
            ("finder", "retriever", Some("0101")),
            ("seeker", "retriever", Some("0202")),
            ("lead", "approver", Some("0101")),
            ("boss", "approver", None),
            ("chief", "approver", None),
            ("ops", "sysadmin", None),
        ] {
            vault.user(name, &[role], branch);
        }
        let identity = Identity::generate();
        let keyring = Keyring::of(vec![identity.clone()]);
        Desk {
            room: vault.room_with(&identity, keyring.clone()),
            vault,
            identity,
            keyring,
        }
    }

    /// Seals version 1 of `e-<flow>`, as a clerk's upload becomes.
    pub(crate) fn seal(&self, clerk: &str, flow: &str, bytes: &[u8]) -> String {
        let name = format!("{CUSTOMER}_20260728_{flow}_WVID_01.mp4");
        self.seal_version(clerk, flow, 1, &name, bytes)
    }

    /// The same with another version or name.
    pub(crate) fn seal_version(
        &self,
        clerk: &str,
        flow: &str,
        version: u32,
        name: &str,
        bytes: &[u8],
    ) -> String {
        self.seal_declared(clerk, (flow, version, name), json!({}), bytes)
    }

    /// The same with what a manifest said besides.
    pub(crate) fn seal_declared(
        &self,
        clerk: &str,
        (flow, version, name): (&str, u32, &str),
        fields: serde_json::Value,
        bytes: &[u8],
    ) -> String {
        let (random, evidence) = (SystemRandom::new(), format!("e-{flow}"));
        let key = FileKey::generate(&random).unwrap();
        let put = |path: PathBuf, bytes: &[u8]| {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        };
        let layout = &self.vault.layout;
        let stored = body::seal(&key, &random, bytes).unwrap();
        let wrapped = header::wrap(&key, &Recipients::new(&[self.identity.recipient()]).unwrap()).unwrap();
        put(layout.header(&evidence, version).unwrap(), &wrapped);
        put(layout.content(CUSTOMER, &evidence, version).unwrap(), &stored);
        let draft = self
            .vault
            .upload(Kind::EvidenceSealed, &format!("a-{flow}-{version}"), clerk, name)
            .fact("size_bytes", bytes.len())
            .fact("sha256", hex::encode(digest(&SHA256, bytes)))
            .fact("evidence", evidence.as_str())
            .fact("version", version)
            .fact("category", "customer")
            .fact("doctype", "WVID")
            .fact("grade", "server_only")
            .fact("stored_size_bytes", stored.len())
            .fact("stored_blake3", hex::encode(blake3::hash(&stored).as_bytes()))
            .fact("date", 20_260_728)
            .commit("customer", CUSTOMER)
            .commit("flow", flow)
            .commit("seq", "1")
            .private("fields", fields);
        self.vault.commit(draft);
        evidence
    }

    /// The stored body of version 1.
    pub(crate) fn body(&self, evidence: &str) -> PathBuf {
        self.vault.layout.content(CUSTOMER, evidence, 1).unwrap()
    }

    /// A grant for this person, asked for by them and given by `boss`.
    pub(crate) fn granted(&self, name: &str, evidence: &[&str], purpose: Purpose) -> String {
        let request = self
            .room
            .file_request(&who(name), asked(evidence, purpose))
            .unwrap();
        match self
            .room
            .approve_request(&who("boss"), &request, Narrowing::default())
        {
            Ok(Approved::Granted(grant)) => grant,
            other => panic!("no grant: {other:?}"),
        }
    }

    pub(crate) fn open(&self, name: &str, evidence: &str, purpose: Purpose) -> Arc<Reading> {
        self.room.open(&who(name), &wanted(evidence, purpose)).unwrap()
    }

    /// Leaves of a kind, as they are in the log by now.
    pub(crate) fn leaves(&self, kind: Kind) -> Vec<Leaf> {
        // A reply comes before its publication; the next one comes after it.
        self.vault
            .commit(Draft::new(Kind::FixityChecked, "tick", "operator").fact("objects", 1));
        let mut leaves = self.vault.leaves();
        leaves.retain(|leaf| leaf.kind == kind);
        leaves
    }

    /// What was refused so far, and why: every refusal since, counted ones too.
    pub(crate) fn refused(&self) -> Vec<(String, String)> {
        self.room.refusals.sweep(true);
        let leaves = self.leaves(Kind::AccessRefused);
        let said = |leaf: &Leaf, fact: &str| leaf.text(fact).unwrap_or_default().to_owned();
        leaves
            .iter()
            .map(|leaf| (said(leaf, "what"), said(leaf, "why")))
            .collect()
    }

    /// Waits for the recorder: the ends of readings are committed when this returns, and no further reading is recorded.
    pub(crate) fn stop(&self) {
        self.room.stop();
    }
}
