//! What `--data` may name: `digits`, a folder of IDX or CIFAR-10 files, an `.npz`, or a `.csv`.

use std::path::{Path, PathBuf};

use blc_ir::diag::{Code, Diagnostic, Result};

use super::{Array, Dataset, Features, Npz, Split, cifar, csv, idx, npy, split};
use crate::{codes, files};

/// The UCI optical digits; see `frontend/data/README.md`.
static DIGITS: &[u8] = include_bytes!("../../data/digits.npz");

impl Dataset {
    /// Opens a data set by name or path.
    ///
    /// - `digits`: the embedded set, 5,620 images of 8×8 with values 0 to 16, split as an `.npz` of `x` and `y` is.
    /// - a folder with `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and the same two with `t10k` (or with `.idx`
    ///   for `-idx`, or with `.gz` behind): MNIST and its relatives, official split.
    /// - a folder with `data_batch_1.bin` … `data_batch_5.bin` and `test_batch.bin`: CIFAR-10, official split.
    /// - an `.npz` with `x_train`, `y_train`, `x_test`, `y_test`, or with `x` and `y`, of which a fifth of each class,
    ///   always the same, is for testing; samples of equal features stay on one side.
    /// - a `.csv`: a sample a line, the class in the last column; split as an `.npz` of `x` and `y`.
    ///
    /// Errors: `BL1200` to `BL1213`, and `BL1001`, `BL1003` for a file.
    pub fn open(what: &str) -> Result<Self> {
        if what == "digits" {
            return from_npz(DIGITS, "digits", "digits");
        }
        let path = Path::new(what);
        let name = path.file_stem().map_or_else(|| "data".into(), |s| s.to_string_lossy().into_owned());
        if path.is_dir() {
            return from_folder(path, &name);
        }
        if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("npz")) {
            return from_npz(&files::read_bounded(path, npy::MAX_FILE)?, what, &name);
        }
        if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv")) && path.exists() {
            let (features, all) = csv::parse(&files::read_text(path, npy::MAX_FILE)?, what)?;
            return split_off(&name, what, &[features], &all);
        }
        let message = if path.exists() { "a data set of unknown format" } else { "no such data set" };
        Err(unknown(what, message))
    }

    /// Checks what everyone relies on: both halves alike and not empty, at least two classes.
    fn new(name: &str, file: &str, (shape, train): Half, (test_shape, test): Half) -> Result<Self> {
        let refused = |code, message: String| Err(refused(code, file, "", message));
        if shape != test_shape || matches!(train.x, Features::U8(_)) != matches!(test.x, Features::U8(_)) {
            let kind = |x: &Features| if matches!(x, Features::U8(_)) { "u8" } else { "f32" };
            let (train, test) = (kind(&train.x), kind(&test.x));
            let message = format!("training samples are {train} {shape:?}, but test samples {test} {test_shape:?}");
            return refused(&codes::DATA_SHAPE, message);
        }
        for (split, what) in [(&train, "training"), (&test, "test")] {
            if split.is_empty() {
                return refused(&codes::DATA_EMPTY, format!("no {what} samples"));
            }
        }
        let classes = train.y.iter().chain(&test.y).max().map_or(0, |&y| usize::from(y) + 1);
        if classes < 2 {
            return refused(&codes::DATA_LABELS, "every sample is of class 0".into());
        }
        Ok(Self { name: name.into(), shape, classes, train, test, soft: None })
    }
}

/// Samples with the shape of each.
type Half = (Vec<usize>, Split);

/// Puts arrays `[N, ...]` and `[N]` together.
fn half(x: Array, x_file: &str, x_name: &str, y: &Array, y_file: &str, y_name: &str) -> Result<Half> {
    let shape_error = |message: String| Err(refused(&codes::DATA_SHAPE, x_file, x_name, message));
    let (samples, shape) = match x.shape.split_first() {
        Some((&samples, shape)) if (1..=3).contains(&shape.len()) && !shape.contains(&0) => (samples, shape.to_vec()),
        _ => return shape_error(format!("shape {:?} is not [samples, features] of 1 to 3 dimensions each", x.shape)),
    };
    if y.data.len() != samples {
        return shape_error(format!("{samples} samples, but {} labels", y.data.len()));
    }
    Ok((shape, Split { x: x.into_features(x_file, x_name)?, y: y.to_labels(y_file, y_name)? }))
}

fn refused(code: &'static Code, file: &str, what: &str, message: String) -> Box<Diagnostic> {
    Diagnostic::error(code, message).in_file(file, what).into()
}

