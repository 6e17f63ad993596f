//! Meetings that were made without an account, and that nobody uses: they are taken away.

use std::future::Future;
use std::time::Duration;

use tracing::{info, warn};

use crate::api::rooms::take_away;
use crate::api::{App, Problem};
use crate::base::{RoomId, Utc};
use crate::gateway::command::{Command, Reply};
use crate::store::clock;

/// How often it is looked who is where. Longer: after a sudden end a meeting seems unused for that much longer.
const LOOK: Duration = Duration::from_secs(60);

/// Takes meetings away that were empty for so long, until told to stop. None at all where that is no time.
pub async fn run(app: App, kept: Duration, stop: impl Future<Output = ()>) {
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = &mut stop => return,
        }
        if let (false, Err(problem)) = (kept.is_zero(), sweep(&app, kept).await) {
            warn!(problem = problem.detail, "unused meetings could not be taken away; it is tried again");
        }
    }
}

/// Takes away what was empty for so long; how many that were.
pub async fn sweep(app: &App, kept: Duration) -> Result<usize, Problem> {
    let store = app.handle.store();
    let Reply::Rooms(rooms) = app.ask(Command::Rooms { numbers: false }).await? else { return Ok(0) };
    let used: Vec<RoomId> =
        rooms.iter().filter(|room| !room.participants.is_empty()).map(|room| room.settings.id).collect();
    let now = clock::utc();
    store.note_used_rooms(&used, now).await?;
    let kept = i64::try_from(kept.as_millis()).unwrap_or(i64::MAX);
    let mut gone = 0;
    for room in store.unused_rooms(Utc(now.0.saturating_sub(kept))).await? {
        // Somebody came this moment, or a number leads there by now: it stays.
        if take_away(app, room).await.is_ok() {
            info!(%room, "a meeting made without an account was taken away: nobody used it");
            gone += 1;
        }
    }
    Ok(gone)
}
