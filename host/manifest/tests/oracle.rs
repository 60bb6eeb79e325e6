//! Lathe's reading and writing against kubectl's reading, over generated text. Needs the program of xtask/tools/yaml-oracle,
//! whose path `LATHE_ORACLE` names; `cargo xtask test` builds it and runs these.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may fail loudly"
)]
#![allow(clippy::disallowed_methods, reason = "the harness names the program by a variable")]

use std::io::Write as _;
use std::process::{Command, Stdio};

use lathe_manifest::{ReadOptions, Reader, Value, json, write};

/// A small generator (xorshift) with a fixed start, so that every run sees the same texts.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

/// kubectl's documents of each stream; `None` where it refuses the stream.
fn oracle(streams: &[String]) -> Vec<Option<Value>> {
    let program = std::env::var("LATHE_ORACLE").expect("LATHE_ORACLE names the program");
    let mut child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let all: Vec<u8> = streams
        .iter()
        .flat_map(|stream| [format!("{}\n", stream.len()).as_bytes(), stream.as_bytes()].concat())
        .collect();
    let writer = std::thread::spawn(move || stdin.write_all(&all).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let values: Vec<_> = text.lines().map(|line| json::parse(line).unwrap()).collect();
    assert_eq!(values.len(), streams.len());
    values.into_iter().map(|value| Some(value).filter(|value| value.as_array().is_some())).collect()
}

/// Compares streams; gives how many only kubectl accepts. A stream that both read must have one value.
fn compare(streams: &[String]) -> usize {
    let mut refused = 0;
    for (stream, theirs) in streams.iter().zip(oracle(streams)) {
        let ours = Reader::documents(
            ReadOptions { lenient_duplicates: true, ..ReadOptions::default() },
            "x",
            stream.as_bytes(),
        );
        match (ours, theirs) {
            (Ok(ours), Some(theirs)) => {
                assert_eq!(json::to_string(&Value::Array(ours)), json::to_string(&theirs), "{stream:?}");
            }
            (Err(_), Some(_)) => refused += 1,
            _ => {}
        }
    }
    refused
}

fn scalar(random: &mut Random) -> String {
    const WORDS: &[&str] = &[
        "y",
        "No",
        "on",
        "TRUE",
        "tRue",
        "null",
        "~",
        "Null",
        ".nan",
        ".inf",
        "-.INF",
        "<<",
        "=",
        "0x",
        "0o",
        "0b",
        "1e",
        "e5",
        "2001-01-01",
        "2001-1-1t1:2:3",
        "T10:00:00Z",
        "a",
        "b c",
        "x:y",
        "-",
        "--",
        "+",
        ".",
        "_",
        "0",
        "00",
        "01",
        "07",
        "08",
        "1",
        "9",
        "12",
        "123456789",
        "9007199254740993",
        "18446744073709551616",
        "1.5",
        "1e400",
        "é",
        "日本",
        "/",
        "@",
        "&",
        "*",
        "!",
        "%",
    ];
    (0..=random.below(3)).map(|_| random.pick(WORDS)).collect()
}

fn document(random: &mut Random, depth: usize, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    for entry in 0..=random.below(3) {
        let key = format!("k{entry}");
        match random.below(if depth == 0 { 6 } else { 8 }) {
            0 => out.push_str(&format!("{pad}{key}: {}\n", scalar(random))),
            1 => out.push_str(&format!("{pad}{key}: '{}'\n", scalar(random))),
            2 => out.push_str(&format!("{pad}{key}: \"{}\"  # c\n", scalar(random))),
            3 => {
                let header = random.pick(&["|", "|-", "|+", ">", ">-", ">+", "|2", "|1-"]);
                out.push_str(&format!("{pad}{key}: {header}\n"));
                for _ in 0..=random.below(4) {
                    let line = random.pick(&[
                        "text",
                        " more",
                        "",
                        "# no comment",
                        "---x",
                        "  deep",
                        "a\tb",
                        "trail  ",
                    ]);
                    out.push_str(&if line.is_empty() { "\n".to_owned() } else { format!("{pad}  {line}\n") });
                }
            }
            4 => out.push_str(&format!("{pad}{key}: [{}, {{a: {}}}]\n", scalar(random), scalar(random))),
            5 => out.push_str(&format!("{pad}{key}: &a{entry} {}\n{pad}{key}r: *a{entry}\n", scalar(random))),
            6 => {
                out.push_str(&format!("{pad}{key}:\n"));
                document(random, depth - 1, indent + 2, out);
            }
            _ => {
                out.push_str(&format!(
                    "{pad}{key}:\n{pad}- {}\n{pad}- x: 1\n{pad}  <<: {{y: {}}}\n",
                    scalar(random),
                    scalar(random)
                ));
            }
        }
    }
}

#[test]
#[ignore = "needs the yaml-oracle; run by `cargo xtask test`"]
fn plain_scalars_read_as_kubectl_reads_them() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let streams: Vec<String> = (0..50_000).map(|_| format!("a: {}\n", scalar(&mut random))).collect();
    let refused = compare(&streams);
    println!("{refused} of {} are read by kubectl alone", streams.len());
    assert!(refused * 200 < streams.len());
}

