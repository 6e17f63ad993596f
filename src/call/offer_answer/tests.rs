//! Offers as phones make them, and what is answered.

use proptest::prelude::*;

use super::write::flow_of;
use super::*;
use crate::base::Rng;

pub(super) const THEM: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 9));

fn us() -> Negotiation {
    let mut negotiation = Negotiation::new(Preferences::default(), &mut Rng::from_number(77));
    negotiation.set_local("198.51.100.1".parse().unwrap(), 20_000);
    negotiation
}

pub(super) fn offer(lines: &str) -> String {
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
        "m=video 5000 RTP/AVP 96\na=rtpmap:96 H264/90000\nm=audio 6000 RTP/SAVP 0\nm=audio 6002 TCP/RTP/AVP 0\nm=audio 4000 RTP/AVP 0\nm=image 4002 udptl t38\n",
    );
    let shape: Vec<(String, u16)> = sdp.media.iter().map(|m| (format!("{} {}", m.kind, m.protocol), m.port)).collect();
    let expected = [
        ("video RTP/AVP", 0),
        ("audio RTP/SAVP", 0),
        ("audio TCP/RTP/AVP", 0),
        ("audio RTP/AVP", 20_000),
        ("image udptl", 0),
    ];
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
        (["8", "0", "101"].map(str::to_owned).to_vec(), Some(Flow::SendOnly)),
        "the codec in use first, and the others too"
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

fn read(sdp: &[u8]) -> SessionDescription {
    SessionDescription::parse(sdp).unwrap()
}

#[test]
fn we_hold_in_three_styles_and_stay_on_hold_until_we_resume() {
    for (style, flow, zero, answered, while_held) in [
        (HoldStyle::SendOnly, Flow::SendOnly, false, "a=recvonly\n", Direction::SendOnly),
        (HoldStyle::Inactive, Flow::Inactive, false, "a=inactive\n", Direction::Inactive),
        (HoldStyle::ZeroAddress, Flow::SendOnly, true, "a=recvonly\n", Direction::SendOnly),
        (HoldStyle::ZeroAddress, Flow::SendOnly, true, "", Direction::SendOnly),
    ] {
        let mut negotiation = us();
        negotiation.answer(offer("m=audio 4000 RTP/AVP 0 8\n").as_bytes(), THEM).unwrap();
        let ours = read(&negotiation.hold(style));
        assert_eq!(ours.flow(&ours.media[0]), flow);
        assert_eq!(ours.connection_of(&ours.media[0]).unwrap().is_unspecified(), zero, "{style:?}");
        let held =
            negotiation.take_answer(offer(&format!("m=audio 4000 RTP/AVP 0\n{answered}")).as_bytes(), THEM).unwrap();
        assert_eq!((held.format.direction, held.held), (while_held, false), "they do not hold us");
        let (answer, theirs) = negotiation.answer(offer("m=audio 4000 RTP/AVP 0\n").as_bytes(), THEM).unwrap();
        assert_eq!(theirs.format.direction, while_held, "an offer of theirs does not end our hold");
        assert_eq!(read(&answer).media[0].flow(), Some(flow_of(while_held)));
        let both = negotiation.answer(offer("m=audio 4000 RTP/AVP 0\na=sendonly\n").as_bytes(), THEM).unwrap().1;
        assert_eq!((both.format.direction, both.held), (Direction::Inactive, true), "both hold");
        let resumed = read(&negotiation.resume());
        assert_eq!((resumed.media[0].flow(), negotiation.holding()), (Some(Flow::SendRecv), None));
        let still = negotiation.take_answer(offer("m=audio 4000 RTP/AVP 0\na=sendonly\n").as_bytes(), THEM).unwrap();
        assert_eq!((still.format.direction, still.held), (Direction::RecvOnly, true), "they still hold");
    }
}

#[test]
fn a_hold_that_is_refused_is_no_hold() {
    let mut negotiation = us();
    negotiation.answer(offer("m=audio 4000 RTP/AVP 0\n").as_bytes(), THEM).unwrap();
    let before = negotiation.clone();
    negotiation.hold(HoldStyle::SendOnly);
    negotiation.resume();
    negotiation.hold(HoldStyle::Inactive);
    negotiation.withdraw();
    assert_eq!((negotiation.holding(), negotiation.is_offering()), (None, false));
    let (_, agreed) = negotiation.answer(offer("m=audio 4000 RTP/AVP 0\n").as_bytes(), THEM).unwrap();
    assert_eq!(agreed.format.direction, Direction::SendRecv);
    assert_eq!(before.codec(), negotiation.codec());
}

