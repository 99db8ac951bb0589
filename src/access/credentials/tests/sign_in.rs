use super::*;
use crate::access::credentials::{
    device::Devices,
    refused::{RefusalQueue, RefusedSignIn, Why},
};

#[test]
fn name_password_and_code_let_somebody_in_once_for_each_code() {
    let fixture = Fixture::new();
    let app = fixture.joined("wang");
    let signed_in = fixture.signs_in("wang", &app).unwrap();
    assert_eq!(
        (signed_in.person.name.as_str(), signed_in.factor),
        ("wang", Factor::PasswordTotp)
    );
    let leaf = fixture.newest(Kind::UserSignedIn);
    assert_eq!(leaf["data"]["session"], signed_in.session);
    assert_eq!(leaf["data"]["factor"], "password_totp");
    assert_eq!(leaf["data"]["totp_step"], fixture.now() / STEP_MS);
    let text = leaf.to_string();
    assert!(!text.contains("192.0.2.7") && !text.contains("Firefox"), "{text}");

    is_refused(fixture.signs_in("wang", &app));
    // Not the code of a step before the newest one either, though a clock may be one step off.
    let before = app.0.code(fixture.now() / STEP_MS - 1);
    is_refused(
        fixture
            .credentials
            .sign_in(typed("wang", PASSWORD, &before), here()),
    );
    fixture.wait(STEP_MS);
    assert!(fixture.signs_in("WANG ", &app).is_ok(), "as people type a name");
}

#[test]
fn of_two_sign_ins_at_the_same_moment_with_one_code_one_succeeds() {
    let fixture = Fixture::new();
    let app = fixture.joined("wang");
    let code = app.code(&fixture);
    let outcomes: Vec<bool> = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    fixture
                        .credentials
                        .sign_in(typed("wang", PASSWORD, &code), here())
                        .is_ok()
                })
            })
            .collect();
        tries.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(outcomes.iter().filter(|ok| **ok).count(), 1, "{outcomes:?}");
    assert_eq!(fixture.events(Kind::UserSignedIn), 1);
}

#[test]
fn a_code_that_was_right_outside_is_looked_at_again_inside_the_transaction() {
    let fixture = Fixture::new();
    let app = fixture.joined("wang");
    let person = fixture.person("wang");
    let confirm = || {
        fixture
            .credentials
            .confirm(&person.id, "s", Shown::Code(&app.code(&fixture)))
    };
    let (one, two) = (confirm().unwrap(), confirm().unwrap());
    let use_it = |proof: proof::Proof| {
        let id = person.id.clone();
        fixture.credentials.commit(move |turn, event| {
            proof.redeem(turn.connection, &id)?;
            let draft = Draft::new(Kind::UserPasskeyRemoved, event, id.as_str());
            Ok(proof.facts(draft.fact("person", id.as_str()).fact("removed", "x")))
        })
    };
    use_it(one).unwrap();
    is_refused(use_it(two));
}

#[test]
fn whatever_is_wrong_has_one_answer_and_goes_on_record() {
    let fixture = Fixture::new();
    let app = fixture.joined("wang");
    fixture.joined_by_passkey("audit");
    let code = app.code(&fixture);
    let long = "x".repeat(100_000);
    for (name, password, code) in [
        ("wang", PASSWORD, "000000"),
        ("wang", "another lighthouse", &code),
        ("wang", long.as_str(), &code),
        ("nobody", PASSWORD, &code),
        ("", PASSWORD, &code),
        (long.as_str(), PASSWORD, &code),
        // Somebody without an app, and somebody who was never invited.
        ("audit", PASSWORD, &code),
        ("li.na", PASSWORD, &code),
        ("wang' OR '1'='1", PASSWORD, &code),
    ] {
        let result = fixture.credentials.sign_in(typed(name, password, code), here());
        let error = result.err().unwrap().to_string();
        assert_eq!(error, CredentialError::Refused.to_string(), "{name}");
    }
    let told = fixture.told.0.lock().unwrap();
    assert_eq!(told.len(), 9);
    assert!(told.iter().all(|refused| refused.why == Why::Wrong));
    assert_eq!(told[0].person.as_deref(), Some("p-wang"));
    assert_eq!(told[3].person, None);
    drop(told);
    assert!(
        fixture.signs_in("wang", &app).is_ok(),
        "none of that used the code up"
    );
}

