//! What a phone says, and the file for what it hears.

use std::f64::consts::TAU;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use super::PhoneError;
use crate::media::{FRAME, Frame};

/// How loud a tone is: -14 dB of the loudest, so that three of them in a mix do not clip.
const PEAK: f64 = 32767.0 * 0.2;
/// Samples a second.
const RATE: u32 = 8000;
/// Frames between two updates of a recording's header: a reader sees half a second late what is heard.
const FLUSH: u32 = 25;

/// What is said.
#[derive(Debug)]
pub(super) enum Voice {
    /// Nothing.
    Silence,
    /// A file, then nothing.
    Samples(Vec<i16>, usize),
    /// A tone of so many hertz, at this sample.
    Tone(f64, u64),
}

impl Voice {
    /// A WAV file of one channel, 16 bits, 8,000 samples a second.
    pub(super) fn file(path: &Path) -> Result<Self, PhoneError> {
        let wrong = |why: String| PhoneError::File(path.to_owned(), why);
        let mut reader = hound::WavReader::open(path).map_err(|error| wrong(error.to_string()))?;
        let spec = reader.spec();
        if (spec.channels, spec.sample_rate, spec.bits_per_sample) != (1, RATE, 16) {
            return Err(wrong(format!(
                "has {} channels, {} Hz, {} bits; it must have one, 8000 and 16: sox in.wav -r 8000 -c 1 -b 16 out.wav",
                spec.channels, spec.sample_rate, spec.bits_per_sample
            )));
        }
        let samples: Result<Vec<i16>, _> = reader.samples().collect();
        Ok(Voice::Samples(samples.map_err(|error| wrong(error.to_string()))?, 0))
    }

    /// The next frame.
    pub(super) fn frame(&mut self, out: &mut Frame) {
        out.fill(0);
        match self {
            Voice::Silence => {}
            Voice::Samples(samples, at) => {
                let rest = samples.get(*at..).unwrap_or_default();
                for (to, from) in out.iter_mut().zip(rest) {
                    *to = *from;
                }
                *at += FRAME.min(rest.len());
            }
            Voice::Tone(frequency, at) => {
                for sample in out.iter_mut() {
                    let turns = *frequency * (*at as f64) / f64::from(RATE);
                    *sample = ((turns * TAU).sin() * PEAK) as i16;
                    *at += 1;
                }
            }
        }
    }
}

/// A WAV file that grows.
pub(super) struct Recorder {
    path: PathBuf,
    writer: hound::WavWriter<BufWriter<File>>,
    frames: u32,
}

impl Recorder {
    /// Begins a file, over what was there.
    pub(super) fn begin(path: PathBuf) -> Result<Self, PhoneError> {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: RATE,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        match hound::WavWriter::create(&path, spec) {
            Ok(writer) => Ok(Self { path, writer, frames: 0 }),
            Err(error) => Err(PhoneError::File(path, error.to_string())),
        }
    }

    /// Adds a frame.
    pub(super) fn add(&mut self, frame: &Frame) -> Result<(), PhoneError> {
        let mut written = frame.iter().try_for_each(|sample| self.writer.write_sample(*sample));
        self.frames += 1;
        if self.frames.is_multiple_of(FLUSH) {
            written = written.and_then(|()| self.writer.flush());
        }
        written.map_err(|error| PhoneError::File(self.path.clone(), error.to_string()))
    }

    /// Ends the file.
    pub(super) fn end(self) -> Result<(), PhoneError> {
        self.writer.finalize().map_err(|error| PhoneError::File(self.path, error.to_string()))
    }
}
