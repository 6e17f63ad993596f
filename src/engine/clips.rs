//! The prompts that come with the program, and an operator's own in their place: files to samples, once at start.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rust_embed::RustEmbed;

use crate::call::speech::{self, Language, Prompt};
use crate::engine::sound::{self, SoundError};
use crate::media::clip::ClipLibrary;

/// Longest prompt. Longer: it is a mistake, such as a whole album. Shorter: a legal notice does not fit.
const LONGEST_PROMPT: Duration = Duration::from_secs(120);

/// Longest music on hold; it takes 16 kB of memory a second.
const LONGEST_MUSIC: Duration = Duration::from_secs(1800);

/// The stem of the file with the music on hold.
const MUSIC: &str = "music";

/// The files of `prompts/`; those that are not sounds are passed over.
#[derive(RustEmbed)]
#[folder = "prompts/"]
struct Embedded;

/// What was found.
#[derive(Debug)]
pub struct Clips {
    /// The samples.
    pub library: ClipLibrary,
    /// The languages a caller can be attended in: those that can ask for a PIN.
    pub languages: Vec<Language>,
    /// What an operator should know and need not mend: files passed over, languages with gaps.
    pub remarks: Vec<String>,
}

/// Why the prompts cannot be used: the file, and what is wrong with it.
#[derive(Debug)]
pub enum ClipError {
    /// A directory or file cannot be read.
    Unreadable(PathBuf, io::Error),
    /// A file is not the sound that its name promises.
    Broken(PathBuf, SoundError),
    /// The same clip is there as `.wav` and as `.opus`.
    Twice(PathBuf),
}

impl fmt::Display for ClipError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClipError::Unreadable(path, error) => write!(f, "prompts: {}: {error}", path.display()),
            ClipError::Broken(path, error) => write!(f, "prompts: {}: {error}", path.display()),
            ClipError::Twice(path) => {
                write!(f, "prompts: {}: the same prompt is there as .wav and .opus", path.display())
            }
        }
    }
}

impl std::error::Error for ClipError {}

/// Loads the prompts of the program, and in their place those of `directory`, file by file. Half an hour of speech is
/// decoded: about a second of one core, shared among all there are.
pub fn load(directory: Option<&Path>) -> Result<Clips, ClipError> {
    let mut remarks = Vec::new();
    let mut files = BTreeMap::new();
    for path in directory.map(files_below).transpose()?.unwrap_or_default() {
        let relative = directory.and_then(|directory| path.strip_prefix(directory).ok()).unwrap_or(&path);
        let Some((place, kind)) = place(relative) else {
            remarks.push(format!("{} is no prompt's name and is passed over", path.display()));
            continue;
        };
        let bytes = Cow::Owned(read(&path)?);
        if files.insert(place, File { path: path.clone(), kind, bytes }).is_some() {
            return Err(ClipError::Twice(path));
        }
    }
    for path in Embedded::iter() {
        let path = PathBuf::from(path.as_ref());
        let Some((place, kind)) = place(&path) else { continue };
        let Some(bytes) = path.to_str().and_then(Embedded::get).map(|file| file.data) else { continue };
        files.entry(place).or_insert(File { path, kind, bytes });
    }

    let mut library = ClipLibrary::with_tones();
    let mut names: BTreeMap<Language, BTreeSet<String>> = BTreeMap::new();
    for (place, samples) in decode_all(files.into_iter().collect()) {
        match place {
            Place::Prompt(language, name) => {
                library.insert_prompt(language.tag(), &name, samples?.into());
                names.entry(language).or_default().insert(name);
            }
            Place::Music => library.set_music(samples?.into()),
        }
    }
    let all = speech::names();
    for (language, names) in &names {
        let lacking: Vec<&str> = all.iter().filter(|name| !names.contains(*name)).map(String::as_str).collect();
        if let Some(first) = lacking.first() {
            let (tag, count) = (language.tag(), lacking.len());
            remarks.push(format!("{tag}: {count} prompts are spoken in English instead, the first of them {first}"));
        }
    }
    let asks = |names: &BTreeSet<String>| names.contains(Prompt::EnterPin.name());
    let languages = names.into_iter().filter(|(_, names)| asks(names)).map(|(language, _)| language).collect();
    Ok(Clips { library, languages, remarks })
}

