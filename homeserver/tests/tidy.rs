//! House rules, read from the source text: the staircase, one place for each foreign library, file sizes, docs.

#![expect(clippy::unwrap_used, reason = "helpers of tests, where a panic is a failure")]

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The staircase: a floor may use only the floors before it.
const FLOORS: [&str; 8] =
    ["storage", "auth", "media", "account", "messaging", "notification", "admin", "gateway"];
/// The one version of the specification that links name.
const SPEC_VERSION: &str = "v1.19";
/// Most lines of a file.
const LINES_MAX: usize = 500;
/// The crates of the workspace.
const CRATES: [&str; 6] = ["homeserver", "federation", "tui", "testkit", "examples", "bench"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every `.rs` file under a folder of the workspace, by its path from the root.
fn rust_files(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root()).unwrap().display().to_string();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

fn all_rust_files() -> Vec<(String, String)> {
    let folders =
        |name| [format!("{name}/src"), format!("{name}/tests"), format!("{name}/benches")];
    CRATES.iter().flat_map(folders).flat_map(|folder| rust_files(&folder)).collect()
}

/// The code without comments, where a word is only a word.
fn code(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether `text` imports the crate module `name`, alone or in a list.
fn uses(text: &str, name: &str) -> bool {
    let text = code(text);
    let listed = text.split("use crate::{").skip(1).any(|list| {
        // The list ends with the statement; inner braces don't matter, for names are compared at its top level.
        let list = list.split(';').next().unwrap_or_default();
        top_level_names(list).any(|found| found == name)
    });
    listed
        || text.contains(&format!("crate::{name}::"))
        || text.contains(&format!("crate::{name};"))
}

/// The first name of each item of a `use` list.
fn top_level_names(list: &str) -> impl Iterator<Item = String> {
    let mut depth = 0;
    let mut items = vec![String::new()];
    for char in list.chars() {
        match char {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => items.push(String::new()),
            _ if depth == 0 => items.last_mut().unwrap().push(char),
            _ => {}
        }
    }
    items.into_iter().map(|item| item.trim().split("::").next().unwrap_or_default().to_owned())
}

#[test]
fn imports_are_seen_alone_and_in_lists() {
    assert!(uses("use crate::auth::Requester;", "auth"));
    assert!(uses("use crate::{\n    app::App,\n    auth::{self, Requester},\n};", "auth"));
    assert!(uses("fn f() { crate::auth::check(); }", "auth"));
    assert!(!uses("use crate::{app::App, storage::auth};", "auth"));
    assert!(!uses("// use crate::auth::Requester;", "auth"));
    assert!(!uses("use crate::authority::Requester;", "auth"));
}

#[test]
fn floors_use_only_lower_floors() {
    for (level, floor) in FLOORS.iter().enumerate() {
        for (path, text) in rust_files(&format!("homeserver/src/{floor}")) {
            for higher in &FLOORS[level + 1..] {
                assert!(!uses(&text, higher), "{path}: `{floor}` may not use `{higher}`");
            }
            for way_in in ["serve", "cli"] {
                assert!(!uses(&text, way_in), "{path}: `{floor}` may not use `{way_in}`");
            }
        }
    }
}

#[test]
fn the_foundation_knows_no_floor_but_storage() {
    let foundation = ["app.rs", "bell.rs", "buckets.rs", "clock.rs", "stale.rs", "tasks.rs"];
    let files = rust_files("homeserver/src");
    for (path, text) in files {
        let in_foundation = foundation.iter().any(|file| path == format!("homeserver/src/{file}"))
            || path.starts_with("homeserver/src/config/");
        for floor in FLOORS.iter().skip(1).filter(|_| in_foundation) {
            assert!(!uses(&text, floor), "{path}: the foundation may not use `{floor}`");
        }
    }
}

#[test]
fn foreign_libraries_stay_in_their_place() {
    let rules: [(&str, &[&str]); 3] = [
        ("sea_orm", &["homeserver/src/storage/"]),
        ("axum", &["homeserver/src/gateway/", "homeserver/src/serve/"]),
        ("clap", &["homeserver/src/cli/", "homeserver/src/main.rs"]),
    ];
    for (path, text) in rust_files("homeserver/src") {
        for (library, places) in rules {
            let used = code(&text).contains(&format!("{library}::"));
            let allowed = places.iter().any(|place| path.starts_with(place));
            assert!(!used || allowed, "{path}: `{library}` belongs into {places:?}");
        }
    }
}

#[test]
fn the_crates_know_each_other_in_one_direction() {
    for (path, text) in rust_files("federation/src").into_iter().chain(rust_files("tui/src")) {
        assert!(!code(&text).contains("tern_homeserver"), "{path} may not use the homeserver");
    }
    for (path, text) in rust_files("homeserver/src") {
        assert!(!code(&text).contains("tern_tui"), "{path} may not use the client");
    }
}

/// The features of ruma that a build of these packages has.
fn ruma_features(packages: &[&str]) -> BTreeSet<String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments =
        ["tree", "--offline", "-e", "features,no-dev", "--prefix", "none", "-i", "ruma"];
    let told =
        Command::new(cargo).args(arguments).args(packages).current_dir(root()).output().unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let told = String::from_utf8(told.stdout).unwrap();
    let features =
        told.lines().filter_map(|line| line.strip_prefix("ruma feature ")?.split('"').nth(1));
    features.map(str::to_owned).collect()
}

#[test]
fn a_server_built_alone_takes_the_same_events_as_one_built_with_the_client() {
    let mut together = ruma_features(&["--workspace"]);
    assert!(together.remove("markdown"), "bodies in Markdown are the client's");
    assert_eq!(ruma_features(&["-p", "tern-homeserver"]), together);
}

#[test]
fn every_file_begins_with_what_it_is_for() {
    for (path, text) in all_rust_files() {
        assert!(text.starts_with("//!"), "{path} does not begin with `//!`");
    }
}

#[test]
fn no_file_is_longer_than_one_can_read() {
    for (path, text) in all_rust_files() {
        let lines = text.lines().count();
        assert!(lines <= LINES_MAX, "{path} has {lines} lines; split it");
    }
}

#[test]
fn main_is_only_the_way_in() {
    let main = fs::read_to_string(root().join("homeserver/src/main.rs")).unwrap();
    assert!(main.lines().count() < 80);
}

#[test]
fn links_name_one_version_of_the_specification() {
    for (path, text) in all_rust_files() {
        for link in text.split(concat!("spec.matrix", ".org/")).skip(1) {
            let version = link.split(['/', '"']).next().unwrap_or_default();
            assert!(version == SPEC_VERSION, "{path}: a link names {version}, not {SPEC_VERSION}");
        }
    }
}

#[test]
fn the_architecture_page_names_every_folder() {
    let page = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    for entry in fs::read_dir(root().join("homeserver/src")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(page.contains(&format!("`{name}/`")), "docs/architecture.md lacks `{name}/`");
        }
    }
}

#[test]
fn nothing_is_left_to_do_without_saying_where() {
    // The words are put together here so that this file does not find itself.
    let words = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["XX", "X"].concat()];
    for (path, text) in all_rust_files() {
        for word in &words {
            assert!(!text.contains(word.as_str()), "{path}: {word}");
        }
    }
}

#[test]
fn no_statement_is_prepared_anew_for_its_limit() {
    let bare = ["LIMIT", " $"].concat();
    for (path, text) in rust_files("homeserver/src") {
        assert!(
            !text.contains(&bare) || path.ends_with("storage/sql.rs"),
            "{path}: LIMIT ($1 + 0)"
        );
    }
}

#[test]
fn no_test_sleeps_or_is_ignored() {
    let sleeps = [["thread::", "sleep("].concat(), ["time::", "sleep("].concat()];
    let ignored = ["#[", "ignore"].concat();
    for crate_name in CRATES {
        for (path, text) in rust_files(&format!("{crate_name}/tests")) {
            assert!(!text.contains(&ignored), "{path}: a test is ignored");
            for sleep in &sleeps {
                assert!(!text.contains(sleep.as_str()), "{path}: a test sleeps");
            }
        }
    }
}
