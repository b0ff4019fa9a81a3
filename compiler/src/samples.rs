//! Samples for approximate passes, from a data set.

use std::sync::Arc;

use blc_frontend::data::{Dataset, Features, Split};
use blc_passes::approx::{Data, Inputs, Samples};

use crate::ui::Outcome;

/// Reads a data set.
pub fn read(what: &str) -> Outcome<Arc<Data>> {
    let set = Dataset::open(what)?;
    Ok(Arc::new(Data { train: samples(set.train), held_out: samples(set.test) }))
}

fn samples(split: Split) -> Samples {
    let inputs = match split.x {
        Features::U8(x) => Inputs::U8(x),
        Features::F32(x) => Inputs::F32(x),
    };
    Samples { inputs, labels: split.y }
}
