//! How trunks are: OPTIONS to each of their far ends, a registration where one is wanted, and what both amount to.

use std::net::IpAddr;

use super::{FarEnd, Link, Place, Search, StepName, Timer};
use crate::base::id::TrunkId;
use crate::base::{Now, Utc};
use crate::gateway::event::Happening;
use crate::gateway::requests::Asker;
use crate::gateway::trunks::Hop;
use crate::gateway::{Gateway, Output};
use crate::sip::endpoint::{Headers, OutboundRequest, SendRef, TransactionId, Unanswered};
use crate::sip::locate::{Located, REST};
use crate::sip::probe::{Health, Probe, Why};
use crate::sip::registration::{self, Failure, Registration, retry_after};
use crate::sip::transport::{FlowId, Source, Target};
use crate::wire::sip::{Method, Name, NameAddr, Request, Response, Text, Uri};

/// Far ends of one trunk that are probed. More: a domain with very many addresses makes work.
const MOST_FAR_ENDS: usize = 32;
/// Two CRLFs: a way through NAT stays open, and who knows RFC 5626 §3.5.1 answers one.
const PING: &[u8] = b"\r\n\r\n";

/// How a trunk stands as a whole.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Standing {
    /// Whether it is up; none while that is not known, or nobody asks.
    pub(super) up: Option<bool>,
    /// Why it is not.
    pub(super) why: Option<String>,
    /// Since when.
    pub(super) since: Utc,
}

impl Gateway {
    /// Deadlines of trunks.
    pub(in crate::gateway) fn trunks_timed_out(&mut self, now: Now) {
        while let Some(timer) = self.trunks.timers.expire(now.mono) {
            match timer {
                Timer::Locate(trunk, line) => self.look_up_line(trunk, line, now),
                Timer::Probe(trunk, place) => self.probe_timed_out(trunk, place, now),
                Timer::Registration(trunk) => {
                    self.with_registration(trunk, now, |registration, _| registration.handle_timeout(now));
                }
                Timer::Trial => self.trial_timed_out(now),
            }
        }
    }

    /// Looks up where a line leads, to know its far ends.
    pub(super) fn look_up_line(&mut self, id: TrunkId, line: usize, now: Now) {
        let Some(link) = self.trunks.links.get(&id) else { return };
        let Some(uri) = link.lines.get(line).map(|line| line.uri.clone()) else { return };
        let search = self.look_up(id, &uri, now.mono);
        self.trunks.searches.insert(search, Search::Watch(id, line));
    }

    /// A line's addresses are known: those that are new are probed, those that are gone no more.
    pub(super) fn line_located(&mut self, id: TrunkId, line: usize, located: Located, now: Now) {
        let Some(link) = self.trunks.links.get_mut(&id) else { return };
        self.trunks.timers.arm(Timer::Locate(id, line), located.until.max(now.mono + SOONEST));
        let places: Vec<Place> = located.targets.iter().map(|target| (target.transport, target.remote)).collect();
        let timers = &mut self.trunks.timers;
        // Where nothing is found any more, what was found before is what there is.
        if !places.is_empty() {
            link.far_ends.retain(|place, far| {
                let stays = far.line != line || places.contains(place);
                if !stays {
                    timers.disarm(&Timer::Probe(id, *place));
                }
                stays
            });
        }
        for place in places {
            if link.far_ends.len() >= MOST_FAR_ENDS || link.far_ends.contains_key(&place) {
                continue;
            }
            // Spread, so that many trunks are not probed in the same instant.
            let probe = link.probing.map(|rules| {
                let spread = u64::try_from(rules.every.as_millis() / 8).unwrap_or_default();
                Probe::new(rules, now.mono + std::time::Duration::from_millis(self.rng.below(spread + 1)))
            });
            if let Some(probe) = &probe {
                self.trunks.timers.arm(Timer::Probe(id, place), probe.poll_timeout());
            }
            link.far_ends.insert(place, FarEnd { line, probe });
        }
        self.weigh(id, now);
    }

