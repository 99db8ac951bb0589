//! The auditor's view of the log: everything can be checked elsewhere, and a history that isn't ours can't be missed.

use super::*;
use crate::{
    custody::{
        sequencer::{CommitError, Proposed},
        testing::ORIGIN,
    },
    domain::event::Draft,
    tlog::{
        checkpoint::{self, Checkpoint},
        merkle::{Hash, verify_consistency},
        note::Note,
        proof::TlogProof,
    },
};

fn grow(office: &Office, by: usize) {
    for at in 0..by {
        let draft = Draft::new(Kind::StoreCapability, format!("s{at}"), "system").fact("immutable_flag", "x");
        office.fixture.vault.commit(draft);
    }
    office.settle();
}

fn own_key() -> SignerKey {
    signer(ORIGIN, Algorithm::Ed25519, 7)
}

fn signed_by(key: &SignerKey, origin: &str, size: u64, root: Hash) -> String {
    let other = Checkpoint {
        origin: origin.to_owned(),
        size,
        root,
        extensions: Vec::new(),
    };
    other.sign(key).unwrap().to_string()
}

fn is_stopped(office: &Office) -> bool {
    let draft = Draft::new(Kind::StoreCapability, "after", "system").fact("immutable_flag", "x");
    let committed = office
        .fixture
        .vault
        .custody
        .commit(move |_| Ok(Proposed { draft, place: None }));
    match committed {
        Ok(_) => false,
        Err(CommitError::Fenced(_)) => true,
        Err(error) => unreachable!("{error}"),
    }
}

#[test]
fn the_head_can_be_taken_away_and_checked() {
    let office = Office::new();
    let desk = office.visit("auditor");
    let page = desk.page("/log");
    let note = desk.page("/log/checkpoint");
    let key = desk.page("/log/key");
    let key = crate::tlog::key::VerifierKey::parse(key.trim_end()).unwrap();
    let opened = checkpoint::open(note.as_bytes(), &key, &[]).unwrap();
    let size = office.fixture.vault.log.published_size().unwrap();
    assert_eq!(opened.checkpoint.size, size);
    for said in [
        ORIGIN,
        &opened.checkpoint.root.to_string(),
        &key.id().to_string(),
        "muniment-verify log",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    assert!(page.contains("尚无见证签名"), "{page}");
    assert_eq!(desk.get("/log/witnessed").status, StatusCode::NOT_FOUND);

    let cosigned = checkpoint::cosign(note.as_bytes(), &key, &witness(), 1_785_224_000).unwrap();
    let line = &cosigned.signatures()[1];
    let signature = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        [&line.id.0, &line.bytes[..]].concat(),
    );
    office.fixture.vault.commit(
        Draft::new(Kind::Anchor, "anchor-1", "p-auditor")
            .fact("witness", line.name.as_str())
            .fact("size", size)
            .fact("root", opened.checkpoint.root.to_string())
            .fact("cosignature", signature),
    );
    office.settle();
    let page = desk.page("/log");
    assert!(
        page.contains("witness.example/w1") && page.contains("2026-07-28 15:33:20 +08:00"),
        "{page}"
    );
    let witnessed = desk.get("/log/witnessed");
    assert_eq!(witnessed.body, cosigned.to_string());
    let disposition = witnessed.headers[header::CONTENT_DISPOSITION].to_str().unwrap();
    assert!(disposition.starts_with("attachment; filename=\"checkpoint.witnessed\""));
}

