//! Samples to payloads, for one listener or for all who hear the same.

use super::{FRAME, Rate};
use crate::wire::codec::g711::Law;
use crate::wire::codec::{Codec, g722, opus};

/// Makes payloads of frames.
#[derive(Debug)]
pub enum Encoder {
    /// Each sample by itself.
    G711(Law),
    /// With a memory that is the far end's, too.
    G722(Box<g722::Encoder>),
    /// Likewise.
    Opus(opus::Encoder),
}

impl Encoder {
    /// For a far end that has agreed to a codec.
    pub fn new(codec: Codec, parameters: &opus::Parameters) -> Self {
        match (codec.law(), codec) {
            (Some(law), _) => Encoder::G711(law),
            (None, Codec::Opus) => Encoder::Opus(opus::Encoder::new(parameters)),
            (None, Codec::G722 | Codec::Pcmu | Codec::Pcma) => Encoder::G722(Box::default()),
        }
    }

    /// The rate of its samples.
    pub fn rate(&self) -> Rate {
        match self {
            Encoder::G711(_) => Rate::Narrow,
            Encoder::G722(_) => Rate::Wide,
            Encoder::Opus(_) => Rate::Full,
        }
    }

    /// Encodes a frame; returns the payload's length, 0 where nothing is to be sent.
    pub fn encode(&mut self, frame: &[i16], payload: &mut [u8]) -> usize {
        match self {
            Encoder::G711(law) => {
                law.encode(frame, payload);
                FRAME
            }
            Encoder::G722(encoder) => {
                encoder.encode(frame, payload);
                FRAME
            }
            Encoder::Opus(encoder) => {
                let length = encoder.encode(frame, payload);
                if length > opus::NOTHING { length } else { 0 }
            }
        }
    }

    /// Goes on for a far end that has heard another encoder until now.
    pub fn follow(&mut self, other: &Encoder) {
        match (self, other) {
            (Encoder::G722(own), Encoder::G722(other)) => own.clone_from(other),
            (own, _) => own.begin(None),
        }
    }

    /// Goes on for a far end that has heard a stream which was passed on; `state` is that of its decoder.
    pub fn begin(&mut self, state: Option<&g722::Decoder>) {
        match self {
            Encoder::G711(_) => {}
            Encoder::G722(encoder) => **encoder = state.map(g722::Encoder::after).unwrap_or_default(),
            Encoder::Opus(encoder) => encoder.reset(),
        }
    }

    /// The next payload is one from which somebody can go on who heard another encoder before; the one before that is to be told of, too, as not independent.
    pub fn turn(&mut self, independent: bool) {
        if let Encoder::Opus(encoder) = self {
            encoder.turn(independent);
        }
    }
}
