//! What a call costs: the running program under real SIP calls and RTP, against a bare UDP echo of the same packets in
//! the same run. Absolute figures belong to the machine; the ratio travels.
//!
//! ```text
//! core 0: this program: phones (SIP by one socket, RTP by one each)        core 1: the program, or the echo
//! ```
//!
//! CPU is what the scheduler counts for the other process, user and system, per leg and second of media.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stdout,
    unsafe_code,
    missing_docs,
    reason = "a measuring program that stops where it cannot go on"
)]

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ringlift::base::elevating::ElevationRules;
use ringlift::base::id::{DidId, TrunkId};
use ringlift::base::{Instant, Rng, RoomId};
use ringlift::engine::clock::Clock;
use ringlift::engine::os::{Epoll, Ready};
use ringlift::room::{FirstCaller, RoomSettings};
use ringlift::route::{Called, Destination, Did, Trunk};
use ringlift::store::Store;
use ringlift::wire::codec::g711::Law;

/// Legs in the media run: 50 rooms of three.
const LEGS: usize = 150;
/// How long media flows before it is measured: announcements end, buffers settle.
const WARM_UP: Duration = Duration::from_secs(8);
/// How long it is measured.
const MEASURED: Duration = Duration::from_secs(10);
/// Calls in the signalling run.
const CALLS: usize = 3000;
/// Of them at once.
const AT_ONCE: usize = 50;
/// Names the echo's child process.
const ECHO: &str = "RINGLIFT_BENCH_ECHO";

fn main() {
    // `cargo test --benches` runs this too; there is nothing to test.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    if std::env::var_os(ECHO).is_some() {
        return echo();
    }
    pin(0);
    let bare = measure_echo();
    println!("bare echo                       {bare:7.1} µs of CPU per leg-second ({LEGS} legs)");
    let gateway = Gateway::start();
    let (empty, descriptors) = (resident(&gateway), gateway.descriptors());
    let (rooms, heard, full) = measure_rooms(&gateway);
    println!("rooms of three                  {rooms:7.1} µs of CPU per leg-second, {heard:.2} % of packets came");
    println!("ratio                           {:7.2} (goal: at most 1.6)", rooms / bare);
    let mut pairs = measure_pairs(&gateway);
    println!(
        "calls of two                    {:7.1} µs of CPU per leg-second, {:.2} % of packets came",
        pairs.cost, pairs.heard
    );
    println!("ratio                           {:7.2} (goal: at most 1.2)", pairs.cost / bare);
    let (median, worst) = (percentile(&mut pairs.inside, 50), percentile(&mut pairs.inside, 99));
    println!("inside, median / 99 %           {median:7.2} / {worst:.2} ms (goal: 99 % at most 2)");
    let (cost, rate) = measure_calls(&gateway);
    println!("calls set up and torn down      {cost:7.1} µs of CPU per call, {rate:.0} calls a second from one socket");
    println!("memory                          {:7.1} KiB per leg", (full - empty) / LEGS as f64);
    println!(
        "after {CALLS} calls                {:7.1} MiB resident, {:.1} before any; {} descriptors, {descriptors} before",
        resident(&gateway) / 1024.0,
        empty / 1024.0,
        gateway.descriptors()
    );
}

// ---- phones ----------------------------------------------------------------------------------------------------

/// RTP of many phones: 50 packets a second each, one speaker at a time in every three.
struct Phones {
    sockets: Vec<UdpSocket>,
    epoll: Epoll,
    ready: Ready,
    clock: Clock,
    next: Instant,
    turn: u32,
    sent: u64,
    came: u64,
    /// Whose packets go on as they come: each carries when it left, and these are the times it took.
    inside: Option<Vec<Duration>>,
}