#[test]
fn the_codec_of_the_other_leg_is_put_first() {
    let mut negotiation = us();
    negotiation.prefer(Codec::Pcma);
    let (_, agreed) = negotiation.answer(offer("m=audio 4000 RTP/AVP 0 8\n").as_bytes(), THEM).unwrap();
    assert_eq!(agreed.format.codec, Codec::Pcma);
    let (_, agreed) = negotiation.answer(offer("m=audio 4000 RTP/AVP 0\n").as_bytes(), THEM).unwrap();
    assert_eq!(agreed.format.codec, Codec::Pcmu, "where they do not speak it, what they speak");
    negotiation.prefer(Codec::Pcmu);
    assert_eq!(read(&negotiation.offer()).media[0].formats, ["0", "8", "101"]);
    negotiation.withdraw();
    negotiation.prefer(Codec::Pcma);
    assert_eq!(read(&negotiation.offer()).media[0].formats, ["8", "0", "101"], "a change in the middle of the call");
    let agreed = negotiation.take_answer(offer("m=audio 4000 RTP/AVP 8 0\n").as_bytes(), THEM).unwrap();
    assert_eq!(agreed.format.codec, Codec::Pcma);
    let mut deaf =
        Negotiation::new(Preferences { codecs: vec![Codec::Pcmu], ..Preferences::default() }, &mut Rng::from_number(3));
    deaf.prefer(Codec::Pcma);
    let (sdp, _) = deaf.answer(offer("m=audio 4000 RTP/AVP 8 0\n").as_bytes(), THEM).unwrap();
    assert_eq!(read(&sdp).media[0].formats, ["0"], "what a leg may not speak it does not speak");
}

#[test]
fn a_number_that_meant_something_else_is_not_used_again() {
    let mut negotiation = us();
    negotiation.offer();
    negotiation
        .take_answer(offer("m=audio 4000 RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000\n").as_bytes(), THEM)
        .unwrap();
    let strange = "m=audio 4000 RTP/AVP 101 100\na=rtpmap:101 PCMA/8000\na=rtpmap:100 telephone-event/8000\n";
    let (sdp, agreed) = negotiation.answer(offer(strange).as_bytes(), THEM).unwrap();
    assert_eq!((agreed.format.send_payload_type, agreed.format.receive_payload_type), (101, 8));
    assert_eq!(agreed.format.telephone_event, Some((100, 100)));
    assert_eq!(read(&sdp).media[0].formats, ["8", "100"]);
}

#[test]
fn extended_reports_are_sent_to_and_asked_of_those_alone_who_ask_for_them() {
    let (sdp, agreed) = answer("m=audio 4000 RTP/AVP 0\na=rtcp-xr:rcvr-rtt=all:10 stat-summary=loss voip-metrics\n");
    assert_eq!(agreed.format.reports, Extended { metrics: true, round_trip: true });
    assert_eq!(sdp.media[0].values("rtcp-xr").collect::<Vec<_>>(), ["rcvr-rtt=all voip-metrics"]);
    let (sdp, agreed) = answer("a=rtcp-xr:voip-metrics\nm=audio 4000 RTP/AVP 0\n");
    assert_eq!(agreed.format.reports, Extended { metrics: true, round_trip: false }, "for every medium");
    assert!(sdp.media[0].has("rtcp-xr"));
    let (sdp, agreed) = answer("m=audio 4000 RTP/AVP 0\n");
    assert_eq!(agreed.format.reports, Extended::default());
    assert!(!sdp.media[0].has("rtcp-xr"));
}

#[test]
fn comfort_noise_is_agreed_where_the_profile_likes_it() {
    let noisy = "m=audio 4000 RTP/AVP 0 13 101\na=rtpmap:101 telephone-event/8000\n";
    let (sdp, _) = answer(noisy);
    assert_eq!(sdp.media[0].formats, ["0", "101"]);
    let preferences = Preferences { comfort_noise: true, event_type: 96, ..Preferences::default() };
    let mut negotiation = Negotiation::new(preferences, &mut Rng::from_number(9));
    assert_eq!(read(&negotiation.clone().offer()).media[0].formats, ["0", "8", "13", "96"]);
    let (sdp, _) = negotiation.answer(offer(noisy).as_bytes(), THEM).unwrap();
    assert_eq!(sdp_map(&sdp, 13), Some("CN".to_owned()));
}

