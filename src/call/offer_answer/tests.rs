//! Offers as phones make them, and what is answered.

use proptest::prelude::*;

use super::*;
use crate::base::Rng;

const THEM: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 9));

fn us() -> Negotiation {
    let mut negotiation = Negotiation::new(Preferences::default(), &mut Rng::from_number(77));
    negotiation.set_local("198.51.100.1".parse().unwrap(), 20_000);
    negotiation
}

fn offer(lines: &str) -> String {
    format!("v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n{}", lines.replace('\n', "\r\n"))
}

fn answer(lines: &str) -> (SessionDescription, Agreed) {
    let (sdp, agreed) = us().answer(offer(lines).as_bytes(), THEM).unwrap();
    (SessionDescription::parse(&sdp).unwrap(), agreed)
}

fn refusal(lines: &str) -> Unacceptable {
    us().answer(offer(lines).as_bytes(), THEM).unwrap_err()
}

#[test]
fn the_first_codec_of_theirs_that_we_speak_is_taken_with_their_numbers() {
    let (sdp, agreed) = answer("m=audio 4000 RTP/AVP 18 8 0 110\na=rtpmap:110 telephone-event/8000\na=ptime:30\n");
    assert_eq!(agreed.format.codec, Codec::Pcma);
    assert_eq!((agreed.format.ptime, agreed.format.telephone_event), (30, Some((110, 110))));
    assert_eq!(agreed.remote.rtp, "192.0.2.9:4000".parse().ok());
    assert_eq!(agreed.remote.rtcp, "192.0.2.9:4001".parse().ok());
    assert_eq!(sdp.media[0].formats, ["8", "110"]);
    assert_eq!(sdp.media[0].port, 20_000);
    let dynamic = answer("m=audio 4000 RTP/AVP 97\na=rtpmap:97 pcmu/8000\n").1;
    assert_eq!((dynamic.format.codec, dynamic.format.send_payload_type), (Codec::Pcmu, 97));
}

#[test]
fn an_operator_may_put_our_order_first() {
    let preferences = Preferences { ours_first: true, ..Preferences::default() };
    let mut negotiation = Negotiation::new(preferences, &mut Rng::from_number(1));
    negotiation.set_local("198.51.100.1".parse().unwrap(), 20_000);
    let (_, agreed) = negotiation.answer(offer("m=audio 4000 RTP/AVP 8 0\n").as_bytes(), THEM).unwrap();
    assert_eq!(agreed.format.codec, Codec::Pcmu);
}

#[test]
fn packet_lengths_stay_within_what_they_bear() {
    for (lines, length) in [
        ("a=ptime:20\n", 20),
        ("a=ptime:10\n", 10),
        ("a=ptime:60\n", 60),
        ("a=ptime:50\n", 40),
        ("a=ptime:5\n", 10),
        ("a=ptime:0\n", 20),
        ("a=ptime:999\n", 60),
        ("a=maxptime:10\n", 10),
        ("a=ptime:60\na=maxptime:30\n", 30),
        ("", 20),
    ] {
        assert_eq!(answer(&format!("m=audio 4000 RTP/AVP 0\n{lines}")).1.format.ptime, length, "{lines}");
    }
}

#[test]
fn holds_in_every_style_are_answered_in_kind() {
    for (lines, ours, theirs) in [
        ("m=audio 4000 RTP/AVP 0\na=sendonly\n", "recvonly", Direction::RecvOnly),
        ("m=audio 4000 RTP/AVP 0\na=recvonly\n", "sendonly", Direction::SendOnly),
        ("m=audio 4000 RTP/AVP 0\na=inactive\n", "inactive", Direction::Inactive),
        ("m=audio 4000 RTP/AVP 0\nc=IN IP4 0.0.0.0\n", "recvonly", Direction::RecvOnly),
        ("m=audio 4000 RTP/AVP 0\nc=IN IP4 0.0.0.0\na=inactive\n", "inactive", Direction::Inactive),
        ("a=sendonly\nm=audio 4000 RTP/AVP 0\n", "recvonly", Direction::RecvOnly),
        ("m=audio 4000 RTP/AVP 0\n", "sendrecv", Direction::SendRecv),
    ] {
        let (sdp, agreed) = answer(lines);
        assert_eq!(sdp.media[0].flow().map(Flow::name), Some(ours), "{lines}");
        assert_eq!(agreed.format.direction, theirs, "{lines}");
    }
}

