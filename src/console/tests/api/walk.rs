//! From the search to the last byte, and what is refused on the way.

use super::*;

#[test]
fn a_program_finds_asks_waits_for_a_person_and_fetches() {
    let api = Api::new();
    let token = api.token("chen", &["retriever"], 30);
    let me = api.get(&token, "/api/v1/me").json();
    assert_eq!(
        (&me["person"]["name"], &me["token"]["roles"], &me["token"]["id"]),
        (&json!("chen"), &json!(["retriever"]), &json!(token.id))
    );

    let search = format!("/api/v1/evidence?customer={CUSTOMER}&from=2026-07-01&to=2026-07-31&doctype=WVID");
    let found = api.get(&token, &search).json();
    let row = &found["items"][0];
    assert_eq!(
        (&row["id"], &row["date"], &row["granted"]),
        (&json!(api.evidence), &json!("2026-07-28"), &json!(false))
    );
    assert_eq!(row["sealed_at"], "2026-07-28T15:42:07.000+08:00");
    assert_eq!(found["next"], Value::Null);
    let by_digest = api.get(&token, &format!("/api/v1/evidence?sha256={}", api.sha256()));
    assert_eq!(by_digest.json()["items"].as_array().unwrap().len(), 1);
    let none = api.get(&token, "/api/v1/evidence?flow=B1").json();
    assert_eq!(none["items"], json!([]));

    let shown = api
        .get(&token, &format!("/api/v1/evidence/{}", api.evidence))
        .json();
    assert_eq!(shown["versions"][0]["sha256"], api.sha256());
    let number = shown["versions"][0]["receipts"][0]["number"].as_u64().unwrap();
    let at = format!("/api/v1/evidence/{}/receipts/{number}", api.evidence);
    let leaf = api.get(&token, &format!("{at}/json")).json();
    assert_eq!(leaf["data"]["evidence"], api.evidence);
    assert!(api.get(&token, &format!("{at}/txt")).body.contains(&api.sha256()));
    let proof = api.get(&token, &format!("{at}/tlog-proof")).body;
    assert!(proof.starts_with("c2sp.org/tlog-proof@v1"), "{proof}");
    let verified = api.do_it(
        &token,
        &format!("/api/v1/evidence/{}/versions/1/verify", api.evidence),
    );
    let verified = verified.json();
    let original = &verified["checks"].as_array().unwrap()[5];
    assert_eq!(
        (&original["what"], &original["outcome"]),
        (&json!("original"), &json!("passed")),
        "{verified}"
    );

    let filed = api.post(&token, "/api/v1/requests", &api.filing("export"));
    assert_eq!(filed.status, StatusCode::CREATED);
    let address = filed.location().to_owned();
    let request = filed.json();
    assert_eq!(request["state"], "pending");
    assert_eq!(request["evidence"], json!([api.evidence]));
    let early = api.post(&token, "/api/v1/readings", &api.opening());
    assert_eq!(early.problem(), no(403, "no_grant"));
    let id = request["id"].as_str().unwrap();
    api.room()
        .approve_request(&Who::person("p-wang"), id, Narrowing::default())
        .unwrap();
    assert_eq!(api.get(&token, &address).json()["state"], "approved");
    let grants = api.get(&token, "/api/v1/grants?live=true").json();
    assert_eq!(grants["items"][0]["evidence"], json!([api.evidence]));
    assert_eq!(api.get(&token, &search).json()["items"][0]["granted"], true);

    let opened = api.post(&token, "/api/v1/readings", &api.opening());
    assert_eq!(opened.status, StatusCode::CREATED);
    let content = opened.location().to_owned();
    let opened = opened.json();
    assert_eq!(opened["sha256"], api.sha256());
    assert_eq!(opened["size_bytes"], api.plain.len());
    let read = api.leaves(Kind::AccessRead);
    assert_eq!((read.len(), read[0].text("channel")), (1, Some("api")));
    assert_eq!(
        opened["log_position"].as_u64().unwrap() + 2,
        api.fixture.vault.leaves().len() as u64
    );

    let whole = api.get(&token, &content);
    assert_eq!(whole.status, StatusCode::OK);
    assert!(whole.body == api.plain, "not what was sealed");
    let bearer = format!("Bearer {}", token.text);
    let range = [
        (header::AUTHORIZATION, bearer.as_str()),
        (header::RANGE, "bytes=65530-65545"),
    ];
    let part = api.ask_with(&range, Method::GET, &content, None);
    assert_eq!(
        (part.status, part.body.as_str()),
        (StatusCode::PARTIAL_CONTENT, &api.plain[65_530..=65_545])
    );
    let beyond = [
        (header::AUTHORIZATION, bearer.as_str()),
        (header::RANGE, "bytes=200000-"),
    ];
    let beyond = api.ask_with(&beyond, Method::GET, &content, None);
    assert_eq!(beyond.status, StatusCode::RANGE_NOT_SATISFIABLE);

    let end = content.replace("content", "end");
    assert_eq!(api.do_it(&token, &end).status, StatusCode::NO_CONTENT);
    assert_eq!(api.get(&token, &content).problem(), no(404, "not_found"));
    assert_eq!(api.do_it(&token, &end).problem(), no(404, "not_found"));
    api.room().stop();
    let ended = api.leaves(Kind::AccessReadEnded);
    assert_eq!(ended[0].integer("bytes"), Some(200_016));

    // What was taken back stays so.
    let second = api.post(&token, "/api/v1/requests", &api.filing("view")).json();
    let withdraw = format!("/api/v1/requests/{}/withdraw", second["id"].as_str().unwrap());
    assert_eq!(api.do_it(&token, &withdraw).json()["state"], "withdrawn");
    assert_eq!(api.do_it(&token, &withdraw).problem(), no(409, "already_decided"));

    // Page by page, newest first.
    let first = api.get(&token, "/api/v1/requests?limit=1").json();
    assert_eq!(first["items"][0]["id"], second["id"]);
    let next = format!(
        "/api/v1/requests?limit=1&cursor={}",
        first["next"].as_str().unwrap()
    );
    let next = api.get(&token, &next).json();
    assert_eq!(
        (&next["items"][0]["id"], &next["next"]),
        (&json!(id), &Value::Null)
    );
    assert!(api.get(&token, "/api/v1/openapi.json").json()["paths"].is_object());

    // A problem of each operation, too.
    for operation in api
        .document
        .unseen()
        .into_iter()
        .filter(|(_, succeeds)| !succeeds)
    {
        let (method, path) = operation.0.split_once(' ').unwrap();
        let path = path
            .replace("{id}", "0")
            .replace("{number}", "0")
            .replace("{version}", "1");
        let path = path.replace("{form}", "txt").replace("{reading}", "0");
        let method = method.parse().unwrap();
        assert_eq!(
            api.ask_with(&[], method, &path, None).problem(),
            no(401, "no_token")
        );
    }
    assert_eq!(
        api.document.unseen(),
        [],
        "operations that no answer was checked of"
    );
}

