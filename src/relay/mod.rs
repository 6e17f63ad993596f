//! Rank 9: `ringlift relay`, a small process inside a customer's network. It opens one encrypted connection out to the gateway
//! and lends it its own SIP socket and audio ports there; it is no SIP machine. What it does by itself is little: it sends
//! only to whom it was told to, drops what is old, and hangs up when the tunnel does not come back.
//!
//! ```text
//! call manager, phones ── UDP ── town ── house ── tunnel ── TLS, WebSocket ──► gateway
//!                                          └── dialogs: what was seen to pass, to be ended if need be
//! ```

mod dial;
mod dialogs;
mod house;
mod options;
mod town;

use std::fmt;

pub use options::RelayOptions;

use crate::base::Secret;

/// Why a relay stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayError {
    /// An option is wrong, or a file.
    Usage(String),
    /// A socket cannot be had.
    Bind(String),
    /// The gateway does not want it, and will not whenever it comes again.
    Unwanted(String),
}

impl fmt::Display for RelayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (RelayError::Usage(why) | RelayError::Bind(why) | RelayError::Unwanted(why)) = self;
        f.write_str(why)
    }
}

impl std::error::Error for RelayError {}

/// Runs until it is told to end, or is not wanted.
pub async fn run(options: RelayOptions) -> Result<(), RelayError> {
    let secret = secret(&options)?;
    let gateway = dial::Gateway::new(&options, secret)?;
    let bounds = options.bounds()?;
    let town = town::Town::open(&options, bounds).await?;
    house::House::new(gateway, town).run().await
}

/// The secret, from its file.
#[allow(clippy::disallowed_methods, reason = "the secret is a file, read once at the start")]
fn secret(options: &RelayOptions) -> Result<Secret, RelayError> {
    use std::os::unix::fs::PermissionsExt;
    let file = &options.secret_file;
    let unreadable = |error: std::io::Error| RelayError::Usage(format!("cannot read {}: {error}", file.display()));
    let text = std::fs::read_to_string(file).map_err(unreadable)?;
    let open = std::fs::metadata(file).map_err(unreadable)?.permissions().mode() & 0o007 != 0;
    if open {
        tracing::warn!(file = %file.display(), "others of this machine can read the secret: chmod 600");
    }
    let secret = text.trim();
    if secret.is_empty() || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(RelayError::Usage(format!("{} holds no secret: it is one line, rlr_…", file.display())));
    }
    Ok(Secret::new(secret))
}
