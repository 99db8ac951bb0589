use super::*;
use crate::catalog::credentials as rows;

fn is_no_invitation<T: std::fmt::Debug>(result: Result<T>) {
    assert!(matches!(result, Err(CredentialError::Invitation)), "{result:?}");
}

#[test]
fn an_invitation_counts_once() {
    let fixture = Fixture::new();
    let code = fixture.invite("wang");
    let invited = fixture
        .credentials
        .invited(&code.to_lowercase().replace('-', " "), here())
        .unwrap();
    assert_eq!(invited.person.name, "wang");
    assert!(
        invited
            .enrolment
            .picture
            .starts_with("data:image/svg+xml;base64,")
    );
    let app = App(totp::Secret::from_text(&invited.enrolment.text));
    let second = app.code(&fixture);
    let second = Second::Totp(&invited.enrolment.sealed, &second);
    fixture.credentials.join(&code, PASSWORD, second, here()).unwrap();
    is_no_invitation(fixture.credentials.join(&code, PASSWORD, second, here()));
    is_no_invitation(fixture.credentials.invited(&code, here()));
    // The code that completed the enrolment isn't one to sign in with.
    is_refused(fixture.signs_in("wang", &app));
    fixture.wait(STEP_MS);
    assert!(fixture.signs_in("wang", &app).is_ok());
    let leaf = fixture.newest(Kind::UserTotpEnrolled);
    assert_eq!(
        (&leaf["data"]["by"], &leaf["data"]["invitation"]),
        (&"invitation".into(), &invited.invitation.into())
    );
}

#[test]
fn an_invitation_expires_is_replaced_and_is_nothing_for_the_disabled() {
    let fixture = Fixture::new();
    let first = fixture.invite("wang");
    let second = fixture.invite("wang");
    is_no_invitation(fixture.credentials.invited(&first, here()));
    fixture.wait(invitation::VALID_MS - 1);
    assert!(fixture.credentials.invited(&second, here()).is_ok());
    fixture.wait(1);
    is_no_invitation(fixture.credentials.invited(&second, here()));
    let third = fixture.invite("wang");
    fixture.vault.disable("wang");
    is_no_invitation(fixture.credentials.invited(&third, here()));
    is_no_invitation(
        fixture
            .credentials
            .invited("0000-0000-0000-0000-0000-0000", here()),
    );
    is_no_invitation(fixture.credentials.invited("", here()));
    let refused = fixture.credentials.commit(|turn, event| {
        let code = Code::invitation(&SystemRandom::new())?;
        invitation::invite(turn.connection, event, "operator", "wang", &code, turn.time_ms)
    });
    assert!(matches!(refused, Err(CredentialError::Unknown)), "{refused:?}");
}

#[test]
fn it_expires_between_the_page_and_the_commit_too() {
    let fixture = Fixture::new();
    let code = fixture.invite("wang");
    fixture.wait(invitation::VALID_MS - 60_000);
    let invited = fixture.credentials.invited(&code, here()).unwrap();
    let app = App(totp::Secret::from_text(&invited.enrolment.text));
    fixture.wait(60_000);
    let second = app.code(&fixture);
    is_no_invitation(fixture.credentials.join(
        &code,
        PASSWORD,
        Second::Totp(&invited.enrolment.sealed, &second),
        here(),
    ));
    assert_eq!(fixture.events(Kind::UserPasswordSet), 0);
}

#[test]
fn what_is_wrong_changes_nothing() {
    let fixture = Fixture::new();
    let app = fixture.joined("wang");
    let code = fixture.invite("wang");
    let invited = fixture.credentials.invited(&code, here()).unwrap();
    let events = fixture.events(Kind::UserPasswordSet);
    let sealed = &invited.enrolment.sealed;
    let right = App(totp::Secret::from_text(&invited.enrolment.text)).code(&fixture);
    for (password, second) in [
        ("short", Second::Totp(sealed, &right)),
        ("wang wang wang wang", Second::Totp(sealed, &right)),
        (PASSWORD, Second::Totp(sealed, "000000")),
        (PASSWORD, Second::Totp(sealed, &app.code(&fixture))),
        (PASSWORD, Second::Totp("AAAA", &right)),
    ] {
        assert!(fixture.credentials.join(&code, password, second, here()).is_err());
    }
    assert_eq!(fixture.events(Kind::UserPasswordSet), events);
    assert!(
        fixture.signs_in("wang", &app).is_ok(),
        "what counted before still does"
    );
}

