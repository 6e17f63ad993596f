//! Rank 3: a leg's life between the answer and the end: what is agreed, what a caller hears and presses.

pub mod attendant;
pub mod key_reader;
pub mod keys;
pub mod offer_answer;
pub mod pin;
pub mod speech;
