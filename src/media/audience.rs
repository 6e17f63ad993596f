//! Who hears a voice, and how loud: whisper, coach and directed speech are gains between two people, of the same mixer.
//!
//! ```text
//!                hears      customer   agent   coach
//!   customer speaks             –        1       1
//!   agent speaks                1        –       1
//!   coach whispers to agent     0        1       –
//! ```

use crate::base::ParticipantId;

/// People whom a voice can be meant for at once. More: every packet for browsers carries the list.
pub const MOST: usize = 4;

/// A gain of one.
pub const FULL: i32 = 256;

/// Whom a voice is meant for. Without one it is meant for everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Audience {
    to: [Option<ParticipantId>; MOST],
    /// Of [`FULL`].
    others: i32,
}

impl Audience {
    /// These hear it as it is, the others at so many percent of its amplitude; 0 is not at all, and browsers of others hear
    /// nothing of it whatever is said here. Beyond [`MOST`] people none is heard by.
    pub fn new(to: &[ParticipantId], others: u8) -> Self {
        Self::of(to.iter().copied(), i32::from(others.min(100)) * FULL / 100)
    }

    /// Whether it is meant for this person.
    pub fn has(&self, listener: ParticipantId) -> bool {
        self.to.contains(&Some(listener))
    }

    /// How loud this person hears it, of [`FULL`].
    pub fn gain(&self, listener: ParticipantId) -> i32 {
        if self.has(listener) { FULL } else { self.others }
    }

    /// How loud those hear it for whom it is not meant, of [`FULL`].
    pub fn others(&self) -> i32 {
        self.others
    }

    /// Whom it is meant for.
    pub(super) fn listeners(&self) -> impl Iterator<Item = ParticipantId> {
        self.to.iter().copied().flatten()
    }

    /// These hear it as it is, others as loud as that, of [`FULL`].
    pub(super) fn of(mut to: impl Iterator<Item = ParticipantId>, others: i32) -> Self {
        Self { to: std::array::from_fn(|_| to.next()), others: others.clamp(0, FULL) }
    }
}
