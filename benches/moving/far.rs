//! The far end: a telephone that is called, says nothing, and notes when which tone reached it.

use std::f64::consts::TAU;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ringlift::wire::codec::g711::Law;

/// A packet's samples.
const FRAME: usize = 160;
/// A tone is there from this share of full scale: a twentieth of what the speakers of this bench say.
const THERE: f64 = 0.01;

/// What came in one packet.
#[derive(Debug, Clone)]
pub struct Heard {
    /// When.
    pub at: Instant,
    /// Its place in the stream, in samples.
    pub stamp: u32,
    samples: [i16; FRAME],
}

impl Heard {
    /// Whether a tone of so many hertz is in it.
    pub fn has(&self, hertz: f64) -> bool {
        let (mut re, mut im) = (0.0, 0.0);
        for (n, sample) in self.samples.iter().enumerate() {
            let turn = TAU * hertz * n as f64 / 8000.0;
            re += f64::from(*sample) / 32768.0 * turn.cos();
            im += f64::from(*sample) / 32768.0 * turn.sin();
        }
        2.0 * re.hypot(im) / FRAME as f64 > THERE
    }
}

/// The telephone.
pub struct Far {
    heard: Arc<Mutex<Vec<Heard>>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Far {
    /// Calls this number at a gateway, and is in the call when this returns.
    pub fn call(gateway: &str, number: &str) -> Self {
        let sip = UdpSocket::bind("127.0.0.1:0").unwrap();
        sip.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let rtp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (own, audio) = (sip.local_addr().unwrap(), rtp.local_addr().unwrap().port());
        let sdp = format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {audio} RTP/AVP 0\r\na=ptime:20\r\n"
        );
        let request = |method: &str, to: &str, contact: &str, body: &str| {
            format!(
                "{method} {contact} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bKfar{method};rport\r\nMax-Forwards: 70\r\n\
                 From: <sip:+4930901899@127.0.0.1>;tag=far\r\nTo: {to}\r\nCall-ID: far-end\r\nCSeq: 1 {method}\r\n\
                 Contact: <sip:far@{own}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
        };
        let number = format!("sip:{number}@{gateway}");
        sip.send_to(request("INVITE", &format!("<{number}>"), &number, &sdp).as_bytes(), gateway).unwrap();
        let mut bytes = [0; 4000];
        let answer = loop {
            let length = sip.recv(&mut bytes).expect("an answer to the far end's call");
            let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
            let status = text.split(' ').nth(1).unwrap_or_default().to_owned();
            assert!(status.starts_with(['1', '2']), "the far end's call was refused: {text}");
            if status == "200" {
                break text;
            }
        };
        let field = |name: &str| {
            let line = answer.lines().find(|line| line.to_ascii_lowercase().starts_with(name)).expect("a header");
            line.split_once(':').unwrap().1.trim().to_owned()
        };
        let contact = field("contact").split(['<', '>']).nth(1).expect("a contact in angle brackets").to_owned();
        sip.send_to(request("ACK", &field("to"), &contact, "").as_bytes(), gateway).unwrap();
        let port = answer.lines().find_map(|line| line.strip_prefix("m=audio ")).unwrap();
        let port: u16 = port.split(' ').next().unwrap().parse().unwrap();
        let (heard, ends) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let thread = std::thread::spawn({
            let (heard, ends) = (heard.clone(), ends.clone());
            move || listen(&sip, &rtp, SocketAddr::from(([127, 0, 0, 1], port)), &heard, &ends)
        });
        Self { heard, ends, thread: Some(thread) }
    }

    /// What came since then.
    pub fn since(&self, then: Instant) -> Vec<Heard> {
        self.heard.lock().unwrap().iter().filter(|one| one.at >= then).cloned().collect()
    }

    /// Forgets what came.
    pub fn forget(&self) {
        self.heard.lock().unwrap().clear();
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Release);
        self.thread.take().map(JoinHandle::join);
    }
}

/// Takes each packet as it comes, and sends silence as often.
fn listen(sip: &UdpSocket, rtp: &UdpSocket, to: SocketAddr, heard: &Mutex<Vec<Heard>>, ends: &AtomicBool) {
    sip.set_nonblocking(true).unwrap();
    rtp.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
    let (began, mut sent) = (Instant::now(), 0_u32);
    let mut bytes = [0; 2000];
    while !ends.load(Ordering::Acquire) {
        // The gateway's own requests within the call are agreed to.
        while let Ok((length, from)) = sip.recv_from(&mut bytes) {
            agree(sip, &String::from_utf8_lossy(&bytes[..length]), from);
        }
        while began.elapsed() >= Duration::from_millis(20) * sent {
            let mut packet = vec![0x80, 0x00];
            packet.extend(u16::try_from(sent % 65536).unwrap().to_be_bytes());
            packet.extend((sent * 160).to_be_bytes());
            packet.extend([0, 0, 0, 7]);
            packet.extend([Law::Mu.silence(); FRAME]);
            let _ = rtp.send_to(&packet, to);
            sent += 1;
        }
        let Ok(length) = rtp.recv(&mut bytes) else { continue };
        if length != 12 + FRAME || bytes[1] & 0x7f != 0 {
            continue;
        }
        let mut samples = [0; FRAME];
        Law::Mu.decode(&bytes[12..length], &mut samples);
        let stamp = u32::from_be_bytes(bytes[4..8].try_into().unwrap());
        heard.lock().unwrap().push(Heard { at: Instant::now(), stamp, samples });
    }
}

fn agree(sip: &UdpSocket, request: &str, from: SocketAddr) {
    if request.starts_with("SIP/2.0") || request.starts_with("ACK") {
        return;
    }
    let kept: String = request
        .lines()
        .filter(|line| {
            ["via:", "from:", "to:", "call-id:", "cseq:"].iter().any(|name| line.to_ascii_lowercase().starts_with(name))
        })
        .map(|line| format!("{line}\r\n"))
        .collect();
    let _ = sip.send_to(format!("SIP/2.0 200 OK\r\n{kept}Content-Length: 0\r\n\r\n").as_bytes(), from);
}
