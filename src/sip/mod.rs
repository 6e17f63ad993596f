//! Rank 2: RFC 3261 as machines. Transactions, dialogs and INVITE sessions, without a socket, a clock or a file.
//!
//! ```text
//!              Input::Received            Output::Send        Output::Event
//!                    │                          ▲                   ▲
//!   endpoint ── check (§8.2) ── transaction machines ── dialogs ── INVITE sessions
//! ```

pub mod auth;
pub mod compose;
pub mod counters;
pub mod dialog;
pub mod dialog_info;
pub mod endpoint;
pub mod locate;
pub mod probe;
pub mod reason;
pub mod refer_to;
pub mod registrar;
pub mod registration;
pub mod replaces;
pub mod reply;
pub mod subscription;
pub mod timing;
pub mod transaction;
pub mod transport;
pub mod uui;

pub use endpoint::Endpoint;
pub use transport::{FlowId, Source, Target, Transport};

use crate::base::Cause;
use crate::wire::sip::Status;

/// The status that refuses a call for this cause; 480 where the cause is one of calls that were up.
pub fn refusal_for(cause: Cause) -> Status {
    let status = Status(cause.status());
    if status.is_failure() { status } else { Status::TEMPORARILY_UNAVAILABLE }
}
