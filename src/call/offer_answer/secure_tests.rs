//! Encrypted offers as phones and carriers make them, and what becomes of them.

use super::tests::{THEM, offer};
use super::*;
use crate::media::command::DtlsRole;
use crate::profile::{Profile, Quirk, SrtpPolicy};
use crate::wire::sdp::{Crypto, Fingerprint, Hash, Setup, Suite};

const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
const OTHER_KEY: &str = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";

fn us(policy: SrtpPolicy) -> Negotiation {
    with(|preferences| preferences.srtp = policy)
}

fn with(change: impl FnOnce(&mut Preferences)) -> Negotiation {
    let node = NodePreferences { fingerprint: Some(fingerprint(0xaa)), ..NodePreferences::default() };
    let mut preferences = Preferences::of(&Profile::default(), &node);
    change(&mut preferences);
    let mut negotiation = Negotiation::new(preferences, &mut Rng::from_number(5));
    negotiation.set_local("198.51.100.1".parse().unwrap(), 20_000);
    negotiation
}

fn fingerprint(byte: u8) -> Fingerprint {
    Fingerprint { hash: Hash::Sha256, value: vec![byte; 32] }
}

fn take(negotiation: &mut Negotiation, lines: &str) -> Result<(SessionDescription, Agreed), Unacceptable> {
    let (sdp, agreed) = negotiation.answer(offer(lines).as_bytes(), THEM)?;
    Ok((SessionDescription::parse(&sdp).unwrap(), agreed))
}

fn sdes(protocol: &str, crypto: &[&str]) -> String {
    let lines: String = crypto.iter().map(|line| format!("a=crypto:{line}\n")).collect();
    format!("m=audio 4000 {protocol} 0\n{lines}")
}

fn one(tag: u32, suite: &str, key: &str) -> String {
    format!("{tag} {suite} inline:{key}")
}

fn dtls(protocol: &str, byte: u8, setup: &str) -> String {
    format!("m=audio 4000 {protocol} 0\na=fingerprint:{}\na=setup:{setup}\n", fingerprint(byte))
}

fn keys(agreed: &Agreed) -> (Suite, Vec<u8>, Suite, Vec<u8>, u8) {
    let Security::Sdes(sdes) = &agreed.security else { panic!("not by SDES: {agreed:?}") };
    let bytes = |key: &crate::media::command::SrtpKey| [key.master.key(), key.master.salt()].concat();
    (sdes.send.suite, bytes(&sdes.send), sdes.receive.suite, bytes(&sdes.receive), sdes.receive.mki)
}

#[test]
fn a_key_is_answered_with_one_of_ours_under_its_tag() {
    let lines = sdes(
        "RTP/SAVP",
        &[
            "1 F8_128_HMAC_SHA1_80 inline:x",
            &format!("{}|2^20|1:4", one(7, "AES_CM_128_HMAC_SHA1_32", KEY)),
            &one(8, "AES_CM_128_HMAC_SHA1_80", OTHER_KEY),
        ],
    );
    let (sdp, agreed) = take(&mut us(SrtpPolicy::Allow), &lines).unwrap();
    assert_eq!(sdp.media[0].protocol, "RTP/SAVP");
    let ours: Vec<Crypto> = sdp.media[0].cryptos().collect();
    assert_eq!(ours.len(), 1, "one line answers");
    assert_eq!((ours[0].tag, ours[0].suite), (7, Suite::Aes128Sha1Tag32));
    let (send, sent_key, receive, received_key, mki) = keys(&agreed);
    assert_eq!((send, receive, mki), (Suite::Aes128Sha1Tag32, Suite::Aes128Sha1Tag32, 4));
    assert_eq!(sent_key, [ours[0].key.key(), ours[0].key.salt()].concat(), "what we answer is what we send with");
    assert_eq!(received_key, b"YS___semctl () {\t220;}\n}\nunles");
    assert_ne!(sent_key, received_key);
}

