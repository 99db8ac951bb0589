//! Judges OpenSSH user certificates (OpenSSH `PROTOCOL.certkeys`). Pure: time, address and authorities are given.
//!
//! Invariant: what isn't understood is refused; a certificate for everybody is a certificate for nobody.

use std::net::IpAddr;

use russh::keys::{Algorithm, Certificate, HashAlg, PublicKey};

use super::auth::{WeakKey, judge_key};

/// Why a certificate doesn't let its bearer in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// A host certificate.
    #[error("not a user certificate")]
    NotForUsers,
    /// Signed by nobody configured here.
    #[error("unknown authority")]
    UnknownAuthority,
    /// The certified key or the authority's isn't strong enough.
    #[error(transparent)]
    WeakKey(#[from] WeakKey),
    /// Not yet or no more.
    #[error("outside of its time of validity")]
    Time,
    /// Altered, or signed in a way that isn't accepted.
    #[error("bad signature")]
    Signature,
    /// Names no principals, or others.
    #[error("not issued for this user")]
    Principal,
    /// Used from an address that its `source-address` doesn't allow, or that can't be read.
    #[error("not valid from this address")]
    Address,
    /// A critical option that isn't known here.
    #[error("critical option not understood")]
    CriticalOption,
}

/// Whether `certificate` lets `user` in from `peer` at `now` (seconds since 1970), trusting `authorities`.
pub fn verify(
    certificate: &Certificate,
    user: &str,
    peer: IpAddr,
    now: u64,
    authorities: &[PublicKey],
) -> Result<(), CertificateError> {
    if !certificate.cert_type().is_user() {
        return Err(CertificateError::NotForUsers);
    }
    let signer = certificate.signature_key();
    if !authorities.iter().any(|authority| authority.key_data() == signer) {
        return Err(CertificateError::UnknownAuthority);
    }
    judge_key(certificate.public_key(), None)?;
    judge_key(signer, Some(&certificate.signature().algorithm()))?;
    if now < certificate.valid_after() || now >= certificate.valid_before() {
        return Err(CertificateError::Time);
    }
    let signed_as_its_key = same_family(
        &certificate.signature().algorithm(),
        &PublicKey::from(signer.clone()).algorithm(),
    );
    let fingerprint = signer.fingerprint(HashAlg::Sha256);
    if !signed_as_its_key || certificate.validate_at(now, [&fingerprint]).is_err() {
        return Err(CertificateError::Signature);
    }
    if !certificate
        .valid_principals()
        .iter()
        .any(|principal| principal == user)
    {
        return Err(CertificateError::Principal);
    }
    for (name, value) in certificate.critical_options().iter() {
        match name.as_str() {
            "source-address" if address_matches(value, peer) => {}
            "source-address" => return Err(CertificateError::Address),
            _ => return Err(CertificateError::CriticalOption),
        }
    }
    Ok(())
}

fn same_family(signature: &Algorithm, key: &Algorithm) -> bool {
    matches!((signature, key), (Algorithm::Rsa { .. }, Algorithm::Rsa { .. })) || signature == key
}

/// Whether `peer` is in a comma-separated list of addresses and CIDR blocks. One bad entry spoils the list.
fn address_matches(list: &str, peer: IpAddr) -> bool {
    let blocks: Option<Vec<bool>> = list
        .split(',')
        .map(|block| block_contains(block.trim(), peer))
        .collect();
    blocks.is_some_and(|matches| matches.contains(&true))
}

/// `None` when the block can't be read.
fn block_contains(block: &str, peer: IpAddr) -> Option<bool> {
    let (network, prefix) = match block.split_once('/') {
        Some((network, prefix)) => (network.parse::<IpAddr>().ok()?, Some(prefix.parse::<u32>().ok()?)),
        None => (block.parse().ok()?, None),
    };
    let (network_bits, width) = bits(network);
    let prefix = prefix.unwrap_or(width);
    if prefix > width {
        return None;
    }
    let (peer_bits, peer_width) = bits(peer);
    // A shift by the whole width is for /0, which every address is in.
    let differs = |shift: u32| (network_bits ^ peer_bits).checked_shr(shift).unwrap_or(0) != 0;
    Some(peer_width == width && !differs(width - prefix))
}

