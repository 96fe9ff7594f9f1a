//! The bench itself, in small: it starts a real `ternd`, does what it was asked as often as it was asked, and writes what it found.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, where a panic is a failure"
)]

use std::{
    fs,
    process::{Command, Output},
};

use serde_json::Value;
use tern_testkit::binary;

/// Runs the bench on a fresh `ternd` and gives its figures and its page.
fn bench(args: &[&str]) -> (Value, String) {
    let folder = tempfile::tempdir().unwrap();
    let (json, page) = (folder.path().join("figures.json"), folder.path().join("page.md"));
    fs::write(&page, "An old page.\n\n## Remarks\n\nKeep me.\n").unwrap();
    let ternd = format!("ternd={}", binary("ternd").unwrap().display());
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
    command.args(args).args(["--quick", "--server", &ternd, "--json"]).arg(&json);
    let Output { status, stdout, stderr } = command.arg("--markdown").arg(&page).output().unwrap();
    let [stdout, stderr] = [stdout, stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(status.success(), "{stdout}\n{stderr}");
    let figures = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    (figures, fs::read_to_string(&page).unwrap())
}

/// The figure `line` of `scenario` in the column `column`.
fn figure(results: &Value, scenario: &str, column: &str, line: &str) -> f64 {
    let found = |list: &str, within: &Value, key: &str, wanted: &str| {
        let mut items = within[list].as_array().unwrap().iter();
        let item = items.find(|item| item[key] == wanted);
        item.unwrap_or_else(|| panic!("no {wanted} in {within}")).clone()
    };
    let table = found("tables", results, "scenario", scenario);
    let cell = found("cells", &table, "column", column);
    assert_eq!(cell["failure"], Value::Null);
    found("lines", &cell, "name", line)["value"].as_f64().unwrap()
}

#[test]
fn scenarios_on_a_real_server_time_what_was_asked_and_their_figures_fit_together() {
    let scenarios = "create,join,send-many-rooms,fan-out,fan-out-socket,incremental-sync-v3,pages,federated-join-large,idle,idle-socket,storage";

    let (results, page) = bench(&["run", "--count", "20", "--only", scenarios]);

    let run = &results[0];
    let of = |scenario: &str, line: &str| figure(run, scenario, "ternd", line);
    for scenario in ["create", "join", "send-many-rooms", "incremental-sync-v3", "pages"] {
        assert_eq!(of(scenario, "timed"), 20.0, "{scenario}");
    }
    // Three followers each.
    assert_eq!(of("fan-out", "timed"), 21.0);
    assert_eq!(of("fan-out-socket", "timed"), 21.0);
    for scenario in ["create", "send-many-rooms", "fan-out", "pages"] {
        let [p50, p99, max] = ["p50", "p99", "max"].map(|line| of(scenario, line));
        assert!(of(scenario, "rate") > 0.0);
        assert!(0.0 < p50 && p50 <= p99 && p99 <= max, "{scenario}: {p50} {p99} {max}");
        assert!(of(scenario, "resident memory") > 1.0);
    }
    assert_eq!(of("pages", "messages a page"), 50.0);
    assert_eq!(of("federated-join-large", "timed"), 2.0);
    assert_eq!(of("federated-join-large", "members of each room before"), 8.0);
    for scenario in ["idle", "idle-socket"] {
        assert_eq!(of(scenario, "connections"), 20.0);
        // Ten people with one connection each; the others belong to four more.
        assert_eq!(of(scenario, "connections woken by a message"), 10.0);
        assert_eq!(of(scenario, "woken in vain"), 0.0);
    }
    assert!(of("storage", "database bytes per message") >= 0.0);
    assert!(run["machine"]["cores"].as_f64().unwrap() >= 1.0);
    assert!(page.contains("### Send, many rooms") && page.contains("/s"), "{page}");
    assert!(page.ends_with("\n## Remarks\n\nKeep me.\n") && !page.contains("An old page."));
}

#[test]
fn every_way_to_sync_is_timed_and_a_quiet_person_hears_no_noise() {
    let ways = ["v3", "sliding", "v4", "socket"];
    let syncs: Vec<String> = ways
        .iter()
        .flat_map(|way| [format!("initial-sync-{way}"), format!("incremental-sync-{way}")])
        .collect();
    let scenarios = format!("{},quiet-user", syncs.join(","));

    let (results, _) = bench(&["run", "--count", "20", "--only", &scenarios]);

    let run = &results[0];
    let of = |scenario: &str, line: &str| figure(run, scenario, "ternd", line);
    for scenario in &syncs {
        assert_eq!(of(scenario, "timed"), 20.0, "{scenario}");
        assert!(of(scenario, "p50") > 0.0, "{scenario}");
    }
    assert_eq!(of("quiet-user", "people"), 4.0);
    let [calm, loud] = ["10", "10000"]
        .map(|rate| of("quiet-user", &format!("events meanwhile, {rate} a minute elsewhere")));
    assert!(calm <= 1.0 && loud > 10.0, "{calm} {loud}");
    assert!(of("quiet-user", "timed, 10000 a minute elsewhere") > 10.0);
}

#[test]
fn a_server_is_measured_small_and_grown() {
    let (results, page) = bench(&["grow", "--count", "10", "--rounds", "3"]);

    for column in ["small", "grown"] {
        assert_eq!(figure(&results[0], "send-many-rooms", column, "timed"), 30.0);
        assert!(figure(&results[0], "restart", column, "start to first answer, p50") > 0.0);
    }
    assert_eq!(figure(&results[0], "history", "grown", "messages"), 100.0);
    assert!(page.contains("| grown | small | times better |"), "{page}");
}
