//! Fraud limits, on by default: who may spend how much on calls out, and who is not even answered.
//!
//! The table says where an account may call at all ([`crate::route::toll`]); this keeps what changes with every call:
//! calls per second, calls at once, minutes per day. Minutes are counted in memory by UTC day, the running calls
//! included; a restart forgets what was spent before it. Calls to emergency numbers are neither counted nor limited.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::base::id::TrunkId;
use crate::base::{Cause, Instant, LegId, Now, PhoneNumber, Throttle};
use crate::gateway::{Gateway, Timer, pin_guard};
use crate::route::{Accepted, CallLimits, Decision, Destination, Dialled, Facts, Party, Trunk, toll};
use crate::sip::endpoint;
use crate::wire::sip::{Message, Method, Name, Text};

/// Beginnings and parts of User-Agents that only scanners have, in lower case. Toolkits that people build telephones
/// with are not among them.
const SCANNERS: &[&str] = &[
    "friendly-scanner",
    "friendly-request",
    "sipvicious",
    "sip-vicious",
    "sundayddr",
    "sipcli",
    "pplsip",
    "sip-scan",
    "sipscan",
    "iwar",
    "sipptk",
];

/// A source that showed a right password is answered for this long whatever others behind the same address do. Longer:
/// a thief in the house guesses in company. Shorter: an office goes silent over one telephone's old password.
const GOOD_FOR: Duration = Duration::from_secs(3600);

/// Good sources remembered. More: memory, some 50 bytes each. Fewer: a large node forgets people who come again.
const MOST_GOOD: usize = 20_000;

/// What a day has, in milliseconds.
const DAY: i64 = 86_400_000;

/// Whose spending it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Account {
    /// A trunk's or an extension's.
    Party(Party),
    /// The operator's own: what the API dials in nobody's name.
    Operator,
}

impl From<Option<Party>> for Account {
    fn from(party: Option<Party>) -> Self {
        party.map_or(Account::Operator, Account::Party)
    }
}

/// Why a source gets no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ignored {
    /// It says it is a scanner.
    Scanner,
    /// It showed too many wrong passwords.
    WrongPasswords,
}

impl Ignored {
    /// The name in status and metrics.
    const fn name(self) -> &'static str {
        match self {
            Ignored::Scanner => "scanner",
            Ignored::WrongPasswords => "wrong_passwords",
        }
    }
}

/// What was spent, and by whom.
#[derive(Debug)]
pub(super) struct Policy {
    ledgers: BTreeMap<Account, Ledger>,
    /// Legs out by trunks, and whose they are.
    legs: BTreeMap<LegId, Running>,
    seconds: Throttle<Account>,
    trunk_seconds: Throttle<TrunkId>,
    good: BTreeMap<IpAddr, Instant>,
    ignored: BTreeMap<Ignored, u64>,
}

/// One leg out.
#[derive(Debug, Clone, Copy)]
struct Running {
    account: Account,
    answered: bool,
}

/// What an account has spent today.
#[derive(Debug, Clone, Copy, Default)]
struct Ledger {
    /// Days since 1970.
    day: i64,
    /// Talked today, up to `settled`.
    spent: Duration,
    /// Up to when the running calls are in `spent`, in milliseconds since 1970.
    settled: i64,
    /// Calls that talk.
    talking: u32,
}

impl Policy {
    pub(super) fn new() -> Self {
        let second = Duration::from_secs(1);
        Self {
            ledgers: BTreeMap::new(),
            legs: BTreeMap::new(),
            seconds: Throttle::new(1, second, pin_guard::THROTTLE_KEYS),
            trunk_seconds: Throttle::new(1, second, pin_guard::THROTTLE_KEYS),
            good: BTreeMap::new(),
            ignored: BTreeMap::new(),
        }
    }

    /// What was not answered, in all, by why.
    pub(super) fn ignored(&self) -> BTreeMap<String, u64> {
        self.ignored.iter().map(|(why, count)| (why.name().to_owned(), *count)).collect()
    }

