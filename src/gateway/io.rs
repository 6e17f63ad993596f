//! What the gateway is told, what it orders, and what it has kept of calls.

use std::net::SocketAddr;

use bytes::Bytes;

use crate::base::id::{CallbackId, CodeId, ElevationId, RelayId, TicketId};
use crate::base::{LegId, PhoneNumber, Utc};
use crate::elevation::push::{PushOrder, PushOutcome};
use crate::gateway::command::{Command, CommandId, Outcome};
use crate::gateway::event::Event;
use crate::gateway::view::CallRecord;
use crate::gateway::{device, fetch, relays, web};
use crate::media::command::{Figures, MediaCommand, MediaEvent};
use crate::media::web::{WebCommand, WebEvent};
use crate::route::TlsRules;
use crate::sip::endpoint::{self, SendRef};
use crate::sip::locate::{Lookup, LookupId, Question};
use crate::sip::transport::Target;
use crate::texting::{LookUpId, TextOrder, Texting};
use crate::ticket::Ticket;

/// A fact for the gateway.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "one exists at a time, and most are signalling: boxing it would cost a call per message"
)]
pub enum Input {
    /// Signalling: a message, a failure to send, a connection gone.
    Signalling(endpoint::Input),
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
    /// A relay came, or is gone.
    Relay(relays::RelayFact),
    /// The media plane reports.
    Media(MediaEvent),
    /// A page connected, says something, is gone.
    Web(web::Input),
    /// The web plane, which owns browsers' peer connections, reports.
    WebMedia(WebEvent),
    /// What became of a text, or what kind of line a number is.
    Texting(Texting),
    /// What came of a notification.
    Notified {
        /// Whose.
        elevation: ElevationId,
        /// What.
        outcome: PushOutcome,
    },
    /// Somebody asks for something.
    Asked {
        /// Which command.
        id: CommandId,
        /// What.
        command: Box<Command>,
    },
    /// The DNS was asked, as [`Output::Resolve`] wanted.
    Resolved {
        /// Which question.
        id: LookupId,
        /// What came of it.
        lookup: Lookup,
    },
    /// What [`Output::Fetch`] asked for is here, or will not be.
    Fetched {
        /// Which.
        id: fetch::FetchId,
        /// The body of a 200, or why there is none.
        result: Result<Bytes, fetch::FetchError>,
    },
    /// What [`Output::Claim`] asked the store.
    Claimed {
        /// Which callback.
        callback: CallbackId,
        /// It has not rung before, and is to ring.
        granted: bool,
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
        /// By this relay, in its network, instead of here.
        relay: Option<RelayId>,
    },
    /// Ask the DNS and answer `Resolved`, whatever comes of it.
    Resolve {
        /// To answer by.
        id: LookupId,
        /// What.
        question: Question,
    },
    /// Give up sockets that were bound for a leg that never opened.
    FreePorts {
        /// The leg.
        leg: LegId,
    },
    /// Carry an order to the media plane.
    Media(MediaCommand),
    /// Tell pages something, or close their connections.
    Web(web::Output),
    /// Carry an order to the web plane.
    WebMedia(WebCommand),
    /// Send a text, once; what becomes of it comes back as `Texting`.
    Text(Box<TextOrder>),
    /// Tell a person's browsers, and answer `Notified`.
    Push(Box<PushOrder>),
    /// Find out what kind of line a number is and answer by `Texting`.
    LookUp {
        /// To answer by.
        id: LookUpId,
        /// Which number.
        number: PhoneNumber,
    },
    /// Keep this.
    Record(Record),
    /// Keep and publish this.
    Publish(Event),
    /// Ask for something by HTTP and answer `Fetched`, within the deadline.
    Fetch {
        /// Names it.
        id: fetch::FetchId,
        /// What.
        request: fetch::FetchRequest,
    },
    /// Note in the store that a callback at a set time rings now, unless that was noted before, and answer `Claimed`.
    Claim {
        /// Which.
        callback: CallbackId,
    },
    /// Forget a callback at a set time: it is over.
    Unplan {
        /// Which.
        callback: CallbackId,
    },
    /// Answer a command.
    Answer {
        /// Which.
        id: CommandId,
        /// What came of it.
        outcome: Outcome,
    },
    /// Every call has ended after a drain or stop.
    Drained {
        /// How many of them the drain limit or the stop ended.
        cut_off: u64,
    },
    /// Before something is sent there by TLS: who is at this address, and by which rules the connection is made.
    ExpectPeer {
        /// Where.
        remote: SocketAddr,
        /// The name its certificate must carry.
        name: String,
        /// The trunk's rules; none means the node's.
        rules: Option<TlsRules>,
    },
    /// Send a SIP message.
    Send {
        /// Where.
        to: Target,
        /// What.
        bytes: Bytes,
        /// What to say in [`endpoint::Input::SendFailed`].
        reference: SendRef,
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
        figures: Box<Figures>,
    },
    /// An invitation was made in a meeting.
    Invited {
        /// Its ticket.
        ticket: Box<Ticket>,
        /// When.
        created: Utc,
    },
    /// What brings back whoever spent a use of an invitation, in another run of the program too.
    ResumeKept {
        /// Its ticket.
        ticket: Box<Ticket>,
        /// When.
        at: Utc,
    },
    /// That is good no more.
    ResumeGone {
        /// Which.
        ticket: TicketId,
    },
    /// An invitation was withdrawn, for its holder was removed.
    TicketRevoked {
        /// Which.
        ticket: TicketId,
        /// When.
        at: Utc,
    },
    /// Something about a person's devices.
    Person(device::PersonRecord),
    /// A call began by a printed code.
    CodeUsed {
        /// Which.
        code: CodeId,
        /// How many began by it, in all.
        used: u32,
        /// When.
        at: Utc,
    },
    /// Somebody came by an invitation.
    TicketUsed {
        /// Which.
        ticket: TicketId,
        /// How often it was used, in all.
        used: u32,
    },
}
