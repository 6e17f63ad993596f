//! Rank 1: bytes to values and back, total and panic-free.

pub mod codec;
pub mod gsm7;
pub mod rtp;
pub mod sdp;
pub mod sip;
