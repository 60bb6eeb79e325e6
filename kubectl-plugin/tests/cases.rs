//! Golden cases: each folder of `tests/cases` holds `args`, the files they name, and `expected.yaml` or `error.txt`.
//!
//! A case with a `lathe.yaml` and no `lathe.lock` is locked first. `LATHE_BLESS=1` writes what comes out as what is expected.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly, and this one takes a variable"
)]

mod support;

use std::fs;
use std::path::Path;

use support::{Place, root};

fn copy(from: &Path, place: &Place) {
    for entry in fs::read_dir(from).unwrap().flatten() {
        if entry.path().is_file() {
            fs::copy(entry.path(), place.path(&entry.file_name().to_string_lossy())).unwrap();
        }
    }
}

/// What the case gives: its output, or its exit code and what it says.
fn outcome(case: &Path) -> (&'static str, String) {
    let place = Place::new();
    copy(case, &place);
    if place.path("lathe.yaml").exists() && !place.path("lathe.lock").exists() {
        place.run(&["lock"]);
    }
    let text = fs::read_to_string(case.join("args")).unwrap();
    let run = place.run(&text.split_whitespace().collect::<Vec<_>>());
    if run.code == 0 {
        return ("expected.yaml", run.stdout);
    }
    assert!(run.stdout.is_empty(), "{}: a refused run prints nothing", case.display());
    ("error.txt", format!("exit {}\n{}", run.code, run.stderr))
}

#[test]
fn cases_give_what_they_gave() {
    let bless = std::env::var_os("LATHE_BLESS").is_some();
    let mut wrong = Vec::new();
    let mut cases: Vec<_> = fs::read_dir(root().join("kubectl-plugin/tests/cases"))
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    cases.sort();
    assert!(cases.len() >= 12);
    for case in cases {
        let (name, have) = outcome(&case);
        if bless {
            for other in ["expected.yaml", "error.txt"] {
                let _ = fs::remove_file(case.join(other));
            }
            fs::write(case.join(name), &have).unwrap();
            continue;
        }
        let want = fs::read_to_string(case.join(name)).unwrap_or_default();
        if have != want {
            wrong.push(format!("{}: {name}\n{have}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
