//! The command line: flags, exit codes, messages, and what happens when plugins misbehave.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may fail loudly"
)]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use support::{Place, copy_example, example};

fn pipeline(plugin: &str, config: &str) -> String {
    let writes = if plugin.starts_with("path:") {
        "  writes: ['* /**']\n  grants: [token-text, secret-metadata, add-objects, drop-objects]\n"
    } else {
        ""
    };
    format!(
        "apiVersion: lathe.dev/v1alpha1\nkind: Pipeline\nmetadata: {{name: x}}\ninputs: [in.yaml]\nenvironments: {{a: {{namespace: a}}}}\ntransforms:\n- plugin: {plugin}\n  config: {config}\n{writes}"
    )
}

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m, namespace: a}\n";

/// A folder with a pipeline that runs the misbehaving guest, locked.
fn guest(config: &str, limits: &str) -> Place {
    let place = Place::new();
    fs::write(place.path("guest.wasm"), lathe_test_guests::GUEST).unwrap();
    place.write("in.yaml", MAP);
    // Compiled under the default limits first, so that a test's own deadline is all the guest's.
    place.write("lathe.yaml", &pipeline("path:guest.wasm", config));
    place.ok(&["lock"]);
    place.write("lathe.yaml", &(pipeline("path:guest.wasm", config) + limits));
    place.ok(&["lock", "--accept"]);
    place
}

#[test]
fn an_unsafe_cache_is_not_used_and_rendering_goes_on() {
    let place = guest("{do: nothing}", "");
    let want = place.ok(&["render", "--env", "a"]);
    let cache = place.path(".cache/lathe/components");
    let kept: Vec<_> = fs::read_dir(&cache).unwrap().flatten().map(|entry| entry.path()).collect();
    assert_eq!(kept.len(), 2, "the code and what the plugin says of itself");
    for file in &kept {
        fs::write(file, b"forged").unwrap();
    }
    assert_eq!(place.ok(&["render", "--env", "a"]), want);
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o777)).unwrap();
    let run = place.run(&["render", "-v", "--env", "a"]);
    assert_eq!(run.stdout, want);
    assert!(run.stderr.contains("compiled code is not kept there: others than its owner"), "{}", run.stderr);
}

#[test]
fn misbehaving_plugins_end_the_run_by_name() {
    for (deed, told) in [
        ("spin", "did not finish within its deadline of 1500 ms"),
        ("grow", "asked for more than its 134217728 bytes of memory"),
        ("sleep", "asked to sleep longer than its deadline"),
        ("trap", "it said: the guest gives up"),
        ("unknown-object", "names object 4000000000"),
        ("refuse", "refuses: this input will not do"),
        ("error", "this is wrong"),
    ] {
        let limits = "  limits: {deadlineMs: 1500, memoryBytes: 134217728, fuel: 4611686018427387904}\n";
        let place = guest(&format!("{{do: {deed}}}"), limits);
        let started = Instant::now();
        let run = place.run(&["render", "--env", "a"]);
        assert_eq!((run.code, run.stdout.as_str()), (3, ""), "{deed}: {}", run.stderr);
        assert!(run.stderr.contains(told), "{deed}: {}", run.stderr);
        assert!(run.stderr.contains("path:guest.wasm"), "{deed}: {}", run.stderr);
        let by_host = matches!(deed, "spin" | "grow" | "sleep" | "trap");
        assert!(!by_host || run.stderr.contains("(sha256:"), "{deed}: {}", run.stderr);
        assert!(started.elapsed() < Duration::from_secs(3), "{deed}: {:?}", started.elapsed());
    }
}

