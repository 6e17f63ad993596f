//! Signatures of a key that exists for these tests alone.

use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};

use super::*;
use crate::base::{PhoneNumber, Utc};

const CHAIN: &[u8] = include_bytes!("../../tests/data/stir/chain.pem");
const ROOT: &[u8] = include_bytes!("../../tests/data/stir/root.pem");
const OTHER: &[u8] = include_bytes!("../../tests/data/stir/other.pem");
const KEY: &str = include_str!("../../tests/data/stir/leaf.key.hex");
const URL: &str = "https://cert.example/shaken.pem";
/// January 2027.
const NOW: Utc = Utc(1_800_000_000_000);

fn signed(head: &str, body: &str) -> String {
    let bytes: Vec<u8> =
        (0..KEY.trim().len()).step_by(2).map(|at| u8::from_str_radix(&KEY[at..at + 2], 16).unwrap()).collect();
    let key = SigningKey::from_slice(&bytes).unwrap();
    let input = format!("{}.{}", base64url::encode(head.as_bytes()), base64url::encode(body.as_bytes()));
    let signature: Signature = key.sign(input.as_bytes());
    format!("{input}.{}", base64url::encode(&signature.to_bytes()))
}

fn head() -> String {
    format!(r#"{{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"{URL}"}}"#)
}

fn body(attest: &str, orig: &str, dest: &str, iat: i64) -> String {
    format!(
        r#"{{"attest":"{attest}","dest":{{"tn":["{dest}"]}},"iat":{iat},"orig":{{"tn":"{orig}"}},"origid":"123e4567-e89b-12d3-a456-426655440000"}}"#
    )
}

fn claims() -> Claims {
    let number = |text| PhoneNumber::parse(text).unwrap();
    Claims { caller: Some(number("+12155551212")), called: vec![number("+12125551213")], date: None }
}

fn outcome(value: &str, claims: &Claims, anchors: &[u8], now: Utc) -> Result<Attestation, Flaw> {
    let token = Token::read(value, claims)?.unwrap();
    token.fits(claims, now)?;
    let mut trusted = Anchors::default();
    trusted.add(anchors).unwrap();
    token.verify(&Chain::read(CHAIN)?.key(&trusted, now)?)
}

fn header(token: &str) -> String {
    format!("{token};info=<{URL}>;alg=ES256;ppt=shaken")
}

#[test]
fn what_an_authority_we_trust_stands_behind_is_believed() {
    for (letter, attestation) in [("A", Attestation::A), ("B", Attestation::B), ("C", Attestation::C)] {
        let token = signed(&head(), &body(letter, "12155551212", "12125551213", 1_800_000_000));
        assert_eq!(outcome(&header(&token), &claims(), ROOT, NOW), Ok(attestation));
    }
}

#[test]
fn whatever_is_wrong_has_its_name() {
    let good = || body("A", "12155551212", "12125551213", 1_800_000_000);
    let of = |body: &str| outcome(&header(&signed(&head(), body)), &claims(), ROOT, NOW);
    assert_eq!(of(&body("A", "12155551299", "12125551213", 1_800_000_000)), Err(Flaw::OtherCaller));
    assert_eq!(of(&body("A", "12155551212", "12125551299", 1_800_000_000)), Err(Flaw::OtherCallee));
    assert_eq!(of(&body("A", "12155551212", "12125551213", 1_800_000_000 - 61)), Err(Flaw::Stale));
    assert_eq!(of(&body("A", "12155551212", "12125551213", 1_800_000_000 + 61)), Err(Flaw::Stale));
    assert_eq!(of(&body("D", "12155551212", "12125551213", 1_800_000_000)), Err(Flaw::Malformed));
    let token = signed(&head(), &good());
    assert_eq!(outcome(&header(&token), &claims(), OTHER, NOW), Err(Flaw::UntrustedCertificate));
    let far = Utc(2_200_000_000_000);
    let later = signed(&head(), &body("A", "12155551212", "12125551213", 2_200_000_000));
    assert_eq!(outcome(&header(&later), &claims(), ROOT, far), Err(Flaw::UntrustedCertificate), "expired");
    let forged = token.replacen(
        &base64url::encode(good().as_bytes()),
        &base64url::encode(good().replace("\"A\"", "\"B\"").as_bytes()),
        1,
    );
    assert_eq!(outcome(&header(&forged), &claims(), ROOT, NOW), Err(Flaw::WrongSignature));
    assert_eq!(
        outcome(&format!("{token};info=<https://else.example/x>;ppt=shaken"), &claims(), ROOT, NOW),
        Err(Flaw::Malformed),
        "another certificate than the one that is signed for"
    );
    assert_eq!(
        outcome(&format!("{token};info=<{URL}>;alg=RS256;ppt=shaken"), &claims(), ROOT, NOW),
        Err(Flaw::Unsupported)
    );
    for garbage in ["", ";info=<x>", "a.b;info=<x>", "a.b.c;info=<x>", "...;info=<x>", "x"] {
        assert_eq!(Token::read(garbage, &claims()), Err(Flaw::Malformed), "{garbage}");
    }
    assert_eq!(Chain::read(b"<html>not found</html>").err(), Some(Flaw::NoCertificate));
}

#[test]
fn what_is_for_another_purpose_is_passed_over() {
    let token = signed(&head().replace("shaken", "div"), &body("A", "1", "2", 1));
    assert_eq!(Token::read(&format!("{token};info=<{URL}>;ppt=div"), &claims()), Ok(None));
}

#[test]
fn the_compact_form_is_made_whole_from_the_invite() {
    let full = signed(
        &format!(r#"{{"alg":"ES256","typ":"passport","x5u":"{URL}"}}"#),
        r#"{"dest":{"tn":["12125551213"]},"iat":1800000000,"orig":{"tn":"12155551212"}}"#,
    );
    let signature = full.rsplit('.').next().unwrap();
    let dated = Claims { date: Some(1_800_000_000), ..claims() };
    let compact = format!("..{signature};info=<{URL}>;alg=ES256");
    assert_eq!(outcome(&compact, &dated, ROOT, NOW), Ok(Attestation::A));
    let other = Claims { date: Some(1_800_000_001), ..claims() };
    assert_eq!(outcome(&compact, &other, ROOT, NOW), Err(Flaw::WrongSignature));
    assert_eq!(outcome(&format!("{compact};ppt=shaken"), &dated, ROOT, NOW), Err(Flaw::Malformed), "RFC 8588 §7");
}
