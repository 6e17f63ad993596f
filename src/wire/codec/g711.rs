//! G.711 (ITU-T, 1988): both laws, both ways by arithmetic.
//!
//! A byte is sign, three bits of segment, four of step: a segment's steps are twice as wide as those of the one
//! below. µ-law adds a bias of 33 (in 14 bits) first and sends all bits inverted; A-law has two equal segments at
//! the bottom and sends every other bit inverted.

use crate::base::wide::{each, sum, wide};

/// One of the two laws by which G.711 turns samples into bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Law {
    /// µ-law.
    Mu,
    /// A-law.
    A,
}

impl Law {
    /// The byte that means silence.
    pub const fn silence(self) -> u8 {
        match self {
            Law::Mu => 0xff,
            Law::A => 0xd5,
        }
    }

    /// Turns bytes into samples, as many as both have room for.
    pub fn decode(self, bytes: &[u8], samples: &mut [i16]) {
        match self {
            _ if bytes.is_empty() => {}
            Law::Mu => decode_ulaw(bytes, samples),
            Law::A => decode_alaw(bytes, samples),
        }
    }

    /// Turns samples into bytes, as many as both have room for.
    pub fn encode(self, samples: &[i16], bytes: &mut [u8]) {
        match self {
            Law::Mu => encode_ulaw(samples, bytes),
            Law::A => encode_alaw(samples, bytes),
        }
    }

    /// The sum of the magnitudes of bytes, without decoding them; exact for as many as a packet has, up to 2,000.
    pub fn magnitude(self, bytes: &[u8]) -> u32 {
        match self {
            _ if bytes.is_empty() => 0,
            Law::Mu => magnitude_ulaw(bytes),
            Law::A => magnitude_alaw(bytes),
        }
    }
}

// A byte's segment and step are what a floating-point number has as exponent and first four bits of its fraction: so many samples at a time are
// turned into bytes, and back, by what processors do with such numbers. All of them are whole and small enough to be exact.

/// Bits of a fraction below the first four.
const BELOW: u32 = f32::MANTISSA_DIGITS - 1 - 4;

/// Exponent and first four bits of the fraction of a number between 2ⁿ and 2ⁿ⁺¹.
const fn scale(n: u32) -> u32 {
    (n + f32::MAX_EXP.unsigned_abs() - 1) << 4
}

/// The number in the middle of what exponent and first bits leave open.
#[inline]
fn number(exponent_and_bits: u32) -> f32 {
    f32::from_bits(exponent_and_bits << BELOW | 1 << (BELOW - 1))
}

wide! {
    fn encode_ulaw(samples: &[i16], bytes: &mut [u8]) {
        each(samples, bytes, |sample, byte| {
            let linear = i32::from((sample ^ (sample >> 15)) >> 2);
            let code = ((linear + 33).min(0x1fff) as f32).to_bits() >> BELOW;
            *byte = !((code - scale(5)) as u8) & if sample < 0 { 0x7f } else { 0xff };
        });
    }
}

wide! {
    fn encode_alaw(samples: &[i16], bytes: &mut [u8]) {
        each(samples, bytes, |sample, byte| {
            let linear = i32::from((sample ^ (sample >> 15)) >> 4);
            let code = ((linear as f32).to_bits() >> BELOW).wrapping_sub(scale(3)) as u8;
            let code = if linear < 16 { linear as u8 } else { code };
            *byte = (code ^ 0x55) | if sample < 0 { 0 } else { 0x80 };
        });
    }
}

/// A whole number below 2¹⁵ as an integer: added to 2²³, it is the lowest bits of the fraction.
#[inline]
fn whole(number: f32) -> i16 {
    (number + 8_388_608.0).to_bits() as i16
}

/// The magnitude of a µ-law byte, and 132.
#[inline]
fn biased_ulaw(byte: u8) -> f32 {
    number(u32::from(!byte & 0x7f) + scale(7))
}

/// The magnitude of an A-law byte.
#[inline]
fn linear_alaw(byte: u8) -> f32 {
    let code = u32::from((byte ^ 0x55) & 0x7f);
    // The two lowest segments are equally wide.
    let low = code < 16;
    number(code + if low { scale(8) } else { scale(7) }) - if low { 256.0 } else { 0.0 }
}

wide! {
    fn decode_ulaw(bytes: &[u8], samples: &mut [i16]) {
        each(bytes, samples, |byte, sample| {
            let magnitude = whole(biased_ulaw(byte)) - 132;
            *sample = if byte < 0x80 { -magnitude } else { magnitude };
        });
    }
}

wide! {
    fn decode_alaw(bytes: &[u8], samples: &mut [i16]) {
        each(bytes, samples, |byte, sample| {
            let magnitude = whole(linear_alaw(byte));
            *sample = if byte < 0x80 { -magnitude } else { magnitude };
        });
    }
}

wide! {
    fn magnitude_ulaw(bytes: &[u8]) -> u32 {
        sum(bytes, biased_ulaw) as u32 - 132 * bytes.len() as u32
    }
}

