//! The node's certificate for DTLS-SRTP, made anew at each start, and the handshakes made with it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use rtc_dtls::config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::crypto_provider;
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile as Profile;
use rtc_shared::TransportProtocol;
use sha2::{Digest, Sha256};

use crate::base::Instant;
use crate::media::command::DtlsRole;
use crate::media::dtls::{Broken, Finished, Handshake, Handshakes};
use crate::wire::sdp::{Fingerprint, Hash, Suite};

/// First repetition of a flight (RFC 6347 §4.2.4.1 has a second; RFC 8261 and browsers less). Longer: a lost datagram is
/// heard as silence. Shorter: slow paths carry everything twice.
const REPEAT: Duration = Duration::from_millis(500);

/// A handshake of ours that waits for nothing and has not moved for this long begins anew. Longer: silence. Shorter: the far
/// end's own repetitions are cut off.
const STALLED: Duration = Duration::from_secs(2);

/// A handshake may break this often, by flights of two that crossed. More: who will never agree keeps trying. Fewer: a lossy
/// path ends the call.
const ERRORS: u8 = 3;

/// Longest handshake datagram. More: lost where tunnels are narrow. Less: certificates come in more pieces.
const MTU: usize = 1200;

/// Under which name the far end is known to the library, which can serve several; ours are one to one.
const FAR: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9);

/// What makes the node's handshakes.
#[derive(Clone)]
pub struct Identity {
    client: Arc<HandshakeConfig>,
    server: Arc<HandshakeConfig>,
    fingerprint: Fingerprint,
    /// The library counts by the system's clock: this instant is the program's start.
    start: std::time::Instant,
}

impl Identity {
    /// Makes a key and a certificate that says nothing about anybody.
    #[allow(
        clippy::disallowed_methods,
        reason = "the library's instants cannot be made otherwise; differences alone count"
    )]
    pub fn generate() -> Result<Self, String> {
        let provider = crypto_provider::default_provider().map_err(|error| error.to_string())?;
        let certificate = Certificate::generate_self_signed(vec!["ringlift".to_owned()], provider.crypto())
            .map_err(|error| error.to_string())?;
        let der = certificate.certificate.first().ok_or("no certificate was made")?;
        let fingerprint = Fingerprint { hash: Hash::Sha256, value: Sha256::digest(der).to_vec() };
        let config = |client: bool| {
            ConfigBuilder::default()
                .with_crypto_provider(provider.clone())
                .with_certificates(vec![certificate.clone()])
                .with_srtp_protection_profiles(vec![
                    Profile::Srtp_Aes128_Cm_Hmac_Sha1_80,
                    Profile::Srtp_Aes128_Cm_Hmac_Sha1_32,
                ])
                .with_extended_master_secret(ExtendedMasterSecretType::Request)
                .with_client_auth(ClientAuthType::RequireAnyClientCert)
                // Nobody vouches for these certificates; the fingerprint in the description says whose they are.
                .with_insecure_skip_verify(true)
                .with_flight_interval(REPEAT)
                .with_mtu(MTU)
                .build(client, client.then_some(FAR))
                .map(Arc::new)
                .map_err(|error| error.to_string())
        };
        Ok(Self { client: config(true)?, server: config(false)?, fingerprint, start: std::time::Instant::now() })
    }

    /// What descriptions say of it.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({})", self.fingerprint)
    }
}

impl Handshakes for Identity {
    fn begin(&self, role: DtlsRole, now: Instant) -> Option<Box<dyn Handshake>> {
        let config = if role == DtlsRole::Client { self.client.clone() } else { self.server.clone() };
        let mut flights = Flights {
            endpoint: Endpoint::new(FAR, TransportProtocol::UDP, None),
            config,
            role,
            start: self.start,
            moved: now,
            stage: Stage::Hello,
            errors: 0,
            told: false,
        };
        flights.begin(now).ok()?;
        Some(Box::new(flights))
    }
}

/// How far the flights have come (RFC 6347 §4.2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Hellos go to and fro.
    Hello,
    /// We are client and were asked to prove our address.
    Verified,
    /// Our certificate is on its way: what went before is settled.
    Keys,
    Complete,
    /// An alert, or what cannot be: to be begun again shortly.
    Broken,
}

struct Flights {
    endpoint: Endpoint,
    config: Arc<HandshakeConfig>,
    role: DtlsRole,
    start: std::time::Instant,
    /// When something came or was due to go last.
    moved: Instant,
    stage: Stage,
    /// How often it broke.
    errors: u8,
    /// The outcome has been asked for.
    told: bool,
}

impl Flights {
    /// Begins, or begins anew.
    fn begin(&mut self, now: Instant) -> Result<(), Broken> {
        (self.moved, self.stage) = (now, Stage::Hello);
        let server = (self.role == DtlsRole::Server).then(|| self.config.clone());
        self.endpoint = Endpoint::new(FAR, TransportProtocol::UDP, server);
        match self.role {
            DtlsRole::Server => Ok(()),
            DtlsRole::Client => self
                .endpoint
                .connect(self.start + now.since_start(), FAR, self.config.clone(), None)
                .map_err(|_| Broken),
        }
    }

