//! Signed caller identities at the door: what a trunk's INVITE carries is read, its certificate fetched where it is not
//! known yet, and a call refused where the trunk demands more than it brought (RFC 8224 §6.2).

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use crate::base::phone_number::NumberPlan;
use crate::base::{Cause, Instant, LegId, Now, PhoneNumber};
use crate::gateway::Gateway;
use crate::gateway::fetch::{FetchError, FetchId, FetchRequest};
use crate::gateway::webhook::Invitation;
use crate::identity::{Chain, Claims, Flaw, Standing, Token};
use crate::route::{Facts, IdentityCheck, IdentityPolicy, Party};
use crate::sip::endpoint::Headers;
use crate::sip::transport::Source;
use crate::wire::sip::{Name, Request, Status, Uri};

/// How long a fetched chain is used. Longer: a withdrawn certificate is believed longer. Shorter: one more round trip for
/// calls of a carrier that is heard from daily.
const KEPT: Duration = Duration::from_secs(24 * 3600);

/// How long nobody asks again after a certificate could not be had. Longer: a carrier's short trouble is felt longer.
/// Shorter: a dead address makes every call wait.
const FAILED: Duration = Duration::from_secs(60);

/// Until when a certificate must be here. Longer: callers wonder whether it rings. Shorter: far stores are not reached.
const PATIENCE: Duration = Duration::from_secs(2);

/// Longest answer that is read: a chain of three has some 4 KiB.
const LONGEST_CHAIN: usize = 64 * 1024;

/// Chains kept. More: memory, some 4 KiB each, for whoever makes addresses up. Fewer: a node of many carriers asks again.
const MOST_CHAINS: usize = 512;

/// Calls that wait for certificates.
const MOST_WAITING: usize = 256;

/// Identity headers that are looked at. A call that was diverted has a few.
const MOST_HEADERS: usize = 8;

/// Certificates, and calls that wait for some.
#[derive(Debug, Default)]
pub(super) struct Attests {
    kept: BTreeMap<String, Kept>,
    fetching: BTreeMap<FetchId, String>,
    waiting: Vec<(String, Invitation)>,
}

#[derive(Debug)]
struct Kept {
    /// None: it could not be had.
    chain: Option<Chain>,
    until: Instant,
}

impl Attests {
    /// The caller has gone.
    pub(super) fn forget(&mut self, leg: LegId) {
        self.waiting.retain(|(_, call)| call.leg != leg);
    }

    fn keep(&mut self, url: String, chain: Option<Chain>, now: Instant) {
        if self.kept.len() >= MOST_CHAINS {
            self.kept.retain(|_, kept| kept.until > now);
        }
        if self.kept.len() >= MOST_CHAINS {
            let soonest = self.kept.iter().min_by_key(|(_, kept)| kept.until).map(|(url, _)| url.clone());
            soonest.and_then(|url| self.kept.remove(&url));
        }
        let until = now + if chain.is_some() { KEPT } else { FAILED };
        self.kept.insert(url, Kept { chain, until });
    }
}

/// What is known of an identity so far.
enum Weighed {
    Known(Standing),
    /// Its certificate is not here.
    Fetch(String),
}

impl Gateway {
    /// Notes what an INVITE's signed identity is worth. `None` where it waits for a certificate or was refused.
    pub(super) fn weigh_identity(
        &mut self,
        leg: LegId,
        request: &Request,
        source: Source,
        mut facts: Facts,
        now: Now,
    ) -> Option<Facts> {
        let Ok(Party::Trunk(trunk)) = self.table.party(&facts) else { return Some(facts) };
        let Some(trunk) = self.table.trunks.get(&trunk) else { return Some(facts) };
        let policy = trunk.identity;
        if policy.check == IdentityCheck::Ignore {
            return Some(facts);
        }
        let claims = claims_of(request, &trunk.numbers);
        match self.standing_of(request, &claims, now) {
            Weighed::Known(standing) => {
                facts.identity = standing;
                self.satisfies(leg, policy, standing, now).then_some(facts)
            }
            Weighed::Fetch(url) => {
                if self.attests.waiting.len() >= MOST_WAITING {
                    facts.identity = Standing::Invalid { flaw: Flaw::NoCertificate };
                    return self.satisfies(leg, policy, facts.identity, now).then_some(facts);
                }
                if !self.attests.fetching.values().any(|other| *other == url) {
                    let wanted = FetchRequest { url: url.clone(), post: None, deadline: PATIENCE, most: LONGEST_CHAIN };
                    let id = self.fetch(wanted, now);
                    self.attests.fetching.insert(id, url.clone());
                }
                self.attests.waiting.push((url, Invitation { leg, request: request.clone(), source, facts }));
                None
            }
        }
    }

