//! What an endpoint knows of one leg.

use std::time::Duration;

use bytes::Bytes;

use super::TransactionId;
use super::manner::{Manner, SessionInterval};
use crate::base::Cause;
use crate::sip::dialog::Dialog;
use crate::wire::sip::Method;

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
    /// A re-INVITE of ours is due: it collided, or had to wait (§14.1).
    Retry,
}

impl LegTimer {
    pub(super) const ALL: [LegTimer; 5] =
        [LegTimer::Again, LegTimer::NoAck, LegTimer::Refresh, LegTimer::Ring, LegTimer::Retry];
}

/// One INVITE session.
pub(super) struct Leg {
    pub(super) dialog: Dialog,
    pub(super) state: State,
    pub(super) change: Change,
    /// An offer of ours that waits for its turn.
    pub(super) waiting: Option<Bytes>,
    /// Which extensions are used.
    pub(super) manner: Manner,
    /// The session timer that runs.
    pub(super) interval: Option<SessionInterval>,
    /// Our Contact value.
    pub(super) contact: String,
    /// Whether the user was told its end.
    pub(super) over: bool,
}

/// Where an INVITE session stands.
pub(super) enum State {
    /// Their INVITE has no final answer yet.
    Incoming {
        server: TransactionId,
        /// Whether the INVITE had an offer.
        offered: bool,
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
    Outgoing { client: TransactionId },
    /// Both sides agree that the call is up.
    Confirmed,
    /// Our BYE awaits its answer.
    Closing,
}

/// A change to a call that is up.
pub(super) enum Change {
    None,
    /// Their re-INVITE or UPDATE awaits the user's answer.
    Theirs {
        server: TransactionId,
        method: Method,
        seq: u32,
        offered: bool,
    },
    /// Our 2xx to their re-INVITE awaits its ACK.
    Unacked {
        server: TransactionId,
        seq: u32,
        interval: Duration,
        late: bool,
    },
    /// Our re-INVITE awaits its answer.
    Ours {
        client: TransactionId,
        sdp: Bytes,
    },
}

impl Leg {
    pub(super) fn new(dialog: Dialog, state: State, contact: String) -> Self {
        let manner = Manner::default();
        Self { dialog, state, change: Change::None, waiting: None, manner, interval: None, contact, over: false }
    }

    /// A call that is up.
    pub(super) fn confirmed(dialog: Dialog, contact: String) -> Self {
        Self::new(dialog, State::Confirmed, contact)
    }

    /// Whether a request with this tag and Call-ID is in this leg's dialog.
    pub(super) fn is_of(&self, call_id: &str, remote_tag: &str) -> bool {
        self.dialog.call_id == *call_id && (self.dialog.remote_tag.is_empty() || self.dialog.remote_tag == *remote_tag)
    }
}
