//! Playing evidence at the console of a real server: ranges are the original's, and whatever takes the right away ends the
//! stream at once, mid-flight, with its reason on record.

use crate::support::{
    CLERK, PASSPHRASE, TestVault, force_write, media,
    server::wait_for,
    visitor::{Visitor, between},
};
use serde_json::Value;
use std::fs;

const RETRIEVER: &str = "chen.jing";
const LEAVER: &str = "liu.yang";
const APPROVER: &str = "wang.fang";
const VIDEO: &str = "000100012345_20260728_A0098877_WVID_01.mp4";
/// Larger than what sockets of both sides hold together.
const SIZE: usize = 24_000_000;
/// Of the chunks that a body is sealed in, with their tags.
const SEALED_CHUNK: usize = 65_536 + 16;

struct Theatre {
    vault: TestVault,
    video: Vec<u8>,
    evidence: String,
}

impl Theatre {
    fn open() -> Self {
        let mut vault = TestVault::retrieving();
        for (name, role) in [
            (RETRIEVER, "retriever"),
            (LEAVER, "retriever"),
            (APPROVER, "approver"),
        ] {
            vault.add_user(name, &[role], None);
        }
        vault.serve_unlocked(&format!("{PASSPHRASE}\n"));
        let video = media::mp4(SIZE, 5);
        vault.upload(CLERK, VIDEO, &video).ok();
        let row = wait_for("the video to be sealed", || vault.evidence().into_iter().next());
        Theatre {
            evidence: row["id"].as_str().unwrap().to_owned(),
            vault,
            video,
        }
    }

    /// A grant for the video. Its id.
    fn grant(&self, asking: &Visitor, approver: &Visitor, purpose: &str) -> String {
        let before = self.vault.leaves("access.approved").len();
        let filed = asking.post(
            "/requests",
            &[
                ("evidence", &self.evidence),
                ("purpose", purpose),
                ("basis", "regulator"),
                ("reason", "监管调阅"),
                ("duration_s", "3600"),
            ],
        );
        assert_eq!(filed.status, 303, "{}", filed.text());
        let request = filed.field("location").unwrap();
        let request = request
            .trim_start_matches("/requests/")
            .split('?')
            .next()
            .unwrap();
        let approved = approver.post(&format!("/requests/{request}/approve"), &[]);
        assert_eq!(approved.status, 303, "{}", approved.text());
        let granted = wait_for("the grant in the log", || {
            self.vault.leaves("access.approved").into_iter().nth(before)
        });
        granted["id"].as_str().unwrap().to_owned()
    }

    /// Opens the page; where its reading is.
    fn view(&self, visitor: &Visitor) -> String {
        let page = visitor.get(&format!("/evidence/{}/1/view", self.evidence));
        assert_eq!(page.status, 200, "{}", page.text());
        between(&page.text(), "data-reading=\"", "\"").to_owned()
    }

    /// Plays, does something in the middle, and gives the reading's end as the log has it.
    fn cut(&self, visitor: &Visitor, by: impl FnOnce()) -> Value {
        let reading = self.view(visitor);
        let stream = visitor.begin(&format!("{reading}/content"), "3M");
        stream.under_way();
        by();
        let (came, is_whole) = stream.end();
        assert!(!is_whole && came.len() < SIZE, "{} bytes came", came.len());
        assert!(came == self.video[..came.len()], "nothing but the original comes");
        let id = reading.trim_start_matches("/readings/");
        let ended = wait_for("the end in the log", || {
            let ends = self.vault.leaves("access.read_ended");
            ends.into_iter().find(|leaf| leaf["data"]["read"] == id)
        });
        let bytes = ended["data"]["bytes"].as_u64().unwrap() as usize;
        assert!(
            bytes >= came.len() && bytes < SIZE,
            "{} came, {bytes} counted",
            came.len()
        );
        ended["data"].clone()
    }
}

