//! One dialog over UDP, by hand.

use std::fmt::Write;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use ringlift::wire::codec::Codec;

use crate::common::coder::number;
use crate::common::{ms, s};

/// A call that was answered.
pub(super) struct Dialog {
    socket: UdpSocket,
    here: SocketAddr,
    gateway: SocketAddr,
    user: String,
    call_id: String,
    /// Ours.
    tag: u32,
    /// Theirs, with `;tag=` in front.
    to: String,
    sequence: u32,
    codec: Codec,
    fmtp: String,
}

impl Dialog {
    /// Calls; the port where the gateway hears.
    #[track_caller]
    pub(super) fn call(gateway: SocketAddr, user: &str, (codec, fmtp): (Codec, &str), rtp: u16) -> (Self, u16) {
        static CALLS: AtomicU32 = AtomicU32::new(1);
        let tag = CALLS.fetch_add(1, Ordering::Relaxed);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        // Whoever had the port before may still be sent something.
        socket.connect(gateway).unwrap();
        socket.set_read_timeout(Some(ms(500))).unwrap();
        let here = socket.local_addr().unwrap();
        let call_id = format!("bare{tag}x{}", here.port());
        let (user, to, fmtp) = (user.to_owned(), String::new(), fmtp.to_owned());
        let mut dialog = Self { socket, here, gateway, user, call_id, tag, to, sequence: 0, codec, fmtp };
        let answered = dialog.modify(rtp);
        (dialog, answered)
    }

    /// Offers to hear there from now on; the port where the gateway hears.
    #[track_caller]
    pub(super) fn modify(&mut self, rtp: u16) -> u16 {
        let body = self.offer(rtp);
        let (head, body) = self.ask("INVITE", &body);
        let to =
            head.lines().find_map(|line| line.strip_prefix("To:")).and_then(|to| to.find(";tag=").map(|at| &to[at..]));
        self.to = to.unwrap_or_else(|| panic!("no tag: {head}")).to_owned();
        self.send("ACK", "");
        let media = body.lines().find_map(|line| line.strip_prefix("m=audio "));
        let media = media.unwrap_or_else(|| panic!("no audio: {head}\n{body}"));
        media.split(' ').next().unwrap().parse().unwrap()
    }

    /// Ends it.
    #[track_caller]
    pub(super) fn hang_up(&mut self) {
        self.ask("BYE", "");
    }

    pub(super) fn call_id(&self) -> &str {
        &self.call_id
    }

    fn offer(&self, rtp: u16) -> String {
        let (codec, kind) = (self.codec, number(self.codec));
        let name = codec.name();
        let channels = if codec.channels() > 1 { format!("/{}", codec.channels()) } else { String::new() };
        let mut body = format!(
            "v=0\r\no=- {0} {1} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {rtp} RTP/AVP {kind} 101\r\n\
             a=rtpmap:{kind} {name}/{2}{channels}\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n",
            self.tag,
            self.sequence + 1,
            codec.clock_rate(),
        );
        if !self.fmtp.is_empty() {
            let _ = write!(body, "a=fmtp:{kind} {}\r\n", self.fmtp);
        }
        body
    }

    fn send(&self, method: &str, body: &str) {
        let Self { here, gateway, user, call_id, tag, to, sequence, .. } = self;
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let message = format!(
            "{method} sip:{user}@{gateway} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK{call_id}{sequence}{method}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:bare@{here}>;tag={tag}\r\nTo: <sip:{user}@{gateway}>{to}\r\n\
             Call-ID: {call_id}\r\nCSeq: {sequence} {method}\r\nContact: <sip:bare@{here}>\r\n{kind}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.socket.send(message.as_bytes()).unwrap();
    }

    /// Sends a request, again each half a second, until its final response is here: head and body.
    #[track_caller]
    fn ask(&mut self, method: &str, body: &str) -> (String, String) {
        self.sequence += 1;
        let wanted = format!("{} {method}", self.sequence);
        let begun = Instant::now();
        let mut buffer = [0; 8192];
        self.send(method, body);
        while begun.elapsed() < s(10) {
            let Ok(length) = self.socket.recv(&mut buffer) else {
                self.send(method, body);
                continue;
            };
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no SIP: {text:?}"));
            let ours = head.lines().filter_map(|line| line.strip_prefix("CSeq:")).any(|value| value.trim() == wanted);
            match head.strip_prefix("SIP/2.0 ").filter(|_| ours) {
                Some(status) if status.starts_with('1') => {}
                Some(status) => {
                    assert!(status.starts_with("200"), "{method}: {text}");
                    return (head.to_owned(), body.to_owned());
                }
                None => {}
            }
        }
        panic!("{method} is not answered");
    }
}
