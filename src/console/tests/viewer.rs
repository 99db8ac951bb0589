//! Content in the page: opened, read in ranges, watched, ended; and all the ways in which it is refused or cut.

use super::*;
use crate::{
    access::{
        authorizer::Who,
        live::{MAX_READINGS_PER_HOLDER, Reading},
        reading::What,
        requests::{Approved, Narrowing, NewRequest},
    },
    console::limits::{BLOCK_BYTES, MAX_STREAMS, MAX_STREAMS_PER_READING},
    crypto::{FileKey, Identity, Recipients, body, header as age_header},
    domain::{
        access::{Basis, Purpose},
        event::{Kind, Leaf},
        hex,
    },
    inspect::{
        outcome::Inspection,
        report::{Media, REPORT_VERSION, Report, Tier, Video},
    },
};
use proptest::{prelude::*, test_runner::TestRunner};
use ring::digest;
use std::{fs, path::PathBuf, sync::atomic::Ordering};

const RETRIEVER: &str = "wang.fang";
const APPROVER: &str = "chen.jing";
const CUSTOMER: &str = "000100012345";
/// Of the chunks that a body is sealed in.
const CHUNK: usize = 64 * 1024;
/// Two blocks and a bit.
const LENGTH: usize = 2 * BLOCK_BYTES + 70_001;

/// A console with sealed content, the key unlocked, a retriever and an approver.
struct Room {
    fixture: Fixture,
    identity: Identity,
}

/// What came of an answer until it ended or was cut.
struct Taken {
    status: StatusCode,
    headers: HeaderMap,
    bytes: Vec<u8>,
    is_whole: bool,
}

fn plain(length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| (at % 251) as u8 ^ (at / CHUNK) as u8)
        .collect()
}