    fn probe_timed_out(&mut self, id: TrunkId, place: Place, now: Now) {
        let Some(link) = self.trunks.links.get_mut(&id) else { return };
        let Some(far) = link.far_ends.get_mut(&place) else { return };
        let Some(probe) = &mut far.probe else { return };
        let step = probe.handle_timeout(now.mono);
        let uri = link.lines.get(far.line).map(|line| line.uri.clone());
        self.trunks.timers.arm(Timer::Probe(id, place), probe.poll_timeout());
        if let (true, Some(uri)) = (step.send, uri) {
            self.send_probe(id, place, &uri, now);
        }
        if step.changed {
            self.far_end_changed(id, place, now);
        }
    }

    /// Tells how a far end is now, and weighs what that means for its trunk.
    fn far_end_changed(&mut self, id: TrunkId, place: Place, now: Now) {
        let health =
            self.trunks.links.get(&id).and_then(|link| Some(link.far_ends.get(&place)?.probe.as_ref()?.health()));
        let address = format!("{} {}", place.0, place.1);
        match health {
            Some(Health::Up) => self.publish(Happening::TrunkTargetUp { trunk: id, address }, now),
            Some(Health::Down(why)) => {
                self.publish(Happening::TrunkTargetDown { trunk: id, address, why: probe_words(why) }, now);
            }
            Some(Health::Unknown) | None => {}
        }
        self.weigh(id, now);
    }

    fn send_probe(&mut self, id: TrunkId, place: Place, uri: &Uri, now: Now) {
        let sent = self.send_options(id, place, uri, now);
        self.askers.insert(sent, Asker::Probe(id, place));
    }

    /// Asks a far end whether it takes calls.
    pub(super) fn send_options(&mut self, id: TrunkId, place: Place, uri: &Uri, now: Now) -> TransactionId {
        let target = self.target_at(id, place.0, place.1);
        self.expect_peer(id, uri, &target);
        let from = Uri::sip(Some("ringlift"), self.own_host(&target), None);
        let uri = uri.with_user(None).without_headers().without_param("transport").without_param("maddr");
        let request = OutboundRequest {
            method: Method::Options,
            from: NameAddr::new(from),
            to: NameAddr::new(uri.clone()),
            uri,
            target,
            routes: Vec::new(),
            headers: vec![(Name::Accept, Text::from_static("application/sdp"))] as Headers,
            body: None,
            again: None,
        };
        self.endpoint.request(request, now)
    }

    /// What came of an OPTIONS.
    pub(in crate::gateway) fn on_probed(
        &mut self,
        id: TrunkId,
        place: Place,
        result: Result<&Response, Unanswered>,
        now: Now,
    ) {
        let target = self.target_at(id, place.0, place.1);
        let Some(link) = self.trunks.links.get_mut(&id) else { return };
        let Some(probe) = link.far_ends.get_mut(&place).and_then(|far| far.probe.as_mut()) else { return };
        let changed = match result {
            Ok(response) => {
                let after = retry_after(response);
                let changed = probe.answered(response.status, after, now.mono);
                if probe.health() == Health::Up {
                    self.locator.wake(&target);
                }
                changed
            }
            // Silence is counted by the probe's own patience.
            Err(Unanswered::TimedOut) => false,
            Err(Unanswered::TransportFailed | Unanswered::NotSent) => probe.failed(now.mono),
        };
        self.trunks.timers.arm(Timer::Probe(id, place), probe.poll_timeout());
        if changed {
            self.far_end_changed(id, place, now);
        }
    }

    /// A call got no answer from a far end: it is probed at once.
    pub(super) fn suspect(&mut self, hop: &Hop, now: Now) {
        let place = (hop.target.transport, hop.target.remote);
        let Some(link) = self.trunks.links.get_mut(&hop.trunk) else { return };
        if let Some(probe) = link.far_ends.get_mut(&place).and_then(|far| far.probe.as_mut()) {
            probe.suspect(now.mono);
            self.trunks.timers.arm(Timer::Probe(hop.trunk, place), probe.poll_timeout());
        }
    }

