//! Beginnings of numbers whose calls cost a multiple of others, or whose money goes to whoever makes the calls.
//!
//! Sources: ITU-T List of assigned country codes (satellite and international networks, international premium rate);
//! the numbering plans of the national regulators (Bundesnetzagentur, Ofcom, ARCEP, FCC/NANPA and others) for premium
//! ranges; for international revenue share fraud the destinations that the CFCA's Global Fraud Loss Survey and the GSMA
//! and Europol warnings on such fraud name year after year, small states whose numbers are hardly ever called for real.
//! One entry too many: an operator names the country in `countries`. One too few: a night of stolen calls is paid.

use crate::base::PhoneNumber;

/// Why calls there are dear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Risk {
    /// By satellite.
    Satellite,
    /// A network without a country, or a service sold across countries.
    International,
    /// Charged by who is called.
    Premium,
    /// Named again and again where revenue share fraud ends.
    RevenueShare,
}

impl Risk {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Risk::Satellite => "a satellite number",
            Risk::International => "an international network or service",
            Risk::Premium => "a premium number",
            Risk::RevenueShare => "a destination known for revenue share fraud",
        }
    }
}

/// The risk of calling there and the beginning that says so, the longest one that fits.
pub fn risk(number: &PhoneNumber) -> Option<(&'static str, Risk)> {
    let digits = number.digits();
    let without = TRUNK_ZERO.iter().find_map(|country| {
        let rest = digits.strip_prefix(country)?.strip_prefix('0')?;
        Some(format!("{country}{}", rest.trim_start_matches('0')))
    });
    begins(digits).or_else(|| begins(&without?))
}

fn begins(digits: &str) -> Option<(&'static str, Risk)> {
    let of = |prefixes: &'static [&'static str], risk: Risk| {
        prefixes.iter().copied().filter(move |prefix| digits.starts_with(prefix)).map(move |prefix| (prefix, risk))
    };
    of(SATELLITE, Risk::Satellite)
        .chain(of(INTERNATIONAL, Risk::International))
        .chain(of(PREMIUM, Risk::Premium))
        .chain(of(REVENUE_SHARE, Risk::RevenueShare))
        .max_by_key(|(prefix, _)| prefix.len())
}

/// Countries of the list below whose own numbers never begin with the zero that is dialled before them at home: carriers let it
/// pass, as in +49 (0) 900, so that it hides nothing. Not Italy, whose numbers do begin with it.
const TRUNK_ZERO: &[&str] =
    &["31", "32", "33", "358", "359", "380", "40", "41", "43", "44", "46", "49", "61", "64", "81", "90"];

/// Inmarsat, the global mobile satellite systems, the mobile maritime codes that were.
const SATELLITE: &[&str] = &["870", "871", "872", "873", "874", "881"];

/// Shared cost, universal personal, networks, premium rate; 800 (freephone) costs the called side and is not here.
const INTERNATIONAL: &[&str] = &["808", "878", "882", "883", "888", "979"];

const PREMIUM: &[&str] = &[
    // Germany: 0900, 0137, 0180, 0190, 118, and 010 before a number, which chooses who charges for it.
    "49900", "49137", "49180", "49190", "49118", "4910",
    // United Kingdom: 09, 070 (personal numbers), 084 and 087 (service charge).
    "449", "4470", "4484", "4487",
    // North America: 900. The Caribbean members of the plan stand with the revenue share destinations.
    "1900", // Austria: 0900, 0901, 0930, 0931, 0939, 0810, 0820 and 0821.
    "43900", "43901", "43930", "43931", "43939", "43820", "43821", // Switzerland: 0900, 0901, 0906.
    "41900", "41901", "41906", // France: 089.
    "3389",  // Italy: 144, 166, 178, 199, 892, 893, 894, 895, 899.
    "39144", "39166", "39178", "39199", "39892", "39893", "39894", "39895", "39899",
    // Spain: 803, 806, 807, 901, 902, 905, 907.
    "34803", "34806", "34807", "34901", "34902", "34905", "34907",
    // Portugal: 601, 607, 608, 609, 707, 760 to 762.
    "351601", "351607", "351608", "351609", "351707", "351760", "351761", "351762",
    // Netherlands: 0900, 0906, 0909.
    "31900", "31906", "31909", // Belgium: 0900 to 0909.
    "3290",  // Luxembourg: 900 to 905.
    "352900", "352901", "352905",
    // Denmark: 90. Norway: 820, 829. Sweden: 0900, 0939, 0944. Finland: 0600, 0700.
    "4590", "47820", "47829", "46900", "46939", "46944", "358600", "358700",
    // Poland: 70. Czechia: 900, 906, 909. Hungary: 0690. Romania: 090. Greece: 90.
    "4870", "420900", "420906", "420909", "3690", "4090", "3090",
    // Latvia: 90. Lithuania: 90. Estonia: 900. Bulgaria: 090. Ukraine: 0900. Russia: 803, 809.
    "37190", "37090", "372900", "35990", "380900", "7803", "7809",
    // Australia: 190. New Zealand: 0900. Japan: 0570, 0990. Israel: 1900. Turkey: 0900. Brazil: 0900. Mexico: 900.
    "61190", "64900", "81570", "81990", "9721900", "90900", "55900", "52900",
];

