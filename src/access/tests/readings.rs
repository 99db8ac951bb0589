use super::super::{
    authorizer::Who,
    ended::Ended,
    keyring::Keyring,
    live::{Fate, MAX_READINGS_PER_HOLDER, Reading},
    reading::{Channel, Wanted, What},
    refusal::{AccessError, Refusal},
    testing::{Desk, HOUR_S, plain, refusal, wanted, who},
};
use crate::{
    catalog::access::{self, WhichReads},
    crypto::body::CHUNK_BYTES,
    domain::{
        access::Purpose::{self, Export, View},
        event::Kind,
        role::Role,
    },
};
use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

const ONE: &str = "e-A0098877";
const CHUNK: usize = CHUNK_BYTES;

fn desk() -> Desk {
    let desk = Desk::new();
    desk.seal("zhang.san", "A0098877", &plain(3 * CHUNK + 100));
    desk
}

fn read(reading: &Reading, offset: usize, length: usize) -> Result<Vec<u8>, AccessError> {
    let mut bytes = vec![0xa5; length];
    let read = reading.read_at(offset as u64, &mut bytes)?;
    bytes.truncate(read);
    Ok(bytes)
}

fn reads(desk: &Desk) -> Vec<access::Read> {
    let found = desk
        .vault
        .catalogue
        .read(|catalogue| access::reads(catalogue, &WhichReads::default(), 1_000));
    found.unwrap()
}

#[test]
fn the_event_stands_before_the_first_byte_and_the_end_says_what_left() {
    let desk = desk();
    let grant = desk.granted("finder", &[ONE], Export);
    let reading = desk.open("finder", ONE, Export);
    let opened = reading.opened().clone();
    // Nothing was read yet, and it is in the log already.
    let leaf = &desk.leaves(Kind::AccessRead)[0];
    assert_eq!((&leaf.id, leaf.actor.as_str()), (&opened.id, "p-finder"));
    for (fact, value) in [
        ("evidence", ONE),
        ("grant", &grant),
        ("person", "p-finder"),
        ("purpose", "export"),
        ("basis", "regulator"),
        ("part", "original"),
        ("channel", "console"),
    ] {
        assert_eq!(leaf.text(fact), Some(value), "{fact}");
    }
    assert!(leaf.commit.contains_key("reason") && leaf.commit.contains_key("requester"));
    let row = &reads(&desk)[0];
    assert_eq!((row.leaf, row.bytes, row.ended_ms), (opened.leaf, None, None));
    assert!(desk.leaves(Kind::AccessReadEnded).is_empty());

    let original = plain(3 * CHUNK + 100);
    assert_eq!(reading.size_bytes(), original.len() as u64);
    assert_eq!(read(&reading, 0, 10).unwrap(), original[..10]);
    assert_eq!(read(&reading, 5, 10).unwrap(), original[5..15]);
    assert_eq!(read(&reading, CHUNK - 1, 2).unwrap(), original[CHUNK - 1..=CHUNK]);
    assert_eq!(read(&reading, 3 * CHUNK, CHUNK).unwrap(), original[3 * CHUNK..]);
    assert_eq!(read(&reading, 4 * CHUNK, CHUNK).unwrap(), b"");
    desk.vault.clock.advance(5_000);
    desk.room.reads.end(&opened.id);
    desk.stop();
    let ended = &desk.leaves(Kind::AccessReadEnded)[0];
    assert_eq!(ended.text("read"), Some(opened.id.as_str()));
    assert_eq!(
        (ended.integer("bytes"), ended.integer("ranges")),
        (Some(122), Some(3))
    );
    assert_eq!(
        serde_json::to_value(&ended.data["stretches"]).unwrap(),
        serde_json::json!([
            "0-15",
            format!("{}-{}", CHUNK - 1, CHUNK + 1),
            format!("{}-{}", 3 * CHUNK, 3 * CHUNK + 100)
        ])
    );
    let row = &reads(&desk)[0];
    assert_eq!((row.bytes, row.ranges), (Some(122), Some(3)));
    assert_eq!(row.ended_ms.unwrap() - row.started_ms, 5_000);
    assert_eq!(
        desk.leaves(Kind::AccessReadEnded).len(),
        1,
        "once, whatever ends it after that"
    );
}

