//! Rank 2: the dialect of a carrier or a phone family, as data. `sip-profiles/*.toml` holds one file each; every key may
//! be left out and then has the value of [`Profile::default`], which is the plainest dialect that everybody speaks.

mod book;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use crate::base::Support;
use crate::wire::codec::Codec;
pub use book::{Book, GENERIC, UNKNOWN_PHONE};

/// How one kind of far end speaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// What it is called: the file's name without `.toml`.
    pub name: String,
    /// For people: whose dialect this is and where the facts come from.
    pub about: String,
    /// The SIPp scenarios under `tests/profiles/scenarios` that prove it.
    pub proof: Vec<String>,
    /// Beginnings of `User-Agent` by which a registering phone is known, without regard to case.
    pub user_agents: Vec<String>,
    /// Hashes its digests may be made with, as we ask for them: `SHA-256`, `MD5`. Some telephones register with nobody who
    /// asks for one that they do not know.
    pub digest: Vec<String>,
    /// How messages travel.
    pub transport: TransportRules,
    /// How telephone numbers are written to it.
    pub numbers: NumberRules,
    /// How callers are named to it, and what it is believed to say of them.
    pub identity: IdentityRules,
    /// Codecs, packets, digits.
    pub media: MediaRules,
    /// What is done to its voice.
    pub sound: SoundRules,
    /// Encryption of audio.
    pub srtp: SrtpRules,
    /// RFC 4028.
    pub session_timer: TimerRules,
    /// RFC 3262.
    pub prack: Support,
    /// Whether UPDATE may be sent to it (RFC 3311), where it lists it in Allow.
    pub update: bool,
    /// How calls are transferred by it and to it.
    pub refer: ReferRules,
    /// Before the answer.
    pub early_media: EarlyMedia,
    /// How it is put on hold.
    pub hold: HoldStyle,
    /// OPTIONS both ways.
    pub options: OptionsRules,
    /// How it is made to answer by itself, where its person opted in.
    pub auto_answer: AutoAnswer,
    /// What it does that no RFC asks.
    pub quirks: Vec<Quirk>,
}

/// How messages travel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TransportRules {
    /// Transports it takes, the best first: `udp`, `tcp`, `tls`.
    pub kinds: Vec<String>,
    /// Look up NAPTR records (RFC 3263 §4.1).
    pub naptr: bool,
    /// Look up SRV records (RFC 3263 §4.2).
    pub srv: bool,
    /// Final answers after which another target is tried; a silent or unreachable target always passes on.
    pub failover: Vec<u16>,
    /// Send CRLF on streams and datagrams this often to keep a way through NAT open, in seconds; 0 never.
    pub keep_alive: u32,
    /// Longest message it takes, in bytes; 0 for no limit known.
    pub max_message: u32,
}

/// How a telephone number is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumberStyle {
    /// `+4930901820`.
    #[default]
    E164Plus,
    /// `4930901820`.
    E164,
    /// With the trunk's national prefix at home and its international prefix abroad.
    National,
}

/// How telephone numbers are written to it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NumberRules {
    /// In the Request-URI and To.
    pub called: NumberStyle,
    /// In From, P-Asserted-Identity and Remote-Party-ID.
    pub caller: NumberStyle,
    /// Digits before every called number.
    pub tech_prefix: String,
    /// `user=phone` on URIs with numbers.
    pub user_phone: bool,
}

/// Where the caller's identity stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityHeader {
    /// P-Asserted-Identity (RFC 3325), else From.
    #[default]
    Pai,
    /// Remote-Party-ID, else From.
    Rpid,
    /// From alone.
    From,
}

/// How callers are named to it, and what it is believed to say of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdentityRules {
    /// What is read of its INVITEs.
    pub read: IdentityHeader,
    /// What is written into ours, besides From.
    pub write: IdentityHeader,
    /// The From of a caller who withholds the number: `anonymous@anonymous.invalid` with `Privacy: id`, and the identity
    /// header still says who it is, because the carrier is trusted with it.
    pub privacy: bool,
    /// The host part of From; empty for the far end's own name.
    pub from_host: String,
    /// The user part of From is the account's user name, as carriers that know callers by account want it.
    pub from_is_account: bool,
    /// `Diversion` and `History-Info` of forwarded calls are passed on.
    pub diversion: bool,
}