#[test]
fn search_is_paged_by_a_cursor() {
    let api = Api::new();
    let token = api.token("audit", &["auditor"], 1);
    for flow in ["B1", "B2", "B3"] {
        let name = format!("inbox/{flow}.mp4");
        api.fixture.vault.seal("li.na", &name, flow);
    }
    let mut found = Vec::new();
    let mut address = "/api/v1/evidence?limit=2".to_owned();
    loop {
        let page = api.get(&token, &address).json();
        for row in page["items"].as_array().unwrap() {
            found.push(row["flow"].as_str().unwrap().to_owned());
        }
        let Some(next) = page["next"].as_str() else {
            break;
        };
        address = format!("/api/v1/evidence?limit=2&cursor={next}");
    }
    assert_eq!(found, ["B3", "B2", "B1", "A0098877"]);
}

#[test]
fn what_is_wrong_with_a_request_names_its_field() {
    let api = Api::new();
    let token = api.token("chen", &["retriever"], 1);
    let but = |field: &str, value: Value| {
        let mut filing = api.filing("view");
        filing[field] = value;
        filing
    };
    let mut without_version = api.opening();
    without_version.as_object_mut().unwrap().remove("version");
    let nobody_s = api.id();
    let cases = [
        (
            "/api/v1/requests",
            but("reason", json!("  ")),
            422,
            "no_reason",
            "reason",
        ),
        (
            "/api/v1/requests",
            but("reason", json!("字".repeat(201))),
            422,
            "no_reason",
            "reason",
        ),
        (
            "/api/v1/requests",
            but("basis", Value::Null),
            422,
            "no_basis",
            "basis",
        ),
        (
            "/api/v1/requests",
            but("basis", json!("boss")),
            400,
            "bad_field",
            "basis",
        ),
        (
            "/api/v1/requests",
            but("evidence", json!([])),
            422,
            "no_records",
            "evidence",
        ),
        (
            "/api/v1/requests",
            but("evidence", json!([7])),
            400,
            "bad_field",
            "evidence[0]",
        ),
        (
            "/api/v1/requests",
            but("duration_s", json!(1)),
            422,
            "bad_duration",
            "duration_s",
        ),
        (
            "/api/v1/requests",
            but("duration_s", json!("1h")),
            400,
            "bad_field",
            "duration_s",
        ),
        (
            "/api/v1/requests",
            but("purpose", json!("copy")),
            400,
            "bad_field",
            "purpose",
        ),
        (
            "/api/v1/requests",
            but("bassis", json!("law")),
            400,
            "bad_field",
            "bassis",
        ),
        (
            "/api/v1/requests",
            but("form", json!({"name": "a.pdf", "base64": "%"})),
            400,
            "bad_field",
            "form.base64",
        ),
        (
            "/api/v1/requests",
            but("form", json!({"name": "a.pdf", "base64": "aGVsbG8="})),
            422,
            "bad_form",
            "form",
        ),
        ("/api/v1/readings", without_version, 400, "bad_field", "version"),
        (
            "/api/v1/readings",
            json!({"evidence": "x", "version": -1}),
            400,
            "bad_field",
            "version",
        ),
    ];
    for (path, body, status, code, field) in cases {
        let answer = api.post(&token, path, &body);
        assert_eq!(answer.problem(), no(status, code), "{body}: {}", answer.body);
        assert_eq!(answer.json()["field"], field, "{}", answer.body);
    }
    let unknown = api.post(&token, "/api/v1/requests", &but("evidence", json!([nobody_s])));
    assert_eq!(unknown.problem(), no(404, "not_found"));
    for (path, field) in [
        ("/api/v1/evidence?custmer=1", "custmer"),
        ("/api/v1/evidence?flow=a&flow=b", "flow"),
        ("/api/v1/evidence?customer=", "customer"),
        ("/api/v1/evidence?from=2026-13-01", "from"),
        ("/api/v1/evidence?sha256=abc", "sha256"),
        ("/api/v1/evidence?limit=0", "limit"),
        ("/api/v1/evidence?limit=101", "limit"),
        ("/api/v1/evidence?cursor=1", "cursor"),
        ("/api/v1/requests?open=1", "open"),
        ("/api/v1/grants?cursor=-1", "cursor"),
        ("/api/v1/me?lang=en", "lang"),
    ] {
        let answer = api.get(&token, path);
        assert_eq!(answer.problem(), no(400, "bad_field"), "{path}");
        assert_eq!(answer.json()["field"], field);
    }

    // Not JSON, not said to be JSON, more than one, too large.
    let bearer = format!("Bearer {}", token.text);
    let send = |media_type: &str, body: &str| {
        let fields = [
            (header::AUTHORIZATION, bearer.as_str()),
            (header::CONTENT_TYPE, media_type),
            (header::ACCEPT_LANGUAGE, "en"),
        ];
        api.fixture
            .send(request(Method::POST, "/api/v1/readings", &fields, body))
    };
    let good = api.opening().to_string();
    assert_eq!(send("text/plain", &good).problem(), no(400, "bad_request"));
    assert_eq!(
        send("application/json", &good[1..]).problem(),
        no(400, "bad_request")
    );
    assert_eq!(
        send("application/json", &format!("{good} {good}")).problem(),
        no(400, "bad_request")
    );
    assert_eq!(
        send("application/json", &" ".repeat(BODY_BYTES + 1)).problem(),
        no(413, "too_large")
    );
    let english = send("application/json; charset=utf-8", &good);
    assert_eq!(english.problem(), no(403, "no_grant"));
    assert_eq!(english.headers[header::CONTENT_LANGUAGE], "en");
    assert!(
        english.json()["detail"]
            .as_str()
            .unwrap()
            .starts_with("There is no live grant")
    );
}

