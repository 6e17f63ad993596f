//! Tells what happened, line by line, for people or for programs.

use std::io::Write;

use serde_json::{Map, Value};

use crate::engine::clock::Clock;

/// Writes to standard output.
#[derive(Debug)]
pub(super) struct Teller {
    clock: Clock,
    json: bool,
}

impl Teller {
    /// One that counts time with this clock.
    pub(super) fn new(clock: Clock, json: bool) -> Self {
        Self { clock, json }
    }

    /// One line: a word that programs may rely on, a sentence for people, and details for programs.
    pub(super) fn tell(&self, what: &str, sentence: &str, details: &[(&str, Value)]) {
        let at = self.clock.mono().since_start().as_secs_f64();
        let mut out = std::io::stdout().lock();
        // Nobody reads any more: there is nobody left to tell.
        let _ = if self.json {
            let mut line = Map::new();
            line.insert("at".into(), Value::from((at * 1000.0).round() / 1000.0));
            line.insert("what".into(), Value::from(what));
            line.extend(details.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
            writeln!(out, "{}", Value::Object(line))
        } else {
            writeln!(out, "{at:8.3} s  {sentence}")
        };
        let _ = out.flush();
    }
}
