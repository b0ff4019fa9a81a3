//! `care`: which addresses of a LUT can occur at all, and LUTs that are right on those only.
//!
//! The inputs of a LUT do not take all values together: bits of a thermometer code imply each other, and so does logic
//! that shares inputs. Addresses that many random samples never reach are candidates; a SAT solver proves each of them
//! impossible on the cone below, or it stays. A LUT then reads the fewest inputs that tell its reachable 1s and 0s apart.
//! The value of no bit changes for any input that can occur, so that LUTs can be taken one by one.
//!
//! After Mishchenko, Brayton, Jiang and Jang, "Scalable don't-care-based logic optimization and resynthesis" (TRETS
//! 2011), with codes known beforehand.

use blc_ir::table::mask;
use blc_ir::{Diagnostic, Func, Level};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::codes;
use crate::logic::proof::Proof;
use crate::logic::samples::Samples;
use crate::logic::{Inputs, Logic};
use crate::pass::{Abort, Changed, Pass, PassCx, PassSpec};
use crate::rng::Rng;

/// Words of samples simulated at once, for all nodes together at most.
const MEMORY: usize = 1 << 24;

/// See the module's words.
#[derive(Debug)]
pub struct Care {
    options: CareOptions,
}

/// Options of [`Care`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CareOptions {
    /// Thousands of samples, 1 to 4096.
    pub samples: usize,
    /// Nodes of a cone that a proof looks at.
    pub cone: usize,
    /// Conflicts that a proof may meet.
    pub conflicts: u64,
}

impl Default for CareOptions {
    fn default() -> Self {
        Self { samples: 64, cone: 150, conflicts: 200 }
    }
}

impl PassSpec for Care {
    const NAME: &'static str = "care";
    const SUMMARY: &'static str =
        "drops inputs of LUTs that no reachable address needs, each address proved impossible";
    const LEVEL: Level = Level::Bit;
    type Options = CareOptions;

    fn build(options: CareOptions) -> Box<dyn Pass> {
        Box::new(Self { options })
    }
}

impl Pass for Care {
    fn run(&mut self, f: &mut Func, cx: &mut PassCx<'_>) -> Result<Changed, Abort> {
        let CareOptions { samples, cone, conflicts } = self.options;
        if !(1..=4096).contains(&samples) {
            let message = format!("`care` cannot simulate {samples} thousand samples");
            return Err(Box::new(Diagnostic::error(&codes::CARE_OPTION, message).help("choose 1 to 4096")));
        }
        let mut logic = Logic::read(f);
        let unseen = unseen(&logic, samples << 10);
        let proved = impossible(&logic, &unseen, cone, conflicts);
        let (mut dropped, mut changed) = (0, false);
        for (node, &free) in proved.iter().enumerate().filter(|(_, free)| **free != 0) {
            let inputs = logic.nodes[node].inputs.clone();
            let (table, kept) = smallest(logic.nodes[node].table, inputs.len(), free);
            if kept.len() < inputs.len() {
                let kept: Inputs = kept.iter().map(|&j| inputs[j]).collect();
                dropped += (inputs.len() - kept.len()) as u64;
                logic.set(node as u32, table, &kept);
                changed = true;
            }
        }
        cx.fact("care.unseen", unseen.iter().map(|u| u64::from(u.count_ones())).sum());
        cx.fact("care.impossible", proved.iter().map(|p| u64::from(p.count_ones())).sum());
        cx.fact("care.inputs_dropped", dropped);
        if changed {
            *f = logic.write(f);
        }
        Ok(changed.into())
    }
}

/// By node, the addresses that no sample reaches.
fn unseen(logic: &Logic, samples: usize) -> Vec<u64> {
    let order = logic.order();
    let mut unseen: Vec<u64> = logic.nodes.iter().map(|n| mask(n.inputs.len())).collect();
    for (unseen, node) in unseen.iter_mut().zip(&logic.nodes) {
        if node.inputs.len() < 2 {
            *unseen = 0;
        }
    }
    let mut rng = Rng::new(1);
    let most = (MEMORY / logic.nodes.len().max(1)).clamp(4, 256);
    let (mut words, mut left) = (16.min(most), samples.div_ceil(64));
    while left > 0 && unseen.iter().any(|&u| u != 0) {
        words = words.min(left);
        let batch = Samples::random(logic, &order, words, &mut rng);
        unseen.par_iter_mut().zip(&logic.nodes).for_each(|(unseen, node)| {
            if *unseen != 0 {
                *unseen &= !batch.addresses(&node.inputs);
            }
        });
        left -= words;
        words = most;
    }
    unseen
}

/// Of these addresses, those that a proof finds impossible.
fn impossible(logic: &Logic, unseen: &[u64], cone: usize, conflicts: u64) -> Vec<u64> {
    let chain_of = logic.chain_of();
    let prove = |(node, &unseen): (usize, &u64)| {
        if unseen == 0 {
            return 0;
        }
        let inputs = &logic.nodes[node].inputs;
        let mut proof = Proof::new(logic, conflicts);
        proof.load(inputs, cone, &chain_of);
        let never = |address: &u32| {
            let lit = |(j, &input): (usize, &u32)| (input, address >> j & 1 == 1);
            proof.never(inputs.iter().enumerate().map(lit))
        };
        (0..1u32 << inputs.len()).filter(|a| unseen >> a & 1 == 1).filter(never).fold(0, |all, a| all | 1u64 << a)
    };
    unseen.par_iter().enumerate().map(prove).collect()
}

/// The fewest of `k` inputs that a table needs where the addresses `free` do not matter, and the table over them.
fn smallest(table: u64, k: usize, free: u64) -> (u64, Vec<usize>) {
    let care = !free & mask(k);
    let project =
        |address: usize, kept: &[usize]| kept.iter().enumerate().fold(0, |p, (i, &j)| p | (address >> j & 1) << i);
    let mut sets: Vec<usize> = (0..1 << k).collect();
    sets.sort_by_key(|set| set.count_ones());
    for set in sets {
        let kept: Vec<usize> = (0..k).filter(|j| set >> j & 1 == 1).collect();
        let (mut ones, mut zeros, mut given) = (0u64, 0u64, 0u64);
        for address in 0..1 << k {
            let place = project(address, &kept);
            let one = table >> address & 1 == 1;
            if care >> address & 1 == 1 {
                *(if one { &mut ones } else { &mut zeros }) |= 1 << place;
            }
            // What stands there for the other inputs 0.
            if address & !set == 0 && one {
                given |= 1 << place;
            }
        }
        if ones & zeros == 0 {
            return (ones | given & !zeros, kept);
        }
    }
    (table, (0..k).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use blc_ir::table::widen;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn right_where_it_matters(table: u64, free: u64, k in 1usize..=6) {
            let table = widen(table, k);
            let (small, kept) = smallest(table, k, free);
            for address in (0..1usize << k).filter(|a| free >> a & 1 == 0) {
                let place = kept.iter().enumerate().fold(0, |p, (i, &j)| p | (address >> j & 1) << i);
                prop_assert_eq!(small >> place & 1, table >> address & 1);
            }
        }
    }

    #[test]
    fn fewest_inputs() {
        // XOR of two bits of which one implies the other reads both; AND reads one.
        assert_eq!(smallest(widen(0x6, 2), 2, 0b0010).1, [0, 1]);
        assert_eq!(smallest(widen(0x8, 2), 2, 0b0010), (0b10, vec![0]));
        assert_eq!(smallest(widen(0x8, 2), 2, 0b1000), (0, vec![]));
    }
}