fn sdp_map(sdp: &[u8], number: u8) -> Option<String> {
    read(sdp).media[0].rtpmap(number).map(|map| map.encoding)
}

#[test]
fn digits_by_info_need_no_events() {
    let preferences = Preferences { events: false, ..Preferences::default() };
    let mut negotiation = Negotiation::new(preferences, &mut Rng::from_number(9));
    let lines = "m=audio 4000 RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000\n";
    let (sdp, agreed) = negotiation.answer(offer(lines).as_bytes(), THEM).unwrap();
    assert_eq!((agreed.format.telephone_event, read(&sdp).media[0].formats.len()), (None, 1));
}

#[test]
fn an_offer_left_to_them_in_a_200_is_answered_in_the_ack() {
    let mut negotiation = us();
    let (sdp, agreed) = negotiation.answer(offer("m=audio 4000 RTP/AVP 8 0\na=rtcp-mux\n").as_bytes(), THEM).unwrap();
    assert_eq!((agreed.format.codec, agreed.remote.rtcp_mux), (Codec::Pcma, true));
    assert!(read(&sdp).media[0].rtcp().is_none());
    let mut without =
        Negotiation::new(Preferences { rtcp_mux: false, ..Preferences::default() }, &mut Rng::from_number(4));
    without.set_local("198.51.100.1".parse().unwrap(), 20_000);
    let (sdp, agreed) = without.answer(offer("m=audio 4000 RTP/AVP 8 0\na=rtcp-mux\n").as_bytes(), THEM).unwrap();
    assert!(!agreed.remote.rtcp_mux && !read(&sdp).media[0].has("rtcp-mux"));
    let both = read(&us().offer());
    assert_eq!((both.media[0].has("rtcp-mux"), both.media[0].rtcp()), (true, Some((20_001, None))));
}

#[test]
fn a_second_audio_that_was_carried_stays_the_one() {
    let mut negotiation = us();
    let second = "m=audio 4000 RTP/AVP 18\nm=audio 4002 RTP/AVP 0\nm=image 4004 udptl t38\n";
    negotiation.answer(offer(second).as_bytes(), THEM).unwrap();
    let ours = read(&negotiation.offer());
    assert_eq!(ours.media.iter().map(|media| media.port).collect::<Vec<_>>(), [0, 20_000, 0]);
    let later = "m=audio 4000 RTP/AVP 0\nm=audio 4002 RTP/AVP 0\nm=image 4004 udptl t38\n";
    let (sdp, agreed) = negotiation.answer(offer(later).as_bytes(), THEM).unwrap();
    assert_eq!(read(&sdp).media.iter().map(|media| media.port).collect::<Vec<_>>(), [0, 20_000, 0]);
    assert_eq!(agreed.remote.rtp, "192.0.2.9:4002".parse().ok());
}

#[test]
fn wideband_codecs_are_spoken_by_their_own_numbers_and_clocks() {
    let preferences = Preferences { codecs: Codec::ALL.iter().rev().copied().collect(), ..Preferences::default() };
    let mut negotiation = Negotiation::new(preferences, &mut Rng::from_number(9));
    let ours = read(&negotiation.clone().offer());
    assert_eq!(ours.media[0].formats, ["97", "9", "8", "0", "101", "96"]);
    let map = |number| ours.media[0].rtpmap(number).map(|map| (map.encoding, map.clock_rate, map.channels));
    assert_eq!(map(97), Some(("opus".to_owned(), 48_000, 2)));
    assert_eq!(map(9), Some(("G722".to_owned(), 8000, 1)));
    assert_eq!((map(101).unwrap().1, map(96).unwrap().1), (8000, 48_000), "events on either clock");
    assert_eq!(ours.media[0].fmtp(97), Some("maxaveragebitrate=40000;useinbandfec=1;stereo=0;sprop-stereo=0"));
    let lines = "m=audio 4000 RTP/AVP 123 9 101 100\na=rtpmap:123 OPUS/48000/2\na=fmtp:123 maxplaybackrate=16000\n\
        a=rtpmap:101 telephone-event/8000\na=rtpmap:100 telephone-event/48000\na=ptime:20\n";
    let (sdp, agreed) = negotiation.answer(offer(lines).as_bytes(), THEM).unwrap();
    assert_eq!((agreed.format.codec, agreed.format.telephone_event), (Codec::Opus, Some((100, 100))));
    assert_eq!(agreed.format.opus.max_playback_rate, 16_000);
    assert_eq!(read(&sdp).media[0].formats, ["123", "100"]);
    let narrow = "m=audio 4000 RTP/AVP 9 101\na=rtpmap:101 telephone-event/8000\n";
    let (sdp, agreed) = negotiation.answer(offer(narrow).as_bytes(), THEM).unwrap();
    assert_eq!((agreed.format.codec, agreed.format.receive_payload_type), (Codec::G722, 9));
    assert_eq!(read(&sdp).media[0].formats, ["9", "101"]);
    let again = read(&negotiation.offer());
    assert_eq!(again.media[0].formats, ["9", "123", "8", "0", "101", "100"], "each number stays what it was");
}

