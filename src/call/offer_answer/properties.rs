//! Two ends that offer and answer in turn, whatever they like and in whatever order.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::base::Rng as Chance;
use crate::media::command::{DtlsRole, Sdes};
use crate::wire::sdp::{Fingerprint, Hash, Suite};

/// What one end does next.
#[derive(Debug, Clone)]
enum Deed {
    Offer,
    Hold(HoldStyle),
    Resume,
    Prefer(Codec),
    /// The far end offers numbers of its own choice.
    Strange(Vec<(u8, &'static str)>),
    /// An offer that is refused.
    Refused,
}

fn deed() -> impl Strategy<Value = Deed> {
    let style = prop_oneof![Just(HoldStyle::SendOnly), Just(HoldStyle::Inactive), Just(HoldStyle::ZeroAddress)];
    let map = prop_oneof![
        Just("PCMU/8000"),
        Just("PCMA/8000"),
        Just("G722/8000"),
        Just("opus/48000/2"),
        Just("telephone-event/8000"),
        Just("telephone-event/48000"),
        Just("CN/8000"),
    ];
    prop_oneof![
        3 => Just(Deed::Offer),
        2 => style.prop_map(Deed::Hold),
        2 => Just(Deed::Resume),
        2 => codec().prop_map(Deed::Prefer),
        2 => proptest::collection::vec((96u8..128, map), 1..5).prop_map(Deed::Strange),
        1 => Just(Deed::Refused),
    ]
}

fn codec() -> impl Strategy<Value = Codec> {
    proptest::sample::select(Codec::ALL.to_vec())
}

fn preferences() -> impl Strategy<Value = Preferences> {
    let codecs = prop_oneof![
        Just(vec![Codec::Pcmu, Codec::Pcma]),
        Just(vec![Codec::Pcma, Codec::Pcmu]),
        Just(vec![Codec::Pcmu]),
        Just(vec![Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu]),
        Just(vec![Codec::G722, Codec::Pcmu, Codec::Opus]),
    ];
    let srtp = prop_oneof![Just(SrtpPolicy::Off), Just(SrtpPolicy::Allow), Just(SrtpPolicy::Require)];
    (codecs, srtp, any::<[bool; 6]>(), 96u8..128, 0usize..4).prop_map(|(codecs, srtp, flags, event_type, suite)| {
        let [ours_first, events, comfort_noise, rtcp_mux, dtls, offer_dtls] = flags;
        let dtls = dtls.then(|| Fingerprint { hash: Hash::Sha256, value: vec![event_type; 32] });
        let suites = vec![Suite::Aes128Sha1Tag80, Suite::ALL[suite]];
        Preferences {
            codecs,
            ours_first,
            ptime: 20,
            events,
            event_type,
            comfort_noise,
            rtcp_mux,
            srtp,
            suites,
            dtls,
            offer_dtls,
        }
    })
}

/// What every number of a side has ever meant, and its last version.
#[derive(Default)]
struct Said {
    meanings: BTreeMap<u8, String>,
    last: Option<(u64, String)>,
}

impl Said {
    fn check(&mut self, sdp: &[u8]) {
        let text = String::from_utf8(sdp.to_vec()).unwrap();
        let sdp = SessionDescription::parse(sdp).unwrap();
        let audio = sdp.media.iter().find(|media| media.port != 0).unwrap();
        for number in audio.payload_types() {
            let map = audio.rtpmap(number).unwrap();
            let meaning = format!("{}/{}/{}", map.encoding, map.clock_rate, map.channels);
            let known = self.meanings.entry(number).or_insert_with(|| meaning.clone());
            assert_eq!(*known, meaning, "{number} changed its meaning");
        }
        let version: u64 = sdp.origin.version.parse().unwrap();
        let rest: String = text.lines().filter(|line| !line.starts_with("o=")).collect();
        if let Some((last, before)) = &self.last {
            assert_eq!(version, last + u64::from(*before != rest), "the version counts changes");
        }
        self.last = Some((version, rest));
    }
}

fn mirrored(direction: Direction) -> Direction {
    match direction {
        Direction::SendOnly => Direction::RecvOnly,
        Direction::RecvOnly => Direction::SendOnly,
        both => both,
    }
}

/// What one end sends with is what the other takes.
fn assert_agree(a: &Agreed, b: &Agreed) {
    assert_eq!(a.format.codec, b.format.codec);
    assert_eq!(a.format.send_payload_type, b.format.receive_payload_type);
    assert_eq!(b.format.send_payload_type, a.format.receive_payload_type);
    assert_eq!(a.format.telephone_event, b.format.telephone_event.map(|(send, receive)| (receive, send)));
    assert_eq!(a.format.comfort_noise, b.format.comfort_noise.map(|(send, receive)| (receive, send)));
    assert_eq!(a.format.direction, mirrored(b.format.direction));
    assert_eq!(a.remote.rtcp_mux, b.remote.rtcp_mux);
    match (&a.security, &b.security) {
        (Security::None, Security::None) => {}
        (Security::Sdes(a), Security::Sdes(b)) => {
            let Sdes { send, receive } = &**a;
            assert_eq!((send, receive), (&b.receive, &b.send));
            assert_ne!(send.master, receive.master);
        }
        (Security::Dtls(a), Security::Dtls(b)) => {
            assert_ne!(a.role == DtlsRole::Client, b.role == DtlsRole::Client);
        }
        (a, b) => panic!("{a:?} against {b:?}"),
    }
}

struct End {
    negotiation: Negotiation,
    address: IpAddr,
    said: Said,
    encrypted: bool,
}

impl End {
    fn new(preferences: Preferences, number: u8) -> Self {
        let address = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, number));
        let mut negotiation = Negotiation::new(preferences, &mut Chance::from_number(u64::from(number)));
        negotiation.set_local(address, 4000 + u16::from(number));
        Self { negotiation, address, said: Said::default(), encrypted: false }
    }