fn put(path: PathBuf, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn report(container: &str, codec: &str) -> Report {
    let media = Media {
        video: vec![Video {
            codec: codec.to_owned(),
            ..Video::default()
        }],
        ..Media::default()
    };
    Report {
        v: REPORT_VERSION,
        inspector: "a test".to_owned(),
        tier: Tier::Gate,
        container: container.to_owned(),
        size_bytes: 1,
        faults: Vec::new(),
        media: (!codec.is_empty()).then_some(media),
        scan: None,
        bundle: None,
    }
}

impl Room {
    fn new() -> Self {
        let fixture = Fixture::new();
        fixture.vault.user(RETRIEVER, &["retriever"], None);
        fixture.vault.user(APPROVER, &["approver"], None);
        let identity = Identity::generate();
        let keyring = fixture.console.room.contents.keyring();
        keyring.unlock(vec![identity.clone()]).unwrap();
        Room { fixture, identity }
    }

    /// Seals version 1 of a file in a flow of its own: `e-<flow>`.
    fn seal(&self, flow: &str, file_name: &str, report: Report, original: &[u8]) -> String {
        let evidence = format!("e-{flow}");
        let key = FileKey::generate(&SystemRandom::new()).unwrap();
        let layout = &self.fixture.vault.layout;
        let wrapped =
            age_header::wrap(&key, &Recipients::new(&[self.identity.recipient()]).unwrap()).unwrap();
        put(layout.header(&evidence, 1).unwrap(), &wrapped);
        let stored = body::seal(&key, &SystemRandom::new(), original).unwrap();
        put(layout.content(CUSTOMER, &evidence, 1).unwrap(), &stored);
        let inspection = Inspection {
            report: Some(report),
            findings: Vec::new(),
            types_version: 1,
        };
        let draft = self
            .fixture
            .vault
            .upload(Kind::EvidenceSealed, &format!("a-{flow}"), "zhang.san", file_name)
            .fact("evidence", evidence.as_str())
            .fact("version", 1)
            .fact("category", "customer")
            .fact("doctype", "WVID")
            .fact("grade", "server_only")
            .fact("size_bytes", original.len())
            .fact("sha256", hex::encode(digest::digest(&digest::SHA256, original)))
            .fact("stored_size_bytes", stored.len())
            .fact("stored_blake3", hex::encode(blake3::hash(&stored).as_bytes()))
            .fact("date", 20_260_728)
            .commit("customer", CUSTOMER)
            .commit("flow", flow)
            .commit("seq", "01");
        self.fixture.vault.commit(inspection.write(draft));
        evidence
    }

    fn film(&self) -> (String, Vec<u8>) {
        let original = plain(LENGTH);
        let evidence = self.seal("A1", "见证.mp4", report("mp4", "h264"), &original);
        (evidence, original)
    }

    /// A copy made from version 1, under its key.
    fn copy(&self, evidence: &str, what: What, media_type: &str, bytes: &[u8]) {
        let event = format!("d-{}", what.id().replace('_', "-"));
        let layout = &self.fixture.vault.layout;
        let wrapped = fs::read(layout.header(evidence, 1).unwrap()).unwrap();
        let key = self.fixture.console.room.contents.keyring().file_key(&wrapped);
        let stored = body::seal(&key.unwrap(), &SystemRandom::new(), bytes).unwrap();
        put(layout.derived(CUSTOMER, evidence, 1, &event).unwrap(), &stored);
        let draft = crate::domain::event::Draft::new(Kind::DerivedMade, event, "system")
            .fact("evidence", evidence)
            .fact("version", 1)
            .fact("of", 0)
            .fact("form", what.id())
            .fact("media_type", media_type)
            .fact("original_sha256", "00")
            .fact("size_bytes", bytes.len())
            .fact("sha256", hex::encode(digest::digest(&digest::SHA256, bytes)))
            .fact("stored_size_bytes", stored.len())
            .fact("stored_blake3", hex::encode(blake3::hash(&stored).as_bytes()));
        self.fixture.vault.commit(draft);
    }

    fn grant(&self, evidence: &str, purpose: Purpose) -> String {
        let room = &self.fixture.console.room;
        let request = NewRequest {
            evidence: vec![evidence.to_owned()],
            purpose,
            basis: Some(Basis::Law),
            reason: "法院调阅".to_owned(),
            duration_s: 20 * 60,
            emergency: false,
            form: None,
        };
        let asked = room
            .file_request(&Who::person(format!("p-{RETRIEVER}")), request)
            .unwrap();
        let approver = Who::person(format!("p-{APPROVER}"));
        match room
            .approve_request(&approver, &asked, Narrowing::default())
            .unwrap()
        {
            Approved::Granted(grant) => grant,
            Approved::Endorsed => unreachable!("this is no emergency"),
        }
    }

    fn get(&self, secret: &Secret, path: &str) -> Answer {
        self.fixture
            .get(path, &[(header::COOKIE, &session_cookie(secret))])
    }

    fn post(&self, secret: &Secret, path: &str, fields: &str) -> Answer {
        self.fixture
            .post(path, secret, &format!("csrf={}&{fields}", secret.token()))
    }

    fn answer(&self, method: Method, secret: &Secret, path: &str, range: Option<&str>) -> Response {
        let cookie = session_cookie(secret);
        let mut fields = vec![(header::COOKIE, cookie.as_str())];
        fields.extend(range.map(|range| (header::RANGE, range)));
        let request = request(method, path, &fields, "");
        let answered = self.fixture.site.answer(request, PEER);
        self.fixture.runtime.block_on(answered)
    }

    fn take(&self, secret: &Secret, path: &str, range: Option<&str>) -> Taken {
        self.rest(self.answer(Method::GET, secret, path, range))
    }

    /// Everything that an answer still gives.
    fn rest(&self, response: Response) -> Taken {
        let (parts, mut body) = response.into_parts();
        let (mut bytes, mut is_whole) = (Vec::new(), true);
        self.fixture.runtime.block_on(async {
            while let Some(frame) = body.frame().await {
                match frame {
                    Ok(frame) => bytes.extend_from_slice(frame.data_ref().unwrap()),
                    Err(_) => {
                        is_whole = false;
                        return;
                    }
                }
            }
        });
        Taken {
            status: parts.status,
            headers: parts.headers,
            bytes,
            is_whole,
        }
    }

    /// The next block of an answer under way.
    fn block(&self, response: &mut Response) -> Option<axum::body::Bytes> {
        let frame = self.fixture.runtime.block_on(response.body_mut().frame());
        frame?.ok()?.into_data().ok()
    }

    /// The page that shows something, and where its content is.
    fn view(&self, secret: &Secret, evidence: &str) -> (String, String) {
        let answer = self.get(secret, &format!("/evidence/{evidence}/1/view"));
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let (_, rest) = answer.body.split_once("data-reading=\"").unwrap();
        let reading = rest.split('"').next().unwrap().to_owned();
        (reading, answer.body)
    }

    fn state(&self, secret: &Secret, reading: &str) -> serde_json::Value {
        let answer = self.get(secret, &format!("{reading}/state"));
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        serde_json::from_str(&answer.body).unwrap()
    }

    fn refusals(&self) -> usize {
        let leaves = self.fixture.vault.leaves();
        let refused = leaves.iter().filter(|leaf| leaf.kind == Kind::AccessRefused);
        refused.count()
    }

    /// The end of the only reading that there was, when all is over.
    fn end(mut self) -> Leaf {
        self.fixture.console.room.reads.stop();
        self.fixture.vault.settle_log();
        let leaves = self.fixture.vault.leaves();
        let count = |kind| leaves.iter().filter(|leaf| leaf.kind == kind).count();
        assert_eq!((count(Kind::AccessRead), count(Kind::AccessReadEnded)), (1, 1));
        let ended = leaves.into_iter().find(|leaf| leaf.kind == Kind::AccessReadEnded);
        ended.unwrap()
    }
}

#[test]
fn a_film_is_opened_under_the_viewers_name_played_watched_and_its_end_is_on_record() {
    let room = Room::new();
    let (evidence, original) = room.film();
    let grant = room.grant(&evidence, Purpose::View);
    let (_, secret) = room.fixture.sign_in(RETRIEVER);
    let (reading, page) = room.view(&secret, &evidence);
    assert!(page.contains(&format!("src=\"{reading}/content\"")), "{page}");
    for said in [
        "<video controls",
        "controlslist=\"nodownload nofullscreen",
        "disablepictureinpicture",
        &format!("{RETRIEVER} · p-{RETRIEVER}"),
        "2026-07-28 15:42:07 +08:00",
        "第 ",
        "/assets/viewer-",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    let leaves = room.fixture.vault.leaves();
    let read = leaves.iter().find(|leaf| leaf.kind == Kind::AccessRead).unwrap();
    assert_eq!(
        reading,
        format!("/readings/{}", read.id),
        "on record before the first byte"
    );
    assert_eq!(
        [
            read.text("grant"),
            read.text("purpose"),
            read.text("channel"),
            read.text("part")
        ],
        [
            Some(grant.as_str()),
            Some("view"),
            Some("console"),
            Some("original")
        ]
    );

    let content = format!("{reading}/content");
    let first = room.take(&secret, &content, Some("bytes=0-99999"));
    assert_eq!(
        (first.status, first.is_whole),
        (StatusCode::PARTIAL_CONTENT, true)
    );
    assert!(first.bytes == original[..100_000]);
    assert_eq!(
        first.headers[header::CONTENT_RANGE],
        format!("bytes 0-99999/{LENGTH}")
    );
    let last = room.take(&secret, &content, Some("bytes=-1000"));
    assert!(last.bytes == original[LENGTH - 1_000..]);
    for (name, value) in [
        (header::CONTENT_TYPE, "video/mp4"),
        (header::ACCEPT_RANGES, "bytes"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_LENGTH, "1000"),
    ] {
        assert_eq!(last.headers[&name], value);
    }
    let text = |name| last.headers[name].to_str().unwrap();
    assert!(text(header::CONTENT_DISPOSITION).starts_with("inline; "));
    assert!(text(header::CONTENT_SECURITY_POLICY).ends_with("sandbox"));
    assert_eq!(room.state(&secret, &reading)["open"], true);

    for seconds in ["12", "31", "-5", "x"] {
        let told = room.post(
            &secret,
            &format!("{reading}/watched"),
            &format!("seconds={seconds}"),
        );
        assert_eq!(told.body, r#"{"open":true}"#);
    }
    let forged = room.fixture.post(&format!("{reading}/end"), &secret, "seconds=1");
    assert_eq!(forged.status, StatusCode::FORBIDDEN);
    let left = room.post(&secret, &format!("{reading}/end"), "seconds=33");
    assert_eq!(left.status, StatusCode::OK);
    assert_eq!(room.state(&secret, &reading)["why"], "closed");
    assert_eq!(room.take(&secret, &content, None).status, StatusCode::NOT_FOUND);
    let id = read.id.clone();
    let end = room.end();
    assert_eq!(end.text("read"), Some(id.as_str()));
    assert_eq!(
        (
            end.integer("bytes"),
            end.integer("ranges"),
            end.integer("watched_s")
        ),
        (Some(101_000), Some(2), Some(33))
    );
    assert_eq!(end.text("why"), Some("closed"));
    let start = LENGTH - 1_000;
    assert_eq!(
        end.data["stretches"],
        serde_json::json!(["0-100000", format!("{start}-{LENGTH}")])
    );
}

#[test]
fn every_range_is_the_plaintext() {
    let room = Room::new();
    let (evidence, original) = room.film();
    room.grant(&evidence, Purpose::View);
    let (_, secret) = room.fixture.sign_in(RETRIEVER);
    let content = format!("{}/content", room.view(&secret, &evidence).0);
    let whole = room.take(&secret, &content, None);
    assert!(whole.status == StatusCode::OK && whole.bytes == original && whole.is_whole);
    // Around the borders of chunks and blocks as often as anywhere else.
    let offset = prop_oneof![
        0..LENGTH,
        (0..=LENGTH / CHUNK)
            .prop_flat_map(|chunk| (chunk * CHUNK).saturating_sub(2)..(chunk * CHUNK + 3).min(LENGTH)),
    ];
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let ranges = (offset.clone(), offset);
    let ran = runner.run(&ranges, |(one, other)| {
        let (first, last) = (one.min(other), one.max(other));
        let taken = room.take(&secret, &content, Some(&format!("bytes={first}-{last}")));
        prop_assert_eq!(taken.status, StatusCode::PARTIAL_CONTENT);
        prop_assert!(taken.is_whole && taken.bytes == original[first..=last]);
        let said = taken.headers[header::CONTENT_RANGE].to_str().unwrap().to_owned();
        prop_assert_eq!(said, format!("bytes {first}-{last}/{LENGTH}"));
        Ok(())
    });
    ran.unwrap();

    let beyond = room.take(&secret, &content, Some(&format!("bytes={LENGTH}-")));
    assert_eq!(beyond.status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(beyond.headers[header::CONTENT_RANGE], format!("bytes */{LENGTH}"));
    assert!(beyond.bytes.is_empty());
    let several = room.take(&secret, &content, Some("bytes=0-1,5-6"));
    assert!(several.status == StatusCode::OK && several.bytes == original);
    let head = room.answer(Method::HEAD, &secret, &content, Some("bytes=0-1"));
    assert_eq!(head.status(), StatusCode::OK);
    assert_eq!(head.headers()[header::CONTENT_LENGTH], LENGTH.to_string());
    let tag = whole.headers[header::ETAG].to_str().unwrap().to_owned();
    let cookie = session_cookie(&secret);
    let resumed = |known: &str| {
        let fields = [
            (header::COOKIE, cookie.as_str()),
            (header::RANGE, "bytes=5-"),
            (header::IF_RANGE, known),
        ];
        let answered = room
            .fixture
            .site
            .answer(request(Method::GET, &content, &fields, ""), PEER);
        room.fixture.runtime.block_on(answered).status()
    };
    assert_eq!(resumed(&tag), StatusCode::PARTIAL_CONTENT);
    assert_eq!(resumed("\"another\""), StatusCode::OK);
}

#[test]
fn without_a_grant_nothing_is_opened_and_the_refusal_is_on_record() {
    let room = Room::new();
    let (evidence, _) = room.film();
    room.copy(&evidence, What::ContactSheet, "image/jpeg", b"\xff\xd8sheet");
    let (_, secret) = room.fixture.sign_in(RETRIEVER);
    let base = format!("/evidence/{evidence}/1");
    let refused = |answer: Answer| {
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.body);
        assert!(answer.body.contains("没有有效的查阅授权"), "{}", answer.body);
    };
    refused(room.get(&secret, &format!("{base}/view")));
    refused(room.get(&secret, &format!("{base}/sheet")));
    refused(room.post(&secret, &format!("{base}/download"), ""));
    assert!(room.refusals() >= 1, "repetitions are counted in the next");
    // Roles that never read meet the same wall before any question about the record; what isn't there isn't there.
    let (_, approver) = room.fixture.sign_in(APPROVER);
    assert_eq!(
        room.get(&approver, &format!("{base}/view")).status,
        StatusCode::FORBIDDEN
    );
    for nothing in [
        "/evidence/e-none/1/view",
        "/evidence/e-A1/2/view",
        "/evidence/e-A1/x/view",
    ] {
        assert_eq!(
            room.get(&secret, nothing).status,
            StatusCode::NOT_FOUND,
            "{nothing}"
        );
    }
    let leaves = room.fixture.vault.leaves();
    assert!(leaves.iter().all(|leaf| leaf.kind != Kind::AccessRead));
    assert!(room.fixture.console.room.reads.list().is_empty());
}

#[test]
fn a_grant_to_look_gives_nothing_to_take_away() {
    let room = Room::new();
    let (evidence, original) = room.film();
    room.grant(&evidence, Purpose::View);
    let (_, secret) = room.fixture.sign_in(RETRIEVER);
    let address = format!("/evidence/{evidence}/1/download");
    let refused = room.post(&secret, &address, "");
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.body.contains("仅限在控制台查看"), "{}", refused.body);
    let leaves = room.fixture.vault.leaves();
    let refusal = leaves
        .iter()
        .find(|leaf| leaf.kind == Kind::AccessRefused)
        .unwrap();
    assert_eq!(refusal.text("why"), Some("view_only"));

    room.grant(&evidence, Purpose::Export);
    let answer = room.post(&secret, &address, "");
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    let content = answer.location().to_owned();
    let saved = room.take(&secret, &content, None);
    assert!(saved.bytes == original && saved.is_whole);
    assert_eq!(saved.headers[header::CONTENT_TYPE], "application/octet-stream");
    assert_eq!(
        saved.headers[header::CONTENT_DISPOSITION],
        "attachment; filename=\"__.mp4\"; filename*=UTF-8''%E8%A7%81%E8%AF%81.mp4"
    );
    // Broken off and taken up again, as long as the reading lives.
    let resumed = room.take(&secret, &content, Some("bytes=300000-"));
    assert!(resumed.bytes == original[300_000..]);
    assert_eq!(
        room.fixture.get(&address, &[]).status,
        StatusCode::METHOD_NOT_ALLOWED
    );
}

#[test]
fn a_reading_is_its_sessions_and_nobody_elses() {
    let room = Room::new();
    let (evidence, _) = room.film();
    room.grant(&evidence, Purpose::View);
    room.fixture.vault.user("zhao.lei", &["retriever"], None);
    let (_, secret) = room.fixture.sign_in(RETRIEVER);
    let (_, again) = room.fixture.sign_in(RETRIEVER);
    let (_, other) = room.fixture.sign_in("zhao.lei");
    let (reading, _) = room.view(&secret, &evidence);
    for stranger in [&again, &other] {
        for path in ["content", "state"] {
            let answer = room.get(stranger, &format!("{reading}/{path}"));
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        }
        for path in ["watched", "end"] {
            let answer = room.post(stranger, &format!("{reading}/{path}"), "seconds=9");
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        }
    }
    for guessed in [
        "/readings/0/content",
        "/readings/../content",
        "/readings/%2e%2e/content",
    ] {
        assert_eq!(
            room.get(&secret, guessed).status,
            StatusCode::NOT_FOUND,
            "{guessed}"
        );
    }
    assert_eq!(
        room.state(&secret, &reading)["open"],
        true,
        "untouched by all that"
    );
    assert_eq!(room.end().integer("watched_s"), None);
}

#[test]
fn an_event_that_cant_be_committed_gives_no_byte() {
    let room = Room::new();
    let (evidence, _) = room.film();
    room.grant(&evidence, Purpose::Export);
    let (_, secret) = room.fixture.sign_in(RETRIEVER);
    let disk = rusqlite::Connection::open(room.fixture.vault.layout.catalog()).unwrap();
    let full =
        "CREATE TRIGGER full BEFORE INSERT ON event BEGIN SELECT RAISE(ABORT, 'the disk is full'); END";
    disk.execute_batch(full).unwrap();
    let view = room.get(&secret, &format!("/evidence/{evidence}/1/view"));
    assert_eq!(view.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!view.body.contains("/content"), "{}", view.body);
    let saved = room.post(&secret, &format!("/evidence/{evidence}/1/download"), "");
    assert_eq!(saved.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(room.fixture.console.room.reads.list().is_empty());
    let leaves = room.fixture.vault.leaves();
    assert!(leaves.iter().all(|leaf| leaf.kind != Kind::AccessRead));
}

/// Something that ends a reading, by its name.
type Cut = (&'static str, fn(&Room, &Session, &Secret, &str));

#[test]
fn whatever_ends_a_reading_cuts_its_stream_and_says_why() {
    let cuts: [Cut; 9] = [
        ("revoked", |room, _, _, grant| {
            let who = Who::person(format!("p-{APPROVER}"));
            room.fixture
                .console
                .room
                .revoke_grant(&who, grant, "误批")
                .unwrap();
        }),
        ("expired", |room, _, _, _| {
            room.fixture.vault.clock.advance(20 * 60_000);
        }),
        ("withdrawn", |room, _, _, _| {
            room.fixture.vault.disable(RETRIEVER);
            room.fixture
                .console
                .room
                .reads
                .end_person(&format!("p-{RETRIEVER}"));
        }),
        ("locked", |room, _, _, _| {
            room.fixture.console.room.contents.keyring().lock();
        }),
        ("session_over", |room, _, secret, _| {
            assert_eq!(room.post(secret, "/sign-out", "").status, StatusCode::SEE_OTHER);
        }),
        ("session_over", |room, session, _, _| {
            let (_, elsewhere) = room.fixture.sign_in(RETRIEVER);
            let form = format!("session={}", session.id);
            let answer = room.post(&elsewhere, "/account/sessions/end", &form);
            assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        }),
        ("session_over", |room, session, _, _| {
            // Nobody comes back to it; the next sweep finds it.
            room.fixture.vault.clock.advance(30 * 60_000);
            room.fixture.console.sweep();
            assert!(!room.fixture.console.sessions.is_open(&session.id));
        }),
        ("session_over", |room, session, _, _| {
            assert!(room.fixture.console.end_session(&session.id, "operator"));
        }),
        ("session_over", |room, _, secret, _| {
            // The person is disabled by somebody who knows no sessions; the session's next request finds it.
            room.fixture.vault.disable(RETRIEVER);
            assert_eq!(room.get(secret, "/").status, StatusCode::SEE_OTHER);
        }),
    ];
    for (at, (why, cut)) in cuts.into_iter().enumerate() {
        let room = Room::new();
        let (evidence, original) = room.film();
        let grant = room.grant(&evidence, Purpose::View);
        let (session, secret) = room.fixture.sign_in(RETRIEVER);
        let (reading, _) = room.view(&secret, &evidence);
        let mut response = room.answer(Method::GET, &secret, &format!("{reading}/content"), None);
        let first = room.block(&mut response).unwrap();
        assert!(first == original[..BLOCK_BYTES], "{at} {why}");
        cut(&room, &session, &secret, &grant);
        let rest = room.rest(response);
        assert!(rest.bytes.is_empty() && !rest.is_whole, "{at} {why}");
        assert_eq!(room.fixture.console.streams.count(), 0, "{at} {why}");
        let asked = room.get(&secret, &format!("{reading}/state"));
        match why {
            "withdrawn" | "session_over" => assert_eq!(asked.status, StatusCode::SEE_OTHER, "{at} {why}"),
            why => {
                let state: serde_json::Value = serde_json::from_str(&asked.body).unwrap();
                assert_eq!(
                    (&state["open"], &state["why"]),
                    (&false.into(), &why.into()),
                    "{at}"
                );
                let more = room.take(&secret, &format!("{reading}/content"), None);
                assert!(
                    more.status.is_client_error() || more.status.is_server_error(),
                    "{at} {why}"
                );
            }
        }
        let signed_out = |room: &Room| room.fixture.vault.leaves().into_iter();
        let ends = signed_out(&room).filter(|leaf| leaf.kind == Kind::UserSignedOut);
        let ends = ends
            .filter(|leaf| leaf.text("session") == Some(&session.id))
            .count();
        let expected = usize::from(why == "session_over" || why == "withdrawn");
        assert_eq!(
            ends, expected,
            "{at} {why}: each session's end stands in the log once"
        );
        let end = room.end();
        assert_eq!(end.text("why"), Some(why), "{at}");
        assert_eq!(end.integer("bytes"), Some(BLOCK_BYTES as i64), "{at} {why}");
        assert_eq!(end.integer("ranges"), Some(1), "{at} {why}");
    }
}

#[test]
fn a_session_that_makes_room_for_another_ends_with_its_readings_and_on_record() {
    let room = Room::new();
    let (evidence, _) = room.film();
    room.grant(&evidence, Purpose::View);
    let (session, secret) = room.fixture.sign_in(RETRIEVER);
    let (reading, _) = room.view(&secret, &evidence);
    let person = room
        .fixture
        .vault
        .catalogue
        .read(|c| people::by_name(c, RETRIEVER))
        .unwrap()
        .unwrap();
    for n in 0..crate::console::limits::MAX_SESSIONS_PER_PERSON {
        room.fixture.vault.clock.advance(1);
        let signed_in = crate::access::credentials::SignedIn {
            person: person.clone(),
            session: format!("s-{n}"),
            factor: crate::access::credentials::Factor::Passkey,
            device: String::new(),
        };
        let visit = guest();
        room.fixture.console.sign_in(&visit, &signed_in, None).unwrap();
    }
    assert!(!room.fixture.console.sessions.is_open(&session.id));
    let holder = &session.id;
    let fate = room
        .fixture
        .console
        .room
        .reads
        .fate(reading.trim_start_matches("/readings/"), holder);
    assert!(
        matches!(fate, Some(crate::access::live::Fate::Ended(_))),
        "{fate:?}"
    );
    let leaves = room.fixture.vault.leaves();
    let ends: Vec<_> = leaves
        .iter()
        .filter(|leaf| leaf.kind == Kind::UserSignedOut)
        .map(|leaf| (leaf.text("session"), leaf.text("how")))
        .collect();
    assert_eq!(ends, [(Some(holder.as_str()), Some("displaced"))]);
    assert_eq!(room.end().text("why"), Some("session_over"));
}

fn guest() -> Visit {
    Visit {
        lang: Lang::Zh,
        method: Method::POST,
        path: "/sign-in".to_owned(),
        query: crate::console::fields::Fields::default(),
        form: crate::console::fields::Fields::default(),
        body: axum::body::Bytes::new(),
        headers: HeaderMap::new(),
        address: PEER,
        bearer: None,
        signed: None,
        secret: Secret::new(&SystemRandom::new()).unwrap(),
        params: Vec::new(),
        token_given: false.into(),
        here: "/".to_owned(),
    }
}

#[test]
fn a_flipped_byte_ends_the_stream_before_it_and_the_page_names_the_chunk() {
    let room = Room::new();
    let (evidence, original) = room.film();
    room.grant(&evidence, Purpose::View);
    let (_, secret) = room.fixture.sign_in(RETRIEVER);
    let (reading, _) = room.view(&secret, &evidence);
    let path = room.fixture.vault.layout.content(CUSTOMER, &evidence, 1).unwrap();
    let mut stored = fs::read(&path).unwrap();
    // Of chunk 6, which is the third of the second block.
    stored[16 + 6 * (CHUNK + 16) + 5] ^= 1;
    fs::write(&path, stored).unwrap();
    let taken = room.take(&secret, &format!("{reading}/content"), None);
    assert_eq!(taken.status, StatusCode::OK);
    assert!(!taken.is_whole && taken.bytes == original[..BLOCK_BYTES]);
    let state = room.state(&secret, &reading);
    assert_eq!(
        (&state["open"], &state["why"]),
        (&false.into(), &"damaged".into())
    );
    assert!(state["detail"].as_str().unwrap().contains("chunk 6 "), "{state}");
    assert!(state["words"].as_str().unwrap().contains("损坏"), "{state}");
    let again = room.take(&secret, &format!("{reading}/content"), Some("bytes=0-9"));
    assert_eq!(again.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(String::from_utf8(again.bytes).unwrap().contains("chunk 6 "));
    let end = room.end();
    assert_eq!(
        (end.text("why"), end.integer("bytes")),
        (Some("damaged"), Some(BLOCK_BYTES as i64))
    );
}

#[test]
fn streams_are_bounded_for_each_reading_and_in_all() {
    let room = Room::new();
    let (evidence, _) = room.film();
    room.grant(&evidence, Purpose::View);
    let (_, secret) = room.fixture.sign_in(RETRIEVER);
    let mut held = Vec::new();
    let mut last = String::new();
    for _ in 0..MAX_STREAMS / MAX_STREAMS_PER_READING {
        last = format!("{}/content", room.view(&secret, &evidence).0);
        for _ in 0..MAX_STREAMS_PER_READING {
            let response = room.answer(Method::GET, &secret, &last, None);
            assert_eq!(response.status(), StatusCode::OK);
            held.push(response);
        }
        let more = room.answer(Method::GET, &secret, &last, None);
        assert_eq!(more.status(), StatusCode::TOO_MANY_REQUESTS);
        assert!(more.headers().contains_key(header::RETRY_AFTER));
    }
    assert_eq!(room.fixture.console.streams.count(), MAX_STREAMS);
    let another = format!("{}/content", room.view(&secret, &evidence).0);
    assert_eq!(
        room.take(&secret, &another, None).status,
        StatusCode::TOO_MANY_REQUESTS
    );
    let head = room.answer(Method::HEAD, &secret, &another, None);
    assert_eq!(head.status(), StatusCode::OK, "nothing streams for it");
    held.pop();
    assert_eq!(
        room.take(&secret, &last, Some("bytes=0-9")).status,
        StatusCode::PARTIAL_CONTENT
    );
    drop(held);
    assert_eq!(room.fixture.console.streams.count(), 0);
}

#[test]
fn peers_that_take_nothing_hold_no_thread() {
    let mut room = Room::new();
    let (evidence, original) = room.film();
    room.grant(&evidence, Purpose::View);
    let few = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(1)
        .max_blocking_threads(1)
        .build();
    room.fixture.runtime = few.unwrap();
    let (_, secret) = room.fixture.sign_in(RETRIEVER);
    let mut slow = Vec::new();
    for _ in 0..3 {
        let content = format!("{}/content", room.view(&secret, &evidence).0);
        for _ in 0..MAX_STREAMS_PER_READING {
            let mut response = room.answer(Method::GET, &secret, &content, None);
            assert!(room.block(&mut response).is_some());
            slow.push(response);
        }
    }
    // The one thread there is serves pages and another stream from beginning to end.
    let content = format!("{}/content", room.view(&secret, &evidence).0);
    let taken = room.take(&secret, &content, None);
    assert!(taken.is_whole && taken.bytes == original);
    // And the slow ones go on where they were.
    let rest = room.rest(slow.pop().unwrap());
    assert!(rest.is_whole && rest.bytes == original[BLOCK_BYTES..]);
}

#[test]
fn readings_of_one_session_are_bounded() {
    let room = Room::new();
    let (evidence, _) = room.film();
    room.grant(&evidence, Purpose::View);
    let (_, secret) = room.fixture.sign_in(RETRIEVER);
    let mut first = String::new();
    for n in 0..MAX_READINGS_PER_HOLDER {
        let (reading, _) = room.view(&secret, &evidence);
        if n == 0 {
            first = reading;
        }
    }
    let view = format!("/evidence/{evidence}/1/view");
    assert_eq!(room.get(&secret, &view).status, StatusCode::TOO_MANY_REQUESTS);
    room.post(&secret, &format!("{first}/end"), "");
    assert_eq!(room.get(&secret, &view).status, StatusCode::OK);
}

#[test]
fn each_kind_is_shown_in_its_way_or_only_taken_away() {
    let room = Room::new();
    let (_, secret) = room.fixture.sign_in(RETRIEVER);
    let shown = |flow: &str, name: &str, report: Report| {
        let evidence = room.seal(flow, name, report, b"whatever is in it");
        room.grant(&evidence, Purpose::View);
        let page = room.get(&secret, &format!("/evidence/{evidence}/1/view")).body;
        let content = page.split(['"', '#']).find(|part| part.ends_with("/content"));
        let head = content.map(|content| {
            let taken = room.take(&secret, content, None);
            assert_eq!(taken.bytes, b"whatever is in it");
            let text = |name| taken.headers[name].to_str().unwrap().to_owned();
            (text(header::CONTENT_TYPE), text(header::CONTENT_SECURITY_POLICY))
        });
        (evidence, page, head)
    };
    // A name says nothing about what it is.
    let (_, page, head) = shown("J1", "x.html", report("jpeg", ""));
    assert!(page.contains("<img src=\"/readings/"), "{page}");
    let (media_type, policy) = head.unwrap();
    assert!(
        media_type == "image/jpeg" && policy.contains("sandbox") && policy.contains("frame-ancestors 'none'")
    );
    let (_, page, head) = shown("P1", "x.pdf", report("pdf", ""));
    assert!(page.contains("<iframe src=\"/readings/"), "{page}");
    let (media_type, policy) = head.unwrap();
    assert!(
        media_type == "application/pdf" && policy.contains("frame-ancestors 'self'"),
        "{policy}"
    );
    assert!(!policy.contains("script"), "{policy}");

    for (flow, name, report) in [
        ("T1", "x.tif", report("tiff", "")),
        ("Z1", "x.zip", report("zip", "")),
    ] {
        let (evidence, page, head) = shown(flow, name, report);
        assert!(head.is_none() && page.contains("不能在浏览器中查看"), "{page}");
        let asks = format!("/requests/new?evidence={evidence}");
        assert!(page.contains(&asks) && !page.contains("/download"), "{page}");
        room.grant(&evidence, Purpose::Export);
        let page = room.get(&secret, &format!("/evidence/{evidence}/1/view")).body;
        assert!(
            page.contains(&format!("action=\"/evidence/{evidence}/1/download\"")),
            "{page}"
        );
    }
    let (evidence, page, head) = shown("V1", "x.avi", report("avi", "mpeg4"));
    assert!(head.is_none() && page.contains("副本尚未生成"), "{page}");
    room.copy(&evidence, What::Playback, "video/mp4", b"a copy");
    let (reading, page) = room.view(&secret, &evidence);
    assert!(page.contains("播放副本"), "{page}");
    assert_eq!(
        room.take(&secret, &format!("{reading}/content"), None).bytes,
        b"a copy"
    );
    let hostile = "<script>alert(1)<b>.mp4";
    let (_, page, _) = shown("X1", hostile, report("mp4", "h264"));
    assert!(
        page.contains("&lt;script&gt;") && !page.contains("<script>alert"),
        "{page}"
    );
}

#[test]
fn a_contact_sheet_is_a_reading_that_is_over_with_it() {
    let room = Room::new();
    let (evidence, _) = room.film();
    room.grant(&evidence, Purpose::View);
    let (_, secret) = room.fixture.sign_in(RETRIEVER);
    let address = format!("/evidence/{evidence}/1/sheet");
    assert_eq!(
        room.get(&secret, &address).status,
        StatusCode::NOT_FOUND,
        "none was made"
    );
    room.copy(&evidence, What::ContactSheet, "image/jpeg", b"\xff\xd8sheet");
    let taken = room.take(&secret, &address, None);
    assert_eq!(
        (taken.status, taken.bytes.as_slice()),
        (StatusCode::OK, b"\xff\xd8sheet".as_slice())
    );
    assert_eq!(taken.headers[header::CONTENT_TYPE], "image/jpeg");
    assert!(room.fixture.console.room.reads.list().is_empty());
    let end = room.end();
    assert_eq!((end.integer("bytes"), end.text("why")), (Some(7), Some("closed")));
}

#[test]
fn a_page_that_asks_by_itself_keeps_neither_session_nor_reading_alive() {
    let room = Room::new();
    let (evidence, _) = room.film();
    room.grant(&evidence, Purpose::View);
    let (session, secret) = room.fixture.sign_in(RETRIEVER);
    let (reading, _) = room.view(&secret, &evidence);
    let open: Arc<Reading> = {
        let reads = &room.fixture.console.room.reads;
        reads
            .find(reading.trim_start_matches("/readings/"), &session.id)
            .unwrap()
    };
    for _ in 0..6 {
        room.fixture
            .vault
            .clock
            .0
            .fetch_add(5 * 60_000, Ordering::Relaxed);
        room.get(&secret, &format!("{reading}/state"));
        room.fixture.console.room.sweep();
    }
    assert!(open.has_ended());
    assert!(!room.fixture.console.sessions.is_open(&session.id));
    drop(open);
    assert_eq!(room.end().text("why"), Some("idle"));
}
