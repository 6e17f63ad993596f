//! Callbacks at a set time in the store: told to ring once, forgotten when they are over. One short task per order.

use tokio::sync::mpsc;
use tracing::{error, warn};

use crate::base::id::CallbackId;
use crate::store::Store;

/// Asks the store.
#[derive(Debug)]
pub struct Planner {
    store: Store,
    sender: mpsc::UnboundedSender<(CallbackId, bool)>,
    answers: mpsc::UnboundedReceiver<(CallbackId, bool)>,
}

impl Planner {
    /// Asks this store. Must be called within a tokio runtime.
    pub fn new(store: Store) -> Self {
        let (sender, answers) = mpsc::unbounded_channel();
        Self { store, sender, answers }
    }

    /// Notes that a callback rings now; [`next`] says whether it may.
    pub fn claim(&self, id: CallbackId) {
        let (store, sender) = (self.store.clone(), self.sender.clone());
        tokio::spawn(async move {
            // What cannot be noted does not ring: a restart would let it ring again.
            let granted = store.claim_callback(id).await.unwrap_or_else(|error| {
                warn!(callback = %id, ?error, "a callback is called off: the database does not take that it rings");
                false
            });
            // Nobody waits any more: the program ends.
            let _ = sender.send((id, granted));
        });
    }

    /// Forgets one that is over.
    pub fn forget(&self, id: CallbackId) {
        let store = self.store.clone();
        tokio::spawn(async move {
            if let Err(error) = store.drop_callback(id).await {
                error!(callback = %id, ?error, "a callback that is over stays in the database");
            }
        });
    }
}

/// The next answer; none ever where there is no planner. May be dropped and called again without loss.
pub async fn next(planner: &mut Option<Planner>) -> (CallbackId, bool) {
    let answer = match planner {
        Some(planner) => planner.answers.recv().await,
        None => None,
    };
    match answer {
        Some(answer) => answer,
        // A sender is held by the planner, so that there is none only where there is no planner.
        None => std::future::pending().await,
    }
}
