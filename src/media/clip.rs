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

/// Tones that [`crate::media::tone`] calculates, with their samples.
pub fn tones() -> [(Tone, Arc<[i16]>); 4] {
    super::tone::tones()
}

/// The language whose prompts stand in where another lacks one.
const FALLBACK: &str = "en";

/// Samples shared by whoever plays them.
type Samples = Arc<[i16]>;

/// Samples by clip: 8 kHz, mono, signed 16 bit.
#[derive(Debug, Clone, Default)]
pub struct ClipLibrary {
    /// By name, then by language, so that a look-up borrows its keys.
    prompts: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Samples>>,
    tones: BTreeMap<Tone, Samples>,
    music: Samples,
}

impl ClipLibrary {
    /// An empty library.
    pub fn new() -> Self {
        Self::default()
    }

    /// A library with the tones alone.
    pub fn with_tones() -> Self {
        Self { tones: tones().into(), ..Self::default() }
    }

    /// Adds or replaces a prompt's samples.
    pub fn insert_prompt(&mut self, language: &str, name: &str, samples: Arc<[i16]>) {
        self.prompts.entry(name.into()).or_default().insert(language.into(), samples);
    }

    /// Adds or replaces a tone's samples.
    pub fn insert_tone(&mut self, tone: Tone, samples: Arc<[i16]>) {
        self.tones.insert(tone, samples);
    }

    /// Sets the music on hold.
    pub fn set_music(&mut self, samples: Arc<[i16]>) {
        self.music = samples;
    }

    /// The samples of a clip; a prompt that a language lacks is taken from English; none where there are none.
    pub fn samples(&self, clip: &Clip) -> Option<&Arc<[i16]>> {
        match clip {
            Clip::Prompt(language, name) => {
                let languages = self.prompts.get(&**name)?;
                languages.get(&**language).or_else(|| languages.get(FALLBACK))
            }
            Clip::Tone(tone) => self.tones.get(tone),
            Clip::Music => Some(&self.music),
            Clip::Pause(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_that_chinese_lacks_is_spoken_in_english() {
        let mut library = ClipLibrary::with_tones();
        library.insert_prompt("en", "hello", [1].into());
        library.insert_prompt("en", "bye", [2].into());
        library.insert_prompt("zh", "hello", [3].into());
        let heard = |language: &str, name: &str| {
            library.samples(&Clip::Prompt(language.into(), name.into())).and_then(|samples| samples.first().copied())
        };
        assert_eq!((heard("zh", "hello"), heard("zh", "bye"), heard("zh", "what")), (Some(3), Some(2), None));
        assert!(library.samples(&Clip::Tone(Tone::Entry)).is_some());
    }
}
