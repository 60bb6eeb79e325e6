//! Real manifests against kubectl's reading of them. The corpus is third-party data and not part of this repository;
//! where the folder beside the checkout is absent, these tests say so and pass.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may fail loudly"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use lathe_manifest::{ReadOptions, Reader, Value, digest, json, write};

fn corpus() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2)?;
    let folder = root.parent()?.join("shared/corpus");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no corpus beside the checkout");
    None
}

fn options() -> ReadOptions {
    ReadOptions { lenient_duplicates: true, ..ReadOptions::default() }
}

/// Rows of the oracle: file → digests of its documents in order, `None` where kubectl refuses.
fn oracle(corpus: &Path) -> BTreeMap<String, Vec<Option<String>>> {
    let text = std::fs::read_to_string(corpus.join("oracle/public.tsv")).unwrap();
    let mut files: BTreeMap<String, Vec<Option<String>>> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let digest = (fields[2] != "ERROR").then(|| format!("sha256:{}", fields[6]));
        files.entry(fields[0].to_owned()).or_default().push(digest);
    }
    files
}

/// The oracle's JSON escapes these two, as Go does.
fn go_digest(value: &Value) -> String {
    let text = json::to_string(value).replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
    digest::of_bytes(text.as_bytes())
}

#[test]
fn every_document_has_kubectls_value() {
    let Some(corpus) = corpus() else { return };
    let mut documents = 0;
    let mut wrong = Vec::new();
    for (file, rows) in oracle(&corpus) {
        let bytes = std::fs::read(corpus.join(&file)).unwrap();
        let read = Reader::documents(options(), &file, &bytes);
        if rows.iter().any(Option::is_none) {
            if read.is_ok() {
                wrong.push(format!("{file}: read here, refused by kubectl"));
            }
            continue;
        }
        let Ok(values) = read else {
            wrong.push(format!("{file}: {}", read.unwrap_err()[0]));
            continue;
        };
        let have: Vec<String> = values.iter().map(go_digest).collect();
        let null = digest::of_value(&Value::Null);
        let want: Vec<String> = rows.into_iter().flatten().filter(|row| *row != null).collect();
        documents += want.len();
        if have.len() != want.len() {
            wrong.push(format!("{file}: {} documents, kubectl has {}", have.len(), want.len()));
        }
        for (index, (have, want)) in have.iter().zip(&want).enumerate() {
            if have != want {
                wrong.push(format!("{file} #{index}: another value than kubectl's"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(documents > 500, "{documents}");
}

#[test]
fn what_is_written_is_read_back_the_same() {
    let Some(corpus) = corpus() else { return };
    for (file, rows) in oracle(&corpus) {
        if rows.iter().any(Option::is_none) {
            continue;
        }
        let bytes = std::fs::read(corpus.join(&file)).unwrap();
        let values = Reader::documents(options(), &file, &bytes).unwrap();
        for value in &values {
            let mut text = String::new();
            write::yaml_document(&mut text, value);
            let again = Reader::documents(ReadOptions::default(), "again", text.as_bytes()).unwrap();
            assert_eq!(again.as_slice(), std::slice::from_ref(value), "{file}");
        }
    }
}
