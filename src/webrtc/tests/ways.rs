//! Networks that change, tunnels, restarts and reloads.

use std::time::Duration;

use str0m::change::SdpAnswer;

use crate::media::web::{Source, WebCommand, WebEvent};
use crate::webrtc::tests::house::House;

const VOICE: usize = 3;

fn said(house: &House, event: &WebEvent) -> usize {
    house.events.iter().filter(|said| *said == event).count()
}

#[test]
fn a_browser_whose_address_changes_is_heard_on_without_a_pause() {
    let mut house = House::new();
    let anna = house.join(1);
    house.connect();
    let elsewhere = "10.9.9.9:6000".parse().unwrap();
    house.browsers[anna].address = elsewhere;
    let candidate = str0m::Candidate::host(elsewhere, "udp").unwrap();
    let old = str0m::Candidate::host("10.0.1.1:5000".parse().unwrap(), "udp").unwrap();
    house.browsers[anna].rtc.add_local_candidate(candidate);
    house.browsers[anna].rtc.direct_api().invalidate_candidate(&old);
    house.pass(2000);
    let who = crate::base::ParticipantId::from_bits(5);
    for packet in 0..20u32 {
        let clock = house.clock();
        house.browsers[anna].say(clock, -30);
        house.speak(0, who, packet * 960);
        house.pass(20);
    }
    house.pass(50);
    assert_eq!(house.voices.len(), 20);
    assert_eq!(house.browsers[anna].received(VOICE).len(), 20);
    assert_eq!(said(&house, &WebEvent::Interrupted { leg: house.browsers[anna].leg }), 0);
}

#[test]
fn a_restart_renews_the_ways_and_keeps_the_keys() {
    let mut house = House::new();
    let anna = house.join(1);
    house.connect();
    let leg = house.browsers[anna].leg;
    let mut api = house.browsers[anna].rtc.sdp_api();
    api.ice_restart(true);
    let (offer, pending) = api.apply().unwrap();
    let answer = house.offer(leg, offer.to_sdp_string());
    let answer = SdpAnswer::from_sdp_string(&answer).unwrap();
    house.browsers[anna].rtc.sdp_api().accept_answer(pending, answer).unwrap();
    let clock = house.clock();
    house.browsers[anna].say(clock, -30);
    house.pass(3000);
    let clock = house.clock();
    house.browsers[anna].say(clock, -30);
    house.pass(50);
    assert_eq!(house.voices.len(), 2);
    assert_eq!(said(&house, &WebEvent::Lost { leg }), 0);
    assert_eq!(house.hub.peers(), 1);
}

#[test]
fn a_page_that_begins_a_new_peer_connection_has_the_same_place() {
    let mut house = House::new();
    let (anna, ben) = (house.join(1), house.join(2));
    house.connect();
    house.watch(ben, &[(0, anna, Source::Camera, 90)]);
    let (mut again, offer, pending) = house.browser(1);
    again.address = "10.0.1.1:7000".parse().unwrap();
    again.rtc.add_local_candidate(str0m::Candidate::host(again.address, "udp").unwrap());
    let answer = house.offer(again.leg, offer);
    again.rtc.sdp_api().accept_answer(pending, SdpAnswer::from_sdp_string(&answer).unwrap()).unwrap();
    house.browsers[anna] = again;
    house.connect();
    assert_eq!(house.hub.peers(), 2);
    house.film(&[anna], &["q"], 1000);
    assert!(house.browsers[ben].received(7).len() > 10, "it is seen again without a word from the gateway");
}

