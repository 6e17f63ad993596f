//! What a relay adds: the delay of a packet, and the work of a call, beside the same packets straight to a leg's sockets in the
//! same run. A phone sends a packet each 20 ms for each of its calls; whoever has the leg's sockets sends it back at once. The
//! tunnel is TLS over loopback; the relay is a process of its own. Both ways are measured in turn, so that what else the machine
//! does falls on both; a direct packet that does not come back makes the run worthless. The ratios travel; the microseconds
//! belong to the machine.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a bench reads the clock, and one that cannot go on should say where"
)]

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use rcgen::{CertificateParams, KeyPair, SanType};
use ringlift::base::id::RelayId;
use ringlift::engine::os::{Epoll, Inbox, Ready};
use ringlift::engine::relay::{Door, Fact, Relays, Tunnel};
use ringlift::engine::sockets::{Datagram, Ear, LegSockets};
use ringlift::media::outlet::Port;
use ringlift::transport::relay::Packet;
use ringlift::transport::relay::writer::writer;
use ringlift::transport::tls;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;

const CALLS: u16 = 20;
const PACKETS: u32 = 250;
/// How often each way is measured, in turn.
const TURNS: usize = 3;
/// How long the last packets may take to come back.
const PATIENCE: Duration = Duration::from_secs(2);
const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
/// Where calls' audio comes in.
const DIRECT: u16 = 30_100;
const RELAY_SIP: u16 = 30_199;
const RELAYED: u16 = 30_200;

/// Twenty milliseconds of G.711, with when they were sent in front of the voice.
fn packet(began: Instant) -> [u8; 172] {
    let mut bytes = [0x55; 172];
    bytes[0] = 0x80;
    bytes[12..28].copy_from_slice(&began.elapsed().as_nanos().to_be_bytes());
    bytes
}

/// The processor's time of this process, or of another, over all of its threads. In nanoseconds: the ticks of `stat` are as long
/// as half of all the work that is measured here.
fn busy(of: Option<u32>) -> Duration {
    let path = of.map_or("/proc/self/task".to_owned(), |id| format!("/proc/{id}/task"));
    let threads = std::fs::read_dir(path).unwrap().filter_map(Result::ok);
    // A thread may have ended since.
    let texts = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("schedstat")).ok());
    let times = texts.map(|text| text.split(' ').next().unwrap().parse::<u64>().unwrap());
    Duration::from_nanos(times.sum())
}

/// Whoever has the legs' sockets: what comes goes back.
fn echo(legs: Vec<LegSockets>, stop: Arc<AtomicBool>) -> std::thread::JoinHandle<Vec<LegSockets>> {
    std::thread::spawn(move || {
        let (epoll, mut ready) = (Epoll::new().unwrap(), Ready::with_capacity(64));
        for (leg, place) in legs.iter().zip(0..) {
            leg.watch_rtp(&epoll, place).unwrap();
        }
        let mut inbox = Inbox::new();
        while !stop.load(Ordering::Relaxed) {
            let found = epoll.wait(&mut ready, Duration::from_millis(50));
            for leg in (0..found).filter_map(|at| legs.get(usize::try_from(ready.token(at)?).ok()?)) {
                while let Some(Datagram { length, from, .. }) = leg.receive(Ear::Rtp, &mut inbox) {
                    leg.send(Port::Rtp, &from, inbox.bytes(length));
                }
            }
        }
        legs
    })
}

/// The phones of a way.
fn phones(first: u16) -> Vec<UdpSocket> {
    let phone = |call| {
        let phone = UdpSocket::bind((HERE, 0)).unwrap();
        phone.connect((HERE, first + 2 * call)).unwrap();
        phone.set_nonblocking(true).unwrap();
        phone
    };
    (0..CALLS).map(phone).collect()
}