    /// A certificate is here, or will not be: every call that waits for it goes on.
    pub(super) fn on_certificate(&mut self, id: FetchId, result: Result<Bytes, FetchError>, now: Now) {
        let Some(url) = self.attests.fetching.remove(&id) else { return };
        let chain = result.ok().and_then(|bytes| Chain::read(&bytes).ok());
        self.attests.keep(url.clone(), chain, now.mono);
        let waiting = std::mem::take(&mut self.attests.waiting);
        let (ready, still) = waiting.into_iter().partition(|(other, _)| *other == url);
        self.attests.waiting = still;
        for (_, Invitation { leg, request, source, facts }) in ready {
            if let Some(facts) = self.weigh_identity(leg, &request, source, facts, now) {
                self.route_invite(leg, &request, source, facts, now);
            }
        }
    }

    /// Whether that is enough on a trunk; where not, the call is refused.
    fn satisfies(&mut self, leg: LegId, policy: IdentityPolicy, standing: Standing, now: Now) -> bool {
        if policy.check != IdentityCheck::Require {
            return true;
        }
        let status = match standing {
            Standing::Valid { attestation } if policy.minimum.is_none_or(|least| attestation >= least) => return true,
            Standing::Valid { .. } => Status::INVALID_IDENTITY_HEADER,
            Standing::Absent | Standing::Unchecked => Status::USE_IDENTITY_HEADER,
            Standing::Invalid { flaw } => Status(flaw.status()),
        };
        self.count_refusal(Cause::BadIdentity);
        self.endpoint.refuse(leg, status, Cause::BadIdentity, &Headers::new(), now);
        false
    }

    fn standing_of(&self, request: &Request, claims: &Claims, now: Now) -> Weighed {
        let mut flaw = None;
        for value in request.headers.fields_of(&Name::Identity).take(MOST_HEADERS) {
            let token = match Token::read(value, claims) {
                Ok(Some(token)) => token,
                Ok(None) => continue,
                Err(found) => {
                    flaw = flaw.or(Some(found));
                    continue;
                }
            };
            // The first that is for our purpose speaks for the call.
            return match self.judge(&token, claims, now) {
                Ok(weighed) => weighed,
                Err(flaw) => Weighed::Known(Standing::Invalid { flaw }),
            };
        }
        Weighed::Known(flaw.map_or(Standing::Absent, |flaw| Standing::Invalid { flaw }))
    }

    fn judge(&self, token: &Token, claims: &Claims, now: Now) -> Result<Weighed, Flaw> {
        token.fits(claims, now.utc)?;
        let kept = self.attests.kept.get(&token.certificate).filter(|kept| kept.until > now.mono);
        match kept {
            Some(kept) => {
                let chain = kept.chain.as_ref().ok_or(Flaw::NoCertificate)?;
                let attestation = token.verify(&chain.key(&self.settings.anchors, now.utc)?)?;
                Ok(Weighed::Known(Standing::Valid { attestation }))
            }
            // RFC 8226 §7 and ATIS-1000080: certificates are had by https, or not at all.
            None if !token.certificate.starts_with("https://") => Err(Flaw::NoCertificate),
            None => Ok(Weighed::Fetch(token.certificate.clone())),
        }
    }
}

/// What the INVITE says of caller and called (RFC 8224 §8). A caller who withholds the number is signed for all the same.
fn claims_of(request: &Request, plan: &NumberPlan) -> Claims {
    let number = |uri: &Uri| uri.user_decoded().and_then(|user| PhoneNumber::normalise(&user, plan));
    let asserted = request.headers.name_addrs(Name::PAssertedIdentity).unwrap_or_default();
    let asserted = asserted.iter().find_map(|address| number(&address.uri));
    let to = request.headers.to().and_then(|to| number(&to.uri));
    Claims {
        caller: asserted.or_else(|| request.headers.from().and_then(|from| number(&from.uri))),
        called: to.into_iter().chain(number(&request.uri)).collect(),
        date: request.headers.get(Name::Date).and_then(seconds_of),
    }
}

/// `Sat, 13 Nov 2010 23:29:00 GMT` (RFC 3261 §20.17) in seconds since 1970.
fn seconds_of(date: &str) -> Option<i64> {
    let time = jiff::fmt::rfc2822::parse(&date.trim().replace("GMT", "+0000")).ok()?;
    Some(time.timestamp().as_second())
}
