//! The problems the command line itself reports: BL40xx.

blc_ir::codes! {
    BL4001 = USAGE: "the command line cannot be understood",
        "`blc --help` lists the commands, `blc COMMAND --help` the options of one, with examples.";
    BL4002 = INPUT_KIND: "an input of unknown kind",
        "blc compiles `model.safetensors` (a trained model), `.blif` (a netlist of other tools) and `.blir` (its own language). \
         The ending says which; without one of these endings the first bytes do.";
    BL4003 = OPTION_UNFIT: "an option that does not fit the input",
        "Encoder, head and fixed-point inputs are parts of a model; a netlist has none of them to leave out or choose.";
    BL4004 = RESOURCE_PATH: "a resource outside the folder of its text",
        "A `.blir` names the files of its resources by plain names, and they lie in the folder of the text itself. Paths, `..` \
         and links that lead elsewhere are refused, so that a text from others reads nothing that it was not sent with.";
    BL4005 = STDIN_RESOURCE: "a text from standard input that names files",
        "Resources are looked for in the folder of the text, and a text from standard input has none. Give the file's name.";
    BL4010 = NO_DESIGN: "no compiled design where one was looked for",
        "`blc compile` writes `design.blir` and `report.json` into its output folder, `blc-out` unless `-o` says otherwise; \
         `blc sim` and `blc report` read them there.";
    BL4011 = BAD_REPORT: "a report that cannot be read",
        "`report.json` was changed by hand or by a program, or belongs to another version of blc. Compile again.";
    BL4020 = BATCH_SHAPE: "a batch whose shape does not fit the design",
        "A batch is `[N, features]` or `[N, …shape of one sample]`; for a design without an encoder `[N, bits]`.";
    BL4021 = BATCH_DTYPE: "a batch whose elements do not fit the design",
        "Designs of byte features take unsigned integers, those of real features float32, those of bits bool or 0 and 1. \
         Nothing is converted silently: a rounded input would be another input.";
    BL4022 = LABELS: "labels that do not fit the batch",
        "Labels are one whole number from 0 to 65535 for each sample of the batch.";
    BL4023 = NO_CLASS: "a design without what was asked for",
        "Classes come out of a design with an argmax, scores out of one with a head. One compiled with `--no-head` gives bits.";
    BL4024 = CYCLES: "a run by cycles that makes no sense",
        "`--streams S` divides the batch into S runs of as many samples, `--hold K` gives each sample K cycles, `--cycles N` \
         says how long to run, `--flip NET@CYCLE` inverts a register at the beginning of a cycle counted from 0.";
    BL4025 = COMPARE: "designs that cannot be compared",
        "Two designs are compared on the same batch and must have the same outputs, by name, number and width.";
    BL4026 = DIFFERENT: "two designs give different answers",
        "The sample is the first one that differs; the notes say in which layers, as far as neurons of both are left.";
    BL4030 = DISAGREE: "two evaluations of the same model differ",
        "Trainer, evaluator, simulator and Verilog must give the same scores for every sample. A difference is an error of blc, or \
         a changed file: please report it with the model and the sample.";
    BL4031 = ICARUS: "Icarus Verilog did not do its work",
        "`iverilog` is installed but could not compile or run the emitted Verilog. Either it is older than version 10, or the \
         Verilog is wrong, which is an error of blc: please report it.";
    BL4032 = NOT_EQUAL: "two designs that compute different things",
        "There is an input on which they differ, or they answer after different numbers of cycles. The input is written as \
         `.npy`: `blc sim` shows what each of them says.";
    BL4033 = UNDECIDED: "two designs of which it is not known whether they are equal",
        "No input was found on which they differ, and within the allowed effort no proof that there is none. `--conflicts` \
         allows more. What is compared may also be brought closer together: a design before and after one pass.";
    BL4034 = NOT_FORMATTED: "a text that is not in its canonical form",
        "`blc fmt --check` compares a `.blir` with what `blc fmt` would write: one statement a line, values numbered in program \
         order, attributes in the order of the op. Comments stay where they are.";
    BL4035 = NOT_FAILING: "a command that does not fail, where a failing one is needed",
        "`blc reduce` looks for a smaller design on which the command of `--test` ends as it does on the input: with the same \
         exit code, which is not 0. Put `! ` in front of a command that succeeds where the bug shows, or compare in a script.";
    BL4036 = STRUCTURE: "two designs that are built differently",
        "`blc diff` compares structure: ports, ops, their tables and what they read. Names of values and origins do not count. \
         Designs that are built differently may compute the same; `blc equiv` proves or refutes that.";
    BL4037 = NO_VALUE: "an output or value that the design does not have",
        "`blc view --cone` takes an output by its name, or any value as the `.blir` names it: `%12`, `%h`; `y[3]` is the \
         fourth part of an output `y` that is packed.";
    BL4038 = LEVELS: "a design with more levels than allowed",
        "`--max-levels` bounds the lookup tables on a path between ports and registers. Without registers the cover keeps to it where \
         it can, for more area; with registers, more of them make shorter paths.";
    BL4080 = SWEEP: "a sweep that cannot be",
        "A sweep is a TOML file with `data`, `preset` or `config`, `compile`, and either `[grid]` or `[random]`; the keys it varies \
         are those of a configuration, such as `encoder.bits` or `layers.0.nodes`.";
    BL4040 = UNKNOWN_TOPIC: "nothing of that name to explain",
        "`blc explain codes` lists every code, `blc explain ops` every op of the language.";
    BL4050 = PROJECT: "a project that cannot be built",
        "`blc build` reads `blc.toml`: sections [train], [compile], [simulate] and [report], whose keys are the options of these \
         commands (`sim` for [simulate]), and `output`, the folder for everything. `blc new DIR` writes one to begin with.";
}
