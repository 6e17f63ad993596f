//! Office hours: days and times of day in the time of a place, its summer time included.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::base::Utc;

/// When a rule holds. Everything given must fit; what is left empty always does.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
pub struct Hours {
    /// The place whose time it is: `Europe/Berlin`; UTC where none is given.
    #[cfg_attr(feature = "node", schema(value_type = String, example = "Europe/Berlin"))]
    pub zone: Zone,
    /// Days of the week.
    pub weekdays: Vec<Day>,
    /// Times of day, `08:00-17:30`; one that ends before it begins goes on past midnight and belongs to the day it
    /// began.
    #[cfg_attr(feature = "node", schema(value_type = Vec<String>, example = json!(["08:00-12:00", "13:00-17:30"])))]
    pub times: Vec<Span>,
    /// Days of the year, `2026-12-24` or `2026-12-24/2027-01-01`.
    #[cfg_attr(feature = "node", schema(value_type = Vec<String>, example = json!(["2026-12-24/2027-01-01"])))]
    pub dates: Vec<Dates>,
    /// The rule holds whenever all this does not.
    pub outside: bool,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "node", derive(utoipa::ToSchema))]
#[allow(missing_docs, reason = "days need no explanation")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// A time zone by its name in the IANA database.
#[derive(Clone, PartialEq)]
pub struct Zone {
    name: String,
    rules: TimeZone,
}

/// Times of day from the first minute up to, and without, the last; in minutes since midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    from: u16,
    until: u16,
}

/// Days of the year, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dates {
    first: Date,
    last: Date,
}

const MIDNIGHT: u16 = 24 * 60;

impl Hours {
    /// Whether it holds at this moment.
    pub fn hold(&self, at: Utc) -> bool {
        self.outside != self.inside(&self.zone.local(at))
    }

    /// What is the time there, for explanations: `Thu 2026-01-01 09:05 Europe/Berlin`.
    pub fn clock(&self, at: Utc) -> String {
        let local = self.zone.local(at);
        let day = Day::from(local.weekday());
        format!("{day:?} {} {:02}:{:02} {}", local.date(), local.hour(), local.minute(), self.zone)
    }

    fn inside(&self, local: &DateTime) -> bool {
        let minute = u16::try_from(i32::from(local.hour()) * 60 + i32::from(local.minute())).unwrap_or(0);
        let today = local.date();
        let fits = |day: Date| {
            (self.weekdays.is_empty() || self.weekdays.contains(&Day::from(day.weekday())))
                && (self.dates.is_empty() || self.dates.iter().any(|dates| dates.first <= day && day <= dates.last))
        };
        if self.times.is_empty() {
            return fits(today);
        }
        self.times.iter().any(|span| {
            if span.from < span.until {
                span.from <= minute && minute < span.until && fits(today)
            } else {
                (span.from <= minute && fits(today)) || (minute < span.until && today.yesterday().is_ok_and(fits))
            }
        })
    }
}

impl From<Weekday> for Day {
    fn from(day: Weekday) -> Self {
        match day {
            Weekday::Monday => Day::Mon,
            Weekday::Tuesday => Day::Tue,
            Weekday::Wednesday => Day::Wed,
            Weekday::Thursday => Day::Thu,
            Weekday::Friday => Day::Fri,
            Weekday::Saturday => Day::Sat,
            Weekday::Sunday => Day::Sun,
        }
    }
}

impl Zone {
    /// The moment that is meant by a date and time: RFC 3339 with an offset, or without one the time at this place. What a
    /// change of the clocks leaves out or has twice is the later moment, or the earlier.
    pub fn moment(&self, text: &str) -> Option<Utc> {
        let stamp = match text.parse::<Timestamp>() {
            Ok(stamp) => stamp,
            Err(_) => self.rules.to_timestamp(text.parse::<DateTime>().ok()?).ok()?,
        };
        Some(Utc(stamp.as_millisecond()))
    }

