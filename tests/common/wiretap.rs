//! What really went over loopback by UDP: the SIP messages and the RTP between a gateway and its telephones. A raw socket
//! sees every datagram, which needs root, as the bad network does.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::net::UdpSocket;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

use ringlift::wire::codec::g711::Law;
use ringlift::wire::rtp::{self, Packet};
use socket2::{Domain, Protocol, Socket, Type};

use super::audio::{RATE, Recording};
use super::gateway::Gateway;
use super::{ms, s, talk, until};

/// One datagram.
#[derive(Debug, Clone)]
struct Datagram {
    at: Instant,
    from: u16,
    to: u16,
    bytes: Vec<u8>,
}

/// One packet of audio that went to a telephone.
#[derive(Debug, Clone)]
pub struct Sound {
    /// When.
    pub at: Instant,
    /// From which port to which.
    pub ports: (u16, u16),
    /// Its source.
    pub ssrc: u32,
    /// Its sequence number.
    pub sequence: u16,
    /// Its timestamp.
    pub timestamp: u32,
    samples: Vec<i16>,
}

/// A SIP message.
#[derive(Debug, Clone)]
pub struct Message {
    /// When.
    pub at: Instant,
    /// From which port to which.
    pub ports: (u16, u16),
    /// As it was sent.
    pub text: String,
}

impl Message {
    /// The method of a request, or of the request that this answers.
    pub fn method(&self) -> &str {
        self.header("CSeq").split(' ').nth(1).unwrap_or_default()
    }

    /// Whether it is a request.
    pub fn is_request(&self) -> bool {
        !self.text.starts_with("SIP/2.0")
    }

    /// The user part of a request's URI.
    pub fn user(&self) -> &str {
        self.text.split_once("sip:").and_then(|(_, rest)| rest.split('@').next()).unwrap_or_default()
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> &str {
        let lines = self.text.lines().filter_map(|line| line.split_once(':'));
        lines.into_iter().find(|(at, _)| at.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value.trim())
    }

    /// Its dialog, whichever side says it: Call-ID and both tags; none while one tag is missing.
    pub fn dialog(&self) -> Option<(String, BTreeSet<String>)> {
        let tag = |name| Some(self.header(name).split_once(";tag=")?.1.split(';').next()?.to_owned());
        Some((self.header("Call-ID").to_owned(), [tag("From")?, tag("To")?].into()))
    }
}

/// A running wiretap; it ends when dropped.
pub struct Wiretap {
    seen: Arc<Mutex<Vec<Datagram>>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    sip: u16,
}

impl Wiretap {
    /// Keeps everything that goes to this gateway and comes from it from now on.
    #[track_caller]
    pub fn on(gateway: &Gateway) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::UDP)).expect("a wiretap needs root");
        socket.set_read_timeout(Some(ms(50))).unwrap();
        socket.set_recv_buffer_size(4 << 20).unwrap();
        let (first, last) = gateway.rtp_ports();
        let sip = gateway.sip().parse::<std::net::SocketAddr>().unwrap().port();
        let ours = sip..=last;
        assert!(ours.contains(&first));
        let (seen, over) = (Arc::<Mutex<Vec<Datagram>>>::default(), Arc::<AtomicBool>::default());
        let thread = {
            let (seen, over) = (seen.clone(), over.clone());
            std::thread::spawn(move || listen(socket, &ours, &seen, &over))
        };
        Self { seen, over, thread: Some(thread), sip }
    }

    /// The audio that went from the gateway to these ports since then, in the order it came.
    pub fn sounds(&self, to: &RangeInclusive<u16>, since: Instant) -> Vec<Sound> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|datagram| to.contains(&datagram.to) && datagram.at >= since).filter_map(sound).collect()
    }

    /// What whoever listens at these ports hears from then on, streams to several ports at once being one sound.
    pub fn heard(&self, to: &RangeInclusive<u16>, since: Instant) -> Recording {
        let mut streams: BTreeMap<u16, Vec<i16>> = BTreeMap::new();
        for sound in self.sounds(to, since) {
            streams.entry(sound.ports.1).or_default().extend(&sound.samples);
        }
        let length = streams.values().map(Vec::len).max().unwrap_or_default();
        let at = |n: usize| streams.values().filter_map(|s| s.get(n)).fold(0i16, |sum, x| sum.saturating_add(*x));
        Recording((0..length).map(at).collect())
    }

    /// Waits until whoever listens at these ports hears this voice, and no other of all from then on.
    #[track_caller]
    pub fn hears(&self, who: &str, to: &RangeInclusive<u16>, voice: f64, all: &[f64]) {
        let began = Instant::now();
        until(&format!("{who} to hear {voice} Hz"), s(8), || {
            let heard = self.heard(to, began).last(ms(300));
            (heard.length() >= ms(300) && heard.level(voice) > -20.0).then_some(())
        });
        let since = Instant::now();
        talk(ms(800));
        self.heard(to, since).hears_exactly(who, &[voice], all);
    }

    /// The SIP messages between the gateway and this port since then.
    pub fn messages(&self, port: u16, since: Instant) -> Vec<Message> {
        let seen = self.seen.lock().unwrap();
        let with = seen.iter().filter(|datagram| {
            datagram.at >= since && [(self.sip, port), (port, self.sip)].contains(&(datagram.from, datagram.to))
        });
        with.map(|datagram| Message {
            at: datagram.at,
            ports: (datagram.from, datagram.to),
            text: String::from_utf8_lossy(&datagram.bytes).into_owned(),
        })
        .filter(|message| message.text.contains("SIP/2.0"))
        .collect()
    }

    /// The dialogs of calls between the gateway and this port since then; a challenge begins none.
    pub fn dialogs(&self, port: u16, since: Instant) -> BTreeSet<(String, BTreeSet<String>)> {
        let mut calls = self.messages(port, since);
        calls.retain(|message| !["REGISTER", "OPTIONS"].contains(&message.method()));
        let challenged = |m: &Message| m.text.starts_with("SIP/2.0 401") || m.text.starts_with("SIP/2.0 407");
        let none: BTreeSet<_> = calls.iter().filter(|m| challenged(m)).filter_map(Message::dialog).collect();
        calls.iter().filter_map(Message::dialog).filter(|dialog| !none.contains(dialog)).collect()
    }

    /// Panics unless all audio to these ports since then is one stream: one source, every sequence number once and in its
    /// order, timestamps that run on as time does.
    #[track_caller]
    pub fn is_one_stream(&self, who: &str, to: &RangeInclusive<u16>, since: Instant) {
        let sounds = self.sounds(to, since);
        assert!(sounds.len() > 50, "{who} got {} packets", sounds.len());
        for pair in sounds.windows(2) {
            let (one, two) = (&pair[0], &pair[1]);
            assert_eq!((one.ssrc, one.ports), (two.ssrc, two.ports), "{who} got another stream");
            assert_eq!(two.sequence, one.sequence.wrapping_add(1), "{who}'s sequence numbers jump");
            assert!(two.timestamp.wrapping_sub(one.timestamp) < RATE * 10, "{who}'s timestamps go back");
        }
        let (first, last) = (&sounds[0], &sounds[sounds.len() - 1]);
        let ran = f64::from(last.timestamp.wrapping_sub(first.timestamp)) / f64::from(RATE);
        let took = (last.at - first.at).as_secs_f64();
        assert!((ran - took).abs() < 0.5, "{who}'s timestamps ran {ran:.2} s in {took:.2} s");
    }
}

