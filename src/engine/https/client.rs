//! Requests to an authority, by the HTTPS client that all our requests go by.

use std::fmt;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, header};
use bytes::{Bytes, BytesMut};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client};

/// How long one request may take. Longer: a dead authority is told late. Shorter: busy ones fail.
const LONGEST: Duration = Duration::from_secs(30);

/// Longest answer that is read. A chain of four certificates has 8 KiB.
const MOST: usize = 256 * 1024;

/// What we call ourselves.
const AGENT: &str = concat!("ringlift/", env!("CARGO_PKG_VERSION"));

/// Requests to an authority; what it says of when to come again is kept.
#[derive(Clone)]
pub struct Requests {
    client: Client,
    /// Seconds from the last refusal that named a time; 0 for none.
    after: Arc<AtomicU64>,
}

impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requests").finish_non_exhaustive()
    }
}

/// No connection, or no whole answer: it is the way, not what was asked.
#[derive(Debug)]
pub struct Unreached(String);

impl fmt::Display for Unreached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unreached {}

impl Requests {
    /// Trusts the authorities of a PEM file, or the system's.
    #[allow(
        clippy::disallowed_methods,
        reason = "the file is read when the authority is asked, so that a new one counts"
    )]
    pub fn new(authorities: Option<&Path>) -> Result<Self, String> {
        let mut builder = Client::builder()
            .redirect(Policy::limited(3))
            .referer(false)
            .user_agent(AGENT)
            .timeout(LONGEST)
            .connect_timeout(LONGEST / 3);
        if let Some(path) = authorities {
            let unread = |why: String| format!("api.tls.acme.authorities: {}: {why}", path.display());
            let pem = std::fs::read(path).map_err(|error| unread(error.to_string()))?;
            let trusted = Certificate::from_pem_bundle(&pem).map_err(|error| unread(error.to_string()))?;
            builder = builder.tls_certs_only(trusted);
        }
        let client = builder.build().map_err(|error| format!("no requests can be made: {error}"))?;
        Ok(Self { client, after: Arc::default() })
    }

    /// When to come again, if a refusal said so.
    pub fn after(&self) -> Option<Duration> {
        Some(self.after.load(Ordering::Relaxed)).filter(|seconds| *seconds > 0).map(Duration::from_secs)
    }

    async fn send(self, request: Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, Error> {
        let (parts, body) = request.into_parts();
        let mut headers = parts.headers;
        headers.remove(header::USER_AGENT);
        let body = to_bytes(Body::new(body), MOST).await.map_err(|error| Error::Other(Box::new(error)))?;
        let asked = self.client.request(parts.method, parts.uri.to_string()).headers(headers).body(body);
        let mut answer = asked.send().await.map_err(unreached)?;
        if answer.status().as_u16() >= 400 {
            let named =
                answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
            self.after.store(named.unwrap_or(0), Ordering::Relaxed);
        }
        let mut read = BytesMut::new();
        while let Some(part) = answer.chunk().await.map_err(unreached)? {
            if read.len() + part.len() > MOST {
                return Err(Error::Str("an answer of that size is no answer"));
            }
            read.extend_from_slice(&part);
        }
        let (parts, _) = Response::from(answer).into_parts();
        Ok(BytesResponse { parts, body: Box::new(read.freeze()) })
    }
}

fn unreached(error: reqwest::Error) -> Error {
    // The library names the step; the reason is at the end of its chain.
    let mut cause: &dyn std::error::Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    Error::Other(Box::new(Unreached(cause.to_string())))
}

impl HttpClient for Requests {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        Box::pin(self.clone().send(request))
    }
}