    /// The relay that a trunk is reached by is there (again): its places are looked up and asked at once, and what was lost, or was
    /// made under another address, is registered again.
    pub(in crate::gateway) fn trunk_reached_again(&mut self, id: TrunkId, moved: bool, now: Now) {
        let Some(link) = self.trunks.links.get_mut(&id) else { return };
        let lines = link.lines.len();
        for (place, probe) in link.far_ends.iter_mut().filter_map(|(place, far)| Some((*place, far.probe.as_mut()?))) {
            probe.suspect(now.mono);
            self.trunks.timers.arm(Timer::Probe(id, place), probe.poll_timeout());
        }
        let again = link.registration.as_ref().is_some_and(|registration| moved || !registration.stands());
        for line in 0..lines {
            self.look_up_line(id, line, now);
        }
        if again {
            self.begin_registration(id, now);
        }
        self.weigh(id, now);
    }

    /// Begins the registration of a trunk, where it has one.
    pub(super) fn begin_registration(&mut self, id: TrunkId, now: Now) {
        self.with_registration(id, now, |registration, _| registration.start());
    }

    pub(super) fn registrar_located(&mut self, id: TrunkId, targets: Vec<Target>, now: Now) {
        self.with_registration(id, now, |registration, rng| registration.located(targets, rng, now));
        self.trial_registration(id, now);
    }

    /// What came of a REGISTER.
    pub(in crate::gateway) fn on_registered(
        &mut self,
        id: TrunkId,
        result: Result<&Response, Unanswered>,
        source: Option<Source>,
        now: Now,
    ) {
        self.with_registration(id, now, |registration, rng| registration.answered(result, source, rng, now));
        self.trial_registration(id, now);
    }

    /// A connection is gone that carriers may have called us by.
    pub(in crate::gateway) fn registrations_lose(&mut self, flow: FlowId, now: Now) {
        let trunks: Vec<TrunkId> = self.trunks.links.keys().copied().collect();
        for id in trunks {
            self.with_registration(id, now, |registration, rng| registration.flow_closed(flow, rng, now));
        }
    }

    /// The trunk whose registrar a call comes from, to the very contact we gave it: it needs no address in the trunk's
    /// networks.
    pub(in crate::gateway) fn registered_at(&self, request: &Request, source: &Source) -> Option<TrunkId> {
        let canonical = |ip: IpAddr| ip.to_canonical();
        let from_registrar = |link: &Link| {
            let registration = link.registration.as_ref()?;
            let registrar = registration.registrar()?;
            let same = canonical(registrar.remote.ip()) == canonical(source.remote.ip());
            let ours = request.uri.user().is_some() && request.uri.user() == registration.order().aor.user();
            (same && ours && registrar.relay() == source.relay()).then_some(link.trunk.id)
        };
        self.trunks.links.values().find_map(from_registrar)
    }

    pub(super) fn with_registration(
        &mut self,
        id: TrunkId,
        now: Now,
        change: impl FnOnce(&mut Registration, &mut crate::base::Rng),
    ) {
        // Taken out meanwhile: what it orders may need the whole gateway.
        let link = self.trunks.links.get_mut(&id);
        let Some(mut registration) = link.and_then(|link| link.registration.take()) else { return };
        change(&mut registration, &mut self.rng);
        self.carry_out_registration(id, &mut registration, now);
        match registration.poll_timeout() {
            Some(at) => self.trunks.timers.arm(Timer::Registration(id), at),
            None => drop(self.trunks.timers.disarm(&Timer::Registration(id))),
        }
        if let Some(link) = self.trunks.links.get_mut(&id) {
            link.registration = Some(registration);
        }
        self.weigh(id, now);
    }

