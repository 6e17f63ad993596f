//! What goes straight from one of two people to the other: packets as they come, and keys.

use super::{Leg, PRESS};
use crate::base::Instant;
use crate::media::outlet::{LegKey, Outgoing, Outlet, Port};
use crate::media::relay::{Payload, Relay};
use crate::wire::codec::Codec;
use crate::wire::rtp::Header;

/// Where what comes from the far end goes, besides into its buffer.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Way {
    to: Link,
    /// From the first packet on.
    relay: Option<Relay>,
    /// The engine has yet to hear that this changed.
    turned: bool,
    /// Ticks of rest in a row, of which the other has heard nothing but the mix.
    rested: u8,
}

/// G.722 that is softer than this in the mean is at rest (−54 dBov): what its states differ by is no louder. Higher: passing on begins with a click.
/// Lower: who has a noisy line is mixed for good.
const REST: u16 = 64;

/// Ticks of rest before G.722 is passed on: 300 ms, after which states have forgotten what was before. More: it is mixed for longer. Less: a loud voice
/// is not forgotten.
const RESTED: u8 = 15;

/// How one of two people is tied to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Link {
    /// The leg of the other, where there is exactly one who may hear this one.
    pub partner: Option<LegKey>,
    /// Packets go on as they come.
    pub open: bool,
    /// Keys go through.
    pub keys: bool,
}

impl Leg {
    /// How it is tied to the other of two.
    pub fn link(&self) -> Link {
        self.way.to
    }

    /// Ties it to the other of two; passing packets on has ended before, where it was another.
    pub fn set_link(&mut self, link: Link) {
        if self.way.to.partner != link.partner {
            self.way.rested = 0;
        }
        self.way.to = link;
    }

    /// Whether passing on may begin, or goes on. What decodes G.722 has the state that the mix's encoder left it in, and bytes of another encoder are a
    /// bang to it, up to full scale, unless both are at rest.
    pub fn is_ripe(&self) -> bool {
        self.format.codec != Codec::G722 || self.passes() || self.way.rested >= RESTED
    }

    /// Something else than its voice is heard, or may be.
    pub fn unsettle(&mut self) {
        self.way.rested = 0;
    }

    /// Takes how loud the next frame is, and whether it is there; where nothing came, nothing is known of the far end's encoder.
    pub(super) fn rest(&mut self, level: u16, served: bool) {
        if self.format.codec == Codec::G722 {
            let rests = level < REST && served;
            self.way.rested = if rests { self.way.rested.saturating_add(1) } else { 0 };
        }
    }

    /// Another source begins, with an encoder of its own: it is not passed on to what has decoded the one before.
    pub(super) fn begin_source(&mut self, peer: Option<&mut Leg>) {
        self.part(peer);
        self.playout.begin_anew();
    }

    /// What comes does not follow what came, and may be another encoder's under the same name. To be called while the buffer still holds what was
    /// passed on.
    pub(super) fn part(&mut self, peer: Option<&mut Leg>) {
        if self.format.codec == Codec::G722 {
            self.end_passing(peer);
        }
        self.way.rested = 0;
    }

    /// Whether packets go on as they come: nothing is to be mixed for the other from this one.
    pub fn passes(&self) -> bool {
        self.way.relay.is_some()
    }

    /// Whether this far end's packets are what the other one may be sent as they are.
    pub fn may_pass_to(&self, peer: &Leg) -> bool {
        let (ours, theirs) = (&self.format, &peer.format);
        (ours.codec, ours.ptime) == (theirs.codec, theirs.ptime)
            && ours.direction.receives()
            && theirs.direction.sends()
            && !self.is_browser()
            && !peer.is_browser()
            && !self.is_treated()
            && !peer.hears_own()
            && peer.dial.is_idle()
            && peer.latch.rtp().is_some()
    }

    /// Notes that the engine is to hear of a change; whether it is news.
    pub fn turn(&mut self) -> bool {
        !std::mem::replace(&mut self.way.turned, true)
    }

    /// The engine has heard of it.
    pub fn turned(&mut self) {
        self.way.turned = false;
    }

    /// Stops passing packets on, for want of them or because the mix takes over; `peer` is the leg they went to. Returns
    /// whether it was passing.
    pub fn end_passing(&mut self, peer: Option<&mut Leg>) -> bool {
        let Some(relay) = self.way.relay.take() else { return false };
        let Some(peer) = peer else { return true };
        let end = relay.end(&mut self.playout, &mut peer.egress);
        let state = self.playout.recall(end);
        peer.encoder.begin(state.as_ref());
        true
    }

    /// Whether nothing has been passed on for too long.
    pub fn starves(&self, now: Instant) -> bool {
        self.way.relay.is_some_and(|relay| relay.starves(now))
    }

    /// Whether this tick's audio was sent before it came, when packets were still passed on.
    pub fn is_early(&mut self) -> bool {
        self.egress.take_early()
    }

    /// Sends a packet of this far end to the other one.
    pub(super) fn pass_on(
        &mut self,
        header: &Header,
        kind: Option<Payload>,
        payload: &[u8],
        now: Instant,
        peer: &mut Leg,
        outlet: &mut impl Outlet,
    ) {
        let Some(to) = peer.latch.rtp().filter(|_| self.way.to.open) else { return };
        let send = |bytes: &[u8]| {
            let packet = Outgoing { leg: peer.key, port: Port::Rtp, to, bytes };
            peer.counters.sent += u64::from(peer.guard.send_rtp(packet, outlet));
        };
        let ripe = self.format.codec != Codec::G722 || self.way.rested >= RESTED;
        let egress = &mut peer.egress;
        match (&mut self.way.relay, kind) {
            (Some(relay), None) => relay.leave_out(header, egress),
            (Some(relay), Some(kind)) if relay.fits(&self.playout) => {
                relay.pass(header, kind, payload, (&self.playout, now), egress, send);
            }
            (relay, Some(Payload::Audio(_))) if egress.early() == 0 && ripe => {
                if relay.take().is_some() {
                    egress.interrupt();
                }
                // The lower half of a sequence number with its cycles.
                let newest = (self.reception.highest() & 0xffff) as u16;
                *relay = Some(Relay::begin(&self.playout, newest, now, egress, send));
            }
            (_, Some(_) | None) => {}
        }
    }

    /// Presses a key for the other of two, where its packets did not go on by themselves.
    pub(super) fn press_for(&self, partner: &mut Leg, digit: char) {
        if self.way.to.keys && !self.passes() && partner.format.telephone_event.is_some() {
            partner.dial.pass(digit, PRESS);
        }
    }
}
