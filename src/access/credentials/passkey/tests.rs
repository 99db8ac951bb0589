use super::{testing::Authenticator, *};
use ring::rand::SystemRandom;

const ORIGIN: &str = "https://records.example.com:8443";
const NOW: i64 = 1_785_224_527_000;

struct Site {
    party: RelyingParty,
    challenges: Challenges,
}

const REGISTER: Purpose<'static> = Purpose::Register("p1", "s1");
const SIGN_IN: Purpose<'static> = Purpose::SignIn(b"browser");

impl Site {
    fn new() -> Self {
        Site {
            party: RelyingParty::new(ORIGIN, "Muniment").unwrap(),
            challenges: Challenges::new(&SystemRandom::new()).unwrap(),
        }
    }

    fn challenge(&self, purpose: &Purpose<'_>) -> Challenge {
        self.challenges.issue(purpose, NOW, &SystemRandom::new()).unwrap()
    }

    fn creation(&self) -> Value {
        self.party
            .creation(&self.challenge(&REGISTER), "p1", "zhang.san", &[])
    }

    fn request(&self) -> Value {
        self.party.request(&self.challenge(&SIGN_IN), &[])
    }

    fn registered(&self, answer: &Registration) -> Result<NewPasskey, PasskeyError> {
        self.party.registered(answer, &self.challenges, &REGISTER, NOW)
    }

    fn asserted(&self, answer: &Assertion, key: &NewPasskey) -> Result<u32, PasskeyError> {
        self.party
            .asserted(answer, &key.public_key, "p1", &self.challenges, &SIGN_IN, NOW)
    }

    fn registered_by(&self, authenticator: &mut Authenticator) -> NewPasskey {
        self.registered(&authenticator.create(&self.creation())).unwrap()
    }
}

#[test]
fn a_passkey_is_registered_and_signs_in() {
    let site = Site::new();
    for mut device in [Authenticator::new(ORIGIN), Authenticator::ed25519(ORIGIN)] {
        device.count = 7;
        let key = site.registered_by(&mut device);
        assert_eq!((&key.credential, key.sign_count), (&device.credential, 7));
        assert_eq!(site.asserted(&device.get(&site.request()), &key), Ok(8));
        // One that isn't discoverable doesn't say whose it is.
        device.user_handle = None;
        assert_eq!(site.asserted(&device.get(&site.request()), &key), Ok(9));
    }
}

#[test]
fn what_the_browser_is_asked_for() {
    let site = Site::new();
    let creation = site
        .party
        .creation(&site.challenge(&REGISTER), "p1", "zhang.san", &[vec![1, 2, 3]]);
    assert_eq!(creation["rp"]["id"], "records.example.com");
    assert_eq!(creation["authenticatorSelection"]["userVerification"], "required");
    assert_eq!(creation["authenticatorSelection"]["residentKey"], "preferred");
    assert_eq!(creation["attestation"], "none");
    assert_eq!(creation["excludeCredentials"][0]["id"], "AQID");
    assert_eq!(site.request()["userVerification"], "required");
}

#[test]
fn another_origin_s_answer_is_refused() {
    let site = Site::new();
    let key = site.registered_by(&mut Authenticator::new(ORIGIN));
    for origin in [
        "https://records.example.com",
        "http://records.example.com:8443",
        "https://records.example.com:8443.evil.example",
        "https://evil.example",
        "null",
    ] {
        let mut device = Authenticator::new(origin);
        assert_eq!(
            site.registered(&device.create(&site.creation())),
            Err(PasskeyError::Origin)
        );
        assert_eq!(
            site.asserted(&device.get(&site.request()), &key),
            Err(PasskeyError::Origin)
        );
    }
    let mut framed = Authenticator::new(ORIGIN);
    framed.framed = true;
    assert_eq!(
        site.registered(&framed.create(&site.creation())),
        Err(PasskeyError::Origin)
    );
    // The right origin for the browser, another party for the authenticator.
    let mut device = Authenticator::new(ORIGIN);
    let mut creation = site.creation();
    creation["rp"]["id"] = "evil.example".into();
    assert_eq!(
        site.registered(&device.create(&creation)),
        Err(PasskeyError::Origin)
    );
}

