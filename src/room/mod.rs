//! Rank 3: a room: who is in it, who is admitted, who may do what, and what each is told.
//!
//! ```text
//!            enter                    host came            left, removed, ended
//!   (door) ────────▶ WaitingForHost ───────────▶ Active ───────────────────────▶ (gone)
//!      │ locked, full        ▲                     ▲
//!      ▼                     │ admitted, no host   │ admitted
//!   (refused)        Lobby ──┴─────────────────────┘
//!
//!            expect             arrive
//!   (rung) ────────▶ Ringing ──────────▶ Active
//! ```

pub mod announcement;
pub mod binding;
pub mod calling;
pub mod chat;
pub mod memory;
pub mod operate;
pub mod operation;
pub mod participant;
pub mod roster;
pub mod settings;
pub mod text;
mod whisper;

pub use announcement::{Announcement, RollCallEntry, Waiting};
pub use chat::{ChatLine, Reaction};
pub use memory::Sign;
pub use operation::{Actor, Operation, Refusal};
pub use participant::{Channel, Participant, Role, State};
pub use roster::{Change, Entrant, Expected, Output, Room};
pub use settings::{FirstCaller, RoomSettings};
pub use text::read_name;
pub use whisper::Whisper;

#[cfg(test)]
mod tests;
