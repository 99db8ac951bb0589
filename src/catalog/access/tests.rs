use super::*;
use crate::catalog::Writer;
use rusqlite::types::ToSql;

fn plan<P: ToSql>(writer: &Writer, statement: &str, values: Vec<P>) -> Vec<String> {
    writer
        .connection
        .prepare(&format!("EXPLAIN QUERY PLAN {statement}"))
        .unwrap()
        .query_map(params_from_iter(values), |row| row.get(3))
        .unwrap()
        .collect::<rusqlite::Result<_>>()
        .unwrap()
}

/// No page costs more than what it shows and what it skips: rows come in the order of an index, and nothing is sorted but
/// undecided requests and one person's grants.
#[test]
fn lists_are_read_in_the_order_of_an_index() {
    let folder = tempfile::tempdir().unwrap();
    let writer = Writer::create(&folder.path().join("catalog.db"), "example.org/test").unwrap();
    for chosen in 0..64u32 {
        let has = |bit: u32| chosen >> bit & 1 == 1;
        let text = |bit: u32| has(bit).then(|| "x".to_owned());
        let reach = |bit: u32| {
            has(bit).then(|| Reach {
                person: "x".to_owned(),
                branch: Some("0101".to_owned()),
                emergencies: true,
            })
        };
        let which = Which {
            person: text(0),
            reach: reach(1),
            open: has(2),
            over: has(3) && !has(2),
            before: has(4).then_some(7),
            ..Which::default()
        };
        let reads = WhichReads {
            evidence: text(0),
            grant: text(1),
            person: text(2),
            before: has(4).then_some(7),
        };
        for (statement, values) in [
            requests_page(&which, 10),
            grants_page(&which, 5, 10),
            reads_page(&reads, 10),
        ] {
            let plan = plan(&writer, &statement, values);
            let by_person = which.person.is_some() && !statement.contains("access_read");
            let sorts = plan.iter().any(|step| step.contains("TEMP B-TREE"));
            let said = format!("{statement}: {plan:?}");
            assert!(
                !sorts || (by_person && statement.contains("FROM access_grant g")),
                "{said}"
            );
            assert!(!by_person || plan[0].starts_with("SEARCH"), "{said}");
        }
        let (statement, values) = pending_page(reach(0), 10);
        let plan = plan(&writer, &statement, values);
        assert!(plan[0].contains("access_request_open"), "{statement}: {plan:?}");
    }
    for (which, index) in [
        (
            WhichReads {
                evidence: Some("x".to_owned()),
                person: Some("x".to_owned()),
                ..WhichReads::default()
            },
            "access_read_evidence",
        ),
        (
            WhichReads {
                grant: Some("x".to_owned()),
                ..WhichReads::default()
            },
            "access_read_grant",
        ),
        (
            WhichReads {
                person: Some("x".to_owned()),
                ..WhichReads::default()
            },
            "access_read_person",
        ),
    ] {
        let (statement, values) = reads_page(&which, 10);
        let plan = plan(&writer, &statement, values);
        assert!(
            plan[0].starts_with("SEARCH") && plan[0].contains(index),
            "{plan:?}"
        );
    }
}

/// Asked before every byte: however many grants there were, only those of the record, or the live ones of the person, are
/// looked at.
#[test]
fn live_grants_are_found_from_the_record_or_from_the_person() {
    let folder = tempfile::tempdir().unwrap();
    let writer = Writer::create(&folder.path().join("catalog.db"), "example.org/test").unwrap();
    for (statement, given, first) in [
        (
            LIVE_FOR,
            3,
            "SEARCH i USING COVERING INDEX access_grant_item_evidence (evidence=?)",
        ),
        (
            LIVE_OF,
            2,
            "SEARCH g USING INDEX access_grant_person (person=? AND expires_ms>?)",
        ),
    ] {
        let plan = plan(&writer, statement, vec!["x"; given]);
        assert_eq!(plan[0], first, "{plan:?}");
        assert!(plan.iter().all(|step| !step.starts_with("SCAN")), "{plan:?}");
    }
}