    /// A source has shown a right password.
    fn trust(&mut self, source: IpAddr, now: Instant) {
        if self.good.len() >= MOST_GOOD {
            self.good.retain(|_, since| now.since(*since) < GOOD_FOR);
        }
        if self.good.len() < MOST_GOOD {
            self.good.insert(source, now);
        }
    }

    fn trusts(&self, source: IpAddr, now: Instant) -> bool {
        self.good.get(&source).is_some_and(|since| now.since(*since) < GOOD_FOR)
    }

    fn calls_of(&self, account: Account) -> usize {
        self.legs.values().filter(|running| running.account == account).count()
    }

    /// Brings an account's ledger up to now.
    fn settle(&mut self, account: Account, now: Now) -> &mut Ledger {
        let ledger = self.ledgers.entry(account).or_default();
        let at = now.utc.0;
        let day = at.div_euclid(DAY);
        if ledger.day != day {
            // What was talked before midnight belongs to yesterday.
            *ledger = Ledger { day, spent: Duration::ZERO, settled: ledger.settled.max(day * DAY), ..*ledger };
        }
        let passed = u64::try_from(at.saturating_sub(ledger.settled)).unwrap_or(0);
        ledger.spent += Duration::from_millis(passed) * ledger.talking;
        ledger.settled = at;
        ledger
    }

    /// How long until this account's minutes are used up by the calls it has; none when they will not be.
    fn left(&mut self, account: Account, limits: &CallLimits, now: Now) -> Option<Duration> {
        if limits.minutes_per_day == 0 {
            return None;
        }
        let most = Duration::from_secs(u64::from(limits.minutes_per_day) * 60);
        let ledger = self.settle(account, now);
        let left = most.saturating_sub(ledger.spent);
        if left.is_zero() { Some(left) } else { left.checked_div(ledger.talking) }
    }
}

impl Gateway {
    /// What an account may spend.
    fn limits_of(&self, account: Account) -> CallLimits {
        match account {
            Account::Party(party) => self.table.limits_of(party),
            Account::Operator => self.settings.operator_limits.clone(),
        }
    }

    /// Whether an account may call there now, and takes one of its calls per second. Asked before anything is sent to a
    /// trunk, whoever wants it: an INVITE, a REFER, a command, a routing webhook. What stays in the house passes.
    pub(super) fn admit(
        &mut self,
        account: Account,
        to: &Destination,
        dialled: Option<&Dialled>,
        now: Now,
    ) -> Result<(), Cause> {
        let limits = self.limits_of(account);
        let Some(dialled) = dialled else {
            // A trunk must not be reached by leaving out what is to be dialled there.
            return if matches!(to, Destination::Trunk { .. }) { Err(Cause::NoRoute) } else { Ok(()) };
        };
        if dialled.is_emergency() {
            return Ok(());
        }
        let home = self.table.home_country(to);
        toll::may_call(&limits, dialled, home.as_deref()).map_err(|_| Cause::NotAllowed)?;
        if self.policy.calls_of(account) >= limits.max_calls as usize {
            return Err(Cause::LimitReached);
        }
        if self.policy.left(account, &limits, now).is_some_and(|left| left.is_zero()) {
            return Err(Cause::LimitReached);
        }
        let burst = limits.calls_per_second;
        let refill = Duration::from_secs(1) / burst.max(1);
        self.policy.seconds.take_within(&account, burst, refill, now.mono).map_err(|_| Cause::Throttled)
    }

