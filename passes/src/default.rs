//! The pipelines that `@default` stands for: what runs, in which order and why.

use blc_ir::Level;

use crate::head::Ripple;
use crate::target::Target;
use crate::timing::Delays;

/// How many registers a design gets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Registers {
    /// After the encoder, each layer, and the head's stages.
    PerLayer,
    /// So many stages over the whole design; 0 for none.
    Stages(u32),
    /// So many levels of lookup tables a stage.
    Levels(u32),
    /// As few as a period of so many ns takes.
    Period(f64),
    /// So many stages of so many ns, of as few registers as that takes.
    StagesAt(u32, f64),
    /// As many stages as fit into so many ns.
    Latency(f64),
}

/// How a head is built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Head {
    /// Of as few sites as are found.
    #[default]
    Small,
    /// With as few levels, of lookup tables alone.
    Fast,
}

impl std::str::FromStr for Head {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "small" => Ok(Self::Small),
            "fast" => Ok(Self::Fast),
            _ => Err("say `small` or `fast`".into()),
        }
    }
}

/// How much work a compilation may do, least first: each level gives at most the sites (or functions) of the one before,
/// because it begins with the same covers and keeps of what follows only what is smaller.
pub const EFFORTS: std::ops::RangeInclusive<u8> = 0..=3;

/// Most inputs of the tables that most passes make.
const WORD: u8 = 6;

/// What the levels of work stand for where nobody chose one.
pub const EFFORT: u8 = 1;

/// What is not to be used, of a target's slices most of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forbid {
    /// Two functions in one site; so no compressors of heads either, which are such.
    pub pair: bool,
    /// The multiplexers that join lookup tables.
    pub muxf: bool,
    /// Carry chains.
    pub carry: bool,
    /// Words rewritten: what sums share, and what comparisons have in common.
    pub words: bool,
}

/// What a compilation is to bring.
#[derive(Clone, Debug, PartialEq)]
pub struct Goals {
    /// For what.
    pub target: Target,
    /// With which registers.
    pub registers: Registers,
    /// With what kind of head.
    pub head: Head,
    /// With how much work, of [`EFFORTS`].
    pub effort: u8,
    /// How long signals take there.
    pub delays: Delays,
    /// Without what.
    pub forbid: Forbid,
    /// What carry chains a device has that is not Xilinx'.
    pub ripple: Option<Ripple>,
}

impl Goals {
    /// For a target, with such registers, all else as nobody chose it.
    pub fn new(target: Target, registers: Registers) -> Self {
        Self {
            target,
            registers,
            head: Head::default(),
            effort: EFFORT,
            delays: Delays::default(),
            forbid: Forbid::default(),
            ripple: None,
        }
    }
}

/// What a design must be for a step to run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    /// Every design.
    All,
    /// A model.
    Model,
    /// A head that is to be small.
    Words,
    /// A target of Xilinx.
    Xilinx,
    /// A target whose slices have multiplexers.
    Slices,
    /// A target of tables with more inputs than six.
    Wide,
    /// A target of gates.
    Gates,
}

/// Passes, which designs need them, from which level of work on, and why. What stands in braces is filled in.
const STEPS: &[(&str, For, u8, &str)] = &[
    ("quantize", For::Model, 0, "real inputs become codes; the others pass through"),
    ("expand", For::Model, 0, "from layers to lookup tables, comparisons and sums"),
    (
        "fold",
        For::All,
        0,
        "cheap and takes most: what is constant, equal or never read goes before anything is built on it",
    ),
    (
        "repeat[2](care{samples=8},fold)",
        For::Model,
        0,
        "while it is seen which bits are a code; each lost input frees logic",
    ),
    (
        "words{head},fold",
        For::Words,
        2,
        "while sums are sums; comparisons with constants that come of it are lowered next",
    ),
    ("lower-encoder", For::All, 0, "only the thresholds still in use become tables"),
    ("lower-head{head}", For::All, 0, "before the cover, so that it sees across the border of network and head"),
    ("fold", For::All, 0, "constants and inverters that the lowering left; bits taken out of words and put back"),
    (
        "cover{k={k}{sites},effort={effort}{tight}{exact}}",
        For::All,
        0,
        "as few tables, or sites of two small ones, as the target's inputs allow",
    ),
    ("fold", For::All, 0, "tables that became equal"),
    (
        "try(care,resub{k={k},slack={slack},rounds=1},fold,cover{k={k}{sites},slack={slack}})",
        For::All,
        2,
        "what the cover's tables share beyond their structure",
    ),
    (
        "try(resub{k={k},slack={slack},rounds=1,steps=true},fold,cover{k={k}{sites},slack={slack}})",
        For::All,
        2,
        "by way of outputs, which are there anyway",
    ),
    ("{again3},{again4},{again2}", For::All, 2, "the same on smaller tables, of which other large ones are made"),
    (
        "try(resub{k={k},slack={slack},rounds=1},fold,cover{k={k}{sites},slack={slack}}),\
         try(resub{k={k},slack={slack},rounds=1,steps=true},fold,cover{k={k}{sites},slack={slack}})",
        For::All,
        2,
        "what that left",
    ),
    ("try[20000](cover{k={k}{sites},slack={slack},anneal=60})", For::Xilinx, 2, "for sites, with the pairs in view"),
    (
        "repeat[2]({again2},{again3},{again4},{again5})",
        For::All,
        3,
        "until luck runs out: each begins with what the one before left",
    ),
    (
        "repeat[2](try[20000](egraph{k={k}},resub{k={k},slack={slack},divisors=200,cone=400},fold,cover{k={k}{sites},slack={slack},anneal=150}))",
        For::All,
        3,
        "the same, looking further, with equal forms of windows",
    ),
    (
        "try[20000](cover{k={k}{sites},slack={slack},anneal=60{exact},flips=true})",
        For::All,
        3,
        "what integer programs of blocks still find, inverters put where they help",
    ),
    ("bound", For::All, 0, "what is left to win, for the report"),
    ("muxes{k={k}{shared}}", For::Slices, 0, "tables of more inputs than one has, by multiplexers that cost nothing"),
    ("widen{k={widest}}", For::Wide, 0, "joins tables to the target's wider ones"),
    ("pipeline{registers}", For::All, 0, "after the cover, which may move logic between layers"),
    ("gates", For::Gates, 0, "of the library's cells, the handshake too"),
    ("to-xc7{pair}", For::Xilinx, 0, "two small tables share a site, registers become flip-flops"),
    ("dce", For::All, 0, "what sharing left behind"),
];