    fn local(&self, at: Utc) -> DateTime {
        let time = Timestamp::from_millisecond(at.0).unwrap_or(Timestamp::UNIX_EPOCH);
        self.rules.to_datetime(time)
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self { name: "UTC".to_owned(), rules: TimeZone::UTC }
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("UTC") || text.is_empty() {
            return Ok(Self::default());
        }
        let unknown = |_| format!("`{text}` is no time zone: write a name such as Europe/Berlin");
        let rules = TimeZoneDatabase::bundled().get(text).map_err(unknown)?;
        let name = rules.iana_name().unwrap_or(text).to_owned();
        Ok(Self { name, rules })
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, until) = (self.from, self.until);
        write!(f, "{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, until / 60, until % 60)
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no time of day: write 08:00-17:30");
        let (from, until) = text.split_once('-').ok_or_else(wrong)?;
        let minutes = |text: &str| {
            let (hours, minutes) = text.trim().split_once(':')?;
            let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
            let total = hours.checked_mul(60)?.checked_add(minutes)?;
            (minutes < 60 && total <= MIDNIGHT).then_some(total)
        };
        let (from, until) = (minutes(from).ok_or_else(wrong)?, minutes(until).ok_or_else(wrong)?);
        if from == until || from == MIDNIGHT {
            return Err(format!("`{text}` holds no time: leave `times` empty for the whole day"));
        }
        Ok(Self { from, until })
    }
}

impl fmt::Display for Dates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { write!(f, "{}", self.first) } else { write!(f, "{}/{}", self.first, self.last) }
    }
}

impl FromStr for Dates {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no date: write 2026-12-24 or 2026-12-24/2027-01-01");
        let (first, last) = text.split_once('/').unwrap_or((text, text));
        let date = |text: &str| text.trim().parse::<Date>().map_err(|_| wrong());
        let (first, last) = (date(first)?, date(last)?);
        if first > last {
            return Err(format!("`{text}` ends before it begins"));
        }
        Ok(Self { first, last })
    }
}

macro_rules! as_text {
    ($($name:ident),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

as_text!(Zone, Span, Dates);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Utc {
        Utc(text.parse::<Timestamp>().unwrap().as_millisecond())
    }

    fn office() -> Hours {
        Hours {
            zone: "Europe/Berlin".parse().unwrap(),
            weekdays: vec![Day::Mon, Day::Tue, Day::Wed, Day::Thu, Day::Fri],
            times: vec!["08:00-12:00".parse().unwrap(), "13:00-17:30".parse().unwrap()],
            ..Hours::default()
        }
    }

    #[test]
    fn eight_in_berlin_is_another_hour_of_utc_in_summer_than_in_winter() {
        let office = office();
        assert!(!office.hold(at("2026-01-15T06:59:59Z")) && office.hold(at("2026-01-15T07:00:00Z")), "winter");
        assert!(!office.hold(at("2026-07-15T05:59:59Z")) && office.hold(at("2026-07-15T06:00:00Z")), "summer");
        assert!(!office.hold(at("2026-01-15T11:00:00Z")), "the lunch break");
        assert!(!office.hold(at("2026-01-17T09:00:00Z")), "Saturday");
        assert_eq!(office.clock(at("2026-07-15T06:05:00Z")), "Wed 2026-07-15 08:05 Europe/Berlin");
    }

    #[test]
    fn a_night_belongs_to_the_day_it_began() {
        let night = Hours { weekdays: vec![Day::Fri], times: vec!["22:00-06:00".parse().unwrap()], ..Hours::default() };
        assert!(night.hold(at("2026-01-16T22:00:00Z")), "Friday evening");
        assert!(night.hold(at("2026-01-17T05:59:00Z")), "until Saturday morning");
        assert!(!night.hold(at("2026-01-16T05:00:00Z")), "Friday morning is Thursday's night");
        assert!(!night.hold(at("2026-01-17T22:00:00Z")));
    }

    #[test]
    fn holidays_are_dates_and_outside_turns_it_round() {
        let mut closed = Hours { dates: vec!["2026-12-24/2026-12-26".parse().unwrap()], ..Hours::default() };
        assert!(closed.hold(at("2026-12-26T23:59:00Z")) && !closed.hold(at("2026-12-27T00:00:00Z")));
        closed.outside = true;
        assert!(!closed.hold(at("2026-12-26T23:59:00Z")) && closed.hold(at("2026-12-27T00:00:00Z")));
    }

    #[test]
    fn nonsense_is_refused_and_sense_reads_back() {
        for text in ["08:00-24:00", "22:00-06:00"] {
            assert_eq!(text.parse::<Span>().map(|span| span.to_string()).as_deref(), Ok(text));
        }
        for text in ["8", "08:00", "08:60-09:00", "08:00-25:00", "08:00-08:00", "24:00-01:00"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
        assert!("Europe/Berlinn".parse::<Zone>().is_err());
        assert!("2026-02-30".parse::<Dates>().is_err() && "2026-02-03/2026-02-01".parse::<Dates>().is_err());
    }
}
