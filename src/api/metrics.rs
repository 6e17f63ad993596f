//! `/metrics`: counts for Prometheus (text format 0.0.4). Counts only: no number, name or id.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::status::{gateway_status, store_status};
use super::{App, Problem};
use crate::store::record::cause_name;

/// Counts of requests and streams.
#[derive(Debug, Default)]
pub struct Counts {
    answers: [AtomicU64; 5],
    wrong_keys: AtomicU64,
    streams: AtomicU64,
    slow: AtomicU64,
    panics: AtomicU64,
}

impl Counts {
    /// An answer went out.
    pub fn answered(&self, status: u16) {
        let class = usize::from((status / 100).saturating_sub(1));
        if let Some(count) = self.answers.get(class) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Somebody showed a key that does not open.
    pub fn wrong_key(&self) {
        self.wrong_keys.fetch_add(1, Ordering::Relaxed);
    }

    /// A handler failed by panic.
    pub fn panicked(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    /// A reader of events was dropped for being slow.
    pub fn slow_reader(&self) {
        self.slow.fetch_add(1, Ordering::Relaxed);
    }

    /// A stream of events opens; `None` when there are as many as may be.
    pub fn stream_opens(&self, most: u64) -> bool {
        let opened = self.streams.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| (n < most).then_some(n + 1));
        opened.is_ok()
    }

    /// A stream of events closed.
    pub fn stream_closed(&self) {
        self.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Figures for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "node",
    responses((status = 200, description = "Prometheus text format", body = String, content_type = "text/plain")))]
pub async fn metrics(State(app): State<App>) -> Result<Response, Problem> {
    let status = gateway_status(&app).await?;
    let store = store_status(&app);
    let counts = &app.counts;
    let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let mut page = Page(String::with_capacity(4096));
    page.one("ringlift_calls", "gauge", "Live calls.", status.calls);
    page.one("ringlift_live_rooms", "gauge", "Rooms with somebody in them.", status.live_rooms);
    page.one("ringlift_participants", "gauge", "Participants in all rooms.", status.participants);
    page.one("ringlift_dialogs", "gauge", "SIP dialogs.", status.dialogs);
    page.one("ringlift_transactions", "gauge", "SIP transactions.", status.transactions);
    page.one("ringlift_port_pairs", "gauge", "RTP port pairs in use.", status.ports);
    page.one("ringlift_draining", "gauge", "1 while the node goes out of service.", u64::from(status.draining));
    page.one("ringlift_invites_total", "counter", "INVITEs seen.", status.invited);
    page.one("ringlift_answered_total", "counter", "Calls answered.", status.answered);
    let refused = status.refused.iter().map(|(cause, count)| (cause_name(*cause), *count));
    page.many("ringlift_refused_total", "counter", "Calls refused, by cause.", "cause", refused);
    let ignored = status.ignored.iter().map(|(why, count)| (why.clone(), *count));
    page.many("ringlift_ignored_total", "counter", "Requests left without any answer, by why.", "why", ignored);
    let codes = status.codes.iter().map(|(what, count)| (what.clone(), *count));
    page.many(
        "ringlift_codes_total",
        "counter",
        "Codes by which calls move, by what became of them and of readers.",
        "what",
        codes,
    );
    let sip = status.sip.iter().map(|(name, count)| (name.clone(), *count));
    page.many("ringlift_sip_total", "counter", "What happened in SIP, by kind.", "kind", sip);
    page.one(
        "ringlift_store_healthy",
        "gauge",
        "1 while the database takes what is written.",
        u64::from(store.healthy),
    );
    page.one("ringlift_store_waiting", "gauge", "Records and events waiting to be written.", store.waiting);
    page.one("ringlift_store_written_total", "counter", "Records and events written.", store.written);
    page.one(
        "ringlift_store_failures_total",
        "counter",
        "Transactions that failed and were tried again.",
        store.failures,
    );
    let lost = [("event", store.events_lost), ("record", store.records_lost)];
    let lost = lost.into_iter().map(|(kind, count)| (kind.to_owned(), count));
    page.many("ringlift_store_lost_total", "counter", "What was never written, by kind.", "kind", lost);
    let answers = counts.answers.iter().zip(1..).map(|(count, class)| (format!("{class}xx"), of(count)));
    page.many("ringlift_http_answers_total", "counter", "Answers by class of status.", "status", answers);
    page.one(
        "ringlift_http_wrong_keys_total",
        "counter",
        "Requests with a key that does not open.",
        of(&counts.wrong_keys),
    );
    page.one("ringlift_http_panics_total", "counter", "Requests that met a fault of ours.", of(&counts.panics));
    page.one("ringlift_event_streams", "gauge", "Open streams of events.", of(&counts.streams));
    page.one("ringlift_event_slow_total", "counter", "Readers of events dropped for being slow.", of(&counts.slow));
    page.0.push_str(&crate::engine::meters::render());
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page.0).into_response())
}

struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: u64) {
        self.head(name, kind, help);
        let _ = writeln!(self.0, "{name} {value}");
    }

    fn many(&mut self, name: &str, kind: &str, help: &str, label: &str, rows: impl Iterator<Item = (String, u64)>) {
        self.head(name, kind, help);
        for (value, count) in rows {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = writeln!(self.0, "{name}{{{label}=\"{value}\"}} {count}");
        }
    }
}
