//! What arrived of a stream: sequence numbers, loss, copies and jitter (RFC 3550 §A.1, §A.3, §A.8).

/// Packets remembered to tell a copy from a packet that comes late.
const WINDOW: u16 = 128;

/// A jump forward of this many packets is no loss but a sender that began anew (§A.1).
const MAX_DROPOUT: u16 = 3000;

/// What a sequence number means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// First of its number.
    Fresh,
    /// Came before.
    Duplicate,
    /// So far from the others that one more like it begins anew.
    Astray,
}

/// Reception of one source.
#[derive(Debug, Clone, Default)]
pub struct Reception {
    started: bool,
    ssrc: u32,
    base: u32,
    /// Highest number, with its cycles above.
    highest: u32,
    /// Bit `n`: number `highest − n` came.
    window: u128,
    astray: Option<u16>,
    /// The newest audio's number and timestamp, and whether one after it had an earlier timestamp.
    newest: Option<(u16, u32)>,
    back: bool,
    /// The last audio's number.
    last: Option<u16>,
    received: u32,
    /// At the last report.
    expected_then: u32,
    received_then: u32,
    /// Of sources before this one.
    lost_before: u64,
    transit: Option<i64>,
    /// In 1/16 of a timestamp unit.
    jitter: i64,
}

impl Reception {
    /// The source that is being received, none before the first packet.
    pub fn ssrc(&self) -> Option<u32> {
        self.started.then_some(self.ssrc)
    }

    /// Begins with another source; its first packet is given to [`Reception::arrive`] next.
    pub fn begin(&mut self, ssrc: u32, sequence: u16) {
        let lost_before = self.lost();
        *self = Self { started: true, ssrc, lost_before, jitter: self.jitter, ..Self::default() };
        self.restart(sequence);
    }

    /// What comes is not taken for a while: what goes by meanwhile is not lost.
    pub fn pause(&mut self) {
        self.lost_before = self.lost();
        self.started = false;
    }

    /// Takes a packet's sequence number.
    pub fn arrive(&mut self, sequence: u16) -> Arrival {
        let ahead = sequence.wrapping_sub(self.highest as u16);
        if ahead == 0 || ahead > u16::MAX - WINDOW {
            let bit = 1u128 << (ahead.wrapping_neg() & (WINDOW - 1));
            if self.window & bit != 0 {
                return Arrival::Duplicate;
            }
            self.window |= bit;
        } else if ahead < MAX_DROPOUT {
            self.highest = self.highest.wrapping_add(u32::from(ahead));
            self.window = if ahead < WINDOW { (self.window << ahead) | 1 } else { 1 };
        } else if self.astray == Some(sequence) {
            self.go_on(sequence);
        } else {
            self.astray = Some(sequence.wrapping_add(1));
            return Arrival::Astray;
        }
        self.astray = None;
        self.received = self.received.wrapping_add(1);
        Arrival::Fresh
    }

    /// Looks again at audio whose number came before: a copy has a timestamp that came, too. Who sets his numbers back goes on in time, and the second in a row
    /// begins anew.
    pub fn look_again(&mut self, sequence: u16, timestamp: u32) -> Arrival {
        let later = |(_, newest): (u16, u32)| timestamp.wrapping_sub(newest).cast_signed() > 0;
        if !self.newest.is_some_and(later) {
            return Arrival::Duplicate;
        }
        if self.astray != Some(sequence) {
            self.astray = Some(sequence.wrapping_add(1));
            return Arrival::Astray;
        }
        self.go_on(sequence);
        self.received = 1;
        Arrival::Fresh
    }

    /// Takes the number of a packet that came and is no use, so that it is not lost; whether it was near the others. One that is of use may
    /// still come under it.
    pub fn refuse(&mut self, sequence: u16) -> bool {
        let ahead = sequence.wrapping_sub(self.highest as u16);
        if ahead == 0 || ahead >= MAX_DROPOUT {
            return false;
        }
        self.highest = self.highest.wrapping_add(u32::from(ahead));
        self.window = if ahead < WINDOW { self.window << ahead } else { 0 };
        self.received = self.received.wrapping_add(1);
        true
    }

