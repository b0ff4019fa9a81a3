//! Every target: the golden model, encoder and head in, and other designs, simulated by Icarus with the vendors' models of
//! their cells as Yosys has them, and placed and routed by nextpnr where there is one.

mod common;

use std::path::{Path, PathBuf};

use blc_ir::{Level, Module};
use blc_passes::Target;
use blc_tests::random::design as random;
use common::{compile, golden, report, shared, tool};
use tempfile::tempdir;

/// Where Yosys keeps the models of a family's cells.
fn vendor(family: &str) -> PathBuf {
    let candidates = ["/usr/share/yosys", "/usr/local/share/yosys"];
    let found = candidates.iter().map(|p| Path::new(p).join(family)).find(|p| p.join("cells_sim.v").is_file());
    found.unwrap_or_else(|| panic!("no {family}/cells_sim.v in {candidates:?}: apt-get install yosys"))
}

/// The cells of blc's own library as Yosys reads them.
fn gates(dir: &Path) -> String {
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("../backends/targets/gates.lib");
    let script = format!("read_liberty {}; proc; write_verilog -noattr gates_yosys.v", library.display());
    tool(dir, "yosys", &["-q", "-p", &script]);
    "gates_yosys.v".into()
}

/// Runs a design's testbench with models that are not ours.
fn simulated(dir: &Path, target: &str, name: &str) -> String {
    let models = match target {
        "xc7" | "xcup" => vec![vendor("xilinx").join("cells_sim.v").display().to_string()],
        "ecp5" | "ice40" | "gowin" => {
            let vendor = vendor(target);
            vec![format!("-I{}", vendor.display()), vendor.join("cells_sim.v").display().to_string()]
        }
        "gates" => vec![gates(dir)],
        _ => Vec::new(),
    };
    let (design, testbench) = (format!("{name}.v"), format!("{name}_tb.v"));
    let top = format!("{name}_tb");
    let flags = ["-g2012", "-DNO_ICE40_DEFAULT_ASSIGNMENTS", "-s", &top, "-o", "tb.vvp", &design, &testbench];
    let all: Vec<&str> = flags.into_iter().chain(models.iter().map(String::as_str)).collect();
    tool(dir, "iverilog", &all);
    let text = tool(dir, "vvp", &["-n", "tb.vvp"]);
    text.lines().rfind(|line| !line.contains("$finish")).unwrap_or_default().to_string()
}

fn targets() -> Vec<&'static str> {
    Target::NAMES.into_iter().chain(["ecp5", "ice40", "gowin"]).collect()
}

#[test]
fn every_target_simulates_the_golden_model_with_the_vendors_cells() {
    for (target, stages) in targets().into_iter().zip(["3", "0"].into_iter().cycle()) {
        let dir = tempdir().expect("a folder");
        compile(&golden(), dir.path(), &["--target", target, "--stages", stages, "--emit", "verilog"]);
        assert_eq!(simulated(dir.path(), target, "digits"), "PASS 64 vectors", "{target} {stages}");
        let report = report(dir.path());
        assert_eq!(report["latency_cycles"].as_u64().map(|n| n.to_string()).as_deref(), Some(stages), "{target}");
    }
}

#[test]
fn every_target_simulates_other_designs_with_the_vendors_cells() {
    // Those without data beside them, at bit level: words, too, which the default for netlists has not.
    let bits = |design: &Module| design.resources.is_empty() && design.top().is_some_and(|f| f.level() == Level::Bit);
    let mut designs = (0..).map(random).filter(bits);
    for target in targets() {
        let dir = tempdir().expect("a folder");
        let file = dir.path().join("random.blir");
        let design = designs.next().expect("another design");
        std::fs::write(&file, design.to_string()).expect("written");
        let passes = "lower-encoder,lower-head,@default";
        compile(&file, dir.path(), &["--target", target, "--stages", "2", "--top", "any", "--passes", passes]);
        let said = simulated(dir.path(), target, "any");
        assert!(said.starts_with("PASS "), "{target}: {said}\n{design}");
    }
}

