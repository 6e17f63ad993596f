//! One newtype per id: 64 random bits, printed as a prefix and thirteen characters.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Rng;

/// Crockford's alphabet in lower case: no `i`, `l`, `o`, `u`, so that an id survives being read out.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Names why a text is not an id of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAnId(pub &'static str);

impl fmt::Display for NotAnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not an id of the form {}_… with thirteen characters", self.0)
    }
}

impl std::error::Error for NotAnId {}

fn write_id(prefix: &str, bits: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut text = [0u8; 13];
    let mut rest = bits;
    for slot in text.iter_mut().rev() {
        *slot = ALPHABET.get((rest & 31) as usize).copied().unwrap_or(b'0');
        rest >>= 5;
    }
    f.write_str(prefix)?;
    f.write_str("_")?;
    f.write_str(std::str::from_utf8(&text).unwrap_or("0000000000000"))
}

fn read_id(prefix: &'static str, text: &str) -> Result<u64, NotAnId> {
    let rest = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_')).ok_or(NotAnId(prefix))?;
    if rest.len() != 13 {
        return Err(NotAnId(prefix));
    }
    let mut bits: u64 = 0;
    for byte in rest.bytes() {
        let digit = ALPHABET.iter().position(|&c| c == byte).ok_or(NotAnId(prefix))?;
        if bits >> 59 != 0 {
            return Err(NotAnId(prefix));
        }
        bits = (bits << 5) | digit as u64;
    }
    Ok(bits)
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u64);

        impl $name {
            /// Draws a new id; 64 random bits make a collision within one node's life negligible.
            pub fn draw(rng: &mut Rng) -> Self {
                Self(rng.next_u64())
            }

            /// The id with exactly these bits; for tables keyed outside, and for tests.
            pub const fn from_bits(bits: u64) -> Self {
                Self(bits)
            }

            /// The 64 bits.
            pub const fn bits(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_id($prefix, self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_id($prefix, self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                read_id($prefix, text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// A browser's connection to a meeting, by which it is told what happens there.
    SessionId,
    "ses"
);

id!(
    /// An invitation, or another right that a ticket proves.
    TicketId,
    "tkt"
);

id!(
    /// One SIP dialog or one WebRTC peer.
    LegId,
    "leg"
);
id!(
    /// A person's place in a room.
    ParticipantId,
    "par"
);
id!(
    /// A room, live or not.
    RoomId,
    "room"
);
id!(
    /// A carrier link.
    TrunkId,
    "trunk"
);
id!(
    /// A number routed to us.
    DidId,
    "did"
);
id!(
    /// Somebody of the house with a telephone that registers here.
    ExtensionId,
    "ext"
);
id!(
    /// Extensions that ring together or one after the other.
    GroupId,
    "group"
);
id!(
    /// A desk phone that fetches its settings from us.
    PhoneId,
    "phone"
);
id!(
    /// One rule of the routing list.
    RuleId,
    "rule"
);
id!(
    /// An API key's public half.
    KeyId,
    "key"
);
id!(
    /// Where a program is told of events.
    WebhookId,
    "hook"
);
id!(
    /// One event on its way to one program; the same at every attempt.
    DeliveryId,
    "msg"
);
id!(
    /// A text message that we send.
    TextId,
    "text"
);
id!(
    /// Somebody on a telephone being given a link that adds video to the call.
    ElevationId,
    "elv"
);
id!(
    /// A code that moves somebody's call to another device, or that was printed to begin one.
    CodeId,
    "code"
);
id!(
    /// A person's telephone, browser or app.
    DeviceId,
    "dev"
);
id!(
    /// Somebody to be called back.
    CallbackId,
    "cbk"
);

id!(
    /// A small process inside a customer's network that carries SIP and audio to us.
    RelayId,
    "relay"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_no_other_kind_does() {
        let id = LegId::from_bits(u64::MAX);
        assert_eq!(id.to_string().parse::<LegId>(), Ok(id));
        assert!(id.to_string().parse::<RoomId>().is_err());
        assert!("leg_zzzzzzzzzzzzz".parse::<LegId>().is_err(), "more than 64 bits");
        assert!("leg_".parse::<LegId>().is_err());
    }
}
