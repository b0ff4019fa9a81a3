//! The problems this crate reports. BL30xx netlists and other emitted text, BL31xx the simulator.

blc_ir::codes! {
    BL3001 = EMIT_LEVEL: "a function at the wrong level for an output format",
        "Verilog is made of an `hw.module`, BLIF of that or of a function at bit level. `blc compile` lowers a model that far; \
         for a `.blir` file of a higher level, name the passes that lower it.";
    BL3002 = EMIT_OP: "an op that an output format cannot express",
        "Netlists are made of lookup tables, registers, wires and a target's primitives. Words of encoder and head have to be \
         lowered to bits first, ops from outside by a pass of whoever added them.";
    BL3003 = NETLIST_SIZE: "too large for a netlist",
        "All ports of a function may have 2^24 bits together.";
    BL3004 = FORMAT: "an unknown output format",
        "The formats are those that the help text lists.";
    BL3005 = DOT_SIZE: "too large to draw",
        "A drawing of more than some thousand nodes shows nothing, and Graphviz takes hours over it. Draw one function, or \
         take Verilog or BLIF for other tools.";
    BL3006 = DEVICE: "a device file that says nothing usable",
        "A device names the cells that lookup tables and registers become, with their pins, parameters and delays. The files \
         in `backends/targets` show every key.";
    BL3007 = NO_CELL: "an op that the device has no cell for",
        "Lookup tables may have as many inputs as the device's, and a register starts at 1 only where the device has such \
         registers.";
    BL3010 = VECTORS: "test vectors that do not fit the design",
        "A vector has one packed value for each input and each output port, in the order of the ports and without the \
         clock, every element below 2^width. There must be at least one: a check of nothing proves nothing.";
    BL3011 = TESTBENCH_LATENCY: "a design with registers but without a latency",
        "A testbench compares outputs with inputs of `latency` cycles before. The pass `pipeline` writes the attribute; a \
         design with feedback has none and needs a testbench of its own.";
    BL3012 = STREAM_RESET: "a design that a stream's reset does not reach",
        "The AXI4-Stream wrapper resets what is around the design, and where that counts the cycles of a sample, it has to be \
         reset, too: `--reset sync-low`.";
    BL3013 = LIBERTY: "a Liberty file that cannot be read",
        "Of a file `library (NAME) { cell (NAME) { … } … }` blc reads each cell's `area`, its pins with `direction` and \
         `function`, and `ff` groups; everything else is read over. Names in functions are pins, `!`, `'`, `^`, `*`, `&`, `+` and \
         `|` join them.";
    BL3014 = LIBERTY_CELLS: "a library that a design cannot be built of",
        "There has to be an inverter and a NAND of two inputs, whose area is what is counted in, and for a design with \
         registers a flip-flop on the rising edge with a data input and a clock alone.";
    BL3101 = SIM_SIZE: "too large to simulate at once",
        "A design may have 2^26 tables and registers; a run may not need more memory for its outputs than a process can have. \
         Run samples in several parts.";
    BL3110 = SIM_FEEDBACK: "a design with feedback cannot run sample by sample",
        "Where a register's content depends on itself, the outputs of one sample depend on the samples before it, and there \
         is no steady state. Such a design runs cycle by cycle only.";
    BL3111 = SIM_UNBALANCED: "paths with different numbers of registers meet",
        "Signals of different cycles, hence of different samples, would mix in one value. A pipeline needs the same number of \
         registers on every path from an input to an output; the pass `pipeline` makes it so. Otherwise the design runs \
         cycle by cycle only.";
    BL3112 = SIM_LATENCY: "outputs of different latency",
        "One output shows a sample cycles before another does. Balance them with registers (pass `pipeline`), or run the \
         design cycle by cycle.";
    BL3120 = SIM_SHAPE: "inputs of another shape than the design's",
        "A row has one number for each element of each input port, in the order of the ports; the clock has none.";
    BL3121 = SIM_VALUE: "a number that does not fit an input",
        "An input of n bits takes numbers below 2^n, a single bit 0 or 1. Nothing is cut off silently: the hardware would see \
         another number than the one in the file.";
    BL3122 = SIM_NAN: "a feature that is not a number",
        "NaN has no place among the thresholds, and no code of the input's word stands for it.";
    BL3123 = SIM_REAL: "real numbers for a design that takes whole ones",
        "A design made of a model with f32 inputs says how a real number becomes a word (attributes `offset` and `step`). \
         This one does not, and guessing a scale would give wrong results.";
    BL3124 = SIM_LANES: "too many streams for one machine",
        "A machine steps up to 512 independent streams side by side.";
    BL3141 = SIM_NET: "a net that the design does not have",
        "Nets are called as in the Verilog that `blc compile` writes, or as in the `.blir`. Dead ones are nowhere.";
    BL3142 = SIM_NETS: "too many nets to look at",
        "Without `--trace` all ports and registers are shown, up to 65,536 bits. Name those that matter.";
    BL3143 = SIM_WAVE: "a waveform cannot be written",
        "The FST format refuses names of more than 512 bytes. VCD has no such bounds.";
    BL3144 = SIM_UPSET: "a net that holds no state",
        "An upset inverts a register at the beginning of a cycle; what is no register has no content to invert.";
    BL3130 = SIM_ENGINE: "an unknown simulation engine",
        "The engines are `auto`, `jit`, `portable` and `reference`.";
    BL3131 = SIM_JIT: "no machine code on this machine",
        "The engine `jit` needs x86-64 with AVX-512 and a system that lets a process make memory executable. `auto` takes it \
         where it can and the portable engine elsewhere; their results are the same.";
}
