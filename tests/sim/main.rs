//! The whole gateway in virtual time: phones are scripts that speak SIP as text, the media plane is a list of orders, and
//! nothing waits.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should say where")]

mod admission;
mod callback;
mod calls;
mod codes;
mod desks;
mod device;
mod dial_in;
mod elevated_again;
mod elevated_voice;
mod elevation;
mod fraud;
mod house;
mod keys;
mod knock;
mod lamps;
mod limits;
mod line;
mod meeting;
mod merge;
mod notified;
mod pages;
mod parity;
mod personal;
mod printed;
mod registrar;
mod routing;
mod sound;
mod telephone;
mod transfer;
mod trunks;
mod world;
