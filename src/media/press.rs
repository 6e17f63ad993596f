//! Key presses out of telephone-events (RFC 4733): one report per press, whatever is lost, doubled or reordered.
//!
//! A press is known by its timestamp; markers are not believed in. It has ended when a packet with the end bit
//! comes, when the next press begins, or when nothing of it has come for [`GIVEN_UP`]: all its end packets were
//! lost then. Giving up early costs nothing, since a timestamp that has ended never counts again; audio is no sign
//! of an end, because some phones send it beside the event.

use std::time::Duration;

use crate::base::Instant;
use crate::base::fetch::fetch;
use crate::wire::rtp::TelephoneEvent;

/// Silence after which a press is over: three packets at the longest usual interval, 50 ms. Longer: a PIN's last
/// digit is late. Shorter: nothing gained.
pub const GIVEN_UP: Duration = Duration::from_millis(150);

/// Nobody is heard while a key is down, nor for so many of its packets' intervals after its last one, between these: whoever loses
/// all end packets has spoken on by then. Longer: words are lost. Shorter: keys that are sent as tones besides are heard.
const HUSHED: u32 = 2;
const LEAST_HUSHED: Duration = Duration::from_millis(30);
const MOST_HUSHED: Duration = Duration::from_millis(100);

/// Presses that may come at once, and the time after which there may be one more: ITU-T Q.24 has keys down for 40 ms at least,
/// and up for as long. More: a telephone that is broken keeps everything behind us busy. Less: keys dialled by machine, that
/// come bunched, are lost.
const AT_ONCE: u8 = 16;
const ONE_MORE: Duration = Duration::from_millis(40);

/// Presses remembered: copies of one come within a second, and nobody keys eight in that time.
const REMEMBERED: usize = 8;

/// Longest segment (§2.5.1.3), in units of the event's clock, by which the timestamp moves, or of the audio's where that is another.
const SEGMENT: u32 = 0xffff;

/// Timestamp units between packets of one press from a phone that moves the timestamp along with each (100 ms at 8 kHz).
const SLIDING: u32 = 800;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Down { heard: Instant },
    Up,
}

#[derive(Clone, Copy)]
struct Press {
    timestamp: u32,
    event: u8,
    duration: u16,
    state: State,
}

/// What a packet meant.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Pressed {
    /// A key went down.
    pub began: bool,
    /// Keys that are up again, in the order in which they were pressed.
    pub digits: [Option<char>; 2],
}

/// The presses of one leg.
#[derive(Clone, Default)]
pub struct Presses {
    /// Newest last.
    presses: [Option<Press>; REMEMBERED],
    down: u8,
    /// Presses that came too soon after others, and since when there is one more each [`ONE_MORE`].
    spent: u8,
    since: Instant,
    /// When a packet of a key that is down came last, and how long that counts.
    heard: Instant,
    hushed: Duration,
    /// Timestamp units per 1/8000 s, less one.
    clock: u32,
}

impl Presses {
    /// None yet; timestamps count in so many hertz.
    pub fn new(clock_rate: u32) -> Self {
        let mut presses = Self::default();
        presses.set_clock_rate(clock_rate);
        presses
    }

    /// Says in how many hertz timestamps count.
    pub fn set_clock_rate(&mut self, clock_rate: u32) {
        self.clock = (clock_rate / 8000).saturating_sub(1);
    }

    /// Takes a telephone-event with its packet's timestamp and marker.
    pub fn receive(&mut self, timestamp: u32, marker: bool, event: TelephoneEvent, now: Instant) -> Pressed {
        let mut pressed = Pressed::default();
        if event.digit().is_none() {
            return pressed;
        }
        let index = match self.find(timestamp, marker, &event) {
            Some(index) => index,
            None if !self.may_begin(now) => return pressed,
            None => {
                pressed.digits[0] = self.release_older(timestamp);
                pressed.began = true;
                self.insert(Press { timestamp, event: event.event, duration: 0, state: State::Down { heard: now } })
            }
        };
        let Some(Some(press)) = self.presses.get_mut(index) else {
            return pressed;
        };
        press.timestamp = timestamp;
        press.duration = if event.duration < press.duration && !event.end { press.duration } else { event.duration };
        if let State::Down { heard } = &mut press.state {
            *heard = now;
            let passed = now.since(self.heard);
            if !passed.is_zero() {
                self.hushed = (passed * HUSHED).clamp(LEAST_HUSHED, MOST_HUSHED);
            }
            self.heard = now;
            if event.end {
                press.state = State::Up;
                self.down = self.down.saturating_sub(1);
                let slot = usize::from(pressed.digits[0].is_some());
                if let Some(slot) = pressed.digits.get_mut(slot) {
                    *slot = event.digit();
                }
            }
        }
        pressed
    }

