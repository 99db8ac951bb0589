//! Identifiers: ULIDs, 48 bits of time and 80 bits of chance, as 26 lower-case characters of Crockford's base 32.
//!
//! They sort by time of making, which keeps the catalogue's indices local. Source: the ULID specification
//! (github.com/ulid/spec), in lower case so that they can stand in a path on any file system.

use ring::rand::SecureRandom;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Characters of an id that are its time.
const TIME_LENGTH: usize = 10;

/// Length of an id in characters.
pub const ID_LENGTH: usize = 26;

/// Makes a new id from a time in milliseconds since 1970 and 80 random bits.
///
/// # Errors
/// When the system has no randomness to give.
pub fn new_id(random: &dyn SecureRandom, time_ms: i64) -> Result<String, ring::error::Unspecified> {
    let mut bytes = [0u8; 16];
    random.fill(&mut bytes[6..])?;
    let time_ms = u64::try_from(time_ms).unwrap_or(0);
    bytes[..6].copy_from_slice(&time_ms.to_be_bytes()[2..]);
    let value = u128::from_be_bytes(bytes);
    Ok((0..ID_LENGTH)
        .map(|position| {
            let shift = 5 * (ID_LENGTH - 1 - position);
            char::from(ALPHABET[(value >> shift) as usize & 31])
        })
        .collect())
}

/// Whether a text has the form of an id.
pub fn is_id(text: &str) -> bool {
    text.len() == ID_LENGTH && text.bytes().all(|byte| ALPHABET.contains(&byte)) && text.as_bytes()[0] <= b'7'
}

/// When an id was made, milliseconds since 1970; `None` for what is no id.
pub fn made_ms(id: &str) -> Option<i64> {
    let digits = is_id(id).then(|| id.bytes().take(TIME_LENGTH))?;
    digits
        .map(|digit| ALPHABET.iter().position(|known| *known == digit))
        .try_fold(0_i64, |value, digit| {
            Some(value * 32 + i64::try_from(digit?).ok()?)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::rand::SystemRandom;

    #[test]
    fn ids_sort_by_time_and_differ() {
        let random = SystemRandom::new();
        let early = new_id(&random, 1_000).unwrap();
        let late = new_id(&random, 2_000).unwrap();
        let twin = new_id(&random, 2_000).unwrap();
        assert!(early < late);
        assert_ne!(late, twin);
        assert!([&early, &late, &twin].into_iter().all(|id| is_id(id)));
        assert_eq!((made_ms(&early), made_ms("x")), (Some(1_000), None));
        assert_eq!(
            made_ms(&new_id(&random, 1_785_224_527_123).unwrap()),
            Some(1_785_224_527_123)
        );
        assert!(!is_id("01ARZ3NDEKTSV4RRFFQ69G5FAV"), "upper case isn't ours");
    }
}
