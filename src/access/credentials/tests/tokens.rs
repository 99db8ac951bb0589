use super::*;
use crate::{access::credentials::token::NewToken, domain::role::Role};

const DAY_MS: i64 = 24 * 3_600_000;

fn new(roles: &[&str], days: u32) -> NewToken {
    NewToken {
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        days,
        label: "archive system".to_owned(),
    }
}

impl Fixture {
    fn issue(&self, app: &App, new: NewToken) -> Result<String> {
        self.wait(STEP_MS);
        let code = app.code(self);
        let issued = self
            .credentials
            .issue_token(&self.person("wang"), "s", Shown::Code(&code), new);
        issued.map(|text| text.to_string())
    }
}

#[test]
fn a_token_stands_for_some_of_a_person_s_roles() {
    let fixture = Fixture::new();
    let app = fixture.joined("wang");
    let text = fixture.issue(&app, new(&["retriever"], 30)).unwrap();
    assert!(
        text.starts_with("mnt_") && text.len() == 4 + 26 + 1 + 52,
        "{text}"
    );
    let bearer = fixture.bearer(&text).unwrap();
    assert_eq!(bearer.person.name, "wang");
    assert!(bearer.roles.has(Role::Retriever) && !bearer.roles.has(Role::Approver));
    assert_eq!(
        bearer.person.roles,
        ["retriever"],
        "no handler can take it for more"
    );
    let (row, used) = fixture.credentials.tokens("p-wang").unwrap().remove(0);
    assert_eq!(
        (row.label.as_str(), used),
        ("archive system", Some(fixture.now()))
    );
    for refused in [
        new(&["auditor"], 1),
        new(&["retriever", "auditor"], 1),
        new(&[], 1),
        new(&["root"], 1),
    ] {
        assert!(
            matches!(fixture.issue(&app, refused.clone()), Err(CredentialError::Roles)),
            "{refused:?}"
        );
    }
    let leaf = fixture.newest(Kind::TokenIssued).to_string();
    let secret = text.rsplit('_').next().unwrap();
    assert!(
        !leaf.contains(secret) && !leaf.contains("archive system"),
        "{leaf}"
    );
}

#[test]
fn a_token_ends_by_itself_by_revoking_and_with_its_person() {
    let fixture = Fixture::new();
    let app = fixture.joined("wang");
    for days in [0, 367] {
        assert!(matches!(
            fixture.issue(&app, new(&["retriever"], days)),
            Err(CredentialError::Days)
        ));
    }
    let text = fixture.issue(&app, new(&["retriever"], 1)).unwrap();
    let other = fixture.issue(&app, new(&["retriever"], 366)).unwrap();
    fixture.wait(DAY_MS - STEP_MS - 1);
    assert!(fixture.bearer(&text).is_some());
    fixture.wait(1);
    assert!(fixture.bearer(&text).is_none());

    let bearer = fixture.bearer(&other).unwrap();
    let li = fixture.person("li.na");
    assert!(matches!(
        fixture.credentials.revoke_token(&li, &bearer.token),
        Err(CredentialError::Unknown)
    ));
    fixture
        .credentials
        .revoke_token(&bearer.person, &bearer.token)
        .unwrap();
    assert!(fixture.bearer(&other).is_none());
    assert!(matches!(
        fixture.credentials.revoke_token(&bearer.person, &bearer.token),
        Err(CredentialError::Unknown)
    ));

    let third = fixture.issue(&app, new(&["approver"], 7)).unwrap();
    assert!(fixture.bearer(&third).is_some());
    fixture.vault.disable("wang");
    assert!(fixture.bearer(&third).is_none());
}

#[test]
fn no_altered_token_counts() {
    let fixture = Fixture::new();
    let app = fixture.joined("wang");
    let text = fixture.issue(&app, new(&["retriever"], 1)).unwrap();
    for at in 0..text.len() {
        let mut altered = text.clone().into_bytes();
        altered[at] = if altered[at] == b'0' { b'1' } else { b'0' };
        assert!(
            fixture.bearer(&String::from_utf8(altered).unwrap()).is_none(),
            "character {at}"
        );
        assert!(fixture.bearer(&text[..at]).is_none());
    }
    for wrong in [
        "",
        "mnt_",
        "mnt__",
        "Bearer x",
        &format!("{text}0"),
        &format!(" {text}"),
    ] {
        assert!(fixture.bearer(wrong).is_none(), "{wrong}");
    }
    // The secret of one token with the id of another.
    let other = fixture.issue(&app, new(&["retriever"], 1)).unwrap();
    let (id, secret) = (&other[..30], &text[30..]);
    assert!(fixture.bearer(&format!("{id}{secret}")).is_none());
}

#[test]
fn a_token_needs_a_fresh_factor_and_there_is_an_end_to_them() {
    let fixture = Fixture::new();
    let app = fixture.joined("wang");
    let person = fixture.person("wang");
    is_refused(
        fixture
            .credentials
            .issue_token(&person, "s", Shown::Code("000000"), new(&["retriever"], 1))
            .map(|_| ()),
    );
    for _ in 0..MAX_TOKENS {
        fixture.issue(&app, new(&["retriever"], 1)).unwrap();
    }
    let more = fixture.issue(&app, new(&["retriever"], 1));
    assert!(matches!(more, Err(CredentialError::TooManyTokens)), "{more:?}");
    fixture.wait(DAY_MS);
    assert!(
        fixture.issue(&app, new(&["retriever"], 1)).is_ok(),
        "those that ended don't count"
    );
}

#[test]
fn wrong_tokens_are_on_record_and_slowed_down_and_keep_nobody_else_out() {
    let fixture = Fixture::new();
    let app = fixture.joined("wang");
    let text = fixture.issue(&app, new(&["retriever"], 1)).unwrap();
    let ended = fixture.issue(&app, new(&["retriever"], 1)).unwrap();
    let token = fixture.bearer(&ended).unwrap().token;
    fixture
        .credentials
        .revoke_token(&fixture.person("wang"), &token)
        .unwrap();
    let wrong = format!("{}{}", &text[..30], "_".to_owned() + &"0".repeat(52));
    fixture.told.0.lock().unwrap().clear();
    for sent in ["mnt_nonsense", &wrong, &ended] {
        assert!(fixture.bearer(sent).is_none());
    }
    let told: Vec<_> = std::mem::take(&mut *fixture.told.0.lock().unwrap());
    let told: Vec<_> = told
        .into_iter()
        .map(|told| (told.person, told.why.id()))
        .collect();
    let wang = Some("p-wang".to_owned());
    assert_eq!(
        told,
        [
            (None, "token_wrong"),
            (wang.clone(), "token_wrong"),
            (wang, "token_ended")
        ]
    );
    // A program that goes on with a token that was revoked.
    let slowed = || {
        matches!(
            fixture.credentials.bearer(&ended, here().address),
            Err(CredentialError::TooMany(_))
        )
    };
    assert!((0..100).any(|_| slowed()));
    let told = fixture.told.0.lock().unwrap().len();
    assert!(slowed() && fixture.told.0.lock().unwrap().len() == told);
    assert!(
        fixture.bearer(&text).is_some(),
        "one that counts, from the same address"
    );
    fixture.wait(STEP_MS);
    assert!(fixture.signs_in("wang", &app).is_ok(), "and a person");
}
