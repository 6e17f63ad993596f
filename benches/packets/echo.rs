//! The bare echo that everything is held against: one connected socket per phone, drained every 5 ms, each packet sent back as it
//! came. No gateway is spared as much. And other ways of doing the same, for the choice of ours.

use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ringlift::engine::clock::Clock;
use ringlift::engine::os::{self, Epoll, Ready};

use crate::phones::Phones;
use crate::ring;
use crate::system::{BATCH, Batch, cpu, pin, roomy_socket};

/// Names the child process by its environment: its way, and the ports of its phones.
pub const ECHO: &str = "RINGLIFT_BENCH_ECHO";

/// How packets are read and sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// epoll over connected sockets, every so many ms.
    Swept(u64),
    /// No epoll: each connected socket is tried every 20 ms, when it would be mixed.
    Tried,
    /// One socket for all, recvmmsg and sendmmsg every 5 ms.
    Shared,
    /// io_uring over connected sockets, every 5 ms: one call for what came and what goes.
    Ring,
}

/// The ways, with their names.
pub const WAYS: [(&str, Way); 7] = [
    ("epoll, swept every 5 ms", Way::Swept(5)),
    ("epoll, swept every 1 ms", Way::Swept(1)),
    ("epoll, swept every 2 ms", Way::Swept(2)),
    ("epoll, swept every 10 ms", Way::Swept(10)),
    ("recvmmsg of each, every 20 ms", Way::Tried),
    ("one socket, recvmmsg/sendmmsg", Way::Shared),
    ("io_uring, every 5 ms", Way::Ring),
];

/// What an echo cost.
pub struct Echoed {
    /// CPU in µs per leg and second: in the middle, and of each second.
    pub cost: f64,
    pub seconds: Vec<f64>,
    /// Share of packets that came back.
    pub back: f64,
}

/// An echo in a process of its own, and its phones.
pub struct Echo {
    child: Child,
    pub phones: Phones,
}

impl Echo {
    /// None where the system does not permit it.
    pub fn start(legs: usize, way: Way) -> Option<Self> {
        let mut phones = Phones::new(legs, 1);
        let ports: Vec<String> = (0..legs).map(|phone| phones.port(phone).to_string()).collect();
        let index = WAYS.iter().position(|(_, known)| *known == way).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .env(ECHO, format!("{index};{}", ports.join(",")))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
        let theirs: Vec<u16> = line.trim().split(',').filter_map(|port| port.parse().ok()).collect();
        let Some(first) = theirs.first() else {
            child.wait().unwrap();
            return None;
        };
        for phone in 0..legs {
            phones.connect(phone, *theirs.get(phone).unwrap_or(first));
        }
        Some(Self { child, phones })
    }

    /// User and system time so far.
    pub fn cpu(&self) -> Duration {
        cpu(self.child.id())
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs one for so long; none where the system does not permit it.
pub fn measure(legs: usize, length: Duration, way: Way) -> Option<Echoed> {
    let mut echo = Echo::start(legs, way)?;
    echo.phones.run(Duration::from_secs(1));
    echo.phones.begin(false);
    let process = echo.child.id();
    let seconds = each_second(&mut echo.phones, length, || cpu(process));
    let back = echo.phones.came as f64 * 100.0 / echo.phones.sent as f64;
    Some(Echoed { cost: part(&seconds, 50), seconds, back })
}

/// Lets media flow for so long; returns what a leg cost in each second, in µs. `used` is what a process has used so far.
pub fn each_second(phones: &mut Phones, length: Duration, used: impl Fn() -> Duration) -> Vec<f64> {
    let second = Duration::from_secs(1);
    let mut before = used();
    let cost = |_| {
        phones.run(second);
        let now = used();
        // A thread that has ended takes what it used with it.
        let cost = now.saturating_sub(std::mem::replace(&mut before, now)).as_secs_f64() * 1e6;
        cost / phones.len() as f64
    };
    (0..length.as_secs()).map(cost).collect()
}

/// What so many of a hundred are at most.
pub fn part(figures: &[f64], of_hundred: usize) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(sorted.len() - 1) * of_hundred / 100]
}

/// The child.
pub fn run() {
    pin(1);
    os::raise_descriptor_limit();
    let asked = std::env::var(ECHO).unwrap();
    let (index, ports) = asked.split_once(';').unwrap();
    let ports = ports.split(',').map(|port| port.parse().unwrap());
    match WAYS[index.parse::<usize>().unwrap()].1 {
        Way::Swept(every) => sweep(&connected(ports), Duration::from_millis(every)),
        Way::Tried => attempt(&connected(ports)),
        Way::Shared => share(),
        Way::Ring => ring::run(&connected(ports)),
    }
}

/// A socket for each phone; tells their ports.
fn connected(phones: impl Iterator<Item = u16>) -> Vec<UdpSocket> {
    let open = |port| {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(("127.0.0.1", port)).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    };
    phones.map(open).collect()
}

/// Says that everything is ready.
pub fn tell(sockets: &[UdpSocket]) {
    let ours: Vec<String> = sockets.iter().map(|socket| socket.local_addr().unwrap().port().to_string()).collect();
    println!("{}", ours.join(","));
}

/// Runs this again and again.
pub fn every(period: Duration, mut work: impl FnMut()) -> ! {
    let clock = Clock::start();
    let mut next = clock.mono();
    loop {
        next = next + period;
        clock.sleep_until(next);
        work();
    }
}

fn sweep(sockets: &[UdpSocket], period: Duration) {
    let epoll = Epoll::new().unwrap();
    sockets.iter().enumerate().for_each(|(index, socket)| epoll.add(socket, index as u64).unwrap());
    tell(sockets);
    let mut ready = Ready::with_capacity(1024);
    let mut buffer = [0u8; 2048];
    every(period, || {
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
    })
}

fn attempt(sockets: &[UdpSocket]) {
    tell(sockets);
    let mut batch = Batch::new();
    let mut turn = 0;
    every(Duration::from_millis(5), || {
        for socket in sockets.iter().skip(turn % 4).step_by(4) {
            let found = batch.receive(socket, 4);
            for index in 0..found {
                let (_, _, bytes) = batch.received(index);
                let _ = socket.send(bytes);
            }
        }
        turn += 1;
    })
}

fn share() {
    let socket = roomy_socket();
    tell(std::slice::from_ref(&socket));
    let mut batch = Batch::new();
    every(Duration::from_millis(5), || {
        loop {
            let found = batch.receive(&socket, BATCH);
            batch.send_back(&socket, found);
            if found < BATCH {
                break;
            }
        }
    })
}
