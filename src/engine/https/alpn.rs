//! Answers to an authority that looks for a certificate of a special kind (TLS-ALPN-01, RFC 8737).

use std::collections::BTreeMap;
use std::sync::Arc;

use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::Pair;
use crate::transport::tls::{self, CertificateError};

/// What the authority speaks.
const PROTOCOL: &[u8] = b"acme-tls/1";

/// What everybody else speaks. It must be named beside the other, or browsers that name protocols are turned away.
const USUAL: &[u8] = b"http/1.1";

/// Shows the usual certificate to all but the authority.
#[derive(Debug)]
struct Challenged {
    usual: Arc<CertifiedKey>,
    proofs: BTreeMap<String, Arc<CertifiedKey>>,
}

impl ResolvesServerCert for Challenged {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let special = hello.alpn().is_some_and(|mut protocols| protocols.any(|protocol| protocol == PROTOCOL));
        if !special {
            return Some(self.usual.clone());
        }
        self.proofs.get(&hello.server_name()?.to_ascii_lowercase()).cloned()
    }
}

/// What a listener shows while names are proved: each name, and the digest that the authority looks for.
pub fn present(usual: &Pair, digests: &BTreeMap<String, Vec<u8>>) -> Result<ServerConfig, CertificateError> {
    let usual = Arc::new(certified((usual.0.clone(), usual.1.clone_key()))?);
    let proofs: Result<_, _> =
        digests.iter().map(|(name, digest)| Ok((name.to_ascii_lowercase(), Arc::new(proof(name, digest)?)))).collect();
    let resolver = Challenged { usual, proofs: proofs? };
    let mut config = tls::server_builder()?.with_cert_resolver(Arc::new(resolver));
    config.alpn_protocols = vec![USUAL.to_vec(), PROTOCOL.to_vec()];
    Ok(config)
}

fn proof(name: &str, digest: &[u8]) -> Result<CertifiedKey, CertificateError> {
    let failed = |error: rcgen::Error| CertificateError::Made(error.to_string());
    if digest.len() != 32 {
        return Err(CertificateError::Made("a proof is 32 bytes long".into()));
    }
    let mut params = CertificateParams::new(vec![name.to_owned()]).map_err(failed)?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = params.self_signed(&key).map_err(failed)?;
    certified((vec![certificate.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into()))
}

fn certified((chain, key): Pair) -> Result<CertifiedKey, CertificateError> {
    let signer = any_supported_type(&key).map_err(|error| CertificateError::Unusable(error.to_string()))?;
    Ok(CertifiedKey::new(chain, signer))
}
