//! One video slot of a viewer: whose packets it carries now, whose it is to carry next, and the numbers under which they
//! leave. To the browser it is one stream for ever: its numbers go on without a leap, whoever takes it over.
//!
//! ```text
//!            aim(x)            keyframe of x
//!   Empty ─────────▶ x aimed ───────────────▶ x flows ──┐ aim(y): x flows until a keyframe of y comes
//!     ▲                                          │      │
//!     └────────────── stop() ────────────────────┴◀─────┘
//! ```

use std::time::Duration;

use str0m::rtp::{RtpPacket, Ssrc, Vp8Patch};

use crate::base::{Instant, LegId};
use crate::media::web::Source;
use crate::webrtc::glance::{Counters, Glance};

/// Ticks of a video clock per millisecond (RFC 3551 §4.1).
const TICKS: u64 = 90;
/// A keyframe that was asked for and has not come after so long is asked for once more: the request may have been lost, or
/// what it brought. Longer: a lost request leaves the place empty for so long. Shorter: on long ways every one is asked for twice.
const PATIENCE: Duration = Duration::from_millis(500);
/// Each further one is waited for twice as long as the one before, up to this. Longer: who comes back late is seen late.
/// Shorter: a browser that cannot help it is asked all the time.
const MOST_PATIENCE: Duration = Duration::from_secs(4);

/// A stream that can be watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Who sends it.
    pub leg: LegId,
    /// Camera or screen.
    pub source: Source,
    /// Which layer, 0 the smallest.
    pub layer: u8,
}

/// The numbers of a packet within its stream.
#[derive(Debug, Clone, Copy)]
pub struct Numbers {
    /// Whose they are: a browser that begins its stream anew, in another connection or in the same, counts from elsewhere.
    pub ssrc: Ssrc,
    /// Extended sequence number.
    pub sequence: u64,
    /// RTP timestamp.
    pub timestamp: u32,
    /// No later packet of its stream has come before it.
    pub in_order: bool,
}

/// What becomes of a packet.
#[derive(Debug, PartialEq)]
pub enum Verdict {
    /// It is not for this slot, now.
    Drop,
    /// It would have taken the slot over, but the beginning of its picture came too late, or never: another keyframe is needed.
    AskAgain,
    /// It leaves under these numbers.
    Send {
        /// Extended sequence number.
        sequence: u64,
        /// RTP timestamp.
        timestamp: u32,
        /// What is changed within it.
        change: Change,
        /// The slot changed hands with it.
        switched: bool,
    },
}

/// What is changed within a payload.
#[derive(Debug, PartialEq)]
pub enum Change {
    /// Nothing.
    None,
    /// A few bytes of VP8's descriptor.
    Vp8(Vp8Patch),
    /// All of it is written anew.
    Rewritten(Vec<u8>),
}

/// A slot.
#[derive(Debug)]
pub struct Track {
    flows: Option<Flow>,
    aimed: Option<Aim>,
    /// The highest that have left.
    sequence: u64,
    timestamp: u32,
    picture: u16,
    base: u8,
    sent: Instant,
}

/// What is waited for.
#[derive(Debug, Clone, Copy)]
struct Aim {
    origin: Origin,
    /// When a keyframe of it was asked for last, and how long that is waited for.
    asked: Instant,
    patience: Duration,
}

/// The stream that flows, and what is added to its numbers.
#[derive(Debug, Clone, Copy)]
struct Flow {
    origin: Origin,
    ssrc: Ssrc,
    /// The first of its numbers that is ours; what is older was for another.
    first: u64,
    sequence: u64,
    timestamp: u32,
    picture: u16,
    base: u8,
}

impl Track {
    /// An empty slot that begins with these numbers; both should be random (RFC 3550 §5.1), and the first below 2^15, so that
    /// losses at the beginning do not confuse what counts its rounds.
    pub fn new(sequence: u16, timestamp: u32) -> Self {
        Self {
            flows: None,
            aimed: None,
            sequence: u64::from(sequence & 0x7fff),
            timestamp,
            picture: sequence & 0x7fff,
            base: 0,
            sent: Instant::START,
        }
    }

    /// What flows.
    pub fn flows(&self) -> Option<Origin> {
        self.flows.map(|flow| flow.origin)
    }

    /// What is waited for.
    pub fn aimed(&self) -> Option<Origin> {
        self.aimed.map(|aim| aim.origin)
    }

