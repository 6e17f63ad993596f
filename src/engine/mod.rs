//! Rank 8: the owners: sockets, threads, the loop around the gateway.

pub mod handle;