#[test]
fn a_disabled_person_is_refused_also_when_it_happens_in_between() {
    let fixture = Fixture::new();
    let app = fixture.joined("wang");
    let mut device = fixture.joined_by_passkey("audit");
    fixture.vault.disable("wang");
    fixture.vault.disable("audit");
    is_refused(fixture.signs_in("wang", &app));
    is_refused(fixture.by_passkey(&mut device));
    // What was looked up before they were disabled isn't believed inside the transaction.
    let person = Person {
        disabled_ms: None,
        ..fixture.person("wang")
    };
    let row = fixture
        .vault
        .catalogue
        .read(|c| crate::catalog::credentials::totp(c, &person.id))
        .unwrap()
        .unwrap();
    let proof = proof::Proof::of_code(&row, fixture.now() / STEP_MS);
    is_refused(
        fixture
            .credentials
            .signed_in(person, Factor::PasswordTotp, proof, None, here()),
    );
}

#[test]
fn a_weakly_hashed_password_is_hashed_anew_at_sign_in() {
    let fixture = Fixture::new();
    let app = fixture.joined("wang");
    // RFC 9106 by the reference program: 64 KiB, one pass, of PASSWORD.
    let weak = password::Hasher::with(64, 1, &SystemRandom::new()).unwrap();
    let weak = weak
        .hash(
            &password::Password::typed(PASSWORD).unwrap(),
            &SystemRandom::new(),
        )
        .unwrap();
    let before = weak.clone();
    let set = Draft::new(Kind::UserPasswordSet, "e1", "system")
        .fact("person", "p-wang")
        .fact("by", "upgrade");
    fixture.vault.commit(set.commit("verifier", weak));
    fixture.signs_in("wang", &app).unwrap();
    let verifier = || {
        let row = fixture
            .vault
            .catalogue
            .read(|c| crate::catalog::credentials::password(c, "p-wang"));
        row.unwrap().unwrap().verifier
    };
    let after = verifier();
    assert_ne!(after, before);
    assert!(after.starts_with("$argon2id$v=19$m=32768,t=3,p=1$"), "{after}");
    fixture.wait(STEP_MS);
    fixture.signs_in("wang", &app).unwrap();
    assert_eq!(verifier(), after, "once");
    assert_eq!(fixture.newest(Kind::UserPasswordSet)["data"]["by"], "upgrade");
}

#[test]
fn a_passkey_lets_its_person_in_and_its_counter_only_grows() {
    let fixture = Fixture::new();
    let mut device = fixture.joined_by_passkey("audit");
    device.count = 40;
    let signed_in = fixture.by_passkey(&mut device).unwrap();
    assert_eq!(
        (signed_in.person.name.as_str(), signed_in.factor),
        ("audit", Factor::Passkey)
    );
    let leaf = fixture.newest(Kind::UserSignedIn);
    assert_eq!(
        (&leaf["data"]["factor"], &leaf["data"]["sign_count"]),
        (&"passkey".into(), &41.into())
    );
    fixture.by_passkey(&mut device).unwrap();
    // A copy of the authenticator, made before that.
    device.count = 40;
    is_refused(fixture.by_passkey(&mut device));
    let told = fixture.told.0.lock().unwrap();
    assert_eq!(
        (told[0].why, told[0].person.as_deref()),
        (Why::Clone, Some("p-audit"))
    );
    drop(told);
    // Nobody's passkey, and an answer to another browser's question.
    is_refused(fixture.by_passkey(&mut Authenticator::new(ORIGIN)));
    device.count = 100;
    let options = fixture.credentials.passkey_options(b"another").unwrap();
    is_refused(
        fixture
            .credentials
            .sign_in_by_passkey(&device.get(&options), b"browser", here()),
    );
}

