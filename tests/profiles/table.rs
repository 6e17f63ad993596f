//! What was seen, as the table in `docs/interop.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use ringlift::profile::Profile;

/// One column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    In,
    Out,
    HoldThem,
    HoldUs,
    Refresh,
    BlindThem,
    BlindUs,
    AttendedThem,
    AttendedUs,
    ByeThem,
    ByeUs,
}

impl Cell {
    const ALL: [(Cell, &'static str); 11] = [
        (Cell::In, "in"),
        (Cell::Out, "out"),
        (Cell::HoldThem, "hold by them"),
        (Cell::HoldUs, "hold by us"),
        (Cell::Refresh, "session refresh"),
        (Cell::BlindThem, "blind by them"),
        (Cell::BlindUs, "blind by us"),
        (Cell::AttendedThem, "attended by them"),
        (Cell::AttendedUs, "attended by us"),
        (Cell::ByeThem, "BYE by them"),
        (Cell::ByeUs, "BYE by us"),
    ];
}

/// The matrix.
pub struct Table {
    about: BTreeMap<String, String>,
    how: BTreeMap<String, (bool, String)>,
    seen: BTreeSet<(String, Cell)>,
    played: BTreeMap<String, BTreeSet<String>>,
}

impl Table {
    pub fn of<'a>(profiles: impl Iterator<Item = &'a Profile>) -> Self {
        let (mut about, mut how) = (BTreeMap::new(), BTreeMap::new());
        for profile in profiles {
            about.insert(profile.name.clone(), profile.about.clone());
            let sends = format!("{:?}", profile.refer.sends).to_lowercase();
            how.insert(profile.name.clone(), (profile.refer.takes, sends));
        }
        Self { about, how, seen: BTreeSet::new(), played: BTreeMap::new() }
    }

    /// A profile passed, by this scenario.
    pub fn passed(&mut self, profile: &str, cell: Cell, scenario: &str) {
        self.seen.insert((profile.to_owned(), cell));
        self.played.entry(profile.to_owned()).or_default().insert(scenario.to_owned());
    }

    /// The scenarios that a profile passed.
    pub fn played(&self, profile: &str) -> BTreeSet<String> {
        self.played.get(profile).cloned().unwrap_or_default()
    }

    /// What another scenario showed too.
    pub fn along(&mut self, cell: Cell, with: Cell) {
        let passed: Vec<String> =
            self.seen.iter().filter(|(_, seen)| *seen == with).map(|(name, _)| name.clone()).collect();
        self.seen.extend(passed.into_iter().map(|name| (name, cell)));
    }

    /// Compares with `docs/interop.md`, or writes it where `RINGLIFT_WRITE_DOCS` is set.
    #[track_caller]
    pub fn write(&self) {
        let columns: Vec<(Cell, &str)> =
            Cell::ALL.into_iter().filter(|(cell, _)| self.seen.iter().any(|(_, seen)| seen == cell)).collect();
        let mut text = include_str!("interop.head.md").to_owned();
        let _ =
            writeln!(text, "| profile | {} |", columns.iter().map(|(_, name)| *name).collect::<Vec<_>>().join(" | "));
        let _ = writeln!(text, "|---|{}", "---|".repeat(columns.len()));
        for name in self.about.keys() {
            let _ = write!(text, "| `{name}` |");
            for (cell, _) in &columns {
                let mark = match (self.seen.contains(&(name.clone(), *cell)), cell) {
                    (false, _) => "–",
                    (true, Cell::BlindThem | Cell::AttendedThem) if !self.how[name].0 => "refused",
                    (true, Cell::BlindUs) if self.how[name].1 == "none" => "bridged",
                    (true, Cell::AttendedUs) if self.how[name].1 != "attended" => "bridged",
                    (true, _) => "yes",
                };
                let _ = write!(text, " {mark} |");
            }
            text.push('\n');
        }
        let path = format!("{}/docs/interop.md", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("RINGLIFT_WRITE_DOCS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "RINGLIFT_WRITE_DOCS=1 writes docs/interop.md anew");
    }
}
