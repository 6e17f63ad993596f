//! Whom we open TLS connections to, and by which rules: the name a certificate must carry, versions, our own certificate.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, SupportedProtocolVersion};
use tokio_rustls::TlsConnector;

use super::tls::{self, CertificateError};
use crate::route::{TlsRules, TlsVersion};

/// Most far ends remembered. More: memory, some hundred bytes each. Fewer: a carrier with many addresses is known by
/// its address alone again.
const MOST: usize = 4096;

/// What a connection to one far end needs.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    name: ServerName<'static>,
    rules: Option<TlsRules>,
    config: Arc<ClientConfig>,
}

/// Far ends by address.
#[derive(Debug, Default)]
pub(super) struct Peers {
    by_remote: BTreeMap<SocketAddr, Peer>,
}

impl Peers {
    /// Notes who is reached at an address, and by which rules. True where something changed, so that a connection that
    /// stands is not used again.
    pub(super) fn set(
        &mut self,
        remote: SocketAddr,
        name: &str,
        rules: Option<&TlsRules>,
        usual: &Arc<ClientConfig>,
    ) -> Result<bool, CertificateError> {
        let name = rules.and_then(|rules| rules.server_name.as_deref()).unwrap_or(name);
        let name = server_name(name)?;
        if let Some(peer) = self.by_remote.get(&remote)
            && peer.name == name
            && peer.rules.as_ref() == rules
        {
            return Ok(false);
        }
        let config = rules.map_or_else(|| Ok(usual.clone()), |rules| client_config(rules).map(Arc::new))?;
        if self.by_remote.len() >= MOST && !self.by_remote.contains_key(&remote) {
            self.by_remote.pop_first();
        }
        let peer = Peer { name, rules: rules.cloned(), config };
        self.by_remote.insert(remote, peer);
        Ok(true)
    }

    /// How to connect to an address; none where nobody said who is there.
    pub(super) fn get(&self, remote: SocketAddr) -> Option<(TlsConnector, ServerName<'static>)> {
        self.by_remote.get(&remote).map(|peer| (TlsConnector::from(peer.config.clone()), peer.name.clone()))
    }

    /// Reads the files again that the rules name. On an error the old ones stay, and the first error is told.
    pub(super) fn reload(&mut self, usual: &Arc<ClientConfig>) -> Result<(), CertificateError> {
        let mut outcome = Ok(());
        for peer in self.by_remote.values_mut() {
            match peer.rules.as_ref().map(client_config) {
                None => peer.config = usual.clone(),
                Some(Ok(config)) => peer.config = Arc::new(config),
                Some(Err(error)) => outcome = outcome.and(Err(error)),
            }
        }
        outcome
    }
}

/// Checks rules without using them: the files are there, and fit.
pub fn check(rules: &TlsRules) -> Result<(), CertificateError> {
    if let Some(name) = &rules.server_name {
        server_name(name)?;
    }
    client_config(rules).map(drop)
}

fn server_name(name: &str) -> Result<ServerName<'static>, CertificateError> {
    let bare = name.trim_start_matches('[').trim_end_matches(']').to_owned();
    ServerName::try_from(bare)
        .map_err(|_| CertificateError::Unusable(format!("`{name}` is neither a host name nor an address")))
}

