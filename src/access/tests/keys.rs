//! SSH keys of people who are there: one more, one less, and what a revoked one no longer opens.

use super::{
    super::{
        logins::{LiveSession, LiveSessions},
        people::{AddedKey, By, KeyFile, MAX_KEYS, NewPerson, PeopleError},
        refusal::Refusal,
        testing::{Desk, who},
    },
    door::{Fixture, fingerprint, new_key},
    rebuilt::rebuild_of,
};
use crate::{
    access::credentials::CredentialError,
    catalog::{Catalogue, people},
    domain::event::Kind,
    sftp::space::SpaceErrorKind,
    ssh::Doorkeeper,
};
use russh::keys::PrivateKey;
use std::{fs, sync::Mutex};

/// Whose sessions by which key were ended.
#[derive(Default)]
struct Ended(Mutex<Vec<(String, String)>>);

impl LiveSessions for Ended {
    fn list(&self) -> Vec<LiveSession> {
        Vec::new()
    }

    fn end(&self, _id: &str, _by: &str) -> bool {
        false
    }

    fn kill_person(&self, _person: &str, _by: &str) -> usize {
        0
    }

    fn kill_key(&self, person: &str, fingerprint: &str) -> usize {
        let mut ended = self.0.lock().unwrap();
        ended.push((person.to_owned(), fingerprint.to_owned()));
        2
    }
}

fn file(keys: &[&PrivateKey]) -> KeyFile {
    let lines: Vec<String> = keys
        .iter()
        .map(|key| key.public_key().to_openssh().unwrap())
        .collect();
    KeyFile {
        name: "new.pub".to_owned(),
        text: lines.join("\n"),
    }
}

fn add(desk: &Desk, name: &str, key: &PrivateKey) -> Result<AddedKey, PeopleError> {
    desk.room.add_key(By::Operator, name, file(&[key]))
}

fn keys_of(desk: &Desk, name: &str) -> Vec<String> {
    let person = desk.vault.catalogue.read(|c| people::by_name(c, name));
    person.unwrap().unwrap().keys
}

#[test]
fn a_key_is_added_and_revoked_and_may_be_somebody_elses_after_that() {
    let (desk, ended, key) = (Desk::new(), Ended::default(), new_key());
    let before = keys_of(&desk, "finder");
    let print = fingerprint(&key);
    let added = add(&desk, "finder", &key).unwrap();
    assert_eq!(added.fingerprint, print);
    assert_eq!(keys_of(&desk, "finder").len(), before.len() + 1);
    let leaf = desk.leaves(Kind::UserKeyAdded).remove(0);
    assert_eq!(
        (leaf.actor.as_str(), leaf.text("person"), leaf.text("key")),
        ("operator", Some("p-finder"), Some(print.as_str()))
    );

    // A key names one person: it is nobody's twice, and nobody else's.
    let again = add(&desk, "finder", &key);
    assert!(matches!(again, Err(PeopleError::KeyTheirs { .. })), "{again:?}");
    let taken = add(&desk, "seeker", &key);
    assert!(
        matches!(&taken, Err(PeopleError::KeyTaken { owner, .. }) if owner == "finder"),
        "{taken:?}"
    );
    // Nor can anybody else revoke it.
    let theirs = desk.room.revoke_key(By::Operator, &ended, "seeker", &print);
    assert!(matches!(theirs, Err(PeopleError::NoSuchKey { .. })), "{theirs:?}");
    assert!(ended.0.lock().unwrap().is_empty());

    let (_, count) = desk
        .room
        .revoke_key(By::Operator, &ended, "finder", &print)
        .unwrap();
    assert_eq!(count, 2);
    assert_eq!(*ended.0.lock().unwrap(), [("p-finder".to_owned(), print.clone())]);
    assert_eq!(keys_of(&desk, "finder"), before);
    let twice = desk.room.revoke_key(By::Operator, &ended, "finder", &print);
    assert!(matches!(twice, Err(PeopleError::NoSuchKey { .. })), "{twice:?}");
    let leaf = desk.leaves(Kind::UserKeyRevoked).remove(0);
    assert_eq!(
        (leaf.text("person"), leaf.text("key")),
        (Some("p-finder"), Some(print.as_str()))
    );
    add(&desk, "seeker", &key).unwrap();
    assert!(keys_of(&desk, "seeker").contains(&print));
}

