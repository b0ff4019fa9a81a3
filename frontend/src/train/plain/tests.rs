//! The kernels and the tensor operations beside each other, on the same parameters and samples.

use candle_core::{Device, Var};

use super::super::compute::Compute;
use super::super::config::*;
use super::super::network::Network;
use super::super::optim::Parameter;
use super::super::volume::Field;
use super::super::{area::Penalty, kernel::LANES, tensors};
use super::Tensor;
use crate::rng::{Stream, Use};

const CLASSES: usize = 4;
const SAMPLES: usize = 100;
const LANES_IN_TEST: usize = 2 * LANES;

/// Bits of images of 6 by 6.
fn field() -> Field {
    Field::of_encoder(&[6, 6], 2, &(0..72).filter(|bit| bit % 7 != 3).collect::<Vec<_>>())
}

/// Loss, sums, and gradients by name, of one step.
type Outcome = Vec<(String, Vec<f32>)>;

/// A step of a network of random parameters, where `x` is what the encoder gives.
fn step(config: &Config, compute: Compute, x: &Tensor) -> Outcome {
    let network = Network::new(config, field(), CLASSES, compute).unwrap();
    let labels: Vec<u32> = (0..SAMPLES as u32).map(|i| i * 5 % 4).collect();
    let soft: Vec<f32> = (0..SAMPLES * CLASSES).map(|i| (i * 11 % 5) as f32 / 8.0).collect();
    let (sums, costs) = network.sums(x, 3).unwrap();
    let loss = network.head().loss(&sums, &labels, Some(&soft), &config.loss, 0.5).unwrap();
    let whole = costs.map_or_else(|| loss.clone(), |costs| (&loss + costs).unwrap());
    let gradients = whole.backward().unwrap();
    let of = |(name, parameter): (String, &Parameter)| {
        let found = gradients.get(&parameter.var).map(|g| tensors::copy(&g.contiguous().unwrap()).unwrap());
        (name, found.unwrap_or_else(|| parameter.state().gradient.clone()))
    };
    let inputs = gradients.get(x).map(|g| ("inputs".to_owned(), tensors::copy(&g.contiguous().unwrap()).unwrap()));
    let known =
        [("loss".to_owned(), vec![loss.to_scalar().unwrap()]), ("sums".to_owned(), tensors::copy(&sums).unwrap())];
    known.into_iter().chain(inputs).chain(network.parameters().map(of)).collect()
}

/// Checks that both ways give the same, but for rounding: some hundred additions in single precision of numbers no larger than the
/// largest.
fn check(what: &str, config: &Config) {
    let mut rng = Stream::new(5, Use::Init, 77);
    let numbers = (0..field().width * LANES_IN_TEST).map(|_| rng.unit().round()).collect();
    let bits = Tensor::from_vec(numbers, (field().width, LANES_IN_TEST), &Device::Cpu).unwrap();
    let run = |compute| step(config, compute, Var::from_tensor(&bits).unwrap().as_tensor());
    let [kernels, tensors] = [Compute::Cpu, Compute::Plain].map(run);
    assert_eq!(kernels.len(), tensors.len(), "{what}");
    for ((name, a), (other, b)) in kernels.iter().zip(&tensors) {
        assert!(name == other && a.len() == b.len(), "{what}: {name} {other}");
        let most = a.iter().fold(0f32, |most, a| most.max(a.abs()));
        assert!(most > 0.0, "{what}: no {name}");
        for (i, (a, b)) in a.iter().zip(b).enumerate() {
            assert!((a - b).abs() <= 2e-5 * most, "{what}: {name} {i} is {a} and {b}, at most {most}");
        }
    }
}

/// Two dense layers, of which the second learns its wiring.
fn dense(node: Node, k: usize) -> Config {
    let layers = vec![
        Layer { nodes: 40, fan_in: k, ..Layer::default() },
        Layer { nodes: 24, fan_in: k, candidates: 3, ..Layer::default() },
    ];
    Config { layers, node, ..Config::default() }
}

#[test]
fn nodes_of_every_kind_and_sampling() {
    use {NodeKind::*, Sampling::*};
    for kind in [Dwn, Hybrid, Light, Difflogic, Warp, Linear, Polynomial, Neural, Fourier] {
        for sampling in [Hard, Soft, GumbelHard, GumbelSoft] {
            for squash in [Squash::Sigmoid, Squash::Sinusoid] {
                let no_logit = kind == Fourier || squash == Squash::Sinusoid;
                let squashed = matches!(kind, Light | Hybrid);
                let refused = kind == Dwn && sampling != Hard || sampling.is_gumbel() && no_logit;
                if refused || !squashed && squash == Squash::Sinusoid {
                    continue;
                }
                for k in if kind == Difflogic { vec![2] } else { vec![1, 4] } {
                    let node = Node { kind, sampling, squash, temperature: 0.7, units: 3, ..Node::default() };
                    check(&format!("{kind:?} {sampling:?} {squash:?} {k}"), &dense(node, k));
                }
            }
        }
    }
}

