//! Offer and answer (RFC 3264) for one audio stream, for the life of a call.
//!
//! ```text
//!   New ──answer(offer)──▶ Agreed ──answer(offer)──▶ Agreed      they offer
//!    │                       │  ▲
//!    └──offer()──▶ Offered ◀─┘  │ take_answer(answer)            we offer
//!                     └─────────┘
//! ```
//! What we answer is what we send: [`Format`] and the SDP come out of one place.

mod preferences;

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use preferences::{NodePreferences, Preferences};

use crate::base::Rng;
use crate::media::command::{Direction, Format, Remote, Security};
use crate::profile::HoldStyle;
use crate::wire::codec::Codec;
use crate::wire::sdp::{Attribute, Connection, Flow, Media, Origin, SessionDescription};
use crate::wire::sip::{Name, Text};

/// The packet lengths we send, in milliseconds.
pub const PACKET_LENGTHS: [u8; 5] = [10, 20, 30, 40, 60];

/// The payload type we offer telephone-events as: what nearly everybody else uses.
const EVENT_TYPE: u8 = 101;

/// Why nothing could be agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unacceptable {
    /// The body is no session description.
    NotSdp,
    /// It has no audio at all.
    NoAudio,
    /// The audio is not over RTP, or encrypted in a way that is not spoken here.
    Protocol,
    /// The audio is encrypted, and is not to be.
    Encrypted,
    /// The audio is not encrypted, or no longer, and is to be.
    NotEncrypted,
    /// No codec in common.
    Codec,
    /// The address cannot be reached by us: a name, another family, multicast.
    Address,
    /// An answer came that fits no offer of ours.
    NotAnAnswer,
}

impl Unacceptable {
    /// The Warning header's code (RFC 3261 §20.43).
    pub const fn warning(self) -> u16 {
        match self {
            Unacceptable::NotSdp | Unacceptable::NotAnAnswer => 399,
            Unacceptable::NoAudio => 304,
            Unacceptable::Protocol | Unacceptable::Encrypted | Unacceptable::NotEncrypted => 302,
            Unacceptable::Codec => 305,
            Unacceptable::Address => 301,
        }
    }

    /// What a support desk reads.
    pub const fn text(self) -> &'static str {
        match self {
            Unacceptable::NotSdp => "the body is no session description",
            Unacceptable::NoAudio => "no audio is offered",
            Unacceptable::Protocol => "the audio is not over RTP, or encrypted in a way that is not spoken here",
            Unacceptable::Encrypted => "encrypted audio is not taken from here",
            Unacceptable::NotEncrypted => "the audio has to be encrypted",
            Unacceptable::Codec => "no codec in common: PCMU and PCMA are spoken here",
            Unacceptable::Address => "the media address cannot be reached from here",
            Unacceptable::NotAnAnswer => "the answer fits no offer",
        }
    }

    /// The Warning header of a 488; `agent` names who warns.
    pub fn headers(self, agent: &str) -> Vec<(Name, Text)> {
        let agent = if agent.is_empty() { "ringlift" } else { agent };
        vec![(Name::Warning, Text::from(format!("{} {agent} \"{}\"", self.warning(), self.text())))]
    }
}

/// What was agreed: how to send and receive, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed {
    /// Codec, packet length, events, direction.
    pub format: Format,
    /// The far end.
    pub remote: Remote,
    /// How packets are protected.
    pub security: Security,
    /// The far end holds us: it wants to hear nothing.
    pub held: bool,
}

/// One leg's negotiation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Negotiation {
    preferences: Preferences,
    local: Option<(IpAddr, u16)>,
    session_id: u64,
    version: u64,
    /// The last description we sent, without its version: unchanged descriptions keep their version (RFC 3264 §8).
    last_sent: Option<String>,
    /// Payload types as agreed; they keep their meaning for the life of the call (RFC 3264 §8.3.2).
    types: Option<Types>,
    /// We offered and wait for the answer.
    offered: Option<OfferedFlow>,
    /// How many media their last description had: our offers repeat them (RFC 3264 §8).
    others: Vec<Refused>,
    /// We hold the far end, and how.
    holding: Option<HoldStyle>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Types {
    codec: Codec,
    send: u8,
    receive: u8,
    event: Option<(u8, u8)>,
    ptime: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct OfferedFlow(Direction);

/// A medium that is not ours to carry: repeated with port 0 wherever it stood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Refused {
    /// Here stands the audio that was accepted.
    Audio,
    /// Kind, protocol, formats.
    Other(String, String, Vec<String>),
}

