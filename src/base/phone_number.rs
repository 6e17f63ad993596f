//! E.164 numbers: normalised once, compared as digits, printed masked.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A telephone number in E.164: 3 to 15 digits, the first not zero. `Display` and `Debug` mask all but the
/// last two digits; [`PhoneNumber::e164`] is for those with the right to see it, the wire and the store.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhoneNumber(String);

/// How numbers without a `+` are to be read on a trunk.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct NumberPlan {
    /// Country calling code for national numbers, for example `49`; none means that digits are already E.164.
    pub country: Option<String>,
    /// What precedes a national number, `0` in most of Europe, `1` in North America, often nothing.
    pub national_prefix: Option<String>,
    /// What precedes an international number, `00` or `011`.
    pub international_prefix: Option<String>,
}

impl PhoneNumber {
    /// Reads a number that must already be E.164, with or without `+`.
    pub fn parse(text: &str) -> Option<Self> {
        Self::normalise(text, &NumberPlan::default())
    }

    /// Reads what a carrier or a person wrote: visual separators (RFC 3966) are dropped, prefixes
    /// are applied by the plan. `None` for what is not a telephone number (`alice`, `anonymous`, 2 digits).
    pub fn normalise(text: &str, plan: &NumberPlan) -> Option<Self> {
        let text = text.split(';').next().unwrap_or_default().trim();
        let (plus, rest) = match text.strip_prefix('+') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let mut digits = String::with_capacity(rest.len());
        for c in rest.chars() {
            match c {
                '0'..='9' => digits.push(c),
                '-' | '.' | '(' | ')' | ' ' => {}
                _ => return None,
            }
        }
        let full = if plus {
            digits
        } else {
            let international = plan
                .international_prefix
                .as_deref()
                .filter(|prefix| !prefix.is_empty())
                .and_then(|prefix| digits.strip_prefix(prefix));
            match (international, plan.country.as_deref()) {
                (Some(rest), _) => rest.to_owned(),
                (None, None) => digits,
                (None, Some(country)) => match plan.national_prefix.as_deref().filter(|prefix| !prefix.is_empty()) {
                    Some(prefix) => match digits.strip_prefix(prefix) {
                        Some(rest) => format!("{country}{rest}"),
                        None if digits.starts_with(country) => digits,
                        None => format!("{country}{digits}"),
                    },
                    None => format!("{country}{digits}"),
                },
            }
        };
        let valid = (3..=15).contains(&full.len()) && !full.starts_with('0');
        valid.then_some(Self(full))
    }

    /// The number as `+` and digits.
    pub fn e164(&self) -> String {
        format!("+{}", self.0)
    }

    /// The digits without `+`.
    pub fn digits(&self) -> &str {
        &self.0
    }

    /// The number with all but its last two digits hidden: `+•••••••••23`.
    pub fn masked(&self) -> String {
        let hidden = self.0.len().saturating_sub(2);
        format!("+{}{}", "•".repeat(hidden), self.last(2))
    }

    /// The last `count` digits.
    pub fn last(&self, count: usize) -> &str {
        self.0.get(self.0.len().saturating_sub(count)..).unwrap_or_default()
    }
}

/// Digits from which on what was dialled is somebody's number outside, rather than a number of the house.
const OUTSIDE: usize = 7;

/// What was dialled, as strangers to it may see it: somebody's number outside but for its last two digits, and a number or
/// user of the house as it is.
pub fn masked_dialled(dialled: &str) -> String {
    let digits = dialled.bytes().filter(u8::is_ascii_digit).count();
    if digits < OUTSIDE {
        return dialled.to_owned();
    }
    let length = dialled.chars().count();
    let shown = |(at, c): (usize, char)| if (at == 0 && c == '+') || at + 2 >= length { c } else { '•' };
    dialled.chars().enumerate().map(shown).collect()
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl Serialize for PhoneNumber {
    /// Writes the whole number: whoever serialises decides who may read it.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.e164())
    }
}

impl<'de> Deserialize<'de> for PhoneNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not an E.164 number"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(country: &str, national: &str, international: &str) -> NumberPlan {
        NumberPlan {
            country: Some(country.into()),
            national_prefix: Some(national.into()),
            international_prefix: Some(international.into()),
        }
    }

    #[test]
    fn a_number_outside_is_hidden_and_one_of_the_house_is_not() {
        for (dialled, seen) in
            [("+4930901820", "+••••••••20"), ("030901820", "•••••••20"), ("101", "101"), ("anna", "anna"), ("", "")]
        {
            assert_eq!(masked_dialled(dialled), seen);
        }
    }

    #[test]
    fn one_number_however_the_carrier_writes_it() {
        let german = plan("49", "0", "00");
        for text in [
            "+49 30 901820",
            "+4930901820",
            "030901820",
            "004930901820",
            "030/901820".replace('/', "-").as_str(),
            "4930901820",
        ] {
            assert_eq!(
                PhoneNumber::normalise(text, &german).map(|n| n.e164()).as_deref(),
                Some("+4930901820"),
                "{text}"
            );
        }
        let american = plan("1", "1", "011");
        for text in
            ["+15551234567", "15551234567", "5551234567", "(555) 123-4567", "01115551234567", "+15551234567;npdi"]
        {
            assert_eq!(
                PhoneNumber::normalise(text, &american).map(|n| n.e164()).as_deref(),
                Some("+15551234567"),
                "{text}"
            );
        }
        assert_eq!(PhoneNumber::parse("15551234567").map(|n| n.e164()).as_deref(), Some("+15551234567"));
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in ["", "+", "anonymous", "alice", "12", "+0301234", "1234567890123456", "+49x"] {
            assert_eq!(PhoneNumber::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_number_prints_masked() {
        let number = PhoneNumber::parse("+15551234567");
        assert_eq!(number.map(|n| format!("{n} {n:?}")).as_deref(), Some("+•••••••••67 +•••••••••67"));
    }
}