    /// Whether a keyframe is to be asked for once more by now: the one that was asked for has not come.
    pub fn asks_again(&mut self, now: Instant) -> bool {
        let Some(aim) = self.aimed.as_mut().filter(|aim| now.since(aim.asked) >= aim.patience) else { return false };
        (aim.asked, aim.patience) = (now, (aim.patience * 2).min(MOST_PATIENCE));
        true
    }

    /// From its next keyframe on it carries this stream; true where that needs a keyframe that was not asked for yet.
    pub fn aim(&mut self, origin: Origin, now: Instant) -> bool {
        if self.flows() == Some(origin) {
            self.aimed = None;
            return false;
        }
        if self.aimed() == Some(origin) {
            return false;
        }
        // Another layer of the same picture keeps flowing meanwhile, another picture does not.
        if self.flows.is_some_and(|flow| (flow.origin.leg, flow.origin.source) != (origin.leg, origin.source)) {
            self.flows = None;
        }
        self.await_keyframe(origin, now);
        true
    }

    fn await_keyframe(&mut self, origin: Origin, now: Instant) {
        self.aimed = Some(Aim { origin, asked: now, patience: PATIENCE });
    }

    /// It carries nothing any more; true where it carried or expected something.
    pub fn stop(&mut self) -> bool {
        self.aimed.take().is_some() | self.flows.take().is_some()
    }

    /// A packet of this stream has come.
    pub fn take(&mut self, origin: Origin, numbers: Numbers, glance: &Glance, payload: &[u8], now: Instant) -> Verdict {
        let mut switched = false;
        // It began anew: its numbers have nothing to do with those that flowed, and its pictures need one to begin with.
        let anew = self.flows.is_some_and(|flow| flow.origin == origin && flow.ssrc != numbers.ssrc);
        if anew {
            self.flows = None;
            self.await_keyframe(origin, now);
            if !glance.keyframe {
                return Verdict::AskAgain;
            }
        }
        if self.aimed() == Some(origin) && glance.keyframe {
            if !numbers.in_order {
                return Verdict::AskAgain;
            }
            self.switch(origin, numbers, glance, now);
            switched = true;
        }
        let Some(flow) = self.flows.filter(|flow| flow.origin == origin && numbers.sequence >= flow.first) else {
            return Verdict::Drop;
        };
        let sequence = numbers.sequence.wrapping_add(flow.sequence);
        let timestamp = numbers.timestamp.wrapping_add(flow.timestamp);
        if sequence > self.sequence || switched {
            self.sequence = sequence;
            self.sent = now;
        }
        if timestamp.wrapping_sub(self.timestamp) < 1 << 31 {
            self.timestamp = timestamp;
        }
        let change = self.count(flow, glance, payload);
        Verdict::Send { sequence, timestamp, change, switched }
    }

    /// The packet that begins a picture of the aimed stream follows what left last.
    fn switch(&mut self, origin: Origin, numbers: Numbers, glance: &Glance, now: Instant) {
        let elapsed = u64::try_from(now.since(self.sent).as_millis()).unwrap_or(u64::MAX).saturating_mul(TICKS).max(1);
        let elapsed = u32::try_from(elapsed % (1 << 32)).unwrap_or(1);
        let elapsed = if self.sent == Instant::START { 0 } else { elapsed };
        let (picture, base) = counters(glance);
        self.flows = Some(Flow {
            origin,
            ssrc: numbers.ssrc,
            first: numbers.sequence,
            sequence: (self.sequence + 1).wrapping_sub(numbers.sequence),
            timestamp: self.timestamp.wrapping_add(elapsed).wrapping_sub(numbers.timestamp),
            picture: self.picture.wrapping_add(1).wrapping_sub(picture.unwrap_or(0)),
            base: self.base.wrapping_add(1).wrapping_sub(base.unwrap_or(0)),
        });
        self.aimed = None;
    }

