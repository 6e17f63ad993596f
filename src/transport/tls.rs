//! Certificates: from files, read again on demand, or made for a first try.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::WantsServerCert;
use rustls::{ClientConfig, ConfigBuilder, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme};
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::base::Utc;

/// What is known of certificates.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Our certificate chain and its key, PEM. None: one is made at start that no phone has reason to trust.
    pub files: Option<(PathBuf, PathBuf)>,
    /// Names and addresses in a certificate that is made.
    pub names: Vec<String>,
    /// Whom we trust when we open connections, PEM; none means the system's usual places.
    pub authorities: Option<PathBuf>,
    /// Whether to open connections to whoever answers, unverified: for peers with certificates of their own making.
    pub unverified: bool,
}

/// Why certificates cannot be used.
#[derive(Debug)]
pub enum CertificateError {
    /// A file cannot be read or is no PEM.
    File(PathBuf, String),
    /// A file holds no certificate.
    Empty(PathBuf),
    /// Certificate and key do not fit, or are of no use.
    Unusable(String),
    /// It is over since then.
    Expired(PathBuf, Utc),
    /// None could be made.
    Made(String),
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CertificateError::File(path, error) => write!(f, "cannot read {}: {error}", path.display()),
            CertificateError::Empty(path) => write!(f, "{} holds no certificate", path.display()),
            CertificateError::Unusable(error) => write!(f, "the TLS certificate cannot be used: {error}"),
            CertificateError::Expired(path, end) => write!(f, "{} expired at {end}", path.display()),
            CertificateError::Made(error) => write!(f, "no TLS certificate could be made: {error}"),
        }
    }
}

impl std::error::Error for CertificateError {}

/// Where distributions keep the authorities they trust.
const SYSTEM_AUTHORITIES: &[&str] =
    &["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// The certificate in use, replaceable while connections stand.
#[derive(Debug)]
pub struct Certificates {
    settings: Settings,
    server: watch::Sender<Arc<ServerConfig>>,
    client: Arc<ClientConfig>,
}

impl Certificates {
    /// Reads or makes what the settings name.
    pub fn load(settings: Settings) -> Result<Self, CertificateError> {
        let server = server_config(&settings)?;
        let client = client_config(&settings)?;
        Ok(Self { settings, server: watch::Sender::new(Arc::new(server)), client: Arc::new(client) })
    }

    /// Reads the files again. A certificate that was made stays, and so does the one in use where the new one is over already.
    pub fn reload(&self, now: Utc) -> Result<(), CertificateError> {
        if let Some((chain, _)) = &self.settings.files {
            let end = ends(chain)?;
            if end <= now {
                return Err(CertificateError::Expired(chain.clone(), end));
            }
            self.server.send_replace(Arc::new(server_config(&self.settings)?));
        }
        Ok(())
    }

    /// What listeners show, now and after each reload.
    pub fn server(&self) -> watch::Receiver<Arc<ServerConfig>> {
        self.server.subscribe()
    }

    /// What is used where nobody said more about a far end.
    pub(super) fn client(&self) -> &Arc<ClientConfig> {
        &self.client
    }
}

/// When the first certificate of a PEM file ends: the owner's, where it is a chain.
pub fn ends(path: &Path) -> Result<Utc, CertificateError> {
    let chain = read_chain(&path.to_path_buf())?;
    let first = chain.first().ok_or_else(|| CertificateError::Empty(path.to_path_buf()))?;
    Facts::of(first).map(|facts| facts.ends).map_err(|why| CertificateError::File(path.to_path_buf(), why))
}

/// What a certificate says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// From when it counts.
    pub begins: Utc,
    /// Until when.
    pub ends: Utc,
    /// For which names and addresses, as they are written.
    pub names: Vec<String>,
    /// Its SHA-256, as browsers show it: `AB:CD:…`.
    pub fingerprint: String,
}

impl Facts {
    /// Reads them.
    pub fn of(der: &CertificateDer<'_>) -> Result<Self, String> {
        let certificate = x509_cert::Certificate::from_der(der).map_err(|error| error.to_string())?;
        let said = certificate.tbs_certificate();
        let utc = |time: x509_cert::time::Time| {
            Utc(i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX / 1000).saturating_mul(1000))
        };
        let names = match said.get_extension::<SubjectAltName>() {
            Ok(Some((_, names))) => names.0.iter().filter_map(name).collect(),
            Ok(None) => Vec::new(),
            Err(error) => return Err(error.to_string()),
        };
        let digest = Sha256::digest(der.as_ref());
        let fingerprint: Vec<String> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
        Ok(Self {
            begins: utc(said.validity().not_before),
            ends: utc(said.validity().not_after),
            names,
            fingerprint: fingerprint.join(":"),
        })
    }
}

