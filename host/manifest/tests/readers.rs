//! What Lathe writes, read back by others: sigs.k8s.io/yaml and go-yaml v3 (Go), `PyYAML` (YAML 1.1), `yaml` (YAML 1.2).
//! `LATHE_READERS` names the programs, a line each: a name and the words of the command, apart by tabs; `cargo xtask test`
//! makes them ready and runs this.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test may fail loudly")]
#![allow(clippy::disallowed_methods, reason = "the harness names the programs by a variable")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lathe_manifest::{ReadOptions, Reader, Value, json, write};

/// Texts that some reader takes for something else when they stand plain, and characters that some cannot hold.
const TEXTS: &[&str] = &[
    "",
    " ",
    "~",
    "null",
    "Null",
    "NULL",
    "y",
    "Y",
    "n",
    "N",
    "yes",
    "Yes",
    "YES",
    "no",
    "No",
    "NO",
    "on",
    "On",
    "ON",
    "off",
    "Off",
    "OFF",
    "true",
    "True",
    "TRUE",
    "tRue",
    "false",
    "False",
    "0",
    "00",
    "07",
    "08",
    "0644",
    "0o644",
    "0x1F",
    "0b101",
    "0b1_1",
    "1_000",
    "1_0.5",
    "1__0",
    "0_7",
    "1_",
    "_1",
    "1e3",
    "1E3",
    "1e400",
    "1.",
    ".5",
    "+1",
    "-1",
    "-0",
    "1:20",
    "1:20:30",
    "190:20:30.15",
    ".inf",
    "-.Inf",
    ".NaN",
    "<<",
    "=",
    "2001-01-01",
    "2001-1-1",
    "2001-12-14t21:59:43.10-05:00",
    "12345678901234567890",
    "9007199254740993",
    "- a",
    "-",
    "--",
    "---",
    "...",
    "--- a",
    "? a",
    "?",
    ": a",
    ":",
    "a: b",
    "a:",
    "a #b",
    "#a",
    "a ",
    " a",
    "\ta",
    "a\t",
    "[a",
    "]",
    "{a",
    "}",
    "a, b",
    ",",
    "&a",
    "*a",
    "!a",
    "!!str a",
    "|",
    ">",
    "@a",
    "`a",
    "%a",
    "%YAML 1.2",
    "'a'",
    "\"a\"",
    "a'b",
    "a\"b",
    "a\\b",
    "a\nb",
    "a\nb\n",
    "a\n\n",
    "\n",
    "\n\n",
    "\na",
    " a\nb",
    "a\n b",
    "a\n\tb",
    "a \nb",
    "a\n \nb",
    "a\n---\nb",
    "a\n...\nb",
    "a\n# b",
    "a\r\nb",
    "a\rb",
    "\u{0}",
    "\u{7}",
    "\u{1b}[31m",
    "\u{7f}",
    "\u{85}",
    "\u{a0}",
    "a\u{2028}b",
    "\u{2029}",
    "\u{feff}a",
    "a\u{feff}",
    "\u{fffe}",
    "\u{ffff}",
    "é",
    "日本",
    "😀",
    "a😀\nb",
    "\u{e000}",
    "\u{10ffff}",
    "\u{d7ff}",
];

fn documents() -> Vec<Value> {
    let text = |text: &str| Value::from(text);
    let long = [
        "x".repeat(200),
        "word ".repeat(60),
        format!("{}\n{}", "a".repeat(120), "b ".repeat(90)),
        "é".repeat(130),
    ];
    let all: Vec<String> = TEXTS.iter().map(ToString::to_string).chain(long).collect();
    let mut documents = Vec::new();
    for one in &all {
        let as_key = lathe_manifest::Map::from_entries(vec![(one.as_str().into(), text("v"))]).unwrap();
        let nested = lathe_manifest::Map::from_entries(vec![
            ("value".into(), text(one)),
            ("list".into(), Value::Array(vec![text(one), Value::Array(vec![text(one)]), Value::Null])),
            ("key".into(), Value::Object(as_key)),
        ]);
        documents.push(Value::Object(nested.unwrap()));
    }
    let numbers = "[0,-1,9007199254740993,18446744073709551615,-9223372036854775808,0.5,1e21,1.5e-7,-0.0,1e300,[],{},[[]],{\"a\":{}}]";
    documents.push(json::parse(&format!("{{\"numbers\":{numbers}}}")).unwrap());
    documents
}

/// Real manifests: those of this repository, and those beside the checkout if they are there.
fn manifests() -> Vec<Value> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut open: Vec<PathBuf> =
        vec![root.join("examples"), root.join("host/manifest/tests/data"), root.join("../shared/corpus")];
    let mut values = Vec::new();
    while let Some(path) = open.pop() {
        if let Ok(entries) = std::fs::read_dir(&path) {
            open.extend(entries.flatten().map(|entry| entry.path()));
        } else if path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml") {
            let bytes = std::fs::read(&path).unwrap_or_default();
            values.extend(Reader::documents(ReadOptions::default(), "x", &bytes).unwrap_or_default());
        }
    }
    println!("{} real documents", values.len());
    values
}

/// The program's answer to each text, a line of JSON.
fn answers(command: &[&str], texts: &[String]) -> Vec<String> {
    let mut child = Command::new(command[0])
        .args(&command[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let framed = |text: &String| [format!("{}\n", text.len()).as_bytes(), text.as_bytes()].concat();
    let all: Vec<u8> = texts.iter().flat_map(framed).collect();
    let writer = std::thread::spawn(move || stdin.write_all(&all).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let lines: Vec<String> =
        String::from_utf8(output.stdout).unwrap().lines().map(ToOwned::to_owned).collect();
    assert_eq!(lines.len(), texts.len(), "{command:?} answers less than it is asked");
    lines
}

#[test]
#[ignore = "needs the readers; run by `cargo xtask test`"]
fn what_is_written_everyone_reads_the_same() {
    let values: Vec<Value> = documents().into_iter().chain(manifests()).collect();
    let written = |value: &Value| {
        let mut text = String::new();
        write::yaml_document(&mut text, value);
        text
    };
    let texts: Vec<String> = values.iter().map(written).collect();
    let readers = std::env::var("LATHE_READERS").unwrap();
    let mut differences = Vec::new();
    for line in readers.lines() {
        let (name, command) = line.split_once('\t').unwrap();
        let command: Vec<&str> = command.split('\t').collect();
        for ((value, text), answer) in values.iter().zip(&texts).zip(answers(&command, &texts)) {
            let read = json::parse(&answer).unwrap_or_default();
            if read.as_array() != Some(std::slice::from_ref(value)) {
                let cut = |text: &str| text.chars().take(300).collect::<String>();
                differences.push(format!("{name}: {:?} is read as {}", cut(text), cut(&answer)));
            }
        }
        println!("{name}: {} documents", texts.len());
    }
    assert!(
        differences.is_empty(),
        "{} differences\n{}",
        differences.len(),
        differences[..differences.len().min(20)].join("\n")
    );
}