    /// Whether a datagram only repeats what is settled. The library must not see it: it would wait for the rest of a flight
    /// that is complete, and never repeat its own.
    fn is_settled(&self, datagram: &[u8]) -> bool {
        let Some(message) = message(datagram) else { return false };
        match (self.role, self.stage) {
            (_, Stage::Hello | Stage::Complete | Stage::Broken) => false,
            (DtlsRole::Client, Stage::Verified) => message == HELLO_VERIFY_REQUEST,
            (DtlsRole::Client, Stage::Keys) => FLIGHT_OF_THE_SERVER.contains(&message),
            (DtlsRole::Server, Stage::Verified | Stage::Keys) => message == CLIENT_HELLO,
        }
    }
}

/// Messages of the handshake (RFC 5246 §7.4, RFC 6347 §4.3.2).
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const HELLO_VERIFY_REQUEST: u8 = 3;
const CERTIFICATE: u8 = 11;
const CLIENT_KEY_EXCHANGE: u8 = 16;
/// From the hello to its end.
const FLIGHT_OF_THE_SERVER: [u8; 6] = [SERVER_HELLO, HELLO_VERIFY_REQUEST, CERTIFICATE, 12, 13, 14];

/// The first message of a datagram, where it can be read.
fn message(datagram: &[u8]) -> Option<u8> {
    (datagram.first() == Some(&22) && datagram.get(3..5) == Some(&[0, 0])).then(|| datagram.get(13).copied()).flatten()
}

impl Handshake for Flights {
    fn receive(&mut self, datagram: &[u8], now: Instant) -> Result<(), Broken> {
        if self.stage == Stage::Broken || self.is_settled(datagram) {
            return Ok(());
        }
        self.moved = now;
        if self.role == DtlsRole::Client && message(datagram) == Some(HELLO_VERIFY_REQUEST) {
            self.stage = Stage::Verified;
        }
        match self.endpoint.read(self.start + now.since_start(), FAR, None, BytesMut::from(datagram)) {
            Ok(events) => {
                if events.iter().any(|event| matches!(event, EndpointEvent::HandshakeComplete)) {
                    self.stage = Stage::Complete;
                }
                Ok(())
            }
            // What was made stays made, whatever comes after.
            Err(_) if self.stage == Stage::Complete => Ok(()),
            Err(_) if self.errors >= ERRORS => Err(Broken),
            Err(_) => {
                self.errors += 1;
                self.stage = Stage::Broken;
                Ok(())
            }
        }
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), Broken> {
        let at = self.start + now.since_start();
        match self.endpoint.poll_timeout(&FAR) {
            _ if self.stage == Stage::Complete => Ok(()),
            _ if self.stage == Stage::Broken && now.since(self.moved) < REPEAT => Ok(()),
            _ if self.stage == Stage::Broken => self.begin(now),
            Some(due) if due <= at => {
                self.moved = now;
                // A flight that was repeated often enough for the library is begun again while the call has patience.
                self.endpoint.handle_timeout(FAR, at).or_else(|_| self.begin(now))
            }
            None if self.role == DtlsRole::Client && now.since(self.moved) >= STALLED => self.begin(now),
            Some(_) | None => Ok(()),
        }
    }

    fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        let datagram = self.endpoint.poll_transmit()?.message.to_vec();
        let settles = match self.role {
            DtlsRole::Client => [CERTIFICATE, CLIENT_KEY_EXCHANGE].map(Some).contains(&message(&datagram)),
            DtlsRole::Server => message(&datagram) == Some(SERVER_HELLO),
        };
        if settles && matches!(self.stage, Stage::Hello | Stage::Verified) {
            self.stage = Stage::Keys;
        }
        Some(datagram)
    }

    fn poll_finished(&mut self) -> Option<Finished> {
        if self.stage != Stage::Complete || std::mem::replace(&mut self.told, true) {
            return None;
        }
        let state = self.endpoint.get_connection_state(FAR)?;
        let suite = match state.srtp_protection_profile() {
            Profile::Srtp_Aes128_Cm_Hmac_Sha1_80 => Suite::Aes128Sha1Tag80,
            Profile::Srtp_Aes128_Cm_Hmac_Sha1_32 => Suite::Aes128Sha1Tag32,
            // Done without keys for RTP: the keys below are not made, and the handshake is not believed.
            _ => return Some(Finished { suite: Suite::Aes128Sha1Tag80, keys: Vec::new(), certificate: Vec::new() }),
        };
        let length = 2 * (suite.key_length() + Suite::SALT);
        let keys = state.export_keying_material("EXTRACTOR-dtls_srtp", &[], length);
        let keys = keys.map(rtc_dtls::crypto_provider::SecretVec::into_bytes).unwrap_or_default();
        Some(Finished { suite, keys, certificate: state.peer_certificates.first().cloned().unwrap_or_default() })
    }
}

#[cfg(test)]
mod tests;
