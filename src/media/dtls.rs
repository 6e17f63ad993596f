//! DTLS-SRTP (RFC 5763, RFC 5764): a handshake on the leg's RTP port makes its keys.
//!
//! ```text
//!  Waiting for the far end, or begun by us ──flights──▶ Done: keys, and who they were made with
//!        └── 20 s, an alert, another certificate ──▶ Failed
//!  Done ── a new ClientHello of theirs ──▶ another handshake beside it, whose keys follow when it is done
//! ```
//! The flights themselves are somebody else's: what carries them out is given as [`Handshakes`]. Who the far end is is
//! decided here, by the fingerprint in its description.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256, Sha384, Sha512};

use super::command::{Dtls, DtlsRole, Sdes, SrtpKey};
use crate::base::Instant;
use crate::wire::sdp::{Fingerprint, Hash, MasterKey, Suite};

/// How long a handshake may take. Longer: a caller listens to nothing. Shorter: a phone that is slow to open its path, or
/// loses flights, loses the call.
const PATIENCE: Duration = Duration::from_secs(20);

/// A beginning that comes this long after the first is another handshake. Longer: a phone that begins again waits. Shorter: a
/// slow path's repetitions begin again what was nearly done.
const GIVEN_UP: Duration = Duration::from_millis(1500);

/// Makes handshakes; one for all media threads.
pub trait Handshakes: Send + Sync {
    /// Begins one; none where it cannot.
    fn begin(&self, role: DtlsRole, now: Instant) -> Option<Box<dyn Handshake>>;
}

/// The flights of one handshake.
pub trait Handshake: Send {
    /// Takes a datagram of the far end.
    fn receive(&mut self, datagram: &[u8], now: Instant) -> Result<(), Broken>;
    /// Repeats what is due to be repeated.
    fn handle_timeout(&mut self, now: Instant) -> Result<(), Broken>;
    /// The next datagram to send.
    fn poll_transmit(&mut self) -> Option<Vec<u8>>;
    /// What came of it, once.
    fn poll_finished(&mut self) -> Option<Finished>;
}

/// A handshake that cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken;

/// A handshake that is done. Its keys do not print.
pub struct Finished {
    /// What both ends protect packets with.
    pub suite: Suite,
    /// Client's key, server's key, client's salt, server's salt (RFC 5764 §4.2).
    pub keys: Vec<u8>,
    /// The far end's certificate in DER.
    pub certificate: Vec<u8>,
}

/// What became of an association.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It made these keys.
    Keys(Sdes),
    /// It failed: nobody is there, or somebody else.
    Failed,
}

/// One leg's handshakes.
pub struct Association {
    agreed: Dtls,
    handshakes: Arc<dyn Handshakes>,
    /// The one that is awaited; none once it failed.
    awaited: Option<(Box<dyn Handshake>, Instant)>,
    /// The one whose keys are in use; its last flight may have to be repeated.
    done: Option<Box<dyn Handshake>>,
}

/// Whether a datagram belongs to a handshake (RFC 7983 §7).
pub fn is_dtls(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| (20..=63).contains(first))
}

impl Association {
    /// Begins as agreed; none where it cannot.
    pub fn new(agreed: Dtls, handshakes: Arc<dyn Handshakes>, now: Instant) -> Option<Self> {
        let handshake = handshakes.begin(agreed.role, now)?;
        Some(Self { agreed, handshakes, awaited: Some((handshake, now)), done: None })
    }

    /// Takes a datagram of the far end.
    pub fn receive(&mut self, datagram: &[u8], now: Instant) -> Option<Outcome> {
        if let Some((awaited, began)) = &mut self.awaited {
            // A phone that begins again in the middle has given up what was begun; one that only repeats itself is quicker.
            if self.agreed.role == DtlsRole::Server
                && is_beginning(datagram)
                && now.since(*began) >= GIVEN_UP
                && let Some(again) = self.handshakes.begin(DtlsRole::Server, now)
            {
                (*awaited, *began) = (again, now);
            }
            let received = awaited.receive(datagram, now);
            return self.settle(received);
        }
        if let Some(done) = &mut self.done {
            if self.agreed.role == DtlsRole::Server && is_beginning(datagram) {
                self.awaited = self.handshakes.begin(DtlsRole::Server, now).map(|handshake| (handshake, now));
                return self.receive_anew(datagram, now);
            }
            // Whatever ails it now, its keys were made.
            let _ = done.receive(datagram, now);
        }
        None
    }

