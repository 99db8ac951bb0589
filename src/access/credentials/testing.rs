//! Credentials over a small vault, for tests here and of the console.

use super::{
    Credentials, Parts,
    refused::{Recorder, RefusedSignIn},
};
use crate::{
    crypto::{Identity, Recipients, StagingKey},
    custody::testing::TestVault,
    seal::Sealer,
};
use ring::rand::{SecureRandom, SystemRandom};
use std::sync::{Arc, Mutex};

/// Keeps what it is told.
#[derive(Default)]
pub(crate) struct Told(pub(crate) Mutex<Vec<RefusedSignIn>>);

impl Recorder for Told {
    fn refused(&self, refused: RefusedSignIn) {
        self.0.lock().unwrap().push(refused);
    }
}

/// The credentials of a vault's people.
pub(crate) fn credentials(vault: &TestVault, told: Arc<Told>) -> Credentials {
    let folder = tempfile::tempdir().unwrap();
    let random: Arc<dyn SecureRandom + Send + Sync> = Arc::new(SystemRandom::new());
    let staging = StagingKey::create(&folder.path().join("staging.key"), random.as_ref()).unwrap();
    let parts = Parts {
        catalogue: vault.catalogue.clone(),
        custody: vault.custody.clone(),
        sealer: Sealer::new(
            Recipients::new(&[Identity::generate().recipient()]).unwrap(),
            random.clone(),
            vault.layout.clone(),
        ),
        clock: vault.clock.clone(),
        random,
        issuer: "Muniment".to_owned(),
        refusals: told,
    };
    Credentials::new(parts, &staging).unwrap()
}

/// The code that an app shows which took a secret by hand.
pub(crate) fn app_code(secret: &str, now_ms: i64) -> String {
    super::totp::Secret::from_text(secret).code(now_ms / (1000 * super::totp::STEP_SECONDS))
}