#[test]
fn other_media_are_refused_in_their_places() {
    let (sdp, _) = answer(
        "m=video 5000 RTP/AVP 96\na=rtpmap:96 H264/90000\nm=audio 6000 RTP/SAVP 0\nm=audio 4000 RTP/AVP 0\nm=image 4002 udptl t38\n",
    );
    let shape: Vec<(String, u16)> = sdp.media.iter().map(|m| (format!("{} {}", m.kind, m.protocol), m.port)).collect();
    let expected = [("video RTP/AVP", 0), ("audio RTP/SAVP", 0), ("audio RTP/AVP", 20_000), ("image udptl", 0)];
    assert_eq!(shape, expected.map(|(kind, port)| (kind.to_owned(), port)));
}

#[test]
fn what_cannot_be_agreed_says_why() {
    assert_eq!(refusal("m=audio 4000 RTP/AVP 18\n"), Unacceptable::Codec);
    assert_eq!(refusal("m=audio 4000 RTP/SAVP 0\n"), Unacceptable::Protocol);
    assert_eq!(refusal("m=audio 4000 UDP/TLS/RTP/SAVPF 0\n"), Unacceptable::Protocol);
    assert_eq!(refusal("m=video 4000 RTP/AVP 96\n"), Unacceptable::NoAudio);
    assert_eq!(refusal("m=audio 0 RTP/AVP 0\n"), Unacceptable::NoAudio);
    assert_eq!(refusal("m=audio 4000 RTP/AVP 0\nc=IN IP4 233.252.0.1\n"), Unacceptable::Address);
    assert_eq!(refusal("m=audio 4000 RTP/AVP 0\nc=IN IP4 255.255.255.255\n"), Unacceptable::Address);
    assert_eq!(us().answer(b"hello", THEM).unwrap_err(), Unacceptable::NotSdp);
    for why in [Unacceptable::Codec, Unacceptable::Protocol] {
        assert!(why.headers("gw.example")[0].1.as_str().contains("gw.example \""));
    }
}

#[test]
fn rtcp_goes_where_it_is_asked_for() {
    let remote = |lines: &str| answer(&format!("m=audio 4000 RTP/AVP 0\n{lines}")).1.remote;
    assert_eq!(remote("a=rtcp:5005\n").rtcp, "192.0.2.9:5005".parse().ok());
    assert_eq!(remote("a=rtcp:5005 IN IP4 192.0.2.10\n").rtcp, "192.0.2.10:5005".parse().ok());
    let mux = answer("m=audio 4000 RTP/AVP 0\na=rtcp-mux\n");
    assert!(mux.1.remote.rtcp_mux && mux.0.media[0].has("rtcp-mux"));
    assert_eq!(remote("c=IN IP4 phone.example.com\n").rtp, "192.0.2.9:4000".parse().ok());
    assert_eq!(remote("c=IN IP4 0.0.0.0\n").rtp, None);
}

#[test]
fn a_re_offer_keeps_what_was_agreed_and_counts_changes_only() {
    let mut negotiation = us();
    let version = |sdp: &[u8]| SessionDescription::parse(sdp).unwrap().origin.version;
    let (first, agreed) = negotiation.answer(offer("m=audio 4000 RTP/AVP 0 8\n").as_bytes(), THEM).unwrap();
    assert_eq!(agreed.format.codec, Codec::Pcmu);
    let (again, agreed) = negotiation.answer(offer("m=audio 4000 RTP/AVP 8 0\n").as_bytes(), THEM).unwrap();
    assert_eq!(agreed.format.codec, Codec::Pcmu, "still offered, so kept");
    assert_eq!(version(&first), version(&again));
    let (held, _) = negotiation.answer(offer("m=audio 4000 RTP/AVP 0\na=sendonly\n").as_bytes(), THEM).unwrap();
    assert_ne!(version(&again), version(&held));
    let before = negotiation.clone();
    assert!(negotiation.answer(offer("m=audio 4000 RTP/AVP 18\n").as_bytes(), THEM).is_err());
    assert_eq!(negotiation, before, "a refused offer changes nothing");
    let (changed, agreed) = negotiation.answer(offer("m=audio 4000 RTP/AVP 8\n").as_bytes(), THEM).unwrap();
    assert_eq!(agreed.format.codec, Codec::Pcma, "the codec changed in the call");
    assert_ne!(version(&held), version(&changed));
}

