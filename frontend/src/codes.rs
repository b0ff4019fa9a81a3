//! The problems this crate reports. BL10xx files and model files, BL11xx netlists, BL12xx data, BL13xx training,
//! BL14xx checkpoints of other libraries.

blc_ir::codes! {
    BL1001 = FILE_READ: "a file cannot be read",
        "The operating system refused: the path is misspelt, is a folder, or you may not read it.";
    BL1002 = FILE_WRITE: "a file cannot be written",
        "Outputs are written beside their final name and renamed when complete, so an earlier output stays as it was. \
         Check that the folder exists, that you may write there and that the disk is not full.";
    BL1003 = FILE_TOO_LARGE: "a file is larger than such a file may be",
        "Every kind of input has a stated largest size, so that a wrong or hostile file cannot fill the memory. \
         Check that this is the file you meant.";
    BL1004 = NOT_TEXT: "a text file is not UTF-8",
        "BLIF and .blir files are text. A compressed or binary file must be unpacked or converted first.";
    BL1010 = NOT_SAFETENSORS: "a model file is not in the safetensors format",
        "A model is a safetensors file: eight bytes of header length, a JSON header, then the tensors, without gaps and with \
         nothing behind the last one. This file is something else, or its header contradicts itself.";
    BL1011 = MODEL_TRUNCATED: "a model file ends too early",
        "The file is shorter than its own header says: a copy or download that stopped.";
    BL1012 = MODEL_METADATA: "a safetensors file holds no model",
        "The metadata of a model file has a key `bitlogic` with JSON that names the layers. Weights of a PyTorch network \
         are not a model: freeze them into tables first (`blc import`).";
    BL1013 = MODEL_JSON: "the metadata of a model is not valid JSON",
        "The value of the metadata key `bitlogic` must be one JSON object.";
    BL1014 = MODEL_VERSION: "a model file has another version",
        "The format's version is the number in the field `version`. Later versions are not guessed at.";
    BL1015 = LAYER_KIND: "a model has a layer of unknown kind",
        "Known kinds are `thermometer`, `lut`, `group_sum` and `argmax`. A layer that is not known cannot be compiled, and \
         leaving it out would compile another network.";
    BL1016 = MODEL_UNKNOWN_FIELD: "a model has an unknown field",
        "Every field changes what the model means, so one that is not known is refused instead of ignored.";
    BL1017 = MODEL_FIELD: "a field of a model is missing or has the wrong type",
        "The fields of the metadata are described with the model format.";
    BL1020 = TENSOR_MISSING: "a model names a tensor that the file does not have",
        "The fields `thresholds`, `connections` and `tables` hold names of tensors in the same file.";
    BL1021 = TENSOR_DTYPE: "a tensor of a model has the wrong element type",
        "Thresholds are f32 or (for u8 features) u8, connections u32 or i64, tables u64.";
    BL1022 = TENSOR_SHAPE: "a tensor of a model has the wrong shape",
        "Thresholds are [features, bits], connections [nodes, k], tables [nodes] for k <= 6 and [nodes, 2^k/64] above.";
    BL1023 = TENSOR_SHARED: "two fields of a model name the same tensor",
        "Each tensor belongs to one field, so that the length of the file bounds the size of the model.";
    BL1024 = RESOURCE_CHANGED: "a model file is not the one that a .blir was written for",
        "A .blir text names tensors of a model file together with their SHA-256. The file beside it has other data now, so \
         the design would be another one.";
    BL1030 = FAN_IN: "a lookup table has too few or too many inputs",
        "A node has 1 to 16 inputs: its table has 2^k bits.";
    BL1031 = CONNECTION_RANGE: "a connection leads outside the layer before",
        "A connection is the number, counted from 0, of a bit of the layer before.";
    BL1032 = TABLE_BITS: "a table has bits past its last address",
        "A table of k inputs has 2^k addresses; for k < 6 the bits of its word above them must be 0. Bits there usually mean \
         that `fan_in` is wrong or the bit order is reversed.";
    BL1033 = THRESHOLDS_FALL: "thresholds of a feature fall",
        "The thresholds of one feature must not decrease from bit to bit: a thermometer code is ones below zeros. Equal \
         neighbours are allowed.";
    BL1034 = THRESHOLD_NOT_FINITE: "a threshold is not a number",
        "Thresholds are compared with features; NaN and infinities have no place in hardware.";
    BL1035 = LAYER_ORDER: "the layers of a model are in an impossible order",
        "An encoder comes first, then any number of `lut` layers, then at most one `group_sum`, then at most one `argmax`.";
    BL1036 = GROUPS: "a head does not divide the bits before it",
        "`group_sum` adds contiguous groups of equal size, so the number of groups must divide the width before it.";
    BL1037 = MODEL_ENCODER: "the input type of a model and its encoder do not fit",
        "Features of type u8 or f32 need an encoder as the first layer; features of type bit must not have one.";
    BL1038 = MODEL_EMPTY: "a model or a layer of it is empty",
        "A model has at least one feature and one layer, and every layer at least one node.";
    BL1039 = MODEL_SIZE: "a model is larger than can be expressed",
        "A value of the intermediate language has at most 2^31 bits.";
    BL1040 = CODES: "the codes of an encoder do not fit",
        "An encoder of kind code gives each feature `bits` bits, 1 to 64, and every code is below 2^bits.";
    BL1101 = BLIF_SYNTAX: "a line of a BLIF file makes no sense",
        "A BLIF file consists of .model, .inputs, .outputs, .names with the lines of its truth table, .latch, and .end.";
    BL1102 = BLIF_CUBE: "a line of a BLIF truth table is wrong",
        "A line of a .names has one character 0, 1 or - for each input, a space, and the value 0 or 1; that of a constant \
         only the value.";
    BL1103 = BLIF_MIXED: "a BLIF truth table lists ones and zeros",
        "The lines of one .names list either all addresses of 1 or all addresses of 0. With both, addresses in neither would \
         have no value.";
    BL1104 = BLIF_LATCH: "registers of a BLIF netlist that do not fit",
        "`blc sim` takes registers on the rising edge (`re`) of one clock, which is an input or not named at all. `blc compile` \
         takes combinational netlists only and adds registers of its own (--stages, --clock).";
    BL1105 = BLIF_SUBCKT: "a BLIF netlist has subcircuits",
        "Only flat netlists are compiled. Flatten the design first, in Yosys with `flatten`.";
    BL1106 = BLIF_GATE: "a BLIF netlist has library gates",
        "A .gate means nothing without its library. Write the netlist unmapped, with .names.";
    BL1107 = BLIF_DIRECTIVE: "a BLIF statement is not supported",
        "Known are .model, .inputs, .outputs, .names, .latch and .end. Others (.exdc, .clock, delays, Yosys's extensions) would change \
         what the netlist means, so they are not skipped.";
    BL1108 = BLIF_MODELS: "a BLIF file has several models",
        "Only flat netlists are compiled. Flatten the design first, in Yosys with `flatten`.";
    BL1109 = BLIF_WIDE: "a BLIF gate has too many inputs",
        "A .names has at most 16 inputs, because its truth table has 2^k bits. Decompose it first.";
    BL1110 = BLIF_UNDRIVEN: "a signal of a BLIF netlist has no value",
        "Every signal that is read or is an output must be in .inputs or be the last name of a .names.";
    BL1111 = BLIF_DRIVEN_TWICE: "a signal of a BLIF netlist is driven twice",
        "Every signal is either one input or the output of one .names.";
    BL1112 = BLIF_CYCLE: "a BLIF netlist has a combinational cycle",
        "A gate reads, directly or through others, its own output. Such feedback has no value without time.";
    BL1113 = BLIF_OUTPUT_TWICE: "a BLIF netlist names an output twice",
        "The outputs become ports, whose names must differ.";
    BL1114 = BLIF_SIZE: "the truth tables of a BLIF netlist are too large",
        "All tables together may take 1 GiB; a gate of 16 inputs takes 8 KiB. Decompose wide gates first.";
    BL1115 = BLIF_EMPTY: "a BLIF netlist has no outputs",
        "Without outputs there is nothing to compile. An empty or cut-off file looks the same.";
    BL1120 = VERILOG_SYNTAX: "Verilog that blc does not write",
        "Only the Verilog that blc itself emits is read: one flat module of wires, expressions, indexed tables, registers and \
         primitives. For other Verilog have Yosys write BLIF.";
    BL1121 = VERILOG_SIGNAL: "a signal of a Verilog module that does not fit",
        "Every signal is declared once and driven once, above where it is read unless a register drives it; all registers have one \
         clock, which is an input and nothing else.";
    BL1122 = VERILOG_CELL: "an instance in a Verilog module that blc does not know",
        "Known are the primitives that blc emits (LUT1 to LUT6, LUT6_2, CARRY4, MUXF7, MUXF8, FDRE, and the cells of the devices \
         that come with it), with the pins and parameters that it gives them.";
    BL1123 = VERILOG_SIZE: "a Verilog module is too large",
        "All declarations together may have 2^24 bits, and expressions 64 levels.";
    BL1130 = AIGER_FORMAT: "a file is not in the AIGER format",
        "AIGER begins with `aag` (ascii) or `aig` (binary) and the numbers of variables, inputs, latches, outputs and gates. The \
         properties of version 1.9 are not understood.";
    BL1131 = AIGER_LATCH: "an AIGER file has latches",
        "Only combinational graphs are read; blc adds registers of its own (--stages, --clock). Have ABC write BLIF for others.";
    BL1132 = AIGER_LITERAL: "a literal of an AIGER file does not fit",
        "Every variable is one input or the output of one gate, not inverted, and none is above the number in the header.";
    BL1133 = AIGER_CYCLE: "an AIGER graph has a cycle",
        "A gate reads, directly or through others, its own output. Such feedback has no value without time.";
    BL1134 = AIGER_SIZE: "an AIGER file claims more than it can hold",
        "The numbers in the header are larger than the file, or there are more than 2^20 inputs.";
    BL1135 = AIGER_EMPTY: "an AIGER graph has no outputs",
        "Without outputs there is nothing to compile.";
    BL1200 = DATA_UNKNOWN: "a data set of that name or format is not known",
        "`--data` takes `digits`, a folder of MNIST-like IDX files (train-images-idx3-ubyte, train-labels-idx1-ubyte and the \
         same with t10k, plain or .gz), a folder of CIFAR-10 .bin files, or an .npz with x_train, y_train, x_test and y_test, or \
         with x and y.";
    BL1201 = IDX_FORMAT: "a file is not in the IDX format",
        "IDX begins with two zero bytes, a type code and the number of dimensions, as the files of MNIST do.";
    BL1202 = NPY_FORMAT: "a file is not in the .npy format",
        "NumPy's .npy begins with \\x93NUMPY, a version from 1 to 3 and a header with descr, fortran_order and shape. Write it \
         with numpy.save.";
    BL1203 = NPY_DTYPE: "an array has elements of an unusable type",
        "Usable are bool, unsigned and signed integers of 8 to 64 bits, float32 and float64. Convert the array with astype. \
         Arrays of Python objects are never read: that would run code of the file.";
    BL1204 = ARRAY_SIZE: "an array's shape and its data do not agree",
        "The file is cut off, has something behind the array, or its header lies about the shape.";
    BL1205 = NPZ_FORMAT: "an .npz archive is damaged",
        "An .npz is a ZIP archive of .npy files, as numpy.savez and numpy.savez_compressed write it, without encryption and \
         with a name for each array.";
    BL1206 = NPZ_KEY: "an .npz archive lacks an array",
        "A data set has x_train, y_train, x_test and y_test, or x and y.";
    BL1207 = CIFAR_FORMAT: "a file does not hold CIFAR-10 records",
        "The binary version of CIFAR-10 has records of 3,073 bytes: a label from 0 to 9, then 1,024 bytes each of red, green \
         and blue.";
    BL1208 = DATA_LABELS: "labels of a data set are not class numbers",
        "Labels are whole numbers from 0 to 65535, of at least two classes; the largest one plus 1 is the number of classes.";
    BL1209 = DATA_SHAPE: "arrays of a data set do not fit together",
        "Features are [samples, ...] with one to three further dimensions, labels [samples]; training and test samples have \
         the same shape and type.";
    BL1210 = DATA_NOT_FINITE: "a feature is not a finite number",
        "NaN and infinities cannot be compared with thresholds. Replace them or drop the samples.";
    BL1211 = DATA_EMPTY: "a data set has no samples to train on or to test with",
        "Without an official split a fifth of each class, rounded down, is for testing: five samples of one class are the least.";
    BL1212 = GZIP: "a gzip file is damaged",
        "The compressed data contradicts itself or its checksum. Copy or download the file again.";
    BL1213 = CSV_FORMAT: "a table of comma-separated values makes no sense",
        "A .csv has a sample a line: finite numbers, and the class in the last column, a whole number or a name. Every line has \
         as many columns as the first, which may be a heading.";

    // Training.
    BL1301 = TRAIN_CONFIG: "a training configuration cannot be used",
        "Keys, all with defaults: `epochs`, `batch`, `seed`, `validation` (share of the training samples that chooses the best \
         epoch), `patience`; [encoder] `kind` (thermometer, gaussian, distributive, learnable, binary, gray, one-hot, \
         sign-magnitude, logarithmic, fixed-point), `bits`, `scope` (feature, channel, global), `rarest`, `temperature`; \
         [[layers]] `kind` (dense, conv, pool), `nodes`, `fan_in` (1 to 8), `wiring` (random, unique, local, strided, grouped, \
         all), `radius`, `candidates`, `pairs`, `groups`, `size`, `stride`, `padding`, `depth`, `residual` (none, concat, or); [node] \
         `kind` (dwn, hybrid, light, difflogic, warp, linear, polynomial, neural, fourier), `sampling` (soft, hard, gumbel-soft, \
         gumbel-hard), `squash` (sigmoid, sinusoid), `temperature`, `smoothing`, `residual`, `stabilize` (none, layer, sample), \
         `degree`, `units`; [head] `kind` (sum, dsp, tree, count), `temperature`, `last_temperature`, `weight_bits`; [loss] \
         `smoothing`, `distill`; [regularizer] `area`, `gap`, `spectral`; [optimizer] `learning_rate`, `schedule` (cosine, step, \
         constant), `warmup`, `weight_decay`, `beta1`, `beta2`, `epsilon`; [augment] `shift`, `mirror`, `reflect`, `affine`, `elastic`, \
         `flip_bits`. docs/training.md says what each does. An unknown key is refused, since it would silently change nothing. \
         The last layer's nodes must divide into the classes.";
    BL1302 = TRAIN_DATA: "a data set cannot be trained on",
        "Every sample needs the same number of finite features and a label below the number of classes, in the training part \
         and in the test part.";
    BL1303 = TRAIN_CHECKPOINT: "a checkpoint cannot be continued",
        "A checkpoint continues the run that wrote it: the same configuration, seed, data and version. Anything else would \
         give a result that no single run gives.";
    BL1304 = TRAIN_MODEL: "the trainer cannot evaluate a model",
        "The trainer evaluates what it trains: an encoder, lookup tables of at most eight inputs, sums of groups with or without \
         weights, an argmax.";
    BL1305 = TRAIN_INTERNAL: "training failed inside",
        "A tensor operation refused its inputs, which a checked configuration never causes: an error of blc.";
    BL1306 = TRAIN_DIVERGED: "training diverged",
        "The loss became infinite or not a number, which happens with a temperature near zero.";
    BL1307 = TRAIN_DEVICE: "a device to train on cannot be used",
        "`--device cuda` needs a blc that was built with the feature `cuda`, a driver, and the device of that number. `--device cpu` \
         needs nothing; `--device plain` does on the processor what a GPU would do.";

    // Checkpoints of other libraries.
    BL1401 = CHECKPOINT_FORMAT: "a file is not a checkpoint that can be read",
        "`blc import` reads what torch.save has written since PyTorch 1.6 (a ZIP archive) and safetensors. TorchScript archives hold \
         programs, and are not run. Load the model in Python and save it again: torch.save(model, \"model.pt\").";
    BL1402 = CHECKPOINT_DAMAGED: "a checkpoint is damaged",
        "The archive contradicts itself: a cut-off copy, a wrong checksum, or a tensor larger than what is stored of it.";
    BL1403 = PICKLE: "the pickle in a checkpoint cannot be read",
        "The pickle says which tensors there are. It is read as data, its code is never run, and only what torch.save writes is \
         understood.";
    BL1404 = CHECKPOINT_DTYPE: "a tensor of a checkpoint has an unusable type",
        "Weights are float32 or float64, connections whole numbers. Lower precisions would be compared in other arithmetic than \
         the network's own: convert them before saving, with model.float().";
    BL1405 = CHECKPOINT_STATE: "a checkpoint has no state_dict",
        "A checkpoint is a state_dict, a module, or a dictionary that holds either under `state_dict`, `model_state_dict`, `model` \
         or `net`. For another key say `key = \"...\"` in the sidecar.";
    BL1406 = CHECKPOINT_UNKNOWN: "a checkpoint has tensors that no layer uses",
        "Whatever a tensor means, leaving it out would compile another network. Layers that are not lookup tables (linear, \
         normalisation) cannot be compiled; with `--from` of another library the names differ.";
    BL1407 = CHECKPOINT_LACKS: "a checkpoint lacks a tensor",
        "A layer of this format has more tensors than are there. Check `--from`, and that the whole network was saved.";
    BL1408 = CHECKPOINT_MISFIT: "parts of a checkpoint do not fit together",
        "Shapes of weights, wiring and input contradict each other: another `input.shape`, another order of layers, or a layer \
         that is missing.";
    BL1409 = CHECKPOINT_MODULE: "a saved module holds a module whose meaning is not known",
        "Of a module that was saved whole, layers and their order are known where they stand in a torch.nn.Sequential. Any other \
         module does what its code says, which a checkpoint does not hold.";
    BL1410 = SIDECAR: "a sidecar makes no sense",
        "A sidecar is TOML with the keys that docs/import.md lists. One that is not known is refused, since it would \
         silently change nothing.";
    BL1411 = SIDECAR_LACKS: "a checkpoint does not say all that is needed",
        "A state_dict holds weights, not what they mean. What is missing comes from a sidecar; the message names every key and \
         shows a template to fill in. A module saved whole (torch.save(model, ...)) says most of it itself.";
    BL1412 = SIDECAR_CONTRADICTS: "a sidecar contradicts its checkpoint",
        "What the shapes in a checkpoint say for certain cannot be said otherwise in a sidecar.";
    BL1413 = WEIGHT_NOT_FINITE: "a weight is not a number",
        "NaN and infinities come of a training that diverged; a table made of them would be arbitrary.";
    BL1414 = WIRING_LACKS: "a state_dict has no wiring",
        "difflogic and llnn keep the connections of their layers in a plain attribute that state_dict() leaves out: weights without \
         them are no network. Save the model whole instead: torch.save(model, \"model.pt\").";
    BL1415 = CHECKPOINT_OLD: "a checkpoint of a version that did not save the wiring",
        "torchlogix before 0.2 left the connections out of the state_dict, so the network cannot be known from it.";
    BL1416 = CHECKPOINT_WIDE: "a layer has tables of too many inputs",
        "A table has 1 to 16 inputs. Pools of larger windows can be split into several.";
    BL1417 = CHECKPOINT_DRAWN: "a network that draws at random when it is evaluated",
        "difflut's GroupSum with `use_randperm` sums another choice of bits each time it runs, so there is no one network that it \
         computes. Train with use_randperm=False.";
    BL1418 = WEIGHTS_PRIVATE: "weights whose meaning only their library says",
        "How BitLogic's rewrite keeps weights is not documented, but how it gives tables and wiring is: get_luts_and_ids(). The message \
         shows the lines of Python that save them.";
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::ALL;

    fn sources(folder: &Path, text: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, text);
            } else {
                text.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }

    #[test]
    fn ids_ascend_and_every_code_is_expected_by_a_test() {
        assert!(ALL.is_sorted_by(|a, b| a.id < b.id));
        let mut text = String::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut text);
        // Training has its tests behind a feature, and checks its own.
        let ours = ALL.iter().map(|c| c.id).filter(|&id| !id.starts_with("BL13"));
        let untested: Vec<_> = ours.filter(|id| !text.contains(&format!("\"{id}\""))).collect();
        assert_eq!(untested, [""; 0]);
    }
}
