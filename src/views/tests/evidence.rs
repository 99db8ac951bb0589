use super::{missing, path, read, walk};
use crate::{
    access::{
        reading::Channel,
        refusal::Refusal,
        testing::{CUSTOMER, Desk, HOUR_S, plain, who},
    },
    crypto::body::CHUNK_BYTES,
    domain::{
        access::Purpose::{Export, View},
        event::Kind,
    },
    ingest::text::decode_name,
    sftp::{
        space::{Attributes, FileSpace, SpaceError, SpaceErrorKind, WriteMode},
        testing::piece,
    },
    views::{evidence::EvidenceTree, tree::ReadOnly},
};
use ring::digest::{SHA256, digest};
use std::fs;

const ONE: &str = "e-A0098877";
const CHUNK: usize = CHUNK_BYTES;

fn at(flow: &str) -> String {
    format!("{CUSTOMER}/{flow}/WVID-1/v1/{CUSTOMER}_20260728_{flow}_WVID_01.mp4")
}

fn space(desk: &Desk, name: &str) -> ReadOnly<EvidenceTree> {
    ReadOnly(EvidenceTree::new(
        desk.room.clone(),
        who(name),
        "ssh-1".to_owned(),
    ))
}

fn desk() -> Desk {
    let desk = Desk::new();
    desk.seal("zhang.san", "A0098877", &plain(2 * CHUNK + 9));
    desk.seal("zhang.san", "A0098878", b"another");
    desk.seal("li.na", "B0098877", b"of another branch");
    desk
}

fn words(result: Result<impl Sized, SpaceError>) -> (SpaceErrorKind, String) {
    let error = result.err().unwrap();
    (error.kind, error.message)
}

#[test]
fn what_live_grants_cover_is_listed_and_nothing_else() {
    let desk = desk();
    let mut tree = space(&desk, "finder");
    assert!(walk(&mut tree, "").is_empty());
    desk.granted("seeker", &["e-B0098877"], Export);
    assert!(walk(&mut tree, "").is_empty(), "another person's grant");
    desk.granted("finder", &[ONE], Export);
    let files = walk(&mut tree, "");
    assert_eq!(files.keys().collect::<Vec<_>>(), [&at("A0098877")]);
    assert_eq!(files[&at("A0098877")], plain(2 * CHUNK + 9));
    // What isn't covered isn't there, as if there were no such record.
    for hidden in [
        "000100099999",
        &at("A0098878"),
        &at("B0098877"),
        &at("A0098879"),
        &format!("{CUSTOMER}/A0098878"),
        &format!("{CUSTOMER}/A0098877/WVID-2"),
        &format!("{CUSTOMER}/A0098877/WVID-01"),
        &format!("{CUSTOMER}/A0098877/WVID"),
        &format!("{CUSTOMER}/A0098877/WVID-1/v2"),
        &format!("{CUSTOMER}/A0098877/WVID-1/v01"),
        &format!("{CUSTOMER}/A0098877/WVID-1/v0"),
        &format!("{CUSTOMER}/A0098877/WVID-1/v1/x.mp4"),
        &format!("{}/x", at("A0098877")),
        "%/_",
        "' OR 1=1 --",
    ] {
        missing(&mut tree, hidden);
    }
    // A later version is covered by the same grant; the first stays.
    desk.seal_version("zhang.san", "A0098877", 2, "新版.mp4", b"the second");
    let files = walk(&mut tree, "");
    assert_eq!(files.len(), 2);
    assert_eq!(
        files[&format!("{CUSTOMER}/A0098877/WVID-1/v2/新版.mp4")],
        b"the second"
    );
    // Folders in between are folders, to open and to digest too.
    for folder in ["", CUSTOMER, &format!("{CUSTOMER}/A0098877/WVID-1/v1")] {
        assert_eq!(
            tree.stat(&path(folder)).unwrap().permissions.unwrap() & 0o170_000,
            0o040_000
        );
        assert_eq!(words(tree.open_read(&path(folder))).1, "that is a folder");
    }
}

#[test]
fn sizes_times_and_digests_are_those_of_the_original_as_sealed() {
    let desk = desk();
    desk.granted("finder", &[ONE], View);
    let mut tree = space(&desk, "finder");
    let attributes = tree.stat(&path(&at("A0098877"))).unwrap();
    assert_eq!(attributes.size_bytes, Some(2 * CHUNK as u64 + 9));
    let sealed_s = u32::try_from(crate::custody::testing::NOW_MS / 1_000).unwrap();
    assert_eq!(attributes.atime_mtime, Some((sealed_s, sealed_s)));
    // From the catalogue: a grant to view is enough, and nothing is read.
    let expected = crate::domain::hex::encode(digest(&SHA256, &plain(2 * CHUNK + 9)));
    assert_eq!(tree.digest_sha256(&path(&at("A0098877"))).unwrap(), expected);
    assert!(desk.leaves(Kind::AccessRead).is_empty());
    assert_eq!(
        tree.digest_sha256(&path(&at("A0098878"))).unwrap_err().kind,
        SpaceErrorKind::NoSuchFile
    );
}

