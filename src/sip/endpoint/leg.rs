//! What an endpoint knows of one leg.

use std::time::Duration;

use bytes::Bytes;

use super::early::Early;
use super::manner::{Manner, SessionInterval};
use super::reliable::Reliable;
use super::session::Asked;
use super::{OutboundInvite, TransactionId};
use crate::base::{Cause, Support};
use crate::sip::auth::Prover;
use crate::sip::dialog::Dialog;
use crate::wire::sip::{Headers, Method, Name, Text};

/// A leg's timers, beside those of its transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LegTimer {
    /// Our 2xx goes out again (§13.3.1.4).
    Again,
    /// The ACK has not come in 64·T1 (§13.3.1.4).
    NoAck,
    /// Our 1xx goes out again, each minute (§13.3.1.1).
    Refresh,
    /// The user has not answered a new INVITE.
    Ring,
    /// A change of ours is due: it collided, or had to wait (§14.1).
    Retry,
    /// Our reliable 1xx goes out again (RFC 3262 §3).
    Provisional,
    /// Its PRACK has not come in 64·T1 (RFC 3262 §3).
    NoPrack,
    /// The session is to be refreshed by us (RFC 4028 §10).
    Renew,
    /// The session was not refreshed in time (RFC 4028 §10).
    Expire,
}

impl LegTimer {
    pub(super) const ALL: [LegTimer; 9] = [
        LegTimer::Again,
        LegTimer::NoAck,
        LegTimer::Refresh,
        LegTimer::Ring,
        LegTimer::Retry,
        LegTimer::Provisional,
        LegTimer::NoPrack,
        LegTimer::Renew,
        LegTimer::Expire,
    ];
}

/// One INVITE session.
pub(super) struct Leg {
    pub(super) dialog: Dialog,
    pub(super) state: State,
    pub(super) change: Change,
    /// A change of ours that waits for its turn.
    pub(super) waiting: Option<Proposal>,
    /// How often the change under way was refused for the moment only.
    pub(super) retries: u8,
    /// Which extensions are used.
    pub(super) manner: Manner,
    /// What the far end said it can.
    pub(super) peer: Peer,
    /// The session timer that runs.
    pub(super) interval: Option<SessionInterval>,
    /// The shortest session interval that the far end takes, in seconds (RFC 4028 §5).
    pub(super) min_se: u32,
    /// Our reliable provisional answers.
    pub(super) reliable: Reliable,
    /// The SDP that stands: ours and theirs.
    pub(super) local_sdp: Option<Bytes>,
    pub(super) remote_sdp: Option<Bytes>,
    /// Our Contact value.
    pub(super) contact: String,
    /// Answers the challenges of its far end.
    pub(super) prover: Option<Prover>,
    /// What the BYE is to say, where another far end has said it better than our cause does.
    pub(super) why: Option<Text>,
    /// Whether the user was told its end.
    pub(super) over: bool,
}

/// Where an INVITE session stands.
pub(super) enum State {
    /// Their INVITE has no final answer yet.
    Incoming {
        server: TransactionId,
        /// The INVITE's CSeq.
        seq: u32,
        exchange: Exchange,
        /// What the INVITE asked of the session timer.
        asked: Asked,
    },
    /// Our 2xx awaits its ACK.
    Answered {
        server: TransactionId,
        seq: u32,
        interval: Duration,
        /// Whether the 2xx held our offer, so that the ACK holds their answer.
        late: bool,
        /// To be hung up as soon as that is allowed (§15: not before the ACK).
        then: Option<Cause>,
    },
    /// Our INVITE has no final answer yet.
    Outgoing {
        client: TransactionId,
        /// What was asked for, to be asked again after a 422.
        call: Box<OutboundInvite>,
        /// The far ends that answered so far.
        early: Vec<Early>,
    },
    /// Their 2xx held an offer; the ACK waits for the user's answer.
    Late {
        client: TransactionId,
        /// The INVITE's CSeq, and the far end's tag.
        seq: u32,
        tag: Text,
    },
    /// Both sides agree that the call is up.
    Confirmed,
    /// Our BYE awaits its answer.
    Closing,
}