#[test]
fn every_entry_is_listed_once_and_proves_its_place() {
    let office = Office::new();
    grow(&office, 120);
    let desk = office.visit("auditor");
    let mut seen = Vec::new();
    let mut next = Some("/log/entries".to_owned());
    while let Some(address) = next {
        let page = desk.page(&address);
        let links = page.split("href=\"/log/entries/").skip(1);
        seen.extend(links.map(|rest| rest.split('"').next().unwrap().parse::<u64>().unwrap()));
        next = page
            .split_once("rel=\"next\" href=\"")
            .map(|(_, rest)| rest.split('"').next().unwrap().to_owned());
    }
    let size = office.fixture.vault.log.published_size().unwrap();
    assert_eq!(seen, (0..size).rev().collect::<Vec<_>>());
    assert!(desk.page("/log/entries").contains("存储防改能力声明"));

    for index in [0, 3, size - 1] {
        let leaf = desk.page(&format!("/log/entries/{index}/leaf"));
        let proof = desk.page(&format!("/log/entries/{index}/tlog-proof"));
        let proof = TlogProof::parse(proof.as_bytes()).unwrap();
        assert_eq!(proof.index, index);
        let opened = proof
            .verify(leaf.as_bytes(), office.fixture.vault.log.verifier(), &[])
            .unwrap();
        assert_eq!(opened.checkpoint.size, size);
        let shown = desk.page(&format!("/log/entries/{index}"));
        let escaped = leaf.replace('"', "&quot;");
        assert!(shown.contains(&escaped), "{escaped} in {shown}");
    }
    for missing in [size.to_string(), "1000000".to_owned(), u64::MAX.to_string()] {
        for form in ["", "/leaf", "/tlog-proof"] {
            let path = format!("/log/entries/{missing}{form}");
            let status = desk.get(&path).status;
            assert!(
                status == StatusCode::NOT_FOUND || status == StatusCode::BAD_REQUEST,
                "{path} {status}"
            );
        }
    }
    for nonsense in ["-1", "x", "1e3", "%00", "99999999999999999999"] {
        let path = format!("/log/entries?from={nonsense}");
        assert_eq!(desk.get(&path).status, StatusCode::BAD_REQUEST, "{nonsense}");
    }
}

#[test]
fn a_state_that_the_log_went_through_is_consistent_and_the_proof_says_so_to_anybody() {
    let office = Office::new();
    let desk = office.visit("auditor");
    let kept = desk.page("/log/checkpoint");
    let same = desk.post("/log/consistency", &[("checkpoint", &kept)]);
    assert_eq!(same.status, StatusCode::OK);
    assert!(same.body.contains("一致：日志没有被改写"), "{}", same.body);
    keep("-sound", Lang::Zh, &same.body);
    grow(&office, 300);
    let mangled = format!("\u{feff}\n {}", kept.trim_end().replace('\n', "\r\n"));
    let proof = desk.page("/log/entries/3/tlog-proof");
    for (given, added) in [(&kept, 300), (&mangled, 300), (&proof, 0)] {
        let answer = desk.post("/log/consistency", &[("checkpoint", given)]);
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert!(answer.body.contains("一致：日志没有被改写"), "{}", answer.body);
        assert!(
            added == 0 || answer.body.contains("此后新增 300 条"),
            "{}",
            answer.body
        );
    }

    // As a file, which counts before what was pasted.
    let mut body = String::new();
    for (field, content) in [
        ("name=\"csrf\"", desk.secret.token().as_str()),
        ("name=\"checkpoint\"", "pasted"),
        ("name=\"file\"; filename=\"<b>kept\"", &kept),
    ] {
        body.push_str(&format!(
            "--B\r\nContent-Disposition: form-data; {field}\r\n\r\n{content}\r\n"
        ));
    }
    let cookie = session_cookie(&desk.secret);
    let head = [
        (header::COOKIE, cookie.as_str()),
        (header::ORIGIN, super::super::ORIGIN),
        (header::CONTENT_TYPE, "multipart/form-data; boundary=B"),
    ];
    let uploaded = request(
        Method::POST,
        "/log/consistency",
        &head,
        &format!("{body}--B--\r\n"),
    );
    let answer = office.fixture.send(uploaded);
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert!(answer.body.contains("一致：日志没有被改写"), "{}", answer.body);

    let answer = desk.post("/log/consistency", &[("checkpoint", &kept)]);
    let (_, rest) = answer.body.split_once("href=\"/log/consistency/proof?").unwrap();
    let query = rest.split('"').next().unwrap().replace("&amp;", "&");
    let text = desk.page(&format!("/log/consistency/proof?{query}"));
    let (head, note) = text.split_once("\n\n").unwrap();
    let new = checkpoint::open(note.as_bytes(), own_key().verifier(), &[])
        .unwrap()
        .checkpoint;
    let old = Checkpoint::parse(Note::parse(kept.as_bytes()).unwrap().text()).unwrap();
    let mut lines = head.lines();
    assert_eq!(lines.next(), Some("muniment-consistency/v1"));
    assert_eq!(lines.next().unwrap(), format!("old {} {}", old.size, old.root));
    assert_eq!(lines.next().unwrap(), format!("new {}", new.size));
    let hashes: Vec<Hash> = lines.map(|line| Hash::from_base64(line).unwrap()).collect();
    verify_consistency(old.size, &old.root, new.size, &new.root, &hashes).unwrap();
    for bad in ["", "old=1", "old=9&new=8", "old=1&new=100000", "old=x&new=2"] {
        let path = format!("/log/consistency/proof?{bad}");
        assert_eq!(desk.get(&path).status, StatusCode::NOT_FOUND, "{bad}");
    }
    assert!(!is_stopped(&office));
}

