//! Tells programs of events ([`crate::hooks`]): each endpoint has a task of its own, which takes what waits for it from the store,
//! so that one that is slow or down delays nobody else. What is under way when the program ends, waits in the store as
//! before: it is sent again with the same id.
//!
//! ```text
//! event ──► store: event and waiting, one transaction ──► POST ──► store: delivered
//!                            │ no, silence, nonsense: waiting again, after a pause
//!                            │ for the twelfth time: dead, until somebody sends it again
//!                            └ 410: the endpoint is disabled, all that waits for it is dead
//! ```

mod line;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinHandle, JoinSet};

use crate::base::id::WebhookId;
use crate::engine::fetch::Outward;
use crate::hooks::pace::Pace;
use crate::route::Network;
use crate::store::Store;

/// How long a receiver has. Longer: a stuck one holds connections. Shorter: one that works before it answers is told twice.
const PATIENCE: Duration = Duration::from_secs(15);

/// Deliveries under way to one endpoint. More: a slow one holds more connections. Fewer: a distant one falls behind.
const AT_ONCE: usize = 4;

/// Pause after the database did not answer.
const AGAIN: Duration = Duration::from_secs(5);

/// What the courier is given at start.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Networks besides the public internet that may be told.
    pub opened: Vec<Network>,
    /// When what did not arrive is tried again.
    pub pace: Pace,
    /// How long a receiver has.
    pub patience: Duration,
}

impl Settings {
    /// As usual, with these networks opened.
    pub fn new(opened: Vec<Network>) -> Self {
        Self { opened, pace: Pace::default(), patience: PATIENCE }
    }
}

/// Tells programs of events, until it is dropped.
#[derive(Debug)]
pub struct Courier(JoinHandle<()>);

/// What every line shares.
#[derive(Debug)]
struct Shared {
    store: Store,
    outward: Outward,
    pace: Pace,
    patience: Duration,
}

impl Courier {
    /// Starts, with what a sudden end left waiting. Must be called within a tokio runtime.
    pub fn start(store: Store, settings: Settings) -> Self {
        let Settings { opened, pace, patience } = settings;
        Self(tokio::spawn(oversee(Arc::new(Shared { store, outward: Outward::new(opened), pace, patience }))))
    }
}

impl Drop for Courier {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Gives each endpoint its line.
async fn oversee(shared: Arc<Shared>) {
    let mut changes = shared.store.webhook_changes();
    let mut lines = JoinSet::new();
    let mut served: BTreeMap<WebhookId, tokio::task::Id> = BTreeMap::new();
    loop {
        match shared.store.webhook_ids().await {
            Ok(ids) => {
                for id in ids.into_iter().filter(|id| !served.contains_key(id)).collect::<Vec<_>>() {
                    served.insert(id, lines.spawn(line::run(shared.clone(), id)).id());
                }
            }
            Err(error) => {
                tracing::warn!(%error, "webhooks cannot be read");
                tokio::time::sleep(AGAIN).await;
                continue;
            }
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            Some(ended) = lines.join_next_with_id(), if !lines.is_empty() => {
                // Its endpoint is gone; or a fault of ours, and it begins anew.
                let task = match ended {
                    Ok((task, ())) => task,
                    Err(error) => error.id(),
                };
                served.retain(|_, known| *known != task);
            }
        }
    }
}