#[test]
fn a_plugin_writes_only_where_it_may_and_asks_before_it_may_more() {
    let place = Place::new();
    fs::write(place.path("guest.wasm"), lathe_test_guests::GUEST).unwrap();
    place.write("in.yaml", MAP);
    let head = pipeline("builtin:secrets", "{}").split("- plugin").next().unwrap().to_owned();
    let write = |deed: &str, more: &str| {
        place.write("lathe.yaml", &format!("{head}- plugin: path:guest.wasm\n  config: {deed}\n{more}"));
    };
    let render = || place.run(&["render", "--env", "a"]);
    write("{do: set, value: x, pointer: /data/a}", "");
    place.ok(&["lock"]);
    let run = render();
    let hint = "ConfigMap/a/m /data/a: the plugin may not write here; `writes: [\"ConfigMap /data/a\"]` would allow it";
    assert!(run.code == 3 && run.stderr.contains(hint), "{}", run.stderr);

    // What the pipeline allows has to be in the lock as well, and gets there only if somebody says so.
    write("{do: set, value: x, pointer: /data/a}", "  writes: ['ConfigMap /data/*']\n");
    assert_eq!(render().code, 3);
    let run = place.run(&["lock"]);
    assert!(
        run.code == 3 && run.stderr.contains("the pipeline adds the write `ConfigMap /data/*`"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("--accept"), "{}", run.stderr);
    place.ok(&["lock", "--accept"]);
    let run = render();
    assert!(run.code == 0 && run.stdout.contains("data:\n  a: x\n"), "{}", run.stderr);

    for (deed, grant, told) in [
        ("{do: drop}", "drop-objects", "the transforms leave no object"),
        ("{do: add, value: {apiVersion: v1, kind: ConfigMap, metadata: {name: new}}}", "add-objects", ""),
    ] {
        write(deed, "  writes: ['* /**']\n");
        place.ok(&["lock", "--accept"]);
        let run = render();
        assert!(
            run.code == 3 && run.stderr.contains(&format!("takes `grants: [{grant}]`")),
            "{}",
            run.stderr
        );
        write(deed, &format!("  writes: ['* /**']\n  grants: [{grant}]\n"));
        place.ok(&["lock", "--accept"]);
        let run = render();
        assert!(
            run.stderr.contains(told) && run.code == if told.is_empty() { 0 } else { 3 },
            "{}",
            run.stderr
        );
    }
    // A list would smuggle in objects that nobody judged.
    let list = "{do: set, pointer: /items, value: [{apiVersion: v1, kind: Pod, metadata: {name: new}}]}";
    write(list, "  writes: ['* /**']\n  grants: [add-objects]\n");
    place.ok(&["lock", "--accept"]);
    let run = render();
    assert!(run.code == 3 && run.stderr.contains("makes a list of an object"), "{}", run.stderr);
    write("{do: nothing}", "");
    place.ok(&["lock"]);
    // Another name for it is another plugin, which has to be agreed to as well.
    place.write("lathe.yaml", &format!("{head}- plugin: path:./guest.wasm\n  writes: ['* /**']\n"));
    let run = place.run(&["lock"]);
    assert!(run.code == 3 && run.stderr.contains("path:./guest.wasm: not in the lock"), "{}", run.stderr);
    write("{do: nothing}", "  writes: ['ConfigMap data']\n");
    let run = render();
    assert!(run.code == 3 && run.stderr.contains("a JSON pointer is empty or starts with"), "{}", run.stderr);
}

#[test]
fn settings_are_held_against_the_plugins_schema() {
    let place = Place::new();
    place.write("in.yaml", MAP);
    for (plugin, config, told) in [
        ("builtin:aai-client", "{client: []}", "transforms[0].config: Additional properties are not allowed"),
        ("builtin:aai-client", "{clients: 1}", "transforms[0].config.clients: this is not of type \"array\""),
        ("builtin:secrets", "{x: 1}", "transforms[0].config: "),
    ] {
        place.write("lathe.yaml", &pipeline(plugin, config));
        place.ok(&["lock"]);
        for command in [&["render", "--env", "a"][..], &["check"]] {
            let run = place.run(command);
            assert!(run.code == 3 && run.stderr.contains(told), "{config}: {}", run.stderr);
        }
        fs::remove_file(place.path("lathe.lock")).unwrap();
    }
}

#[test]
fn a_policy_wins_over_pipeline_and_lock() {
    let place = guest("{do: nothing}", "");
    let policy = |text: &str| {
        place.write(
            "policy.yaml",
            &format!("apiVersion: lathe.dev/v1alpha1\nkind: Policy\nplugins: {text}\n"),
        );
        place.run(&["render", "--env", "a", "--policy", "policy.yaml"])
    };
    let digest = {
        let run = place.run(&["plugin", "inspect", "guest.wasm"]);
        run.stdout.lines().find_map(|line| line.strip_prefix("digest:")).unwrap().trim().to_owned()
    };
    for (text, told) in [
        ("{allow: ['builtin:*']}", "the policy does not allow this plugin"),
        ("{rights: [logging]}", "the policy does not allow the right `secrets`"),
        ("{grants: [images]}", "the policy does not allow the grant `secret-metadata`"),
        ("{limits: {fuel: 1000}}", "the policy allows `fuel` up to 1000, and it has 10000000000"),
    ] {
        let run = policy(text);
        assert!(
            run.code == 3 && run.stdout.is_empty() && run.stderr.contains(told),
            "{text}: {}",
            run.stderr
        );
        // A second policy takes nothing back.
        place.write("wide.yaml", "apiVersion: lathe.dev/v1alpha1\nkind: Policy\n");
        let both = place.command(&["render", "--env", "a", "--policy", "wide.yaml"]);
        let both = { both }.env("LATHE_POLICY", place.path("policy.yaml")).output().unwrap();
        assert_eq!(both.status.code(), Some(3), "{text}");
        assert_eq!(place.run(&["lock", "--accept", "--policy", "policy.yaml"]).code, 3);
    }
    let run = policy(&format!(
        "{{allow: ['{digest}'], rights: [secrets], grants: [secret-metadata, token-text, add-objects, drop-objects]}}"
    ));
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(policy("{allow: [guest]}").code, 3);
    assert_eq!(place.run(&["render", "--env", "a", "--policy", "nowhere.yaml"]).code, 2);
}

#[test]
fn fuel_is_the_default_end_of_a_loop() {
    let place = guest("{do: spin}", "  limits: {fuel: 100000000}\n");
    let run = place.run(&["render", "--env", "a"]);
    assert!(run.stderr.contains("used up its fuel of 100000000"), "{}", run.stderr);
}

#[test]
fn a_plugin_cannot_move_or_invent_secrets() {
    let secret =
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: a}\nstringData: {k: plain-value}\n";
    for (config, told) in [
        (
            "{do: copy-token, pointer: /stringData/k}",
            "/metadata/annotations/stolen: a secret token was moved here from Secret/a/s /stringData/k",
        ),
        ("{do: set, pointer: /stringData/k, value: x}", "/stringData/k: a plugin changed or lost the secret"),
        ("{do: set, pointer: /metadata/labels, value: {x: 'ref+env://HOME'}}", "a plugin wrote a reference"),
        (
            "{do: set, pointer: /kind, value: ConfigMap}",
            "/stringData/k: a secret token was moved here from Secret/a/s",
        ),
        (
            "{do: open, pointer: /stringData/k, value: 'ref+env://HOME'}",
            "asked for a reference that does not stand here",
        ),
    ] {
        let place = guest(config, "");
        place.write("in.yaml", secret);
        let run = place.run(&["render", "--env", "a"]);
        assert_eq!((run.code, run.stdout.as_str()), (3, ""), "{config}: {}", run.stderr);
        assert!(run.stderr.contains(told), "{config}: {}", run.stderr);
        assert!(!run.stderr.contains("plain-value"));
    }
}