    /// Does what time asks.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Outcome> {
        let (awaited, began) = self.awaited.as_mut()?;
        let due = if now.since(*began) >= PATIENCE { Err(Broken) } else { awaited.handle_timeout(now) };
        self.settle(due)
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        let awaited = self.awaited.as_mut().and_then(|(awaited, _)| awaited.poll_transmit());
        awaited.or_else(|| self.done.as_mut().and_then(|done| done.poll_transmit()))
    }

    fn receive_anew(&mut self, datagram: &[u8], now: Instant) -> Option<Outcome> {
        let received = self.awaited.as_mut().map_or(Ok(()), |(awaited, _)| awaited.receive(datagram, now));
        self.settle(received)
    }

    fn settle(&mut self, went: Result<(), Broken>) -> Option<Outcome> {
        let (awaited, _) = self.awaited.as_mut()?;
        let finished = awaited.poll_finished();
        let keys = finished.as_ref().and_then(|finished| self.agreed.believe(finished));
        match (finished.is_some(), keys, went) {
            (true, Some(keys), _) => {
                self.done = self.awaited.take().map(|(handshake, _)| handshake);
                Some(Outcome::Keys(keys))
            }
            (true, None, _) | (false, _, Err(Broken)) => {
                // An alert may wait to be sent; it is not: the call's end says as much.
                self.awaited = None;
                // A second handshake that fails leaves what the first one made.
                self.done.is_none().then_some(Outcome::Failed)
            }
            (false, _, Ok(())) => None,
        }
    }
}

impl Dtls {
    /// The keys of both ways, where the certificate is the one that was described.
    fn believe(&self, finished: &Finished) -> Option<Sdes> {
        self.fingerprints.iter().find(|fingerprint| is_of(fingerprint, &finished.certificate))?;
        let (key, salt) = (finished.suite.key_length(), Suite::SALT);
        let at = |from: usize, length: usize| finished.keys.get(from..from + length);
        let one = |key: &[u8], salt: &[u8]| {
            let master = MasterKey::new(finished.suite, &[key, salt].concat())?;
            Some(SrtpKey { suite: finished.suite, master, mki: 0 })
        };
        let client = one(at(0, key)?, at(2 * key, salt)?)?;
        let server = one(at(key, key)?, at(2 * key + salt, salt)?)?;
        Some(match self.role {
            DtlsRole::Client => Sdes { send: client, receive: server },
            DtlsRole::Server => Sdes { send: server, receive: client },
        })
    }
}

fn is_of(fingerprint: &Fingerprint, certificate: &[u8]) -> bool {
    match fingerprint.hash {
        Hash::Sha256 => Sha256::digest(certificate)[..] == fingerprint.value[..],
        Hash::Sha384 => Sha384::digest(certificate)[..] == fingerprint.value[..],
        Hash::Sha512 => Sha512::digest(certificate)[..] == fingerprint.value[..],
    }
}

