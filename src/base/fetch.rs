//! Asks the processor for memory ahead of its use.
//!
//! Who goes through thousands of calls, each of which waits for its own memory, does nothing else: 20 ms later none of it is in the
//! processor's caches. Asked for some calls ahead, it is there when it is needed.

#![allow(unsafe_code, reason = "a hint to the processor, which reads nothing and cannot fail")]

/// Bytes that come together.
const LINE: usize = 64;

/// The most that is asked for at once. More: what is asked for pushes out what is there.
const MOST: usize = 4096;

/// Asks for all of a value; of what it points to, for nothing.
#[inline]
pub fn fetch<T: ?Sized>(value: &T) {
    lines(std::ptr::from_ref(value).cast(), size_of_val(value));
}

/// Asks for all from one part of a value to the end of another that lies behind it.
#[inline]
pub fn fetch_from<A: ?Sized, B: ?Sized>(first: &A, last: &B) {
    let start = std::ptr::from_ref(first).cast::<u8>();
    let end = std::ptr::from_ref(last).cast::<u8>().addr() + size_of_val(last);
    lines(start, end.saturating_sub(start.addr()).min(MOST));
}

#[inline]
fn lines(start: *const u8, length: usize) {
    // From the beginning of its first line.
    let first = start.addr() % LINE;
    for line in 0..(first + length).div_ceil(LINE) {
        hint(start.wrapping_sub(first).wrapping_add(line * LINE));
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn hint(line: *const u8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: whatever the address is, nothing is read and nothing can go wrong.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(line.cast()) };
}

#[cfg(target_arch = "aarch64")]
#[inline]
fn hint(line: *const u8) {
    // SAFETY: whatever the address is, nothing is read and nothing can go wrong.
    unsafe { std::arch::asm!("prfm pldl1keep, [{}]", in(reg) line, options(nostack, preserves_flags, readonly)) };
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn hint(_line: *const u8) {}
