//! Plugins that mean harm, run as a user would run them: each ends by its name, in time, writes nothing and tells no value.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod support;

use std::fs;
use std::time::{Duration, Instant};

use lathe_test_guests::{GUEST, crafted};
use support::{Place, Run};

/// What no output may hold: a value of a Secret.
fn value() -> String {
    // Put together here, so that it stands nowhere but where it is put.
    ["canary", "of", "this", "test"].join("-")
}

fn pipeline(config: &str, more: &str) -> String {
    format!(
        "apiVersion: lathe.dev/v1alpha1\nkind: Pipeline\nmetadata: {{name: hostile}}\ninputs: [in.yaml]\nenvironments: {{prod: {{namespace: hostile}}}}\ntransforms:\n- plugin: path:guest.wasm\n  config: {config}\n{more}"
    )
}

fn place(wasm: &[u8], config: &str, more: &str) -> Place {
    let place = Place::new();
    fs::write(place.path("guest.wasm"), wasm).unwrap();
    place.write("lathe.yaml", &pipeline(config, more));
    place.write(
        "in.yaml",
        &format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a, annotations: {{note: x}}}}\ndata: {{a: b}}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: b}}\n---\napiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData: {{a: {0}, b: {0}}}\n",
            value()
        ),
    );
    place
}

const EVERYWHERE: &str = "  writes: ['* /**']\n";
const ALL: &str = "  writes: ['* /**']\n  grants: [add-objects, drop-objects, secret-metadata, token-text]\n";
const SHORT: &str = "  limits: {deadlineMs: 3000, compileMs: 10000, memoryBytes: 268435456, hostCalls: 100000, outputBytes: 16777216}\n";

/// Runs a guest that has to be refused.
fn refused(what: &str, wasm: &[u8], config: &str, more: &str) -> Run {
    let place = place(wasm, config, more);
    place.ok(&["lock"]);
    let started = Instant::now();
    let run = place.run(&["render", "--env", "prod"]);
    assert!(started.elapsed() < Duration::from_secs(20), "{what} took {:?}", started.elapsed());
    assert_eq!((run.code, run.stdout.as_str()), (3, ""), "{what}: {}", run.stderr);
    assert!(!run.stderr.contains(&value()), "{what}");
    assert!(run.stderr.len() < 64 << 10, "{what}: {} bytes", run.stderr.len());
    run
}

#[test]
fn misdeeds_are_told_by_name() {
    for (deed, told, more) in [
        ("spin", "used up its fuel of 500000000", "  limits: {fuel: 500000000}\n"),
        ("sleep", "asked to sleep longer than its deadline of 3000 ms", SHORT),
        ("grow", "asked for more than its 268435456 bytes of memory", SHORT),
        ("recurse", "trapped: ", SHORT),
        ("call", "called the host more than 100000 times", SHORT),
        ("flood", "handed over more than 16777216 bytes", SHORT),
        ("trap", "it said: the guest gives up", SHORT),
        ("exit", "ended itself instead of answering", SHORT),
        ("refuse", "refuses: this input will not do", SHORT),
        ("unknown-object", "the plugin names object 4000000000, and it was given 3", EVERYWHERE),
        ("drop", "takes `grants: [drop-objects]`", EVERYWHERE),
        ("set", "Secret/s /metadata/annotations/touched: the plugin may not write here", ""),
    ] {
        let run = refused(deed, GUEST, &format!("{{do: {deed}, value: v}}"), more);
        assert!(
            run.stderr.contains(told) && run.stderr.contains("path:guest.wasm"),
            "{deed}: {}",
            run.stderr
        );
    }
}

