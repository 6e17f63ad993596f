//! Shows each of the three walls fail on a planted violation, so that nobody trusts a wall that has fallen.
//!
//! The library is copied aside, a line is planted, and the tool is asked. Only ranks 0 to 6 are built, in a target
//! directory of their own that is kept, so that a second run takes seconds.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::panic,
    reason = "a test copies files and stops where it cannot"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

#[test]
fn a_runtime_below_the_feature_wall_does_not_build() {
    let house = House::copied("feature");
    assert!(house.cargo(&["check"]).status.success(), "the copy must build before it is spoilt");
    house.plant(
        "base/planted.rs",
        "//! Planted.\nuse tokio::net::UdpSocket;\n/// Planted.\npub type Planted = UdpSocket;\n",
    );
    let said = house.refused(&["check"]);
    assert!(said.contains("tokio"), "{said}");
}

#[test]
fn a_clock_below_the_wall_is_a_lint_error_that_says_why() {
    let house = House::copied("clippy");
    house.plant(
        "base/planted.rs",
        "//! Planted.\n/// Planted.\npub fn planted() -> std::time::Instant {\n    std::time::Instant::now()\n}\n",
    );
    let said = house.refused(&["clippy"]);
    assert!(said.contains("time is an argument"), "{said}");
}

#[test]
fn an_import_from_above_fails_the_layering_test() {
    // The same checker, asked by itself on a planted line: see tests/layering.rs for the rest of its cases.
    let house = House::copied("layering");
    house.plant("base/planted.rs", "//! Planted.\npub use crate::gateway::Input;\n");
    let checker = house.root.join("layering");
    let built = Command::new("rustc")
        .args(["--edition", "2024", "--test", "--cap-lints", "allow", "-o"])
        .arg(&checker)
        .arg(house.root.join("tests/layering.rs"))
        .env("CARGO_MANIFEST_DIR", &house.root)
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", text(&built));
    let ran = Command::new(&checker).arg("no_module_imports_upwards_or_sideways").output().unwrap();
    let said = text(&ran);
    assert!(!ran.status.success() && said.contains("`base` imports from `gateway`"), "{said}");
}

/// A copy of the library that may be spoilt.
struct House {
    root: PathBuf,
    target: PathBuf,
}

impl House {
    fn copied(name: &str) -> Self {
        let origin = Path::new(env!("CARGO_MANIFEST_DIR"));
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("walls");
        let root = target.join(name);
        let _ = std::fs::remove_dir_all(&root);
        std::fs::create_dir_all(&root).unwrap();
        copy(&origin.join("src"), &root.join("src"));
        for entry in std::fs::read_dir(origin).unwrap() {
            let name = entry.unwrap().file_name();
            if !["src", "target", ".git"].iter().any(|skipped| name == *skipped) {
                std::os::unix::fs::symlink(origin.join(&name), root.join(&name)).unwrap();
            }
        }
        Self { root, target: target.join("target") }
    }

    /// Adds a module to the library.
    fn plant(&self, file: &str, content: &str) {
        std::fs::write(self.root.join("src").join(file), content).unwrap();
        let parent = self.root.join("src").join(file).with_file_name("mod.rs");
        let declared = std::fs::read_to_string(&parent).unwrap() + "\npub mod planted;\n";
        std::fs::write(parent, declared).unwrap();
    }

    fn cargo(&self, words: &[&str]) -> Output {
        Command::new(env!("CARGO"))
            .args(words)
            .args(["--quiet", "--offline", "--locked", "--lib", "--no-default-features"])
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", &self.target)
            .output()
            .unwrap()
    }

    /// What the tool said when it refused the copy, which it must.
    fn refused(&self, words: &[&str]) -> String {
        let output = self.cargo(words);
        let said = text(&output);
        assert!(!output.status.success(), "the wall has fallen: {words:?} accepted a planted violation\n{said}");
        said
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
