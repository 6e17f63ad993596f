//! Who sends: a token for each push service, signed with the node's own key (RFC 8292).

use std::fmt;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use rcgen::KeyPair;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::json;

use crate::base::Utc;
use crate::identity::base64url;

/// How long a token is good. More: push services refuse those of over a day. Fewer: one whose clock is ahead refuses ours.
const GOOD: Duration = Duration::from_secs(12 * 3600);

/// The node's key, by which push services know it. Browsers are subscribed for this key alone.
pub struct Vapid(EcdsaKeyPair);

/// What was kept is no key of P-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadKey(String);

impl fmt::Display for BadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadKey {}

impl fmt::Debug for Vapid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vapid({})", self.public())
    }
}

impl Vapid {
    /// A new key, as PEM (PKCS #8).
    pub fn make() -> Result<String, BadKey> {
        KeyPair::generate().map(|key| key.serialize_pem()).map_err(|error| BadKey(error.to_string()))
    }

    /// Reads a key that [`Vapid::make`] made.
    pub fn read(pem: &[u8]) -> Result<Self, BadKey> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|error| BadKey(error.to_string()))?;
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.secret_pkcs8_der())
            .map(Self)
            .map_err(|error| BadKey(error.to_string()))
    }

    /// The public key as pages give it to `pushManager.subscribe`: base64url of the uncompressed point.
    pub fn public(&self) -> String {
        base64url::encode(self.0.public_key().as_ref())
    }

    /// What `Authorization` says to the push service of this origin, such as `https://push.example.net`; `contact` is a `mailto:` or
    /// `https:` address of whoever runs the node, or nothing.
    pub fn authorization(&self, origin: &str, contact: &str, now: Utc) -> Option<String> {
        let good = i64::try_from(GOOD.as_secs()).unwrap_or(0);
        let mut claims = json!({ "aud": origin, "exp": now.0 / 1000 + good });
        if let (false, Some(claims)) = (contact.is_empty(), claims.as_object_mut()) {
            claims.insert("sub".into(), contact.into());
        }
        let head = base64url::encode(br#"{"typ":"JWT","alg":"ES256"}"#);
        let signed = format!("{head}.{}", base64url::encode(claims.to_string().as_bytes()));
        let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes()).ok()?;
        Some(format!("vapid t={signed}.{}, k={}", base64url::encode(signature.as_ref()), self.public()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use p256::ecdsa::signature::Verifier;
    use p256::ecdsa::{Signature, VerifyingKey};

    #[test]
    fn a_kept_key_is_the_same_and_what_it_signs_is_true_for_one_push_service_and_half_a_day() {
        let pem = Vapid::make().unwrap();
        let (key, again) = (Vapid::read(pem.as_bytes()).unwrap(), Vapid::read(pem.as_bytes()).unwrap());
        assert_eq!(key.public(), again.public());
        let says =
            key.authorization("https://push.example.net", "mailto:ops@example.org", Utc(1_000_000_000_000)).unwrap();
        let (token, public) = says.strip_prefix("vapid t=").unwrap().split_once(", k=").unwrap();
        let public = VerifyingKey::from_sec1_bytes(&base64url::decode(public).unwrap()).unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let signature = Signature::from_slice(&base64url::decode(signature).unwrap()).unwrap();
        public.verify(signed.as_bytes(), &signature).unwrap();
        let (head, claims) = signed.split_once('.').unwrap();
        let read = |text| serde_json::from_slice::<serde_json::Value>(&base64url::decode(text).unwrap()).unwrap();
        assert_eq!(read(head), json!({ "typ": "JWT", "alg": "ES256" }));
        let claimed =
            json!({ "aud": "https://push.example.net", "exp": 1_000_043_200, "sub": "mailto:ops@example.org" });
        assert_eq!(read(claims), claimed);
    }

    #[test]
    fn a_file_that_is_no_key_is_refused() {
        assert!(Vapid::read(b"").is_err() && Vapid::read(b"-----BEGIN PRIVATE KEY-----\nAAAA\n").is_err());
    }
}
