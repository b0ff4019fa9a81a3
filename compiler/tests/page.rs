//! `blc report --html`: the page as Chromium shows it, its script run.
#![allow(clippy::unwrap_used)]

mod common;

use std::process::Command;

use blc_frontend::data::Elements;
use blc_frontend::model::Dtype;
use common::{FEATURES, Work, bytes, model};

/// Runs a headless Chromium in the folder of a test.
fn chromium(work: &Work, args: &[&str]) -> String {
    let page = format!("file://{}", work.path("page.html").display());
    let profile = format!("--user-data-dir={}", work.path("profile").display());
    let flags =
        ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", &profile];
    let ended = Command::new("chromium").args(flags).args(args).arg(page).current_dir(work.path(".")).output();
    let ended = ended.expect("chromium: apt-get install chromium");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8_lossy(&ended.stdout).into_owned()
}

#[test]
fn the_page_shows_report_confusion_and_a_cone() {
    const SAMPLES: usize = 30;
    let work = Work::new();
    model(Dtype::U8).write(&work.path("model.safetensors")).unwrap();
    work.array("batch.npy", &[SAMPLES, FEATURES], Elements::U8(bytes(SAMPLES)));
    work.array("labels.npy", &[SAMPLES], Elements::U8((0..SAMPLES).map(|i| (i % 3) as u8).collect()));
    work.blc("compile model.safetensors --target xc7 --top a<b").fine();
    let said = work.blc("sim --input batch.npy --labels labels.npy --json").fine().stdout;
    work.write("sim.json", &said);
    work.blc("report --html page.html --sim sim.json").fine();

    let text = std::fs::read_to_string(work.path("page.html")).unwrap();
    assert!(!text.contains("http://") || !text.replace("http://www.w3.org/2000/svg", "").contains("http"), "a link");
    assert!(text.contains("<title>a&lt;b for xc7</title>"));

    let shown = chromium(&work, &["--dump-dom"]);
    let report: serde_json::Value = serde_json::from_str(&work.blc("report --json").fine().stdout).unwrap();
    // The whole area is in the bars, and every end of a path in the histogram.
    let layers = report["by_layer"].as_array().unwrap();
    for row in layers.iter().filter(|row| row["luts"] != 0) {
        let title = format!("<title>{}: {}</title>", row["layer"].as_str().unwrap(), row["luts"]);
        assert!(shown.contains(&title), "{title}");
    }
    let ends: u64 = report["paths"]["ends"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum();
    assert!(ends >= report["ffs"].as_u64().unwrap(), "{ends} ends");
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    let right: u64 = (0..3).map(|i| said["confusion"][i][i].as_u64().unwrap()).sum();
    assert!(shown.contains(&format!("{right} of {SAMPLES} right")));
    // The script has drawn cells and wires of the first output's cone.
    let cone = shown.split("id=\"cone\"").nth(1).unwrap().split("</svg>").next().unwrap();
    assert!(cone.matches("class=\"cell").count() > 2 && cone.contains("<line"), "{cone}");

    chromium(&work, &["--screenshot=page.png", "--window-size=1200,1600"]);
    let png = std::fs::read(work.path("page.png")).unwrap();
    assert!(png.starts_with(b"\x89PNG") && png.len() > 20_000, "{} bytes", png.len());
}

#[test]
fn what_is_no_simulation_is_refused() {
    let work = Work::new();
    work.write("adder.blif", common::ADDER);
    work.blc("compile adder.blif --target lut4").fine();
    work.blc("report --html page.html").fine();
    for wrong in ["{}", "[1", "{\"confusion\": 3}"] {
        work.write("sim.json", wrong);
        let ended = work.blc("report --html other.html --sim sim.json");
        assert_eq!(ended.code, Some(1), "{wrong}: {}", ended.stderr);
        assert!(!work.path("other.html").exists());
    }
    assert_eq!(work.blc("report --json --html page.html").code, Some(2));
}
