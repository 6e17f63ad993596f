//! The hub among browsers in memory: str0m on the other side too, a network that delays and loses, and no real time.

mod hostile;
mod house;
mod pictures;
mod ways;
