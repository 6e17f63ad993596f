//! Programs that are told of events: a real store, writer, API and courier, and receivers over real sockets that check
//! signatures by themselves.
#![cfg(feature = "node")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test stops where it cannot go on, and reads clocks"
)]

#[path = "../common/mod.rs"]
mod common;

mod asking;
mod crash;
mod delivering;
mod failing;
mod node;
mod receiver;
mod snippets;