#[test]
fn layers_of_every_kind() {
    let image =
        |kind, residual| Layer { kind, nodes: 4, fan_in: 2, depth: 2, padding: 1, residual, ..Layer::default() };
    let last = Layer { nodes: 24, fan_in: 3, ..Layer::default() };
    let whole = |wiring, candidates| Layer { wiring, candidates, nodes: 36, fan_in: 3, ..Layer::default() };
    let cases = [
        (
            "convolution and pool",
            vec![
                image(LayerKind::Conv, Residual::None),
                Layer { size: 2, stride: 2, ..image(LayerKind::Pool, Residual::None) },
                last.clone(),
            ],
        ),
        ("concatenation", vec![image(LayerKind::Conv, Residual::Concat), last.clone()]),
        ("or", vec![Layer { residual: Residual::Or, nodes: field().width, ..whole(Wiring::Random, 1) }, last.clone()]),
        ("all", vec![whole(Wiring::Random, 1), Layer { nodes: 24, ..whole(Wiring::All, 1) }]),
        ("local", vec![whole(Wiring::Local, 4), last.clone()]),
        (
            "pairs",
            vec![
                Layer { pairs: true, ..whole(Wiring::Random, 1) },
                Layer { pairs: true, nodes: 24, ..whole(Wiring::Random, 5) },
            ],
        ),
        ("wide", vec![Layer { fan_in: 8, ..whole(Wiring::Grouped, 2) }, Layer { fan_in: 7, ..last.clone() }]),
    ];
    for (name, layers) in cases {
        for (kind, sampling) in
            [(NodeKind::Dwn, Sampling::Hard), (NodeKind::Light, Sampling::Soft), (NodeKind::Warp, Sampling::GumbelSoft)]
        {
            let node = Node { kind, sampling, ..Node::default() };
            check(&format!("{name} {kind:?}"), &Config { layers: layers.clone(), node, ..Config::default() });
        }
    }
}

#[test]
fn heads_losses_regularizers_and_stabilized_gradients() {
    let config = |kind| dense(Node { kind, ..Node::default() }, 3);
    for kind in [HeadKind::Sum, HeadKind::Dsp, HeadKind::Tree, HeadKind::Count] {
        let head = Head { kind, temperature: Some(2.0), last_temperature: Some(1.0), ..Head::default() };
        let loss = Loss { smoothing: 0.1, distill: 0.3 };
        check(&format!("{kind:?}"), &Config { head, loss, ..config(NodeKind::Dwn) });
    }
    for kind in [NodeKind::Dwn, NodeKind::Light, NodeKind::Difflogic, NodeKind::Neural] {
        let k = if kind == NodeKind::Difflogic { 2 } else { 3 };
        let regularizer = Regularizer { gap: 0.02, spectral: 0.03, ..Regularizer::default() };
        let config = Config { regularizer, ..dense(Node { kind, ..Node::default() }, k) };
        check(&format!("regularised {kind:?}"), &config);
    }
    for stabilize in [Stabilize::Layer, Stabilize::Sample] {
        let mut config = config(NodeKind::Light);
        config.node.stabilize = stabilize;
        check(&format!("{stabilize:?}"), &config);
    }
}

#[test]
fn tables_shrink_as_by_the_kernels() {
    let penalty = Penalty { area: 0.4, ..Penalty::default() };
    let mut rng = Stream::new(6, Use::Init, 0);
    let table: Vec<f32> = (0..5 * 16).map(|i| if i < 32 { rng.unit() - 0.5 } else { 0.1 * rng.unit() }).collect();
    let tensor = Tensor::from_slice(&table, (5, 16), &Device::Cpu).unwrap();
    for rate in [0.0, 0.2] {
        let found = tensors::copy(&penalty.tensor_shrink(&tensor, rate).unwrap()).unwrap();
        let mut expected = table.clone();
        expected.chunks_mut(16).for_each(|table| penalty.shrink(table, rate as f32));
        assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-6), "{rate}: {found:?} {expected:?}");
    }
}