impl Phones {
    fn new(count: usize) -> Self {
        let epoll = Epoll::new().unwrap();
        let sockets: Vec<UdpSocket> = (0..count).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
        for (index, socket) in sockets.iter().enumerate() {
            socket.set_nonblocking(true).unwrap();
            stamp_arrivals(socket);
            epoll.add(socket, index as u64).unwrap();
        }
        let clock = Clock::start();
        Self {
            sockets,
            epoll,
            ready: Ready::with_capacity(1024),
            clock,
            next: clock.mono(),
            turn: 0,
            sent: 0,
            came: 0,
            inside: None,
        }
    }

    /// Media for so long: a quarter of the phones sends every 5 ms.
    fn run(&mut self, length: Duration) {
        self.next = self.clock.mono();
        let end = self.next + length;
        let tone = tone();
        let mut buffer = [0u8; 2048];
        while self.next < end {
            self.next = self.next + Duration::from_millis(5);
            self.clock.sleep_until(self.next);
            let (round, quarter) = (self.turn / 4, self.turn as usize % 4);
            for index in (quarter..self.sockets.len()).step_by(4) {
                // Each of a room's three speaks a second, then the next.
                let speaks = (round / 50) as usize % 3 == index % 3;
                let mut packet = [0xffu8; 172];
                packet[..2].copy_from_slice(&[0x80, 0]);
                packet[2..4].copy_from_slice(&(round as u16).to_be_bytes());
                packet[4..8].copy_from_slice(&(round * 160).to_be_bytes());
                packet[8..12].copy_from_slice(&(index as u32 + 1).to_be_bytes());
                if speaks {
                    packet[12..].copy_from_slice(&tone[(round as usize % 2) * 160..][..160]);
                }
                if self.inside.is_some() {
                    packet[12..20].copy_from_slice(&wall_clock().to_be_bytes());
                }
                if self.sockets[index].send(&packet).is_ok() {
                    self.sent += 1;
                }
            }
            self.turn += 1;
            loop {
                let found = self.epoll.wait(&mut self.ready, Duration::ZERO);
                for index in 0..found {
                    let token = self.ready.token(index).unwrap();
                    let Some((length, arrived)) = receive_stamped(&self.sockets[token as usize], &mut buffer) else {
                        continue;
                    };
                    self.came += 1;
                    if let Some(inside) = self.inside.as_mut().filter(|_| length == 172) {
                        let left = u64::from_be_bytes(buffer[12..20].try_into().unwrap());
                        inside.push(Duration::from_nanos(arrived.saturating_sub(left)));
                    }
                }
                if found == 0 {
                    break;
                }
            }
        }
    }
}

/// Two frames of a tone in µ-law.
fn tone() -> Vec<u8> {
    let samples: Vec<i16> =
        (0..320).map(|n| (8000.0 * (std::f64::consts::TAU * 425.0 * f64::from(n) / 8000.0).sin()) as i16).collect();
    let mut bytes = vec![0; 320];
    Law::Mu.encode(&samples, &mut bytes);
    bytes
}

// ---- the echo --------------------------------------------------------------------------------------------------

fn measure_echo() -> f64 {
    let mut phones = Phones::new(LEGS);
    let ports: Vec<String> =
        phones.sockets.iter().map(|socket| socket.local_addr().unwrap().port().to_string()).collect();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .env(ECHO, ports.join(","))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
    for (socket, port) in phones.sockets.iter().zip(line.trim().split(',')) {
        socket.connect(("127.0.0.1", port.parse().unwrap())).unwrap();
    }
    phones.run(Duration::from_secs(1));
    let before = cpu(child.id());
    phones.run(MEASURED);
    let used = cpu(child.id()) - before;
    child.kill().unwrap();
    child.wait().unwrap();
    used.as_secs_f64() * 1e6 / LEGS as f64 / MEASURED.as_secs_f64()
}

