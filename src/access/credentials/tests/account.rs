use super::*;

const NEW: &str = "九月的雨下在黄浦江上面了";

#[test]
fn a_new_password_needs_the_present_factor_and_replaces_the_old_one() {
    let fixture = Fixture::new();
    let app = fixture.joined("wang");
    let person = fixture.person("wang");
    let change = |code: &str, new: &str| {
        fixture
            .credentials
            .change_password(&person, "s", Shown::Code(code), new)
    };
    is_refused(change("000000", NEW));
    assert!(matches!(
        change(&app.code(&fixture), "short"),
        Err(CredentialError::Password(_))
    ));
    change(&app.code(&fixture), NEW).unwrap();
    is_refused(change(&app.code(&fixture), "another one that is long"));
    fixture.wait(STEP_MS);
    is_refused(fixture.signs_in("wang", &app));
    assert!(
        fixture
            .credentials
            .sign_in(typed("wang", NEW, &app.code(&fixture)), here())
            .is_ok()
    );
}

#[test]
fn a_code_used_to_sign_in_changes_nothing_and_the_other_way_round() {
    let fixture = Fixture::new();
    let app = fixture.joined("wang");
    let person = fixture.person("wang");
    fixture.signs_in("wang", &app).unwrap();
    let code = app.code(&fixture);
    is_refused(
        fixture
            .credentials
            .change_password(&person, "s", Shown::Code(&code), NEW),
    );
    fixture.wait(STEP_MS);
    let code = app.code(&fixture);
    fixture
        .credentials
        .change_password(&person, "s", Shown::Code(&code), PASSWORD)
        .unwrap();
    is_refused(fixture.signs_in("wang", &app));
}

#[test]
fn another_app_replaces_the_one_before() {
    let fixture = Fixture::new();
    let old = fixture.joined("wang");
    let person = fixture.person("wang");
    let enrolment = fixture.credentials.enrolment(&person).unwrap();
    let new = App(totp::Secret::from_text(&enrolment.text));
    let again = fixture
        .credentials
        .enrolment_again(&person, &enrolment.sealed)
        .unwrap()
        .unwrap();
    assert_eq!(again.text, enrolment.text);
    let change = |old_code: &str, new_code: &str| {
        fixture
            .credentials
            .change_totp(&person, "s", Shown::Code(old_code), &enrolment.sealed, new_code)
    };
    is_refused(change(&new.code(&fixture), &new.code(&fixture)));
    is_refused(change(&old.code(&fixture), &old.code(&fixture)));
    change(&old.code(&fixture), &new.code(&fixture)).unwrap();
    fixture.wait(STEP_MS);
    is_refused(fixture.signs_in("wang", &old));
    assert!(fixture.signs_in("wang", &new).is_ok());
    fixture.wait(totp::ENROLMENT_MS);
    assert!(
        fixture
            .credentials
            .enrolment_again(&person, &enrolment.sealed)
            .unwrap()
            .is_none()
    );
}

#[test]
fn passkeys_are_added_and_removed_but_never_the_last_factor() {
    let fixture = Fixture::new();
    let mut first = fixture.joined_by_passkey("audit");
    let person = fixture.person("audit");
    let confirm = |device: &mut Authenticator, session: &str| {
        let options = fixture
            .credentials
            .confirm_options(&person.id, session)
            .unwrap()
            .unwrap();
        device.get(&options)
    };
    let mut second = Authenticator::ed25519(ORIGIN);
    let answer = second.create(&fixture.credentials.creation_options(&person, "s").unwrap());
    let shown = confirm(&mut first, "another session");
    is_refused(
        fixture
            .credentials
            .add_passkey(&person, "s", Shown::Passkey(&shown), &answer, "second"),
    );
    let shown = confirm(&mut first, "s");
    fixture
        .credentials
        .add_passkey(&person, "s", Shown::Passkey(&shown), &answer, "second")
        .unwrap();
    is_refused(
        fixture
            .credentials
            .add_passkey(&person, "s", Shown::Passkey(&shown), &answer, "replayed"),
    );
    assert!(fixture.by_passkey(&mut second).is_ok());

    // The same authenticator isn't registered twice.
    let answer = second.create(&fixture.credentials.creation_options(&person, "s").unwrap());
    let shown = confirm(&mut first, "s");
    let taken = fixture
        .credentials
        .add_passkey(&person, "s", Shown::Passkey(&shown), &answer, "again");
    assert!(matches!(taken, Err(CredentialError::PasskeyTaken)), "{taken:?}");

    let (factors, rows) = fixture.credentials.factors(&person.id).unwrap();
    assert_eq!(
        (factors.passkeys, rows[0].label.as_str(), rows[1].label.as_str()),
        (2, "phone", "second")
    );
    let shown = confirm(&mut second, "s");
    fixture
        .credentials
        .remove_passkey(&person, "s", Shown::Passkey(&shown), &rows[0].id)
        .unwrap();
    is_refused(fixture.by_passkey(&mut first));
    let shown = confirm(&mut second, "s");
    let last = fixture
        .credentials
        .remove_passkey(&person, "s", Shown::Passkey(&shown), &rows[1].id);
    assert!(matches!(last, Err(CredentialError::LastFactor)), "{last:?}");
    let shown = confirm(&mut second, "s");
    let unknown = fixture
        .credentials
        .remove_passkey(&person, "s", Shown::Passkey(&shown), &rows[0].id);
    assert!(matches!(unknown, Err(CredentialError::Unknown)), "{unknown:?}");
}

#[test]
fn another_person_s_factor_confirms_nothing() {
    let fixture = Fixture::new();
    let app = fixture.joined("wang");
    let mut device = fixture.joined_by_passkey("audit");
    let wang = fixture.person("wang");
    let options = fixture
        .credentials
        .confirm_options("p-audit", "s")
        .unwrap()
        .unwrap();
    let answer = device.get(&options);
    is_refused(
        fixture
            .credentials
            .change_password(&wang, "s", Shown::Passkey(&answer), NEW),
    );
    let audit = fixture.person("audit");
    let code = app.code(&fixture);
    is_refused(
        fixture
            .credentials
            .change_password(&audit, "s", Shown::Code(&code), NEW),
    );
    assert_eq!(fixture.credentials.confirm_options("p-wang", "s").unwrap(), None);
}

#[test]
fn mistakes_in_a_session_are_counted_for_that_session() {
    let fixture = Fixture::new();
    let app = fixture.joined("wang");
    let person = fixture.person("wang");
    let guess = |session: &str| {
        fixture
            .credentials
            .change_password(&person, session, Shown::Code("000000"), NEW)
    };
    for _ in 0..5 {
        is_refused(guess("stolen"));
    }
    assert!(matches!(guess("stolen"), Err(CredentialError::TooMany(_))));
    let code = app.code(&fixture);
    assert!(
        fixture
            .credentials
            .change_password(&person, "own", Shown::Code(&code), NEW)
            .is_ok()
    );
}
