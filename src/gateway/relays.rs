//! Relays: processes in customers' networks that carry a trunk's SIP and audio to us through a tunnel. To the gateway
//! a relay is one more way (`Target::relay`): Via, Contact and SDP show its addresses, and what its network calls its hosts is
//! looked up there, not in our DNS.
//!
//! ```text
//!   never seen ── Up ──► connected ── Lost ──► cut: new calls go elsewhere, those that are up wait
//!                           ▲                    │  │
//!                           └──────── Up ────────┘  └─ 10 s ─► its calls end; the relay says BYE there by itself
//! ```

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::base::id::{RelayId, TrunkId};
use crate::base::{Cause, Instant, LegId, Now};
use crate::gateway::event::Happening;
use crate::gateway::{Gateway, Output, Timer};
use crate::route::Trunk;
use crate::sip::locate::SearchId;
use crate::sip::transport::{FlowId, HostPort, Target, Transport};
use crate::wire::sip::Uri;

/// How long calls wait for a tunnel that is gone. Longer: a phone stays with somebody who hears nothing. Shorter: a restart of
/// a firewall ends calls. The relay waits as long before it hangs up by itself.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// When the place of a call manager is looked at again; what the relay says anew is taken at once.
const LOOK_AGAIN: Duration = Duration::from_secs(3600);

/// What becomes of a relay's tunnel.
#[derive(Debug, Clone, PartialEq)]
pub enum RelayFact {
    /// It stands, or says anew what it reaches.
    Up {
        /// Which.
        relay: RelayId,
        /// What it reaches, and where it is reached.
        reach: Reach,
    },
    /// It is gone.
    Lost {
        /// Which.
        relay: RelayId,
        /// For good: it has told the phones already.
        ended: bool,
    },
}

/// Where a relay is reached in its network, and whom it reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// Its SIP socket.
    pub sip: SocketAddr,
    /// The address of its audio.
    pub media: IpAddr,
    /// Call managers by their names, in small letters, and their addresses in its network.
    pub managers: Vec<(String, Vec<SocketAddr>)>,
    /// Names one run of the relay: another one has forgotten everything.
    pub run: u64,
}

/// What is known of relays.
#[derive(Debug, Default)]
pub(super) struct Relays(BTreeMap<RelayId, Known>);

#[derive(Debug)]
struct Known {
    reach: Reach,
    connected: bool,
}

impl Relays {
    /// Whether its tunnel stands.
    pub(super) fn is_connected(&self, relay: RelayId) -> bool {
        self.0.get(&relay).is_some_and(|known| known.connected)
    }

    /// Where a URI is in a relay's network: by its address, or by a name that the relay knows. Never by our DNS, which would
    /// say where that is in ours.
    fn targets(&self, relay: RelayId, uri: &Uri) -> Vec<Target> {
        let Some(known) = self.0.get(&relay) else { return Vec::new() };
        let Some(host) = uri.host() else { return Vec::new() };
        let places: Vec<SocketAddr> = match host.ip() {
            Some(ip) => vec![SocketAddr::new(ip, uri.port().unwrap_or(Transport::Udp.default_port()))],
            None => {
                let name = host.to_string().to_ascii_lowercase();
                let found = known.reach.managers.iter().filter(|(manager, _)| *manager == name);
                found
                    .flat_map(|(_, addresses)| addresses)
                    .map(|at| uri.port().map_or(*at, |port| SocketAddr::new(at.ip(), port)))
                    .collect()
            }
        };
        let flow = Some(FlowId::of_relay(relay));
        places.into_iter().map(|at| Target { flow, ..Target::new(Transport::Udp, at) }).collect()
    }
}

