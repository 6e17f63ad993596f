//! Text messages as providers, telephones and integrators meet them: local providers over HTTP, our own doors, the outbox.
#![cfg(feature = "node")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a test stops where it cannot go on"
)]

#[path = "../common/mod.rs"]
mod common;

mod answers;
mod crash;
mod elevation;
mod handing;
mod node;
mod push;
mod reports;
