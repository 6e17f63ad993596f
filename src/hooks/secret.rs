//! Signatures that only whoever knows the secret can make.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::base::id::DeliveryId;
use crate::base::{Secret, Utc};
use crate::identity::base64url;

/// What a secret begins with, so that people and secret scanners know one when they see it.
const PREFIX: &str = "whsec_";

/// Bytes of a secret that we make; Standard Webhooks wants 24 to 64.
const LENGTH: usize = 32;

/// A secret that signs: `whsec_` and its bytes in base64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningSecret(Secret);

impl SigningSecret {
    /// Makes one of random bytes.
    pub fn of(random: [u8; LENGTH]) -> Self {
        Self(Secret::new(format!("{PREFIX}{}", base64url::encode_padded(&random))))
    }

    /// Reads one; none where it is none.
    pub fn parse(text: &Secret) -> Option<Self> {
        let bytes = base64url::decode_padded(text.expose().strip_prefix(PREFIX)?)?;
        (24..=64).contains(&bytes.len()).then(|| Self(text.clone()))
    }

    /// As it is shown, once.
    pub fn text(&self) -> &Secret {
        &self.0
    }

    /// Signs; none where the secret cannot be read, which [`SigningSecret::parse`] rules out.
    fn sign(&self, id: DeliveryId, seconds: i64, body: &[u8]) -> Option<String> {
        let key = base64url::decode_padded(self.0.expose().strip_prefix(PREFIX)?)?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
        mac.update(format!("{id}.{seconds}.").as_bytes());
        mac.update(body);
        Some(format!("v1,{}", base64url::encode_padded(&mac.finalize().into_bytes())))
    }
}

/// The headers of a delivery at this time: one signature for each secret that counts.
pub fn headers<'a>(
    id: DeliveryId,
    at: Utc,
    body: &[u8],
    secrets: impl IntoIterator<Item = &'a SigningSecret>,
) -> [(&'static str, String); 3] {
    let seconds = at.0.div_euclid(1000);
    let signatures: Vec<String> = secrets.into_iter().filter_map(|secret| secret.sign(id, seconds, body)).collect();
    [
        ("webhook-id", id.to_string()),
        ("webhook-timestamp", seconds.to_string()),
        ("webhook-signature", signatures.join(" ")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_that_openssl_computes() {
        let secret = SigningSecret::parse(&Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).unwrap();
        let id = DeliveryId::from_bits(1);
        let body = br#"{"seq":1}"#;
        // printf 'msg_0000000000001.1614265330.{"seq":1}' | openssl dgst -sha256 -mac HMAC -binary
        //   -macopt hexkey:$(echo MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw | base64 -d | xxd -p) | base64
        let [_, (_, at), (_, signature)] = headers(id, Utc(1_614_265_330_999), body, [&secret]);
        assert_eq!(
            (at.as_str(), signature.as_str()),
            ("1614265330", "v1,8mojaPWo9P91n2gDHVdFf7tSg6JxOLSe0vOHC98VkqU=")
        );
        let two = SigningSecret::of([7; 32]);
        let [_, _, (_, both)] = headers(id, Utc(1_614_265_330_999), body, [&two, &secret]);
        assert_eq!(both.split(' ').count(), 2);
        assert!(both.ends_with(&signature));
    }

    #[test]
    fn a_secret_is_read_back_and_never_printed() {
        let secret = SigningSecret::of([9; 32]);
        assert_eq!(SigningSecret::parse(secret.text()), Some(secret.clone()));
        assert!(!format!("{secret:?}").contains("whsec_"));
        for wrong in ["", "whsec_", "whsec_c2hvcnQ=", "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJ", "whsec_%%%%"] {
            assert_eq!(SigningSecret::parse(&Secret::new(wrong)), None, "{wrong}");
        }
    }
}
