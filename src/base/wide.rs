//! Loops over samples for processors that take sixteen of them at a time.
//!
//! A program that runs on any machine of its kind is compiled for the oldest, which takes eight. [`wide`] compiles a function for newer ones, too, and asks the processor
//! which it is to be: one load from memory that is in the cache.

/// Compiles a function twice, with AVX2 and without; the processor decides. For loops that the compiler turns into such instructions, over enough samples that
/// the question does not matter. What it calls is to be `#[inline]`.
macro_rules! wide {
    ($(#[$meta:meta])* $visible:vis fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block) => {
        $(#[$meta])*
        $visible fn $name($($argument: $type),*) $(-> $result)? {
            #[inline(always)]
            fn plain($($argument: $type),*) $(-> $result)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2")]
                fn wide($($argument: $type),*) $(-> $result)? {
                    plain($($argument),*)
                }
                if std::arch::is_x86_feature_detected!("avx2") {
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
