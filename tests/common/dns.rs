//! A nameserver of the test's own: A, AAAA, SRV and NAPTR by UDP, which can be changed and silenced while it runs.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::ms;

/// One record's data.
#[derive(Debug, Clone)]
pub enum Record {
    /// A or AAAA.
    Address(IpAddr),
    /// SRV: priority, weight, port, target.
    Srv(u16, u16, u16, String),
    /// NAPTR: order, preference, service, replacement; the flag is `s`.
    Naptr(u16, u16, String, String),
}

/// Shorthand for an address record.
pub fn address(ip: &str) -> Record {
    Record::Address(ip.parse().unwrap())
}

/// Shorthand for an SRV record.
pub fn srv(priority: u16, weight: u16, port: u16, target: &str) -> Record {
    Record::Srv(priority, weight, port, target.to_owned())
}

/// Shorthand for a NAPTR record.
pub fn naptr(order: u16, service: &str, replacement: &str) -> Record {
    Record::Naptr(order, 10, service.to_owned(), replacement.to_owned())
}

/// A running nameserver; it ends when dropped.
pub struct Dns {
    address: SocketAddr,
    zone: Arc<Zone>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Zone {
    records: Mutex<BTreeMap<String, (u32, Vec<Record>)>>,
    asked: Mutex<Vec<String>>,
    silent: AtomicBool,
    over: AtomicBool,
}

impl Dns {
    /// Starts one on a free port of loopback that knows no name.
    pub fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(ms(50))).unwrap();
        let (address, zone) = (socket.local_addr().unwrap(), Arc::new(Zone::default()));
        let serving = zone.clone();
        let thread = std::thread::spawn(move || serving.serve(&socket));
        Self { address, zone, thread: Some(thread) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Says this of a name from now on, good for so many seconds.
    pub fn set(&self, name: &str, ttl: u32, records: impl IntoIterator<Item = Record>) {
        let records = records.into_iter().collect();
        self.zone.records.lock().unwrap().insert(name.to_ascii_lowercase(), (ttl, records));
    }

    /// Knows a name no more.
    pub fn forget(&self, name: &str) {
        self.zone.records.lock().unwrap().remove(&name.to_ascii_lowercase());
    }

    /// Answers nobody any more, or again.
    pub fn silence(&self, silent: bool) {
        self.zone.silent.store(silent, Ordering::Relaxed);
    }

    /// What it was asked since it was last looked at: `SRV _sip._udp.example.org`.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.zone.asked.lock().unwrap())
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.zone.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

const KINDS: [(u16, &str); 4] = [(1, "A"), (28, "AAAA"), (33, "SRV"), (35, "NAPTR")];

impl Zone {
    fn serve(&self, socket: &UdpSocket) {
        let mut buffer = [0; 4096];
        while !self.over.load(Ordering::Relaxed) {
            let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
            if let Some(answer) = self.answer(&buffer[..length]) {
                let _ = socket.send_to(&answer, from);
            }
        }
    }

    fn answer(&self, query: &[u8]) -> Option<Vec<u8>> {
        let (name, end) = read_name(query, 12)?;
        let kind = u16::from_be_bytes([*query.get(end)?, *query.get(end + 1)?]);
        let word = KINDS.iter().find(|(code, _)| *code == kind).map_or("?", |(_, word)| word);
        self.asked.lock().unwrap().push(format!("{word} {name}"));
        if self.silent.load(Ordering::Relaxed) {
            return None;
        }
        let records = self.records.lock().unwrap();
        let known: BTreeSet<&String> = records.keys().collect();
        let exists = known.contains(&name);
        let (ttl, all) = records.get(&name).cloned().unwrap_or_default();
        let found: Vec<Vec<u8>> = all.iter().filter_map(|record| data(record, kind)).collect();
        let mut out = query.get(..2)?.to_vec();
        out.extend_from_slice(&[0x81, if exists { 0x80 } else { 0x83 }, 0, 1]);
        out.extend_from_slice(&u16::try_from(found.len()).unwrap().to_be_bytes());
        out.extend_from_slice(&[0, u8::from(found.is_empty()), 0, 0]);
        out.extend_from_slice(query.get(12..end + 4)?);
        for data in &found {
            record(&mut out, &name, kind, ttl, data);
        }
        if found.is_empty() {
            // How long nothing is nothing: the SOA's last number.
            let mut soa = Vec::new();
            write_name(&mut soa, "ns.test");
            write_name(&mut soa, "root.test");
            [1u32, 60, 60, 60, 1].iter().for_each(|number| soa.extend_from_slice(&number.to_be_bytes()));
            record(&mut out, "test", 6, 1, &soa);
        }
        Some(out)
    }
}

fn data(record: &Record, kind: u16) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    match (record, kind) {
        (Record::Address(IpAddr::V4(ip)), 1) => out.extend_from_slice(&ip.octets()),
        (Record::Address(IpAddr::V6(ip)), 28) => out.extend_from_slice(&ip.octets()),
        (Record::Srv(priority, weight, port, target), 33) => {
            [priority, weight, port].iter().for_each(|number| out.extend_from_slice(&number.to_be_bytes()));
            write_name(&mut out, target);
        }
        (Record::Naptr(order, preference, service, replacement), 35) => {
            [order, preference].iter().for_each(|number| out.extend_from_slice(&number.to_be_bytes()));
            for text in ["s", service, ""] {
                out.push(u8::try_from(text.len()).unwrap());
                out.extend_from_slice(text.as_bytes());
            }
            write_name(&mut out, replacement);
        }
        _ => return None,
    }
    Some(out)
}

fn record(out: &mut Vec<u8>, name: &str, kind: u16, ttl: u32, data: &[u8]) {
    write_name(out, name);
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&[0, 1]);
    out.extend_from_slice(&ttl.to_be_bytes());
    out.extend_from_slice(&u16::try_from(data.len()).unwrap().to_be_bytes());
    out.extend_from_slice(data);
}

fn write_name(out: &mut Vec<u8>, name: &str) {
    for label in name.split('.').filter(|label| !label.is_empty()) {
        out.push(u8::try_from(label.len()).unwrap());
        out.extend_from_slice(label.as_bytes());
    }
    out.push(0);
}

/// The name at a place, in lower case, and where it ends.
fn read_name(bytes: &[u8], mut at: usize) -> Option<(String, usize)> {
    let mut labels = Vec::new();
    loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        labels.push(String::from_utf8_lossy(bytes.get(at..at + length)?).to_ascii_lowercase());
        at += length;
    }
}
