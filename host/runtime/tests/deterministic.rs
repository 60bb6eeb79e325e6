//! The same input gives the same answer and uses the same fuel: in every run, cache cold and warm, and on another machine,
//! for which an interpreter of portable code stands.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use lathe_runtime::capability::{Capabilities, Encoding, Secrets};
use lathe_runtime::types::{Object, Request};
use lathe_runtime::{Limits, Plugin, Runtime};

struct Echo;

impl Secrets for Echo {
    fn open(&mut self, _: u32, _: &str, reference: &str) -> String {
        reference.to_owned()
    }
    fn encode(&mut self, text: &str, _: Encoding) -> String {
        text.to_owned()
    }
}

fn answer(runtime: &Runtime, what: &str) -> (String, u64) {
    let plugin = Plugin::new("path:test-guest.wasm", lathe_test_guests::GUEST).unwrap();
    let object = |index: usize| Object {
        api_version: "v1".into(),
        kind: "ConfigMap".into(),
        namespace: String::new(),
        name: format!("x{index}"),
        json: format!(
            r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"x{index}"}},"n":9007199254740993,"f":0.1}}"#
        ),
    };
    let config = format!(r#"{{"do":"{what}","value":0.1}}"#);
    let request = Request { config, environment: "{}".into(), objects: (0..20).map(object).collect() };
    let granted = Capabilities { secrets: Some(Box::new(Echo)), ..Capabilities::default() };
    let done = runtime.transform(&plugin, &request, granted, &Limits::default()).unwrap();
    (format!("{:?}", done.outcome), done.fuel)
}

#[test]
fn a_hundred_runs_are_one() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    for what in ["probe", "set-every"] {
        let first = answer(&Runtime::new(None, None).unwrap(), what);
        for run in 0..100 {
            // Every tenth finds code that the first of these has kept.
            let runtime = Runtime::new(Some(&cache), None).unwrap();
            for _ in 0..10 {
                assert_eq!(answer(&runtime, what), first, "run {run} of {what}");
            }
            if run == 9 {
                break;
            }
        }
    }
}

#[test]
fn another_machine_would_give_the_same() {
    let portable = Runtime::portable().unwrap();
    let native = Runtime::new(None, None).unwrap();
    for what in ["probe", "set-every", "open"] {
        assert_eq!(answer(&portable, what), answer(&native, what), "{what}");
    }
}
