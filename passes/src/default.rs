//! The pipelines that `@default` stands for: what runs, in which order and why.

use blc_ir::Level;

use crate::target::Target;

/// How many registers a design gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registers {
    /// After the encoder, each layer, and the head's stages.
    PerLayer,
    /// So many stages over the whole design; 0 for none.
    Stages(u32),
    /// So many levels of lookup tables a stage.
    Levels(u32),
}

/// What a design must be for a step to run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    /// Every design.
    All,
    /// A model.
    Model,
    /// A target of Xilinx.
    Xilinx,
}

/// Passes, which designs need them, and why. `{k}`, `{sites}`, `{head}` and `{registers}` are filled
/// in.
const STEPS: &[(&str, For, &str)] = &[
    ("quantize", For::Model, "real inputs become codes; the others pass through"),
    ("expand", For::Model, "from layers to lookup tables, comparisons and sums"),
    (
        "fold",
        For::All,
        "cheap and takes most: what is constant, equal or never read goes before anything is built on it",
    ),
    ("lower-encoder", For::Model, "only the thresholds still in use become tables"),
    ("lower-head{head}", For::Model, "before the cover, so that it sees across the border of network and head"),
    ("fold", For::Model, "constants and inverters that the lowering left; bits taken out of words and put back"),
    ("cover{k={k}{sites}}", For::All, "as few tables, or sites of two small ones, as the target's inputs allow"),
    ("fold", For::All, "tables that became equal"),
    ("pipeline{registers}", For::All, "after the cover, which may move logic between layers"),
    ("to-xc7", For::Xilinx, "two small tables share a site, registers become flip-flops"),
    ("dce", For::All, "what sharing left behind"),
];

/// The default pipeline of a design at a level, as text. A design at hw level stays as it is.
pub fn pipeline(level: Level, target: Target, registers: Registers) -> String {
    if level == Level::Hw {
        return String::new();
    }
    let model = level == Level::Tensor;
    let wanted = |when: &For| match when {
        For::All => true,
        For::Model => model,
        For::Xilinx => target.is_xilinx(),
    };
    let cut = match registers {
        Registers::PerLayer => String::new(),
        Registers::Stages(n) => format!("{{stages={n}}}"),
        Registers::Levels(n) => format!("{{levels={n}}}"),
    };
    let steps = STEPS.iter().filter(|(_, when, _)| wanted(when)).map(|(pass, ..)| *pass);
    let text = steps.collect::<Vec<_>>().join(",");
    let head = match (target, registers) {
        (Target::Xc7, Registers::PerLayer) => "{carry=true,registered=true}",
        (Target::Xc7, _) => "{carry=true}",
        _ => "",
    };
    let sites = if target.is_xilinx() { ",sites=true" } else { "" };
    text.replace("{k}", &target.k().to_string())
        .replace("{sites}", sites)
        .replace("{registers}", &cut)
        .replace("{head}", head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Pipeline, Registry};

    #[test]
    fn every_default_is_a_pipeline() {
        let registry = Registry::standard();
        for name in Target::NAMES {
            let target = Target::parse(name).unwrap();
            for level in [Level::Tensor, Level::Bit, Level::Hw] {
                for registers in [Registers::PerLayer, Registers::Stages(0), Registers::Levels(4)] {
                    let text = pipeline(level, target, registers);
                    let read = Pipeline::parse("@default", &text, &registry).unwrap_or_else(|e| panic!("{e}"));
                    assert_eq!(read.resolved().is_empty(), level == Level::Hw);
                }
            }
        }
        let text = pipeline(Level::Bit, Target::Xc7, Registers::Stages(0));
        assert_eq!(text, "fold,cover{k=6,sites=true},fold,pipeline{stages=0},to-xc7,dce");
        let text = pipeline(Level::Bit, Target::Lut(4), Registers::Stages(2));
        assert_eq!(text, "fold,cover{k=4},fold,pipeline{stages=2},dce");
    }
}
