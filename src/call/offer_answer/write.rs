//! Our descriptions.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::Bytes;

use super::payload::Encoding;
use super::{Line, Negotiation, Pending, Types};
use crate::base::Secret;
use crate::media::command::{Direction, Extended};
use crate::profile::HoldStyle;
use crate::wire::codec::{Codec, opus};
use crate::wire::sdp::{Attribute, Connection, Flow, Media, Origin, SessionDescription};

/// Most bits a second of Opus that we ask for. More: links of phones carry what nobody hears. Less: dull speech.
const OPUS_BITRATE: u32 = 40_000;

/// What one description says of the audio.
struct Audio {
    protocol: String,
    codecs: Vec<(u8, Codec)>,
    /// By clock rate.
    events: Vec<(u8, u32)>,
    noise: Option<u8>,
    ptime: u8,
    direction: Direction,
    mux: bool,
    reports: Extended,
    protection: Vec<Attribute>,
}

impl Negotiation {
    pub(super) fn write_answer(&mut self, types: Types, direction: Direction) -> Bytes {
        let Some(current) = &self.current else { return Bytes::new() };
        let clock = types.event_clock();
        let audio = Audio {
            protocol: current.protocol.clone(),
            codecs: vec![(types.receive, types.codec)],
            events: types.events.map(|(_, receive)| (receive, clock)).into_iter().collect(),
            noise: types.noise.map(|(_, receive)| receive),
            ptime: types.ptime,
            direction,
            mux: current.mux,
            reports: types.reports,
            protection: current.protection.attributes(&self.preferences, &self.seed),
        };
        self.write(audio)
    }

    pub(super) fn write_offer(&mut self, pending: &Pending) -> Bytes {
        let current = self.current.as_ref();
        let audio = Audio {
            protocol: current.map_or_else(|| pending.proposal.protocol().to_owned(), |now| now.protocol.clone()),
            codecs: pending.codecs.clone(),
            events: pending.events.clone(),
            noise: pending.noise,
            ptime: current.map_or(self.preferences.ptime, |now| now.types.ptime),
            direction: pending.direction,
            mux: pending.mux,
            reports: current.map(|now| now.types.reports).unwrap_or_default(),
            protection: pending.proposal.attributes(&self.preferences, &self.seed),
        };
        self.write(audio)
    }

    fn write(&mut self, audio: Audio) -> Bytes {
        let (address, port) = self.local.unwrap_or((IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0));
        let zero = self.holding == Some(HoldStyle::ZeroAddress) && !audio.direction.receives();
        let zero = zero.then(|| Connection::Ip(unspecified(address)));
        let audio = self.write_audio(&audio, zero, port);
        let media = self
            .lines
            .iter()
            .map(|line| match line {
                Line::Audio => audio.clone(),
                Line::Refused(kind, protocol, formats) => medium(kind, 0, protocol, formats.clone()),
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
        let unversioned = Secret::new(sdp.to_string());
        if self.last_sent.as_ref() != Some(&unversioned) {
            self.version += 1;
            self.last_sent = Some(unversioned);
        }
        sdp.origin.version = self.version.to_string();
        Bytes::from(sdp.to_string())
    }

    fn write_audio(&self, audio: &Audio, connection: Option<Connection>, port: u16) -> Media {
        let mut formats = Vec::new();
        let mut attributes = Vec::new();
        let map = |number: u8, encoding: Encoding| Attribute::with("rtpmap", format!("{number} {}", encoding.rtpmap()));
        for (number, codec) in &audio.codecs {
            formats.push(number.to_string());
            attributes.push(map(*number, Encoding::of(*codec)));
            if *codec == Codec::Opus {
                let ours = opus::Parameters { max_average_bitrate: Some(OPUS_BITRATE), ..opus::Parameters::ours() };
                attributes.push(Attribute::with("fmtp", format!("{number} {ours};stereo=0;sprop-stereo=0")));
            }
        }
        if let Some(number) = audio.noise {
            formats.push(number.to_string());
            attributes.push(map(number, Encoding::noise()));
        }
        for (number, clock) in &audio.events {
            formats.push(number.to_string());
            attributes.push(map(*number, Encoding::events(*clock)));
            attributes.push(Attribute::with("fmtp", format!("{number} 0-15")));
        }
        attributes.push(Attribute::with("ptime", audio.ptime.to_string()));
        attributes.extend(audio.protection.iter().cloned());
        attributes.push(Attribute::flag(flow_of(audio.direction).name()));
        if audio.mux {
            attributes.push(Attribute::flag("rtcp-mux"));
        }
        // Beside rtcp-mux it stands only for who may not take it (RFC 5761 §5.1.1).
        if !audio.mux || self.current.is_none() {
            attributes.push(Attribute::with("rtcp", port.saturating_add(1).to_string()));
        }
        // Asked of those alone who asked us: nobody is offered what it may never have heard of.
        let asked = [(audio.reports.round_trip, "rcvr-rtt=all"), (audio.reports.metrics, "voip-metrics")];
        let asked: Vec<&str> = asked.into_iter().filter(|(asked, _)| *asked).map(|(_, name)| name).collect();
        if !asked.is_empty() {
            attributes.push(Attribute::with("rtcp-xr", asked.join(" ")));
        }
        Media { connection, attributes, ..medium("audio", port, &audio.protocol, formats) }
    }
}

fn medium(kind: &str, port: u16, protocol: &str, formats: Vec<String>) -> Media {
    Media {
        kind: kind.to_owned(),
        port,
        port_count: None,
        protocol: protocol.to_owned(),
        formats,
        connection: None,
        bandwidth: Vec::new(),
        other: Vec::new(),
        attributes: Vec::new(),
    }
}

const fn unspecified(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

pub(super) const fn flow_of(direction: Direction) -> Flow {
    match direction {
        Direction::SendRecv => Flow::SendRecv,
        Direction::SendOnly => Flow::SendOnly,
        Direction::RecvOnly => Flow::RecvOnly,
        Direction::Inactive => Flow::Inactive,
    }
}