/// Where a clip belongs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Prompt(Language, String),
    Music,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Opus,
    Wav,
}

/// A sound that is not decoded yet.
struct File {
    path: PathBuf,
    kind: Kind,
    bytes: Cow<'static, [u8]>,
}

/// Decodes files on all cores, in order.
fn decode_all(files: Vec<(Place, File)>) -> Vec<(Place, Result<Vec<i16>, ClipError>)> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let share = files.len().div_ceil(workers).max(1);
    let decoded: Vec<Result<Vec<i16>, ClipError>> = std::thread::scope(|scope| {
        let shares = files.chunks(share);
        let at_work: Vec<_> = shares
            .map(|share| scope.spawn(|| share.iter().map(|(_, file)| decode(file)).collect::<Vec<_>>()))
            .collect();
        at_work
            .into_iter()
            .flat_map(|worker| worker.join().unwrap_or_else(|why| std::panic::resume_unwind(why)))
            .collect()
    });
    files.into_iter().map(|(place, _)| place).zip(decoded).collect()
}

/// What a path below the prompts' directory stands for; none where it is no prompt of ours.
fn place(relative: &Path) -> Option<(Place, Kind)> {
    let kind = match relative.extension()?.to_str()? {
        "opus" => Kind::Opus,
        "wav" => Kind::Wav,
        _ => return None,
    };
    let stem = relative.file_stem()?.to_str()?;
    let parent = relative.parent()?.to_str()?;
    if parent.is_empty() {
        return (stem == MUSIC).then_some((Place::Music, kind));
    }
    let language = Language::parse(parent)?;
    known(stem).then(|| (Place::Prompt(language, stem.to_owned()), kind))
}

fn known(name: &str) -> bool {
    let numbered = |prefix: &str, highest: usize| {
        let number = name.strip_prefix(prefix).and_then(|number| number.parse::<usize>().ok());
        number.is_some_and(|number| number <= highest && name == format!("{prefix}{number}"))
    };
    numbered("digit-", 9)
        || numbered("number-", speech::HIGHEST_NUMBER)
        || name
            .strip_prefix("letter-")
            .is_some_and(|letter| letter.len() == 1 && letter.bytes().all(|b| b.is_ascii_lowercase()))
        || Prompt::ALL.iter().any(|prompt| prompt.name() == name)
}

fn decode(file: &File) -> Result<Vec<i16>, ClipError> {
    let music = file.path.file_stem().is_some_and(|stem| stem == MUSIC);
    let longest = if music { LONGEST_MUSIC } else { LONGEST_PROMPT };
    let samples = match file.kind {
        Kind::Opus => sound::opus(&file.bytes, longest),
        Kind::Wav => sound::wav(&file.bytes, longest),
    };
    match samples {
        Ok(samples) if samples.is_empty() => Err(SoundError::Broken("it holds no sound".into())),
        samples => samples,
    }
    .map_err(|error| ClipError::Broken(file.path.clone(), error))
}

/// The files of a directory and of the directories in it, in order of their names; hidden ones left out.
fn files_below(directory: &Path) -> Result<Vec<PathBuf>, ClipError> {
    let list = |directory: &Path| -> Result<Vec<PathBuf>, ClipError> {
        let unreadable = |error| ClipError::Unreadable(directory.to_owned(), error);
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(directory).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            if !entry.file_name().to_string_lossy().starts_with('.') {
                paths.push(entry.path());
            }
        }
        paths.sort();
        Ok(paths)
    };
    let mut files = Vec::new();
    for path in list(directory)? {
        if path.is_dir() {
            files.extend(list(&path)?.into_iter().filter(|path| path.is_file()))
        } else {
            files.push(path)
        }
    }
    Ok(files)
}

