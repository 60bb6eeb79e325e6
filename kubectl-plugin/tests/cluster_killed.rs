//! Killed at any moment, the next run finishes the job, and nothing outside the set is touched.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]
#![allow(clippy::disallowed_methods, reason = "the environment says how long to go on")]

mod support;

use std::process::Stdio;
use std::time::Duration;

use support::cluster::Cluster;
use support::killer::{Moment, Victim, end_turn};
use support::proxy::Proxy;
use support::set::{Set, map};

/// A moment of a run, by name.
type Point = (&'static str, Moment);

const fn point(
    name: &'static str,
    method: &'static str,
    path: &'static str,
    nth: usize,
    after: bool,
) -> Point {
    (name, Moment { method, path, nth, after })
}

const OF_APPLY: &[Point] = &[
    point("turn taken", "PUT", "/leases/", 1, true),
    point("superset to be written", "PATCH", "/secrets/lathe-set-", 1, false),
    point("superset written", "PATCH", "/secrets/lathe-set-", 1, true),
    point("first object to be written", "PATCH", "/configmaps/", 1, false),
    point("first object written", "PATCH", "/configmaps/", 1, true),
    point("third object written", "PATCH", "/configmaps/", 3, true),
    point("hook created", "PATCH", "/configmaps/hook", 1, true),
    point("first deletion to come", "DELETE", "/configmaps/gone", 1, false),
    point("first deletion done", "DELETE", "/configmaps/gone", 1, true),
    point("second deletion done", "DELETE", "/configmaps/gone", 2, true),
    point("shrinking to come", "PATCH", "/secrets/lathe-set-", 2, false),
    point("shrunk", "PATCH", "/secrets/lathe-set-", 2, true),
    point("turn to be given back", "PATCH", "/leases/", 1, false),
];

const OF_DOWN: &[Point] = &[
    point("turn taken", "PUT", "/leases/", 1, true),
    point("first deletion to come", "DELETE", "/configmaps/", 1, false),
    point("third deletion done", "DELETE", "/configmaps/", 3, true),
    point("namespace to be deleted", "DELETE", "/namespaces/", 21, false),
    point("parent to be deleted", "DELETE", "/secrets/lathe-set-", 1, false),
    point("parent deleted", "DELETE", "/secrets/lathe-set-", 1, true),
    point("lease to be deleted", "DELETE", "/leases/", 1, false),
];

/// Runs until it is killed at the point, and lets the next one begin.
fn kill(set: &Set<'_>, (name, moment): Point, arguments: &[&str]) {
    let victim = Victim::default();
    let proxy = Proxy::judged(set.cluster, victim.judge(moment));
    let server = ["--kubeconfig", &set.cluster.kubeconfig, "--server", &proxy.address];
    victim.run(set.cluster.place.command(&[arguments, &server[..]].concat()), name);
    end_turn(set.cluster, &set.ops);
}

const KEPT: [&str; 16] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "o", "p", "q"];

fn first() -> String {
    let all = KEPT.iter().chain(&["gone-1", "gone-2", "gone-3"]);
    all.map(|name| map(name)).collect()
}

fn second() -> String {
    let hook = map("hook")
        .replace("{name: hook}", "{name: hook, annotations: {helm.sh/hook: 'post-install,post-upgrade'}}");
    let changed = KEPT.iter().map(|name| map(name).replace("one", "two")).collect::<String>();
    format!("{changed}{}{hook}", map("new"))
}

