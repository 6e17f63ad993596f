//! The real program with real telephones: what people would hear and what the wire would show.

#[path = "../common/mod.rs"]
mod common;

mod alone;
mod attendant;
mod lifecycle;
mod rooms;
mod sipp;
mod telephones;
mod transports;