impl Gateway {
    /// A relay came, or is gone.
    pub(super) fn on_relay(&mut self, fact: RelayFact, now: Now) {
        match fact {
            RelayFact::Up { relay, reach } => self.relay_up(relay, reach, now),
            RelayFact::Lost { relay, ended } => {
                let Some(known) = self.relays.0.get_mut(&relay).filter(|known| known.connected) else { return };
                known.connected = false;
                self.publish(Happening::RelayDisconnected { relay, ended }, now);
                self.timers.arm(Timer::Relay(relay), now.mono + PATIENCE);
                self.trunks_by(relay).into_iter().for_each(|trunk| self.weigh(trunk, now));
                if ended {
                    self.end_calls_by(relay, now);
                }
            }
        }
    }

    fn relay_up(&mut self, relay: RelayId, reach: Reach, now: Now) {
        self.timers.disarm(&Timer::Relay(relay));
        let flow = FlowId::of_relay(relay);
        self.endpoint.reached_through(flow, HostPort::from(reach.sip));
        let before = self.relays.0.insert(relay, Known { reach: reach.clone(), connected: true });
        let moved = before.as_ref().is_none_or(|known| known.reach.sip != reach.sip);
        if before.as_ref().is_none_or(|known| !known.connected) {
            self.publish(Happening::RelayConnected { relay }, now);
        }
        for trunk in self.trunks_by(relay) {
            self.trunk_reached_again(trunk, moved, now);
        }
        // One that began anew knows nothing of the calls that were up.
        if before.is_some_and(|known| known.reach.run != reach.run) {
            self.end_calls_by(relay, now);
        }
    }

    /// Nobody came back: what was up by this relay has ended there, too.
    pub(super) fn relay_stayed_away(&mut self, relay: RelayId, now: Now) {
        if !self.relays.is_connected(relay) {
            self.end_calls_by(relay, now);
        }
    }

    fn end_calls_by(&mut self, relay: RelayId, now: Now) {
        let legs: Vec<LegId> = self.legs.values().filter(|leg| leg.relay == Some(relay)).map(|leg| leg.id).collect();
        for leg in legs {
            self.hang_up(leg, Cause::TransportFailed, now);
        }
    }

    fn trunks_by(&self, relay: RelayId) -> Vec<TrunkId> {
        self.table.trunks.values().filter(|trunk| trunk.relay == Some(relay)).map(|trunk| trunk.id).collect()
    }

    /// Whether a trunk's far ends are behind a relay that is not there.
    pub(super) fn is_cut_off(&self, trunk: &Trunk) -> bool {
        trunk.relay.is_some_and(|relay| !self.relays.is_connected(relay))
    }

    /// Looks for a URI of a trunk: by RFC 3263, or in the network of its relay.
    pub(super) fn look_up(&mut self, trunk: TrunkId, uri: &Uri, now: Instant) -> SearchId {
        match self.table.trunks.get(&trunk).and_then(|trunk| trunk.relay) {
            Some(relay) => self.locator.found(self.relays.targets(relay, uri), now + LOOK_AGAIN),
            None => {
                let wish = self.wish_of(trunk);
                self.locator.locate(uri, &wish, now)
            }
        }
    }

    /// The target at an address of a trunk.
    pub(super) fn target_at(&self, trunk: TrunkId, transport: Transport, remote: SocketAddr) -> Target {
        let relay = self.table.trunks.get(&trunk).and_then(|trunk| trunk.relay);
        Target { flow: relay.map(FlowId::of_relay), ..Target::new(transport, remote) }
    }

    /// Has ports bound for a leg's audio, where its far end sends it.
    pub(super) fn bind_ports(&mut self, leg: LegId) {
        let Some(record) = self.legs.get(&leg) else { return };
        let (ipv6, relay) = (super::inbound::is_ipv6(record.peer.ip()), record.relay);
        self.outputs.push_back(Output::BindPorts { leg, ipv6, relay });
    }

    /// The address that a leg's far end is told to send audio to.
    pub(super) fn audio_address(&self, leg: LegId) -> Option<IpAddr> {
        let record = self.legs.get(&leg)?;
        match record.relay {
            Some(relay) => self.relays.0.get(&relay).map(|known| known.reach.media),
            None => super::inbound::media_address(&self.settings, record.peer.ip()),
        }
    }
}
