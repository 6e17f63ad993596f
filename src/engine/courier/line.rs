//! One endpoint's line: what waits for it, a few at a time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, USER_AGENT};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::{AGAIN, AT_ONCE, Shared};
use crate::base::id::{DeliveryId, WebhookId};
use crate::base::{Rng, Utc};
use crate::engine::fetch::{AGENT, why};
use crate::engine::{chance, clock};
use crate::gateway::fetch::FetchError;
use crate::hooks::{SigningSecret, Verdict, headers, judge};
use crate::store::StoreError;
use crate::store::webhook::{Attempt, Delivery, Then, Webhook};

/// Longest sleep: the clock may be set.
const NAP: Duration = Duration::from_secs(600);

/// Serves an endpoint until it is taken away.
pub async fn run(shared: Arc<Shared>, id: WebhookId) {
    let mut line = Line { shared, id, under_way: JoinSet::new(), ids: BTreeSet::new(), failures: 0, rests: None };
    let mut changes = line.shared.store.webhook_changes();
    loop {
        changes.mark_unchanged();
        let wake = match line.send_due().await {
            Ok(wake) => wake,
            Err(StoreError::NotFound) => return,
            Err(error) => {
                tracing::warn!(webhook = %id, %error, "what waits for a webhook cannot be read");
                Instant::now() + AGAIN
            }
        };
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            Some(ended) = line.under_way.join_next(), if !line.under_way.is_empty() => line.ended(ended.ok()),
            () = sleep_until(wake) => {}
        }
    }
}

struct Line {
    shared: Arc<Shared>,
    id: WebhookId,
    under_way: JoinSet<(DeliveryId, bool)>,
    ids: BTreeSet<DeliveryId>,
    /// In a row.
    failures: u32,
    /// Until then nothing is sent, for the last attempt failed.
    rests: Option<Instant>,
}

impl Line {
    /// Sends what is due, as far as there is room; when to look again.
    async fn send_due(&mut self) -> Result<Instant, StoreError> {
        let hook = Arc::new(self.shared.store.webhook(self.id).await?);
        let now = clock::utc();
        if !hook.enabled {
            return Ok(Instant::now() + NAP);
        }
        if let Some(until) = self.rests.filter(|until| *until > Instant::now()) {
            return Ok(until);
        }
        // One that failed is tried with one, before all that waits goes there.
        let most = if self.failures > 0 { 1 } else { AT_ONCE };
        let room = most.saturating_sub(self.ids.len());
        if room > 0 {
            let limit = u32::try_from(room + self.ids.len()).unwrap_or(u32::MAX);
            let due = self.shared.store.due_deliveries(self.id, now, limit).await?;
            for delivery in
                due.into_iter().filter(|delivery| !self.ids.contains(&delivery.id)).take(room).collect::<Vec<_>>()
            {
                self.ids.insert(delivery.id);
                self.under_way.spawn(deliver(self.shared.clone(), hook.clone(), delivery));
            }
        }
        let next = self.shared.store.next_delivery(self.id, now).await?;
        let wait = next.and_then(|next| u64::try_from(next.0 - now.0).ok()).map_or(NAP, Duration::from_millis);
        Ok(Instant::now() + wait.min(NAP))
    }

    fn ended(&mut self, ended: Option<(DeliveryId, bool)>) {
        let Some((id, went_well)) = ended else {
            // A fault of ours: nothing is known of which it was.
            self.ids.clear();
            self.under_way.abort_all();
            self.failures += 1;
            return self.rest();
        };
        self.ids.remove(&id);
        if went_well {
            (self.failures, self.rests) = (0, None);
        } else if self.rests.is_none_or(|until| until <= Instant::now()) {
            // What was under way beside the first that failed tells nothing new.
            self.failures = self.failures.saturating_add(1);
            self.rest();
        }
    }

    fn rest(&mut self) {
        self.rests = Some(Instant::now() + self.shared.pace.rest(self.failures));
    }
}

/// One attempt; false where it came to nothing.
async fn deliver(shared: Arc<Shared>, hook: Arc<Webhook>, delivery: Delivery) -> (DeliveryId, bool) {
    let at = clock::utc();
    let answered = match timeout(shared.patience, post(&shared, &hook, &delivery, at)).await {
        Ok(answered) => answered,
        Err(_) => Err(FetchError::TimedOut),
    };
    let (status, verdict) = match answered {
        Ok((status, verdict)) => (Some(status), verdict),
        Err(_) => (None, Verdict::Later(None)),
    };
    let then = match verdict {
        Verdict::Delivered => Then::Delivered,
        Verdict::Gone => Then::Gone,
        Verdict::Later(named) => {
            let mut rng = chance::rng().unwrap_or_else(|_| Rng::from_number(delivery.id.bits()));
            match shared.pace.pause(delivery.attempts + 1, named, &mut rng) {
                Some(pause) => Then::Again(Utc(clock::utc().0 + i64::try_from(pause.as_millis()).unwrap_or(i64::MAX))),
                None => Then::Dead,
            }
        }
    };
    let error = match (answered, then) {
        (_, Then::Delivered) => None,
        (Ok((status, _)), _) => Some(format!("answered {status}")),
        (Err(error), _) => Some(error.name().replace('_', " ")),
    };
    let outcome = match then {
        Then::Delivered => "delivered",
        Then::Again(_) => "failed",
        Then::Dead => "dead",
        Then::Gone => "gone",
    };
    metrics::counter!("ringlift_webhooks_total", "outcome" => outcome).increment(1);
    match then {
        Then::Delivered | Then::Again(_) => {
            tracing::debug!(webhook = %hook.id, delivery = %delivery.id, error, "webhook {outcome}");
        }
        Then::Dead => {
            tracing::warn!(webhook = %hook.id, delivery = %delivery.id, error, "an event is given up; it can be replayed")
        }
        Then::Gone => tracing::warn!(webhook = %hook.id, "the webhook says that it is gone: it is disabled"),
    }
    let attempt = Attempt { at, status, error, then };
    match shared.store.note_attempt(&delivery, &attempt).await {
        Ok(()) => (delivery.id, then == Then::Delivered),
        Err(error) => {
            // It is told again, with the same id: that is what the id is for.
            tracing::warn!(webhook = %hook.id, %error, "what came of a delivery cannot be kept");
            (delivery.id, false)
        }
    }
}

async fn post(shared: &Shared, hook: &Webhook, delivery: &Delivery, at: Utc) -> Result<(u16, Verdict), FetchError> {
    let (client, url) = shared.outward.to(&hook.url)?;
    let old = hook.old_secret.as_ref().filter(|(_, until)| *until > at).map(|(old, _)| old);
    let secrets: Vec<SigningSecret> = [&hook.secret].into_iter().chain(old).filter_map(SigningSecret::parse).collect();
    let mut request = client
        .post(url)
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .header(USER_AGENT, HeaderValue::from_static(AGENT));
    for (name, value) in headers(delivery.id, at, delivery.event.as_bytes(), &secrets) {
        request = request.header(name, value);
    }
    // The status is all that counts; what else it says is not read.
    let answer = request.body(delivery.event.clone()).send().await.map_err(|error| why(&error))?;
    let after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let status = answer.status().as_u16();
    Ok((status, judge(status, after)))
}