#[test]
fn strangers_are_throttled_and_a_known_device_isn_t() {
    let fixture = Fixture::new();
    let app = fixture.joined("wang");
    let device = fixture.signs_in("wang", &app).unwrap().device;
    fixture.wait(STEP_MS);
    let guess = |name: &str| {
        fixture
            .credentials
            .sign_in(typed(name, "a guess at random", "123456"), here())
    };
    for name in ["wang", "nobody"] {
        for _ in 0..5 {
            is_refused(guess(name));
        }
        let stopped = guess(name);
        assert!(
            matches!(stopped, Err(CredentialError::TooMany(_))),
            "{name}: {stopped:?}"
        );
    }
    // The same answer with the right password: nothing is looked at any more.
    assert!(matches!(
        fixture.signs_in("wang", &app),
        Err(CredentialError::TooMany(_))
    ));
    // The person, behind the same address, on a device from which they signed in before.
    let known = Peer {
        device: &device,
        ..here()
    };
    let code = app.code(&fixture);
    assert!(
        fixture
            .credentials
            .sign_in(typed("wang", PASSWORD, &code), known)
            .is_ok()
    );
    // Their device is worth nothing for another name.
    assert!(matches!(
        fixture
            .credentials
            .sign_in(typed("nobody", PASSWORD, &code), known),
        Err(CredentialError::TooMany(_))
    ));
    fixture.wait(120_000);
    is_refused(guess("wang"));
}

#[test]
fn nobody_takes_the_same_way_as_somebody() {
    let fixture = Fixture::new();
    let app = fixture.joined("wang");
    let known = fixture.credentials.known("nobody").unwrap();
    assert!(known.person.is_none() && known.password.is_none() && known.totp.is_none());
    // The same number of hashes is computed for both: the hasher is held, and both have to wait for it.
    let code = app.code(&fixture);
    for (name, password) in [
        ("wang", "not the password"),
        ("nobody", PASSWORD),
        ("li.na", PASSWORD),
    ] {
        let before = fixture.credentials.hasher.computed();
        is_refused(fixture.credentials.sign_in(typed(name, password, &code), here()));
        assert_eq!(fixture.credentials.hasher.computed() - before, 1, "{name}");
    }
}

#[test]
fn refusals_are_in_the_log_without_filling_it() {
    let fixture = Fixture::new();
    let parts = &fixture.credentials.parts;
    let refusals = crate::access::refusals::Refusals::new(
        parts.custody.clone(),
        parts.clock.clone(),
        parts.random.clone(),
    );
    let queue = RefusalQueue::start(refusals).unwrap();
    for _ in 0..10 {
        for person in [Some("p-wang".to_owned()), None] {
            queue.refused(RefusedSignIn {
                person,
                address: "192.0.2.7".parse().unwrap(),
                why: Why::Wrong,
            });
        }
    }
    // What is queued is finished.
    drop(queue);
    assert_eq!(fixture.events(Kind::AccessRefused), 2);
    let leaf = fixture.newest(Kind::AccessRefused).to_string();
    assert!(
        leaf.contains("\"what\":\"sign_in\"") && !leaf.contains("192.0.2"),
        "{leaf}"
    );
}

#[test]
fn a_session_s_end_is_in_the_log() {
    let fixture = Fixture::new();
    for (how, actor) in [
        (Ending::Person, "p-wang"),
        (Ending::Elsewhere, "p-wang"),
        (Ending::Credentials, "p-wang"),
        (Ending::Expired, "system"),
        (Ending::Operator, "operator"),
    ] {
        fixture.credentials.signed_out("p-wang", "s1", how).unwrap();
        let leaf = fixture.newest(Kind::UserSignedOut);
        assert_eq!(
            (leaf["data"]["how"].as_str(), leaf["actor"].as_str()),
            (Some(how.id()), Some(actor))
        );
    }
}

#[test]
fn the_device_cookie_is_of_this_vault() {
    let fixture = Fixture::new();
    let app = fixture.joined("wang");
    let cookie = fixture.signs_in("wang", &app).unwrap().device;
    assert!(
        fixture
            .credentials
            .devices
            .known(&cookie, "wang", fixture.now())
            .is_some()
    );
    let other = Devices::new(ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &[0; 32]));
    assert!(other.known(&cookie, "wang", fixture.now()).is_none());
    assert!(!cookie.contains("wang"));
}
