//! Real manifests through `render -f`: what kubectl reads goes through, what it refuses is refused with its place.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may fail loudly"
)]

mod support;

use std::collections::BTreeMap;
use std::fs;

use support::{Place, shared};

#[test]
fn every_file_that_kubectl_reads_goes_through() {
    let Some(corpus) = shared("corpus") else { return };
    let oracle = fs::read_to_string(corpus.join("oracle/public.tsv")).unwrap();
    let mut files: BTreeMap<&str, bool> = BTreeMap::new();
    for line in oracle.lines().skip(1) {
        let mut fields = line.split('\t');
        let (file, refused) = (fields.next().unwrap(), fields.nth(1) == Some("ERROR"));
        *files.entry(file).or_default() |= refused;
    }
    let place = Place::new();
    let mut through = 0;
    for (file, refused) in files {
        let path = corpus.join(file).display().to_string();
        let run = place.run(&["render", "--lenient-duplicates", "-f", &path]);
        assert!(run.code == 0 || run.code == 3, "{file}: {}", run.stderr);
        if run.code == 0 {
            through += 1;
            // What was written reads back to the same bytes.
            place.write("again.yaml", &run.stdout);
            assert_eq!(place.ok(&["render", "-f", "again.yaml"]), run.stdout, "{file}");
            // `\/` in double quotes is an escape of YAML 1.2 that kubectl's reader does not know.
            assert!(!refused || file.ends_with("17-escape-slash.yaml"), "{file} is refused by kubectl");
            continue;
        }
        assert!(run.stdout.is_empty());
        let problems: Vec<&str> =
            run.stderr.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   ")).collect();
        assert!(!problems.is_empty(), "{}", run.stderr);
        for problem in problems {
            let conflict = problem.contains("stands there twice with different content");
            let places = problem.matches(&path).count();
            assert!(!conflict || places == 2, "{problem}");
            let place = problem.trim().strip_prefix(&path).is_some_and(|rest| {
                let mut parts = rest.trim_start_matches(':').splitn(3, ':');
                let mut number = || parts.next().and_then(|text| text.parse::<usize>().ok()).is_some();
                number() && number()
            });
            // What kubectl reads and no object is (no kind, no apiVersion), kubectl refuses a step later.
            let no_object =
                problem.contains("is missing or no text") || problem.contains("a manifest is an object");
            assert!(conflict || (place && (refused || no_object)), "{problem}");
        }
    }
    assert!(through > 40, "{through}");
}