#[test]
fn who_is_disabled_or_has_enough_gets_no_key_and_loses_none() {
    let (desk, ended) = (Desk::new(), Ended::default());
    let old = keys_of(&desk, "seeker").remove(0);
    desk.vault.disable("seeker");
    for name in ["seeker", "nobody"] {
        let added = add(&desk, name, &new_key());
        assert!(matches!(added, Err(PeopleError::NobodyActive(_))), "{added:?}");
        let revoked = desk.room.revoke_key(By::Operator, &ended, name, &old);
        assert!(
            matches!(revoked, Err(PeopleError::NobodyActive(_))),
            "{revoked:?}"
        );
    }
    let several = desk
        .room
        .add_key(By::Operator, "finder", file(&[&new_key(), &new_key()]));
    assert!(matches!(several, Err(PeopleError::KeySeveral)), "{several:?}");
    for _ in keys_of(&desk, "finder").len()..MAX_KEYS {
        add(&desk, "finder", &new_key()).unwrap();
    }
    let more = add(&desk, "finder", &new_key());
    assert!(matches!(more, Err(PeopleError::KeyLimit(_))), "{more:?}");
    assert_eq!(keys_of(&desk, "finder").len(), MAX_KEYS);

    let many: Vec<PrivateKey> = (0..=MAX_KEYS).map(|_| new_key()).collect();
    let person = NewPerson {
        name: "new".to_owned(),
        roles: vec!["retriever".to_owned()],
        keys: many.iter().map(|key| file(&[key])).collect(),
        nda: "NDA-1".to_owned(),
        ..NewPerson::default()
    };
    let added = desk.room.add_person(By::Operator, person);
    assert!(matches!(added, Err(PeopleError::KeyLimit(_))), "{added:?}");
}

#[test]
fn only_an_administrator_with_a_factor_gives_and_takes_keys() {
    let (desk, ended) = (Desk::new(), Ended::default());
    let old = keys_of(&desk, "finder").remove(0);
    let tries = |name: &str| {
        let by = || By::Person(who(name), None);
        let added = desk.room.add_key(by(), "finder", file(&[&new_key()]));
        let revoked = desk.room.revoke_key(by(), &ended, "finder", &old);
        [added.map(|_| ()).unwrap_err(), revoked.map(|_| ()).unwrap_err()]
    };
    for error in tries("ops") {
        assert!(
            matches!(error, PeopleError::Credential(CredentialError::Refused)),
            "{error:?}"
        );
    }
    for name in ["finder", "boss"] {
        for error in tries(name) {
            assert!(
                matches!(error, PeopleError::Denied(Refusal::NotYourRole)),
                "{error:?}"
            );
        }
    }
    assert_eq!(keys_of(&desk, "finder"), [old]);
    assert!(ended.0.lock().unwrap().is_empty());
}

#[test]
fn a_revoked_key_opens_no_further_channel_and_a_certificate_still_does() {
    let fixture = Fixture::new(&[("zhang.san", &["uploader"], Some("0101"))]);
    let (room, key) = (&fixture.vault.room, new_key());
    assert_eq!(fixture.login("zhang.san", &key), None);
    room.add_key(By::Operator, "zhang.san", file(&[&key])).unwrap();
    let login = fixture.login("zhang.san", &key).unwrap();
    assert!(fixture.door.open_space(&login, "ssh-1").is_ok());

    room.revoke_key(By::Operator, &Ended::default(), "zhang.san", &fingerprint(&key))
        .unwrap();
    assert_eq!(fixture.login("zhang.san", &key), None);
    let error = fixture.door.open_space(&login, "ssh-1").err().unwrap();
    assert_eq!(error.kind, SpaceErrorKind::PermissionDenied);
    fixture.space("zhang.san");
    let certified = crate::ssh::Login {
        by_certificate: true,
        ..login
    };
    assert!(fixture.door.open_space(&certified, "ssh-1").is_ok());
}

#[test]
fn a_rebuild_brings_back_the_keys_that_count_and_none_whose_record_is_lost() {
    let fixture = Fixture::new(&[("zhang.san", &["uploader"], Some("0101"))]);
    let room = &fixture.vault.room;
    let [kept, gone, lost] = [new_key(), new_key(), new_key()];
    for key in [&kept, &gone, &lost] {
        room.add_key(By::Operator, "zhang.san", file(&[key])).unwrap();
    }
    room.revoke_key(By::Operator, &Ended::default(), "zhang.san", &fingerprint(&gone))
        .unwrap();
    fixture.vault.settle_placements();
    fixture.disable("nobody");
    let sql = "SELECT target FROM stored_file WHERE target LIKE 'registry/%' AND leaf_index IN \
               (SELECT MAX(leaf_index) FROM event WHERE kind = 'user.key_added')";
    let target: String = fixture
        .vault
        .catalogue
        .read(|connection| Ok(connection.query_row(sql, [], |row| row.get(0))?))
        .unwrap();
    fs::remove_file(fixture.layout.root().join(target)).unwrap();
    let mut expected = [fingerprint(fixture.key("zhang.san")), fingerprint(&kept)];
    expected.sort();
    let rebuilt = rebuild_of(&fixture);
    let told: Vec<&str> = rebuilt
        .findings
        .iter()
        .filter(|finding| finding.what.contains("can't be brought back"))
        .map(|finding| finding.path.as_str())
        .collect();
    assert!(
        told.len() == 1 && told[0].contains("user.key_added"),
        "{:?}",
        rebuilt.findings
    );
    let catalogue = Catalogue::open(&fixture.layout.catalog()).unwrap();
    let person = catalogue.read(|c| people::by_name(c, "zhang.san"));
    assert_eq!(person.unwrap().unwrap().keys, expected);
}
