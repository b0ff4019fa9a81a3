//! The problems this crate reports. BL20xx pipelines, BL21xx passes.

blc_ir::codes! {
    BL2001 = PIPELINE_SYNTAX: "a pipeline string cannot be read",
        "A pipeline is a list of passes separated by commas, each with options in braces: \
         `expand,fold,cover{k=6},pipeline{stages=4}`. `@default` stands for the default pipeline, `repeat[3](…)` runs a \
         list so many times, `fixpoint(…)` until nothing changes. `blc passes` lists passes and options.";
}
