//! Agreement of keys with those who can read (X25519, RFC 7748), who are the same few for every item: the multiples of their points are
//! worked out once, so that a secret costs a third of what it costs with a point that nobody knows beforehand.
//!
//! It must never know identities, nor what is wrapped.
//!
//! Invariants: each ephemeral key is used once, with one recipient; a recipient's point is of the group that the base point makes, so no secret
//! is one that everybody knows.

use super::{RandomError, Recipient, identity::KeyError, random_bytes};
use curve25519_dalek::{
    EdwardsPoint, MontgomeryPoint, constants::ED25519_BASEPOINT_POINT, edwards::EdwardsBasepointTableRadix32,
    traits::BasepointTable,
};
use ring::rand::SystemRandom;
use zeroize::Zeroizing;

/// The most recipients of one item.
pub const MAX_RECIPIENTS: usize = 32;

/// Multiples of one point, 60 KiB. Those for 16 are slower, those for 64 and more don't stay in the processor's cache.
type Multiples = EdwardsBasepointTableRadix32;

/// Those to whom file keys are wrapped.
pub struct Recipients {
    /// Of the point whose multiples public keys are.
    base: Multiples,
    /// Each one's public key with its multiples.
    each: Vec<([u8; 32], Multiples)>,
}

/// A secret shared with one recipient.
pub(super) struct Agreed {
    /// The recipient's point.
    pub(super) point: [u8; 32],
    /// The public half of the ephemeral key.
    pub(super) share: [u8; 32],
    /// What both come to.
    pub(super) secret: Zeroizing<[u8; 32]>,
}

/// A public key on the Edwards form of the curve. Which of the two points with its coordinate doesn't matter: the multiples of both have one, too.
/// Nothing when no identity has it: it isn't on the curve, or not in the group that the base point makes.
pub(super) fn on_curve(point: [u8; 32]) -> Option<EdwardsPoint> {
    let on_edwards = MontgomeryPoint(point).to_edwards(0);
    on_edwards.filter(|point| point.is_torsion_free() && !point.is_small_order())
}

impl Recipients {
    /// Works out their multiples.
    ///
    /// # Errors
    /// When they are none or too many.
    pub fn new(recipients: &[Recipient]) -> Result<Self, KeyError> {
        if recipients.is_empty() || recipients.len() > MAX_RECIPIENTS {
            return Err(KeyError::Recipients);
        }
        let one = |recipient: &Recipient| {
            let point = *recipient.point();
            Some((point, Multiples::create(&on_curve(point)?)))
        };
        let each = recipients.iter().map(one).collect::<Option<_>>();
        Ok(Recipients {
            base: Multiples::create(&ED25519_BASEPOINT_POINT),
            each: each.ok_or(KeyError::NobodysRecipient)?,
        })
    }

    /// Makes an ephemeral key for each of them.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub(super) fn agree(&self) -> Result<Vec<Agreed>, RandomError> {
        let mut products = Zeroizing::new(Vec::with_capacity(2 * self.each.len()));
        for (_, multiples) in &self.each {
            let ephemeral = Zeroizing::new(random_bytes(&SystemRandom::new())?);
            products.extend(self.products(multiples, &ephemeral));
        }
        // One inversion for all of them.
        let points = Zeroizing::new(EdwardsPoint::to_montgomery_batch(&products));
        let agreed =
            |((point, _), [share, secret]): (&([u8; 32], Multiples), &[MontgomeryPoint; 2])| Agreed {
                point: *point,
                share: share.to_bytes(),
                secret: Zeroizing::new(secret.to_bytes()),
            };
        Ok(self.each.iter().zip(points.as_chunks().0).map(agreed).collect())
    }

    /// An ephemeral key times the base point, and times a recipient's.
    fn products(&self, multiples: &Multiples, ephemeral: &[u8; 32]) -> [EdwardsPoint; 2] {
        [&self.base, multiples].map(|multiples| multiples.mul_base_clamped(*ephemeral))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{crypto::Identity, domain::hex};
    use curve25519_dalek::constants::EIGHT_TORSION;

    #[test]
    fn the_example_of_rfc_7748() {
        let bytes = |text| hex::decode_array::<32>(text).unwrap();
        let alice = bytes("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
        let bob = bytes("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
        let multiples = Multiples::create(&on_curve(bob).unwrap());
        let someone = Recipients::new(&[Identity::generate().recipient()]).unwrap();
        let products = someone
            .products(&multiples, &alice)
            .map(|product| product.to_montgomery().to_bytes());
        let share = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a";
        let secret = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";
        assert_eq!(products, [bytes(share), bytes(secret)]);
    }

    #[test]
    fn multiples_come_to_what_the_ladder_does() {
        for _ in 0..64 {
            let recipients = Recipients::new(&[Identity::generate().recipient()]).unwrap();
            let (point, multiples) = &recipients.each[0];
            let ephemeral = random_bytes(&SystemRandom::new()).unwrap();
            let products = recipients
                .products(multiples, &ephemeral)
                .map(|product| product.to_montgomery());
            assert_eq!(products[0], MontgomeryPoint::mul_base_clamped(ephemeral));
            assert_eq!(products[1], MontgomeryPoint(*point).mul_clamped(ephemeral));
        }
    }

    #[test]
    fn none_and_too_many_are_refused() {
        let one = Identity::generate().recipient();
        assert_eq!(Recipients::new(&[]).err(), Some(KeyError::Recipients));
        let many = vec![one; MAX_RECIPIENTS + 1];
        assert_eq!(Recipients::new(&many).err(), Some(KeyError::Recipients));
        assert!(Recipients::new(&many[1..]).is_ok());
    }

    /// Points off the curve, of small order, and with a part of small order: a public key plus the point of order two.
    #[test]
    fn points_that_no_identity_has_are_refused() {
        let public = Identity::generate().recipient();
        let known = on_curve(*public.point()).unwrap();
        assert_eq!(known.to_montgomery().to_bytes(), *public.point());
        let mixed = (known + EIGHT_TORSION[4]).to_montgomery().to_bytes();
        assert_eq!(on_curve(mixed), None);
        for small in EIGHT_TORSION {
            assert_eq!(on_curve(small.to_montgomery().to_bytes()), None);
        }
        let mut off = [0; 32];
        off[0] = 2;
        assert_eq!(MontgomeryPoint(off).to_edwards(0), None);
        assert_eq!(on_curve(off), None);
    }
}
