//! The loop around the gateway: one input, then every output of it, with no await in between.
//!
//! ```text
//! sockets ─ Transports::next ─┐                      ┌─ Transports::send
//! media threads ─ MediaPlane ─┤    Gateway::handle   ├─ MediaPlane::send, bind_ports (answered at once)
//! API ─ Inbox ────────────────┼──►  poll_output  ────┼─ Outbox: store writer, subscribers
//! nameservers ─ Resolver ─────┤                      ├─ Resolver::ask
//! web servers ─ Fetcher ──────┤                      ├─ Fetcher::ask
//! clock ─ poll_timeout ───────┤                      └─ answers to commands
//! signals ────────────────────┘
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram};
use tokio::sync::oneshot;
use tokio::time::{Instant as Alarm, sleep_until};
use tracing::{debug, error, info, warn};

use crate::base::Instant;
use crate::elevation::push::PushOutcome;
use crate::engine::clock::Clock;
use crate::engine::fetch::Fetcher;
use crate::engine::handle::{Asked, Inbox};
use crate::engine::https::Https;
use crate::engine::media::MediaPlane;
use crate::engine::meters;
use crate::engine::os;
use crate::engine::pages::Pages;
use crate::engine::planner::{self, Planner};
use crate::engine::pusher::{self, Pusher};
use crate::engine::relay::{self, Relays};
use crate::engine::resolve::Resolver;
use crate::engine::signals::{Signal, Signals};
use crate::engine::story;
use crate::engine::texter::{self, Texter};
use crate::engine::web::{self, WebPlane};
use crate::gateway::command::{CommandId, Outcome};
use crate::gateway::relays::RelayFact;
use crate::gateway::{Gateway, Input, Output, Record};
use crate::media::web::{WebCommand, WebEvent};
use crate::sip::endpoint;
use crate::texting::{LineType, Texting};
use crate::transport::{Arrival, CloseReason, SendError, Transports};

/// Arrivals and events taken in a row before the others get a turn. More: commands and timers wait. Less: more rounds
/// of waiting under load.
const BATCH: usize = 32;
/// How long hanging up may take once everything is to end now. Longer: an operator waits. Shorter: phones hear nothing of it.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Between two reports of how much is waiting.
const REPORT: Duration = Duration::from_secs(5);

/// How the loop ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Nothing was left, and so many calls had been ended by us.
    Drained {
        /// Calls that the drain limit or a second signal ended.
        cut_off: u64,
    },
    /// It was told to end at once, or hanging up took too long.
    Abandoned,
}

/// The owner of the gateway and of everything it orders.
#[derive(Debug)]
pub struct Engine {
    clock: Clock,
    gateway: Gateway,
    transports: Transports,
    media: MediaPlane,
    /// None where browsers cannot join.
    web: Option<WebPlane>,
    /// None where nobody may come.
    relays: Option<Relays>,
    texter: Option<Texter>,
    pusher: Option<Pusher>,
    planner: Option<Planner>,
    /// None where the page's certificate is that of SIP, or there is none.
    https: Option<Arc<Https>>,
    resolver: Resolver,
    fetcher: Fetcher,
    inbox: Inbox,
    pages: Pages,
    signals: Signals,
    waiting: BTreeMap<CommandId, oneshot::Sender<Outcome>>,
    next_command: u64,
    inputs: VecDeque<Input>,
    stage: Stage,
    /// Nothing has happened since memory was given back.
    tidied: bool,
    meters: Meters,
}

/// How far the end is.
#[derive(Debug, Clone, Copy)]
enum Stage {
    /// In service.
    Serving,
    /// Asked to drain.
    Draining,
    /// Hanging up; not longer than until then.
    Stopping(Instant),
    /// Over.
    Over(Ended),
}

#[derive(Debug)]
struct Meters {
    steps: Histogram,
    signals_waiting: Gauge,
    flows: Gauge,
    unsent: Counter,
    next_report: Instant,
}

