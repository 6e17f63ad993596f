//! Rank 7: the configuration: one TOML file, environment variables over it, defaults under it.
//!
//! Without any configuration the program listens on this machine alone. Every key, its default, its unit and what more
//! or less of it costs is in `ringlift.example.toml`; a test keeps the two equal.

pub mod anchors;
pub mod callback;
pub mod check;
mod codes;
pub mod elevation;
pub mod https;
mod keys;
pub mod listen;
mod operator;
pub mod period;
pub mod profiles;
mod read;
pub mod sms;
pub mod web;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::id::TrunkId;
use crate::base::phone_number::NumberPlan;
use crate::call::attendant::AttendantSettings;
use crate::call::keys::KeyMap;
use crate::call::offer_answer::NodePreferences;
use crate::call::speech::Language;
use crate::gateway::settings::Settings;
use crate::route::{CallLimits, Home, Network};
use crate::wire::codec::Codec;
pub use callback::Callback;
pub use codes::Codes;
pub use elevation::Elevation;
pub use https::Https;
pub use listen::{Listen, NameServer, Transport};
pub use operator::OperatorLimits;
pub use period::Period;
pub use sms::{Sms, SmsProvider};
pub use web::Web;

/// One thing wrong with the configuration, in one line that says what to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key, such as `sip.listen`; empty for the file as a whole.
    pub key: String,
    /// What is wrong and what to write instead.
    pub text: String,
    /// Whether the program refuses to start.
    pub fatal: bool,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() { f.write_str(&self.text) } else { write!(f, "{}: {}", self.key, self.text) }
    }
}

/// The whole configuration.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The node itself.
    pub node: Node,
    /// Signalling.
    pub sip: Sip,
    /// The dialects of carriers and phones.
    pub profiles: Profiles,
    /// Settings for desk phones.
    pub provisioning: Provisioning,
    /// Where far ends are looked up.
    pub dns: Dns,
    /// What of routing is the node's own.
    pub routing: Routing,
    /// What calls out of an extension may cost, as far as nothing else is said of it.
    pub limits: CallLimits,
    /// What calls out may cost that the API makes in nobody's name.
    pub operator_limits: OperatorLimits,
    /// Signed caller identities.
    pub stir: Stir,
    /// Audio.
    pub media: Media,
    /// Browsers' audio and video.
    pub web: Web,
    /// Who answers and asks for the PIN.
    pub attendant: Attendant,
    /// How often is too often.
    pub throttle: Throttle,
    /// The operator's own key maps: name, then keys to functions.
    pub keys: BTreeMap<String, BTreeMap<String, String>>,
    /// What is spoken.
    pub prompts: Prompts,
    /// REST, events, page.
    pub api: Api,
    /// Who sends texts.
    pub sms: Sms,
    /// Telephones that are rung for people in meetings.
    pub callback: Callback,
    /// Calls that move by codes, and codes that begin calls.
    pub codes: Codes,
    /// Telephone calls that become meetings.
    pub elevation: Elevation,
    /// The database.
    pub store: Store,
    /// What is written about what happens.
    pub log: Log,
    /// Going out of service.
    pub drain: Drain,
}

/// The node itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Node {
    /// What people call it.
    pub name: String,
    /// The language of last resort.
    pub language: String,
}

/// The dialects of carriers and phones.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profiles {
    /// A directory of the operator's own profiles, which win over those that come with the program.
    #[serde(with = "period::empty_is_none")]
    pub directory: Option<PathBuf>,
}

/// What desk phones are told that fetch their settings here.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Provisioning {
    /// Where they fetch them: `https://pbx.example.org`; empty: this node's own address and the port of `api.tls_listen`.
    pub url: String,
    /// A directory of the operator's own templates, which win over those that come with the program.
    #[serde(with = "period::empty_is_none")]
    pub templates: Option<PathBuf>,
}

/// What of routing is the node's own.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Routing {
    /// The country that people of the house are in: its calling code. Empty: that of the trunk a call goes out by.
    pub country: String,
    /// What they dial before a national number.
    pub national_prefix: String,
    /// What they dial before an international one.
    pub international_prefix: String,
    /// Trunks, by id, that take what no rule names, in order; empty: every trunk that calls go out by.
    pub outward: Vec<TrunkId>,
    /// Private networks in which routing webhooks and certificates may be asked for all the same.
    pub private_networks: Vec<Network>,
}

/// Signed caller identities (RFC 8224).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Stir {
    /// A directory of PEM files: the authorities whose certificates are believed.
    #[serde(with = "period::empty_is_none")]
    pub anchors: Option<PathBuf>,
}

/// Where far ends are looked up.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dns {
    /// The nameservers that are asked; empty: the system's.
    pub servers: Vec<NameServer>,
}

