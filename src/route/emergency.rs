//! Emergency numbers by country: never throttled, never limited, always routed.
//!
//! Sources: ITU-T E.161.1 (112 and 911 for new numbers), the numbering plans published by the ITU (National Numbering
//! Plans, www.itu.int/oth/T0202), and the national regulators' lists of emergency numbers.

use crate::base::phone_number::NumberPlan;

/// 112 reaches help from every GSM network on earth (3GPP TS 22.101 §10.1), and in the European Union by law.
const EVERYWHERE: &[&str] = &["112"];

/// Where the country is not known.
const UNKNOWN: &[&str] = &["911", "999"];

/// Country calling codes, and what is dialled there besides 112.
const BY_COUNTRY: &[(&str, &[&str])] = &[
    ("1", &["911", "933", "988"]),
    ("7", &["101", "102", "103", "104"]),
    ("20", &["122", "123", "180"]),
    ("27", &["10111", "10177"]),
    ("30", &["100", "166", "199", "108"]),
    ("31", &["113"]),
    ("32", &["100", "101"]),
    ("33", &["15", "17", "18", "114", "115", "119", "191", "196"]),
    ("34", &["061", "062", "080", "085", "091", "092"]),
    ("36", &["104", "105", "107"]),
    ("39", &["113", "115", "117", "118"]),
    ("40", &["911"]),
    ("41", &["117", "118", "143", "144", "147", "1414"]),
    ("43", &["122", "128", "133", "140", "141", "142", "144", "147"]),
    ("44", &["999", "18000"]),
    ("47", &["110", "113"]),
    ("48", &["997", "998", "999"]),
    ("49", &["110"]),
    ("51", &["105", "106", "116", "911"]),
    ("52", &["911"]),
    ("54", &["911", "100", "101", "107"]),
    ("55", &["190", "192", "193", "911"]),
    ("56", &["131", "132", "133"]),
    ("57", &["123", "911"]),
    ("60", &["999"]),
    ("61", &["000", "106"]),
    ("62", &["110", "113", "118", "119"]),
    ("63", &["911"]),
    ("64", &["111"]),
    ("65", &["993", "995", "999"]),
    ("66", &["191", "199", "1669"]),
    ("81", &["110", "118", "119"]),
    ("82", &["119"]),
    ("84", &["113", "114", "115"]),
    ("86", &["110", "119", "120", "122"]),
    ("90", &["110", "155", "156"]),
    ("91", &["100", "101", "102", "108"]),
    ("92", &["15", "16", "1122"]),
    ("353", &["999"]),
    ("852", &["999", "992"]),
    ("886", &["110", "119"]),
    ("971", &["997", "998", "999"]),
    ("972", &["100", "101", "102"]),
];

/// Known as help far beyond the countries that have them, so that people dial them anywhere.
const FAMILIAR: &[&str] = &["110", "112", "911", "999"];

/// Digits that get a line out of a house.
const LINE: &[&str] = &["0", "9"];

/// Whether this may reach help, as it stands or behind digits that get a line or name a country, in a country of these plans or
/// where nobody knows which: for calls that a machine makes, which help must never be rung by. Better one too many.
pub fn may_be_help<'a>(dialled: &str, plans: impl Iterator<Item = &'a NumberPlan>) -> bool {
    let digits = dialled.strip_prefix('+').unwrap_or(dialled);
    let is_help = |digits: &str, country: Option<&str>| FAMILIAR.contains(&digits) || is_emergency(digits, country);
    let behind_line = |country: Option<&str>| {
        let lines = LINE.iter().filter_map(|line| digits.strip_prefix(line));
        std::iter::once(digits).chain(lines).any(|rest| is_help(rest, country))
    };
    let mut countries = plans.filter_map(|plan| plan.country.as_deref());
    let behind_country = |country: &str| {
        let abroad = ["", "00", "011"].iter().filter_map(|prefix| digits.strip_prefix(prefix));
        let within = abroad.filter_map(|rest| rest.strip_prefix(country));
        // Some write the 0 that is dialled within the country after its code, too.
        within.flat_map(|rest| [Some(rest), rest.strip_prefix('0')]).flatten().any(|rest| is_help(rest, Some(country)))
    };
    behind_line(None) || countries.any(|country| behind_line(Some(country)) || behind_country(country))
}

/// Whether what was dialled is an emergency number there.
pub fn is_emergency(dialled: &str, country: Option<&str>) -> bool {
    let dialled = dialled.split(';').next().unwrap_or_default();
    if EVERYWHERE.contains(&dialled) {
        return true;
    }
    match country {
        Some(country) => BY_COUNTRY.iter().any(|(code, numbers)| *code == country && numbers.contains(&dialled)),
        None => UNKNOWN.contains(&dialled),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_is_known_by_the_number_of_the_country() {
        assert!(is_emergency("112", None) && is_emergency("112", Some("49")) && is_emergency("112", Some("1")));
        assert!(is_emergency("911", Some("1")) && is_emergency("110", Some("49")) && is_emergency("999", Some("44")));
        assert!(is_emergency("911", None), "better one call too many");
        assert!(!is_emergency("911", Some("49")) && !is_emergency("110", Some("44")) && !is_emergency("1120", None));
        assert!(is_emergency("112;phone-context=+49", Some("49")));
    }

    #[test]
    fn help_is_known_behind_what_gets_a_line_or_names_a_country() {
        let home = NumberPlan { country: Some("49".into()), ..NumberPlan::default() };
        for dialled in
            ["112", "0112", "9112", "911", "9911", "110", "0110", "+49110", "0049112", "49112", "+490110", "999"]
        {
            assert!(may_be_help(dialled, [&home].into_iter()), "{dialled}");
        }
        assert!(may_be_help("110", [].into_iter()) && may_be_help("911", [].into_iter()));
        for dialled in ["1120", "204", "2110", "+4930112", "+49030112", "030112", "+49301120911", "482911"] {
            assert!(!may_be_help(dialled, [&home].into_iter()), "{dialled}");
        }
    }
}
