//! The sockets of a media thread's legs, by key, and how it hears that one of them has a packet.
//!
//! Audio is read when its room is ticked. Two sets hear of the rest: sockets whose packets go on as they come wake the thread, those
//! with RTCP and strangers' packets are looked at when it wakes anyway.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use crate::base::LegId;
use crate::base::fetch::fetch;
use crate::engine::media_batch::Departures;
use crate::engine::media_web::ThreadEnds;
use crate::engine::media_worker::{Counts, add};
use crate::engine::os::{Doorbell, Epoll, Ready};
use crate::engine::sockets::{Ear, LegSockets};
use crate::media::outlet::{LegKey, Outgoing, Outlet, Port, Spoken};
use crate::media::plane::Foreseen;

/// Sockets looked at by one call of epoll. More: memory. Less: more calls under load.
const READY: usize = 1024;

/// The token of the thread's own doorbell; no leg has it.
const DOORBELL: u64 = u64::MAX;

fn token(key: LegKey, ear: Ear) -> u64 {
    let ear = match ear {
        Ear::Rtp => 0,
        Ear::Trap => 1,
        Ear::Rtcp => 2,
    };
    u64::from(key.0) << 2 | ear
}

fn untoken(token: u64) -> Option<(LegKey, Ear)> {
    let ear = match token & 3 {
        0 => Ear::Rtp,
        1 => Ear::Trap,
        2 => Ear::Rtcp,
        _ => return None,
    };
    Some((LegKey(u32::try_from(token >> 2).ok()?), ear))
}

/// One leg's sockets.
pub(super) struct Seat {
    pub(super) leg: LegId,
    pub(super) sockets: Box<LegSockets>,
    /// Its packets go on as they come, and wake the thread.
    pub(super) hurried: bool,
}

/// What was found readable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// The thread's own doorbell.
    Doorbell,
    /// A leg's socket.
    Ear(LegKey, Ear),
}

/// All seats of one thread.
pub(super) struct Seats {
    /// By [`LegKey`].
    seats: Vec<Option<Seat>>,
    keys: BTreeMap<LegId, LegKey>,
    patient: Epoll,
    hurried: Epoll,
    ready: Ready,
    hurry: usize,
}

impl Seats {
    /// None taken; the doorbell is listened for with them.
    pub(super) fn new(doorbell: &Doorbell) -> io::Result<Self> {
        let patient = Epoll::new()?;
        patient.add(doorbell, DOORBELL)?;
        Ok(Self {
            seats: Vec::new(),
            keys: BTreeMap::new(),
            patient,
            hurried: Epoll::new()?,
            ready: Ready::with_capacity(READY),
            hurry: 0,
        })
    }

    /// Looks for what is readable, or waits for it so long; returns how much was found.
    pub(super) fn wait(&mut self, at_most: Duration) -> usize {
        self.patient.wait(&mut self.ready, at_most)
    }

    /// The same among those whose packets go on as they come, to the millisecond.
    pub(super) fn wait_hurried(&mut self, at_most: Duration) -> usize {
        self.hurried.wait(&mut self.ready, at_most)
    }

    /// Whether some leg's packets go on as they come.
    pub(super) fn any_hurried(&self) -> bool {
        self.hurry > 0
    }

    /// The `index`th that was found.
    pub(super) fn found(&self, index: usize) -> Option<Found> {
        let token = self.ready.token(index)?;
        if token == DOORBELL { Some(Found::Doorbell) } else { untoken(token).map(|(key, ear)| Found::Ear(key, ear)) }
    }

    /// The sockets of a key.
    pub(super) fn get(&self, key: LegKey) -> Option<&Seat> {
        self.seats.get(key.0 as usize)?.as_ref()
    }

    /// Asks the processor for what sending and receiving need of one.
    pub(super) fn fetch(&self, foreseen: Foreseen) {
        if let Some(seat) = foreseen.far.and_then(|key| self.seats.get(key.0 as usize)) {
            fetch(seat);
        }
        if let Some(seat) = foreseen.middle.and_then(|key| self.get(key)) {
            fetch(&*seat.sockets);
        }
    }

    /// The sockets of a leg.
    pub(super) fn sockets_of(&mut self, leg: LegId) -> Option<&mut LegSockets> {
        let key = self.keys.get(&leg)?;
        self.seats.get_mut(key.0 as usize)?.as_mut().map(|seat| &mut *seat.sockets)
    }

