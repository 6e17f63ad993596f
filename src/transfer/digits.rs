//! Digits that people read out: the last one tells a slip from a guess.

/// Digits of a code that is good for minutes, the check digit among them.
pub const DIGITS: usize = 6;

/// Digits of a printed code, the check digit among them: it is good for months. Fewer: at ten thousand codes one guess in ten
/// thousand were right, which the limits on wrong ones do not hold up for a year. More: nobody keys them without a slip.
pub const PRINTED_DIGITS: usize = 10;

/// The table of Damm's check digit ("Total anti-symmetrische Quasigruppen", 2004): it finds every wrong digit and every two neighbours
/// that were swapped, which a sum of digits does not.
const DAMM: [[u8; 10]; 10] = [
    [0, 3, 1, 7, 5, 9, 8, 6, 4, 2],
    [7, 0, 9, 2, 1, 5, 4, 8, 6, 3],
    [4, 2, 0, 6, 8, 7, 1, 3, 5, 9],
    [1, 7, 5, 0, 9, 8, 3, 4, 2, 6],
    [6, 1, 2, 3, 0, 4, 5, 9, 7, 8],
    [3, 6, 7, 4, 2, 0, 9, 5, 8, 1],
    [5, 8, 6, 9, 7, 2, 0, 1, 3, 4],
    [8, 9, 4, 5, 3, 6, 2, 0, 1, 7],
    [9, 4, 3, 8, 6, 1, 7, 2, 0, 5],
    [2, 5, 8, 1, 4, 3, 6, 7, 9, 0],
];

/// The digits of `number`, as many as are asked for, with their check digit behind them.
pub fn with_check(number: u64, digits: usize) -> String {
    let width = digits.saturating_sub(1);
    let plain = format!("{number:0width$}");
    let last = damm(&plain).unwrap_or(0);
    format!("{plain}{last}")
}

/// Whether these are digits whose last one fits the others.
pub fn check(digits: &str) -> bool {
    digits.len() > 1 && damm(digits) == Some(0)
}

fn damm(digits: &str) -> Option<u8> {
    digits.bytes().try_fold(0u8, |so_far, byte| {
        let digit = byte.is_ascii_digit().then(|| byte - b'0')?;
        DAMM.get(usize::from(so_far))?.get(usize::from(digit)).copied()
    })
}
