//! Who sees and hears whom.

use str0m::change::SdpAnswer;

use crate::base::ParticipantId;
use crate::media::audience::Audience;
use crate::media::web::{Source, WebCommand, WebEvent};
use crate::webrtc::tests::house::House;

/// m-lines of the browsers in these tests.
const CAMERA: usize = 1;
const VOICE: usize = 3;
const PICTURE: usize = 7;

fn layer_shown(house: &House, viewer: usize, slot: u8) -> Option<u8> {
    let leg = house.browsers[viewer].leg;
    let told = house.events.iter().rev().find_map(|event| match event {
        WebEvent::Showing { leg: of, slots } if *of == leg => Some(slots.clone()),
        _ => None,
    });
    told?.iter().find(|shown| shown.slot == slot)?.layer
}

#[test]
fn a_browser_is_heard_with_its_level_and_hears_every_voice_but_its_own() {
    let mut house = House::new();
    let (anna, ben) = (house.join(1), house.join(2));
    house.connect();
    for packet in 0..10u32 {
        let clock = house.clock();
        house.browsers[anna].say(clock, -23);
        house.speak(0, house.browsers[anna].who, 960 * packet);
        house.speak(1, ParticipantId::from_bits(9), 960 * packet);
        house.pass(20);
    }
    house.pass(50);
    assert_eq!(house.voices.len(), 10);
    assert!(house.voices.iter().all(|voice| voice.level == 23 && voice.leg == house.browsers[anna].leg));
    assert_eq!(house.voices[3].timestamp.wrapping_sub(house.voices[2].timestamp), 960);
    assert_eq!(house.browsers[ben].received(VOICE).len(), 10, "Ben hears Anna");
    assert_eq!(house.browsers[anna].received(VOICE).len(), 0, "Anna does not hear herself");
    assert_eq!(house.browsers[anna].received(VOICE + 1).len(), 10, "both hear the telephone");
    let heard = house.browsers[ben].received(VOICE + 1);
    assert!(heard.windows(2).all(|two| *two[1].seq_no == *two[0].seq_no + 1));
    let on = |source| WebEvent::Flowing { leg: house.browsers[anna].leg, source, on: true };
    assert!(house.events.contains(&on(Source::Microphone)));
    house.order(WebCommand::Listen { leg: house.browsers[ben].leg, listens: false });
    house.speak(1, ParticipantId::from_bits(9), 960 * 20);
    house.pass(50);
    assert_eq!(house.browsers[ben].received(VOICE + 1).len(), 10, "whose telephone carries the audio hears no slot");
    house.order(WebCommand::Publish { leg: house.browsers[anna].leg, source: Source::Microphone, on: false });
    let clock = house.clock();
    house.browsers[anna].say(clock, -23);
    house.pass(50);
    assert_eq!(house.voices.len(), 10, "what is not permitted goes no further");
}

#[test]
fn a_whisper_reaches_the_browser_that_it_is_meant_for_and_no_other() {
    let mut house = House::new();
    let (anna, ben) = (house.join(1), house.join(2));
    house.connect();
    let audience = Some(Audience::new(&[house.browsers[ben].who], 50));
    for packet in 0..10u32 {
        house.whisper(1, ParticipantId::from_bits(9), audience, 960 * packet);
        house.pass(20);
    }
    house.pass(50);
    assert_eq!(house.browsers[ben].received(VOICE + 1).len(), 10);
    assert_eq!(house.browsers[anna].received(VOICE + 1).len(), 0);
}

#[test]
fn a_viewer_is_sent_the_layer_that_its_place_needs_without_a_leap_in_numbers() {
    let mut house = House::new();
    let (anna, ben) = (house.join(1), house.join(2));
    house.connect();
    house.watch(ben, &[(0, anna, Source::Camera, 100)]);
    house.film(&[anna], &["q", "h"], 3000);
    assert_eq!(layer_shown(&house, ben, 0), Some(0));
    let small = house.browsers[ben].received(PICTURE).len();
    assert!(small > 60, "{small} packets");
    house.watch(ben, &[(0, anna, Source::Camera, 360)]);
    house.film(&[anna], &["q", "h"], 3000);
    assert_eq!(layer_shown(&house, ben, 0), Some(1));
    house.watch(ben, &[(1, anna, Source::Camera, 100)]);
    house.film(&[anna], &["q", "h"], 1000);
    assert_eq!((layer_shown(&house, ben, 0), layer_shown(&house, ben, 1)), (None, Some(0)));
    let heard = house.browsers[ben].received(PICTURE);
    let mut numbers: Vec<u64> = heard.iter().map(|packet| *packet.seq_no).collect();
    numbers.sort_unstable();
    assert!(numbers.windows(2).all(|two| two[1] == two[0] + 1), "a gap or a repetition");
    assert!(heard.windows(2).all(|two| two[1].header.timestamp.wrapping_sub(two[0].header.timestamp) < 90_000));
    assert!(!house.browsers[ben].received(PICTURE + 1).is_empty());
    assert_eq!(house.browsers[anna].received(PICTURE).len(), 0, "who watches nobody is sent nobody");
}

