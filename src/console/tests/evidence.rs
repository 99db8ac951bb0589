//! Pages of single pieces of evidence: what they show, to whom, and what "verify now" says of damage.

use super::{search::HOSTILE, *};
use crate::{
    access::authorizer::Who,
    custody::testing::{OTHER_SHA, Original, SHA},
    domain::{access::Purpose, event::Draft},
    sftp::{
        space::{FileSpace, VirtualPath},
        testing::piece,
    },
    views::{
        receipts::{ReceiptBook, Receipts, Scope},
        tree::ReadOnly,
    },
};
use std::fs;

const LOOK: &str = r#"{"report":{"container":"mp4"},"findings":[{"code":"black","severity":"review",
    "place":"12.480 s","found":"34 % black","expected":"30 % at most","en":"The picture is black. Record again.",
    "zh":"画面全黑。请重新录制。"}]}"#;

impl Fixture {
    fn unlock(&self) {
        let keyring = self.console.room.contents.keyring();
        keyring.unlock(vec![self.vault.identity.clone()]).unwrap();
    }
}

/// A version with everything that a branch can say of it.
fn told<'a>() -> Original<'a> {
    Original {
        said: &[
            ("witness1", "王五"),
            ("witness2", "赵六"),
            ("disc_number", "D-7"),
            ("备注", "重拍"),
        ],
        inspection: Some(("needs_review", LOOK)),
        ..Original::default()
    }
}

#[test]
fn the_page_says_what_it_is_and_what_happened_to_it() {
    let fixture = Fixture::staffed();
    fixture.publish_types();
    let row = fixture.vault.seal_original(told());
    fixture.contact_sheet(&row.id);
    let (_, secret) = fixture.sign_in("wen");
    let zh = fixture.page(&format!("/evidence/{}", row.id), &secret, Lang::Zh);
    assert_eq!(zh.status, StatusCode::OK);
    for said in [
        "双人见证视频",
        "客户 000100012345 · 流水 A0098877 · 第 1 版",
        "待复核",
        "与声明一致",
        "客户资料",
        "2026-07-28 15:42:07 +08:00",
        "0101 营业部 0101",
        "zhang.san",
        row.sha256.as_str(),
        "<dt>见证人一</dt><dd><bdi>王五</bdi>",
        "<dt>备注</dt><dd><bdi>重拍</bdi>",
        "画面全黑。请重新录制。",
        "34 % black",
        "封存为第 1 版，与上传方声明一致",
        "制作画面缩略图（第 1 版）",
        &format!("日志第 {} 条", row.receipt),
        "还没有对这一版单独核验过",
        "申请查阅",
    ] {
        assert!(zh.body.contains(said), "{said}: {}", zh.body);
    }
    let en = fixture
        .page(&format!("/evidence/{}?v=1", row.id), &secret, Lang::En)
        .body;
    for said in [
        "The picture is black. Record again.",
        "Sealed as version 1",
        "Request access",
        "First witness",
    ] {
        assert!(en.contains(said), "{said}: {en}");
    }
    assert!(
        !en.contains("/sheet") && !en.contains("/view\""),
        "no grant, no content: {en}"
    );
}

#[test]
fn each_version_has_its_page_and_no_other_is_there() {
    let fixture = Fixture::staffed();
    let first = fixture.vault.seal_original(Original::default());
    let second = fixture.vault.seal_original(Original {
        of: Some(&first.id),
        path: "again.mp4",
        bytes: b"recorded again",
        ..Original::default()
    });
    let (_, secret) = fixture.sign_in("wen");
    let page = |query: &str| fixture.page(&format!("/evidence/{}{query}", first.id), &secret, Lang::Zh);
    let newest = page("").body;
    assert!(
        newest.contains(&second.sha256) && newest.contains("again.mp4") && !newest.contains("不是最新版本")
    );
    let older = page("?v=1").body;
    assert!(
        older.contains(&first.sha256) && older.contains("不是最新版本"),
        "{older}"
    );
    for query in [
        "?v=3",
        "?v=0",
        "?v=01",
        "?v=1'",
        "?v=-1",
        "?v=99999999999999999999",
    ] {
        assert_eq!(page(query).status, StatusCode::NOT_FOUND, "{query}");
    }
    for id in [
        "0",
        "01J0000000000000000000000X",
        "%27%20OR%201=1--",
        "..%2F..%2Fkeys",
    ] {
        assert_eq!(
            fixture.page(&format!("/evidence/{id}"), &secret, Lang::Zh).status,
            StatusCode::NOT_FOUND,
            "{id}"
        );
    }
    assert!(fixture.was_refused("wen", "search_metadata", "not_found"));
}

