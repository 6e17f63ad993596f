//! Rank 6: the whole node as one machine. Bytes, media events and commands go in; datagrams, media orders, records
//! and events come out. The engine gives it a clock, sockets and a store; a test gives it virtual time.

pub mod command;
pub mod event;
pub mod settings;
pub mod view;

use bytes::Bytes;

use crate::base::{Cause, LegId};
use crate::gateway::command::{Command, CommandId, Outcome};
use crate::gateway::event::Event;
use crate::gateway::view::CallRecord;
use crate::media::command::{Figures, MediaCommand, MediaEvent};

/// A fact for the gateway (the SIP half is added with the endpoint).
#[derive(Debug)]
pub enum Input {
    /// Ports were bound for a leg, as [`Output::BindPorts`] asked.
    PortsBound {
        /// The leg.
        leg: LegId,
        /// The RTP port; RTCP is one above.
        rtp_port: u16,
    },
    /// No ports are left.
    PortsExhausted {
        /// The leg.
        leg: LegId,
    },
    /// The media plane reports.
    Media(MediaEvent),
    /// Somebody asks for something.
    Asked {
        /// Which command.
        id: CommandId,
        /// What.
        command: Box<Command>,
    },
    /// The node is to go out of service: refuse what is new, let calls finish up to the limit.
    DrainAsked,
    /// End every call now.
    StopAsked,
    /// A deadline of ours passed.
    Timeout,
}

/// An order of the gateway.
#[derive(Debug)]
pub enum Output {
    /// Bind an RTP and an RTCP socket of this address family for a leg and answer `PortsBound` or `PortsExhausted` at once.
    BindPorts {
        /// The leg.
        leg: LegId,
        /// IPv6 instead of IPv4.
        ipv6: bool,
    },
    /// Give up sockets that were bound for a leg that never opened.
    FreePorts {
        /// The leg.
        leg: LegId,
    },
    /// Carry an order to the media plane.
    Media(MediaCommand),
    /// Keep this.
    Record(Record),
    /// Keep and publish this.
    Publish(Event),
    /// Answer a command.
    Answer {
        /// Which.
        id: CommandId,
        /// What came of it.
        outcome: Outcome,
    },
    /// Every call has ended after a drain or stop.
    Drained,
    /// Signalling bytes to send.
    Send {
        /// The bytes.
        bytes: Bytes,
    },
}

/// What the store keeps of calls.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// A call began.
    Began(Box<CallRecord>),
    /// It was answered, or went into a room: the row is written over.
    Changed(Box<CallRecord>),
    /// It ended.
    Ended(Box<CallRecord>),
    /// Media figures that came after the end.
    Measured {
        /// The leg.
        leg: LegId,
        /// Its figures.
        figures: Figures,
    },
}

/// A cause as the label of a counter.
pub fn cause_label(cause: Cause) -> String {
    format!("{cause:?}")
}
