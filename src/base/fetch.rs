//! Asks the processor for memory ahead of its use.
//!
//! Who goes through thousands of calls, each of which waits for its own memory, does nothing else: 20 ms later none of it is in the
//! processor's caches. Asked for some calls ahead, it is there when it is needed.

#![allow(unsafe_code, reason = "a hint to the processor, which reads nothing and cannot fail")]

/// Bytes that come together.
const LINE: usize = 64;

/// Asks for all of a value; of what it points to, for nothing.
#[inline]
pub fn fetch<T: ?Sized>(value: &T) {
    let start = std::ptr::from_ref(value).cast::<u8>();
    let length = size_of_val(value);
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
