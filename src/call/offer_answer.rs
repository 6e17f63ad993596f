//! Offer and answer (RFC 3264, RFC 6337) for one audio stream, for the life of a call.
//!
//! ```text
//!   New ──answer(offer)──▶ Agreed ──answer(offer)──▶ Agreed      they offer
//!    │                       │  ▲
//!    └──offer()──▶ Offered ◀─┘  │ take_answer(answer)            we offer
//!                     │   ├─────┤
//!                     │   └─────┘ take_early_answer: the offer stays open
//!                     └──withdraw()──▶ what held before
//! ```
//! What we answer is what we send: [`Format`] and the SDP come out of one place. What was refused has changed nothing.

mod payload;
mod preferences;
mod protection;
mod unacceptable;
mod write;

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use self::payload::{COMMON_CLOCK, Encoding, PayloadTypes, codec_in, events_in, noise_in};
pub use self::preferences::{NodePreferences, Preferences};
use self::protection::{Proposal, Protection, Seed};
pub use self::unacceptable::Unacceptable;
use crate::base::{Rng, Secret};
use crate::media::command::{Direction, Extended, Format, Remote, Security};
use crate::profile::{HoldStyle, SrtpPolicy};
use crate::wire::codec::{Codec, opus};
use crate::wire::sdp::{Connection, Flow, Media, SessionDescription};

/// The packet lengths we send, in milliseconds.
pub const PACKET_LENGTHS: [u8; 5] = [10, 20, 30, 40, 60];

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

/// One leg's negotiation. Plain data; a clone goes its own way, as the fork of a call does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Negotiation {
    preferences: Preferences,
    /// Put before all preferences: the codec of the leg at the other end of the bridge.
    preferred: Option<Codec>,
    local: Option<(IpAddr, u16)>,
    session_id: u64,
    version: u64,
    /// The last description we sent, without its version: unchanged descriptions keep their version (RFC 3264 §8). A secret,
    /// for keys stand in it.
    last_sent: Option<Secret>,
    seed: Seed,
    payload_types: PayloadTypes,
    current: Option<Current>,
    /// Our offer that waits for its answer.
    pending: Option<Pending>,
    /// The media of their last description, in order: our offers repeat them (RFC 3264 §8).
    lines: Vec<Line>,
    /// We hold the far end, and how.
    holding: Option<HoldStyle>,
}

/// What holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Current {
    types: Types,
    protection: Protection,
    /// The protocol of the medium as they wrote it.
    protocol: String,
    mux: bool,
    held: bool,
}

/// The payload types in use, theirs (which we send) and ours (which we receive).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Types {
    codec: Codec,
    send: u8,
    receive: u8,
    events: Option<(u8, u8)>,
    noise: Option<(u8, u8)>,
    opus: opus::Parameters,
    ptime: u8,
    /// Which extended reports they ask for.
    #[serde(default)]
    reports: Extended,
}

/// An offer of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Pending {
    direction: Direction,
    proposal: Proposal,
    codecs: Vec<(u8, Codec)>,
    /// By clock rate.
    events: Vec<(u8, u32)>,
    noise: Option<u8>,
    mux: bool,
    /// The hold that was agreed before it.
    held_before: Option<HoldStyle>,
}

/// One of their media.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Line {
    /// The audio that was accepted.
    Audio,
    /// Not ours to carry: kind, protocol, formats, repeated with port 0.
    Refused(String, String, Vec<String>),
}