#[test]
fn what_a_grant_or_a_token_doesn_t_reach_isn_t_there() {
    let api = Api::new();
    let (mine, other) = (
        api.token("chen", &["retriever"], 1),
        api.token("chen", &["retriever"], 1),
    );
    // To look isn't to take away.
    api.granted(&mine, "view");
    let refused = api.post(&mine, "/api/v1/readings", &api.opening());
    assert_eq!(refused.problem(), no(403, "view_only"));
    api.granted(&mine, "export");
    let reading = api.reading(&mine);
    for (method, what) in [(Method::GET, "content"), (Method::POST, "end")] {
        let address = format!("/api/v1/readings/{reading}/{what}");
        let answer = api.ask(&other, method, &address, None);
        assert_eq!(answer.problem(), no(404, "not_found"), "another token's: {what}");
    }
    assert_eq!(
        api.get(&mine, &format!("/api/v1/readings/{reading}/content"))
            .status,
        StatusCode::OK
    );

    // Another branch's.
    let foreign = api.token("luo", &["retriever"], 1);
    let at = format!("/api/v1/evidence/{}", api.evidence);
    assert_eq!(api.get(&foreign, &at).problem(), no(404, "not_found"));
    assert_eq!(api.get(&foreign, "/api/v1/evidence").json()["items"], json!([]));
    assert_eq!(
        api.get(&foreign, "/api/v1/evidence?branch=0101").problem(),
        no(403, "out_of_scope")
    );
    assert_eq!(
        api.do_it(&foreign, &format!("{at}/versions/1/verify")).problem(),
        no(404, "not_found")
    );
    let filed = api.post(&foreign, "/api/v1/requests", &api.filing("export"));
    assert_eq!(filed.problem(), no(403, "out_of_scope"));
    let request = api.get(&mine, "/api/v1/requests").json()["items"][0]["id"].clone();
    let request = format!("/api/v1/requests/{}", request.as_str().unwrap());
    assert_eq!(api.get(&foreign, &request).problem(), no(404, "not_found"));
    assert_eq!(
        api.do_it(&foreign, &format!("{request}/withdraw")).problem(),
        no(404, "not_found")
    );
    assert_eq!(api.get(&foreign, "/api/v1/grants").json()["items"], json!([]));
    // Wrong numbers, forms and addresses.
    for path in [
        format!("{at}/receipts/0/txt"),
        format!("{at}/receipts/x/txt"),
        format!("{at}/receipts/4/pdf"),
        "/api/v1/nothing".to_owned(),
        "/api/v2/evidence".to_owned(),
    ] {
        assert_eq!(api.get(&mine, &path).problem(), no(404, "not_found"), "{path}");
    }
    let answer = api.ask(&mine, Method::DELETE, &request, None);
    assert_eq!(answer.problem(), no(405, "method_not_allowed"));
    assert_eq!(answer.headers[header::ALLOW], "GET,HEAD");
}
