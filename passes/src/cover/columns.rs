//! Tables of many inputs as functions of codes (Roth and Karp, "Minimization over Boolean graphs", 1962).
//!
//! For each value of some *bound* inputs a table leaves a function of the others: its column. Where only few columns differ,
//! their number in binary says all that the others need to know of the bound inputs. Columns are numbered by how many ones
//! they have, so that what rises with the bound inputs rises with the code: the table of a cut weighted sum stays one.
//! Codes without a column give the last.

use super::wide::Wide;

/// A table split: `rest` of the codes, lowest inputs first, and the inputs that are not bound.
pub struct Split {
    /// Positions of the bound inputs.
    pub bound: Vec<usize>,
    /// Tables over the bound inputs, one a bit of the code.
    pub codes: Vec<u64>,
    /// Of the codes and of the other inputs in their order.
    pub rest: Wide,
}

/// Splits by up to `most` bound inputs, for each number of them that saves inputs. Bound are those that matter least.
pub fn splits(table: &Wide, most: usize) -> Vec<Split> {
    let mut free: Vec<usize> = (0..table.inputs).collect();
    free.sort_by_key(|&j| table.influence(j));
    let (mut bound, mut columns) = (Vec::new(), vec![table.clone()]);
    let mut found = Vec::new();
    for &j in free.iter().take(most) {
        // Positions among the inputs still there.
        let place = j - bound.iter().filter(|&&b| b < j).count();
        let [low, high]: [Vec<Wide>; 2] =
            columns.iter().map(|c| c.cofactors(place)).fold(Default::default(), |mut halves, [a, b]| {
                halves[0].push(a);
                halves[1].push(b);
                halves
            });
        columns = [low, high].concat();
        bound.push(j);
        let mut classes = columns.clone();
        classes.sort_unstable_by(|a, b| a.ones().cmp(&b.ones()).then_with(|| a.words.cmp(&b.words)));
        classes.dedup();
        let bits = classes.len().next_power_of_two().trailing_zeros() as usize;
        if bits < bound.len() && bound.len() >= 2 {
            let number: Vec<usize> = columns.iter().map(|c| classes.iter().position(|k| k == c).unwrap_or(0)).collect();
            let code = |bit: usize| number.iter().enumerate().fold(0, |t, (a, n)| t | ((n >> bit & 1) as u64) << a);
            let rest = Wide::joined(bits, &classes);
            found.push(Split { bound: bound.clone(), codes: (0..bits).map(code).collect(), rest });
        }
    }
    found
}