fn name(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.as_str().to_owned()),
        GeneralName::IpAddress(bytes) => match bytes.as_bytes() {
            [a, b, c, d] => Some(IpAddr::from([*a, *b, *c, *d]).to_string()),
            long => <[u8; 16]>::try_from(long).ok().map(|bytes| IpAddr::from(bytes).to_string()),
        },
        _ => None,
    }
}

/// An acceptor with the certificate as it is now.
pub fn acceptor(server: &watch::Receiver<Arc<ServerConfig>>) -> TlsAcceptor {
    TlsAcceptor::from(server.borrow().clone())
}

/// The name a certificate must carry for a connection we open: the address, for that is all a request's next hop tells.
pub(super) fn server_name(address: IpAddr) -> ServerName<'static> {
    ServerName::IpAddress(address.into())
}

fn server_config(settings: &Settings) -> Result<ServerConfig, CertificateError> {
    let (chain, key) = match &settings.files {
        Some((chain, key)) => (read_chain(chain)?, read_key(key)?),
        None => make(&settings.names)?,
    };
    present(chain, key)
}

/// What a listener needs to show this chain.
pub fn present(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, CertificateError> {
    let unusable = |error: rustls::Error| CertificateError::Unusable(error.to_string());
    server_builder()?.with_single_cert(chain, key).map_err(unusable)
}

/// The beginning of what a listener needs.
pub fn server_builder() -> Result<ConfigBuilder<ServerConfig, WantsServerCert>, CertificateError> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| CertificateError::Unusable(error.to_string()))?;
    Ok(builder.with_no_client_auth())
}

fn client_config(settings: &Settings) -> Result<ClientConfig, CertificateError> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| CertificateError::Unusable(error.to_string()))?;
    if settings.unverified {
        return Ok(builder.dangerous().with_custom_certificate_verifier(anybody()).with_no_client_auth());
    }
    Ok(builder.with_root_certificates(roots(settings.authorities.as_ref())?).with_no_client_auth())
}

/// What a connection of ours needs that trusts the authorities of a file, or the system's.
pub fn connector(authorities: Option<PathBuf>) -> Result<TlsConnector, CertificateError> {
    let config = client_config(&Settings { authorities, ..Settings::default() })?;
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Whom we trust: the authorities of a file, or the system's.
pub(super) fn roots(authorities: Option<&PathBuf>) -> Result<RootCertStore, CertificateError> {
    let mut roots = RootCertStore::empty();
    match authorities {
        Some(path) => {
            roots.add_parsable_certificates(read_chain(path)?);
        }
        None => {
            // Without authorities no connection of ours is trusted; accepting ones needs none.
            let usual = SYSTEM_AUTHORITIES.iter().find_map(|path| read_chain(&PathBuf::from(path)).ok());
            roots.add_parsable_certificates(usual.unwrap_or_default());
        }
    }
    Ok(roots)
}

/// Trusts whoever answers.
pub(super) fn anybody() -> Arc<dyn ServerCertVerifier> {
    Arc::new(Anybody(provider().signature_verification_algorithms))
}

/// A chain and its key.
pub fn read_files(
    chain: &PathBuf,
    key: &PathBuf,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), CertificateError> {
    Ok((read_chain(chain)?, read_key(key)?))
}

/// The cryptography of all our TLS.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn read_chain(path: &PathBuf) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let failed = |error: rustls::pki_types::pem::Error| CertificateError::File(path.clone(), error.to_string());
    let chain: Vec<_> =
        CertificateDer::pem_file_iter(path).map_err(failed)?.collect::<Result<_, _>>().map_err(failed)?;
    if chain.is_empty() { Err(CertificateError::Empty(path.clone())) } else { Ok(chain) }
}

fn read_key(path: &PathBuf) -> Result<PrivateKeyDer<'static>, CertificateError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| CertificateError::File(path.clone(), error.to_string()))
}

fn make(names: &[String]) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), CertificateError> {
    let names = if names.is_empty() { vec!["localhost".to_owned()] } else { names.to_vec() };
    let made = rcgen::generate_simple_self_signed(names).map_err(|error| CertificateError::Made(error.to_string()))?;
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    Ok((vec![made.cert.der().clone()], key.into()))
}

/// Takes any certificate whose owner has its key: encrypted, but to whom nobody knows.
#[derive(Debug)]
struct Anybody(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