impl Negotiation {
    /// A negotiation that has agreed on nothing yet.
    pub fn new(preferences: Preferences, rng: &mut Rng) -> Self {
        Self {
            preferences,
            preferred: None,
            local: None,
            // Some equipment reads it as a signed 32 or 64 bit number.
            session_id: rng.next_u64() >> 2,
            version: 0,
            last_sent: None,
            seed: Seed::new(rng),
            payload_types: PayloadTypes::default(),
            current: None,
            pending: None,
            lines: Vec::new(),
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
        let mut next = self.clone();
        let answered = next.answer_offer(&offer, signalling)?;
        *self = next;
        Ok(answered)
    }

    /// Makes an offer: the first of a call, or for an INVITE without one, or a later one that says again what holds.
    pub fn offer(&mut self) -> Bytes {
        let pending = self.propose();
        if self.lines.is_empty() {
            self.lines.push(Line::Audio);
        }
        let sdp = self.write_offer(&pending);
        self.pending = Some(pending);
        sdp
    }

    /// Offers to hold the far end; until [`Negotiation::resume`] every later description of ours says so too.
    pub fn hold(&mut self, style: HoldStyle) -> Bytes {
        self.change_hold(Some(style))
    }

    /// Offers to go on after a hold of ours.
    pub fn resume(&mut self) -> Bytes {
        self.change_hold(None)
    }

    /// Puts a codec first, in offers and answers from now on: the other leg's, so that packets can be forwarded as they
    /// come. One that this leg does not speak is ignored.
    pub fn prefer(&mut self, codec: Codec) {
        self.preferred = Some(codec).filter(|codec| self.preferences.codecs.contains(codec));
    }

    /// Our offer was refused, or met theirs (491): what held before it holds again.
    pub fn withdraw(&mut self) {
        if let Some(pending) = self.pending.take() {
            self.holding = pending.held_before;
        }
    }

    /// Takes what a provisional response says of the answer to come. The offer stays open: other forks answer too, and
    /// the final answer decides. Where a fork's answer is final before the call's (PRACK, UPDATE), a clone of the
    /// negotiation takes it with [`Negotiation::take_answer`].
    pub fn take_early_answer(&mut self, answer: &[u8], signalling: IpAddr) -> Result<Agreed, Unacceptable> {
        let pending = self.pending.clone();
        let agreed = self.take_answer(answer, signalling);
        self.pending = pending;
        agreed
    }

    /// Takes the answer to our offer. On `Err` nothing was agreed anew; the offer is closed all the same.
    pub fn take_answer(&mut self, answer: &[u8], signalling: IpAddr) -> Result<Agreed, Unacceptable> {
        let pending = self.pending.take().ok_or(Unacceptable::NotAnAnswer)?;
        let answer = SessionDescription::parse(answer).map_err(|_| Unacceptable::NotSdp)?;
        let mut next = self.clone();
        let agreed = next.accept_answer(&pending, &answer, signalling)?;
        *self = next;
        Ok(agreed)
    }

    /// Whether an offer of ours waits for its answer.
    pub const fn is_offering(&self) -> bool {
        self.pending.is_some()
    }

    /// Whether we hold the far end, and how.
    pub const fn holding(&self) -> Option<HoldStyle> {
        self.holding
    }

    /// The codec that was agreed.
    pub fn codec(&self) -> Option<Codec> {
        self.current.as_ref().map(|current| current.types.codec)
    }

    fn change_hold(&mut self, holding: Option<HoldStyle>) -> Bytes {
        let before = self.pending.as_ref().map_or(self.holding, |pending| pending.held_before);
        self.holding = holding;
        let sdp = self.offer();
        if let Some(pending) = &mut self.pending {
            pending.held_before = before;
        }
        sdp
    }

    fn answer_offer(
        &mut self,
        offer: &SessionDescription,
        signalling: IpAddr,
    ) -> Result<(Bytes, Agreed), Unacceptable> {
        let (index, media, protection) = self.choose_media(offer)?;
        let mut types = self.choose_types(media, offer)?;
        self.payload_types.note(media);
        let ours = |used: &mut PayloadTypes, encoding, theirs| used.answered(&encoding, theirs);
        types.receive =
            ours(&mut self.payload_types, Encoding::of(types.codec), types.send).ok_or(Unacceptable::Codec)?;
        let clock = types.event_clock();
        types.events = types
            .events
            .and_then(|(theirs, _)| Some((theirs, ours(&mut self.payload_types, Encoding::events(clock), theirs)?)));
        types.noise = types
            .noise
            .and_then(|(theirs, _)| Some((theirs, ours(&mut self.payload_types, Encoding::noise(), theirs)?)));
        let (they_send, they_receive) = flows(offer, media);
        let (we_send, we_receive) = self.wanted();
        let direction = direction(they_receive && we_send, they_send && we_receive);
        let mux = self.preferences.rtcp_mux && media.has("rtcp-mux");
        let remote = self.remote_of(offer, media, mux, signalling)?;
        let security = protection.security(&self.seed)?;
        self.lines = lines(offer, index);
        self.pending = None;
        let protocol = media.protocol.clone();
        self.current = Some(Current { types, protection, protocol, mux, held: !they_receive });
        let sdp = self.write_answer(types, direction);
        Ok((sdp, Agreed { format: types.format(direction), remote, security, held: !they_receive }))
    }

    fn propose(&mut self) -> Pending {
        let now = self.current.as_ref();
        let proposal = Proposal::of(&self.preferences, now.map_or(&Protection::Plain, |now| &now.protection));
        // What is in use stands first, so that whoever takes the first changes nothing (RFC 3264 §8.3.2).
        let mut order: Vec<Codec> = Vec::with_capacity(self.preferences.codecs.len() + 1);
        let first = self.preferred.into_iter().chain(now.map(|now| now.types.codec));
        for codec in first.chain(self.preferences.codecs.iter().copied()) {
            if !order.contains(&codec) {
                order.push(codec);
            }
        }
        let mut codecs = Vec::with_capacity(order.len());
        let mut events: Vec<(u8, u32)> = Vec::new();
        // Nearly all phones know one clock of events: it is offered whatever the codecs are, and gets the number that the
        // profile wishes, before any codec does.
        let mut clocks: Vec<u32> = order.iter().map(|codec| codec.clock_rate()).chain([COMMON_CLOCK]).collect();
        clocks.sort_unstable();
        clocks.dedup();
        for clock in clocks.into_iter().filter(|_| self.preferences.events) {
            let wished = if events.is_empty() { self.preferences.event_type } else { 0 };
            let number = self.payload_types.offered(&Encoding::events(clock), None, wished);
            events.extend(number.map(|number| (number, clock)));
        }
        for codec in order {
            let encoding = Encoding::of(codec);
            if let Some(number) = self.payload_types.offered(&encoding, Some(codec), 0) {
                codecs.push((number, codec));
            }
        }
        let noise = self.preferences.comfort_noise && codecs.iter().any(|(_, codec)| codec.clock_rate() == 8000);
        let noise = noise.then(|| self.payload_types.offered(&Encoding::noise(), None, 0)).flatten();
        let (send, receive) = self.wanted();
        Pending {
            direction: direction(send, receive),
            proposal,
            codecs,
            events,
            noise,
            mux: now.map_or(self.preferences.rtcp_mux, |now| now.mux),
            held_before: self.holding,
        }
    }

    fn accept_answer(
        &mut self,
        pending: &Pending,
        answer: &SessionDescription,
        signalling: IpAddr,
    ) -> Result<Agreed, Unacceptable> {
        // An answer keeps the order of the offer: ours stands where our audio stood (RFC 3264 §6).
        let place = self.lines.iter().position(|line| *line == Line::Audio).unwrap_or(0);
        let media = answer.media.get(place).filter(|media| media.port != 0).ok_or(Unacceptable::NoAudio)?;
        let now = self.current.as_ref();
        let plain = Protection::Plain;
        let protection = pending.proposal.answered(answer, media, now.map_or(&plain, |current| &current.protection))?;
        let theirs = self.choose_types(media, answer)?;
        // We send with their numbers; they send with the ones we offered (RFC 3264 §6.1).
        let offered = pending.codecs.iter().find(|(_, codec)| *codec == theirs.codec);
        let clock = theirs.event_clock();
        let events = pending.events.iter().find(|(_, offered)| *offered == clock);
        let types = Types {
            receive: offered.map(|(number, _)| *number).ok_or(Unacceptable::Codec)?,
            events: theirs.events.zip(events).map(|((send, _), (receive, _))| (send, *receive)),
            noise: theirs.noise.zip(pending.noise).map(|((send, _), receive)| (send, receive)),
            ..theirs
        };
        let (they_send, they_receive) = flows(answer, media);
        let ours = pending.direction;
        let direction = direction(ours.sends() && they_receive, ours.receives() && they_send);
        // Where we offered to send nothing they cannot say that they hold us, nor that they no longer do.
        let held = if ours.sends() { !they_receive } else { now.is_some_and(|current| current.held) };
        let mux = pending.mux && media.has("rtcp-mux");
        let remote = self.remote_of(answer, media, mux, signalling)?;
        let security = protection.security(&self.seed)?;
        self.payload_types.note(media);
        self.current = Some(Current { types, protection, protocol: media.protocol.clone(), mux, held });
        Ok(Agreed { format: types.format(direction), remote, security, held })
    }

    /// The audio that is carried: the one that was, as long as it can be; else the first that is encrypted, where that is
    /// not ruled out; else the first. With what kept the last from being it, where there is none.
    fn choose_media<'a>(&self, offer: &'a SessionDescription) -> Result<(usize, &'a Media, Protection), Unacceptable> {
        let carried = self.lines.iter().position(|line| *line == Line::Audio).filter(|_| self.current.is_some());
        let mut why = Unacceptable::NoAudio;
        let mut best: Option<(u8, usize, &Media, Protection)> = None;
        for (index, media) in offer.media.iter().enumerate() {
            if !media.kind.eq_ignore_ascii_case("audio") || media.port == 0 {
                continue;
            }
            let now = self.current.as_ref().map_or(&Protection::Plain, |current| &current.protection);
            let found = Protection::answering(offer, media, &self.preferences, now)
                .and_then(|protection| self.choose_types(media, offer).map(|_| protection));
            match found {
                Err(reason) => why = reason,
                Ok(protection) => {
                    let encrypted = protection != Protection::Plain && self.preferences.srtp != SrtpPolicy::Off;
                    let worth = if Some(index) == carried { 2 } else { u8::from(encrypted) };
                    if best.as_ref().is_none_or(|(other, ..)| worth > *other) {
                        best = Some((worth, index, media, protection));
                    }
                }
            }
        }
        best.map(|(_, index, media, protection)| (index, media, protection)).ok_or(why)
    }

