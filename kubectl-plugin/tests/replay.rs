//! A render's transcript, and the same render again.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod support;

use std::fs;

use support::{Place, copy_example};

fn recorded() -> (Place, String) {
    let place = Place::new();
    fs::write(place.path("guest.wasm"), lathe_test_guests::GUEST).unwrap();
    place.write("lathe.yaml", "apiVersion: lathe.dev/v1alpha1\nkind: Pipeline\nmetadata: {name: x}\ninputs: [in.yaml]\nenvironments: {prod: {namespace: x}}\ntransforms:\n- plugin: path:guest.wasm\n  writes: ['* /metadata/annotations/**']\n  config: {do: set-every}\n");
    place.write("in.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
    place.ok(&["lock"]);
    let text = place.ok(&["render", "--env", "prod", "--transcript", "t.json"]);
    (place, text)
}

#[test]
fn a_replay_gives_the_same_bytes_or_tells_what_differs() {
    let (place, text) = recorded();
    assert_eq!(place.ok(&["replay", "t.json"]), text);
    let transcript = fs::read_to_string(place.path("t.json")).unwrap();
    for field in ["lock", "input", "request", "outcome", "sealed", "rendered"] {
        let at = transcript.find(&format!("\"{field}\": \"sha256:")).unwrap() + field.len() + 12;
        let mut changed = transcript.clone();
        let digit = if &changed[at..=at] == "0" { "1" } else { "0" };
        changed.replace_range(at..=at, digit);
        place.write("changed.json", &changed);
        let run = place.run(&["replay", "changed.json"]);
        assert!(
            run.code == 3 && run.stdout.is_empty() && run.stderr.contains(" was sha256:"),
            "{field}: {}",
            run.stderr
        );
    }
    place.write("changed.json", &transcript.replace("\"fuel\": ", "\"fuel\": 1"));
    let run = place.run(&["replay", "changed.json"]);
    assert!(
        run.code == 3 && run.stderr.contains("transforms[0] (path:guest.wasm): the fuel was "),
        "{}",
        run.stderr
    );
    place.write("in.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n");
    let run = place.run(&["replay", "t.json"]);
    assert!(run.code == 3 && run.stderr.contains("the input was sha256:"), "{}", run.stderr);
    place.write("t.json", "{}");
    assert_eq!(place.run(&["replay", "t.json"]).code, 3);
    assert_eq!(place.run(&["replay", "nowhere.json"]).code, 2);
}

#[test]
fn another_version_is_compared_and_changes_nothing() {
    let (place, _) = recorded();
    let mut other = lathe_test_guests::GUEST.to_vec();
    // The same length, another word in its answer.
    let at = other.windows(29).position(|window| window == b"/metadata/annotations/touched").unwrap();
    other[at + 22..at + 29].copy_from_slice(b"changed");
    fs::write(place.path("other.wasm"), other).unwrap();
    let lock = fs::read_to_string(place.path("lathe.lock")).unwrap();
    let run = place.run(&["replay", "t.json", "--plugin", "other.wasm"]);
    assert!(
        run.code == 0
            && run.stdout.contains("-    touched: \"yes\"\n")
            && run.stdout.contains("+    changed: \"yes\"\n"),
        "{}{}",
        run.stdout,
        run.stderr
    );
    assert!(run.stderr.contains("path:guest.wasm: digest was sha256:"), "{}", run.stderr);
    assert_eq!(fs::read_to_string(place.path("lathe.lock")).unwrap(), lock);
    let run = place.run(&["replay", "t.json", "--plugin", "path:other=other.wasm"]);
    assert!(
        run.code == 2 && run.stderr.contains("the pipeline has no plugin `path:other`"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_transcript_holds_no_value_and_no_digest_of_one() {
    let place = Place::new();
    copy_example("portal", &place);
    let transcript = |password: &str| {
        let input = format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: s, namespace: portal}}\nstringData: {{a: {password}}}\n"
        );
        place.write("in.yaml", &input);
        place.ok(&[
            "render",
            "-p",
            "portal",
            "--env",
            "prod",
            "-f",
            "portal/manifests,in.yaml",
            "--transcript",
            "t.json",
        ]);
        fs::read_to_string(place.path("t.json")).unwrap()
    };
    let first = transcript("one");
    assert!(first.contains("\"function\": \"secrets.open\""), "{first}");
    assert!(!first.contains("\"rendered\""), "{first}");
    // Whatever the value is, the transcript is the same.
    assert_eq!(transcript("another"), first);
}