fn client_config(rules: &TlsRules) -> Result<ClientConfig, CertificateError> {
    let unusable = |error: rustls::Error| CertificateError::Unusable(error.to_string());
    let versions: &[&'static SupportedProtocolVersion] = match rules.min_version {
        TlsVersion::V1_2 => &[&rustls::version::TLS13, &rustls::version::TLS12],
        TlsVersion::V1_3 => &[&rustls::version::TLS13],
    };
    let builder =
        ClientConfig::builder_with_provider(tls::provider()).with_protocol_versions(versions).map_err(unusable)?;
    let builder = if rules.verify {
        let authorities = rules.authorities.as_ref().map(PathBuf::from);
        builder.with_root_certificates(tls::roots(authorities.as_ref())?)
    } else {
        builder.dangerous().with_custom_certificate_verifier(tls::anybody())
    };
    let mut config = match (&rules.certificate, &rules.key) {
        (Some(chain), Some(key)) => {
            let (chain, key) = tls::read_files(&PathBuf::from(chain), &PathBuf::from(key))?;
            builder.with_client_auth_cert(chain, key).map_err(unusable)?
        }
        (None, None) => builder.with_no_client_auth(),
        (Some(_), None) | (None, Some(_)) => {
            return Err(CertificateError::Unusable("a client certificate needs both `certificate` and `key`".into()));
        }
    };
    config.alpn_protocols = rules.alpn.iter().map(|token| token.as_bytes().to_vec()).collect();
    Ok(config)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test writes the files it has read")]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use bytes::Bytes;
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
    use rustls::server::WebPkiClientVerifier;
    use tokio::net::TcpListener;
    use tokio::time::timeout;
    use tokio_rustls::TlsAcceptor;

    use super::*;
    use crate::sip::endpoint::SendRef;
    use crate::sip::transport::{Target, Transport};
    use crate::transport::{Arrival, Limits, Settings, Transports};

    type Authority = CertifiedIssuer<'static, KeyPair>;

    fn authority() -> Authority {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    }

    /// Writes NAME.pem and NAME.key, signed by the authority.
    fn certificate(folder: &Path, name: &str, host: &str, authority: &Authority, year: i32) {
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        params.not_after = date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let signed = params.signed_by(&key, authority).unwrap();
        std::fs::write(folder.join(format!("{name}.pem")), signed.pem()).unwrap();
        std::fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("ringlift-peers-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// A carrier that lets in only those with a certificate of its authority; says what each handshake came to.
    async fn carrier(folder: &Path, name: &str, authority: &Authority) -> (SocketAddr, tokio::task::JoinHandle<bool>) {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(authority.der().clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), tls::provider()).build().unwrap();
        let (chain, key) =
            tls::read_files(&folder.join(format!("{name}.pem")), &folder.join(format!("{name}.key"))).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(tls::provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = TlsAcceptor::from(Arc::new(config)).accept(stream).await else { return false };
            let mut byte = [0];
            tokio::io::AsyncReadExt::read_exact(&mut stream, &mut byte).await.is_ok()
        });
        (address, task)
    }

    fn transports() -> Transports {
        let tls = tls::Settings { names: vec!["localhost".into()], ..tls::Settings::default() };
        Transports::start(Settings { listen: Vec::new(), tls: Some(tls), limits: Limits::default() }).unwrap()
    }

    fn rules(folder: &Path, client: Option<&str>) -> TlsRules {
        let file = |ending: &str| client.map(|name| folder.join(format!("{name}.{ending}")).display().to_string());
        TlsRules {
            authorities: Some(folder.join("authority.pem").display().to_string()),
            certificate: file("pem"),
            key: file("key"),
            ..TlsRules::default()
        }
    }

    /// Whether a message gets through to a carrier under these rules.
    async fn reaches(folder: &Path, server: &str, authority: &Authority, name: &str, rules: &TlsRules) -> bool {
        let (address, carrier) = carrier(folder, server, authority).await;
        let mut transports = transports();
        transports.expect_peer(address, name, Some(rules)).unwrap();
        let target = Target::new(Transport::Tls, address);
        transports.send(&target, Bytes::from_static(b"OPTIONS"), SendRef::Nothing).unwrap();
        let patience = Duration::from_secs(10);
        tokio::select! {
            let_in = carrier => let_in.unwrap(),
            arrival = timeout(patience, transports.next()) => {
                assert!(matches!(arrival.unwrap(), Arrival::FlowClosed { .. }));
                false
            }
        }
    }

    #[tokio::test]
    async fn a_carrier_is_known_by_its_name_and_knows_us_by_our_certificate() {
        let folder = folder("mutual");
        let (ours, strangers) = (authority(), authority());
        std::fs::write(folder.join("authority.pem"), ours.pem()).unwrap();
        certificate(&folder, "carrier", "sip.carrier.example", &ours, 2040);
        certificate(&folder, "late", "sip.carrier.example", &ours, 2020);
        certificate(&folder, "client", "gateway.example", &ours, 2040);
        certificate(&folder, "stranger", "gateway.example", &strangers, 2040);
        let (with, without) = (rules(&folder, Some("client")), rules(&folder, None));
        let name = "sip.carrier.example";
        assert!(reaches(&folder, "carrier", &ours, name, &with).await);
        assert!(!reaches(&folder, "carrier", &ours, "other.example", &with).await, "another's name");
        let renamed = TlsRules { server_name: Some(name.into()), ..with.clone() };
        assert!(reaches(&folder, "carrier", &ours, "127.0.0.1", &renamed).await, "the name that the rules give");
        assert!(!reaches(&folder, "carrier", &ours, name, &without).await, "no certificate of ours");
        let strange = rules(&folder, Some("stranger"));
        assert!(!reaches(&folder, "carrier", &ours, name, &strange).await, "one it does not trust");
        assert!(!reaches(&folder, "late", &ours, name, &with).await, "theirs has expired");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn rules_that_cannot_work_say_which_file_is_wrong() {
        let folder = folder("wrong");
        let missing = check(&rules(&folder, Some("nobody"))).unwrap_err().to_string();
        assert!(missing.contains("authority.pem"), "{missing}");
        let half = TlsRules { certificate: Some("a.pem".into()), ..TlsRules::default() };
        assert!(check(&half).unwrap_err().to_string().contains("`key`"));
        let named = TlsRules { server_name: Some("not a name".into()), ..TlsRules::default() };
        assert!(check(&named).unwrap_err().to_string().contains("not a name"));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn a_certificate_of_ours_that_was_renewed_is_shown_from_the_next_connection_on() {
        let folder = folder("renewed");
        let (ours, strangers) = (authority(), authority());
        std::fs::write(folder.join("authority.pem"), ours.pem()).unwrap();
        certificate(&folder, "carrier", "sip.carrier.example", &ours, 2040);
        certificate(&folder, "client", "gateway.example", &strangers, 2040);
        let rules = rules(&folder, Some("client"));
        let mut transports = transports();
        for expected in [false, true] {
            let (address, carrier) = carrier(&folder, "carrier", &ours).await;
            transports.expect_peer(address, "sip.carrier.example", Some(&rules)).unwrap();
            certificate(&folder, "client", "gateway.example", if expected { &ours } else { &strangers }, 2040);
            transports.reload_certificates(crate::base::Utc(0)).unwrap();
            let target = Target::new(Transport::Tls, address);
            transports.send(&target, Bytes::from_static(b"OPTIONS"), SendRef::Nothing).unwrap();
            assert_eq!(timeout(Duration::from_secs(10), carrier).await.unwrap().unwrap(), expected);
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}
