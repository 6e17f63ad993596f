//! Browsers without a web plane: each says a tone in Opus, with how loud it is, and hears the slots of its room.

use std::time::Duration;

use ringlift::base::{Instant, LegId, ParticipantId};
use ringlift::media::command::{MediaCommand, MediaEvent};
use ringlift::media::web::{Packet, SLOTS, SlotFrame, Voice};
use ringlift::wire::codec::opus;

use super::{ROOM, World, amplitude_at};

/// Its legs and persons are numbered from here.
const FIRST: u64 = 100;

pub struct Browser {
    pub leg: LegId,
    pub participant: ParticipantId,
    /// Hertz; 0 is silence.
    pub tone: f32,
    pub amplitude: f32,
    /// What it says of its loudness; none: the truth.
    pub claims: Option<u8>,
    /// Packets are lost before they reach us.
    pub sends: bool,
    encoder: opus::Encoder,
    sequence: u16,
    timestamp: u32,
    made: u64,
    begun_at: u64,
    /// In the room, so that the web plane sends it the slots.
    pub listens: bool,
    decoders: [opus::Decoder; SLOTS],
    heard: Vec<(Instant, u8, Vec<i16>)>,
    /// The slots' packets as they came.
    pub frames: Vec<(Instant, SlotFrame)>,
}

impl World {
    /// A browser connects and says a tone from now on; it is in no room yet.
    pub fn browse(&mut self, tone: f32) -> usize {
        let index = self.browsers.len();
        let number = FIRST + index as u64;
        let leg = LegId::from_bits(number);
        self.order(MediaCommand::OpenWeb { leg });
        let begun_at = self.millis() + self.rng.below(20);
        self.browsers.push(Browser {
            leg,
            participant: ParticipantId::from_bits(number),
            tone,
            amplitude: 6000.0,
            claims: None,
            sends: true,
            encoder: opus::Encoder::new(&opus::Parameters::ours()),
            sequence: 65_530 + index as u16,
            timestamp: u32::MAX - 5000 * index as u32,
            made: 0,
            begun_at,
            listens: false,
            decoders: Default::default(),
            heard: Vec::new(),
            frames: Vec::new(),
        });
        index
    }

    /// A browser comes into the room.
    pub fn enter(&mut self, browser: usize) {
        self.browsers[browser].listens = true;
        let (leg, participant) = (self.browsers[browser].leg, self.browsers[browser].participant);
        self.order(MediaCommand::Join { leg, room: ROOM, participant, muted: false, keys: false, audience: None });
    }

    /// A packet of a browser's comes to us now.
    pub fn say(&mut self, voice: &Voice) {
        let mut events = Vec::new();
        self.plane.receive_voice(voice, self.now, &mut self.outbox, &mut events);
        self.take(events);
        self.hear();
    }

    /// Who was in the slots at last.
    pub fn slots(&self) -> [Option<ParticipantId>; SLOTS] {
        let told = |event: &MediaEvent| if let MediaEvent::Slots { slots, .. } = event { Some(*slots) } else { None };
        self.events.iter().rev().find_map(|(_, event)| told(event)).unwrap_or_default()
    }

    pub(super) fn browsers_speak(&mut self) {
        let now = self.millis();
        let mut said = Vec::new();
        for browser in &mut self.browsers {
            while browser.begun_at + (browser.made + 1) * 20 <= now {
                let voice = browser.make();
                said.extend(browser.sends.then_some(voice));
            }
        }
        said.iter().for_each(|voice| self.say(voice));
    }

    pub(super) fn browsers_hear(&mut self) {
        for frame in self.outbox.slots() {
            assert_eq!(frame.room, ROOM);
            for browser in self.browsers.iter_mut().filter(|browser| browser.listens) {
                // As the web plane does.
                let meant = frame.audience.is_none_or(|audience| audience.has(browser.participant));
                if meant && browser.participant != frame.participant {
                    let mut samples = vec![0; opus::LONGEST];
                    let decoder = &mut browser.decoders[usize::from(frame.slot)];
                    let length = decoder.decode(frame.payload.bytes(), &mut samples);
                    samples.truncate(length);
                    browser.heard.push((self.now, frame.slot, samples));
                    browser.frames.push((self.now, frame.clone()));
                }
            }
        }
    }
}

impl Browser {
    /// Its next packet of 20 ms.
    pub fn make(&mut self) -> Voice {
        let samples: Vec<i16> = (0..960)
            .map(|n| {
                let phase = (f64::from(self.tone) * (self.made * 960 + n) as f64 / 48_000.0).fract();
                (f64::from(self.amplitude) * (std::f64::consts::TAU * phase).sin()) as i16
            })
            .collect();
        let mut bytes = [0; 1275];
        let length = self.encoder.encode(&samples, &mut bytes);
        let square = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / 960.0;
        let below = if square < 1.0 { 127.0 } else { -20.0 * (square.sqrt() / 32_768.0).log10() };
        let voice = Voice {
            leg: self.leg,
            sequence: self.sequence,
            timestamp: self.timestamp,
            level: self.claims.unwrap_or(below.clamp(0.0, 127.0) as u8),
            payload: Packet::copy(&bytes[..length]).unwrap(),
        };
        self.made += 1;
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(960);
        voice
    }

    /// The amplitude at which a tone was heard over the last `milliseconds` before `now`, in any slot.
    pub fn hears(&self, hertz: f32, milliseconds: u64, now: Instant) -> f32 {
        let from = now - Duration::from_millis(milliseconds);
        let in_slot = |slot: u8| {
            let frames = self.heard.iter().filter(|(at, of, _)| *at > from && *of == slot);
            let samples: Vec<i16> = frames.flat_map(|(.., samples)| samples.iter().copied()).collect();
            // What is missing is silence.
            amplitude_at(&samples, hertz, 48_000) * (samples.len() as f32 / (48 * milliseconds) as f32).min(1.0)
        };
        (0..SLOTS as u8).map(in_slot).fold(0.0, f32::max)
    }
}
