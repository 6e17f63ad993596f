//! Asks the DNS for [`crate::sip::locate`]: one task per question, the answers through one channel.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use tokio::sync::{Semaphore, mpsc};

use crate::sip::locate::{Kind, Lookup, LookupId, Naptr, Question, Records, Srv};

/// Until a question to one nameserver counts as unanswered. Longer: calls wait for a nameserver that is gone. Shorter: far
/// ones are asked twice.
const TIMEOUT: Duration = Duration::from_millis(1500);
/// Questions under way. More: a flood of names is passed on to the nameservers. Fewer: names wait for each other.
const AT_ONCE: usize = 128;
/// Records without a time of their own, such as those of the hosts file.
const NO_TTL: Duration = Duration::from_secs(30);

/// Asks the DNS.
#[derive(Debug)]
pub struct Resolver {
    /// None where the system names no nameserver: every question fails.
    client: Option<TokioResolver>,
    permits: Arc<Semaphore>,
    sender: mpsc::UnboundedSender<(LookupId, Lookup)>,
    answers: mpsc::UnboundedReceiver<(LookupId, Lookup)>,
}

impl Resolver {
    /// Asks these nameservers, or the system's where none is given. Must be called within a tokio runtime.
    pub fn new(servers: &[SocketAddr]) -> Self {
        let builder = if servers.is_empty() {
            TokioResolver::builder_tokio().ok()
        } else {
            let config = ResolverConfig::from_name_servers(servers.iter().map(|server| name_server(*server)).collect());
            Some(TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()))
        };
        let client = builder.and_then(|mut builder| {
            configure(builder.options_mut());
            builder.build().ok()
        });
        let (sender, answers) = mpsc::unbounded_channel();
        Self { client, permits: Arc::new(Semaphore::new(AT_ONCE)), sender, answers }
    }

    /// Asks; the answer comes from [`Resolver::next`], whatever becomes of it.
    pub fn ask(&self, id: LookupId, question: Question) {
        let sender = self.sender.clone();
        let (Some(client), Ok(permit)) = (self.client.clone(), self.permits.clone().try_acquire_owned()) else {
            let _ = sender.send((id, Lookup::Failed));
            return;
        };
        tokio::spawn(async move {
            let lookup = ask(&client, &question).await;
            drop(permit);
            // Nobody waits any more: the program ends.
            let _ = sender.send((id, lookup));
        });
    }

    /// The next answer. May be dropped and called again without loss.
    pub async fn next(&mut self) -> (LookupId, Lookup) {
        match self.answers.recv().await {
            Some(answer) => answer,
            // Cannot happen: a sender is held here. Waiting is the one answer that harms nobody.
            None => std::future::pending().await,
        }
    }
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let at = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    NameServerConfig::new(address.ip(), true, vec![at(ConnectionConfig::udp()), at(ConnectionConfig::tcp())])
}

fn configure(options: &mut ResolverOpts) {
    options.timeout = TIMEOUT;
    options.attempts = 2;
    // `sip::locate` keeps what there is to keep, and knows when a stale answer is better than none.
    options.cache_size = 0;
}

async fn ask(client: &TokioResolver, question: &Question) -> Lookup {
    // A name with dots is whole: the system's search list is for short names alone.
    let text = if question.name.contains('.') { format!("{}.", question.name) } else { question.name.clone() };
    let Ok(name) = Name::from_ascii(&text) else { return Lookup::Nothing { ttl: NO_TTL } };
    let kind = match question.kind {
        Kind::A => RecordType::A,
        Kind::Aaaa => RecordType::AAAA,
        Kind::Srv => RecordType::SRV,
        Kind::Naptr => RecordType::NAPTR,
    };
    match client.lookup(name, kind).await {
        Ok(found) => {
            let ttl = found.answers().iter().map(|record| record.ttl).min();
            let ttl = ttl.map_or(NO_TTL, |seconds| Duration::from_secs(u64::from(seconds)));
            match records(question.kind, found.answers().iter().map(|record| &record.data)) {
                Some(records) => Lookup::Found { records, ttl },
                None => Lookup::Nothing { ttl },
            }
        }
        Err(NetError::Dns(DnsError::NoRecordsFound(none))) => {
            let ttl = none.negative_ttl.map_or(NO_TTL, |seconds| Duration::from_secs(u64::from(seconds)));
            Lookup::Nothing { ttl }
        }
        Err(_) => Lookup::Failed,
    }
}

/// The records of one kind, if there is any.
fn records<'a>(kind: Kind, data: impl Iterator<Item = &'a RData>) -> Option<Records> {
    let plain = |name: &Name| name.to_ascii().trim_end_matches('.').to_owned();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match kind {
        Kind::A | Kind::Aaaa => {
            let addresses: Vec<IpAddr> = data
                .filter_map(|data| match data {
                    RData::A(address) => Some(IpAddr::V4(address.0)),
                    RData::AAAA(address) => Some(IpAddr::V6(address.0)),
                    _ => None,
                })
                .collect();
            (!addresses.is_empty()).then_some(Records::Addresses(addresses))
        }
        Kind::Srv => {
            let services: Vec<Srv> = data
                .filter_map(|data| match data {
                    RData::SRV(srv) => Some(Srv {
                        priority: srv.priority,
                        weight: srv.weight,
                        port: srv.port,
                        target: plain(&srv.target),
                    }),
                    _ => None,
                })
                .collect();
            (!services.is_empty()).then_some(Records::Services(services))
        }
        Kind::Naptr => {
            let pointers: Vec<Naptr> = data
                .filter_map(|data| match data {
                    RData::NAPTR(naptr) => Some(Naptr {
                        order: naptr.order,
                        preference: naptr.preference,
                        flags: text(&naptr.flags),
                        service: text(&naptr.services),
                        replacement: plain(&naptr.replacement),
                    }),
                    _ => None,
                })
                .collect();
            (!pointers.is_empty()).then_some(Records::Pointers(pointers))
        }
    }
}
