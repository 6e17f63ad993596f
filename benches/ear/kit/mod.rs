//! The golden ear: what goes in, what a network does to it, what comes out, and measures of the difference. In virtual time,
//! through the real media plane; [docs/sound.md](../../../docs/sound.md) says what the measures mean and what they do not.

#![allow(dead_code, reason = "the bench and the test use their part each")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a bench that cannot go on should say where"
)]

pub mod appendix;
pub mod lab;
pub mod score;
pub mod speech;
pub mod tone;
