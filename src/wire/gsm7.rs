//! How long a text message is (3GPP TS 23.038 §6.2, TS 23.040 §9.2.3.24.1): seven-bit characters of the default alphabet and
//! its extension, or UCS-2 where one character is in neither.
//!
//! ```text
//! one message  160 septets of GSM-7 | 70 units of UCS-2
//! parts of it  153 septets          | 67 units            a header of six octets tells which part
//! ```

/// The default alphabet without its escape (TS 23.038 §6.2.1).
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";

/// Characters that take an escape and a septet (TS 23.038 §6.2.1.1).
const EXTENSION: &str = "\u{c}^{}\\[~]|€";

/// Septets of a whole message and of one part of a longer one.
const SEPTETS: (usize, usize) = (160, 153);

/// UCS-2 units of a whole message and of one part of a longer one.
const UNITS: (usize, usize) = (70, 67);

/// How a text is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alphabet {
    /// Seven bits a character.
    Gsm7,
    /// Sixteen bits a unit.
    Ucs2,
}

/// How long a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length {
    /// In which alphabet.
    pub alphabet: Alphabet,
    /// Septets or UCS-2 units.
    pub units: usize,
    /// Messages that are sent and paid.
    pub segments: usize,
}

/// Septets that one character takes; none where it is in neither table.
pub fn septets_of(character: char) -> Option<usize> {
    if BASIC.contains(character) {
        Some(1)
    } else if EXTENSION.contains(character) {
        Some(2)
    } else {
        None
    }
}

/// Septets of a text; none where a character of it is in neither table.
pub fn septets(text: &str) -> Option<usize> {
    text.chars().map(septets_of).sum()
}

/// Whether a text is one message of seven-bit characters.
pub fn is_one_message(text: &str) -> bool {
    septets(text).is_some_and(|septets| septets <= SEPTETS.0)
}

/// How long a text is; an escape and its septet, or the halves of a surrogate pair, are in one part.
pub fn length(text: &str) -> Length {
    match septets(text) {
        Some(units) => {
            let each = text.chars().filter_map(septets_of);
            Length { alphabet: Alphabet::Gsm7, units, segments: segments(each, units, SEPTETS) }
        }
        None => {
            let units = text.chars().map(char::len_utf16).sum();
            Length {
                alphabet: Alphabet::Ucs2,
                units,
                segments: segments(text.chars().map(char::len_utf16), units, UNITS),
            }
        }
    }
}

fn segments(each: impl Iterator<Item = usize>, units: usize, (whole, part): (usize, usize)) -> usize {
    if units <= whole {
        return 1;
    }
    let (mut parts, mut filled) = (1, 0);
    for size in each {
        if filled + size > part {
            (parts, filled) = (parts + 1, 0);
        }
        filled += size;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_alphabet_has_every_character_once() {
        let mut seen: Vec<char> = BASIC.chars().chain(EXTENSION.chars()).collect();
        // 128 places less the escape, and the ten of the extension.
        assert_eq!(seen.len(), 137);
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 137);
    }

    #[test]
    fn brackets_and_the_euro_cost_two_septets() {
        assert_eq!(septets("5 €"), Some(4));
        assert_eq!(septets("[x]"), Some(5));
        assert_eq!(septets("Grüße, à bientôt"), None, "ô is in neither table");
        assert_eq!(septets("Grüße, voilà"), Some(12));
        assert_eq!(septets("ça va"), None, "only the capital cedilla is in the table");
    }

    #[test]
    fn a_text_is_one_message_up_to_160_septets() {
        let full = "a".repeat(160);
        assert!(is_one_message(&full));
        assert!(!is_one_message(&format!("{full}a")));
        assert!(!is_one_message(&format!("{}€", "a".repeat(159))));
        assert!(!is_one_message("会议"), "one message, but not of seven bits");
        assert_eq!(length(&full), Length { alphabet: Alphabet::Gsm7, units: 160, segments: 1 });
        assert_eq!(length(&"a".repeat(161)).segments, 2);
        assert_eq!(length(&"a".repeat(306)).segments, 2);
        assert_eq!(length(&"a".repeat(307)).segments, 3);
    }

    #[test]
    fn an_escape_and_its_septet_are_not_parted() {
        // 152 characters, then pairs: the first part ends one septet early.
        let text = format!("{}{}", "a".repeat(152), "€".repeat(77));
        assert_eq!(septets(&text), Some(306));
        assert_eq!(length(&text).segments, 3);
    }

    #[test]
    fn other_scripts_have_seventy_units() {
        assert_eq!(length(&"会".repeat(70)), Length { alphabet: Alphabet::Ucs2, units: 70, segments: 1 });
        assert_eq!(length(&"会".repeat(71)).segments, 2);
        assert_eq!(length(&"😀".repeat(36)), Length { alphabet: Alphabet::Ucs2, units: 72, segments: 2 });
        assert_eq!(length(""), Length { alphabet: Alphabet::Gsm7, units: 0, segments: 1 });
    }
}
