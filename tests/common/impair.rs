//! A bad network.
