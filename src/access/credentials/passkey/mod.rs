//! Passkeys (WebAuthn level 3): what a browser is asked for, and whether what it answers may count.
//!
//! A passkey here always means user verification (a PIN or a finger on the authenticator): something one has and something
//! one knows or is. So it is two factors by itself, one of them cryptographic (D37). No attestation is asked for: which make
//! of authenticator people use isn't this program's business, and without it a registration rests on who registers.
//!
//! The one Rust library of relying parties without OpenSSL stands on another generation of every curve than russh does; what
//! a relying party has to check is this folder, on `ring`. It must never know the catalogue or a person's name.

mod authenticator;
mod cbor;
mod challenge;
mod cose;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use challenge::{Challenge, Challenges, Purpose};

use authenticator::{AuthenticatorData, FLAG_ATTESTED};
use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::URL_SAFE_NO_PAD},
};
use cose::PublicKey;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

/// Bytes of an authenticator's id for a credential at the most (WebAuthn clause 4).
const MAX_CREDENTIAL_BYTES: usize = 1_023;
/// Bytes of any one field of an answer, decoded.
const MAX_FIELD_BYTES: usize = 16 * 1024;
/// Milliseconds that a browser gives a person.
const TIMEOUT_MS: i64 = challenge::VALID_MS;

/// base64url as browsers write it, with or without padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why an answer doesn't count. For logs and tests; a person reads one and the same sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasskeyError {
    /// Not what a browser sends.
    #[error("the answer isn't one of WebAuthn")]
    Malformed,
    /// A registration where a sign-in was asked for, or the other way round.
    #[error("the answer is to something else")]
    Type,
    /// Made for another site.
    #[error("the answer was made for another site")]
    Origin,
    /// Not ours, for somebody else, expired, or used before.
    #[error("the challenge isn't one that counts")]
    Challenge,
    /// The authenticator didn't see the person, or didn't verify them.
    #[error("the authenticator didn't verify the person")]
    NotVerified,
    /// An algorithm that wasn't asked for, or a key that isn't one.
    #[error("the key can't be used")]
    Key,
    /// The signature is wrong.
    #[error("the signature is wrong")]
    Signature,
    /// The counter went back: there are two of this authenticator.
    #[error("the counter went back")]
    Cloned,
}

/// The site that passkeys are for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelyingParty {
    /// As a browser names it: `https://records.example.com` or with a port.
    pub origin: String,
    /// Its host, which is what passkeys are bound to.
    pub id: String,
    /// What people read.
    pub name: String,
}

