//! A request with the scan of its signed form, by two people at the real console: kept encrypted, given back as it was, and only
//! to who may see the request.

use crate::support::{PASSPHRASE, TestVault, visitor::Visitor, visitor::between};
use std::fs;

const RETRIEVER: &str = "chen.jing";
const APPROVER: &str = "wang.fang";
const CLERK: &str = crate::support::CLERK;

#[test]
fn a_signed_form_comes_back_as_it_was_and_not_while_the_key_is_locked() {
    let mut vault = TestVault::retrieving();
    vault.add_user(RETRIEVER, &["retriever"], None);
    vault.add_user(APPROVER, &["approver"], None);
    vault.serve_unlocked(&format!("{PASSPHRASE}\n"));
    let page = crate::support::media::jpeg(60_000, 7);
    vault
        .upload(CLERK, "000100012345_20260728_A0098877_IDF_01.jpg", &page)
        .ok();
    let (retriever, approver) = (
        Visitor::signed_in(&vault, RETRIEVER),
        Visitor::signed_in(&vault, APPROVER),
    );

    // As a browser would: the records that the page shows, and a file with a line break and a boundary's beginning in it.
    let scan = vault.home.join("审批单.pdf");
    let bytes = [&b"%PDF-1.7\r\n--\r\n------x\r\n"[..], &[0, 255, 13, 10, 45, 45]].concat();
    fs::write(&scan, &bytes).unwrap();
    let form = retriever.get("/requests/new?customer=000100012345").text();
    let evidence = between(&form, "name=\"evidence\" value=\"", "\"");
    let fields = [
        format!("csrf={}", between(&form, "name=\"csrf\" value=\"", "\"")),
        format!("evidence={evidence}"),
        "purpose=view".to_owned(),
        "basis=regulator".to_owned(),
        "reason=检查组要求 2026-17".to_owned(),
        "duration_s=3600".to_owned(),
        format!("form=@{};filename=scan.html", scan.display()),
    ];
    let origin = format!("Origin: {}", vault.server().console.as_deref().unwrap());
    let mut words = vec!["-H", origin.as_str()];
    for field in &fields {
        words.extend(["-F", field]);
    }
    let filed = retriever.ask("/requests", &words);
    assert_eq!(filed.status, 303, "{}", filed.text());
    let request = filed.field("location").unwrap().to_owned();

    let inbox = approver.get("/approvals").text();
    assert!(
        inbox.contains("检查组要求 2026-17") && inbox.contains("scan.html"),
        "{inbox}"
    );
    for somebody in [&approver, &retriever] {
        let taken = somebody.get(&format!("{request}/form"));
        assert_eq!((taken.status, &taken.body), (200, &bytes));
        assert_eq!(taken.field("content-type"), Some("application/pdf"));
        let saved = taken.field("content-disposition").unwrap();
        assert!(
            saved.starts_with("attachment; ") && saved.ends_with("scan.html.pdf"),
            "{saved}"
        );
    }
    let leaf = &vault.leaves("access.requested")[0];
    let digest = ring::digest::digest(&ring::digest::SHA256, &bytes);
    let digest: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(leaf["data"]["form_sha256"], digest.as_str());
    let stored = vault.path.join("registry");
    let named = |bytes: &[u8]| bytes.windows(8).any(|window| window == b"%PDF-1.7");
    assert!(
        walk(&stored).iter().all(|path| !named(&fs::read(path).unwrap())),
        "it is kept encrypted"
    );

    vault.muniment(&["key", "lock"]).ok();
    let locked = approver.get(&format!("{request}/form"));
    assert_eq!(locked.status, 503);
    assert!(locked.text().contains("解密密钥未解锁"), "{}", locked.text());
    assert!(approver.get(&request).text().contains("解密密钥未解锁"));
    let approved = approver.post(&format!("{request}/approve"), &[]);
    assert_eq!(approved.status, 303, "deciding needs no key: {}", approved.text());
    assert!(retriever.get("/grants").text().contains(evidence));
    vault.assert_sound();
}

/// Every file below a folder.
fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(walk(&path));
        } else {
            found.push(path);
        }
    }
    found
}
