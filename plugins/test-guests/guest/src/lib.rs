//! A guest that does what its config names, most of it bad.

use std::collections::HashMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use lathe_sdk::{Descriptor, Location, Outcome, Request, Scope, Transform, json, secrets};

/// The plugin.
pub struct Guest;

impl Transform for Guest {
    fn describe() -> Descriptor {
        Descriptor {
            name: "test-guest",
            version: env!("CARGO_PKG_VERSION"),
            summary: "Misbehaves",
            config_schema: json!({"type": "object"}),
            scope: Scope::Set,
        }
    }

    fn transform(request: &Request) -> Result<Outcome, String> {
        let mut outcome = Outcome::default();
        let what = request.config["do"].as_str().unwrap_or_default();
        let pointer = request.config["pointer"].as_str().unwrap_or("/metadata/annotations/touched");
        match what {
            "nothing" => {}
            "set" => outcome.set(0, pointer, request.config["value"].clone()),
            "set-every" => request.objects.iter().for_each(|o| outcome.set(o.key, pointer, "yes")),
            "round" => outcome.set(0, pointer, request.config["value"].as_f64()),
            "append" => request.objects.iter().for_each(|object| {
                let text = object.value.pointer(pointer).and_then(|text| text.as_str()).unwrap_or_default();
                outcome.set(object.key, pointer, format!("{text}x"));
            }),
            "remove" => outcome.remove(0, pointer),
            "drop" => outcome.drop_object(0),
            "add" => outcome.add_object(&request.config["value"]),
            "unknown-object" => outcome.set(4_000_000_000, "/metadata/name", "x"),
            "spin" => loop {
                black_box(0);
            },
            "sleep" => {
                // Looks at the clock as well, as a program that waits for a time of day would.
                let until = Instant::now() + Duration::from_hours(1);
                while Instant::now() < until {
                    std::thread::sleep(Duration::from_secs(10));
                }
            }
            "grow" => {
                let mut all = Vec::new();
                loop {
                    all.push(black_box(vec![1_u8; 1 << 20]));
                }
            }
            "recurse" => outcome.info("depth", recurse(0).to_string(), None),
            "trap" => trap(),
            "exit" => std::process::exit(7),
            "refuse" => return Err("this input will not do".to_owned()),
            "error" => outcome.error(
                "bad-input",
                "this is wrong",
                Some(Location { object: 0, pointer: String::new() }),
            ),
            "flood" => outcome.info("flood", "x".repeat(200 << 20), None),
            "flood-edits" => {
                outcome.set(0, "/list", json!([]));
                (0..600_000).for_each(|n| outcome.insert(0, "/list/0", n));
            }
            "flood-log" => flood_log(),
            "shout" => return Err(format!("\u{1b}[31mred{}", "!".repeat(1 << 20))),
            "call" => loop {
                secrets::encode("x", secrets::Encoding::Json);
            },
            "probe" => probe(&mut outcome),
            "copy-token" => {
                let (object, token) = token(request, pointer);
                outcome.set(object, "/metadata/annotations/stolen", token);
            }
            "give-token" => {
                outcome.set(map(request), "/data/stolen", format!("x {}\n\"", token(request, pointer).1));
            }
            "key-token" => outcome.set(map(request), "/data", json!({token(request, pointer).1: "x"})),
            "add-token" => {
                let (_, token) = token(request, pointer);
                outcome.add_object(&json!({
                    "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "stolen"}, "data": {"a": token},
                }));
            }
            "kind-token" => outcome.set(token(request, pointer).0, "/kind", "ConfigMap"),
            "tell-token" => outcome.info("told", token(request, pointer).1, None),
            "refuse-token" => return Err(token(request, pointer).1),
            "change-token" => {
                let (object, token) = token(request, pointer);
                outcome.set(object, pointer, format!("{token}-changed"));
            }
            "move-token" => {
                let (object, token) = token(request, pointer);
                outcome.remove(object, pointer);
                outcome.set(object, request.config["to"].as_str().unwrap_or_default(), token);
            }
            "split-token" => {
                let (object, token) = token(request, pointer);
                let (head, tail) = token.split_at(token.len() / 2);
                outcome.set(object, pointer, format!("{head} {tail}"));
            }
            "set-secret" => {
                let (object, _) = token(request, pointer);
                outcome.set(object, pointer, request.config["value"].clone());
            }
            "open" => {
                let at = Location { object: 0, pointer: pointer.to_owned() };
                let token = secrets::open(&at, request.config["value"].as_str().unwrap_or_default());
                outcome.set(0, pointer, token);
            }
            other => return Err(format!("no such deed: {other:?}")),
        }
        Ok(outcome)
    }
}

lathe_sdk::register!(Guest);

/// The first `ConfigMap`.
fn map(request: &Request) -> u32 {
    request.objects.iter().find(|object| object.kind == "ConfigMap").map_or(0, |object| object.key)
}

/// The first object that has text at this place, and the text.
fn token(request: &Request, pointer: &str) -> (u32, String) {
    let text = |object: &lathe_sdk::Object| object.value.pointer(pointer)?.as_str().map(ToOwned::to_owned);
    let found = request.objects.iter().find_map(|object| Some((object.key, text(object)?)));
    found.unwrap_or_default()
}

#[allow(clippy::panic, reason = "a plugin that panics is what the test is about")]
fn trap() {
    panic!("the guest gives up");
}

fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    if depth == u64::MAX { 0 } else { recurse(black_box(depth + 1)) + frame[7] }
}

#[allow(
    clippy::disallowed_methods,
    reason = "what a plugin sees of the environment is what the test is about"
)]
/// Looks for anything that differs between two runs: clocks, seeds, environment.
fn probe(outcome: &mut Outcome) {
    let map: HashMap<u32, u32> = (0..100).map(|n| (n, n)).collect();
    let order: Vec<String> = map.keys().map(ToString::to_string).collect();
    let now = Instant::now();
    let wall = std::time::SystemTime::UNIX_EPOCH.elapsed().map(|e| e.as_nanos()).unwrap_or_default();
    let vars = std::env::vars().count() + std::env::args().count();
    outcome.info("probe", format!("{} {:?} {wall} {vars}", order.join(","), now.elapsed()), None);
}

#[allow(clippy::print_stdout, reason = "what a plugin prints is what the test is about")]
fn flood_log() {
    (0..20_000).for_each(|_| println!("{}", "x".repeat(1 << 10)));
}
