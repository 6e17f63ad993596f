//! Datagrams taken and sent several at a time, one system call after the other.
//!
//! What a call of the kernel does is the same each time, and so is what we do with a packet. Turn by turn, each finds the processor's cache for
//! instructions full of the other; together, only the first does.

use crate::engine::media_seats::Seat;
use crate::engine::os::Inbox;
use crate::engine::sockets::Datagram;
use crate::media::outlet::LegKey;

/// Datagrams taken, or sent, together. More: what they and their legs need of memory is out of the nearest cache before it is used. Fewer: the
/// other is.
pub(super) const TOGETHER: usize = 12;

/// Longest datagram that waits for others: 20 ms of anything but video. Longer ones are sent at once.
const LONGEST: usize = 508;

/// The place of a datagram that is taken alone.
pub(super) const ALONE: usize = TOGETHER;

/// What was taken of the sockets of some legs, and room for one more.
pub(super) struct Arrivals {
    inboxes: Box<[Inbox]>,
    came: [Option<Datagram>; TOGETHER + 1],
}

impl Default for Arrivals {
    fn default() -> Self {
        Self { inboxes: (0..=TOGETHER).map(|_| Inbox::new()).collect(), came: [None; TOGETHER + 1] }
    }
}

impl Arrivals {
    /// Takes a datagram for a place, if there is one.
    pub(super) fn take(&mut self, place: usize, receive: impl FnOnce(&mut Inbox) -> Option<Datagram>) {
        if let (Some(inbox), Some(came)) = (self.inboxes.get_mut(place), self.came.get_mut(place)) {
            *came = receive(inbox);
        }
    }

    /// What was taken for it, once.
    pub(super) fn get(&mut self, place: usize) -> Option<(Datagram, &[u8])> {
        let datagram = self.came.get_mut(place)?.take()?;
        Some((datagram, self.inboxes.get(place)?.bytes(datagram.length)))
    }
}

/// RTP on its way out.
pub(super) struct Departures {
    bytes: Box<[[u8; LONGEST]; TOGETHER]>,
    whose: [(LegKey, u16); TOGETHER],
    count: usize,
}

impl Default for Departures {
    fn default() -> Self {
        Self { bytes: Box::new([[0; LONGEST]; TOGETHER]), whose: [(LegKey(0), 0); TOGETHER], count: 0 }
    }
}

impl Departures {
    /// Whether nothing more finds room.
    pub(super) fn is_full(&self) -> bool {
        self.count >= TOGETHER
    }

    /// Takes a datagram to a leg whose socket is connected; false where it has to be sent at once.
    pub(super) fn push(&mut self, leg: LegKey, bytes: &[u8]) -> bool {
        let place = self.bytes.get_mut(self.count).and_then(|place| place.get_mut(..bytes.len()));
        let (Some(place), Some(whose)) = (place, self.whose.get_mut(self.count)) else { return false };
        place.copy_from_slice(bytes);
        *whose = (leg, u16::try_from(bytes.len()).unwrap_or(0));
        self.count += 1;
        true
    }

    /// Sends them; returns how many the kernel took, and how many it did not.
    pub(super) fn send(&mut self, seats: &[Option<Seat>]) -> (u64, u64) {
        let (mut sent, mut unsent) = (0, 0);
        for ((leg, length), bytes) in self.whose.iter().zip(&*self.bytes).take(self.count) {
            let seat = seats.get(leg.0 as usize).and_then(Option::as_ref);
            let bytes = bytes.get(..usize::from(*length)).unwrap_or_default();
            if seat.is_some_and(|seat| seat.sockets.send_on(bytes)) { sent += 1 } else { unsent += 1 }
        }
        self.count = 0;
        (sent, unsent)
    }
}