/// How far the first offer and its answer are, before the call is up (RFC 3261 §13.2.1, RFC 3262 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exchange {
    /// Who sent the INVITE offered in it, and its answer is not certain yet.
    Offered,
    /// The INVITE had no offer: who was called is to make it.
    Owed,
    /// Who was called made it in a reliable 1xx, and the answer has not come.
    Turned,
    /// Offer and answer are certain.
    Settled,
}

/// A change to a call, one at a time.
pub(super) enum Change {
    None,
    /// Their re-INVITE or UPDATE awaits the user's answer, or their PRACK with an offer.
    Theirs {
        server: TransactionId,
        method: Method,
        seq: u32,
        offered: bool,
        /// What it asks of the session timer.
        asked: Asked,
    },
    /// Our 2xx to their re-INVITE awaits its ACK.
    Unacked {
        server: TransactionId,
        seq: u32,
        interval: Duration,
        late: bool,
    },
    /// Ours awaits its answer.
    Ours {
        client: TransactionId,
        proposal: Proposal,
    },
    /// Their answer to our re-INVITE is an offer; the ACK waits for the user's answer.
    Asked {
        client: TransactionId,
        seq: u32,
        tag: Text,
    },
}

/// A change that we propose.
#[derive(Clone)]
pub(super) enum Proposal {
    /// This SDP.
    Offer {
        sdp: Bytes,
        /// By UPDATE where the far end takes it.
        by_update: bool,
    },
    /// That they offer: a re-INVITE without SDP.
    Ask,
    /// Nothing: the session goes on (RFC 4028 §7.4).
    Refresh,
}

/// What a far end said it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Peer {
    /// Reliable provisional answers (RFC 3262), and whether it demands them.
    pub(super) prack: Support,
    /// Session timers (RFC 4028).
    pub(super) timer: bool,
    /// UPDATE (RFC 3311).
    pub(super) update: bool,
}

impl Peer {
    /// A far end of which nothing is known.
    pub(super) const UNKNOWN: Peer = Peer { prack: Support::Off, timer: false, update: false };

    /// Notes what a message says of its sender; what it does not say stands.
    pub(super) fn learn(&mut self, headers: &Headers) {
        if headers.has(Name::Allow) {
            self.update = headers.allow().any(|method| method == Method::Update);
        }
        if headers.has(Name::Supported) || headers.has(Name::Require) {
            let demands = |tag: &str| headers.require().any(|other| other.eq_ignore_ascii_case(tag));
            self.timer = headers.supports("timer") || demands("timer");
            self.prack = match (demands("100rel"), headers.supports("100rel")) {
                (true, _) => Support::Require,
                (false, true) => Support::Supported,
                (false, false) => Support::Off,
            };
        }
    }
}

impl Leg {
    pub(super) fn new(dialog: Dialog, state: State, contact: String) -> Self {
        Self {
            dialog,
            state,
            change: Change::None,
            waiting: None,
            retries: 0,
            manner: Manner::default(),
            peer: Peer::UNKNOWN,
            interval: None,
            min_se: 0,
            reliable: Reliable::default(),
            local_sdp: None,
            remote_sdp: None,
            contact,
            prover: None,
            why: None,
            over: false,
        }
    }

    /// A call that is up.
    pub(super) fn confirmed(dialog: Dialog, contact: String) -> Self {
        Self::new(dialog, State::Confirmed, contact)
    }

    /// Whether UPDATE may be sent (RFC 3311 §5.1).
    pub(super) fn takes_update(&self) -> bool {
        self.manner.update && self.peer.update
    }

    /// Whether a request with this tag and Call-ID is in this leg's dialog, or in one of its early ones.
    pub(super) fn is_of(&self, call_id: &str, remote_tag: &str) -> bool {
        let same = |tag: &Text| tag.is_empty() || *tag == *remote_tag;
        let known = match &self.state {
            State::Outgoing { early, .. } => early.iter().any(|early| same(&early.dialog.remote_tag)),
            State::Incoming { .. }
            | State::Answered { .. }
            | State::Late { .. }
            | State::Confirmed
            | State::Closing => same(&self.dialog.remote_tag),
        };
        known && self.dialog.call_id == *call_id
    }
}
