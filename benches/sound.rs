//! What each part of what is done to a voice costs, per leg and second of speech, at each rate: by the time that the thread had.
//! `cargo bench --bench sound`; docs/sound.md has the table.

#![allow(missing_docs, reason = "a program")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a measuring program that stops where it cannot go on"
)]

use std::hint::black_box;
use std::time::Duration;

use ringlift::media::Rate;
use ringlift::media::cancel::Canceller;
use ringlift::media::denoise::Denoise;
use ringlift::media::echo::{EchoWatch, LineEcho};
use ringlift::media::inband::Inband;
use ringlift::media::loudness::{Loudness, Others};
use ringlift::media::music::Music;
use ringlift::wire::codec::g711::Law;

#[path = "ear/kit/mod.rs"]
mod kit;

/// Seconds of speech.
const SECONDS: usize = 20;
/// Times that each is measured; the middle one is printed.
const TIMES: usize = 9;

fn main() {
    // `cargo test --benches` runs this too; there is nothing to test.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    println!("{:<34} {:>9} {:>9} {:>9}   µs of CPU per leg and second", "", "8 kHz", "16 kHz", "48 kHz");
    let speech = Rate::ALL.map(|rate| kit::speech::speech(rate, SECONDS));
    let tune = Rate::ALL.map(tune);
    row("decoding G.711", |index| {
        (index == 0).then(|| {
            let mut bytes = vec![0; speech[0].len()];
            Law::Mu.encode(&speech[0], &mut bytes);
            middle(|| {
                let mut frame = [0; Rate::Narrow.samples()];
                bytes.chunks_exact(frame.len()).for_each(|bytes| {
                    Law::Mu.decode(bytes, &mut frame);
                    black_box(&frame);
                });
            })
        })
    });
    row("level", |index| {
        let mut level = Loudness::default();
        Some(treat(&speech[index], index, move |frame| level.level(frame, &Others::default(), false)))
    });
    row("denoise", |index| {
        let mut denoise = Box::new(Denoise::new(Rate::ALL[index]));
        Some(treat(&speech[index], index, move |frame| denoise.refine(frame)))
    });
    row("tones, after decoding", |index| {
        let mut tones = Box::new(Inband::new(Rate::ALL[index]));
        Some(treat(&speech[index], index, move |frame| {
            black_box(tones.hear(frame));
        }))
    });
    for (name, sound) in [("music, while somebody speaks", &speech), ("music, while there is music", &tune)] {
        row(name, |index| {
            let mut music = Box::new(Music::new(Rate::ALL[index]));
            Some(treat(&sound[index], index, move |frame| {
                black_box(music.hear(frame));
            }))
        });
    }
    row("echo, looking for it (always)", |index| {
        let levels: Vec<u16> = speech[0].chunks_exact(Rate::Narrow.samples()).map(loudness).collect();
        (index == 0).then(|| {
            let mut watch = EchoWatch::default();
            middle(move || {
                for (sent, back) in levels.iter().zip(levels.iter().skip(3)) {
                    black_box(watch.hear(*sent, *back / 4));
                }
            })
        })
    });
    row("echo, taking it out", |index| {
        let rate = Rate::ALL[index];
        let mut canceller = Box::new(Canceller::new(rate, LineEcho { delay_ms: 60, loss_db: 12.0 }));
        // What was said three ticks ago, a quarter as loud.
        let back: Vec<i16> =
            vec![0; 3 * rate.samples()].into_iter().chain(speech[index].iter().map(|s| s / 4)).collect();
        let said = &speech[index];
        Some(middle(move || {
            for (said, back) in said.chunks_exact(rate.samples()).zip(back.chunks_exact(rate.samples())) {
                let mut frame = [0; Rate::MOST];
                let frame = &mut frame[..back.len()];
                frame.copy_from_slice(back);
                canceller.cancel(frame);
                canceller.refer(said);
                black_box(frame);
            }
        }))
    });
}

fn row(name: &str, cost: impl Fn(usize) -> Option<f64>) {
    print!("{name:<34}");
    for index in 0..Rate::ALL.len() {
        match cost(index) {
            Some(cost) => print!(" {cost:>9.1}"),
            None => print!(" {:>9}", "–"),
        }
    }
    println!();
}

/// Frame by frame, in place.
fn treat(sound: &[i16], index: usize, mut part: impl FnMut(&mut [i16])) -> f64 {
    let rate = Rate::ALL[index];
    middle(move || {
        for said in sound.chunks_exact(rate.samples()) {
            let mut frame = [0; Rate::MOST];
            let frame = &mut frame[..said.len()];
            frame.copy_from_slice(said);
            part(frame);
            black_box(frame);
        }
    })
}

/// µs for a second of what takes [`SECONDS`].
fn middle(mut work: impl FnMut()) -> f64 {
    work();
    let mut times: Vec<Duration> = (0..TIMES)
        .map(|_| {
            let began = cpu();
            work();
            cpu() - began
        })
        .collect();
    times.sort_unstable();
    times[TIMES / 2].as_secs_f64() * 1e6 / SECONDS as f64
}

/// As the room hears how loud a leg is.
fn loudness(frame: &[i16]) -> u16 {
    let sum: u32 = frame.iter().map(|sample| u32::from(sample.unsigned_abs())).sum();
    u16::try_from(sum / Rate::Narrow.samples() as u32).unwrap()
}

/// Chords over a beat.
fn tune(rate: Rate) -> Vec<i16> {
    let sampling = (rate.samples() * 50) as f32;
    (0..SECONDS * rate.samples() * 50)
        .map(|n| {
            let time = n as f32 / sampling;
            let root = [220.0, 247.0, 196.0, 262.0][time as usize % 4];
            let note = |hertz: f32| (time * hertz * std::f32::consts::TAU).sin();
            ((note(root) + note(root * 1.26) + note(root * 1.5) + note(root * 4.0)) * 1500.0) as i16
        })
        .collect()
}

/// What this thread has used.
fn cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for one timespec.
    #[allow(unsafe_code, reason = "the library of the language has no such clock")]
    let done = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(done, 0);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap())
}
