//! An authenticator in software, on `ring`: makes keys and signs as a real one does, and lies when it is told to.

use super::{Assertion, AssertionResponse, Registration, RegistrationResponse};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use serde_json::{Value, json};

/// The key inside.
enum Key {
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// One passkey on one device, in front of a browser.
pub(crate) struct Authenticator {
    key: Key,
    pub(crate) credential: Vec<u8>,
    pub(crate) user_handle: Option<Vec<u8>>,
    /// What the browser believes the page's origin to be.
    pub(crate) origin: String,
    /// Flags of the next answer: present and verified, unless told otherwise.
    pub(crate) flags: u8,
    /// The counter of the next answer; it grows by itself unless it is 0.
    pub(crate) count: u32,
    /// Whether the browser says it is in another site's frame.
    pub(crate) framed: bool,
}

impl Authenticator {
    pub(crate) fn new(origin: &str) -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let key = Key::P256(EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap());
        Self::with(key, origin)
    }

    pub(crate) fn ed25519(origin: &str) -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::with(
            Key::Ed25519(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap()),
            origin,
        )
    }

    fn with(key: Key, origin: &str) -> Self {
        let credential = crate::domain::random::random_bytes::<32>(&SystemRandom::new()).unwrap();
        Authenticator {
            key,
            credential: credential.to_vec(),
            user_handle: None,
            origin: origin.to_owned(),
            flags: 0x05,
            count: 0,
            framed: false,
        }
    }

    /// `navigator.credentials.create`.
    pub(crate) fn create(&mut self, options: &Value) -> Registration {
        let user = options["user"]["id"].as_str().unwrap();
        self.user_handle = Some(URL_SAFE_NO_PAD.decode(user).unwrap());
        let client = self.client("webauthn.create", options);
        let mut data = self.data(options["rp"]["id"].as_str().unwrap(), 0x40);
        data.extend([0; 16]);
        data.extend((self.credential.len() as u16).to_be_bytes());
        data.extend(&self.credential);
        data.extend(self.cose());
        let mut object = vec![0xA3];
        object.extend(text("fmt"));
        object.extend(text("none"));
        object.extend(text("attStmt"));
        object.push(0xA0);
        object.extend(text("authData"));
        object.extend(bytes(&data));
        Registration {
            raw_id: URL_SAFE_NO_PAD.encode(&self.credential),
            response: RegistrationResponse {
                client_data_json: URL_SAFE_NO_PAD.encode(client),
                attestation_object: URL_SAFE_NO_PAD.encode(object),
            },
        }
    }

    /// `navigator.credentials.get`.
    pub(crate) fn get(&mut self, options: &Value) -> Assertion {
        if self.count > 0 {
            self.count += 1;
        }
        let client = self.client("webauthn.get", options);
        let data = self.data(options["rpId"].as_str().unwrap(), 0);
        let signed = [&data[..], digest(&SHA256, &client).as_ref()].concat();
        let signature = match &self.key {
            Key::P256(key) => key.sign(&SystemRandom::new(), &signed).unwrap().as_ref().to_vec(),
            Key::Ed25519(key) => key.sign(&signed).as_ref().to_vec(),
        };
        Assertion {
            raw_id: URL_SAFE_NO_PAD.encode(&self.credential),
            response: AssertionResponse {
                client_data_json: URL_SAFE_NO_PAD.encode(client),
                authenticator_data: URL_SAFE_NO_PAD.encode(data),
                signature: URL_SAFE_NO_PAD.encode(signature),
                user_handle: self
                    .user_handle
                    .as_ref()
                    .map(|handle| URL_SAFE_NO_PAD.encode(handle)),
            },
        }
    }

    fn client(&self, kind: &str, options: &Value) -> Vec<u8> {
        let client = json!({
            "type": kind,
            "challenge": options["challenge"],
            "origin": self.origin,
            "crossOrigin": self.framed,
            "other_keys_can_be_added_here": "as Chrome says",
        });
        client.to_string().into_bytes()
    }

    fn data(&self, rp: &str, more: u8) -> Vec<u8> {
        let mut data = digest(&SHA256, rp.as_bytes()).as_ref().to_vec();
        data.push(self.flags | more);
        data.extend(self.count.to_be_bytes());
        data
    }

    fn cose(&self) -> Vec<u8> {
        match &self.key {
            // {1: 2, 3: -7, -1: 1, -2: x, -3: y}
            Key::P256(key) => {
                let point = key.public_key().as_ref();
                let head = [0xA5, 1, 2, 3, 0x26, 0x20, 1, 0x21];
                [&head[..], &bytes(&point[1..33]), &[0x22], &bytes(&point[33..])].concat()
            }
            // {1: 1, 3: -8, -1: 6, -2: x}
            Key::Ed25519(key) => {
                let head = [0xA4, 1, 1, 3, 0x27, 0x20, 6, 0x21];
                [&head[..], &bytes(key.public_key().as_ref())].concat()
            }
        }
    }
}

fn text(text: &str) -> Vec<u8> {
    [&[0x60 | text.len() as u8][..], text.as_bytes()].concat()
}

fn bytes(bytes: &[u8]) -> Vec<u8> {
    let length = (bytes.len() as u16).to_be_bytes();
    [&[0x59][..], &length, bytes].concat()
}
