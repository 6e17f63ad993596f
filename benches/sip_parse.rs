//! A trunk's INVITE: read; read, asked what an endpoint asks, and written. Beside it in the same run the `rsip`
//! crate doing the same; the ratios are printed at the end.

#![allow(clippy::expect_used, reason = "without its message there is nothing to measure")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{Criterion, Throughput};
use ringlift::wire::sip::Message;
use rsip::prelude::*;

const INVITE: &[u8] = include_bytes!("../tests/data/torture/ordinary/trunk-invite.dat");

fn ours_read(bytes: &Bytes) -> Message {
    Message::parse(bytes).expect("the INVITE reads")
}

fn ours_all(bytes: &Bytes) -> Bytes {
    let message = ours_read(bytes);
    let headers = message.headers();
    black_box((headers.top_via(), headers.from(), headers.to(), headers.call_id(), headers.cseq()));
    black_box((headers.contact(), headers.max_forwards(), headers.content_type()));
    message.to_bytes()
}

fn theirs_read(bytes: &[u8]) -> rsip::SipMessage {
    rsip::SipMessage::try_from(bytes).expect("the INVITE reads")
}

fn theirs_all(bytes: &[u8]) -> Vec<u8> {
    let message = theirs_read(bytes);
    let _ = black_box((
        message.via_header().and_then(|via| via.typed()),
        message.from_header().and_then(|from| from.typed()),
    ));
    let _ = black_box((message.to_header().and_then(|to| to.typed()), message.call_id_header().ok()));
    let _ = black_box((
        message.cseq_header().and_then(|cseq| cseq.typed()),
        message.contact_header().and_then(|c| c.typed()),
    ));
    let _ = black_box(message.max_forwards_header().and_then(|hops| hops.num()).ok());
    message.into()
}

/// The shortest of many rounds, per call: what the code takes when nothing disturbs it.
#[allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn best(mut work: impl FnMut()) -> Duration {
    const CALLS: u32 = 500;
    (0..200)
        .map(|_| {
            let start = Instant::now();
            (0..CALLS).for_each(|_| work());
            start.elapsed() / CALLS
        })
        .min()
        .unwrap_or_default()
}

fn main() {
    let bytes = Bytes::from_static(INVITE);
    // As it comes from a socket: a shared buffer, not a static one.
    let shared = Bytes::from(INVITE.to_vec()).slice(..);
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("sip_invite");
    group.throughput(Throughput::Bytes(INVITE.len() as u64));
    group.bench_function("read", |bench| bench.iter(|| ours_read(black_box(&shared))));
    group.bench_function("read_ask_write", |bench| bench.iter(|| ours_all(black_box(&shared))));
    group.bench_function("rsip_read", |bench| bench.iter(|| theirs_read(black_box(INVITE))));
    group.bench_function("rsip_read_ask_write", |bench| bench.iter(|| theirs_all(black_box(INVITE))));
    group.finish();
    criterion.final_summary();

    let read = best(|| drop(black_box(ours_read(black_box(&shared)))));
    let all = best(|| drop(black_box(ours_all(black_box(&shared)))));
    let rsip_read = best(|| drop(black_box(theirs_read(black_box(&bytes)))));
    let rsip_all = best(|| drop(black_box(theirs_all(black_box(&bytes)))));
    let ratio = |theirs: Duration, ours: Duration| theirs.as_secs_f64() / ours.as_secs_f64();
    println!(
        "INVITE of {} bytes: read {read:?}, rsip {rsip_read:?}: {:.1} times",
        INVITE.len(),
        ratio(rsip_read, read)
    );
    println!("read, ask, write {all:?}, rsip {rsip_all:?}: {:.1} times", ratio(rsip_all, all));
}