    /// Where a party's call leads that does not come as an INVITE: the target of its REFER, a call the API makes in its
    /// name. The same rules and the same limits.
    pub(super) fn lead(&mut self, party: Party, to_user: &str, now: Now) -> Result<Accepted, Cause> {
        let nowhere = IpAddr::from([0, 0, 0, 0]);
        let facts = Facts { proved: Some(party), ..Facts::new(nowhere, to_user, "", now.utc) };
        let accepted = match self.table.decide(&facts) {
            Decision::Accept(accepted) => *accepted,
            Decision::Challenge => return Err(Cause::NotAuthorised),
            Decision::Refuse(cause) => return Err(cause),
        };
        match &accepted.to {
            Destination::Refuse { cause } => Err(*cause),
            // Nobody waits here for a program's answer.
            Destination::Webhook { fallback, .. } => {
                let (limits, plan) = (self.table.limits_of(party), self.table.plan_of(party));
                let to = (**fallback).clone();
                let dialled = self.table.aim(&limits, to_user, &plan, &to).map_err(|(cause, _)| cause)?;
                Ok(Accepted { to, dialled, ..accepted })
            }
            Destination::Attendant {}
            | Destination::Room { .. }
            | Destination::Extension { .. }
            | Destination::Group { .. }
            | Destination::Trunk { .. } => Ok(accepted),
        }
    }

    /// Where a call leads that the operator's program makes in nobody's name.
    pub(super) fn lead_operator(
        &self,
        to_user: &str,
        caller: Option<&PhoneNumber>,
        now: Now,
    ) -> Result<(Destination, Option<Dialled>), Cause> {
        let nowhere = IpAddr::from([0, 0, 0, 0]);
        let caller = caller.map(PhoneNumber::e164).unwrap_or_default();
        self.table.dial(&self.settings.operator_limits, &Facts::new(nowhere, to_user, caller, now.utc))
    }

    /// One call more by a trunk, either way: its calls per second and, of those up, its calls at once.
    pub(super) fn take_trunk(&mut self, id: TrunkId, now: Now) -> Result<(), Cause> {
        let Some(trunk) = self.table.trunks.get(&id).filter(|trunk| trunk.enabled) else { return Err(Cause::NoRoute) };
        let (most, per_second) = (trunk.max_calls, trunk.calls_per_second);
        let calls = || self.legs.values().filter(|leg| leg.party == Party::Trunk(id)).count();
        if most.is_some_and(|most| calls() >= most as usize) {
            return Err(Cause::Overloaded);
        }
        match per_second {
            Some(burst) => {
                let refill = Duration::from_secs(1) / burst.max(1);
                self.policy.trunk_seconds.take_within(&id, burst, refill, now.mono).map_err(|_| Cause::Overloaded)
            }
            None => Ok(()),
        }
    }

    /// A leg goes out by a trunk on this account. Calls for help cost nothing.
    pub(super) fn spend(&mut self, leg: LegId, account: Account, dialled: Option<&Dialled>) {
        if dialled.is_some_and(Dialled::is_emergency) {
            return;
        }
        self.policy.legs.insert(leg, Running { account, answered: false });
    }

    /// It was answered: it costs from now on.
    pub(super) fn spend_begins(&mut self, leg: LegId, now: Now) {
        let Some(running) = self.policy.legs.get_mut(&leg).filter(|running| !running.answered) else { return };
        running.answered = true;
        let account = running.account;
        self.policy.settle(account, now).talking += 1;
        self.arm_minutes(account, now);
    }

    /// It ended.
    pub(super) fn spend_ends(&mut self, leg: LegId, now: Now) {
        let Some(running) = self.policy.legs.remove(&leg) else { return };
        if running.answered {
            let ledger = self.policy.settle(running.account, now);
            ledger.talking = ledger.talking.saturating_sub(1);
            self.arm_minutes(running.account, now);
        }
    }

    /// An account's minutes may be used up: then its calls out end.
    pub(super) fn minutes_passed(&mut self, account: Account, now: Now) {
        let limits = self.limits_of(account);
        if self.policy.left(account, &limits, now).is_none_or(|left| !left.is_zero()) {
            return self.arm_minutes(account, now);
        }
        let own = self.policy.legs.iter().filter(|(_, running)| running.account == account);
        let legs: Vec<LegId> = own.map(|(leg, _)| *leg).collect();
        for leg in legs {
            self.hang_up(leg, Cause::LimitReached, now);
        }
    }