#[test]
fn a_policy_says_what_is_taken() {
    use SrtpPolicy::{Allow, Off, Require};
    let plain = "m=audio 4000 RTP/AVP 0\n".to_owned();
    let line = one(1, "AES_CM_128_HMAC_SHA1_80", KEY);
    let (savp, savpf) = (sdes("RTP/SAVP", &[&line]), sdes("RTP/SAVPF", &[&line]));
    let question = sdes("RTP/AVP", &[&line]);
    let handshake = dtls("UDP/TLS/RTP/SAVPF", 1, "actpass");
    let outcome = |policy, lines: &str| {
        take(&mut us(policy), lines).map(|(sdp, agreed)| {
            let kind = match agreed.security {
                Security::None => "plain",
                Security::Sdes(_) => "sdes",
                Security::Dtls(_) => "dtls",
            };
            assert_eq!(sdp.media[0].cryptos().count(), usize::from(kind == "sdes"));
            assert_eq!(sdp.fingerprints(&sdp.media[0]).len(), usize::from(kind == "dtls"));
            kind
        })
    };
    for (lines, off, allow, require) in [
        (&plain, Ok("plain"), Ok("plain"), Err(Unacceptable::NotEncrypted)),
        (&savp, Err(Unacceptable::Encrypted), Ok("sdes"), Ok("sdes")),
        (&savpf, Err(Unacceptable::Encrypted), Ok("sdes"), Ok("sdes")),
        (&question, Ok("plain"), Ok("sdes"), Ok("sdes")),
        (&handshake, Err(Unacceptable::Encrypted), Ok("dtls"), Ok("dtls")),
    ] {
        assert_eq!(
            (outcome(Off, lines), outcome(Allow, lines), outcome(Require, lines)),
            (off, allow, require),
            "{lines}"
        );
    }
    let both = format!("{plain}{}", sdes("RTP/SAVP", &[&line]).replace("4000", "4002"));
    let ports = |policy| {
        let (sdp, agreed) = take(&mut us(policy), &both).unwrap();
        (sdp.media.iter().map(|media| media.port).collect::<Vec<_>>(), agreed.security.is_on())
    };
    assert_eq!(ports(Allow), (vec![0, 20_000], true), "of two lines the encrypted one is taken");
    assert_eq!(ports(Off), (vec![20_000, 0], false));
    assert_eq!(take(&mut us(Allow), "m=audio 4000 RTP/SAVP 0\n").unwrap_err(), Unacceptable::Protocol);
}

#[test]
fn what_was_encrypted_is_never_plain_again() {
    let line = one(1, "AES_CM_128_HMAC_SHA1_80", KEY);
    let mut negotiation = us(SrtpPolicy::Allow);
    take(&mut negotiation, &sdes("RTP/SAVP", &[&line])).unwrap();
    let before = negotiation.clone();
    assert_eq!(take(&mut negotiation, "m=audio 4000 RTP/AVP 0\n").unwrap_err(), Unacceptable::NotEncrypted);
    let both = "m=audio 4000 RTP/AVP 0\nm=audio 4002 RTP/AVP 0\n";
    assert_eq!(take(&mut negotiation, both).unwrap_err(), Unacceptable::NotEncrypted);
    assert_eq!(negotiation, before, "and the call goes on as it was");
    negotiation.offer();
    for plain in ["m=audio 4000 RTP/AVP 0\n", "m=audio 4000 RTP/SAVP 0\n"] {
        let mut fork = negotiation.clone();
        assert_eq!(fork.take_answer(offer(plain).as_bytes(), THEM).unwrap_err(), Unacceptable::NotEncrypted);
    }
    let mut opening = us(SrtpPolicy::Allow);
    take(&mut opening, "m=audio 4000 RTP/AVP 0\n").unwrap();
    assert!(take(&mut opening, &sdes("RTP/SAVP", &[&line])).unwrap().1.security.is_on(), "the other way it may go");
}

#[test]
fn keys_stay_over_re_offers_unless_they_change_theirs() {
    let mut negotiation = us(SrtpPolicy::Allow);
    let line = one(1, "AES_CM_128_HMAC_SHA1_80", KEY);
    let first = take(&mut negotiation, &sdes("RTP/SAVP", &[&line])).unwrap();
    let held = take(&mut negotiation, &format!("{}a=sendonly\n", sdes("RTP/SAVP", &[&line]))).unwrap();
    assert_eq!(keys(&first.1), keys(&held.1));
    let rekeyed = take(&mut negotiation, &sdes("RTP/SAVP", &[&one(2, "AES_CM_128_HMAC_SHA1_80", OTHER_KEY)])).unwrap();
    assert_eq!(keys(&first.1).1, keys(&rekeyed.1).1, "ours stays");
    assert_ne!(keys(&first.1).3, keys(&rekeyed.1).3, "theirs is the new one");
    let ours = SessionDescription::parse(&negotiation.hold(HoldStyle::SendOnly)).unwrap();
    let offered: Vec<Crypto> = ours.media[0].cryptos().collect();
    assert_eq!((offered.len(), ours.media[0].protocol.as_str()), (1, "RTP/SAVP"));
    assert_eq!([offered[0].key.key(), offered[0].key.salt()].concat(), keys(&first.1).1);
    let other =
        take(&mut us(SrtpPolicy::Allow), &sdes("RTP/SAVP", &[&one(1, "AES_CM_128_HMAC_SHA1_32", KEY)])).unwrap();
    assert_ne!(keys(&other.1).1[..16], keys(&first.1).1[..16], "no two suites share a key");
}

