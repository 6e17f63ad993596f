//! Rank 2: RFC 3261 as machines.

pub mod auth;
