//! Rank 7: what outlives the program: trunks, numbers, people, rules, rooms, keys, call records, events. SQLite through sqlx.
//!
//! Configuration is written at once, by whoever asks. Records and events go through the [`Writer`], which never makes
//! a call wait. A `kill -9` at any moment leaves a file that opens: write-ahead log, one transaction per batch.

pub mod callback;
pub mod clock;
pub mod code;
pub mod device;
pub mod did;
pub mod error;
pub mod event;
pub mod extension;
pub mod group;
pub mod idempotency;
pub mod invitation;
pub mod key;
pub mod leads_to;
mod open;
mod opt_out;
pub mod phone;
pub mod picture;
pub mod push;
pub mod record;
pub mod relay;
pub mod room;
pub mod rule;
pub mod seat;
pub mod text;
pub mod trunk;
mod user_name;
pub mod webhook;
pub mod writer;

pub use error::{OpenError, StoreError};
pub use idempotency::{Answered, Idempotency, Kept};
pub use open::{Opened, Settings};
pub use writer::Writer;

use std::sync::Arc;

use sqlx::SqlitePool;
use tokio::sync::watch;

/// The database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    /// Any number of readers beside the one writer.
    reads: SqlitePool,
    /// One connection: SQLite has one writer at a time, and queueing here is fairer than its busy handler.
    writes: SqlitePool,
    /// Counts what programs that are told of events have to look at anew.
    hooks: watch::Sender<u64>,
    /// Held as long as the store is: no second program opens the same file.
    _lock: Arc<std::fs::File>,
}

impl Store {
    /// Begins a transaction that takes the write lock at once, so that it cannot fail half-way for want of it.
    pub(crate) async fn begin(&self) -> Result<sqlx::Transaction<'static, sqlx::Sqlite>, StoreError> {
        Ok(self.writes.begin_with("begin immediate").await?)
    }

    /// Whether the database answers; for readiness.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("select 1").execute(&self.reads).await?;
        Ok(())
    }

    /// Waits for what is under way and closes the file.
    pub async fn close(&self) {
        self.reads.close().await;
        // Leaves one tidy file behind; a failure costs nothing, the log is replayed at the next start.
        let _ = sqlx::query("pragma wal_checkpoint(truncate)").execute(&self.writes).await;
        self.writes.close().await;
    }
}
