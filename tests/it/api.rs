//! The API of a real server, as a broker's own system uses it: curl, a token from the command line, and people who decide at
//! the console.

use crate::support::{
    CLERK, PASSPHRASE, TestVault, media, server::wait_for, sha256, visitor::Answer, visitor::Visitor,
};
use serde_json::{Value, json};

const RETRIEVER: &str = "chen.jing";
const APPROVER: &str = "wang.fang";
const PAGE: &str = "000100012345_20260728_A0098877_IDF_01.jpg";

/// A program with a token.
struct Program {
    curl: Visitor,
    authorization: String,
}

impl Program {
    fn of(vault: &TestVault, name: &str, role: &str) -> (Self, String) {
        let words = [
            "token",
            "issue",
            name,
            "--role",
            role,
            "--days",
            "1",
            "--label",
            "archive system",
        ];
        let issued = vault.muniment_json(&words);
        let program = Program {
            curl: Visitor::nobody(vault),
            authorization: format!("Authorization: Bearer {}", issued["token"].as_str().unwrap()),
        };
        (program, issued["id"].as_str().unwrap().to_owned())
    }

    fn ask(&self, path: &str, words: &[&str]) -> Answer {
        let words = [&["-H", self.authorization.as_str()], words].concat();
        self.curl.ask(&format!("/api/v1{path}"), &words)
    }

    fn get(&self, path: &str) -> Value {
        let answer = self.ask(path, &[]);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        serde_json::from_slice(&answer.body).unwrap()
    }

    fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let (json, body) = ("Content-Type: application/json", body.to_string());
        let answer = self.ask(path, &["-H", json, "--data-binary", &body]);
        (answer.status, serde_json::from_slice(&answer.body).unwrap())
    }
}

#[test]
fn a_program_fetches_what_a_person_approved_and_nothing_after_its_token_is_revoked() {
    let mut vault = TestVault::retrieving();
    vault.add_user(RETRIEVER, &["retriever"], None);
    vault.add_user(APPROVER, &["approver"], None);
    vault.serve_unlocked(&format!("{PASSPHRASE}\n"));
    let original = media::jpeg(300_000, 1);
    vault.upload(CLERK, PAGE, &original).ok();
    wait_for("the page to be sealed", || {
        (vault.evidence().len() == 1).then_some(())
    });
    // First, because joining ends the tokens of before.
    let person = Visitor::signed_in(&vault, RETRIEVER);
    let (program, token) = Program::of(&vault, RETRIEVER, "retriever");
    assert_eq!(program.get("/me")["token"]["id"], token.as_str());

    let found = program.get("/evidence?customer=000100012345&doctype=IDF");
    let id = found["items"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(found["items"][0]["sha256"], sha256(&original));
    // The proof is what the auditor's program takes.
    let number = &found["items"][0]["receipt"];
    let saved = ["tlog-proof", "json"].map(|form| {
        let receipt = program.ask(&format!("/evidence/{id}/receipts/{number}/{form}"), &[]);
        vault.file(format!("receipt.{form}"), &receipt.body)
    });
    let key = vault.log_public_key();
    let words = [
        "receipt",
        saved[1].to_str().unwrap(),
        "--key",
        key.to_str().unwrap(),
    ];
    vault.verify(&words).ok();
    wait_for("every file to be in its place and checked", || {
        let path = format!("/evidence/{id}/versions/1/verify");
        let verified = program.ask(&path, &["-X", "POST"]);
        let verified: Value = serde_json::from_slice(&verified.body).unwrap();
        assert_eq!(verified["sound"], true, "{verified}");
        let mut outcomes = verified["checks"].as_array().unwrap().iter();
        outcomes.all(|check| check["outcome"] == "passed").then_some(())
    });

    let filing = json!({
        "evidence": [id], "purpose": "export", "basis": "regulator", "reason": "证监局现场检查", "duration_s": 3_600,
    });
    let opening = json!({ "evidence": id, "version": 1 });
    let (status, refused) = program.post("/readings", &opening);
    assert_eq!((status, &refused["code"]), (403, &json!("no_grant")));
    let (status, filed) = program.post("/requests", &filing);
    assert_eq!((status, &filed["state"]), (201, &json!("pending")));
    let request = filed["id"].as_str().unwrap();
    let approver = Visitor::signed_in(&vault, APPROVER);
    let approved = approver.post(&format!("/requests/{request}/approve"), &[]);
    assert_eq!(approved.status, 303, "{}", approved.text());
    wait_for("the approval", || {
        let request = program.get(&format!("/requests/{request}"));
        (request["state"] == "approved").then_some(())
    });

    let (status, opened) = program.post("/readings", &opening);
    assert_eq!(status, 201, "{opened}");
    assert_eq!(opened["sha256"], sha256(&original));
    let reading = opened["id"].as_str().unwrap();
    let read = vault.leaves("access.read").remove(0);
    assert_eq!(
        (&read["id"], &read["data"]["channel"]),
        (&json!(reading), &json!("api"))
    );
    let content = format!("/readings/{reading}/content");
    let whole = program.ask(&content, &[]);
    assert!(whole.status == 200 && whole.body == original, "{}", whole.head);
    let part = program.ask(&content, &["-r", "100000-"]);
    assert!(
        part.status == 206 && part.body == original[100_000..],
        "{}",
        part.head
    );

    // Another program of the same person, and the person at the console, don't have this reading.
    let (other, _) = Program::of(&vault, RETRIEVER, "retriever");
    assert_eq!(other.ask(&content, &[]).status, 404);
    assert_eq!(person.get(&content).status, 404);
    assert_eq!(person.get(&format!("/api/v1{content}")).status, 401);

    vault.muniment(&["token", "revoke", &token]).ok();
    let answer = program.ask(&content, &[]);
    assert_eq!(answer.status, 401, "{}", answer.text());
    let ended = wait_for("the end of the reading on record", || {
        vault.leaves("access.read_ended").pop()
    });
    assert_eq!(ended["data"]["why"], "session_over");
    assert_eq!(ended["data"]["bytes"], 500_000);
    vault.stop();
}
