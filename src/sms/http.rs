//! One request to a provider, and what can be known when it is over.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{HeaderValue, RETRY_AFTER, USER_AGENT};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Url};
use serde_json::Value;

use super::{Handed, Settings};
use crate::texting::TextFailure;

/// What we call ourselves.
const AGENT: HeaderValue = HeaderValue::from_static(concat!("ringlift/", env!("CARGO_PKG_VERSION")));

/// Longest answer that is read. A page of fifty messages at Twilio has 50 KiB.
const LONGEST: usize = 256 * 1024;

/// How long an unused connection is kept: a handshake costs more than the text. Longer: providers close it first, and a
/// request into a closing connection is one of which nobody knows what became.
const IDLE: Duration = Duration::from_secs(20);

/// Longest pause that a provider can ask for.
const LONGEST_PAUSE: u64 = 3600;

/// How a request ended.
#[derive(Debug)]
pub enum Reply {
    /// With an answer.
    Answer(Answer),
    /// No connection stood: nothing was asked.
    NotAsked,
    /// It was asked, and no whole answer came.
    Lost,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// When to come again.
    pub after: Option<Duration>,
    /// The body.
    pub body: Bytes,
}

/// The client for all requests.
pub fn client(settings: &Settings) -> Result<Client, String> {
    Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .referer(false)
        .timeout(settings.timeout)
        .connect_timeout(settings.timeout / 2)
        .pool_idle_timeout(IDLE)
        .build()
        .map_err(|error| format!("sms.provider: no requests can be made: {error}"))
}

/// The address of the provider's API: its own, or the configured one.
pub fn base(settings: &Settings, own: &str) -> Result<String, String> {
    let base = if settings.url.is_empty() { own } else { &settings.url };
    match Url::parse(base) {
        Ok(url) if url.has_host() => Ok(base.trim_end_matches('/').to_owned()),
        Ok(_) | Err(_) => Err(format!("sms.url: `{base}` is no address: write one such as \"{own}\"")),
    }
}

/// Asks.
pub async fn ask(request: RequestBuilder) -> Reply {
    let mut response = match request.header(USER_AGENT, AGENT).send().await {
        Ok(response) => response,
        Err(error) if error.is_connect() || error.is_builder() => return Reply::NotAsked,
        Err(_) => return Reply::Lost,
    };
    let status = response.status().as_u16();
    let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let after = after.map(|seconds: u64| Duration::from_secs(seconds.min(LONGEST_PAUSE)));
    let mut body = BytesMut::new();
    loop {
        match response.chunk().await {
            Ok(Some(part)) if body.len() + part.len() <= LONGEST => body.extend_from_slice(&part),
            Ok(None) => break,
            // What comes after the status cannot make a refusal an acceptance.
            Ok(Some(_)) | Err(_) if status >= 400 => break,
            Ok(Some(_)) | Err(_) => return Reply::Lost,
        }
    }
    Reply::Answer(Answer { status, after, body: body.freeze() })
}

impl Answer {
    /// Whether the provider did what was asked.
    pub const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }

    /// The body as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// What a status that is no success says, where `known` is what the provider's own code says.
    pub fn refusal(&self, known: Option<TextFailure>, code: Option<Box<str>>) -> Handed {
        let code = code.or_else(|| Some(self.status.to_string().into()));
        match self.status {
            429 => Handed::NotTaken { reason: TextFailure::RateLimited, code, after: self.after },
            // The service said itself that it did not; what stands before it (502, 504) only says that it did not hear.
            500 | 503 => Handed::NotTaken { reason: TextFailure::ProviderDown, code, after: self.after },
            408 | 501.. => Handed::Unclear,
            401 => Handed::Refused { reason: TextFailure::Credentials, code },
            402 => Handed::Refused { reason: TextFailure::NoFunds, code },
            _ => {
                let otherwise = if self.status == 403 { TextFailure::NotPermitted } else { TextFailure::Unknown };
                let reason = known.unwrap_or(otherwise);
                Handed::Refused { reason, code }
            }
        }
    }
}

/// A text or number as text.
pub fn as_text(value: &Value) -> Option<Box<str>> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.as_str().into()),
        Value::Number(number) => Some(number.to_string().into()),
        _ => None,
    }
}
