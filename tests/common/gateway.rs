//! The gateway itself.
