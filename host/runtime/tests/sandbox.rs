//! What a plugin can do to the host: nothing. Each misdeed of the test guest ends by its name, within twice its deadline.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may fail loudly"
)]

use std::time::Instant;

use lathe_runtime::capability::{Capabilities, Encoding, Secrets};
use lathe_runtime::types::{Edit, Object, Request};
use lathe_runtime::{Limits, Plugin, PluginErrorKind, Runtime, Transformed};

struct Deaf;

impl Secrets for Deaf {
    fn open(&mut self, _: u32, _: &str, _: &str) -> String {
        "token".into()
    }
    fn encode(&mut self, _: &str, _: Encoding) -> String {
        "token".into()
    }
}

fn limits() -> Limits {
    Limits { deadline_ms: 4000, memory_bytes: 64 << 20, ..Limits::default() }
}

fn whole() -> &'static [u8] {
    lathe_test_guests::GUEST
}

fn guest() -> Plugin {
    Plugin::new("path:test-guest.wasm", lathe_test_guests::GUEST).unwrap()
}

fn call(runtime: &Runtime, what: &str, limits: &Limits) -> Result<Transformed, PluginErrorKind> {
    let object = Object {
        api_version: "v1".into(),
        kind: "ConfigMap".into(),
        namespace: String::new(),
        name: "x".into(),
        json: r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"}}"#.into(),
    };
    let config = format!(r#"{{"do":"{what}","value":"v"}}"#);
    let request = Request { config, environment: "{}".into(), objects: vec![object] };
    let granted = Capabilities { secrets: Some(Box::new(Deaf)), ..Capabilities::default() };
    let plugin = guest();
    runtime.transform(&plugin, &request, granted, limits).map_err(|error| {
        let text = error.to_string();
        assert!(text.contains("path:test-guest.wasm") && text.contains(&plugin.digest), "{text}");
        error.kind
    })
}

/// A runtime that has compiled the guest, so that a call's deadline is all the guest's.
fn warm() -> (tempfile::TempDir, Runtime) {
    let folder = tempfile::tempdir().unwrap();
    let runtime = Runtime::new(Some(&folder.path().join("cache")), None).unwrap();
    call(&runtime, "nothing", &Limits::default()).unwrap();
    (folder, runtime)
}

#[test]
fn misdeeds_end_by_name_and_in_time() {
    type Expected = fn(&PluginErrorKind) -> bool;
    let (_folder, runtime) = warm();
    let limits = limits();
    let misdeeds: &[(&str, Expected)] = &[
        ("sleep", |kind| matches!(kind, PluginErrorKind::Sleep(_))),
        ("grow", |kind| matches!(kind, PluginErrorKind::Memory(_))),
        (
            "trap",
            |kind| matches!(kind, PluginErrorKind::Trap { said, .. } if said.contains("the guest gives up")),
        ),
        ("exit", |kind| matches!(kind, PluginErrorKind::Exit(_))),
        // A guest's own stack lies at the bottom of its memory and ends first.
        ("recurse", |kind| matches!(kind, PluginErrorKind::Stack | PluginErrorKind::Trap { .. })),
        ("refuse", |kind| matches!(kind, PluginErrorKind::Refused(_))),
        ("call", |kind| matches!(kind, PluginErrorKind::HostCalls(_))),
    ];
    for (what, expected) in misdeeds {
        let started = Instant::now();
        let kind = call(&runtime, what, &Limits { host_calls: 100_000, ..limits.clone() }).unwrap_err();
        assert!(expected(&kind), "{what}: {kind:?}");
        assert!(started.elapsed() < limits.deadline() * 2, "{what} took {:?}", started.elapsed());
    }
}

#[test]
fn a_loop_ends_by_fuel_at_the_same_place_or_else_by_the_clock() {
    let (_folder, runtime) = warm();
    let fuel = Limits { fuel: 50_000_000, ..limits() };
    assert!(matches!(call(&runtime, "spin", &fuel), Err(PluginErrorKind::Fuel(50_000_000))));
    let clock = Limits { fuel: u64::MAX / 2, deadline_ms: 1000, ..limits() };
    let started = Instant::now();
    assert!(matches!(call(&runtime, "spin", &clock), Err(PluginErrorKind::Deadline(_))));
    assert!(started.elapsed() < clock.deadline() * 2, "{:?}", started.elapsed());
}

#[test]
fn an_answer_has_a_size() {
    let (_folder, runtime) = warm();
    let small = Limits { output_bytes: 1 << 20, memory_bytes: 1 << 30, ..limits() };
    let kind = call(&runtime, "flood", &small).unwrap_err();
    assert!(matches!(kind, PluginErrorKind::Output(_)), "{kind:?}");
}

#[test]
fn compiling_has_a_deadline_of_its_own() {
    let runtime = Runtime::new(None, None).unwrap();
    let kind = call(&runtime, "nothing", &Limits { compile_ms: 1, ..Limits::default() }).unwrap_err();
    assert!(matches!(kind, PluginErrorKind::CompileTime(_)), "{kind:?}");
}

#[test]
fn nothing_tells_two_runs_apart() {
    let (_folder, runtime) = warm();
    let cold = Runtime::new(None, None).unwrap();
    let probe = |runtime: &Runtime| {
        let done = call(runtime, "probe", &Limits::default()).unwrap();
        (done.outcome.findings[0].message.clone(), done.fuel)
    };
    let first = probe(&runtime);
    assert!(first.0.ends_with(" 0 0"), "{}", first.0);
    for _ in 0..20 {
        assert_eq!(probe(&runtime), first);
    }
    assert_eq!(probe(&cold), first);
}

#[test]
fn what_is_not_granted_cannot_be_called() {
    let (_folder, runtime) = warm();
    let request = Request { config: "{}".into(), environment: "{}".into(), objects: Vec::new() };
    let error = runtime.transform(&guest(), &request, Capabilities::default(), &limits()).unwrap_err();
    assert!(matches!(error.kind, PluginErrorKind::NotGranted(rights) if rights == ["secrets"]));
}

#[test]
fn a_plugin_describes_itself_without_any_capability() {
    let (_folder, runtime) = warm();
    let text = runtime.describe(&guest(), &limits()).unwrap();
    assert!(text.contains(r#""name":"test-guest""#), "{text}");
    // The empty component.
    let empty = Plugin::new("path:empty.wasm", &whole()[..8]).unwrap();
    assert!(matches!(runtime.describe(&empty, &limits()).unwrap_err().kind, PluginErrorKind::World(_)));
}

#[test]
fn an_honest_answer_comes_back() {
    let (_folder, runtime) = warm();
    let done = call(&runtime, "set", &limits()).unwrap();
    assert!(matches!(&done.outcome.edits[..], [Edit::Set(write)] if write.value == "\"v\""));
}

#[test]
fn a_damaged_component_is_refused() {
    let runtime = Runtime::new(None, None).unwrap();
    let whole = whole();
    let request = Request { config: "{}".into(), environment: "{}".into(), objects: Vec::new() };
    for length in [0, 7, 100, whole.len() / 2, whole.len() - 1] {
        let plugin = Plugin::new("path:cut.wasm", whole[..length].to_vec());
        assert!(plugin.is_err(), "{length}");
    }
    let mut flipped = whole.to_vec();
    for at in (1000..flipped.len()).step_by(40_009) {
        flipped[at] ^= 0x41;
        let Ok(plugin) = Plugin::new("path:flipped.wasm", flipped.clone()) else { continue };
        let granted = Capabilities { secrets: Some(Box::new(Deaf)), ..Capabilities::default() };
        // Any end but a crash will do.
        let _ = runtime.transform(&plugin, &request, granted, &limits());
    }
}
