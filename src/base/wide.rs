//! Loops over samples for processors that take sixteen or thirty-two of them at a time.
//!
//! A program that runs on any machine of its kind is compiled for the oldest, which takes eight. [`wide`] compiles a function for newer ones, too, and asks the processor
//! which it is to be: one load from memory that is in the cache. [`each`] gives such a loop pieces that are as long for each of them, so that a frame has no rest
//! that is dealt with sample by sample.

#[cfg(target_arch = "x86_64")]
use std::sync::atomic::{AtomicU8, Ordering};

/// Samples in a piece: what the widest takes of 16 bits. A frame of 20 ms is a whole number of pieces at every rate.
pub const PIECE: usize = 32;

/// Compiles a function three times, with AVX-512, with AVX2 and with neither; the processor decides. For loops that the compiler turns into such instructions, over enough samples
/// that the question does not matter. What it calls is to be `#[inline]`.
///
/// Of the processors that have AVX-512, the first ones ran slower for a while after using it, and are given AVX2: those without VBMI2.
macro_rules! wide {
    ($(#[$meta:meta])* $visible:vis fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block) => {
        $(#[$meta])*
        $visible fn $name($($argument: $type),*) $(-> $result)? {
            #[inline(always)]
            fn plain($($argument: $type),*) $(-> $result)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
                fn widest($($argument: $type),*) $(-> $result)? {
                    plain($($argument),*)
                }
                #[target_feature(enable = "avx2")]
                fn wide($($argument: $type),*) $(-> $result)? {
                    plain($($argument),*)
                }
                if crate::base::wide::is_widest() {
                    #[allow(unsafe_code, reason = "the processor was asked")]
                    // SAFETY: it has these instructions.
                    return unsafe { widest($($argument),*) };
                }
                if crate::base::wide::is_wide() {
                    #[allow(unsafe_code, reason = "the processor was asked")]
                    // SAFETY: it has these instructions.
                    return unsafe { wide($($argument),*) };
                }
            }
            plain($($argument),*)
        }
    };
}

pub(crate) use wide;

/// Whether the processor takes sixteen.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub fn is_wide() -> bool {
    #[cfg(test)]
    if tests::MOST.get() < 16 {
        return false;
    }
    std::arch::is_x86_feature_detected!("avx2")
}

/// Whether the processor takes thirty-two, and that does not make it slower.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub fn is_widest() -> bool {
    #[cfg(test)]
    if tests::MOST.get() < 32 {
        return false;
    }
    static KNOWN: AtomicU8 = AtomicU8::new(UNKNOWN);
    const UNKNOWN: u8 = 2;
    match KNOWN.load(Ordering::Relaxed) {
        UNKNOWN => {
            let widest = asked();
            KNOWN.store(u8::from(widest), Ordering::Relaxed);
            widest
        }
        known => known == 1,
    }
}

/// Each bit by itself: who shows a machine to others can leave out any. AVX-512 is said to have AVX2, FMA and F16C.
#[cfg(target_arch = "x86_64")]
#[cold]
fn asked() -> bool {
    std::arch::is_x86_feature_detected!("avx512vbmi2")
        && std::arch::is_x86_feature_detected!("avx512f")
        && std::arch::is_x86_feature_detected!("avx512bw")
        && std::arch::is_x86_feature_detected!("avx512dq")
        && std::arch::is_x86_feature_detected!("avx512vl")
        && std::arch::is_x86_feature_detected!("avx2")
        && std::arch::is_x86_feature_detected!("fma")
        && std::arch::is_x86_feature_detected!("f16c")
}

/// Makes each of `to` from what stands at its place in `from`, as far as both reach.
#[inline(always)]
pub fn each<A: Copy, B>(from: &[A], to: &mut [B], make: impl Fn(A, &mut B)) {
    let length = from.len().min(to.len());
    let (from, from_rest) = from[..length].as_chunks::<PIECE>();
    let (to, to_rest) = to[..length].as_chunks_mut::<PIECE>();
    for (from, to) in from.iter().zip(to) {
        for (from, to) in from.iter().zip(to) {
            make(*from, to);
        }
    }
    for (from, to) in from_rest.iter().zip(to_rest) {
        make(*from, to);
    }
}

