//! A push service on loopback (RFC 8030), and a browser that is subscribed there. Both check what they get by code of their own:
//! tokens with `p256`, messages by the formulas of RFC 8188 and 8291 over plain AES and HMAC.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt, KeyInit as _};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use hmac::{Hmac, Mac};
use p256::ProjectivePoint;
use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
use p256::elliptic_curve::point::AffineCoordinates;
use ringlift::identity::base64url::{decode, encode};
use serde_json::{Value, json};
use sha2::Sha256;

/// What was posted to the push service.
#[derive(Debug, Clone)]
pub struct Pushed {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Pushed {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Checks who sends (RFC 8292): the claims, and the key that signed them.
    pub fn sender(&self) -> (Value, String) {
        let shown = self.header("authorization").strip_prefix("vapid ").expect("the scheme is vapid");
        let part = |name: &str| {
            let mut parts = shown.split(',').map(str::trim);
            parts.find_map(|part| part.strip_prefix(name)).expect("both parts").to_owned()
        };
        let (token, key) = (part("t="), part("k="));
        let verifying = VerifyingKey::from_sec1_bytes(&decode(&key).unwrap()).unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let signature = Signature::from_slice(&decode(signature).unwrap()).unwrap();
        verifying.verify(signed.as_bytes(), &signature).expect("the token is signed with the key that is shown");
        let (head, claims) = signed.split_once('.').unwrap();
        let head: Value = serde_json::from_slice(&decode(head).unwrap()).unwrap();
        assert_eq!((&head["typ"], &head["alg"]), (&json!("JWT"), &json!("ES256")));
        (serde_json::from_slice(&decode(claims).unwrap()).unwrap(), key)
    }
}

#[derive(Debug, Default)]
struct Inside {
    script: VecDeque<u16>,
    pushed: Vec<Pushed>,
}

/// A running push service.
#[derive(Clone)]
pub struct PushService {
    pub address: SocketAddr,
    inside: Arc<Mutex<Inside>>,
}

impl PushService {
    /// Starts one within the current runtime.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let service = Self { address: listener.local_addr().unwrap(), inside: Arc::default() };
        let router = Router::new().fallback(serve).with_state(service.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        service
    }

    /// Answers the next messages so; after that it takes them.
    pub fn will(&self, script: impl IntoIterator<Item = u16>) {
        self.inside.lock().unwrap().script.extend(script);
    }

    /// What came.
    pub fn pushed(&self) -> Vec<Pushed> {
        self.inside.lock().unwrap().pushed.clone()
    }

    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn serve(State(service): State<PushService>, uri: Uri, headers: HeaderMap, body: Bytes) -> StatusCode {
    let mut inside = service.inside.lock().unwrap();
    inside.pushed.push(Pushed { path: uri.path().to_owned(), headers, body: body.to_vec() });
    StatusCode::from_u16(inside.script.pop_front().unwrap_or(201)).unwrap()
}

/// A browser with a subscription.
pub struct Browser {
    key: SigningKey,
    auth: [u8; 16],
    pub endpoint: String,
}

impl Browser {
    /// The `number`th one, at this push service.
    pub fn at(service: &PushService, number: u8) -> Self {
        let key = SigningKey::from_slice(&[number; 32]).unwrap();
        Self { key, auth: [number; 16], endpoint: format!("{}/push/{number}", service.origin()) }
    }

    /// What its page posts.
    pub fn posts(&self, holder: &str) -> Value {
        json!({ "holder": holder, "endpoint": self.endpoint, "keys": { "p256dh": encode(&self.public()), "auth": encode(&self.auth) } })
    }

    /// What its page sends to end it.
    pub fn ends(&self) -> Value {
        json!({ "endpoint": self.endpoint, "auth": encode(&self.auth) })
    }

    fn public(&self) -> Vec<u8> {
        self.key.verifying_key().to_sec1_point(false).as_bytes().to_vec()
    }

    /// Reads a message with the subscription's private key.
    pub fn reads(&self, body: &[u8]) -> Vec<u8> {
        let (salt, rest) = body.split_at(16);
        let (size, rest) = rest.split_at(4);
        let size = u32::from_be_bytes(size.try_into().unwrap());
        let (length, rest) = rest.split_at(1);
        let (theirs, record) = rest.split_at(usize::from(length[0]));
        assert!(length[0] == 65 && record.len() <= usize::try_from(size).unwrap(), "one record");
        let point = ProjectivePoint::from(*VerifyingKey::from_sec1_bytes(theirs).unwrap().as_affine());
        let shared = (point * **self.key.as_nonzero_scalar()).to_affine().x();
        let info = [b"WebPush: info\0", self.public().as_slice(), theirs, &[1]].concat();
        let input = hmac(&hmac(&self.auth, &shared), &info);
        let pseudo = hmac(salt, &input);
        let key = hmac(&pseudo, b"Content-Encoding: aes128gcm\0\x01");
        let nonce = hmac(&pseudo, b"Content-Encoding: nonce\0\x01");
        let mut plain = open(&key[..16], &nonce[..12], record);
        while plain.last() == Some(&0) {
            plain.pop();
        }
        assert_eq!(plain.pop(), Some(2), "the last record ends so");
        plain
    }
}

fn hmac(key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(data);
    mac.finalize().into_bytes().to_vec()
}

/// AES-128 in Galois/Counter Mode (NIST SP 800-38D), without anything but the message.
fn open(key: &[u8], nonce: &[u8], sealed: &[u8]) -> Vec<u8> {
    let aes = Aes128::new_from_slice(key).unwrap();
    let block = |input: [u8; 16]| {
        let mut block = input.into();
        aes.encrypt_block(&mut block);
        u128::from_be_bytes(block.into())
    };
    let count = |number: u32| {
        let mut input = [0; 16];
        input[..12].copy_from_slice(nonce);
        input[12..].copy_from_slice(&number.to_be_bytes());
        block(input)
    };
    let (text, tag) = sealed.split_at(sealed.len() - 16);
    let subkey = block([0; 16]);
    let padded = |part: &[u8]| {
        let mut whole = [0; 16];
        whole[..part.len()].copy_from_slice(part);
        u128::from_be_bytes(whole)
    };
    let hashed = text.chunks(16).fold(0, |hash, part| times(hash ^ padded(part), subkey));
    let bits = u128::try_from(text.len() * 8).unwrap();
    let tag_here = times(hashed ^ bits, subkey) ^ count(1);
    assert_eq!(tag_here.to_be_bytes(), tag, "the message is whole");
    let parts = text.chunks(16).zip(2u32..);
    let opened = parts.flat_map(|(part, number)| {
        let open = (padded(part) ^ count(number)).to_be_bytes();
        open[..part.len()].to_vec()
    });
    opened.collect()
}

/// A product in the field of GHASH (§6.3).
fn times(one: u128, other: u128) -> u128 {
    let (mut product, mut shifted) = (0, other);
    for bit in (0..128).rev() {
        if one >> bit & 1 == 1 {
            product ^= shifted;
        }
        let carried = shifted & 1 == 1;
        shifted >>= 1;
        if carried {
            shifted ^= 0xe1 << 120;
        }
    }
    product
}
