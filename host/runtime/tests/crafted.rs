//! Guests that no compiler would make. Each ends by its name, within twice its deadline.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

use std::time::Instant;

use lathe_runtime::capability::Capabilities;
use lathe_runtime::types::{Edit, Object, Request, Severity};
use lathe_runtime::{Compiler, Limits, Plugin, PluginErrorKind, Runtime, Transformed};
use lathe_test_guests::crafted;

fn limits() -> Limits {
    Limits { deadline_ms: 4000, compile_ms: 4000, memory_bytes: 64 << 20, ..Limits::default() }
}

fn request() -> Request {
    let json = r#"{"apiVersion":"v1","data":{"a":"b"},"kind":"ConfigMap","metadata":{"name":"x"}}"#;
    let [api_version, kind, namespace, name] = ["v1", "ConfigMap", "", "x"].map(ToOwned::to_owned);
    let objects = vec![Object { api_version, kind, namespace, name, json: json.into() }];
    Request { config: "{}".into(), environment: "{}".into(), objects }
}

fn run(bytes: Vec<u8>, limits: &Limits) -> Result<Transformed, PluginErrorKind> {
    let runtime = Runtime::new(None, None).unwrap();
    let plugin = Plugin::new("path:crafted.wasm", bytes).map_err(|error| error.kind)?;
    let started = Instant::now();
    let answer = runtime.transform(&plugin, &request(), Capabilities::default(), limits);
    assert!(started.elapsed() < limits.deadline() * 2, "took {:?}", started.elapsed());
    answer.map_err(|error| error.kind)
}

#[test]
fn answers_that_are_none_are_told_apart() {
    type Expected = fn(&PluginErrorKind) -> bool;
    let crafted: [(&str, Vec<u8>, Expected); 5] = [
        ("200 texts that are the same 10 MB", crafted::aliasing(), |kind| {
            matches!(kind, PluginErrorKind::Output(_))
        }),
        (
            "no UTF-8",
            crafted::invalid_utf8(),
            |kind| matches!(kind, PluginErrorKind::Answer(what) if what == "text in UTF-8"),
        ),
        (
            "an unknown variant",
            crafted::invalid_variant(),
            |kind| matches!(kind, PluginErrorKind::Trap { trap, .. } if trap.contains("discriminant")),
        ),
        (
            "a list beyond memory",
            crafted::out_of_bounds(),
            |kind| matches!(kind, PluginErrorKind::Trap { trap, .. } if trap.contains("out of bounds")),
        ),
        (
            "a version that is not there",
            crafted::other_version(),
            |kind| matches!(kind, PluginErrorKind::UnknownImports(names) if names == &["lathe:transform/types@0.2.0"]),
        ),
    ];
    for (what, bytes, expected) in crafted {
        let kind = run(bytes, &limits()).unwrap_err();
        assert!(expected(&kind), "{what}: {kind:?}");
    }
    // What it sets is for whoever applies it to look at.
    assert!(
        matches!(&run(crafted::invalid_json(), &limits()).unwrap().outcome.edits[..], [Edit::Set(write)] if write.value == "{")
    );
}

#[test]
fn a_trap_in_describe_is_told() {
    let runtime = Runtime::new(None, None).unwrap();
    let plugin = Plugin::new("path:crafted.wasm", crafted::trap_in_describe()).unwrap();
    let kind = runtime.describe(&plugin, &limits()).unwrap_err().kind;
    assert!(matches!(&kind, PluginErrorKind::Trap { trap, .. } if trap.contains("unreachable")), "{kind:?}");
}

