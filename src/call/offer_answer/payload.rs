//! What payload types stand for, for the life of a call: once a number of ours has meant something, it means nothing
//! else (RFC 3264 §8.3.2).

use serde::{Deserialize, Serialize};

use crate::wire::codec::Codec;
use crate::wire::sdp::{Media, RtpMap};

/// The dynamic range (RFC 3551 §6).
const DYNAMIC: std::ops::RangeInclusive<u8> = 96..=127;

/// Comfort noise at 8000 Hz (RFC 3389 §4).
const NOISE: u8 = 13;

/// What a payload type stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Encoding {
    name: String,
    clock: u32,
    channels: u8,
}

/// The numbers of one call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PayloadTypes {
    /// What we have ever announced to receive, the latest last.
    ours: Vec<(u8, Encoding)>,
    /// What the far end's last description used.
    theirs: Vec<u8>,
}

impl Encoding {
    /// A codec.
    pub(super) fn of(codec: Codec) -> Self {
        Self { name: codec.name().to_owned(), clock: codec.clock_rate(), channels: codec.channels() }
    }

    /// Telephone-events on a clock (RFC 4733 §2.1).
    pub(super) fn events(clock: u32) -> Self {
        Self { name: "telephone-event".to_owned(), clock, channels: 1 }
    }

    /// Comfort noise.
    pub(super) fn noise() -> Self {
        Self { name: "CN".to_owned(), clock: 8000, channels: 1 }
    }

    /// What stands in `a=rtpmap` after the number.
    pub(super) fn rtpmap(&self) -> String {
        match self.channels {
            1 => format!("{}/{}", self.name, self.clock),
            channels => format!("{}/{}/{channels}", self.name, self.clock),
        }
    }

    fn is(&self, map: &RtpMap) -> bool {
        map.encoding.eq_ignore_ascii_case(&self.name) && map.clock_rate == self.clock && map.channels == self.channels
    }

    /// The number that RFC 3551 gave it.
    fn fixed(&self, codec: Option<Codec>) -> Option<u8> {
        match codec {
            Some(codec) => codec.static_payload_type(),
            None => (*self == Self::noise()).then_some(NOISE),
        }
    }

    /// The first number of a description that stands for it: by its rtpmap, else by RFC 3551's table.
    fn number_in(&self, media: &Media, codec: Option<Codec>) -> Option<u8> {
        media.payload_types().find(|number| match media.rtpmap(*number) {
            Some(map) => self.is(&map),
            None => self.fixed(codec) == Some(*number),
        })
    }
}

/// The number by which a description names a codec.
pub(super) fn codec_in(media: &Media, codec: Codec) -> Option<u8> {
    Encoding::of(codec).number_in(media, Some(codec))
}

/// The clock of the telephone-events that nearly all phones know, whatever codec they speak (RFC 4733 §2.1 wants the codec's).
pub(super) const COMMON_CLOCK: u32 = 8000;

/// The number by which it names telephone-events, and their clock: the codec's own where it has that, else the common one.
pub(super) fn events_in(media: &Media, codec: Codec) -> Option<(u8, u32)> {
    let clocks = [codec.clock_rate(), COMMON_CLOCK];
    clocks.into_iter().find_map(|clock| Encoding::events(clock).number_in(media, None).map(|number| (number, clock)))
}

/// The number by which it names comfort noise that goes with a codec; Opus brings its own.
pub(super) fn noise_in(media: &Media, codec: Codec) -> Option<u8> {
    (codec.clock_rate() == 8000).then(|| Encoding::noise().number_in(media, None)).flatten()
}

impl PayloadTypes {
    /// Notes the numbers of a description of theirs, so that ours do not cross them.
    pub(super) fn note(&mut self, media: &Media) {
        self.theirs = media.payload_types().collect();
    }

    /// Our number in an answer: theirs (RFC 3264 §6.1), unless it has meant something else. None where all are used up.
    pub(super) fn answered(&mut self, encoding: &Encoding, theirs: u8) -> Option<u8> {
        match self.meaning(theirs) {
            Some(meaning) if meaning == encoding => Some(theirs),
            Some(_) => self.offered(encoding, None, theirs),
            None => {
                self.ours.push((theirs, encoding.clone()));
                Some(theirs)
            }
        }
    }

    /// Our number in an offer: what it was, else the one that RFC 3551 gave it, else the wished, else a free one.
    pub(super) fn offered(&mut self, encoding: &Encoding, codec: Option<Codec>, wished: u8) -> Option<u8> {
        if let Some((number, _)) = self.ours.iter().rev().find(|(_, meaning)| meaning == encoding) {
            return Some(*number);
        }
        let unused = |number: &u8| self.meaning(*number).is_none();
        let number = encoding
            .fixed(codec)
            .into_iter()
            .filter(unused)
            .chain(
                std::iter::once(wished)
                    .chain(DYNAMIC)
                    .filter(|number| DYNAMIC.contains(number) && unused(number) && !self.theirs.contains(number)),
            )
            .chain(DYNAMIC.filter(unused))
            .next()?;
        self.ours.push((number, encoding.clone()));
        Some(number)
    }

    fn meaning(&self, number: u8) -> Option<&Encoding> {
        self.ours.iter().find(|(used, _)| *used == number).map(|(_, meaning)| meaning)
    }
}