/// Changes each.
#[inline(always)]
pub fn alter<A: Copy>(values: &mut [A], change: impl Fn(A) -> A) {
    let (pieces, rest) = values.as_chunks_mut::<PIECE>();
    for piece in pieces {
        for value in piece {
            *value = change(*value);
        }
    }
    for value in rest {
        *value = change(*value);
    }
}

/// Adds up numbers, several at once, as processors add.
#[inline(always)]
pub fn sum<A: Copy>(values: &[A], number: impl Fn(A) -> f32) -> f32 {
    let mut sums = [0.0; PIECE / 2];
    let (pieces, rest) = values.as_chunks::<{ PIECE / 2 }>();
    for piece in pieces {
        for (sum, value) in sums.iter_mut().zip(piece) {
            *sum += number(*value);
        }
    }
    const { assert!(PIECE / 2 == 16, "halved four times") };
    // Halves, and halves of these: one after the other, each waits for the one before.
    for half in [8, 4, 2, 1] {
        for at in 0..half {
            sums[at] += sums[at + half];
        }
    }
    rest.iter().fold(sums[0], |sum, value| sum + number(*value))
}

/// The largest of numbers that are made of values; 0 where there are none.
#[inline(always)]
pub fn largest<A: Copy, N: Copy + Ord + Default>(values: &[A], number: impl Fn(A) -> N) -> N {
    let mut most = [N::default(); PIECE];
    let (pieces, rest) = values.as_chunks::<PIECE>();
    for piece in pieces {
        for (most, value) in most.iter_mut().zip(piece) {
            *most = number(*value).max(*most);
        }
    }
    rest.iter().fold(fold(most, Ord::max), |most, value| number(*value).max(most))
}

/// One of many: half of them with the other half, and again.
#[inline(always)]
pub fn fold<N: Copy>(mut values: [N; PIECE], both: impl Fn(N, N) -> N) -> N {
    const { assert!(PIECE == 32, "halved five times") };
    for at in 0..16 {
        values[at] = both(values[at], values[at + 16]);
    }
    for at in 0..8 {
        values[at] = both(values[at], values[at + 8]);
    }
    for at in 0..4 {
        values[at] = both(values[at], values[at + 4]);
    }
    both(both(values[0], values[1]), both(values[2], values[3]))
}

#[cfg(test)]
pub mod tests {
    use std::cell::Cell;
    use std::fmt::Debug;

    thread_local! {
        /// How many samples at a time this test's processor takes at most.
        pub static MOST: Cell<usize> = const { Cell::new(PIECE) };
    }

    use super::*;

    /// Runs it for each kind of processor that this one can stand for; all of them are to come to the same.
    pub fn on_each<T: PartialEq + Debug>(run: impl Fn() -> T) -> T {
        let [plain, wide, widest] = [8, 16, 32].map(|most| {
            MOST.set(most);
            let came = run();
            MOST.set(PIECE);
            came
        });
        assert_eq!(plain, wide, "with AVX2, if there is");
        assert_eq!(plain, widest, "with AVX-512, if there is");
        plain
    }

    #[test]
    fn pieces_and_what_is_left_over_are_dealt_with_alike() {
        for length in [0, 1, 31, 32, 33, 64, 95, 160] {
            let values: Vec<i16> = (0..length).map(|n| (n * 7 % 61) - 30).collect();
            let mut doubled = vec![0i32; values.len()];
            each(&values, &mut doubled, |value, to| *to = 2 * i32::from(value));
            assert!(doubled.iter().zip(&values).all(|(to, value)| *to == 2 * i32::from(*value)), "{length}");
            let mut altered = values.clone();
            alter(&mut altered, |value| -value);
            assert!(altered.iter().zip(&values).all(|(to, value)| *to == -*value), "{length}");
            let (total, most) =
                (values.iter().copied().map(f32::from).sum::<f32>(), values.iter().map(|v| v.unsigned_abs()).max());
            assert_eq!(sum(&values, f32::from), total, "{length}");
            assert_eq!(largest(&values, i16::unsigned_abs), most.unwrap_or(0), "{length}");
        }
        // Where one is shorter, as far as both reach.
        let mut to = [0; 40];
        each(&[1; 35], &mut to, |value, to| *to = value);
        assert_eq!(to.iter().sum::<i32>(), 35);
    }
}
