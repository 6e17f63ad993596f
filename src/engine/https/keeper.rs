//! Asks an authority in time, for as long as the node runs.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tracing::{info, warn};

use super::{Authority, Challenges, Https, Pair, Source, pace};
use crate::base::{Rng, Utc};
use crate::engine::clock;
use crate::engine::meters;
use crate::transport::tls::{self, Facts};

/// Longest sleep in one piece. Longer: a machine that slept, or whose clock was set, renews late.
const NAP: Duration = Duration::from_secs(3600);

/// Longest attempt.
const ATTEMPT: Duration = Duration::from_secs(600);

impl Https {
    /// Has the certificate signed and renewed where an authority does that; else there is nothing to do. Ends never.
    pub async fn keep(self: Arc<Self>, mut rng: Rng) {
        let Source::Authority(authority) = self.source.clone() else { return };
        let mut shown = super::kept(&Authority::file(&self.folder)).filter(|pair| covers(pair, &authority.names));
        let (mut failures, mut not_before) = (0, earliest(&self.folder));
        loop {
            let due = shown.as_ref().and_then(|pair| super::facts(&pair.0).ok());
            let due = due.map_or(Utc(0), |facts| pace::renewal(facts.begins, facts.ends, &mut rng));
            self.sleep_until(due, &mut not_before).await;
            note_attempt(&self.folder);
            match self.attempt(&authority, shown.as_ref()).await {
                Ok((pair, facts)) => {
                    info!(names = %facts.names.join(" "), until = %facts.ends, "HTTPS has a new certificate");
                    (failures, not_before) = (0, soonest());
                    shown = Some(pair);
                }
                Err(refusal) => {
                    failures += 1;
                    meters::certificate_refused();
                    let pause = pace::pause(failures, refusal.reached, refusal.after, &mut rng);
                    not_before = Utc(clock::utc().0 + millis(pause));
                    warn!(
                        "no certificate for {}: {}; next try at {not_before}",
                        authority.names.join(" "),
                        refusal.line
                    );
                }
            }
        }
    }

    /// One attempt; whatever becomes of it, nothing is left of the proofs.
    async fn attempt(
        &self,
        authority: &Authority,
        shown: Option<&Pair>,
    ) -> Result<(Pair, Facts), super::authority::Refusal> {
        let lost = super::authority::Refusal::ours;
        let before = self.server.borrow().clone();
        // What others see while names are proved, where nothing was signed yet.
        let usual = match shown {
            Some((chain, key)) => (chain.clone(), key.clone_key()),
            None => super::made::make(&authority.names, clock::utc()).map_err(|error| lost(error.to_string()))?.0,
        };
        let ordered = tokio::time::timeout(ATTEMPT, authority.order(self, &usual)).await;
        self.challenges.send_replace(Challenges::new());
        let ordered = ordered.unwrap_or_else(|_| Err(lost("the authority took longer than ten minutes".into())));
        let installed = ordered.and_then(|pair| {
            let facts = super::facts(&pair.0).map_err(|error| lost(error.to_string()))?;
            let config = tls::present(pair.0.clone(), pair.1.clone_key()).map_err(|error| lost(error.to_string()))?;
            Ok((pair, facts, config))
        });
        match installed {
            Ok((pair, facts, config)) => {
                self.server.send_replace(Arc::new(config));
                Ok((pair, facts))
            }
            Err(refusal) => {
                self.server.send_replace(before);
                Err(refusal)
            }
        }
    }

    /// Sleeps until both times are past. Who asks for an attempt is given one, but not a second within [`pace::LEAST`].
    async fn sleep_until(&self, due: Utc, not_before: &mut Utc) {
        loop {
            let wait = due.0.max(not_before.0) - clock::utc().0;
            let Ok(wait @ 1..) = u64::try_from(wait) else { return };
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(wait).min(NAP)) => {}
                () = self.asked.notified() => *not_before = (*not_before).min(earliest(&self.folder)),
            }
        }
    }
}

/// Whether a certificate is for all these names.
fn covers(pair: &Pair, names: &[String]) -> bool {
    let has = |facts: &Facts, name: &String| facts.names.iter().any(|has| has.eq_ignore_ascii_case(name));
    super::facts(&pair.0).is_ok_and(|facts| names.iter().all(|name| has(&facts, name)))
}

fn soonest() -> Utc {
    Utc(clock::utc().0 + millis(pace::LEAST))
}

/// Remembers over restarts when an authority was asked.
fn note_attempt(folder: &Path) {
    if let Err(error) = super::keep(&folder.join("acme-asked"), &clock::utc().to_string()) {
        warn!(%error, "the time of an attempt cannot be kept");
    }
}

/// The soonest that an authority may be asked again, as far as is remembered.
fn earliest(folder: &Path) -> Utc {
    let asked = std::fs::metadata(folder.join("acme-asked")).and_then(|file| file.modified()).ok();
    let asked = asked.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok()).map_or(0, millis);
    Utc((asked.saturating_add(millis(pace::LEAST))).min(soonest().0))
}

fn millis(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}
