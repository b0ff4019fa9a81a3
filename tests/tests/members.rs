//! Whatever can be trained can be compiled: every encoder, wiring, fan-in, node, sampling, head and layer, trained a little,
//! frozen, compiled, and the same on all samples in the trainer, the evaluator, the simulator and Icarus.

mod common;

use blc_backends::sim::{Engine, Input, Simulator};
use blc_backends::verilog::testbench::{Vector, hex_vectors};
use blc_frontend::data::{Dataset, Features, Split};
use blc_frontend::lower;
use blc_frontend::model::TensorNames;
use blc_frontend::train::config::*;
use blc_frontend::train::{Config, RunOptions, predict, train};
use blc_ir::eval::{Evaluator, Val};
use common::{compile, design, tool};
use tempfile::tempdir;

/// Noisy images of 6 by 6, of one or of two channels, or samples of one axis; a bright part for each of four classes.
fn data(shape: &[usize]) -> Dataset {
    let features: usize = shape.iter().product();
    let mut state = 88172645463325252u64;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 20) % below
    };
    let mut split = |n: usize| {
        let y: Vec<u16> = (0..n).map(|i| (i % 4) as u16).collect();
        let pixel = |y: u16, f: usize| if f * 4 / features == y as usize { 100 } else { 0 };
        let x =
            y.iter().flat_map(|&y| (0..features).map(move |f| pixel(y, f))).map(|p| p + random(120) as u8).collect();
        Split { x: Features::U8(x), y }
    };
    Dataset { name: "member".into(), shape: shape.to_vec(), classes: 4, train: split(200), test: split(90), soft: None }
}

/// Trains, compiles and compares on every test sample.
fn check(what: &str, shape: &[usize], config: &Config) {
    check_on(what, &data(shape), config);
}

fn check_on(what: &str, data: &Dataset, config: &Config) {
    let config = Config { epochs: 1, batch: 50, ..config.clone() };
    let trained = train(data, &config, &mut (), &RunOptions::default()).unwrap_or_else(|e| panic!("{what}: {e}"));
    let model = trained.model;
    let dir = tempdir().expect("a folder");
    let file = dir.path().join("member.safetensors");
    model.write(&file).unwrap_or_else(|e| panic!("{what}: {e}"));
    compile(&file, dir.path(), &["--target", "xc7"]);
    let compiled = design(dir.path());

    let Features::U8(pixels) = &data.test.x else { panic!("bytes") };
    let tensors = lower::to_ir(&model, "member.safetensors", &TensorNames::standard(&model));
    let mut evaluator = Evaluator::new(&tensors, tensors.top().expect("a function")).expect("valid IR");
    let said = predict(&model, &data.test.x).unwrap_or_else(|e| panic!("{what}: {e}"));
    let groups = said.scores.len() / data.test.len();
    let mut vectors = Vec::new();
    for (i, sample) in pixels.chunks(data.features()).enumerate() {
        let inputs = vec![Val::Packed(sample.iter().map(|&p| p.into()).collect())];
        let outputs = evaluator.run(&inputs).expect("a result");
        let mut expected = vec![Val::Packed(said.scores[i * groups..][..groups].to_vec())];
        if config.head.kind != HeadKind::Count {
            expected.insert(0, Val::Packed(vec![said.classes[i].into()]));
        }
        assert_eq!(outputs, expected, "{what}: sample {i}");
        vectors.push(Vector { inputs, outputs });
    }

    let run = |module: &blc_ir::Module, engine| {
        let simulator = Simulator::new(module, module.top().expect("a design"), engine).expect("a simulator");
        simulator.run(&Input::u8(data.test.len(), pixels)).expect("outputs")
    };
    let difference = run(&tensors, Engine::Reference).first_difference(&run(&compiled, Engine::Portable));
    assert!(difference.is_none(), "{what}: {difference:?}");

    std::fs::write(dir.path().join("all.hex"), hex_vectors(&compiled, &vectors).expect("vectors")).expect("written");
    tool(dir.path(), "iverilog", &["-g2001", "-o", "tb.vvp", "member.v", "member_tb.v", "xc7_sim.v"]);
    let text = tool(dir.path(), "vvp", &["-n", "tb.vvp", "+vectors=all.hex"]);
    assert_eq!(text.lines().last(), Some("PASS 90 vectors"), "{what}");
}

fn small(nodes: usize, fan_in: usize) -> Layer {
    Layer { nodes, fan_in, ..Layer::default() }
}

/// Two layers with an encoder of few bits.
fn base() -> Config {
    let encoder = Encoder { bits: 2, scope: Scope::Global, ..Encoder::default() };
    Config { encoder, layers: vec![small(24, 4), small(16, 3)], ..Config::default() }
}

fn encoder(kind: EncoderKind, bits: usize, scope: Scope) -> Config {
    Config { encoder: Encoder { kind, bits, scope, ..Encoder::default() }, layers: vec![small(16, 4)], ..base() }
}

fn node(kind: NodeKind, sampling: Sampling, fan_in: usize) -> Config {
    let layers = vec![small(20, fan_in), small(16, fan_in)];
    Config { node: Node { kind, sampling, ..Node::default() }, layers, ..base() }
}

