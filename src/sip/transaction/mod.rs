//! The four transaction machines (RFC 3261 §17, RFC 6026), one file each. A machine knows its state and its timers;
//! the messages it sends are kept beside it by [`crate::sip::endpoint`], which performs its [`Effect`]s.

pub mod client_invite;
pub mod client_other;
pub mod server_invite;
pub mod server_other;

use std::time::Duration;

pub use client_invite::ClientInvite;
pub use client_other::ClientOther;
pub use server_invite::ServerInvite;
pub use server_other::ServerOther;

use crate::sip::timing::{Timer, Timing};

/// What a machine asks of the one who keeps its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Send the request (client) or the latest response (server), again or for the first time.
    Transmit,
    /// Send the ACK that ends a refused INVITE (§17.1.1.3).
    Acknowledge,
    /// Set a timer.
    Arm(Timer, Duration),
    /// Forget a timer.
    Disarm(Timer),
    /// Hand the message that was the input to the transaction user.
    Deliver,
    /// Tell the transaction user that nobody answered in time.
    TimedOut,
    /// Tell the transaction user that the transport failed.
    Failed,
    /// The transaction is over; nothing of it is to remain.
    Terminated,
}

/// What a machine is told beside its input: the timers' values and whether the transport repeats lost messages itself.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// T1, T2, T4.
    pub timing: &'a Timing,
    /// TCP or TLS.
    pub reliable: bool,
}

/// A fact for a client machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientInput {
    /// A 1xx came.
    Provisional,
    /// A 2xx came.
    Success,
    /// A 3xx to 6xx came.
    Failure,
    /// A timer fired.
    Timer(Timer),
    /// The transport could not send.
    TransportFailed,
}

impl ClientInput {
    /// The fact that a response of this status is.
    pub const fn of_status(status: u16) -> Self {
        match status {
            0..=199 => ClientInput::Provisional,
            200..=299 => ClientInput::Success,
            _ => ClientInput::Failure,
        }
    }
}

/// A fact for a server machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerInput {
    /// The same request came again.
    Repeated,
    /// The ACK to a non-2xx came (INVITE only).
    Acked,
    /// The transaction user gives a response, which is stored as the latest.
    Respond(u16),
    /// A timer fired.
    Timer(Timer),
    /// The transport could not send.
    TransportFailed,
}