/// What the namespace holds, by name and value.
fn state(set: &Set<'_>) -> String {
    let format = "jsonpath={range .items[*]}{.metadata.name}={.data.x} {end}";
    set.get(&["configmaps", "-o", format]).replace("kube-root-ca.crt=", "")
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn an_apply_that_is_killed_is_finished_by_the_next() {
    let cluster = Cluster::new();
    let set = Set::new(&cluster, "killed");
    let other = Set::new(&cluster, "killed-other");
    other.maps(&["a"]).applied(&[]);
    let before = other.get(&["configmaps", "a", "-o", "jsonpath={.metadata.resourceVersion}"]);
    let mut want = None;
    for point in OF_APPLY {
        set.write(&first());
        let run = set.apply(&[]);
        assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
        cluster.ok(&["create", "configmap", "foreign", "-n", &set.name]);
        set.write(&second());
        kill(&set, *point, &["apply", "-p", &set.name, "--env", "prod"]);
        set.applied(&[]);
        let now = state(&set);
        assert_eq!(*want.get_or_insert_with(|| now.clone()), now, "{}", point.0);
        assert!(now.contains("foreign=") && now.contains("new=one") && !now.contains("gone"), "{now}");
        let again = set.applied(&["--no-hooks"]);
        let idle = |line: &str| line.ends_with(" unchanged") || line.contains(" left out: it is a hook");
        assert!(again.lines().all(idle), "{}: {again}", point.0);
        cluster.ok(&["delete", "configmap", "foreign", "new", "-n", &set.name]);
    }
    let after = other.get(&["configmaps", "a", "-o", "jsonpath={.metadata.resourceVersion}"]);
    assert_eq!(before, after, "another set was touched");
}

#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn a_down_that_is_killed_is_finished_by_the_next() {
    let cluster = Cluster::new();
    let set = Set::new(&cluster, "downed");
    set.write(&first()).applied(&[]);
    let before = state(&set);
    for point in OF_DOWN {
        let run = cluster.apply(&["-p", &set.name, "--review", "1"]);
        assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
        let fixed = ["--project", &set.name, "--ops-namespace", &set.ops, "--review", "1"];
        kill(&set, *point, &[&["down"], &fixed[..]].concat());
        let run = set.run(&["down"], &["--review", "1", "--env", "review"]);
        assert_eq!(run.code, 0, "{}: {}{}", point.0, run.stdout, run.stderr);
        let left = cluster.ok(&[
            "get",
            "namespaces",
            "-l",
            &format!("lathe.dev/project={}", set.name),
            "-o",
            "name",
        ]);
        assert_eq!(left, "", "{}", point.0);
        let records =
            cluster.ok(&["get", "secrets,leases", "-n", &set.ops, "-l", "lathe.dev/review=1", "-o", "name"]);
        assert_eq!(records, "", "{}", point.0);
    }
    assert_eq!(state(&set), before, "production was touched");
}

/// Kills at a time that nobody chose; `LATHE_SOAK` says how often, `LATHE_SEED` which times.
#[test]
#[ignore = "needs a cluster: cargo xtask test"]
fn killed_at_random_the_end_is_the_same() {
    let number = |name: &str, default: u64| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (rounds, mut seed) = (number("LATHE_SOAK", 3), number("LATHE_SEED", 1));
    let cluster = Cluster::new();
    let set = Set::new(&cluster, "soak");
    let names: Vec<String> = (0..200).map(|number| format!("m{number:03}")).collect();
    let text = |value: &str, leave: usize| {
        names[leave..].iter().map(|name| map(name).replace("one", value)).collect::<String>()
    };
    set.write(&text("start", 0)).applied(&[]);
    let foreign = cluster.namespace("soak-foreign");
    cluster.ok(&["create", "configmap", "m000", "-n", &foreign]);
    for round in 0..rounds {
        // xorshift64
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let leave = usize::try_from(round % 2).unwrap() * 8;
        set.write(&text(&format!("v{round}"), leave));
        let arguments = ["apply", "--kubeconfig", &cluster.kubeconfig, "-p", &set.name, "--env", "prod"];
        let mut command = cluster.place.command(&arguments);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(seed % 2500));
        let _ = child.kill();
        child.wait().unwrap();
        end_turn(&cluster, &set.ops);
        set.applied(&[]);
        let now = state(&set);
        let want: String = names[leave..].iter().map(|name| format!("{name}=v{round} ")).collect();
        assert_eq!(now.trim(), want.trim(), "round {round}, seed {seed}");
        let again = set.applied(&[]);
        assert!(again.lines().all(|line| line.ends_with(" unchanged")), "round {round}: {again}");
    }
    assert!(cluster.exists(&["configmap", "m000", "-n", &foreign]));
}