    /// The codec and what goes with it, by their numbers.
    fn choose_types(&self, media: &Media, sdp: &SessionDescription) -> Result<Types, Unacceptable> {
        let known = self.preferences.codecs.iter().copied();
        // What is in use is understood even where it is no longer liked.
        let in_use = self.current.as_ref().map(|current| current.types.codec);
        let spoken: Vec<(u8, Codec)> = known
            .chain(in_use.filter(|codec| !self.preferences.codecs.contains(codec)))
            .filter_map(|codec| codec_in(media, codec).map(|number| (number, codec)))
            .collect();
        let of = |wanted: Codec| spoken.iter().find(|(_, codec)| *codec == wanted);
        let first_of_theirs = || {
            let place = |number: u8| media.payload_types().position(|other| other == number);
            spoken.iter().min_by_key(|(number, _)| place(*number))
        };
        // What was agreed stays, as long as they still offer it: no needless change in the middle of a word.
        let chosen = self
            .preferred
            .and_then(of)
            .or_else(|| in_use.and_then(of))
            .or_else(|| if self.preferences.ours_first { spoken.first() } else { first_of_theirs() });
        let (number, codec) = chosen.copied().ok_or(Unacceptable::Codec)?;
        let events = events_in(media, codec).filter(|_| self.preferences.events);
        let noise = noise_in(media, codec).filter(|_| self.preferences.comfort_noise);
        let opus = media.fmtp(number).filter(|_| codec == Codec::Opus).map(opus::Parameters::parse).unwrap_or_default();
        let narrow_events = codec == Codec::Opus && events.is_some_and(|(_, clock)| clock == COMMON_CLOCK);
        Ok(Types {
            codec,
            send: number,
            receive: number,
            events: events.map(|(number, _)| (number, number)),
            noise: noise.map(|number| (number, number)),
            opus: opus::Parameters { narrow_events, ..opus },
            ptime: self.packet_length(sdp.ptime(media), sdp.maxptime(media)),
            reports: reports_in(sdp, media),
        })
    }

