//! Text to values.

use super::{
    Attribute, Connection, MAX_FORMATS, MAX_LENGTH, MAX_LINES, MAX_MEDIA, Media, Origin, SdpError, SessionDescription,
};

pub(super) fn description(bytes: &[u8]) -> Result<SessionDescription, SdpError> {
    let wrong = |line: usize, what: &'static str| SdpError { line, what };
    if bytes.len() > MAX_LENGTH {
        return Err(wrong(0, "the description is too long"));
    }
    // Names and titles in other encodings are seen in the wild; what is not UTF-8 becomes U+FFFD.
    let text = String::from_utf8_lossy(bytes);
    let mut session: Option<SessionDescription> = None;
    let mut seen_version = false;
    for (index, line) in text.split('\n').enumerate() {
        let number = index + 1;
        if number > MAX_LINES {
            return Err(wrong(number, "the description has too many lines"));
        }
        let line = line.trim_end_matches(['\r', ' ', '\t', '\0']);
        if line.is_empty() {
            continue;
        }
        if line.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
            return Err(wrong(number, "a control character"));
        }
        let mut chars = line.chars();
        let (Some(letter @ 'a'..='z'), Some('=')) = (chars.next(), chars.next()) else {
            return Err(wrong(number, "a line is not `letter=value`"));
        };
        let value = chars.as_str().trim_start();
        if !seen_version {
            if letter != 'v' || value != "0" {
                return Err(wrong(number, "the first line is not v=0"));
            }
            seen_version = true;
            continue;
        }
        let Some(session) = &mut session else {
            if letter == 'v' {
                return Err(wrong(number, "v= stands twice"));
            }
            if letter != 'o' {
                return Err(wrong(number, "o= does not follow v="));
            }
            session = Some(SessionDescription {
                origin: origin(value).ok_or_else(|| wrong(number, "o= is not `user id version IN IP4 address`"))?,
                name: "-".to_owned(),
                connection: None,
                bandwidth: Vec::new(),
                time: "0 0".to_owned(),
                other: Vec::new(),
                attributes: Vec::new(),
                media: Vec::new(),
            });
            continue;
        };
        if letter == 'm' && session.media.len() >= MAX_MEDIA {
            return Err(wrong(number, "the description has too many media"));
        }
        match session.media.last_mut() {
            _ if letter == 'm' => {
                session
                    .media
                    .push(media(value).ok_or_else(|| wrong(number, "m= is not `kind port protocol formats`"))?);
            }
            Some(media) => match letter {
                'c' => media.connection = Some(connection(value).ok_or_else(|| wrong(number, "c= is no address"))?),
                'b' => media.bandwidth.push(value.to_owned()),
                'a' => media.attributes.push(attribute(value)),
                _ => media.other.push((letter, value.to_owned())),
            },
            None => match letter {
                'v' | 'o' => return Err(wrong(number, "v= or o= stands twice")),
                's' => session.name = if value.is_empty() { "-".to_owned() } else { value.to_owned() },
                'c' => session.connection = Some(connection(value).ok_or_else(|| wrong(number, "c= is no address"))?),
                'b' => session.bandwidth.push(value.to_owned()),
                't' if !value.is_empty() => session.time = value.to_owned(),
                't' => {}
                'a' => session.attributes.push(attribute(value)),
                _ => session.other.push((letter, value.to_owned())),
            },
        }
    }
    session.ok_or_else(|| wrong(0, "the description has no o= line"))
}

/// Reads `IN IP4 192.0.2.1`; multicast scope behind a slash is dropped.
pub(super) fn connection(text: &str) -> Option<Connection> {
    let mut words = text.split_whitespace();
    let (net, family, address) = (words.next()?, words.next()?, words.next()?);
    if !net.eq_ignore_ascii_case("IN") || words.next().is_some() {
        return None;
    }
    let ipv6 = match family {
        _ if family.eq_ignore_ascii_case("IP4") => false,
        _ if family.eq_ignore_ascii_case("IP6") => true,
        _ => return None,
    };
    let address = address.split('/').next().unwrap_or(address);
    match address.parse::<std::net::IpAddr>() {
        Ok(ip) if ip.is_ipv6() == ipv6 => Some(Connection::Ip(ip)),
        Ok(_) => None,
        Err(_) if is_name(address) => Some(Connection::Name(address.to_owned(), ipv6)),
        Err(_) => None,
    }
}

fn is_name(text: &str) -> bool {
    (1..=253).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'))
        && text.chars().any(|c| c.is_ascii_alphabetic())
}

/// What counts are the last five words: user names with spaces in them are seen in the wild.
fn origin(text: &str) -> Option<Origin> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (user, rest) = words.split_at_checked(words.len().checked_sub(5)?)?;
    let [session_id, version, net, family, address] = rest else { return None };
    let digits = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    if user.is_empty() || !digits(session_id) || !digits(version) {
        return None;
    }
    Some(Origin {
        username: user.join(" "),
        session_id: (*session_id).to_owned(),
        version: (*version).to_owned(),
        address: connection(&format!("{net} {family} {address}"))?,
    })
}

/// Digits, and no sign before them, as a number of 16 bits.
pub(super) fn digits(text: &str) -> Option<u16> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

fn media(text: &str) -> Option<Media> {
    let mut words = text.split_whitespace();
    let kind = words.next()?.to_owned();
    let port = words.next()?;
    let (port, port_count) = match port.split_once('/') {
        Some((port, count)) => (digits(port)?, Some(digits(count)?)),
        None => (digits(port)?, None),
    };
    let protocol = words.next()?.to_owned();
    let formats: Vec<String> = words.map(str::to_owned).take(MAX_FORMATS + 1).collect();
    if formats.len() > MAX_FORMATS {
        return None;
    }
    Some(Media {
        kind,
        port,
        port_count,
        protocol,
        formats,
        connection: None,
        bandwidth: Vec::new(),
        other: Vec::new(),
        attributes: Vec::new(),
    })
}

fn attribute(text: &str) -> Attribute {
    match text.split_once(':') {
        Some((name, value)) => Attribute { name: name.trim().to_owned(), value: Some(value.trim_start().to_owned()) },
        None => Attribute { name: text.to_owned(), value: None },
    }
}
