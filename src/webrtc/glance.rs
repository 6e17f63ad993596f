//! A glance at the first bytes of a video packet: whether a picture begins here that needs none before it, how high it is,
//! and where the numbers are that count pictures. Total: a short payload is no keyframe.

use str0m::format::Codec;
use str0m::rtp::Vp8Descriptor;

/// What the beginning of a payload tells.
#[derive(Debug, Clone, Copy, Default)]
pub struct Glance {
    /// A picture begins here that can be decoded without any before it.
    pub keyframe: bool,
    /// Its height in pixels, where the codec says so at once.
    pub height: Option<u16>,
    /// What counts its pictures.
    pub counters: Counters,
}

/// Numbers within the payload that must go on without a leap when another stream takes a slot over.
#[derive(Debug, Clone, Copy, Default)]
pub enum Counters {
    /// None: the codec has no such thing.
    #[default]
    None,
    /// VP8 (RFC 7741 §4.2).
    Vp8(Vp8Descriptor),
    /// VP9 (RFC 9628 §4.2).
    Vp9(Vp9),
}

/// Where VP9's numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vp9 {
    /// The picture's number, and whether it has 15 bits.
    pub picture: Option<(u16, bool)>,
    /// The number of the last picture of the lowest temporal layer, and where it is.
    pub base: Option<(u8, usize)>,
}

/// Looks at a payload.
pub fn glance(codec: Codec, payload: &[u8]) -> Glance {
    match codec {
        Codec::Vp8 => vp8(payload),
        Codec::Vp9 => vp9(payload).unwrap_or_default(),
        Codec::H264 => Glance { keyframe: h264(payload).unwrap_or(false), ..Glance::default() },
        // A new coded video sequence begins: bit N of the aggregation header (AV1 RTP §4.4).
        Codec::Av1 => Glance { keyframe: payload.first().is_some_and(|first| first & 0x08 != 0), ..Glance::default() },
        _ => Glance::default(),
    }
}

fn vp8(payload: &[u8]) -> Glance {
    let Ok(descriptor) = Vp8Descriptor::parse(payload) else { return Glance::default() };
    let keyframe = descriptor.starts_keyframe(payload);
    let height = keyframe.then(|| vp8_height(payload)).flatten();
    Glance { keyframe, height, counters: Counters::Vp8(descriptor) }
}

/// After three bytes of header and three of start code come the width and the height, 14 bits each (RFC 6386 §9.1).
fn vp8_height(payload: &[u8]) -> Option<u16> {
    let mut begin = 1;
    if payload.first()? & 0x80 != 0 {
        let fields = payload.get(1)?;
        let long = usize::from(fields & 0x80 != 0 && payload.get(2)? & 0x80 != 0);
        let has = |bits: u8| usize::from(fields & bits != 0);
        begin = 2 + has(0x80) + long + has(0x40) + has(0x30);
    }
    let frame = payload.get(begin..)?;
    (frame.get(3..6)? == [0x9d, 0x01, 0x2a]).then_some(())?;
    Some(u16::from_le_bytes([*frame.get(8)?, *frame.get(9)?]) & 0x3fff)
}

/// ```text
/// I P L F B E V Z   M picture-id(7 or 15)   TID U SID D   TL0PICIDX (not in flexible mode)
/// ```
fn vp9(payload: &[u8]) -> Option<Glance> {
    let first = *payload.first()?;
    let has = |bit: u8| first & bit != 0;
    let mut at = 1;
    let mut picture = None;
    if has(0x80) {
        let high = *payload.get(at)?;
        picture = if high & 0x80 != 0 {
            let low = *payload.get(at + 1)?;
            at += 2;
            Some((u16::from_be_bytes([high & 0x7f, low]), true))
        } else {
            at += 1;
            Some((u16::from(high), false))
        };
    }
    let (mut base, mut spatial) = (None, 0);
    if has(0x20) {
        spatial = payload.get(at)? >> 1 & 7;
        at += 1;
        if !has(0x10) {
            base = Some((*payload.get(at)?, at));
        }
    }
    // Not predicted from other pictures, and the beginning of the lowest layer's frame.
    let keyframe = !has(0x40) && has(0x08) && spatial == 0;
    Some(Glance { keyframe, height: None, counters: Counters::Vp9(Vp9 { picture, base }) })
}