impl Drop for Wiretap {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Wakes the listener, whatever its timeout.
        if let Ok(socket) = UdpSocket::bind("127.0.0.1:0") {
            let _ = socket.send_to(&[], ("127.0.0.1", 9));
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn listen(mut socket: Socket, ours: &RangeInclusive<u16>, seen: &Mutex<Vec<Datagram>>, over: &AtomicBool) {
    let mut buffer = vec![0; 65_536];
    while !over.load(Ordering::Relaxed) {
        let Ok(length) = socket.read(&mut buffer) else { continue };
        if let Some(datagram) = datagram(&buffer[..length], ours) {
            seen.lock().unwrap().push(datagram);
        }
    }
}

/// A datagram with its IPv4 and UDP headers, where it goes to us or comes from us.
fn datagram(packet: &[u8], ours: &RangeInclusive<u16>) -> Option<Datagram> {
    let udp = packet.get(usize::from(packet.first()? & 15) * 4..)?;
    let port = |at: usize| Some(u16::from_be_bytes([*udp.get(at)?, *udp.get(at + 1)?]));
    let (from, to) = (port(0)?, port(2)?);
    (ours.contains(&from) || ours.contains(&to)).then_some(())?;
    Some(Datagram { at: Instant::now(), from, to, bytes: udp.get(8..)?.to_vec() })
}

fn sound(datagram: &Datagram) -> Option<Sound> {
    if rtp::is_rtcp(&datagram.bytes) {
        return None;
    }
    let packet = Packet::parse(&datagram.bytes).ok()?;
    let law = match packet.header.payload_type {
        0 => Law::Mu,
        8 => Law::A,
        _ => return None,
    };
    let mut samples = vec![0; packet.payload.len()];
    law.decode(packet.payload, &mut samples);
    Some(Sound {
        at: datagram.at,
        ports: (datagram.from, datagram.to),
        ssrc: packet.header.ssrc,
        sequence: packet.header.sequence,
        timestamp: packet.header.timestamp,
        samples,
    })
}
