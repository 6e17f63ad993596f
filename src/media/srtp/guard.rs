//! The gate between a leg and its wire: what leaves is protected, what comes in is believed or dropped.

use super::{Receiver, Refused, Sender};
use crate::media::command::{Sdes, Security};
use crate::media::outlet::{MAX_DATAGRAM, Outgoing, Outlet};

/// Longest datagram that is opened: what an Ethernet frame carries.
pub const LONGEST: usize = 1500;

/// One leg's gate.
pub struct Guard {
    security: Security,
    state: State,
}

enum State {
    /// Everything passes as it is.
    Open,
    /// Nothing passes: there are no keys.
    Shut,
    Keyed(Box<Keyed>),
}

struct Keyed {
    sender: Sender,
    receiver: Receiver,
}

impl Guard {
    /// As offer and answer agreed.
    pub fn new(security: Security) -> Self {
        let state = match &security {
            Security::None => State::Open,
            Security::Sdes(keys) => keyed(keys),
            Security::Dtls(_) => State::Shut,
        };
        Self { security, state }
    }

    /// As it was agreed anew; streams whose keys stay go on, and so do the counters of those whose keys change.
    pub fn modify(&mut self, security: Security) {
        if security == self.security {
            return;
        }
        match (&self.security, &security, &mut self.state) {
            (Security::Sdes(old), Security::Sdes(new), State::Keyed(keyed)) => {
                let well = (old.send == new.send || keyed.sender.rekey(&new.send))
                    && (old.receive == new.receive || keyed.receiver.rekey(&new.receive));
                if !well {
                    self.state = State::Shut;
                }
                self.security = security;
            }
            _ => *self = Self::new(security),
        }
    }

    /// Whether what comes in is to be opened first, and is dropped where it cannot be.
    pub fn is_on(&self) -> bool {
        !matches!(self.state, State::Open)
    }

    /// Opens an RTP packet into `clear`; returns its length.
    pub fn open_rtp(&mut self, bytes: &[u8], clear: &mut [u8; LONGEST]) -> Result<usize, Refused> {
        self.receiver()?.rtp(bytes, clear)
    }

    /// The same for RTCP.
    pub fn open_rtcp(&mut self, bytes: &[u8], clear: &mut [u8; LONGEST]) -> Result<usize, Refused> {
        self.receiver()?.rtcp(bytes, clear)
    }

    /// Sends an RTP packet, protected. Returns whether it left.
    pub fn send_rtp(&mut self, packet: Outgoing<'_>, outlet: &mut impl Outlet) -> bool {
        self.send(packet, outlet, Sender::rtp)
    }

    /// The same for RTCP.
    pub fn send_rtcp(&mut self, packet: Outgoing<'_>, outlet: &mut impl Outlet) -> bool {
        self.send(packet, outlet, Sender::rtcp)
    }

    fn receiver(&mut self) -> Result<&mut Receiver, Refused> {
        match &mut self.state {
            State::Keyed(keyed) => Ok(&mut keyed.receiver),
            State::Open | State::Shut => Err(Refused::Forged),
        }
    }

    fn send(
        &mut self,
        packet: Outgoing<'_>,
        outlet: &mut impl Outlet,
        protect: impl FnOnce(&mut Sender, &[u8], &mut [u8]) -> Option<usize>,
    ) -> bool {
        match &mut self.state {
            State::Open => {
                outlet.send(packet);
                true
            }
            State::Shut => false,
            State::Keyed(keyed) => {
                let mut buffer = [0; MAX_DATAGRAM];
                let length = protect(&mut keyed.sender, packet.bytes, &mut buffer);
                let Some(bytes) = length.and_then(|length| buffer.get(..length)) else { return false };
                outlet.send(Outgoing { bytes, ..packet });
                true
            }
        }
    }
}

fn keyed(keys: &Sdes) -> State {
    match (Sender::new(&keys.send), Receiver::new(&keys.receive)) {
        (Some(sender), Some(receiver)) => State::Keyed(Box::new(Keyed { sender, receiver })),
        // Keys that do not fit their suite protect nothing: then nothing passes.
        _ => State::Shut,
    }
}
