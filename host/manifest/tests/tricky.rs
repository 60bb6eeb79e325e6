//! Small streams that break readers, with kubectl's reading of each; part of this repository.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use lathe_manifest::{Object, ReadOptions, Reader, Value, digest, json, write};

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

fn lenient() -> ReadOptions {
    ReadOptions { lenient_duplicates: true, ..ReadOptions::default() }
}

/// File → digests of its documents in kubectl's reading; `None` where kubectl refuses one.
fn kubectl() -> BTreeMap<String, Option<Vec<String>>> {
    let null = digest::of_value(&Value::Null);
    let mut files: BTreeMap<String, Option<Vec<String>>> = BTreeMap::new();
    for line in fs::read_to_string(data().join("tricky/kubectl.tsv")).unwrap().lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let documents = files.entry(fields[0].to_owned()).or_insert_with(|| Some(Vec::new()));
        match (documents, fields[2]) {
            (documents, "ERROR") => *documents = None,
            (Some(documents), _) => {
                documents.extend(Some(format!("sha256:{}", fields[6])).filter(|d| *d != null));
            }
            (None, _) => {}
        }
    }
    files
}

/// The oracle's JSON escapes two characters that JSON lets stand, as Go does.
fn go_digest(value: &Value) -> String {
    let text = json::to_string(value).replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
    digest::of_bytes(text.as_bytes())
}

#[test]
fn every_stream_is_read_as_kubectl_reads_it() {
    let files = kubectl();
    assert_eq!(files.len(), 22);
    for (file, want) in files {
        let bytes = fs::read(data().join("tricky").join(&file)).unwrap();
        match (Reader::documents(lenient(), &file, &bytes), want) {
            (Ok(values), Some(want)) => {
                assert_eq!(values.iter().map(go_digest).collect::<Vec<_>>(), want, "{file}");
                for value in &values {
                    let mut yaml = String::new();
                    write::yaml_document(&mut yaml, value);
                    let again = Reader::documents(ReadOptions::default(), "again", yaml.as_bytes()).unwrap();
                    assert_eq!(again.as_slice(), std::slice::from_ref(value), "{file}");
                }
            }
            (Ok(_), None) => panic!("{file}: kubectl refuses it"),
            (Err(errors), None) => assert!(errors.iter().all(|error| error.at.line > 0), "{file}"),
            (Err(errors), Some(_)) => panic!("{}", errors[0]),
        }
    }
}

#[test]
fn repeated_keys_are_refused_unless_asked_for() {
    let file = "12-duplicate-keys.yaml";
    let bytes = fs::read(data().join("tricky").join(file)).unwrap();
    let errors = Reader::documents(ReadOptions::default(), file, &bytes).unwrap_err();
    assert!(errors[0].to_string().contains("stands here again"), "{}", errors[0]);
}

#[test]
fn hostile_streams_end_soon_and_show_a_line_at_most() {
    for file in ["90-hostile-alias-bomb.yaml", "91-hostile-depth.yaml", "93-hostile-unterminated.yaml"] {
        let bytes = fs::read(data().join("tricky").join(file)).unwrap();
        let started = std::time::Instant::now();
        let errors = Reader::documents(ReadOptions::default(), file, &bytes).unwrap_err();
        assert!(started.elapsed().as_secs() < 2, "{file}");
        let told = errors[0].to_string();
        let mut lines = told.lines();
        assert!(lines.next().is_some_and(|message| message.len() < 200), "{told}");
        assert!(lines.clone().count() <= 2 && lines.all(|line| line.chars().count() < 120), "{told}");
    }
}

#[test]
fn cases_after_public_bugs_come_out_right() {
    for entry in fs::read_dir(data().join("cases")).unwrap().flatten() {
        let case = entry.path();
        let mut reader = Reader::new(ReadOptions::default());
        reader.add("input.yaml", &fs::read(case.join("input.yaml")).unwrap());
        let read = reader.finish();
        if case.ends_with("07-glued-document-separator") {
            let told: Vec<String> = read.unwrap_err().iter().map(ToString::to_string).collect();
            assert!(
                told.iter().any(|line| line.starts_with("input.yaml:1:1: `---` is followed by text")),
                "{told:?}"
            );
            continue;
        }
        let objects: Vec<Object> = read.unwrap().0;
        let have: Vec<String> = objects.iter().map(|object| json::to_string(&object.value)).collect();
        let want = fs::read_to_string(case.join("expected.jsonl")).unwrap();
        assert_eq!(have, want.lines().collect::<Vec<_>>(), "{}", case.display());
    }
}
