//! One audio slot of a listener: to the browser one stream for ever, whoever speaks in it and in whichever room.

use crate::base::{Instant, RoomId};
use crate::media::web::SlotFrame;

/// Ticks of Opus's clock per millisecond (RFC 7587 §4.1).
const TICKS: u64 = 48;
/// A leap ahead further than this in a room's clock is another clock: as long as somebody may be silent and yet have the slot.
const LEAP: u32 = 48_000 * 600;

/// The numbers of a slot.
#[derive(Debug)]
pub struct Line {
    /// The next.
    sequence: u64,
    room: Option<RoomId>,
    /// What is added to the room's clock.
    offset: u32,
    timestamp: u32,
    sent: Instant,
}

impl Line {
    /// A slot that begins with these numbers; both should be random (RFC 3550 §5.1).
    pub fn new(sequence: u16, timestamp: u32) -> Self {
        Self { sequence: u64::from(sequence & 0x7fff), room: None, offset: 0, timestamp, sent: Instant::START }
    }

    /// The sequence number and timestamp under which a frame leaves.
    pub fn number(&mut self, frame: &SlotFrame, now: Instant) -> (u64, u32) {
        let mut timestamp = frame.timestamp.wrapping_add(self.offset);
        if self.room != Some(frame.room) || timestamp.wrapping_sub(self.timestamp) > LEAP {
            // Another room has another clock: ours goes on by the time that has passed.
            let passed = u64::try_from(now.since(self.sent).as_millis()).unwrap_or(0).saturating_mul(TICKS);
            let passed = if self.sent == Instant::START { 0 } else { u32::try_from(passed).unwrap_or(LEAP).min(LEAP) };
            timestamp = self.timestamp.wrapping_add(passed.max(960));
            self.offset = timestamp.wrapping_sub(frame.timestamp);
            self.room = Some(frame.room);
        }
        (self.timestamp, self.sent) = (timestamp, now);
        self.sequence += 1;
        (self.sequence, timestamp)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::base::ParticipantId;
    use crate::media::web::Packet;

    fn frame(room: u64, timestamp: u32) -> SlotFrame {
        SlotFrame {
            room: RoomId::from_bits(room),
            slot: 0,
            participant: ParticipantId::from_bits(1),
            audience: None,
            timestamp,
            first: false,
            payload: Packet::copy(&[1, 2, 3]).unwrap(),
        }
    }

    #[test]
    fn a_slot_counts_on_over_pauses_and_over_a_change_of_rooms() {
        let mut line = Line::new(9, 1000);
        let at = |ms| Instant::from_start(Duration::from_millis(ms));
        let (first, begin) = line.number(&frame(1, 7_000), at(20));
        assert_eq!(line.number(&frame(1, 7_960), at(40)), (first + 1, begin + 960));
        assert_eq!(
            line.number(&frame(1, 55_000), at(1040)),
            (first + 2, begin + 48_000),
            "a pause is a gap in time alone"
        );
        let (next, moved) = line.number(&frame(2, 5), at(1060));
        assert_eq!((next, moved), (first + 3, begin + 48_000 + 960));
        assert_eq!(line.number(&frame(2, 965), at(1080)), (first + 4, moved + 960));
        let (_, back) = line.number(&frame(2, 0), at(1100));
        assert_eq!(back, moved + 960 + 960, "a clock that goes back is another one");
    }
}
