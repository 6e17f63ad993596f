//! Rank 2: the media plane without its sockets: frames move at 50 Hz.

pub mod clip;
pub mod command;