/// How digits are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DtmfMode {
    /// Telephone-events (RFC 4733); by INFO where the far end did not agree to them.
    #[default]
    Rfc4733,
    /// INFO with `application/dtmf-relay` always.
    Info,
}

/// Codecs, packets, digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MediaRules {
    /// Codecs, the best first; one that is not named is neither offered nor taken. Empty: the node's.
    pub codecs: Vec<Codec>,
    /// Take the best of ours among what it offers, rather than the first of its own.
    pub ours_first: bool,
    /// Our packet length in milliseconds where it names none.
    pub ptime: u8,
    /// Digits.
    pub dtmf: DtmfMode,
    /// The payload type we offer telephone-events as.
    pub event_type: u8,
    /// Offer and take comfort noise (RFC 3389).
    pub comfort_noise: bool,
    /// RTCP on the RTP port (RFC 5761), where both want it.
    pub rtcp_mux: bool,
    /// INVITEs without an offer are taken, and sent on where we have none.
    pub late_offer: bool,
}

/// What is done to a voice before a room hears it, until somebody says otherwise of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SoundRules {
    /// Its loudness is brought slowly to that of the others.
    pub level: bool,
    /// Steady noise is made softer.
    pub denoise: bool,
    /// Keys that come as tones are heard as keys, and nobody hears the tones.
    pub tones: bool,
    /// Music and tones that go on for seconds are kept from the others, where there are more than two.
    pub music: bool,
    /// Line echo is taken out, once it was found.
    pub echo: bool,
    /// A machine talks and listens there: nothing is done to what it says, whatever is asked.
    pub machine: bool,
}

/// Whether audio is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SrtpPolicy {
    /// Never offered; an encrypted offer gets 488.
    Off,
    /// Taken when offered, not offered by us.
    #[default]
    Allow,
    /// Offered by us, and nothing else is taken: a plain offer gets 488, a plain answer ends the call.
    Require,
}

/// Encryption of audio.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SrtpRules {
    /// Whether.
    pub policy: SrtpPolicy,
    /// SDES suites (RFC 4568, RFC 6188), the best first.
    pub suites: Vec<String>,
    /// DTLS-SRTP (RFC 5763) is taken when offered, and offered instead of SDES where `offer_dtls` says so.
    pub dtls: bool,
    /// Offer DTLS-SRTP rather than SDES.
    pub offer_dtls: bool,
}

/// Session timers (RFC 4028).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TimerRules {
    /// `off`: neither asked for nor kept; `supported`: said in Supported, kept when asked; `require`: asked for in every call.
    pub mode: Support,
    /// What we ask for, in seconds.
    pub expires: u32,
    /// The shortest we take, in seconds; below it 422.
    pub min_se: u32,
    /// Refresh by UPDATE where the far end allows it; else by re-INVITE.
    pub by_update: bool,
}

/// How far transfers go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferSupport {
    /// REFER is never sent to it: transfers are bridged here.
    None,
    /// Blind REFER only.
    Blind,
    /// With Replaces too (RFC 3891).
    #[default]
    Attended,
}

/// How calls are transferred by it and to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReferRules {
    /// What it understands.
    pub sends: ReferSupport,
    /// Whether REFER from it is taken.
    pub takes: bool,
    /// Whether it reports progress by NOTIFY; where not, 202 counts as done once it hangs up.
    pub notify: bool,
    /// The Refer-To URI, with `{number}` and `{host}`; empty: the target as it is.
    pub uri: String,
    /// User-to-User goes into Refer-To as an embedded header (RFC 7433), where contact centres read it.
    pub uui_in_refer_to: bool,
}

/// What happens before the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EarlyMedia {
    /// 183 with SDP is passed on and its audio heard.
    #[default]
    Pass,
    /// Only 180: the phone makes its own ringing.
    Ring,
}

/// How it is put on hold (RFC 3264 §8.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldStyle {
    /// `a=sendonly`, with our music.
    #[default]
    SendOnly,
    /// `a=inactive`.
    Inactive,
    /// `c=0.0.0.0` as RFC 2543 had it.
    ZeroAddress,
}

/// OPTIONS both ways.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptionsRules {
    /// Answer its OPTIONS by our health; where not, always 200.
    pub answer: bool,
    /// Probe it this often, in seconds; 0 never.
    pub every: u32,
    /// Probes without an answer before it counts as down.
    pub down_after: u8,
    /// Answers before it counts as up again.
    pub up_after: u8,
}

