mod account;
mod join;
mod rebuilt;
mod sign_in;
mod tokens;

use super::{passkey::testing::Authenticator, testing::Told, *};
use crate::{custody::testing::TestVault, domain::event::Kind};
use ring::rand::SystemRandom;
use serde_json::Value;
use std::sync::atomic::Ordering;

pub(super) const ORIGIN: &str = "https://records.example.com";
pub(super) const PASSWORD: &str = "a lighthouse keeper's tea";
pub(super) const STEP_MS: i64 = 30_000;

/// A vault with people, and what they prove themselves with.
pub(super) struct Fixture {
    pub(super) vault: TestVault,
    pub(super) credentials: Credentials,
    pub(super) told: Arc<Told>,
}

/// A person's phone.
pub(super) struct App(pub(super) totp::Secret);

pub(super) fn peer(address: &str) -> Peer<'_> {
    Peer {
        address: address.parse().unwrap(),
        agent: "Firefox",
        device: "",
    }
}

pub(super) fn here() -> Peer<'static> {
    peer("192.0.2.7")
}

pub(super) fn typed<'a>(name: &'a str, password: &'a str, code: &'a str) -> Typed<'a> {
    Typed { name, password, code }
}

impl Fixture {
    pub(super) fn new() -> Self {
        let vault = TestVault::new();
        vault.user("wang", &["retriever", "approver"], None);
        let told = Arc::new(Told::default());
        let credentials = testing::credentials(&vault, told.clone());
        credentials.served_at(ORIGIN);
        Fixture {
            vault,
            credentials,
            told,
        }
    }

    pub(super) fn bearer(&self, sent: &str) -> Option<token::Bearer> {
        self.credentials.bearer(sent, here().address).ok()
    }

    pub(super) fn now(&self) -> i64 {
        self.credentials.now_ms()
    }

    pub(super) fn wait(&self, ms: i64) {
        self.vault.clock.0.fetch_add(ms, Ordering::Relaxed);
    }

    pub(super) fn person(&self, name: &str) -> Person {
        let found = self
            .vault
            .catalogue
            .read(|connection| people::by_name(connection, name));
        found.unwrap().unwrap()
    }

    pub(super) fn invite(&self, name: &str) -> String {
        let code = Code::invitation(&SystemRandom::new()).unwrap();
        let shown = code.grouped().to_string();
        let name = name.to_owned();
        self.credentials
            .commit(move |turn, event| {
                invitation::invite(turn.connection, event, "operator", &name, &code, turn.time_ms)
            })
            .unwrap();
        shown
    }

    /// Invites a person, who takes [`PASSWORD`] and an app. A step passes, so that the next code counts.
    pub(super) fn joined(&self, name: &str) -> App {
        let code = self.invite(name);
        let invited = self.credentials.invited(&code, here()).unwrap();
        let app = App(totp::Secret::from_text(&invited.enrolment.text));
        let second = app.code(self);
        let second = Second::Totp(&invited.enrolment.sealed, &second);
        self.credentials.join(&code, PASSWORD, second, here()).unwrap();
        self.wait(STEP_MS);
        app
    }

    /// The same with a passkey.
    pub(super) fn joined_by_passkey(&self, name: &str) -> Authenticator {
        let code = self.invite(name);
        let invited = self.credentials.invited(&code, here()).unwrap();
        let mut device = Authenticator::new(ORIGIN);
        let answer = device.create(&invited.passkey.unwrap());
        let second = Second::Passkey(&answer, "phone");
        self.credentials.join(&code, PASSWORD, second, here()).unwrap();
        device
    }

    pub(super) fn signs_in(&self, name: &str, app: &App) -> Result<SignedIn> {
        self.credentials
            .sign_in(typed(name, PASSWORD, &app.code(self)), here())
    }

    pub(super) fn by_passkey(&self, device: &mut Authenticator) -> Result<SignedIn> {
        let options = self.credentials.passkey_options(b"browser").unwrap();
        self.credentials
            .sign_in_by_passkey(&device.get(&options), b"browser", here())
    }

    /// How many events of a kind there are.
    pub(super) fn events(&self, kind: Kind) -> i64 {
        let count = |connection: &Connection| {
            let sql = "SELECT COUNT(*) FROM event WHERE kind = ?1";
            Ok(connection.query_row(sql, [kind.to_string()], |row| row.get(0))?)
        };
        self.vault.catalogue.read(count).unwrap()
    }

    /// The newest leaf of a kind.
    pub(super) fn newest(&self, kind: Kind) -> Value {
        let newest = |connection: &Connection| {
            let sql = "SELECT bytes FROM log_leaf JOIN event USING (leaf_index) WHERE kind = ?1 \
                       ORDER BY leaf_index DESC LIMIT 1";
            let bytes: Vec<u8> = connection.query_row(sql, [kind.to_string()], |row| row.get(0))?;
            Ok(bytes)
        };
        serde_json::from_slice(&self.vault.catalogue.read(newest).unwrap()).unwrap()
    }
}

impl App {
    pub(super) fn code(&self, fixture: &Fixture) -> String {
        self.0.code(fixture.now() / STEP_MS)
    }
}

pub(super) fn is_refused<T: std::fmt::Debug>(result: Result<T>) {
    assert!(matches!(result, Err(CredentialError::Refused)), "{result:?}");
}