#[test]
fn encoders() {
    use EncoderKind::*;
    for (kind, bits, scope) in [
        (Thermometer, 3, Scope::Feature),
        (Gaussian, 3, Scope::Channel),
        (Distributive, 2, Scope::Feature),
        (Learnable, 2, Scope::Channel),
        (Binary, 4, Scope::Global),
        (Gray, 3, Scope::Feature),
        (OneHot, 5, Scope::Channel),
        (SignMagnitude, 4, Scope::Global),
        (Logarithmic, 3, Scope::Feature),
        (FixedPoint, 5, Scope::Feature),
    ] {
        check(&format!("{kind:?}"), &[2, 3, 4], &encoder(kind, bits, scope));
    }
}

#[test]
fn wirings_and_fan_ins() {
    use Wiring::*;
    for (wiring, fan_in, candidates) in
        [(Random, 1, 3), (Unique, 2, 1), (Local, 5, 1), (Local, 6, 4), (Strided, 7, 1), (Grouped, 8, 2), (All, 3, 1)]
    {
        let layer = Layer { wiring, candidates, radius: 1, groups: 3, ..small(16, fan_in) };
        check(&format!("{wiring:?} {fan_in}"), &[6, 6], &Config { layers: vec![layer], ..base() });
    }
}

#[test]
fn nodes() {
    use NodeKind::*;
    use Sampling::*;
    for (kind, sampling, fan_in) in [
        (Dwn, Hard, 4),
        (Hybrid, Soft, 3),
        (Light, Hard, 4),
        (Light, GumbelHard, 6),
        (Difflogic, GumbelSoft, 2),
        (Warp, GumbelHard, 4),
        (Linear, Hard, 5),
        (Polynomial, Soft, 3),
        (Neural, GumbelSoft, 3),
        (Fourier, Hard, 3),
    ] {
        check(&format!("{kind:?} {sampling:?}"), &[6, 6], &node(kind, sampling, fan_in));
    }
    let sinusoid = Node { kind: Light, sampling: Soft, squash: Squash::Sinusoid, ..Node::default() };
    check("sinusoid", &[6, 6], &Config { node: sinusoid, ..base() });
}

#[test]
fn heads() {
    for kind in [HeadKind::Dsp, HeadKind::Tree, HeadKind::Count] {
        let head = Head { kind, weight_bits: 5, ..Head::default() };
        check(&format!("{kind:?}"), &[6, 6], &Config { head, ..base() });
    }
}

#[test]
fn layers() {
    let conv = Layer { kind: LayerKind::Conv, nodes: 4, fan_in: 2, depth: 2, size: 3, ..Layer::default() };
    let pool = Layer { kind: LayerKind::Pool, size: 2, stride: 2, ..Layer::default() };
    let last = small(16, 4);
    let cases: [(&str, &[usize], Vec<Layer>); 5] = [
        ("conv and pool", &[6, 6], vec![Layer { padding: 1, ..conv.clone() }, pool.clone(), last.clone()]),
        ("conv in groups, strided", &[2, 4, 4], vec![Layer { groups: 2, stride: 2, ..conv.clone() }, last.clone()]),
        (
            "conv of one axis, past it",
            &[12],
            vec![Layer { residual: Residual::Concat, padding: 1, ..conv }, pool, last.clone()],
        ),
        ("concat", &[6, 6], vec![Layer { residual: Residual::Concat, ..small(10, 3) }, last.clone()]),
        ("or", &[6, 6], vec![small(12, 3), Layer { residual: Residual::Or, ..small(12, 2) }, last]),
    ];
    for (what, shape, layers) in cases {
        check(what, shape, &Config { layers, ..base() });
    }
}

/// What changes how a network is trained, and not what it is made of: its members come out as any others.
#[test]
fn ways_of_training() {
    let plain = base();
    let taught = Dataset { soft: Some([0.7, 0.1, 0.1, 0.1].repeat(200)), ..data(&[6, 6]) };
    let loss = Loss { distill: 0.5, smoothing: 0.1 };
    check_on("distillation", &taught, &Config { loss, ..plain.clone() });
    let stabilized = |stabilize| Node { stabilize, kind: NodeKind::Light, sampling: Sampling::Soft, ..Node::default() };
    for stabilize in [Stabilize::Layer, Stabilize::Sample] {
        let node = stabilized(stabilize);
        check(&format!("{stabilize:?}"), &[6, 6], &Config { node, ..plain.clone() });
    }
    let all = Augment { shift: 1, mirror: true, reflect: true, affine: 1.0, elastic: 0.5, flip_bits: 0.02 };
    check("augmentation", &[2, 4, 4], &Config { augment: all, ..plain.clone() });
    let regularizer = Regularizer { area: 0.5, gap: 0.1, spectral: 0.1 };
    check("penalties", &[6, 6], &Config { regularizer, ..plain.clone() });
    for schedule in [Schedule::Cosine, Schedule::Step, Schedule::Constant] {
        let optimizer = Optimizer { schedule, warmup: 0.5, weight_decay: 0.01, ..Optimizer::default() };
        let head = Head { last_temperature: Some(1.0), ..Head::default() };
        check(&format!("{schedule:?}"), &[6, 6], &Config { optimizer, head, ..plain.clone() });
    }
}
