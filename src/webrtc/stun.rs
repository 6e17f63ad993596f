//! Who a STUN request is for, without reading more of it than that: strangers are to cost little.

/// Bytes before the attributes (RFC 8489 §5).
const HEADER: usize = 20;
/// What tells STUN from what came before it.
const MAGIC: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
/// The attribute that names both sides.
const USERNAME: u16 = 0x0006;
/// The attribute by which a check chooses the way it came by (RFC 8445 §16.1).
const USE_CANDIDATE: u16 = 0x0025;
/// Attributes looked at before it is given up. Browsers send the name first or second.
const ATTRIBUTES: usize = 16;

/// Whether this is STUN, by its first byte and cookie (RFC 7983 §7).
pub fn is_stun(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| *first < 4) && datagram.get(4..8) == Some(&MAGIC)
}

/// The part of a binding request's USERNAME that its receiver made (RFC 8445 §7.2.2): before the colon.
pub fn addressee(datagram: &[u8]) -> Option<&str> {
    // Class request, method binding.
    if datagram.get(..2)? != [0, 1] {
        return None;
    }
    let (_, name) = attributes(datagram).find(|(kind, _)| *kind == USERNAME)?;
    std::str::from_utf8(name).ok()?.split_once(':').map(|(ours, _)| ours)
}

/// Whether the browser chooses the way by which this check came.
pub fn nominates(datagram: &[u8]) -> bool {
    attributes(datagram).any(|(kind, _)| kind == USE_CANDIDATE)
}

/// The attributes as far as they are whole (RFC 8489 §14).
fn attributes(datagram: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = datagram.get(HEADER..).unwrap_or_default();
    let next = move || {
        let [kind0, kind1, length0, length1] = *rest.first_chunk()?;
        let length = usize::from(u16::from_be_bytes([length0, length1]));
        let value = rest.get(4..4 + length)?;
        rest = rest.get(4 + length.next_multiple_of(4)..).unwrap_or_default();
        Some((u16::from_be_bytes([kind0, kind1]), value))
    };
    std::iter::from_fn(next).take(ATTRIBUTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        bytes.extend([7; 12]);
        for (kind, value) in attributes {
            bytes.extend(kind.to_be_bytes());
            bytes.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
            bytes.extend(*value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes
    }

    #[test]
    fn a_check_names_whom_it_is_for_before_the_colon() {
        let bytes = request(&[(0x0024, &[0, 0, 0, 1]), (0x0006, b"ours1:theirs")]);
        assert!(is_stun(&bytes));
        assert_eq!(addressee(&bytes), Some("ours1"));
        assert!(!nominates(&bytes));
        assert!(nominates(&request(&[(0x0006, b"ours1:theirs"), (0x0025, b"")])));
    }

    #[test]
    fn what_is_cut_off_or_lies_about_its_length_names_nobody() {
        let bytes = request(&[(0x8022, b"abc"), (0x0006, b"ours:theirs")]);
        // The last byte is padding.
        for cut in 0..bytes.len() - 1 {
            assert_eq!(addressee(&bytes[..cut]), None, "cut at {cut}");
        }
        let mut lying = request(&[(0x0006, b"ours:theirs")]);
        lying[23] = 200;
        assert_eq!(addressee(&lying), None);
        assert_eq!(addressee(&request(&[(0x0006, b"no colon")])), None);
        assert_eq!(addressee(&request(&[(0x0006, &[0xff, 0xfe, b':', b'x'])])), None);
    }

    #[test]
    fn rtp_and_answers_are_no_requests() {
        assert!(!is_stun(&[0x80; 24]));
        let mut answer = request(&[(0x0006, b"a:b")]);
        answer[0] = 1;
        assert_eq!(addressee(&answer), None);
    }
}
