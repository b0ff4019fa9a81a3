//! Wrong and ambiguous checkpoints: each its own error. Right ones are compared with the libraries' scores in `blc-tests`.

use std::borrow::Cow;
use std::io::{Cursor, Write};

use safetensors::{Dtype as Type, View, serialize};
use zip::write::{SimpleFileOptions, ZipWriter};

use super::*;
use crate::model::{Layer, Thresholds};

#[derive(Clone)]
pub struct Tensor(Type, Vec<usize>, Vec<u8>);

impl View for Tensor {
    fn dtype(&self) -> Type {
        self.0
    }
    fn shape(&self) -> &[usize] {
        &self.1
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.2)
    }
    fn data_len(&self) -> usize {
        self.2.len()
    }
}

pub fn floats(shape: &[usize], x: &[f32]) -> Tensor {
    Tensor(Type::F32, shape.into(), x.iter().flat_map(|x| x.to_le_bytes()).collect())
}

pub fn wholes(shape: &[usize], x: &[i64]) -> Tensor {
    Tensor(Type::I64, shape.into(), x.iter().flat_map(|x| x.to_le_bytes()).collect())
}

pub fn safetensors(tensors: &[(&str, Tensor)]) -> Vec<u8> {
    serialize(tensors.iter().cloned(), None).unwrap()
}