#[test]
fn whoever_joins_again_begins_anew() {
    let fixture = Fixture::new();
    let old_app = fixture.joined("wang");
    let person = fixture.person("wang");
    // A passkey and a token beside it.
    let mut device = Authenticator::new(ORIGIN);
    let options = fixture.credentials.creation_options(&person, "s").unwrap();
    let answer = device.create(&options);
    let code = old_app.code(&fixture);
    fixture
        .credentials
        .add_passkey(&person, "s", Shown::Code(&code), &answer, "key")
        .unwrap();
    fixture.wait(STEP_MS);
    let new = token::NewToken {
        roles: vec!["retriever".to_owned()],
        days: 7,
        label: "x".to_owned(),
    };
    let code = old_app.code(&fixture);
    let token = fixture
        .credentials
        .issue_token(&person, "s", Shown::Code(&code), new)
        .unwrap();
    assert!(fixture.by_passkey(&mut device).is_ok() && fixture.bearer(&token).is_some());

    let app = fixture.joined("wang");
    is_refused(fixture.signs_in("wang", &old_app));
    is_refused(fixture.by_passkey(&mut device));
    assert!(fixture.bearer(&token).is_none());
    assert!(fixture.signs_in("wang", &app).is_ok());
}

#[test]
fn a_password_alone_opens_nothing_and_leaves_the_invitation() {
    let fixture = Fixture::new();
    let app = fixture.joined("wang");
    let code = fixture.invite("wang");
    // What a crash between the two events leaves.
    let invitation = fixture.credentials.invited(&code, here()).unwrap().invitation;
    let verifier = fixture
        .credentials
        .hasher
        .hash(
            &password::Password::typed(PASSWORD).unwrap(),
            &SystemRandom::new(),
        )
        .unwrap();
    let first = Draft::new(Kind::UserPasswordSet, "e1", "p-wang")
        .fact("person", "p-wang")
        .fact("by", "invitation");
    fixture
        .vault
        .commit(first.fact("invitation", invitation).commit("verifier", verifier));
    is_refused(fixture.signs_in("wang", &app));
    assert!(fixture.credentials.invited(&code, here()).is_ok());
    let factors = fixture
        .vault
        .catalogue
        .read(|c| rows::factors(c, "p-wang"))
        .unwrap();
    assert_eq!(
        (factors.password, factors.totp, factors.passkeys),
        (true, false, 0)
    );
}

#[test]
fn guessing_at_codes_is_throttled_by_source() {
    let fixture = Fixture::new();
    let code = fixture.invite("wang");
    for _ in 0..30 {
        is_no_invitation(
            fixture
                .credentials
                .invited("0000-0000-0000-0000-0000-0000", here()),
        );
    }
    assert!(matches!(
        fixture.credentials.invited(&code, here()),
        Err(CredentialError::TooMany(_))
    ));
    assert!(fixture.credentials.invited(&code, peer("198.51.100.1")).is_ok());
}

#[test]
fn a_passkey_made_for_another_invitation_doesn_t_count() {
    let fixture = Fixture::new();
    let (wang, audit) = (fixture.invite("wang"), fixture.invite("audit"));
    let options = fixture
        .credentials
        .invited(&wang, here())
        .unwrap()
        .passkey
        .unwrap();
    let answer = Authenticator::new(ORIGIN).create(&options);
    is_refused(
        fixture
            .credentials
            .join(&audit, PASSWORD, Second::Passkey(&answer, "x"), here()),
    );
    let no_label = fixture
        .credentials
        .join(&wang, PASSWORD, Second::Passkey(&answer, " "), here());
    assert!(matches!(no_label, Err(CredentialError::Label)));
    assert!(
        fixture
            .credentials
            .join(&wang, PASSWORD, Second::Passkey(&answer, "x"), here())
            .is_ok()
    );
}