impl Engine {
    /// Puts the parts together. Must be called within a tokio runtime.
    pub fn new(
        clock: Clock,
        gateway: Gateway,
        transports: Transports,
        media: MediaPlane,
        resolver: Resolver,
        fetcher: Fetcher,
        inbox: Inbox,
    ) -> std::io::Result<Self> {
        Ok(Self {
            clock,
            gateway,
            transports,
            media,
            web: None,
            relays: None,
            texter: None,
            pusher: None,
            planner: None,
            https: None,
            resolver,
            fetcher,
            inbox,
            pages: Pages::default(),
            signals: Signals::new()?,
            waiting: BTreeMap::new(),
            next_command: 0,
            inputs: VecDeque::new(),
            stage: Stage::Serving,
            tidied: true,
            meters: Meters {
                steps: metrics::histogram!("ringlift_loop_seconds"),
                signals_waiting: metrics::gauge!("ringlift_messages_waiting"),
                flows: metrics::gauge!("ringlift_sip_connections"),
                unsent: metrics::counter!("ringlift_messages_unsent_total"),
                next_report: Instant::START,
            },
        })
    }

    /// With browsers in its meetings.
    pub fn with_web(self, web: Option<WebPlane>) -> Self {
        Self { web, ..self }
    }

    /// With relays in customers' networks.
    pub fn with_relays(self, relays: Relays) -> Self {
        Self { relays: Some(relays), ..self }
    }

    /// With text messages.
    pub fn with_texter(self, texter: Texter) -> Self {
        Self { texter: Some(texter), ..self }
    }

    /// Asks the store about callbacks at set times.
    pub fn with_planner(self, planner: Planner) -> Self {
        Self { planner: Some(planner), ..self }
    }

    /// With notifications of browsers.
    pub fn with_pusher(self, pusher: Option<Pusher>) -> Self {
        Self { pusher, ..self }
    }

    /// With a certificate of its own for the page.
    pub fn with_https(self, https: Option<Arc<Https>>) -> Self {
        Self { https, ..self }
    }

    /// Runs until the end of the last call after a drain or stop.
    pub async fn run(mut self) -> Ended {
        // What the gateway has to say at its start.
        self.perform_all();
        loop {
            if let Stage::Over(ended) = self.stage {
                self.finish().await;
                return ended;
            }
            self.media.watch(self.gateway.is_watched() || self.inbox.outbox.is_heard());
            let alarm = self.alarm();
            tokio::select! {
                arrival = self.transports.next() => {
                    self.take_arrival(arrival);
                    for _ in 1..BATCH {
                        let Some(arrival) = self.transports.try_next() else { break };
                        self.take_arrival(arrival);
                    }
                }
                event = self.media.next() => {
                    self.step(Input::Media(event));
                    for _ in 1..BATCH {
                        let Some(event) = self.media.try_next() else { break };
                        self.step(Input::Media(event));
                    }
                }
                event = web::next(&mut self.web) => {
                    self.step(Input::WebMedia(event));
                    for _ in 1..BATCH {
                        let Some(event) = self.web.as_mut().and_then(WebPlane::try_next) else { break };
                        self.step(Input::WebMedia(event));
                    }
                }
                fact = relay::next(&mut self.relays) => {
                    self.take_relayed(fact);
                    for _ in 1..BATCH {
                        let Some(fact) = self.relays.as_mut().and_then(Relays::try_next) else { break };
                        self.take_relayed(fact);
                    }
                }
                fact = texter::next(&mut self.texter) => self.step(Input::Texting(fact)),
                (callback, granted) = planner::next(&mut self.planner) => self.step(Input::Claimed { callback, granted }),
                (elevation, outcome) = pusher::next(&mut self.pusher) => self.step(Input::Notified { elevation, outcome }),
                (id, lookup) = self.resolver.next() => self.step(Input::Resolved { id, lookup }),
                (id, result) = self.fetcher.next() => self.step(Input::Fetched { id, result }),
                Some(asked) = self.inbox.commands.recv() => self.take_command(asked),
                Some(from) = self.inbox.pages.recv() => {
                    let input = self.pages.take(from);
                    self.step(Input::Web(input));
                }
                signal = self.signals.next() => self.take_signal(signal),
                () = sleep_until(alarm) => self.take_timeout(),
            }
        }
    }

    /// When to wake although nothing comes.
    fn alarm(&self) -> Alarm {
        let mut at = self.meters.next_report;
        if let Some(timeout) = self.gateway.poll_timeout() {
            at = at.min(timeout);
        }
        if let Stage::Stopping(limit) = self.stage {
            at = at.min(limit);
        }
        Alarm::now() + self.clock.until(at)
    }