#[test]
fn what_is_out_of_reach_is_not_there_and_that_is_on_record() {
    let fixture = Fixture::staffed();
    let other = fixture.vault.seal_original(Original {
        by: "li.na",
        ..Original::default()
    });
    let below = |what: &str| format!("/evidence/{}{what}", other.id);
    for name in ["chen", "fang"] {
        let (_, secret) = fixture.sign_in(name);
        for path in [below(""), below(&format!("/receipts/{}/txt", other.receipt))] {
            let answer = fixture.page(&path, &secret, Lang::Zh);
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{name} {path}");
            assert!(
                !answer.body.contains("000100012345") && !answer.body.contains(&other.sha256),
                "{name} {path}"
            );
        }
        let form = format!("csrf={}", secret.token());
        assert_eq!(
            fixture.post(&below("/1/verify"), &secret, &form).status,
            StatusCode::NOT_FOUND,
            "{name}"
        );
        for what in ["search_metadata", "verify_object"] {
            assert!(fixture.was_refused(name, what, "not_found"), "{name} {what}");
        }
    }
    assert!(fixture.leaves_of(Kind::FixityChecked).is_empty());
    // A live grant brings a record of another branch into reach, as an emergency does.
    let room = &fixture.console.room;
    fixture.vault.user("he2", &["approver"], None);
    let request = crate::access::requests::NewRequest {
        evidence: vec![other.id.clone()],
        purpose: Purpose::View,
        basis: Some(crate::domain::access::Basis::Law),
        reason: "a court waits".to_owned(),
        duration_s: 3_600,
        emergency: true,
        form: None,
    };
    let filed = room.file_request(&Who::person("p-chen"), request).unwrap();
    for approver in ["p-he", "p-he2"] {
        room.approve_request(&Who::person(approver), &filed, Default::default())
            .unwrap();
    }
    let (_, chen) = fixture.sign_in("chen");
    let page = fixture.page(&below(""), &chen, Lang::Zh);
    assert!(
        page.status == StatusCode::OK && page.body.contains(&below("/1/view")),
        "{}",
        page.body
    );
}

#[test]
fn roles_without_the_right_are_refused_and_that_is_on_record() {
    let fixture = Fixture::staffed();
    let row = fixture.vault.seal_original(Original::default());
    let routes = [
        ("/search".to_owned(), "search_metadata"),
        (format!("/evidence/{}", row.id), "search_metadata"),
        (
            format!("/evidence/{}/receipts/{}/json", row.id, row.receipt),
            "search_metadata",
        ),
        ("/doctypes".to_owned(), "search_metadata"),
    ];
    for name in ["zhang.san", "ops", "key"] {
        let (_, secret) = fixture.sign_in(name);
        for (path, what) in &routes {
            let answer = fixture.page(path, &secret, Lang::Zh);
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{name} {path}");
            assert!(!answer.body.contains("A0098877"), "{name} {path}");
            assert!(fixture.was_refused(name, what, "not_your_role"), "{name} {path}");
        }
        assert!(
            !fixture
                .page("/", &secret, Lang::Zh)
                .body
                .contains("href=\"/search\""),
            "{name}"
        );
    }
    for name in ["zhang.san", "ops", "key", "gu"] {
        let (_, secret) = fixture.sign_in(name);
        let form = format!("csrf={}", secret.token());
        let answer = fixture.post(&format!("/evidence/{}/1/verify", row.id), &secret, &form);
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{name}");
        assert!(
            fixture.was_refused(name, "verify_object", "not_your_role"),
            "{name}"
        );
    }
    let (_, reviewer) = fixture.sign_in("gu");
    let page = fixture.page(&format!("/evidence/{}", row.id), &reviewer, Lang::Zh);
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        !page.body.contains("/verify\"") && !page.body.contains("/requests/new"),
        "{}",
        page.body
    );
    assert!(fixture.leaves_of(Kind::FixityChecked).is_empty());
}

