//! What a browser's offer asks for: read line by line and measured before str0m sees it, so that what it is made of is
//! bounded, and what each of its m-lines is for is known (by order and direction, never by name).
//!
//! ```text
//! mic    audio  browser sends          a0..a3  audio  browser receives: the room's voices
//! camera video  browser sends          v0..v8  video  browser receives: whom it watches
//! screen video  browser sends          data    application
//! ```

use std::fmt;

use crate::media::web::SLOTS;

/// Longest offer in bytes. Chromium's, with every codec on every line, has about 60,000. More: memory for nonsense.
pub const LONGEST_OFFER: usize = 160 * 1024;
/// Lines of text in it; Chromium's has about 1,300.
const MOST_LINES: usize = 6000;
/// Longest line; the longest of a browser is a list of payload types.
const LONGEST_LINE: usize = 1024;
/// Video slots a browser may have. More: memory, and nobody sees that many.
pub const PICTURES: usize = 9;
/// Layers of one simulcast.
pub const LAYERS: usize = 3;

/// An offer that can be tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The text for str0m: without ways, which an agent that makes no checks has no use for (RFC 8445 §2.5).
    pub text: String,
    /// Which peer connection of the browser it is of: the session id of its `o=` line, and its certificate.
    pub identity: (String, String),
    /// Its m-lines in order.
    pub lines: Vec<Line>,
}

/// One m-line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The browser's name for it.
    pub mid: String,
    /// What it is for.
    pub role: Role,
    /// The layers of its simulcast, smallest first; empty without one.
    pub rids: Vec<String>,
}

/// What an m-line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The browser's voice.
    Microphone,
    /// Its camera.
    Camera,
    /// Its screen.
    Screen,
    /// One of the room's voices, by slot.
    Voice(u8),
    /// Somebody it watches, by slot.
    Picture(u8),
    /// A data channel.
    Data,
    /// Neither sent nor received.
    Unused,
}

/// Why an offer is not tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unusable {
    /// More than [`LONGEST_OFFER`], or lines without end.
    TooLong,
    /// Something that every offer has is not there.
    Lacks(&'static str),
    /// More m-lines of a kind than there is room for.
    TooMany(&'static str),
    /// A kind of m-line that is not served.
    Kind,
    /// What a list of layers may not be.
    Layers,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unusable::TooLong => write!(f, "the offer is longer than {LONGEST_OFFER} bytes or has lines without end"),
            Unusable::Lacks(what) => write!(f, "the offer has no {what}"),
            Unusable::TooMany(what) => write!(f, "the offer has too many m-lines for {what}"),
            Unusable::Kind => f.write_str("an m-line is neither audio nor video nor a data channel"),
            Unusable::Layers => write!(f, "a simulcast has more than {LAYERS} layers or names that are not understood"),
        }
    }
}

/// What is found of an m-line before its role is known.
#[derive(Default)]
struct Found<'a> {
    kind: &'a str,
    refused: bool,
    mid: Option<&'a str>,
    direction: Option<Direction>,
    rids: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Sends,
    Receives,
    Both,
    Neither,
}

/// Reads an offer.
pub fn read(sdp: &str) -> Result<Offer, Unusable> {
    if sdp.len() > LONGEST_OFFER {
        return Err(Unusable::TooLong);
    }
    let mut text = String::with_capacity(sdp.len());
    let (mut session, mut fingerprint, mut ufrag, mut default) = (None, None, false, Direction::Both);
    let mut found: Vec<Found<'_>> = Vec::new();
    for (index, line) in sdp.lines().enumerate() {
        if index >= MOST_LINES || line.len() > LONGEST_LINE {
            return Err(Unusable::TooLong);
        }
        if line.starts_with("a=candidate:") || line.starts_with("a=end-of-candidates") || line.is_empty() {
            continue;
        }
        text.push_str(line);
        text.push_str("\r\n");
        if let Some(origin) = line.strip_prefix("o=") {
            session = origin.split(' ').nth(1);
        } else if let Some(media) = line.strip_prefix("m=") {
            let mut words = media.split(' ');
            let kind = words.next().unwrap_or_default();
            let refused = words.next() == Some("0");
            found.push(Found { kind, refused, ..Found::default() });
            if found.len() > 3 + SLOTS + PICTURES + 1 {
                return Err(Unusable::TooMany("any purpose"));
            }
        } else if let Some(attribute) = line.strip_prefix("a=") {
            let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
            match (name, found.last_mut()) {
                ("fingerprint", _) if fingerprint.is_none() => fingerprint = Some(value.to_ascii_lowercase()),
                ("ice-ufrag", _) => ufrag = true,
                ("mid", Some(last)) => last.mid = Some(value),
                ("simulcast", Some(last)) => last.rids = layers(value)?,
                (name, last) => {
                    if let Some(direction) = direction(name) {
                        match last {
                            Some(last) => last.direction = Some(direction),
                            None => default = direction,
                        }
                    }
                }
            }
        }
    }
    let session = session.filter(|id| !id.is_empty()).ok_or(Unusable::Lacks("o= line"))?;
    let fingerprint = fingerprint.ok_or(Unusable::Lacks("certificate fingerprint"))?;
    if !ufrag {
        return Err(Unusable::Lacks("ice-ufrag"));
    }
    if found.is_empty() {
        return Err(Unusable::Lacks("m-lines"));
    }
    Ok(Offer { text, identity: (session.to_owned(), fingerprint), lines: roles(&found, default)? })
}