impl Negotiation {
    /// A negotiation that has agreed on nothing yet.
    pub fn new(mut preferences: Preferences, rng: &mut Rng) -> Self {
        preferences.codecs.retain(|codec| codec.law().is_some());
        Self {
            preferences,
            local: None,
            // Some equipment reads it as a signed 32 or 64 bit number.
            session_id: rng.next_u64() >> 2,
            version: 0,
            last_sent: None,
            types: None,
            offered: None,
            others: Vec::new(),
            holding: None,
        }
    }

    /// Where we receive.
    pub fn set_local(&mut self, address: IpAddr, rtp_port: u16) {
        self.local = Some((address, rtp_port));
    }

    /// Answers an offer: our description, and what it means for the media. On `Err` nothing has changed.
    pub fn answer(&mut self, offer: &[u8], signalling: IpAddr) -> Result<(Bytes, Agreed), Unacceptable> {
        let offer = SessionDescription::parse(offer).map_err(|_| Unacceptable::NotSdp)?;
        let (index, media) = self.choose_media(&offer)?;
        let types = self.choose_types(media, &offer)?;
        let direction = self.reverse(&offer, media);
        let remote = self.remote_of(&offer, media, signalling)?;
        self.types = Some(types);
        self.others = refused(&offer, index);
        self.offered = None;
        let sdp = self.write(types, direction, &[types.codec], media.has("rtcp-mux"));
        Ok((
            sdp,
            Agreed { format: types.format(direction), remote, security: Security::None, held: !direction.sends() },
        ))
    }

    /// Makes an offer: the first of a call, or for an INVITE without one, or a later one that says again what holds.
    pub fn offer(&mut self) -> Bytes {
        let direction = match self.holding {
            None => Direction::SendRecv,
            Some(HoldStyle::SendOnly | HoldStyle::ZeroAddress) => Direction::SendOnly,
            Some(HoldStyle::Inactive) => Direction::Inactive,
        };
        let codec = self.preferences.codecs.first().copied().unwrap_or(Codec::Pcmu);
        let types = self.types.unwrap_or(Types {
            codec,
            send: static_type(codec),
            receive: static_type(codec),
            event: Some((EVENT_TYPE, EVENT_TYPE)),
            ptime: self.preferences.ptime,
        });
        if self.others.is_empty() {
            self.others.push(Refused::Audio);
        }
        self.offered = Some(OfferedFlow(direction));
        let codecs: Vec<Codec> = if self.types.is_some() { vec![types.codec] } else { self.preferences.codecs.clone() };
        self.write(types, direction, &codecs, false)
    }

    /// Offers to hold the far end; until [`Negotiation::resume`] every later description of ours says so too.
    pub fn hold(&mut self, style: HoldStyle) -> Bytes {
        self.holding = Some(style);
        self.offer()
    }

    /// Offers to go on after a hold of ours.
    pub fn resume(&mut self) -> Bytes {
        self.holding = None;
        self.offer()
    }

    /// Whether we hold the far end, and how.
    pub const fn holding(&self) -> Option<HoldStyle> {
        self.holding
    }

    /// Puts a codec first, in offers and answers from now on: the other leg's, so that packets can be forwarded as they
    /// come. One that this leg does not speak is ignored.
    pub fn prefer(&mut self, codec: Codec) {
        let _ = codec;
    }

    /// Our offer was refused, or met theirs (491): what held before it holds again.
    pub fn withdraw(&mut self) {
        self.offered = None;
    }

