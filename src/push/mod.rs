//! Rank 7: Web Push (RFC 8030), the message itself: written so that the browser alone can read it (RFC 8291), and signed so
//! that its push service knows who sends (RFC 8292). `engine::pusher` decides when, and carries it out.

mod seal;
mod vapid;

pub use seal::{Unsealed, is_key, seal};
pub use vapid::{BadKey, Vapid};

use serde::Serialize;

use crate::elevation::push::PushOrder;

/// Seconds that a push service keeps a notification for a browser that is away (RFC 8030 §5.2). More: somebody is told of a call
/// that is long over. Fewer: a telephone that sleeps misses what it wakes up for.
pub const TTL: u32 = 60;

/// Longest name of a meeting in a notification, in characters; screens show less.
const LONGEST_NAME: usize = 80;

/// What the browser's service worker reads, and nothing more.
#[derive(Serialize)]
struct Payload<'a> {
    link: &'a str,
    room: String,
}

/// What is told of an elevation.
pub fn payload(order: &PushOrder) -> Vec<u8> {
    let room = order.room.chars().take(LONGEST_NAME).collect();
    // Two texts: nothing of it can fail.
    serde_json::to_vec(&Payload { link: order.link.expose(), room }).unwrap_or_default()
}

/// Names the elevation for the push service, so that a newer notification takes the place of the older (RFC 8030 §5.4).
pub fn topic(order: &PushOrder) -> String {
    order.elevation.to_string().chars().filter(char::is_ascii_alphanumeric).take(32).collect()
}
