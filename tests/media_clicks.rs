//! What is counted as a click in real speech: prompts of this repository, as they are, too loud for their telephone, and damaged.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should say where")]

#[allow(dead_code, reason = "shared with the bench, which uses all of it")]
#[path = "../benches/ear/kit/speech.rs"]
mod speech;

use ringlift::media::Rate;
use ringlift::media::quality::Monitor;

const SECONDS: usize = 20;

fn clicks(samples: &[i16], rate: Rate) -> u64 {
    let mut monitor = Monitor::default();
    samples.chunks_exact(rate.samples()).for_each(|frame| monitor.hear(frame));
    monitor.clicks()
}

#[test]
fn an_operator_is_told_of_no_clicks_in_speech_that_has_none_however_loud_it_is() {
    for rate in [Rate::Narrow, Rate::Wide, Rate::Full] {
        let said = speech::speech(rate, SECONDS);
        assert_eq!(clicks(&said, rate), 0, "as it is, {rate:?}");
        for gain in [4.0, 10.0f32] {
            let loud: Vec<i16> = said.iter().map(|sample| (f32::from(*sample) * gain) as i16).collect();
            assert_eq!(clicks(&loud, rate), 0, "{gain} times too loud, {rate:?}");
        }
    }
}

#[test]
fn an_operator_is_told_of_packets_that_were_lost_and_not_filled_and_of_wrong_samples() {
    for (rate, share) in [(Rate::Wide, 0.5), (Rate::Full, 0.95)] {
        let said = speech::speech(rate, SECONDS);
        let (mut gaps, mut edges) = (said.clone(), 0);
        let (mut wrong, mut places) = (said.clone(), 0);
        for at in (10..said.len() / rate.samples() - 2).step_by(13).map(|frame| frame * rate.samples()) {
            let end = at + rate.samples();
            edges += [said[at - 1], said[end]].into_iter().filter(|sample| sample.unsigned_abs() > 4000).count();
            gaps[at..end].fill(0);
            wrong[at + 7] = said[at + 7].saturating_add(if said[at + 7] < 0 { 9000 } else { -9000 });
            places += 1;
        }
        let found = [clicks(&gaps, rate), clicks(&wrong, rate)];
        println!("{rate:?}: {found:?} of {edges} edges and {places} samples");
        assert!(found[0] as f64 >= edges as f64 * share, "{rate:?}: {} of {edges}", found[0]);
        assert!(found[1] as f64 >= f64::from(places) * share, "{rate:?}: {} of {places}", found[1]);
    }
}