/// Resubstitution among smaller tables; the levels of a model's are not to rise by it.
const AGAIN: &str = "try[20000](cover{k={small},slack={loose},effort=0},resub{k={small},slack={loose},rounds=1},\
     resub{k={small},slack={loose},rounds=1,steps=true},fold,cover{k={k}{sites},slack={slack},effort=0},\
     resub{k={k},slack={loose},rounds=1},fold,cover{k={k}{sites},slack={slack}})";

/// Sites chosen by integer programs.
const EXACT: &str = ",exact=80,loose={slack}";

/// The default pipeline of a design at a level, as text. A design at hw level stays as it is.
pub fn pipeline(level: Level, goals: &Goals) -> String {
    let Goals { target, registers, head, effort, ref delays, forbid, ripple } = *goals;
    if level == Level::Hw {
        return String::new();
    }
    let model = level == Level::Tensor;
    let wanted = |when: &For| match when {
        For::All => true,
        For::Model => model,
        For::Words => head == Head::Small && !forbid.words,
        For::Xilinx => target.is_xilinx(),
        For::Slices => target.has_muxes() && !forbid.muxf,
        For::Wide => target.k() > WORD,
        For::Gates => target == Target::Gates,
    };
    // A stage without room for two carry chains, one behind the other, had better end at the first.
    let chain = delays.net(2) + delays.lut + delays.carry_in + delays.carry_out;
    let registered = match registers {
        Registers::PerLayer => true,
        Registers::Period(ns) | Registers::StagesAt(_, ns) => {
            target.is_xilinx() && ns < delays.clock_to_output + 2.0 * chain + delays.setup
        }
        _ => false,
    };
    let cut = match registers {
        Registers::PerLayer => String::new(),
        Registers::Stages(0) => "{stages=0}".to_owned(),
        Registers::Stages(n) => format!("{{stages={n},{}}}", times(delays)),
        Registers::Levels(n) => format!("{{levels={n}}}"),
        Registers::Period(ns) => format!("{{period={ns},chains={},{}}}", registered, times(delays)),
        Registers::StagesAt(n, ns) => format!("{{stages={n},period={ns},chains={registered},{}}}", times(delays)),
        Registers::Latency(ns) => format!("{{latency={ns},{}}}", times(delays)),
    };
    let steps = STEPS.iter().filter(|(_, when, from, _)| wanted(when) && *from <= effort).map(|(pass, ..)| *pass);
    let text = steps.collect::<Vec<_>>().join(",");
    // A position of a chain has two outputs, as a site of two functions.
    let chains = !forbid.carry && !forbid.pair;
    let lowering = match (target, registered, ripple) {
        _ if head == Head::Fast => "{fast=true}",
        (Target::Xc7 | Target::Xcup, ..) if !chains => "",
        (Target::Xc7 | Target::Xcup, true, _) => "{carry=true,registered=true}",
        (Target::Xc7 | Target::Xcup, ..) => "{carry=true}",
        (.., Some(Ripple::Tables)) => "{ripple=1}",
        (.., Some(Ripple::Pairs)) if chains => "{ripple=2}",
        (.., Some(Ripple::Products)) if chains => "{ripple=4}",
        _ if target.k() <= 4 && target != Target::Gates => "{ripple=1}",
        _ => "",
    };
    let sites = match target {
        Target::Xc7 | Target::Xcup if !forbid.pair => ",sites=true",
        Target::Slices(_) if !forbid.muxf => ",muxes=true",
        _ => "",
    };
    let shared = if target.is_xilinx() && !forbid.pair { "" } else { ",sites=false" };
    // A site is as late as the later of its two functions.
    let pair = match registers {
        _ if forbid.pair => "{pair=false}".to_owned(),
        Registers::Period(ns) | Registers::StagesAt(_, ns) => format!("{{period={ns},{}}}", times(delays)),
        Registers::Latency(ns) => format!("{{latency={ns},{}}}", times(delays)),
        _ => String::new(),
    };
    // The levels of a model are the period of its clock; a netlist has none.
    let slack = match (head, model) {
        (Head::Fast, _) => "0",
        (_, true) => "25",
        (_, false) => "400",
    };
    let mut text = text;
    for small in 2..=5 {
        text = text.replace(&format!("{{again{small}}}"), &AGAIN.replace("{small}", &small.to_string()));
    }
    text.replace("{exact}", if effort >= 3 && head != Head::Fast { EXACT } else { "" })
        .replace("{effort}", &effort.min(1).to_string())
        .replace("{slack}", slack)
        .replace("{loose}", if model { "0" } else { slack })
        .replace("{k}", &target.k().min(WORD).to_string())
        .replace("{widest}", &target.k().to_string())
        .replace("{sites}", sites)
        .replace("{tight}", if head == Head::Fast { ",slack=0" } else { "" })
        .replace("{shared}", shared)
        .replace("{pair}", &pair)
        .replace("{registers}", &cut)
        .replace("{head}", lowering)
}