const REVENUE_SHARE: &[&str] = &[
    // Members of the North American plan outside the United States and Canada: they look like home and are not.
    "1242", "1246", "1264", "1268", "1284", "1345", "1441", "1473", "1649", "1658", "1664", "1721", "1758", "1767",
    "1784", "1809", "1829", "1849", "1868", "1869", "1876", // Africa.
    "216", "220", "222", "224", "226", "231", "232", "235", "236", "239", "240", "243", "245", "246", "247", "248",
    "252", "253", "257", "261", "263", "269", "290", "291", // Cuba, Haiti, the Falklands, Guyana, Suriname.
    "53", "500", "509", "592", "597", // The Pacific.
    "670", "672", "674", "675", "676", "677", "678", "680", "681", "682", "683", "685", "686", "687", "688", "689",
    "690", "691", "692", // North Korea, the Maldives, Tajikistan.
    "850", "960", "992",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn of(number: &str) -> Option<Risk> {
        risk(&PhoneNumber::parse(number).unwrap()).map(|(_, risk)| risk)
    }

    #[test]
    fn dear_numbers_are_known_and_ordinary_ones_are_not() {
        assert_eq!(of("+881612345678"), Some(Risk::Satellite));
        assert_eq!(of("+870771234567"), Some(Risk::Satellite));
        assert_eq!(of("+882161234567"), Some(Risk::International));
        assert_eq!(of("+883510001234"), Some(Risk::International));
        assert_eq!(of("+4990012345678"), Some(Risk::Premium));
        assert_eq!(of("+449012345678"), Some(Risk::Premium));
        assert_eq!(of("+19005551234"), Some(Risk::Premium));
        assert_eq!(of("+18765551234"), Some(Risk::RevenueShare));
        assert_eq!(of("+2324412345"), Some(Risk::RevenueShare));
        for number in
            ["+4930901820", "+4915112345678", "+442079460000", "+447700900123", "+12025550123", "+33142278186"]
        {
            assert_eq!(of(number), None, "{number}");
        }
    }

    #[test]
    fn the_zero_of_home_after_the_country_hides_nothing() {
        for number in ["+490900123456", "+4900900123456", "+440901234567", "+410900123456"] {
            assert_eq!(of(number), Some(Risk::Premium), "{number}");
        }
        assert_eq!(of("+490103300441234"), Some(Risk::Premium), "whoever charges was chosen by the caller");
        assert_eq!(of("+49103300441234"), Some(Risk::Premium));
        for number in ["+39014412345", "+49030901820", "+440207946000"] {
            assert_eq!(of(number), None, "{number}");
        }
    }

    #[test]
    fn every_entry_is_digits_and_stands_once() {
        let all: Vec<&str> = [SATELLITE, INTERNATIONAL, PREMIUM, REVENUE_SHARE].concat();
        for (index, prefix) in all.iter().enumerate() {
            assert!(prefix.len() >= 2 && prefix.bytes().all(|c| c.is_ascii_digit()), "{prefix}");
            assert!(!all[..index].contains(prefix), "{prefix} stands twice");
        }
    }
}