#[test]
fn where_encryption_is_demanded_our_offers_ask_for_it_and_nothing_else_is_taken() {
    let mut negotiation = us(SrtpPolicy::Require);
    let ours = SessionDescription::parse(&negotiation.offer()).unwrap();
    assert_eq!(ours.media[0].protocol, "RTP/SAVP");
    let lines: Vec<Crypto> = ours.media[0].cryptos().collect();
    let expected = [(1, Suite::Aes128Sha1Tag80), (2, Suite::Aes128Sha1Tag32), (3, Suite::Aes256Sha1Tag80)];
    assert_eq!(lines.iter().map(|line| (line.tag, line.suite)).collect::<Vec<_>>(), expected);
    let answers = |lines: &str| negotiation.clone().take_answer(offer(lines).as_bytes(), THEM);
    for refused in [
        "m=audio 4000 RTP/AVP 0\n".to_owned(),
        "m=audio 4000 RTP/SAVP 0\n".to_owned(),
        sdes("RTP/SAVP", &[&one(1, "AES_256_CM_HMAC_SHA1_32", "x")]),
        dtls("UDP/TLS/RTP/SAVP", 1, "active"),
    ] {
        assert_eq!(answers(&refused).unwrap_err(), Unacceptable::NotEncrypted, "{refused}");
    }
    let agreed = answers(&sdes("RTP/SAVP", &[&one(2, "AES_CM_128_HMAC_SHA1_32", KEY)])).unwrap();
    assert_eq!(keys(&agreed).0, Suite::Aes128Sha1Tag32);
    assert_eq!(keys(&agreed).1, [lines[1].key.key(), lines[1].key.salt()].concat());
    let unnamed =
        with(|preferences| (preferences.srtp, preferences.suites) = (SrtpPolicy::Require, Vec::new())).offer();
    assert_eq!(SessionDescription::parse(&unnamed).unwrap().media[0].cryptos().count(), 1);
}

#[test]
fn who_begins_a_handshake_is_settled_once() {
    let role = |lines: &str| match take(&mut us(SrtpPolicy::Allow), lines).unwrap() {
        (sdp, Agreed { security: Security::Dtls(dtls), .. }) => {
            assert_eq!(dtls.fingerprints, [fingerprint(1)]);
            assert_eq!(sdp.fingerprints(&sdp.media[0]), [fingerprint(0xaa)]);
            (dtls.role, sdp.setup(&sdp.media[0]).unwrap())
        }
        (_, agreed) => panic!("{agreed:?}"),
    };
    for (protocol, setup, expected) in [
        ("UDP/TLS/RTP/SAVP", "actpass", (DtlsRole::Client, Setup::Active)),
        ("UDP/TLS/RTP/SAVPF", "active", (DtlsRole::Server, Setup::Passive)),
        ("RTP/SAVPF", "passive", (DtlsRole::Client, Setup::Active)),
        ("RTP/SAVP", "actpass", (DtlsRole::Client, Setup::Active)),
        ("RTP/AVP", "actpass", (DtlsRole::Client, Setup::Active)),
    ] {
        assert_eq!(role(&dtls(protocol, 1, setup)), expected, "{protocol} {setup}");
    }
    let mut negotiation = us(SrtpPolicy::Allow);
    let session_level = format!("a=fingerprint:{}\na=setup:active\nm=audio 4000 UDP/TLS/RTP/SAVP 0\n", fingerprint(1));
    let association = |negotiation: &mut Negotiation, lines: &str| match take(negotiation, lines).unwrap().1.security {
        Security::Dtls(dtls) => (dtls.role, dtls.association),
        other => panic!("{other:?}"),
    };
    let first = association(&mut negotiation, &session_level);
    assert_eq!(first.0, DtlsRole::Server);
    assert_eq!(association(&mut negotiation, &dtls("UDP/TLS/RTP/SAVP", 1, "actpass")), first, "a hold changes nothing");
    let ours = SessionDescription::parse(&negotiation.offer()).unwrap();
    assert_eq!(
        (ours.setup(&ours.media[0]), ours.media[0].protocol.as_str()),
        (Some(Setup::Passive), "UDP/TLS/RTP/SAVP")
    );
    negotiation.withdraw();
    let moved = association(&mut negotiation, &dtls("UDP/TLS/RTP/SAVP", 2, "actpass"));
    assert_eq!(moved, (DtlsRole::Client, first.1 + 1), "another certificate is another handshake");
    assert_eq!(take(&mut negotiation, "m=audio 4000 RTP/AVP 0\n").unwrap_err(), Unacceptable::NotEncrypted);
    let weak = format!("m=audio 4000 UDP/TLS/RTP/SAVP 0\na=fingerprint:sha-1 {}\n", ["AB"; 20].join(":"));
    assert_eq!(take(&mut us(SrtpPolicy::Allow), &weak).unwrap_err(), Unacceptable::Protocol);
}