#[test]
fn what_others_wrote_is_text_wherever_it_stands() {
    let fixture = Fixture::staffed();
    let path = format!("{}\u{202e}4pm.mp4", HOSTILE.replace('/', ""));
    let said = [("witness1", HOSTILE), (HOSTILE, HOSTILE), ("mode", "\u{202e}x")];
    let row = fixture.vault.seal_original(Original {
        path: &path,
        said: &said,
        ..told()
    });
    // Numbers that no pattern lets in, as if a catalogue had been written by somebody else.
    let draft = fixture
        .vault
        .upload(Kind::EvidenceSealed, "a-x", "zhang.san", &path)
        .fact("evidence", "e-x")
        .fact("version", 1)
        .fact("category", HOSTILE.replace('<', "("))
        .fact("doctype", "WVID")
        .fact("grade", "server_only")
        .fact("stored_size_bytes", 10)
        .fact("stored_blake3", OTHER_SHA)
        .fact("sha256", SHA)
        .fact("date", 20_260_728)
        .commit("customer", HOSTILE)
        .commit("flow", HOSTILE)
        .commit("seq", HOSTILE);
    fixture.vault.commit(draft);
    let (_, secret) = fixture.sign_in("wen");
    let form = format!("csrf={}", secret.token());
    for lang in Lang::ALL {
        let documents = [
            fixture.page("/search", &secret, lang).body,
            fixture.page(&format!("/evidence/{}", row.id), &secret, lang).body,
            fixture.page("/evidence/e-x", &secret, lang).body,
            fixture
                .post(&format!("/evidence/{}/1/verify", row.id), &secret, &form)
                .body,
            fixture.post("/evidence/e-x/1/verify", &secret, &form).body,
        ];
        for document in documents {
            assert!(document.contains("</html>"), "{document}");
            assert!(!document.contains("<script>alert"), "{document}");
            assert!(
                !document.contains("\" onmouseover") && !document.contains(" style="),
                "{document}"
            );
        }
    }
    let text = fixture.page(
        &format!("/evidence/{}/receipts/{}/txt", row.id, row.receipt),
        &secret,
        Lang::Zh,
    );
    let name = text.headers[header::CONTENT_DISPOSITION].to_str().unwrap();
    assert!(
        name.starts_with("attachment; filename=\"_script_alert('1')_script_"),
        "{name}"
    );
    assert!(
        !name.contains("%E2%80%AE") && name.matches('"').count() == 2,
        "{name}"
    );
}