#[test]
fn without_a_live_grant_of_ones_own_nothing_opens() {
    let desk = desk();
    desk.seal("zhang.san", "A0098878", b"another");
    let refused = |who: &Who, evidence: &str, purpose: Purpose| {
        let opened = desk.room.open(who, &wanted(evidence, purpose));
        refusal(opened)
    };
    for name in ["finder", "audit"] {
        assert_eq!(refused(&who(name), ONE, View), Refusal::NoGrant, "{name}");
    }
    for name in ["zhang.san", "lead", "boss", "ops"] {
        assert_eq!(refused(&who(name), ONE, View), Refusal::NotYourRole, "{name}");
    }
    assert_eq!(refused(&who("nobody"), ONE, View), Refusal::NotActive);

    desk.granted("finder", &[ONE], View);
    assert_eq!(
        refused(&who("audit"), ONE, View),
        Refusal::NoGrant,
        "another person's"
    );
    assert_eq!(
        refused(&who("boss"), ONE, View),
        Refusal::NotYourRole,
        "their approver"
    );
    assert_eq!(refused(&who("finder"), ONE, Export), Refusal::ViewOnly);
    assert_eq!(
        refused(&who("finder"), "e-A0098878", View),
        Refusal::NoGrant,
        "another record"
    );
    let token = Who {
        person: "p-finder".to_owned(),
        only: Some(vec![Role::Auditor]),
    };
    assert_eq!(
        refused(&token, ONE, View),
        Refusal::NotYourRole,
        "a token for less"
    );
    let version = Wanted {
        version: 2,
        ..wanted(ONE, View)
    };
    assert_eq!(
        refusal(desk.room.open(&who("finder"), &version)),
        Refusal::NotFound
    );
    for what in [What::Playback, What::ContactSheet] {
        let copy = Wanted {
            what,
            ..wanted(ONE, View)
        };
        assert_eq!(refusal(desk.room.open(&who("finder"), &copy)), Refusal::NotFound);
    }
    assert!(reads(&desk).is_empty() && desk.room.reads.list().is_empty());
    let on_record = desk.refused();
    assert!(
        on_record.iter().all(|(what, _)| what == "read_content"),
        "{on_record:?}"
    );
    for why in [
        "no_grant",
        "not_your_role",
        "not_active",
        "view_only",
        "not_found",
    ] {
        assert!(
            on_record.iter().any(|(_, said)| said == why),
            "{why} isn't on record"
        );
    }
    // A grant covers the record with all its versions, also one that comes later.
    desk.seal_version("zhang.san", "A0098877", 2, "again.mp4", b"the second");
    let second = desk.room.open(&who("finder"), &version).unwrap();
    assert_eq!(read(&second, 0, 100).unwrap(), b"the second");
}

#[test]
fn a_revocation_ends_what_is_open_before_it_returns() {
    let desk = desk();
    let grant = desk.granted("finder", &[ONE], View);
    let kept = desk.granted("audit", &[ONE], View);
    let (ending, going_on) = (desk.open("finder", ONE, View), desk.open("audit", ONE, View));
    let (stop, revoked) = (AtomicBool::new(false), AtomicBool::new(false));
    let (before, after) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut bytes = vec![0; 1_000];
                while !stop.load(Ordering::SeqCst) {
                    let was_revoked = revoked.load(Ordering::SeqCst);
                    let read = ending.read_at(0, &mut bytes);
                    if read.is_err() {
                        assert!(bytes.iter().all(|byte| *byte == 0), "plaintext after the end");
                    } else if was_revoked {
                        after.fetch_add(1, Ordering::SeqCst);
                    } else {
                        before.fetch_add(1, Ordering::SeqCst);
                    }
                    bytes.fill(0);
                }
            });
        }
        while before.load(Ordering::SeqCst) < 100 {
            thread::yield_now();
        }
        desk.room
            .revoke_grant(&who("boss"), &grant, "no longer needed")
            .unwrap();
        revoked.store(true, Ordering::SeqCst);
        for _ in 0..100 {
            assert!(ending.read_at(0, &mut [0; 10]).is_err());
        }
        stop.store(true, Ordering::SeqCst);
    });
    assert_eq!(after.load(Ordering::SeqCst), 0, "bytes left after the revocation");
    assert_eq!(ending.fate(), Fate::Ended(Ended::Revoked));
    assert_eq!(read(&going_on, 0, 3).unwrap().len(), 3, "under another grant");
    assert_eq!(
        refusal(desk.room.open(&who("finder"), &wanted(ONE, View))),
        Refusal::NoGrant
    );
    assert_eq!(desk.room.reads.list().len(), 1);
    desk.stop();
    // Every byte that left is in the end, and nothing else is.
    let ended = desk.leaves(Kind::AccessReadEnded);
    let of = |why: &str| ended.iter().find(|leaf| leaf.text("why") == Some(why)).unwrap();
    let left = before.load(Ordering::SeqCst) * 1_000;
    assert_eq!(of("revoked").integer("bytes"), Some(left.try_into().unwrap()));
    assert_eq!(of("stopped").text("read"), Some(going_on.opened().id.as_str()));
    assert_eq!(going_on.opened().grant, kept);
}