#[test]
fn a_handshake_is_offered_where_the_profile_says_so() {
    let mut negotiation = with(|preferences| (preferences.srtp, preferences.offer_dtls) = (SrtpPolicy::Require, true));
    let ours = SessionDescription::parse(&negotiation.offer()).unwrap();
    let audio = &ours.media[0];
    assert_eq!((audio.protocol.as_str(), ours.setup(audio)), ("UDP/TLS/RTP/SAVP", Some(Setup::ActPass)));
    assert_eq!((ours.fingerprints(audio), audio.cryptos().count()), (vec![fingerprint(0xaa)], 0));
    let answer = offer(&dtls("UDP/TLS/RTP/SAVP", 9, "active"));
    let Security::Dtls(agreed) = negotiation.take_answer(answer.as_bytes(), THEM).unwrap().security else { panic!() };
    assert_eq!((agreed.role, agreed.fingerprints), (DtlsRole::Server, vec![fingerprint(9)]));
}

#[test]
fn each_fork_that_answers_early_has_its_own_keys() {
    let mut negotiation = us(SrtpPolicy::Require);
    negotiation.offer();
    let fork = |key| offer(&sdes("RTP/SAVP", &[&one(1, "AES_CM_128_HMAC_SHA1_80", key)]));
    let one = negotiation.take_early_answer(fork(KEY).as_bytes(), THEM).unwrap();
    let two = negotiation.take_early_answer(fork(OTHER_KEY).as_bytes(), THEM).unwrap();
    assert!(negotiation.is_offering());
    assert_ne!(keys(&one).3, keys(&two).3);
    assert!(negotiation.take_early_answer(b"nonsense", THEM).is_err() && negotiation.is_offering());
    let last = negotiation.take_answer(fork(KEY).as_bytes(), THEM).unwrap();
    assert_eq!((keys(&last), negotiation.is_offering()), (keys(&one), false));
}

#[test]
fn no_key_prints_and_a_negotiation_is_plain_data() {
    let mut negotiation = us(SrtpPolicy::Require);
    let sdp = String::from_utf8(negotiation.offer().to_vec()).unwrap();
    let line = sdp.lines().find(|line| line.starts_with("a=crypto:1")).unwrap();
    let key = line.split("inline:").nth(1).unwrap();
    let agreed = negotiation
        .take_answer(offer(&sdes("RTP/SAVP", &[&one(1, "AES_CM_128_HMAC_SHA1_80", KEY)])).as_bytes(), THEM)
        .unwrap();
    for printed in [format!("{negotiation:?}"), format!("{agreed:?}")] {
        assert!(!printed.contains(key) && !printed.contains(KEY), "{printed}");
    }
    let kept = serde_json::to_string(&negotiation).unwrap();
    assert_eq!(serde_json::from_str::<Negotiation>(&kept).unwrap(), negotiation);
}

#[test]
fn a_profile_is_what_we_like_within_what_the_node_has() {
    let mut profile = Profile::default();
    let node = NodePreferences { codecs: vec![Codec::Pcma], ptime: 30, fingerprint: Some(fingerprint(1)) };
    let plain = Preferences::of(&profile, &node);
    assert_eq!(
        (plain.codecs, plain.ptime, plain.dtls.is_some(), plain.offer_dtls),
        (vec![Codec::Pcma], 30, true, false)
    );
    profile.media.codecs = vec![Codec::Pcmu];
    profile.media.ptime = 40;
    profile.quirks = vec![Quirk::NoRtcpMux];
    profile.srtp.suites = vec!["aes_256_cm_hmac_sha1_80".into(), "nonsense".into()];
    profile.srtp.dtls = false;
    profile.srtp.offer_dtls = true;
    let asked = Preferences::of(&profile, &node);
    assert_eq!((asked.codecs, asked.ptime, asked.rtcp_mux), (vec![Codec::Pcmu], 40, false));
    assert_eq!((asked.suites, asked.dtls, asked.offer_dtls), (vec![Suite::Aes256Sha1Tag80], None, false));
}