/// The role of each m-line, by its place among those of its kind and direction.
fn roles(found: &[Found<'_>], default: Direction) -> Result<Vec<Line>, Unusable> {
    let (mut microphones, mut cameras, mut voices, mut pictures, mut channels) = (0, 0, 0u8, 0u8, 0);
    let mut lines = Vec::with_capacity(found.len());
    for line in found {
        let mid = line.mid.ok_or(Unusable::Lacks("a=mid on an m-line"))?;
        // str0m keeps sixteen bytes of a name: longer ones could be taken for one another.
        if mid.is_empty() || mid.len() > 16 {
            return Err(Unusable::Lacks("a=mid of at most 16 characters"));
        }
        let direction = line.direction.unwrap_or(default);
        let role = match (line.kind, direction) {
            ("audio" | "video", Direction::Neither) => Role::Unused,
            ("audio" | "video", _) if line.refused => Role::Unused,
            ("audio", Direction::Sends | Direction::Both) => {
                microphones += 1;
                if microphones > 1 {
                    return Err(Unusable::TooMany("a microphone"));
                }
                Role::Microphone
            }
            ("audio", Direction::Receives) => {
                if usize::from(voices) >= SLOTS {
                    return Err(Unusable::TooMany("voices"));
                }
                voices += 1;
                Role::Voice(voices - 1)
            }
            ("video", Direction::Sends | Direction::Both) => {
                cameras += 1;
                match cameras {
                    1 => Role::Camera,
                    2 => Role::Screen,
                    _ => return Err(Unusable::TooMany("cameras and screens")),
                }
            }
            ("video", Direction::Receives) => {
                if usize::from(pictures) >= PICTURES {
                    return Err(Unusable::TooMany("pictures"));
                }
                pictures += 1;
                Role::Picture(pictures - 1)
            }
            ("application", _) => {
                channels += 1;
                if channels > 1 {
                    return Err(Unusable::TooMany("data channels"));
                }
                Role::Data
            }
            _ => return Err(Unusable::Kind),
        };
        if lines.iter().any(|other: &Line| other.mid == mid) {
            return Err(Unusable::Lacks("a=mid of its own on every m-line"));
        }
        lines.push(Line { mid: mid.to_owned(), role, rids: line.rids.clone() });
    }
    Ok(lines)
}

fn direction(name: &str) -> Option<Direction> {
    Some(match name {
        "sendonly" => Direction::Sends,
        "recvonly" => Direction::Receives,
        "sendrecv" => Direction::Both,
        "inactive" => Direction::Neither,
        _ => return None,
    })
}

/// The layers that `a=simulcast` says are sent (RFC 8853 §5.1), smallest first: in the order of the offer, but for the names
/// that browsers' pages use by habit.
fn layers(value: &str) -> Result<Vec<String>, Unusable> {
    let mut words = value.split(' ').filter(|word| !word.is_empty());
    let mut rids = Vec::new();
    while let (Some(way), Some(list)) = (words.next(), words.next()) {
        if way != "send" {
            continue;
        }
        for layer in list.split(';') {
            let rid = layer.split(',').next().unwrap_or_default().trim_start_matches('~');
            // As for names of lines, str0m keeps eight bytes.
            if rid.is_empty()
                || rid.len() > 8
                || !rid.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            {
                return Err(Unusable::Layers);
            }
            rids.push(rid.to_owned());
        }
    }
    if rids.len() > LAYERS {
        return Err(Unusable::Layers);
    }
    let habit = |rid: &String| ["q", "h", "f"].iter().position(|known| known == rid);
    if rids.iter().all(|rid| habit(rid).is_some()) {
        rids.sort_by_key(|rid| habit(rid));
    }
    Ok(rids)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const HEAD: &str = "v=0\r\no=- 46117317 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=ice-ufrag:ab\r\na=ice-pwd:cd\r\na=fingerprint:sha-256 AA:BB\r\n";

    fn line(kind: &str, mid: &str, direction: &str) -> String {
        format!("m={kind} 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\na={direction}\r\n")
    }

    fn full() -> String {
        let mut sdp = HEAD.to_owned() + &line("audio", "0", "sendonly");
        sdp += &line("video", "1", "sendonly");
        sdp += "a=rid:f send\r\na=rid:q send\r\na=rid:h send\r\na=simulcast:send f;~h;q\r\n";
        sdp += &line("video", "2", "sendonly");
        (3..7).for_each(|mid| sdp += &line("audio", &mid.to_string(), "recvonly"));
        (7..16).for_each(|mid| sdp += &line("video", &mid.to_string(), "recvonly"));
        sdp + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:16\r\n"
    }

    #[test]
    fn the_lines_of_a_page_are_told_apart_by_order_and_direction() {
        let offer = read(&full()).unwrap();
        let roles: Vec<Role> = offer.lines.iter().map(|line| line.role).collect();
        assert_eq!(roles[..3], [Role::Microphone, Role::Camera, Role::Screen]);
        assert_eq!((roles[3], roles[6], roles[7]), (Role::Voice(0), Role::Voice(3), Role::Picture(0)));
        assert_eq!(roles[15..], [Role::Picture(8), Role::Data]);
        assert_eq!(offer.identity, ("46117317".to_owned(), "sha-256 aa:bb".to_owned()));
        assert_eq!(offer.lines[1].rids, ["q", "h", "f"]);
    }

    #[test]
    fn ways_are_left_out() {
        let sdp = full() + "a=candidate:1 1 udp 1 secret.local 1 typ host\r\na=end-of-candidates\r\n";
        assert!(!read(&sdp).unwrap().text.contains("candidate"));
    }

    #[test]
    fn an_offer_from_hell_is_refused_with_a_reason() {
        assert_eq!(read(&"a=x\r\n".repeat(40_000)), Err(Unusable::TooLong));
        assert_eq!(read(&"\n".repeat(MOST_LINES + 1)), Err(Unusable::TooLong));
        assert_eq!(read(&format!("a={}", "x".repeat(2000))), Err(Unusable::TooLong));
        assert_eq!(read(""), Err(Unusable::Lacks("o= line")));
        assert_eq!(read(HEAD), Err(Unusable::Lacks("m-lines")));
        assert_eq!(read(&(HEAD.to_owned() + &line("image", "0", "sendonly"))), Err(Unusable::Kind));
        let many =
            HEAD.to_owned() + &(0..40).map(|mid| line("video", &mid.to_string(), "inactive")).collect::<String>();
        assert_eq!(read(&many), Err(Unusable::TooMany("any purpose")));
        let twice = HEAD.to_owned() + &line("audio", "0", "sendonly") + &line("audio", "1", "sendrecv");
        assert_eq!(read(&twice), Err(Unusable::TooMany("a microphone")));
        let same = HEAD.to_owned() + &line("audio", "0", "sendonly") + &line("audio", "0", "recvonly");
        assert!(matches!(read(&same), Err(Unusable::Lacks(_))));
        let layers = HEAD.to_owned() + &line("video", "0", "sendonly") + "a=simulcast:send 1;2;3;4\r\n";
        assert_eq!(read(&layers), Err(Unusable::Layers));
        for cut in (0..full().len()).step_by(7) {
            let _ = read(&full()[..cut]);
        }
    }

    #[test]
    fn a_direction_before_the_m_lines_is_every_lines() {
        let sdp = HEAD.to_owned() + "a=inactive\r\nm=audio 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\n";
        assert_eq!(read(&sdp).unwrap().lines[0].role, Role::Unused);
    }
}