#[test]
fn a_flood_of_log_is_cut() {
    let place = place(GUEST, "{do: flood-log}", "");
    place.ok(&["lock"]);
    let run = place.run(&["render", "--env", "prod", "-v"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.len() > 900 << 10 && run.stderr.len() < 2 << 20, "{} bytes", run.stderr.len());
}

#[test]
fn answers_that_make_no_sense_are_told_by_name() {
    let twice = r#"{do: add, value: {apiVersion: v1, kind: ConfigMap, metadata: {name: b}, data: {x: "y"}}}"#;
    for (what, config, told) in [
        ("an object whose name another has", twice, "ConfigMap/b: two objects have this name now"),
        (
            "an object without a kind",
            "{do: add, value: {metadata: {name: b}}}",
            "adds something that is no object",
        ),
        ("no pointer", "{do: set, pointer: 'data', value: v}", "names no place"),
        (
            "a place that is not there",
            "{do: remove, pointer: /data/x}",
            "an edit of the plugin does not apply",
        ),
        (
            "an integer that was rounded",
            "{do: round, pointer: /data/big, value: 9007199254740993}",
            "/data/big: the plugin writes an integer as its language's floating point rounds it",
        ),
        ("another kind of object", "{do: set, pointer: /kind, value: 1}", "without apiVersion, kind or name"),
    ] {
        let run = refused(what, GUEST, config, ALL);
        assert!(run.stderr.contains(told), "{what}: {}", run.stderr);
    }
    let run = refused("no JSON", &crafted::invalid_json(), "{}", EVERYWHERE);
    assert!(run.stderr.contains("the plugin writes no JSON to `/data`"), "{}", run.stderr);
    let run = refused("no UTF-8", &crafted::invalid_utf8(), "{}", EVERYWHERE);
    assert!(run.stderr.contains("answers with what is no text in UTF-8"), "{}", run.stderr);
    let run = refused("one text 200 times", &crafted::aliasing(), "{}", EVERYWHERE);
    assert!(run.stderr.contains("handed over more than 134217728 bytes"), "{}", run.stderr);
}

#[test]
fn tokens_stay_where_they_belong() {
    for (what, config, told) in [
        (
            "invented",
            "{do: set, pointer: /data/a, value: lathe1xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}",
            "Secret/s /data/a: a secret token here is not one that was issued",
        ),
        ("copied", "{do: copy-token, pointer: /stringData/a}", "Secret/s /metadata/annotations/stolen"),
        ("moved", "{do: move-token, pointer: /stringData/a, to: /stringData/c}", "Secret/s /stringData/c"),
        ("split", "{do: split-token, pointer: /stringData/a}", "Secret/s /stringData/a"),
        ("lost", "{do: set-secret, pointer: /stringData/a, value: x}", "Secret/s /stringData/a"),
    ] {
        let run = refused(what, GUEST, config, ALL);
        assert!(run.stderr.contains(told), "{what}: {}", run.stderr);
    }
}

#[test]
fn what_cannot_be_a_plugin_gets_into_no_lock() {
    let mut flipped = GUEST.to_vec();
    flipped[8] ^= 0x41;
    for (what, wasm, told) in [
        (
            "an import off the list",
            crafted::forbidden_import(),
            "imports what no plugin may have: lathe:transform/other@0.1.0",
        ),
        (
            "another version of the contract",
            crafted::other_version(),
            "imports what no plugin may have: lathe:transform/types@0.2.0",
        ),
        (
            "a trap in describe",
            crafted::trap_in_describe(),
            "trapped: wasm trap: wasm `unreachable` instruction executed",
        ),
        ("half a component", GUEST[..GUEST.len() / 2].to_vec(), "is no WebAssembly component"),
        ("a flipped bit", flipped, "could not be compiled: failed to parse WebAssembly module"),
        ("no wasm", b"hello".to_vec(), "is no WebAssembly component"),
    ] {
        let place = place(&wasm, "{}", EVERYWHERE);
        let run = place.run(&["lock"]);
        assert!(run.code == 3 && run.stderr.contains(told), "{what}: {}", run.stderr);
        assert!(!place.path("lathe.lock").exists(), "{what}");
    }
}

#[test]
fn a_compile_bomb_ends_with_its_process() {
    let place = place(&crafted::compile_bomb(), "{}", "  limits: {compileMs: 2000}\n");
    let started = Instant::now();
    let run = place.run(&["lock"]);
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert!(
        run.code == 3 && run.stderr.contains("takes longer to compile than the 2000 ms of `compileMs`"),
        "{}",
        run.stderr
    );
}

#[test]
fn an_upgrade_that_asks_for_secrets_is_refused_until_somebody_accepts() {
    let place = place(&crafted::pure(), "{do: nothing}", EVERYWHERE);
    place.ok(&["lock", "--accept"]);
    place.ok(&["render", "--env", "prod"]);
    let lock = fs::read_to_string(place.path("lathe.lock")).unwrap();
    assert!(lock.contains("rights: []"), "{lock}");
    fs::write(place.path("guest.wasm"), GUEST).unwrap();
    let told = "path:guest.wasm: asks for the right secrets, which the lock does not grant";
    for command in
        [&["render", "--env", "prod"][..], &["lock"], &["render", "--env", "prod", "--update-lock"]]
    {
        let run = place.run(command);
        assert!(run.code == 3 && run.stderr.contains(told), "{command:?}: {}", run.stderr);
    }
    assert_eq!(fs::read_to_string(place.path("lathe.lock")).unwrap(), lock);
    // An operator's word stands above what anybody accepts.
    place.write("policy.yaml", "apiVersion: lathe.dev/v1alpha1\nkind: Policy\nplugins: {rights: []}\n");
    let run = place.run(&["lock", "--accept", "--policy", "policy.yaml"]);
    assert!(run.code == 3 && run.stderr.contains("does not allow the right `secrets`"), "{}", run.stderr);
    place.ok(&["lock", "--accept"]);
    place.ok(&["render", "--env", "prod"]);
    assert_eq!(place.run(&["render", "--env", "prod", "--policy", "policy.yaml"]).code, 3);
}

const REVEALED: &str =
    "  reveal: [s]\n  writes: ['* /**']\n  grants: [add-objects, drop-objects, secret-metadata]\n";

#[test]
fn a_value_that_was_shown_goes_nowhere_else() {
    for (deed, told) in [
        ("give-token", "ConfigMap/a /data/stolen: the plugin writes a value of a Secret that it was shown"),
        ("key-token", "the plugin writes a value of a Secret that it was shown"),
        ("add-token", "ConfigMap/stolen: the plugin writes a value of a Secret that it was shown"),
        ("copy-token", "Secret/s /metadata/annotations/stolen: the plugin writes a value"),
        ("kind-token", "the plugin writes a value of a Secret that it was shown"),
        ("refuse-token", "this held a value of a Secret that was revealed"),
    ] {
        let run = refused(deed, GUEST, &format!("{{do: {deed}, pointer: /stringData/a}}"), REVEALED);
        assert!(run.stderr.contains(told), "{deed}: {}", run.stderr);
    }
    // What may be told, and what may be changed, is sealed again.
    for deed in ["tell-token", "change-token"] {
        let place = place(GUEST, &format!("{{do: {deed}, pointer: /stringData/a}}"), REVEALED);
        place.ok(&["lock"]);
        let run =
            place.run(&["render", "--env", "prod", "--report", "r.json", "--transcript", "t.json", "-v=3"]);
        assert_eq!(run.code, 0, "{deed}: {}", run.stderr);
        let files = ["r.json", "t.json"].map(|name| fs::read_to_string(place.path(name)).unwrap());
        let explained = place.ok(&["explain", "Secret/s", "--env", "prod"]);
        for text in [&run.stderr, &files[0], &files[1], &explained] {
            assert!(!text.contains(&value()), "{deed}: {text}");
        }
        let changed = format!("a: {}-changed\n", value());
        assert_eq!(run.stdout.contains(&changed), deed == "change-token", "{deed}");
        place.ok(&["replay", "t.json"]);
    }
}
