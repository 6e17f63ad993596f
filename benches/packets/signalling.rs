//! Calls by SIP.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

/// The least of a SIP phone: one socket, calls told apart by Call-ID.
pub struct Signalling {
    socket: UdpSocket,
    gateway: SocketAddr,
    here: SocketAddr,
    buffer: Vec<u8>,
}

pub struct Dialog {
    user: String,
    call_id: String,
    to: String,
    pub rtp: u16,
}

/// What matters of a response.
pub struct Response {
    status: u16,
    method: String,
    call_id: String,
    to: String,
    body: String,
}

impl Signalling {
    pub fn new(gateway: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        Self { here: socket.local_addr().unwrap(), socket, gateway, buffer: vec![0; 65_536] }
    }

    fn request(&self, method: &str, user: &str, call_id: &str, cseq: u32, to_tag: &str, rtp: Option<u16>) -> String {
        let (here, gateway) = (self.here, self.gateway);
        let body = rtp.map_or(String::new(), |port| {
            format!(
                "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 0 101\r\n\
                 a=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n"
            )
        });
        let kind = if rtp.is_some() { "Content-Type: application/sdp\r\n" } else { "" };
        format!(
            "{method} sip:{user}@{gateway} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK{call_id}{cseq}{method}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:bench@{here}>;tag={call_id}\r\nTo: <sip:{user}@{gateway}>{to_tag}\r\n\
             Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\nContact: <sip:bench@{here}>\r\n{kind}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    fn send(&self, message: &str) {
        self.socket.send_to(message.as_bytes(), self.gateway).unwrap();
    }

    fn receive(&mut self) -> Option<Response> {
        let length = self.socket.recv(&mut self.buffer).ok()?;
        let text = String::from_utf8_lossy(&self.buffer[..length]).into_owned();
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()?;
        let field = |name: &str| {
            head.lines()
                .find_map(|line| line.strip_prefix(name))
                .map(|value| value.trim().to_owned())
                .unwrap_or_default()
        };
        let method = field("CSeq:").split_whitespace().nth(1).unwrap_or_default().to_owned();
        Some(Response { status, method, call_id: field("Call-ID:"), to: field("To:"), body: body.to_owned() })
    }

    /// Until the gateway answers OPTIONS.
    pub fn await_answer(&mut self) {
        for attempt in 0..150 {
            self.send(&self.request("OPTIONS", "1", &format!("up{attempt}"), 1, "", None));
            self.socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
            if self.receive().is_some() {
                return;
            }
        }
        panic!("the gateway does not answer");
    }

    /// Calls, all at once: who is called, the Call-ID, the port for audio.
    pub fn call_all(&mut self, calls: &[(String, String, u16)]) -> Vec<Dialog> {
        for (user, call_id, rtp) in calls {
            self.send(&self.request("INVITE", user, call_id, 1, "", Some(*rtp)));
        }
        let mut dialogs = BTreeMap::new();
        while dialogs.len() < calls.len() {
            let response = self.receive().expect("an answer to INVITE");
            if response.method != "INVITE" || response.status < 200 {
                continue;
            }
            assert_eq!(response.status, 200, "the call was refused");
            let call_id = response.call_id;
            let user = calls.iter().find(|(_, known, _)| *known == call_id).map(|(user, ..)| user.clone());
            let Some(user) = user else { continue };
            let to = response.to.find(";tag=").map(|at| response.to[at..].to_owned()).unwrap();
            self.send(&self.request("ACK", &user, &call_id, 1, &to, None));
            let media = response.body.lines().find_map(|line| line.strip_prefix("m=audio ")).unwrap();
            let rtp = media.split(' ').next().unwrap().parse().unwrap();
            dialogs.insert(call_id.clone(), Dialog { user, call_id, to, rtp });
        }
        calls.iter().filter_map(|(_, call_id, _)| dialogs.remove(call_id)).collect()
    }

    /// Ends them all.
    pub fn hang_up_all(&mut self, dialogs: &[Dialog]) {
        for dialog in dialogs {
            self.send(&self.request("BYE", &dialog.user, &dialog.call_id, 2, &dialog.to, None));
        }
        let mut left = dialogs.len();
        while left > 0 {
            let response = self.receive().expect("an answer to BYE");
            left -= usize::from(response.method == "BYE" && response.status >= 200);
        }
    }
}
