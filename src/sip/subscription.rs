//! Who watches whom (RFC 6665, the notifier): subscriptions to one event package, their dialogs and their time.
//!
//! ```text
//!   SUBSCRIBE ──► Active ── changed ──► NOTIFY ──200──► Active ── its time is up, Expires: 0 ──► NOTIFY terminated ──► gone
//!                                          └── 481, any refusal, silence ──► gone
//! ```
//!
//! One NOTIFY of a subscription is out at a time; what changes meanwhile goes into the next, so that a slow watcher costs
//! nothing and misses nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::base::{Instant, Timers};
use crate::sip::dialog::{Dialog, Order};
use crate::wire::sip::{Name, Request, Status, Text};

/// The shortest subscription; a shorter one gets 423. Less: lamps ask all the time.
pub const MIN_EXPIRES: Duration = Duration::from_secs(60);
/// The longest; a longer one is cut. More: telephones that were unplugged are told for longer.
pub const MAX_EXPIRES: Duration = Duration::from_secs(3600);
/// Subscriptions in all. Each is about two kilobytes.
const MOST: usize = 50_000;

/// Names one subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SubscriptionId(pub u64);

/// How long a SUBSCRIBE asks for, or the answer where it cannot have that.
pub fn expires_of(request: &Request) -> Result<Duration, Status> {
    let asked = request.headers.expires().map_or(MAX_EXPIRES, |seconds| Duration::from_secs(u64::from(seconds)));
    if !asked.is_zero() && asked < MIN_EXPIRES { Err(Status::INTERVAL_TOO_BRIEF) } else { Ok(asked.min(MAX_EXPIRES)) }
}

/// The package that a SUBSCRIBE or NOTIFY names, and its `id`.
pub fn event_of(request: &Request) -> (String, Option<Text>) {
    let value = request.headers.get(Name::Event).unwrap_or_default();
    let (package, params) = value.split_once(';').unwrap_or((value, ""));
    let id = params.split(';').filter_map(|param| param.trim().split_once('='));
    let id = id.filter(|(name, _)| name.eq_ignore_ascii_case("id")).map(|(_, id)| Text::from(id)).next();
    (package.trim().to_ascii_lowercase(), id)
}

/// Why a subscription ends, as its last NOTIFY says (RFC 6665 §4.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Its time is up, or its watcher said so.
    Timeout,
    /// The watched is there no more.
    NoResource,
}

/// A NOTIFY that is to go out now.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice<K> {
    /// Of which subscription.
    pub subscription: SubscriptionId,
    /// Who is watched.
    pub watched: K,
    /// Counts the documents.
    pub version: u32,
    /// The Event header.
    pub event: String,
    /// The Subscription-State header.
    pub state: String,
}

/// Every subscription; `K` names who is watched, `W` who watches.
#[derive(Debug)]
pub struct Notifier<K, W> {
    package: &'static str,
    /// Subscriptions of one watcher. More: one telephone makes much work.
    most_each: usize,
    all: BTreeMap<SubscriptionId, Subscription<K, W>>,
    by_tag: BTreeMap<Text, SubscriptionId>,
    by_watched: BTreeMap<K, BTreeSet<SubscriptionId>>,
    by_watcher: BTreeMap<W, usize>,
    timers: Timers<SubscriptionId>,
    next: u64,
    notices: VecDeque<Notice<K>>,
}

#[derive(Debug)]
struct Subscription<K, W> {
    dialog: Dialog,
    watched: K,
    watcher: W,
    event_id: Option<Text>,
    version: u32,
    until: Instant,
    ending: Option<Ending>,
    /// A NOTIFY is out.
    busy: bool,
    /// Something changed since.
    stale: bool,
}

impl<K: Ord + Clone, W: Ord + Clone> Notifier<K, W> {
    /// Nobody watches anybody yet.
    pub fn new(package: &'static str, most_each: usize) -> Self {
        Self {
            package,
            most_each,
            all: BTreeMap::new(),
            by_tag: BTreeMap::new(),
            by_watched: BTreeMap::new(),
            by_watcher: BTreeMap::new(),
            timers: Timers::new(),
            next: 0,
            notices: VecDeque::new(),
        }
    }

