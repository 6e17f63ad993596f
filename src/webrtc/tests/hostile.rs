//! Strangers, floods and offers from hell.

use crate::base::LegId;
use crate::media::web::{WebCommand, WebEvent};
use crate::webrtc::tests::house::House;
use crate::webrtc::{Via, Wire};

const VIA: Via = Via { wire: Wire::Udp, socket: 0, local: None };

fn refused(house: &House) -> usize {
    house.events.iter().filter(|event| matches!(event, WebEvent::Refused { .. })).count()
}

#[test]
fn what_strangers_send_is_counted_and_answered_by_nothing() {
    let mut house = House::new();
    let anna = house.join(1);
    house.connect();
    let before = house.hub.counts();
    let check = [
        &[0, 1, 0, 16, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0, 6, 0, 9][..],
        b"nobody:no\0\0\0",
    ]
    .concat();
    let stranger = "192.0.2.1:9".parse().unwrap();
    for bytes in [&check[..], &[0x80; 60], &[22; 60], &[], &[0xff]] {
        house.hub.receive(VIA, stranger, bytes, house.now);
    }
    let after = house.hub.counts();
    assert_eq!(after.strangers - before.strangers, 5);
    assert_eq!(after.sent, before.sent);
    // From a browser's own address, but none that its keys vouch for.
    let from = house.browsers[anna].address;
    for length in 0..80 {
        house.hub.receive(VIA, from, &vec![0x80; length], house.now);
        house.hub.receive(VIA, from, &vec![22; length], house.now);
    }
    let clock = house.clock();
    house.browsers[anna].say(clock, -30);
    house.pass(50);
    assert_eq!(house.voices.len(), 1, "it is heard all the same");
}

#[test]
fn a_check_that_does_not_know_the_password_opens_no_way() {
    let mut house = House::new();
    let anna = house.join(1);
    house.connect();
    let api = house.browsers[anna].rtc.direct_api();
    let theirs = api.local_ice_credentials().ufrag;
    let ours = house.hub.ufrags_for_tests()[0].clone();
    let name = format!("{ours}:{theirs}");
    let mut check = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
    for (kind, value) in [(6u16, name.as_bytes()), (0x24, &[0, 0, 0, 1]), (0x25, &[]), (0x08, &[0; 20])] {
        check.extend(kind.to_be_bytes());
        check.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        check.extend(value);
        check.resize(check.len().next_multiple_of(4), 0);
    }
    let length = u16::try_from(check.len() - 20).unwrap();
    check[2..4].copy_from_slice(&length.to_be_bytes());
    let before = house.hub.counts();
    house.hub.receive(VIA, "192.0.2.1:9".parse().unwrap(), &check, house.now);
    house.pass(20);
    assert_eq!(house.hub.counts().strangers, before.strangers + 1);
}

#[test]
fn an_offer_that_makes_no_sense_is_refused_and_others_go_on() {
    let mut house = House::new();
    house.join(1);
    house.connect();
    let (_, good, _) = house.browser(2);
    let leg = LegId::from_bits(66);
    let mut spoilt = vec![String::new(), "v=0".into(), "\0".repeat(500), good.replace("sha-256 ", "md5 ")];
    spoilt.push(good.replace("ice-ufrag", "ice-frag"));
    spoilt.push(good.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP"));
    spoilt.push(good.replace("a=mid:", "a=mid: "));
    spoilt.push(good.replace("a=rtpmap:", "a=rtpmap:99999"));
    spoilt.push(good.replace("a=fmtp:", "a=fmtp:300 apt=300;"));
    spoilt.push(good.replace("apt=", "apt=-1"));
    spoilt.push(good.replace("a=extmap:", "a=extmap:255"));
    spoilt.push(good.replace("a=setup:actpass", "a=setup:holdconn"));
    spoilt.extend((0..good.len()).step_by(97).map(|cut| good.get(..cut).unwrap_or_default().to_owned()));
    for sdp in spoilt {
        let before = house.events.len();
        house.order(WebCommand::Offer { leg, sdp });
        let outcome = &house.events[before..];
        let told = |event: &WebEvent| matches!(event, WebEvent::Refused { .. } | WebEvent::Answered { .. });
        assert!(outcome.iter().any(told), "neither answered nor refused");
        house.order(WebCommand::Close { leg });
    }
    assert!(refused(&house) > 20, "{}", refused(&house));
    assert_eq!(house.hub.peers(), 1);
    assert_eq!(house.hub.counts().failed, 0);
}

#[test]
fn offers_with_bytes_changed_at_random_end_nothing_but_themselves() {
    let mut house = House::new();
    house.join(1);
    house.connect();
    let (_, good, _) = house.browser(2);
    let mut rng = crate::base::Rng::from_number(4);
    let leg = LegId::from_bits(66);
    for _ in 0..150 {
        let mut bytes = good.clone().into_bytes();
        for _ in 0..1 + rng.below(6) {
            let length = bytes.len() as u64;
            let at = rng.below(length) as usize;
            match rng.below(4) {
                0 => drop(bytes.remove(at)),
                1 => bytes.insert(at, b"0123456789 :/=;\r\n-az"[rng.below(20) as usize]),
                2 => bytes[at] = rng.below(128) as u8,
                _ => {
                    let to = (at + rng.below(60) as usize).min(bytes.len());
                    let copy = bytes[at..to].to_vec();
                    let place = rng.below(length) as usize;
                    bytes.splice(place.min(bytes.len())..place.min(bytes.len()), copy);
                }
            }
        }
        let sdp = String::from_utf8_lossy(&bytes).into_owned();
        house.order(WebCommand::Offer { leg, sdp });
        house.pass(3);
        house.order(WebCommand::Close { leg });
    }
    assert_eq!((house.hub.counts().failed, house.hub.peers()), (0, 1));
}

#[test]
fn a_full_node_takes_nobody_more() {
    let mut house = House::new();
    for number in 1..=10 {
        house.join(number);
    }
    let (eleventh, offer, _) = house.browser(11);
    house.order(WebCommand::Offer { leg: eleventh.leg, sdp: offer });
    assert_eq!(refused(&house), 1);
    house.order(WebCommand::Close { leg: house.browsers[0].leg });
    let (_, offer, _) = house.browser(11);
    house.order(WebCommand::Offer { leg: eleventh.leg, sdp: offer });
    assert_eq!(refused(&house), 1);
}

#[test]
fn a_browser_that_floods_is_cut_to_its_allowance() {
    let mut house = House::new();
    let anna = house.join(1);
    house.connect();
    let from = house.browsers[anna].address;
    for _ in 0..20_000 {
        house.hub.receive(VIA, from, &[0x80; 200], house.now);
    }
    assert!(house.hub.counts().flooded >= 15_900, "{:?}", house.hub.counts());
}
