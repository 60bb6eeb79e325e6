//! A plugin that is called for parts of a set gives the same as in one call, whatever runs first.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use lathe_pipeline::Call;
use lathe_runtime::capability::{Capabilities, Encoding, Secrets};
use lathe_runtime::types::{Edit, Object, Request};
use lathe_runtime::{Limits, Plugin, PluginErrorKind, Runtime};

struct Deaf;

impl Secrets for Deaf {
    fn open(&mut self, _: u32, _: &str, _: &str) -> String {
        "token".into()
    }
    fn encode(&mut self, _: &str, _: Encoding) -> String {
        "token".into()
    }
}

fn request(what: &str) -> Request {
    let object = |index: usize| Object {
        api_version: "v1".into(),
        kind: "ConfigMap".into(),
        namespace: String::new(),
        name: format!("x{index}"),
        json: format!(r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"x{index}"}}}}"#),
    };
    let config = format!(r#"{{"do":"{what}"}}"#);
    Request { config, environment: "{}".into(), objects: (0..1000).map(object).collect() }
}

fn granted(_: usize, _: usize) -> Capabilities {
    Capabilities { secrets: Some(Box::new(Deaf)), ..Capabilities::default() }
}

#[test]
fn parts_give_what_one_call_gives() {
    let runtime = Runtime::new(None, None).unwrap();
    let plugin = Plugin::new("path:guest.wasm", lathe_test_guests::GUEST).unwrap();
    let limits = Limits::default();
    let call = |part| Call { runtime: &runtime, plugin: &plugin, limits: &limits, part, granted: &granted };
    let whole = call(None).run(request("set-every")).unwrap().0;
    let (first, fuel) = call(Some(256)).run(request("set-every")).unwrap();
    assert_eq!(format!("{first:?}"), format!("{whole:?}"));
    assert!(matches!(&first.edits[999], Edit::Set(write) if write.at.object == 999));
    for _ in 0..20 {
        let (again, used) = call(Some(256)).run(request("set-every")).unwrap();
        assert_eq!((format!("{again:?}"), used), (format!("{first:?}"), fuel));
    }
    // What is no position in a part is none in the whole.
    let (outcome, _) = call(Some(256)).run(request("unknown-object")).unwrap();
    assert!(outcome.edits.iter().all(|edit| matches!(edit, Edit::Set(write) if write.at.object == u32::MAX)));
}

#[test]
fn limits_hold_for_the_parts_together() {
    let runtime = Runtime::new(None, None).unwrap();
    let plugin = Plugin::new("path:guest.wasm", lathe_test_guests::GUEST).unwrap();
    let call = |limits: &Limits, what| {
        let call = Call { runtime: &runtime, plugin: &plugin, limits, part: Some(256), granted: &granted };
        call.run(request(what))
    };
    let (_, fuel) = call(&Limits::default(), "set-every").unwrap();
    assert!(call(&Limits { fuel, ..Limits::default() }, "set-every").is_ok());
    let kind = call(&Limits { fuel: fuel - 1, ..Limits::default() }, "set-every").unwrap_err().kind;
    assert!(matches!(kind, PluginErrorKind::Fuel(most) if most == fuel - 1), "{kind:?}");
    let clock = Limits { fuel: u64::MAX / 2, deadline_ms: 1000, ..Limits::default() };
    let started = std::time::Instant::now();
    let kind = call(&clock, "spin").unwrap_err().kind;
    assert!(matches!(kind, PluginErrorKind::Deadline(most) if most.as_millis() == 1000), "{kind:?}");
    assert!(started.elapsed().as_secs() < 6, "{:?}", started.elapsed());
    let kind = call(&Limits::default(), "trap").unwrap_err().kind;
    assert!(matches!(kind, PluginErrorKind::Trap { .. }), "{kind:?}");
}