/// Delays as options of `pipeline`.
fn times(delays: &Delays) -> String {
    let Delays { lut, net, fanout, carry_in, carry, carry_out, mux, clock_to_output, setup } = delays;
    format!(
        "lut={lut},net={net},fanout={fanout},carry_in={carry_in},carry={carry},carry_out={carry_out},mux={mux},\
         clock_to_output={clock_to_output},setup={setup}"
    )
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
                let registers = [
                    Registers::PerLayer,
                    Registers::Stages(0),
                    Registers::Stages(3),
                    Registers::Levels(4),
                    Registers::Period(2.5),
                    Registers::Latency(12.0),
                    Registers::StagesAt(3, 2.5),
                ];
                for (registers, effort) in registers.into_iter().flat_map(|r| EFFORTS.map(move |effort| (r, effort))) {
                    let head = if effort == 2 { Head::Fast } else { Head::Small };
                    let goals = Goals { head, effort, ..Goals::new(target, registers) };
                    let text = pipeline(level, &goals);
                    let read = Pipeline::parse("@default", &text, &registry).unwrap_or_else(|e| panic!("{e}"));
                    assert_eq!(read.resolved().is_empty(), level == Level::Hw);
                }
            }
        }
        let text = |target, registers, effort| pipeline(Level::Bit, &Goals { effort, ..Goals::new(target, registers) });
        let found = text(Target::Xc7, Registers::Stages(0), 1);
        assert_eq!(
            found,
            "fold,lower-encoder,lower-head{carry=true},fold,cover{k=6,sites=true,effort=1},fold,bound,muxes{k=6},pipeline{stages=0},to-xc7,dce"
        );
        let found = text(Target::Slices(4), Registers::Stages(0), 0);
        let wide = "fold,lower-encoder,lower-head{ripple=1},fold,cover{k=4,muxes=true,effort=0},fold,bound,muxes{k=4,sites=false},pipeline{stages=0},dce";
        assert_eq!(found, wide);
        let found = text(Target::Lut(4), Registers::Levels(2), 0);
        assert_eq!(
            found,
            "fold,lower-encoder,lower-head{ripple=1},fold,cover{k=4,effort=0},fold,bound,pipeline{levels=2},dce"
        );
    }

    /// As proofs ask for it, whatever the tables' size.
    #[test]
    fn sums_of_full_adders_are_asked_for_by_name() {
        let plain = Goals::new(Target::Lut(6), Registers::Stages(0));
        let text = |ripple| pipeline(Level::Bit, &Goals { ripple, ..plain.clone() });
        assert!(text(Some(Ripple::Tables)).contains("lower-head{ripple=1}"));
        assert!(text(Some(Ripple::Pairs)).contains("lower-head{ripple=2}"));
        assert!(text(None).contains("lower-head,"));
    }

    #[test]
    fn what_is_forbidden_is_not_in_it() {
        let forbid = Forbid { pair: true, muxf: true, carry: true, words: true };
        let text = |target| {
            let goals = Goals::new(target, Registers::Stages(0));
            pipeline(Level::Tensor, &Goals { effort: 0, forbid, ..goals })
        };
        let xc7 = text(Target::Xc7);
        assert!(xc7.contains("lower-head,"), "{xc7}");
        assert!(xc7.ends_with("cover{k=6,effort=0},fold,bound,pipeline{stages=0},to-xc7{pair=false},dce"), "{xc7}");
        let slices = text(Target::Slices(4));
        assert!(slices.ends_with("cover{k=4,effort=0},fold,bound,pipeline{stages=0},dce"), "{slices}");
    }
}