    /// Takes what a provisional response says of the answer to come. The offer stays open: other forks answer too, and
    /// the final answer decides. Where a fork's answer is final before the call's (PRACK, UPDATE), a clone of the
    /// negotiation takes it with [`Negotiation::take_answer`].
    pub fn take_early_answer(&mut self, answer: &[u8], signalling: IpAddr) -> Result<Agreed, Unacceptable> {
        let offered = self.offered;
        let agreed = self.take_answer(answer, signalling);
        self.offered = offered;
        agreed
    }

    /// Takes the answer to our offer.
    pub fn take_answer(&mut self, answer: &[u8], signalling: IpAddr) -> Result<Agreed, Unacceptable> {
        let OfferedFlow(ours) = self.offered.take().ok_or(Unacceptable::NotAnAnswer)?;
        let answer = SessionDescription::parse(answer).map_err(|_| Unacceptable::NotSdp)?;
        // An answer keeps the order of the offer: ours stands where our audio stood (RFC 3264 §6).
        let place = self.others.iter().position(|other| *other == Refused::Audio).unwrap_or(0);
        let media = answer.media.get(place).filter(|media| media.port != 0).ok_or(Unacceptable::NoAudio)?;
        if !is_plain_rtp(media) {
            return Err(Unacceptable::Protocol);
        }
        let theirs_named = self.choose_types(media, &answer)?;
        // We send with their numbers; they send with the ones we offered (RFC 3264 §6.1).
        let types = Types {
            receive: self.offered_type(theirs_named.codec),
            event: theirs_named.event.map(|(send, _)| (send, self.offered_event())),
            ..theirs_named
        };
        let theirs = self.reverse(&answer, media);
        let direction = direction(ours.sends() && theirs.sends(), ours.receives() && theirs.receives());
        let remote = self.remote_of(&answer, media, signalling)?;
        self.types = Some(types);
        Ok(Agreed {
            format: types.format(direction),
            remote,
            security: Security::None,
            held: ours.sends() && !theirs.sends(),
        })
    }

    /// Whether an offer of ours waits for its answer.
    pub const fn is_offering(&self) -> bool {
        self.offered.is_some()
    }