#[test]
fn whenever_a_page_begins_anew_and_wherever_it_counts_from_its_picture_goes_on() {
    let mut house = House::new();
    let (anna, ben) = (house.join(1), house.join(2));
    house.connect();
    house.watch(ben, &[(0, anna, Source::Camera, 90)]);
    // Every quarter of a second the hub looks after Ben: what happens between two looks he must not be left alone with.
    for round in 0..10u16 {
        house.film(&[anna], &["q"], 1000);
        house.pass(u64::from(round) * 25);
        let before = house.browsers[ben].received(7).len();
        if round % 2 == 1 {
            house.browsers[anna].rtc.close().unwrap();
            house.pass(12);
        }
        let (mut again, offer, pending) = house.browser(1);
        again.counts_from = 900 - 80 * u64::from(round);
        again.address = std::net::SocketAddr::from(([10, 0, 1, 1], 7000 + round));
        again.rtc.add_local_candidate(str0m::Candidate::host(again.address, "udp").unwrap());
        let answer = house.offer(again.leg, offer);
        again.rtc.sdp_api().accept_answer(pending, SdpAnswer::from_sdp_string(&answer).unwrap()).unwrap();
        house.place(&again);
        house.browsers[anna] = again;
        house.connect();
        house.film(&[anna], &["q"], 1000);
        let seen = house.browsers[ben].received(7).len() - before;
        assert!(seen > 20, "round {round}: {seen} packets");
    }
    let heard = house.browsers[ben].received(7);
    assert!(heard.windows(2).all(|two| *two[1].seq_no == *two[0].seq_no + 1), "one stream for ever");
}

#[test]
fn a_tunnel_is_announced_and_its_end_too_and_one_without_end_is_given_up() {
    let mut house = House::new();
    let anna = house.join(1);
    house.connect();
    let leg = house.browsers[anna].leg;
    let talk = |house: &mut House, packets: u32| {
        for _ in 0..packets {
            let clock = house.clock();
            house.browsers[anna].say(clock, -30);
            house.pass(20);
        }
    };
    talk(&mut house, 50);
    house.browsers[anna].in_tunnel = true;
    house.pass(3500);
    assert_eq!(said(&house, &WebEvent::Interrupted { leg }), 0);
    house.pass(1000);
    assert_eq!(said(&house, &WebEvent::Interrupted { leg }), 1);
    house.browsers[anna].in_tunnel = false;
    talk(&mut house, 50);
    assert_eq!(said(&house, &WebEvent::Connected { leg }), 2);
    house.browsers[anna].in_tunnel = true;
    house.pass(29_000);
    assert_eq!(said(&house, &WebEvent::Lost { leg }), 0);
    house.pass(1500);
    assert_eq!((said(&house, &WebEvent::Lost { leg }), house.hub.peers()), (1, 0));
    house.order(WebCommand::Listen { leg, listens: false });
    assert_eq!(format!("{:?}", house.hub), "Hub(0 legs, 0 peers)", "what is said of it now begins nothing");
}

#[test]
fn a_browser_that_closes_is_gone_at_once() {
    let mut house = House::new();
    let anna = house.join(1);
    house.connect();
    house.browsers[anna].rtc.close().unwrap();
    house.pass(100);
    assert_eq!(said(&house, &WebEvent::Lost { leg: house.browsers[anna].leg }), 1);
    assert_eq!(house.hub.poll_timeout(), None, "nothing is left to do");
}

#[test]
fn quality_is_measured_every_three_seconds() {
    let mut house = House::new();
    let anna = house.join(1);
    house.connect();
    for packet in 0..400u32 {
        let clock = house.clock();
        house.browsers[anna].say(clock, -30);
        house.speak(0, crate::base::ParticipantId::from_bits(5), packet * 960);
        house.pass(20);
    }
    let measured: Vec<_> = house
        .events
        .iter()
        .filter_map(|event| if let WebEvent::Measured { figures, .. } = event { Some(*figures) } else { None })
        .collect();
    assert!((2..=4).contains(&measured.len()), "{}", measured.len());
    let last = measured.last().unwrap();
    assert!(last.round_trip_ms.is_some_and(|rtt| (18.0..90.0).contains(&rtt)), "{last:?}");
    assert!(last.sent_to_us > 1000 && last.sent_by_us > 1000, "{last:?}");
    house.order(WebCommand::Close { leg: house.browsers[anna].leg });
    house.now = house.now + Duration::from_secs(1);
    assert_eq!((house.hub.peers(), house.hub.poll_timeout()), (0, None));
}
