//! SIPp.