#[test]
fn edits_are_bounded_as_calls_are() {
    let deep = "/a".repeat(40_000);
    for (config, told) in [
        (format!("{{do: set, pointer: {deep}, value: x}}"), "nests an object deeper than 512 levels"),
        ("{do: flood-edits}".to_owned(), "longer to apply than its deadline"),
    ] {
        let place = guest(&config, "  limits: {deadlineMs: 1500}\n");
        let started = Instant::now();
        let run = place.run(&["render", "--env", "a"]);
        assert_eq!((run.code, run.stdout.as_str()), (3, ""), "{}", run.stderr);
        assert!(run.stderr.contains(told), "{}", run.stderr);
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    }
}

#[test]
fn what_plugins_say_is_no_terminals_to_obey() {
    let place = guest("{do: shout}", "");
    let run = place.run(&["render", "--env", "a"]);
    assert_eq!(run.code, 3);
    assert!(run.stderr.contains("\\u{1b}[31mred") && !run.stderr.contains('\u{1b}'), "{}", run.stderr);
    assert!(run.stderr.len() < 10_000);
}

#[test]
fn the_lock_has_to_fit() {
    let place = Place::new();
    copy_example("portal", &place);
    let render = ["render", "-p", "portal", "--env", "prod"];
    fs::remove_file(place.path("portal/lathe.lock")).unwrap();
    let run = place.run(&render);
    assert_eq!(run.code, 3);
    assert!(
        run.stderr.contains("lathe.lock is missing")
            && run.stderr.contains("hint: `kubectl lathe lock -p portal`"),
        "{}",
        run.stderr
    );
    place.ok(&["lock", "-p", "portal"]);
    place.ok(&render);
    let lock = fs::read_to_string(place.path("portal/lathe.lock")).unwrap();
    let change = |from: &str, to: &str| {
        fs::write(place.path("portal/lathe.lock"), lock.replacen(from, to, 1)).unwrap();
    };
    for (from, to, told) in [
        ("    - secrets\n", "    - logging\n", "asks for the right secrets, which the lock does not grant"),
        ("digest: sha256:", "digest: sha256:00", "digest was sha256:00"),
        ("fuel: 10000000000", "fuel: 1", "limit was fuel: 1, is fuel: 10000000000"),
        ("output: 1", "output: 2", "output: the lock has 2, this Lathe writes 1"),
        (
            "  builtin:secrets:",
            "  builtin:other:",
            "builtin:other: in the lock, and not in the pipeline any more",
        ),
    ] {
        change(from, to);
        let run = place.run(&render);
        assert_eq!((run.code, run.stdout.as_str()), (3, ""), "{told}");
        assert!(run.stderr.contains(told), "{told}: {}", run.stderr);
        let run = place.run(&[&render[..], &["--update-lock"]].concat());
        assert_eq!(run.code, 3, "built-in plugins are not updated on the side: {}", run.stderr);
    }
}

