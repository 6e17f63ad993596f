//! Ringing somebody: whom, for whom, and what came of it.

/// Names one attempt to reach somebody, over all telephones and carriers that are tried for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RingId(pub(super) u64);