#[test]
fn imports_off_the_list_are_refused_before_compiling() {
    let kind = Plugin::new("path:crafted.wasm", crafted::forbidden_import()).unwrap_err().kind;
    assert!(
        matches!(&kind, PluginErrorKind::UnknownImports(names) if names == &["lathe:transform/other@0.1.0"]),
        "{kind:?}"
    );
    let command =
        wat(r#"(import "wasi_snapshot_preview1" "path_open_at" (func)) (import "env" "abort" (func))
        (import "wasi_snapshot_preview1" "memory" (memory 1))"#);
    let kind = Plugin::new("path:crafted.wasm", command).unwrap_err().kind;
    let PluginErrorKind::UnknownImports(names) = kind else { panic!("{kind:?}") };
    assert_eq!(
        names,
        ["env/abort", "wasi_snapshot_preview1/memory (no function)", "wasi_snapshot_preview1/path_open_at"]
    );
}

fn wat(imports: &str) -> Vec<u8> {
    let text = format!(r#"(module {imports} (memory (export "memory") 1) (func (export "_start")))"#);
    crafted::text(&text)
}

#[test]
fn tables_have_a_size() {
    assert!(run(crafted::large_table(1000), &limits()).is_ok());
    let kind = run(crafted::large_table(1001), &Limits { table_elements: 1000, ..limits() }).unwrap_err();
    assert!(matches!(kind, PluginErrorKind::Table(1000)), "{kind:?}");
    let kind = run(crafted::large_table(1 << 21), &limits()).unwrap_err();
    assert!(matches!(kind, PluginErrorKind::Table(_)), "{kind:?}");
}

#[test]
fn a_compiler_that_fails_or_does_not_end_is_told() {
    let plugin = Plugin::new("path:crafted.wasm", crafted::invalid_json()).unwrap();
    let compile = |script: &str, limits: &Limits| {
        let arguments = ["-c".into(), script.into(), "sh".into()].to_vec();
        let runtime = Runtime::new(None, Some(Compiler { program: "/bin/sh".into(), arguments })).unwrap();
        runtime.prepare(&plugin, limits).unwrap_err().kind
    };
    let kind = compile("cat >/dev/null; echo no memory >&2; exit 3", &limits());
    assert!(matches!(&kind, PluginErrorKind::Compile(text) if text == "no memory"), "{kind:?}");
    let kind = compile("kill -9 $$", &limits());
    assert!(matches!(&kind, PluginErrorKind::Compile(text) if text.contains("signal")), "{kind:?}");
    let kind = compile("cat >/dev/null; echo no code", &limits());
    assert!(matches!(&kind, PluginErrorKind::Compile(text) if text.contains("does not load")), "{kind:?}");
    let started = Instant::now();
    let kind = compile("exec sleep 60", &Limits { compile_ms: 300, ..limits() });
    assert!(matches!(kind, PluginErrorKind::CompileTime(_)), "{kind:?}");
    assert!(started.elapsed().as_secs() < 30);
}

#[test]
fn a_command_is_given_a_list_and_answers_with_one() {
    let done = run(crafted::krm_echo(), &limits()).unwrap();
    assert!(done.outcome.edits.is_empty() && done.fuel > 0);
    // Without end, and each of it read by the host.
    let kind = run(crafted::krm_prints(), &limits()).unwrap_err();
    assert!(
        matches!(
            kind,
            PluginErrorKind::Deadline(_) | PluginErrorKind::HostCalls(_) | PluginErrorKind::Fuel(_)
        ),
        "{kind:?}"
    );
    let list = r#"{"kind":"ResourceList","items":[],"results":[{"message":"gone","severity":"warning"}]}"#;
    let done = run(crafted::krm_says(list, 0), &limits()).unwrap();
    assert!(matches!(done.outcome.edits[..], [Edit::DropObject(0)]));
    assert_eq!(done.outcome.findings[0].severity, Severity::Warning);
    let kind = run(crafted::krm_says("no list", 0), &limits()).unwrap_err();
    assert!(matches!(&kind, PluginErrorKind::Answer(what) if what.starts_with("ResourceList")), "{kind:?}");
    // The last line counts, ended or not.
    let kind = run(crafted::krm_says("first\nit will not do", 1), &limits()).unwrap_err();
    assert!(matches!(&kind, PluginErrorKind::Refused(why) if why == "it will not do"), "{kind:?}");
    let kind = run(crafted::krm_says("", 7), &limits()).unwrap_err();
    assert!(matches!(&kind, PluginErrorKind::Refused(why) if why.contains("exit code 7")), "{kind:?}");
    let list = r#"{"kind":"ResourceList","results":[{"message":"too old","severity":"error"}]}"#;
    let kind = run(crafted::krm_says(list, 1), &limits()).unwrap_err();
    assert!(matches!(&kind, PluginErrorKind::Refused(why) if why == "too old"), "{kind:?}");
    let kind = run(crafted::krm_echo(), &Limits { output_bytes: 10, ..limits() }).unwrap_err();
    assert!(matches!(kind, PluginErrorKind::Output(10)), "{kind:?}");
}
