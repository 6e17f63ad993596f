//! Rank 8: the owners: sockets, threads, the loop around the gateway.

pub mod chance;
pub mod clock;
pub mod handle;
pub mod log;
pub mod os;
pub mod signals;
pub mod story;