/// The child: one connected socket per phone, drained every 5 ms, each packet sent back as it came.
fn echo() {
    pin(1);
    let ports = std::env::var(ECHO).unwrap();
    let epoll = Epoll::new().unwrap();
    let mut sockets = Vec::new();
    for (index, port) in ports.split(',').enumerate() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(("127.0.0.1", port.parse().unwrap())).unwrap();
        socket.set_nonblocking(true).unwrap();
        epoll.add(&socket, index as u64).unwrap();
        sockets.push(socket);
    }
    let ours: Vec<String> = sockets.iter().map(|socket| socket.local_addr().unwrap().port().to_string()).collect();
    println!("{}", ours.join(","));
    let clock = Clock::start();
    let mut ready = Ready::with_capacity(1024);
    let mut next = clock.mono();
    let mut buffer = [0u8; 2048];
    loop {
        next = next + Duration::from_millis(5);
        clock.sleep_until(next);
        loop {
            let found = epoll.wait(&mut ready, Duration::ZERO);
            for index in 0..found {
                let socket = &sockets[ready.token(index).unwrap() as usize];
                if let Ok(length) = socket.recv(&mut buffer) {
                    let _ = socket.send(&buffer[..length]);
                }
            }
            if found == 0 {
                break;
            }
        }
    }
}

// ---- the program -----------------------------------------------------------------------------------------------

struct Gateway {
    child: Child,
    sip: SocketAddr,
    directory: PathBuf,
}

