//! Symmetric RTP (RFC 4961) with a short learning window: who may send to a leg, and where its packets go.
//!
//! ```text
//!                allowed packet, not from the SDP's very address
//!   Open ───────────────────────────────────────────────► Learning ── window over ──► Locked
//!     └── packet from the SDP's very address ────────────────┴── a better one comes ──► Locked
//! ```
//!
//! Allowed is: the SDP's address and port (best), any port on the SDP's host (a NAT that keeps the host), any port
//! on the host where the signalling came from (a NAT in front of both). Anyone else gets nothing and wins nothing.
//!
//! After a re-negotiation packets still come from where they came before, from the way or because the far end waits for the
//! answer: they are heard, and give way to any other that is allowed.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::command::Remote;
use crate::base::Instant;

/// How long after the first allowed packet a better address may still win. Longer: whoever shares the caller's host
/// has longer to take the stream. Shorter: a phone whose first packets come by another path than the rest is lost.
pub const WINDOW: Duration = Duration::from_millis(250);

/// How long after the first packet from where a far end was before it may have stayed there, whatever it described anew. Longer:
/// whoever shares its host has longer to take the stream. Shorter: one that waits for our answer to go where it said is lost.
pub const STAYS: Duration = Duration::from_secs(2);

/// Where RTCP came from is forgotten after this long without any: two mean intervals. Longer: a phone whose NAT gave it another port tells
/// nothing for that long. Shorter: whoever shares its host has its place between two of its reports.
const RTCP_STAYS: Duration = Duration::from_secs(10);

/// How far an address is to be trusted; the order is the rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Claim {
    Former,
    SignallingHost,
    DescribedHost,
    Described,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Learning { from: SocketAddr, claim: Claim, until: Instant },
    Locked { from: SocketAddr },
}

/// What became of a packet's source address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may send.
    Accepted,
    /// It may not.
    Stranger,
}

/// One leg's far addresses.
#[derive(Debug, Clone)]
// In this order: what packets need is its end.
#[repr(C)]
pub struct Latch {
    remote: Remote,
    /// Where it was heard before it described itself anew, and whether that was elsewhere than described, behind a NAT.
    former: Option<(SocketAddr, bool)>,
    /// Where RTCP comes from, and when it came last.
    rtcp: Option<(SocketAddr, Instant)>,
    state: State,
    announced: bool,
}

impl Latch {
    /// Knows the SDP only.
    pub fn new(remote: Remote) -> Self {
        Self { remote: canonical_remote(remote), former: None, state: State::Open, rtcp: None, announced: false }
    }

    /// What packets need of it, to its end: for [`crate::base::fetch`].
    pub(super) fn hot(&self) -> &impl Sized {
        &self.state
    }

    /// Takes a re-negotiated far end: another address is learned anew, the same one stays locked. A hold that names
    /// no address keeps what is known.
    pub fn modify(&mut self, remote: Remote) {
        let remote = canonical_remote(remote);
        if remote.rtp.is_some() && remote.rtp != self.remote.rtp {
            let former = self.heard_at().map(|from| (*from, self.remote.rtp != Some(*from))).or(self.former);
            *self = Self { former, ..Self::new(remote) };
        } else {
            let rtp = remote.rtp.or(self.remote.rtp);
            self.remote = Remote { rtp, rtcp: remote.rtcp.or(self.remote.rtcp), ..remote };
        }
    }

    /// Judges the source of a well-formed RTP packet of a negotiated payload type.
    pub fn judge_rtp(&mut self, from: SocketAddr, now: Instant) -> Verdict {
        let from = canonical(from);
        self.settle(now);
        match self.state {
            State::Locked { from: locked } if locked == from => return Verdict::Accepted,
            State::Learning { from: candidate, claim: Claim::Former, until } if candidate == from => {
                // What is still on the way when the far end has gone elsewhere keeps it from nothing.
                if now >= until {
                    self.state = State::Locked { from };
                }
                return Verdict::Accepted;
            }
            State::Learning { from: candidate, .. } if candidate == from => return Verdict::Accepted,
            State::Locked { .. } => return Verdict::Stranger,
            State::Open | State::Learning { .. } => {}
        }
        let Some(claim) = self.claim(from) else {
            return Verdict::Stranger;
        };
        if let State::Learning { claim: held, .. } = self.state
            && held >= claim
        {
            return Verdict::Stranger;
        }
        self.state = match (claim, self.state) {
            (Claim::Described, _) => State::Locked { from },
            (Claim::Former, _) => State::Learning { from, claim, until: now + STAYS },
            (_, State::Learning { claim: Claim::Former, .. }) => State::Learning { from, claim, until: now + WINDOW },
            (_, State::Learning { until, .. }) => State::Learning { from, claim, until },
            (_, State::Open | State::Locked { .. }) => State::Learning { from, claim, until: now + WINDOW },
        };
        self.rtcp = None;
        Verdict::Accepted
    }