#[test]
fn receipts_are_the_bytes_that_the_branch_gets() {
    let fixture = Fixture::staffed();
    let row = fixture.vault.seal_original(told());
    let book = Arc::new(ReceiptBook::new(fixture.vault.log.clone(), Zone::default()));
    let mut space = ReadOnly(Receipts::new(book, Scope::All));
    let (_, secret) = fixture.sign_in("audit");
    for (form, media_type) in [
        ("txt", "text/plain; charset=utf-8"),
        ("json", "application/json"),
        ("tlog-proof", "text/plain; charset=utf-8"),
    ] {
        let name = format!("{}.NEEDS_REVIEW.{form}", row.file_name);
        let at = ["0101", "2026-07-28", &name].map(|part| part.as_bytes().to_vec());
        let mut file = space
            .open_read(&VirtualPath {
                components: at.into(),
            })
            .unwrap();
        let wanted = piece(&mut *file, 0, 1_000_000).unwrap();
        let path = format!("/evidence/{}/receipts/{}/{form}", row.id, row.receipt);
        let answer = fixture.page(&path, &secret, Lang::Zh);
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(answer.body.as_bytes(), wanted, "{form}");
        assert_eq!(answer.headers[header::CONTENT_TYPE], media_type);
        let disposition = answer.headers[header::CONTENT_DISPOSITION].to_str().unwrap();
        assert!(
            disposition.starts_with(&format!("attachment; filename=\"{name}\"")),
            "{disposition}"
        );
    }
    let leaf = fixture.vault.log.leaf(row.receipt).unwrap();
    let json = format!("/evidence/{}/receipts/{}/json", row.id, row.receipt);
    assert_eq!(fixture.page(&json, &secret, Lang::Zh).body.as_bytes(), leaf);
    // Only receipts of this evidence, only forms that there are.
    let other = fixture.vault.seal_original(Original {
        flow: "B0012345",
        ..Original::default()
    });
    for (number, form) in [
        (other.receipt, "txt"),
        (0, "txt"),
        (row.receipt, "exe"),
        (row.receipt, "TXT"),
    ] {
        let path = format!("/evidence/{}/receipts/{number}/{form}", row.id);
        assert_eq!(
            fixture.page(&path, &secret, Lang::Zh).status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
}

#[test]
fn a_grant_says_what_can_be_done_under_it() {
    let fixture = Fixture::staffed();
    let row = fixture.vault.seal_original(Original::default());
    fixture.contact_sheet(&row.id);
    let (_, secret) = fixture.sign_in("wen");
    let page = || {
        fixture
            .page(&format!("/evidence/{}", row.id), &secret, Lang::En)
            .body
    };
    let (view, download) = (
        format!("href=\"/evidence/{}/1/view\"", row.id),
        format!("action=\"/evidence/{}/1/download\"", row.id),
    );
    let ask = format!("href=\"/requests/new?evidence={}\"", row.id);
    let has = |page: &str| [&view, &download, &ask].map(|part| page.contains(part));
    assert_eq!(has(&page()), [false, false, true]);
    let room = &fixture.console.room;
    fixture.vault.grant(room, "wen", "he", &[&row.id], Purpose::View);
    let under_view = page();
    assert_eq!(has(&under_view), [true, false, true], "{under_view}");
    assert!(
        under_view.contains("approved by he") && under_view.contains("/1/sheet\""),
        "{under_view}"
    );
    fixture
        .vault
        .grant(room, "wen", "he", &[&row.id], Purpose::Export);
    let under_export = page();
    assert_eq!(has(&under_export), [true, true, false], "{under_export}");
    assert!(
        under_export.contains("until 2026-07-28 16:42:07 +08:00"),
        "{under_export}"
    );
    fixture.vault.clock.advance(3_600_000);
    let (_, secret) = fixture.sign_in("wen");
    let over = fixture
        .page(&format!("/evidence/{}", row.id), &secret, Lang::En)
        .body;
    assert_eq!(has(&over), [false, false, true]);
}

#[test]
fn who_read_it_is_for_those_who_see_grants() {
    use crate::access::reading::{Channel, Wanted, What};
    let fixture = Fixture::staffed();
    let row = fixture.vault.seal_original(Original::default());
    fixture.unlock();
    let room = &fixture.console.room;
    fixture.vault.grant(room, "wen", "he", &[&row.id], Purpose::View);
    let wanted = Wanted {
        evidence: row.id.clone(),
        version: 1,
        what: What::Original,
        purpose: Purpose::View,
        channel: Channel::Console,
        holder: "a session".to_owned(),
    };
    let reading = room.open(&Who::person("p-wen"), &wanted).unwrap();
    reading.read_at(0, &mut [0; 4]).unwrap();
    let page = |name: &str| {
        let (_, secret) = fixture.sign_in(name);
        let whole = fixture
            .page(&format!("/evidence/{}", row.id), &secret, Lang::En)
            .body;
        let (_, section) = whole.split_once("<h2>Who read it</h2>").unwrap_or(("", ""));
        (section.to_owned(), whole)
    };
    for (name, sees) in [("wen", true), ("he", true), ("audit", true), ("chen", false)] {
        let (section, whole) = page(name);
        assert_eq!(
            section.contains("<td data-label=\"Who\">wen</td>"),
            sees,
            "{name}: {whole}"
        );
        assert!(!whole.contains("access.read"), "{name}: {whole}");
    }
    let (section, whole) = page("fang");
    assert!(section.is_empty() && !whole.contains("wen"), "{whole}");
}

#[test]
fn a_check_passes_and_says_where_it_stands_in_the_log() {
    let fixture = Fixture::staffed();
    let row = fixture.vault.seal_original(Original::default());
    let (_, secret) = fixture.sign_in("wen");
    let verify = || {
        let form = format!("csrf={}", secret.token());
        fixture.post(&format!("/evidence/{}/1/verify", row.id), &secret, &form)
    };
    let locked = verify();
    assert_eq!(locked.status, StatusCode::OK);
    assert_eq!(
        locked.body.matches("badge good\">一致").count(),
        5,
        "{}",
        locked.body
    );
    assert!(locked.body.contains("badge watch\">未核对") && locked.body.contains("decryption key is locked"));
    fixture.unlock();
    let open = verify();
    assert_eq!(open.body.matches("badge good\">一致").count(), 6, "{}", open.body);
    assert!(
        open.body.contains("全部一致") && open.body.contains(&row.sha256),
        "{}",
        open.body
    );
    let checks = fixture.leaves_of(Kind::FixityChecked);
    let facts =
        |leaf: &Leaf| ["version", "findings", "with_identity"].map(|name| leaf.integer(name).unwrap());
    assert_eq!(
        checks.iter().map(facts).collect::<Vec<_>>(),
        [[1, 0, 0], [1, 0, 1]]
    );
    let last = fixture.vault.leaves().len() - 1;
    assert!(open.body.contains(&format!("日志第 {last} 条")), "{}", open.body);
    let page = fixture
        .page(&format!("/evidence/{}", row.id), &secret, Lang::Zh)
        .body;
    assert!(page.contains("完整性核验：全部一致（第 1 版）"), "{page}");
    assert!(page.contains("存储文件一致（未解密核对）"), "{page}");
    for version in ["2", "0", "x", "1'"] {
        let form = format!("csrf={}", secret.token());
        let path = format!("/evidence/{}/{version}/verify", row.id);
        assert_eq!(
            fixture.post(&path, &secret, &form).status,
            StatusCode::NOT_FOUND,
            "{version}"
        );
    }
}

#[test]
fn one_flipped_byte_is_found_and_named_wherever_it_is() {
    let body = "存储内容（加密）";
    let damage = [("content", body), ("record", "证据记录"), ("header", "密钥头")];
    for (file, name) in damage {
        let fixture = Fixture::staffed();
        fixture.unlock();
        let row = fixture.vault.seal_original(Original {
            bytes: &[7; 200_000],
            ..Original::default()
        });
        let layout = &fixture.vault.layout;
        let path = match file {
            "content" => layout.content(&row.customer, &row.id, 1),
            "record" => layout.record(&row.customer, &row.id, 1),
            _ => layout.header(&row.id, 1),
        }
        .unwrap();
        let mut bytes = fs::read(&path).unwrap();
        let at = bytes.len() / 2;
        bytes[at] ^= 1;
        // Placed files are read-only: a thief of the disk replaces them.
        fs::remove_file(&path).unwrap();
        fs::write(&path, &bytes).unwrap();
        let (_, secret) = fixture.sign_in("audit");
        let form = format!("csrf={}", secret.token());
        let page = fixture
            .post(&format!("/evidence/{}/1/verify", row.id), &secret, &form)
            .body;
        assert!(
            page.contains("发现不一致") && page.contains("role=\"alert\""),
            "{file}: {page}"
        );
        let (_, rest) = page.split_once(&format!("<strong>{name}</strong>")).unwrap();
        let cell = rest.split("</tr>").next().unwrap();
        assert!(
            cell.contains("badge bad") && cell.contains("BLAKE3 is"),
            "{file}: {cell}"
        );
        if file == "content" {
            assert!(page.contains("chunk 1 is damaged"), "{page}");
        }
        let found = fixture.leaves_of(Kind::FixityChecked)[0]
            .integer("findings")
            .unwrap();
        assert_eq!(found, if file == "record" { 1 } else { 2 }, "{file}");
        // Gone altogether.
        fs::remove_file(&path).unwrap();
        let page = fixture
            .post(&format!("/evidence/{}/1/verify", row.id), &secret, &form)
            .body;
        assert!(page.contains("<code>missing</code>"), "{file}: {page}");
    }
}

#[test]
fn what_is_still_on_its_way_to_its_place_is_not_called_missing() {
    let fixture = Fixture::staffed();
    let row = fixture.vault.seal_original(Original::default());
    let layout = &fixture.vault.layout;
    let target = layout.content(&row.customer, &row.id, 1).unwrap();
    let below = target
        .strip_prefix(layout.root())
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    fs::remove_file(&target).unwrap();
    let (again, size_bytes) = (row.accession.clone(), row.stored_size_bytes.unsigned_abs());
    let promised = move |_: &[u8]| {
        Ok(vec![crate::catalog::placements::Placement {
            target: below,
            source: crate::catalog::placements::Source::Staged {
                accession: again,
                size_bytes,
            },
        }])
    };
    let committed = fixture.vault.custody.commit(move |_| {
        Ok(crate::custody::sequencer::Proposed {
            draft: Draft::new(Kind::Recover, "r-1", "operator"),
            place: Some(Box::new(promised)),
        })
    });
    committed.unwrap();
    let (_, secret) = fixture.sign_in("wen");
    let form = format!("csrf={}", secret.token());
    let page = fixture
        .post(&format!("/evidence/{}/1/verify", row.id), &secret, &form)
        .body;
    assert!(
        page.contains("still being put in its place") && !page.contains("badge bad"),
        "{page}"
    );
}

#[test]
fn checks_wait_for_their_turn() {
    let fixture = Fixture::staffed();
    let row = fixture.vault.seal_original(Original::default());
    let (_, secret) = fixture.sign_in("wen");
    let form = format!("csrf={}", secret.token());
    let path = format!("/evidence/{}/1/verify", row.id);
    let own = fixture.console.room.checks.begin("p-wen").unwrap();
    let told_to_wait = || {
        let answer = fixture.post(&path, &secret, &form);
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        assert_eq!(answer.location(), format!("/evidence/{}?v=1", row.id));
        let page = fixture.page(answer.location(), &secret, Lang::Zh).body;
        assert!(page.contains("您有一次核验正在进行"), "{page}");
    };
    told_to_wait();
    drop(own);
    let others: Vec<_> = (0..crate::access::checks::MAX_CHECKS)
        .map(|at| fixture.console.room.checks.begin(&format!("p{at}")))
        .collect();
    told_to_wait();
    drop(others);
    assert_eq!(fixture.post(&path, &secret, &form).status, StatusCode::OK);
    assert_eq!(fixture.refusals(), [], "to wait is no refusal");
}

/// With `MUNIMENT_GALLERY=DIR` the pages are written there, to be looked at in a browser.
#[test]
fn the_pages_are_clean_in_both_languages() {
    let fixture = Fixture::staffed();
    fixture.publish_types();
    fixture.unlock();
    let look = r#"{"report":{"container":"mp4","media":{"measured_ms":723000,"video":[{"width":1280,"height":720,"codec":"h264",
        "frame_rate_milli":25000}],"audio":[{"codec":"aac","sample_rate_hz":48000,"channels":2}]}},"findings":[]}"#;
    let row = fixture.vault.seal_original(Original {
        inspection: Some(("accepted", look)),
        bytes: &[3; 700_000],
        ..told()
    });
    let row = fixture.vault.seal_original(Original {
        of: Some(&row.id),
        bytes: &[5; 300_000],
        ..told()
    });
    for (flow, doctype) in [("A0098878", "IDF"), ("B0012345", "WVID"), ("B0012346", "CBND")] {
        fixture.vault.seal_original(Original {
            by: "li.na",
            flow,
            doctype,
            customer: "000200099999",
            date: 20_260_727,
            bytes: flow.as_bytes(),
            ..Original::default()
        });
    }
    fixture.contact_sheet(&row.id);
    fixture
        .vault
        .grant(&fixture.console.room, "wen", "he", &[&row.id], Purpose::Export);
    for lang in Lang::ALL {
        let (_, secret) = fixture.sign_in("wen");
        let verify = || {
            let cookie = format!("{}; {}={}", session_cookie(&secret), cookies::LANG, lang.code());
            let head = [
                (header::COOKIE, cookie.as_str()),
                (header::ORIGIN, ORIGIN),
                (header::CONTENT_TYPE, "application/x-www-form-urlencoded"),
            ];
            let form = format!("csrf={}", secret.token());
            fixture
                .send(request(
                    Method::POST,
                    &format!("/evidence/{}/1/verify", row.id),
                    &head,
                    &form,
                ))
                .body
        };
        let passed = verify();
        let path = fixture.vault.layout.content(&row.customer, &row.id, 1).unwrap();
        let whole = fs::read(&path).unwrap();
        let mut bytes = whole.clone();
        bytes[400_000] ^= 1;
        fs::remove_file(&path).unwrap();
        fs::write(&path, &bytes).unwrap();
        let failed = verify();
        fs::write(&path, &whole).unwrap();
        let page = |path: &str| fixture.page(path, &secret, lang).body;
        let shown = [
            ("search", page("/search")),
            (
                "search-wrong",
                page("/search?customer=%27+OR+1&from=2026-02-30&sha256=12"),
            ),
            ("search-nothing", page("/search?customer=000100012399")),
            ("evidence", page(&format!("/evidence/{}", row.id))),
            ("evidence-first", page(&format!("/evidence/{}?v=1", row.id))),
            ("verify-passed", passed),
            ("verify-failed", failed),
            ("doctypes", page("/doctypes")),
        ];
        for (name, document) in shown {
            assert!(
                document.contains("</html>") && !document.contains(" style="),
                "{name}: {document}"
            );
            hang(&fixture, name, lang, &document);
        }
    }
}
