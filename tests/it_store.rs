//! The store as a restart, a crash and an operator's mistake meet it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a test stops where it cannot go on"
)]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ringlift::base::id::{DidId, ExtensionId, TrunkId};
use ringlift::base::{Cause, LegId, RoomId, Secret, Utc};
use ringlift::gateway::Record;
use ringlift::gateway::event::{Event, Happening};
use ringlift::gateway::view::{CallDirection, CallRecord};
use ringlift::media::command::Figures;
use ringlift::route::{CallLimits, Destination, Extension};
use ringlift::store::error::Constraint;
use ringlift::store::key::Revoked;
use ringlift::store::leads_to::End;
use ringlift::store::record::Filter;
use ringlift::store::{OpenError, Opened, Settings, Store, StoreError, Writer, clock};

const CHILD: &str = "RINGLIFT_IT_STORE_CHILD";

static NUMBER: AtomicU64 = AtomicU64::new(0);

fn fresh_path() -> PathBuf {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("ringlift-store-{}-{number}", std::process::id()));
    // Left behind by an earlier process of that number.
    let _ = std::fs::remove_dir_all(&folder);
    folder.join("node.db")
}

async fn open(path: &Path) -> Opened {
    Store::open(path, clock::utc()).await.unwrap()
}

fn writer(store: &Store, path: &Path) -> Writer {
    Writer::start(store.clone(), Settings { path: path.to_owned(), event_days: 0, record_days: 0 })
}

fn event(seq: u64) -> Arc<Event> {
    let what = Happening::CallAnswered { call: LegId::from_bits(seq) };
    Arc::new(Event { seq, at: clock::utc(), what })
}

fn record(bits: u64) -> CallRecord {
    CallRecord {
        id: LegId::from_bits(bits),
        call_id: format!("{bits}@test"),
        direction: CallDirection::Inbound,
        from: Some("+15551234567".into()),
        to: "+4930901820".into(),
        trunk: Some(TrunkId::from_bits(1)),
        extension: None,
        did: Some(DidId::from_bits(1)),
        room: None,
        began: Utc(1000),
        answered: None,
        ended: None,
        cause: None,
        figures: None,
    }
}

/// The child of the test below: writes until somebody kills it, saying what is certainly written.
#[tokio::test]
#[ignore = "run by the test of kill -9, as another process"]
async fn writes_until_killed() {
    let Ok(path) = std::env::var(CHILD) else { return };
    let path = PathBuf::from(path);
    let opened = open(&path).await;
    let writer = writer(&opened.store, &path);
    println!("opened {} {}", opened.next_seq, opened.cut_off);
    for seq in opened.next_seq.. {
        writer.event(event(seq));
        writer.record(Record::Began(Box::new(record(seq))));
        if seq % 3 == 0 {
            writer.record(Record::Ended(Box::new(CallRecord {
                ended: Some(Utc(2000)),
                cause: Some(Cause::HungUp),
                ..record(seq)
            })));
        }
        if seq % 7 == 0 {
            assert!(writer.settle().await.unwrap().is_empty());
            let mut out = std::io::stdout().lock();
            writeln!(out, "settled {seq}").unwrap();
            out.flush().unwrap();
        }
    }
}

