//! The certificate of the page and the API: one's own from files, one that is made and kept, or one that an authority signs
//! and that is renewed while the node runs. Who listens sees each change at the next handshake; what stands goes on.

mod alpn;
mod authority;
mod client;
mod keeper;
pub mod made;
mod pace;

use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::sync::{Notify, watch};

use super::os;
use crate::base::Utc;
use crate::transport::tls::{self, CertificateError, Facts};

pub use authority::{Authority, Proof};

/// Texts by which an authority is shown that a name is ours: what it asks for, and what it is answered (RFC 8555 §8.3).
pub type Challenges = BTreeMap<String, String>;

/// Where the certificate comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// From PEM files: the chain, and its key.
    Files(PathBuf, PathBuf),
    /// It is made here, for these names and addresses.
    Made(Vec<String>),
    /// It is asked for.
    Authority(Authority),
}

/// The certificate in use.
#[derive(Debug)]
pub struct Https {
    source: Source,
    /// Where what is made or signed is kept.
    folder: PathBuf,
    server: watch::Sender<Arc<ServerConfig>>,
    challenges: watch::Sender<Challenges>,
    /// Somebody wants an authority asked now.
    asked: Notify,
}

/// A chain and its key.
type Pair = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

impl Https {
    /// Reads or makes it, and says what it is. What is kept goes into `folder`. An authority is asked by [`Https::keep`] only:
    /// until then a certificate is shown that nobody has reason to trust, unless one was kept.
    pub fn open(source: Source, folder: PathBuf, now: Utc) -> Result<(Self, Facts), CertificateError> {
        let (chain, key) = match &source {
            Source::Files(chain, key) => tls::read_files(chain, key)?,
            Source::Made(names) => made::kept(&folder, names, now)?,
            Source::Authority(authority) => match kept(&Authority::file(&folder)) {
                Some(pair) => pair,
                None => made::make(&authority.names, now)?.0,
            },
        };
        let facts = facts(&chain)?;
        let server = watch::Sender::new(Arc::new(tls::present(chain, key)?));
        let https = Self { source, folder, server, challenges: watch::Sender::default(), asked: Notify::new() };
        Ok((https, facts))
    }

    /// What listeners show, now and after each change.
    pub fn server(&self) -> watch::Receiver<Arc<ServerConfig>> {
        self.server.subscribe()
    }

    /// What an authority that asks by plain HTTP is answered, now and after each change.
    pub fn challenges(&self) -> watch::Receiver<Challenges> {
        self.challenges.subscribe()
    }

    /// Reads files again; on an error the certificate in use stays. Where an authority signs, it is asked again if the last
    /// answer was none.
    pub fn reload(&self, now: Utc) -> Result<(), CertificateError> {
        let (chain, key) = match &self.source {
            Source::Files(chain, key) => {
                let pair = tls::read_files(chain, key)?;
                let facts = facts(&pair.0)?;
                if facts.ends <= now {
                    return Err(CertificateError::Expired(chain.clone(), facts.ends));
                }
                pair
            }
            Source::Made(names) => made::kept(&self.folder, names, now)?,
            Source::Authority(_) => {
                self.asked.notify_one();
                return Ok(());
            }
        };
        self.server.send_replace(Arc::new(tls::present(chain, key)?));
        Ok(())
    }
}

fn facts(chain: &[CertificateDer<'static>]) -> Result<Facts, CertificateError> {
    let first = chain.first().ok_or_else(|| CertificateError::Unusable("it has no certificate".into()))?;
    Facts::of(first).map_err(CertificateError::Unusable)
}

/// A chain and its key from one file; none where it is not there, or is no such thing.
fn kept(path: &Path) -> Option<Pair> {
    let path = path.to_path_buf();
    tls::read_files(&path, &path).ok().filter(|(chain, key)| tls::present(chain.clone(), key.clone_key()).is_ok())
}

/// Keeps a key, with or without a chain, for its owner alone; whole, or not at all.
fn keep(path: &Path, pem: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    os::replace_secret(path, pem)
}