fn unknown(what: &str, message: &str) -> Box<Diagnostic> {
    Diagnostic::error(&codes::DATA_UNKNOWN, message)
        .in_file(what, "")
        .help("give `digits`, a folder of MNIST-like IDX files or CIFAR-10 .bin files, an .npz with x_train, y_train, x_test, y_test, or a .csv with the class last")
        .into()
}

fn from_folder(folder: &Path, name: &str) -> Result<Dataset> {
    if find_idx(folder, "train-images", 3).is_some() {
        return from_idx(folder, name);
    }
    if folder.join("data_batch_1.bin").exists() {
        return from_cifar(folder, name);
    }
    Err(unknown(&files::display(folder), "a folder without a known data set"))
}

fn from_idx(folder: &Path, name: &str) -> Result<Dataset> {
    let file = files::display(folder);
    let read = |part: &str, rank: u8| match find_idx(folder, part, rank) {
        Some(path) => Ok((idx::read(&path)?, files::display(&path))),
        None => {
            let message = format!("the folder has no {part}-idx{rank}-ubyte, plain or with .gz");
            Err(refused(&codes::DATA_UNKNOWN, &file, "", message))
        }
    };
    let part = |part: &str| {
        let (x, x_file) = read(&format!("{part}-images"), 3)?;
        let (y, y_file) = read(&format!("{part}-labels"), 1)?;
        half(x, &x_file, "", &y, &y_file, "")
    };
    Dataset::new(name, &file, part("train")?, part("t10k")?)
}

/// `PART-idx3-ubyte`, `PART.idx3-ubyte`, or one of them with `.gz`.
fn find_idx(folder: &Path, part: &str, rank: u8) -> Option<PathBuf> {
    let names = ["-", "."].map(|dot| format!("{part}{dot}idx{rank}-ubyte"));
    names
        .iter()
        .flat_map(|name| [name.clone(), format!("{name}.gz")])
        .map(|name| folder.join(name))
        .find(|p| p.exists())
}

fn from_cifar(folder: &Path, name: &str) -> Result<Dataset> {
    let read = |names: &[&str]| -> Result<Half> {
        let mut split = Split { x: Features::U8(Vec::new()), y: Vec::new() };
        names.iter().try_for_each(|name| cifar::read_into(&folder.join(name), &mut split))?;
        Ok((cifar::SHAPE.into(), split))
    };
    let train = ["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"];
    Dataset::new(name, &files::display(folder), read(&train)?, read(&["test_batch.bin"])?)
}

fn from_npz(bytes: &[u8], file: &str, name: &str) -> Result<Dataset> {
    let mut npz = Npz::open(bytes, file)?;
    let split = npz.contains("x_train");
    if !split && !npz.contains("x") {
        let message = format!("the archive has neither `x_train` nor `x`, but {}", npz.keys().join(", "));
        return Err(refused(&codes::NPZ_KEY, file, "", message));
    }
    let mut part = |x: &str, y: &str| half(npz.get(x)?, file, x, &npz.get(y)?, file, y);
    if split {
        let mut set = Dataset::new(name, file, part("x_train", "y_train")?, part("x_test", "y_test")?)?;
        if npz.contains("p_train") {
            let soft = npz.get("p_train")?;
            if soft.shape != [set.train.len(), set.classes] {
                let message = format!("shape {:?} is not [{}, {}]", soft.shape, set.train.len(), set.classes);
                return Err(refused(&codes::DATA_SHAPE, file, "p_train", message));
            }
            set.soft = match soft.into_features(file, "p_train")? {
                Features::F32(soft) => Some(soft),
                Features::U8(soft) => Some(soft.into_iter().map(f32::from).collect()),
            };
        }
        return Ok(set);
    }
    let (shape, all) = part("x", "y")?;
    split_off(name, file, &shape, &all)
}

/// A fifth of each class for testing.
fn split_off(name: &str, file: &str, shape: &[usize], all: &Split) -> Result<Dataset> {
    let features = shape.iter().product();
    let (train, test) = split::stratified(&all.x, features, &all.y);
    let part = |rows: &[usize]| {
        let y = rows.iter().filter_map(|&i| all.y.get(i).copied()).collect();
        (shape.to_vec(), Split { x: all.x.rows(features, rows), y })
    };
    Dataset::new(name, file, part(&train), part(&test))
}

#[cfg(test)]
mod tests {
    use super::super::array::Elements;
    use super::super::{
        cifar::tests::record,
        idx::tests::{gz, idx},
        npz::tests::archive,
    };
    use super::*;
    use zip::CompressionMethod::{Deflated, Stored};

    fn array(shape: &[usize], data: Elements) -> Array {
        Array { shape: shape.into(), data }
    }

