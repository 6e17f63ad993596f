//! What a dialled or calling number is compared with: exact, a beginning, a range, anything.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::base::PhoneNumber;

/// What a number or user part is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// `*`: anything, even nothing.
    Any,
    /// `anonymous`: nothing; a caller who withholds the number.
    Withheld,
    /// `+4930901820`, `101`, `meet`: exactly this.
    Exact(String),
    /// `+4930*`, `00*`, `meet*`: whatever begins with this.
    Prefix(String),
    /// `100-199`, `+49309018000-+49309018999`: digits of equal length between the two, both included.
    Range {
        /// Whether both were written with `+`.
        plus: bool,
        /// The first.
        from: String,
        /// The last.
        to: String,
    },
}

impl Pattern {
    /// Whether it holds for what was sent, or for what that is as a telephone number.
    pub fn holds(&self, user: &str, number: Option<&PhoneNumber>) -> bool {
        let digits = number.map(PhoneNumber::digits);
        let either = |text: &str, fits: &dyn Fn(&str, &str) -> bool| match (text.strip_prefix('+'), digits) {
            (Some(own), Some(digits)) => fits(digits, own),
            (Some(_), None) => fits(user, text),
            (None, _) => fits(user, text),
        };
        match self {
            Pattern::Any => true,
            Pattern::Withheld => user.is_empty(),
            Pattern::Exact(text) => either(text, &|a, b| a == b),
            Pattern::Prefix(text) => either(text, &|a, b| a.starts_with(b)),
            Pattern::Range { plus, from, to } => {
                let subject = if *plus { digits.unwrap_or_default() } else { user };
                // Of equal length, so that the order of texts is the order of numbers.
                subject.len() == from.len()
                    && subject.bytes().all(|c| c.is_ascii_digit())
                    && from.as_str() <= subject
                    && subject <= to.as_str()
            }
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pattern::Any => f.write_str("*"),
            Pattern::Withheld => f.write_str("anonymous"),
            Pattern::Exact(text) => f.write_str(text),
            Pattern::Prefix(text) => write!(f, "{text}*"),
            Pattern::Range { plus: true, from, to } => write!(f, "+{from}-+{to}"),
            Pattern::Range { plus: false, from, to } => write!(f, "{from}-{to}"),
        }
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text == "*" {
            return Ok(Pattern::Any);
        }
        if text.eq_ignore_ascii_case("anonymous") {
            return Ok(Pattern::Withheld);
        }
        if let Some(range) = range(text) {
            return range;
        }
        let (body, prefix) = match text.strip_suffix('*') {
            Some(body) => (body, true),
            None => (text, false),
        };
        let fine = |c: char| c.is_ascii_graphic() && !"@:;<>\"*".contains(c);
        // A star may begin what people dial, as in `*98`.
        let (star, rest) = match body.strip_prefix('*') {
            Some(rest) => (true, rest),
            None => (false, body),
        };
        if body.is_empty() || body.len() > 64 || !rest.chars().all(fine) || (star && rest.is_empty()) {
            return Err(format!("`{text}` is no pattern: write +4930901820, +4930*, 100-199, meet, anonymous or *"));
        }
        if let Some(digits) = body.strip_prefix('+')
            && !digits.bytes().all(|c| c.is_ascii_digit())
        {
            return Err(format!("`{text}`: only digits follow a +"));
        }
        Ok(if prefix { Pattern::Prefix(body.to_owned()) } else { Pattern::Exact(body.to_owned()) })
    }
}

/// Two numbers with a hyphen between them; none where it is something else, such as a name with a hyphen.
fn range(text: &str) -> Option<Result<Pattern, String>> {
    let (from, to) = text.split_once('-')?;
    let plus = (from.starts_with('+'), to.starts_with('+'));
    let (from, to) = (from.strip_prefix('+').unwrap_or(from), to.strip_prefix('+').unwrap_or(to));
    let digits = |text: &str| !text.is_empty() && text.len() <= 15 && text.bytes().all(|c| c.is_ascii_digit());
    if !digits(from) || !digits(to) {
        return None;
    }
    if plus.0 != plus.1 || from.len() != to.len() || from > to {
        return Some(Err(format!("`{text}` is no range: both ends have as many digits, and the first is the smaller")));
    }
    Some(Ok(Pattern::Range { plus: plus.0, from: from.to_owned(), to: to.to_owned() }))
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(pattern: &str, user: &str) -> bool {
        let number = PhoneNumber::normalise(
            user,
            &crate::base::phone_number::NumberPlan {
                country: Some("49".into()),
                national_prefix: Some("0".into()),
                international_prefix: Some("00".into()),
            },
        );
        pattern.parse::<Pattern>().unwrap().holds(user, number.as_ref())
    }

    #[test]
    fn a_number_fits_however_it_was_dialled_and_a_user_only_as_it_stands() {
        for user in ["+4930901820", "030901820", "004930901820"] {
            assert!(holds("+4930901820", user), "{user}");
            assert!(holds("+4930*", user), "{user}");
            assert!(holds("+4930901000-+4930901999", user), "{user}");
            assert!(!holds("+4931*", user), "{user}");
        }
        assert!(holds("00*", "004930901820"), "as dialled");
        assert!(!holds("00*", "+4930901820"));
        assert!(holds("meet*", "meeting") && !holds("meet", "meeting") && !holds("meet", "Meet"));
        assert!(holds("100-199", "100") && holds("100-199", "199") && !holds("100-199", "200"));
        assert!(!holds("100-199", "1500") && !holds("100-199", "15"), "of equal length only");
        assert!(holds("*98", "*98") && holds("*9*", "*98"));
        assert!(holds("*", "") && holds("anonymous", "") && !holds("anonymous", "x"));
    }

    #[test]
    fn a_pattern_reads_back_and_nonsense_is_refused() {
        for text in ["*", "anonymous", "+49*", "101", "100-199", "+491-+499", "meet", "mail-box", "*98", "*9*"] {
            assert_eq!(text.parse::<Pattern>().map(|p| p.to_string()).as_deref(), Ok(text));
        }
        for text in ["", "**", "+49x", "199-100", "1-22", "+1-2", "a b", "a*b", "sip:x"] {
            assert!(text.parse::<Pattern>().is_err(), "{text}");
        }
    }
}
