//! Rank 3: a room: who is in it, who is admitted, who may do what, and what each is told.

pub mod operation;
pub mod participant;
pub mod settings;

pub use operation::{Actor, Operation, Refusal};
pub use participant::{Participant, Role, State};
pub use settings::{FirstCaller, RoomSettings};