    fn take_timeout(&mut self) {
        let now = self.clock.mono();
        if self.gateway.poll_timeout().is_some_and(|at| at <= now) {
            self.step(Input::Timeout);
        }
        if let Stage::Stopping(limit) = self.stage
            && limit <= now
        {
            warn!("hanging up took too long; ending with calls still up");
            self.stage = Stage::Over(Ended::Abandoned);
        }
        if self.meters.next_report <= now {
            self.meters.next_report = now + REPORT;
            self.report();
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "gauges are floating point")]
    fn report(&mut self) {
        self.tidy();
        self.meters.signals_waiting.set(self.transports.waiting() as f64);
        self.meters.flows.set(self.transports.open_flows() as f64);
        for (name, total) in self.transports.counts().read() {
            metrics::counter!("ringlift_transport_total", "what" => name).absolute(total);
        }
        self.media.report();
        if let Some(web) = &mut self.web {
            web.report();
        }
        meters::upkeep();
    }

    /// Gives memory back to the system once the last call of a busy time is over.
    fn tidy(&mut self) {
        let idle = self.gateway.is_idle();
        if idle && !self.tidied {
            os::give_memory_back();
        }
        self.tidied = idle;
    }

    fn take_arrival(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Message { message, source } => {
                self.step(Input::Signalling(endpoint::Input::Received { message: *message, source }));
            }
            Arrival::FlowClosed { flow, reason, unsent } => {
                debug!(flow = flow.0, %reason, "connection closed");
                for reference in unsent {
                    self.step(Input::Signalling(endpoint::Input::SendFailed { reference }));
                }
                // One that never stood has carried nothing that could have been lost with it.
                if reason != CloseReason::Unreachable {
                    self.step(Input::Signalling(endpoint::Input::FlowClosed { flow }));
                }
            }
        }
    }

    fn take_relayed(&mut self, fact: relay::Fact) {
        self.step(match fact {
            relay::Fact::Up { relay, reach } => Input::Relay(RelayFact::Up { relay, reach }),
            relay::Fact::Lost { relay, ended } => Input::Relay(RelayFact::Lost { relay, ended }),
            relay::Fact::Message { message, source } => {
                Input::Signalling(endpoint::Input::Received { message: *message, source })
            }
            relay::Fact::Unsent { reference } => Input::Signalling(endpoint::Input::SendFailed { reference }),
        });
    }

    fn take_command(&mut self, asked: Asked) {
        let id = CommandId(self.next_command);
        self.next_command += 1;
        self.waiting.insert(id, asked.answer);
        self.step(Input::Asked { id, command: Box::new(asked.command) });
    }

    fn take_signal(&mut self, signal: Signal) {
        match (signal, self.stage) {
            (Signal::Reload, _) => {
                let now = self.clock.now().utc;
                let ours = self.https.as_ref().map_or(Ok(()), |https| https.reload(now));
                let all = [self.transports.reload_certificates(now), ours];
                for error in all.iter().filter_map(|read| read.as_ref().err()) {
                    meters::certificate_refused();
                    warn!(%error, "the certificates in use stay");
                }
                if all.iter().all(Result::is_ok) {
                    info!("certificates read again");
                }
            }
            (Signal::End, Stage::Serving) => {
                info!("going out of service: calls may finish; a second signal ends them");
                self.stage = Stage::Draining;
                self.step(Input::DrainAsked);
            }
            (Signal::End, Stage::Draining) => {
                info!("ending every call; a third signal ends at once");
                self.stage = Stage::Stopping(self.clock.mono() + LAST_WORDS);
                self.step(Input::StopAsked);
            }
            (Signal::End, Stage::Stopping(_)) => self.stage = Stage::Over(Ended::Abandoned),
            (Signal::End, Stage::Over(_)) => {}
        }
    }

    /// One input, and whatever its orders bring at once.
    fn step(&mut self, input: Input) {
        let began = self.clock.mono();
        self.inputs.push_back(input);
        while let Some(input) = self.inputs.pop_front() {
            let now = self.clock.now();
            self.gateway.handle(input, now);
            self.perform_all();
        }
        self.meters.steps.record(self.clock.mono().since(began).as_secs_f64());
    }

    fn perform_all(&mut self) {
        while let Some(output) = self.gateway.poll_output() {
            self.perform(output);
        }
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Send { to, bytes, reference } => {
                let sent = match (to.relay(), &self.relays) {
                    (Some(relay), Some(relays)) => relays.send(relay, to.remote, bytes, reference),
                    (Some(_), None) => Err(SendError::NoSocket),
                    (None, _) => self.transports.send(&to, bytes, reference),
                };
                if let Err(reason) = sent {
                    self.meters.unsent.increment(1);
                    if reason == SendError::NoSocket {
                        debug!(transport = %to.transport, ipv6 = to.remote.is_ipv6(), "no socket to send from");
                    }
                    self.inputs.push_back(Input::Signalling(endpoint::Input::SendFailed { reference }));
                }
            }
            Output::ExpectPeer { remote, name, rules } => {
                if let Err(error) = self.transports.expect_peer(remote, &name, rules.as_ref()) {
                    warn!(%remote, name, %error, "TLS to this far end cannot be set up; its trunk stays down");
                }
            }
            Output::BindPorts { leg, ipv6, relay: None } => {
                self.inputs.push_back(match self.media.bind_ports(leg, ipv6) {
                    Some(rtp_port) => Input::PortsBound { leg, rtp_port },
                    None => Input::PortsExhausted { leg },
                })
            }
            Output::BindPorts { leg, relay: Some(relay), .. } => {
                let sockets = self.relays.as_mut().and_then(|relays| relays.bind(relay));
                self.inputs.push_back(match sockets.and_then(|sockets| self.media.adopt(leg, sockets)) {
                    Some(rtp_port) => Input::PortsBound { leg, rtp_port },
                    None => Input::PortsExhausted { leg },
                });
            }
            Output::Resolve { id, question } => self.resolver.ask(id, question),
            Output::Fetch { id, request } => self.fetcher.ask(id, request),
            Output::FreePorts { leg } => self.media.free_ports(leg),
            Output::Media(command) => self.media.send(command),
            Output::Web(order) => {
                let gone = self.pages.perform(order);
                self.inputs.extend(gone.into_iter().map(Input::Web));
            }
            Output::WebMedia(command) => match (&mut self.web, command) {
                (Some(web), command) => web.send(command),
                (None, WebCommand::Offer { leg, .. }) => {
                    let why = "web.listen is empty: this node carries no browsers' audio".into();
                    self.inputs.push_back(Input::WebMedia(WebEvent::Refused { leg, why }));
                }
                (None, _) => {}
            },
            Output::Text(order) => match &self.texter {
                Some(texter) => texter.submit(*order),
                None => self.inputs.push_back(Input::Texting(texter::not_sent(order.id, self.clock.now().utc))),
            },
            Output::Push(order) => match &self.pusher {
                Some(pusher) => pusher.submit(*order),
                None => {
                    let outcome = PushOutcome::Nobody;
                    self.inputs.push_back(Input::Notified { elevation: order.elevation, outcome });
                }
            },
            Output::LookUp { id, number } => match &self.texter {
                Some(texter) => texter.look_up(id, number),
                None => {
                    let line = LineType::Unknown;
                    self.inputs.push_back(Input::Texting(Texting::LookedUp { id, line }));
                }
            },
            Output::Claim { callback } => match &self.planner {
                Some(planner) => planner.claim(callback),
                None => self.inputs.push_back(Input::Claimed { callback, granted: false }),
            },
            Output::Unplan { callback } => {
                if let Some(planner) = &self.planner {
                    planner.forget(callback);
                }
            }
            Output::Record(record) => {
                if let Record::Measured { leg, figures } = &record {
                    meters::call_ended(figures);
                    story::sounded(*leg, figures);
                }
                self.inbox.outbox.record(record);
            }
            Output::Publish(event) => {
                meters::found(&event.what);
                story::tell(&event.what);
                self.inbox.outbox.publish(event);
            }
            Output::Answer { id, outcome } => match self.waiting.remove(&id) {
                // Whoever asked may have gone.
                Some(answer) => drop(answer.send(outcome)),
                None => error!("an answer to a command that nobody gave"),
            },
            Output::Drained { cut_off } => self.stage = Stage::Over(Ended::Drained { cut_off }),
        }
    }

    /// Lets the last messages out and the media threads end.
    async fn finish(self) {
        self.transports.finish().await;
        self.media.finish().await;
        if let Some(web) = self.web {
            web.finish().await;
        }
    }
}