    /// Gives up on a press of which nothing has come for long enough; call until none is left.
    pub fn expire(&mut self, now: Instant) -> Option<char> {
        if self.down == 0 {
            return None;
        }
        let over = |press: &Press| matches!(press.state, State::Down { heard } if now.since(heard) >= GIVEN_UP);
        self.release(over)
    }

    /// Whether a key went down of which no end came.
    pub fn any_down(&self) -> bool {
        self.down > 0
    }

    /// Asks the processor for what is looked at while no key is down.
    pub fn fetch(&self) {
        fetch(&self.down);
    }

    /// Whether a key is down, as far as is known.
    pub fn is_down(&self, now: Instant) -> bool {
        self.down > 0 && now.since(self.heard) < self.hushed
    }

    /// Whether one more press is no more than fingers and machines can do.
    fn may_begin(&mut self, now: Instant) -> bool {
        let regained = now.since(self.since).as_millis() / ONE_MORE.as_millis();
        if regained > 0 {
            self.spent = self.spent.saturating_sub(u8::try_from(regained).unwrap_or(u8::MAX));
            self.since = now;
        }
        let may = self.spent < AT_ONCE;
        self.spent += u8::from(may);
        may
    }

    /// The press a packet belongs to.
    fn find(&self, timestamp: u32, marker: bool, event: &TelephoneEvent) -> Option<usize> {
        let belongs = |press: &Press| {
            if press.event != event.event {
                return false;
            }
            let ahead = timestamp.wrapping_sub(press.timestamp);
            let down = matches!(press.state, State::Down { .. });
            // The same press; its next segment; or a phone that wrongly moves the timestamp while the key is down,
            // known by a duration that goes on growing, or repeated ends after it.
            ahead == 0
                || (down && !marker && (ahead == SEGMENT || ahead == SEGMENT * (self.clock + 1)))
                || (!marker && ahead < SLIDING * (self.clock + 1) && down && event.duration > press.duration)
                || (!marker
                    && ahead < SLIDING * (self.clock + 1)
                    && !down
                    && event.end
                    && event.duration >= press.duration)
        };
        self.presses.iter().rposition(|press| press.as_ref().is_some_and(belongs))
    }

    fn insert(&mut self, press: Press) -> usize {
        if matches!(self.presses.first(), Some(Some(Press { state: State::Down { .. }, .. }))) {
            self.down = self.down.saturating_sub(1);
        }
        self.presses.rotate_left(1);
        let last = REMEMBERED - 1;
        self.presses[last] = Some(press);
        self.down = self.down.saturating_add(1);
        last
    }

    /// A press that began earlier is over when another begins.
    fn release_older(&mut self, timestamp: u32) -> Option<char> {
        self.release(|press| {
            matches!(press.state, State::Down { .. }) && timestamp.wrapping_sub(press.timestamp).cast_signed() > 0
        })
    }

    fn release(&mut self, over: impl Fn(&Press) -> bool) -> Option<char> {
        let press = self.presses.iter_mut().flatten().find(|press| over(press))?;
        press.state = State::Up;
        self.down = self.down.saturating_sub(1);
        TelephoneEvent { event: press.event, end: true, volume: 0, duration: 0 }.digit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::START + Duration::from_millis(ms)
    }

    /// Packets as (milliseconds, timestamp, key, end, duration); the digits and the count of presses begun.
    fn keyed(packets: &[(u64, u32, char, bool, u16)], marker: bool) -> (String, usize) {
        let (mut presses, mut digits, mut began) = (Presses::default(), String::new(), 0);
        let mut seen = Vec::new();
        for &(ms, timestamp, key, end, duration) in packets {
            while let Some(digit) = presses.expire(at(ms)) {
                digits.push(digit);
            }
            let event = TelephoneEvent { event: TelephoneEvent::code(key).unwrap(), end, volume: 10, duration };
            let first = marker && !seen.contains(&timestamp);
            seen.push(timestamp);
            let pressed = presses.receive(timestamp, first, event, at(ms));
            began += usize::from(pressed.began);
            digits.extend(pressed.digits.into_iter().flatten());
        }
        while let Some(digit) = presses.expire(at(1_000_000)) {
            digits.push(digit);
        }
        assert!(!presses.is_down(at(0)));
        (digits, began)
    }