#[test]
fn a_path_plugin_under_development_may_update_its_lock() {
    let place = guest("{do: nothing}", "");
    let lock = fs::read_to_string(place.path("lathe.lock")).unwrap();
    let digest = lock.lines().find(|line| line.contains("digest:")).unwrap();
    fs::write(place.path("lathe.lock"), lock.replace(digest, "    digest: sha256:0")).unwrap();
    assert_eq!(place.run(&["render", "--env", "a"]).code, 3);
    let mut in_ci = place.command(&["render", "--env", "a", "--update-lock"]);
    assert_eq!(support::finish(in_ci.env("CI", "true").output().unwrap()).code, 2);
    place.ok(&["render", "--env", "a", "--update-lock"]);
    assert_eq!(fs::read_to_string(place.path("lathe.lock")).unwrap(), lock);
    fs::write(place.path("lathe.lock"), lock.replace("    rights:\n    - secrets\n", "    rights: []\n"))
        .unwrap();
    let run = place.run(&["render", "--env", "a", "--update-lock"]);
    assert_eq!(run.code, 3, "what asks for more is never taken in on the side");
}

#[test]
fn the_committed_locks_are_current() {
    for name in ["portal", "hedgedoc", "jupyterhub"] {
        let run = Place::new().run(&["check", "-p", &example(name)]);
        assert_eq!(run.code, 0, "run `cargo xtask lock`: {}", run.stderr);
    }
}

#[test]
fn usage_errors_are_told_with_exit_code_2() {
    let place = Place::new();
    let portal = example("portal");
    let portal = portal.as_str();
    for (arguments, told) in [
        (&["render", "-p", portal][..], "the pipeline has prod, review"),
        (&["render", "-p", portal, "--env", "stage"], "there is no environment `stage`"),
        (&["render", "-p", portal, "--env", "review"], "`--review ID` says which"),
        (&["render"], "there is nothing to render"),
        (&["render", "--env", "prod", "-f", "x"], "need a pipeline"),
        (&["render", "-p", "nowhere", "--env", "prod"], "nowhere"),
        (&["explain", "Pod/none", "-p", portal, "--env", "prod"], "no object of the rendered set"),
        (&["explain", "Ingress/portal", "spec", "-p", portal, "--env", "prod"], "JSON pointer"),
        (&["polish"], "unrecognized subcommand"),
    ] {
        let run = place.run(arguments);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains(told), "{arguments:?}: {}", run.stderr);
    }
}

#[test]
fn kubectls_flags_are_taken_on_both_sides() {
    let place = Place::new();
    place.write("in.yaml", MAP);
    let want = place.ok(&["render", "-f", "in.yaml"]);
    assert_eq!(place.ok(&["--context", "c", "--as", "me", "render", "-f", "in.yaml"]), want);
    assert_eq!(
        place.ok(&["render", "-f", "in.yaml", "--kubeconfig", "k", "--request-timeout", "5s", "-v=6"]),
        want
    );
    let run = place.run(&["render", "-n", "x", "-f", "in.yaml"]);
    assert!(run.code == 0 && run.stderr.contains("`--namespace` has no effect"), "{}", run.stderr);
}