    /// Judges the source of a well-formed RTCP packet: the far end's RTP host, or the SDP's RTCP address; the first
    /// port to come keeps it while it is used.
    pub fn judge_rtcp(&mut self, from: SocketAddr, now: Instant) -> Verdict {
        let from = canonical(from);
        if let Some((known, last)) = &mut self.rtcp {
            if *known == from {
                *last = now;
                return Verdict::Accepted;
            }
            if now.since(*last) < RTCP_STAYS {
                return Verdict::Stranger;
            }
        }
        let allowed = match self.state {
            State::Open => self.remote.rtcp == Some(from),
            State::Learning { from: rtp, .. } | State::Locked { from: rtp } if self.remote.rtcp_mux => rtp == from,
            State::Learning { from: rtp, .. } | State::Locked { from: rtp } => {
                rtp.ip() == from.ip() || self.remote.rtcp == Some(from)
            }
        };
        if !allowed {
            return Verdict::Stranger;
        }
        if !matches!(self.state, State::Open) {
            self.rtcp = Some((from, now));
        }
        Verdict::Accepted
    }

    /// Reports the address once it is final. Cheap enough for every tick.
    pub fn poll_latched(&mut self, now: Instant) -> Option<SocketAddr> {
        if self.announced {
            return None;
        }
        self.settle(now);
        match self.state {
            State::Locked { from } => {
                self.announced = true;
                Some(from)
            }
            State::Open | State::Learning { .. } => None,
        }
    }

    /// Where RTP goes: to whom we hear, else to the SDP's address.
    pub fn rtp(&self) -> Option<&SocketAddr> {
        self.answered_at().or(self.remote.rtp.as_ref())
    }

    /// Where RTCP goes: to whom we hear, else beside where RTP comes from, else to the SDP's address.
    pub fn rtcp(&self) -> Option<SocketAddr> {
        if self.remote.rtcp_mux {
            return self.rtp().copied();
        }
        self.rtcp.map(|(from, _)| from).or(match self.answered_at().copied() {
            Some(from) if self.remote.rtp != Some(from) => {
                Some(SocketAddr::new(from.ip(), from.port().checked_add(1)?))
            }
            Some(_) | None => self.remote.rtcp,
        })
    }

    /// The final address, once there is one.
    pub fn locked(&self) -> Option<SocketAddr> {
        match self.state {
            State::Locked { from } => Some(from),
            State::Open | State::Learning { .. } => None,
        }
    }

    /// Whether it is final, and this.
    pub fn is_locked_to(&self, from: SocketAddr) -> bool {
        self.locked() == Some(canonical(from))
    }

    /// Whether RTCP shares the RTP port.
    pub fn multiplexed(&self) -> bool {
        self.remote.rtcp_mux
    }

    fn settle(&mut self, now: Instant) {
        if let State::Learning { from, until, claim } = self.state
            && claim != Claim::Former
            && now >= until
        {
            self.state = State::Locked { from };
        }
    }

    /// Where packets come from.
    fn heard_at(&self) -> Option<&SocketAddr> {
        match &self.state {
            State::Open => None,
            State::Learning { from, .. } | State::Locked { from } => Some(from),
        }
    }

    /// Where packets come from, but for those from where a far end was that said truly where it is: it hears at its new place.
    fn answered_at(&self) -> Option<&SocketAddr> {
        let truthful = || self.former.is_some_and(|(_, elsewhere)| !elsewhere);
        let leaves = matches!(self.state, State::Learning { claim: Claim::Former, .. }) && truthful();
        self.heard_at().filter(|_| !leaves)
    }

