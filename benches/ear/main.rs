//! The golden ear: speech and tones through every codec and network, and how much of them arrives. `cargo bench --bench ear`
//! prints the tables of docs/sound.md; a word behind it (`speech`, `tones`, `gaps`) one of them.

#![allow(missing_docs, reason = "a program")]

mod kit;

use std::env;

use kit::appendix::Plain;
use kit::lab::{self, NETWORKS, Network};
use kit::score::{Score, score};
use kit::{speech, tone};
use ringlift::base::Rng;
use ringlift::media::Rate;
use ringlift::media::conceal::Conceal;
use ringlift::wire::codec::Codec;

/// Seconds of speech for each line of the table.
const SPEECH: usize = 30;
/// Minutes of tone.
const MINUTES: u64 = 10;

fn main() {
    let wanted: Vec<String> = env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let wants = |name: &str| wanted.is_empty() || wanted.iter().any(|word| word == name);
    if wants("speech") {
        talk();
    }
    if wants("tones") {
        tones();
    }
    if wants("gaps") {
        gaps();
    }
}

fn line(name: &str, score: &Score) {
    let Score { likeness, distance, snr, clicks, gaps, delay } = score;
    print!(
        "{name:<14} {likeness:>8.3} {distance:>8.1} {snr:>7.1} {clicks:>7.1} {gaps:>8.0} {:>6.0} {:>5.0}",
        delay.0, delay.1
    );
}

fn talk() {
    for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus] {
        let rate = Rate::of(codec);
        let said = speech::speech(rate, SPEECH);
        println!("\n{codec:?}, {SPEECH} s of speech");
        println!(
            "{:<14} {:>8} {:>8} {:>7} {:>7} {:>8} {:>6} {:>5} {:>9} {:>5}",
            "network", "likeness", "dist dB", "snr dB", "clicks/", "gap ms/", "delay", "most", "concealed", "late"
        );
        for (name, network) in NETWORKS {
            let frames = said.len() / rate.samples();
            let heard = lab::listen(codec, network, frames as u64, 1, |index, frame| {
                frame.copy_from_slice(&said[index as usize * frame.len()..][..frame.len()]);
            });
            let score = score(&said, &heard.samples, rate, heard.left, network.drift);
            line(name, &score);
            println!(" {:>9} {:>5}", heard.figures.concealed, heard.figures.late);
        }
    }
}

fn tones() {
    println!("\n{MINUTES} minutes of a tone of 437 Hz");
    println!(
        "{:<6} {:>6} {:>7} {:>7} {:>11} {:>10} {:>9} {:>9}",
        "codec", "ppm", "clicks", "gap ms", "worst 10 ms", "amplitude", "delay ms", "pause ms"
    );
    for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus] {
        let rate = Rate::of(codec);
        for drift in [100, -100] {
            let network = Network { drift, ..Network::default() };
            let heard = lab::listen(codec, network, MINUTES * 3000, 1, |n, frame| tone::fill(437.0, rate, n, frame));
            // The codecs' own beginnings, and the end after the last packet.
            let second = rate.samples() * 50;
            let flaws = tone::flaws(&heard.samples[second..heard.samples.len() - second], 437.0, rate);
            println!(
                "{:<6} {drift:>6} {:>7} {:>7} {:>11.5} {:>4.2}..{:<4.2} {:>9.1} {:>9}",
                format!("{codec:?}"),
                flaws.clicks,
                flaws.gap_ms,
                flaws.worst,
                flaws.amplitude.0,
                flaws.amplitude.1,
                heard.figures.delay_ms,
                heard.pause
            );
        }
    }
}

/// Concealment alone, without a jitter buffer: ours beside a plain Appendix I.
fn gaps() {
    let said = speech::speech(Rate::Narrow, SPEECH);
    println!("\nlost packets of 20 ms filled, {SPEECH} s of speech, no codec and no delay");
    println!(
        "{:<14} {:>8} {:>8} {:>7} {:>7} {:>8} {:>6} {:>5}",
        "", "likeness", "dist dB", "snr dB", "clicks/", "gap ms/", "delay", "most"
    );
    for (name, network) in NETWORKS.iter().filter(|(name, _)| name.starts_with("loss ") || name.starts_with("burst")) {
        let mut rng = Rng::from_number(5);
        let mut bad = false;
        let lost: Vec<bool> = (0..said.len() / 160)
            .map(|_| {
                if let Some((begins, ends)) = network.burst {
                    bad = if bad { rng.below(1000) >= ends } else { rng.below(1000) < begins };
                }
                bad || rng.below(1000) < network.lost
            })
            .collect();
        let (mut ours, mut plain, mut nothing) = (Vec::new(), Vec::new(), Vec::new());
        let (mut conceal, mut reference) = (Conceal::new(1), Plain::default());
        for (frame, lost) in said.chunks_exact(160).zip(&lost) {
            let mut samples = frame.to_vec();
            if *lost {
                conceal.fill(&mut samples);
                nothing.extend([0; 160]);
            } else {
                conceal.heard(&mut samples);
                nothing.extend(frame);
            }
            ours.extend(samples);
            for half in frame.chunks_exact(80) {
                plain.extend(reference.frame(Some(half).filter(|_| !lost)));
            }
        }
        for (who, heard) in [("ours", ours), ("Appendix I", plain), ("silence", nothing)] {
            line(&format!("{name} {who}"), &score(&said, &heard, Rate::Narrow, 0, 0));
            println!();
        }
    }
}
