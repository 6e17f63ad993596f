//! Proofs that a report is the provider's. Each compares in a time that does not tell where the difference lies.

use hmac::{Hmac, KeyInit, Mac};
use rustls::SignatureScheme;
use serde::Deserialize;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::TOLERANCE;
use crate::base::{Secret, Utc};
use crate::identity::base64url;

/// Whether `shown` is the base64 HMAC-SHA1 of an address and the sorted fields of its form (Twilio's `X-Twilio-Signature`).
pub fn is_twilio(token: &Secret, url: &str, fields: &[(String, String)], shown: &str) -> bool {
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(token.expose().as_bytes()) else { return false };
    mac.update(url.as_bytes());
    for (name, value) in fields {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    !token.is_empty() && base64url::decode_padded(shown).is_some_and(|shown| mac.verify_slice(&shown).is_ok())
}

/// Whether `hex` is the SHA-256 of a body, as Twilio puts it into the signed address of a JSON body, and Vonage into a
/// signed claim.
pub fn is_hash_of(hex: &str, body: &[u8]) -> bool {
    Secret::new(hash(body)).matches(&hex.to_ascii_lowercase())
}

/// Whether `shown` is the base64 Ed25519 signature (RFC 8032) of `timestamp|body` under a base64 public key (Telnyx).
pub fn is_telnyx(key: &Secret, timestamp: &str, body: &[u8], shown: &str) -> bool {
    let Some(key) = base64url::decode_padded(key.expose()).filter(|key| key.len() == 32) else { return false };
    let Some(shown) = base64url::decode_padded(shown) else { return false };
    let signed: Vec<u8> = [timestamp.as_bytes(), b"|", body].concat();
    let known = rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms;
    let ed25519 = known.mapping.iter().find(|(scheme, _)| *scheme == SignatureScheme::ED25519);
    let Some((_, algorithms)) = ed25519 else { return false };
    algorithms.iter().any(|algorithm| algorithm.verify_signature(&key, &signed, &shown).is_ok())
}

/// Whether a base64 text is an Ed25519 public key.
pub fn is_public_key(text: &str) -> bool {
    base64url::decode_padded(text).is_some_and(|key| key.len() == 32)
}

/// Whether a moment, in seconds since 1970, is near enough to now.
pub fn is_fresh(seconds: i64, now: Utc) -> bool {
    let apart = now.0.saturating_sub(seconds.saturating_mul(1000)).unsigned_abs();
    u128::from(apart) <= TOLERANCE.as_millis()
}

/// What a signed web token says, as far as it counts here (RFC 7519).
#[derive(Debug, Deserialize)]
pub struct Claims {
    /// When it was made, in seconds since 1970.
    pub iat: i64,
    /// SHA-256 of the body, in hexadecimal.
    pub payload_hash: Option<String>,
}

/// The claims of a token with HMAC-SHA256 (RFC 7515, `alg` `HS256` and no other), where its signature is right.
pub fn claims(secret: &Secret, token: &str) -> Option<Claims> {
    #[derive(Deserialize)]
    struct Header {
        alg: String,
    }
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let header: Header = serde_json::from_slice(&base64url::decode(header)?).ok()?;
    if header.alg != "HS256" || secret.is_empty() {
        return None;
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).ok()?;
    mac.update(signed.as_bytes());
    mac.verify_slice(&base64url::decode(signature)?).ok()?;
    serde_json::from_slice(&base64url::decode(claims)?).ok()
}

/// The token that stands in an address of ours: hexadecimal HMAC-SHA256 of what the address is about.
pub fn token(secret: &Secret, about: &str) -> Option<String> {
    if secret.is_empty() {
        return None;
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).ok()?;
    mac.update(about.as_bytes());
    Some(hex(&mac.finalize().into_bytes()))
}

fn hash(body: &[u8]) -> String {
    hex(&Sha256::digest(body))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_twilio_is_theirs_and_a_changed_one_is_not() {
        // The example of Twilio's documentation of request validation.
        let token = Secret::new("12345");
        let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
        let fields = [
            ("CallSid", "CA1234567890ABCDE"),
            ("Caller", "+12349013030"),
            ("Digits", "1234"),
            ("From", "+12349013030"),
            ("To", "+18005551212"),
        ];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert!(is_twilio(&token, url, &fields, "0/KCTR6DLpKmkAf8muzZqo1nDgQ="));
        assert!(!is_twilio(&token, url, &fields[1..], "0/KCTR6DLpKmkAf8muzZqo1nDgQ="));
        assert!(!is_twilio(&token, "https://mycompany.com/myapp.php?foo=1", &fields, "0/KCTR6DLpKmkAf8muzZqo1nDgQ="));
        assert!(!is_twilio(&Secret::default(), url, &fields, ""));
    }

    #[test]
    fn a_token_without_a_signature_says_nothing() {
        let none = format!("{}.{}.", base64url::encode(br#"{"alg":"none"}"#), base64url::encode(br#"{"iat":1}"#));
        assert!(claims(&Secret::new("s"), &none).is_none());
        for text in ["", ".", "..", "a.b.c", "a.b.c.d"] {
            assert!(claims(&Secret::new("s"), text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_moment_more_than_five_minutes_away_is_not_now() {
        let now = Utc(1_700_000_000_000);
        assert!(is_fresh(1_700_000_000 - 300, now) && is_fresh(1_700_000_000 + 300, now));
        assert!(!is_fresh(1_700_000_000 - 301, now) && !is_fresh(1_700_000_000 + 301, now));
        assert!(!is_fresh(i64::MAX, now) && !is_fresh(i64::MIN, now));
    }
}
