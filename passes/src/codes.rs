//! The problems this crate reports. BL20xx pipelines, BL21xx passes.

blc_ir::codes! {
    BL2001 = PIPELINE_SYNTAX: "a pipeline string cannot be read",
        "A pipeline is a list of passes separated by commas, each with options in braces: \
         `expand,fold,cover{k=6},pipeline{stages=4}`. `@default` stands for the default pipeline, `repeat[3](…)` runs a \
         list so many times, `fixpoint(…)` until nothing changes, `try(…)` takes a list back that saves nothing (`try[9000](…)` is for at most 9,000 ops). `blc passes` lists passes and options.";
    BL2002 = UNKNOWN_PASS: "a pass that does not exist",
        "`blc passes` lists the passes that a pipeline string can name.";
    BL2003 = UNKNOWN_OPTION: "an option that the pass does not have",
        "`blc passes` lists the options of each pass with their defaults.";
    BL2004 = BAD_OPTION: "an option's value that does not fit",
        "Numbers, `true`, `false`, words and strings in quotes are values; the option's default shows its kind.";
    BL2005 = PIPELINE_TOO_LONG: "a pipeline that runs too many passes",
        "Repetitions multiply; a pipeline may run 10,000 passes in all, each `fixpoint(…)` counted with 32 rounds.";
    BL2006 = WRONG_LEVEL: "a pass at the wrong level",
        "Functions are lowered from tensor to bit level by `expand` and from bit to hw level by `pipeline`; a pass works \
         at the levels that `blc passes` names. Nothing goes back up.";
    BL2007 = NO_FUNCTION: "a module without a function",
        "Passes work on the design's top, the last function of the module.";
    BL2008 = PASS_BROKE_IR: "a pass left an invalid function",
        "This is a mistake in the pass, not in the design. Please report it with the file that reproduces it.";
    BL2009 = PASS_NOT_EQUAL: "a pass changed what the function computes",
        "`--check-each` compares the function before and after each pass; here the results differ. This is a \
         mistake in the pass, not in the design. Please report it with the file that reproduces it.";
    BL2010 = NOT_CHECKED: "a pass could not be checked",
        "`--check-each` compares the function before and after each pass. An op from outside the language has no \
         meaning it could evaluate.";
    BL2011 = NOT_SETTLED: "a fixpoint that was not reached",
        "`fixpoint(…)` gives up after 32 rounds in which some pass still changed the function.";

    BL2012 = NOT_PROVED: "a pass that could not be proved right",
        "`--check-each=sat` proves that each pass kept the function. Here no input was found on which it did not, and no \
         proof within the effort allowed.";

    BL2101 = RESOURCE: "constant data that does not fit its op",
        "The data of a resource is missing, or its type, shape or values are not what the op needs. The verifier finds \
         this too.";
    BL2102 = TOO_LARGE: "a design larger than a pass takes",
        "Passes bound what they allocate: a layer may have 2^24 bits, a design as many lookup tables, its inputs 2^22 bits or numbers.";
    BL2103 = REAL_INPUT: "a real-valued input that hardware cannot carry",
        "Real inputs become fixed-point words first: `quantize` chooses an affine code for each feature of the first \
         parameter, from the thresholds that read it.";
    BL2104 = QUANTIZE_BITS: "a width that inputs cannot have",
        "Codes of real inputs have 1 to 16 bits.";
    BL2105 = THRESHOLDS_LOST: "thresholds that do not fall between two codes",
        "With so few bits some thresholds of a feature fall together: inputs between them are not told apart. More bits \
         (`--input-bits`) separate them.";
    BL2106 = NOT_LOWERED: "an op that registers cannot be put around",
        "`pipeline` takes lookup tables and wires. `lower-encoder` and `lower-head` lower words.";
    BL2107 = STAGES: "pipeline stages that cannot be",
        "`pipeline` takes one of `stages` (0 for none, at most 10,000), `levels`, `period` and `latency`, or `stages` and \
         `period`, and no stage can be shorter than one table or carry chain.";
    BL2108 = PORT_CLASH: "an input and an output of the same name",
        "The ports of a hardware module have different names.";
    BL2109 = OUTSIDE_OP: "an op from outside the language where it cannot stay",
        "Passes that lower a function to the next level do not know what an op from outside means. Lower it with a pass of \
         your own first.";

    BL2110 = APPROX_SHAPE: "a design that approximate passes cannot read",
        "`calibrate` and `prune` take a model of lookup tables of at most six inputs with group sums and argmax, as \
         `expand` leaves it, before encoder and head are lowered.";
    BL2111 = APPROX_DATA: "samples that approximate passes cannot use",
        "`calibrate` and `prune` learn from samples of the model's own shape with labels below its number of classes: \
         `--calibrate data.npz`, `--prune data.npz`.";
    BL2112 = APPROX_OPTION: "an option of an approximate pass out of range",
        "The accuracy budget is given in points of held-out accuracy, 0 to 100.";

    BL2120 = RULE_SYNTAX: "rewrite rules that cannot be read",
        "A rule is `name: FROM => TO` (where it saves area) or `name: FROM ~> TO` (everywhere). Variables are `?a` (a bit) and `?a:4` \
         (a word of four bits), numbers `1` and `5:4`; ops are `(and a …)`, `or`, `xor`, `(not a)`, `(mux s a b)`, `(lut 0x8 a b)`, \
         `(sum WIDTH a …)`, `(gt a b)`, `(gt_const BOUND a)`. `#` begins a comment.";
    BL2121 = RULE_FALSE: "a rewrite rule that is false",
        "Every rule is proved when it is read, by trying all values of its variables. The counterexample is one for which the \
         sides differ: bit `a` of a table is its value where operand `j` is bit `j` of `a`.";
    BL2122 = RULES_MISSING: "no rewrite rules",
        "The pass `rules` applies the rules of a file: `blc compile … --rules my.rules`, `blc opt … --passes rules --rules my.rules`.";
    BL2130 = ITERATE: "a head or an encoder that cannot take several cycles",
        "`iterate{interval=M}` lets C sums of bits share the adders of C / M, and with `encoder=true` C comparisons of a word \
         with constants C / M comparators: there have to be at least M of them, M is 2 to 64, and nothing may have been \
         iterated before.";
    BL2140 = GATES_MISSING: "no gates to build of",
        "The pass `gates` takes its gates from a library of standard cells: the one of `--target gates`, or the file of \
         `--liberty`.";
    BL2150 = COVER_OPTION: "an option of `cover`, `muxes` or `widen` out of range",
        "`cover` takes LUTs of `k` = 2 to 6 inputs and keeps 1 to 64 `cuts` of each node: with more, time grows and \
         results hardly do. `muxes` takes the same LUTs, `widen` makes such of `k` = 2 to 8.";

    BL2201 = EQUIV_PORTS: "designs whose ports do not match",
        "Equivalence is asked of designs with the same input bits and the same output bits: by name where all names are the \
         same, otherwise by position. Real inputs need a common code.";
    BL2202 = EQUIV_OP: "a design that is no function of its inputs",
        "Equivalence is proved of combinational designs and of pipelines. Feedback through registers, and ops from outside \
         without a meaning, are neither.";
    BL2203 = EQUIV_SIZE: "a design too large to prove",
        "A pair of designs may have 2^24 gates together.";
    BL2204 = EQUIV_LATENCY: "a design with registers and without a latency",
        "Registers are taken as wires only where every path from an input to an output crosses the same number of them. The \
         attribute `latency` says that number, and the verifier checks it.";
    BL2151 = CARE_OPTION: "an option of `care` out of range",
        "`care` looks for addresses that never occur among 1 to 4096 thousand `samples`.";
    BL2152 = RESUB_OPTION: "an option of `resub` out of range",
        "`resub` makes LUTs of `k` = 2 to 6 inputs and looks at 1 to 1024 `words` of 64 samples.";
    BL2153 = EGRAPH_OPTION: "an option of `egraph` out of range",
        "`egraph` makes LUTs of `k` = 2 to 6 inputs in windows of 2 to 12 `leaves`.";
}