impl RelyingParty {
    /// From the console's address. `None` when it isn't an https address with a host name: browsers make no passkeys for a
    /// bare IP address, nor for http other than `localhost`.
    pub fn new(origin: &str, name: &str) -> Option<Self> {
        let origin = origin.trim_end_matches('/').to_ascii_lowercase();
        let secure = origin.strip_prefix("https://");
        let rest = secure.or_else(|| {
            let local = origin.strip_prefix("http://")?;
            (local == "localhost" || local.starts_with("localhost:")).then_some(local)
        })?;
        let (host, port) = rest
            .split_once(':')
            .map_or((rest, None), |(host, port)| (host, Some(port)));
        let is_name = !host.is_empty()
            && host
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
            && host.bytes().any(|byte| byte.is_ascii_alphabetic());
        let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|number| number > 0));
        (is_name && is_port).then(|| RelyingParty {
            id: host.to_owned(),
            name: name.to_owned(),
            origin: origin.clone(),
        })
    }

    /// What the browser is asked for to register a passkey: `PublicKeyCredentialCreationOptionsJSON`.
    pub fn creation(&self, challenge: &Challenge, person: &str, name: &str, known: &[Vec<u8>]) -> Value {
        json!({
            "rp": { "id": self.id, "name": self.name },
            "user": { "id": URL_SAFE_NO_PAD.encode(person), "name": name, "displayName": name },
            "challenge": challenge.text(),
            "pubKeyCredParams": cose::ALGORITHMS.map(|alg| json!({ "type": "public-key", "alg": alg })),
            "timeout": TIMEOUT_MS,
            "excludeCredentials": descriptors(known),
            "authenticatorSelection": { "residentKey": "preferred", "requireResidentKey": false, "userVerification": "required" },
            "attestation": "none",
        })
    }

    /// What the browser is asked for to use one: `PublicKeyCredentialRequestOptionsJSON`. Without `known` it offers all.
    pub fn request(&self, challenge: &Challenge, known: &[Vec<u8>]) -> Value {
        json!({
            "rpId": self.id,
            "challenge": challenge.text(),
            "timeout": TIMEOUT_MS,
            "userVerification": "required",
            "allowCredentials": descriptors(known),
        })
    }

    /// The passkey that a browser registered, if everything about it is right (WebAuthn clause 7.1).
    ///
    /// # Errors
    /// What isn't.
    pub fn registered(
        &self,
        answer: &Registration,
        challenges: &Challenges,
        purpose: &Purpose<'_>,
        now_ms: i64,
    ) -> Result<NewPasskey, PasskeyError> {
        let client = bytes(&answer.response.client_data_json)?;
        let challenge = self.client_data(&client, "webauthn.create", challenges, purpose, now_ms)?;
        let object = bytes(&answer.response.attestation_object)?;
        let data = AuthenticatorData::of_attestation(&object)?;
        self.authenticator(&data)?;
        let attested = data.attested.ok_or(PasskeyError::Malformed)?;
        if attested.credential.is_empty() || attested.credential.len() > MAX_CREDENTIAL_BYTES {
            return Err(PasskeyError::Malformed);
        }
        // The browser says the id twice; what the authenticator says is what will come back.
        if bytes(&answer.raw_id)? != attested.credential {
            return Err(PasskeyError::Malformed);
        }
        PublicKey::parse(attested.public_key)?;
        challenges.use_up(&challenge, now_ms)?;
        Ok(NewPasskey {
            credential: attested.credential.to_vec(),
            public_key: attested.public_key.to_vec(),
            sign_count: data.sign_count,
        })
    }

    /// Whether an answer was made by a passkey just now (WebAuthn clause 7.2). The challenge is used up only by a right one.
    /// Returns the authenticator's counter; whether it may follow the last one is [`follows`]'s to say, in the transaction.
    ///
    /// # Errors
    /// What isn't right.
    pub fn asserted(
        &self,
        answer: &Assertion,
        public_key: &[u8],
        person: &str,
        challenges: &Challenges,
        purpose: &Purpose<'_>,
        now_ms: i64,
    ) -> Result<u32, PasskeyError> {
        let client = bytes(&answer.response.client_data_json)?;
        let challenge = self.client_data(&client, "webauthn.get", challenges, purpose, now_ms)?;
        let raw = bytes(&answer.response.authenticator_data)?;
        let data = AuthenticatorData::parse(&raw)?;
        if data.flags & FLAG_ATTESTED != 0 {
            return Err(PasskeyError::Malformed);
        }
        self.authenticator(&data)?;
        // A discoverable passkey says whose it is, and that has to be whose it is here.
        if let Some(handle) = answer
            .response
            .user_handle
            .as_deref()
            .filter(|handle| !handle.is_empty())
            && bytes(handle)? != person.as_bytes()
        {
            return Err(PasskeyError::Malformed);
        }
        let signed = [&raw[..], digest(&SHA256, &client).as_ref()].concat();
        PublicKey::parse(public_key)?.verify(&signed, &bytes(&answer.response.signature)?)?;
        challenges.use_up(&challenge, now_ms)?;
        Ok(data.sign_count)
    }

    /// Type, challenge and origin of what the browser saw.
    fn client_data(
        &self,
        json: &[u8],
        wanted: &str,
        challenges: &Challenges,
        purpose: &Purpose<'_>,
        now_ms: i64,
    ) -> Result<Challenge, PasskeyError> {
        let client: ClientData = serde_json::from_slice(json).map_err(|_| PasskeyError::Malformed)?;
        if client.r#type != wanted {
            return Err(PasskeyError::Type);
        }
        // Inside a frame of another site it is that site that asks.
        if client.origin != self.origin || client.cross_origin == Some(true) || client.top_origin.is_some() {
            return Err(PasskeyError::Origin);
        }
        let challenge = Challenge::parse(&client.challenge).ok_or(PasskeyError::Challenge)?;
        challenges.check(&challenge, purpose, now_ms)?;
        Ok(challenge)
    }

    fn authenticator(&self, data: &AuthenticatorData<'_>) -> Result<(), PasskeyError> {
        let own = digest(&SHA256, self.id.as_bytes());
        if !bool::from(own.as_ref().ct_eq(&data.rp_id_hash[..])) {
            return Err(PasskeyError::Origin);
        }
        let seen = authenticator::FLAG_PRESENT | authenticator::FLAG_VERIFIED;
        if data.flags & seen == seen {
            Ok(())
        } else {
            Err(PasskeyError::NotVerified)
        }
    }
}

