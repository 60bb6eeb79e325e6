//! How long reading and writing take: `throughput FILE [TURNS]` prints nanoseconds of each turn, read and write.
#![allow(clippy::print_stdout, reason = "it is asked for figures")]

use std::process::ExitCode;
use std::time::Instant;

use lathe_manifest::{ReadOptions, Reader, write};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(Ok(bytes)) = arguments.next().map(std::fs::read) else { return ExitCode::FAILURE };
    let turns = arguments.next().and_then(|turns| turns.parse().ok()).unwrap_or(1);
    for _ in 0..turns {
        let started = Instant::now();
        let mut reader = Reader::new(ReadOptions::default());
        reader.add("input.yaml", &bytes);
        let Ok((objects, _)) = reader.finish() else { return ExitCode::FAILURE };
        let read = started.elapsed();
        let started = Instant::now();
        let text = write::yaml(&objects);
        let written = started.elapsed();
        println!("{} {}", read.as_nanos(), written.as_nanos());
        std::hint::black_box((text, objects));
    }
    ExitCode::SUCCESS
}