wide! {
    fn magnitude_alaw(bytes: &[u8]) -> u32 {
        sum(bytes, linear_alaw) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::wide::tests::on_each;

    /// The Software Tool Library's sample of a byte.
    fn expanded(law: Law, byte: u8) -> i16 {
        match law {
            Law::Mu => itu_ulaw_expand(byte),
            Law::A => itu_alaw_expand(byte),
        }
    }

    fn decoded(law: Law, byte: u8) -> i16 {
        let mut sample = [0];
        law.decode(&[byte], &mut sample);
        sample[0]
    }

    #[test]
    fn every_byte_and_every_sample_is_the_same_by_whatever_processor() {
        let samples: Vec<i16> = (i16::MIN..=i16::MAX).collect();
        let bytes: Vec<u8> = (0..=255).chain(0..=32).collect();
        for law in [Law::Mu, Law::A] {
            let decoded = on_each(|| {
                let mut decoded = vec![0; bytes.len()];
                law.decode(&bytes, &mut decoded);
                decoded
            });
            assert!(decoded.iter().zip(&bytes).all(|(sample, byte)| *sample == expanded(law, *byte)), "{law:?}");
            on_each(|| {
                let mut encoded = vec![0; samples.len()];
                law.encode(&samples, &mut encoded);
                encoded
            });
            on_each(|| (0..=bytes.len()).map(|length| law.magnitude(&bytes[..length])).collect::<Vec<_>>());
        }
    }

    fn coded(law: Law, sample: i16) -> u8 {
        let mut byte = [0];
        law.encode(&[sample], &mut byte);
        byte[0]
    }

    /// The ITU-T Software Tool Library's rule (G.191), written out as its own program.
    fn itu_ulaw(sample: i16) -> u8 {
        let sample = i32::from(sample);
        let mut absolute = if sample < 0 { (!sample >> 2) + 33 } else { (sample >> 2) + 33 };
        absolute = absolute.min(0x1fff);
        let (mut rest, mut segment) = (absolute >> 6, 1);
        while rest != 0 {
            segment += 1;
            rest >>= 1;
        }
        let (high, low) = (8 - segment, 15 - ((absolute >> segment) & 15));
        ((high << 4) | low | if sample >= 0 { 0x80 } else { 0 }) as u8
    }

    fn itu_alaw(sample: i16) -> u8 {
        let sample = i32::from(sample);
        let mut value = if sample < 0 { !sample >> 4 } else { sample >> 4 };
        if value > 15 {
            let mut exponent = 1;
            while value > 16 + 15 {
                value >>= 1;
                exponent += 1;
            }
            value = value - 16 + (exponent << 4);
        }
        ((value | if sample >= 0 { 0x80 } else { 0 }) ^ 0x55) as u8
    }

    fn itu_ulaw_expand(byte: u8) -> i16 {
        let sign = if byte < 0x80 { -1 } else { 1 };
        let mantissa = i32::from(!byte);
        let (exponent, mantissa) = ((mantissa >> 4) & 7, mantissa & 15);
        let step = 4 << (exponent + 1);
        (sign * ((0x80 << exponent) + step * mantissa + step / 2 - 4 * 33)) as i16
    }

    fn itu_alaw_expand(byte: u8) -> i16 {
        let value = i32::from((byte ^ 0x55) & 0x7f);
        let (exponent, mut mantissa) = (value >> 4, value & 15);
        if exponent > 0 {
            mantissa += 16;
        }
        mantissa = (mantissa << 4) + 8;
        if exponent > 1 {
            mantissa <<= exponent - 1;
        }
        (if byte > 127 { mantissa } else { -mantissa }) as i16
    }

    #[test]
    fn every_sample_and_every_byte_is_as_the_itu_has_it() {
        for sample in i16::MIN..=i16::MAX {
            assert_eq!(coded(Law::Mu, sample), itu_ulaw(sample), "µ-law of {sample}");
            assert_eq!(coded(Law::A, sample), itu_alaw(sample), "A-law of {sample}");
        }
        for byte in 0..=255 {
            assert_eq!(decoded(Law::Mu, byte), itu_ulaw_expand(byte), "µ-law byte {byte}");
            assert_eq!(decoded(Law::A, byte), itu_alaw_expand(byte), "A-law byte {byte}");
            assert_eq!(coded(Law::A, decoded(Law::A, byte)), byte);
            // Minus zero is the one µ-law byte that comes back as another.
            assert_eq!(coded(Law::Mu, decoded(Law::Mu, byte)), if byte == 0x7f { 0xff } else { byte });
        }
    }

    #[test]
    fn many_at_once_are_what_each_is_alone() {
        let samples: Vec<i16> = (i16::MIN..=i16::MAX).collect();
        let mut bytes = vec![0; samples.len()];
        Law::Mu.encode(&samples, &mut bytes);
        assert!(samples.iter().zip(&bytes).all(|(sample, byte)| *byte == coded(Law::Mu, *sample)));
        Law::A.encode(&samples, &mut bytes);
        assert!(samples.iter().zip(&bytes).all(|(sample, byte)| *byte == coded(Law::A, *sample)));
        for law in [Law::Mu, Law::A] {
            let summed =
                |bytes: &[u8]| bytes.iter().map(|byte| u32::from(expanded(law, *byte).unsigned_abs())).sum::<u32>();
            for byte in 0..=255 {
                for count in [1, 15, 16, 17, 160] {
                    assert_eq!(law.magnitude(&vec![byte; count]), summed(&vec![byte; count]), "{law:?} {byte} {count}");
                }
            }
            let all: Vec<u8> = (0..480u32).map(|n| (n * 7 % 256) as u8).collect();
            assert_eq!((law.magnitude(&all), law.magnitude(&[])), (summed(&all), 0));
        }
    }
}