    #[test]
    fn a_press_counts_once_with_or_without_marker() {
        let packets = [
            (0, 800, '5', false, 160),
            (20, 800, '5', false, 320),
            (40, 800, '5', true, 480),
            (60, 800, '5', true, 480),
        ];
        assert_eq!(keyed(&packets, true), ("5".into(), 1));
        assert_eq!(keyed(&packets, false), ("5".into(), 1));
    }

    #[test]
    fn the_same_key_twice_counts_twice_even_if_every_end_is_lost() {
        let packets = [(0, 800, '5', false, 160), (20, 800, '5', false, 320), (100, 1600, '5', false, 160)];
        assert_eq!(keyed(&packets, true), ("55".into(), 2));
        assert_eq!(keyed(&packets, false), ("55".into(), 2));
    }

    #[test]
    fn an_update_that_arrives_after_the_end_is_the_same_press() {
        let packets = [(0, 800, '#', false, 160), (30, 800, '#', true, 480), (35, 800, '#', false, 320)];
        assert_eq!(keyed(&packets, true), ("#".into(), 1));
    }

    #[test]
    fn a_press_whose_packets_come_after_the_next_press_is_not_lost() {
        let packets = [(0, 1600, '2', false, 160), (10, 800, '1', true, 480), (20, 1600, '2', true, 480)];
        assert_eq!(keyed(&packets, true), ("12".into(), 2));
    }

    #[test]
    fn ten_seconds_on_one_key_are_one_press() {
        let mut packets: Vec<_> =
            (1..=409u32).map(|n| (u64::from(n) * 20, 800, '1', false, (n * 160) as u16)).collect();
        packets.push((8192, 800, '1', false, 0xffff));
        packets.extend((1..90u32).map(|n| (8192 + u64::from(n) * 20, 800 + 0xffff, '1', false, (n * 160) as u16)));
        packets.push((10_000, 800 + 0xffff, '1', true, 90 * 160));
        assert_eq!(keyed(&packets, false), ("1".into(), 1));
    }

    #[test]
    fn a_phone_that_moves_the_timestamp_with_each_packet_still_presses_once() {
        let packets = [
            (0, 800, '9', false, 160),
            (20, 960, '9', false, 320),
            (40, 1120, '9', true, 480),
            (60, 1280, '9', true, 480),
            (80, 1440, '9', true, 480),
        ];
        assert_eq!(keyed(&packets, false), ("9".into(), 1));
    }

    #[test]
    fn a_press_of_which_only_one_end_packet_came_counts() {
        assert_eq!(keyed(&[(0, 800, '*', true, 800)], false), ("*".into(), 1));
        assert_eq!(keyed(&[(0, 800, '*', false, 160)], false), ("*".into(), 1));
    }

    #[test]
    fn of_a_thousand_keys_in_a_moment_those_count_that_a_machine_could_have_pressed() {
        let packets: Vec<_> = (0..1000u32).map(|n| (u64::from(n), n * 800, '7', true, 400)).collect();
        let (digits, began) = keyed(&packets, true);
        assert!((16 + 20..=16 + 25).contains(&began), "{began} in a second");
        assert_eq!(digits.len(), began);
        // As quick as Q.24 has it, for as long as it likes.
        let quick: Vec<_> = (0..500u32).map(|n| (u64::from(n) * 80, n * 640, '7', true, 320)).collect();
        assert_eq!(keyed(&quick, true).1, 500);
    }

    #[test]
    fn who_loses_every_end_of_a_key_is_heard_after_two_of_its_packets_intervals() {
        for (interval, unheard) in [(20, 40), (50, 100), (5, 30)] {
            let mut presses = Presses::new(8000);
            for n in 1..10u16 {
                let event = TelephoneEvent { event: 5, end: false, volume: 10, duration: n * 160 };
                presses.receive(800, n == 1, event, at(1000 + u64::from(n) * interval));
            }
            let last = 1000 + 9 * interval;
            assert!(presses.is_down(at(last + unheard - 1)) && !presses.is_down(at(last + unheard)), "{interval} ms");
        }
    }
}