/// Whoever opens while it is revoked gets nothing that outlives the revocation, however the two meet.
#[test]
fn opening_and_revoking_at_the_same_time_leaves_nothing_open() {
    let desk = desk();
    for _ in 0..15 {
        let grant = desk.granted("finder", &[ONE], View);
        let revoked = AtomicBool::new(false);
        let opened: Vec<Arc<Reading>> = thread::scope(|scope| {
            let tries: Vec<_> = (0..3)
                .map(|at| {
                    let (desk, revoked) = (&desk, &revoked);
                    scope.spawn(move || {
                        let mut opened = Vec::new();
                        loop {
                            let was_revoked = revoked.load(Ordering::SeqCst);
                            let wanted = Wanted {
                                holder: format!("session {at} {}", opened.len()),
                                ..wanted(ONE, View)
                            };
                            match desk.room.open(&who("finder"), &wanted) {
                                Ok(_) if was_revoked => panic!("opened after the revocation"),
                                Ok(reading) => opened.push(reading),
                                Err(AccessError::Refused(Refusal::NoGrant | Refusal::GrantEnded))
                                    if was_revoked =>
                                {
                                    return opened;
                                }
                                Err(AccessError::Refused(Refusal::NoGrant | Refusal::GrantEnded)) => {}
                                Err(other) => panic!("{other:?}"),
                            }
                        }
                    })
                })
                .collect();
            desk.room
                .revoke_grant(&who("boss"), &grant, "no longer needed")
                .unwrap();
            revoked.store(true, Ordering::SeqCst);
            tries
                .into_iter()
                .flat_map(|tried| tried.join().unwrap())
                .collect()
        });
        for reading in &opened {
            assert!(read(reading, 0, 10).is_err(), "a reading outlived its grant");
        }
        assert!(desk.room.reads.list().is_empty());
    }
}

#[test]
fn a_person_who_was_disabled_reads_nothing_more() {
    let desk = desk();
    desk.granted("finder", &[ONE], View);
    let reading = desk.open("finder", ONE, View);
    desk.vault.disable("finder");
    // As the server does it, after the commit.
    desk.room.reads.end_person("p-finder");
    assert_eq!(reading.fate(), Fate::Ended(Ended::Withdrawn));
    assert!(read(&reading, 0, 10).is_err());
    assert_eq!(
        refusal(desk.room.open(&who("finder"), &wanted(ONE, View))),
        Refusal::NotActive
    );
}

#[test]
fn a_log_that_cant_commit_gives_no_byte() {
    let mut desk = desk();
    desk.granted("finder", &[ONE], View);
    desk.vault.settle_log();
    let opened = desk.room.open(&who("finder"), &wanted(ONE, View));
    assert!(matches!(opened, Err(AccessError::Unavailable(_))));
    assert!(desk.room.reads.list().is_empty() && reads(&desk).is_empty());
}

#[test]
fn a_lock_ends_every_reading_and_a_locked_key_opens_none() {
    let desk = desk();
    desk.granted("finder", &[ONE], View);
    let (first, second) = (desk.open("finder", ONE, View), desk.open("finder", ONE, View));
    desk.keyring.lock();
    // Without being told, by the lease; and told.
    assert_eq!(refusal(read(&first, 0, 10)), Refusal::Locked);
    desk.room.reads.end_all();
    assert_eq!(refusal(read(&second, 0, 10)), Refusal::Locked);
    assert_eq!(second.fate(), Fate::Ended(Ended::Locked));
    assert_eq!(
        refusal(desk.room.open(&who("finder"), &wanted(ONE, View))),
        Refusal::Locked
    );
    assert_eq!(desk.refused(), [("read_content".to_owned(), "locked".to_owned())]);
    // Unlocking opens nothing again that was open before.
    desk.keyring.unlock(vec![desk.identity.clone()]).unwrap();
    assert_eq!(refusal(read(&first, 0, 10)), Refusal::Locked);
    assert_eq!(read(&desk.open("finder", ONE, View), 0, 3).unwrap().len(), 3);

    let ingest_only = desk.vault.room_with(&desk.identity, Keyring::ingest_only());
    assert_eq!(
        refusal(ingest_only.open(&who("finder"), &wanted(ONE, View))),
        Refusal::IngestOnly
    );
}

