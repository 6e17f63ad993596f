//! What the receiving tasks hand to the gateway, and the gate it passes.

use std::fmt;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::counts::{Counts, count};
use super::flow::FlowHandle;
use crate::sip::endpoint::SendRef;
use crate::sip::transport::{FlowId, Source};
use crate::wire::sip::{Message, ParseError};

/// Something came, or a connection ended.
#[derive(Debug)]
pub enum Arrival {
    /// A message, or what is nearly one: whether it is answered is the endpoint's to decide.
    Message {
        /// What.
        message: Box<Result<Message, ParseError>>,
        /// How it came.
        source: Source,
    },
    /// A connection ended, or one of ours did not come about.
    FlowClosed {
        /// Which.
        flow: FlowId,
        /// Why.
        reason: CloseReason,
        /// What was to go by it and has not gone.
        unsent: Vec<SendRef>,
    },
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// The far end closed it.
    ByPeer,
    /// We closed it.
    ByUs,
    /// Reading or writing failed.
    Broken,
    /// A message was not complete in time.
    TooSlow,
    /// Nothing came for too long.
    Idle,
    /// Its bytes could not be told apart into messages.
    Unframed,
    /// The far end does not read.
    NotReading,
    /// It could not be opened.
    Unreachable,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CloseReason::ByPeer => "closed by the far end",
            CloseReason::ByUs => "closed by us",
            CloseReason::Broken => "broken",
            CloseReason::TooSlow => "a message took too long",
            CloseReason::Idle => "nothing came for too long",
            CloseReason::Unframed => "its bytes are no SIP messages",
            CloseReason::NotReading => "the far end does not read",
            CloseReason::Unreachable => "the far end cannot be reached",
        })
    }
}

/// What goes through the one channel: arrivals, and news of connections ahead of their messages.
#[derive(Debug)]
pub(super) enum Report {
    /// For the gateway.
    Arrived(Arrival),
    /// A connection was accepted.
    Opened {
        /// Its name.
        flow: FlowId,
        /// How to write to it.
        handle: FlowHandle,
    },
}

/// The way into the channel.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    sender: mpsc::Sender<Report>,
    counts: Arc<Counts>,
}

/// Requests by UDP pass only while this share of the channel is free, so that responses and ACKs, which end
/// transactions, still pass when new work does not: one in so many.
const RESERVE: usize = 8;

impl Gate {
    pub(super) fn new(sender: mpsc::Sender<Report>, counts: Arc<Counts>) -> Self {
        Self { sender, counts }
    }

    /// A datagram's message: dropped and counted when there is no room.
    pub(super) fn offer(&self, arrival: Arrival, new_work: bool) {
        let crowded = self.sender.capacity() < self.sender.max_capacity() / RESERVE;
        let dropped = (new_work && crowded) || self.sender.try_send(Report::Arrived(arrival)).is_err();
        if dropped {
            count(if new_work { &self.counts.dropped_requests } else { &self.counts.dropped_others });
        }
    }

    /// A connection's message or news: waits for room, so that the connection is not read meanwhile.
    pub(super) async fn deliver(&self, report: Report) {
        // Nobody listens any more: the program ends.
        let _ = self.sender.send(report).await;
    }
}
