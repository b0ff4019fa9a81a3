//! Samples of data sets: for approximate passes, and as files that `blc sim` reads.

use std::path::Path;
use std::sync::Arc;

use blc_frontend::data::{Array, Dataset, Elements, Features, Holdout, Split, npy};
use blc_passes::approx::{Data, Inputs, Samples};

use crate::ui::Outcome;

/// Reads a data set: its test samples measure, and of the others those that `blc train` holds out choose.
pub fn read(what: &str) -> Outcome<Arc<Data>> {
    let set = Dataset::open(what)?;
    let holdout = Holdout::standard(&set.train.y, set.classes);
    let features = set.features();
    let [train, choice] = [&holdout.train, &holdout.validation].map(|rows| picked(&set.train, features, rows));
    Ok(Arc::new(Data { train, choice, held_out: samples(set.test) }))
}

/// Writes the test samples of a data set, `[samples, ...]`, and their classes.
pub fn write_test(what: &str, x: &Path, y: &Path) -> Outcome {
    let set = Dataset::open(what)?;
    let samples = set.test.len();
    let data = match set.test.x {
        Features::U8(x) => Elements::U8(x),
        Features::F32(x) => Elements::F32(x),
    };
    npy::write(x, &Array { shape: [vec![samples], set.shape].concat(), data })?;
    Ok(npy::write(y, &Array { shape: vec![samples], data: Elements::U16(set.test.y) })?)
}

fn picked(split: &Split, features: usize, rows: &[u32]) -> Samples {
    fn pick<T: Copy>(x: &[T], rows: &[u32], features: usize) -> Vec<T> {
        rows.iter().flat_map(|&i| &x[i as usize * features..][..features]).copied().collect()
    }
    let inputs = match &split.x {
        Features::U8(x) => Inputs::U8(pick(x, rows, features)),
        Features::F32(x) => Inputs::F32(pick(x, rows, features)),
    };
    Samples { inputs, labels: rows.iter().map(|&i| split.y[i as usize]).collect() }
}

fn samples(split: Split) -> Samples {
    let inputs = match split.x {
        Features::U8(x) => Inputs::U8(x),
        Features::F32(x) => Inputs::F32(x),
    };
    Samples { inputs, labels: split.y }
}