    /// The longest of our lengths within what they wish for and bear.
    fn packet_length(&self, wished: Option<u32>, most: Option<u32>) -> u8 {
        let wished = wished.filter(|length| *length > 0).unwrap_or(u32::from(self.preferences.ptime));
        let bound = most.filter(|most| *most >= 10).map_or(wished, |most| wished.min(most));
        PACKET_LENGTHS.into_iter().filter(|length| u32::from(*length) <= bound).max().unwrap_or(10)
    }

    /// Whether we wish to send, and to receive.
    const fn wanted(&self) -> (bool, bool) {
        match self.holding {
            None => (true, true),
            Some(HoldStyle::SendOnly | HoldStyle::ZeroAddress) => (true, false),
            Some(HoldStyle::Inactive) => (false, false),
        }
    }

    /// Where their description says that media goes.
    fn remote_of(
        &self,
        sdp: &SessionDescription,
        media: &Media,
        mux: bool,
        signalling: IpAddr,
    ) -> Result<Remote, Unacceptable> {
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
}

impl Types {
    /// What telephone-events count in.
    const fn event_clock(&self) -> u32 {
        if self.opus.narrow_events { COMMON_CLOCK } else { self.codec.clock_rate() }
    }

    fn format(self, direction: Direction) -> Format {
        Format {
            codec: self.codec,
            send_payload_type: self.send,
            receive_payload_type: self.receive,
            ptime: self.ptime,
            telephone_event: self.events,
            comfort_noise: self.noise,
            opus: self.opus,
            reports: self.reports,
            direction,
        }
    }
}

/// The extended reports that they ask for, for this medium or for all (RFC 3611 §5.1).
fn reports_in(sdp: &SessionDescription, media: &Media) -> Extended {
    let all = sdp.attributes.iter().filter(|attribute| attribute.name == "rtcp-xr");
    let all = all.filter_map(|attribute| attribute.value.as_deref());
    let named: Vec<&str> = media.values("rtcp-xr").chain(all).flat_map(str::split_whitespace).collect();
    // `sender` leaves out those who only receive, as nobody here does for long.
    let round_trip = named.iter().any(|name| name.starts_with("rcvr-rtt=all"));
    Extended { metrics: named.contains(&"voip-metrics"), round_trip }
}

/// Whether they send, and receive; an unspecified address holds, whatever the attributes say (RFC 3264 §8.4).
fn flows(sdp: &SessionDescription, media: &Media) -> (bool, bool) {
    let held = sdp.connection_of(media).is_some_and(Connection::is_unspecified);
    match sdp.flow(media) {
        Flow::SendRecv => (true, !held),
        Flow::SendOnly => (true, false),
        Flow::RecvOnly => (false, !held),
        Flow::Inactive => (false, false),
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

fn is_broadcast(ip: IpAddr) -> bool {
    ip.to_canonical() == IpAddr::V4(std::net::Ipv4Addr::BROADCAST)
}

fn lines(sdp: &SessionDescription, audio: usize) -> Vec<Line> {
    let line = |(index, media): (usize, &Media)| match index == audio {
        true => Line::Audio,
        false => Line::Refused(media.kind.clone(), media.protocol.clone(), media.formats.clone()),
    };
    sdp.media.iter().enumerate().map(line).collect()
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod secure_tests;
#[cfg(test)]
mod tests;