/// Signalling.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sip {
    /// Where it listens.
    pub listen: Vec<Listen>,
    /// The host that far ends are told (Contact, Via, SDP); `auto` tells each the address its packets reach.
    pub advertised: String,
    /// PEM file with the certificate chain for `tls`.
    #[serde(with = "period::empty_is_none")]
    pub tls_certificate: Option<PathBuf>,
    /// PEM file with its private key.
    #[serde(with = "period::empty_is_none")]
    pub tls_key: Option<PathBuf>,
    /// Most calls at once.
    pub max_calls: u32,
    /// Longest message in bytes.
    pub max_message: u32,
    /// Most TCP and TLS connections at once.
    pub max_connections: u32,
    /// Silence after which a connection without a call is closed.
    pub connection_idle: Period,
    /// Estimated round trip (RFC 3261 §17.1.1.1).
    pub t1: Period,
    /// Longest retransmission interval.
    pub t2: Period,
    /// Longest time a message stays in the network.
    pub t4: Period,
}

/// Audio.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Media {
    /// Addresses that RTP sockets are bound to, at most one of each family.
    pub listen: Vec<IpAddr>,
    /// The first RTP port, even.
    pub first_port: u16,
    /// The last port.
    pub last_port: u16,
    /// How long a port rests before another call gets it.
    pub quarantine: Period,
    /// Silence of theirs after which a call ends.
    pub timeout: Period,
    /// Length of the packets we ask for, in milliseconds.
    pub packet: u8,
    /// What we offer and prefer, in order.
    pub codecs: Vec<Codec>,
    /// Media threads; 0 is one per core less one.
    pub threads: u16,
    /// Whether they run before every ordinary thread of the system (SCHED_RR), where that is permitted.
    pub real_time: bool,
}

/// Who answers and asks for the PIN.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Attendant {
    /// How long the first digit may take after a prompt.
    pub first_digit: Period,
    /// How long each further digit may take; then the PIN counts as complete without `#`.
    pub between_digits: Period,
    /// Wrong PINs before goodbye.
    pub tries: u8,
    /// Languages offered where a number names none.
    pub languages: Vec<String>,
    /// Longest time in the lobby or waiting for a host.
    pub longest_wait: Period,
}

/// How often is too often. A burst is allowed at once, then one more per refill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Throttle {
    /// Calls of one caller.
    pub caller_burst: u32,
    /// One more call after this long.
    pub caller_refill: Period,
    /// Wrong PINs of one caller.
    pub pin_burst: u32,
    /// One more after this long.
    pub pin_refill: Period,
    /// Wrong PINs of all callers to one number.
    pub number_burst: u32,
    /// One more after this long.
    pub number_refill: Period,
    /// Wrong API keys from one address.
    pub key_burst: u32,
    /// One more after this long.
    pub key_refill: Period,
}

/// What is spoken.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Prompts {
    /// A directory with prompts of one's own; what it lacks is taken from those inside the program.
    #[serde(with = "period::empty_is_none")]
    pub directory: Option<PathBuf>,
}

/// REST, events, page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Api {
    /// Where it listens, in plain HTTP. Beside HTTPS, other machines are led there.
    pub listen: Vec<SocketAddr>,
    /// Where it listens with TLS.
    pub tls_listen: Vec<SocketAddr>,
    /// Where others reach it: `https://gw.example.org`; empty: nobody is told, and links of invitations name the host that
    /// was asked.
    pub public_url: String,
    /// A file that the first admin key is written to; else it is printed once.
    #[serde(with = "period::empty_is_none")]
    pub admin_key_file: Option<PathBuf>,
    /// Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` count.
    pub trusted_proxies: Vec<Network>,
    /// Lets people without an account make meetings from the page at `/`. A node that listens on its own machine only lets
    /// them anyway.
    pub open_rooms: bool,
    /// How long such a meeting is kept while nobody is in it; 0 keeps it for ever.
    pub open_rooms_kept: Period,
    /// Whose certificate HTTPS shows.
    pub tls: Https,
}

/// The database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// The file.
    pub path: PathBuf,
    /// Days that events are kept; 0 for ever.
    pub event_days: u32,
    /// Days that call records are kept; 0 for ever.
    pub record_days: u32,
}

/// What is written about what happens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug`, `trace`, or per module: `info,ringlift::sip=debug`.
    pub level: String,
    /// As what.
    pub format: LogFormat,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Going out of service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Drain {
    /// How long calls may go on.
    pub limit: Period,
}

impl Routing {
    /// As routing takes it.
    pub fn home(&self) -> Home {
        let given = |text: &String| (!text.is_empty()).then(|| text.clone());
        let numbers = NumberPlan {
            country: given(&self.country),
            national_prefix: given(&self.national_prefix),
            international_prefix: given(&self.international_prefix),
        };
        Home { numbers, outward: self.outward.clone() }
    }
}

impl Config {
    /// Reads the file, where one is given, and the environment (`RINGLIFT_SECTION__KEY`) over it. Everything wrong is
    /// reported at once.
    pub fn load(path: Option<&Path>) -> Result<Self, Vec<Problem>> {
        read::load(path)
    }

