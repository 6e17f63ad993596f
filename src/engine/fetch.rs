//! Asks web servers for [`Output::Fetch`](crate::gateway::Output::Fetch): one task per request, the answers through one
//! channel. What a rule or a stranger's header names is an address that we would reach and they would not: requests go to
//! public addresses alone, unless the operator opened some, and follow no redirection.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, HeaderValue, USER_AGENT};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use crate::gateway::fetch::{FetchError, FetchId, FetchRequest};
use crate::route::Network;

/// Requests under way. More: a slow server ties up sockets and memory. Fewer: bursts of calls go to their fallback.
const AT_ONCE: usize = 128;

/// What we call ourselves.
pub const AGENT: &str = concat!("ringlift/", env!("CARGO_PKG_VERSION"));

type Answer = (FetchId, Result<Bytes, FetchError>);

/// A client whose requests reach public addresses, and those that the operator opened, alone.
#[derive(Debug, Clone)]
pub struct Outward {
    client: Option<Client>,
    guard: Guard,
}

/// Asks web servers.
#[derive(Debug)]
pub struct Fetcher {
    outward: Outward,
    permits: Arc<Semaphore>,
    sender: mpsc::UnboundedSender<Answer>,
    answers: mpsc::UnboundedReceiver<Answer>,
}

/// Which addresses requests may go to.
#[derive(Debug, Clone)]
struct Guard {
    opened: Arc<Vec<Network>>,
}

/// A name leads to addresses where requests must not go, and to no other.
#[derive(Debug)]
struct Forbidden;

impl Outward {
    /// Requests may go to public addresses and to these networks.
    pub fn new(opened: Vec<Network>) -> Self {
        let guard = Guard { opened: Arc::new(opened) };
        let client = Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .referer(false)
            .dns_resolver(Arc::new(guard.clone()))
            .build()
            .inspect_err(|error| tracing::error!(%error, "no web server can be asked"));
        Self { client: client.ok(), guard }
    }

    /// The client, and the address to ask, unless it is written so that it leads where requests must not go. Where its name
    /// leads is looked at when it is resolved: [`why`] tells.
    pub fn to(&self, url: &str) -> Result<(Client, Url), FetchError> {
        let client = self.client.clone().ok_or(FetchError::Unreachable)?;
        let url = Url::parse(url).map_err(|_| FetchError::BadAddress)?;
        let host = url.host_str().filter(|_| matches!(url.scheme(), "http" | "https")).ok_or(FetchError::BadAddress)?;
        // An address is not resolved, so it is looked at here.
        if literal(host).is_some_and(|address| !self.guard.allows(address)) {
            return Err(FetchError::Forbidden);
        }
        Ok((client, url))
    }
}

impl Fetcher {
    /// Requests may go to public addresses and to these networks. Must be called within a tokio runtime.
    pub fn new(opened: Vec<Network>) -> Self {
        let (sender, answers) = mpsc::unbounded_channel();
        Self { outward: Outward::new(opened), permits: Arc::new(Semaphore::new(AT_ONCE)), sender, answers }
    }

    /// Asks; the answer comes from [`Fetcher::next`], whatever becomes of it.
    pub fn ask(&self, id: FetchId, request: FetchRequest) {
        let sender = self.sender.clone();
        let prepared = self.prepare(&request);
        let (client, url, permit) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => return drop(sender.send((id, Err(error)))),
        };
        tokio::spawn(async move {
            let result = match timeout(request.deadline, ask(&client, url, &request)).await {
                Ok(result) => result,
                Err(_) => Err(FetchError::TimedOut),
            };
            drop(permit);
            // Nobody waits any more: the program ends.
            let _ = sender.send((id, result));
        });
    }

    /// The next answer. May be dropped and called again without loss.
    pub async fn next(&mut self) -> Answer {
        match self.answers.recv().await {
            Some(answer) => answer,
            // Cannot happen: a sender is held here. Waiting is the one answer that harms nobody.
            None => std::future::pending().await,
        }
    }

    fn prepare(&self, request: &FetchRequest) -> Result<(Client, Url, tokio::sync::OwnedSemaphorePermit), FetchError> {
        let (client, url) = self.outward.to(&request.url)?;
        let permit = self.permits.clone().try_acquire_owned().map_err(|_| FetchError::Busy)?;
        Ok((client, url, permit))
    }
}

async fn ask(client: &Client, url: Url, request: &FetchRequest) -> Result<Bytes, FetchError> {
    let asking = match &request.post {
        Some(post) => {
            let asking = client.post(url).header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            let asking = match &post.signature {
                Some(signature) => asking.header("Ringlift-Signature", signature),
                None => asking,
            };
            asking.body(post.body.clone())
        }
        None => client.get(url),
    };
    let answer =
        asking.header(USER_AGENT, HeaderValue::from_static(AGENT)).send().await.map_err(|error| why(&error))?;
    if answer.status().as_u16() != 200 {
        return Err(FetchError::Status(answer.status().as_u16()));
    }
    read(answer, request.most).await
}

/// Reads the answer up to what is asked for, whatever length it says it has.
async fn read(mut answer: Response, most: usize) -> Result<Bytes, FetchError> {
    let mut body = BytesMut::new();
    while let Some(part) = answer.chunk().await.map_err(|error| why(&error))? {
        if body.len() + part.len() > most {
            return Err(FetchError::TooLong);
        }
        body.extend_from_slice(&part);
    }
    Ok(body.freeze())
}

/// Why a request came to nothing.
pub fn why(error: &reqwest::Error) -> FetchError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<Forbidden>() {
            return FetchError::Forbidden;
        }
        cause = error.source();
    }
    if error.is_timeout() { FetchError::TimedOut } else { FetchError::Unreachable }
}

/// Whether an address that is written with digits leads where requests must not go; names are looked at when they are resolved.
pub fn leads_inside(url: &Url, opened: &[Network]) -> bool {
    let guard = Guard { opened: Arc::new(opened.to_vec()) };
    url.host_str().and_then(literal).is_some_and(|address| !guard.allows(address))
}

fn literal(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

impl Guard {
    fn allows(&self, address: IpAddr) -> bool {
        is_public(address) || self.opened.iter().any(|network| network.contains(address))
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let any = !found.is_empty();
            let allowed: Vec<SocketAddr> = found.into_iter().filter(|address| guard.allows(address.ip())).collect();
            if allowed.is_empty() && any {
                return Err(Forbidden.into());
            }
            let addresses: Addrs = Box::new(allowed.into_iter());
            Ok(addresses)
        })
    }
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name leads to a private address")
    }
}

impl Error for Forbidden {}

/// Whether an address is one of the public internet (IANA special-purpose registries, RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        // Carriers' NAT (RFC 6598), protocol assignments, benchmarks (RFC 2544).
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19)))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    // Global unicast alone (RFC 4291 §2.4), without what wraps an IPv4 address (Teredo, 6to4) or is written in books.
    (0x2000..0x4000).contains(&a) && a != 0x2002 && !(a == 0x2001 && (b == 0 || b == 0xdb8)) && a != 0x3fff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "198.18.0.1",
            "192.0.0.8",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.2.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "64:ff9b::7f00:1",
            "::ffff:127.0.0.1",
            "2001::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in ["8.8.8.8", "100.63.0.1", "172.32.0.1", "2606:4700::1111", "2a00:1450::1"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }
}
