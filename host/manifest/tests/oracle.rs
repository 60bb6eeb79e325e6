//! Lathe's reading and writing against kubectl's reading, over generated and damaged text. Needs the program of
//! xtask/tools/yaml-oracle, whose path `LATHE_ORACLE` names; `cargo xtask test` builds it and runs these.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may fail loudly"
)]
#![allow(clippy::disallowed_methods, reason = "the harness names the program by a variable")]

#[path = "oracle/compare.rs"]
mod compare;
#[path = "oracle/generate.rs"]
mod generate;
#[path = "oracle/kubectl.rs"]
mod kubectl;

use std::path::{Path, PathBuf};

use generate::{Random, document, mutant, scalar, syntax};
use lathe_manifest::{Map, ReadOptions, Reader, Value, json, write};

#[test]
#[ignore = "needs the yaml-oracle; run by `cargo xtask test`"]
fn plain_scalars_read_as_kubectl_reads_them() {
    let mut random = Random::from(0x9e37_79b9_7f4a_7c15);
    let streams: Vec<String> = (0..50_000).map(|_| format!("a: {}\n", scalar(&mut random))).collect();
    let refused = compare::streams(&streams);
    refused.print(streams.len());
    assert!(refused.read_here == 0 && refused.total * 200 < streams.len());
}

#[test]
#[ignore = "needs the yaml-oracle; run by `cargo xtask test`"]
fn documents_read_as_kubectl_reads_them() {
    let mut random = Random::from(0x2545_f491_4f6c_dd1d);
    let streams: Vec<String> = (0..5_000)
        .map(|_| {
            let mut text = String::new();
            document(&mut random, 3, 0, &mut text);
            text
        })
        .collect();
    let refused = compare::streams(&streams);
    refused.print(streams.len());
    assert!(refused.read_here == 0 && refused.total * 200 < streams.len());
}

#[test]
#[ignore = "needs the yaml-oracle; run by `cargo xtask test`"]
fn heaps_of_syntax_read_as_kubectl_reads_them() {
    let mut random = Random::from(0x6a09_e667_f3bc_c908);
    let streams: Vec<Vec<u8>> = (0..50_000).map(|_| syntax(&mut random)).collect();
    let refused = compare::streams(&streams);
    refused.print(streams.len());
    // Heaps end early more often than not; what follows kubectl drops.
    assert!(refused.read_here == 0 && refused.total * 5 < streams.len());
}

/// The inputs of the YAML test suite, if the corpus is beside the checkout. Each file is a list of cases; their text shows
/// blanks and line ends by marks.
fn yaml_test_suite() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus/p16-yaml-test-suite/src");
    let Ok(entries) = std::fs::read_dir(folder) else {
        println!("skipped: no YAML test suite beside the checkout");
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let mut inputs = Vec::new();
    for path in paths {
        let file = std::fs::read(&path).unwrap();
        let cases = Reader::documents(ReadOptions::default(), "suite", &file).unwrap();
        for case in cases.iter().filter_map(Value::as_array).flatten() {
            if let Some(text) = case.str_at(&["yaml"]) {
                let text =
                    text.replace('␣', " ").replace(['—'], "").replace('»', "\t").replace('⇔', "\u{feff}");
                let text = text.replace('↵', "").replace('←', "\r").replace("∎\n", "").replace('∎', "");
                inputs.push(text.into_bytes());
            }
        }
        inputs.push(file);
    }
    inputs
}

#[test]
#[ignore = "needs the yaml-oracle; run by `cargo xtask test`"]
fn the_yaml_test_suite_reads_as_kubectl_reads_it() {
    let streams = yaml_test_suite();
    let started = std::time::Instant::now();
    let refused = compare::streams(&streams);
    refused.print(streams.len());
    assert!(refused.read_here == 0 && started.elapsed().as_secs() < 20);
    assert!(streams.is_empty() || streams.len() > 300, "{}", streams.len());
}

/// Manifests to damage: the corpus, if it is beside the checkout, else the tricky streams of this repository and its
/// examples.
fn manifests() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut open: Vec<PathBuf> = vec![
        root.join("tests/data/tricky"),
        root.join("../../examples"),
        root.join("../../../shared/corpus"),
    ];
    let mut texts: Vec<(PathBuf, Vec<u8>)> = Vec::new();
    while let Some(path) = open.pop() {
        if let Ok(entries) = std::fs::read_dir(&path) {
            open.extend(entries.flatten().map(|entry| entry.path()));
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // Hostile streams are refused at a cost; thousands of them would only take time.
        let yaml = path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
        if yaml && !name.starts_with('9') {
            texts.push((path.clone(), std::fs::read(&path).unwrap()));
        }
    }
    texts.sort();
    // By document, so that a large file does not cost more than a small one.
    let documents = |(_, text): &(PathBuf, Vec<u8>)| -> Vec<Vec<u8>> {
        let text = String::from_utf8_lossy(text).into_owned();
        text.split("\n---\n").map(|document| format!("{document}\n").into_bytes()).collect()
    };
    let all: Vec<Vec<u8>> = texts.iter().flat_map(documents).collect();
    all.into_iter().filter(|document| document.len() < 16_000).collect()
}

#[test]
#[ignore = "needs the yaml-oracle; run by `cargo xtask test`"]
fn damaged_manifests_read_as_kubectl_reads_them() {
    let manifests = manifests();
    println!("{} documents to damage", manifests.len());
    let mut random = Random::from(0x1234_5678_9abc_def1);
    let streams: Vec<Vec<u8>> = (0..20_000)
        .map(|_| {
            let document = random.below(manifests.len());
            mutant(&mut random, &manifests[document])
        })
        .collect();
    let refused = compare::streams(&streams);
    refused.print(streams.len());
    assert!(refused.read_here == 0 && refused.total * 200 < streams.len());
}

#[test]
#[ignore = "needs the yaml-oracle; run by `cargo xtask test`"]
fn what_is_written_is_read_by_kubectl_the_same() {
    let mut random = Random::from(0xd1b5_4a32_d192_ed03);
    let text = |random: &mut Random| -> String {
        let parts = [
            "\n", " ", "  ", "\t", "#", ": ", "- ", "\"", "'", "\\", "\r", "\u{85}", "\u{2028}", "\u{feff}",
            "😀", "\u{7f}", "\0",
        ];
        (0..=random.below(4))
            .map(|_| if random.below(2) == 0 { random.pick(&parts).to_owned() } else { scalar(random) })
            .collect()
    };
    let values: Vec<Value> = (0..20_000)
        .map(|_| {
            let (a, b, c) = (text(&mut random), text(&mut random), text(&mut random));
            let entries =
                vec![(a.into(), Value::from(b)), ("list\u{1}".into(), Value::Array(vec![c.into()]))];
            Value::Object(Map::from_entries(entries).unwrap_or_default())
        })
        .collect();
    let streams: Vec<String> = values
        .iter()
        .map(|value| {
            let mut out = String::new();
            write::yaml_document(&mut out, value);
            out
        })
        .collect();
    for ((value, stream), theirs) in values.iter().zip(&streams).zip(kubectl::read(&streams)) {
        let theirs = theirs.unwrap_or_else(|error| panic!("kubectl refuses {stream:?}: {error}"));
        assert_eq!(
            json::to_string(&theirs),
            json::to_string(&Value::Array(vec![value.clone()])),
            "{stream:?}"
        );
        let ours = Reader::documents(ReadOptions::default(), "x", stream.as_bytes()).unwrap();
        assert_eq!(ours.as_slice(), std::slice::from_ref(value));
    }
}
