//! Runs a kernel compiled for the widest vectors this processor has.
//!
//! The kernels are plain Rust over fixed-size arrays; only the compiler's choice of instructions differs. None of
//! them reorders a floating-point sum, so every processor computes the same bits.
#![allow(unsafe_code)] // Only to call a `#[target_feature]` function, always after the processor said it has them.

/// A computation worth compiling for several instruction sets. `run` must be `#[inline(always)]`.
pub trait Kernel {
    /// Does the work.
    fn run(self);
}

/// Runs `kernel` with the widest instructions available.
#[inline]
pub fn widest<K: Kernel>(kernel: K) {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
        {
            // SAFETY: the four features were just found.
            return unsafe { avx512(kernel) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the feature was just found.
            return unsafe { avx2(kernel) };
        }
    }
    kernel.run();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn avx512<K: Kernel>(kernel: K) {
    kernel.run();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2<K: Kernel>(kernel: K) {
    kernel.run();
}
