//! FIDO keys (OpenSSH `PROTOCOL.u2f`), played by software keys behind russh's client.

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use russh::client;
use russh::keys::HashAlg;
use russh::keys::agent::AgentIdentity;

use super::*;

const APPLICATION: &[u8] = b"ssh:";
const USER_PRESENT: u8 = 1;

enum Token {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

/// A positive integer as RFC 4251 writes it.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap();
    let sign: &[u8] = if bytes[start] >= 0x80 { &[0] } else { &[] };
    string(&[sign, &bytes[start..]].concat())
}

impl Token {
    fn algorithm(&self) -> &'static [u8] {
        match self {
            Token::Ed25519(_) => b"sk-ssh-ed25519@openssh.com",
            Token::P256(_) => b"sk-ecdsa-sha2-nistp256@openssh.com",
        }
    }

    fn public(&self) -> PublicKey {
        let key = match self {
            Token::Ed25519(pair) => string(pair.public_key().as_ref()),
            Token::P256(pair) => [string(b"nistp256"), string(pair.public_key().as_ref())].concat(),
        };
        PublicKey::from_bytes(&[string(self.algorithm()), key, string(APPLICATION)].concat()).unwrap()
    }

    /// Signs as a token does: over the application, flags, counter and message.
    fn sign(&self, message: &[u8], said_counter: u32) -> Vec<u8> {
        let digest = |bytes| ring::digest::digest(&ring::digest::SHA256, bytes);
        let counter = 9u32.to_be_bytes();
        let signed = [
            digest(APPLICATION).as_ref(),
            &[USER_PRESENT],
            &counter,
            digest(message).as_ref(),
        ]
        .concat();
        let signature = match self {
            Token::Ed25519(pair) => pair.sign(&signed).as_ref().to_vec(),
            Token::P256(pair) => {
                let signature = pair.sign(&SystemRandom::new(), &signed).unwrap();
                let (r, s) = signature.as_ref().split_at(32);
                [integer(r), integer(s)].concat()
            }
        };
        [
            string(self.algorithm()),
            string(&signature),
            vec![USER_PRESENT],
            said_counter.to_be_bytes().to_vec(),
        ]
        .concat()
    }
}

struct TokenSigner<'a>(&'a Token, u32);

impl russh::Signer for TokenSigner<'_> {
    type Error = russh::SendError;

    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        _: Option<HashAlg>,
        to_sign: Vec<u8>,
    ) -> Result<Vec<u8>, Self::Error> {
        let signature = self.0.sign(&to_sign, self.1);
        Ok([to_sign, string(&signature)].concat())
    }
}

struct AnyHost;

impl client::Handler for AnyHost {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        _: &russh::keys::PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        Ok(true)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fido_keys_log_in_and_their_counter_can_t_be_altered() {
    let bench = Bench::new(fast()).await;
    let random = SystemRandom::new();
    let ed25519 = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
    let p256 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let p256 = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, p256.as_ref(), &random).unwrap();
    for token in [
        Token::Ed25519(Ed25519KeyPair::from_pkcs8(ed25519.as_ref()).unwrap()),
        Token::P256(p256),
    ] {
        *bench.door.clerk.lock().unwrap() = Some(token.public());
        for (said_counter, welcome) in [(9, true), (10, false)] {
            let address = bench.server.local_address();
            let connecting = client::connect(Arc::default(), address, AnyHost);
            let mut session = timeout(PATIENCE, connecting).await.unwrap().unwrap();
            let mut signer = TokenSigner(&token, said_counter);
            let login = session.authenticate_publickey_with("clerk", token.public(), None, &mut signer);
            let outcome = timeout(PATIENCE, login).await.unwrap().unwrap();
            assert_eq!(outcome.success(), welcome);
        }
    }
    bench.server.shutdown(Duration::from_secs(5)).await;
}