    /// Takes a new subscription; its first NOTIFY follows. With no time it is one question and ends with the answer.
    pub fn begin(
        &mut self,
        dialog: Dialog,
        watched: K,
        watcher: W,
        event_id: Option<Text>,
        length: Duration,
        now: Instant,
    ) -> Result<SubscriptionId, Status> {
        let own = self.by_watcher.entry(watcher.clone()).or_default();
        if self.all.len() >= MOST || *own >= self.most_each {
            return Err(Status::SERVICE_UNAVAILABLE);
        }
        *own += 1;
        self.next += 1;
        let id = SubscriptionId(self.next);
        self.by_tag.insert(dialog.local_tag.clone(), id);
        self.by_watched.entry(watched.clone()).or_default().insert(id);
        let ending = length.is_zero().then_some(Ending::Timeout);
        let until = now + length;
        let subscription =
            Subscription { dialog, watched, watcher, event_id, version: 0, until, ending, busy: false, stale: false };
        self.all.insert(id, subscription);
        if ending.is_none() {
            self.timers.arm(id, until);
        }
        self.notify(id, now);
        Ok(id)
    }

    /// The subscription in whose dialog a request is, if there is one.
    pub fn of(&self, request: &Request) -> Option<SubscriptionId> {
        let to = request.headers.to()?;
        let id = *self.by_tag.get(&Text::from(to.tag()?))?;
        let from = request.headers.from()?;
        let dialog = &self.all.get(&id)?.dialog;
        let same = request.headers.call_id() == Some(dialog.call_id.as_str())
            && from.tag().unwrap_or_default() == dialog.remote_tag.as_str();
        same.then_some(id)
    }

    /// Takes a SUBSCRIBE in the dialog of a subscription: it goes on for so long from now, or ends. A NOTIFY follows.
    pub fn refresh(
        &mut self,
        id: SubscriptionId,
        request: &Request,
        hop: crate::sip::transport::Target,
        length: Duration,
        now: Instant,
    ) -> Result<(), Status> {
        let subscription = self.all.get_mut(&id).filter(|subscription| subscription.ending.is_none());
        let Some(subscription) = subscription else { return Err(Status::CALL_DOES_NOT_EXIST) };
        let seq = request.headers.cseq().map(|cseq| cseq.seq).unwrap_or_default();
        // A copy, whose answer was lost.
        if subscription.dialog.remote_seq == Some(seq) {
            return Ok(());
        }
        if subscription.dialog.take_in_order(seq) == Order::Stale {
            return Err(Status::SERVER_INTERNAL_ERROR);
        }
        subscription.dialog.hop = hop;
        if let Some(contact) = request.headers.contact() {
            subscription.dialog.remote_target = contact.uri;
        }
        if length.is_zero() {
            self.end(id, Ending::Timeout, now);
        } else {
            subscription.until = now + length;
            self.timers.arm(id, now + length);
            self.notify(id, now);
        }
        Ok(())
    }

    /// Something of the watched has changed.
    pub fn changed(&mut self, watched: &K, now: Instant) {
        for id in self.by_watched.get(watched).cloned().unwrap_or_default() {
            self.notify(id, now);
        }
    }

    /// The watched is there no more.
    pub fn gone(&mut self, watched: &K, now: Instant) {
        for id in self.by_watched.get(watched).cloned().unwrap_or_default() {
            self.end(id, Ending::NoResource, now);
        }
    }

    /// What came of a NOTIFY: its status, or none where nobody answered. A watcher that knows nothing of it, refuses it or
    /// is silent is told no more.
    pub fn answered(&mut self, id: SubscriptionId, status: Option<Status>, now: Instant) {
        let Some(subscription) = self.all.get_mut(&id) else { return };
        subscription.busy = false;
        let heard = status.is_some_and(Status::is_success);
        if !heard || (subscription.ending.is_some() && !subscription.stale) {
            self.forget(id);
        } else if subscription.stale {
            self.notify(id, now);
        }
    }

