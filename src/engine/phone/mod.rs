//! `ringlift phone`: a SIP phone for scripts and demonstrations, on the same stack as the gateway and without one.
//!
//! ```text
//! transports ─► Endpoint ─► Phone ─► what happened, line by line
//!      ▲           ▲          │ ▲
//!      └───────────┴──────────┘ └─ commands on standard input, signals
//!                             │
//!                             └──► Audio: a thread with one media leg: WAV or tone out, WAV in
//! ```

mod audio;
mod call;
mod keys;
mod options;
mod reach;
mod register;
mod run;
mod tell;
mod voice;

pub use options::{CallOptions, Common, DigitsBy, PhoneCommand, RegisterOptions, WaitOptions};
pub use run::run;

/// Why a phone could not do what it was asked to.
#[derive(Debug)]
pub enum PhoneError {
    /// A URI, number or length that makes no sense, with the reason.
    Usage(String),
    /// A file could not be read or written.
    File(std::path::PathBuf, String),
    /// The far end's name is unknown, or nothing leads there.
    Unreachable(String),
    /// A socket could not be had.
    Socket(String),
}

impl std::fmt::Display for PhoneError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PhoneError::Usage(text) => f.write_str(text),
            PhoneError::File(path, error) => write!(f, "{}: {error}", path.display()),
            PhoneError::Unreachable(text) => write!(f, "cannot be reached: {text}"),
            PhoneError::Socket(text) => write!(f, "no socket: {text}"),
        }
    }
}

impl std::error::Error for PhoneError {}
