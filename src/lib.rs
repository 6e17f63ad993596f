//! Ringlift: a telephone gateway that lifts calls into meetings.
//!
//! The map of the house, the ranks and the machine contract are in `docs/ARCHITECTURE.md`.
//! A module imports only from lower ranks, never from its own rank's neighbours; `tests/layering.rs` holds that up.
//!
//! | rank | modules | what they are |
//! |---|---|---|
//! | 0 | `base` | ids, time, timers, numbers, secrets, causes |
//! | 1 | `wire` | bytes to values and back |
//! | 2 | `sip`, `media`, `profile`, `identity`, `texting` | RFC 3261 as machines; frames at 50 Hz; dialects; signed callers; text messages |
//! | 3 | `call`, `room`, `route` | a call's life, a room's roster, where an INVITE leads |
//! | 4 | `handoff`, `ticket` | channels of a person moved between legs; rights by opaque texts |
//! | 5 | `callback`, `device`, `elevation`, `transfer` | a telephone that is rung for a seat; a call that follows its person from device to device; a call that becomes a meeting; a call that moves by a code |
//! | 6 | `gateway` | everything above as one machine, still without a socket, clock, file or thread |
//! | 6 | `provision` | settings for desk phones, written from templates (with the node) |
//! | 7 | `config`, `hooks`, `push`, `sms`, `store`, `transport`, `webrtc` | the file, programs that are told of events, notifications of browsers, providers of text messages, the database, the sockets of SIP, browsers' peer connections |
//! | 8 | `engine` | the owners: threads, the loop, the clock |
//! | 9, 10 | `api`, `relay`, `app` | HTTP; a process in another network that carries SIP and audio; what wires it all |

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        reason = "a test that cannot go on should say where"
    )
)]

pub mod base;
pub mod call;
pub mod callback;
pub mod device;
pub mod elevation;
pub mod gateway;
pub mod handoff;
pub mod identity;
pub mod media;
pub mod profile;
pub mod room;
pub mod route;
pub mod sip;
pub mod texting;
pub mod ticket;
pub mod transfer;
pub mod wire;

#[cfg(feature = "node")]
pub mod api;
#[cfg(feature = "node")]
pub mod app;
#[cfg(feature = "node")]
pub mod config;
#[cfg(feature = "node")]
pub mod engine;
#[cfg(feature = "node")]
pub mod hooks;
#[cfg(feature = "node")]
pub mod provision;
#[cfg(feature = "node")]
pub mod push;
#[cfg(feature = "node")]
pub mod relay;
#[cfg(feature = "node")]
pub mod sms;
#[cfg(feature = "node")]
pub mod store;
#[cfg(feature = "node")]
pub mod transport;
#[cfg(feature = "node")]
pub mod webrtc;
