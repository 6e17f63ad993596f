//! `ringlift relay`: its log around it, and one line where it stops.

use std::process::ExitCode;

use super::Failure;
use crate::engine::log::Log;
use crate::relay::{RelayOptions, run};

/// Runs a relay until it is told to end, or is not wanted.
pub async fn relay(options: RelayOptions) -> Result<ExitCode, Failure> {
    let log = Log::start(&options.log, false).map_err(|error| Failure::one(format!("--log: {error}")))?;
    let ended = run(options).await;
    log.finish();
    ended.map(|()| ExitCode::SUCCESS).map_err(Failure::one)
}