    fn settle(&mut self, agreed: &Agreed) {
        assert!(agreed.security.is_on() || !self.encrypted, "a silent downgrade");
        assert!(agreed.security.is_on() || self.negotiation.preferences.srtp != SrtpPolicy::Require);
        self.encrypted |= agreed.security.is_on();
    }
}

fn play(ends: &mut [End; 2], who: bool, deed: &Deed) {
    let [a, b] = ends;
    let (one, other) = if who { (a, b) } else { (b, a) };
    let offer = match deed {
        Deed::Offer | Deed::Refused => one.negotiation.offer(),
        Deed::Hold(style) => one.negotiation.hold(*style),
        Deed::Resume => one.negotiation.resume(),
        Deed::Prefer(codec) => {
            one.negotiation.prefer(*codec);
            one.negotiation.offer()
        }
        Deed::Strange(maps) => {
            let numbers: Vec<String> = maps.iter().map(|(number, _)| number.to_string()).collect();
            let maps: String = maps.iter().map(|(number, map)| format!("a=rtpmap:{number} {map}\r\n")).collect();
            let strange = format!(
                "v=0\r\no=- 1 1 IN IP4 {0}\r\ns=-\r\nc=IN IP4 {0}\r\nt=0 0\r\nm=audio 4000 RTP/AVP {1}\r\n{maps}",
                one.address,
                numbers.join(" ")
            );
            if let Ok((answer, agreed)) = other.negotiation.answer(strange.as_bytes(), one.address) {
                other.said.check(&answer);
                other.settle(&agreed);
            }
            return;
        }
    };
    one.said.check(&offer);
    if matches!(deed, Deed::Refused) {
        return one.negotiation.withdraw();
    }
    let before = other.negotiation.clone();
    match other.negotiation.answer(&offer, one.address) {
        Ok((answer, theirs)) => {
            other.said.check(&answer);
            let ours = one.negotiation.take_answer(&answer, other.address);
            let ours = ours.unwrap_or_else(|why| {
                panic!("{why:?}\n{}{}", String::from_utf8_lossy(&offer), String::from_utf8_lossy(&answer))
            });
            assert_agree(&ours, &theirs);
            one.settle(&ours);
            other.settle(&theirs);
        }
        Err(_) => {
            assert_eq!(other.negotiation, before, "a refused offer changes nothing");
            let holding = one.negotiation.holding();
            one.negotiation.withdraw();
            assert!(
                !one.negotiation.is_offering()
                    && (holding == one.negotiation.holding() || matches!(deed, Deed::Hold(_) | Deed::Resume))
            );
        }
    }
}

proptest! {
    #[test]
    fn every_sequence_of_offers_keeps_meanings_and_agrees_on_both_sides(
        ours in preferences(),
        theirs in preferences(),
        deeds in proptest::collection::vec((any::<bool>(), deed()), 1..12),
    ) {
        let mut ends = [End::new(ours, 1), End::new(theirs, 2)];
        for (who, deed) in &deeds {
            play(&mut ends, *who, deed);
        }
    }

    #[test]
    fn whatever_is_offered_is_answered_or_refused(lines in proptest::collection::vec(prop_oneof![
        "m=(audio|video|image) [0-9]{1,5} (RTP/S?AVPF?|UDP/TLS/RTP/SAVPF?|udptl)( [0-9]{1,3}){0,4}",
        "a=rtpmap:[0-9]{1,3} (PCMU|PCMA|CN|telephone-event|opus)/(8000|48000)(/2)?",
        "a=(crypto|fingerprint|setup|ptime|maxptime|rtcp|fmtp):[ -~]{0,20}",
        "a=crypto:[0-9] AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz",
        "a=(sendonly|recvonly|inactive|rtcp-mux)",
        "c=IN IP4 (192\\.0\\.2\\.9|0\\.0\\.0\\.0|224\\.0\\.0\\.1)",
    ], 0..14), preferences in preferences()) {
        let offer = format!("v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n{}\r\n", lines.join("\r\n"));
        let mut end = End::new(preferences, 1);
        if let Ok((answer, agreed)) = end.negotiation.answer(offer.as_bytes(), end.address) {
            end.said.check(&answer);
            end.settle(&agreed);
            let offered = SessionDescription::parse(offer.as_bytes()).unwrap();
            let answered = SessionDescription::parse(&answer).unwrap();
            prop_assert_eq!(offered.media.len(), answered.media.len());
            prop_assert_eq!(answered.media.iter().filter(|media| media.port != 0).count(), 1);
        }
    }
}
