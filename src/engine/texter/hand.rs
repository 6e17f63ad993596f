//! Handing one text over: once, or known not to have been.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::sleep;
use tracing::warn;

use super::{Shared, millis};
use crate::base::Utc;
use crate::sms::{Found, Handed, Kind, Message};
use crate::store::text::{Text, TextChange};
use crate::store::{StoreError, clock};
use crate::texting::{TextFailure, TextId, TextOrder, TextState};

/// The first pause before another try; each further one is twice as long, to the longest. Longer: the caller waits.
/// Shorter: a provider that said it is too much is asked too soon.
const PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// Between two questions after a text that the provider may have: its list lags behind what it takes. More and longer: the
/// caller waits for what is known. Fewer: a text that is out counts as unknown.
const ASK_AGAIN: [Duration; 3] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(3)];

/// How often what is too old is looked for.
const PRUNE: Duration = Duration::from_secs(24 * 3600);

/// Keeps an order and hands it over.
pub async fn submit(shared: Arc<Shared>, order: TextOrder) {
    let (id, now) = (order.id, clock::utc());
    let provider = shared.provider.kind();
    let opted_out = match shared.store.is_opted_out(&order.to).await {
        Ok(opted_out) => opted_out,
        Err(error) => return not_kept(&shared, id, &error),
    };
    let permit = shared.permits.clone().try_acquire_owned().ok();
    let (state, reason) = match (opted_out, provider, &permit) {
        (true, ..) => (TextState::Failed, Some(TextFailure::OptedOut)),
        (false, Kind::Outbox, _) => (TextState::Kept, None),
        _ if order.until <= now => (TextState::Failed, Some(TextFailure::Expired)),
        // One write less before the text is out.
        (false, _, Some(_)) => (TextState::Handing, None),
        (false, _, None) => (TextState::Queued, None),
    };
    match shared.store.add_text(&order, provider.name(), state, reason, now).await {
        Ok(true) => shared.event(id, state, reason, None, now),
        Ok(false) => return,
        Err(error) => return not_kept(&shared, id, &error),
    }
    let outcome = match state {
        TextState::Handing => hand(&shared, &order, 1, permit).await,
        TextState::Queued => go_on(&shared, &order, 0, Duration::ZERO).await,
        _ => Ok(()),
    };
    outcome.unwrap_or_else(|error| stuck(id, &error));
}

/// Takes up a text that the last run left: one that waited is handed over, one that was being handed over is asked for.
pub async fn take_up(shared: Arc<Shared>, text: Text) {
    let id = text.order.id;
    // The configuration has another provider now.
    let ours = text.provider == shared.provider.kind().name();
    let outcome = match (text.state, ours) {
        (TextState::Queued, true) => go_on(&shared, &text.order, text.attempts, Duration::ZERO).await,
        (TextState::Queued, false) => fail(&shared, id, TextFailure::Expired, None).await,
        (_, true) => ask_for(&shared, &text.order).await,
        (_, false) => give_up(&shared, id).await,
    };
    outcome.unwrap_or_else(|error| stuck(id, &error));
}

/// Deletes what is too old, once a day.
pub async fn prune(shared: Weak<Shared>) {
    while let Some(shared) = shared.upgrade() {
        let kept = shared.settings.kept;
        if !kept.is_zero()
            && let Err(error) = shared.store.prune_texts(Utc(clock::utc().0.saturating_sub(millis(kept)))).await
        {
            warn!(%error, "old texts could not be deleted");
        }
        drop(shared);
        sleep(PRUNE).await;
    }
}

/// Hands a queued text over after a pause, as long as it is worth it.
async fn go_on(shared: &Shared, order: &TextOrder, attempts: u32, pause: Duration) -> Result<(), StoreError> {
    let mut attempts = attempts;
    let mut pause = pause;
    loop {
        let left = order.until.0.saturating_sub(clock::utc().0).saturating_sub(millis(pause));
        if left <= 0 {
            let reason = shared.store.text(order.id).await?.reason.unwrap_or(TextFailure::Expired);
            return fail(shared, order.id, reason, None).await;
        }
        sleep(pause).await;
        let permit = shared.permits.clone().acquire_owned().await.ok();
        // Between an order and a later try somebody may have written STOP.
        if shared.store.is_opted_out(&order.to).await? {
            return fail(shared, order.id, TextFailure::OptedOut, None).await;
        }
        if !shared.store.begin_handing(order.id, clock::utc()).await? {
            return match shared.store.text(order.id).await?.state {
                TextState::Queued => fail(shared, order.id, TextFailure::Expired, None).await,
                // The provider reported that it has it after all.
                _ => Ok(()),
            };
        }
        attempts = attempts.saturating_add(1);
        match try_once(shared, order, permit).await? {
            None => return Ok(()),
            Some(after) => pause = next_pause(attempts, after),
        }
    }
}

