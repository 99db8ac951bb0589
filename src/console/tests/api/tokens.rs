//! What a token is worth, and what ends it.

use super::*;
use crate::access::{reading, requests::Narrowing};

#[test]
fn a_session_is_no_token_and_a_token_is_no_session() {
    let api = Api::new();
    let token = api.token("chen", &["retriever"], 1);
    let (_, secret) = api.fixture.sign_in("chen");
    let cookie = session_cookie(&secret);
    let as_browser = [
        (header::COOKIE, cookie.as_str()),
        (header::ORIGIN, ORIGIN),
        (header::HeaderName::from_static("x-csrf-token"), &secret.token()),
    ];
    for route in routes().iter().filter(|route| route.is_api()) {
        let path = example(route);
        for fields in [&as_browser[..], &[]] {
            let answer = api.ask_with(fields, route.method.clone(), &path, None);
            assert_eq!(answer.problem(), no(401, "no_token"), "{path}");
            assert_eq!(
                answer.headers[header::WWW_AUTHENTICATE],
                "Bearer realm=\"muniment\""
            );
            assert!(answer.cookies().is_empty());
        }
    }
    let bearer = format!("Bearer {}", token.text);
    for route in routes()
        .iter()
        .filter(|route| !route.is_api() && route.need != Need::Public)
    {
        let fields = [(header::AUTHORIZATION, bearer.as_str()), (header::ORIGIN, ORIGIN)];
        let answer = api
            .fixture
            .send(request(route.method.clone(), &example(route), &fields, ""));
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", route.path);
        assert!(answer.location().starts_with("/sign-in"), "{}", route.path);
    }
    // A page of another site that posts to the API sends a cookie at the most.
    let evil = [
        (header::COOKIE, cookie.as_str()),
        (header::ORIGIN, "https://evil.example"),
    ];
    let forged = api.ask_with(&evil, Method::POST, "/api/v1/requests", Some(&api.filing("view")));
    assert_eq!(forged.problem(), no(401, "no_token"));
    assert!(api.leaves(Kind::AccessRequested).is_empty());
}

#[test]
fn a_token_does_what_its_roles_do_and_no_more() {
    let api = Api::new();
    // chen is a retriever and an approver; of the branch's requests a retriever sees their own.
    let asks = api.token("luo", &["retriever"], 1);
    let retrieves = api.token("chen", &["retriever"], 1);
    let approves = api.token("chen", &["approver"], 1);
    let filed = api
        .post(&retrieves, "/api/v1/requests", &api.filing("view"))
        .json();
    let request = format!("/api/v1/requests/{}", filed["id"].as_str().unwrap());
    assert_eq!(api.get(&asks, &request).problem(), no(404, "not_found"));
    assert_eq!(api.get(&approves, &request).json()["id"], filed["id"]);
    for (path, body) in [
        ("/api/v1/requests".to_owned(), Some(api.filing("view"))),
        (format!("{request}/withdraw"), None),
        ("/api/v1/readings".to_owned(), Some(api.opening())),
    ] {
        let answer = api.ask(&approves, Method::POST, &path, body.as_ref());
        assert_eq!(answer.problem(), no(403, "not_your_role"), "{path}");
    }
    let refused = api.leaves(Kind::AccessRefused);
    let tried: Vec<_> = refused
        .iter()
        .filter(|leaf| leaf.text("why") == Some("not_your_role"))
        .map(|leaf| (leaf.text("person").unwrap(), leaf.text("what").unwrap()))
        .collect();
    assert_eq!(
        tried,
        [
            ("p-chen", "request_access"),
            ("p-chen", "withdraw_request"),
            ("p-chen", "read_content")
        ]
    );
    // A clerk's token finds nothing.
    let clerk = api.token("zhang.san", &["uploader"], 1);
    assert_eq!(
        api.get(&clerk, "/api/v1/evidence").problem(),
        no(403, "not_your_role")
    );
    assert_eq!(
        api.get(&clerk, "/api/v1/me").json()["token"]["roles"],
        json!(["uploader"])
    );
}

#[test]
fn the_core_lets_no_token_decide_whatever_its_roles_are() {
    let api = Api::new();
    let luo = Who::person("p-luo");
    let mut wanted = requests_new(&api.evidence);
    wanted.emergency = true;
    let emergency = api.room().file_request(&luo, wanted).unwrap();
    let request = api
        .room()
        .file_request(&Who::person("p-audit"), requests_new(&api.evidence))
        .unwrap();
    let by_token = Who {
        person: "p-wang".to_owned(),
        only: Some(vec![crate::domain::role::Role::Approver]),
    };
    let room = api.room();
    for id in [&request, &emergency] {
        let approved = room.approve_request(&by_token, id, Narrowing::default());
        assert_eq!(approved.unwrap_err().to_string(), No::NotByToken.en());
        let declined = room.decline_request(&by_token, id, "不需要");
        assert_eq!(declined.unwrap_err().to_string(), No::NotByToken.en());
    }
    let granted = room.approve_request(&Who::person("p-wang"), &request, Narrowing::default());
    let crate::access::requests::Approved::Granted(grant) = granted.unwrap() else {
        panic!("no emergency");
    };
    let revoked = room.revoke_grant(&by_token, &grant, "不需要");
    assert_eq!(revoked.unwrap_err().to_string(), No::NotByToken.en());
    for action in [
        Action::DecideRequest,
        Action::DecideEmergency,
        Action::AdministerPeople,
    ] {
        assert!(room.scope(&by_token, action).is_err() && room.permit(&by_token, action).is_err());
    }
    let refused = api.leaves(Kind::AccessRefused);
    let words = refused
        .iter()
        .filter(|leaf| leaf.text("why") == Some("not_by_token"));
    assert!(words.count() >= 3);
}

