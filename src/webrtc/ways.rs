//! By which ways browsers are reached: addresses that a check vouched for, and the one of them that the browser chose.

use std::net::SocketAddr;

use crate::base::{Instant, LegId};
use crate::webrtc::hub::Hub;
use crate::webrtc::leg::{ADDRESSES, ADDRESSES_EVER};
use crate::webrtc::{Candidate, Output, Via, Wire, stun};

impl Hub {
    /// Whether a check vouched for this address.
    pub fn knows(&self, wire: Wire, from: SocketAddr) -> bool {
        self.routes.contains_key(&(wire, from))
    }

    /// A datagram leaves: the answer to a check by the way that it came, everything else by the way that the browser chose
    /// last. str0m would stay with the way of the highest priority until that is silent for long, which is what a browser that
    /// changes networks leaves behind.
    pub(super) fn send(&mut self, id: LegId, chosen: (Wire, SocketAddr), bytes: Vec<u8>) {
        let way = self.legs.get(&id).and_then(|leg| leg.way).filter(|_| !stun::is_stun(&bytes)).unwrap_or(chosen);
        if let Some((owner, via)) = self.routes.get(&way)
            && *owner == id
        {
            self.counts.sent += 1;
            self.outputs.push_back(Output::Send { via: *via, to: way.1, bytes });
        }
    }

    /// A check has vouched for an address, and perhaps chosen it.
    pub(super) fn route(&mut self, id: LegId, via: Via, from: SocketAddr, chosen: bool, now: Instant) {
        let known = self.routes.insert((via.wire, from), (id, via));
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if chosen {
            leg.way = Some((via.wire, from));
        }
        if known.is_some_and(|(owner, _)| owner == id) {
            return;
        }
        leg.addresses_ever += 1;
        leg.routes.push_back((via.wire, from));
        let too_many = leg.addresses_ever > ADDRESSES_EVER;
        if leg.routes.front() == leg.way.as_ref() {
            leg.routes.rotate_left(1);
        }
        if leg.routes.len() > ADDRESSES
            && let Some(oldest) = leg.routes.pop_front()
            && self.routes.get(&oldest).is_some_and(|(owner, _)| *owner == id)
        {
            self.routes.remove(&oldest);
        }
        if too_many {
            self.lose(id, now);
        }
    }

    /// To str0m every way in is the first candidate of its wire and family.
    pub(super) fn destination(&self, via: Via, from: SocketAddr) -> Option<SocketAddr> {
        let fits = |candidate: &&Candidate| candidate.wire == via.wire && candidate.address.is_ipv4() == from.is_ipv4();
        self.settings.candidates.iter().find(fits).map(|candidate| candidate.address)
    }
}
