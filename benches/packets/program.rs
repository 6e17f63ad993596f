//! The program that is measured, as an operator runs it: on one core, with a trunk for this machine and rooms that numbers lead
//! straight into, made by the API.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ringlift::engine::clock::Clock;

use crate::signalling::Signalling;
use crate::system::{cpu, pin, resident};

pub struct Gateway {
    child: Child,
    pub sip: SocketAddr,
    web: SocketAddr,
    directory: PathBuf,
}

impl Gateway {
    /// With so many rooms: `r0`, `r1`, …
    pub fn start(rooms: usize) -> Self {
        let directory = std::env::temp_dir().join(format!("ringlift-bench-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let web = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let config = format!(
            "[sip]\nlisten = [\"udp:127.0.0.1:{port}\"]\nmax_calls = 6000\n\
             [media]\nlisten = [\"127.0.0.1\"]\nthreads = 1\nquarantine = \"1s\"\nfirst_port = 20000\nlast_port = 32767\n\
             [api]\nlisten = [\"{web}\"]\nadmin_key_file = \"admin.key\"\n\
             [web]\nlisten = []\n\
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
        let gateway = Self { child, sip: SocketAddr::from(([127, 0, 0, 1], port)), web, directory };
        Signalling::new(gateway.sip).await_answer();
        gateway.ask("POST", "/v1/trunks", r#"{"name": "bench", "networks": ["127.0.0.0/8"]}"#);
        for number in 0..rooms {
            let room = format!(
                r#"{{"name": "room {number}", "first_caller": "start", "tones_up_to": 0, "max_participants": 5000}}"#
            );
            let made = gateway.ask("POST", "/v1/rooms", &room);
            let room = &made[made.find("room_").expect("a room's id")..][..18];
            let did = format!(r#"{{"called": "r{number}", "action": {{"to": "room", "room": "{room}"}}}}"#);
            gateway.ask("POST", "/v1/dids", &did);
        }
        gateway
    }

    /// Asks its API.
    fn ask(&self, method: &str, path: &str, body: &str) -> String {
        let key = std::fs::read_to_string(self.directory.join("admin.key")).unwrap();
        let (host, key, length) = (self.web, key.trim(), body.len());
        let mut stream = TcpStream::connect(host).unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 2"), "{answer}");
        answer
    }

    /// User and system time so far.
    pub fn cpu(&self) -> Duration {
        cpu(self.child.id())
    }

    /// Memory, in KiB.
    pub fn resident(&self) -> f64 {
        resident(self.child.id())
    }

    /// Descriptors it holds; waits for those of the last calls to be closed.
    pub fn descriptors(&self) -> usize {
        let clock = Clock::start();
        clock.sleep_until(clock.mono() + Duration::from_millis(500));
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// A figure of the media thread as `/metrics` has it.
    pub fn figure(&self, name: &str) -> Option<f64> {
        let text = self.ask("GET", "/metrics", "");
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.rsplit(' ').next()?.parse().ok()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}