/// Trained networks that lie beside the repository on some machines; elsewhere a part of one that is in it.
#[test]
fn every_target_simulates_trained_networks_with_the_vendors_cells() {
    let found =
        ["dlgn2_4x1000", "lut6_2x300"].into_iter().filter_map(|n| Some((n, shared(&format!("bench/nets/{n}.blif"))?)));
    let mut nets: Vec<(&str, PathBuf)> = found.collect();
    let dir = tempdir().expect("a folder");
    if nets.is_empty() {
        compile(
            &golden(),
            dir.path(),
            &["--target", "lut6", "--no-encoder", "--no-head", "--stages", "0", "--emit", "blif"],
        );
        nets.push(("digits", dir.path().join("digits.blif")));
    }
    for (target, stages) in targets().into_iter().zip(["2", "0"].into_iter().cycle()) {
        for (name, net) in &nets {
            let dir = tempdir().expect("a folder");
            compile(net, dir.path(), &["--target", target, "--stages", stages, "-O0", "--emit", "verilog"]);
            let said = simulated(dir.path(), target, name);
            assert!(said.starts_with("PASS "), "{target} {name}: {said}");
        }
    }
}

#[test]
fn wider_tables_are_fewer() {
    let luts = |target: &str| {
        let dir = tempdir().expect("a folder");
        compile(&golden(), dir.path(), &["--target", target, "--stages", "0", "--emit", "blir"]);
        report(dir.path())["luts"].as_u64().expect("a count")
    };
    let all: Vec<u64> = ["lut4", "lut5", "lut6", "lut7", "lut8"].map(luts).into();
    assert!(all.windows(2).all(|pair| pair[0] > pair[1]), "{all:?}");
}

/// Heads of small tables: full adders, and carry chains where a device's take less.
#[test]
fn heads_of_small_tables_take_fewer_cells() {
    let luts = |target: &str, options: &[&str]| {
        let dir = tempdir().expect("a folder");
        let common = ["--target", target, "--stages", "12", "--emit", "blir"];
        compile(&golden(), dir.path(), &[&common, options].concat());
        report(dir.path())["luts"].as_u64().expect("a count")
    };
    assert!(luts("ice40", &[]) < luts("ice40", &["--forbid", "carry"]));
    // What Yosys' synth_ecp5 makes of the same function and stages: docs/benchmarks/hardware.md.
    let yosys = 4410;
    let ecp5 = luts("ecp5", &[]);
    assert!(100 * ecp5 < 91 * yosys, "{ecp5}");
}

/// Gates as BLIF and JSON, by Yosys' reading of the library, against the same design as tables.
#[test]
fn gates_in_blif_and_json_are_the_design() {
    let (dir, plain) = (tempdir().expect("a folder"), tempdir().expect("a folder"));
    let parts = ["--no-encoder", "--no-head", "--stages", "0", "--emit", "verilog,blif,json"];
    compile(&golden(), dir.path(), &[&["--target", "gates"], &parts[..]].concat());
    compile(&golden(), plain.path(), &[&["--target", "lut6"], &parts[..]].concat());
    gates(dir.path());
    for format in ["blif", "json"] {
        let script = format!(
            "read_{format} digits.{format}; read_verilog gates_yosys.v; hierarchy -top digits; flatten; techmap; opt; \
             write_blif out.blif"
        );
        tool(dir.path(), "yosys", &["-q", "-p", &script]);
        let (a, b) = (dir.path().join("out.blif"), plain.path().join("digits.blif"));
        assert!(common::equivalent(dir.path(), &a, &b), "{format}");
    }
    let report = report(dir.path());
    let cells: u64 = report["gates"]["cells"].as_object().expect("cells").values().filter_map(|n| n.as_u64()).sum();
    let text = std::fs::read_to_string(dir.path().join("digits.blif")).expect("read");
    assert_eq!(text.lines().filter(|line| line.starts_with(".gate ")).count() as u64, cells);
    // The area is that of the cells, as Yosys counts it.
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("../backends/targets/gates.lib");
    let script = format!("read_liberty -lib {0}; read_blif digits.blif; stat -liberty {0}", library.display());
    let said = tool(dir.path(), "yosys", &["-p", &script]);
    let area = said.lines().rfind(|line| line.contains("Chip area")).and_then(|line| line.rsplit(' ').next());
    let area: f64 = area.and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("{said}"));
    assert_eq!(report["gates"]["area"].as_f64(), Some(area));
    assert_eq!(report["gates"]["nand2_equivalents"].as_f64(), Some(area / 4.0));
}
