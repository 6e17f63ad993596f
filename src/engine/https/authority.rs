//! One certificate from an authority (RFC 8555): account, order, proof of each name, signature.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Error, Identifier, Key, NewOrder, Order, OrderStatus, Problem,
    RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::client::{Requests, Unreached};
use super::{Https, Pair, alpn};

/// How long an authority may take to look, and to sign.
const PATIENCE: RetryPolicy =
    RetryPolicy::new().initial_delay(Duration::from_millis(250)).timeout(Duration::from_secs(120));

/// How many orders an attempt begins, one after the other, where only nonces were refused. More: an authority that
/// refuses every nonce is asked for nothing. Fewer: one that refuses some costs the pause of a refusal, though nothing
/// has to be mended.
const ANEW: usize = 5;

/// An authority, and what it is asked for.
#[derive(Debug, Clone)]
pub struct Authority {
    /// Its directory.
    pub directory: String,
    /// The names that the certificate is for.
    pub names: Vec<String>,
    /// Where it may write to.
    pub contact: Option<String>,
    /// How names are proved.
    pub proof: Proof,
    /// Who signed the directory's own certificate; none: somebody whom the system trusts.
    pub authorities: Option<PathBuf>,
}

/// How a name is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// By a text at port 80 (RFC 8555 §8.3).
    Http01,
    /// By a certificate at port 443 (RFC 8737).
    TlsAlpn01,
}

/// Why there is no certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// One line that says what to change.
    pub line: String,
    /// Whether the authority was reached.
    pub reached: bool,
    /// When it wants to be asked again.
    pub after: Option<Duration>,
    /// Whether it refused nothing but a nonce, for which it wants the same again with another (RFC 8555 §6.5).
    pub nonce: bool,
}

impl Refusal {
    /// What is in the way is here, not there.
    pub(super) const fn ours(line: String) -> Self {
        Self { line, reached: true, after: None, nonce: false }
    }
}

impl Authority {
    /// Where the certificate and its key are kept.
    pub fn file(folder: &Path) -> PathBuf {
        folder.join("acme.pem")
    }

    /// Orders a certificate, and keeps it before it is shown. `shown` is what everybody else sees meanwhile.
    pub(super) async fn order(&self, https: &Https, shown: &Pair) -> Result<Pair, Refusal> {
        for _ in 1..ANEW {
            let ordered = self.order_once(https, shown).await;
            if !ordered.as_ref().is_err_and(|refusal| refusal.nonce && refusal.after.is_none()) {
                return ordered;
            }
        }
        self.order_once(https, shown).await
    }

    async fn order_once(&self, https: &Https, shown: &Pair) -> Result<Pair, Refusal> {
        let ours = Refusal::ours;
        let requests = Requests::new(self.authorities.as_deref()).map_err(ours)?;
        let refused = |error: Error| self.refusal(&error, requests.after());
        let account = self.account(&https.folder, &requests).await?;
        let names: Vec<Identifier> = self.names.iter().map(|name| identifier(name)).collect();
        let mut order = account.new_order(&NewOrder::new(&names)).await.map_err(refused)?;
        self.prove(&mut order, https, shown).await.map_err(refused)?;
        match order.poll_ready(&PATIENCE).await {
            Ok(OrderStatus::Ready | OrderStatus::Processing | OrderStatus::Valid) => {}
            ended => {
                // Which name failed, and why, stands in the authorizations; where none did, it was something else.
                let (name, problem) = failed(&mut order).await.map_err(refused)?;
                return Err(match (ended, problem) {
                    (Err(error), None) => refused(error),
                    (_, problem) => self.unproved(&name, problem.as_ref(), requests.after()),
                });
            }
        }
        let key = KeyPair::generate().map_err(|error| ours(error.to_string()))?;
        let csr = CertificateParams::new(self.names.clone()).and_then(|mut params| {
            params.distinguished_name = DistinguishedName::new();
            params.serialize_request(&key)
        });
        let csr = csr.map_err(|error| ours(format!("api.tls.acme.domains: {error}")))?;
        order.finalize_csr(csr.der()).await.map_err(refused)?;
        let chain = order.poll_certificate(&PATIENCE).await.map_err(refused)?;
        let path = Self::file(&https.folder);
        super::keep(&path, &format!("{}{chain}", key.serialize_pem()))
            .map_err(|error| ours(unwritten(&path, &error)))?;
        super::kept(&path)
            .ok_or_else(|| ours("the authority signed something that is no certificate for our key".into()))
    }

    /// The account of our key. The key is kept before the authority hears of it: whoever asks again with it is given
    /// the same account, not a second one (RFC 8555 §7.3.1).
    async fn account(&self, folder: &Path, requests: &Requests) -> Result<Account, Refusal> {
        let ours = Refusal::ours;
        let path = folder.join("acme-account.pem");
        if !path.exists() {
            let pem = KeyPair::generate().map_err(|error| ours(error.to_string()))?.serialize_pem();
            super::keep(&path, &pem).map_err(|error| ours(unwritten(&path, &error)))?;
        }
        let unread = |why: String| {
            ours(format!("{} cannot be used ({why}): put the right one back, or delete it", path.display()))
        };
        let der = PrivatePkcs8KeyDer::from_pem_file(&path).map_err(|error| unread(error.to_string()))?;
        let key = Key::from_pkcs8_der(der.clone_key()).map_err(|error| unread(error.to_string()))?;
        let refused = |error: Error| self.refusal(&error, requests.after());
        let builder = Account::builder_with_http(Box::new(requests.clone()));
        let (account, _) =
            builder.create_from_key((key, PrivateKeyDer::Pkcs8(der)), self.directory.clone()).await.map_err(refused)?;
        if let Some(contact) = &self.contact {
            account.update_contacts(&[&format!("mailto:{contact}")]).await.map_err(refused)?;
        }
        Ok(account)
    }

