//! Rank 3: a room: who is in it, who is admitted, who may do what, and what each is told.
//!
//! ```text
//!            enter                    host came            left, removed, ended
//!   (door) ────────▶ WaitingForHost ───────────▶ Active ───────────────────────▶ (gone)
//!      │ locked, full        ▲                     ▲
//!      ▼                     │ admitted, no host   │ admitted
//!   (refused)        Lobby ──┴─────────────────────┘
//! ```

pub mod announcement;
pub mod operate;
pub mod operation;
pub mod participant;
pub mod roster;
pub mod settings;

pub use announcement::{Announcement, RollCallEntry, Waiting};
pub use operation::{Actor, Operation, Refusal};
pub use participant::{Participant, Role, State};
pub use roster::{Change, Entrant, Output, Room};
pub use settings::{FirstCaller, RoomSettings};

#[cfg(test)]
mod tests;
