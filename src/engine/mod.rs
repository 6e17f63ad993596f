//! Rank 8: the owners: sockets, threads, the loop around the gateway.

pub mod chance;
pub mod clips;
pub mod clock;
pub mod dtls;
pub mod fetch;
pub mod handle;
pub mod log;
pub mod media;
mod media_seats;
pub mod media_thread;
pub mod media_web;
pub mod media_worker;
pub mod meters;
pub mod os;
pub mod pages;
pub mod phone;
pub mod resolve;
pub mod run;
pub mod signals;
pub mod sockets;
pub mod sound;
pub mod story;
pub mod texter;
pub mod web;
mod web_tcp;
pub mod web_thread;
mod web_udp;
