//! Base64 in the alphabet of URLs, without padding (RFC 4648 §5), as JSON web signatures write it (RFC 7515 §2); and in the
//! usual one.

/// Reads a text; none where it is not base64url. Padding, which some signers add, is passed over.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    if text.len() % 4 == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut held, mut bits) = (0u32, 0u32);
    for c in text.bytes() {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        held = (held << 6) | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((held >> bits) & 0xff).unwrap_or(0));
        }
    }
    Some(bytes)
}

/// Writes bytes.
pub fn encode(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let at = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let held = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..=group.len() {
            let value = (held >> (18 - 6 * place)) & 63;
            text.push(char::from(ALPHABET.get(value as usize).copied().unwrap_or(b'A')));
        }
    }
    text
}

/// Writes bytes in base64's first alphabet, with padding (RFC 4648 §4).
pub fn encode_padded(bytes: &[u8]) -> String {
    let mut text = encode(bytes).replace('-', "+").replace('_', "/");
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

/// Reads base64 in its first alphabet; none where it is not. Space around it, and the lack of padding, is passed over.
pub fn decode_padded(text: &str) -> Option<Vec<u8>> {
    decode(&text.trim().replace('+', "-").replace('/', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_and_garbage_does_not() {
        for length in 0..70u8 {
            let bytes: Vec<u8> = (0..length).map(|n| n.wrapping_mul(37) ^ 0xa5).collect();
            assert_eq!(decode(&encode(&bytes)).as_deref(), Some(bytes.as_slice()));
        }
        assert_eq!(encode(b"\xfb\xff"), "-_8");
        assert_eq!(decode("-_8=").as_deref(), Some(&b"\xfb\xff"[..]));
        assert_eq!(encode_padded(b"\xfb\xff"), "+/8=");
        assert_eq!(decode_padded(" +/8= ").as_deref(), Some(&b"\xfb\xff"[..]));
        for text in ["A", "AB*D", "AB+/", "ABCDE"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
