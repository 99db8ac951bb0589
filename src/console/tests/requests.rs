//! Asking for access, deciding and ending it, as several people with a browser each.

use super::*;
use crate::{
    access::{authorizer::Who, requests::MAX_FORM_BYTES},
    catalog::access,
    domain::event::Kind,
};
use std::fmt::Write;

const HOSTILE: &str = "<script>alert('1')</script>\" onmouseover=\"x";
const BOUNDARY: &str = "----WebKitFormBoundary7MA4YWxkTrZu0gW";
const PDF: &str = "%PDF-1.7\n1 0 obj\r\n--\r\n";

/// A house: two branches with a video each, who asks, who decides, who looks.
fn house() -> Fixture {
    let fixture = Fixture::new();
    let vault = &fixture.vault;
    vault.user("wang.wei", &["retriever"], Some("0101"));
    vault.user("ma.jun", &["retriever"], Some("0202"));
    vault.user("boss1", &["approver"], Some("0101"));
    vault.user("boss2", &["approver"], Some("0202"));
    vault.user("chief", &["approver"], None);
    vault.user("ops", &["sysadmin"], None);
    for (clerk, flow) in [("zhang.san", "A01"), ("zhang.san", "A02"), ("li.na", "B02")] {
        let path = format!("000100012345_20260728_{flow}_WVID_01.mp4");
        vault.seal(clerk, &path, flow);
    }
    fixture
}

/// Somebody with a browser.
struct Somebody<'a> {
    fixture: &'a Fixture,
    name: &'a str,
    secret: Secret,
}

impl Fixture {
    fn somebody<'a>(&'a self, name: &'a str) -> Somebody<'a> {
        let (_, secret) = self.sign_in(name);
        Somebody {
            fixture: self,
            name,
            secret,
        }
    }

    fn request(&self, id: &str) -> access::Request {
        let found = self.vault.catalogue.read(|c| access::request(c, id));
        found.unwrap().unwrap()
    }
}

impl Somebody<'_> {
    fn cookie(&self) -> String {
        session_cookie(&self.secret)
    }

    fn get(&self, path: &str) -> Answer {
        self.fixture.get(path, &[(header::COOKIE, &self.cookie())])
    }

    fn page(&self, path: &str) -> String {
        let answer = self.get(path);
        assert_eq!(
            answer.status,
            StatusCode::OK,
            "{} {path}: {}",
            self.name,
            answer.body
        );
        answer.body
    }

    fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("csrf", &self.secret.token());
        form.extend_pairs(fields);
        self.fixture.post(path, &self.secret, &form.finish())
    }

    /// Sends a form with a file as browsers do.
    fn send(&self, fields: &[(&str, &str)], file: Option<(&str, &str)>) -> Answer {
        let token = self.secret.token();
        let mut whole = vec![("csrf", token.as_str())];
        whole.extend(fields);
        self.send_body(&multipart(&whole, file))
    }

    fn send_body(&self, body: &str) -> Answer {
        let cookie = self.cookie();
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        let head = [
            (header::COOKIE, cookie.as_str()),
            (header::ORIGIN, ORIGIN),
            (header::CONTENT_TYPE, kind.as_str()),
        ];
        self.fixture.send(request(Method::POST, "/requests", &head, body))
    }

    /// Files a request and gives its id.
    fn files(&self, fields: &[(&str, &str)]) -> String {
        let answer = self.send(fields, None);
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        answer.location().strip_prefix("/requests/").unwrap().to_owned()
    }

    fn decides(&self, id: &str, what: &str, fields: &[(&str, &str)]) -> Answer {
        self.post(&format!("/requests/{id}/{what}"), fields)
    }

    fn approves(&self, id: &str) -> String {
        let answer = self.decides(id, "approve", &[]);
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        self.fixture.request(id).grant.unwrap()
    }
}

fn multipart(fields: &[(&str, &str)], file: Option<(&str, &str)>) -> String {
    let mut body = String::new();
    for (name, value) in fields {
        let _ = write!(
            body,
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        );
    }
    let (name, content) = file.unwrap_or(("", ""));
    let _ = write!(
        body,
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"form\"; filename=\"{name}\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n{content}\r\n--{BOUNDARY}--\r\n"
    );
    body
}

