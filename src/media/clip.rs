//! What can be played: prompts by name and language, tones, music. Names here, samples in the
//! [`ClipLibrary`] that the engine fills at start and shares read-only with the media threads.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Something that can be played.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Clip {
    /// A prompt: language tag as its directory is named (`en`, `zh`), and the file's stem (`enter-pin`).
    Prompt(Arc<str>, Arc<str>),
    /// A tone made by calculation.
    Tone(Tone),
    /// Music on hold: the file `music` of the prompt directory.
    Music,
    /// So many milliseconds of nothing.
    Pause(u16),
}

/// Tones made by calculation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tone {
    /// Two rising notes: somebody came.
    Entry,
    /// Two falling notes: somebody left.
    Exit,
    /// One short low note: this key means nothing.
    Unknown,
    /// One short high note: done, where words would be too long.
    Done,
}

/// Samples by clip: 8 kHz, mono, signed 16 bit.
#[derive(Debug, Clone, Default)]
pub struct ClipLibrary {
    prompts: BTreeMap<(Arc<str>, Arc<str>), Arc<[i16]>>,
    tones: BTreeMap<Tone, Arc<[i16]>>,
    music: Arc<[i16]>,
}

impl ClipLibrary {
    /// An empty library.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds or replaces a prompt's samples.
    pub fn insert_prompt(&mut self, language: &str, name: &str, samples: Arc<[i16]>) {
        self.prompts.insert((language.into(), name.into()), samples);
    }

    /// Adds or replaces a tone's samples.
    pub fn insert_tone(&mut self, tone: Tone, samples: Arc<[i16]>) {
        self.tones.insert(tone, samples);
    }

    /// Sets the music on hold.
    pub fn set_music(&mut self, samples: Arc<[i16]>) {
        self.music = samples;
    }

    /// The samples of a clip; a prompt that a language lacks is taken from English; empty where there are none.
    pub fn samples(&self, clip: &Clip) -> Option<&Arc<[i16]>> {
        match clip {
            Clip::Prompt(language, name) => self
                .prompts
                .get(&(language.clone(), name.clone()))
                .or_else(|| self.prompts.get(&("en".into(), name.clone()))),
            Clip::Tone(tone) => self.tones.get(tone),
            Clip::Music => Some(&self.music),
            Clip::Pause(_) => None,
        }
    }
}
