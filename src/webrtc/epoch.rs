//! The one place where the house's clock and str0m's meet: it takes the standard library's instants, which cannot be made
//! from numbers, and looks at differences alone.

use std::time::Instant as Standard;

use crate::base::Instant;

/// The standard instant that stands for the program's first.
#[derive(Debug, Clone, Copy)]
pub struct Epoch(pub Standard);

impl Epoch {
    /// The house's time as str0m's.
    pub fn outward(self, at: Instant) -> Standard {
        self.0 + at.since_start()
    }

    /// And back.
    pub fn inward(self, at: Standard) -> Instant {
        Instant::from_start(at.saturating_duration_since(self.0))
    }
}