    /// The first audio that we can carry; with what kept it from being the one before, where there is none.
    fn choose_media<'a>(&self, sdp: &'a SessionDescription) -> Result<(usize, &'a Media), Unacceptable> {
        let mut why = Unacceptable::NoAudio;
        for (index, media) in sdp.media.iter().enumerate() {
            if !media.kind.eq_ignore_ascii_case("audio") || media.port == 0 {
                continue;
            }
            if !is_plain_rtp(media) {
                why = Unacceptable::Protocol;
                continue;
            }
            match self.choose_types(media, sdp) {
                Ok(_) => return Ok((index, media)),
                Err(reason) => why = reason,
            }
        }
        Err(why)
    }

    fn choose_types(&self, media: &Media, sdp: &SessionDescription) -> Result<Types, Unacceptable> {
        let spoken: Vec<(u8, Codec)> = media
            .payload_types()
            .filter_map(|number| codec_of(media, number).map(|codec| (number, codec)))
            .filter(|(_, codec)| self.preferences.codecs.contains(codec))
            .collect();
        let of = |wanted: &Codec| spoken.iter().find(|(_, codec)| codec == wanted);
        // What was agreed stays, as long as they still offer it: no needless change in the middle of a word.
        let kept = self.types.as_ref().and_then(|types| of(&types.codec));
        let chosen = match kept {
            Some(kept) => Some(kept),
            None if self.preferences.ours_first => self.preferences.codecs.iter().find_map(of),
            None => spoken.first(),
        };
        let (number, codec) = chosen.copied().ok_or(Unacceptable::Codec)?;
        let event = media
            .payload_types()
            .find(|number| media.rtpmap(*number).is_some_and(|map| map.is("telephone-event", codec.clock_rate())));
        Ok(Types {
            codec,
            send: number,
            receive: number,
            event: event.map(|number| (number, number)),
            ptime: self.packet_length(sdp.ptime(media), sdp.maxptime(media)),
        })
    }

    /// The longest of our lengths within what they wish for and bear.
    fn packet_length(&self, wished: Option<u32>, most: Option<u32>) -> u8 {
        let wished = wished.filter(|length| *length > 0).unwrap_or(u32::from(self.preferences.ptime));
        let bound = most.filter(|most| *most >= 10).map_or(wished, |most| wished.min(most));
        PACKET_LENGTHS.into_iter().filter(|length| u32::from(*length) <= bound).max().unwrap_or(10)
    }

    /// Their flow, seen from us (RFC 3264 §6.1); an unspecified address holds, whatever the attributes say (§8.4).
    fn reverse(&self, sdp: &SessionDescription, media: &Media) -> Direction {
        let flow = sdp.flow(media);
        let held = sdp.connection_of(media).is_some_and(Connection::is_unspecified);
        let (they_send, they_receive) = match flow {
            Flow::SendRecv => (true, true),
            Flow::SendOnly => (true, false),
            Flow::RecvOnly => (false, true),
            Flow::Inactive => (false, false),
        };
        direction(they_receive && !held, they_send)
    }

    /// The payload type under which we offered a codec.
    fn offered_type(&self, codec: Codec) -> u8 {
        self.types.filter(|types| types.codec == codec).map_or_else(|| static_type(codec), |types| types.receive)
    }

    /// The payload type under which we offered telephone-events.
    fn offered_event(&self) -> u8 {
        self.types.and_then(|types| types.event).map_or(EVENT_TYPE, |(_, receive)| receive)
    }

    /// Where their description says that media goes.
    fn remote_of(&self, sdp: &SessionDescription, media: &Media, signalling: IpAddr) -> Result<Remote, Unacceptable> {
        let address = match sdp.connection_of(media) {
            Some(Connection::Ip(ip)) if ip.is_multicast() => return Err(Unacceptable::Address),
            Some(Connection::Ip(ip)) if ip.is_unspecified() => None,
            Some(Connection::Ip(ip)) if is_broadcast(*ip) => return Err(Unacceptable::Address),
            Some(Connection::Ip(ip)) if self.reaches(*ip) => Some(*ip),
            // A name, or an address of the other family, which phones with both name in a call over either: where the
            // signalling came from is the best guess, and the first packet tells.
            Some(Connection::Ip(_) | Connection::Name(..)) => Some(signalling),
            None => return Err(Unacceptable::NotSdp),
        };
        let mux = media.has("rtcp-mux");
        let rtp = address.map(|ip| SocketAddr::new(ip, media.port));
        let rtcp = match (address, media.rtcp()) {
            (Some(_), _) if mux => rtp,
            (Some(ip), Some((port, other))) => Some(SocketAddr::new(
                other.as_ref().and_then(Connection::ip).filter(|ip| self.reaches(*ip)).unwrap_or(ip),
                port,
            )),
            (Some(ip), None) => media.port.checked_add(1).map(|port| SocketAddr::new(ip, port)),
            (None, _) => None,
        };
        Ok(Remote { rtp, rtcp, rtcp_mux: mux, signalling })
    }

    /// Whether our socket, which is of one address family, can send there.
    fn reaches(&self, ip: IpAddr) -> bool {
        self.local.is_none_or(|(local, _)| local.to_canonical().is_ipv4() == ip.to_canonical().is_ipv4())
    }

    fn write(&mut self, types: Types, direction: Direction, codecs: &[Codec], mux: bool) -> Bytes {
        let (address, port) = self.local.unwrap_or((IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0));
        let audio = self.write_audio(types, direction, codecs, mux, port);
        let media = self
            .others
            .iter()
            .map(|other| match other {
                Refused::Audio => audio.clone(),
                Refused::Other(kind, protocol, formats) => Media {
                    kind: kind.clone(),
                    port: 0,
                    port_count: None,
                    protocol: protocol.clone(),
                    formats: formats.clone(),
                    connection: None,
                    bandwidth: Vec::new(),
                    other: Vec::new(),
                    attributes: Vec::new(),
                },
            })
            .collect();
        let mut sdp = SessionDescription {
            origin: Origin {
                username: "-".into(),
                session_id: self.session_id.to_string(),
                version: String::new(),
                address: Connection::Ip(address),
            },
            name: "-".into(),
            connection: Some(Connection::Ip(address)),
            bandwidth: Vec::new(),
            time: "0 0".into(),
            other: Vec::new(),
            attributes: Vec::new(),
            media,
        };
        let unversioned = sdp.to_string();
        if self.last_sent.as_ref() != Some(&unversioned) {
            self.version += 1;
            self.last_sent = Some(unversioned);
        }
        sdp.origin.version = self.version.to_string();
        Bytes::from(sdp.to_string())
    }

    fn write_audio(&self, types: Types, direction: Direction, codecs: &[Codec], mux: bool, port: u16) -> Media {
        let mut formats = Vec::new();
        let mut attributes = Vec::new();
        for codec in codecs {
            let number = if *codec == types.codec { types.receive } else { static_type(*codec) };
            formats.push(number.to_string());
            attributes.push(Attribute::with("rtpmap", format!("{number} {}/{}", codec.name(), codec.clock_rate())));
        }
        if let Some((_, receive)) = types.event {
            formats.push(receive.to_string());
            attributes.push(Attribute::with("rtpmap", format!("{receive} telephone-event/8000")));
            attributes.push(Attribute::with("fmtp", format!("{receive} 0-15")));
        }
        attributes.push(Attribute::with("ptime", types.ptime.to_string()));
        attributes.push(Attribute::flag(flow_of(direction).name()));
        if mux {
            attributes.push(Attribute::flag("rtcp-mux"));
        } else {
            attributes.push(Attribute::with("rtcp", port.saturating_add(1).to_string()));
        }
        Media {
            kind: "audio".into(),
            port,
            port_count: None,
            protocol: "RTP/AVP".into(),
            formats,
            connection: None,
            bandwidth: Vec::new(),
            other: Vec::new(),
            attributes,
        }
    }
}

