//! The built-in plugins' native code does what the component does, and uses the same fuel.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]
#![allow(unsafe_code, reason = "native code has to be vouched for")]

use lathe_runtime::capability::Capabilities;
use lathe_runtime::types::{Object, Request};
use lathe_runtime::{Limits, Native, Plugin, Runtime};

#[test]
fn native_code_is_the_component_compiled() {
    let builtin = lathe_bundle::find("review-hosts").unwrap();
    let plugin = Plugin::new("builtin:review-hosts", builtin.wasm).unwrap();
    // SAFETY: the build script of lathe-bundle made it of this component.
    let native = plugin.clone().with_native(unsafe { Native::new(builtin.native) });
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    // A runtime of its own each time, for one keeps what it has loaded.
    let fresh = || Runtime::new(Some(&cache), None).unwrap();
    let kept = || std::fs::read_dir(&cache).unwrap().count();
    let run_on = |runtime: &Runtime, plugin: &Plugin| {
        let object = Object {
            api_version: "v1".into(),
            kind: "ConfigMap".into(),
            namespace: "p".into(),
            name: "x".into(),
            json: r#"{"apiVersion":"v1","data":{"u":"https://a.example.org/x"},"kind":"ConfigMap","metadata":{"name":"x","namespace":"p"}}"#.into(),
        };
        let request = Request {
            config: r#"{"reviewDomain":"r.example.net","hosts":{"a.example.org":"a"},"zones":["example.org"]}"#.into(),
            environment: r#"{"name":"review","project":"p","namespace":"p-x","review":{"id":"1","slug":"x"},"hosts":{"a.example.org":"a-x.r.example.net"}}"#.into(),
            objects: vec![object],
        };
        let granted = Capabilities { logging: true, ..Capabilities::default() };
        let done = runtime.transform(plugin, &request, granted, &Limits::default()).unwrap();
        (format!("{:?}", done.outcome), done.fuel)
    };
    let run = |plugin: &Plugin| run_on(&fresh(), plugin);
    let fast = run(&native);
    assert_eq!(kept(), 0, "the native code was not loaded, and the component was compiled");
    assert!(fast.0.contains("a-x.r.example.net"), "{}", fast.0);
    assert_eq!(run(&plugin), fast);
    assert_eq!(kept(), 1);
    // What is no code of ours is not run.
    // SAFETY: these bytes are refused before anything of them is run.
    let broken = plugin.with_native(unsafe { Native::new(b"no code") });
    assert_eq!(run(&broken), fast);
    // Another kind of machine, for which an interpreter of portable code stands.
    let plain = Plugin::new("builtin:review-hosts", builtin.wasm).unwrap();
    assert_eq!(run_on(&Runtime::portable().unwrap(), &plain), fast);
}
