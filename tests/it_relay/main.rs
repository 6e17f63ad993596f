//! `ringlift relay` between a gateway here and a call manager in another network, into which no connection can be opened:
//! the real program at both ends, Kamailio, baresip.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test in real time that cannot go on should say where"
)]

#[path = "../common/mod.rs"]
mod common;

mod callbacks;
mod calls;
mod cuts;
mod doors;
mod town;