#[test]
fn who_watches_nobody_or_has_all_that_can_be_had_is_sent_no_padding() {
    let mut house = House::new();
    let (anna, ben) = (house.join(1), house.join(2));
    house.connect();
    // Somebody at a telephone has spoken: the browser has said how well it is reached.
    for packet in 0..100u32 {
        house.speak(0, ParticipantId::from_bits(9), 960 * packet);
        house.pass(20);
    }
    let over = |house: &mut House, what: &mut dyn FnMut(&mut House)| {
        let before = house.browsers[ben].reached.bytes;
        let began = house.now;
        what(house);
        (house.browsers[ben].reached.bytes - before) * 8000 / u64::try_from(house.now.since(began).as_millis()).unwrap()
    };
    let idle = over(&mut house, &mut |house| house.film(&[anna], &["q", "h", "f"], 10_000));
    assert!(idle < 8_000, "{idle} bit/s to who watches nobody");
    house.watch(ben, &[(0, anna, Source::Camera, 90)]);
    house.film(&[anna], &["q", "h", "f"], 3000);
    let packets = house.browsers[ben].received(PICTURE).len();
    let small = over(&mut house, &mut |house| house.film(&[anna], &["q", "h", "f"], 10_000));
    let picture = (house.browsers[ben].received(PICTURE).len() - packets) as u64 * 640 * 8 / 10;
    assert!(small < picture + 30_000, "{small} bit/s where the picture is {picture}");
    house.order(WebCommand::Close { leg: house.browsers[anna].leg });
}

#[test]
fn what_a_slot_is_called_stays_over_a_restart_whether_it_was_used_or_not() {
    let mut house = House::new();
    let (mut ben, offer, pending) = house.browser(2);
    let streams = |answer: &str| -> Vec<String> {
        answer.lines().filter(|line| line.starts_with("a=ssrc")).map(str::to_owned).collect()
    };
    let first = house.offer(ben.leg, offer);
    ben.rtc.sdp_api().accept_answer(pending, SdpAnswer::from_sdp_string(&first).unwrap()).unwrap();
    house.place(&ben);
    house.browsers.push(ben);
    let anna = house.join(1);
    house.connect();
    house.watch(0, &[(1, anna, Source::Camera, 90)]);
    house.film(&[anna], &["q"], 1000);
    let mut api = house.browsers[0].rtc.sdp_api();
    api.ice_restart(true);
    let (offer, pending) = api.apply().unwrap();
    let again = house.offer(house.browsers[0].leg, offer.to_sdp_string());
    house.browsers[0].rtc.sdp_api().accept_answer(pending, SdpAnswer::from_sdp_string(&again).unwrap()).unwrap();
    assert!(streams(&first).len() >= 6, "{first}");
    assert_eq!(streams(&first), streams(&again));
    house.watch(0, &[(0, anna, Source::Camera, 90)]);
    house.film(&[anna], &["q"], 1000);
    assert!(house.browsers[0].received(PICTURE).len() > 20 && house.browsers[0].received(PICTURE + 1).len() > 20);
}

#[test]
fn what_is_not_permitted_is_not_shown_and_what_ends_is_said() {
    let mut house = House::new();
    let (anna, ben) = (house.join(1), house.join(2));
    house.connect();
    let leg = house.browsers[anna].leg;
    house.order(WebCommand::Publish { leg, source: Source::Camera, on: false });
    house.watch(ben, &[(0, anna, Source::Camera, 360)]);
    house.film(&[anna], &["q"], 1000);
    assert_eq!(house.browsers[ben].received(PICTURE).len(), 0);
    assert!(house.events.contains(&WebEvent::Flowing { leg, source: Source::Camera, on: true }));
    house.order(WebCommand::Publish { leg, source: Source::Camera, on: true });
    house.film(&[anna], &["q"], 1000);
    assert!(house.browsers[ben].received(PICTURE).len() > 10);
    house.pass(4000);
    assert!(house.events.contains(&WebEvent::Flowing { leg, source: Source::Camera, on: false }));
    assert_eq!(layer_shown(&house, ben, 0), None);
}

#[test]
fn ten_viewers_without_a_picture_ask_for_one_keyframe() {
    let mut house = House::new();
    let anna = house.join(1);
    let viewers: Vec<usize> = (2..8).map(|number| house.join(number)).collect();
    house.connect();
    house.film(&[anna], &["q"], 600);
    for viewer in &viewers {
        house.watch(*viewer, &[(0, anna, Source::Camera, 90)]);
    }
    // No keyframe comes: they go on asking, and the browser is asked twice a second at most.
    let before = house.browsers[anna].keyframes_asked.len();
    for _ in 0..100 {
        let clock = house.clock();
        house.browsers[anna].film(clock, CAMERA, Some("q"), false, 1);
        house.pass(30);
    }
    let asked = &house.browsers[anna].keyframes_asked[before..];
    assert!((3..=7).contains(&asked.len()), "{asked:?}");
    assert!(asked.windows(2).all(|two| two[1].0.since(two[0].0).as_millis() >= 480), "{asked:?}");
}

#[test]
fn on_a_line_that_loses_one_in_twenty_every_packet_of_the_picture_arrives() {
    let mut house = House::new();
    let (anna, ben) = (house.join(1), house.join(2));
    house.connect();
    house.loss = 20;
    house.watch(ben, &[(0, anna, Source::Camera, 90)]);
    house.film(&[anna], &["q"], 10_000);
    house.loss = 0;
    house.film(&[anna], &["q"], 500);
    let mut numbers: Vec<u64> = house.browsers[ben].received(PICTURE).iter().map(|packet| *packet.seq_no).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert!(numbers.len() > 250, "{}", numbers.len());
    let missing = numbers.last().unwrap() - numbers.first().unwrap() + 1 - numbers.len() as u64;
    assert!(missing <= 3, "{missing} of {} never came", numbers.len());
}