#[test]
fn a_wrong_expired_or_used_challenge_is_refused() {
    let site = Site::new();
    let mut device = Authenticator::new(ORIGIN);
    let creation = site.creation();
    let answer = device.create(&creation);
    let key = site.registered(&answer).unwrap();
    assert_eq!(site.registered(&answer), Err(PasskeyError::Challenge), "replayed");
    assert_eq!(
        site.registered(&device.create(&creation)),
        Err(PasskeyError::Challenge),
        "used"
    );

    let answer = device.get(&site.request());
    assert_eq!(site.asserted(&answer, &key), Ok(0));
    assert_eq!(
        site.asserted(&answer, &key),
        Err(PasskeyError::Challenge),
        "replayed"
    );
    for other in [
        Purpose::SignIn(b"another browser"),
        REGISTER,
        Purpose::Confirm("p1", "s1"),
    ] {
        let request = site.party.request(&site.challenge(&other), &[]);
        assert_eq!(
            site.asserted(&device.get(&request), &key),
            Err(PasskeyError::Challenge)
        );
    }
    let request = Site::new().request();
    assert_eq!(
        site.asserted(&device.get(&request), &key),
        Err(PasskeyError::Challenge),
        "another process's"
    );
    let answer = device.get(&site.request());
    let late = site.party.asserted(
        &answer,
        &key.public_key,
        "p1",
        &site.challenges,
        &SIGN_IN,
        NOW + 300_000,
    );
    assert_eq!(late, Err(PasskeyError::Challenge));
    assert_eq!(
        site.asserted(&answer, &key),
        Ok(0),
        "a refused answer uses nothing up"
    );
}

#[test]
fn without_user_verification_it_is_no_passkey() {
    let site = Site::new();
    let mut device = Authenticator::new(ORIGIN);
    let key = site.registered_by(&mut device);
    for flags in [0x01, 0x04, 0x00] {
        device.flags = flags;
        assert_eq!(
            site.registered(&device.create(&site.creation())),
            Err(PasskeyError::NotVerified)
        );
        assert_eq!(
            site.asserted(&device.get(&site.request()), &key),
            Err(PasskeyError::NotVerified)
        );
    }
}

#[test]
fn a_signature_by_another_key_or_over_something_else_is_refused() {
    let site = Site::new();
    let (mut device, mut other) = (Authenticator::new(ORIGIN), Authenticator::new(ORIGIN));
    let (key, foreign) = (site.registered_by(&mut device), site.registered_by(&mut other));
    assert_eq!(
        site.asserted(&other.get(&site.request()), &key),
        Err(PasskeyError::Signature)
    );
    let ed = site.registered_by(&mut Authenticator::ed25519(ORIGIN));
    assert_eq!(
        site.asserted(&device.get(&site.request()), &ed),
        Err(PasskeyError::Signature)
    );
    let mut answer = device.get(&site.request());
    let mut data = bytes(&answer.response.authenticator_data).unwrap();
    *data.last_mut().unwrap() ^= 1;
    answer.response.authenticator_data = URL_SAFE_NO_PAD.encode(data);
    assert_eq!(site.asserted(&answer, &key), Err(PasskeyError::Signature));
    // Somebody else's passkey under this person's name.
    let mut answer = other.get(&site.request());
    answer.response.user_handle = Some(URL_SAFE_NO_PAD.encode("p2"));
    assert_eq!(site.asserted(&answer, &foreign), Err(PasskeyError::Malformed));
}

#[test]
fn an_answer_to_the_other_question_is_refused() {
    let site = Site::new();
    let mut device = Authenticator::new(ORIGIN);
    let key = site.registered_by(&mut device);
    let registration = device.create(&site.creation());
    let mut answer = device.get(&site.request());
    answer.response.client_data_json = registration.response.client_data_json;
    assert_eq!(site.asserted(&answer, &key), Err(PasskeyError::Type));
}

#[test]
fn counters_grow_or_are_absent() {
    assert_eq!(follows(0, 0), Ok(()));
    assert_eq!(follows(0, 1), Ok(()));
    assert_eq!(follows(7, 8), Ok(()));
    for (seen, now) in [(7, 7), (7, 6), (7, 0), (1, 0)] {
        assert_eq!(follows(seen, now), Err(PasskeyError::Cloned), "{seen} {now}");
    }
}

#[test]
fn no_cut_or_altered_registration_is_taken_for_another() {
    let site = Site::new();
    let mut device = Authenticator::new(ORIGIN);
    let answer = device.create(&site.creation());
    let object = bytes(&answer.response.attestation_object).unwrap();
    for length in 0..object.len() {
        let mut cut = answer.clone();
        cut.response.attestation_object = URL_SAFE_NO_PAD.encode(&object[..length]);
        assert_eq!(site.registered(&cut), Err(PasskeyError::Malformed), "{length}");
    }
    let mut longer = answer.clone();
    longer.response.attestation_object = URL_SAFE_NO_PAD.encode([&object[..], &[0]].concat());
    assert_eq!(site.registered(&longer), Err(PasskeyError::Malformed));
    let mut other = answer.clone();
    other.raw_id = URL_SAFE_NO_PAD.encode([1; 32]);
    assert_eq!(site.registered(&other), Err(PasskeyError::Malformed));
    let mut huge = answer.clone();
    huge.response.client_data_json = "A".repeat(100_000);
    assert_eq!(site.registered(&huge), Err(PasskeyError::Malformed));
    assert!(site.registered(&answer).is_ok());
}

