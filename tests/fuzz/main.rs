//! Mutated bytes against every reader of `wire`: nothing panics, and what is read can be written and read again.
//!
//! The mutator is seeded, so a run repeats exactly. `RINGLIFT_FUZZ_ITERATIONS` sets how many inputs each target
//! gets (without it, few enough for every test run); a failure prints the input. A new reader is one function in
//! the file of its protocol and one `#[test]` here.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test that cannot go on should say where, and its data are files"
)]

mod mutator;
mod rtp;
mod sdp;
mod sip;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use mutator::Mutator;

/// Inputs for each target when nothing else is said. More: slower test runs. Less: fewer mistakes found by them.
const ITERATIONS: u64 = 20_000;

/// Gives `target` mutations of `corpus`, and of what it found worth keeping.
fn fuzz(name: &str, corpus: Vec<Vec<u8>>, words: &'static [&'static [u8]], target: fn(&[u8]) -> bool) {
    let iterations = std::env::var("RINGLIFT_FUZZ_ITERATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(ITERATIONS);
    assert!(!corpus.is_empty(), "{name} has no corpus");
    for input in &corpus {
        run(name, 0, input, target);
    }
    let mut mutator = Mutator::new(name, corpus, words);
    for iteration in 1..=iterations {
        let input = mutator.next();
        if run(name, iteration, &input, target) {
            mutator.keep(input);
        }
    }
}

fn run(name: &str, iteration: u64, input: &[u8], target: fn(&[u8]) -> bool) -> bool {
    match catch_unwind(AssertUnwindSafe(|| target(input))) {
        Ok(interesting) => interesting,
        Err(panic) => {
            eprintln!("{name}, iteration {iteration}: b\"{}\"", input.escape_ascii());
            resume_unwind(panic)
        }
    }
}

#[test]
fn sip_messages() {
    fuzz("sip_messages", sip::corpus(), sip::WORDS, sip::message);
}

#[test]
fn sip_streams() {
    fuzz("sip_streams", sip::corpus(), sip::WORDS, sip::stream);
}

#[test]
fn sip_values() {
    fuzz("sip_values", sip::values(), sip::WORDS, sip::value);
}

#[test]
fn session_descriptions() {
    fuzz("session_descriptions", sdp::corpus(), sdp::WORDS, sdp::description);
}

#[test]
fn rtp_packets() {
    fuzz("rtp_packets", rtp::packets(), rtp::WORDS, rtp::packet);
}

#[test]
fn rtcp_compounds() {
    fuzz("rtcp_compounds", rtp::compounds(), rtp::WORDS, rtp::compound);
}

#[test]
fn telephone_events() {
    fuzz("telephone_events", vec![vec![5, 0x0a, 0x03, 0x20]], rtp::WORDS, rtp::telephone_event);
}