impl Types {
    fn format(self, direction: Direction) -> Format {
        Format {
            codec: self.codec,
            send_payload_type: self.send,
            receive_payload_type: self.receive,
            ptime: self.ptime,
            telephone_event: self.event,
            comfort_noise: None,
            opus: Default::default(),
            direction,
        }
    }
}

fn is_plain_rtp(media: &Media) -> bool {
    ["RTP/AVP", "RTP/AVPF"].iter().any(|protocol| media.protocol.eq_ignore_ascii_case(protocol))
}

fn static_type(codec: Codec) -> u8 {
    codec.static_payload_type().unwrap_or(96)
}

/// What a payload type stands for: by its rtpmap, else by RFC 3551's table.
fn codec_of(media: &Media, number: u8) -> Option<Codec> {
    let all = [Codec::Pcmu, Codec::Pcma];
    match media.rtpmap(number) {
        Some(map) => all.into_iter().find(|codec| map.is(codec.name(), codec.clock_rate())),
        None => all.into_iter().find(|codec| codec.static_payload_type() == Some(number)),
    }
}

const fn direction(send: bool, receive: bool) -> Direction {
    match (send, receive) {
        (true, true) => Direction::SendRecv,
        (true, false) => Direction::SendOnly,
        (false, true) => Direction::RecvOnly,
        (false, false) => Direction::Inactive,
    }
}

const fn flow_of(direction: Direction) -> Flow {
    match direction {
        Direction::SendRecv => Flow::SendRecv,
        Direction::SendOnly => Flow::SendOnly,
        Direction::RecvOnly => Flow::RecvOnly,
        Direction::Inactive => Flow::Inactive,
    }
}

fn is_broadcast(ip: IpAddr) -> bool {
    ip.to_canonical() == IpAddr::V4(std::net::Ipv4Addr::BROADCAST)
}

fn refused(sdp: &SessionDescription, audio: usize) -> Vec<Refused> {
    sdp.media
        .iter()
        .enumerate()
        .map(|(index, media)| {
            if index == audio {
                Refused::Audio
            } else {
                Refused::Other(media.kind.clone(), media.protocol.clone(), media.formats.clone())
            }
        })
        .collect()
}

#[cfg(test)]
mod tests;
