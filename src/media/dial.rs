//! Keys digits: telephone-events sent one after the other (RFC 4733 §2.5.1).
//!
//! ```text
//!  Idle ──► Down: a packet per tick, duration growing ──► Ending: the end packet three times ──► Pause ──► Idle
//! ```

use std::collections::VecDeque;

use crate::wire::rtp::TelephoneEvent;

/// Ticks between two digits: 80 ms. Less: receivers that follow ITU-T Q.24 (65 ms at the least, after our last end
/// packet has gone) run digits together. More: a long number takes long.
const PAUSE: u8 = 4;

/// Digits of a far end that wait at most. More: memory. Less: one who types ahead of a slow receiver loses digits.
const MOST_PASSED: usize = 32;

/// The end packet goes out this often (§2.5.1.4).
const ENDS: u8 = 3;

/// Power of the tone that is meant, in −dBm0.
const VOLUME: u8 = 10;

#[derive(Clone, Copy)]
enum State {
    Idle,
    Down { event: u8, timestamp: u32, ticks: u16, of: u16 },
    Ending { event: u8, timestamp: u32, duration: u16, left: u8 },
    Pause { left: u8 },
}

/// What goes out in a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Audio, as usual.
    Audio,
    /// An event packet with this timestamp; no audio beside it.
    Event {
        /// First packet of the press.
        marker: bool,
        /// When the press began.
        timestamp: u32,
        /// Its payload.
        event: TelephoneEvent,
    },
}

/// The digits that a leg still has to key.
#[derive(Clone)]
pub struct Dial {
    waiting: VecDeque<(u8, u16)>,
    state: State,
}

impl Default for Dial {
    fn default() -> Self {
        Self { waiting: VecDeque::with_capacity(MOST_PASSED), state: State::Idle }
    }
}

impl Dial {
    /// Queues a digit of so many milliseconds; what is no key is left out.
    pub fn push(&mut self, digit: char, milliseconds: u16) {
        if let Some(event) = TelephoneEvent::code(digit) {
            // Two ticks at least, so that a lost first packet loses nothing.
            let ticks = (milliseconds / 20).max(2);
            self.waiting.push_back((event, ticks));
        }
    }

    /// Queues a digit that a far end pressed for another; one too many is left out, so that a flood asks for nothing.
    pub fn pass(&mut self, digit: char, milliseconds: u16) {
        if self.waiting.len() < MOST_PASSED {
            self.push(digit, milliseconds);
        }
    }

    /// Whether there is nothing to key.
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle) && self.waiting.is_empty()
    }

    /// The order of one tick, whose first sample has this timestamp; a tick lasts `frame` timestamp units.
    pub fn tick(&mut self, timestamp: u32, frame: u16) -> Order {
        match self.state {
            State::Idle => match self.waiting.pop_front() {
                Some((event, of)) => {
                    self.state = State::Down { event, timestamp, ticks: 1, of };
                    Self::order(true, timestamp, event, false, frame)
                }
                None => Order::Audio,
            },
            State::Down { event, timestamp, ticks, of } => {
                let ticks = ticks + 1;
                // One segment at most.
                let end = ticks >= of.min(u16::MAX / frame.max(1));
                let duration = ticks * frame;
                self.state = if end {
                    State::Ending { event, timestamp, duration, left: ENDS - 1 }
                } else {
                    State::Down { event, timestamp, ticks, of }
                };
                Self::order(false, timestamp, event, end, duration)
            }
            State::Ending { event, timestamp, duration, left } => {
                self.state = if left > 1 {
                    State::Ending { event, timestamp, duration, left: left - 1 }
                } else {
                    State::Pause { left: PAUSE }
                };
                Self::order(false, timestamp, event, true, duration)
            }
            State::Pause { left } => {
                self.state = if left > 1 { State::Pause { left: left - 1 } } else { State::Idle };
                Order::Audio
            }
        }
    }

    fn order(marker: bool, timestamp: u32, event: u8, end: bool, duration: u16) -> Order {
        Order::Event { marker, timestamp, event: TelephoneEvent { event, end, volume: VOLUME, duration } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_press_grows_ends_three_times_and_leaves_a_pause_before_the_next() {
        let mut dial = Dial::default();
        dial.push('4', 80);
        dial.push('?', 80);
        dial.push('#', 10);
        let mut seen = Vec::new();
        for tick in 0..20u32 {
            if let Order::Event { marker, timestamp, event } = dial.tick(1000 + tick * 160, 160) {
                seen.push((tick, marker, timestamp, event.digit().unwrap(), event.end, event.duration));
            }
        }
        assert_eq!(
            seen,
            [
                (0, true, 1000, '4', false, 160),
                (1, false, 1000, '4', false, 320),
                (2, false, 1000, '4', false, 480),
                (3, false, 1000, '4', true, 640),
                (4, false, 1000, '4', true, 640),
                (5, false, 1000, '4', true, 640),
                (10, true, 2600, '#', false, 160),
                (11, false, 2600, '#', true, 320),
                (12, false, 2600, '#', true, 320),
                (13, false, 2600, '#', true, 320),
            ]
        );
        assert!(dial.is_idle());
    }
}
