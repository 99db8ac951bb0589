//! SSH keys on a person's page: given and taken on an administrator's word, with a second factor each time.

use super::*;
use crate::catalog::people;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJVgrHfy4Rsd9nSzIdfyCsRD5Hcxvg1lEUS1sZiyHFP7";
const PRIVATE: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\nsecretsecret\n-----END OPENSSH PRIVATE KEY-----";
const PERSON: &str = "/people/p-retriever";
const ADD: &str = "/people/p-retriever/keys/add";
const REVOKE: &str = "/people/p-retriever/keys/revoke";

fn keys(office: &Office) -> Vec<String> {
    let person = office
        .fixture
        .vault
        .catalogue
        .read(|c| people::by_id(c, "p-retriever"));
    person.unwrap().unwrap().keys
}

#[test]
fn a_key_is_added_and_revoked_with_a_factor_that_counts_once() {
    let office = Office::new();
    let secret = office.with_factor();
    let desk = office.visit("sysadmin");
    let before = keys(&office);
    assert!(desk.page(PERSON).contains(&format!("href=\"{ADD}\"")));
    assert!(desk.page(ADD).contains("name=\"code\""));
    for code in ["", "000000"] {
        let answer = desk.post(ADD, &[("key", KEY), ("code", code)]);
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.body.contains("验证码或通行密钥不正确"), "{}", answer.body);
    }
    assert_eq!(keys(&office), before);

    let code = office.code(&secret);
    let answer = desk.post(ADD, &[("key", KEY), ("code", &code)]);
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    assert_eq!(answer.location(), PERSON);
    let leaf = office.leaves(Kind::UserKeyAdded).pop().unwrap();
    let print = leaf.text("key").unwrap();
    assert_eq!(
        (leaf.actor.as_str(), leaf.text("person")),
        ("p-sysadmin", Some("p-retriever"))
    );
    assert!(leaf.integer("totp_step").is_some() && keys(&office).iter().any(|key| key == print));
    let page = desk.page(PERSON);
    assert!(page.contains("已添加公钥") && page.contains(print), "{page}");

    // The link on the page leads to the question, which names the key.
    let query = crate::console::fields::Fields::default().with("key", Some(print));
    let question = format!("{REVOKE}?{query}");
    assert!(page.contains(&format!("href=\"{question}\"")), "{page}");
    assert!(desk.page(&question).contains(print));
    assert_eq!(desk.get(REVOKE).status, StatusCode::NOT_FOUND);
    // The code that added it is used up.
    let answer = desk.post(REVOKE, &[("key", print), ("code", &code)]);
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let code = office.code(&secret);
    let answer = desk.post(REVOKE, &[("key", print), ("code", &code)]);
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    assert!(desk.page(PERSON).contains("公钥已撤销，同时结束了 0 个会话"));
    let leaf = office.leaves(Kind::UserKeyRevoked).pop().unwrap();
    assert_eq!(
        (leaf.actor.as_str(), leaf.text("key")),
        ("p-sysadmin", Some(print))
    );
    assert!(leaf.integer("totp_step").is_some());
    assert_eq!(keys(&office), before);
    let code = office.code(&secret);
    let again = desk.post(REVOKE, &[("key", print), ("code", &code)]);
    assert!(again.body.contains("没有这把公钥，或已撤销"), "{}", again.body);
}

#[test]
fn what_is_no_key_to_take_is_said_and_a_private_one_never_comes_back() {
    let office = Office::new();
    let secret = office.with_factor();
    let desk = office.visit("sysadmin");
    let other = "/people/p-auditor/keys/add";
    let answer = desk.post(other, &[("key", KEY), ("code", &office.code(&secret))]);
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    for (key, said) in [
        (PRIVATE, "这是私钥"),
        ("hello", "公钥不能使用"),
        ("", "公钥不能使用"),
        (KEY, "该公钥属于 auditor"),
    ] {
        let answer = desk.post(ADD, &[("key", key), ("code", &office.code(&secret))]);
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{key}");
        assert!(answer.body.contains(said), "{said}: {}", answer.body);
        assert!(!answer.body.contains("secretsecret"), "a private key comes back");
    }
    let answer = desk.post(other, &[("key", KEY), ("code", &office.code(&secret))]);
    assert!(answer.body.contains("已经登记在 auditor 名下"), "{}", answer.body);

    // Who is disabled has no buttons, and the form is refused.
    office.fixture.vault.disable("retriever");
    let page = desk.page(PERSON);
    assert!(
        !page.contains("/keys/add") && !page.contains("/keys/revoke"),
        "{page}"
    );
    let answer = desk.post(ADD, &[("key", KEY), ("code", &office.code(&secret))]);
    assert!(
        answer.body.contains("没有这个人，或者已经停用"),
        "{}",
        answer.body
    );
    assert_eq!(office.leaves(Kind::UserKeyAdded).len(), 1);
}
