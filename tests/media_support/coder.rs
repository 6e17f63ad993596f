//! What a telephone of the tests makes packets with, and how loud it hears a tone.

use ringlift::wire::codec::{Codec, g722, opus};

/// The payload type everyone here has for a codec.
pub fn number(codec: Codec) -> u8 {
    codec.static_payload_type().unwrap_or(107)
}

/// What a phone encodes and decodes with.
pub enum Coder {
    G711,
    G722(Box<(g722::Encoder, g722::Decoder)>),
    Opus(Box<(opus::Encoder, opus::Decoder)>),
}

impl Coder {
    pub fn new(codec: Codec) -> Self {
        match codec {
            Codec::Pcmu | Codec::Pcma => Coder::G711,
            Codec::G722 => Coder::G722(Box::default()),
            Codec::Opus => Coder::Opus(Box::new((opus::Encoder::new(&opus::Parameters::ours()), Default::default()))),
        }
    }

    pub fn encode(&mut self, codec: Codec, samples: &[i16]) -> Vec<u8> {
        let mut bytes = vec![0; samples.len()];
        let length = match self {
            Coder::G711 => {
                codec.law().unwrap().encode(samples, &mut bytes);
                samples.len()
            }
            Coder::G722(both) => {
                both.0.encode(samples, &mut bytes);
                samples.len() / 2
            }
            Coder::Opus(both) => both.0.encode(samples, &mut bytes),
        };
        bytes.truncate(length);
        bytes
    }

    pub fn decode(&mut self, codec: Codec, bytes: &[u8]) -> Vec<i16> {
        let mut samples = vec![0; 5760];
        let length = match self {
            Coder::G711 => {
                codec.law().unwrap().decode(bytes, &mut samples);
                bytes.len()
            }
            Coder::G722(both) => {
                both.1.decode(bytes, &mut samples);
                bytes.len() * 2
            }
            Coder::Opus(both) => both.1.decode(bytes, &mut samples),
        };
        samples.truncate(length);
        samples
    }
}

/// How loud a tone is in samples of this rate.
pub fn amplitude_at(samples: &[i16], hertz: f32, rate: u32) -> f32 {
    let (mut re, mut im) = (0.0f64, 0.0f64);
    for (n, sample) in samples.iter().enumerate() {
        let angle = std::f64::consts::TAU * f64::from(hertz) * n as f64 / f64::from(rate);
        re += f64::from(*sample) * angle.cos();
        im += f64::from(*sample) * angle.sin();
    }
    (2.0 * re.hypot(im) / samples.len().max(1) as f64) as f32
}