/// Plays every call's packets; how long each took to come back, and how many did not.
fn play(phones: &[UdpSocket]) -> (Vec<Duration>, usize) {
    let (epoll, mut ready) = (Epoll::new().unwrap(), Ready::with_capacity(64));
    phones.iter().zip(0..).for_each(|(phone, place)| epoll.add(phone, place).unwrap());
    let began = Instant::now();
    let all = usize::from(CALLS) * usize::try_from(PACKETS).unwrap();
    let mut took = Vec::with_capacity(all);
    let mut listen = |until: Instant, took: &mut Vec<Duration>| {
        while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            if took.len() == all {
                break;
            }
            let found = epoll.wait(&mut ready, left);
            for phone in (0..found).filter_map(|at| phones.get(usize::try_from(ready.token(at)?).ok()?)) {
                let mut buffer = [0; 200];
                while phone.recv(&mut buffer).is_ok_and(|length| length == 172) {
                    let sent = u128::from_be_bytes(buffer[12..28].try_into().unwrap());
                    took.push(Duration::from_nanos(u64::try_from(began.elapsed().as_nanos() - sent).unwrap()));
                }
            }
        }
    };
    for round in 0..PACKETS {
        for phone in phones {
            phone.send(&packet(began)).unwrap();
        }
        listen(began + Duration::from_millis(20) * (round + 1), &mut took);
    }
    // What was sent last is on its way yet.
    listen(Instant::now() + PATIENCE, &mut took);
    let lost = all - took.len();
    (took, lost)
}

/// A door for relays: TLS and a WebSocket, as the API has it.
async fn door(listener: TcpListener, acceptor: TlsAcceptor, door: Door, relay: RelayId) {
    let (stream, from) = listener.accept().await.unwrap();
    stream.set_nodelay(true).unwrap();
    let socket = tokio_tungstenite::accept_async(acceptor.accept(stream).await.unwrap()).await.unwrap();
    let (sink, packets) = socket.split();
    let sink = sink.with(|packet| {
        std::future::ready(Ok::<_, tokio_tungstenite::tungstenite::Error>(match packet {
            Packet::Text(text) => Message::text(text),
            Packet::Binary(bytes) => Message::Binary(bytes),
            Packet::Close(code, reason) => {
                Message::Close(Some(CloseFrame { code: code.into(), reason: reason.into() }))
            }
        }))
    });
    let packets = packets.filter_map(|message| {
        std::future::ready(match message {
            Ok(Message::Text(text)) => Some(Ok(Packet::Text(text.to_string()))),
            Ok(Message::Binary(bytes)) => Some(Ok(Packet::Binary(bytes))),
            // At the end the far end is gone.
            Ok(_) | Err(_) => None,
        })
    });
    let (writer, writing) = writer(sink);
    let tunnel = Tunnel { packets: packets.boxed(), writer, writing: Box::pin(writing), name: "bench".into(), from };
    assert!(door.bring(relay, tunnel).await);
}

struct Relay(Child, std::path::PathBuf);

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
        let _ = std::fs::remove_dir_all(&self.1);
    }
}