fn bits(address: IpAddr) -> (u128, u32) {
    match address.to_canonical() {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}

#[cfg(test)]
mod tests {
    use russh::keys::PrivateKey;
    use russh::keys::key::safe_rng;
    use russh::keys::ssh_key::certificate::{Builder, CertType};

    use super::*;

    const NOW: u64 = 1_785_000_000;

    fn key() -> PrivateKey {
        PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap()
    }

    fn peer() -> IpAddr {
        "192.0.2.7".parse().unwrap()
    }

    fn issue(authority: &PrivateKey, change: impl FnOnce(&mut Builder)) -> Certificate {
        let mut builder = Builder::new(
            [7u8; 16],
            key().public_key().key_data().clone(),
            NOW - 60,
            NOW + 60,
        )
        .unwrap();
        builder
            .cert_type(CertType::User)
            .unwrap()
            .key_id("clerk 7")
            .unwrap();
        change(&mut builder);
        builder.sign(authority).unwrap()
    }

    fn judged(change: impl FnOnce(&mut Builder), user: &str, now: u64) -> Result<(), CertificateError> {
        let authority = key();
        verify(
            &issue(&authority, change),
            user,
            peer(),
            now,
            &[key().public_key().clone(), authority.public_key().clone()],
        )
    }

    fn for_clerk(builder: &mut Builder) {
        builder.valid_principal("clerk").unwrap();
    }

    #[test]
    fn a_good_certificate_lets_its_principal_in() {
        assert_eq!(judged(for_clerk, "clerk", NOW), Ok(()));
        assert_eq!(judged(for_clerk, "other", NOW), Err(CertificateError::Principal));
        let everybody = |builder: &mut Builder| {
            builder.all_principals_valid().unwrap();
        };
        assert_eq!(judged(everybody, "clerk", NOW), Err(CertificateError::Principal));
    }

    #[test]
    fn time_type_and_authority_count() {
        assert_eq!(judged(for_clerk, "clerk", NOW - 61), Err(CertificateError::Time));
        assert_eq!(judged(for_clerk, "clerk", NOW + 60), Err(CertificateError::Time));
        let authority = key();
        let mut host = Builder::new([7u8; 16], key().public_key().key_data().clone(), NOW, NOW + 60).unwrap();
        host.cert_type(CertType::Host).unwrap();
        for_clerk(&mut host);
        let host = host.sign(&authority).unwrap();
        let trusted = [authority.public_key().clone()];
        assert_eq!(
            verify(&host, "clerk", peer(), NOW, &trusted),
            Err(CertificateError::NotForUsers)
        );
        let certificate = issue(&key(), for_clerk);
        let others = [key().public_key().clone()];
        assert_eq!(
            verify(&certificate, "clerk", peer(), NOW, &others),
            Err(CertificateError::UnknownAuthority)
        );
        assert_eq!(
            verify(&certificate, "clerk", peer(), NOW, &[]),
            Err(CertificateError::UnknownAuthority)
        );
    }

    #[test]
    fn an_altered_certificate_is_found() {
        let authority = key();
        let bytes = issue(&authority, for_clerk).to_bytes().unwrap();
        let at = bytes.windows(5).position(|window| window == b"clerk").unwrap();
        let mut altered = bytes.clone();
        altered[at] = b'C';
        let certificate = Certificate::from_bytes(&altered).unwrap();
        let trusted = [authority.public_key().clone()];
        assert_eq!(
            verify(&certificate, "Clerk", peer(), NOW, &trusted),
            Err(CertificateError::Signature)
        );
    }

    #[test]
    fn critical_options_are_enforced_or_refused() {
        let option = |name: &'static str, value: &'static str| {
            move |builder: &mut Builder| {
                for_clerk(builder);
                builder.critical_option(name, value).unwrap();
            }
        };
        for (list, expected) in [
            ("192.0.2.0/24", Ok(())),
            ("10.0.0.0/8,192.0.2.7", Ok(())),
            ("0.0.0.0/0", Ok(())),
            ("192.0.2.8", Err(CertificateError::Address)),
            ("2001:db8::/32", Err(CertificateError::Address)),
            ("192.0.2.0/33,192.0.2.7", Err(CertificateError::Address)),
            ("", Err(CertificateError::Address)),
        ] {
            assert_eq!(
                judged(option("source-address", list), "clerk", NOW),
                expected,
                "{list}"
            );
        }
        let forced = judged(option("force-command", "true"), "clerk", NOW);
        assert_eq!(forced, Err(CertificateError::CriticalOption));
    }
}