    /// Puts our numbers of pictures in place of theirs, where they differ.
    fn count(&mut self, flow: Flow, glance: &Glance, payload: &[u8]) -> Change {
        let (picture, base) = counters(glance);
        let Some(theirs) = picture else { return Change::None };
        let picture = theirs.wrapping_add(flow.picture) & 0x7fff;
        // Fifteen bits that go round: what is less than half a round ahead is later.
        if picture.wrapping_sub(self.picture) & 0x7fff < 0x4000 {
            self.picture = picture;
        }
        let renumbered = base.map(|base| base.wrapping_add(flow.base));
        if let Some(base) = renumbered
            && base.wrapping_sub(self.base) < 0x80
        {
            self.base = base;
        }
        if flow.picture & 0x7fff == 0 && (flow.base == 0 || base.is_none()) {
            return Change::None;
        }
        match &glance.counters {
            Counters::None => Change::None,
            Counters::Vp8(descriptor) => {
                let mut patch = descriptor.patch().picture_id(picture);
                if let Some(base) = renumbered {
                    patch = patch.tl0_pic_idx(base);
                }
                // One of seven bits has no room for ours: browsers send fifteen.
                patch.build().map_or(Change::None, Change::Vp8)
            }
            Counters::Vp9(numbers) => {
                Change::Rewritten(numbers.renumber(payload, picture, renumbered.unwrap_or_default()))
            }
        }
    }
}

fn counters(glance: &Glance) -> (Option<u16>, Option<u8>) {
    match &glance.counters {
        Counters::None => (None, None),
        Counters::Vp8(descriptor) => (descriptor.picture_id(), descriptor.tl0_pic_idx()),
        Counters::Vp9(numbers) => (numbers.picture.map(|(id, _)| id), numbers.base.map(|(base, _)| base)),
    }
}

/// The numbers of a packet as it came.
pub fn numbers(packet: &RtpPacket, highest: u64) -> Numbers {
    let sequence = *packet.seq_no;
    Numbers { ssrc: packet.header.ssrc, sequence, timestamp: packet.header.timestamp, in_order: sequence >= highest }
}

#[cfg(test)]
mod tests {
    use str0m::format::Codec;

    use super::*;
    use crate::webrtc::glance::glance;

    fn origin(leg: u64, layer: u8) -> Origin {
        Origin { leg: LegId::from_bits(leg), source: Source::Camera, layer }
    }

    fn at(ms: u64) -> Instant {
        Instant::from_start(Duration::from_millis(ms))
    }

    /// A VP8 packet that begins a frame: picture number in 15 bits, TL0PICIDX, TID.
    fn vp8(picture: u16, base: u8, keyframe: bool) -> Vec<u8> {
        let [high, low] = picture.to_be_bytes();
        vec![0x90, 0xe0, 0x80 | high, low, base, 0x20, u8::from(!keyframe), 0, 0, 0]
    }

    fn give(track: &mut Track, from: Origin, sequence: u64, timestamp: u32, payload: &[u8], now: Instant) -> Verdict {
        let numbers = Numbers { ssrc: 1.into(), sequence, timestamp, in_order: true };
        track.take(from, numbers, &glance(Codec::Vp8, payload), payload, now)
    }

    fn sent(verdict: &Verdict) -> (u64, u32) {
        let Verdict::Send { sequence, timestamp, .. } = verdict else { panic!("{verdict:?}") };
        (*sequence, *timestamp)
    }

    #[test]
    fn nothing_leaves_before_the_first_keyframe() {
        let mut track = Track::new(100, 5000);
        assert!(track.aim(origin(1, 0), at(0)));
        assert!(!track.aim(origin(1, 0), at(10)), "asked for once");
        assert_eq!(give(&mut track, origin(1, 0), 7, 0, &vp8(1, 1, false), at(20)), Verdict::Drop);
        assert_eq!(give(&mut track, origin(2, 0), 7, 0, &vp8(1, 1, true), at(20)), Verdict::Drop);
        assert_eq!(sent(&give(&mut track, origin(1, 0), 8, 900, &vp8(2, 2, true), at(30))), (101, 5000));
    }

