//! Speech to listen to: prompts of this repository, one after the other.

use std::path::Path;

use ringlift::media::Rate;
use ringlift::media::resample::Resampler;
use ringlift::wire::codec::opus;

/// Sentences of two voices.
const SENTENCES: [(&str, &str); 8] = [
    ("en", "elevate-opted-out"),
    ("de", "pin-wrong-last"),
    ("en", "call-ends-soon"),
    ("fr", "elevate-held"),
    ("en", "technical-problem"),
    ("es", "meeting-locked"),
    ("en", "elevate-multi-party"),
    ("de", "throttled"),
];

/// So many seconds of speech at a rate, a third of a second of silence between sentences.
pub fn speech(rate: Rate, seconds: usize) -> Vec<i16> {
    let per_second = rate.samples() * 50;
    let mut samples = vec![0; per_second / 2];
    for (language, name) in SENTENCES.iter().cycle() {
        if samples.len() >= seconds * per_second {
            break;
        }
        samples.extend(to_rate(&decode(&file(&format!("{language}/{name}"))), rate));
        samples.extend(vec![0; per_second / 3]);
    }
    samples.truncate(seconds * per_second);
    samples
}

/// Samples at 48 kHz brought to another rate.
pub fn to_rate(samples: &[i16], rate: Rate) -> Vec<i16> {
    if rate == Rate::Full {
        return samples.to_vec();
    }
    change(samples, Rate::Full, rate)
}

/// Samples brought from one rate to another, by whole ticks.
pub fn change(samples: &[i16], from: Rate, to: Rate) -> Vec<i16> {
    if from == to {
        return samples.to_vec();
    }
    let mut resampler = Resampler::new(from, to);
    let mut all = Vec::new();
    for frame in samples.chunks_exact(from.samples()) {
        let mut out = vec![0; to.samples()];
        resampler.process(frame, &mut out);
        all.extend(out);
    }
    all
}

/// The packets of an Ogg file (RFC 3533) that has one stream and is whole, decoded at 48 kHz.
fn decode(mut bytes: &[u8]) -> Vec<i16> {
    let mut packets: Vec<Vec<u8>> = vec![Vec::new()];
    while bytes.len() >= 27 && bytes.starts_with(b"OggS") {
        let count = usize::from(bytes[26]);
        let (table, mut rest) = bytes[27..].split_at(count);
        for size in table {
            let (segment, after) = rest.split_at(usize::from(*size));
            packets.last_mut().unwrap().extend(segment);
            if *size < 255 {
                packets.push(Vec::new());
            }
            rest = after;
        }
        bytes = rest;
    }
    let mut decoder = opus::Decoder::default();
    let mut all = Vec::new();
    // The first two are headers.
    for packet in packets.iter().skip(2).filter(|packet| !packet.is_empty()) {
        let mut samples = vec![0; opus::LONGEST];
        let count = decoder.decode(packet, &mut samples);
        all.extend(&samples[..count]);
    }
    all
}

/// The music on hold that comes with the program.
pub fn music(rate: Rate) -> Vec<i16> {
    to_rate(&decode(&file("music")), rate)
}

fn file(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("prompts/{name}.opus"));
    #[allow(clippy::disallowed_methods, reason = "a bench reads its own speech")]
    std::fs::read(path).unwrap()
}
