//! What the gateway is given at start and does not change.

use std::time::Duration;

use crate::call::speech::Language;
use crate::identity::Anchors;
use crate::route::CallLimits;

/// What the gateway is given at start.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The realm of digest challenges.
    pub realm: String,
    /// Under which addresses callers are to send audio: what goes into SDP, by address family.
    pub media_v4: Option<std::net::Ipv4Addr>,
    /// The same for IPv6.
    pub media_v6: Option<std::net::Ipv6Addr>,
    /// Codecs in order of preference, our packet length, our certificate's fingerprint.
    pub audio: crate::call::offer_answer::NodePreferences,
    /// How the attendant behaves.
    pub attendant: crate::call::attendant::AttendantSettings,
    /// Silence of theirs after which a call ends. Shorter: a tunnel ends calls. Longer: dead calls are billed.
    pub media_timeout: Duration,
    /// Longest time in the lobby or waiting for a host.
    pub longest_wait: Duration,
    /// How long calls may go on after a drain began.
    pub drain_limit: Duration,
    /// When refused callers and probes may come back: Retry-After.
    pub retry_after: Duration,
    /// How long a telephone rings where nothing says otherwise. Longer: callers wait for nobody. Shorter: who comes from
    /// another room misses the call.
    pub ring_time: Duration,
    /// Most calls at once; beyond it INVITEs get 503.
    pub max_calls: u32,
    /// How telephones register.
    pub registrar: crate::sip::registrar::Settings,
    /// REGISTERs dealt with in a second; beyond it 503 with Retry-After. More: calls wait while everybody registers at once.
    /// Less: telephones are away for longer after a power cut.
    pub registers_per_second: u32,
    /// The language of last resort.
    pub language: Language,
    /// What browsers are told of servers between them and us.
    pub ice: crate::gateway::web::ice::Ice,
    /// How calls become meetings.
    pub elevating: crate::gateway::elevate::Elevating,
    /// Whom this node calls back.
    pub callback: crate::gateway::callback::CallbackRules,
    /// How calls move by codes.
    pub coding: crate::gateway::code::Coding,
    /// Authorities that are trusted to say who signs callers' identities.
    pub anchors: Anchors,
    /// What calls out may cost that the API makes in nobody's name.
    pub operator_limits: CallLimits,
    /// Browsers of one address that join one room at once. More: one stranger fills a room sooner. Fewer: an office behind one
    /// address, all in one meeting, waits at the door.
    pub join_burst: u32,
    /// One more may join after this long.
    pub join_refill: Duration,
    /// Most of a room's places that browsers of one address have, in percent; fifty people may always.
    pub join_share: u32,
    /// Calls per caller before the throttle, and how long one more takes.
    pub caller_burst: u32,
    /// One more call is allowed after this long.
    pub caller_refill: Duration,
    /// Wrong PINs per caller before the throttle.
    pub pin_burst: u32,
    /// One more wrong PIN is allowed after this long.
    pub pin_refill: Duration,
    /// Wrong PINs per dialled number before the throttle: a spread attack.
    pub did_pin_burst: u32,
    /// One more is allowed after this long.
    pub did_pin_refill: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            realm: "ringlift".into(),
            media_v4: Some(std::net::Ipv4Addr::LOCALHOST),
            media_v6: Some(std::net::Ipv6Addr::LOCALHOST),
            audio: crate::call::offer_answer::NodePreferences::default(),
            attendant: crate::call::attendant::AttendantSettings::default(),
            media_timeout: Duration::from_secs(60),
            longest_wait: Duration::from_secs(30 * 60),
            drain_limit: Duration::from_secs(300),
            retry_after: Duration::from_secs(30),
            ring_time: Duration::from_secs(60),
            max_calls: 2000,
            registrar: crate::sip::registrar::Settings::default(),
            registers_per_second: 2000,
            language: Language::english(),
            ice: crate::gateway::web::ice::Ice::default(),
            elevating: crate::gateway::elevate::Elevating::default(),
            callback: crate::gateway::callback::CallbackRules::default(),
            coding: crate::gateway::code::Coding::default(),
            anchors: Anchors::default(),
            operator_limits: CallLimits::of_trunk(),
            join_burst: 30,
            join_refill: Duration::from_secs(1),
            join_share: 50,
            caller_burst: 20,
            caller_refill: Duration::from_secs(3),
            pin_burst: 6,
            pin_refill: Duration::from_secs(60),
            did_pin_burst: 60,
            did_pin_refill: Duration::from_secs(10),
        }
    }
}