/// Whether a counter may follow another: it grows, or the authenticator has none (WebAuthn clause 7.2, step 22).
///
/// # Errors
/// [`PasskeyError::Cloned`] when it doesn't grow.
pub fn follows(seen: i64, now: u32) -> Result<(), PasskeyError> {
    if (seen == 0 && now == 0) || i64::from(now) > seen {
        Ok(())
    } else {
        Err(PasskeyError::Cloned)
    }
}

/// A passkey that may be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPasskey {
    /// What the authenticator calls it.
    pub credential: Vec<u8>,
    /// COSE_Key.
    pub public_key: Vec<u8>,
    /// Its counter at the beginning.
    pub sign_count: u32,
}

/// `RegistrationResponseJSON`, what of it is looked at.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Registration {
    /// The credential's id, base64url.
    pub raw_id: String,
    /// What the authenticator made.
    pub response: RegistrationResponse,
}

/// What the authenticator made.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegistrationResponse {
    /// base64url.
    #[serde(rename = "clientDataJSON")]
    pub client_data_json: String,
    /// base64url.
    pub attestation_object: String,
}

/// `AuthenticationResponseJSON`, what of it is looked at.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Assertion {
    /// The credential's id, base64url.
    pub raw_id: String,
    /// What the authenticator signed.
    pub response: AssertionResponse,
}

impl Assertion {
    /// The credential's id, or nothing if it can't be one.
    pub fn credential(&self) -> Option<Vec<u8>> {
        bytes(&self.raw_id)
            .ok()
            .filter(|id| (1..=MAX_CREDENTIAL_BYTES).contains(&id.len()))
    }
}

/// What the authenticator signed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssertionResponse {
    /// base64url.
    #[serde(rename = "clientDataJSON")]
    pub client_data_json: String,
    /// base64url.
    pub authenticator_data: String,
    /// base64url.
    pub signature: String,
    /// base64url: whose passkey it is, as the relying party said when it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_handle: Option<String>,
}

/// `CollectedClientData`; browsers may say more.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientData {
    r#type: String,
    challenge: String,
    origin: String,
    #[serde(default)]
    cross_origin: Option<bool>,
    #[serde(default)]
    top_origin: Option<String>,
}

fn descriptors(known: &[Vec<u8>]) -> Vec<Value> {
    known
        .iter()
        .map(|id| json!({ "type": "public-key", "id": URL_SAFE_NO_PAD.encode(id) }))
        .collect()
}

fn bytes(text: &str) -> Result<Vec<u8>, PasskeyError> {
    if text.len() > MAX_FIELD_BYTES * 4 / 3 {
        return Err(PasskeyError::Malformed);
    }
    LENIENT.decode(text).map_err(|_| PasskeyError::Malformed)
}
