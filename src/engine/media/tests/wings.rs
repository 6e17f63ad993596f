//! Rooms too large for one thread.

use super::browsers::{Browser, talk_with};
use super::*;

const TONES: [f64; 4] = [400.0, 700.0, 1100.0, 1700.0];

fn wings(plane: &MediaPlane, phones: &[Phone]) -> Vec<(usize, RoomId)> {
    phones.iter().map(|phone| &plane.legs[&phone.leg]).map(|place| (place.worker, place.room.unwrap().1)).collect()
}

async fn hear_each_other(plane: &mut MediaPlane, phones: &mut [Phone], length: Duration) {
    talk(plane, &mut phones.iter_mut().collect::<Vec<_>>(), length).await;
    for phone in &*phones {
        for tone in phones.iter().map(|other| other.frequency).filter(|tone| *tone > 0.0) {
            let heard = phone.hears(tone);
            let expected = tone != phone.frequency;
            assert!(if expected { heard > 3000.0 } else { heard < 400.0 }, "{} hears {tone}: {heard}", phone.leg);
        }
    }
}

#[tokio::test]
async fn a_room_of_many_is_on_several_threads_and_all_hear_each_other_as_it_grows_and_shrinks() {
    let mut plane = plane_in_wings(2, 3, 12_100, 12);
    let mut phones = Vec::new();
    for (number, tone) in (1..).zip(TONES.into_iter().chain([0.0, 0.0])) {
        let phone = Phone::call(&mut plane, number, tone, false).await;
        plane.send(join(&phone, 1, number));
        phones.push(phone);
    }
    let places = wings(&plane, &phones);
    let threads: std::collections::BTreeSet<_> = places.iter().map(|(worker, _)| *worker).collect();
    assert_eq!(threads.len(), 3, "one wing on each: {places:?}");
    assert!(places.chunks(2).all(|pair| pair[0] == pair[1]) && places[0].1 == RoomId::from_bits(1), "{places:?}");
    hear_each_other(&mut plane, &mut phones, Duration::from_millis(2000)).await;
    // The first wing empties; those who stay hear each other on, without a new stream.
    for phone in phones.drain(..2) {
        plane.send(MediaCommand::Close { leg: phone.leg });
    }
    hear_each_other(&mut plane, &mut phones, Duration::from_millis(1500)).await;
    for phone in phones.drain(2..) {
        plane.send(MediaCommand::Close { leg: phone.leg });
    }
    hear_each_other(&mut plane, &mut phones, Duration::from_millis(1500)).await;
    for phone in &phones {
        assert_eq!(phone.ssrcs.len(), 1, "our stream, before and after");
        assert!(phone.sequences.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)));
    }
    // And it grows again.
    for (number, tone) in [(11, TONES[0]), (12, 0.0)] {
        let phone = Phone::call(&mut plane, number, tone, false).await;
        plane.send(join(&phone, 1, number));
        phones.push(phone);
    }
    hear_each_other(&mut plane, &mut phones, Duration::from_millis(1500)).await;
    plane.finish().await;
}

#[tokio::test]
async fn browsers_of_a_room_on_several_threads_hear_and_are_heard() {
    let mut plane = plane_in_wings(1, 2, 12_130, 6);
    let mut ends = plane.web_ends().unwrap();
    let mut anna = Phone::call(&mut plane, 1, TONES[0], false).await;
    let mut ben = Phone::call(&mut plane, 2, TONES[1], false).await;
    plane.send(join(&anna, 1, 1));
    plane.send(join(&ben, 1, 2));
    assert_ne!(plane.legs[&anna.leg].worker, plane.legs[&ben.leg].worker);
    let mut berta = Browser::open(&mut plane, 3, TONES[2]);
    plane.send(enter(berta.leg, false, 1, 3));
    let both = &mut [&mut anna, &mut ben];
    let frames = talk_with(&mut plane, &mut ends, both, &mut [&mut berta], Duration::from_millis(2000)).await;
    for phone in [&anna, &ben] {
        assert!(phone.hears(TONES[2]) > 3000.0, "{}", phone.hears(TONES[2]));
    }
    assert!(anna.hears(TONES[1]) > 3000.0 && ben.hears(TONES[0]) > 3000.0);
    for participant in 1..=2 {
        let of = |frame: &&crate::media::web::SlotFrame| frame.participant == ParticipantId::from_bits(participant);
        let voice: Vec<_> = frames.iter().filter(of).collect();
        assert!(voice.len() > 60, "{participant}: {}", voice.len());
        let places: std::collections::BTreeSet<_> = voice.iter().map(|frame| (frame.room, frame.slot)).collect();
        assert!(places.len() == 1 && voice[0].room == RoomId::from_bits(1), "{participant}: {places:?}");
    }
    plane.finish().await;
}

#[tokio::test]
async fn a_fault_in_one_wing_ends_its_legs_and_the_room_goes_on() {
    // The first, which has the room's own id, and one that has not.
    for failing in [0, 1] {
        let mut plane = plane_in_wings(2, 2, 12_150, 8);
        let mut phones = Vec::new();
        for (number, tone) in (1..).zip(TONES) {
            let phone = Phone::call(&mut plane, number, tone, false).await;
            plane.send(join(&phone, 1, number));
            phones.push(phone);
        }
        let (worker, wing) = wings(&plane, &phones)[2 * failing];
        assert_eq!(wing == RoomId::from_bits(1), failing == 0);
        hear_each_other(&mut plane, &mut phones, Duration::from_millis(1500)).await;
        plane.post(worker, Order::Fail { room: wing });
        let ended: Vec<Phone> = phones.drain(2 * failing..2 * failing + 2).collect();
        let mut events = Vec::new();
        let deadline = Alarm::now() + PATIENCE;
        while events.iter().filter_map(closed).count() < 2 {
            assert!(Alarm::now() < deadline, "{events:?}");
            let phones = &mut phones.iter_mut().collect::<Vec<_>>();
            events.extend(talk(&mut plane, phones, Duration::from_millis(100)).await);
        }
        let mut gone: Vec<LegId> = events.iter().filter_map(closed).map(|(leg, _)| leg).collect();
        gone.sort();
        assert!(gone.iter().eq(ended.iter().map(|phone| &phone.leg)), "{gone:?}");
        hear_each_other(&mut plane, &mut phones, Duration::from_millis(1500)).await;
        // Who comes next finds the wing as it was.
        let carl = Phone::call(&mut plane, 7, ended[0].frequency, false).await;
        plane.send(join(&carl, 1, 7));
        phones.push(carl);
        let phones_now = &mut phones.iter_mut().collect::<Vec<_>>();
        events.extend(talk(&mut plane, phones_now, Duration::from_millis(200)).await);
        hear_each_other(&mut plane, &mut phones, Duration::from_millis(1500)).await;
        let failed = events.iter().any(|event| matches!(event, MediaEvent::BridgeFailed { .. }));
        assert!(!failed, "that would end the room");
        plane.finish().await;
    }
}
