//! HTTPS of the real program: certificates from files, of its own making, and from a real authority (pebble, the ACME
//! server that Let's Encrypt tests with), looked at by a real client.
#![cfg(feature = "node")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test in real time that cannot go on should say where"
)]

#[path = "../common/mod.rs"]
mod common;

mod authority;
mod browser;
mod files;
mod led;
mod made;
mod pebble;
