//! The gate between a leg and its wire: what leaves is protected, what comes in is believed or dropped.

use std::sync::Arc;

use super::{Receiver, Refused, Sender};
use crate::base::Instant;
use crate::media::command::{Dtls, Sdes, Security};
use crate::media::dtls::{Association, Broken, Handshakes, Outcome, is_dtls};
use crate::media::outlet::{MAX_DATAGRAM, Outgoing, Outlet, Port};

/// Longest datagram that is opened: what an Ethernet frame carries.
pub const LONGEST: usize = 1500;

/// One leg's gate.
pub struct Guard {
    security: Security,
    state: State,
    association: Option<Box<Association>>,
    handshakes: Option<Arc<dyn Handshakes>>,
    /// A handshake cannot even begin; to be told once.
    helpless: bool,
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
        Self { security, state, association: None, handshakes: None, helpless: false }
    }

    /// Gives it what carries out handshakes, and begins the one that was agreed.
    pub fn equip(&mut self, handshakes: Option<Arc<dyn Handshakes>>, now: Instant) {
        self.handshakes = handshakes;
        self.begin(now);
    }

    /// As it was agreed anew; streams whose keys stay go on, and so do the counters of those whose keys change.
    pub fn modify(&mut self, security: Security, now: Instant) {
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
            (Security::Dtls(_), Security::Dtls(_), _) => {
                // What the last handshake made serves until the next is done.
                self.security = security;
                self.begin(now);
            }
            _ => {
                let handshakes = self.handshakes.take();
                *self = Self::new(security);
                self.equip(handshakes, now);
            }
        }
    }

    /// Whether what comes in is to be opened first, and is dropped where it cannot be.
    pub fn is_on(&self) -> bool {
        !matches!(self.state, State::Open)
    }

    /// Whether a datagram on the RTP port is a handshake's.
    pub fn is_handshake(&self, datagram: &[u8]) -> bool {
        matches!(self.security, Security::Dtls(_)) && is_dtls(datagram)
    }

    /// Whether there is a handshake to give the time to, or the news that there can be none.
    pub fn shakes(&self) -> bool {
        self.helpless || self.association.is_some()
    }

    /// Gives a datagram, or the time, to the handshake; returns whether it is done, or failed, once.
    pub fn shake(&mut self, datagram: Option<&[u8]>, now: Instant) -> Option<Result<(), Broken>> {
        if std::mem::take(&mut self.helpless) {
            return Some(Err(Broken));
        }
        let association = self.association.as_mut()?;
        let outcome = match datagram {
            Some(datagram) => association.receive(datagram, now),
            None => association.handle_timeout(now),
        };
        match outcome? {
            Outcome::Keys(keys) => {
                self.state = keyed(&keys);
                Some(Ok(()))
            }
            Outcome::Failed => {
                self.state = State::Shut;
                Some(Err(Broken))
            }
        }
    }

    /// The next datagram of a handshake that is to leave by the RTP port.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.association.as_mut()?.poll_transmit()
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
        // A port of its own would want a handshake of its own (RFC 5764 §4.1.2): where RTCP is not on the RTP port, it is
        // left out.
        if packet.port == Port::Rtcp && matches!(self.security, Security::Dtls(_)) {
            return false;
        }
        self.send(packet, outlet, Sender::rtcp)
    }

    fn begin(&mut self, now: Instant) {
        if let Security::Dtls(agreed) = &self.security {
            let begun = self.handshakes.clone().and_then(|makes| Association::new(Dtls::clone(agreed), makes, now));
            self.helpless = begun.is_none();
            self.association = begun.map(Box::new);
        }
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
