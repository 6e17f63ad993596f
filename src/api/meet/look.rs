//! What a picture is, and how large, by looking at its first bytes. Nothing is decoded here: a bomb is for whoever opens it,
//! so that what would unfold to more than a picture of a face is not passed on.

/// Longest side, in pixels: four times what a roster shows, 16 MiB once unfolded in a browser.
const LONGEST_SIDE: u32 = 2048;

/// A picture that may be passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looked {
    /// Its media type.
    pub kind: &'static str,
    /// Its width in pixels.
    pub width: u32,
    /// Its height in pixels.
    pub height: u32,
}

/// Why a picture is not passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// Neither PNG nor JPEG nor WebP, or broken.
    Kind,
    /// More pixels than a face needs.
    Size,
}

/// Looks at a picture.
pub fn look(bytes: &[u8]) -> Result<Looked, Unfit> {
    let (kind, size) = if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        ("image/png", png(bytes))
    } else if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
        ("image/jpeg", jpeg(bytes))
    } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        ("image/webp", webp(bytes))
    } else {
        return Err(Unfit::Kind);
    };
    let (width, height) = size.ok_or(Unfit::Kind)?;
    let fits = |side: u32| (1..=LONGEST_SIDE).contains(&side);
    if fits(width) && fits(height) { Ok(Looked { kind, width, height }) } else { Err(Unfit::Size) }
}

fn be16(bytes: &[u8], at: usize) -> Option<u32> {
    let pair: [u8; 2] = bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
    Some(u32::from(u16::from_be_bytes(pair)))
}

/// The header chunk comes first (ISO/IEC 15948 §11.2.2).
fn png(bytes: &[u8]) -> Option<(u32, u32)> {
    if bytes.get(12..16)? != b"IHDR" {
        return None;
    }
    let side = |at: usize| bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map(u32::from_be_bytes);
    Some((side(16)?, side(20)?))
}

/// Segments until the frame header (ITU-T T.81 §B.2.2).
fn jpeg(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut at = 2usize;
    loop {
        if *bytes.get(at)? != 0xff {
            return None;
        }
        match *bytes.get(at + 1)? {
            0xff => at += 1,
            0x01 | 0xd0..=0xd7 => at += 2,
            // Frame headers, all but the tables between their numbers.
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                return Some((be16(bytes, at + 7)?, be16(bytes, at + 5)?));
            }
            // The scan begins, or all ends, before any frame header.
            0xd9 | 0xda => return None,
            _ => at = at.checked_add(2)?.checked_add(usize::try_from(be16(bytes, at + 2)?.max(2)).ok()?)?,
        }
    }
}

/// One of three kinds (RFC 9649 §2).
fn webp(bytes: &[u8]) -> Option<(u32, u32)> {
    let at = |index: usize| bytes.get(index).map(|byte| u32::from(*byte));
    match bytes.get(12..16)? {
        b"VP8X" => {
            let side = |from: usize| Some(1 + (at(from)? | at(from + 1)? << 8 | at(from + 2)? << 16));
            Some((side(24)?, side(27)?))
        }
        b"VP8 " => {
            if bytes.get(23..26)? != [0x9d, 0x01, 0x2a] {
                return None;
            }
            Some(((at(26)? | at(27)? << 8) & 0x3fff, (at(28)? | at(29)? << 8) & 0x3fff))
        }
        b"VP8L" => {
            if at(20)? != 0x2f {
                return None;
            }
            let bits = at(21)? | at(22)? << 8 | at(23)? << 16 | at(24)? << 24;
            Some((1 + (bits & 0x3fff), 1 + (bits >> 14 & 0x3fff)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a_png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes
    }

    #[test]
    fn pictures_are_known_by_their_first_bytes() {
        assert_eq!(look(&a_png(64, 48)), Ok(Looked { kind: "image/png", width: 64, height: 48 }));
        let jpeg = [0xff, 0xd8, 0xff, 0xe0, 0, 4, 0, 0, 0xff, 0xc2, 0, 17, 8, 0, 48, 0, 64, 3];
        assert_eq!(look(&jpeg), Ok(Looked { kind: "image/jpeg", width: 64, height: 48 }));
        let mut lossy = b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a".to_vec();
        lossy.extend([64, 0, 48, 0]);
        assert_eq!(look(&lossy), Ok(Looked { kind: "image/webp", width: 64, height: 48 }));
        let mut wide = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0".to_vec();
        wide.extend([63, 0, 0, 47, 0, 0]);
        assert_eq!(look(&wide), Ok(Looked { kind: "image/webp", width: 64, height: 48 }));
    }

    #[test]
    fn bombs_scripts_and_halves_are_not_passed_on() {
        assert_eq!(look(&a_png(65_000, 65_000)), Err(Unfit::Size));
        assert_eq!(look(&a_png(0, 5)), Err(Unfit::Size));
        for odd in
            [&b"<svg onload=alert(1)>"[..], b"GIF89a", b"", b"\x89PNG\r\n\x1a\n", b"RIFF1234WEBP", &[0xff, 0xd8, 0xff]]
        {
            assert_eq!(look(odd), Err(Unfit::Kind), "{odd:?}");
        }
        // Every beginning of a whole one, and every byte changed: no panic.
        let whole = a_png(64, 48);
        for end in 0..whole.len() {
            let _ = look(&whole[..end]);
        }
        let mut endless = vec![0xff, 0xd8, 0xff, 0xe0, 0, 0];
        endless.extend([0xff; 1000]);
        assert_eq!(look(&endless), Err(Unfit::Kind));
    }
}