#[test]
fn where_they_leave_the_offer_to_us_their_answer_decides() {
    let mut negotiation = us();
    let ours = SessionDescription::parse(&negotiation.offer()).unwrap();
    assert_eq!(ours.media[0].formats, ["0", "8", "101"]);
    assert!(negotiation.is_offering());
    let agreed = negotiation
        .take_answer(offer("m=audio 4000 RTP/AVP 8 101\na=rtpmap:101 telephone-event/8000\n").as_bytes(), THEM)
        .unwrap();
    assert_eq!((agreed.format.codec, agreed.format.telephone_event), (Codec::Pcma, Some((101, 101))));
    assert_eq!(negotiation.take_answer(b"", THEM).unwrap_err(), Unacceptable::NotAnAnswer);
    negotiation.offer();
    let agreed = negotiation
        .take_answer(
            offer("m=audio 4000 RTP/AVP 98 96\na=rtpmap:98 PCMA/8000\na=rtpmap:96 telephone-event/8000\n").as_bytes(),
            THEM,
        )
        .unwrap();
    assert_eq!(
        (agreed.format.send_payload_type, agreed.format.receive_payload_type),
        (98, 8),
        "each side names what it receives"
    );
    assert_eq!(agreed.format.telephone_event, Some((96, 101)));
    negotiation.offer();
    assert_eq!(
        negotiation.take_answer(offer("m=audio 0 RTP/AVP 8\n").as_bytes(), THEM).unwrap_err(),
        Unacceptable::NoAudio
    );
    let hold = SessionDescription::parse(&negotiation.hold(HoldStyle::SendOnly)).unwrap();
    assert_eq!(
        (hold.media[0].formats.clone(), hold.media[0].flow()),
        (vec!["8".to_owned(), "101".to_owned()], Some(Flow::SendOnly))
    );
    let agreed = negotiation.take_answer(offer("m=audio 4000 RTP/AVP 8\na=recvonly\n").as_bytes(), THEM).unwrap();
    assert_eq!(agreed.format.direction, Direction::SendOnly);
}

#[test]
fn a_negotiation_is_plain_data() {
    let mut negotiation = us();
    negotiation.answer(offer("m=audio 4000 RTP/AVP 0\n").as_bytes(), THEM).unwrap();
    let kept = serde_json::to_string(&negotiation).unwrap();
    assert_eq!(serde_json::from_str::<Negotiation>(&kept).unwrap(), negotiation);
}

proptest! {
    /// What is answered is what is sent: codec, payload types, packet length, direction.
    #[test]
    fn what_we_answer_is_what_we_send(
        types in proptest::collection::vec(prop_oneof![Just(0u8), Just(8), Just(18), Just(9), 96u8..120], 1..6),
        maps in proptest::collection::vec((96u8..120, prop_oneof![Just("PCMU/8000"), Just("pcma/8000"), Just("telephone-event/8000"), Just("opus/48000/2"), Just("PCMU/16000")]), 0..6),
        ptime in proptest::option::of(0u32..100),
        flow in prop_oneof![Just("sendrecv"), Just("sendonly"), Just("recvonly"), Just("inactive")],
    ) {
        let numbers: Vec<String> = types.iter().map(u8::to_string).collect();
        let mut lines = format!("m=audio 4000 RTP/AVP {}\n", numbers.join(" "));
        for (number, map) in &maps {
            lines += &format!("a=rtpmap:{number} {map}\n");
        }
        if let Some(ptime) = ptime {
            lines += &format!("a=ptime:{ptime}\n");
        }
        lines += &format!("a={flow}\n");
        if let Ok((sdp, agreed)) = us().answer(offer(&lines).as_bytes(), THEM) {
            let sdp = SessionDescription::parse(&sdp).unwrap();
            let audio = &sdp.media[0];
            let format = agreed.format;
            prop_assert!(types.contains(&format.send_payload_type), "what we send was offered");
            let map = audio.rtpmap(format.receive_payload_type).unwrap();
            prop_assert!(map.is(format.codec.name(), 8000));
            prop_assert_eq!(sdp.ptime(audio), Some(u32::from(format.ptime)));
            prop_assert_eq!(sdp.flow(audio), flow_of(format.direction));
            if let Some((send, receive)) = format.telephone_event {
                prop_assert!(types.contains(&send));
                prop_assert!(audio.rtpmap(receive).unwrap().is("telephone-event", 8000));
            }
        }
    }
}

#[test]
fn a_phone_that_names_the_other_address_family_is_sent_to_where_it_calls_from() {
    let (_, agreed) = answer("m=audio 4000 RTP/AVP 0\nc=IN IP6 2001:db8::9\na=rtcp:4009 IN IP6 2001:db8::9\n");
    assert_eq!(agreed.remote.rtp, Some(SocketAddr::new(THEM, 4000)));
    assert_eq!(agreed.remote.rtcp, Some(SocketAddr::new(THEM, 4009)));
}
