//! Review environments by the command line: names, leases, proposals, what one review shares with another, what is revealed.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test may fail loudly")]

mod support;

use std::collections::BTreeSet;
use std::fs;

use lathe_manifest::{Object, ReadOptions, Reader, Value};
use serde_json::json;
use support::{Place, copy_example, example, finish};

const HEAD: &str = "apiVersion: lathe.dev/v1alpha1\nkind: Pipeline\nmetadata: {name: shop}\ninputs: [in.yaml]\nenvironments:\n  prod: {namespace: shop}\n  review: {review: true, namespace: 'shop-{slug}'}\ntransforms:\n- plugin: builtin:review-hosts\n  environments: [review]\n";

const INPUT: &str = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: shop, namespace: shop}\nspec: {rules: [{host: shop.example.org}]}\n";

const CONFIG: &str =
    "  config: {reviewDomain: rv.example.net, hosts: {shop.example.org: shop}, zones: [example.org]}\n";

/// A place with a locked pipeline; `more` follows the head.
fn place(more: &str, input: &str) -> Place {
    place_with(HEAD, more, input)
}

fn place_with(head: &str, more: &str, input: &str) -> Place {
    let place = Place::new();
    place.write("lathe.yaml", &format!("{head}{more}"));
    place.write("in.yaml", input);
    place.ok(&["lock", "--accept"]);
    place
}

fn objects(text: &str) -> Vec<Object> {
    let documents: Vec<Value> = Reader::documents(ReadOptions::default(), "output", text.as_bytes()).unwrap();
    documents.into_iter().map(|document| Object::added(document).unwrap()).collect()
}

