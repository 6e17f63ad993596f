//! Speech a little shorter or longer, by about a pitch period under a cross-fade.
//!
//! A voice is changed by whole periods only: by anything else the cross-fade would be heard as a hollow. What has no
//! period (noise, most consonants, pauses) is changed by anything.

use super::conceal::{LONGEST_PERIOD, best_lag};
use super::timeline::LEAST_SHIFT;
use super::{FRAME, Rate};

/// Shortest period looked for.
const SHORTEST_LAG: usize = LEAST_SHIFT as usize;

/// What comes, what is played before it and after it, at the highest rate.
const MOST: usize = (LONGEST_PERIOD + FRAME + LONGEST_PERIOD) * Rate::Full.factor();

/// From here on a frame is a voice with this period, and two frames are of one phase. Higher: rough voices are left as they
/// are, and delay with them. Lower: they are changed out of phase.
const ALIKE: f32 = 0.6;

/// Delay that is taken back whatever it sounds like: 60 ms. More: a voice that never pauses keeps it. Less: it is heard.
const TOO_MUCH: i64 = 480;

/// How much of what is wanted can be had in one frame.
pub fn most(wanted: i64) -> usize {
    usize::try_from(wanted.unsigned_abs()).unwrap_or(0).min(LONGEST_PERIOD)
}

/// Plays a frame shortened (`wanted` positive) or stretched; returns by how much, 0 where it cannot.
///
/// `before` is what was heard last, `LONGEST_PERIOD` times `factor` samples at least; `here` what comes: a frame, and
/// [`most`] more where it is to be shortened.
pub fn play(wanted: i64, factor: usize, before: &[i16], here: &[i16], out: &mut [i16]) -> i64 {
    let most = most(wanted);
    let shorten = wanted > 0;
    let base = LONGEST_PERIOD * factor;
    let frame = FRAME * factor;
    let needed = frame + if shorten { most * factor } else { 0 };
    let Some(before) = before.len().checked_sub(base).and_then(|from| before.get(from..)) else { return 0 };
    if most == 0 || here.len() < needed || out.len() < frame {
        return 0;
    }
    let mut all = [0.0f32; MOST];
    for (value, sample) in all.iter_mut().zip(before.iter().chain(here)) {
        *value = f32::from(*sample);
    }
    let other = |lag: usize| {
        let from = if shorten { base + lag } else { base - lag };
        all.get(from..from + frame).unwrap_or(&[])
    };
    let now = all.get(base..base + frame).unwrap_or(&[]);
    let least = most.min(usize::try_from(LEAST_SHIFT).unwrap_or(1));
    // To fall short would ask for a last step shorter than any period: better a period too much.
    let lags = if shorten || most == LONGEST_PERIOD {
        (least * factor, most * factor)
    } else {
        (most.max(SHORTEST_LAG) * factor, base)
    };
    let (lag, alike) = best_lag(now, lags, 2 * factor, other);
    if alike < ALIKE && wanted < TOO_MUCH {
        let earlier = |lag: usize| all.get(base - lag..base - lag + frame).unwrap_or(&[]);
        let (_, voiced) = best_lag(now, (SHORTEST_LAG * factor, base), 2 * factor, earlier);
        if voiced >= ALIKE {
            return 0;
        }
    }
    // Media time counts in 1/8000 s.
    let lag = lag / factor;
    for (index, ((sample, a), b)) in out.iter_mut().zip(now).zip(other(lag * factor)).enumerate() {
        let weight = index as f32 / frame as f32;
        *sample = (a + (b - a) * weight) as i16;
    }
    let lag = i64::try_from(lag).unwrap_or(0);
    if shorten { lag } else { -lag }
}
