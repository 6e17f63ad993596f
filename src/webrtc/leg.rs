//! What is known of a browser's leg: where its person is, what it may and wants, its peer connection where it has one, and
//! how long it has not been heard.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use crate::base::{Instant, ParticipantId, RoomId};
use crate::media::web::{Shown, Source, Wish};
use crate::webrtc::Wire;
use crate::webrtc::peer::Peer;

/// How long a connection may take from offer to keys. Longer: dead ones keep a place. Shorter: a slow phone is turned away.
const BEGINNING: Duration = Duration::from_secs(30);
/// Silence after which a connection counts as interrupted, where media came until then. Longer: others look at a frozen
/// picture. Shorter: a tunnel of a second is announced.
const SILENCE: Duration = Duration::from_secs(4);
/// The same for one that sends nothing but checks, of which Firefox makes one every four to six seconds (RFC 7675 §5.1).
const QUIET: Duration = Duration::from_secs(8);
/// Silence after which it is given up. Longer: ghosts in the room. Shorter: who changes trains loses the connection.
const GIVEN_UP: Duration = Duration::from_secs(30);
/// Addresses of one browser at a time: a few networks, both families, both wires, and what relays add.
pub const ADDRESSES: usize = 16;
/// Addresses one peer connection may have shown before it is taken for an attack on memory.
pub const ADDRESSES_EVER: u32 = 512;
/// Datagrams a second that one browser may send, and so many at once. A camera in three layers, a screen and a voice are 900.
const DATAGRAMS: u64 = 4000;

/// A leg.
#[derive(Default)]
pub(super) struct Leg {
    pub seat: Option<(RoomId, ParticipantId)>,
    /// Its person's audio goes another way.
    pub deaf: bool,
    permitted: [bool; 3],
    pub wishes: Vec<Wish>,
    pub shown: Vec<Shown>,
    pub peer: Option<Box<Peer>>,
    pub life: Life,
    pub routes: VecDeque<(Wire, SocketAddr)>,
    /// The way that its browser chose last.
    pub way: Option<(Wire, SocketAddr)>,
    pub addresses_ever: u32,
    pub allowance: Allowance,
    /// When it is looked after next.
    pub tick: Instant,
    /// What str0m was last told to look for: the next step, and everything.
    pub probed: (u64, u64),
    /// When something was made smaller for want of room.
    pub squeezed: Option<Instant>,
}

impl Leg {
    /// Whether the room may have what it sends of a kind.
    pub fn permits(&self, source: Source) -> bool {
        self.permitted.get(source as usize).copied().unwrap_or(false)
    }

    /// Says whether.
    pub fn permit(&mut self, source: Source, on: bool) {
        if let Some(permitted) = self.permitted.get_mut(source as usize) {
            *permitted = on;
        }
    }
}

/// How far its peer connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Stage {
    /// It has none.
    #[default]
    None,
    /// Checks and the handshake.
    Begins {
        /// Since when.
        since: Instant,
    },
    /// Encrypted, both ways.
    Connected,
    /// Nothing was heard for some seconds.
    Interrupted,
}

/// How far it is, and when it was heard last.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Life {
    pub stage: Stage,
    heard: Instant,
    /// Of anything but checks.
    media: Instant,
}

/// What silence made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing new.
    Lives,
    /// It has fallen silent.
    FallsSilent,
    /// It is given up.
    Ends,
}

impl Life {
    /// A connection begins.
    pub fn begin(now: Instant) -> Self {
        Self { stage: Stage::Begins { since: now }, heard: now, media: now }
    }

    /// Something of it came; true where it had fallen silent.
    pub fn hear(&mut self, check: bool, now: Instant) -> bool {
        self.heard = now;
        if !check {
            self.media = now;
        }
        let back = self.stage == Stage::Interrupted;
        if back {
            self.stage = Stage::Connected;
        }
        back
    }

    /// Looks at the clock.
    pub fn check(&mut self, now: Instant) -> Fate {
        let silent = now.since(self.heard);
        match self.stage {
            Stage::Begins { since } if now.since(since) >= BEGINNING => Fate::Ends,
            Stage::Connected | Stage::Interrupted if silent >= GIVEN_UP => Fate::Ends,
            Stage::Connected => {
                let patience = if self.heard.since(self.media) < SILENCE { SILENCE } else { QUIET };
                if silent < patience {
                    return Fate::Lives;
                }
                self.stage = Stage::Interrupted;
                Fate::FallsSilent
            }
            Stage::None | Stage::Begins { .. } | Stage::Interrupted => Fate::Lives,
        }
    }
}

/// How many datagrams it may send.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    left: u64,
    filled: Instant,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { left: DATAGRAMS, filled: Instant::START }
    }
}

impl Allowance {
    /// Takes one; false where it has sent too many.
    pub fn take(&mut self, now: Instant) -> bool {
        let passed = u64::try_from(now.since(self.filled).as_millis()).unwrap_or(u64::MAX);
        if passed > 0 {
            self.left = self.left.saturating_add(passed.saturating_mul(DATAGRAMS) / 1000).min(DATAGRAMS);
            self.filled = now;
        }
        let some = self.left > 0;
        self.left = self.left.saturating_sub(1);
        some
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_start(Duration::from_millis(ms))
    }

    fn connected() -> Life {
        Life { stage: Stage::Connected, ..Life::begin(at(0)) }
    }

    #[test]
    fn one_that_talked_until_it_fell_silent_is_missed_after_four_seconds() {
        let mut life = connected();
        life.hear(false, at(10_000));
        assert_eq!(life.check(at(13_900)), Fate::Lives);
        assert_eq!(life.check(at(14_000)), Fate::FallsSilent);
        assert_eq!(life.check(at(14_100)), Fate::Lives, "said once");
        assert!(life.hear(true, at(20_000)), "it is back");
        assert_eq!(life.stage, Stage::Connected);
        life.hear(false, at(21_000));
        assert_eq!(life.check(at(25_000)), Fate::FallsSilent);
        assert_eq!(life.check(at(51_000)), Fate::Ends);
    }

    #[test]
    fn one_that_only_makes_checks_is_given_the_time_between_two() {
        let mut life = connected();
        for check in 1..5 {
            life.hear(true, at(check * 6000));
            assert_eq!(life.check(at(check * 6000 + 5900)), Fate::Lives);
        }
        assert_eq!(life.check(at(32_000)), Fate::FallsSilent);
    }

    #[test]
    fn a_connection_that_never_comes_about_is_given_up() {
        let mut life = Life::begin(at(0));
        assert_eq!(life.check(at(29_000)), Fate::Lives);
        assert_eq!(life.check(at(30_000)), Fate::Ends);
    }

    #[test]
    fn a_flood_is_cut_to_what_a_browser_may_send() {
        let mut allowance = Allowance::default();
        let taken = (0..100_000u64).filter(|i| allowance.take(at(1000 + i / 100))).count();
        assert!((7900..=8100).contains(&taken), "{taken}");
    }
}