#[tokio::test]
async fn a_kill_at_any_moment_leaves_a_database_that_opens_with_all_that_was_settled() {
    let path = fresh_path();
    let mut settled_of_all_runs = Vec::new();
    let mut last_seq = 0;
    for run in 0..12 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "writes_until_killed", "--ignored", "--nocapture"])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (mut settled, mut began) = (Vec::new(), 0);
        // Now after the first transaction, now after the fortieth, and while the next one is under way.
        while settled.len() < 1 + run * run % 41 {
            let line = lines.next().expect("the child ended by itself").unwrap();
            let mut words = line.split(' ').skip_while(|word| !["opened", "settled"].contains(word));
            match (words.next(), words.next().and_then(|word| word.parse::<u64>().ok())) {
                (Some("opened"), Some(seq)) => began = seq,
                (Some("settled"), Some(seq)) => settled.push(seq),
                _ => {}
            }
        }
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        assert!(began > last_seq, "numbers are not given again");
        let top = *settled.last().unwrap();
        settled_of_all_runs.push((began, top));

        let opened = open(&path).await;
        assert!(opened.cut_off > 0, "calls that were up are closed");
        assert!(opened.next_seq >= top + 10_000);
        for (began, top) in &settled_of_all_runs {
            let events = opened.store.events(began - 1, None, (top - began + 1) as u32).await.unwrap();
            let seqs: Vec<u64> = events.iter().map(|event| event.seq).collect();
            assert_eq!(seqs, (*began..=*top).collect::<Vec<u64>>(), "run {run}");
        }
        let cut_off = opened.store.record(LegId::from_bits(if top % 3 == 0 { top - 1 } else { top })).await.unwrap();
        assert_eq!(cut_off.cause, Some(Cause::CutOff));
        assert!(cut_off.ended >= Some(cut_off.began));
        last_seq = opened.store.event_range().await.unwrap().unwrap().1;
        opened.store.close().await;
        drop(opened);
        let again = open(&path).await;
        assert_eq!(again.cut_off, 0, "closed once");
        again.store.close().await;
    }
}

#[tokio::test]
async fn what_happens_to_a_call_ends_up_in_one_record() {
    let path = fresh_path();
    let opened = open(&path).await;
    let writer = writer(&opened.store, &path);
    let began = record(7);
    let room = RoomId::from_bits(3);
    let in_room = CallRecord { answered: Some(Utc(1500)), room: Some(room), ..began.clone() };
    let ended = CallRecord { ended: Some(Utc(9000)), cause: Some(Cause::HungUp), ..in_room.clone() };
    let figures = Figures { received: 400, lost: 2, jitter_ms: 1.5, ..Figures::default() };
    writer.record(Record::Began(Box::new(began)));
    writer.settle().await.unwrap();
    writer.record(Record::Changed(Box::new(in_room)));
    writer.record(Record::Ended(Box::new(ended.clone())));
    writer.settle().await.unwrap();
    writer.record(Record::Measured { leg: ended.id, figures: Box::new(figures) });
    writer.settle().await.unwrap();
    let expected = CallRecord { figures: Some(figures), ..ended.clone() };
    assert_eq!(opened.store.record(ended.id).await.unwrap(), expected);
    // Figures that came before the row was written over are not lost, whatever the batch.
    writer.record(Record::Changed(Box::new(ended)));
    writer.settle().await.unwrap();
    let found = opened.store.records(&Filter { room: Some(room), limit: 10, ..Filter::default() }).await.unwrap();
    assert_eq!(found, [expected]);
}

#[tokio::test]
async fn the_last_items_are_written_at_the_end() {
    let path = fresh_path();
    let opened = open(&path).await;
    let writer = writer(&opened.store, &path);
    (1..=5000).for_each(|seq| writer.event(event(seq)));
    writer.finish().await;
    assert_eq!(opened.store.event_range().await.unwrap(), Some((1, 5000)));
    assert!(writer.settle().await.is_none());
    writer.event(event(5001));
    assert_eq!(writer.counters().events_lost.load(Ordering::Relaxed), 1, "what comes after is counted");
}