/// Whether a datagram is the first of a handshake: an unencrypted ClientHello (RFC 6347 §4.2.2).
fn is_beginning(datagram: &[u8]) -> bool {
    datagram.first() == Some(&22)
        && datagram.get(3..5) == Some(&[0, 0])
        && datagram.get(13) == Some(&1)
        && datagram.get(17..19) == Some(&[0, 0])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Flights that do what the test says.
    struct Script {
        finished: Option<Finished>,
        broken: bool,
    }

    impl Handshake for Script {
        fn receive(&mut self, datagram: &[u8], _now: Instant) -> Result<(), Broken> {
            if datagram == [22, 9] { Ok(()) } else { Err(Broken) }
        }
        fn handle_timeout(&mut self, _now: Instant) -> Result<(), Broken> {
            if self.broken { Err(Broken) } else { Ok(()) }
        }
        fn poll_transmit(&mut self) -> Option<Vec<u8>> {
            None
        }
        fn poll_finished(&mut self) -> Option<Finished> {
            self.finished.take()
        }
    }

    /// Each handshake is done at once, with this certificate.
    struct Scripts(Option<&'static [u8]>);

    impl Handshakes for Scripts {
        fn begin(&self, _role: DtlsRole, _now: Instant) -> Option<Box<dyn Handshake>> {
            let keys = (0..60).collect();
            let finished = self.0.map(|certificate| Finished {
                suite: Suite::Aes128Sha1Tag80,
                keys,
                certificate: certificate.to_vec(),
            });
            Some(Box::new(Script { finished, broken: false }))
        }
    }

    fn agreed(role: DtlsRole) -> Dtls {
        let value = Sha256::digest(b"anna").to_vec();
        Dtls { role, fingerprints: vec![Fingerprint { hash: Hash::Sha256, value }], association: 0 }
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn each_side_sends_with_its_own_half_of_the_keys() {
        let keys = |role| match Association::new(agreed(role), Arc::new(Scripts(Some(b"anna"))), at(0))
            .unwrap()
            .receive(&[22, 9], at(0))
        {
            Some(Outcome::Keys(keys)) => keys,
            other => panic!("{other:?}"),
        };
        let (client, server) = (keys(DtlsRole::Client), keys(DtlsRole::Server));
        assert_eq!((&client.send, &client.receive), (&server.receive, &server.send));
        assert_eq!(client.send.master.key(), (0..16).collect::<Vec<u8>>());
        assert_eq!(client.send.master.salt(), (32..46).collect::<Vec<u8>>());
        assert_eq!(client.receive.master.salt(), (46..60).collect::<Vec<u8>>());
    }

    #[test]
    fn who_shows_another_certificate_or_nothing_is_not_believed() {
        let begin =
            |certificate| Association::new(agreed(DtlsRole::Server), Arc::new(Scripts(certificate)), at(0)).unwrap();
        assert_eq!(begin(Some(b"eve")).receive(&[22, 9], at(0)), Some(Outcome::Failed));
        assert_eq!(begin(None).receive(&[22, 0], at(0)), Some(Outcome::Failed), "what breaks it ends it");
        let mut silent = begin(None);
        assert_eq!(silent.handle_timeout(at(19)), None);
        assert_eq!(silent.handle_timeout(at(20)), Some(Outcome::Failed));
        assert_eq!(silent.handle_timeout(at(21)), None, "said once");
    }

    #[test]
    fn a_phone_that_begins_anew_is_given_new_keys_and_a_failure_leaves_the_old_ones() {
        let mut association =
            Association::new(agreed(DtlsRole::Server), Arc::new(Scripts(Some(b"anna"))), at(0)).unwrap();
        assert!(matches!(association.receive(&[22, 9], at(0)), Some(Outcome::Keys(_))));
        assert_eq!(association.receive(&[20, 254, 253], at(1)), None);
        let mut hello = [0; 60];
        (hello[0], hello[13]) = (22, 1);
        assert!(matches!(association.receive(&hello, at(2)), Some(Outcome::Keys(_))));
        association.handshakes = Arc::new(Scripts(None));
        assert_eq!(association.receive(&hello, at(3)), None);
        assert_eq!(association.handle_timeout(at(60)), None);
    }

    #[test]
    fn a_port_tells_handshakes_from_packets_by_their_first_byte() {
        assert!([20u8, 22, 25, 63].iter().all(|first| is_dtls(&[*first, 0])));
        assert!([0u8, 1, 19, 64, 127, 128, 144, 191, 255].iter().all(|first| !is_dtls(&[*first, 0])));
        assert!(!is_dtls(&[]));
    }
}
