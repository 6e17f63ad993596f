//! Messages that a browser alone can read: aes128gcm in one record (RFC 8188), keys as RFC 8291 has them.

use std::fmt;

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};

use crate::elevation::push::Subscription;

/// Size of a record (RFC 8188 §2.1); ours has only the one, which is shorter.
const RECORD: u32 = 4096;

/// What every message is filled up to, in bytes: its length says nothing of the meeting's name. Push services take 4096 with
/// all that is around it.
const LENGTH: usize = 512;

/// A message cannot be written for this browser: its key is none, or the message is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsealed;

impl fmt::Display for Unsealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the subscription's key is no point of P-256, or the message is too long")
    }
}

impl std::error::Error for Unsealed {}

impl From<Unspecified> for Unsealed {
    fn from(_: Unspecified) -> Self {
        Self
    }
}

/// Whether this is a point of P-256.
pub fn is_key(key: &[u8; 65]) -> bool {
    p256::ecdsa::VerifyingKey::from_sec1_bytes(key).is_ok()
}

/// The body of the request that carries a message to a browser. The key is used for this message alone.
pub fn seal(to: &Subscription, message: &[u8]) -> Result<Vec<u8>, Unsealed> {
    let mut salt = [0u8; 16];
    aws_lc_rs::rand::fill(&mut salt)?;
    seal_with(to, message, LENGTH, &PrivateKey::generate(&ECDH_P256)?, salt)
}

fn seal_with(
    to: &Subscription,
    message: &[u8],
    length: usize,
    own: &PrivateKey,
    salt: [u8; 16],
) -> Result<Vec<u8>, Unsealed> {
    let public = own.compute_public_key()?;
    let theirs = UnparsedPublicKey::new(&ECDH_P256, to.key);
    let shared: Vec<u8> = agree(own, theirs, Unsealed, |secret| Ok(secret.to_vec()))?;
    let both = [b"WebPush: info\0", &to.key[..], public.as_ref()].concat();
    let input: [u8; 32] = derive(&to.auth, &shared, &both)?;
    let key: [u8; 16] = derive(&salt, &input, b"Content-Encoding: aes128gcm\0")?;
    let nonce: [u8; 12] = derive(&salt, &input, b"Content-Encoding: nonce\0")?;

    // What ends the last record, then nothing but zeros (RFC 8188 §2).
    let mut record = [message, &[2]].concat();
    if record.len() < length {
        record.resize(length, 0);
    }
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key)?);
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut record)?;
    if u32::try_from(record.len()).is_ok_and(|length| length <= RECORD) {
        let length = u8::try_from(public.as_ref().len()).map_err(|_| Unsealed)?;
        Ok([&salt[..], &RECORD.to_be_bytes(), &[length], public.as_ref(), &record].concat())
    } else {
        Err(Unsealed)
    }
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF with SHA-256 (RFC 5869).
fn derive<const N: usize>(salt: &[u8], input: &[u8], info: &[u8]) -> Result<[u8; N], Unsealed> {
    let mut key = [0u8; N];
    Salt::new(HKDF_SHA256, salt).extract(input).expand(&[info], Length(N))?.fill(&mut key)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Secret;
    use crate::identity::base64url;

    fn bytes<const N: usize>(text: &str) -> [u8; N] {
        base64url::decode(text).unwrap().try_into().unwrap()
    }

    #[test]
    fn the_example_of_rfc_8291_comes_out_byte_for_byte() {
        let to = Subscription {
            endpoint: Secret::new("https://push.example.net/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV"),
            key: bytes("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"),
            auth: bytes("BTBZMqHH6r4Tts7J_aSIgg"),
        };
        let own: [u8; 32] = bytes("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw");
        let own = PrivateKey::from_private_key(&ECDH_P256, &own).unwrap();
        let salt = bytes("DGv6ra1nlYgDCS1FRnbzlw");
        let body = seal_with(&to, b"When I grow up, I want to be a watermelon", 0, &own, salt).unwrap();
        assert_eq!(
            base64url::encode(&body),
            "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_\
             yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
        );
    }

    #[test]
    fn every_message_is_as_long_as_any_other_and_no_two_are_alike() {
        let key = bytes("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4");
        let to = Subscription { endpoint: Secret::default(), key, auth: [7; 16] };
        let (one, two) = (seal(&to, b"a").unwrap(), seal(&to, &[b'a'; 400]).unwrap());
        assert_eq!((one.len(), two.len()), (86 + LENGTH + 16, 86 + LENGTH + 16));
        assert_ne!(seal(&to, b"a").unwrap(), one);
        assert_eq!(seal(&to, &[b'a'; 5000]), Err(Unsealed));
    }

    #[test]
    fn what_is_no_point_of_the_curve_is_no_key() {
        let mut key = bytes("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4");
        assert!(is_key(&key));
        key[64] ^= 1;
        assert!(!is_key(&key) && !is_key(&[0; 65]));
        assert_eq!(seal(&Subscription { endpoint: Secret::default(), key, auth: [7; 16] }, b"a"), Err(Unsealed));
    }
}
