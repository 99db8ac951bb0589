//! People as an administrator runs them: on their own word, with a second factor, and never into content or over themselves.

use super::*;
use crate::{
    access::{
        authorizer::Who,
        reading::{Channel, Wanted, What},
    },
    catalog::access::{Which, grants},
    console::tests::sign_in::STEP_MS,
    custody::testing::Original,
    domain::access::Purpose,
};

const HOSTILE: &str = "<script>alert('1')</script>\" onmouseover=\"x";

impl Office {
    /// An administrator with an app; its secret.
    pub(super) fn with_factor(&self) -> String {
        self.fixture.joined("sysadmin")
    }

    /// The next code of an app. Each counts once, so time goes on first.
    pub(super) fn code(&self, secret: &str) -> String {
        self.fixture.wait(STEP_MS);
        self.fixture.code(secret)
    }

    fn person(&self, name: &str) -> Option<Person> {
        let catalogue = &self.fixture.vault.catalogue;
        catalogue
            .read(|c| crate::catalog::people::by_name(c, name))
            .unwrap()
    }
}

fn added<'a>(name: &'a str, roles: &[&'a str], code: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut fields = vec![("name", name), ("nda", "NDA-2026-17"), ("code", code)];
    fields.extend(roles.iter().map(|role| ("role", *role)));
    fields
}

#[test]
fn a_person_is_added_on_the_administrators_word_and_with_a_factor_that_counts_once() {
    let office = Office::new();
    let secret = office.with_factor();
    let desk = office.visit("sysadmin");
    let code = office.code(&secret);
    let answer = desk.post("/people/add", &added("wang.wei", &["retriever"], &code));
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    let person = office.person("wang.wei").unwrap();
    assert_eq!(answer.location(), format!("/people/{}", person.id));
    assert_eq!(
        (person.roles.as_slice(), person.nda.as_str()),
        (&["retriever".to_owned()][..], "NDA-2026-17")
    );
    let leaf = office.leaves(Kind::UserAdded).pop().unwrap();
    assert_eq!(leaf.actor, "p-sysadmin");
    assert!(leaf.integer("totp_step").is_some());
    let page = desk.page(answer.location());
    assert!(
        page.contains("已新增 wang.wei") && page.contains("NDA-2026-17"),
        "{page}"
    );

    // The same code again, another one that was seen, none at all: nobody is added.
    for code in [code.as_str(), "000000", ""] {
        let answer = desk.post("/people/add", &added("li.si", &["retriever"], code));
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.body.contains("验证码或通行密钥不正确"), "{}", answer.body);
    }
    assert!(office.person("li.si").is_none());
}