#[test]
fn damage_ends_a_reading_and_names_the_chunk() {
    let desk = desk();
    desk.granted("finder", &[ONE], View);
    let path = desk.body(ONE);
    let mut stored = fs::read(&path).unwrap();
    // In the third chunk of 64 KiB and its tag.
    stored[16 + 2 * (CHUNK + 16) + 77] ^= 1;
    fs::write(&path, &stored).unwrap();
    let original = plain(3 * CHUNK + 100);
    let reading = desk.open("finder", ONE, View);
    assert_eq!(read(&reading, 0, 2 * CHUNK).unwrap(), original[..2 * CHUNK]);
    let mut bytes = vec![0; 2 * CHUNK];
    match reading.read_at(CHUNK as u64, &mut bytes) {
        Err(AccessError::Damaged { what }) => assert!(what.contains("chunk 2 "), "{what}"),
        other => panic!("{other:?}"),
    }
    assert!(
        bytes.iter().all(|byte| *byte == 0),
        "bytes of a damaged range were left"
    );
    // What is whole isn't given either: the reading is over.
    assert!(matches!(read(&reading, 0, 10), Err(AccessError::Damaged { .. })));
    // The last chunk, the length and the header are verified at the opening, before anything is put on record.
    for damage in ["cut", "swapped", "gone"] {
        match damage {
            "cut" => fs::write(&path, &stored[..stored.len() - 1]).unwrap(),
            "swapped" => {
                desk.seal("zhang.san", "A0098878", &plain(3 * CHUNK + 100));
                fs::copy(desk.body("e-A0098878"), &path).unwrap();
            }
            _ => fs::remove_file(&path).unwrap(),
        }
        let opened = desk.room.open(&who("finder"), &wanted(ONE, View));
        assert!(matches!(opened, Err(AccessError::Damaged { .. })), "{damage}");
    }
    desk.stop();
    let ended = desk.leaves(Kind::AccessReadEnded);
    assert_eq!(ended.len(), 1);
    assert_eq!(
        (ended[0].text("why"), ended[0].integer("bytes")),
        (Some("damaged"), Some(2 * CHUNK as i64))
    );
}

#[test]
fn a_reading_expires_in_the_middle() {
    let desk = desk();
    desk.granted("finder", &[ONE], View);
    let reading = desk.open("finder", ONE, View);
    desk.vault.clock.advance(HOUR_S * 1_000 - 1);
    assert!(read(&reading, 0, 10).is_ok());
    desk.vault.clock.advance(1);
    assert_eq!(refusal(read(&reading, 0, 10)), Refusal::GrantEnded);
    assert_eq!(reading.fate(), Fate::Ended(Ended::Expired));
    desk.room.sweep();
    assert!(desk.room.reads.list().is_empty());
    desk.stop();
    let ended = &desk.leaves(Kind::AccessReadEnded)[0];
    assert_eq!(
        (ended.text("why"), ended.integer("bytes")),
        (Some("expired"), Some(10))
    );
}

#[test]
fn a_reading_is_its_holders_and_ends_with_it() {
    let desk = desk();
    desk.granted("finder", &[ONE], View);
    let held = |holder: &str, channel| {
        let wanted = Wanted {
            holder: holder.to_owned(),
            channel,
            ..wanted(ONE, View)
        };
        desk.room.open(&who("finder"), &wanted)
    };
    let mine = held("mine", Channel::Console).unwrap();
    let id = mine.opened().id.clone();
    assert!(desk.room.reads.find(&id, "mine").is_some());
    assert!(desk.room.reads.find(&id, "another").is_none());
    let another = held("another", Channel::Console).unwrap();
    desk.room.reads.end_holder("mine");
    assert!(read(&mine, 0, 1).is_err() && read(&another, 0, 1).is_ok());

    // So many and no more, until one ends.
    let many: Vec<_> = (0..MAX_READINGS_PER_HOLDER)
        .map(|_| held("greedy", Channel::Console).unwrap())
        .collect();
    assert_eq!(refusal(held("greedy", Channel::Console)), Refusal::TooMany);
    assert!(held("modest", Channel::Console).is_ok());
    desk.room.reads.end(&many[0].opened().id);
    assert!(held("greedy", Channel::Console).is_ok());

    // A page that was closed says nothing; a file over SFTP ends with its connection.
    let file = held("ssh-1", Channel::Sftp).unwrap();
    desk.vault.clock.advance(11 * 60_000);
    desk.room.sweep();
    assert_eq!(another.fate(), Fate::Ended(Ended::Idle));
    assert!(read(&file, 0, 1).is_ok());
    assert_eq!(desk.room.reads.list().len(), 1);
}
