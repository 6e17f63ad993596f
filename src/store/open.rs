//! Opening: the file, its mode, migrations, integrity, and what a sudden end left behind.

use std::cmp::Ordering;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::MigrateError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, Row};

use super::{OpenError, Store, StoreError};
use crate::base::{Cause, Utc};

/// How long a statement waits for another's lock. Shorter: a slow disk refuses API calls. Longer: they hang.
const BUSY: Duration = Duration::from_secs(5);

/// Readers at once; each costs a file handle and a page cache of 2 MiB.
const READERS: u32 = 4;

/// Event numbers left out at a start, at least. What was published in the last batch before a `kill -9` may not have
/// reached the disk; its numbers are not given again.
const GAP: u64 = 10_000;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// What the store is given at start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The database file.
    pub path: PathBuf,
    /// Days that events are kept; 0 keeps them for ever.
    pub event_days: u32,
    /// Days that call records are kept; 0 keeps them for ever.
    pub record_days: u32,
}

/// An open store, and what was found.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Store,
    /// The number that the next event gets.
    pub next_seq: u64,
    /// Calls that were up when the program last ended, closed as [`Cause::CutOff`].
    pub cut_off: u64,
}

impl Store {
    /// Opens or makes the database: lock, migrations, integrity, cut-off calls.
    pub async fn open(path: &Path, now: Utc) -> Result<Opened, OpenError> {
        let lock = prepare(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // A power cut may lose the last batch, never the file.
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(BUSY)
            .foreign_keys(true)
            .optimize_on_close(true, None);
        let named = |error| opening(path, error);
        let writes = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(BUSY + BUSY)
            // SQLite itself rolls back when the disk is full or fails; the driver's own rollback then fails and leaves
            // the connection in a transaction that is none. Such a one is closed for another.
            .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
            .connect_with(options.clone())
            .await
            .map_err(named)?;
        let sound: String = sqlx::query("pragma quick_check(1)")
            .fetch_one(&writes)
            .await
            .and_then(|row| row.try_get(0))
            .map_err(named)?;
        if sound != "ok" {
            return Err(OpenError::Damaged(path.to_owned(), sound));
        }
        MIGRATIONS.run(&writes).await.map_err(|error| migrating(path, error))?;
        // What a statement of many rows changes is kept until it has done, else in a file. Not before: an index of all calls ever made is
        // sorted on disk. A connection that takes this one's place does without.
        sqlx::query("pragma temp_store = memory").execute(&writes).await.map_err(named)?;
        let reads = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(BUSY)
            .connect_with(options.read_only(true))
            .await
            .map_err(named)?;
        let store = Store { reads, writes, hooks: Default::default(), _lock: Arc::new(lock) };
        let cut_off =
            store.close_cut_off(now).await.map_err(|error| OpenError::Other(path.to_owned(), error.to_string()))?;
        let next_seq =
            store.next_seq(now).await.map_err(|error| OpenError::Other(path.to_owned(), error.to_string()))?;
        Ok(Opened { store, next_seq, cut_off })
    }

    /// Opens a database to read, beside a program that may have it open: no lock, no migration, nothing written.
    pub async fn open_to_read(path: &Path) -> Result<Store, OpenError> {
        let file = File::open(path).map_err(|error| OpenError::Path(path.to_owned(), error.to_string()))?;
        let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(BUSY);
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(BUSY)
            .connect_with(options)
            .await
            .map_err(|error| opening(path, error))?;
        let newest = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default();
        let here: i64 = sqlx::query_scalar("select coalesce(max(version), 0) from _sqlx_migrations where success")
            .fetch_one(&pool)
            .await
            .map_err(|error| opening(path, error))?;
        match here.cmp(&newest) {
            Ordering::Less => Err(OpenError::Older(path.to_owned())),
            Ordering::Greater => Err(OpenError::Newer(path.to_owned(), here)),
            Ordering::Equal => {
                Ok(Store { reads: pool.clone(), writes: pool, hooks: Default::default(), _lock: Arc::new(file) })
            }
        }
    }

    async fn close_cut_off(&self, now: Utc) -> Result<u64, StoreError> {
        let done = sqlx::query("update call_record set ended = max(?1, began), cause = ?2 where ended is null")
            .bind(now.0)
            .bind(super::record::cause_name(Cause::CutOff))
            .execute(&self.writes)
            .await?;
        Ok(done.rows_affected())
    }

    /// Beyond the gap, one number for every millisecond since the last stored event: had the disk been full, events
    /// went out unstored, but never a thousand a second for long.
    async fn next_seq(&self, now: Utc) -> Result<u64, StoreError> {
        let last =
            sqlx::query("select seq, at from event order by seq desc limit 1").fetch_optional(&self.writes).await?;
        let Some(row) = last else { return Ok(1) };
        let (seq, at): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        let passed = u64::try_from(now.0.saturating_sub(at)).unwrap_or(0);
        Ok(u64::try_from(seq).unwrap_or(0).saturating_add(passed.max(GAP)))
    }
}

/// Makes the directory (0700) and the file (0600: PINs and trunk passwords are inside), and takes the lock.
fn prepare(path: &Path) -> Result<File, OpenError> {
    let wrong = |error: std::io::Error| OpenError::Path(path.to_owned(), error.to_string());
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(wrong)?;
    }
    if path.is_dir() {
        return Err(OpenError::Path(path.to_owned(), "it is a directory".into()));
    }
    let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path).map_err(wrong)?;
    let mode = file.metadata().map_err(wrong)?.permissions().mode();
    if mode & 0o077 != 0 {
        file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(wrong)?;
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&beside).map_err(wrong)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(wrong(error)),
    }
}

fn opening(path: &Path, error: sqlx::Error) -> OpenError {
    let path = path.to_owned();
    if let sqlx::Error::Database(database) = &error {
        let code = database.code().and_then(|code| code.parse::<u32>().ok()).unwrap_or(0) & 0xff;
        return match code {
            5 | 6 => OpenError::InUse(path),
            8 | 14 => OpenError::Path(path, database.message().to_owned()),
            11 | 26 => OpenError::Damaged(path, database.message().to_owned()),
            _ => OpenError::Other(path, database.message().to_owned()),
        };
    }
    match error {
        sqlx::Error::PoolTimedOut => OpenError::InUse(path),
        other => OpenError::Other(path, other.to_string()),
    }
}

fn migrating(path: &Path, error: MigrateError) -> OpenError {
    match error {
        MigrateError::VersionMissing(version) | MigrateError::VersionTooNew(version, _) => {
            OpenError::Newer(path.to_owned(), version)
        }
        MigrateError::VersionMismatch(version) | MigrateError::Dirty(version) => {
            OpenError::Altered(path.to_owned(), version)
        }
        MigrateError::Execute(error) => opening(path, error),
        other => OpenError::Other(path.to_owned(), other.to_string()),
    }
}
