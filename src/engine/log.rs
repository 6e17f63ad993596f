//! The log: lines go to a thread that writes them, and never make a call wait.
//!
//! When standard output blocks, as a stopped terminal or a full pipe does, lines beyond the queue are dropped and their
//! number is told once it flows again.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

use crate::engine::clock;

/// Lines that wait to be written; some 200 bytes each. More: memory while the terminal stands. Less: bursts are cut.
const QUEUE: usize = 8192;
/// How long the last lines may take at the end.
const LAST: Duration = Duration::from_secs(1);

/// Libraries of browsers' peer connections, which write credentials and a line for each packet of a stranger. What of it matters
/// is counted.
const SILENT: [&str; 4] = ["str0m=off", "is=off", "dimpl=off", "sctp_proto=off"];

/// The writing thread. Kept until the end, then [`Log::finish`]ed.
#[derive(Debug)]
pub struct Log {
    lines: Lines,
    done: Receiver<()>,
    _thread: JoinHandle<()>,
}

/// Where lines go.
#[derive(Debug, Clone)]
struct Lines {
    queue: SyncSender<Option<Vec<u8>>>,
    dropped: Arc<AtomicU64>,
}

impl Log {
    /// Starts the log for the whole program. `level` is an env-filter directive; `json` writes one object per line.
    pub fn start(level: &str, json: bool) -> Result<Self, String> {
        let mut filter = EnvFilter::builder().parse(level).map_err(|error| error.to_string())?;
        for silent in SILENT {
            filter = filter.add_directive(silent.parse().map_err(|_| format!("`{silent}` is no directive"))?);
        }
        let (queue, waiting) = sync_channel(QUEUE);
        let (ended, done) = sync_channel(1);
        let dropped = Arc::new(AtomicU64::new(0));
        let lines = Lines { queue, dropped: dropped.clone() };
        let thread = std::thread::Builder::new()
            .name("log".into())
            .spawn(move || {
                write(&waiting, &dropped);
                let _ = ended.try_send(());
            })
            .map_err(|error| error.to_string())?;
        let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(lines.clone()).with_ansi(false);
        let started = if json { builder.event_format(Json).try_init() } else { builder.with_target(false).try_init() };
        started.map_err(|error| error.to_string())?;
        Ok(Self { lines, done, _thread: thread })
    }

    /// Lines dropped so far.
    pub fn dropped(&self) -> u64 {
        self.lines.dropped.load(Ordering::Relaxed)
    }

    /// Writes what waits, for a second at most.
    pub fn finish(self) {
        if self.lines.queue.try_send(None).is_ok() {
            let _ = self.done.recv_timeout(LAST);
        }
    }
}

fn write(waiting: &Receiver<Option<Vec<u8>>>, dropped: &AtomicU64) {
    let mut told = 0;
    while let Ok(Some(line)) = waiting.recv() {
        let mut out = io::stdout().lock();
        // Nobody reads: the log is lost, the calls are not.
        let _ = out.write_all(&line);
        while let Ok(next) = waiting.try_recv() {
            let Some(line) = next else { return };
            let _ = out.write_all(&line);
        }
        let total = dropped.load(Ordering::Relaxed);
        if total > told {
            let _ = writeln!(out, "{} log lines were dropped: standard output stood still", total - told);
            told = total;
        }
        let _ = out.flush();
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { lines: self, text: Vec::with_capacity(200) }
    }
}

/// One line on its way; leaves when dropped.
struct Line<'a> {
    lines: &'a Lines,
    text: Vec<u8>,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        let text = std::mem::take(&mut self.text);
        if !text.is_empty() && self.lines.queue.try_send(Some(text)).is_err() {
            self.lines.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// One JSON object per line: `time`, `level`, `target`, `message`, then the fields.
struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields(serde_json::Map::new());
        let text = |text: &str| serde_json::Value::String(text.to_owned());
        fields.0.insert("time".into(), text(&clock::utc().to_string()));
        fields.0.insert("level".into(), text(&event.metadata().level().as_str().to_lowercase()));
        fields.0.insert("target".into(), text(event.metadata().target()));
        event.record(&mut fields);
        writeln!(writer, "{}", serde_json::Value::Object(fields.0))
    }
}

struct Fields(serde_json::Map<String, serde_json::Value>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().into(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().into(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().into(), value.into());
    }
}
