use super::{
    super::{
        refusal::Refusal,
        requests::{Approved, Narrowing, NewRequest},
        testing::{asked, refusal, wanted, who},
    },
    door::{Fixture, path},
};
use crate::{
    catalog::search,
    custody::rebuild::{self, Rebuilt},
    domain::access::Purpose,
    sftp::space::{Attributes, WriteMode},
};
use rusqlite::Connection;
use std::fs;

const TABLES: [&str; 6] = [
    "access_request",
    "access_request_item",
    "access_grant",
    "access_grant_item",
    "access_read",
    "event",
];

/// Every row of every table about access, as text.
fn rows(fixture: &Fixture) -> Vec<String> {
    let connection = Connection::open(fixture.layout.catalog()).unwrap();
    let mut rows = Vec::new();
    for table in TABLES {
        let mut query = connection
            .prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2"))
            .unwrap();
        let columns = query.column_count();
        let mut found = query.query([]).unwrap();
        while let Some(row) = found.next().unwrap() {
            let cells: Vec<String> = (0..columns)
                .map(|at| format!("{:?}", row.get_ref(at).unwrap()))
                .collect();
            rows.push(format!("{table}: {}", cells.join(", ")));
        }
    }
    rows
}

fn upload(fixture: &Fixture, flow: &str) -> String {
    let head = [
        0xFF, 0xD8, 0xFF, 0xE0, 0, 16, b'J', b'F', b'I', b'F', 0, 1, 1, 0, 0, 1, 0, 1, 0, 0, 0xFF, 0xC0, 0,
        11, 8, 0, 1, 0, 1, 1, 1, 0x11, 0, 0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0,
    ];
    let mode = WriteMode {
        create: true,
        truncate: true,
        ..WriteMode::default()
    };
    let at = format!("inbox/000100012345_20260728_{flow}_IDF_01.jpg");
    let mut space = fixture.space("zhang.san");
    let mut file = space
        .open_write(&path(&at), mode, &Attributes::default())
        .unwrap();
    file.write(
        0,
        &[&head[..], flow.as_bytes(), &[1; 90_000], &[0xFF, 0xD9]].concat(),
    )
    .unwrap();
    file.close().unwrap();
    let found = fixture
        .vault
        .catalogue
        .read(|catalogue| search::by_identity(catalogue, "000100012345", flow, "IDF", "1"));
    found.unwrap()[0].id.clone()
}

/// One of everything: granted, narrowed, in an emergency, declined, taken back, open; read to the end, broken off, refused.
fn everything(fixture: &Fixture) {
    let room = &fixture.vault.room;
    let evidence = [upload(fixture, "A0098877"), upload(fixture, "A0098878")];
    fixture.vault.settle_placements();
    fixture
        .vault
        .keyring
        .unlock(vec![fixture.identity.clone()])
        .unwrap();
    let both: Vec<&str> = evidence.iter().map(String::as_str).collect();
    let file = |request: NewRequest| room.file_request(&who("search"), request).unwrap();
    let approve = |name: &str, id: &str, narrowing| room.approve_request(&who(name), id, narrowing).unwrap();
    let whole = file(asked(&both, Purpose::Export));
    approve("boss", &whole, Narrowing::default());
    let less = file(asked(&both, Purpose::Export));
    let narrowing = Narrowing {
        evidence: Some(vec![evidence[1].clone()]),
        purpose: Some(Purpose::View),
        duration_s: Some(600),
    };
    let Approved::Granted(less) = approve("boss", &less, narrowing) else {
        panic!("no grant")
    };
    let urgent = file(NewRequest {
        emergency: true,
        ..asked(&both[..1], Purpose::View)
    });
    approve("boss", &urgent, Narrowing::default());
    approve("chief", &urgent, Narrowing::default());
    let endorsed = file(NewRequest {
        emergency: true,
        ..asked(&both[..1], Purpose::View)
    });
    approve("boss", &endorsed, Narrowing::default());
    let declined = file(asked(&both, Purpose::View));
    room.decline_request(&who("boss"), &declined, "资料不足").unwrap();
    let withdrawn = file(asked(&both, Purpose::View));
    room.withdraw_request(&who("search"), &withdrawn).unwrap();
    file(asked(&both, Purpose::View));

    let read = room
        .open(&who("search"), &wanted(&evidence[0], Purpose::Export))
        .unwrap();
    read.read_at(0, &mut [0; 1_000]).unwrap();
    read.read_at(70_000, &mut [0; 1_000]).unwrap();
    read.watched(12);
    room.reads.end(&read.opened().id);
    let cut = room
        .open(&who("search"), &wanted(&evidence[1], Purpose::View))
        .unwrap();
    assert_eq!(cut.opened().grant, less);
    room.revoke_grant(&who("boss"), &less, "no longer needed")
        .unwrap();
    assert!(cut.read_at(0, &mut [0; 10]).is_err());
    assert_eq!(
        refusal(room.open(&who("boss"), &wanted(&evidence[1], Purpose::View))),
        Refusal::NotYourRole
    );
    // Still open when the vault closes.
    room.open(&who("search"), &wanted(&evidence[0], Purpose::Export))
        .unwrap();
}

#[test]
fn requests_grants_and_readings_come_back_from_log_and_records_row_for_row() {
    let fixture = Fixture::new(&[
        ("zhang.san", &["uploader"], Some("0101")),
        ("search", &["retriever"], Some("0101")),
        ("boss", &["approver"], None),
        ("chief", &["approver"], None),
    ]);
    everything(&fixture);
    let before = closed(&fixture);
    let Rebuilt { findings, .. } = rebuild_of(&fixture);
    assert!(findings.is_empty(), "{findings:?}");
    assert_eq!(rows(&fixture), before);
    for (table, count) in [("access_request:", 7), ("access_grant:", 3), ("access_read:", 3)] {
        assert_eq!(
            before.iter().filter(|row| row.starts_with(table)).count(),
            count,
            "{table}"
        );
    }
    assert!(
        before
            .iter()
            .any(|row| row.starts_with("access_read:") && row.contains("2000"))
    );
}

/// The catalogue is lost, its write-ahead log isn't, and it is made again.
pub(super) fn rebuild_of(fixture: &Fixture) -> Rebuilt {
    let Fixture {
        vault,
        layout,
        identity,
        ..
    } = fixture;
    vault.custody.published().catch_up();
    let old = layout.root().join("catalog.db.old");
    fs::rename(layout.catalog(), &old).unwrap();
    let source = rebuild::Source {
        layout,
        origin: "muniment.example/test",
        zone: vault.config.zone(),
        log_dir: &vault.log_dir,
        verifier: &vault.verifier,
        identities: std::slice::from_ref(identity),
    };
    rebuild::rebuild(&source, &|_, _| {}).unwrap()
}

/// The rows as the vault leaves them when its readings have ended and its files are placed.
fn closed(fixture: &Fixture) -> Vec<String> {
    fixture.vault.room.stop();
    fixture.vault.settle_placements();
    rows(fixture)
}
