//! Tones made by calculation.

use std::f32::consts::TAU;
use std::sync::Arc;

use super::clip::Tone;

/// Peak of a note, of 32,767: about −15 dBFS, well heard over speech and not startling on a headset.
const AMPLITUDE: f32 = 6000.0;

/// Rise and fall of a note in samples (8 ms): shorter clicks, longer sounds soft.
const EDGE: usize = 64;

/// Every tone with its samples.
pub fn tones() -> [(Tone, Arc<[i16]>); 4] {
    [
        (Tone::Entry, notes(&[(523.25, 120), (783.99, 180)])),
        (Tone::Exit, notes(&[(783.99, 120), (523.25, 180)])),
        (Tone::Unknown, notes(&[(220.0, 180)])),
        (Tone::Done, notes(&[(1046.5, 110)])),
    ]
}

/// Notes one after the other: hertz and milliseconds.
fn notes(notes: &[(f32, usize)]) -> Arc<[i16]> {
    let mut samples = Vec::new();
    for &(hertz, milliseconds) in notes {
        let length = milliseconds * 8;
        samples.extend((0..length).map(|index| {
            let edge = index.min(length - 1 - index).min(EDGE) as f32 / EDGE as f32;
            (AMPLITUDE * edge * (TAU * hertz * index as f32 / 8000.0).sin()) as i16
        }));
    }
    samples.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tone_is_short_and_begins_and_ends_in_silence() {
        for (tone, samples) in tones() {
            assert!((800..3200).contains(&samples.len()), "{tone:?}");
            assert!(samples.first().unwrap().abs() < 50 && samples.last().unwrap().abs() < 50, "{tone:?}");
            assert!(samples.iter().any(|s| *s > 5000), "{tone:?}");
        }
    }
}