/// How a phone is made to answer by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AutoAnswer {
    /// It is not.
    #[default]
    None,
    /// `Call-Info: <sip:host>;answer-after=0`.
    CallInfo,
    /// `Alert-Info: <http://host>;info=alert-autoanswer;delay=0`.
    AlertInfo,
    /// `Alert-Info: Ring Answer`.
    RingAnswer,
    /// `Answer-Mode: Auto` (RFC 5373).
    AnswerMode,
    /// Call-Info, Alert-Info and `;intercom=true` on the Request-URI together, for a phone nobody knows.
    All,
}

/// What a far end does that no RFC asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quirk {
    /// Sends any codec it listed, not the one agreed.
    AnyListedCodec,
    /// Challenges our INVITEs by digest.
    ChallengesInvite,
    /// Keeps its way open by NOTIFY, which wants a 200.
    NotifyKeepAlive,
    /// Sends BYE some seconds after a REFER by itself.
    ByeAfterRefer,
    /// Refuses the ALPN token `sip`.
    NoAlpn,
    /// Speaks TLS 1.2 with static RSA suites only.
    StaticRsa,
    /// Sends DTMF with a frozen timestamp.
    FrozenEventTimestamp,
    /// Wants the exact host of its own name in Refer-To.
    OwnHostInReferTo,
    /// Writes two P-Asserted-Identity headers: the telephone number is the one that counts.
    TwoIdentities,
    /// Wants RTCP on RTP + 1.
    NoRtcpMux,
}

impl Profile {
    /// Whether it has a quirk.
    pub fn has(&self, quirk: Quirk) -> bool {
        self.quirks.contains(&quirk)
    }

    /// How often it is probed.
    pub fn probe_every(&self) -> Option<Duration> {
        (self.options.every > 0).then(|| Duration::from_secs(u64::from(self.options.every)))
    }
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            name: "generic".into(),
            about: String::new(),
            proof: Vec::new(),
            user_agents: Vec::new(),
            digest: ["SHA-256", "MD5"].map(String::from).to_vec(),
            transport: TransportRules::default(),
            numbers: NumberRules::default(),
            identity: IdentityRules::default(),
            media: MediaRules::default(),
            sound: SoundRules::default(),
            srtp: SrtpRules::default(),
            session_timer: TimerRules::default(),
            prack: Support::default(),
            update: true,
            refer: ReferRules::default(),
            early_media: EarlyMedia::default(),
            hold: HoldStyle::default(),
            options: OptionsRules::default(),
            auto_answer: AutoAnswer::default(),
            quirks: Vec::new(),
        }
    }
}

impl Default for TransportRules {
    fn default() -> Self {
        Self {
            kinds: ["udp", "tcp", "tls"].map(String::from).to_vec(),
            naptr: true,
            srv: true,
            failover: vec![408, 480, 500, 502, 503, 504],
            keep_alive: 0,
            max_message: 0,
        }
    }
}

impl Default for IdentityRules {
    fn default() -> Self {
        Self {
            read: IdentityHeader::default(),
            write: IdentityHeader::default(),
            privacy: true,
            from_host: String::new(),
            from_is_account: false,
            diversion: true,
        }
    }
}

impl Default for MediaRules {
    fn default() -> Self {
        Self {
            codecs: Vec::new(),
            ours_first: false,
            ptime: 20,
            dtmf: DtmfMode::default(),
            event_type: 101,
            comfort_noise: false,
            rtcp_mux: true,
            late_offer: true,
        }
    }
}

impl Default for SoundRules {
    fn default() -> Self {
        Self { level: true, denoise: false, tones: false, music: false, echo: false, machine: false }
    }
}

impl Default for SrtpRules {
    fn default() -> Self {
        let suites = ["AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AES_256_CM_HMAC_SHA1_80"];
        Self { policy: SrtpPolicy::default(), suites: suites.map(String::from).to_vec(), dtls: true, offer_dtls: false }
    }
}

impl Default for TimerRules {
    fn default() -> Self {
        Self { mode: Support::default(), expires: 1800, min_se: 90, by_update: true }
    }
}

impl Default for ReferRules {
    fn default() -> Self {
        Self { sends: ReferSupport::default(), takes: true, notify: true, uri: String::new(), uui_in_refer_to: false }
    }
}

impl Default for OptionsRules {
    fn default() -> Self {
        Self { answer: true, every: 0, down_after: 3, up_after: 2 }
    }
}
