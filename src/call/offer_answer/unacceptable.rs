//! Why nothing could be agreed, for a Warning header and a support desk.

use crate::wire::sip::{Name, Text};

/// Why nothing could be agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unacceptable {
    /// The body is no session description.
    NotSdp,
    /// It has no audio at all.
    NoAudio,
    /// The audio is not over RTP, or encrypted in a way that is not spoken here.
    Protocol,
    /// The audio is encrypted, and is not to be.
    Encrypted,
    /// The audio is not encrypted, or no longer, and is to be.
    NotEncrypted,
    /// No codec in common.
    Codec,
    /// The address cannot be reached by us: a name, another family, multicast.
    Address,
    /// An answer came that fits no offer of ours.
    NotAnAnswer,
}

impl Unacceptable {
    /// The Warning header's code (RFC 3261 §20.43).
    pub const fn warning(self) -> u16 {
        match self {
            Unacceptable::NotSdp | Unacceptable::NotAnAnswer => 399,
            Unacceptable::NoAudio => 304,
            Unacceptable::Protocol | Unacceptable::Encrypted | Unacceptable::NotEncrypted => 302,
            Unacceptable::Codec => 305,
            Unacceptable::Address => 301,
        }
    }

    /// What a support desk reads.
    pub const fn text(self) -> &'static str {
        match self {
            Unacceptable::NotSdp => "the body is no session description",
            Unacceptable::NoAudio => "no audio is offered",
            Unacceptable::Protocol => "the audio is not over RTP, or encrypted in a way that is not spoken here",
            Unacceptable::Encrypted => "encrypted audio is not taken from here",
            Unacceptable::NotEncrypted => "the audio has to be encrypted",
            Unacceptable::Codec => "no codec in common",
            Unacceptable::Address => "the media address cannot be reached from here",
            Unacceptable::NotAnAnswer => "the answer fits no offer",
        }
    }

    /// The Warning header of a 488; `agent` names who warns.
    pub fn headers(self, agent: &str) -> Vec<(Name, Text)> {
        let agent = if agent.is_empty() { "ringlift" } else { agent };
        vec![(Name::Warning, Text::from(format!("{} {agent} \"{}\"", self.warning(), self.text())))]
    }
}
