//! Rank 0: what everything else is built of. Ids, time, timers, telephone numbers, secrets that
//! cannot print, causes, throttles, chance. Knows no other module.

pub mod cause;
pub mod elevating;
pub mod fetch;
pub mod id;
pub mod phone_number;
pub mod rng;
pub mod secret;
pub mod strict;
pub mod support;
pub mod throttle;
pub mod time;
pub mod timers;
pub(crate) mod wide;

pub use cause::{Cause, Side};
pub use id::{ExtensionId, GroupId, LegId, ParticipantId, RoomId, RuleId, SessionId};
pub use phone_number::PhoneNumber;
pub use rng::Rng;
pub use secret::Secret;
pub use support::Support;
pub use throttle::Throttle;
pub use time::{Instant, Now, Utc};
pub use timers::Timers;
