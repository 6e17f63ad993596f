//! The real program with real telephones: what people would hear and what the wire would show.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test in real time that cannot go on should say where"
)]

#[path = "../common/mod.rs"]
mod common;

mod alone;
mod attendant;
mod carrier;
mod checks;
mod encrypted;
mod lifecycle;
mod observers;
mod people;
mod registering;
mod registrar;
mod ringing;
mod rooms;
mod sipp;
mod telephones;
mod transports;
mod trunk_test;
