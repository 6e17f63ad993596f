//! What all who are silent hear, encoded once for each codec.

use crate::base::fetch::fetch;
use crate::media::Rate;
use crate::media::egress::Encoded;
use crate::media::encoder::Encoder;
use crate::media::legs::Legs;
use crate::wire::codec::{Codec, opus};

/// One codec's bytes of what everyone hears who is silent.
pub(super) struct Stream {
    codec: Codec,
    parameters: opus::Parameters,
    pub(super) encoder: Encoder,
    pub(super) bytes: Encoded,
    /// Encoded in this tick already.
    pub(super) ready: bool,
    /// Silence by table, for codecs that have one.
    pub(super) silence: Option<Encoded>,
    /// Somebody hears it in this tick, or did in the one before.
    heard: (bool, bool),
    used: bool,
}

/// All of a room's.
#[derive(Default)]
pub(super) struct Streams(Vec<Stream>);

impl Streams {
    /// None is used; [`Streams::place`] says which are.
    pub(super) fn begin(&mut self) {
        self.0.iter_mut().for_each(|stream| stream.used = false);
    }

    /// Asks for a stream of this kind.
    pub(super) fn need(&mut self, codec: Codec, parameters: opus::Parameters) {
        match self.0.iter_mut().find(|stream| stream.is(codec, parameters)) {
            Some(stream) => stream.used = true,
            None => self.0.push(Stream::new(codec, parameters)),
        }
    }

    /// Lets those go that nobody asked for.
    pub(super) fn end(&mut self) {
        self.0.retain(|stream| stream.used);
    }

    /// Where a stream of this kind is.
    pub(super) fn place(&self, codec: Codec, parameters: opus::Parameters) -> usize {
        self.0.iter().position(|stream| stream.is(codec, parameters)).unwrap_or(usize::MAX)
    }

    /// The stream at a place.
    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut Stream> {
        self.0.get_mut(place)
    }

    /// Asks the processor for the first; most rooms have no other.
    pub(super) fn fetch(&self) {
        self.0.first().into_iter().for_each(fetch);
    }

    /// Another tick.
    pub(super) fn clear(&mut self) {
        for stream in &mut self.0 {
            stream.ready = false;
            stream.heard = (false, stream.heard.0);
        }
    }

    /// Whether some of them is at this rate.
    pub(super) fn listen_at(&self, rate: Rate) -> bool {
        self.0.iter().any(|stream| stream.encoder.rate() == rate)
    }
}

impl Stream {
    fn new(codec: Codec, parameters: opus::Parameters) -> Self {
        let silence = codec.law().map(|law| {
            let mut silence = Encoded::default();
            silence.silence(law);
            silence
        });
        Self {
            codec,
            parameters,
            encoder: Encoder::new(codec, &parameters),
            bytes: Encoded::default(),
            ready: false,
            silence,
            heard: (false, false),
            used: true,
        }
    }

    fn is(&self, codec: Codec, parameters: opus::Parameters) -> bool {
        self.codec == codec && (self.parameters == parameters || codec != Codec::Opus)
    }

    /// Notes that somebody hears it.
    pub(super) fn hear(&mut self) {
        self.heard.0 = true;
    }

    /// Whether it is nobody's yet: its encoder may go on from another one.
    pub(super) fn is_free(&self) -> bool {
        !self.ready && self.heard == (false, false)
    }

    /// Somebody who hears another encoder will listen after so many ticks, if nothing comes between.
    pub(super) fn expect(&mut self, ticks: u8) {
        if ticks <= 1 {
            self.encoder.turn(ticks == 0);
        }
    }

    /// Encodes what everyone hears, once a tick.
    pub(super) fn encode(&mut self, frame: &[i16]) {
        self.bytes.encode(&mut self.encoder, frame);
        self.ready = true;
    }
}

/// The kind of stream that a leg listens to; a browser's listens to none.
pub(super) fn kind(leg: crate::media::outlet::LegKey, legs: &Legs) -> Option<(Codec, opus::Parameters)> {
    legs.get(leg).filter(|leg| !leg.is_browser()).map(|leg| (leg.codec(), leg.opus()))
}