#[test]
#[ignore = "needs the yaml-oracle; run by `cargo xtask test`"]
fn documents_read_as_kubectl_reads_them() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let streams: Vec<String> = (0..5_000)
        .map(|_| {
            let mut text = String::new();
            document(&mut random, 3, 0, &mut text);
            text
        })
        .collect();
    let refused = compare(&streams);
    println!("{refused} of {} are read by kubectl alone", streams.len());
    assert!(refused * 20 < streams.len());
}

/// Manifests to damage: the tricky streams of this repository and its examples.
fn manifests() -> Vec<Vec<u8>> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders =
        ["tests/data/tricky", "../../examples/portal/manifests", "../../examples/hedgedoc/manifests"];
    let entries = folders.iter().flat_map(|folder| std::fs::read_dir(root.join(folder)).unwrap().flatten());
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    // Hostile streams are refused at a cost; thousands of them would only take time.
    let hostile =
        |path: &std::path::Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('9'));
    let yaml =
        paths.iter().filter(|path| path.extension().is_some_and(|ending| ending == "yaml") && !hostile(path));
    yaml.map(|path| std::fs::read(path).unwrap()).filter(|bytes| bytes.len() < 16_000).collect()
}

#[test]
#[ignore = "needs the yaml-oracle; run by `cargo xtask test`"]
fn damaged_manifests_read_as_kubectl_reads_them() {
    const INTERESTING: &[u8] = b"\n\t :-,[]{}#&*!|>'\"%@`?~=<0y.\r\\";
    let manifests = manifests();
    let mut random = Random(0x1234_5678_9abc_def1);
    let mut streams = Vec::new();
    while streams.len() < 20_000 {
        let mut bytes = manifests[random.below(manifests.len())].clone();
        for _ in 0..=random.below(2) {
            let at = random.below(bytes.len());
            let byte = INTERESTING[random.below(INTERESTING.len())];
            match random.below(3) {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
        }
        streams.extend(String::from_utf8(bytes));
    }
    let refused = compare(&streams);
    println!("{refused} of {} are read by kubectl alone", streams.len());
    assert!(refused * 200 < streams.len());
}

#[test]
#[ignore = "needs the yaml-oracle; run by `cargo xtask test`"]
fn what_is_written_is_read_by_kubectl_the_same() {
    let mut random = Random(0xd1b5_4a32_d192_ed03);
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
            let entries = vec![
                (a.into_boxed_str(), Value::from(b)),
                ("list\u{1}".into(), Value::Array(vec![c.into()])),
            ];
            Value::Object(lathe_manifest::Map::from_entries(entries).unwrap_or_default())
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
    for ((value, stream), theirs) in values.iter().zip(&streams).zip(oracle(&streams)) {
        let theirs = theirs.unwrap_or_else(|| panic!("kubectl refuses {stream:?}"));
        assert_eq!(
            json::to_string(&theirs),
            json::to_string(&Value::Array(vec![value.clone()])),
            "{stream:?}"
        );
        let ours = Reader::documents(ReadOptions::default(), "x", stream.as_bytes()).unwrap();
        assert_eq!(ours.as_slice(), std::slice::from_ref(value));
    }
}