    /// Reads a file's text and an environment over it.
    pub fn parse(text: &str, environment: impl IntoIterator<Item = (String, String)>) -> Result<Self, Vec<Problem>> {
        read::parse(text, environment)
    }

    /// What cannot work, or not as meant; reads the files that are named.
    pub fn check(&self) -> Vec<Problem> {
        check::check(self)
    }

    /// What the gateway is given; the addresses in SDP are found at start.
    pub fn gateway(&self) -> Settings {
        let (attendant, throttle) = (&self.attendant, &self.throttle);
        Settings {
            realm: self.node.name.clone(),
            audio: NodePreferences { codecs: self.media.codecs.clone(), ptime: self.media.packet, fingerprint: None },
            attendant: AttendantSettings {
                languages: attendant.languages.iter().filter_map(|tag| Language::parse(tag)).collect(),
                pin_gap: attendant.between_digits.0,
                patience: attendant.first_digit.0,
                tries: attendant.tries,
                ..AttendantSettings::default()
            },
            media_timeout: self.media.timeout.0,
            longest_wait: attendant.longest_wait.0,
            drain_limit: self.drain.limit.0,
            max_calls: self.sip.max_calls,
            operator_limits: self.operator_limits.limits(),
            language: Language::parse(&self.node.language).unwrap_or_else(Language::english),
            caller_burst: throttle.caller_burst,
            caller_refill: throttle.caller_refill.0,
            pin_burst: throttle.pin_burst,
            pin_refill: throttle.pin_refill.0,
            did_pin_burst: throttle.number_burst,
            did_pin_refill: throttle.number_refill.0,
            ice: self.web.ice(),
            callback: self.callback.gateway(),
            coding: self.codes.gateway(),
            elevating: elevation::gateway(self),
            join_burst: self.web.join_burst,
            join_refill: self.web.join_refill.0,
            join_share: self.web.join_share,
            ..Settings::default()
        }
    }

    /// Every key map by name: the program's and the operator's own.
    pub fn key_maps(&self) -> BTreeMap<String, KeyMap> {
        keys::maps(self).0
    }
}

const fn seconds(seconds: u64) -> Period {
    Period(Duration::from_secs(seconds))
}

impl Default for Node {
    fn default() -> Self {
        Self { name: "ringlift".into(), language: "en".into() }
    }
}

impl Default for Sip {
    fn default() -> Self {
        let local = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        let listen = local.into_iter().flat_map(|address| {
            [Transport::Udp, Transport::Tcp]
                .map(|transport| Listen { transport, address: SocketAddr::new(address, 5060) })
        });
        Self {
            listen: listen.collect(),
            advertised: "auto".into(),
            tls_certificate: None,
            tls_key: None,
            max_calls: 2000,
            max_message: 65_535,
            max_connections: 1024,
            connection_idle: seconds(600),
            t1: Period(Duration::from_millis(500)),
            t2: seconds(4),
            t4: seconds(5),
        }
    }
}

impl Default for Media {
    fn default() -> Self {
        Self {
            listen: vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)],
            first_port: 20_000,
            last_port: 29_999,
            quarantine: seconds(5),
            timeout: seconds(60),
            packet: 20,
            codecs: vec![Codec::Pcma, Codec::Pcmu],
            threads: 0,
            real_time: false,
        }
    }
}

impl Default for Attendant {
    fn default() -> Self {
        Self {
            first_digit: seconds(10),
            between_digits: seconds(4),
            tries: 3,
            languages: vec!["en".into()],
            longest_wait: seconds(1800),
        }
    }
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            caller_burst: 20,
            caller_refill: seconds(3),
            pin_burst: 6,
            pin_refill: seconds(60),
            number_burst: 60,
            number_refill: seconds(10),
            key_burst: 10,
            key_refill: seconds(30),
        }
    }
}

impl Default for Api {
    fn default() -> Self {
        let local = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        Self {
            listen: local.map(|address| SocketAddr::new(address, 8080)).to_vec(),
            tls_listen: Vec::new(),
            public_url: String::new(),
            admin_key_file: None,
            trusted_proxies: Vec::new(),
            open_rooms: false,
            open_rooms_kept: Period(Duration::from_secs(7 * 86_400)),
            tls: Https::default(),
        }
    }
}

impl Api {
    /// Whether browsers of this machine alone reach it, with no proxy before it as far as is known.
    pub fn is_of_this_machine(&self) -> bool {
        let mut addresses = self.listen.iter().chain(&self.tls_listen);
        addresses.all(|address| address.ip().is_loopback())
            && self.trusted_proxies.is_empty()
            && self.public_url.is_empty()
    }
}

impl Default for Store {
    fn default() -> Self {
        Self { path: "ringlift.db".into(), event_days: 30, record_days: 365 }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".into(), format: LogFormat::Text }
    }
}

impl Default for Drain {
    fn default() -> Self {
        Self { limit: seconds(300) }
    }
}

#[cfg(test)]
mod tests;
