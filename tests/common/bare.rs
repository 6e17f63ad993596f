//! The least of a telephone, over real sockets, that does what a test says when it says so: SIP by hand, a tone in packets of 20 ms
//! from a thread of its own at absolute deadlines, and what it hears with the kernel's word of when that came.

mod ear;
mod mouth;
mod signalling;

use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use ringlift::base::Rng;
use ringlift::engine::os;
use ringlift::wire::codec::Codec;

use super::abuse::Abuse;
use super::gateway::{Gateway, NUMBER};
use super::{s, until};
use ear::Ear;
pub use ear::Heard;
use mouth::{Mouth, Speaking};
use signalling::Dialog;

/// A telephone in a call. It says nothing any more when dropped, and leaves the call to whoever misses it.
pub struct Bare {
    dialog: Dialog,
    rtp: Arc<UdpSocket>,
    rtcp: UdpSocket,
    gateway: SocketAddr,
    mouth: Arc<Mutex<Mouth>>,
    speaking: Speaking,
    heard: Arc<Mutex<Heard>>,
    ears: Vec<Ear>,
}

/// With it commands begin: among them may be that the telephone mutes itself, and then nobody hears it for good reason.
const STAR: u8 = 10;

/// Its ports: an even one and the one above.
fn ports() -> (Arc<UdpSocket>, UdpSocket) {
    for _ in 0..1000 {
        let rtp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = rtp.local_addr().unwrap().port();
        if let Ok(rtcp) = UdpSocket::bind(("127.0.0.1", port | 1))
            && port.is_multiple_of(2)
        {
            return (Arc::new(rtp), rtcp);
        }
    }
    panic!("no two ports beside each other");
}

impl Bare {
    /// Calls the gateway's number with one codec, and says a tone as soon as that is answered.
    #[track_caller]
    pub fn call(gateway: &Gateway, codec: Codec, tone: f32) -> Self {
        Self::call_with(gateway, codec, "", tone)
    }

    /// The same, with this for its `a=fmtp`.
    #[track_caller]
    pub fn call_with(gateway: &Gateway, codec: Codec, fmtp: &str, tone: f32) -> Self {
        let (rtp, rtcp) = ports();
        let port = rtp.local_addr().unwrap().port();
        let (dialog, answered) = Dialog::call(gateway.sip().parse().unwrap(), NUMBER, (codec, fmtp), port);
        let gateway = SocketAddr::from(([127, 0, 0, 1], answered));
        let mouth = Arc::new(Mutex::new(Mouth::new(codec, tone, rtp.clone(), gateway)));
        let heard = Arc::new(Mutex::new(Heard::new(codec)));
        let ears = vec![Ear::new(rtp.clone(), gateway, heard.clone())];
        let speaking = Speaking::begin(mouth.clone());
        Self { dialog, rtp, rtcp, gateway, mouth, speaking, heard, ears }
    }

    /// Its call's Call-ID.
    pub fn call_id(&self) -> &str {
        self.dialog.call_id()
    }

    /// Where the gateway hears it.
    pub fn gateway(&self) -> SocketAddr {
        self.gateway
    }

    /// Its mouth, which says nothing while this is held: changes come between two packets.
    pub fn mouth(&self) -> MutexGuard<'_, Mouth> {
        self.mouth.lock().unwrap()
    }

    /// What it has heard so far.
    pub fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap()
    }

    /// Goes to another port, and says so: from now on nothing comes from the old one, and once that is answered it speaks from the
    /// new one. Which of its packets is the first from there.
    #[track_caller]
    pub fn move_by_offer(&mut self) -> usize {
        self.mouth().sends = false;
        let (rtp, rtcp) = ports();
        let answered = self.dialog.modify(rtp.local_addr().unwrap().port());
        assert_eq!(answered, self.gateway.port(), "the gateway stays where it is");
        self.ears.push(Ear::new(rtp.clone(), self.gateway, self.heard.clone()));
        (self.rtp, self.rtcp) = (rtp.clone(), rtcp);
        let mut mouth = self.mouth();
        mouth.from = rtp;
        mouth.sends = true;
        mouth.left.len()
    }

    /// Speaks from a port that it has told nobody of.
    pub fn move_silently(&mut self) {
        self.mouth().from = ports().0;
    }

    /// Speaks from where it said again. Which of its packets is the first from there.
    pub fn move_back(&mut self) -> usize {
        let mut mouth = self.mouth();
        mouth.from = self.rtp.clone();
        mouth.left.len()
    }

    /// When a packet of its left, by the wall clock.
    #[track_caller]
    pub fn left(&self, packet: usize) -> Duration {
        until("a packet to leave", s(2), || self.mouth().left.get(packet).copied())
    }

    /// Sends nothing but this for so long, so many datagrams a second.
    pub fn rave(&self, abuse: &[Abuse], each_second: u64, length: Duration, rng: &mut Rng) {
        self.mouth().sends = false;
        let silence = self.mouth().silence();
        let mut reports = self.gateway;
        reports.set_port(reports.port() + 1);
        paced(each_second, length, |n| {
            let kind = abuse[n as usize % abuse.len()];
            let mut datagram = kind.next(&mut *self.mouth(), &silence, rng);
            if kind == Abuse::Keys && datagram[12] == STAR {
                datagram[12] = 0;
            }
            if kind == Abuse::Reports {
                let _ = self.rtcp.send_to(&datagram, reports);
            }
            let _ = self.rtp.send_to(&datagram, self.gateway);
        });
    }

    /// Hangs up.
    #[track_caller]
    pub fn hang_up(mut self) {
        self.speaking.end();
        self.dialog.hang_up();
    }
}

/// Does something so many times a second, at absolute deadlines 5 ms apart, for so long.
pub fn paced(each_second: u64, length: Duration, mut act: impl FnMut(u64)) {
    const STEP: u64 = 5_000_000;
    let (begun, mut done) = (os::monotonic(), 0);
    for step in 1..=length.as_nanos() as u64 / STEP {
        while done < step * STEP * each_second / 1_000_000_000 {
            act(done);
            done += 1;
        }
        os::sleep_until(begun + step * STEP);
    }
}
