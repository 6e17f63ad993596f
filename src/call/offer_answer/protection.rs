//! Encryption of a call, as its descriptions agree on it (RFC 4568, RFC 5763). What has been encrypted stays so: an offer or an
//! answer that would end it is refused.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::{Preferences, Unacceptable};
use crate::base::Rng;
use crate::media::command::{Dtls, DtlsRole, Sdes, Security, SrtpKey};
use crate::profile::SrtpPolicy;
use crate::wire::sdp::{Attribute, Crypto, Fingerprint, MasterKey, Media, SessionDescription, Setup, Suite};

/// Where all keys of ours in one call come from, so that each stays the same as long as its suite is in use.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seed([u8; 32]);

/// What protects a call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Protection {
    /// Nothing.
    #[default]
    Plain,
    /// Keys in SDP: theirs, and under the tag that our description bears, ours.
    Sdes { tag: u32, theirs: Crypto },
    /// A handshake.
    Dtls { role: DtlsRole, theirs: Vec<Fingerprint>, association: u32 },
}

/// What an offer of ours proposes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Proposal {
    /// No encryption.
    Plain,
    /// One of these suites, by tag.
    Sdes(Vec<(u32, Suite)>),
    /// A handshake, in the role of the last one where there was one.
    Dtls(Option<DtlsRole>),
}

impl Seed {
    pub(super) fn new(rng: &mut Rng) -> Self {
        let mut seed = [0; 32];
        rng.fill(&mut seed);
        Self(seed)
    }

    /// Our key for a suite. Two suites never share one.
    fn key(&self, suite: Suite) -> Option<MasterKey> {
        let mut bytes = Vec::with_capacity(64);
        for block in [1u8, 2] {
            let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
            mac.update(&[block]);
            mac.update(suite.name().as_bytes());
            bytes.extend_from_slice(&mac.finalize().into_bytes());
        }
        MasterKey::new(suite, bytes.get(..suite.key_length() + Suite::SALT)?)
    }