#[test]
fn under_a_grant_to_view_a_file_is_listed_and_not_given() {
    let desk = desk();
    desk.granted("finder", &[ONE], View);
    let mut tree = space(&desk, "finder");
    assert_eq!(
        tree.list(&path(&format!("{CUSTOMER}/A0098877/WVID-1/v1")))
            .unwrap()
            .len(),
        1
    );
    let (kind, said) = words(tree.open_read(&path(&at("A0098877"))));
    assert_eq!(kind, SpaceErrorKind::PermissionDenied);
    assert!(
        said.contains(Refusal::ViewOnly.en()) && said.contains(Refusal::ViewOnly.zh()),
        "{said}"
    );
    assert_eq!(
        desk.refused(),
        [("read_content".to_owned(), "view_only".to_owned())]
    );
    assert!(desk.leaves(Kind::AccessRead).is_empty());
}

#[test]
fn an_open_file_is_one_reading_from_open_to_close() {
    let desk = desk();
    let grant = desk.granted("finder", &[ONE], Export);
    let mut tree = space(&desk, "finder");
    let original = plain(2 * CHUNK + 9);
    let mut file = tree.open_read(&path(&at("A0098877"))).unwrap();
    let open = desk.room.reads.list();
    assert_eq!(open.len(), 1);
    assert_eq!(
        (open[0].grant.as_str(), open[0].channel, open[0].holder.as_str()),
        (grant.as_str(), Channel::Sftp, "ssh-1")
    );
    assert_eq!(desk.leaves(Kind::AccessRead).len(), 1);
    // In any order, at any place, past the end.
    for (from, length) in [
        (CHUNK - 3, 7),
        (0, 10),
        (2 * CHUNK, 1_000_000),
        (5, 10),
        (3 * CHUNK, 10),
    ] {
        let end = (from + length).min(original.len());
        let expected = original.get(from..end).unwrap_or_default();
        assert_eq!(piece(&mut *file, from as u64, length).unwrap(), expected);
    }
    assert_eq!(piece(&mut *file, u64::MAX, 10).unwrap(), b"");
    assert_eq!(file.attributes().unwrap().size_bytes, Some(original.len() as u64));
    drop(file);
    assert!(desk.room.reads.list().is_empty());
    desk.stop();
    let ended = &desk.leaves(Kind::AccessReadEnded)[0];
    assert_eq!(
        (ended.integer("bytes"), ended.integer("ranges")),
        (Some(36), Some(3))
    );
    assert_eq!(ended.text("why"), Some("closed"));
    assert_eq!(desk.leaves(Kind::AccessRead).len(), 1);
}

#[test]
fn a_grant_that_ends_empties_the_listing_and_stops_the_file() {
    for expires in [false, true] {
        let desk = desk();
        let grant = desk.granted("finder", &[ONE], Export);
        let mut tree = space(&desk, "finder");
        let mut file = tree.open_read(&path(&at("A0098877"))).unwrap();
        assert_eq!(piece(&mut *file, 0, 10).unwrap().len(), 10);
        if expires {
            desk.vault.clock.advance(HOUR_S * 1_000);
        } else {
            desk.room
                .revoke_grant(&who("boss"), &grant, "no longer needed")
                .unwrap();
        }
        assert!(tree.list(&path("")).unwrap().is_empty());
        missing(&mut tree, &at("A0098877"));
        for _ in 0..3 {
            let (kind, said) = words(piece(&mut *file, 0, 10));
            assert_eq!(kind, SpaceErrorKind::PermissionDenied);
            let expected = if expires {
                "授权已到期"
            } else {
                "授权已被撤销"
            };
            assert!(said.contains(expected), "{said}");
        }
        drop(file);
        let refused = desk.refused();
        let why = |why: &str| refused.iter().filter(|(_, said)| said == why).count();
        assert!(why("grant_ended") >= 1 && why("no_grant") >= 1, "{refused:?}");
        desk.stop();
        let ended = desk.leaves(Kind::AccessReadEnded);
        assert_eq!(ended.len(), 1);
        assert_eq!(
            ended[0].text("why"),
            Some(if expires { "expired" } else { "revoked" })
        );
    }
}

