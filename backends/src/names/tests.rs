use super::*;

#[test]
fn keywords_can_be_searched() {
    for words in [keywords::VERILOG, keywords::SYSTEM_VERILOG, keywords::CPP] {
        assert!(words.is_sorted());
    }
}

#[test]
fn verilog_names_are_identifiers() {
    for (wish, name) in [
        ("x", "x"),
        ("opcode[3]", "opcode_3"),
        ("a.b$c", "a_b_c"),
        ("own_", "own_"),
        ("class", "class_"),
        ("reg", "reg_"),
        ("delete", "delete_"),
        ("Class", "Class"),
        ("1", "n1"),
        ("", "n"),
        ("[[", "n"),
        ("é", "n"),
        ("a\nb", "a_b"),
        ("_x", "_x"),
    ] {
        assert_eq!(Language::Verilog.legal(wish), name, "{wish:?}");
    }
    assert_eq!(Language::Verilog.legal(&"a".repeat(5000)).len(), MAX_LENGTH);
}

#[test]
fn blif_names_stay_as_they_are_where_they_can() {
    for (wish, name) in [
        ("opcode[3]", "opcode[3]"),
        ("class", "class"),
        ("1", "1"),
        ("a b", "a_b"),
        ("a#b", "a_b"),
        ("a\\", "a_"),
        (".names", "n.names"),
        ("", "n"),
    ] {
        assert_eq!(Language::Blif.legal(wish), name, "{wish:?}");
    }
}

#[test]
fn a_taken_name_gets_a_number() {
    let mut namer = Namer::new(Language::Verilog);
    let names: Vec<_> = ["a", "a", "a_2", "a", "a[3]", "a_3", "reg", "reg", "reg_"].map(|w| namer.claim(w)).into();
    assert_eq!(names, ["a", "a_2", "a_2_2", "a_3", "a_3_2", "a_3_3", "reg_", "reg_2", "reg_3"]);
    let mut seen = rustc_hash::FxHashSet::default();
    assert!(names.iter().all(|n| seen.insert(n)));
}