    /// Takes a leg's sockets in; an error when the kernel has no room to watch them.
    pub(super) fn seat(&mut self, leg: LegId, key: LegKey, sockets: Box<LegSockets>) -> io::Result<()> {
        let index = key.0 as usize;
        if self.seats.len() <= index {
            self.seats.resize_with(index + 1, || None);
        }
        let watched = sockets.watch(&self.patient, |ear| token(key, ear));
        if let Some(seat) = self.seats.get_mut(index) {
            *seat = Some(Seat { leg, sockets, hurried: false });
        }
        self.keys.insert(leg, key);
        watched
    }

    /// Gives a leg's sockets out.
    pub(super) fn unseat(&mut self, leg: LegId) -> Option<Box<LegSockets>> {
        let key = self.keys.remove(&leg)?;
        let seat = self.seats.get_mut(key.0 as usize)?.take()?;
        if seat.hurried {
            self.hurry -= 1;
            seat.sockets.unwatch_rtp(&self.hurried);
        }
        seat.sockets.unwatch(&self.patient);
        Some(seat.sockets)
    }

    /// Whether a leg's packets wake the thread. Those of one that the kernel does not take into the set go on when its room is ticked.
    pub(super) fn hurry(&mut self, key: LegKey, hurry: bool) {
        let Some(Some(seat)) = self.seats.get_mut(key.0 as usize) else { return };
        if seat.hurried == hurry {
            return;
        }
        if !hurry {
            seat.sockets.unwatch_rtp(&self.hurried);
        } else if seat.sockets.watch_rtp(&self.hurried, token(key, Ear::Rtp)).is_err() {
            return;
        }
        seat.hurried = hurry;
        self.hurry = if hurry { self.hurry + 1 } else { self.hurry - 1 };
    }

    /// A way out through them, and to browsers.
    pub(super) fn outlet<'a>(&'a self, web: &'a mut ThreadEnds) -> Sockets<'a> {
        Sockets { seats: &self.seats, web, departures: None, sent: 0, unsent: 0, slots: 0, slots_dropped: 0 }
    }

    /// The same, by which RTP leaves several packets at a time; to be [flushed](Sockets::flush) in the end.
    pub(super) fn outlet_by<'a>(&'a self, web: &'a mut ThreadEnds, departures: &'a mut Departures) -> Sockets<'a> {
        Sockets { departures: Some(departures), ..self.outlet(web) }
    }
}

/// Sends from legs' sockets, and to the web plane.
pub(super) struct Sockets<'a> {
    seats: &'a [Option<Seat>],
    web: &'a mut ThreadEnds,
    departures: Option<&'a mut Departures>,
    sent: u64,
    unsent: u64,
    slots: u64,
    slots_dropped: u64,
}

impl Outlet for Sockets<'_> {
    fn send(&mut self, packet: Outgoing<'_>) {
        let seat = self.seats.get(packet.leg.0 as usize).and_then(Option::as_ref);
        if let (Some(departures), Some(seat), Port::Rtp) = (&mut self.departures, seat, packet.port)
            && seat.sockets.is_connected(packet.to)
        {
            if departures.push(packet.leg, packet.bytes) {
                if departures.is_full() {
                    self.flush();
                }
                return;
            }
            // Too long to wait: but none overtakes another.
            self.flush();
        }
        if seat.is_some_and(|seat| seat.sockets.send(packet.port, packet.to, packet.bytes)) {
            self.sent += 1;
        } else {
            self.unsent += 1;
        }
    }

    fn expect(&mut self, leg: LegKey) {
        let seat = self.seats.get(leg.0 as usize).and_then(Option::as_ref);
        seat.into_iter().for_each(|seat| fetch(&*seat.sockets));
    }

    fn slot(&mut self, spoken: Spoken<'_>) {
        if self.web.push(spoken) {
            self.slots += 1;
        } else {
            self.slots_dropped += 1;
        }
    }
}

impl Sockets<'_> {
    /// Sends what still waits for others.
    pub(super) fn flush(&mut self) {
        if let Some(departures) = &mut self.departures {
            let (sent, unsent) = departures.send(self.seats);
            self.sent += sent;
            self.unsent += unsent;
        }
    }

    /// Adds up what was sent.
    pub(super) fn count(&self, counts: &Counts) {
        add(&counts.sent, self.sent);
        add(&counts.unsent, self.unsent);
        add(&counts.slots, self.slots);
        add(&counts.slots_dropped, self.slots_dropped);
    }
}