#[test]
fn what_says_nothing_about_this_log_is_told_apart_and_stops_nothing() {
    let office = Office::new();
    let desk = office.visit("auditor");
    let kept = desk.page("/log/checkpoint");
    let stranger = signer("other.example/log", Algorithm::Ed25519, 3);
    let forger = signer(ORIGIN, Algorithm::Ed25519, 8);
    let foreign = signed_by(&stranger, "other.example/log", 4, Hash([1; 32]));
    let unsigned = signed_by(&forger, ORIGIN, 1_000, Hash([1; 32]));
    let altered = kept.replacen("\n1", "\n2", 1);
    let cut = kept[..kept.len() / 2].to_owned();
    let long = "x".repeat(70 * 1024);
    for (given, said) in [
        ("", "这不是检查点"),
        ("hello", "这不是检查点"),
        (&cut, "这不是检查点"),
        ("<script>alert(1)</script>", "这不是检查点"),
        (&long, "内容过长"),
        (&foreign, "这是另一个日志的检查点"),
        (&unsigned, "没有本日志密钥的签名"),
        (&altered, "签名不正确"),
    ] {
        let answer = desk.post("/log/consistency", &[("checkpoint", given)]);
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{said}");
        assert!(
            answer.body.contains("未能核对") && answer.body.contains(said),
            "{said}"
        );
        assert!(!answer.body.contains("<script>"), "{}", answer.body);
    }
    // Another log's own name is a stranger's text.
    let name = "<b>x</b>";
    let hostile = signed_by(&signer(name, Algorithm::Ed25519, 3), name, 4, Hash([1; 32]));
    let answer = desk.post("/log/consistency", &[("checkpoint", &hostile)]);
    assert!(
        answer.body.contains("&lt;b&gt;x") && !answer.body.contains("<b>x"),
        "{}",
        answer.body
    );
    assert!(!is_stopped(&office));

    // A cosignature that was spoiled is said, and hides nothing.
    let cosigned = checkpoint::cosign(kept.as_bytes(), own_key().verifier(), &witness(), 1).unwrap();
    let mut spoiled = cosigned;
    let mut line = spoiled.signatures()[1].clone();
    line.bytes[20] ^= 1;
    spoiled.add_signature(line).unwrap();
    let answer = desk.post("/log/consistency", &[("checkpoint", &spoiled.to_string())]);
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.body.contains("其中一个见证签名不正确"), "{}", answer.body);
}

#[test]
fn a_fork_or_a_rollback_cannot_be_missed_and_stops_the_log() {
    for (ahead, said) in [(0, "日志历史被替换（分叉）"), (500, "日志被退回到旧状态")] {
        let office = Office::new();
        let desk = office.visit("auditor");
        let size = office.fixture.vault.log.published_size().unwrap();
        let other = signed_by(&own_key(), ORIGIN, size - 2 + ahead, Hash([1; 32]));
        let answer = desk.post("/log/consistency", &[("checkpoint", &other)]);
        assert_eq!(answer.status, StatusCode::CONFLICT);
        assert!(
            answer.body.contains("class=\"verdict bad\" role=\"alert\"") && answer.body.contains(said),
            "{}",
            answer.body
        );
        keep(&format!("-alarm-{ahead}"), Lang::Zh, &answer.body);
        assert!(answer.body.contains("请立即保全这份检查点"), "{}", answer.body);
        assert!(is_stopped(&office), "{said}");
        // The pages that show it go on answering.
        desk.page("/log");
    }
}