#[test]
fn standard_input_and_a_closed_pipe_are_fine() {
    use std::io::Write as _;
    use std::process::Stdio;
    let place = Place::new();
    let mut command = place.command(&["render", "-f", "-", "-o", "json"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(MAP.as_bytes()).unwrap();
    let run = support::finish(child.wait_with_output().unwrap());
    assert_eq!(
        run.stdout,
        "{\"apiVersion\":\"v1\",\"items\":[{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"m\",\"namespace\":\"a\"}}],\"kind\":\"List\"}\n"
    );
    let large: String =
        (0..20_000).map(|n| format!("{}---\n", MAP.replace("name: m", &format!("name: m{n}")))).collect();
    place.write("large.yaml", &large);
    let mut child = place
        .command(&["render", "-f", "large.yaml"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn a_report_goes_where_it_is_asked_for_and_nowhere_else() {
    let place = Place::new();
    copy_example("portal", &place);
    place.write("real.json", "old");
    std::os::unix::fs::symlink(place.path("real.json"), place.path("link.json")).unwrap();
    let render = ["render", "-p", "portal", "--env", "prod", "--report"];
    place.ok(&[&render[..], &["link.json"]].concat());
    assert!(place.path("link.json").is_symlink());
    assert!(fs::read_to_string(place.path("real.json")).unwrap().contains("\"kind\": \"Report\""));
    place.ok(&[&render[..], &["/dev/stderr"]].concat());
    assert!(
        !fs::metadata("/dev/stderr").unwrap().is_file()
            || fs::symlink_metadata("/dev/stderr").unwrap().is_symlink()
    );
    let before = fs::read_to_string(place.path("portal/lathe.lock")).unwrap();
    assert_eq!(place.run(&[&render[..], &["portal/lathe.lock"]].concat()).code, 2);
    assert_eq!(fs::read_to_string(place.path("portal/lathe.lock")).unwrap(), before);
}

#[test]
fn inside_the_pipelines_folder_everything_works_the_same() {
    let place = Place::new();
    copy_example("portal", &place);
    let outside = place.ok(&["render", "-p", "portal", "--env", "prod", "--show-secrets"]);
    let mut inside = place.command(&["render", "--env", "prod", "--show-secrets"]);
    let run = support::finish(inside.current_dir(place.path("portal")).output().unwrap());
    assert_eq!((run.code, run.stdout), (0, outside), "{}", run.stderr);
}

#[test]
fn an_empty_input_is_refused_in_a_pipeline_and_told_without_one() {
    let place = Place::new();
    copy_example("portal", &place);
    place.write("empty.yaml", "# nothing\n");
    let run = place.run(&["render", "-p", "portal", "--env", "prod", "-f", "empty.yaml"]);
    assert!(run.code == 3 && run.stderr.contains("the inputs hold no object"), "{}", run.stderr);
    let run = place.run(&["render", "-f", "empty.yaml"]);
    assert!(run.code == 0 && run.stderr.contains("warning: the input holds no object"), "{}", run.stderr);
}

#[test]
fn a_long_map_with_a_merge_takes_no_quadratic_time() {
    let place = Place::new();
    let mut text = format!("{MAP}data:\n  <<: {{z: '1'}}\n");
    (0..100_000).rev().for_each(|n| text.push_str(&format!("  k{n}: '1'\n")));
    place.write("large.yaml", &text);
    let started = Instant::now();
    place.ok(&["render", "-f", "large.yaml", "--lenient-duplicates"]);
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
}

#[test]
fn values_are_never_mistaken_for_references() {
    let place = Place::new();
    copy_example("portal", &place);
    let file = place.path("portal/lathe.yaml");
    let text = fs::read_to_string(&file).unwrap().replace(
        "  - plugin: builtin:secrets\n",
        "  - plugin: builtin:secrets\n    environments: [review]\n",
    );
    fs::write(&file, text).unwrap();
    let run = place.run(&["render", "-p", "portal", "--env", "prod", "--show-secrets"]);
    assert!(
        run.code == 3 && run.stderr.contains("a reference stands here that was not resolved"),
        "{}",
        run.stderr
    );
}

#[test]
fn plugins_can_be_looked_at() {
    let place = Place::new();
    let text = place.ok(&["plugin", "inspect", "builtin:secrets"]);
    assert!(text.contains("rights:  secrets") && text.contains("lathe:transform/secrets@0.1.0"), "{text}");
    let json = place.ok(&["plugin", "inspect", "builtin:review-hosts", "-o", "json"]);
    let value = lathe_manifest::json::parse(&json).unwrap();
    assert_eq!(value.get("rights").unwrap().as_array(), Some(&[][..]));
    fs::write(place.path("module.wasm"), b"\0asm\x01\0\0\0").unwrap();
    let run = place.run(&["plugin", "inspect", "module.wasm"]);
    assert!(
        run.code == 3 && run.stderr.contains("it is a core module that exports no `_start` and `memory`"),
        "{}",
        run.stderr
    );
    assert!(place.ok(&["version"]).starts_with("kubectl-lathe 0.1.0\nbuiltin:aai-client 0.1.0 sha256:"));
    assert!(place.ok(&["completion", "bash"]).contains("kubectl-lathe"));
}