    /// Carries out what a registration orders.
    pub(super) fn carry_out_registration(&mut self, id: TrunkId, registration: &mut Registration, now: Now) {
        while let Some(output) = registration.poll_output() {
            match output {
                registration::Output::Locate => {
                    let search = self.look_up(id, &registration.order().registrar, now.mono);
                    self.trunks.searches.insert(search, Search::Registrar(id));
                }
                registration::Output::Register { mut request, expires } => {
                    let user = registration.order().aor.user_decoded().map(|user| user.into_owned());
                    let contact = self.endpoint.contact_as(&request.target, user.as_deref().unwrap_or("ringlift"));
                    if let Some(contact) = contact {
                        request.headers.push((Name::Contact, Text::from(format!("{contact};expires={expires}"))));
                    }
                    self.expect_peer(id, &registration.order().registrar, &request.target);
                    let sent = self.endpoint.request(*request, now);
                    self.askers.insert(sent, Asker::Registration(id));
                    self.trial_sends(id, sent, StepName::Register);
                }
                registration::Output::KeepAlive(target) => {
                    let (bytes, reference) = (bytes::Bytes::from_static(PING), SendRef::Nothing);
                    self.outputs.push_back(Output::Send { to: target, bytes, reference });
                }
                registration::Output::Rest(target, after) => {
                    self.locator.rest(&target, after.unwrap_or(REST).min(super::LONGEST_REST), now.mono);
                }
                // Told by what the trunk stands at.
                registration::Output::Registered | registration::Output::Lost(_) => {}
            }
        }
    }

    /// Works out how a trunk stands, and tells when that has changed.
    pub(in crate::gateway) fn weigh(&mut self, id: TrunkId, now: Now) {
        let cut = self.trunks.links.get(&id).is_some_and(|link| self.is_cut_off(&link.trunk));
        let Some(link) = self.trunks.links.get_mut(&id) else { return };
        let (up, why) = if cut { (Some(false), Some(NO_RELAY.to_owned())) } else { standing(link) };
        if (link.standing.up, &link.standing.why) == (up, &why) {
            return;
        }
        let before = link.standing.up;
        link.standing = Standing { up, why: why.clone(), since: now.utc };
        match (before, up) {
            (Some(true), Some(true)) | (Some(false), Some(false)) | (_, None) => {}
            (_, Some(true)) => self.publish(Happening::TrunkUp { trunk: id }, now),
            (_, Some(false)) => self.publish(Happening::TrunkDown { trunk: id, why: why.unwrap_or_default() }, now),
        }
    }
}

/// Why a trunk behind a relay is down while that is away.
const NO_RELAY: &str = "its relay is not connected";

/// The soonest that a line is looked up again: a record of no time at all does not make us ask all the time.
const SOONEST: std::time::Duration = std::time::Duration::from_secs(5);

/// Whether a trunk is up, as far as it is known, and why not.
fn standing(link: &Link) -> (Option<bool>, Option<String>) {
    if let Some(registration) = &link.registration
        && !registration.stands()
    {
        return match registration.state() {
            registration::State::Failed(why) => (Some(false), Some(registration_words(*why))),
            _ if link.standing.up == Some(false) => (Some(false), link.standing.why.clone()),
            _ => (None, None),
        };
    }
    let probes: Vec<Health> = link.far_ends.values().filter_map(|far| Some(far.probe.as_ref()?.health())).collect();
    if probes.contains(&Health::Up) {
        return (Some(true), None);
    }
    if link.probing.is_none() {
        // What keeps a registration is up; of others nobody knows until they are called.
        return (link.registration.is_some().then_some(true), None);
    }
    let mut words = None;
    for health in &probes {
        match health {
            Health::Down(why) => words = words.or(Some(*why)),
            Health::Up | Health::Unknown => return (link.standing.up, link.standing.why.clone()),
        }
    }
    (Some(false), Some(words.map_or_else(|| "no address is found for it".to_owned(), probe_words)))
}

fn probe_words(why: Why) -> String {
    match why {
        Why::Silent => "no answer to OPTIONS".to_owned(),
        Why::Unavailable(status) => format!("OPTIONS answered with {status}"),
    }
}

fn registration_words(why: Failure) -> String {
    match why {
        Failure::NotFound => "no address is found for its registrar".to_owned(),
        Failure::Silent => "its registrar does not answer".to_owned(),
        Failure::Refused(status) => format!("the registration was refused with {status}"),
    }
}
