//! Trunks as shown: how each stands, where it is reached, whether we are registered.

use serde::{Deserialize, Serialize};

use super::Link;
use crate::base::Now;
use crate::base::id::TrunkId;
use crate::gateway::Gateway;
use crate::sip::probe::{Health, Why};
use crate::sip::registration::{Failure, State};

/// How a trunk stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct TrunkStateView {
    /// Which.
    #[cfg_attr(feature = "node", schema(value_type = String))]
    pub trunk: TrunkId,
    /// Whether it takes calls; none where nobody asks it, or it has not been heard of yet.
    pub up: Option<bool>,
    /// Why it does not.
    pub why: Option<String>,
    /// Since when, RFC 3339; none where nothing is known.
    pub since: Option<String>,
    /// How our registration with it stands: `registered`, `asking`, `failed: 403 Forbidden`; none where there is none.
    pub registration: Option<String>,
    /// Seconds until the registration ends if it is not refreshed.
    pub registered_for: Option<u64>,
    /// The places that take its calls.
    pub far_ends: Vec<FarEndView>,
}

/// One place that takes a trunk's calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct FarEndView {
    /// The URI it was found by.
    pub uri: String,
    /// Transport, address and port.
    pub address: String,
    /// Whether it answers OPTIONS; none where it is not asked, or has not been heard of yet.
    pub up: Option<bool>,
    /// What it answered when it did not take calls.
    pub why: Option<String>,
    /// How long its latest answer took, in milliseconds.
    pub round_trip_ms: Option<u64>,
    /// Calls try it last for a while, because one got no answer.
    pub resting: bool,
}

impl Gateway {
    /// How trunks stand: one, or all that calls go out by.
    pub(in crate::gateway) fn trunk_states(&self, trunk: Option<TrunkId>, now: Now) -> Vec<TrunkStateView> {
        let links = self.trunks.links.iter().filter(|(id, _)| trunk.is_none_or(|wanted| wanted == **id));
        links.map(|(id, link)| self.trunk_state(*id, link, now)).collect()
    }

    fn trunk_state(&self, trunk: TrunkId, link: &Link, now: Now) -> TrunkStateView {
        let far_ends = link.far_ends.iter().map(|((transport, remote), far)| {
            let (up, why) = match far.probe.as_ref().map(|probe| probe.health()) {
                Some(Health::Up) => (Some(true), None),
                Some(Health::Down(Why::Silent)) => (Some(false), Some("no answer".to_owned())),
                Some(Health::Down(Why::Unavailable(status))) => (Some(false), Some(status.to_string())),
                Some(Health::Unknown) | None => (None, None),
            };
            let round_trip = far.probe.as_ref().and_then(|probe| probe.round_trip());
            FarEndView {
                uri: link.lines.get(far.line).map(|line| line.uri.to_string()).unwrap_or_default(),
                address: format!("{transport} {remote}"),
                up,
                why,
                round_trip_ms: round_trip.and_then(|length| u64::try_from(length.as_millis()).ok()),
                resting: self.locator.is_resting(&self.target_at(trunk, *transport, *remote), now.mono),
            }
        });
        let registration = link.registration.as_ref();
        TrunkStateView {
            trunk,
            up: link.standing.up,
            why: link.standing.why.clone(),
            since: link.standing.up.map(|_| link.standing.since.to_string()),
            registration: registration.map(|registration| words(registration.state(), registration.stands())),
            registered_for: registration
                .filter(|registration| registration.stands())
                .and_then(|registration| Some(registration.until()?.since(now.mono).as_secs())),
            far_ends: far_ends.collect(),
        }
    }
}

fn words(state: &State, stands: bool) -> String {
    match state {
        _ if stands => "registered".to_owned(),
        State::Idle | State::Locating | State::Asking | State::Registered { .. } => "asking".to_owned(),
        State::Failed(Failure::NotFound) => "failed: no address is found".to_owned(),
        State::Failed(Failure::Silent) => "failed: no answer".to_owned(),
        State::Failed(Failure::Refused(status)) => format!("failed: {status}"),
    }
}