#[allow(clippy::disallowed_methods, reason = "an operator's prompts are files, read once at start")]
fn read(path: &Path) -> Result<Vec<u8>, ClipError> {
    std::fs::read(path).map_err(|error| ClipError::Unreadable(path.to_owned(), error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::clip::Clip;

    /// A directory that is gone after the test.
    struct Own(PathBuf);

    impl Own {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("ringlift-{name}-{}", std::process::id()));
            std::fs::create_dir_all(path.join("en")).unwrap();
            Self(path)
        }

        fn with(self, file: &str, bytes: &[u8]) -> Self {
            let path = self.0.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
            self
        }
    }

    impl Drop for Own {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    /// A quarter of a second of a square wave.
    fn buzz() -> Vec<u8> {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 8000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut bytes = io::Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
        for index in 0..2000 {
            writer.write_sample(if index / 10 % 2 == 0 { 5000i16 } else { -5000 }).unwrap();
        }
        writer.finalize().unwrap();
        bytes.into_inner()
    }

    fn samples<'a>(clips: &'a Clips, language: &str, name: &str) -> &'a [i16] {
        clips.library.samples(&Clip::Prompt(language.into(), name.into())).unwrap()
    }

    #[test]
    fn every_language_says_everything_neither_silent_nor_clipped_nor_endless() {
        let clips = load(None).unwrap();
        let tags: Vec<&str> = clips.languages.iter().map(Language::tag).collect();
        assert_eq!(tags, ["de", "en", "es", "fr", "pt", "zh"]);
        assert_eq!(clips.remarks, Vec::<String>::new());
        for tag in tags {
            for name in speech::names() {
                let samples = samples(&clips, tag, &name);
                let seconds = samples.len() as f64 / 8000.0;
                assert!((0.2..=12.0).contains(&seconds), "{tag}/{name} lasts {seconds} s");
                let peak = samples.iter().map(|s| s.unsigned_abs()).max().unwrap();
                assert!(peak < 23_300, "{tag}/{name} peaks over -3 dBFS: {peak}");
                let power = samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / samples.len() as f64;
                let level = 10.0 * (power / 32_768.0f64.powi(2)).log10();
                assert!((-32.0..-16.0).contains(&level), "{tag}/{name} is at {level:.1} dBFS");
            }
        }
    }

    #[test]
    fn music_on_hold_is_calm_and_repeats_without_a_click() {
        let clips = load(None).unwrap();
        let music = clips.library.samples(&Clip::Music).unwrap();
        assert!((20 * 8000..=30 * 8000).contains(&music.len()));
        assert!(music.iter().all(|s| s.unsigned_abs() < 10_000));
        let (first, last) = (music[0], music[music.len() - 1]);
        assert!((i32::from(first) - i32::from(last)).abs() < 100, "{first} after {last}");
    }

    #[test]
    fn an_operators_file_replaces_one_prompt_and_leaves_the_others() {
        let own = Own::new("own")
            .with("en/greeting.wav", &buzz())
            .with("music.wav", &buzz())
            .with("nl/enter-pin.wav", &buzz());
        let clips = load(Some(&own.0)).unwrap();
        assert_eq!(samples(&clips, "en", "greeting").len(), 2000);
        assert!(samples(&clips, "en", "enter-pin").len() > 8000);
        assert_eq!(clips.library.samples(&Clip::Music).unwrap().len(), 2000);
        assert!(clips.languages.iter().any(|language| language.tag() == "nl"));
        assert_eq!(samples(&clips, "nl", "greeting").len(), 2000, "a gap is filled in English");
        let missing = format!("nl: {} prompts are spoken in English instead", crate::call::speech::names().len() - 1);
        assert!(clips.remarks[0].starts_with(&missing), "{:?}", clips.remarks);
    }

    #[test]
    fn a_file_that_cannot_be_played_is_named() {
        let own = Own::new("broken").with("en/greeting.opus", b"OggS, but not really");
        assert!(load(Some(&own.0)).unwrap_err().to_string().contains("en/greeting.opus: not an Ogg Opus file"));
        let own = Own::new("twice").with("en/greeting.wav", &buzz()).with("en/greeting.opus", &buzz());
        let told = load(Some(&own.0)).unwrap_err().to_string();
        assert!(told.contains("en/greeting."), "{told}");
        assert!(
            load(Some(Path::new("/nonexistent/prompts"))).unwrap_err().to_string().contains("/nonexistent/prompts")
        );
    }

    #[test]
    fn a_misspelt_name_is_remarked_on() {
        let own = Own::new("misspelt").with("en/greting.wav", &buzz()).with("README.txt", b"ours");
        let remarks = load(Some(&own.0)).unwrap().remarks;
        assert_eq!(remarks.len(), 2);
        assert!(remarks[1].contains("en/greting.wav is no prompt's name"), "{remarks:?}");
    }
}