/// A relay of its own process, towards this port.
fn relay(port: u16, authority: &str) -> Relay {
    let folder = std::env::temp_dir().join(format!("ringlift-bench-relay-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("ca.pem"), authority).unwrap();
    std::fs::write(folder.join("secret"), "rlr_bench").unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_ringlift"))
        .args(["relay", "--gateway", &format!("https://127.0.0.1:{port}"), "--secret-file", "secret", "--ca", "ca.pem"])
        .args(["--manager", "127.0.0.1", "--network", "127.0.0.0/8", "--address", "127.0.0.1", "--log", "warn"])
        .args([
            "--sip-port",
            &RELAY_SIP.to_string(),
            "--first-port",
            &RELAYED.to_string(),
            "--calls",
            &CALLS.to_string(),
        ])
        .current_dir(&folder)
        .spawn()
        .unwrap();
    Relay(child, folder)
}

/// One way of the packets, as it was measured so far.
#[derive(Default)]
struct Way {
    took: Vec<Duration>,
    lost: usize,
    ours: Duration,
    theirs: Duration,
    turns: u32,
}

impl Way {
    /// Plays once; the legs, for the next turn.
    fn turn(&mut self, phones: &[UdpSocket], legs: Vec<LegSockets>, other: Option<u32>) -> Vec<LegSockets> {
        let stop = Arc::new(AtomicBool::new(false));
        let echoing = echo(legs, stop.clone());
        let before = (busy(None), other.map_or(Duration::ZERO, |id| busy(Some(id))));
        let (took, lost) = play(phones);
        self.ours += busy(None).saturating_sub(before.0);
        self.theirs += other.map_or(Duration::ZERO, |id| busy(Some(id))).saturating_sub(before.1);
        self.took.extend(took);
        self.lost += lost;
        self.turns += 1;
        stop.store(true, Ordering::Relaxed);
        echoing.join().unwrap()
    }

    /// Prints it; its median and its work per call and second.
    fn tell(&mut self, name: &str) -> (f64, f64) {
        self.took.sort_unstable();
        let at = |share: f64| self.took[((self.took.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e6;
        let seconds = f64::from(CALLS) * f64::from(PACKETS) * 0.02 * f64::from(self.turns);
        let work = |busy: Duration| busy.as_secs_f64() * 1e6 / seconds;
        println!(
            "{name:<8} there and back: median {:7.0} µs, 99 % {:7.0} µs, lost {}; work per call and second: {:5.0} µs here (with the phones), {:5.0} µs in the relay",
            at(0.5),
            at(0.99),
            self.lost,
            work(self.ours),
            work(self.theirs)
        );
        (at(0.5), work(self.ours + self.theirs))
    }
}

fn main() {
    let mut straight: Vec<_> = (0..CALLS).map(|call| LegSockets::bind(HERE, DIRECT + 2 * call).unwrap()).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.subject_alt_names = vec![SanType::IpAddress(HERE)];
    let certificate = params.self_signed(&key).unwrap();
    let config = tls::present(vec![certificate.der().clone()], key.serialize_der().try_into().unwrap()).unwrap();
    let id = RelayId::from_bits(1 << 63);
    let (child, mut legs) = runtime.block_on(async {
        let listener = TcpListener::bind(SocketAddr::new(HERE, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (mut relays, knock) = Relays::new(1);
        tokio::spawn(door(listener, TlsAcceptor::from(Arc::new(config)), knock, id));
        let child = relay(port, &certificate.pem());
        let Fact::Up { .. } = relays.next().await else { panic!("no relay") };
        let legs: Vec<LegSockets> = (0..CALLS).map(|_| relays.bind(id).unwrap()).collect();
        // The loop goes on, as the gateway's does.
        tokio::spawn(async move {
            loop {
                relays.next().await;
            }
        });
        (child, legs)
    });
    let (mut direct, mut relayed) = (Way::default(), Way::default());
    let (near, far) = (phones(DIRECT), phones(RELAYED));
    // Before a leg hears its far end alone, what comes is shared out between its two sockets.
    for (leg, phone) in straight.iter_mut().zip(&near) {
        leg.connect(phone.local_addr().unwrap());
    }
    for _ in 0..TURNS {
        straight = direct.turn(&near, straight, None);
        legs = relayed.turn(&far, legs, Some(child.0.id()));
    }
    assert_eq!(direct.lost, 0, "packets of the direct way were lost: this machine is too busy to measure on");
    let (direct, relayed) = (direct.tell("direct"), relayed.tell("relayed"));
    println!(
        "ratios   delay {:.2}, work {:.2}; the relay adds {:.0} µs each way and {:.0} µs of work per call and second",
        relayed.0 / direct.0,
        relayed.1 / direct.1,
        (relayed.0 - direct.0) / 2.0,
        relayed.1 - direct.1
    );
}
