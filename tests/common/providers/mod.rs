//! Providers of text messages on loopback: their paths, credentials, shapes, codes and signatures, with a script of how they
//! behave: slow, wrong, or not at all.

pub mod push;
pub mod telnyx;
mod twilio;
mod vonage;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// The token, API key or API secret that the provider knows us by.
pub const SECRET: &str = "s3cret-of-the-account";
/// The account.
pub const ACCOUNT: &str = "AC00000000000000000000000000000001";
/// What Vonage signs with.
pub const SIGNATURE_SECRET: &str = "signature-secret";
/// The sender.
pub const FROM: &str = "+15005550006";

/// Whose provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Brand {
    Twilio,
    Telnyx,
    Vonage,
}

/// How it answers the next text.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Takes it.
    Take,
    /// Takes it and answers after this long.
    Slow(Duration),
    /// Takes it and never answers.
    TakeAndHang,
    /// Never answers, and has not taken it.
    Hang,
    /// Takes it and answers something that nobody can read.
    Nonsense,
    /// Takes it and closes the connection.
    TakeAndDrop,
    /// Refuses it by this status and code.
    Refuse(u16, &'static str),
    /// Is asked too much; wants to be left alone for so many seconds.
    Throttle(u64),
    /// Fails with this status.
    Fail(u16),
}

/// A text that the provider has.
#[derive(Debug, Clone)]
pub struct Taken {
    pub id: String,
    pub to: String,
    pub from: String,
    pub body: String,
    pub callback: Option<String>,
    pub all: BTreeMap<String, String>,
}

#[derive(Debug, Default)]
struct Inside {
    script: VecDeque<Answer>,
    taken: Vec<Taken>,
    asked: usize,
    lookups: BTreeMap<String, &'static str>,
    looked_up: usize,
}

/// A running provider.
#[derive(Clone)]
pub struct Provider {
    pub brand: Brand,
    pub address: SocketAddr,
    inside: Arc<Mutex<Inside>>,
}

impl Provider {
    /// Starts one within the current runtime.
    pub async fn start(brand: Brand) -> Self {
        Self::start_at(brand, "127.0.0.1:0".parse().unwrap()).await
    }

