//! The API as a broker's own systems meet it. Every answer of every test is held against the document.

mod document;
mod tokens;
mod walk;

use super::*;
use crate::{
    access::{
        authorizer::Who,
        credentials::{Code, token},
        keyring::Keyring,
        refusal::Refusal as No,
        requests::Narrowing,
    },
    crypto::{FileKey, Identity, Recipients, body, header as key_header},
    custody::sequencer::Proposed,
    domain::{
        event::{Draft, Kind, Leaf},
        hex,
        id::new_id,
    },
};
use document::Document;
use serde_json::{Value, json};
use std::fs;

const CUSTOMER: &str = "000100012345";
const DAY_MS: i64 = 24 * 3_600_000;

/// A console over a vault whose key is unlocked, with one piece of evidence of branch 0101 that has content.
struct Api {
    fixture: Fixture,
    document: Document,
    evidence: String,
    plain: String,
}

/// A token: its id, and what a program sends.
struct Token {
    id: String,
    text: String,
}

impl Api {
    fn new() -> Self {
        let vault = TestVault::new();
        vault.user("chen", &["retriever", "approver"], Some("0101"));
        vault.user("luo", &["retriever"], Some("0202"));
        vault.user("wang", &["approver"], None);
        let identity = Identity::generate();
        let room = vault.room_with(&identity, Keyring::of(vec![identity.clone()]));
        let fixture = Fixture::reading_in(vault, room, routes());
        let plain: String = ('a'..='z').cycle().take(200_000).collect();
        let mut api = Api {
            evidence: String::new(),
            document: Document::default(),
            fixture,
            plain,
        };
        api.evidence = api.seal(&identity);
        api
    }

    fn room(&self) -> &ReadingRoom {
        &self.fixture.console.room
    }

    fn id(&self) -> String {
        new_id(
            &SystemRandom::new(),
            self.fixture
                .vault
                .clock
                .0
                .load(std::sync::atomic::Ordering::Relaxed),
        )
        .unwrap()
    }

    fn seal(&self, identity: &Identity) -> String {
        let (vault, random, evidence) = (&self.fixture.vault, SystemRandom::new(), self.id());
        let key = FileKey::generate(&random).unwrap();
        let stored = body::seal(&key, &random, self.plain.as_bytes()).unwrap();
        let layout = &vault.layout;
        for (path, bytes) in [
            (
                layout.header(&evidence, 1).unwrap(),
                key_header::wrap(&key, &Recipients::new(&[identity.recipient()]).unwrap()).unwrap(),
            ),
            (layout.content(CUSTOMER, &evidence, 1).unwrap(), stored.clone()),
            (
                layout.record(CUSTOMER, &evidence, 1).unwrap(),
                body::seal(&key, &random, b"{}").unwrap(),
            ),
        ] {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        let draft = vault
            .upload(Kind::EvidenceSealed, &self.id(), "zhang.san", "inbox/合同.mp4")
            .fact("evidence", evidence.as_str())
            .fact("version", 1)
            .fact("category", "customer")
            .fact("doctype", "WVID")
            .fact("grade", "server_only")
            .fact("size_bytes", self.plain.len())
            .fact("sha256", self.sha256())
            .fact("stored_size_bytes", stored.len())
            .fact("stored_blake3", blake3::hash(&stored).to_hex().as_str())
            .fact("date", 20_260_728)
            .commit("customer", CUSTOMER)
            .commit("flow", "A0098877")
            .commit("seq", "1");
        vault.commit(draft);
        evidence
    }

    fn sha256(&self) -> String {
        hex::encode(ring::digest::digest(&ring::digest::SHA256, self.plain.as_bytes()))
    }

    /// A token of a person, as the operator issues it.
    fn token(&self, name: &str, roles: &[&str], days: u32) -> Token {
        let secret = Code::token(&SystemRandom::new()).unwrap();
        let kept = Code::sent(secret.plain()).unwrap();
        let (id, name) = (self.id(), name.to_owned());
        let new = token::NewToken {
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            days,
            label: "archive system".to_owned(),
        };
        let issued = id.clone();
        let done = self.fixture.vault.custody.commit(move |turn| {
            let person = people::by_name(turn.connection, &name).unwrap().unwrap();
            let draft = token::issue(
                turn.connection,
                &issued,
                "operator",
                &person,
                &new,
                &kept,
                turn.time_ms,
            );
            Ok(Proposed {
                draft: draft.unwrap(),
                place: None,
            })
        });
        done.unwrap();
        Token {
            text: token::text(&id, &secret).to_string(),
            id,
        }
    }

    /// Asks with a token, and holds the answer against the document.
    fn ask(&self, token: &Token, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let bearer = format!("Bearer {}", token.text);
        self.ask_with(&[(header::AUTHORIZATION, &bearer)], method, path, body)
    }

    fn ask_with(
        &self,
        fields: &[(header::HeaderName, &str)],
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Answer {
        let mut fields = fields.to_vec();
        let text = body.map(Value::to_string).unwrap_or_default();
        if body.is_some() {
            fields.push((header::CONTENT_TYPE, "application/json"));
        }
        let answer = self.fixture.send(request(method.clone(), path, &fields, &text));
        self.document.check(&method, path, body, &answer);
        answer
    }

    fn get(&self, token: &Token, path: &str) -> Answer {
        self.ask(token, Method::GET, path, None)
    }

    fn post(&self, token: &Token, path: &str, body: &Value) -> Answer {
        self.ask(token, Method::POST, path, Some(body))
    }

    /// Nothing but an address.
    fn do_it(&self, token: &Token, path: &str) -> Answer {
        self.ask(token, Method::POST, path, None)
    }

    fn filing(&self, purpose: &str) -> Value {
        json!({
            "evidence": [self.evidence],
            "purpose": purpose,
            "basis": "regulator",
            "reason": "证监局现场检查",
            "duration_s": 3_600,
        })
    }

    /// A grant for a person, asked for by a token and approved by somebody else; its id.
    fn granted(&self, token: &Token, purpose: &str) -> String {
        let filed = self.post(token, "/api/v1/requests", &self.filing(purpose)).json();
        let id = filed["id"].as_str().unwrap();
        self.room()
            .approve_request(&Who::person("p-wang"), id, Narrowing::default())
            .unwrap();
        let shown = self.get(token, &format!("/api/v1/requests/{id}")).json();
        shown["grant"].as_str().unwrap().to_owned()
    }

    /// A reading that a token opened; its id.
    fn reading(&self, token: &Token) -> String {
        let opened = self.post(token, "/api/v1/readings", &self.opening());
        assert_eq!(opened.status, StatusCode::CREATED, "{}", opened.body);
        opened.json()["id"].as_str().unwrap().to_owned()
    }

    fn opening(&self) -> Value {
        json!({ "evidence": self.evidence, "version": 1 })
    }

    fn leaves(&self, kind: Kind) -> Vec<Leaf> {
        // What a commit tells comes before the log's files are there; another commit comes after them.
        self.fixture
            .vault
            .commit(Draft::new(Kind::UserDisabled, self.id(), "operator").fact("person", "p-li.na"));
        let leaves = self.fixture.vault.leaves().into_iter();
        leaves.filter(|leaf| leaf.kind == kind).collect()
    }
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// Status and code of a problem.
    fn problem(&self) -> (u16, String) {
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16(), "{problem}");
        (self.status.as_u16(), problem["code"].as_str().unwrap().to_owned())
    }
}

fn no(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}
