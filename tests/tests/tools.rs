//! Tools on random designs: what they shrink is still a module that fails, and what they draw can be looked at.

use blc_backends::svg;
use blc_ir::diag::Source;
use blc_ir::{Module, parse, verify};
use blc_passes::reduce::{Answer, reduce};
use blc_tests::random::design;

/// The mnemonics of a module's top.
fn mnemonics(module: &Module) -> Vec<&'static str> {
    let mut all: Vec<_> = module.top().into_iter().flat_map(|f| f.ops().map(|(_, op)| op.info().mnemonic)).collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[test]
fn reduced_designs_fail_and_are_small() {
    let mut reduced = 0;
    for seed in 0..24 {
        let design = design(seed);
        // A "bug" that shows wherever an op of some kind stands beside one of another.
        let all = mnemonics(&design);
        let bug = [all[seed as usize % all.len()], all[seed as usize / 2 % all.len()]];
        let shows = |text: &str| bug.iter().all(|m| text.contains(&format!(" {m}")));
        assert!(shows(&design.to_string()), "seed {seed}");
        let mut tries = 0;
        let found = reduce(design.clone(), 3_000, &mut |text, _| {
            tries += 1;
            let module = parse::parse(&Source::new("candidate", text)).expect("a candidate is a text");
            assert!(verify::verify(&module).is_empty(), "seed {seed}: a candidate is not verified\n{text}");
            if shows(text) { Answer::Fails } else { Answer::Passes }
        });
        let text = found.module.to_string();
        assert!(shows(&text), "seed {seed}\n{text}");
        assert_eq!(found.tries, tries);
        // Two ops, and what their types need to be made and read.
        assert!(!found.complete || found.size.ops <= 6, "seed {seed}: {} ops for {bug:?}\n{text}", found.size.ops);
        reduced += usize::from(found.complete && found.module.funcs[0].op_count() < design.funcs[0].op_count());
    }
    assert!(reduced > 12, "{reduced} of 24");
}

#[test]
fn a_stop_ends_at_once() {
    let design = design(1);
    let mut tries = 0;
    let found = reduce(design.clone(), 1_000, &mut |_, _| {
        tries += 1;
        Answer::Stop
    });
    assert_eq!((tries, found.tries, found.complete), (1, 1, false));
    assert_eq!(mnemonics(&found.module), mnemonics(&design));
}

#[test]
fn cones_are_drawn_inside_the_picture() {
    let (mut drawn, mut boxes) = (0, 0);
    for seed in 0..40 {
        let module = design(seed);
        let Some(f) = module.top() else { continue };
        for port in &f.results {
            // Too large for a picture is an error with a code, never anything else.
            let picture = match svg::cone(&module, f, port.value, &port.name, 6) {
                Ok(picture) => picture,
                Err(d) => {
                    assert_eq!(d.code.id, "BL3005");
                    continue;
                }
            };
            drawn += 1;
            let number = |rest: &str| rest.split('"').nth(1).and_then(|n| n.parse::<f32>().ok()).unwrap_or(f32::NAN);
            let attribute = |line: &str, name: &str| number(line.split(&format!(" {name}=")).nth(1).unwrap_or(""));
            let (width, height) = (attribute(&picture, "width"), attribute(&picture, "height"));
            for line in picture.lines().filter(|l| l.starts_with("<rect class") && !l.contains("page")) {
                let [x, y, w, h] = ["x", "y", "width", "height"].map(|name| attribute(line, name));
                assert!(x >= 0.0 && y >= -0.1 && x + w <= width && y + h <= height, "seed {seed}: {line}");
                boxes += 1;
            }
        }
    }
    assert!(drawn >= 30 && boxes > 300, "{drawn} pictures of {boxes} boxes");
}
