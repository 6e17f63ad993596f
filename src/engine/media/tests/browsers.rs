//! Browsers' voices between the web thread and the media threads.

use super::*;
use crate::media::web::{SlotFrame, Voice};
use crate::wire::codec::opus;

/// A browser with a tone, as the web thread has it.
pub(super) struct Browser {
    pub(super) leg: LegId,
    frequency: f64,
    encoder: opus::Encoder,
    sent: u32,
    lost: u32,
}

impl Browser {
    pub(super) fn open(plane: &mut MediaPlane, number: u64, frequency: f64) -> Self {
        let leg = LegId::from_bits(number);
        plane.send(MediaCommand::OpenWeb { leg });
        Self { leg, frequency, encoder: opus::Encoder::new(&opus::Parameters::ours()), sent: 0, lost: 0 }
    }

    fn speak(&mut self, ends: &mut WebEnds) {
        let samples: Vec<i16> = (0..960)
            .map(|n| (8000.0 * (TAU * self.frequency * f64::from(self.sent * 960 + n) / 48_000.0).sin()) as i16)
            .collect();
        let mut bytes = [0; 480];
        let length = self.encoder.encode(&samples, &mut bytes);
        let payload = crate::media::web::Packet::copy(&bytes[..length]).unwrap();
        let (sequence, timestamp) = (self.sent as u16, self.sent * 960);
        self.sent += 1;
        let voice = Voice { leg: self.leg, sequence, timestamp, level: 15, payload };
        self.lost += u32::from(!ends.speak(voice));
    }
}

/// Telephones and browsers speak for so long; returns what came for browsers.
pub(super) async fn talk_with(
    plane: &mut MediaPlane,
    ends: &mut WebEnds,
    phones: &mut [&mut Phone],
    browsers: &mut [&mut Browser],
    length: Duration,
) -> Vec<SlotFrame> {
    let mut frames = Vec::new();
    let end = Alarm::now() + length;
    while Alarm::now() < end {
        browsers.iter_mut().for_each(|browser| browser.speak(ends));
        talk(plane, phones, Duration::from_millis(20)).await;
        frames.extend(std::iter::from_fn(|| ends.poll_slot()));
    }
    frames
}

#[tokio::test]
async fn a_browsers_voice_follows_its_leg_to_the_thread_of_the_room() {
    let mut plane = plane(2, 11_800, 4);
    let mut ends = plane.web_ends().unwrap();
    assert!(plane.web_ends().is_none());
    let mut anna = Phone::call(&mut plane, 1, 400.0, false).await;
    plane.send(join(&anna, 1, 1));
    let mut berta = Browser::open(&mut plane, 2, 700.0);
    let mut carla = Browser::open(&mut plane, 3, 1100.0);
    let homes: Vec<usize> = [anna.leg, berta.leg, carla.leg].map(|leg| plane.legs[&leg].worker).into();
    assert!(homes.iter().any(|home| *home != homes[0]), "one is elsewhere: {homes:?}");
    assert_eq!(plane.ports_in_use(), 1, "a browser needs none");
    let both = &mut [&mut berta, &mut carla];
    let early = talk_with(&mut plane, &mut ends, &mut [&mut anna], both, Duration::from_millis(300)).await;
    assert!(early.is_empty(), "nobody listens in the room yet");
    for (browser, participant) in [(&berta, 2), (&carla, 3)] {
        plane.send(enter(browser.leg, false, 1, participant));
    }
    let both = &mut [&mut berta, &mut carla];
    let frames = talk_with(&mut plane, &mut ends, &mut [&mut anna], both, Duration::from_millis(1500)).await;
    for browser in [&berta, &carla] {
        assert_eq!(plane.legs[&browser.leg].worker, plane.legs[&anna.leg].worker);
        assert!(anna.hears(browser.frequency) > 3000.0, "{}: {}", browser.frequency, anna.hears(browser.frequency));
        assert_eq!(browser.lost, 0);
    }
    assert!(anna.hears(400.0) < 400.0);
    for participant in 1..=3 {
        let of = |frame: &&SlotFrame| frame.participant == ParticipantId::from_bits(participant);
        let voice: Vec<_> = frames.iter().filter(of).collect();
        assert!(voice.len() > 50, "{participant}: {}", voice.len());
        assert!(voice.iter().all(|frame| frame.slot == voice[0].slot && frame.room == RoomId::from_bits(1)));
        assert!(voice.windows(2).all(|pair| pair[1].timestamp == pair[0].timestamp.wrapping_add(960)));
    }
    let mut epoll = (crate::engine::os::Epoll::new().unwrap(), crate::engine::os::Ready::with_capacity(1));
    epoll.0.add(ends.doorbell(), 7).unwrap();
    assert_eq!(epoll.0.wait(&mut epoll.1, PATIENCE), 1, "it is rung for");
    plane.send(MediaCommand::Close { leg: berta.leg });
    let (leg, figures) = until(&mut plane, closed).await;
    assert_eq!((leg, figures.lost, figures.sent), (berta.leg, 0, 0), "{figures:?}");
    berta.speak(&mut ends);
    assert_eq!((berta.lost, ends.dropped()), (1, 1), "nobody has the leg any more");
    plane.finish().await;
}

#[tokio::test]
async fn a_web_thread_that_does_not_read_costs_nobody_else() {
    let mut plane = plane(1, 11_900, 4);
    let mut ends = plane.web_ends().unwrap();
    let mut anna = Phone::call(&mut plane, 1, 400.0, false).await;
    let mut ben = Phone::call(&mut plane, 2, 700.0, false).await;
    plane.send(join(&anna, 1, 1));
    plane.send(join(&ben, 1, 2));
    let berta = Browser::open(&mut plane, 3, 0.0);
    plane.send(enter(berta.leg, false, 1, 3));
    let dropped = |plane: &MediaPlane| plane.counts()[0].slots_dropped.load(Ordering::Relaxed);
    let deadline = Alarm::now() + 3 * PATIENCE;
    while dropped(&plane) < 20 {
        assert!(Alarm::now() < deadline, "the ring never filled");
        talk(&mut plane, &mut [&mut anna, &mut ben], Duration::from_millis(500)).await;
    }
    assert!(ben.hears(400.0) > 3000.0 && anna.hears(700.0) > 3000.0);
    let mut waited = 0;
    while ends.poll_slot().is_some() {
        waited += 1;
    }
    assert!(waited >= 1024, "{waited}");
    talk(&mut plane, &mut [&mut anna, &mut ben], Duration::from_millis(200)).await;
    assert!(ends.poll_slot().is_some(), "and it goes on");
    plane.finish().await;
}
