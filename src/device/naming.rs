//! Devices of one person that are called the same, told apart.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::base::id::DeviceId;

/// What one device is called, and where it is, where that is known.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// Which.
    pub device: DeviceId,
    /// As its person or itself says.
    pub name: &'a str,
    /// A telephone's address.
    pub at: Option<IpAddr>,
}

/// What each of them is shown as: as it is called where no other is called that; else with the end of its address where these
/// differ, which is what a telephone shows of itself in its menu; else numbered, always in the same order.
pub fn told_apart(devices: &[Named]) -> BTreeMap<DeviceId, String> {
    let mut alike: BTreeMap<&str, Vec<&Named>> = BTreeMap::new();
    for device in devices {
        alike.entry(device.name).or_default().push(device);
    }
    let mut shown = BTreeMap::new();
    for (name, mut same) in alike {
        same.sort_by_key(|one| one.device);
        let ends: Vec<Option<String>> = same.iter().map(|one| one.at.map(end)).collect();
        let mut distinct: Vec<&String> = ends.iter().flatten().collect();
        distinct.sort();
        distinct.dedup();
        let by_address = distinct.len() == same.len();
        for ((number, one), end) in (1_usize..).zip(&same).zip(&ends) {
            let known = match end {
                _ if same.len() == 1 => name.to_owned(),
                Some(end) if by_address => format!("{name} ({end})"),
                Some(_) | None if number == 1 => name.to_owned(),
                Some(_) | None => format!("{name} ({number})"),
            };
            shown.insert(one.device, known);
        }
    }
    shown
}

fn end(at: IpAddr) -> String {
    match at.to_canonical() {
        IpAddr::V4(v4) => format!(".{}", v4.octets()[3]),
        IpAddr::V6(v6) => format!(":{:x}", v6.segments()[7]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(number: u64, name: &str, at: Option<&str>) -> (DeviceId, String, Option<IpAddr>) {
        (DeviceId::from_bits(number), name.to_owned(), at.map(|at| at.parse().unwrap()))
    }

    fn shown(all: &[(DeviceId, String, Option<IpAddr>)]) -> Vec<String> {
        let devices: Vec<Named> =
            all.iter().map(|(device, name, at)| Named { device: *device, name, at: *at }).collect();
        told_apart(&devices).into_values().collect()
    }

    #[test]
    fn two_telephones_of_one_family_are_told_apart_by_the_end_of_their_address() {
        let all = [
            named(1, "Yealink SIP-T54W", Some("192.0.2.57")),
            named(2, "Yealink SIP-T54W", Some("192.0.2.58")),
            named(3, "Snom D785", Some("192.0.2.59")),
        ];
        assert_eq!(shown(&all), ["Yealink SIP-T54W (.57)", "Yealink SIP-T54W (.58)", "Snom D785"]);
    }

    #[test]
    fn what_is_alike_at_one_address_or_has_none_is_numbered() {
        let all = [
            named(1, "Yealink SIP-T54W", Some("192.0.2.57")),
            named(2, "Yealink SIP-T54W", Some("192.0.2.57")),
            named(3, "Chrome, Linux", None),
            named(4, "Chrome, Linux", None),
        ];
        assert_eq!(shown(&all), ["Yealink SIP-T54W", "Yealink SIP-T54W (2)", "Chrome, Linux", "Chrome, Linux (2)"]);
    }
}
