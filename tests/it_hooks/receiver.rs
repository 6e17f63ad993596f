//! A program of somebody else's that is told of events. It checks signatures with code of its own.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// What it does with who comes.
#[derive(Debug, Clone)]
pub enum Manner {
    /// Answers this status, with these header lines.
    Answers(u16, &'static str),
    /// Takes what comes and says nothing.
    Silent,
    /// Hangs up at once.
    HangsUp,
}

/// What it was told.
#[derive(Debug, Clone)]
pub struct Told {
    pub at: Instant,
    pub head: String,
    pub body: String,
}

/// A running one.
#[derive(Clone)]
pub struct Receiver {
    pub address: SocketAddr,
    told: Arc<Mutex<Vec<Told>>>,
    manners: Arc<Mutex<VecDeque<Manner>>>,
    open: Arc<Mutex<(usize, usize)>>,
    /// It was told once more.
    came: Arc<Notify>,
}

impl Receiver {
    /// One that does this with the first who come, and says 204 to all who come after.
    pub async fn start(manners: impl IntoIterator<Item = Manner>) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), manners).await
    }

    /// The same at an address that was named before.
    pub async fn start_at(address: SocketAddr, manners: impl IntoIterator<Item = Manner>) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let receiver = Self {
            address: listener.local_addr().unwrap(),
            told: Arc::default(),
            manners: Arc::new(Mutex::new(manners.into_iter().collect())),
            open: Arc::default(),
            came: Arc::default(),
        };
        let serving = receiver.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serving.clone().serve(stream));
            }
        });
        receiver
    }

    async fn serve(self, mut stream: TcpStream) {
        let mut read = Vec::new();
        let (head, body) = loop {
            let mut part = [0; 4096];
            match stream.read(&mut part).await {
                Ok(count @ 1..) => read.extend_from_slice(&part[..count]),
                _ => return,
            }
            let text = String::from_utf8_lossy(&read).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length =
                head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                break (head.to_owned(), body.to_owned());
            }
        };
        {
            let mut open = self.open.lock().unwrap();
            open.0 += 1;
            open.1 = open.1.max(open.0);
        }
        self.told.lock().unwrap().push(Told { at: Instant::now(), head, body });
        self.came.notify_waiters();
        let manner = self.manners.lock().unwrap().pop_front().unwrap_or(Manner::Answers(204, ""));
        match manner {
            Manner::Answers(status, more) => {
                let answer = format!("HTTP/1.1 {status} X\r\n{more}content-length: 0\r\nconnection: close\r\n\r\n");
                let _ = stream.write_all(answer.as_bytes()).await;
            }
            Manner::Silent => {
                // Until the other side has had enough.
                let _ = stream.read(&mut [0; 16]).await;
            }
            Manner::HangsUp => {}
        }
        self.open.lock().unwrap().0 -= 1;
    }

    /// Where it is to be told.
    pub fn url(&self) -> String {
        format!("http://{}/told", self.address)
    }

    /// What it does with the next who come.
    pub fn will(&self, manners: impl IntoIterator<Item = Manner>) {
        *self.manners.lock().unwrap() = manners.into_iter().collect();
    }

    /// What it was told so far.
    pub fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }

    /// Most that it was told at once.
    pub fn most_at_once(&self) -> usize {
        self.open.lock().unwrap().1
    }

    /// Waits until it was told so often.
    #[track_caller]
    pub fn has(&self, count: usize) -> impl Future<Output = Vec<Told>> {
        let (receiver, place) = (self.clone(), std::panic::Location::caller());
        async move {
            let end = Instant::now() + Duration::from_secs(15);
            loop {
                let came = receiver.came.notified();
                let told = receiver.told();
                if told.len() >= count {
                    return told;
                }
                let waits = tokio::time::timeout_at(end.into(), came).await;
                assert!(waits.is_ok(), "{place}: told {} times, not {count}", told.len());
            }
        }
    }
}

impl Told {
    /// A header's value.
    pub fn header(&self, name: &str) -> String {
        let found = self.head.lines().find_map(|line| {
            let (field, value) = line.split_once(": ")?;
            field.eq_ignore_ascii_case(name).then(|| value.to_owned())
        });
        found.unwrap_or_else(|| panic!("no {name} in {}", self.head))
    }

    /// Whether one of its signatures was made with this secret, as Standard Webhooks says.
    pub fn is_signed_by(&self, secret: &str) -> bool {
        let key = from_base64(secret.strip_prefix("whsec_").expect("a secret begins so"));
        let seconds: i64 = self.header("webhook-timestamp").parse().unwrap();
        let apart = ringlift::engine::clock::utc().0 / 1000 - seconds;
        assert!((0..300).contains(&apart), "{apart} s old");
        self.header("webhook-signature").split(' ').any(|signature| {
            let (version, shown) = signature.split_once(',').unwrap();
            let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
            mac.update(self.header("webhook-id").as_bytes());
            mac.update(b".");
            mac.update(seconds.to_string().as_bytes());
            mac.update(b".");
            mac.update(self.body.as_bytes());
            version == "v1" && mac.verify_slice(&from_base64(shown)).is_ok()
        })
    }

    /// The event.
    pub fn event(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

fn from_base64(text: &str) -> Vec<u8> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: Vec<u8> = text
        .trim_end_matches('=')
        .chars()
        .flat_map(|c| {
            let value = ALPHABET.find(c).unwrap_or_else(|| panic!("{c} is not of base64"));
            (0..6).rev().map(move |bit| u8::try_from(value >> bit & 1).unwrap())
        })
        .collect();
    bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |value, bit| value << 1 | bit)).collect()
}