#[test]
fn a_disabled_person_and_a_locked_key_get_nothing() {
    let desk = desk();
    desk.granted("finder", &[ONE], Export);
    desk.granted("audit", &[ONE], Export);
    let mut tree = space(&desk, "audit");
    let mut file = tree.open_read(&path(&at("A0098877"))).unwrap();
    desk.keyring.lock();
    let (kind, said) = words(piece(&mut *file, 0, 10));
    assert!(
        kind == SpaceErrorKind::Failure && said.contains("解密密钥已锁定"),
        "{said}"
    );
    let (kind, said) = words(tree.open_read(&path(&at("A0098877"))));
    assert!(
        kind == SpaceErrorKind::Failure && said.contains("muniment key unlock"),
        "{said}"
    );
    desk.keyring.unlock(vec![desk.identity.clone()]).unwrap();
    assert!(tree.open_read(&path(&at("A0098877"))).is_ok());

    let mut tree = space(&desk, "finder");
    desk.vault.disable("finder");
    assert!(tree.list(&path("")).unwrap().is_empty());
    missing(&mut tree, &at("A0098877"));
}

#[test]
fn a_damaged_chunk_is_named_and_not_given() {
    let desk = desk();
    desk.granted("finder", &[ONE], Export);
    let mut stored = fs::read(desk.body(ONE)).unwrap();
    stored[16 + CHUNK + 16 + 5] ^= 1;
    fs::write(desk.body(ONE), stored).unwrap();
    let mut tree = space(&desk, "finder");
    let mut file = tree.open_read(&path(&at("A0098877"))).unwrap();
    assert_eq!(
        piece(&mut *file, 0, CHUNK).unwrap(),
        plain(2 * CHUNK + 9)[..CHUNK]
    );
    for _ in 0..2 {
        let (kind, said) = words(piece(&mut *file, CHUNK as u64 - 10, 1_000));
        assert!(
            kind == SpaceErrorKind::Failure && said.contains("chunk 1 "),
            "{said}"
        );
        assert!(said.contains("存储的对象缺失或损坏"), "{said}");
    }
}

#[test]
fn looking_for_what_is_not_ones_own_is_on_record() {
    let desk = desk();
    desk.granted("finder", &[ONE], Export);
    let mut tree = space(&desk, "finder");
    // What clients look for by themselves is no try to read anything.
    for client in [
        ".hidden",
        "desktop.ini",
        "Thumbs.db/x",
        &format!("{CUSTOMER}/A0098877/WVID-1/v1/.rsrc"),
    ] {
        missing(&mut tree, client);
    }
    assert!(desk.refused().is_empty());
    missing(&mut tree, &at("B0098877"));
    missing(&mut tree, "000100099999");
    desk.room.refusals.sweep(true);
    let leaves = desk.leaves(Kind::AccessRefused);
    let about: Vec<_> = leaves
        .iter()
        .map(|leaf| (leaf.text("evidence"), leaf.text("why")))
        .collect();
    assert!(
        about.contains(&(Some("e-B0098877"), Some("no_grant"))),
        "{about:?}"
    );
    assert!(about.contains(&(None, Some("no_grant"))), "{about:?}");
    assert!(leaves.iter().all(|leaf| leaf.text("person") == Some("p-finder")));
}

#[test]
fn a_name_that_would_be_a_path_is_made_harmless() {
    let desk = Desk::new();
    let names = [
        "a\\..\\b.mp4",
        "..",
        "tab\tand\u{202e}turned.mp4",
        "e\u{301}.mp4",
        &"长".repeat(200),
    ];
    for (number, name) in names.iter().enumerate() {
        let flow = format!("H000000{number}");
        let id = desk.seal_version("zhang.san", &flow, 1, name, b"x");
        desk.granted("finder", &[&id], Export);
    }
    let mut tree = space(&desk, "finder");
    let files = walk(&mut tree, "");
    assert_eq!(files.len(), names.len());
    for name in files.keys() {
        let last = name.rsplit('/').next().unwrap();
        assert_eq!(decode_name(last.as_bytes()).unwrap().nfc, last);
        assert_eq!(name.split('/').count(), 5);
        assert_eq!(read(&mut tree, name), b"x");
    }
    let last = |part: &str| files.keys().any(|name| name.ends_with(part));
    assert!(last("/a_.._b.mp4") && last("/_") && last("/tab_and_turned.mp4") && last("/é.mp4"));
}

#[test]
fn nothing_can_be_changed() {
    let desk = desk();
    desk.granted("finder", &[ONE], Export);
    let mut tree = space(&desk, "finder");
    let file = path(&at("A0098877"));
    let mode = WriteMode {
        create: true,
        ..WriteMode::default()
    };
    let tries = [
        tree.open_write(&file, mode, &Attributes::default()).err(),
        tree.open_write(&path("x"), mode, &Attributes::default()).err(),
        tree.set_attributes(&file, &Attributes::default()).err(),
        tree.remove(&file).err(),
        tree.rename(&file, &path("x"), true).err(),
        tree.make_directory(&path("x")).err(),
        tree.remove_directory(&path(CUSTOMER)).err(),
    ];
    for error in tries {
        assert_eq!(error.unwrap().kind, SpaceErrorKind::PermissionDenied);
    }
    assert_eq!(walk(&mut tree, "").len(), 1);
}