#[tokio::test]
async fn old_events_and_records_are_forgotten_and_numbering_goes_on() {
    let path = fresh_path();
    let opened = open(&path).await;
    let days = |days: i64| Utc(clock::utc().0 - days * 86_400_000);
    let pruning = Settings { path: path.clone(), event_days: 30, record_days: 60 };
    // Written by a writer that keeps all, found old by the next start.
    let first = writer(&opened.store, &path);
    for (seq, at) in [(1, days(40)), (2, days(20)), (3, days(35))] {
        first.event(Arc::new(Event { seq, at, what: Happening::NodeStarted {} }));
    }
    for (bits, ended) in [(1, Some(days(70))), (2, Some(days(50))), (3, None)] {
        first.record(Record::Ended(Box::new(CallRecord { began: days(80), ended, ..record(bits) })));
    }
    first.finish().await;
    let next = Writer::start(opened.store.clone(), pruning);
    next.settle().await.unwrap();
    next.settle().await.unwrap();
    let seqs: Vec<u64> = opened.store.events(0, None, 10).await.unwrap().iter().map(|event| event.seq).collect();
    assert_eq!(seqs, [2, 3], "the last one stays: the numbering goes on from it");
    let kept = opened.store.records(&Filter { limit: 10, ..Filter::default() }).await.unwrap();
    assert_eq!(kept.iter().map(|record| record.id.bits()).collect::<Vec<u64>>(), [3, 2]);
    next.finish().await;
    opened.store.close().await;
    drop(opened);
    assert!(open(&path).await.next_seq >= 10_003);
}

#[tokio::test]
async fn of_the_admin_keys_that_are_all_revoked_at_once_one_stays() {
    let store = open(&fresh_path()).await.store;
    let scopes = |name: &str| vec![name.to_owned()];
    let mut admins = Vec::new();
    for _ in 0..8 {
        admins.push(store.add_key("admin", &scopes("admin"), Utc(1)).await.unwrap().0.id);
    }
    let reader = store.add_key("reader", &scopes("rooms:read"), Utc(1)).await.unwrap().0.id;
    let revoked = admins.iter().map(|id| store.revoke_key(*id, "admin", Utc(2)));
    let revoked: Vec<Revoked> = futures_util::future::try_join_all(revoked).await.unwrap();
    assert_eq!(revoked.iter().filter(|one| **one == Revoked::Kept).count(), 1);
    assert_eq!(store.keys().await.unwrap().iter().filter(|key| key.revoked.is_none()).count(), 2);
    assert_eq!(store.revoke_key(reader, "admin", Utc(3)).await.unwrap(), Revoked::Done);
    // One that is revoked already is no longer what has to stay.
    let gone = admins[revoked.iter().position(|one| *one == Revoked::Done).unwrap()];
    assert_eq!(store.revoke_key(gone, "admin", Utc(4)).await.unwrap(), Revoked::Done);
    assert!(store.keys().await.unwrap().iter().find(|key| key.id == gone).unwrap().revoked == Some(Utc(2)));
}

#[tokio::test]
async fn what_an_older_version_stored_leads_where_it_led() {
    let path = fresh_path();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let migrations = sqlx::migrate!("./migrations");
    let pool = sqlx::SqlitePool::connect(&format!("sqlite://{}?mode=rwc", path.display())).await.unwrap();
    migrations.run_to(1, &pool).await.unwrap();
    for sql in [
        "insert into room values ('room_0000000000001', 'Board', '{}')",
        "insert into trunk values ('trunk_0000000000001', 'Carrier', '[\"192.0.2.0/24\"]', 'ring', 'correct horse', '{}', 30, 1)",
        "insert into did values ('did_0000000000001', '+4930901820', null, 'room', 'room_0000000000001', null, '[\"de\"]')",
        "insert into did values ('did_0000000000002', '*', 'trunk_0000000000001', 'refuse', null, 'refused_by_rule', '[]')",
        "insert into did values ('did_0000000000003', 'meet', null, 'attendant', null, null, '[]')",
        "insert into call_record values ('leg_0000000000001', 'x', '+491', '+492', null, null, null, 1000, null, 2000, 'hung_up', null)",
    ] {
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&pool).await.unwrap();
    }
    pool.close().await;
    let read = Store::open_to_read(&path).await.unwrap_err();
    assert!(matches!(read, OpenError::Older(_)), "nothing is changed where it is only read: {read}");

    let store = open(&path).await.store;
    let table = store.table().await.unwrap();
    let action = |bits| table.dids[&DidId::from_bits(bits)].action.clone();
    assert_eq!(action(1), Destination::Room { room: RoomId::from_bits(1) });
    assert_eq!(action(2), Destination::Refuse { cause: Cause::RefusedByRule });
    assert_eq!(action(3), Destination::Attendant {});
    assert_eq!(table.dids[&DidId::from_bits(1)].languages, ["de"]);
    let trunk = &table.trunks[&TrunkId::from_bits(1)];
    assert_eq!((trunk.profile.as_str(), trunk.max_calls, &trunk.outbound), ("generic", Some(30), &None));
    assert_eq!(trunk.limits, CallLimits::of_trunk());
    assert_eq!(store.record(LegId::from_bits(1)).await.unwrap().direction, CallDirection::Inbound);
    let still = store.delete_room(RoomId::from_bits(1)).await.map(drop).unwrap_err();
    assert!(matches!(still, StoreError::Constraint(Constraint::StillUsed)), "{still}");
    assert_eq!(store.used_by(End::Room(RoomId::from_bits(1))).await.unwrap(), ["the number +4930901820"]);
    let taken = Extension::new(ExtensionId::from_bits(1), "ring", Secret::new("correct horse"));
    let taken = store.add_extension(&taken, None).await.unwrap_err();
    assert!(matches!(taken, StoreError::Constraint(Constraint::UserName)), "the trunk has this name: {taken}");
}

