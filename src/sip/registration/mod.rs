//! A registration of ours with a carrier (RFC 3261 §10.2): made, kept, mended.
//!
//! ```text
//!          start                 targets               200
//!   Idle ────────► Locating ──────────────► Asking ──────────► Registered ── refresh is due ──► Asking
//!                      ▲    401, 407, 423: again │                 │ its connection closed ───────► Asking
//!                      │    no use: next target  │
//!                      └──── after a while ── Failed ◄── refused, or no target is left
//! ```

use std::collections::VecDeque;
use std::time::Duration;

use crate::base::{Instant, Now, Rng, Secret, Timers};
use crate::sip::auth::Prover;
use crate::sip::endpoint::{Attempt, Headers, OutboundRequest, Unanswered};
use crate::sip::transport::{FlowId, Source, Target};
use crate::wire::sip::{Method, Name, NameAddr, Response, Status, Text, Uri};

/// Before the first new attempt after all targets failed; it doubles with each. Longer: a carrier that is back waits.
/// Shorter: many gateways make a carrier's restart harder.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
/// The longest pause between attempts (RFC 5626 §4.5).
const LONGEST_PAUSE: Duration = Duration::from_secs(1800);
/// Before another attempt after a refusal that says the account is wrong: sooner ones get accounts locked.
const REFUSED_PAUSE: Duration = Duration::from_secs(60);
/// The longest registration that a carrier may ask for by 423.
const LONGEST_EXPIRES: Duration = Duration::from_secs(24 * 3600);
/// Challenges answered and intervals mended for one attempt; more is a far end that plays with us.
const MOST_AGAIN: u8 = 6;

/// What is registered.
#[derive(Debug, Clone)]
pub struct Order {
    /// Our address of record there.
    pub aor: Uri,
    /// The registrar: the Request-URI, and where to look for targets.
    pub registrar: Uri,
    /// The account, where there is one.
    pub account: Option<(String, Secret)>,
    /// For how long.
    pub expires: Duration,
    /// How often to send line ends so that a way through NAT stays open; none where never.
    pub keep_alive: Option<Duration>,
}

/// How it stands.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// Nothing is done.
    Idle,
    /// The registrar is looked for.
    Locating,
    /// REGISTER is out.
    Asking,
    /// It stands until then, if it is not refreshed.
    Registered {
        /// When it ends.
        until: Instant,
    },
    /// It does not stand; another attempt follows.
    Failed(Failure),
}

/// Why it does not stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// No address is found for the registrar.
    NotFound,
    /// No target answers.
    Silent,
    /// It was refused.
    Refused(Status),
}

/// An order or a report.
#[derive(Debug, Clone)]
pub enum Output {
    /// Look for the registrar; [`Registration::located`] takes what is found.
    Locate,
    /// Send this REGISTER, with our Contact for its target and this many seconds; [`Registration::answered`] takes what
    /// comes of it.
    Register {
        /// The request, without Contact.
        request: Box<OutboundRequest>,
        /// For the Contact.
        expires: u32,
    },
    /// Send line ends there.
    KeepAlive(Target),
    /// This target did not answer.
    Rest(Target, Option<Duration>),
    /// It stands now, and did not before.
    Registered,
    /// It stands no more, or did not come to stand.
    Lost(Failure),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// A refresh or another attempt is due.
    Next,
    KeepAlive,
    /// Nothing was refreshed in time.
    Lapse,
}

/// One registration.
#[derive(Debug)]
pub struct Registration {
    order: Order,
    prover: Option<Prover>,
    state: State,
    /// Told as standing.
    stands: bool,
    expires: Duration,
    targets: VecDeque<Target>,
    /// The target that REGISTER goes to, or went to.
    current: Option<Target>,
    /// The connection it came to stand by.
    flow: Option<FlowId>,
    last: Option<Attempt>,
    again: u8,
    failures: u32,
    retry_after: Option<Duration>,
    timers: Timers<Timer>,
    outputs: VecDeque<Output>,
}

impl Registration {
    /// One that does nothing yet.
    pub fn new(order: Order) -> Self {
        let prover = order.account.clone().map(|(username, password)| Prover::new(username, password));
        Self {
            expires: order.expires,
            order,
            prover,
            state: State::Idle,
            stands: false,
            targets: VecDeque::new(),
            current: None,
            flow: None,
            last: None,
            again: 0,
            failures: 0,
            retry_after: None,
            timers: Timers::new(),
            outputs: VecDeque::new(),
        }
    }

    /// Begins.
    pub fn start(&mut self) {
        if self.state == State::Idle {
            self.locate();
        }
    }

    /// Asks again now, rather than when it is due; what is under way goes on.
    pub fn refresh(&mut self) {
        if matches!(self.state, State::Registered { .. } | State::Failed(_)) {
            self.timers.disarm(&Timer::Next);
            self.locate();
        }
    }

