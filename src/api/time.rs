//! Times in query parameters: RFC 3339, or milliseconds since 1970.

use crate::base::Utc;

/// Reads `2026-03-01T12:00:00Z`, with fractions and offsets, or milliseconds since 1970.
pub fn parse(text: &str) -> Option<Utc> {
    if let Ok(millis) = text.parse::<i64>() {
        return Some(Utc(millis));
    }
    let (date, rest) = text.split_at_checked(10)?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let [year, month, day] = numbers(date, '-')?;
    let (clock, rest) = rest.split_at_checked(8)?;
    let [hour, minute, second] = numbers(clock, ':')?;
    let (millis, zone) = match rest.strip_prefix('.') {
        Some(rest) => {
            let end = rest.find(|c: char| !c.is_ascii_digit())?;
            let (digits, zone) = rest.split_at_checked(end)?;
            let digits: String = digits.chars().chain("000".chars()).take(3).collect();
            (digits.parse::<i64>().ok()?, zone)
        }
        None => (0, rest),
    };
    let offset = match zone {
        "Z" | "z" => 0,
        // A `+` in a query arrives as a space where it was not escaped.
        zone => {
            let sign = if zone.starts_with('-') { -1 } else { 1 };
            let [hours, minutes] = numbers(zone.strip_prefix(['+', '-', ' '])?, ':')?;
            sign * (hours * 60 + minutes)
        }
    };
    let valid = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    valid.then(|| {
        let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset * 60;
        Utc(seconds * 1000 + millis)
    })
}

fn numbers<const N: usize>(text: &str, separator: char) -> Option<[i64; N]> {
    let parts: Vec<i64> = text
        .split(separator)
        .map(|part| part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok()).flatten())
        .collect::<Option<_>>()?;
    parts.try_into().ok()
}

/// Days since 1970-01-01 of a civil date (Howard Hinnant's algorithm).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_reads_as_it_prints() {
        for millis in [0, 1_709_210_096_789, -1, 1_795_219_200_000] {
            assert_eq!(parse(&Utc(millis).to_string()), Some(Utc(millis)));
        }
        assert_eq!(parse("2024-02-29T13:34:56+01:00"), Some(Utc(1_709_210_096_000)));
        assert_eq!(parse("2024-02-29T13:34:56 01:00"), Some(Utc(1_709_210_096_000)));
        assert_eq!(parse("1709210096789"), Some(Utc(1_709_210_096_789)));
        for text in
            ["", "yesterday", "2024-13-01T00:00:00Z", "2024-01-01", "2024-01-01T00:00:00", "2024-01-01T00:00:00.Zé"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
