//! A client that keeps what it was shown, and its connection.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use ringlift::transport::tls::Facts;

/// Somebody who trusts these authorities and no others.
pub struct Browser {
    runtime: tokio::runtime::Runtime,
    config: Arc<ClientConfig>,
}

/// A connection that stands.
pub struct Visit {
    stream: TlsStream<TcpStream>,
    pub facts: Facts,
}

impl Browser {
    /// Trusts whom the PEM file names.
    pub fn trusting(path: &Path) -> Self {
        Self::of(CertificateDer::pem_file_iter(path).unwrap().map(Result::unwrap).collect())
    }

    /// Trusts these.
    pub fn of(authorities: Vec<CertificateDer<'static>>) -> Self {
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            roots.add(authority).unwrap();
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { runtime, config }
    }

    /// Opens a connection to the port for this name; why not, where the certificate is not trusted.
    pub fn visit(&self, name: &str, port: u16) -> Result<Visit, String> {
        self.runtime.block_on(async {
            let stream = TcpStream::connect(("127.0.0.1", port)).await.map_err(|error| error.to_string())?;
            let name = ServerName::try_from(name.to_owned()).unwrap();
            let connector = TlsConnector::from(self.config.clone());
            let stream = connector.connect(name, stream).await.map_err(|error| error.to_string())?;
            let shown = stream.get_ref().1.peer_certificates().unwrap().first().unwrap().clone();
            Ok(Visit { stream, facts: Facts::of(&shown).unwrap() })
        })
    }

    /// Asks for a page on a connection that stands; what comes until the body is whole.
    pub fn ask(&self, visit: &mut Visit, path: &str) -> String {
        self.runtime.block_on(async {
            let request =
                format!("GET {path} HTTP/1.1\r\nHost: meet.example.test\r\nAccept-Encoding: identity\r\n\r\n");
            visit.stream.write_all(request.as_bytes()).await.unwrap();
            let mut read = Vec::new();
            loop {
                let text = String::from_utf8_lossy(&read).to_lowercase();
                if let Some((head, body)) = text.split_once("\r\n\r\n") {
                    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                    if body.len() >= length.trim().parse::<usize>().unwrap() {
                        return String::from_utf8_lossy(&read).into_owned();
                    }
                }
                let mut part = [0; 8192];
                let count = visit.stream.read(&mut part).await.unwrap();
                assert!(count > 0, "the connection was cut off");
                read.extend_from_slice(&part[..count]);
            }
        })
    }
}