fn requests_new(evidence: &str) -> crate::access::requests::NewRequest {
    crate::access::requests::NewRequest {
        evidence: vec![evidence.to_owned()],
        purpose: crate::domain::access::Purpose::View,
        basis: Some(crate::domain::access::Basis::Law),
        reason: "法院调取".to_owned(),
        duration_s: 3_600,
        emergency: false,
        form: None,
    }
}

#[test]
fn a_token_that_ends_takes_its_readings_along_at_once() {
    let api = Api::new();
    let asks = api.token("chen", &["retriever"], 30);
    api.granted(&asks, "export");
    let credentials = &api.fixture.console.credentials;
    let chen = api
        .fixture
        .vault
        .catalogue
        .read(|c| people::by_name(c, "chen"))
        .unwrap()
        .unwrap();
    let open = |token: &Token| {
        let id = api.reading(token);
        (api.room().reads.find(&id, &token.id).unwrap(), id)
    };

    // Revoked on the account page.
    let token = api.token("chen", &["retriever"], 1);
    let (reading, id) = open(&token);
    let (_, secret) = api.fixture.sign_in("chen");
    let form = format!("csrf={}", secret.token());
    let path = format!("/account/tokens/{}/revoke", token.id);
    assert_eq!(
        api.fixture.post(&path, &secret, &form).status,
        StatusCode::SEE_OTHER
    );
    assert!(reading.read_at(0, &mut [0; 16]).is_err());
    let content = format!("/api/v1/readings/{id}/content");
    let answer = api.get(&token, &content);
    assert_eq!(answer.problem(), no(401, "bad_token"));
    assert_eq!(
        answer.headers[header::WWW_AUTHENTICATE],
        "Bearer realm=\"muniment\", error=\"invalid_token\""
    );
    // One that was revoked opens nothing, even if a request was under way.
    let wanted = reading::Wanted {
        evidence: api.evidence.clone(),
        version: 1,
        what: reading::What::Original,
        purpose: crate::domain::access::Purpose::Export,
        channel: reading::Channel::Api,
        holder: token.id.clone(),
    };
    let who = Who {
        person: chen.id.clone(),
        only: Some(vec![crate::domain::role::Role::Retriever]),
    };
    let late = api.room().open(&who, &wanted).err().unwrap();
    assert_eq!(late.to_string(), No::NotActive.en());
    assert!(credentials.bearer(&token.text, PEER).is_err());

    // Ran out: the token lasts a day, the grant an hour; so the other way round.
    let token = api.token("chen", &["retriever"], 1);
    let mut long = api.filing("export");
    long["duration_s"] = json!(10 * 24 * 3_600);
    let filed = api.post(&asks, "/api/v1/requests", &long).json();
    api.room()
        .approve_request(
            &Who::person("p-wang"),
            filed["id"].as_str().unwrap(),
            Narrowing::default(),
        )
        .unwrap();
    api.fixture.vault.clock.advance(3_600_000);
    let (reading, _) = open(&token);
    api.fixture.vault.clock.advance(DAY_MS - 3_600_000 - 1);
    assert!(reading.read_at(0, &mut [0; 16]).is_ok());
    api.fixture.vault.clock.advance(1);
    assert!(reading.read_at(0, &mut [0; 16]).is_err());
    assert_eq!(api.get(&token, "/api/v1/me").problem(), no(401, "bad_token"));

    // The grant, while the token lasts.
    let (reading, id) = open(&asks);
    let grants = api.get(&asks, "/api/v1/grants?live=true").json();
    let grant = grants["items"][0]["id"].as_str().unwrap();
    api.room()
        .revoke_grant(&Who::person("p-wang"), grant, "检查结束")
        .unwrap();
    assert!(reading.read_at(0, &mut [0; 16]).is_err());
    let answer = api.get(&asks, &format!("/api/v1/readings/{id}/content"));
    assert_eq!(answer.problem(), no(409, "grant_ended"));

    // The person, with every token.
    api.granted(&asks, "export");
    let (reading, _) = open(&asks);
    api.fixture.vault.disable("chen");
    api.room().reads.end_person("p-chen");
    assert!(reading.read_at(0, &mut [0; 16]).is_err());
    assert_eq!(api.get(&asks, "/api/v1/me").problem(), no(401, "bad_token"));
}

#[test]
fn guesses_are_slowed_down_and_a_token_that_counts_isn_t() {
    let api = Api::new();
    let token = api.token("chen", &["retriever"], 1);
    let wrong = Token {
        id: String::new(),
        text: format!("{}{}", &token.text[..31], "0".repeat(52)),
    };
    let answers: Vec<_> = (0..40).map(|_| api.get(&wrong, "/api/v1/me")).collect();
    assert_eq!(answers[0].problem(), no(401, "bad_token"));
    let last = answers.last().unwrap();
    assert_eq!(last.problem(), no(429, "too_many"));
    assert!(last.headers.contains_key(header::RETRY_AFTER));
    assert_eq!(api.get(&token, "/api/v1/me").status, StatusCode::OK);
    // Nor is a stranger's large body taken in.
    let large = json!({ "evidence": "x".repeat(1_000_000) });
    let refused = api.post(&wrong, "/api/v1/requests", &large);
    assert_eq!(refused.problem(), no(429, "too_many"));
}