/// A request for the video of flow A01.
const ASKED: [(&str, &str); 5] = [
    ("evidence", "e-A01"),
    ("purpose", "export"),
    ("basis", "regulator"),
    ("reason", "检查组要求 2026-17"),
    ("duration_s", "86400"),
];

/// The same with some fields replaced; `None` takes one out.
fn asked<'a>(changes: &[(&'a str, Option<&'a str>)]) -> Vec<(&'a str, &'a str)> {
    let is_changed = |name: &str| changes.iter().any(|(changed, _)| *changed == name);
    let kept = ASKED.into_iter().filter(|(name, _)| !is_changed(name));
    let new = changes
        .iter()
        .filter_map(|(name, value)| Some((*name, (*value)?)));
    kept.chain(new).collect()
}

#[test]
fn from_a_customer_number_to_a_grant_and_its_end() {
    let house = house();
    let (wang, boss, chief) = (
        house.somebody("wang.wei"),
        house.somebody("boss1"),
        house.somebody("chief"),
    );
    let page = wang.page("/requests/new?customer=000100012345");
    assert!(page.contains("value=\"e-A01\" checked") && page.contains("value=\"e-A02\" checked"));
    assert!(!page.contains("e-B02"), "another branch's record isn't found");
    assert!(page.contains("href=\"/evidence/e-A01\"") && page.contains("000100012345 · A01 · WVID-1"));
    for basis in ["law", "regulator", "customer_consent", "due_diligence"] {
        assert!(
            page.contains(&format!("name=\"basis\" value=\"{basis}\">")),
            "{basis} stands there unchosen"
        );
    }
    let filed = wang.send(&ASKED, Some(("审批单.pdf", PDF)));
    assert_eq!(filed.status, StatusCode::SEE_OTHER, "{}", filed.body);
    let id = filed.location().strip_prefix("/requests/").unwrap().to_owned();
    let own = wang.page(&format!("/requests/{id}"));
    for shown in [
        "已提交，等待审批",
        "待审批",
        "检查组要求 2026-17",
        "监管",
        "导出",
        "1 天",
        "审批单.pdf",
        "解密密钥未解锁",
        "撤回申请",
        "/evidence/e-A01",
    ] {
        assert!(own.contains(shown), "{shown}: {own}");
    }
    assert!(!own.contains("批准</button>"), "nobody decides their own");
    assert_eq!(
        wang.get(&format!("/requests/{id}/form")).status,
        StatusCode::SERVICE_UNAVAILABLE
    );

    // It waits for the approver of the branch and for head office, and for nobody of another branch.
    for (name, waits) in [("boss1", true), ("chief", true), ("boss2", false)] {
        let somebody = house.somebody(name);
        let start = somebody.page("/");
        assert_eq!(
            start.contains("有 1 件申请等待您审批") && start.contains("<span class=\"count\">1</span>"),
            waits,
            "{name}"
        );
        assert_eq!(
            somebody.page("/approvals").contains("按申请批准"),
            waits,
            "{name}"
        );
    }
    let narrower = boss.page(&format!("/requests/{id}"));
    for offered in [
        "name=\"evidence\" value=\"e-A01\" checked",
        "value=\"view\"",
        "value=\"export\" checked",
        "<option value=\"86400\" selected>",
    ] {
        assert!(narrower.contains(offered), "{offered}: {narrower}");
    }
    let grant = boss.approves(&id);
    assert!(boss.page("/approvals").contains("已批准，授权即时生效"));
    assert!(!boss.page("/").contains("class=\"count\""));
    assert_eq!(chief.decides(&id, "approve", &[]).status, StatusCode::CONFLICT);

    let grants = wang.page("/grants");
    for shown in [
        "有效",
        "还剩 24 小时",
        "2026-07-29 15:42:07",
        "boss1",
        "/evidence/e-A01",
        "撤销…",
    ] {
        assert!(grants.contains(shown), "{shown}: {grants}");
    }
    assert!(wang.page("/").contains("我的有效授权"));
    assert!(
        boss.page("/grants").contains("wang.wei")
            && house.somebody("audit").page("/grants").contains("wang.wei")
    );
    let history = wang.page(&format!("/requests/{id}"));
    let requested = house.leaves_of(Kind::AccessRequested).len();
    assert_eq!(requested, 1);
    for leaf in [house.request(&id).leaf, house.request(&id).decided_leaf.unwrap()] {
        assert!(
            history.contains(&format!(">{leaf}</td>")),
            "log position {leaf}: {history}"
        );
    }

    let blank = boss.post(&format!("/grants/{grant}/revoke"), &[("reason", "  ")]);
    assert_eq!(blank.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(blank.body.contains("请填写理由"));
    let revoked = boss.post(&format!("/grants/{grant}/revoke"), &[("reason", "误批")]);
    assert_eq!(
        (revoked.status, revoked.location()),
        (StatusCode::SEE_OTHER, "/grants")
    );
    let grants = wang.page("/grants");
    assert!(grants.contains("已撤销") && grants.contains("误批") && !grants.contains("撤销…"));
    assert!(!wang.page("/").contains("我的有效授权"));
    let again = boss.post(&format!("/grants/{grant}/revoke"), &[("reason", "误批")]);
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert!(wang.page(&format!("/requests/{id}")).contains("撤销授权"));
}

#[test]
fn nobody_decides_their_own_request_nor_about_what_they_took_in() {
    let house = house();
    house.vault.user("both", &["retriever", "approver"], Some("0101"));
    house.vault.user("clerk", &["approver"], Some("0101"));
    house
        .vault
        .seal("clerk", "000100012345_20260728_C03_WVID_01.mp4", "C03");
    let both = house.somebody("both");
    let own = both.files(&ASKED);
    let uploaded = house
        .somebody("wang.wei")
        .files(&asked(&[("evidence", Some("e-C03"))]));
    for (name, id, why) in [("both", &own, "own_request"), ("clerk", &uploaded, "involved")] {
        let somebody = house.somebody(name);
        let inbox = somebody.page("/approvals");
        let (_, others) = inbox.split_once("须由他人审批").unwrap();
        assert!(
            others.contains(id.as_str()) && !others.contains("按申请批准"),
            "{inbox}"
        );
        assert!(
            !somebody
                .page(&format!("/requests/{id}"))
                .contains(&format!("{id}/approve"))
        );
        for (what, fields) in [("approve", [].as_slice()), ("decline", &[("reason", "不")])] {
            assert_eq!(
                somebody.decides(id, what, fields).status,
                StatusCode::FORBIDDEN,
                "{name} {what}"
            );
        }
        assert!(house.was_refused(name, "decide_request", why), "{name}");
        assert_eq!(house.request(id).state, "pending");
    }
    // For somebody else it is a click.
    house.somebody("boss1").approves(&own);
    house.somebody("boss1").approves(&uploaded);
}

#[test]
fn what_is_anothers_or_another_branchs_is_not_there() {
    let house = house();
    let id = house.somebody("wang.wei").files(&ASKED);
    let grant = house.somebody("boss1").approves(&id);
    let open = house.somebody("wang.wei").files(&ASKED);
    for name in ["ma.jun", "boss2"] {
        let stranger = house.somebody(name);
        for (known, made_up) in [(&id, "01j0000000000000000000000"), (&open, "x")] {
            for suffix in ["", "/form"] {
                let answers =
                    [known.as_str(), made_up].map(|id| stranger.get(&format!("/requests/{id}{suffix}")));
                assert_eq!(answers[0].status, StatusCode::NOT_FOUND, "{name} {suffix}");
                assert_eq!(answers[1].status, StatusCode::NOT_FOUND);
            }
        }
        assert!(!stranger.page("/requests").contains(&id) && !stranger.page("/grants").contains(&id));
        let revoked = stranger.post(&format!("/grants/{grant}/revoke"), &[("reason", "x")]);
        assert_eq!(revoked.status, StatusCode::NOT_FOUND);
        assert!(house.was_refused(name, "revoke_grant", "not_found"));
    }
    let boss2 = house.somebody("boss2");
    assert!(!boss2.page("/approvals").contains(&open));
    for (what, fields) in [("approve", [].as_slice()), ("decline", &[("reason", "不")])] {
        assert_eq!(boss2.decides(&open, what, fields).status, StatusCode::NOT_FOUND);
    }
    assert!(house.was_refused("boss2", "decide_request", "not_found"));
    let withdrawn = house
        .somebody("ma.jun")
        .post(&format!("/requests/{open}/withdraw"), &[]);
    assert_eq!(withdrawn.status, StatusCode::NOT_FOUND);
    assert_eq!(house.request(&open).state, "pending");
    assert!(house.leaves_of(Kind::AccessRevoked).is_empty());

    // Records out of reach: neither shown nor asked for.
    let wang = house.somebody("wang.wei");
    let page = wang.page("/requests/new?evidence=e-B02&evidence=e-none");
    assert!(
        !page.contains("B02 ·") && page.matches("不在您的范围内").count() == 2,
        "{page}"
    );
    for (evidence, status) in [
        ("e-B02", StatusCode::FORBIDDEN),
        ("e-none", StatusCode::NOT_FOUND),
    ] {
        let answer = wang.send(&asked(&[("evidence", Some(evidence))]), None);
        assert_eq!(answer.status, status, "{}", answer.body);
        assert!(answer.body.contains("检查组要求 2026-17"), "what was typed stays");
    }
    assert!(house.was_refused("wang.wei", "request_access", "out_of_scope"));
    let nothing = wang.page("/requests/new?flow=B02");
    assert!(nothing.contains("没有找到") && !nothing.contains("e-B02"));
}

#[test]
fn an_approval_gives_at_the_most_what_was_asked_for() {
    let house = house();
    let wang = house.somebody("wang.wei");
    let boss = house.somebody("boss1");
    let two = [
        ("evidence", "e-A01"),
        ("evidence", "e-A02"),
        ("purpose", "view"),
        ("basis", "law"),
        ("reason", "法院调取"),
        ("duration_s", "14400"),
    ];
    let id = wang.files(&two);
    let narrow = |changes: &[(&'static str, &'static str)]| {
        let mut fields = vec![("narrow", "yes")];
        fields.extend(changes);
        boss.decides(&id, "approve", &fields)
    };
    for (what, fields) in [
        ("records", &[("evidence", "e-A01"), ("evidence", "e-B02")][..]),
        ("purpose", &[("evidence", "e-A01"), ("purpose", "export")]),
        ("duration", &[("evidence", "e-A01"), ("duration_s", "86400")]),
        (
            "overflow",
            &[("evidence", "e-A01"), ("duration_s", "9223372036854775807")],
        ),
    ] {
        let answer = narrow(fields);
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{what}");
        assert!(answer.body.contains("不能扩大"), "{what}: {}", answer.body);
    }
    assert!(house.was_refused("boss1", "decide_request", "wider_than_asked"));
    let none = narrow(&[("purpose", "view")]);
    assert!(none.body.contains("请至少选择一件资料"), "{}", none.body);
    for nonsense in [
        [("evidence", "e-A01"), ("purpose", "everything")],
        [("evidence", "e-A01"), ("duration_s", "1e9")],
    ] {
        assert_eq!(narrow(&nonsense).status, StatusCode::BAD_REQUEST);
    }
    for short in ["0", "-1", "299"] {
        let answer = boss.decides(
            &id,
            "approve",
            &[("narrow", "yes"), ("evidence", "e-A01"), ("duration_s", short)],
        );
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{short}");
    }
    assert!(house.leaves_of(Kind::AccessApproved).is_empty());

    let less = narrow(&[("evidence", "e-A02"), ("purpose", "view"), ("duration_s", "3600")]);
    assert_eq!(less.status, StatusCode::SEE_OTHER, "{}", less.body);
    let grant = house.request(&id).grant.unwrap();
    let (grant, items) = house
        .vault
        .catalogue
        .read(|c| {
            Ok((
                access::grant(c, &grant)?.unwrap(),
                access::grant_items(c, &grant)?,
            ))
        })
        .unwrap();
    assert_eq!(
        (items.as_slice(), grant.expires_ms - grant.granted_ms),
        (&["e-A02".to_owned()][..], 3_600_000)
    );
    let declined = wang.files(&two);
    assert_eq!(
        boss.decides(&declined, "decline", &[("reason", "")]).status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    boss.decides(&declined, "decline", &[("reason", "事由不明")]);
    assert!(wang.page(&format!("/requests/{declined}")).contains("事由不明"));
    for what in ["approve", "decline"] {
        let late = boss.decides(&declined, what, &[("reason", "再想想")]);
        assert_eq!(late.status, StatusCode::CONFLICT, "{what}");
    }
    let withdrawn = wang.files(&two);
    wang.post(&format!("/requests/{withdrawn}/withdraw"), &[]);
    assert_eq!(house.request(&withdrawn).state, "withdrawn");
    assert_eq!(
        boss.decides(&withdrawn, "approve", &[]).status,
        StatusCode::CONFLICT
    );
    let listed = wang.page("/requests?state=withdrawn");
    assert!(listed.contains(&withdrawn) && !listed.contains(&declined));
}

#[test]
fn an_emergency_takes_two_approvers_who_differ() {
    let house = house();
    let id = house
        .somebody("wang.wei")
        .files(&asked(&[("evidence", Some("e-B02")), ("emergency", Some("yes"))]));
    let (boss1, boss2) = (house.somebody("boss1"), house.somebody("boss2"));
    let plain = house
        .somebody("ma.jun")
        .files(&asked(&[("evidence", Some("e-B02"))]));
    let inbox = boss2.page("/approvals");
    assert!(
        inbox.find(&id).unwrap() < inbox.find(&plain).unwrap() && inbox.contains("紧急"),
        "emergencies on top"
    );
    assert_eq!(boss1.decides(&id, "approve", &[]).status, StatusCode::SEE_OTHER);
    assert!(boss1.page("/approvals").contains("还须另一位审批人同意"));
    assert_eq!(house.request(&id).state, "pending");
    assert_eq!(boss1.decides(&id, "approve", &[]).status, StatusCode::CONFLICT);
    assert!(
        house.was_refused("boss1", "decide_emergency", "already_endorsed")
            || house.was_refused("boss1", "decide_request", "already_endorsed")
    );
    boss2.approves(&id);
    let page = house.somebody("wang.wei").page(&format!("/requests/{id}"));
    assert!(page.contains("第一位审批人同意") && page.contains("boss1") && page.contains("boss2"));
    assert!(house.somebody("wang.wei").page("/grants").contains("紧急"));
    let too_long = house.somebody("wang.wei").send(
        &asked(&[
            ("evidence", Some("e-A01")),
            ("emergency", Some("yes")),
            ("duration_s", Some("259200")),
        ]),
        None,
    );
    assert_eq!(too_long.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(too_long.body.contains("紧急查阅不超过 24 小时"));
}

#[test]
fn a_refused_form_keeps_what_was_typed_and_says_why_at_the_field() {
    let house = house();
    let wang = house.somebody("wang.wei");
    let blank = asked(&[("basis", None), ("reason", Some(" "))]);
    let answer = wang.send(&blank, Some(("a.pdf", PDF)));
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    for shown in [
        "必须选择查阅依据",
        "请填写理由",
        "请重新选择文件",
        "value=\"e-A01\" checked",
        "value=\"export\" checked",
        "<option value=\"86400\" selected>",
    ] {
        assert!(answer.body.contains(shown), "{shown}: {}", answer.body);
    }
    assert!(house.was_refused("wang.wei", "request_access", "no_basis"));
    let long = "长".repeat(201);
    for (changes, shown) in [
        (vec![("basis", Some("because"))], "必须选择查阅依据"),
        (vec![("reason", Some(long.as_str()))], "不超过 200 字"),
        (vec![("reason", Some("一\n二"))], "请填写理由"),
        (vec![("evidence", None)], "请至少选择一件资料"),
        (vec![("duration_s", Some("1"))], "查阅时长"),
        (vec![("duration_s", Some("99999999999"))], "查阅时长"),
        (vec![("duration_s", None)], "查阅时长"),
    ] {
        let answer = wang.send(&asked(&changes), None);
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{changes:?}");
        assert!(answer.body.contains(shown), "{changes:?}: {}", answer.body);
    }
    let no_purpose = wang.send(&asked(&[("purpose", Some("destroy"))]), None);
    assert_eq!(no_purpose.status, StatusCode::BAD_REQUEST);
    let many: Vec<String> = (0..501).map(|at| format!("e-{at}")).collect();
    let mut fields = asked(&[("evidence", None)]);
    fields.extend(many.iter().map(|id| ("evidence", id.as_str())));
    let answer = wang.send(&fields, None);
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.body.contains("一次申请最多 500 件资料"));
    assert!(house.leaves_of(Kind::AccessRequested).is_empty());
}

#[test]
fn the_scan_is_bounded_and_of_a_known_kind_and_its_name_harms_nobody() {
    let house = house();
    let wang = house.somebody("wang.wei");
    let largest = format!("{PDF}{}", "x".repeat(MAX_FORM_BYTES - PDF.len()));
    let over = format!("{largest}x");
    for (name, content) in [
        ("a.pdf", over.as_str()),
        ("a.pdf", "MZ not a scan"),
        ("a.html", "<html>"),
        ("a.pdf", ""),
        ("", PDF),
    ] {
        let answer = wang.send(&ASKED, Some((name, content)));
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{name}");
        assert!(answer.body.contains("审批单扫描件须为"), "{}", answer.body);
    }
    let huge = format!("{PDF}{}", "x".repeat(MAX_FORM_BYTES + 3 * BODY_BYTES));
    let answer = wang.send(&ASKED, Some(("a.pdf", &huge)));
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(house.leaves_of(Kind::AccessRequested).is_empty());
    assert_eq!(
        wang.send(&ASKED, Some(("a.pdf", &largest))).status,
        StatusCode::SEE_OTHER
    );
    for (name, kept) in [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\wang\\审批单.pdf", "审批单.pdf"),
        ("%22%0D%0Aa.pdf", "\"a.pdf"),
        ("fdp.\u{202e}cod.pdf", "fdp.cod.pdf"),
        (
            "<img src=x onerror=alert(1)>.pdf",
            "<img src=x onerror=alert(1)>.pdf",
        ),
    ] {
        let answer = wang.send(&ASKED, Some((name, PDF)));
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{name}: {}", answer.body);
        let id = answer.location().strip_prefix("/requests/").unwrap();
        assert_eq!(house.request(id).form_name.as_deref(), Some(kept));
        assert!(!wang.page(&format!("/requests/{id}")).contains("<img src=x"));
    }
    let slash = wang.send(&ASKED, Some(("forms/", PDF)));
    assert!(
        slash.body.contains("审批单扫描件须为"),
        "a name with nothing left of it"
    );
}

#[test]
fn without_the_sessions_token_no_form_is_taken_however_it_is_written() {
    let house = house();
    let (wang, boss) = (house.somebody("wang.wei"), house.somebody("boss1"));
    let id = wang.files(&ASKED);
    let grant = boss.approves(&id);
    let open = wang.files(&ASKED);
    let filed = house.leaves_of(Kind::AccessRequested).len();
    let with = |token: &str| {
        let mut fields = vec![("csrf", token)];
        fields.extend(ASKED);
        multipart(&fields, None)
    };
    let theirs = boss.secret.token();
    let own = with(&wang.secret.token());
    for body in [
        multipart(&ASKED, None),
        with(""),
        with(&theirs),
        multipart(&ASKED, Some(("csrf", &wang.secret.token()))),
    ] {
        assert_eq!(wang.send_body(&body).status, StatusCode::FORBIDDEN, "{body:.300}");
    }
    // Cut off, or with another boundary than the head says: no form at all.
    assert_eq!(
        wang.send_body(&own[..own.len() - 6]).status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        wang.send_body(&own.replace(BOUNDARY, "other")).status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(house.leaves_of(Kind::AccessRequested).len(), filed);
    for path in [
        "/requests".to_owned(),
        format!("/requests/{open}/withdraw"),
        format!("/requests/{open}/approve"),
        format!("/requests/{open}/decline"),
        format!("/grants/{grant}/revoke"),
    ] {
        let somebody = if path.ends_with("draw") || path == "/requests" {
            &wang
        } else {
            &boss
        };
        for form in ["reason=x", "reason=x&csrf=", "reason=x&csrf=00"] {
            let answer = house.post(&path, &somebody.secret, form);
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {form}");
        }
    }
    assert_eq!(house.request(&open).state, "pending");
    assert!(house.leaves_of(Kind::AccessRevoked).is_empty());
    let large = format!("csrf={}&reason={}", boss.secret.token(), "x".repeat(BODY_BYTES));
    let answer = house.post(&format!("/requests/{open}/decline"), &boss.secret, &large);
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[test]
fn hostile_words_are_words_on_every_page() {
    let house = house();
    let (wang, boss) = (house.somebody("wang.wei"), house.somebody("boss1"));
    let id = wang.files(&asked(&[("reason", Some(HOSTILE))]));
    let declined = wang.files(&asked(&[("reason", Some(HOSTILE))]));
    let blank = asked(&[
        ("basis", None),
        ("reason", Some(HOSTILE)),
        ("evidence", Some(HOSTILE)),
    ]);
    let mut pages = vec![
        wang.send(&blank, None).body,
        boss.page("/approvals"),
        boss.page(&format!("/requests/{id}")),
        wang.page("/requests"),
    ];
    boss.decides(&declined, "decline", &[("reason", HOSTILE)]);
    let grant = boss.approves(&id);
    pages.push(wang.page("/"));
    boss.post(&format!("/grants/{grant}/revoke"), &[("reason", HOSTILE)]);
    let query: String = form_urlencoded::byte_serialize(HOSTILE.as_bytes()).collect();
    pages.extend([
        wang.page("/grants"),
        wang.page(&format!("/requests/{id}")),
        wang.page(&format!("/requests/{declined}")),
        wang.page(&format!("/requests?state={query}&whose={query}&before={query}")),
        wang.page(&format!("/grants?whose={query}&before={query}")),
        wang.page(&format!(
            "/requests/new?evidence={query}&customer={query}&flow={query}&with={query}%2F{query}"
        )),
    ]);
    for page in pages {
        assert!(
            !page.contains("<script>alert") && !page.contains("\" onmouseover"),
            "{page}"
        );
        assert!(!page.contains(" style="), "{page}");
    }
}

#[test]
fn who_has_no_part_in_it_is_refused_on_record_and_has_no_menu_for_it() {
    let house = house();
    for (name, open) in [
        ("ops", &[][..]),
        ("zhang.san", &[]),
        ("wang.wei", &["/requests", "/requests/new", "/grants"]),
        ("boss1", &["/requests", "/approvals", "/grants"]),
        ("audit", &["/requests", "/requests/new", "/grants"]),
    ] {
        let somebody = house.somebody(name);
        let start = somebody.page("/");
        for path in ["/requests", "/requests/new", "/approvals", "/grants"] {
            let is_open = open.contains(&path);
            let expected = if is_open {
                StatusCode::OK
            } else {
                StatusCode::FORBIDDEN
            };
            assert_eq!(somebody.get(path).status, expected, "{name} {path}");
            let in_menu = start.contains(&format!("href=\"{path}\""));
            assert_eq!(in_menu, is_open && path != "/requests/new", "{name} {path}");
        }
        if !open.contains(&"/requests/new") {
            assert_eq!(somebody.send(&ASKED, None).status, StatusCode::FORBIDDEN);
            assert!(house.was_refused(name, "request_access", "not_your_role"));
        }
        if !open.contains(&"/approvals") {
            for what in ["approve", "decline"] {
                assert_eq!(somebody.decides("x", what, &[]).status, StatusCode::FORBIDDEN);
            }
            assert!(house.was_refused(name, "decide_request", "not_your_role"));
        }
    }
    assert!(house.leaves_of(Kind::AccessRequested).is_empty());
}

#[test]
fn lists_are_read_in_parts_and_several_searches_add_up() {
    let house = house();
    let wang = house.somebody("wang.wei");
    let ids: Vec<String> = (0..52).map(|_| wang.files(&ASKED)).collect();
    let first = wang.page("/requests?state=pending");
    assert!(first.contains(&ids[51]) && !first.contains(&ids[1]));
    let before = house.request(&ids[2]).leaf;
    assert!(
        first.contains(&format!("/requests?state=pending&amp;before={before}")),
        "{first}"
    );
    let rest = wang.page(&format!("/requests?state=pending&before={before}"));
    assert!(rest.contains(&ids[0]) && rest.contains(&ids[1]) && !rest.contains(&ids[2]));
    let audit = house.somebody("audit");
    assert!(audit.page("/requests").contains(&ids[51]));
    assert!(!audit.page("/requests?whose=mine").contains(&ids[51]));
    let both = wang.page("/requests/new?with=%2FA01&flow=A02");
    assert!(both.contains("value=\"e-A01\" checked") && both.contains("value=\"e-A02\" checked"));
    assert!(both.contains("name=\"with\" value=\"/A01\"") && both.contains("name=\"with\" value=\"/A02\""));
}

#[test]
fn an_approver_who_was_disabled_a_moment_ago_decides_nothing() {
    let house = house();
    let id = house.somebody("wang.wei").files(&ASKED);
    let boss = house.somebody("boss1");
    house.vault.disable("boss1");
    assert_eq!(boss.decides(&id, "approve", &[]).location(), "/sign-in");
    let room = &house.console.room;
    let tried = room.approve_request(&Who::person("p-boss1"), &id, Default::default());
    assert!(tried.is_err() && house.request(&id).state == "pending");
}