#[test]
fn forbidden_combinations_and_bad_forms_add_nobody() {
    let office = Office::new();
    let secret = office.with_factor();
    let desk = office.visit("sysadmin");
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJVgrHfy4Rsd9nSzIdfyCsRD5Hcxvg1lEUS1sZiyHFP7";
    let private = "-----BEGIN OPENSSH PRIVATE KEY-----\nsecretsecret\n-----END OPENSSH PRIVATE KEY-----";
    let before = office.leaves(Kind::UserAdded).len();
    type Fields<'a> = &'a [(&'a str, &'a str)];
    let cases: [(Fields<'_>, &str); 13] = [
        (&[("role", "sysadmin"), ("role", "approver")], "不能由同一人担任"),
        (&[("role", "sysadmin"), ("role", "retriever")], "不能由同一人担任"),
        (&[("role", "auditor"), ("role", "approver")], "不能由同一人担任"),
        (
            &[("role", "approver"), ("role", "key_custodian")],
            "不能由同一人担任",
        ),
        (
            &[
                ("role", "uploader"),
                ("role", "reviewer"),
                ("branch", "0101"),
                ("key", key),
            ],
            "不能由同一人担任",
        ),
        (&[], "请至少选择一个角色"),
        (&[("role", "root")], "没有这个角色"),
        (&[("role", "uploader"), ("branch", "0101")], "必须提供 SSH 公钥"),
        (&[("role", "archivist")], "必须属于一个营业部"),
        (&[("role", "archivist"), ("branch", "9999")], "没有营业部 9999"),
        (&[("role", "retriever"), ("key", private)], "这是私钥"),
        (&[("role", "retriever"), ("key", "hello")], "公钥不能使用"),
        (&[("role", "retriever"), ("name", "x")], "有必填内容没有填写"),
    ];
    for (at, (fields, said)) in cases.iter().enumerate() {
        let code = office.code(&secret);
        let nda = if *said == "有必填内容没有填写" {
            " "
        } else {
            "NDA-1"
        };
        let mut form = vec![("name", "new.one"), ("nda", nda), ("code", code.as_str())];
        form.extend(fields.iter().copied());
        let answer = desk.post("/people/add", &form);
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{at}");
        assert!(answer.body.contains(said), "{said}: {}", answer.body);
        assert!(!answer.body.contains("secretsecret"), "a private key comes back");
    }
    for (name, said) in [
        (HOSTILE, "不能作为登录名"),
        ("Root", "不能作为登录名"),
        ("audit", "已有人使用"),
    ] {
        let code = office.code(&secret);
        let answer = desk.post("/people/add", &added(name, &["retriever"], &code));
        assert!(answer.body.contains(said), "{}", answer.body);
        assert!(
            !answer.body.contains("<script>") && !answer.body.contains("\" onmouseover"),
            "{}",
            answer.body
        );
    }
    assert_eq!(office.leaves(Kind::UserAdded).len(), before);
    let refused = office.leaves(Kind::AccessRefused);
    assert!(refused.iter().any(|leaf| leaf.actor == "p-sysadmin"
        && leaf.text("what") == Some("administer_people")
        && leaf.text("why") == Some("forbidden_roles")));
}

#[test]
fn an_invitation_is_shown_once_and_stands_nowhere_else() {
    let office = Office::new();
    let secret = office.with_factor();
    let desk = office.visit("sysadmin");
    let path = "/people/p-auditor/invite";
    assert!(desk.page(path).contains("name=\"code\""));
    let refused = desk.post(path, &[("code", "")]);
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    let code = office.code(&secret);
    let answer = desk.post(path, &[("code", &code)]);
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert!(!answer.headers.contains_key(header::LOCATION));
    assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
    let (_, rest) = answer.body.split_once("<p class=\"once\"><code>").unwrap();
    let invitation = rest.split('<').next().unwrap().to_owned();
    let leaf = office.leaves(Kind::UserInvited).pop().unwrap();
    assert_eq!(
        (leaf.actor.as_str(), leaf.text("person")),
        ("p-sysadmin", Some("p-auditor"))
    );
    assert!(leaf.integer("totp_step").is_some());

    let plain = invitation.replace('-', "");
    let log = serde_json::to_string(&office.fixture.vault.leaves()).unwrap();
    for page in [
        log,
        desk.page("/people/p-auditor"),
        desk.page(path),
        desk.page("/people"),
    ] {
        assert!(!page.contains(&invitation) && !page.contains(&plain), "{page}");
    }
    assert!(desk.page("/people/p-auditor").contains("已邀请"));
    // It works, and the same factor gives no second one.
    let guest = office.fixture.get("/join", &[]);
    let cookie = guest.cookies()[0].split(';').next().unwrap().to_owned();
    let (_, rest) = guest.body.split_once("name=\"csrf\" value=\"").unwrap();
    let form = format!("csrf={}&code={invitation}", &rest[..64]);
    let head = [
        (header::COOKIE, cookie.as_str()),
        (header::ORIGIN, ORIGIN),
        (header::CONTENT_TYPE, "application/x-www-form-urlencoded"),
    ];
    let joined = office.fixture.send(request(Method::POST, "/join", &head, &form));
    assert!(joined.body.contains("name=\"password\""), "{}", joined.body);
    assert_eq!(
        desk.post(path, &[("code", &code)]).status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
}

#[test]
fn disabling_ends_session_reading_grant_and_token_at_once() {
    let office = Office::new();
    let secret = office.with_factor();
    let vault = &office.fixture.vault;
    office
        .room
        .contents
        .keyring()
        .unlock(vec![vault.identity.clone()])
        .unwrap();
    let evidence = vault.seal_original(Original::default()).id;
    let grant = vault.grant(&office.room, "retriever", "approver", &[&evidence], Purpose::View);
    let reader = office.visit("retriever");
    let session = office.fixture.console.sessions.list("p-retriever")[0].id.clone();
    let wanted = Wanted {
        evidence,
        version: 1,
        what: What::Original,
        purpose: Purpose::View,
        channel: Channel::Console,
        holder: session,
    };
    let reading = office.room.open(&Who::person("p-retriever"), &wanted).unwrap();
    let mut buf = [0; 4];
    reading.read_at(0, &mut buf).unwrap();

    let desk = office.visit("sysadmin");
    let path = "/people/p-retriever/disable";
    let no_reason = desk.post(path, &[("code", &office.code(&secret)), ("reason", "")]);
    assert_eq!(no_reason.status, StatusCode::UNPROCESSABLE_ENTITY);
    let code = office.code(&secret);
    let answer = desk.post(path, &[("code", &code), ("reason", HOSTILE)]);
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    let page = desk.page(answer.location());
    assert!(page.contains("已停用 retriever，同时结束了 1 个会话"), "{page}");
    assert!(!page.contains("<script>"), "{page}");

    assert!(reading.read_at(0, &mut buf).is_err() && reading.has_ended());
    assert_eq!(reader.get("/").status, StatusCode::SEE_OTHER, "signed out");
    let now_ms = office.fixture.console.clock.now_ms();
    let which = Which {
        open: true,
        ..Which::default()
    };
    let live = vault.catalogue.read(|c| grants(c, &which, now_ms, 10)).unwrap();
    assert!(live.is_empty(), "{live:?}");
    let report = office.visit("auditor").page("/reports/grants");
    assert!(report.contains(&grant) && report.contains("已撤销"), "{report}");

    let leaf = office.leaves(Kind::UserDisabled).pop().unwrap();
    assert_eq!(
        (leaf.actor.as_str(), leaf.text("person")),
        ("p-sysadmin", Some("p-retriever"))
    );
    let out = office.leaves(Kind::UserSignedOut).pop().unwrap();
    assert_eq!(
        (out.actor.as_str(), out.text("person"), out.text("how")),
        ("p-sysadmin", Some("p-retriever"), Some("operator"))
    );
    let again = desk.post(path, &[("code", &office.code(&secret)), ("reason", "again")]);
    assert!(again.body.contains("已经停用"), "{}", again.body);
    assert!(
        !desk
            .page("/people/p-retriever")
            .contains("/people/p-retriever/disable")
    );
    let invite = desk.post("/people/p-retriever/invite", &[("code", &office.code(&secret))]);
    assert!(
        invite.body.contains("没有这个人，或者已经停用"),
        "{}",
        invite.body
    );
}

#[test]
fn the_last_administrator_stays() {
    let office = Office::new();
    let secret = office.with_factor();
    let desk = office.visit("sysadmin");
    let path = "/people/p-sysadmin/disable";
    let answer = desk.post(path, &[("code", &office.code(&secret)), ("reason", "leaving")]);
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.body.contains("唯一有效的系统管理员"), "{}", answer.body);
    let refused = office.leaves(Kind::AccessRefused).pop().unwrap();
    assert_eq!(refused.text("why"), Some("last_administrator"));
    assert!(office.person("sysadmin").unwrap().disabled_ms.is_none());

    // With another one they may go; a disabled one doesn't count.
    let vault = &office.fixture.vault;
    vault.user("ops", &["sysadmin"], None);
    vault.disable("ops");
    let answer = desk.post(path, &[("code", &office.code(&secret)), ("reason", "leaving")]);
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    vault.user("ops2", &["sysadmin"], None);
    let answer = desk.post(path, &[("code", &office.code(&secret)), ("reason", "leaving")]);
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    assert_eq!(
        desk.get("/people").status,
        StatusCode::SEE_OTHER,
        "and are out themselves"
    );
}

#[test]
fn who_was_disabled_while_the_form_was_open_administers_nothing() {
    let office = Office::new();
    let secret = office.with_factor();
    office.fixture.vault.user("ops", &["sysadmin"], None);
    let console = &office.fixture.console;
    let (session, _) = office.fixture.sign_in("sysadmin");
    let code = office.code(&secret);
    let shown = crate::access::credentials::Shown::Code(&code);
    let confirmed = console
        .credentials
        .confirmed("p-sysadmin", &session.id, shown)
        .unwrap();
    office.fixture.vault.disable("sysadmin");
    let by = crate::access::people::By::Person(Who::person("p-sysadmin"), Some(confirmed.clone()));
    assert!(office.room.invite(by, "auditor").is_err());
    // Nor does a factor count for anybody but whose it is.
    let by = crate::access::people::By::Person(Who::person("p-ops"), Some(confirmed));
    assert!(office.room.invite(by, "auditor").is_err());
    assert!(
        office
            .leaves(Kind::UserInvited)
            .iter()
            .all(|leaf| leaf.actor == "operator")
    );
}

#[test]
fn people_are_listed_filtered_and_escaped() {
    let office = Office::new();
    office.with_factor();
    let desk = office.visit("sysadmin");
    let all = desk.page("/people");
    for role in Role::ALL {
        assert!(
            all.contains(&format!("href=\"/people/p-{}\"", role.id())),
            "{role}"
        );
    }
    assert!(all.contains("已登记") && all.contains("未登记"), "{all}");
    let some = desk.page("/people?branch=0101&role=archivist&state=active");
    assert!(
        some.contains("p-archivist") && !some.contains("p-uploader"),
        "{some}"
    );
    let none = desk.page("/people?name=%3Cscript%3E&page=99999999999999999999");
    assert!(
        none.contains("没有符合条件的人员") && !none.contains("<script>"),
        "{none}"
    );
    for missing in ["nobody", "p-auditor%00", "..%2F..%2Fkeys"] {
        assert_eq!(
            desk.get(&format!("/people/{missing}")).status,
            StatusCode::NOT_FOUND
        );
    }
    let vault = &office.fixture.vault;
    for at in 0..120 {
        vault.user(&format!("many-{at:03}"), &["retriever"], None);
    }
    let first = desk.page("/people?role=retriever");
    let second = desk.page("/people?role=retriever&page=2");
    let rows = |page: &str| page.matches("href=\"/people/p-").count();
    assert_eq!((rows(&first), rows(&second)), (100, 21));
    assert!(
        first.contains("1 / 2") && first.contains("role=retriever&amp;page=2"),
        "{first}"
    );
    // A person's page, whose name and agreement are strangers' texts.
    let draft = crate::domain::event::Draft::new(Kind::UserAdded, "u-hostile", "operator")
        .fact("person", "p-hostile")
        .fact("roles", vec!["retriever"])
        .fact("keys", Vec::<String>::new())
        .commit("name", "hostile")
        .commit("nda", HOSTILE)
        .private("keys", serde_json::json!({}));
    vault.commit(draft);
    for path in ["/people/p-hostile", "/people?name=hostile"] {
        let page = desk.page(path);
        assert!(
            page.contains("&lt;script&gt;") && !page.contains("<script>alert"),
            "{page}"
        );
    }
}

#[test]
fn an_administrator_revokes_anybodys_token_and_only_where_it_is() {
    let office = Office::new();
    let vault = &office.fixture.vault;
    let token = crate::domain::event::Draft::new(Kind::TokenIssued, "t-1", "p-retriever")
        .fact("person", "p-retriever")
        .fact("roles", vec!["retriever"])
        .fact("expires_ms", crate::custody::testing::NOW_MS + 1_000_000)
        .commit("label", HOSTILE)
        .commit("secret_sha256", "ab".repeat(32));
    vault.commit(token);
    let desk = office.visit("sysadmin");
    let page = desk.page("/people/p-retriever");
    assert!(page.contains("t-1") && !page.contains("<script>alert"), "{page}");
    let elsewhere = desk.post("/people/p-auditor/tokens/t-1/revoke", &[]);
    assert_eq!(elsewhere.status, StatusCode::NOT_FOUND);
    let answer = desk.post("/people/p-retriever/tokens/t-1/revoke", &[]);
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    let leaf = office.leaves(Kind::TokenRevoked).pop().unwrap();
    assert_eq!(
        (leaf.actor.as_str(), leaf.text("token")),
        ("p-sysadmin", Some("t-1"))
    );
    let again = desk.post("/people/p-retriever/tokens/t-1/revoke", &[]);
    assert_eq!(again.status, StatusCode::NOT_FOUND);
}

#[test]
fn what_used_a_code_up_is_used_up_again_by_a_rebuild() {
    // The fold says so, not the handler: the leaf alone is enough.
    let office = Office::new();
    office.with_factor();
    let vault = &office.fixture.vault;
    let step = || {
        let row = vault
            .catalogue
            .read(|c| crate::catalog::credentials::totp(c, "p-sysadmin"));
        row.unwrap().unwrap().last_step
    };
    let before = step();
    let draft = crate::domain::event::Draft::new(Kind::UserInvited, "i-fold", "p-sysadmin")
        .fact("person", "p-auditor")
        .fact("expires_ms", 1)
        .fact("totp_step", before + 7)
        .commit("code_sha256", "cd".repeat(32));
    vault.commit(draft);
    assert_eq!(step(), before + 7);
}