    /// Whether a second audio packet in a row has a later number and an earlier timestamp than what came before: its sender
    /// has set its clock back, and everything that it sends would be late.
    pub fn turns_back(&mut self, sequence: u16, timestamp: u32) -> bool {
        let after = |(number, _): &(u16, u32)| sequence.wrapping_sub(*number).cast_signed() > 0;
        // A late one tells nothing.
        let Some((_, newest)) = self.newest.filter(after) else { return false };
        let back = timestamp.wrapping_sub(newest).cast_signed() < 0;
        back && std::mem::replace(&mut self.back, back)
    }

    /// Takes the number of an audio packet; whether it is the next after the one before.
    pub fn follows(&mut self, sequence: u16) -> bool {
        self.last.replace(sequence).is_some_and(|last| last.wrapping_add(1) == sequence)
    }

    /// Takes the number and timestamp of audio that found its place.
    pub fn place(&mut self, sequence: u16, timestamp: u32, anew: bool) {
        let before = |(number, stamp): &(u16, u32)| {
            sequence.wrapping_sub(*number).cast_signed() > 0 && timestamp.wrapping_sub(*stamp).cast_signed() >= 0
        };
        if anew || self.newest.as_ref().is_none_or(before) {
            (self.newest, self.back) = (Some((sequence, timestamp)), false);
        }
    }

    /// Takes an audio packet's arrival and timestamp, for jitter.
    pub fn time(&mut self, arrived: i64, timestamp: u32) {
        let transit = arrived - i64::from(timestamp);
        if let Some(before) = self.transit.replace(transit) {
            let change = (transit - before).abs();
            // A timestamp that wraps or jumps is no jitter.
            if change < 80_000 {
                self.jitter += change - ((self.jitter + 8) >> 4);
            }
        }
    }

    /// Packets that never came, of every source so far.
    pub fn lost(&self) -> u64 {
        self.lost_before + u64::from(self.expected().saturating_sub(self.received))
    }

    /// Interarrival jitter in timestamp units.
    pub fn jitter(&self) -> u32 {
        u32::try_from(self.jitter >> 4).unwrap_or(0)
    }

    /// Highest sequence number with its cycles.
    pub fn highest(&self) -> u32 {
        self.highest
    }

    /// Loss of this source in all (24 bits signed) and since the last call in 1/256.
    pub fn report(&mut self) -> (i32, u8) {
        let expected = self.expected();
        let lost = i64::from(expected) - i64::from(self.received);
        let expected_now = expected.wrapping_sub(self.expected_then);
        let received_now = self.received.wrapping_sub(self.received_then);
        (self.expected_then, self.received_then) = (expected, self.received);
        let lost_now = u64::from(expected_now.saturating_sub(received_now));
        let fraction = if expected_now == 0 { 0 } else { (lost_now << 8) / u64::from(expected_now) };
        let lost = i32::try_from(lost.clamp(-0x80_0000, 0x7f_ffff)).unwrap_or(0);
        (lost, u8::try_from(fraction).unwrap_or(u8::MAX))
    }

    fn expected(&self) -> u32 {
        if self.started { self.highest.wrapping_sub(self.base).wrapping_add(1) } else { 0 }
    }

    /// The same source numbers its packets anew, and this one is there.
    fn go_on(&mut self, sequence: u16) {
        self.lost_before = self.lost();
        self.restart(sequence);
        self.window = 1;
    }