#[test]
fn a_party_is_an_https_address_with_a_name() {
    let id = |origin: &str| RelyingParty::new(origin, "x").map(|party| party.id);
    assert_eq!(
        id("https://records.example.com/"),
        Some("records.example.com".to_owned())
    );
    assert_eq!(id("https://localhost:8443"), Some("localhost".to_owned()));
    assert_eq!(id("http://localhost:8080"), Some("localhost".to_owned()));
    for origin in [
        "",
        "records.example.com",
        "http://records.example.com",
        "https://127.0.0.1",
        "https://[::1]",
        "https://",
        "https://a:b",
        "https://a/b",
        "https://u@a",
    ] {
        assert_eq!(id(origin), None, "{origin}");
    }
}

#[test]
fn keys_of_other_forms_are_refused() {
    let p256 = |head: &[u8], x: usize| {
        let mut key = head.to_vec();
        key.extend([&[0x58, x as u8][..], &vec![1; x]].concat());
        key.push(0x22);
        key.extend([&[0x58, 32][..], &[1; 32]].concat());
        key
    };
    let good = [0xA5, 1, 2, 3, 0x26, 0x20, 1, 0x21];
    assert!(PublicKey::parse(&p256(&good, 32)).is_ok());
    for (head, x) in [
        (good, 31),
        ([0xA5, 1, 2, 3, 0x27, 0x20, 1, 0x21], 32),
        ([0xA5, 1, 2, 3, 0x26, 0x20, 2, 0x21], 32),
        ([0xA5, 1, 1, 3, 0x26, 0x20, 1, 0x21], 32),
        ([0xA5, 1, 2, 1, 2, 0x20, 1, 0x21], 32),
    ] {
        assert_eq!(
            PublicKey::parse(&p256(&head, x)),
            Err(PasskeyError::Key),
            "{head:?} {x}"
        );
    }
    assert!(PublicKey::parse(&[&p256(&good, 32)[..], &[0]].concat()).is_err());
    assert!(PublicKey::parse(&[]).is_err());
}

/// A key and a signature that `openssl` made: RS256, as Windows Hello does.
#[test]
fn a_signature_of_openssl_is_understood() {
    let hex = |text: &str| crate::domain::hex::decode(text).unwrap();
    let key = "a401030339010020590100a7e3ff7bba3fe6300d82e9d38410b9fb2ae2cdaee341b0a3f6633f31092565954808b150b5d151\
     a3ef1ebd7dc3b4967549237cfb5f2160b9c673f4e8485443141065229bfe4238dcbb6976e846a71c720fa9bbca39d9fed09a\
     cb333cf692901aa31bc61699e7328cf5dc239185aba557ba4400a9542a7079f0a4e6affbb287696a095f149caa45ae5ef832\
     a7597f01fd6c2cb9597c75f328d51bc3c302c3caa4735bdb3a8c1addec495e5ff1285206388f5b800d18625e59559a783eca\
     c5a31d7775c3059816d1392f71dcd5fc7835ef01adce85fcc81af38e1df60db338bfec9a00ef4299b12d1cfbb8577643fe85\
     06b5a7b651c60def29392ee4f4126ceafb2143010001";
    let signature = "8bb46484826d7e428d9260b01ddc4938186a537d69bfe02a05e1934b2e08380bdfa86cf101f062e8a3f14c6507db1e4addbe\
     c1a13cf9e23798e5af1abe011bc50cff764b22132ad2d36119aa7e46279d939b49d1a23d8278fedcf5a8f9ac4047824f20f6\
     3716f418fdc0d23c1ca6ef9b2f0472ea63acb787da57a534ca7a9f57fa88a9026d0bb9873a910bcba1f162e58020c970ba68\
     ff042c1e9d1483119a08dd63c42eeef1752ec16fc1ce5fb7e679be1d14d8313fda215f87acf7cdc043d2a995b5ff3a862088\
     aecc1d2c70fd3188c1d75c26e01ccf58269bc544c7b77bcdd05e17f47eb34bfc18687c473333b596b8c14b80df9ad63a34ae\
     2e2a270e1971";
    let (key, signature) = (hex(key), hex(signature));
    let key = PublicKey::parse(&key).unwrap();
    assert_eq!(key.verify(b"muniment passkey", &signature), Ok(()));
    assert_eq!(
        key.verify(b"muniment passkez", &signature),
        Err(PasskeyError::Signature)
    );
}