    fn line(&self, tag: u32, suite: Suite) -> Option<Attribute> {
        let crypto = Crypto { tag, suite, key: self.key(suite)?, mki: 0 };
        Some(Attribute::with("crypto", crypto.to_string()))
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Protection {
    /// What answers a medium of an offer. `now` is what protects the call so far.
    pub(super) fn answering(
        sdp: &SessionDescription,
        media: &Media,
        preferences: &Preferences,
        now: &Protection,
    ) -> Result<Self, Unacceptable> {
        let transport = Transport::of(media).ok_or(Unacceptable::Protocol)?;
        let off = preferences.srtp == SrtpPolicy::Off && *now == Protection::Plain;
        let sdes = || Self::answering_sdes(media, preferences, now);
        let dtls = || Self::answering_dtls(sdp, media, preferences, now);
        let found = match (transport, off) {
            (Transport::Plain, true) => return Ok(Protection::Plain),
            (Transport::Sdes | Transport::Dtls, true) => return Err(Unacceptable::Encrypted),
            // RTP/AVP with a key is meant as a question (RFC 8643): encrypted where both can, plain where not.
            (Transport::Plain | Transport::Sdes, false) => sdes().or_else(dtls),
            (Transport::Dtls, false) => dtls(),
        };
        match found {
            Some(found) => Ok(found),
            None if transport != Transport::Plain => Err(Unacceptable::Protocol),
            None if *now != Protection::Plain || preferences.srtp == SrtpPolicy::Require => {
                Err(Unacceptable::NotEncrypted)
            }
            None => Ok(Protection::Plain),
        }
    }

    fn answering_sdes(media: &Media, preferences: &Preferences, now: &Protection) -> Option<Self> {
        let taken = |crypto: &Crypto| preferences.suites.contains(&crypto.suite);
        let kept = |crypto: &Crypto| matches!(now, Protection::Sdes { theirs, .. } if theirs.suite == crypto.suite);
        let theirs = media.cryptos().find(kept).or_else(|| media.cryptos().find(taken))?;
        Some(Protection::Sdes { tag: theirs.tag, theirs })
    }

    fn answering_dtls(
        sdp: &SessionDescription,
        media: &Media,
        preferences: &Preferences,
        now: &Protection,
    ) -> Option<Self> {
        preferences.dtls.as_ref()?;
        let theirs = Some(sdp.fingerprints(media)).filter(|theirs| !theirs.is_empty())?;
        let role = match (sdp.setup(media), now) {
            (Some(Setup::Passive), _) => DtlsRole::Client,
            // RFC 4145 §4: active is what holds when nothing is said.
            (Some(Setup::Active) | None, _) => DtlsRole::Server,
            (Some(Setup::ActPass | Setup::HoldConn), Protection::Dtls { role, theirs: known, .. })
                if *known == theirs =>
            {
                *role
            }
            // Who answers begins, so that no packet waits for a round trip more (RFC 5763 §5).
            (Some(Setup::ActPass), _) => DtlsRole::Client,
            (Some(Setup::HoldConn), _) => return None,
        };
        Some(now.associate(role, theirs))
    }

    /// The handshake that is there, where nothing about it changed; else another.
    fn associate(&self, role: DtlsRole, theirs: Vec<Fingerprint>) -> Self {
        let association = match self {
            Protection::Dtls { role: known_role, theirs: known, association } => {
                association.wrapping_add(u32::from(*known_role != role || *known != theirs))
            }
            Protection::Plain | Protection::Sdes { .. } => 0,
        };
        Protection::Dtls { role, theirs, association }
    }

    /// What our answer says of it.
    pub(super) fn attributes(&self, preferences: &Preferences, seed: &Seed) -> Vec<Attribute> {
        match self {
            Protection::Plain => Vec::new(),
            Protection::Sdes { tag, theirs } => seed.line(*tag, theirs.suite).into_iter().collect(),
            Protection::Dtls { role, .. } => dtls_attributes(preferences, setup_of(*role)),
        }
    }

    /// How packets are protected then.
    pub(super) fn security(&self, seed: &Seed) -> Result<Security, Unacceptable> {
        Ok(match self {
            Protection::Plain => Security::None,
            Protection::Sdes { theirs, .. } => Security::Sdes(Box::new(Sdes {
                send: SrtpKey {
                    suite: theirs.suite,
                    master: seed.key(theirs.suite).ok_or(Unacceptable::Protocol)?,
                    mki: 0,
                },
                receive: SrtpKey { suite: theirs.suite, master: theirs.key.clone(), mki: theirs.mki },
            })),
            Protection::Dtls { role, theirs, association } => {
                Security::Dtls(Box::new(Dtls { role: *role, fingerprints: theirs.clone(), association: *association }))
            }
        })
    }
}

impl Proposal {
    /// What an offer of ours proposes: what holds, else what the policy asks.
    pub(super) fn of(preferences: &Preferences, now: &Protection) -> Self {
        match now {
            Protection::Sdes { tag, theirs } => Proposal::Sdes(vec![(*tag, theirs.suite)]),
            Protection::Dtls { role, .. } => Proposal::Dtls(Some(*role)),
            Protection::Plain => match preferences.srtp {
                SrtpPolicy::Off | SrtpPolicy::Allow => Proposal::Plain,
                SrtpPolicy::Require if preferences.offer_dtls && preferences.dtls.is_some() => Proposal::Dtls(None),
                SrtpPolicy::Require => {
                    // A profile that demands encryption and names no suite means the one that everybody has.
                    let plainest = [Suite::Aes128Sha1Tag80];
                    let suites = if preferences.suites.is_empty() { &plainest[..] } else { &preferences.suites };
                    Proposal::Sdes((1..).zip(suites.iter().copied()).collect())
                }
            },
        }
    }

    /// The protocol of a first offer.
    pub(super) const fn protocol(&self) -> &'static str {
        match self {
            Proposal::Plain => "RTP/AVP",
            Proposal::Sdes(_) => "RTP/SAVP",
            Proposal::Dtls(_) => "UDP/TLS/RTP/SAVP",
        }
    }

    /// What our offer says of it.
    pub(super) fn attributes(&self, preferences: &Preferences, seed: &Seed) -> Vec<Attribute> {
        match self {
            Proposal::Plain => Vec::new(),
            Proposal::Sdes(suites) => suites.iter().filter_map(|(tag, suite)| seed.line(*tag, *suite)).collect(),
            Proposal::Dtls(role) => dtls_attributes(preferences, role.map_or(Setup::ActPass, setup_of)),
        }
    }

    /// What their answer makes of it.
    pub(super) fn answered(
        &self,
        sdp: &SessionDescription,
        media: &Media,
        now: &Protection,
    ) -> Result<Protection, Unacceptable> {
        let transport = Transport::of(media).ok_or(Unacceptable::Protocol)?;
        match self {
            Proposal::Plain if transport == Transport::Plain => Ok(Protection::Plain),
            Proposal::Plain => Err(Unacceptable::Protocol),
            Proposal::Sdes(suites) => {
                // The tag says which was taken; where it is another, the suite does, which stands beside it.
                let taken = |crypto: &Crypto| suites.iter().any(|(_, suite)| *suite == crypto.suite);
                let theirs = media
                    .cryptos()
                    .find(|crypto| suites.contains(&(crypto.tag, crypto.suite)))
                    .or_else(|| media.cryptos().find(taken))
                    .ok_or(Unacceptable::NotEncrypted)?;
                Ok(Protection::Sdes { tag: theirs.tag, theirs })
            }
            Proposal::Dtls(role) => {
                let theirs = sdp.fingerprints(media);
                if theirs.is_empty() {
                    return Err(Unacceptable::NotEncrypted);
                }
                let role = match (sdp.setup(media), role) {
                    (Some(Setup::Active), _) | (None, None) => DtlsRole::Server,
                    (Some(Setup::Passive), _) => DtlsRole::Client,
                    (Some(Setup::ActPass | Setup::HoldConn) | None, Some(role)) => *role,
                    (Some(Setup::ActPass | Setup::HoldConn), None) => return Err(Unacceptable::NotEncrypted),
                };
                Ok(now.associate(role, theirs))
            }
        }
    }
}

/// What a medium's protocol says of encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    Plain,
    /// Keys in SDP; older equipment writes it with a fingerprint and means a handshake.
    Sdes,
    Dtls,
}

impl Transport {
    fn of(media: &Media) -> Option<Self> {
        let is = |names: [&str; 2]| names.iter().any(|name| media.protocol.eq_ignore_ascii_case(name));
        match media {
            _ if is(["RTP/AVP", "RTP/AVPF"]) => Some(Transport::Plain),
            _ if is(["RTP/SAVP", "RTP/SAVPF"]) => Some(Transport::Sdes),
            _ if is(["UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF"]) => Some(Transport::Dtls),
            _ => None,
        }
    }
}

const fn setup_of(role: DtlsRole) -> Setup {
    match role {
        DtlsRole::Client => Setup::Active,
        DtlsRole::Server => Setup::Passive,
    }
}

fn dtls_attributes(preferences: &Preferences, setup: Setup) -> Vec<Attribute> {
    let ours = preferences.dtls.as_ref().map(|ours| Attribute::with("fingerprint", ours.to_string()));
    ours.into_iter().chain([Attribute::with("setup", setup.name())]).collect()
}