    fn restart(&mut self, sequence: u16) {
        // One cycle up, so that a packet before the first does not wrap below zero.
        self.base = 0x1_0000 + u32::from(sequence);
        self.highest = self.base;
        // The first number itself has yet to arrive.
        self.window = 0;
        self.received = 0;
        self.expected_then = 0;
        self.received_then = 0;
        self.transit = None;
        self.astray = None;
        (self.newest, self.back, self.last) = (None, false, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(numbers: impl IntoIterator<Item = u16>) -> (Reception, Vec<Arrival>) {
        let mut reception = Reception::default();
        let mut seen = Vec::new();
        for number in numbers {
            if reception.ssrc().is_none() {
                reception.begin(1, number);
            }
            seen.push(reception.arrive(number));
        }
        (reception, seen)
    }

    #[test]
    fn what_goes_by_on_hold_is_not_lost() {
        let mut reception = Reception::default();
        reception.begin(1, 10);
        assert!([10, 11, 13].into_iter().all(|sequence| reception.arrive(sequence) == Arrival::Fresh));
        reception.pause();
        assert_eq!(reception.ssrc(), None, "the next packet begins anew");
        reception.begin(1, 90);
        assert!([90, 91].into_iter().all(|sequence| reception.arrive(sequence) == Arrival::Fresh));
        assert_eq!(reception.lost(), 1);
    }

    #[test]
    fn what_came_and_is_no_use_is_not_lost_and_keeps_nothing_out() {
        let (mut reception, _) = receive([65_534, 65_535]);
        assert!(reception.refuse(0) && reception.refuse(2));
        assert_eq!([10_000, 2].map(|sequence| reception.refuse(sequence)), [false; 2], "far from the others; again");
        assert_eq!(reception.lost(), 1);
        assert_eq!([2, 3, 1].map(|sequence| reception.arrive(sequence)), [Arrival::Fresh; 3]);
        assert_eq!(reception.lost(), 0);
    }

    #[test]
    fn numbers_that_are_set_back_are_told_from_copies() {
        for back in [1, 5, 20, 63, 100, 127] {
            let mut reception = Reception::default();
            reception.begin(1, 1000);
            for n in 0..200u16 {
                assert_eq!(reception.arrive(1000 + n), Arrival::Fresh);
                reception.place(1000 + n, u32::from(n) * 160, false);
            }
            let first = 1200 - back;
            assert_eq!(reception.arrive(first), Arrival::Duplicate);
            assert_eq!(reception.look_again(first, u32::from(first - 1000) * 160), Arrival::Duplicate, "a copy");
            assert_eq!(reception.look_again(first, 200 * 160), Arrival::Astray, "{back}");
            assert_eq!(reception.arrive(first + 1), if back == 1 { Arrival::Fresh } else { Arrival::Duplicate });
            if back > 1 {
                assert_eq!(reception.look_again(first + 1, 201 * 160), Arrival::Fresh);
            }
            assert!((2..150).all(|n| reception.arrive(first + n) == Arrival::Fresh));
            assert_eq!(reception.lost(), 0);
        }
    }

    #[test]
    fn loss_copies_and_reordering_are_told_apart_across_the_wrap() {
        let (mut reception, seen) = receive([65_534, 65_535, 1, 0, 0, 4, 65_535]);
        use Arrival::{Duplicate, Fresh};
        assert_eq!(seen, [Fresh, Fresh, Fresh, Fresh, Duplicate, Fresh, Duplicate]);
        assert_eq!(reception.lost(), 2);
        assert_eq!(reception.report(), (2, (2 * 256 / 7) as u8));
        assert_eq!(reception.report(), (2, 0));
    }

    #[test]
    fn a_clock_that_was_set_back_is_told_from_packets_that_come_late() {
        let mut reception = Reception::default();
        reception.begin(1, 10);
        let mut seen = Vec::new();
        // Overtaken; a single wild timestamp; set back by 10 ms; and on from there.
        for (sequence, timestamp) in [
            (10, 1000u32),
            (12, 1320),
            (11, 1160),
            (13, 900),
            (14, 1640),
            (15, 1560),
            (16, 1720),
            (17, 1880),
            (18, 1400),
            (19, 1560),
        ] {
            let back = reception.turns_back(sequence, timestamp);
            seen.push(back);
            reception.place(sequence, timestamp, back);
        }
        let wanted: Vec<bool> = (10..=19u16).map(|sequence| sequence == 19).collect();
        assert_eq!(seen, wanted);
    }

    #[test]
    fn a_single_wild_number_is_astray_and_two_in_a_row_begin_anew() {
        let (reception, seen) = receive([10, 11, 40_000, 12, 50_000, 50_001, 50_002]);
        use Arrival::{Astray, Fresh};
        assert_eq!(seen, [Fresh, Fresh, Astray, Fresh, Astray, Fresh, Fresh]);
        assert_eq!(reception.lost(), 0);
    }
}
