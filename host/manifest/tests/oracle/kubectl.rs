//! kubectl's reading, by the program that `LATHE_ORACLE` names.

use std::io::Write as _;
use std::process::{Command, Stdio};

use lathe_manifest::{Value, json};

/// kubectl's documents of each stream, or why it refuses the stream.
pub(crate) fn read<T: AsRef<[u8]>>(streams: &[T]) -> Vec<Result<Value, String>> {
    let program = std::env::var("LATHE_ORACLE").expect("LATHE_ORACLE names the program");
    let mut child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let framed = |stream: &T| [format!("{}\n", stream.as_ref().len()).as_bytes(), stream.as_ref()].concat();
    let all: Vec<u8> = streams.iter().flat_map(framed).collect();
    let writer = std::thread::spawn(move || stdin.write_all(&all).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let values: Vec<_> = text.lines().map(|line| json::parse(line).unwrap()).collect();
    assert_eq!(values.len(), streams.len());
    let one = |value: Value| match value.get("error").and_then(Value::as_str) {
        Some(error) => Err(error.to_owned()),
        None => Ok(value),
    };
    values.into_iter().map(one).collect()
}
