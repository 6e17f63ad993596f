//! Sums of frames, and their way back into 16 bits.

use crate::base::wide::{each, largest, wide};

/// Where the soft limit begins (−2.5 dBFS). Lower: loud speech is coloured sooner. Higher: the bend gets harsh.
pub const KNEE: i32 = 24_576;
const ROOM: i32 = i16::MAX as i32 - KNEE;

wide! {
    /// Begins with a frame; beyond its end with silence.
    pub fn set(sum: &mut [i32], frame: &[i16]) {
        each(frame, sum, |sample, sum| *sum = i32::from(sample));
        sum.iter_mut().skip(frame.len()).for_each(|sum| *sum = 0);
    }
}

wide! {
    /// Adds a frame.
    pub fn add(sum: &mut [i32], frame: &[i16]) {
        each(frame, sum, |sample, sum| *sum += i32::from(sample));
    }
}

wide! {
    /// Takes a frame out again: exact, since the sum was never cut.
    pub fn subtract(sum: &mut [i32], frame: &[i16]) {
        each(frame, sum, |sample, sum| *sum -= i32::from(sample));
    }
}

/// Adds a frame at a gain, of 256.
pub fn add_at(sum: &mut [i32], frame: &[i16], gain: i32) {
    match gain {
        0 => {}
        256 => add(sum, frame),
        _ => sum.iter_mut().zip(frame).for_each(|(sum, sample)| *sum += (i32::from(*sample) * gain) >> 8),
    }
}

/// Gives a frame that was added at one gain another: exact, as [`subtract`] is.
pub fn regain(sum: &mut [i32], frame: &[i16], from: i32, to: i32) {
    match from {
        0 => {}
        256 => subtract(sum, frame),
        _ => sum.iter_mut().zip(frame).for_each(|(sum, sample)| *sum -= (i32::from(*sample) * from) >> 8),
    }
    add_at(sum, frame, to);
}

wide! {
    /// Bends what is too loud towards full scale; what lies below the knee stays as it is.
    pub fn limit(sum: &[i32], out: &mut [i16]) {
        let loudest = largest(sum, i32::unsigned_abs);
        if loudest <= KNEE.unsigned_abs() {
            each(sum, out, |sample, out| *out = sample as i16);
        } else {
            each(sum, out, |sample, out| *out = bend(sample));
        }
    }
}

/// Bends one sample.
#[inline]
pub fn bend(sample: i32) -> i16 {
    let over = sample.unsigned_abs().saturating_sub(KNEE.unsigned_abs()).min(1 << 20) as i32;
    if over == 0 {
        return sample as i16;
    }
    // over → ROOM · over / (ROOM + over): slope 1 at the knee, never past full scale.
    let bent = KNEE + (i64::from(ROOM) * i64::from(over) / i64::from(ROOM + over)) as i32;
    (if sample < 0 { -bent } else { bent }) as i16
}

/// Scales a frame by a gain that goes evenly from one value to another, in 1/256.
pub fn ramp(frame: &mut [i16], from: i32, to: i32) {
    if from == 256 && to == 256 {
        return;
    }
    let length = i32::try_from(frame.len()).unwrap_or(i32::MAX);
    for (index, sample) in (0..length).zip(frame.iter_mut()) {
        let gain = from + (to - from) * index / length;
        *sample = ((i32::from(*sample) * gain) >> 8) as i16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::wide::tests::on_each;
    use crate::media::FRAME;

    #[test]
    fn sums_are_the_same_by_whatever_processor() {
        for length in [1, 31, 160, 161, 960] {
            let frame: Vec<i16> = (0..length).map(|n| (n * 9973 % 65_536 - 32_768) as i16).collect();
            let (sum, out) = on_each(|| {
                let (mut total, mut out) = (vec![7; frame.len()], vec![0; frame.len()]);
                set(&mut total, &frame);
                (0..3).for_each(|_| add(&mut total, &frame));
                subtract(&mut total, &frame);
                limit(&total, &mut out);
                (total, out)
            });
            assert!(sum.iter().zip(&frame).all(|(sum, sample)| *sum == 3 * i32::from(*sample)), "{length}");
            assert!(out.iter().zip(&sum).all(|(out, sum)| *out == bend(*sum)), "{length}");
        }
    }

    #[test]
    fn four_people_shouting_do_not_wrap_and_silence_stays_silence() {
        let mut sum = [0; FRAME];
        (0..4).for_each(|_| add(&mut sum, &[i16::MIN; FRAME]));
        let mut out = [1; FRAME];
        limit(&sum, &mut out);
        assert!(out.iter().all(|s| *s < -30_000));
        (0..4).for_each(|_| subtract(&mut sum, &[i16::MIN; FRAME]));
        limit(&sum, &mut out);
        assert_eq!(out, [0; FRAME]);
        let (mut last, mut at) = (0, 0);
        while at < 200_000 {
            let bent = bend(at);
            assert!(bent >= last && bend(-at) == -bent, "monotonic and even");
            (last, at) = (bent, at + 37);
        }
    }
}
