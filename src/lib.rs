//! Ringlift: a telephone gateway that lifts calls into meetings.
//!
//! The map of the house, the ranks and the machine contract are in `docs/ARCHITECTURE.md`.
//! A module imports only from lower ranks, never from its own rank's neighbours; `tests/layering.rs` holds that up.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        reason = "a test that cannot go on should say where"
    )
)]

pub mod base; // rank 0
pub mod call; // rank 3
pub mod gateway;
pub mod media; // rank 2
pub mod room; // rank 3
pub mod route; // rank 3
pub mod sip; // rank 2
pub mod wire; // rank 1 // rank 6: everything above as one machine, still without a socket, clock, file or thread

#[cfg(feature = "node")]
pub mod api;
#[cfg(feature = "node")]
pub mod config; // rank 7
#[cfg(feature = "node")]
pub mod engine; // rank 8
#[cfg(feature = "node")]
pub mod store; // rank 7
#[cfg(feature = "node")]
pub mod transport; // rank 7 // rank 9