    fn arm_minutes(&mut self, account: Account, now: Now) {
        let limits = self.limits_of(account);
        match self.policy.left(account, &limits, now) {
            // A millisecond more, so that the limit has passed when it is looked at.
            Some(left) => self.timers.arm(Timer::Minutes(account), now.mono + left + Duration::from_millis(1)),
            None => drop(self.timers.disarm(&Timer::Minutes(account))),
        }
    }

    /// Whether one more password from there is looked at.
    pub(super) fn may_show_password(&mut self, source: IpAddr, now: Now) -> bool {
        self.wrong_passwords.allows(&source.to_canonical(), now.mono)
    }

    /// Notes what a password shown was worth: a right one makes its source one of ours for a while, a wrong one counts
    /// against it.
    pub(super) fn password_shown(&mut self, source: IpAddr, right: bool, now: Now) {
        let source = source.to_canonical();
        if right {
            self.policy.trust(source, now.mono);
        } else {
            // Counted only: whether one more is looked at is asked before it is.
            let _ = self.wrong_passwords.take(&source, now.mono);
        }
    }

    /// Whether what arrived is from somebody who gets no answer at all: whoever scans learns nothing, not even that
    /// there is anything. What belongs to a call, and what comes from a trunk's networks, is always heard; and ACK, which
    /// nobody answers.
    pub(super) fn is_ignored(&mut self, input: &endpoint::Input, now: Now) -> bool {
        let endpoint::Input::Received { message: Ok(Message::Request(request)), source } = input else { return false };
        let tag = request.headers.to().and_then(|to| to.tag().map(Text::from));
        if request.method == Method::Ack || tag.is_some_and(|tag| self.endpoint.has_tag(&tag)) {
            return false;
        }
        let agent = request.headers.get(Name::UserAgent).unwrap_or_default().to_ascii_lowercase();
        let ip = source.remote.ip().to_canonical();
        let why = if SCANNERS.iter().any(|scanner| agent.contains(scanner)) {
            Ignored::Scanner
        } else if !self.wrong_passwords.allows(&ip, now.mono) && !self.policy.trusts(ip, now.mono) {
            Ignored::WrongPasswords
        } else {
            return false;
        };
        let ours = |trunk: &Trunk| trunk.enabled && trunk.networks.iter().any(|network| network.contains(ip));
        if self.table.trunks.values().any(ours) {
            return false;
        }
        *self.policy.ignored.entry(why).or_default() += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Utc;

    const ACCOUNT: Account = Account::Operator;

    fn at(ms: i64) -> Now {
        Now { utc: Utc(ms), ..Now::default() }
    }

    #[test]
    fn minutes_are_those_of_today_and_of_calls_still_up() {
        let mut policy = Policy::new();
        let limits = CallLimits { minutes_per_day: 10, ..CallLimits::default() };
        let evening = 20_000 * DAY - 4 * 60_000;
        policy.settle(ACCOUNT, at(evening)).talking = 2;
        assert_eq!(policy.left(ACCOUNT, &limits, at(evening)), Some(Duration::from_secs(300)), "two share ten minutes");
        assert_eq!(policy.left(ACCOUNT, &limits, at(evening + 3 * 60_000)), Some(Duration::from_secs(120)));
        let after_midnight = 20_000 * DAY + 60_000;
        assert_eq!(policy.left(ACCOUNT, &limits, at(after_midnight)), Some(Duration::from_secs(240)), "a new day");
        policy.settle(ACCOUNT, at(after_midnight)).talking = 0;
        assert_eq!(policy.left(ACCOUNT, &limits, at(after_midnight)), None, "nobody talks");
        let unlimited = CallLimits { minutes_per_day: 0, ..CallLimits::default() };
        policy.settle(ACCOUNT, at(after_midnight)).talking = 1;
        assert_eq!(policy.left(ACCOUNT, &unlimited, at(after_midnight)), None);
    }
}
