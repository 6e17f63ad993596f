//! The wall of ranks: a module imports only from lower ranks, never from a neighbour of its own rank.
//!
//! Every path in `src` that begins with `crate::`, or leaves its own top module by `super::`, is compared with
//! [`RANKS`]. The source is read as tokens, so that comments, texts and grouped imports do not mislead it.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::panic,
    reason = "a test reads files and stops where it cannot"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

/// Every top module and its rank, as `docs/ARCHITECTURE.md` gives them.
const RANKS: &[(&str, u8)] = &[
    ("base", 0),
    ("wire", 1),
    ("sip", 2),
    ("media", 2),
    ("profile", 2),
    ("provision", 6),
    ("identity", 2),
    ("texting", 2),
    ("call", 3),
    ("room", 3),
    ("route", 3),
    ("cascade", 3),
    ("context", 3),
    ("share", 3),
    ("reception", 3),
    ("handoff", 4),
    ("ticket", 4),
    ("callback", 5),
    ("elevation", 5),
    ("transfer", 5),
    ("callback", 5),
    ("device", 5),
    ("drain", 5),
    ("gateway", 6),
    ("config", 7),
    ("store", 7),
    ("transport", 7),
    ("webrtc", 7),
    ("sms", 7),
    ("hooks", 7),
    ("push", 7),
    ("cluster", 7),
    ("engine", 8),
    ("api", 9),
    ("relay", 9),
    ("app", 10),
    ("main", 11),
    ("lib", 11),
];

/// An import that goes up or sideways.
#[derive(Debug, PartialEq, Eq)]
struct Breach {
    file: PathBuf,
    line: usize,
    from: String,
    to: String,
    why: &'static str,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: `{}` imports from `{}`: {}", self.file.display(), self.line, self.from, self.to, self.why)
    }
}

#[test]
fn no_module_imports_upwards_or_sideways() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(&root.join("src"), &mut files);
    assert!(files.len() > 10, "the source was not found");
    let mut breaches = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let file = file.strip_prefix(root.join("src")).unwrap().to_owned();
        breaches.extend(check(&file, &text));
    }
    assert!(breaches.is_empty(), "\n{}", breaches.iter().map(Breach::to_string).collect::<Vec<_>>().join("\n"));
}

#[test]
fn an_import_from_a_higher_rank_is_found() {
    let found = check(Path::new("wire/sip/mod.rs"), "use crate::base::Now;\nuse crate::media::command::Figures;\n");
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].line, found[0].to.as_str(), found[0].why), (2, "media", UPWARDS));
}

#[test]
fn an_import_from_a_neighbour_is_found() {
    let found = check(Path::new("sip/dialog.rs"), "fn f() { let x = crate::media::clip::Clip::default(); }");
    assert_eq!((found[0].to.as_str(), found[0].why), ("media", SIDEWAYS));
}

#[test]
fn a_grouped_import_is_taken_apart() {
    let text = "use crate::{\n    base::{Now, Rng},\n    engine::clock,\n    wire::rtp,\n};";
    let found = check(Path::new("call/leg.rs"), text);
    assert_eq!(found.iter().map(|b| b.to.as_str()).collect::<Vec<_>>(), ["engine"]);
}

#[test]
fn a_path_that_climbs_out_by_super_is_found() {
    let found = check(Path::new("wire/rtp/header.rs"), "use super::super::super::gateway::Input;");
    assert_eq!(found[0].to, "gateway");
    assert!(check(Path::new("wire/rtp/header.rs"), "use super::super::sip::Uri;").is_empty(), "wire may use wire");
    assert!(
        check(Path::new("wire/mod.rs"), "mod tests { use super::sip::Uri; }").is_empty(),
        "an inner module is deeper"
    );
    assert_eq!(check(Path::new("wire/mod.rs"), "use super::sip::Dialog;")[0].to, "sip");
}