/// What torch.save writes, of a pickle.
pub fn archive(pickle: &[u8], more: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in [("data.pkl", pickle)].iter().chain(more) {
        zip.start_file(format!("m/{name}"), options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

pub fn import(bytes: &[u8], format: Format, sidecar: &str) -> Result<Model> {
    from_bytes(bytes, "net.pt", format, &Sidecar::parse(sidecar, "net.toml")?)
}

pub fn refused(bytes: &[u8], format: Format, sidecar: &str) -> (&'static str, String) {
    let e = import(bytes, format, sidecar).expect_err("must be refused");
    (e.code.id, e.to_string())
}

const SIDE: &str = "classes = 2\n[input]\nshape = [3]\ndtype = \"bit\"\n";

/// Two nodes of two inputs over three bits.
fn net() -> Vec<(&'static str, Tensor)> {
    let mut logits = [0.0; 32];
    (logits[1], logits[16 + 6]) = (1.0, 1.0);
    vec![("0.weight", floats(&[2, 16], &logits)), ("0.connections.indices", wholes(&[2, 2], &[0, 1, 1, 2]))]
}

fn code(tensors: &[(&str, Tensor)], sidecar: &str) -> &'static str {
    refused(&safetensors(tensors), Format::Torchlogix, sidecar).0
}

#[test]
fn a_network_by_hand() {
    let model = import(&safetensors(&net()), Format::Torchlogix, SIDE).unwrap();
    // AND and XOR, input 0 the highest bit of the address and so the last of ours.
    let luts = Layer::Lut { fan_in: 2, connections: vec![1, 0, 2, 1], tables: vec![0b1000, 0b0110] };
    assert_eq!(model.layers, [luts, Layer::GroupSum { groups: 2 }, Layer::Argmax]);
    assert_eq!((model.name.as_str(), model.shape.as_slice()), ("net", &[3][..]));
    let bits = import(&safetensors(&net()), Format::Torchlogix, &SIDE.replace("= 2", "= 0")).unwrap();
    assert_eq!(bits.layers.len(), 1, "no head");
    let named = import(&safetensors(&net()), Format::Torchlogix, &format!("name = \"n\"\n{SIDE}")).unwrap();
    assert_eq!(named.name, "n");
}

#[test]
fn files_that_are_no_checkpoints() {
    let code = |bytes: &[u8]| refused(bytes, Format::Torchlogix, SIDE).0;
    assert_eq!(code(b""), "BL1401");
    assert_eq!(code(b"hello"), "BL1401");
    assert_eq!(code(b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."), "BL1401");
    assert_eq!(code(b"PK\x03\x04"), "BL1402");
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("a.txt", SimpleFileOptions::default()).unwrap();
    assert_eq!(code(&zip.finish().unwrap().into_inner()), "BL1401");
    let own = import(&safetensors(&net()), Format::Torchlogix, SIDE).and_then(|model| model.to_bytes()).unwrap();
    let (code_of_own, why) = refused(&own, Format::Torchlogix, SIDE);
    assert!(code_of_own == "BL1401" && why.contains("a model of blc already"), "{code_of_own} {why}");
    assert_eq!(code(&archive(b"N.", &[("constants.pkl", b"N.")])), "BL1401");
    assert_eq!(code(&archive(b"N.", &[("byteorder", b"big")])), "BL1401");
    assert_eq!(code(&archive(b"\x80\x02X", &[])), "BL1403");
    assert_eq!(code(&archive(b"iposix\nsystem\n.", &[])), "BL1403");
    assert_eq!(code(&archive(b"N.", &[])), "BL1405");
    assert_eq!(code(&archive(b"}X\x05\x00\x00\x00epochK\x01s.", &[])), "BL1405");
}

/// A pickle of `{"0.weight": tensor}` whose storage has `claimed` elements, and the tensor a shape and strides.
fn tensor_pickle(class: &str, claimed: u8, offset: u8, shape: [u8; 2], stride: [u8; 2]) -> Vec<u8> {
    let text = |t: &str| [b"X".as_slice(), &(t.len() as u32).to_le_bytes(), t.as_bytes()].concat();
    [
        b"\x80\x02}".as_slice(),
        &text("0.weight"),
        b"ctorch._utils\n_rebuild_tensor_v2\n((",
        &text("storage"),
        format!("ctorch\n{class}\n").as_bytes(),
        &text("0"),
        &text("cpu"),
        &[b'K', claimed, b't', b'Q', b'K', offset],
        &[b'K', shape[0], b'K', shape[1], 0x86, b'K', stride[0], b'K', stride[1], 0x86],
        b"\x89NtRs.",
    ]
    .concat()
}

#[test]
fn tensors_of_torch_save() {
    let stored: Vec<u8> = (0..6).flat_map(|i| (i as f32).to_le_bytes()).collect();
    let read = |class: &str, claimed, offset, shape, stride, stored: &[u8]| {
        let bytes = archive(&tensor_pickle(class, claimed, offset, shape, stride), &[("data/0", stored)]);
        Checkpoint::open(&bytes, "net.pt", None).and_then(|c| c.floats("0.weight")).map_err(|e| e.code.id)
    };
    let plain = read("FloatStorage", 6, 0, [2, 3], [3, 1], &stored).unwrap();
    assert_eq!((plain.shape, plain.numbers), (vec![2, 3], vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]));
    let turned = read("FloatStorage", 6, 0, [3, 2], [1, 3], &stored).unwrap();
    assert_eq!(turned.numbers, [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    let part = read("FloatStorage", 6, 2, [2, 2], [2, 1], &stored).unwrap();
    assert_eq!(part.numbers, [2.0, 3.0, 4.0, 5.0]);
    // Outside what is stored, or far more elements than are.
    assert_eq!(read("FloatStorage", 6, 1, [2, 3], [3, 1], &stored), Err("BL1402"));
    assert_eq!(read("FloatStorage", 9, 0, [2, 3], [3, 1], &stored), Err("BL1402"));
    assert_eq!(read("FloatStorage", 6, 0, [255, 255], [0, 0], &stored), Err("BL1402"));
    assert_eq!(read("FloatStorage", 6, 0, [2, 3], [3, 1], &[]), Err("BL1402"));
    assert_eq!(read("HalfStorage", 6, 0, [2, 3], [3, 1], &stored), Err("BL1404"));
    assert_eq!(read("IntStorage", 6, 0, [2, 3], [3, 1], &stored), Err("BL1404"));
    let nan: Vec<u8> = [f32::NAN; 6].iter().flat_map(|x| x.to_le_bytes()).collect();
    assert_eq!(read("FloatStorage", 6, 0, [2, 3], [3, 1], &nan), Err("BL1413"));
}

/// A pickle may name a part as often as it likes; what is made of it may not grow by that, nor by what is packed.
#[test]
fn what_is_shared_or_packed_does_not_unfold() {
    let text = |t: &str| [&b"X"[..], &(t.len() as u32).to_le_bytes(), t.as_bytes()].concat();
    let global = |module: &str, name: &str| format!("c{module}\n{name}\n").into_bytes();
    let code = |pickle: &[u8]| refused(&archive(pickle, &[]), Format::Torchlogix, SIDE).0;
    let dict = |entries: &[Vec<u8>]| [&b"}("[..], &entries.concat(), b"u"].concat();
    // 2,000 tensors of one shape of 10,000 dimensions.
    let storage =
        [b"(".to_vec(), text("storage"), global("torch", "FloatStorage"), text("0"), text("cpu"), b"K\x01tQ".into()];
    let tensor =
        [global("torch._utils", "_rebuild_tensor_v2"), b"(".into(), storage.concat(), b"K\0h\0h\0\x89}tRq\x010".into()];
    let shape = [&b"\x80\x02("[..], &b"K\x01".repeat(10_000), b"tq\x000"].concat();
    let names: Vec<_> = (0..2000).map(|i| [text(&format!("{i}.weight")), b"h\x01".into()].concat()).collect();
    let pickle = [shape, tensor.concat(), dict(&names), b".".into()].concat();
    let read = |archive: &[u8]| Checkpoint::open(archive, "net.pt", None).and_then(|c| c.wholes("0.weight").map(drop));
    assert_eq!(read(&archive(&pickle, &[])).map_err(|e| e.code.id), Err("BL1404"));
    // A module of two of a module of two, and so on, forty times; under short names and under long ones.
    let module = |inside: &[Vec<u8>], more: &[u8]| {
        let parts = [text("_parameters"), b"}".into(), text("_buffers"), b"}".into(), text("_modules"), dict(inside)];
        [global("torch.nn", "Sequential"), b")\x81".into(), dict(&[parts.concat(), more.into()]), b"b".into()].concat()
    };
    for key in ["a".to_owned(), "a".repeat(5000)] {
        let mut pickle =
            [b"\x80\x02".to_vec(), text(&key), b"q\xff0".into(), module(&[], b""), b"q\x000".into()].concat();
        for i in 0..40 {
            let two = [[b'h', 0xff, b'h', i].into(), [text("b"), vec![b'h', i]].concat()];
            pickle.extend([module(&two, b""), vec![b'q', i + 1, b'0']].concat());
        }
        pickle.extend(b"h(.");
        assert_eq!(code(&pickle), "BL1405");
    }
    // A module of more attributes than classes have.
    assert_eq!(code(&[b"\x80\x02", &module(&[], &b"K\x01K\x02".repeat(5000))[..], b"."].concat()), "BL1405");
    // More bytes than may be read, of which few are packed.
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("m/data.pkl", SimpleFileOptions::default()).unwrap();
    zip.write_all(&tensor_pickle("ByteStorage", 4, 0, [1, 4], [4, 1])).unwrap();
    zip.start_file("m/data/0", SimpleFileOptions::default()).unwrap();
    (0..129).for_each(|_| zip.write_all(&[0; 1 << 20]).unwrap());
    let why = read(&zip.finish().unwrap().into_inner()).expect_err("must be refused");
    assert!(why.code.id == "BL1402" && why.message.contains("would unpack to 135266304 bytes"), "{why}");
}

#[test]
fn damage_is_found() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/import/torchlogix/dense_raw2");
    let bytes = std::fs::read(format!("{path}.pt")).unwrap();
    let side = std::fs::read_to_string(format!("{path}.toml")).unwrap();
    assert!(import(&bytes, Format::Torchlogix, &side).is_ok());
    let code = |bytes: &[u8]| refused(bytes, Format::Torchlogix, &side).0;
    assert_eq!(code(&bytes[..bytes.len() - 1]), "BL1402");
    let at = bytes.windows(9).position(|w| w == b"/data/1FB").unwrap() + 500;
    let mut flipped = bytes.clone();
    flipped[at] ^= 0x40;
    assert_eq!(code(&flipped), "BL1402", "checksum");
}

#[test]
fn what_a_checkpoint_lacks_is_asked_for() {
    let (id, text) = refused(&safetensors(&net()), Format::Torchlogix, "");
    assert_eq!(id, "BL1411");
    for what in [
        "does not say classes, input.shape, input.dtype",
        "[input]\n",
        "shape = ",
        "[[layers]]",
        "parametrization = \"raw\"",
    ] {
        assert!(text.contains(what), "{what}: {text}");
    }
    // The template, filled in, is a sidecar.
    let filled: String = text
        .lines()
        .filter_map(|l| l.split_once("= note:").map_or(Some(l.trim()), |(_, note)| Some(note.trim())))
        .skip_while(|l| !l.starts_with("# sidecar"))
        .take_while(|l| !l.contains("= help:"))
        .map(|l| match l {
            l if l.starts_with("classes") => "classes = 2\n".into(),
            l if l.starts_with("shape") => "shape = [3]\n".into(),
            l if l.starts_with("dtype") => "dtype = \"bit\"\n".into(),
            l => format!("{l}\n"),
        })
        .collect();
    assert!(import(&safetensors(&net()), Format::Torchlogix, &filled).is_ok(), "{filled}");
    // Four weights of two inputs may be light or warp, sixteen of four too.
    for (k, columns) in [(2, 4), (4, 16)] {
        let net = [
            ("0.weight", floats(&[1, columns], &vec![1.0; columns])),
            ("0.connections.indices", wholes(&[k, 1], &[0, 1, 2, 0][..k])),
        ];
        let (id, text) = refused(&safetensors(&net), Format::Torchlogix, &SIDE.replace("= 2", "= 1"));
        assert_eq!((id, text.contains("layers[0].parametrization")), ("BL1411", true), "{text}");
        let tables = ["light", "warp"].map(|kind| {
            let side = format!("parametrization = \"{kind}\"\n{}", SIDE.replace("= 2", "= 1"));
            import(&safetensors(&net), Format::Torchlogix, &side).unwrap().layers[0].clone()
        });
        assert_ne!(tables[0], tables[1], "the two readings differ");
        assert_eq!(code(&net, &format!("parametrization = \"raw\"\n{SIDE}")), "BL1412");
    }
    // An image: the order of layers and what has no tensors is not known.
    let (id, text) = refused(&safetensors(&net()), Format::Torchlogix, &SIDE.replace("[3]", "[3, 1, 1]"));
    assert_eq!((id, text.contains("does not say layers")), ("BL1411", true), "{text}");
}

#[test]
fn parts_that_do_not_fit() {
    let with = |name: &'static str, tensor: Tensor| {
        let mut net = net();
        net.retain(|(n, _)| *n != name);
        net.push((name, tensor));
        net
    };
    let indices = "0.connections.indices";
    assert_eq!(code(&with(indices, wholes(&[2, 2], &[0, 1, 1, 3])), SIDE), "BL1408");
    assert_eq!(code(&with(indices, wholes(&[2, 2], &[0, 1, -1, 1])), SIDE), "BL1408");
    assert_eq!(code(&with(indices, wholes(&[2, 3], &[0, 1, 1, 2, 2, 2])), SIDE), "BL1408");
    assert_eq!(code(&with(indices, wholes(&[3, 2], &[0; 6])), SIDE), "BL1408", "16 weights of three inputs");
    assert_eq!(code(&with(indices, floats(&[2, 2], &[0.0; 4])), SIDE), "BL1404");
    assert_eq!(code(&with("0.weight", wholes(&[2, 16], &[0; 32])), SIDE), "BL1404");
    assert_eq!(code(&with("0.weight", floats(&[2, 16], &[f32::NAN; 32])), SIDE), "BL1413");
    assert_eq!(code(&with("1.running_mean", floats(&[2], &[0.0; 2])), SIDE), "BL1406");
    assert_eq!(code(&net()[..1], SIDE), "BL1415");
    assert_eq!(code(&net()[1..], SIDE), "BL1407");
    assert_eq!(code(&net(), "clases = 2"), "BL1410");
    let e = Sidecar::parse("classes = 2\n[input]\nshape = []\ndtype = \"u7\"\n", "s.toml").unwrap_err();
    assert!(e.to_string().contains("line 4"), "{e}");
    assert_eq!(code(&net(), &SIDE.replace("bit", "u8")), "BL1412", "no thresholds");
    assert_eq!(code(&net(), &SIDE.replace("[3]", "[3, 1]")), "BL1412");
    assert_eq!(code(&net(), &SIDE.replace("[3]", "[3000000000]")), "BL1412");
    assert_eq!(code(&net(), &format!("{SIDE}[[layers]]\nmodule = \"1\"\nkind = \"dense\"\n")), "BL1412");
    assert_eq!(code(&net(), &format!("{SIDE}[[layers]]\nmodule = \"0\"\nkind = \"conv2d\"\n")), "BL1412");
    assert_eq!(code(&net(), &format!("{SIDE}[[layers]]\nkind = \"flatten\"\n")), "BL1406", "a layer left out");
    assert_eq!(code(&net(), &SIDE.replace("classes = 2", "classes = 3")), "BL1036");
    let pool = |size: &str| {
        format!(
            "{}[[layers]]\nkind = \"or_pool2d\"\nkernel_size = {size}\nstride = 1\npadding = 0\n\
            [[layers]]\nkind = \"flatten\"\n[[layers]]\nmodule = \"0\"\n",
            SIDE.replace("[3]", "[3, 6, 6]")
        )
    };
    assert_eq!(code(&net(), &pool("5")), "BL1416");
    assert_eq!(code(&net(), &pool("7")), "BL1408");
    assert_eq!(code(&net(), &pool("[1, 2, 3]")), "BL1412");
    assert!(import(&safetensors(&net()), Format::Torchlogix, &pool("[4, 4]")).is_ok());
    // Light, warp or raw of a module that was saved whole is known; a module that is not is refused by name.
    let module = b"\x80\x02cmynet\nNet\n)\x81}(X\x0b\x00\x00\x00_parameters}X\x08\x00\x00\x00_buffers}X\x08\x00\x00\x00_modules}ub.";
    let (id, text) = refused(&archive(module, &[]), Format::Torchlogix, SIDE);
    assert_eq!((id, text.contains("mynet.Net")), ("BL1409", true), "{text}");
}

#[test]
fn thresholds_are_sorted_and_of_what_comes_in() {
    let net = [
        ("0.thresholds", floats(&[2], &[0.75, 0.25])),
        ("1.weight", floats(&[1, 4], &[-1.0, -1.0, 1.0, -1.0])),
        ("1.connections.indices", wholes(&[2, 1], &[0, 3])),
    ];
    let side = "classes = 1\nparametrization = \"light\"\n[input]\nshape = [2]\ndtype = \"u8\"\nscale = 255\n";
    let model = import(&safetensors(&net), Format::Torchlogix, side).unwrap();
    assert_eq!(
        model.layers[0],
        Layer::Thermometer { bits: 2, thresholds: Thresholds::F32(vec![63.0, 191.0, 63.0, 191.0]) }
    );
    // Bit 0 of the file is bit 1 of the sorted thermometer, bit 3 is bit 2.
    let luts = Layer::Lut { fan_in: 2, connections: vec![2, 1], tables: vec![0b0100] };
    assert_eq!(model.layers[1], luts);
    assert_eq!(code(&net, &side.replace("u8", "bit")), "BL1412");
    assert_eq!(code(&net, &side.replace("255", "0")), "BL1412");
    assert_eq!(code(&net, &format!("{side}thresholds = \"t.npy\"\n")), "BL1412");
}

#[test]
fn thresholds_of_the_sidecar() {
    let dir = tempfile::tempdir().unwrap();
    let (checkpoint, sidecar) = (dir.path().join("net.safetensors"), dir.path().join("net.toml"));
    std::fs::write(&checkpoint, safetensors(&net())).unwrap();
    let side = SIDE.replace("bit", "f32").replace("[3]", "[1]") + "thresholds = \"t.npy\"\n";
    std::fs::write(&sidecar, side).unwrap();
    let read_it = || read(&checkpoint, Format::Torchlogix, Some(&sidecar));
    assert_eq!(read_it().unwrap_err().code.id, "BL1001");
    let array = |shape: &[usize], x: &[f32]| {
        npy::write(
            &dir.path().join("t.npy"),
            &crate::data::Array { shape: shape.into(), data: Elements::F32(x.into()) },
        )
        .unwrap();
    };
    array(&[1, 3], &[0.5, 1.0, 1.5]);
    assert_eq!(
        read_it().unwrap().layers[0],
        Layer::Thermometer { bits: 3, thresholds: Thresholds::F32(vec![0.5, 1.0, 1.5]) }
    );
    array(&[2, 3], &[0.5; 6]);
    assert_eq!(read_it().unwrap_err().code.id, "BL1408");
    array(&[1], &[f32::NAN]);
    assert_eq!(read_it().unwrap_err().code.id, "BL1412");
}

#[test]
fn torch_dwn_by_hand() {
    let luts = floats(&[2, 4], &[0.5, -0.5, 0.0, 1.0, -1.0, -1.0, 1.0, -1.0]);
    let fixed = [("0.luts", luts.clone()), ("0.mapping", wholes(&[2, 2], &[0, 1, 2, 1]))];
    let model = import(&safetensors(&fixed), Format::TorchDwn, SIDE).unwrap();
    let layer = Layer::Lut { fan_in: 2, connections: vec![0, 1, 2, 1], tables: vec![0b1001, 0b0100] };
    assert_eq!(model.layers[0], layer);
    // Column n * k + j has its largest weight at what input j of node n reads.
    let scores = floats(&[3, 4], &[2.0, 0.0, 0.0, 0.0, 1.0, 2.0, 0.0, 1.0, 0.0, 0.0, 2.0, 0.0]);
    let learnable = [
        ("0.luts", luts.clone()),
        ("0.mapping.weights", scores),
        ("0._LUTLayer__dummy_mapping", wholes(&[2, 2], &[0; 4])),
    ];
    assert_eq!(import(&safetensors(&learnable), Format::TorchDwn, SIDE).unwrap().layers[0], layer);
    let code = |tensors: &[(&str, Tensor)], side: &str| refused(&safetensors(tensors), Format::TorchDwn, side).0;
    assert_eq!(code(&fixed, ""), "BL1411");
    assert_eq!(code(&fixed[..1], SIDE), "BL1407");
    assert_eq!(code(&fixed[1..], SIDE), "BL1407");
    assert_eq!(code(&[("0.luts", luts.clone()), ("0.mapping", wholes(&[4], &[0; 4]))], SIDE), "BL1408");
    assert_eq!(
        code(&[("0.luts", floats(&[2, 3], &[0.0; 6])), ("0.mapping", wholes(&[2, 2], &[0; 4]))], SIDE),
        "BL1408"
    );
    let wide = [("0.luts", floats(&[1, 1 << 17], &[0.0; 1 << 17])), ("0.mapping", wholes(&[1, 17], &[0; 17]))];
    assert_eq!(code(&wide, SIDE), "BL1416");
    let named = [
        ("a.luts", luts.clone()),
        ("a.mapping", wholes(&[2, 2], &[0; 4])),
        ("b.luts", luts),
        ("b.mapping", wholes(&[2, 2], &[0; 4])),
    ];
    let (id, text) = refused(&safetensors(&named), Format::TorchDwn, SIDE);
    assert_eq!((id, text.contains("layers")), ("BL1411", true), "{text}");
    let order = format!("{SIDE}[[layers]]\nmodule = \"b\"\n[[layers]]\nmodule = \"a\"\n");
    assert_eq!(import(&safetensors(&named), Format::TorchDwn, &order).unwrap().layers.len(), 4);
}

#[test]
fn weights_without_wiring_are_no_network() {
    for (format, name) in [(Format::Difflogic, "0.weights"), (Format::Llnn, "0.w")] {
        let (id, text) = refused(&safetensors(&[(name, floats(&[1, 16], &[0.0; 16]))]), format, SIDE);
        assert_eq!((id, text.contains("torch.save(model,")), ("BL1414", true), "{text}");
        assert_eq!(refused(&safetensors(&net()), format, SIDE).0, "BL1407");
    }
}

#[test]
fn difflut_by_hand() {
    let node = |n: usize, entries: &[f32]| {
        let names = [format!("0.nodes.{n}.raw_luts"), format!("0.nodes.{n}.binary_combinations")];
        let [luts, corners] = names.map(|name| -> &'static str { name.leak() });
        [(luts, floats(&[1, 4], entries)), (corners, floats(&[4, 2], &[0.0; 8]))]
    };
    let net: Vec<_> = [node(0, &[-1.0, 0.0, 2.0, -1e-9]), node(1, &[1.0, -1.0, -1.0, -2.0])].concat();
    let wires = ("0._mapping_indices", wholes(&[2, 2], &[0, 1, 2, 0]));
    let with = |more: &[(&'static str, Tensor)]| [net.as_slice(), more].concat();
    let code = |tensors: &[(&str, Tensor)], side: &str| refused(&safetensors(tensors), Format::Difflut, side).0;
    // A sigmoid of -1e-9 is one half in single precision.
    let model = import(&safetensors(&with(std::slice::from_ref(&wires))), Format::Difflut, SIDE).unwrap();
    let layer = Layer::Lut { fan_in: 2, connections: vec![0, 1, 2, 0], tables: vec![0b1110, 0b0001] };
    assert_eq!(model.layers[0], layer);
    // Input j of node n is the largest of row n * k + j; three classes take a zero more.
    let learnt = floats(&[4, 3], &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
    let learnt = with(&[("0.mapping.W", learnt), ("head.tau", floats(&[], &[1.0]))]);
    let model = import(&safetensors(&learnt), Format::Difflut, &SIDE.replace("= 2", "= 3")).unwrap();
    let padded = Layer::Lut { fan_in: 2, connections: vec![0, 1, 2, 0, 0, 0], tables: vec![0b1110, 0b0001, 0] };
    assert_eq!(model.layers[0], padded);
    assert_eq!(code(&with(std::slice::from_ref(&wires)), ""), "BL1411");
    assert_eq!(code(&net, SIDE), "BL1407", "no wiring");
    assert_eq!(code(std::slice::from_ref(&wires), SIDE), "BL1407", "no nodes");
    assert_eq!(code(&with(&[("0._mapping_indices", wholes(&[3, 2], &[0; 6]))]), SIDE), "BL1408");
    assert_eq!(code(&with(&[("0._mapping_indices", wholes(&[2, 3], &[0; 6]))]), SIDE), "BL1408");
    assert_eq!(code(&with(&[("0._mapping_indices", wholes(&[2, 2], &[0, 1, 2, 7]))]), SIDE), "BL1408");
    assert_eq!(code(&with(&[("0._mapping_indices", wholes(&[2, 17], &[0; 34]))]), SIDE), "BL1416");
    assert_eq!(code(&with(&[wires.clone(), ("0.nodes.2.other", floats(&[1], &[0.0]))]), SIDE), "BL1406");
    assert_eq!(
        code(&with(&[wires.clone(), ("thresholds", floats(&[3], &[0.0; 3]))]), &SIDE.replace("bit", "u8")),
        "BL1408"
    );
    // Few weights of many and wide tables.
    let wide = [
        ("0._mapping_indices", wholes(&[1, 16], &[0; 16])),
        ("0.nodes.0.weights", floats(&[16, 1 << 18], &vec![0.0; 16 << 18])),
    ];
    let side = SIDE.replace("= 2", "= 0");
    assert_eq!(code(&wide, &side), "BL1416", "too much");
    let narrow = [
        ("0._mapping_indices", wholes(&[1, 2], &[0, 2])),
        ("0.nodes.0.layers.0.weight", floats(&[5000, 2], &[0.0; 10000])),
        ("0.nodes.0.layers.0.bias", floats(&[5000], &[0.0; 5000])),
    ];
    assert_eq!(code(&narrow, &format!("activation = \"relu\"\n{side}")), "BL1408", "too wide inside");
    // What only the model's code says is asked for.
    for (tensor, key) in [("0.nodes.0.layers.0.weight", "activation"), ("0.nodes.0.amplitudes", "max_amplitude")] {
        let (id, text) =
            refused(&safetensors(&[wires.clone(), (tensor, floats(&[1, 2], &[0.0; 2]))]), Format::Difflut, SIDE);
        assert_eq!((id, text.contains(&format!("does not say {key}"))), ("BL1411", true), "{text}");
    }
    // A head that draws at random, in a module that was saved whole.
    let text = |t: &str| [b"X".as_slice(), &(t.len() as u32).to_le_bytes(), t.as_bytes()].concat();
    let parts = ["_parameters", "_buffers", "_modules"].map(|key| [text(key), b"}".to_vec()].concat()).concat();
    let head =
        [b"\x80\x02cdifflut.heads.groupsum\nGroupSum\n)\x81}(".as_slice(), &parts, &text("use_randperm"), b"\x88ub."];
    assert_eq!(refused(&archive(&head.concat(), &[]), Format::Difflut, SIDE).0, "BL1417");
}

#[test]
fn tables_of_bitlogic() {
    let net = |luts: Tensor, ids: Tensor| safetensors(&[("0.luts", luts), ("0.ids", ids)]);
    let luts = || wholes(&[3, 4], &[0, 1, 0, 0, 1, 1, 1, 0, 0, 0, 0, 1]);
    // Input 0 is the highest bit of the address and so the last of ours, whichever way the list of inputs is turned.
    let layer = Layer::Lut { fan_in: 2, connections: vec![1, 0, 2, 1, 0, 2], tables: vec![0b0010, 0b0111, 0b1000] };
    let side = SIDE.replace("= 2", "= 3");
    for ids in [wholes(&[3, 2], &[0, 1, 1, 2, 2, 0]), wholes(&[2, 3], &[0, 1, 2, 1, 2, 0])] {
        assert_eq!(import(&net(luts(), ids), Format::Bitlogic, &side).unwrap().layers[0], layer);
    }
    let code = |luts: Tensor, ids: Tensor| refused(&net(luts, ids), Format::Bitlogic, SIDE).0;
    assert_eq!(code(wholes(&[2, 4], &[0; 8]), wholes(&[2, 2], &[0; 4])), "BL1408", "either way");
    assert_eq!(code(wholes(&[3, 4], &[2; 12]), wholes(&[3, 2], &[0; 6])), "BL1408", "no bits");
    assert_eq!(code(wholes(&[3, 3], &[0; 9]), wholes(&[3, 2], &[0; 6])), "BL1408");
    assert_eq!(code(luts(), wholes(&[3, 1], &[0; 3])), "BL1408");
    assert_eq!(code(luts(), floats(&[3, 2], &[0.0; 6])), "BL1404");
    assert_eq!(code(wholes(&[1, 1 << 17], &[0; 1 << 17]), wholes(&[1, 17], &[0; 17])), "BL1416");
    let thresholds =
        [("0.luts", luts()), ("0.ids", wholes(&[3, 2], &[0; 6])), ("e.thresholds", floats(&[1, 2], &[1.0, 0.0]))];
    assert_eq!(refused(&safetensors(&thresholds), Format::Bitlogic, &SIDE.replace("bit", "u8")).0, "BL1408");
    // Weights are not guessed at: the lines that save tables are shown.
    let (id, text) = refused(&safetensors(&[("2.weight", floats(&[1, 4], &[0.0; 4]))]), Format::Bitlogic, SIDE);
    assert_eq!((id, text.contains("m.get_luts_and_ids()")), ("BL1418", true), "{text}");
}

#[test]
fn ways_past_layers() {
    let layer = |kind: &str| format!("[[layers]]\nkind = \"{kind}\"\n");
    let dense = "[[layers]]\nmodule = \"0\"\n";
    let code = |layers: &[&str]| code(&net(), &format!("{SIDE}{}", layers.concat()));
    let (begin, end) = (layer("residual"), layer("residual_end"));
    assert_eq!(code(&[&begin, dense, &end]), "BL1408", "three bits past two");
    assert_eq!(code(&[dense, &end]), "BL1408", "nothing went past");
    assert_eq!(code(&[&begin, dense]), "BL1408", "not read");
    assert_eq!(code(&[&begin, &begin, dense]), "BL1408", "one in another");
    let side = format!("{SIDE}{dense}{begin}{end}");
    let model = import(&safetensors(&net()), Format::Torchlogix, &side).unwrap();
    assert_eq!(model.layers[1], Layer::Lut { fan_in: 2, connections: vec![0, 0, 1, 1], tables: vec![0b1110; 2] });
}