    #[test]
    fn a_higher_layer_takes_over_at_its_keyframe_without_a_leap() {
        let mut track = Track::new(0, 0);
        track.aim(origin(1, 0), at(1000));
        give(&mut track, origin(1, 0), 500, 90_000, &vp8(10, 3, true), at(1000));
        let (before, time) = sent(&give(&mut track, origin(1, 0), 501, 93_000, &vp8(11, 4, false), at(1033)));
        track.aim(origin(1, 1), at(1040));
        let low = give(&mut track, origin(1, 0), 502, 96_000, &vp8(12, 5, false), at(1066));
        assert_eq!(sent(&low).0, before + 1, "the lower layer flows on until then");
        let high = give(&mut track, origin(1, 1), 9000, 1_000_000, &vp8(900, 200, true), at(1099));
        assert_eq!(sent(&high).0, before + 2);
        let Verdict::Send { timestamp, switched: true, change: Change::Vp8(_), .. } = high else { panic!("{high:?}") };
        assert_eq!(timestamp, time + 3000 + 33 * 90);
        assert_eq!(track.picture, 4);
        assert_eq!(track.base, 4);
        assert_eq!(give(&mut track, origin(1, 0), 503, 99_000, &vp8(13, 6, false), at(1100)), Verdict::Drop);
        assert_eq!(
            sent(&give(&mut track, origin(1, 1), 9001, 1_003_000, &vp8(901, 201, false), at(1133))).0,
            before + 3
        );
    }

    #[test]
    fn gaps_stay_and_what_comes_late_fills_them() {
        let mut track = Track::new(0, 0);
        track.aim(origin(1, 0), at(0));
        let (first, _) = sent(&give(&mut track, origin(1, 0), 100, 0, &vp8(1, 1, true), at(0)));
        assert_eq!(sent(&give(&mut track, origin(1, 0), 103, 0, &vp8(2, 1, false), at(9))).0, first + 3);
        assert_eq!(sent(&give(&mut track, origin(1, 0), 101, 0, &vp8(1, 1, false), at(9))).0, first + 1);
        assert_eq!(give(&mut track, origin(1, 0), 99, 0, &vp8(0, 1, false), at(9)), Verdict::Drop, "before the switch");
    }

    #[test]
    fn a_keyframe_whose_beginning_came_late_is_asked_for_again() {
        let mut track = Track::new(0, 0);
        track.aim(origin(1, 0), at(0));
        let payload = vp8(1, 1, true);
        let late = Numbers { ssrc: 1.into(), sequence: 5, timestamp: 0, in_order: false };
        assert_eq!(track.take(origin(1, 0), late, &glance(Codec::Vp8, &payload), &payload, at(0)), Verdict::AskAgain);
    }

    #[test]
    fn a_stream_that_begins_anew_takes_the_slot_over_at_its_keyframe_wherever_it_counts_from() {
        let mut track = Track::new(0, 0);
        track.aim(origin(1, 0), at(0));
        let (before, _) = sent(&give(&mut track, origin(1, 0), 5000, 90_000, &vp8(10, 3, true), at(1000)));
        let mut anew = |sequence, keyframe| {
            let payload = vp8(2, 2, keyframe);
            let numbers = Numbers { ssrc: 2.into(), sequence, timestamp: 7, in_order: true };
            track.take(origin(1, 0), numbers, &glance(Codec::Vp8, &payload), &payload, at(1100))
        };
        assert_eq!(anew(70, false), Verdict::AskAgain, "not decodable without one");
        assert_eq!(anew(71, false), Verdict::Drop, "asked for once");
        assert_eq!(sent(&anew(72, true)).0, before + 1);
        assert_eq!(sent(&anew(73, false)).0, before + 2);
    }

    #[test]
    fn a_keyframe_that_does_not_come_is_asked_for_again_ever_more_patiently() {
        let mut track = Track::new(0, 0);
        assert!(!track.asks_again(at(0)), "nobody is waited for");
        assert!(track.aim(origin(1, 0), at(0)));
        let asked: Vec<u64> = (0..20_000).step_by(250).filter(|ms| track.asks_again(at(*ms))).collect();
        assert_eq!(asked, [500, 1500, 3500, 7500, 11_500, 15_500, 19_500]);
        give(&mut track, origin(1, 0), 1, 0, &vp8(1, 1, true), at(20_000));
        assert!(!track.asks_again(at(60_000)), "it came");
    }

    #[test]
    fn another_person_replaces_the_picture_at_once() {
        let mut track = Track::new(0, 0);
        track.aim(origin(1, 0), at(0));
        give(&mut track, origin(1, 0), 100, 0, &vp8(1, 1, true), at(0));
        track.aim(origin(2, 0), at(10));
        assert_eq!(give(&mut track, origin(1, 0), 101, 0, &vp8(2, 1, false), at(20)), Verdict::Drop);
        assert!(track.stop());
        assert!(!track.stop());
    }
}