impl Gateway {
    fn start() -> Self {
        let directory = std::env::temp_dir().join(format!("ringlift-bench-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(furnish(&directory.join("ringlift.db")));
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let web = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            "[sip]\nlisten = [\"udp:127.0.0.1:{port}\"]\nmax_calls = 20000\n\
             [media]\nlisten = [\"127.0.0.1\"]\nthreads = 1\nquarantine = \"1s\"\n\
             [api]\nlisten = [\"127.0.0.1:{web}\"]\nadmin_key_file = \"admin.key\"\n\
             [throttle]\ncaller_burst = 1000000\n\
             [log]\nlevel = \"warn\"\n"
        );
        std::fs::write(directory.join("ringlift.toml"), config).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringlift"));
        command.args(["serve", "--config", "ringlift.toml"]).current_dir(&directory).stdout(Stdio::null());
        // SAFETY: between fork and exec only an async-signal-safe call is made.
        unsafe {
            std::os::unix::process::CommandExt::pre_exec(&mut command, || {
                pin(1);
                Ok(())
            })
        };
        let child = command.spawn().unwrap();
        let gateway = Self { child, sip: SocketAddr::from(([127, 0, 0, 1], port)), directory };
        gateway.await_answer();
        gateway
    }

    /// Descriptors it holds; waits for those of the last calls to be closed.
    fn descriptors(&self) -> usize {
        let clock = Clock::start();
        clock.sleep_until(clock.mono() + Duration::from_millis(500));
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// Until it answers OPTIONS.
    fn await_answer(&self) {
        let mut signalling = Signalling::new(self.sip);
        for attempt in 0..100 {
            signalling.send(&signalling.request("OPTIONS", "1", &format!("up{attempt}"), 1, "", None));
            signalling.socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
            if signalling.receive().is_some() {
                return;
            }
        }
        panic!("the gateway does not answer");
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// A trunk for this machine, and rooms that a number leads straight into.
async fn furnish(path: &std::path::Path) {
    let mut rng = Rng::from_number(1);
    let store = Store::open(path, Clock::start().now().utc).await.unwrap().store;
    let trunk =
        Trunk { networks: vec!["127.0.0.0/8".parse().unwrap()], ..Trunk::new(TrunkId::draw(&mut rng), "bench") };
    store.add_trunk(&trunk, None).await.unwrap();
    for number in 0..LEGS / 2 + 1 {
        let room = RoomSettings {
            first_caller: FirstCaller::Start,
            tones_up_to: 0,
            ..RoomSettings::new(RoomId::draw(&mut rng), format!("room {number}"))
        };
        store.add_room(&room, None).await.unwrap();
        let did = Did {
            id: DidId::draw(&mut rng),
            called: Called::User(format!("r{number}")),
            trunk: None,
            action: Destination::Room { room: room.id },
            languages: Vec::new(),
            elevation: ElevationRules::default(),
        };
        store.add_did(&did, None).await.unwrap();
    }
    store.close().await;
}

fn measure_rooms(gateway: &Gateway) -> (f64, f64, f64) {
    let mut signalling = Signalling::new(gateway.sip);
    let mut phones = Phones::new(LEGS);
    let mut dialogs = Vec::new();
    for index in 0..LEGS {
        let port = phones.sockets[index].local_addr().unwrap().port();
        let dialog = signalling.call(&format!("r{}", index / 3), &format!("media{index}"), port);
        phones.sockets[index].connect(("127.0.0.1", dialog.rtp)).unwrap();
        dialogs.push(dialog);
    }
    phones.run(WARM_UP);
    (phones.sent, phones.came) = (0, 0);
    let before = cpu(gateway.child.id());
    phones.run(MEASURED);
    let used = cpu(gateway.child.id()) - before;
    let full = resident(gateway);
    let share = phones.came as f64 * 100.0 / phones.sent as f64;
    for dialog in &dialogs {
        signalling.hang_up(dialog);
    }
    (used.as_secs_f64() * 1e6 / LEGS as f64 / MEASURED.as_secs_f64(), share, full)
}

/// What calls of two amounted to.
struct Pairs {
    cost: f64,
    heard: f64,
    inside: Vec<Duration>,
}

fn measure_pairs(gateway: &Gateway) -> Pairs {
    let mut signalling = Signalling::new(gateway.sip);
    let mut phones = Phones::new(LEGS);
    let mut dialogs = Vec::new();
    for index in 0..LEGS {
        let port = phones.sockets[index].local_addr().unwrap().port();
        let dialog = signalling.call(&format!("r{}", index / 2), &format!("pair{index}"), port);
        phones.sockets[index].connect(("127.0.0.1", dialog.rtp)).unwrap();
        dialogs.push(dialog);
    }
    phones.run(WARM_UP);
    (phones.sent, phones.came, phones.inside) = (0, 0, Some(Vec::with_capacity(LEGS * 1000)));
    let before = cpu(gateway.child.id());
    phones.run(MEASURED);
    let used = cpu(gateway.child.id()) - before;
    for dialog in &dialogs {
        signalling.hang_up(dialog);
    }
    Pairs {
        cost: used.as_secs_f64() * 1e6 / LEGS as f64 / MEASURED.as_secs_f64(),
        heard: phones.came as f64 * 100.0 / phones.sent as f64,
        inside: phones.inside.take().unwrap_or_default(),
    }
}

/// In milliseconds.
fn percentile(times: &mut [Duration], percent: usize) -> f64 {
    times.sort_unstable();
    times.get(times.len() * percent / 100).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
}

fn measure_calls(gateway: &Gateway) -> (f64, f64) {
    let mut signalling = Signalling::new(gateway.sip);
    let clock = Clock::start();
    // Long enough for the quarantine of the ports, and for the media run's last BYE to be forgotten.
    clock.sleep_until(clock.mono() + Duration::from_secs(2));
    let (before, began) = (cpu(gateway.child.id()), clock.mono());
    let mut done = 0;
    while done < CALLS {
        let calls: Vec<String> = (0..AT_ONCE).map(|n| format!("call{}", done + n)).collect();
        let dialogs = signalling.call_all(&format!("r{}", LEGS / 3), &calls, 9);
        signalling.hang_up_all(&dialogs);
        done += AT_ONCE;
    }
    let (used, took) = (cpu(gateway.child.id()) - before, clock.mono().since(began));
    (used.as_secs_f64() * 1e6 / done as f64, done as f64 / took.as_secs_f64())
}

// ---- signalling ------------------------------------------------------------------------------------------------

/// The least of a SIP phone: one socket, calls told apart by Call-ID.
struct Signalling {
    socket: UdpSocket,
    gateway: SocketAddr,
    here: SocketAddr,
    buffer: Vec<u8>,
}

struct Dialog {
    user: String,
    call_id: String,
    to: String,
    rtp: u16,
}

/// What matters of a response.
struct Response {
    status: u16,
    method: String,
    call_id: String,
    to: String,
    body: String,
}

impl Signalling {
    fn new(gateway: SocketAddr) -> Self {
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

    fn call(&mut self, user: &str, call_id: &str, rtp: u16) -> Dialog {
        self.call_all(user, &[call_id.to_owned()], rtp).remove(0)
    }

    fn call_all(&mut self, user: &str, call_ids: &[String], rtp: u16) -> Vec<Dialog> {
        for call_id in call_ids {
            self.send(&self.request("INVITE", user, call_id, 1, "", Some(rtp)));
        }
        let mut dialogs = BTreeMap::new();
        while dialogs.len() < call_ids.len() {
            let response = self.receive().expect("an answer to INVITE");
            if response.method != "INVITE" || response.status < 200 {
                continue;
            }
            assert_eq!(response.status, 200, "the call was refused");
            let to = response.to.find(";tag=").map(|at| response.to[at..].to_owned()).unwrap();
            self.send(&self.request("ACK", user, &response.call_id, 1, &to, None));
            let media = response.body.lines().find_map(|line| line.strip_prefix("m=audio ")).unwrap();
            let rtp = media.split(' ').next().unwrap().parse().unwrap();
            let call_id = response.call_id;
            dialogs.insert(call_id.clone(), Dialog { user: user.to_owned(), call_id, to, rtp });
        }
        dialogs.into_values().collect()
    }

    fn hang_up(&mut self, dialog: &Dialog) {
        self.hang_up_all(std::slice::from_ref(dialog));
    }

    fn hang_up_all(&mut self, dialogs: &[Dialog]) {
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

// ---- the system ------------------------------------------------------------------------------------------------

/// Keeps this thread and those it starts on one core; on a machine with one core there is nothing to keep apart.
fn pin(core: usize) {
    // SAFETY: the set is a plain value on the stack; a failed call changes nothing.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(core, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set);
    }
}

/// Nanoseconds of the clock by which the kernel stamps what arrives.
fn wall_clock() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64
}

/// Asks the kernel to say when each datagram arrived, however late it is read.
fn stamp_arrivals(socket: &UdpSocket) {
    let on: libc::c_int = 1;
    // SAFETY: the option's value is one int.
    let done = unsafe {
        libc::setsockopt(
            std::os::fd::AsRawFd::as_raw_fd(socket),
            libc::SOL_SOCKET,
            libc::SO_TIMESTAMPNS,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    assert_eq!(done, 0);
}

/// A datagram's length and when it arrived, by [`wall_clock`].
fn receive_stamped(socket: &UdpSocket, buffer: &mut [u8]) -> Option<(usize, u64)> {
    let mut control = [0u64; 8];
    let mut place = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: a message of zeros is valid; its pointers are to the two buffers above, with their lengths; a control
    // message is read only where the kernel says that there is one.
    unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &raw mut place;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(&control) as _;
        let length = libc::recvmsg(std::os::fd::AsRawFd::as_raw_fd(socket), &raw mut message, 0);
        let length = usize::try_from(length).ok()?;
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        if header.is_null() || (*header).cmsg_type != libc::SO_TIMESTAMPNS {
            return Some((length, 0));
        }
        let time: libc::timespec = std::ptr::read_unaligned(libc::CMSG_DATA(header).cast());
        Some((length, time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64))
    }
}

/// Memory it has, in KiB.
fn resident(gateway: &Gateway) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{}/status", gateway.child.id())).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// What the scheduler counts for every thread of a process so far.
fn cpu(process: u32) -> Duration {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let nanos = threads.map(|thread| {
        let stat = std::fs::read_to_string(thread.unwrap().path().join("schedstat")).unwrap_or_default();
        stat.split(' ').next().and_then(|nanos| nanos.parse::<u64>().ok()).unwrap_or(0)
    });
    Duration::from_nanos(nanos.sum())
}