    /// The moment that [`Notifier::poll_timeout`] named has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(id) = self.timers.expire(now) {
            self.end(id, Ending::Timeout, now);
        }
    }

    /// When to call [`Notifier::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// The next NOTIFY to be sent; drain until `None`.
    pub fn poll_notice(&mut self) -> Option<Notice<K>> {
        self.notices.pop_front()
    }

    /// The dialog that a NOTIFY goes out in.
    pub fn dialog_mut(&mut self, id: SubscriptionId) -> Option<&mut Dialog> {
        self.all.get_mut(&id).map(|subscription| &mut subscription.dialog)
    }

    /// Whether anybody watches.
    pub fn is_watched(&self, watched: &K) -> bool {
        self.by_watched.contains_key(watched)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    fn end(&mut self, id: SubscriptionId, why: Ending, now: Instant) {
        self.timers.disarm(&id);
        if let Some(subscription) = self.all.get_mut(&id).filter(|subscription| subscription.ending.is_none()) {
            subscription.ending = Some(why);
            self.notify(id, now);
        }
    }

    fn notify(&mut self, id: SubscriptionId, now: Instant) {
        let package = self.package;
        let Some(subscription) = self.all.get_mut(&id) else { return };
        subscription.stale = subscription.busy;
        if subscription.busy {
            return;
        }
        subscription.busy = true;
        let state = match subscription.ending {
            None => {
                let left = subscription.until.since(now).as_millis().div_ceil(1000);
                format!("active;expires={left}")
            }
            Some(Ending::Timeout) => "terminated;reason=timeout".to_owned(),
            Some(Ending::NoResource) => "terminated;reason=noresource".to_owned(),
        };
        let event = match &subscription.event_id {
            Some(event_id) => format!("{package};id={event_id}"),
            None => package.to_owned(),
        };
        let (version, watched) = (subscription.version, subscription.watched.clone());
        subscription.version = version.wrapping_add(1);
        self.notices.push_back(Notice { subscription: id, watched, version, event, state });
    }

    fn forget(&mut self, id: SubscriptionId) {
        self.timers.disarm(&id);
        let Some(subscription) = self.all.remove(&id) else { return };
        self.by_tag.remove(&subscription.dialog.local_tag);
        if let Some(watching) = self.by_watched.get_mut(&subscription.watched) {
            watching.remove(&id);
            if watching.is_empty() {
                self.by_watched.remove(&subscription.watched);
            }
        }
        if let Some(own) = self.by_watcher.get_mut(&subscription.watcher) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                self.by_watcher.remove(&subscription.watcher);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::sip::transport::{Target, Transport};
    use crate::wire::sip::{Message, NameAddr, Uri};

    fn at(seconds: u64) -> Instant {
        Instant::START + Duration::from_secs(seconds)
    }

    fn hop() -> Target {
        Target::new(Transport::Udp, "192.0.2.5:5060".parse().unwrap())
    }

    fn dialog(tag: &str) -> Dialog {
        Dialog {
            call_id: Text::from("c"),
            local_tag: Text::from(tag),
            remote_tag: Text::from("theirs"),
            local: NameAddr::parse("<sip:102@x>;tag=l").unwrap(),
            remote: NameAddr::parse("<sip:101@x>;tag=theirs").unwrap(),
            local_seq: 0,
            remote_seq: Some(1),
            remote_target: Uri::parse("sip:101@192.0.2.5").unwrap(),
            route_set: Vec::new(),
            secure: false,
            outbound: false,
            hop: hop(),
        }
    }

    fn again(tag: &str, seq: u32, expires: u32) -> Request {
        let text = format!(
            "SUBSCRIBE sip:102@x SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK{seq}\r\nFrom: <sip:101@x>;tag=theirs\r\n\
             To: <sip:102@x>;tag={tag}\r\nCall-ID: c\r\nCSeq: {seq} SUBSCRIBE\r\nEvent: dialog;id=7\r\n\
             Expires: {expires}\r\nContact: <sip:101@192.0.2.5:5099>\r\n\r\n"
        );
        match Message::parse(&Bytes::from(text)).unwrap() {
            Message::Request(request) => request,
            Message::Response(_) => unreachable!(),
        }
    }

    type Lamps = Notifier<u8, u8>;

    fn states(lamps: &mut Lamps) -> Vec<String> {
        std::iter::from_fn(|| lamps.poll_notice()).map(|n| format!("{} {} {}", n.version, n.event, n.state)).collect()
    }

    #[test]
    fn a_lamp_is_told_at_once_and_with_every_change() {
        let mut lamps = Lamps::new("dialog", 10);
        let id = lamps.begin(dialog("l"), 102, 101, Some(Text::from("7")), MIN_EXPIRES, at(0)).unwrap();
        assert_eq!(states(&mut lamps), ["0 dialog;id=7 active;expires=60"]);
        lamps.changed(&102, at(1));
        lamps.changed(&102, at(2));
        assert!(states(&mut lamps).is_empty(), "one at a time");
        lamps.answered(id, Some(Status::OK), at(3));
        assert_eq!(states(&mut lamps), ["1 dialog;id=7 active;expires=57"], "and what changed meanwhile in one");
        lamps.answered(id, Some(Status::OK), at(4));
        lamps.changed(&103, at(5));
        assert!(states(&mut lamps).is_empty(), "of somebody else");
    }

    #[test]
    fn a_subscription_is_refreshed_and_else_ends_with_a_last_word() {
        let mut lamps = Lamps::new("dialog", 10);
        let id = lamps.begin(dialog("l"), 102, 101, None, MIN_EXPIRES, at(0)).unwrap();
        lamps.answered(id, Some(Status::OK), at(0));
        assert_eq!(lamps.of(&again("l", 2, 60)), Some(id));
        assert_eq!(lamps.of(&again("other", 2, 60)), None);
        lamps.refresh(id, &again("l", 2, 60), hop(), MIN_EXPIRES, at(50)).unwrap();
        assert_eq!(lamps.dialog_mut(id).unwrap().remote_target.as_str(), "sip:101@192.0.2.5:5099");
        assert_eq!(lamps.refresh(id, &again("l", 2, 60), hop(), MIN_EXPIRES, at(51)), Ok(()), "a copy");
        let late = lamps.refresh(id, &again("l", 1, 60), hop(), MIN_EXPIRES, at(51));
        assert_eq!(late, Err(Status::SERVER_INTERNAL_ERROR));
        lamps.answered(id, Some(Status::OK), at(51));
        assert_eq!(lamps.poll_timeout(), Some(at(110)));
        states(&mut lamps);
        lamps.handle_timeout(at(110));
        assert_eq!(states(&mut lamps), ["2 dialog terminated;reason=timeout"]);
        lamps.answered(id, Some(Status::OK), at(110));
        assert!(lamps.is_empty() && !lamps.is_watched(&102) && lamps.by_watcher.is_empty() && lamps.by_tag.is_empty());
    }

    #[test]
    fn who_does_not_know_of_it_or_does_not_answer_is_told_no_more() {
        for status in [Some(Status::CALL_DOES_NOT_EXIST), Some(Status::FORBIDDEN), None] {
            let mut lamps = Lamps::new("dialog", 10);
            let id = lamps.begin(dialog("l"), 102, 101, None, MIN_EXPIRES, at(0)).unwrap();
            lamps.answered(id, status, at(1));
            assert!(lamps.is_empty() && lamps.poll_timeout().is_none());
        }
    }

    #[test]
    fn a_question_without_time_is_answered_once() {
        let mut lamps = Lamps::new("dialog", 10);
        let id = lamps.begin(dialog("l"), 102, 101, None, Duration::ZERO, at(0)).unwrap();
        assert_eq!(states(&mut lamps), ["0 dialog terminated;reason=timeout"]);
        lamps.answered(id, Some(Status::OK), at(0));
        assert!(lamps.is_empty());
    }

    #[test]
    fn one_telephone_has_no_more_than_its_lamps() {
        let mut lamps = Lamps::new("dialog", 2);
        assert!(lamps.begin(dialog("a"), 1, 101, None, MIN_EXPIRES, at(0)).is_ok());
        assert!(lamps.begin(dialog("b"), 2, 101, None, MIN_EXPIRES, at(0)).is_ok());
        assert_eq!(lamps.begin(dialog("c"), 3, 101, None, MIN_EXPIRES, at(0)), Err(Status::SERVICE_UNAVAILABLE));
        assert!(lamps.begin(dialog("d"), 3, 102, None, MIN_EXPIRES, at(0)).is_ok(), "another has its own");
    }

    #[test]
    fn what_a_subscribe_asks_for_is_read() {
        let request = again("l", 2, 5);
        assert_eq!(expires_of(&request), Err(Status::INTERVAL_TOO_BRIEF));
        assert_eq!(expires_of(&again("l", 2, 86_400)), Ok(MAX_EXPIRES));
        assert_eq!(event_of(&request), ("dialog".to_owned(), Some(Text::from("7"))));
    }
}