#[test]
fn comments_texts_and_other_crates_are_no_imports() {
    let text = r###"
        //! See crate::engine::clock.
        /* crate::api /* nested */ crate::engine */
        use std::time::Duration; // crate::store
        const A: &str = "crate::engine::x"; const B: &str = r#"crate::api::"quoted""#;
        const C: char = '"'; fn f<'a>(x: &'a str) {} use crate::base::Now;
        pub(crate) fn g() {}
    "###;
    assert_eq!(check(Path::new("wire/mod.rs"), text), []);
}

#[test]
fn a_top_module_without_a_rank_is_found() {
    assert_eq!(check(Path::new("misc/mod.rs"), "")[0].why, UNRANKED);
    assert_eq!(check(Path::new("api/rooms.rs"), "use crate::misc::x;")[0].why, UNRANKED);
}

#[test]
fn the_program_on_top_may_use_everything() {
    assert!(check(Path::new("main.rs"), "use ringlift::api::router; mod x { use crate::engine::y; }").is_empty());
    assert!(check(Path::new("app.rs"), "use crate::api::router; use crate::config::Config;").is_empty());
    assert!(
        check(Path::new("engine/node.rs"), "use crate::{config::Config, store::Store, transport::udp};").is_empty()
    );
}

const UPWARDS: &str = "a higher rank";
const SIDEWAYS: &str = "a neighbour of the same rank";
const UNRANKED: &str = "no rank is given in tests/layering.rs";

/// Every breach in one file, named by its path below `src`.
fn check(file: &Path, text: &str) -> Vec<Breach> {
    let ranks: BTreeMap<&str, u8> = RANKS.iter().copied().collect();
    let modules = module_path(file);
    let Some(from) = modules.first().cloned() else { return Vec::new() };
    let breach =
        |line, to: &str, why| Breach { file: file.to_owned(), line, from: from.clone(), to: to.to_owned(), why };
    let Some(&own) = ranks.get(from.as_str()) else { return vec![breach(1, &from, UNRANKED)] };
    let mut breaches = Vec::new();
    for (line, to) in imports(&tokens(text), &modules) {
        if to == from {
            continue;
        }
        match ranks.get(to.as_str()) {
            Some(&rank) if rank > own => breaches.push(breach(line, &to, UPWARDS)),
            Some(&rank) if rank == own => breaches.push(breach(line, &to, SIDEWAYS)),
            Some(_) => {}
            // An item of the crate root (a macro, say) begins a path too; only what looks like a module is suspect.
            None if from != "lib" && from != "main" => breaches.push(breach(line, &to, UNRANKED)),
            None => {}
        }
    }
    breaches
}

/// `wire/sip/uri.rs` is `[wire, sip, uri]`, `wire/mod.rs` is `[wire]`.
fn module_path(file: &Path) -> Vec<String> {
    let mut path: Vec<String> =
        file.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if path.last().is_some_and(|last| last == "mod") {
        path.pop();
    }
    path
}

/// The top modules that paths in these tokens lead to, with their lines.
fn imports(tokens: &[(usize, String)], modules: &[String]) -> Vec<(usize, String)> {
    let word = |at: usize| tokens.get(at).map_or("", |(_, word)| word.as_str());
    let at_root = matches!(modules, [top] if top == "lib" || top == "main");
    let mut found = BTreeSet::new();
    let mut depth = if at_root { 0 } else { modules.len() };
    let mut braces = Vec::new();
    for (at, (_, token)) in tokens.iter().enumerate() {
        match token.as_str() {
            "{" => {
                let opens_module = at >= 2 && word(at - 2) == "mod";
                braces.push(opens_module);
                depth += usize::from(opens_module);
            }
            "}" => depth -= usize::from(braces.pop().unwrap_or(false)),
            "crate" if word(at + 1) == "::" && (at == 0 || word(at - 1) != "::") => {
                heads(tokens, at + 2, &mut found);
            }
            "super" if at == 0 || word(at - 1) != "::" => {
                let (mut next, mut climbed) = (at, 0);
                while word(next) == "super" && word(next + 1) == "::" {
                    climbed += 1;
                    next += 2;
                }
                if climbed > 0 && climbed == depth && word(next) != "*" {
                    heads(tokens, next, &mut found);
                }
            }
            _ => {}
        }
    }
    found.into_iter().collect()
}

