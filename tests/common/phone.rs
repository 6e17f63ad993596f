//! `ringlift phone`, our own telephone.

use std::process::{Command, ExitStatus};
use std::time::Duration;

use serde_json::Value;

use super::audio::Recording;
use super::process::{Folder, Process};
use super::{s, until};

/// How a phone is to be.
#[derive(Debug, Clone)]
pub struct Setup {
    voice: Recording,
    words: Vec<String>,
}

impl Setup {
    /// One that says this.
    pub fn voice(voice: Recording) -> Self {
        Self { voice, words: Vec::new() }
    }

    /// One that says a tone.
    pub fn tone(frequency: f64) -> Self {
        Self::voice(Recording::tone(frequency, -14.0, s(90)))
    }

    /// One that says nothing.
    pub fn silent() -> Self {
        Self::voice(Recording::tone(440.0, -200.0, s(1)))
    }

    /// With these words on its command line.
    pub fn with(mut self, words: &[&str]) -> Self {
        self.words.extend(words.iter().map(|word| (*word).to_owned()));
        self
    }

    /// Calls.
    pub fn call(self, uri: &str) -> Phone {
        self.start(&["call", uri])
    }

    /// Registers.
    pub fn register(self, uri: &str) -> Phone {
        self.start(&["register", uri])
    }

    /// Waits for calls.
    pub fn wait(self) -> Phone {
        self.start(&["wait"])
    }

    fn start(self, mode: &[&str]) -> Phone {
        let folder = Folder::new("phone");
        self.voice.write(&folder.file("voice.wav"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringlift"));
        command.arg("phone").args(mode).args(["--json", "--commands", "--play", "voice.wav", "--record", "heard.wav"]);
        command.args(&self.words).current_dir(folder.path());
        let process = Process::start("ringlift phone", &mut command, folder.file("log"));
        Phone { process, folder }
    }
}

/// A running phone.
pub struct Phone {
    process: Process,
    folder: Folder,
}

impl Phone {
    /// What it told so far.
    pub fn told(&self) -> Vec<Value> {
        self.process.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Waits until it tells this, and returns what it told with it.
    #[track_caller]
    pub fn tells(&mut self, what: &str, limit: Duration) -> Value {
        let wanted = format!("the phone to tell {what}");
        until(&wanted, limit, || {
            let running = self.process.runs();
            let found = self.told().into_iter().find(|told| told["what"] == what);
            assert!(found.is_some() || running, "the phone ended before it told {what}:\n{}", self.process.log());
            found
        })
    }

    /// Waits until it is connected.
    #[track_caller]
    pub fn answered(&mut self) -> Value {
        self.tells("answered", s(15))
    }

    /// Keys digits.
    #[track_caller]
    pub fn key(&mut self, digits: &str) {
        self.process.say(&format!("key {digits}"));
    }

    /// Puts the call on hold.
    #[track_caller]
    pub fn hold(&mut self) {
        self.process.say("hold");
    }

    /// Takes it back.
    #[track_caller]
    pub fn resume(&mut self) {
        self.process.say("resume");
    }

    /// Hangs up and waits for its end.
    #[track_caller]
    pub fn hang_up(&mut self) -> ExitStatus {
        self.process.say("hang up");
        self.process.ended(s(10))
    }

    /// Waits for its end.
    #[track_caller]
    pub fn ended(&mut self, limit: Duration) -> ExitStatus {
        self.process.ended(limit)
    }

    /// What it has heard so far: from the first moment of the call, 20 ms for 20 ms.
    pub fn heard(&self) -> Recording {
        Recording::read(&self.folder.file("heard.wav"))
    }

    /// Everything it printed.
    pub fn log(&self) -> String {
        self.process.log()
    }
}