    fn code(what: &Path) -> &'static str {
        let e = Dataset::open(&what.display().to_string()).expect_err("must be refused");
        assert!(e.to_string().contains(&what.file_name().unwrap().to_string_lossy()[..]), "{e}");
        e.code.id
    }

    #[test]
    fn digits_are_the_uci_set() {
        let digits = Dataset::open("digits").unwrap();
        assert_eq!((digits.shape.as_slice(), digits.classes, digits.name.as_str()), (&[8, 8][..], 10, "digits"));
        let (train, test) = (&digits.train, &digits.test);
        let count = |class: u16| train.y.iter().chain(&test.y).filter(|&&y| y == class).count();
        let counts: Vec<usize> = (0..10).map(count).collect();
        assert_eq!(counts, [554, 571, 557, 572, 568, 558, 558, 566, 554, 562], "as UCI states");
        assert_eq!((train.len(), test.len()), (4501, 1119), "as the README beside it says");
        let (Features::U8(a), Features::U8(b)) = (&train.x, &test.x) else { panic!("bytes") };
        assert_eq!((a.len() + b.len()) / 64, 5620);
        assert_eq!(a.iter().chain(b).max(), Some(&16));
        let seen: std::collections::HashSet<&[u8]> = a.chunks(64).collect();
        assert!(b.chunks(64).all(|image| !seen.contains(image)), "no test image was trained on");
        assert_eq!(Dataset::open("digits").unwrap(), digits);
    }

    #[test]
    fn idx_folders() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, bytes: Vec<u8>| std::fs::write(dir.path().join(name), bytes).unwrap();
        assert_eq!(code(dir.path()), "BL1200");
        put("train-images-idx3-ubyte.gz", gz(&idx(&[3, 2, 2], &[1; 12])));
        put("train-labels-idx1-ubyte.gz", gz(&idx(&[3], &[0, 1, 2])));
        put("t10k-images.idx3-ubyte", idx(&[1, 2, 2], &[9; 4]));
        assert_eq!(code(dir.path()), "BL1200", "no test labels");
        put("t10k-labels.idx1-ubyte", idx(&[1], &[3]));
        let set = Dataset::open(&dir.path().display().to_string()).unwrap();
        assert_eq!((set.shape.as_slice(), set.classes, set.train.len()), (&[2, 2][..], 4, 3));
        assert_eq!(set.test, Split { x: Features::U8(vec![9; 4]), y: vec![3] });
        put("t10k-labels.idx1-ubyte", idx(&[2], &[3, 3]));
        let e = Dataset::open(&dir.path().display().to_string()).unwrap_err();
        assert_eq!((e.code.id, e.message.as_str()), ("BL1209", "1 samples, but 2 labels"));
        put("t10k-labels.idx1-ubyte", idx(&[1], &[3]));
        put("t10k-images.idx3-ubyte", idx(&[1, 4, 1], &[9; 4]));
        assert_eq!(code(dir.path()), "BL1209");
    }

    #[test]
    fn cifar_folders() {
        let dir = tempfile::tempdir().unwrap();
        for i in 1..=5 {
            std::fs::write(dir.path().join(format!("data_batch_{i}.bin")), record(i, i)).unwrap();
        }
        let e = Dataset::open(&dir.path().display().to_string()).unwrap_err();
        assert_eq!(e.code.id, "BL1001", "no test batch");
        std::fs::write(dir.path().join("test_batch.bin"), record(9, 0)).unwrap();
        let set = Dataset::open(&dir.path().display().to_string()).unwrap();
        assert_eq!((set.shape.as_slice(), set.classes), (&[3, 32, 32][..], 10));
        assert_eq!((set.train.y, set.test.y), (vec![1, 2, 3, 4, 5], vec![9]));
    }

    #[test]
    fn npz_archives() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.npz");
        let put = |arrays: &[(&str, Array)]| std::fs::write(&path, archive(arrays, Deflated)).unwrap();
        let x = |n: usize| array(&[n, 2], Elements::F64((0..2 * n).map(|i| i as f64).collect()));
        let y = |n: usize| array(&[n], Elements::I64((0..n).map(|i| (i % 2) as i64).collect()));
        put(&[("x_train", x(3)), ("y_train", y(3)), ("x_test", x(1)), ("y_test", y(1))]);
        let set = Dataset::open(&path.display().to_string()).unwrap();
        assert_eq!((set.name.as_str(), set.classes, set.train.len(), set.test.len()), ("a", 2, 3, 1));
        assert_eq!(set.test.x, Features::F32(vec![0.0, 1.0]));
        let soft = |n: usize| array(&[n, 2], Elements::F32(vec![0.5; 2 * n]));
        put(&[("x_train", x(3)), ("y_train", y(3)), ("x_test", x(1)), ("y_test", y(1)), ("p_train", soft(3))]);
        assert_eq!(Dataset::open(&path.display().to_string()).unwrap().soft, Some(vec![0.5; 6]));
        put(&[("x_train", x(3)), ("y_train", y(3)), ("x_test", x(1)), ("y_test", y(1)), ("p_train", soft(2))]);
        assert_eq!(code(&path), "BL1209");
        put(&[("x", x(20)), ("y", y(20))]);
        let set = Dataset::open(&path.display().to_string()).unwrap();
        assert_eq!((set.train.len(), set.test.len(), set.features()), (16, 4, 2));

        let bytes = |n: usize| array(&[n, 2], Elements::U8(vec![1; 2 * n]));
        let nan = array(&[3, 2], Elements::F32(vec![0.0, 0.0, 0.0, f32::NAN, 0.0, 0.0]));
        type Arrays<'a> = &'a [(&'a str, Array)];
        let cases: &[(&str, Arrays<'_>, &str)] = &[
            ("other names", &[("images", x(3)), ("labels", y(3))], "BL1206"),
            ("no labels", &[("x", x(3))], "BL1206"),
            ("no test set", &[("x_train", x(3)), ("y_train", y(3))], "BL1206"),
            ("two labels too many", &[("x", x(3)), ("y", y(5))], "BL1209"),
            ("one label short", &[("x", x(3)), ("y", y(2))], "BL1209"),
            ("one dimension", &[("x", y(3)), ("y", y(3))], "BL1209"),
            ("no features", &[("x", array(&[3, 0], Elements::U8(vec![]))), ("y", y(3))], "BL1209"),
            ("u8 and f64", &[("x_train", x(3)), ("y_train", y(3)), ("x_test", bytes(1)), ("y_test", y(1))], "BL1209"),
            ("not a number", &[("x", nan), ("y", y(3))], "BL1210"),
            ("double to infinity", &[("x", array(&[1, 1], Elements::F64(vec![1e300]))), ("y", y(1))], "BL1210"),
            ("too few to split", &[("x", x(4)), ("y", y(4))], "BL1211"),
            ("no samples", &[("x", x(0)), ("y", y(0))], "BL1211"),
            ("one class", &[("x", x(9)), ("y", array(&[9], Elements::U8(vec![0; 9])))], "BL1208"),
            ("a negative label", &[("x", x(1)), ("y", array(&[1], Elements::I8(vec![-1])))], "BL1208"),
            ("half a label", &[("x", x(1)), ("y", array(&[1], Elements::F32(vec![0.5])))], "BL1208"),
            ("a label too large", &[("x", x(1)), ("y", array(&[1], Elements::U32(vec![65536])))], "BL1208"),
        ];
        for (what, arrays, expected) in cases {
            put(arrays);
            assert_eq!(code(&path), *expected, "{what}");
        }
        std::fs::write(&path, archive(&[("x", x(3))], Stored).split_off(10)).unwrap();
        assert_eq!(code(&path), "BL1205");
    }

    #[test]
    fn what_is_no_data_set() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        let e = Dataset::open(&path.display().to_string()).unwrap_err();
        assert_eq!((e.code.id, e.message.as_str()), ("BL1200", "no such data set"));
        std::fs::write(&path, "1,2").unwrap();
        assert_eq!(code(&path), "BL1211", "one sample cannot be split");
        let lines: String = (0..20).map(|i| format!("{i},{},{}\n", i * i, ["a", "b"][i % 2])).collect();
        std::fs::write(&path, lines).unwrap();
        let set = Dataset::open(&path.display().to_string()).unwrap();
        assert_eq!((set.train.len(), set.test.len(), set.features(), set.classes), (16, 4, 2, 2));
        std::fs::write(dir.path().join("a.txt"), "1,2").unwrap();
        assert_eq!(code(&dir.path().join("a.txt")), "BL1200");
        assert_eq!(code(&dir.path().join("a.npz")), "BL1001");
    }

    #[test]
    fn mnist_is_the_official_one() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/mnist");
        if !folder.is_dir() {
            // Elsewhere the digits stand in for it: they went through the same checks.
            return digits_are_the_uci_set();
        }
        let set = Dataset::open(&folder.display().to_string()).unwrap();
        assert_eq!(
            (set.shape.as_slice(), set.classes, set.train.len(), set.test.len()),
            (&[28, 28][..], 10, 60_000, 10_000)
        );
        assert_eq!(set.test.y[..8], [7, 2, 1, 0, 4, 1, 4, 9]);
        let Features::U8(x) = &set.test.x else { panic!("bytes") };
        assert_eq!(x.iter().map(|&x| u64::from(x)).sum::<u64>(), 264_923_200);
    }
}