#[test]
fn a_review_is_shown_with_its_names() {
    let portal = example("portal");
    let place = Place::new();
    let text = place.ok(&["review", "show", "-p", &portal, "--review", "42"]);
    for line in [
        "review     42 of portal (review)\n",
        "slug       review-42-6nfgbktw\n",
        "namespace  portal-review-42-6nfgbktw\n",
        "host       portal-review-42-6nfgbktw.review.example.net for portal.example.org\n",
        "redirect   https://portal-review-42-6nfgbktw.review.example.net/login/oauth2/code/aai (portal)\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
    let text = place.ok(&["review", "show", "-p", &portal, "--review", "42", "-o", "json"]);
    let shown: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(shown["kind"], "Review");
    assert_eq!(shown["hosts"][1]["key"], "portal");
    assert_eq!(
        shown["redirectUris"]["portal"][0],
        "https://portal-review-42-6nfgbktw.review.example.net/login/oauth2/code/aai"
    );
    let run = place.run(&["review", "show", "-p", &portal, "--env", "prod"]);
    assert!(run.code == 2 && run.stderr.contains("is no review"), "{}", run.stderr);
}

#[test]
fn of_several_hosts_one_has_the_front_page() {
    let two = CONFIG.replace("hosts: {", "hosts: {www.example.org: www, ");
    let unnamed = place(&two, INPUT);
    let show = ["review", "show", "--review", "42", "--dotenv", "review.env"];
    let run = unnamed.run(&show);
    assert!(run.code == 2 && run.stderr.contains("hint: `url: KEY`"), "{}", run.stderr);
    let named = place(&two.replace("zones:", "url: www, zones:"), INPUT);
    named.ok(&show);
    let text = fs::read_to_string(named.path("review.env")).unwrap();
    assert!(text.starts_with("REVIEW_URL=https://www-review-42-"), "{text}");
    assert!(text.contains("\nREVIEW_HOST_SHOP=shop-review-42-"), "{text}");
}

#[test]
fn gitlab_names_the_review_and_reads_its_address() {
    let place = place(CONFIG, INPUT);
    let want = place.ok(&["render", "--review", "42"]);
    let from = |variables: &[(&str, &str)]| {
        let mut command = place.command(&["render", "--from", "gitlab"]);
        finish(command.envs(variables.iter().copied()).output().unwrap())
    };
    // Nothing else of a CI reaches the output.
    let noise = [
        ("CI_COMMIT_REF_SLUG", "x"),
        ("CI_PROJECT_ID", "7"),
        ("GITLAB_CI", "true"),
        ("CI_ENVIRONMENT_SLUG", "y"),
    ];
    let run = from(&[&[("CI_MERGE_REQUEST_IID", "42")], &noise[..]].concat());
    assert_eq!((run.code, run.stdout), (0, want), "{}", run.stderr);
    for variables in [&[][..], &[("CI_MERGE_REQUEST_IID", "")]] {
        let run = from(variables);
        assert!(
            run.code == 2 && run.stderr.contains("CI_MERGE_REQUEST_IID, which is not set"),
            "{}",
            run.stderr
        );
    }
    let run = place.run(&["render", "--from", "gitlab", "--review", "1"]);
    assert_eq!(run.code, 2);
    place.ok(&["review", "show", "--review", "42", "--dotenv", "review.env"]);
    let text = fs::read_to_string(place.path("review.env")).unwrap();
    // base32(sha256("v1\0shop\0review\042")), worked out by another program.
    let slug = "review-42-ruhc3sc4";
    let want = format!(
        "REVIEW_URL=https://shop-{slug}.rv.example.net\nREVIEW_SLUG={slug}\nREVIEW_NAMESPACE=shop-{slug}\nREVIEW_HOST_SHOP=shop-{slug}.rv.example.net\n"
    );
    assert_eq!(text, want);
}

/// What tells one environment's objects from another's: identities, namespaces, cluster-scoped names, hosts.
fn names(place: &Place, review: &str) -> BTreeSet<String> {
    let text = place.ok(&["render", "--review", review]);
    let mut names = BTreeSet::new();
    for object in objects(&text) {
        names.insert(object.label());
        names.insert(object.namespace().to_owned());
        let mut hosts = Vec::new();
        lathe_manifest::pointer::each_string(&object.value, &mut |_, text| {
            hosts.extend(
                text.split(['/', ',', ' '])
                    .filter(|word| word.ends_with(".rv.example.net"))
                    .map(ToOwned::to_owned),
            );
        });
        names.extend(hosts);
    }
    names.remove("");
    names
}

#[test]
fn reviews_share_nothing() {
    let input = format!(
        "{INPUT}---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {{name: reader}}\nrules: []\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {{name: reader}}\nroleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}}\nsubjects: [{{kind: ServiceAccount, name: shop, namespace: shop}}]\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c, namespace: shop}}\ndata: {{url: 'https://shop.example.org/'}}\n"
    );
    let config = CONFIG
        .replace("zones:", "quota: {pods: 9}, networkPolicy: {}, clusterRoleBindings: [reader], zones:");
    let one = place(&config, &input);
    let other = Place::new();
    other.write("lathe.yaml", &format!("{HEAD}{config}").replace("{name: shop}", "{name: other}"));
    other.write("in.yaml", &input);
    other.ok(&["lock"]);
    let (a, b, c) = (names(&one, "42"), names(&one, "43"), names(&other, "42"));
    assert!(a.len() >= 9 && a.iter().any(|name| name.starts_with("ClusterRole/reader-")), "{a:?}");
    for (left, right) in [(&a, &b), (&a, &c), (&b, &c)] {
        let shared: Vec<_> = left.intersection(right).collect();
        assert!(shared.is_empty(), "{shared:?}");
    }
    assert_eq!(names(&one, "42"), a);
}

#[test]
fn a_rendered_review_renders_to_itself() {
    let place = Place::new();
    copy_example("portal", &place);
    let render = ["render", "-p", "portal", "--review", "42"];
    let once = place.ok(&render);
    place.write("once.yaml", &once);
    let twice = place.ok(&[&render[..], &["-f", "once.yaml"]].concat());
    assert!(twice == once);
}

#[test]
fn a_pool_lends_its_slots() {
    let pool = HEAD.replace("'shop-{slug}'}", "'shop-{slug}', pool: [rv-1, rv-2]}");
    let place = Place::new();
    place.write("lathe.yaml", &format!("{pool}{CONFIG}"));
    place.write("in.yaml", INPUT);
    place.ok(&["lock"]);
    let run = place.run(&["render", "--review", "7"]);
    assert_eq!((run.code, run.stdout.as_str()), (3, ""));
    assert!(run.stderr.contains("holds no slot of it\nhint: `review lease"), "{}", run.stderr);
    let lease = |review: &str| place.run(&["review", "lease", "--review", review, "--state", "leases.json"]);
    assert_eq!(lease("7").stdout, "rv-1\n");
    assert_eq!(lease("7").stdout, "rv-1\n");
    assert_eq!(lease("8").stdout, "rv-2\n");
    let full = lease("9");
    assert!(full.code == 3 && full.stderr.contains("all 2 slots"), "{}", full.stderr);
    let text = place.ok(&["render", "--review", "8", "--state", "leases.json"]);
    assert!(text.contains("host: shop-rv-2.rv.example.net"), "{text}");
    assert!(text.contains("namespace: shop-review-8-"), "{text}");
    // A lease of one is a file for `--state`, too, and it is no lease of another.
    let json = place.ok(&["review", "lease", "--review", "8", "--state", "leases.json", "-o", "json"]);
    place.write("lease.json", &json);
    assert_eq!(place.ok(&["render", "--review", "8", "--state", "lease.json"]), text);
    assert_eq!(place.run(&["render", "--review", "7", "--state", "lease.json"]).code, 3);
    assert_eq!(place.ok(&["review", "release", "--review", "7", "--state", "leases.json"]), "rv-1\n");
    let again = place.run(&["review", "release", "--review", "7", "--state", "leases.json"]);
    assert_eq!((again.code, again.stdout.as_str()), (0, ""));
    assert_eq!(lease("9").stdout, "rv-1\n");
    // Without a lease, `check` takes any slot.
    assert_eq!(place.run(&["check"]).code, 0);
    // A transcript knows the slot.
    place.ok(&["render", "--review", "8", "--state", "leases.json", "--transcript", "run.json"]);
    assert_eq!(place.ok(&["replay", "run.json"]), text);
}

#[test]
fn slots_that_would_share_a_host_are_refused() {
    let two = HEAD.replace("'shop-{slug}'}", "'shop-{slug}', pool: [a, admin-a]}");
    let place = Place::new();
    let keys = CONFIG.replace("hosts: {", "hosts: {admin.example.org: shop-admin, ");
    place.write("lathe.yaml", &format!("{two}{keys}"));
    place.write("in.yaml", INPUT);
    place.ok(&["lock"]);
    let run = place.run(&["check"]);
    assert!(
        run.code == 3 && run.stderr.contains("the same host `shop-admin-a.rv.example.net`"),
        "{}",
        run.stderr
    );
    let demo = two
        .replace("transforms:", "  demo: {review: true, namespace: 'demo-{slug}', pool: [a]}\ntransforms:");
    place.write("lathe.yaml", &format!("{demo}{CONFIG}"));
    let run = place.run(&["check"]);
    assert!(run.code == 3 && run.stderr.contains("`a` is a slot of `demo` as well"), "{}", run.stderr);
}

#[test]
fn leases_behind_a_link_are_the_same() {
    let pool = HEAD.replace("'shop-{slug}'}", "'shop-{slug}', pool: [a, b]}");
    let place = Place::new();
    place.write("lathe.yaml", &format!("{pool}{CONFIG}"));
    place.write("real.json", "");
    std::os::unix::fs::symlink(place.path("real.json"), place.path("link.json")).unwrap();
    let lease =
        |review: &str, file: &str| place.ok(&["review", "lease", "--review", review, "--state", file]);
    assert_eq!((lease("1", "link.json"), lease("2", "real.json")), ("a\n".to_owned(), "b\n".to_owned()));
    let folder = place.run(&["review", "lease", "--review", "3", "--state", "."]);
    assert!(folder.code == 2 && folder.stderr.contains("is no plain file"), "{}", folder.stderr);
    place.ok(&["review", "release", "--review", "1", "--state", "typo.json"]);
    assert!(!place.path("typo.json").exists());
}

#[test]
fn leases_taken_at_once_are_of_different_slots() {
    let slots: Vec<String> = (0..12).map(|slot| format!("rv-{slot}")).collect();
    let pool = HEAD.replace("'shop-{slug}'}", &format!("'shop-{{slug}}', pool: [{}]}}", slots.join(", ")));
    let place = Place::new();
    place.write("lathe.yaml", &format!("{pool}{CONFIG}"));
    let taken: BTreeSet<String> = std::thread::scope(|scope| {
        let lease = |review: usize| {
            let review = review.to_string();
            place.ok(&["review", "lease", "--review", &review, "--state", "leases.json"])
        };
        let threads: Vec<_> = (0..12).map(|review| scope.spawn(move || lease(review))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(taken.len(), 12);
}

#[test]
fn a_secret_is_rewritten_only_where_it_is_revealed() {
    let secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: shop}\nstringData:\n  uri: mongodb://app:canary@db.shop.svc/x?u=https://shop.example.org\n  mixed: mongodb://app:ref+vault://kv/shop#pw+@db.shop.svc/x\ndata: {b: aHR0cHM6Ly9zaG9wLmV4YW1wbGUub3Jn}\n";
    let input = format!("{INPUT}{secret}");
    let vault = "secrets: {providers: {vault: {type: file, path: x.yaml}}}\n";
    let mapped = "'shop-{slug}', secrets: [{prefix: kv/shop, to: kv/review}]}";
    let head = HEAD.replace("'shop-{slug}'}", mapped);
    let head = head.replace("transforms:\n", "transforms:\n- plugin: builtin:secrets\n");
    let sealed = place_with(&head, &format!("{CONFIG}{vault}"), &input);
    let run = sealed.run(&["render", "--review", "1"]);
    assert_eq!(run.code, 3);
    for place in ["/data/b", "/stringData/mixed", "/stringData/uri"] {
        assert!(run.stderr.contains(place), "{}", run.stderr);
    }
    assert!(!run.stderr.contains("canary"));
    let open = place_with(
        &head,
        &format!("{}{vault}", CONFIG.replace("  config:", "  reveal: [shop/s]\n  config:")),
        &input,
    );
    assert!(fs::read_to_string(open.path("lathe.lock")).unwrap().contains("reveal:\n    - shop/s\n"));
    let run = open.run(&["render", "--review", "1", "--report", "r.json", "--transcript", "t.json"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let rendered = objects(&run.stdout);
    let secret = rendered.iter().find(|object| object.kind() == "Secret").unwrap();
    let namespace = secret.namespace();
    let text = |at: [&str; 2]| secret.value.str_at(&at).unwrap().to_owned();
    let host = format!("shop-{}.rv.example.net", &namespace["shop-".len()..]);
    assert_eq!(
        text(["stringData", "uri"]),
        format!("mongodb://app:canary@db.{namespace}.svc/x?u=https://{host}")
    );
    assert_eq!(
        text(["stringData", "mixed"]),
        format!("mongodb://app:ref+vault://kv/review#/pw+@db.{namespace}.svc/x")
    );
    let explained = open.ok(&["explain", "Secret/s", "--review", "1"]);
    for name in ["r.json", "t.json"] {
        assert!(!fs::read_to_string(open.path(name)).unwrap().contains("canary"), "{name}");
    }
    assert!(!explained.contains("canary") && explained.contains("(secret)"), "{explained}");
    assert_eq!(open.run(&["check", "--env", "review"]).code, 0);
    open.ok(&["replay", "t.json"]);
    // A Secret that the lock does not let it see into.
    let pipeline = fs::read_to_string(open.path("lathe.yaml")).unwrap();
    open.write("lathe.yaml", &pipeline.replace("[shop/s]", "[shop/s, shop/t]"));
    let run = open.run(&["render", "--review", "1"]);
    assert!(run.code == 3 && run.stderr.contains("the pipeline adds the reveal `shop/t`"), "{}", run.stderr);
    open.write("lathe.yaml", &pipeline);
    open.write("policy.yaml", "apiVersion: lathe.dev/v1alpha1\nkind: Policy\nplugins: {reveal: []}\n");
    let run = open.run(&["render", "--review", "1", "--policy", "policy.yaml"]);
    assert!(
        run.code == 3 && run.stderr.contains("does not let it see into the Secret `shop/s`"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_pipeline_is_proposed_that_renders() {
    let place = Place::new();
    copy_example("hedgedoc", &place);
    let run =
        place.run(&["review", "discover", "-f", "hedgedoc/manifests", "--review-domain", "rv.example.net"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    for line in
        ["      notes.example.org: \"notes\"\n", "    zones: [example.org]\n", "    - aai.example.org # "]
    {
        assert!(run.stdout.contains(line), "{}", run.stdout);
    }
    // Reasons are for people to give.
    let reasons = run.stdout.replace("reason: \"\"", "reason: looked at");
    place.write("lathe.yaml", &reasons);
    place.ok(&["lock", "--accept"]);
    // Another review than the one of the trial runs.
    let rendered = place.run(&["render", "--review", "42"]);
    assert_eq!(rendered.code, 0, "{}\n{}", run.stdout, rendered.stderr);
}

#[test]
fn what_a_proposal_acknowledges_holds_for_every_review() {
    let place = Place::new();
    let map = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: shop, annotations: {\"k\\u0085drop: b\": x.example.org}}\ndata: {u: 'x${A}.example.org and (.example.org)'}\n";
    place.write("in.yaml", &format!("{INPUT}{map}"));
    let run = place.run(&["review", "discover", "-f", "in.yaml"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.contains("- object: ConfigMap/c\n"), "{}", run.stdout);
    place.write("lathe.yaml", &run.stdout.replace("reason: \"\"", "reason: looked at"));
    place.ok(&["lock", "--accept"]);
    let rendered = place.run(&["render", "--review", "42"]);
    assert_eq!(rendered.code, 0, "{}\n{}", run.stdout, rendered.stderr);
    // What no pipeline mends stands at the end.
    place.write("in.yaml", &INPUT.replace("host: shop.example.org", "host: localhost"));
    let run = place.run(&["review", "discover", "-f", "in.yaml"]);
    assert!(
        run.stdout.contains("# Refused all the same") && run.stdout.contains("localhost"),
        "{}",
        run.stdout
    );
}

#[test]
fn an_acknowledgement_may_name_its_host() {
    let input = format!(
        "{INPUT}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c, namespace: shop}}\ndata: {{a: 'x.example.org y.example.org'}}\n"
    );
    let entry = |host: &str| {
        format!("acknowledge: [{{object: ConfigMap/c, pointer: /data/a, host: {host}, reason: why}}]\n")
    };
    let one = place(&format!("{CONFIG}{}", entry("x.example.org")), &input);
    let run = one.run(&["render", "--review", "1"]);
    assert!(
        run.code == 3 && run.stderr.contains("`y.example.org`") && !run.stderr.contains("`x.example.org`"),
        "{}",
        run.stderr
    );
}

#[test]
fn the_report_says_what_became_of_each_host() {
    let place = place(CONFIG, INPUT);
    place.ok(&["render", "--review", "42", "--report", "report.json"]);
    let report: serde_json::Value =
        serde_json::from_slice(&fs::read(place.path("report.json")).unwrap()).unwrap();
    let hit = &report["closure"][0];
    assert_eq!(
        (&hit["pointer"], &hit["before"], &hit["class"]),
        (&json!("/spec/rules/0/host"), &json!("shop.example.org"), &json!("rewritten"))
    );
    assert!(hit["host"].as_str().unwrap().ends_with(".rv.example.net"));
}

/// The least time of three runs each, one after the other, over 10,000 objects.
#[test]
fn a_thousand_hosts_take_at_most_twice_the_time_of_one() {
    let mut input = String::new();
    for object in 0..10_000 {
        let host = object % 1000;
        input.push_str(&format!(
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{object}, namespace: shop}}\ndata:\n  url: https://h{host}.example.org/x\n  other: https://www.example.com/a.b\n  log: one two three\n"
        ));
    }
    let config = |count: usize, zones: &str| {
        let hosts: Vec<String> = (0..count).map(|host| format!("h{host}.example.org: h{host}")).collect();
        format!(
            "  config: {{reviewDomain: rv.example.net, hosts: {{{}}}, zones: {zones}}}\n",
            hosts.join(", ")
        )
    };
    // With one host, those of the other 999 are nobody's.
    let one = place(&config(1, "[]"), &input);
    let thousand = place(&config(1000, "[example.org]"), &input);
    let mut least = [f64::MAX; 2];
    for _ in 0..3 {
        for (place, least) in [&one, &thousand].into_iter().zip(&mut least) {
            let started = std::time::Instant::now();
            let run = place.run(&["render", "--review", "1"]);
            assert_eq!(run.code, 0, "{}", run.stderr);
            *least = least.min(started.elapsed().as_secs_f64());
        }
    }
    println!("one host {:.2} s, a thousand {:.2} s", least[0], least[1]);
    assert!(least[1] <= 2.0 * least[0], "{least:?}");
}
