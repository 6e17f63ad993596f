//! Reading: a TOML file and the environment laid over the defaults, one value at a time, so that every mistake is
//! reported with its key.

use std::path::Path;

use toml::{Table, Value};

use super::{Config, Problem};

/// What the names of environment variables begin with.
const PREFIX: &str = "RINGLIFT_";

#[allow(clippy::disallowed_methods, reason = "the one place that reads the configuration file and the environment")]
pub(super) fn load(path: Option<&Path>) -> Result<Config, Vec<Problem>> {
    let text = match path {
        None => String::new(),
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| vec![fatal("", format!("cannot read the configuration {}: {error}", path.display()))])?,
    };
    parse(&text, std::env::vars())
}

pub(super) fn parse(
    text: &str,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, Vec<Problem>> {
    let file: Table = text.parse().map_err(|error: toml::de::Error| vec![fatal("", syntax(text, &error))])?;
    let known = Table::try_from(Config::default()).map_err(|error| vec![fatal("", error.to_string())])?;
    let mut problems = Vec::new();
    let mut merged = known.clone();
    for (section, keys) in file {
        match (known.get(&section), keys) {
            (None, _) => problems.push(unknown(&section, &known)),
            (Some(_), Value::Table(keys)) => {
                for (key, value) in keys {
                    lay(&known, &mut merged, &section, &key, value, &mut problems);
                }
            }
            (Some(_), other) => {
                problems.push(fatal(
                    &section,
                    format!("is a section: write [{section}] on a line of its own, not {other}"),
                ));
            }
        }
    }
    for (name, text) in environment {
        let Some((section, key)) = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once("__")) else { continue };
        let (section, key) = (section.to_lowercase(), key.to_lowercase());
        let value = from_environment(known.get(&section).and_then(|keys| keys.get(&key)), text);
        let before = problems.len();
        lay(&known, &mut merged, &section, &key, value, &mut problems);
        for problem in problems.iter_mut().skip(before) {
            problem.text = format!("{} (from the environment variable {name})", problem.text);
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Config::deserialize_table(merged).map_err(|error| vec![fatal("", error)])
}

/// Lays one value over what is there, after trying it alone.
fn lay(known: &Table, merged: &mut Table, section: &str, key: &str, value: Value, problems: &mut Vec<Problem>) {
    let path = format!("{section}.{key}");
    // Key maps have names of the operator's choice.
    let free = section == "keys";
    if !free && known.get(section).and_then(|keys| keys.get(key)).is_none() {
        problems.push(unknown(&path, known));
        return;
    }
    let mut alone = known.clone();
    put(&mut alone, section, key, value.clone());
    match Config::deserialize_table(alone) {
        Ok(_) => put(merged, section, key, value),
        Err(why) => problems.push(fatal(&path, why)),
    }
}

fn put(table: &mut Table, section: &str, key: &str, value: Value) {
    if let Some(Value::Table(keys)) = table.get_mut(section) {
        keys.insert(key.to_owned(), value);
    }
}

impl Config {
    fn deserialize_table(table: Table) -> Result<Self, String> {
        table.try_into().map_err(|error: toml::de::Error| error.message().to_owned())
    }
}

/// A variable's text as the kind of value that the default has. Lists are written as in TOML, or with commas.
fn from_environment(default: Option<&Value>, text: String) -> Value {
    match default {
        Some(Value::String(_)) => Value::String(text),
        Some(Value::Array(_)) if !text.trim_start().starts_with('[') => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Value::Array(items.map(|item| Value::String(item.to_owned())).collect())
        }
        _ => text.parse::<Value>().unwrap_or(Value::String(text)),
    }
}

fn fatal(key: &str, text: impl Into<String>) -> Problem {
    Problem { key: key.to_owned(), text: text.into(), fatal: true }
}

fn syntax(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.lines().count().max(1) + usize::from(before.ends_with('\n'));
    format!("line {line} of the configuration is not TOML: {}", error.message())
}

/// Names an unknown key and the known one that was probably meant.
fn unknown(path: &str, known: &Table) -> Problem {
    let leaf = path.rsplit('.').next().unwrap_or(path);
    let candidates = known.iter().flat_map(|(section, keys)| {
        let keys = keys.as_table().into_iter().flat_map(|keys| keys.keys());
        std::iter::once(section.clone()).chain(keys.map(move |key| format!("{section}.{key}")))
    });
    let measured = candidates.map(|candidate| {
        let candidate_leaf = candidate.rsplit('.').next().unwrap_or(&candidate).to_owned();
        let whole = distance(path, &candidate);
        // The right key in the wrong section.
        let moved = if leaf == candidate_leaf { 1 } else { usize::MAX };
        (whole.min(moved), candidate)
    });
    let near: Vec<(usize, String)> =
        measured.filter(|(distance, candidate)| *distance <= 2.max(candidate.len() / 4)).collect();
    let least = near.iter().map(|(distance, _)| *distance).min();
    let nearest: Vec<&str> =
        near.iter().filter(|(distance, _)| Some(*distance) == least).map(|(_, candidate)| candidate.as_str()).collect();
    let text = if nearest.is_empty() {
        "is no key of the configuration; ringlift.example.toml has them all".to_owned()
    } else {
        format!("is no key of the configuration; did you mean {}?", nearest.join(" or "))
    };
    fatal(path, text)
}

/// Insertions, deletions and replacements between two texts (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (j, cb) in b.iter().enumerate() {
            let above = row.get(j + 1).copied().unwrap_or(usize::MAX - 1);
            left = (left + 1).min(above + 1).min(diagonal + usize::from(ca != *cb));
            diagonal = above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}