#[test]
fn a_video_plays_by_ranges_until_its_grant_is_revoked_its_key_locked_its_viewer_gone() {
    let theatre = Theatre::open();
    let vault = &theatre.vault;
    let [viewer, leaver, approver] =
        [RETRIEVER, LEAVER, APPROVER].map(|name| Visitor::signed_in(vault, name));
    let grant = theatre.grant(&viewer, &approver, "view");

    let content = format!("{}/content", theatre.view(&viewer));
    for (range, expected) in [
        ("0-99", 0..100),
        ("65530-65545", 65_530..65_546),
        ("262140-524300", 262_140..524_301),
        ("-70000", SIZE - 70_000..SIZE),
    ] {
        let part = viewer.ask(&content, &["-r", range]);
        assert_eq!(part.status, 206, "{range}");
        assert!(part.body == theatre.video[expected], "{range}");
    }
    assert_eq!(viewer.ask(&content, &["-r", &format!("{SIZE}-")]).status, 416);
    let whole = viewer.get(&content);
    assert!(whole.status == 200 && whole.body == theatre.video);
    for (field, value) in [
        ("content-type", "video/mp4"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
        ("accept-ranges", "bytes"),
    ] {
        assert_eq!(whole.field(field), Some(value));
    }
    // Somebody else's, with a session of their own.
    assert_eq!(leaver.get(&content).status, 404);

    let revoked = theatre.cut(&viewer, || {
        let answer = approver.post(&format!("/grants/{grant}/revoke"), &[("reason", "误批")]);
        assert_eq!(answer.status, 303, "{}", answer.text());
    });
    assert_eq!(revoked["why"], "revoked");
    assert_eq!(
        viewer
            .get(&format!("/evidence/{}/1/view", theatre.evidence))
            .status,
        403
    );

    theatre.grant(&viewer, &approver, "view");
    let locked = theatre.cut(&viewer, || {
        vault.muniment(&["key", "lock"]).ok();
    });
    assert_eq!(locked["why"], "locked");
    let closed = viewer.get(&format!("/evidence/{}/1/view", theatre.evidence));
    assert_eq!(closed.status, 503);
    vault
        .muniment_told(&format!("{PASSPHRASE}\n"), &["key", "unlock"])
        .ok();

    let signed_out = theatre.cut(&viewer, || {
        assert_eq!(viewer.post("/sign-out", &[]).status, 303);
    });
    assert_eq!(signed_out["why"], "session_over");

    // D34: who leaves loses stream, session and grant at once, and that is on record once.
    theatre.grant(&leaver, &approver, "export");
    let gone = theatre.cut(&leaver, || {
        vault.muniment(&["user", "disable", LEAVER]).ok();
    });
    assert_eq!(gone["why"], "withdrawn");
    let turned_away = leaver.get(&format!("/evidence/{}/1/view", theatre.evidence));
    assert!(turned_away.status == 303 && turned_away.field("location").unwrap().starts_with("/sign-in"));
    let ends = vault.leaves("user.signed_out");
    let hows: Vec<&str> = ends
        .iter()
        .filter_map(|leaf| leaf["data"]["how"].as_str())
        .collect();
    assert_eq!(hows, ["person", "operator"]);
    vault.assert_sound();
}

#[test]
fn flipped_bytes_end_the_stream_before_them_and_the_page_names_the_chunk() {
    let theatre = Theatre::open();
    let vault = &theatre.vault;
    let [viewer, approver] = [RETRIEVER, APPROVER].map(|name| Visitor::signed_in(vault, name));
    theatre.grant(&viewer, &approver, "export");
    let object = vault.object(&vault.evidence()[0]).join("content");
    let mut stored = fs::read(&object).unwrap();
    let chunk = 100;
    stored[16 + chunk * SEALED_CHUNK + 7] ^= 1;
    force_write(&object, &stored);
    let reading = theatre.view(&viewer);
    let cut = viewer.get(&format!("{reading}/content"));
    let before = chunk * 65_536;
    assert!(
        cut.body.len() <= before && cut.body.len() + 4 * 65_536 > before,
        "{}",
        cut.body.len()
    );
    assert!(cut.body == theatre.video[..cut.body.len()]);
    let state: Value = serde_json::from_str(&viewer.get(&format!("{reading}/state")).text()).unwrap();
    assert_eq!(state["why"], "damaged");
    assert!(
        state["detail"].as_str().unwrap().contains("chunk 100 "),
        "{state}"
    );

    // Taken away, it ends in the same place.
    let saved = viewer.post(&format!("/evidence/{}/1/download", theatre.evidence), &[]);
    assert_eq!(saved.status, 303);
    let saved = viewer.get(saved.field("location").unwrap());
    assert!(saved.body.len() <= before && saved.body == theatre.video[..saved.body.len()]);
    // Past the damage everything is as it was.
    let reading = theatre.view(&viewer);
    let from = (chunk + 1) * 65_536;
    let part = viewer.ask(&format!("{reading}/content"), &["-r", &format!("{from}-")]);
    assert!(part.status == 206 && part.body == theatre.video[from..]);
    vault.fixity_check().fails();
}