    /// Where the registrar is, in order.
    pub fn located(&mut self, targets: Vec<Target>, rng: &mut Rng, now: Now) {
        if self.state != State::Locating {
            return;
        }
        if targets.is_empty() {
            return self.fail(Failure::NotFound, rng, now);
        }
        // The registrar that it stands by comes first: the others know nothing of the connection.
        self.targets = targets.into();
        if let Some(at) = self.targets.iter().position(|target| self.stands && Some(*target) == self.by_address()) {
            self.targets.rotate_left(at);
        }
        self.ask_next(rng, now);
    }

    /// What came of the REGISTER.
    pub fn answered(&mut self, result: Result<&Response, Unanswered>, source: Option<Source>, rng: &mut Rng, now: Now) {
        if self.state != State::Asking {
            return;
        }
        let response = match result {
            Ok(response) => response,
            Err(_) => return self.give_up_target(Failure::Silent, None, rng, now),
        };
        self.last = Attempt::of(response).or(self.last.take());
        self.again = self.again.saturating_add(1);
        let again = self.again <= MOST_AGAIN;
        match response.status {
            Status::OK => self.registered(response, source, rng, now),
            Status::UNAUTHORIZED | Status::PROXY_AUTHENTICATION_REQUIRED
                if again && self.prover.as_mut().is_some_and(|prover| prover.take(response)) =>
            {
                self.send(rng);
            }
            Status::INTERVAL_TOO_BRIEF if again && self.lengthen(response) => self.send(rng),
            // §21.5 and 408: another may do better.
            status if status == Status::REQUEST_TIMEOUT || (500..600).contains(&status.code()) => {
                let after = retry_after(response);
                self.give_up_target(Failure::Refused(status), after, rng, now);
            }
            status => {
                self.retry_after = retry_after(response);
                self.fail(Failure::Refused(status), rng, now);
            }
        }
    }

    /// A connection is closed: if it was the one that calls come by, a new one is needed at once.
    pub fn flow_closed(&mut self, flow: FlowId, rng: &mut Rng, now: Now) {
        if self.flow == Some(flow) {
            self.flow = None;
            self.timers.disarm(&Timer::KeepAlive);
            if matches!(self.state, State::Registered { .. }) {
                // Not all gateways in the same instant.
                let soon = Duration::from_millis(rng.below(1000));
                self.timers.arm(Timer::Next, now.mono + soon);
            }
        }
    }

    /// The moment that [`Registration::poll_timeout`] named has come.
    pub fn handle_timeout(&mut self, now: Now) {
        while let Some(timer) = self.timers.expire(now.mono) {
            match timer {
                Timer::Next => self.locate(),
                Timer::KeepAlive => {
                    if let (Some(target), Some(every)) = (self.current, self.order.keep_alive) {
                        self.outputs.push_back(Output::KeepAlive(Target { flow: self.flow, ..target }));
                        self.timers.arm(Timer::KeepAlive, now.mono + every);
                    }
                }
                Timer::Lapse => self.lost(Failure::Silent),
            }
        }
    }

    /// When to call [`Registration::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// An order or a report; drain until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Takes the registration back, where it stands; nothing follows.
    pub fn stop(&mut self, rng: &mut Rng) {
        self.timers = Timers::new();
        if self.stands {
            self.expires = Duration::ZERO;
            self.again = 0;
            self.send(rng);
        }
        self.state = State::Idle;
        self.stands = false;
    }

    /// How it stands.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Whether it stands, also while it is being refreshed.
    pub fn stands(&self) -> bool {
        self.stands
    }

    /// The registrar that it stands by: what comes from there comes from the carrier.
    pub fn registrar(&self) -> Option<Target> {
        self.current.filter(|_| self.stands).map(|target| Target { flow: self.flow, ..target })
    }

    /// When it ends if it is not refreshed.
    pub fn until(&self) -> Option<Instant> {
        self.timers.deadline(&Timer::Lapse)
    }

    /// What it registers.
    pub fn order(&self) -> &Order {
        &self.order
    }

    fn by_address(&self) -> Option<Target> {
        self.current.map(|target| target.by_address())
    }

    fn locate(&mut self) {
        self.state = State::Locating;
        self.again = 0;
        if let Some(prover) = &mut self.prover {
            prover.passed();
        }
        self.outputs.push_back(Output::Locate);
    }

    fn ask_next(&mut self, rng: &mut Rng, now: Now) {
        match self.targets.pop_front() {
            Some(target) => {
                // A connection that stands is used again.
                let flow = target.flow.or(self.flow.filter(|_| self.by_address() == Some(target)));
                self.current = Some(Target { flow, ..target });
                self.again = 0;
                self.send(rng);
            }
            None => self.fail(Failure::Silent, rng, now),
        }
    }

