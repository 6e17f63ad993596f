//! Where packets leave to: the engine implements [`Outlet`] over its sockets, a test over a list.

use std::net::SocketAddr;

use super::audience::Audience;
use super::web::{self, SlotFrame};
use crate::base::{ParticipantId, RoomId};

/// Names a leg within its plane: small, dense, given again after the leg has gone, so that the engine can keep its
/// sockets in a plain array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LegKey(pub u32);

/// Which of a leg's two sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Port {
    /// The even one. With rtcp-mux RTCP leaves here too.
    Rtp,
    /// The odd one.
    Rtcp,
}

/// An order to send one datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outgoing<'a> {
    /// Whose.
    pub leg: LegKey,
    /// From which socket.
    pub port: Port,
    /// Where to.
    pub to: &'a SocketAddr,
    /// What; at most [`MAX_DATAGRAM`] bytes, valid during the call only.
    pub bytes: &'a [u8],
}

/// Longest datagram a leg sends: what an Ethernet frame carries over IPv6. 60 ms of G.711 with its header is 492 bytes;
/// what is passed on may be longer.
pub const MAX_DATAGRAM: usize = 1452;

/// One packet of a room's voices for its browsers: what a [`super::web::SlotFrame`] holds, before it is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spoken<'a> {
    /// The room.
    pub room: RoomId,
    /// Which slot.
    pub slot: u8,
    /// Whose voice: no browser of this person is sent it.
    pub participant: ParticipantId,
    /// Whom it is meant for; none: for everybody.
    pub audience: Option<Audience>,
    /// When within the slot, at 48 kHz: each later than the one before, whoever speaks.
    pub timestamp: u32,
    /// The first after a silence.
    pub first: bool,
    /// Opus, at most [`super::web::LONGEST_VOICE`] bytes, valid during the call only.
    pub payload: &'a [u8],
}

/// Takes datagrams. Called from within the tick: it copies or sends, and does not wait.
pub trait Outlet {
    /// Takes one.
    fn send(&mut self, packet: Outgoing<'_>);

    /// Soon something is sent to this leg: whoever has to fetch what that needs may begin.
    fn expect(&mut self, _leg: LegKey) {}

    /// Takes a packet for a room's browsers; where none can be reached, it is let fall.
    fn slot(&mut self, _spoken: Spoken<'_>) {}
}

/// A datagram kept for later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// Whose.
    pub leg: LegKey,
    /// From which socket.
    pub port: Port,
    /// Where to.
    pub to: SocketAddr,
    length: u16,
    bytes: [u8; MAX_DATAGRAM],
}

impl Packet {
    /// The datagram.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or(&[])
    }
}

/// An outlet that keeps everything in one reused buffer, which the engine sends in batches.
#[derive(Debug, Default)]
pub struct Outbox {
    packets: Vec<Packet>,
    slots: Vec<SlotFrame>,
}

impl Outbox {
    /// With room for so many datagrams, and as many packets for browsers; more make it grow.
    pub fn with_capacity(packets: usize) -> Self {
        Self { packets: Vec::with_capacity(packets), slots: Vec::with_capacity(packets) }
    }

    /// What is inside.
    pub fn packets(&self) -> &[Packet] {
        &self.packets
    }

    /// What is inside for browsers.
    pub fn slots(&self) -> &[SlotFrame] {
        &self.slots
    }

    /// Empties it and keeps its memory.
    pub fn clear(&mut self) {
        self.packets.clear();
        self.slots.clear();
    }
}

impl Outlet for Outbox {
    fn send(&mut self, packet: Outgoing<'_>) {
        let length = packet.bytes.len().min(MAX_DATAGRAM);
        let mut bytes = [0; MAX_DATAGRAM];
        bytes[..length].copy_from_slice(&packet.bytes[..length]);
        let length = u16::try_from(length).unwrap_or(0);
        self.packets.push(Packet { leg: packet.leg, port: packet.port, to: *packet.to, length, bytes });
    }

    fn slot(&mut self, spoken: Spoken<'_>) {
        let Spoken { room, slot, participant, audience, timestamp, first, payload } = spoken;
        if let Some(payload) = web::Packet::copy(payload) {
            self.slots.push(SlotFrame { room, slot, participant, audience, timestamp, first, payload });
        }
    }
}
