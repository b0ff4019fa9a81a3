//! The problems this crate reports. BL01xx text, BL02xx verifier, BL03xx evaluator.

crate::codes! {
    BL0101 = LEX: "a character that the text form does not know",
        "Outside strings and comments (`// …`) the text form has names, numbers, `%value`, `#resource`, `@function` and \
         the marks `( ) { } [ ] < > : , = ->`. Strings end on their own line.";
    BL0102 = SYNTAX: "something else was expected here",
        "The text does not follow the grammar of `.blir`; the message says what could stand here.";
    BL0103 = VERSION: "a version of the language that this program does not read",
        "The first line is `blir 0.1`. A later version needs a later blc.";
    BL0104 = UNKNOWN_OP: "an op that the language does not have",
        "`blc explain ops` lists the ops. An op from outside is written `ext(…) {op = \"name\"}`.";
    BL0105 = UNKNOWN_NAME: "a value, resource or function that nothing declares",
        "Every `%value` is a parameter or the result of an op of the same function, every `#resource` stands at the top of \
         the file.";
    BL0106 = REDEFINED: "a name given twice",
        "Names of values are unique in their function, those of resources and functions in their module.";
    BL0107 = ATTRIBUTE: "an attribute that is missing, unknown or of the wrong kind",
        "Each op has exactly the attributes of its entry in the op table.";
    BL0108 = LIMIT: "larger than the language allows",
        "Words have at most 64 bits, arrays at most three dimensions and 2^26 bits, wide tables at most 2^16 bits, all values \
         of a function at most 2^27 bits together.";
    BL0109 = RESULT_COUNT: "an op gives another number of results",
        "The names left of `=` and the types after `:` are as many as the op has results.";

    BL0201 = OPERAND_COUNT: "an op with too many or too few operands",
        "The op table says how many operands an op takes.";
    BL0202 = OPERAND_TYPE: "an operand of the wrong type",
        "The op table says what an op takes. Bits and one-bit words are different types.";
    BL0203 = RESULT_TYPE: "a result of the wrong type",
        "The result's type follows from the operands and attributes.";
    BL0204 = OP_LEVEL: "an op that does not belong to this level",
        "A function is at one level: tensor ops stand only in tensor functions, registers and primitives only in an \
         hw.module. Lowering passes take a function from one level to the next.";
    BL0205 = TABLE_BITS: "a truth table with bits above its inputs",
        "A table of k inputs has 2^k bits; those above are 0.";
    BL0206 = RESOURCE_SHAPE: "a resource of the wrong type or shape",
        "thresholds are f32, u8 or u32 `[features, bits]`; connections u32 `[nodes, k]`; tables u64 `[nodes]` for k ≤ 6 and \
         `[nodes, 2^k / 64]` above.";
    BL0207 = RESOURCE_VALUE: "a resource with a value that cannot be",
        "Connections stay below the width of the layer before, tables have no bits above 2^k, thresholds are finite and do \
         not fall along a feature.";
    BL0208 = USE_BEFORE_DEF: "a value used before it is made",
        "Ops stand after what they read. Only a register may read what comes later.";
    BL0209 = COMBINATIONAL_CYCLE: "a value that depends on itself within one cycle",
        "Break the cycle with a register.";
    BL0210 = UNBALANCED: "paths with different numbers of registers",
        "The module says `latency = N`, so every path from an input to an output has N registers; otherwise samples of \
         different cycles would mix.";
    BL0211 = CLOCK: "a register without the module's clock, or a clock elsewhere",
        "The second operand of a register is the parameter of type `clock`; no other op reads it, and a function that is \
         not an hw.module has none.";
    BL0212 = PORT: "a port that cannot be",
        "Parameters and results have unique names; results have a type that the level can carry; a module has at most one \
         clock.";
    BL0213 = RESOURCE_MISSING: "a resource without its data",
        "The file that the resource names was not found beside the text, or its tensor has another hash.";
    BL0214 = CONST_RANGE: "a constant that does not fit its type",
        "A constant of n bits is a number below 2^n; wider ones are packed from parts.";
    BL0215 = FUNC_ATTR: "a function's attribute that is wrong",
        "`latency` is a number and stands only on an hw.module; `offset` and `step` are f32 resources of as many elements as \
         the first parameter has; every step is a positive number. `valid_in`, `reset`, `phase` and `late` name parameters, \
         `ready`, `valid_out` and `now` results; those of control are one bit. `interval` is 1 to 64.";
    BL0216 = UNSETTLED: "a design of several cycles whose samples mix",
        "With `interval = M` a sample stands at the inputs for M cycles, and `latency` cycles after it came its results are \
         there. Followed cycle by cycle they may depend on nothing else, and what counts the cycles has to come back to where \
         it started; a reset leaves nothing of what was before.";

    BL0301 = EVAL_INPUT: "inputs that do not fit the function",
        "One value per parameter (none for the clock), with as many elements as its type.";
    BL0302 = EVAL_CYCLE: "a design with feedback has no steady state",
        "Step it cycle by cycle instead.";
    BL0303 = EVAL_EXTERN: "an op from outside, with no meaning here",
        "The evaluator knows only ops of the language; lower the op first.";
}