/// An SPS or an IDR slice begins, alone, in an aggregate, or as the first fragment (RFC 6184 §5).
fn h264(payload: &[u8]) -> Option<bool> {
    const IDR: u8 = 5;
    const SPS: u8 = 7;
    const STAP_A: u8 = 24;
    const FU_A: u8 = 28;
    let begins = |unit: u8| matches!(unit & 0x1f, IDR | SPS);
    let first = *payload.first()?;
    match first & 0x1f {
        STAP_A => {
            let mut rest = payload.get(1..)?;
            while let (Some(high), Some(low)) = (rest.first(), rest.get(1)) {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                if begins(*rest.get(2)?) {
                    return Some(true);
                }
                rest = rest.get(2 + length..)?;
            }
            Some(false)
        }
        FU_A => {
            let header = *payload.get(1)?;
            Some(header & 0x80 != 0 && begins(header))
        }
        _ => Some(begins(first)),
    }
}

impl Vp9 {
    /// The payload with other numbers in place of these.
    pub fn renumber(&self, payload: &[u8], picture: u16, base: u8) -> Vec<u8> {
        let mut renumbered = payload.to_vec();
        let [high, low] = picture.to_be_bytes();
        match self.picture {
            Some((_, true)) => {
                if let Some([first, second]) = renumbered.get_mut(1..3) {
                    (*first, *second) = (0x80 | (high & 0x7f), low);
                }
            }
            Some((_, false)) => {
                if let Some(only) = renumbered.get_mut(1) {
                    *only = low & 0x7f;
                }
            }
            None => {}
        }
        if let Some(place) = self.base.and_then(|(_, at)| renumbered.get_mut(at)) {
            *place = base;
        }
        renumbered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vp8_keyframe_tells_its_height() {
        // X=0, S=1, PID 0; frame tag with P=0; start code; 640 x 360.
        let payload = [0x10, 0x00, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01, 0];
        let seen = glance(Codec::Vp8, &payload);
        assert_eq!((seen.keyframe, seen.height), (true, Some(360)));
        let extended = [0x90, 0xe0, 0x81, 0x02, 7, 0x20, 0x00, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01];
        assert_eq!(glance(Codec::Vp8, &extended).height, Some(360));
        let predicted = [0x10, 0x01, 0, 0, 0, 0];
        assert!(!glance(Codec::Vp8, &predicted).keyframe);
        let inside = [0x00, 0x00, 0, 0];
        assert!(!glance(Codec::Vp8, &inside).keyframe);
    }

    #[test]
    fn vp9_numbers_are_found_and_changed_where_they_are() {
        // I, L, B, not P; picture 0x1234 in 15 bits; layer byte; TL0PICIDX 9.
        let payload = [0xa8, 0x92, 0x34, 0x00, 9, 1, 2, 3];
        let seen = glance(Codec::Vp9, &payload);
        assert!(seen.keyframe);
        let Counters::Vp9(numbers) = seen.counters else { panic!("no numbers") };
        assert_eq!(numbers, Vp9 { picture: Some((0x1234, true)), base: Some((9, 4)) });
        assert_eq!(numbers.renumber(&payload, 0x0102, 77), [0xa8, 0x81, 0x02, 0x00, 77, 1, 2, 3]);
        let seven = [0x88, 0x11, 1, 2];
        let Counters::Vp9(numbers) = glance(Codec::Vp9, &seven).counters else { panic!("no numbers") };
        assert_eq!(numbers.renumber(&seven, 0x85, 0), [0x88, 0x05, 1, 2]);
        assert!(!glance(Codec::Vp9, &[0xe8, 0x92, 0x34, 0x00, 9]).keyframe, "predicted");
    }

    #[test]
    fn h264_begins_with_its_parameters_or_an_idr_slice() {
        assert!(glance(Codec::H264, &[0x67, 1]).keyframe);
        assert!(glance(Codec::H264, &[0x65, 1]).keyframe);
        assert!(glance(Codec::H264, &[0x78, 0, 2, 0x67, 1, 0, 2, 0x68, 1]).keyframe);
        assert!(glance(Codec::H264, &[0x7c, 0x85, 1]).keyframe);
        for not in [&[0x41, 1][..], &[0x7c, 0x05, 1], &[0x78, 0, 2, 0x41, 1], &[0x78, 0xff, 0xff, 0x41], &[]] {
            assert!(!glance(Codec::H264, not).keyframe, "{not:02x?}");
        }
    }

    #[test]
    fn av1_begins_with_a_new_sequence() {
        assert!(glance(Codec::Av1, &[0x18, 0]).keyframe);
        assert!(!glance(Codec::Av1, &[0x10, 0]).keyframe);
    }

    #[test]
    fn nothing_short_is_a_keyframe_or_a_fault() {
        for codec in [Codec::Vp8, Codec::Vp9, Codec::H264, Codec::Av1] {
            for length in 0..12 {
                for fill in [0u8, 0x18, 0x78, 0x7c, 0x90, 0xff] {
                    let _ = glance(codec, &vec![fill; length]);
                }
            }
        }
    }
}
