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

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::super::kernel::{self, MAX_ENTRIES, MAX_FAN_IN, Row};
    use super::super::relax::multilinear;
    use super::super::rng::{Stream, Use};
    use super::*;

    /// All floating-point kernels on one random node.
    struct Everything<'a>(&'a mut Vec<f32>);

    impl Kernel for Everything<'_> {
        #[inline(always)]
        fn run(self) {
            let mut rng = Stream::new(1, Use::Init, 0);
            let table: [f32; MAX_ENTRIES] = std::array::from_fn(|_| 2.0 * rng.unit() - 1.0);
            let row: Row = std::array::from_fn(|_| rng.unit());
            let words: [u64; 20] = std::array::from_fn(|_| rng.below(usize::MAX) as u64);
            let mut slopes = [[0.0; MAX_ENTRIES]; MAX_FAN_IN];
            let mut tree = vec![[0.0; 64]; multilinear::tree(MAX_FAN_IN)];
            let (mut dz, mut dx) = ([0.0; MAX_ENTRIES], [[0.0; 64]; MAX_FAN_IN]);
            kernel::slopes(&table, 0.8, &mut slopes);
            let (mut fours, mut sums) = ([[0.0; 4]; 20], [0.0; 20]);
            kernel::masked_sums(&words, &row, &mut fours, &mut sums);
            self.0.extend(slopes.as_flattened());
            self.0.extend(sums);
            self.0.extend(multilinear::forward(&table, &[row; MAX_FAN_IN], &mut tree));
            multilinear::backward(&table, &[row; MAX_FAN_IN], &row, &mut tree, &mut dz, &mut dx);
            self.0.extend(dz);
            self.0.extend(dx.as_flattened());
        }
    }

    #[test]
    #[allow(unsafe_code)]
    fn every_instruction_set_computes_the_same_bits() {
        let bits = |run: &dyn Fn(Everything<'_>)| {
            let mut out = Vec::new();
            run(Everything(&mut out));
            out.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        };
        let plain = bits(&|k| k.run());
        assert_eq!(plain.len(), 8 * 256 + 20 + 64 + 256 + 8 * 64);
        assert_eq!(bits(&|k| widest(k)), plain);
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the feature was just found.
            assert_eq!(bits(&|k| unsafe { avx2(k) }), plain);
        }
    }
}