    /// Starts one at this address.
    pub async fn start_at(brand: Brand, at: SocketAddr) -> Self {
        let listener = tokio::net::TcpListener::bind(at).await.unwrap();
        let address = listener.local_addr().unwrap();
        let provider = Self { brand, address, inside: Arc::default() };
        let router = Router::new().fallback(serve).with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        provider
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers the next texts so; after that it takes them.
    pub fn will(&self, script: impl IntoIterator<Item = Answer>) {
        self.inside.lock().unwrap().script.extend(script);
    }

    /// Says this of a number when it is looked up.
    pub fn knows(&self, number: &str, line: &'static str) {
        self.inside.lock().unwrap().lookups.insert(number.to_owned(), line);
    }

    /// The texts that it has: what the telephone would get.
    pub fn taken(&self) -> Vec<Taken> {
        self.inside.lock().unwrap().taken.clone()
    }

    /// How often it was asked to send one.
    pub fn asked(&self) -> usize {
        self.inside.lock().unwrap().asked
    }

    /// How often it was asked about a number.
    pub fn looked_up(&self) -> usize {
        self.inside.lock().unwrap().looked_up
    }

    fn take(&self, mut taken: Taken) -> Taken {
        let mut inside = self.inside.lock().unwrap();
        let number = inside.taken.len() + 1;
        taken.id = match self.brand {
            Brand::Twilio => format!("SM{number:032x}"),
            Brand::Telnyx | Brand::Vonage => format!("aaaaaaaa-bbbb-4ccc-8ddd-{number:012x}"),
        };
        inside.taken.push(taken.clone());
        taken
    }

    async fn send(&self, text: Taken) -> Response {
        let answer = {
            let mut inside = self.inside.lock().unwrap();
            inside.asked += 1;
            inside.script.pop_front().unwrap_or(Answer::Take)
        };
        match answer {
            Answer::Take => self.yes(&self.take(text)),
            Answer::Slow(length) => {
                let taken = self.take(text);
                tokio::time::sleep(length).await;
                self.yes(&taken)
            }
            Answer::TakeAndHang => {
                self.take(text);
                std::future::pending().await
            }
            Answer::Hang => std::future::pending().await,
            Answer::Nonsense => {
                self.take(text);
                (StatusCode::OK, "<html>it works!</html>").into_response()
            }
            Answer::TakeAndDrop => {
                self.take(text);
                // Says more than it sends, and goes.
                let broken = axum::body::Body::from_stream(futures_util::stream::iter([
                    Ok(Bytes::from_static(b"{\"sid\":")),
                    Err(std::io::Error::other("gone")),
                ]));
                (StatusCode::CREATED, broken).into_response()
            }
            Answer::Refuse(status, code) => self.no(status, code, None),
            Answer::Throttle(seconds) => {
                let code = match self.brand {
                    Brand::Twilio => "20429",
                    Brand::Telnyx => "10011",
                    Brand::Vonage => "rate-limit",
                };
                self.no(429, code, Some(seconds))
            }
            Answer::Fail(status) => (StatusCode::from_u16(status).unwrap(), "upstream").into_response(),
        }
    }

    fn yes(&self, taken: &Taken) -> Response {
        match self.brand {
            Brand::Twilio => twilio::yes(taken),
            Brand::Telnyx => telnyx::yes(taken),
            Brand::Vonage => vonage::yes(taken),
        }
    }

    fn no(&self, status: u16, code: &str, after: Option<u64>) -> Response {
        let body = match self.brand {
            Brand::Twilio => twilio::no(status, code),
            Brand::Telnyx => telnyx::no(code),
            Brand::Vonage => vonage::no(code),
        };
        let mut response =
            (StatusCode::from_u16(status).unwrap(), [("content-type", "application/json")], body).into_response();
        if let Some(seconds) = after {
            response.headers_mut().insert("retry-after", seconds.into());
        }
        response
    }
}

async fn serve(State(provider): State<Provider>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let shown = parts.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let kind = parts.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let asked = Asked { method: parts.method.to_string(), uri: parts.uri, shown, kind, body };
    match provider.brand {
        Brand::Twilio => twilio::serve(&provider, asked).await,
        Brand::Telnyx => telnyx::serve(&provider, asked).await,
        Brand::Vonage => vonage::serve(&provider, asked).await,
    }
}

struct Asked {
    method: String,
    uri: axum::http::Uri,
    shown: String,
    kind: String,
    body: Bytes,
}

/// A signed request to one of our doors.
#[derive(Debug, Clone)]
pub struct Signed {
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl Signed {
    /// Posts it; the status.
    pub async fn post(&self, url: &str) -> u16 {
        let mut request = reqwest::Client::new().post(url).body(self.body.clone());
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        request.send().await.unwrap().status().as_u16()
    }

    /// The same with another signature in the header of this name.
    pub fn forged(mut self, name: &str) -> Self {
        for (header, value) in &mut self.headers {
            if *header == name {
                // In the middle of the last part: what stands at its end may be bits that nobody reads.
                let at = value.len() - 12;
                let other = if value.as_bytes()[at] == b'A' { "B" } else { "A" };
                value.replace_range(at..=at, other);
            }
        }
        self
    }
}

/// A report of Twilio's, signed for this address with this token.
pub fn twilio_says(token: &str, url: &str, fields: &[(&str, &str)]) -> Signed {
    twilio::says(token, url, fields)
}

/// A report of Vonage's, signed at this moment.
pub fn vonage_says(secret: &str, iat: i64, body: &serde_json::Value) -> Signed {
    vonage::says(secret, iat, body)
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", base64(format!("{user}:{password}").as_bytes()))
}

fn base64(bytes: &[u8]) -> String {
    let mut text = ringlift::identity::base64url::encode(bytes).replace('-', "+").replace('_', "/");
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}
