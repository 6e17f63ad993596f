//! How late packets come: the measure that the jitter buffer's delay follows.
//!
//! A packet's *transit* is its arrival less its timestamp, both in samples: only differences mean anything. Each
//! second keeps its largest and second largest transit; the second largest is the 98th percentile of a phone that
//! sends 50 packets a second (99th at 10 ms packets, 94th at 60 ms), and one stray packet a second cannot move it.
//! The delay that is wanted is the largest of those over the last seconds: it rises within two late packets and
//! falls when the worst second is forgotten. Of the first second the largest counts.

/// Seconds remembered. More: delay stays high longer after a disturbance. Fewer: it falls between two disturbances
/// and the second one is heard.
const SECONDS: usize = 8;

const SECOND: i64 = 8000;

/// After nothing for so long (100 ms), a packet whose timestamp does not count that time comes from a sender whose clock stood still, as far as is known.
const STILL: i64 = 800;

#[derive(Debug, Clone, Copy)]
struct Second {
    largest: i64,
    second: i64,
    smallest: i64,
}

impl Second {
    const EMPTY: Second = Second { largest: i64::MIN, second: i64::MIN, smallest: i64::MAX };

    fn note(&mut self, transit: i64) {
        if transit > self.largest {
            self.second = self.largest;
            self.largest = transit;
        } else if transit > self.second {
            self.second = transit;
        }
        self.smallest = self.smallest.min(transit);
    }
}

/// Transits of the last seconds.
#[derive(Debug, Clone)]
// In this order: what every packet needs comes first.
#[repr(C)]
pub struct Transit {
    /// This second.
    here: Second,
    past_high: i64,
    past_low: i64,
    /// The last packet's transit and arrival.
    last: Option<(i64, i64)>,
    began: Option<i64>,
    rotations: u32,
    /// Those before it; the next to be forgotten.
    oldest: u32,
    before: [Second; SECONDS - 1],
}

impl Default for Transit {
    fn default() -> Self {
        Self {
            here: Second::EMPTY,
            past_high: i64::MIN,
            past_low: i64::MAX,
            last: None,
            began: None,
            rotations: 0,
            oldest: 0,
            before: [Second::EMPTY; SECONDS - 1],
        }
    }
}

impl Transit {
    /// Takes a packet's transit and its arrival in samples.
    pub fn note(&mut self, transit: i64, arrived: i64) {
        if let Some((before, then)) = self.last.replace((transit, arrived)) {
            let gap = arrived - then;
            // Had the network held it back, those behind it would show that at once.
            if gap >= STILL && 2 * (transit - before) >= gap {
                self.past_low = i64::MAX;
                self.here.smallest = i64::MAX;
                self.before.iter_mut().for_each(|second| second.smallest = i64::MAX);
            }
        }
        let began = *self.began.get_or_insert(arrived);
        if arrived - began >= SECOND {
            self.rotate();
            self.began = Some(arrived);
        }
        self.here.note(transit);
    }

    /// The transit that all but the rarest packets stay within; none before the first packet. In the first second
    /// every packet counts, since two late ones would be heard as two gaps right after the greeting.
    pub fn high(&self) -> Option<i64> {
        let here = if self.rotations == 0 { self.here.largest } else { self.here.second };
        let high = here.max(self.past_high);
        (high != i64::MIN).then_some(high)
    }

    /// The shortest transit, none before the first packet.
    pub fn low(&self) -> Option<i64> {
        let low = self.here.smallest.min(self.past_low);
        (low != i64::MAX).then_some(low)
    }

    /// The last of what every packet needs from its beginning on.
    pub(super) fn hot(&self) -> &impl Sized {
        &self.oldest
    }

    fn rotate(&mut self) {
        self.rotations = self.rotations.saturating_add(1);
        if self.rotations == 1 {
            // What one packet showed before anything was known counts as long as what two show later: delay that is given back
            // after a second is wanted again in the next.
            self.here.second = self.here.largest;
        }
        let over = std::mem::replace(&mut self.here, Second::EMPTY);
        if let Some(place) = self.before.get_mut(self.oldest as usize) {
            *place = over;
        }
        self.oldest = (self.oldest + 1) % (SECONDS as u32 - 1);
        self.past_high = i64::MIN;
        self.past_low = i64::MAX;
        for second in &self.before {
            // A second with one packet has no second largest: that packet is all that is known of it.
            let high = if second.second == i64::MIN { second.largest } else { second.second };
            self.past_high = self.past_high.max(high);
            self.past_low = self.past_low.min(second.smallest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_first_second_showed_once_is_not_given_back_in_the_next() {
        let mut transit = Transit::default();
        for packet in 1..=8 * 50 {
            transit.note(if packet == 40 { 240 } else { 0 }, packet * 160);
            assert_eq!(transit.high(), Some(if packet < 40 { 0 } else { 240 }), "packet {packet}");
        }
        for packet in 8 * 50 + 1..=10 * 50 {
            transit.note(0, packet * 160);
        }
        assert_eq!(transit.high(), Some(0), "forgotten like any other");
    }

    #[test]
    fn a_clock_that_stood_still_is_no_delay_and_a_network_that_held_packets_back_is() {
        let silent_for = |pause: i64, held_back: i64| {
            let mut transit = Transit::default();
            (1..=100).for_each(|packet| transit.note(0, packet * 160));
            let arrived = 100 * 160 + pause;
            (0..held_back).for_each(|packet| transit.note(pause - packet * 160, arrived));
            transit.note(pause - held_back * 160, arrived + 160);
            transit.low().unwrap()
        };
        assert_eq!(silent_for(4000, 0), 4000);
        assert_eq!(silent_for(4000, 25), 0);
        assert_eq!(silent_for(400, 0), 0, "a packet that is late like others");
    }

    #[test]
    fn one_stray_packet_a_second_does_not_move_the_delay_and_two_do() {
        let mut transit = Transit::default();
        let mut arrived = 0;
        for _ in 0..100 {
            arrived += 160;
            transit.note(10, arrived);
        }
        transit.note(900, arrived);
        assert_eq!(transit.high(), Some(10));
        transit.note(800, arrived);
        assert_eq!(transit.high(), Some(800));
        for _ in 0..50 * 10 {
            arrived += 160;
            transit.note(10, arrived);
        }
        assert_eq!(transit.high(), Some(10), "forgotten after some seconds");
        assert_eq!(transit.low(), Some(10));
    }
}