#[tokio::test]
async fn the_file_is_for_its_owner_alone() {
    let path = fresh_path();
    let opened = open(&path).await;
    let writer = writer(&opened.store, &path);
    writer.event(event(1));
    writer.settle().await.unwrap();
    let mut seen = 0;
    for entry in fs::read_dir(path.parent().unwrap()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.file_name());
        seen += 1;
    }
    assert!(seen >= 3, "database, log and lock");
    assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    writer.finish().await;
    opened.store.close().await;
    drop(opened);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let _opened = open(&path).await;
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "mended at the start");
}

#[tokio::test]
async fn what_cannot_be_opened_says_what_to_do() {
    let says = async |path: &Path| Store::open(path, clock::utc()).await.unwrap_err();
    let directory = fresh_path();
    fs::create_dir_all(&directory).unwrap();
    let error = says(&directory).await;
    assert!(matches!(error, OpenError::Path(..)) && error.to_string().contains("it is a directory"), "{error}");

    let error = says(Path::new("/dev/null/node.db")).await;
    assert!(matches!(error, OpenError::Path(..)) && error.to_string().contains("Set store.path"), "{error}");

    let garbage = fresh_path();
    fs::create_dir_all(garbage.parent().unwrap()).unwrap();
    fs::write(
        &garbage,
        "this is no database, but it is long enough to be taken for one by its size alone. ".repeat(20),
    )
    .unwrap();
    let error = says(&garbage).await;
    assert!(matches!(error, OpenError::Damaged(..)) && error.to_string().contains("restore a backup"), "{error}");

    let path = fresh_path();
    let opened = open(&path).await;
    let error = says(&path).await;
    assert!(matches!(error, OpenError::InUse(_)) && error.to_string().contains("in use by another program"), "{error}");
    opened.store.close().await;
    drop(opened);

    let pool = sqlx::SqlitePool::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    sqlx::query("insert into _sqlx_migrations (version, description, success, checksum, execution_time) values (9999, 'later', 1, x'00', 1)")
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
    let error = says(&path).await;
    assert!(matches!(error, OpenError::Newer(_, 9999)) && error.to_string().contains("newer version"), "{error}");

    // A page torn out of the middle.
    let torn = fresh_path();
    let opened = open(&torn).await;
    let writer = writer(&opened.store, &torn);
    (1..=2000).for_each(|seq| writer.event(event(seq)));
    writer.finish().await;
    opened.store.close().await;
    drop(opened);
    let mut bytes = fs::read(&torn).unwrap();
    let half = bytes.len() / 2;
    bytes[half..half + 8192].fill(0xa5);
    fs::write(&torn, bytes).unwrap();
    let error = says(&torn).await;
    assert!(matches!(error, OpenError::Damaged(..)), "{error}");
}
