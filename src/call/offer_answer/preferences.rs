//! What we like: the far end's profile within what the node can do.

use serde::{Deserialize, Serialize};

use crate::profile::{DtmfMode, MediaRules, Profile, Quirk, SrtpPolicy};
use crate::wire::codec::Codec;
use crate::wire::sdp::{Fingerprint, Suite};

/// What the node can do and likes where a profile says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodePreferences {
    /// Codecs, the best first.
    pub codecs: Vec<Codec>,
    /// Our packet length in milliseconds.
    pub ptime: u8,
    /// The fingerprint of our certificate for DTLS; without one DTLS is neither offered nor taken.
    pub fingerprint: Option<Fingerprint>,
}

/// What we like on one leg.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Preferences {
    /// Codecs, the best first; one that is not named is not spoken.
    pub codecs: Vec<Codec>,
    /// Take the best of ours among what they offer, rather than the first of theirs that we speak.
    pub ours_first: bool,
    /// Our packet length in milliseconds where they name none.
    pub ptime: u8,
    /// Telephone-events are offered and taken (RFC 4733).
    pub events: bool,
    /// The payload type under which we offer them.
    pub event_type: u8,
    /// Comfort noise is offered and taken (RFC 3389).
    pub comfort_noise: bool,
    /// RTCP shares the RTP port where both want it (RFC 5761).
    pub rtcp_mux: bool,
    /// Whether audio is encrypted.
    pub srtp: SrtpPolicy,
    /// Suites for SDES, the best first.
    pub suites: Vec<Suite>,
    /// Our fingerprint, where DTLS is taken.
    pub dtls: Option<Fingerprint>,
    /// Where encryption is offered, it is by DTLS rather than SDES.
    pub offer_dtls: bool,
}

impl Preferences {
    /// What a profile asks, within what the node has.
    pub fn of(profile: &Profile, node: &NodePreferences) -> Self {
        let (media, srtp) = (&profile.media, &profile.srtp);
        let dtls = node.fingerprint.clone().filter(|_| srtp.dtls);
        Self {
            codecs: if media.codecs.is_empty() { node.codecs.clone() } else { media.codecs.clone() },
            ours_first: media.ours_first,
            // A profile that asks for nothing in particular leaves it to the node.
            ptime: if media.ptime == MediaRules::default().ptime { node.ptime } else { media.ptime },
            events: media.dtmf == DtmfMode::Rfc4733,
            event_type: media.event_type,
            comfort_noise: media.comfort_noise,
            rtcp_mux: media.rtcp_mux && !profile.has(Quirk::NoRtcpMux),
            srtp: srtp.policy,
            suites: srtp.suites.iter().filter_map(|name| Suite::parse(name)).collect(),
            offer_dtls: srtp.offer_dtls && dtls.is_some(),
            dtls,
        }
    }
}

impl Default for NodePreferences {
    fn default() -> Self {
        Self { codecs: vec![Codec::Pcmu, Codec::Pcma], ptime: 20, fingerprint: None }
    }
}

impl Default for Preferences {
    fn default() -> Self {
        Self::of(&Profile::default(), &NodePreferences::default())
    }
}