async fn hand(
    shared: &Shared,
    order: &TextOrder,
    attempts: u32,
    permit: Option<tokio::sync::OwnedSemaphorePermit>,
) -> Result<(), StoreError> {
    match try_once(shared, order, permit).await? {
        None => Ok(()),
        Some(after) => go_on(shared, order, attempts, next_pause(attempts, after)).await,
    }
}

/// Hands over a text whose handing is written; says how long the provider wants to be left alone where it may be tried again.
async fn try_once(
    shared: &Shared,
    order: &TextOrder,
    permit: Option<tokio::sync::OwnedSemaphorePermit>,
) -> Result<Option<Option<Duration>>, StoreError> {
    let left = u64::try_from(order.until.0.saturating_sub(clock::utc().0)).unwrap_or(0);
    let message = Message {
        id: order.id,
        to: order.to.clone(),
        from: order.from.clone(),
        body: order.body.clone(),
        callback: shared.callback(order.id),
        valid: Duration::from_millis(left),
    };
    let handed = shared.provider.hand(&message).await;
    drop(permit);
    match handed {
        Handed::Taken { id } => {
            let change = TextChange { state: TextState::Handed, provider_id: id, reason: None, code: None };
            shared.advance(order.id, change).await?;
        }
        Handed::NotTaken { reason, code, after } => {
            let now = clock::utc();
            if shared.store.requeue_text(order.id, reason, code.as_deref(), now).await? {
                shared.event(order.id, TextState::Queued, Some(reason), code, now);
                return Ok(Some(after));
            }
        }
        Handed::Refused { reason, code } => {
            if matches!(reason, TextFailure::Credentials | TextFailure::NoFunds | TextFailure::NotPermitted) {
                let provider = shared.provider.kind().name();
                warn!(
                    provider,
                    reason = reason.name(),
                    code,
                    "the provider of texts refuses us: see [sms] and its console"
                );
            }
            fail(shared, order.id, reason, code).await?;
        }
        Handed::Unclear => ask_for(shared, order).await?,
    }
    Ok(None)
}

/// Asks the provider for a text that it may have or not. It is not sent again, whatever the answer.
async fn ask_for(shared: &Shared, order: &TextOrder) -> Result<(), StoreError> {
    for pause in ASK_AGAIN {
        sleep(pause).await;
        match shared.provider.find(&order.to, &order.body).await {
            Found::These(names) => {
                let free = shared.store.unclaimed(shared.provider.kind().name(), names).await?;
                if let Some(name) = free.into_iter().next() {
                    let change =
                        TextChange { state: TextState::Handed, provider_id: Some(name), reason: None, code: None };
                    shared.advance(order.id, change).await?;
                    return Ok(());
                }
            }
            Found::None => {}
            Found::CannotSay => break,
        }
        // It may have reported by itself meanwhile.
        if shared.store.text(order.id).await?.state != TextState::Handing {
            return Ok(());
        }
    }
    give_up(shared, order.id).await
}

async fn give_up(shared: &Shared, id: TextId) -> Result<(), StoreError> {
    let now = clock::utc();
    if shared.store.give_up_text(id, now).await? {
        shared.event(id, TextState::Unknown, Some(TextFailure::Unknown), None, now);
    }
    Ok(())
}

async fn fail(shared: &Shared, id: TextId, reason: TextFailure, code: Option<Box<str>>) -> Result<(), StoreError> {
    let change = TextChange { state: TextState::Failed, provider_id: None, reason: Some(reason), code };
    shared.advance(id, change).await.map(drop)
}

/// What the provider asks for, but never less than a pause that grows with each try.
fn next_pause(attempts: u32, after: Option<Duration>) -> Duration {
    let grown = PAUSE.0.saturating_mul(1 << attempts.saturating_sub(1).min(10)).min(PAUSE.1);
    grown.max(after.unwrap_or_default())
}

/// What cannot be kept is not sent: after a sudden end nobody would know of it.
fn not_kept(shared: &Shared, id: TextId, error: &StoreError) {
    warn!(text = %id, %error, "a text cannot be kept, so it is not sent");
    shared.event(id, TextState::Failed, Some(TextFailure::Unknown), Some("outbox".into()), clock::utc());
}

/// The outbox failed half-way: the text stays as it is written there, and the next start takes it up.
fn stuck(id: TextId, why: &StoreError) {
    warn!(text = %id, error = %why, "what became of a text cannot be written");
}