fn wideband(codecs: &[Codec]) -> Negotiation {
    let preferences = Preferences { codecs: codecs.to_vec(), ..Preferences::default() };
    let mut negotiation = Negotiation::new(preferences, &mut Rng::from_number(9));
    negotiation.set_local("198.51.100.1".parse().unwrap(), 20_000);
    negotiation
}

#[test]
fn a_phone_that_knows_events_of_one_clock_alone_has_them_beside_opus() {
    for numbers in ["111 101", "111 0 9 8 101"] {
        let mut negotiation = wideband(&[Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu]);
        let lines = format!(
            "m=audio 4000 RTP/AVP {numbers}\na=rtpmap:111 opus/48000/2\na=rtpmap:101 telephone-event/8000\na=fmtp:101 0-16\n"
        );
        let (sdp, agreed) = negotiation.answer(offer(&lines).as_bytes(), THEM).unwrap();
        assert_eq!((agreed.format.codec, agreed.format.telephone_event), (Codec::Opus, Some((101, 101))));
        assert!(agreed.format.opus.narrow_events, "and they last so many 1/8000 s");
        let ours = read(&sdp);
        assert_eq!(ours.media[0].formats, ["111", "101"]);
        assert_eq!(ours.media[0].rtpmap(101).map(|map| map.clock_rate), Some(8000));
        // An offer of ours has what holds, under its number, and a clock that fits its own besides.
        let again = read(&negotiation.offer());
        assert_eq!(again.media[0].rtpmap(101).map(|map| map.clock_rate), Some(8000));
    }
}

#[test]
fn events_of_the_codecs_own_clock_are_taken_where_there_are_both_in_whatever_order() {
    for numbers in ["111 101 110", "111 110 101"] {
        let lines = format!(
            "m=audio 4000 RTP/AVP {numbers}\na=rtpmap:111 opus/48000/2\na=rtpmap:101 telephone-event/8000\n\
             a=rtpmap:110 telephone-event/48000\n"
        );
        let (sdp, agreed) = wideband(&[Codec::Opus]).answer(offer(&lines).as_bytes(), THEM).unwrap();
        assert_eq!((agreed.format.telephone_event, agreed.format.opus.narrow_events), (Some((110, 110)), false));
        assert_eq!(read(&sdp).media[0].formats, ["111", "110"]);
    }
}

#[test]
fn opus_is_offered_with_events_of_both_clocks_even_alone_and_their_answer_has_one() {
    let mut negotiation = wideband(&[Codec::Opus]);
    let ours = read(&negotiation.offer());
    let clock = |number| ours.media[0].rtpmap(number).map(|map| map.clock_rate);
    assert_eq!(ours.media[0].formats, ["97", "101", "96"]);
    assert_eq!((clock(101), clock(96)), (Some(8000), Some(48_000)));
    for (number, clock, narrow) in [(101, 8000, true), (96, 48_000, false), (101, 8000, true)] {
        let lines = format!(
            "m=audio 4000 RTP/AVP 97 {number}\na=rtpmap:97 opus/48000/2\na=rtpmap:{number} telephone-event/{clock}\n"
        );
        let agreed = negotiation.take_answer(offer(&lines).as_bytes(), THEM).unwrap();
        assert_eq!(agreed.format.telephone_event, Some((number, number)));
        assert_eq!(agreed.format.opus.narrow_events, narrow);
        negotiation.offer();
    }
}