/// The first names of the path, or of each path of the group, that begins here.
fn heads(tokens: &[(usize, String)], at: usize, found: &mut BTreeSet<(usize, String)>) {
    let Some((line, first)) = tokens.get(at) else { return };
    if first != "{" {
        if first.starts_with(|c: char| c.is_ascii_lowercase())
            && tokens.get(at + 1).is_some_and(|(_, next)| next == "::" || next == ";" || next == ",")
        {
            found.insert((*line, first.clone()));
        }
        return;
    }
    let (mut depth, mut fresh) = (0usize, true);
    for (line, token) in &tokens[at..] {
        match token.as_str() {
            "{" => depth += 1,
            "}" if depth == 1 => return,
            "}" => depth -= 1,
            "," if depth == 1 => fresh = true,
            name if depth == 1 && fresh => {
                fresh = false;
                if name.starts_with(|c: char| c.is_ascii_lowercase()) {
                    found.insert((*line, name.to_owned()));
                }
            }
            _ => {}
        }
    }
}

/// Words, `::`, and single marks, with their lines; comments and texts are left out.
fn tokens(text: &str) -> Vec<(usize, String)> {
    let chars: Vec<char> = text.chars().collect();
    let peek = |at: usize| chars.get(at).copied().unwrap_or('\0');
    let (mut out, mut at, mut line) = (Vec::new(), 0, 1);
    while at < chars.len() {
        let c = chars[at];
        let begin = at;
        match c {
            '/' if peek(at + 1) == '/' => {
                while at < chars.len() && chars[at] != '\n' {
                    at += 1;
                }
            }
            '/' if peek(at + 1) == '*' => {
                let mut depth = 0;
                loop {
                    match (peek(at), peek(at + 1)) {
                        ('/', '*') => (depth, at) = (depth + 1, at + 2),
                        ('*', '/') => (depth, at) = (depth - 1, at + 2),
                        _ => at += 1,
                    }
                    if depth == 0 || at >= chars.len() {
                        break;
                    }
                }
            }
            '"' => at = after_text(&chars, at),
            'r' | 'b' if raw_hashes(&chars, at).is_some() => {
                let (open, hashes) = raw_hashes(&chars, at).unwrap();
                at = open + 1;
                while at < chars.len() && !(chars[at] == '"' && (1..=hashes).all(|h| peek(at + h) == '#')) {
                    at += 1;
                }
                at += 1 + hashes;
            }
            '\'' if peek(at + 1) == '\\' => {
                at += 3;
                while at < chars.len() && chars[at] != '\'' {
                    at += 1;
                }
                at += 1;
            }
            '\'' if peek(at + 2) == '\'' => at += 3,
            ':' if peek(at + 1) == ':' => {
                at += 2;
                out.push((line, "::".to_owned()));
            }
            c if c.is_alphanumeric() || c == '_' => {
                while at < chars.len() && (chars[at].is_alphanumeric() || chars[at] == '_') {
                    at += 1;
                }
                out.push((line, chars[begin..at].iter().collect()));
            }
            c => {
                at += 1;
                if !c.is_whitespace() {
                    out.push((line, c.to_string()));
                }
            }
        }
        line += chars[begin..at.min(chars.len())].iter().filter(|c| **c == '\n').count();
    }
    out
}

/// Where the text that begins at this quote has ended.
fn after_text(chars: &[char], mut at: usize) -> usize {
    at += 1;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// Where the quote of a raw text that begins here stands, and how many hashes it has.
fn raw_hashes(chars: &[char], at: usize) -> Option<(usize, usize)> {
    let mut next = at;
    if chars.get(next) == Some(&'b') {
        next += 1;
    }
    if chars.get(next) != Some(&'r') || (at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_')) {
        return None;
    }
    next += 1;
    let hashes = chars[next..].iter().take_while(|c| **c == '#').count();
    (chars.get(next + hashes) == Some(&'"')).then_some((next + hashes, hashes))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files.sort();
}