    fn claim(&self, from: SocketAddr) -> Option<Claim> {
        if self.remote.rtp == Some(from) {
            Some(Claim::Described)
        } else if self.former.is_some_and(|(former, _)| former == from) {
            Some(Claim::Former)
        } else if self.remote.rtp.is_some_and(|described| described.ip() == from.ip()) {
            Some(Claim::DescribedHost)
        } else if self.remote.signalling == from.ip() {
            Some(Claim::SignallingHost)
        } else {
            None
        }
    }
}

/// IPv4 seen through an IPv6 socket is IPv4.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn canonical_remote(remote: Remote) -> Remote {
    let signalling: IpAddr = remote.signalling.to_canonical();
    Remote { rtp: remote.rtp.map(canonical), rtcp: remote.rtcp.map(canonical), signalling, ..remote }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::START + Duration::from_millis(ms)
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn latch() -> Latch {
        Latch::new(Remote {
            rtp: Some(address("192.0.2.1:4000")),
            rtcp: Some(address("192.0.2.1:4001")),
            rtcp_mux: false,
            signalling: "198.51.100.7".parse().unwrap(),
        })
    }

    #[test]
    fn before_the_first_packet_a_stranger_gets_nothing_and_cannot_win() {
        let mut latch = latch();
        assert_eq!(latch.judge_rtp(address("203.0.113.9:4000"), at(0)), Verdict::Stranger);
        assert_eq!(latch.rtp().copied(), Some(address("192.0.2.1:4000")));
        assert_eq!(latch.poll_latched(at(1000)), None);
    }

    #[test]
    fn a_caller_behind_a_nat_is_answered_at_once_and_locked_after_the_window() {
        let mut latch = latch();
        let seen = address("[::ffff:198.51.100.7]:61000");
        assert_eq!(latch.judge_rtp(seen, at(0)), Verdict::Accepted);
        assert_eq!(latch.rtp().copied(), Some(address("198.51.100.7:61000")));
        assert_eq!(latch.rtcp(), Some(address("198.51.100.7:61001")));
        assert_eq!(latch.judge_rtp(address("198.51.100.7:61002"), at(10)), Verdict::Stranger, "first come");
        assert_eq!(latch.poll_latched(at(249)), None);
        assert_eq!(latch.poll_latched(at(250)), Some(address("198.51.100.7:61000")));
        assert_eq!(latch.poll_latched(at(251)), None, "once");
        assert_eq!(latch.judge_rtp(address("192.0.2.1:4000"), at(260)), Verdict::Stranger, "locked");
    }

    #[test]
    fn inside_the_window_the_described_address_beats_others() {
        let mut latch = latch();
        assert_eq!(latch.judge_rtp(address("198.51.100.7:61000"), at(0)), Verdict::Accepted);
        assert_eq!(latch.judge_rtp(address("192.0.2.1:9000"), at(50)), Verdict::Accepted, "the described host");
        assert_eq!(latch.judge_rtp(address("198.51.100.7:61000"), at(60)), Verdict::Stranger);
        assert_eq!(latch.judge_rtp(address("192.0.2.1:4000"), at(100)), Verdict::Accepted, "the very address");
        assert_eq!(latch.locked(), Some(address("192.0.2.1:4000")));
        assert_eq!(latch.judge_rtp(address("192.0.2.1:9000"), at(110)), Verdict::Stranger);
    }

    #[test]
    fn a_new_address_is_learned_anew_and_a_hold_without_address_keeps_the_old() {
        let mut latch = latch();
        latch.judge_rtp(address("192.0.2.1:4000"), at(0));
        let hold = Remote { rtp: None, rtcp: None, ..latch.remote.clone() };
        latch.modify(hold);
        assert_eq!(latch.locked(), Some(address("192.0.2.1:4000")));
        let moved = Remote { rtp: Some(address("192.0.2.5:7000")), ..latch.remote.clone() };
        latch.modify(moved);
        assert_eq!(latch.locked(), None);
        assert_eq!(latch.rtp().copied(), Some(address("192.0.2.5:7000")));
        assert_eq!(latch.judge_rtp(address("192.0.2.5:7000"), at(1)), Verdict::Accepted);
        assert_eq!(latch.poll_latched(at(1)), Some(address("192.0.2.5:7000")));
    }

    #[test]
    fn a_packet_still_on_the_way_from_the_old_port_does_not_keep_a_phone_behind_a_nat_from_its_new_one() {
        let mut latch = latch();
        let (old, new) = (address("198.51.100.7:61000"), address("198.51.100.7:61002"));
        latch.judge_rtp(old, at(0));
        assert_eq!(latch.poll_latched(at(300)), Some(old));
        let moved = Remote { rtp: Some(address("192.0.2.1:4002")), ..latch.remote.clone() };
        latch.modify(moved);
        assert_eq!(latch.judge_rtp(old, at(1000)), Verdict::Accepted, "heard on");
        assert_eq!(latch.rtp().copied(), Some(old), "and answered, for where it says it is nothing ever came from");
        assert_eq!(latch.poll_latched(at(5000)), None);
        assert_eq!(latch.judge_rtp(new, at(5000)), Verdict::Accepted);
        assert_eq!(latch.rtp().copied(), Some(new));
        assert_eq!(latch.judge_rtp(old, at(5001)), Verdict::Stranger);
        assert_eq!(latch.poll_latched(at(5250)), Some(new));
    }

    #[test]
    fn a_phone_that_stays_where_it_was_whatever_it_says_is_believed_after_two_seconds() {
        let mut latch = latch();
        let (old, said) = (address("192.0.2.1:4000"), address("192.0.2.1:4002"));
        latch.judge_rtp(old, at(0));
        latch.modify(Remote { rtp: Some(said), ..latch.remote.clone() });
        assert_eq!(latch.judge_rtp(old, at(1000)), Verdict::Accepted);
        assert_eq!(latch.rtp().copied(), Some(said), "it was where it said, until now");
        assert_eq!(latch.judge_rtp(old, at(2999)), Verdict::Accepted);
        assert_eq!(latch.locked(), None);
        assert_eq!(latch.judge_rtp(old, at(3000)), Verdict::Accepted);
        assert_eq!((latch.rtp().copied(), latch.poll_latched(at(3000))), (Some(old), Some(old)));
    }

    #[test]
    fn rtcp_comes_from_the_same_host_only_and_keeps_its_first_port() {
        let mut latch = latch();
        assert_eq!(latch.judge_rtcp(address("192.0.2.1:9999"), at(0)), Verdict::Stranger, "before any RTP");
        latch.judge_rtp(address("192.0.2.1:4000"), at(0));
        assert_eq!(latch.judge_rtcp(address("203.0.113.9:4001"), at(1)), Verdict::Stranger);
        assert_eq!(latch.judge_rtcp(address("192.0.2.1:9999"), at(1)), Verdict::Accepted);
        assert_eq!(latch.judge_rtcp(address("192.0.2.1:4001"), at(1)), Verdict::Stranger);
        assert_eq!(latch.rtcp(), Some(address("192.0.2.1:9999")));
    }

    #[test]
    fn rtcp_is_followed_to_another_port_of_its_host_once_nothing_comes_from_the_first() {
        let mut latch = latch();
        let (first, second) = (address("192.0.2.1:4001"), address("192.0.2.1:9999"));
        latch.judge_rtp(address("192.0.2.1:4000"), at(0));
        assert_eq!(latch.judge_rtcp(first, at(0)), Verdict::Accepted);
        assert_eq!(latch.judge_rtcp(first, at(5000)), Verdict::Accepted);
        assert_eq!(latch.judge_rtcp(second, at(14_999)), Verdict::Stranger, "the first may come again");
        assert_eq!(latch.judge_rtcp(address("203.0.113.9:4001"), at(60_000)), Verdict::Stranger, "another host, never");
        assert_eq!(latch.judge_rtcp(second, at(60_000)), Verdict::Accepted);
        assert_eq!(latch.rtcp(), Some(second));
        assert_eq!(latch.judge_rtcp(first, at(60_001)), Verdict::Stranger);
    }
}
