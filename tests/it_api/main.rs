//! The API as integrations meet it: a real store and listener, asked over HTTP.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a test stops where it cannot go on"
)]

mod access;
mod calls;
mod events;
mod house;
mod look;
mod meet;
mod messages;
mod node;
mod people;
mod phones;
mod printed;
mod problems;
mod resources;