    fn send(&mut self, rng: &mut Rng) {
        let Some(target) = self.current else { return };
        self.state = State::Asking;
        let expires = u32::try_from(self.expires.as_secs()).unwrap_or(u32::MAX);
        let uri = self.order.registrar.with_user(None).without_headers();
        let mut headers: Headers = match &mut self.prover {
            Some(prover) => prover.headers(&Method::Register, &uri, rng),
            None => Headers::new(),
        };
        headers.push((Name::Expires, Text::from(expires.to_string())));
        headers.push((Name::Supported, Text::from_static("path")));
        let aor = NameAddr::new(self.order.aor.without_param("transport"));
        let request = Box::new(OutboundRequest {
            method: Method::Register,
            uri,
            from: aor.clone(),
            to: aor,
            target,
            routes: Vec::new(),
            headers,
            body: None,
            again: self.last.clone(),
        });
        self.outputs.push_back(Output::Register { request, expires });
    }

    fn registered(&mut self, response: &Response, source: Option<Source>, rng: &mut Rng, now: Now) {
        let granted = granted(response, self.order.aor.user(), self.expires);
        self.failures = 0;
        self.retry_after = None;
        self.flow = source.and_then(|source| source.flow);
        self.state = State::Registered { until: now.mono + granted };
        if let Some(prover) = &mut self.prover {
            prover.passed();
        }
        self.timers.arm(Timer::Lapse, now.mono + granted);
        self.timers.arm(Timer::Next, now.mono + refresh_after(granted, rng));
        if let Some(every) = self.order.keep_alive {
            self.timers.arm(Timer::KeepAlive, now.mono + every);
        }
        if !self.stands {
            self.stands = true;
            self.outputs.push_back(Output::Registered);
        }
    }

    /// Asks for as long as a 423 wants; false where that is no use.
    fn lengthen(&mut self, response: &Response) -> bool {
        let least = response.headers.get(Name::MinExpires).and_then(|text| text.trim().parse().ok());
        match least.map(Duration::from_secs) {
            Some(least) if least > self.expires && least <= LONGEST_EXPIRES => {
                self.expires = least;
                true
            }
            Some(_) | None => false,
        }
    }

    /// This target is no use: the next.
    fn give_up_target(&mut self, why: Failure, after: Option<Duration>, rng: &mut Rng, now: Now) {
        if let Some(target) = self.by_address() {
            self.outputs.push_back(Output::Rest(target, after));
        }
        self.flow = None;
        if self.targets.is_empty() {
            self.retry_after = after;
            return self.fail(why, rng, now);
        }
        self.ask_next(rng, now);
    }

    fn fail(&mut self, why: Failure, rng: &mut Rng, now: Now) {
        self.failures = self.failures.saturating_add(1);
        let first = match why {
            Failure::Refused(status) if status.code() < 500 && status != Status::REQUEST_TIMEOUT => REFUSED_PAUSE,
            Failure::Refused(_) | Failure::Silent | Failure::NotFound => FIRST_PAUSE,
        };
        let doubled = first.saturating_mul(1 << (self.failures - 1).min(10)).min(LONGEST_PAUSE);
        // Between half of it and all, so that many do not come at once (RFC 5626 §4.5).
        let half = u64::try_from(doubled.as_millis()).unwrap_or(u64::MAX) / 2;
        let pause = Duration::from_millis(half + rng.below(half + 1));
        let pause = self.retry_after.take().map_or(pause, |after| after.clamp(Duration::from_secs(1), LONGEST_PAUSE));
        self.timers.disarm(&Timer::KeepAlive);
        self.timers.arm(Timer::Next, now.mono + pause);
        self.lost(why);
        self.state = State::Failed(why);
    }

    fn lost(&mut self, why: Failure) {
        self.timers.disarm(&Timer::Lapse);
        let news = self.stands || self.state != State::Failed(why);
        self.stands = false;
        if news {
            self.outputs.push_back(Output::Lost(why));
        }
    }
}

/// For how long this user's registration was granted: as our Contact says, else the Expires header, else as asked (§10.2.4).
pub fn granted(response: &Response, user: Option<&str>, asked: Duration) -> Duration {
    let contacts = response.headers.contacts().unwrap_or_default();
    let ours = contacts.iter().filter(|contact| contact.uri.user() == user);
    let written = ours.filter_map(|contact| contact.params.get("expires")?.parse::<u32>().ok()).max();
    let seconds = written.or(response.headers.expires()).map(|seconds| Duration::from_secs(u64::from(seconds)));
    // Nothing at all, or nought for what is to stay, is a slip.
    seconds.filter(|granted| !granted.is_zero()).unwrap_or(asked).min(LONGEST_EXPIRES)
}

/// When to refresh: with three to four fifths of its time gone, so that there is time for another attempt or two, and not
/// all at once.
pub fn refresh_after(granted: Duration, rng: &mut Rng) -> Duration {
    let fifth = u64::try_from(granted.as_millis()).unwrap_or(u64::MAX) / 5;
    Duration::from_millis(fifth * 3 + rng.below(fifth + 1))
}

/// The seconds of a Retry-After (§20.33).
pub fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.headers.get(Name::RetryAfter)?;
    value.split([' ', ';', '(']).next()?.parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests;
