//! Randomness from an injected source, and the one way it can fail.

use ring::rand::SecureRandom;

/// The system's source of randomness failed: nothing that needs a key can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system's random number generator failed")]
pub struct RandomError;

/// `N` random bytes, for salts and keys.
///
/// # Errors
/// When the source has none to give.
pub fn random_bytes<const N: usize>(random: &dyn SecureRandom) -> Result<[u8; N], RandomError> {
    let mut bytes = [0; N];
    random.fill(&mut bytes).map_err(|_| RandomError)?;
    Ok(bytes)
}
