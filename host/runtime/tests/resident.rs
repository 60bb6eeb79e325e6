//! Hostile runs leave nothing behind in the host's memory. Alone in its process, or other tests' memory would count.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail loudly")]

use std::fs;

use lathe_runtime::capability::{Capabilities, Encoding, Secrets};
use lathe_runtime::types::Request;
use lathe_runtime::{Limits, Plugin, Runtime};

const MOST: u64 = 32 << 20;

struct Deaf;

impl Secrets for Deaf {
    fn open(&mut self, _: u32, _: &str, _: &str) -> String {
        "token".into()
    }
    fn encode(&mut self, _: &str, _: Encoding) -> String {
        "token".into()
    }
}

/// Bytes of memory that this process has in use.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

#[test]
fn from_the_twentieth_hostile_run_to_the_two_hundredth_memory_stays() {
    let runtime = Runtime::new(None, None).unwrap();
    let guest = Plugin::new("path:test-guest.wasm", lathe_test_guests::GUEST).unwrap();
    let aliasing = Plugin::new("path:aliasing.wasm", lathe_test_guests::crafted::aliasing()).unwrap();
    let limits = Limits {
        memory_bytes: 256 << 20,
        output_bytes: 16 << 20,
        host_calls: 10_000,
        fuel: 200_000_000,
        ..Limits::default()
    };
    let deeds = ["grow", "recurse", "trap", "exit", "flood", "call", "spin", "flood-log", "sleep"];
    let mut at_twenty = 0;
    for run in 1..=200 {
        let deed = deeds.get(run % (deeds.len() + 1));
        let config = format!(r#"{{"do":"{}"}}"#, deed.unwrap_or(&"none"));
        let request = Request { config, environment: "{}".into(), objects: Vec::new() };
        let granted =
            Capabilities { secrets: Some(Box::new(Deaf)), logging: true, ..Capabilities::default() };
        let plugin = if deed.is_some() { &guest } else { &aliasing };
        let ended = runtime.transform(plugin, &request, granted, &limits);
        assert!(ended.is_err() || deed == Some(&"flood-log"), "{deed:?}");
        if run == 20 {
            at_twenty = resident();
        }
    }
    let grown = resident().saturating_sub(at_twenty);
    println!("{} KiB more than after the twentieth run", grown >> 10);
    assert!(grown < MOST, "{grown}");
}
