//! How often each class was given for each label.

use std::collections::BTreeMap;

use crate::ui;

/// Most classes that a matrix is printed for.
const MAX_CLASSES: usize = 64;

/// Samples by label and class.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tally(BTreeMap<(u16, u16), u64>);

impl Tally {
    /// Counts samples.
    pub fn add(&mut self, labels: &[u16], classes: &[u16]) {
        for pair in labels.iter().copied().zip(classes.iter().copied()) {
            *self.0.entry(pair).or_default() += 1;
        }
    }

    /// Samples whose class is their label.
    pub fn correct(&self) -> u64 {
        self.0.iter().filter(|((label, class), _)| label == class).map(|(_, n)| n).sum()
    }

    /// Their share; 0 of no samples.
    pub fn accuracy(&self) -> f64 {
        self.correct() as f64 / self.0.values().sum::<u64>().max(1) as f64
    }

    /// `[label][class]`; `None` of more classes than anybody reads.
    pub fn matrix(&self) -> Option<Vec<Vec<u64>>> {
        let classes = self.0.keys().map(|&(label, class)| usize::from(label.max(class)) + 1).max().unwrap_or(0);
        let cell = |l: usize, c: usize| self.0.get(&(l as u16, c as u16)).copied().unwrap_or(0);
        (classes <= MAX_CLASSES).then(|| (0..classes).map(|l| (0..classes).map(|c| cell(l, c)).collect()).collect())
    }
}

/// A matrix as a table.
pub(super) fn text(matrix: &[Vec<u64>]) -> String {
    if matrix.is_empty() {
        return String::new();
    }
    let head = std::iter::once("label \\ class".to_owned()).chain((0..matrix.len()).map(|c| c.to_string()));
    let rows = matrix
        .iter()
        .enumerate()
        .map(|(l, row)| std::iter::once(l.to_string()).chain(row.iter().map(ToString::to_string)).collect::<Vec<_>>());
    let rows: Vec<Vec<String>> = std::iter::once(head.collect()).chain(rows).collect();
    ui::table(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts() {
        let mut tally = Tally::default();
        assert_eq!((tally.accuracy(), tally.matrix()), (0.0, Some(vec![])));
        tally.add(&[0, 1, 2], &[0, 1, 1]);
        tally.add(&[2], &[2]);
        assert_eq!((tally.correct(), tally.accuracy()), (3, 0.75));
        let matrix = vec![vec![1, 0, 0], vec![0, 1, 0], vec![0, 1, 1]];
        assert_eq!(tally.matrix(), Some(matrix.clone()));
        assert_eq!(
            text(&matrix),
            "label \\ class  0  1  2\n0              1  0  0\n1              0  1  0\n2              0  1  1\n"
        );
        tally.add(&[9999], &[0]);
        assert_eq!(tally.matrix(), None);
    }
}