    /// Shows the authority what it looks for, then tells it to look.
    async fn prove(&self, order: &mut Order, https: &Https, shown: &Pair) -> Result<(), Error> {
        let kind = match self.proof {
            Proof::Http01 => ChallengeType::Http01,
            Proof::TlsAlpn01 => ChallengeType::TlsAlpn01,
        };
        let (mut texts, mut digests) = (BTreeMap::new(), BTreeMap::new());
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            if authorization.status != AuthorizationStatus::Pending {
                continue;
            }
            let name = authorization.identifier().to_string();
            let challenge = authorization.challenge(kind.clone());
            let challenge = challenge.ok_or(Error::Unsupported("the proof that api.tls.acme.challenge names"))?;
            let proof = challenge.key_authorization();
            texts.insert(challenge.token.clone(), proof.as_str().to_owned());
            digests.insert(name, proof.digest().as_ref().to_vec());
        }
        match self.proof {
            // What it was to look for before stays: it may still be looking.
            Proof::Http01 => https.challenges.send_modify(|known| known.extend(texts)),
            Proof::TlsAlpn01 => {
                let config = alpn::present(shown, &digests).map_err(|error| Error::Other(error.into()))?;
                https.server.send_replace(Arc::new(config));
            }
        }
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            if authorization.status == AuthorizationStatus::Pending
                && let Some(mut challenge) = authorization.challenge(kind.clone())
            {
                challenge.set_ready().await?;
            }
        }
        Ok(())
    }

    fn refusal(&self, error: &Error, after: Option<Duration>) -> Refusal {
        let directory = &self.directory;
        let (line, reached) = match error {
            Error::Other(why) if why.is::<Unreached>() => (
                format!("{directory} cannot be reached ({why}): check api.tls.acme.directory, and the way out to it"),
                false,
            ),
            Error::Json(_) => (format!("{directory} does not speak ACME: check api.tls.acme.directory"), false),
            Error::Timeout(_) => {
                ("the authority did not come to an end in two minutes; it is asked again".into(), true)
            }
            Error::Api(problem) => (self.said(problem), true),
            other => (format!("the authority cannot be used: {other}"), true),
        };
        let nonce = matches!(error, Error::Api(problem) if kind(problem) == "badNonce");
        Refusal { line, reached, after, nonce }
    }

    fn said(&self, problem: &Problem) -> String {
        let detail = words(problem);
        match kind(problem) {
            "rateLimited" => format!("the authority has been asked too often: {detail}"),
            "invalidContact" | "unsupportedContact" => {
                format!("api.tls.acme.contact: the authority refuses it: {detail}")
            }
            "rejectedIdentifier" | "unsupportedIdentifier" | "caa" => {
                format!("api.tls.acme.domains: the authority signs none of these names: {detail}")
            }
            "externalAccountRequired" => format!(
                "api.tls.acme.directory: this authority wants an account made by hand, which is not supported: choose another ({detail})"
            ),
            "userActionRequired" => format!("the authority wants its terms to be agreed to by hand: {detail}"),
            _ => format!("the authority refuses: {detail}"),
        }
    }

    fn unproved(&self, name: &str, problem: Option<&Problem>, after: Option<Duration>) -> Refusal {
        let why = problem.map_or("it did not say why".into(), words);
        let change = match (problem.map(kind), self.proof) {
            (Some("dns" | "caa"), _) => "mend the name's records",
            (_, Proof::Http01) => "point the name at this node, and let its port 80 through to api.listen",
            (_, Proof::TlsAlpn01) => "point the name at this node, and let its port 443 through to api.tls_listen",
        };
        Refusal {
            line: format!("the authority could not see that {name} is this node: {why}: {change}"),
            reached: true,
            after,
            nonce: false,
        }
    }
}

/// The name that could not be proved, and what the authority says of it.
async fn failed(order: &mut Order) -> Result<(String, Option<Problem>), Error> {
    let mut authorizations = order.authorizations();
    let mut last = String::new();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        let state = authorization.refresh().await?;
        last = state.identifier().to_string();
        if let Some(problem) = state.challenges.iter().find_map(|challenge| challenge.error.clone()) {
            return Ok((last, Some(problem)));
        }
    }
    Ok((last, None))
}

fn identifier(name: &str) -> Identifier {
    name.parse().map_or_else(|_| Identifier::Dns(name.to_ascii_lowercase()), Identifier::Ip)
}

/// The problem's type without its common beginning (RFC 8555 §6.7).
fn kind(problem: &Problem) -> &str {
    problem.r#type.as_deref().and_then(|kind| kind.rsplit(':').next()).unwrap_or_default()
}

/// What the problem says, in one line.
fn words(problem: &Problem) -> String {
    let detail = problem.detail.as_deref().unwrap_or("it does not say why");
    let details = problem.subproblems.iter().filter_map(|part| part.detail.as_deref());
    let all: Vec<&str> = std::iter::once(detail).chain(details).collect();
    let line: String = all.join("; ").chars().map(|c| if c.is_control() { ' ' } else { c }).take(400).collect();
    format!("{line} ({})", kind(problem))
}

fn unwritten(path: &Path, error: &io::Error) -> String {
    format!("{} cannot be written ({error}): let the node write beside its database", path.display())
}
