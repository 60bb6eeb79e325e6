//! A store that is slow, busy, half dead or dead, and large ones.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may fail loudly, and one tells what it measured"
)]

mod support;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::bao::{Bao, Fault, Front, ROOT};
use support::{Place, Run, finish};

/// A pipeline whose Secrets have so many references each, to so many documents.
fn pipeline(place: &Place, address: &str, secrets: usize, references: usize, documents: usize) {
    let mut text = String::new();
    for secret in 0..secrets {
        writeln!(text, "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: s{secret}}}\nstringData:")
            .unwrap();
        for reference in 0..references {
            let document = (secret * references + reference) % documents;
            writeln!(text, "  k{reference}: <path:secret/data/d{document}#k{}>", reference % 4).unwrap();
        }
    }
    place.write("in.yaml", &text);
    place.write(
        "lathe.yaml",
        &format!("apiVersion: lathe.dev/v1alpha1\nkind: Pipeline\nmetadata: {{name: p}}\ninputs: [in.yaml]\nenvironments: {{e: {{namespace: ns}}}}\nsecrets:\n  providers:\n    bao: {{type: openbao, address: {address:?}}}\ntransforms: [{{plugin: \"builtin:secrets\"}}]\n"),
    );
    place.ok(&["lock"]);
}

fn stock(bao: &Bao, documents: usize) {
    // Through the API, for a process each would take minutes.
    for document in 0..documents {
        let body = format!(
            r#"{{"data":{{"k0":"v{document}-0","k1":"v{document}-1","k2":"v{document}-2","k3":"v{document}-3"}}}}"#
        );
        bao.post(&format!("secret/data/d{document}"), &body);
    }
}

fn show(place: &Place) -> Run {
    let mut command = place.command(&["render", "--env", "e", "--show-secrets", "-o", "json"]);
    finish(command.env("BAO_TOKEN", ROOT).output().unwrap())
}

#[test]
#[ignore = "needs LATHE_TEST_BAO"]
fn each_document_is_read_once() {
    const DOCUMENTS: usize = 300;
    let bao = Bao::start();
    stock(&bao, DOCUMENTS);
    let front = Front::start(&bao, Fault::None);
    let place = Place::new();
    pipeline(&place, &front.address, 100, 100, DOCUMENTS);
    front.set(Fault::None);
    let started = Instant::now();
    let run = show(&place);
    let took = started.elapsed();
    assert_eq!(run.code, 0, "{}", run.stderr);
    let list: Value = serde_json::from_str(&run.stdout).unwrap();
    let items = list["items"].as_array().unwrap();
    let values = items.iter().flat_map(|item| item["stringData"].as_object().unwrap());
    assert_eq!(values.count(), 10_000);
    let s7 = items.iter().find(|item| item["metadata"]["name"] == "s7").unwrap();
    assert_eq!(s7["stringData"]["k13"], "v113-1");
    let requests = front.requests();
    let reads = requests.iter().filter(|line| line.starts_with("GET /v1/secret/data/")).count();
    assert_eq!(reads, DOCUMENTS);
    assert_eq!(requests.len(), DOCUMENTS + 1, "one question of what the mount is, and nothing else");
    println!("10,000 references in {DOCUMENTS} documents: {took:?}");
}

#[test]
#[ignore = "needs LATHE_TEST_BAO"]
fn what_is_busy_is_asked_again_and_what_is_dead_is_not_for_long() {
    let bao = Bao::start();
    stock(&bao, 8);
    let front = Front::start(&bao, Fault::None);
    let place = Place::new();
    pipeline(&place, &front.address, 2, 4, 8);
    for fault in [Fault::First(3, 429), Fault::First(3, 503), Fault::HalfDead] {
        front.set(fault);
        let run = show(&place);
        assert_eq!(run.code, 0, "{fault:?}: {}", run.stderr);
    }
    for (fault, told) in [(Fault::Always(429), "fewer requests"), (Fault::Always(500), "server fails")] {
        front.set(fault);
        let started = Instant::now();
        let run = show(&place);
        assert!(
            run.code == 3 && run.stdout.is_empty() && run.stderr.contains(told),
            "{fault:?}: {}",
            run.stderr
        );
        assert!(started.elapsed() < Duration::from_secs(20), "{fault:?}");
    }
    front.set(Fault::Silent);
    let started = Instant::now();
    let run = show(&place);
    assert!(run.code == 3 && run.stderr.contains("does not answer in time"), "{}", run.stderr);
    assert!(started.elapsed() < Duration::from_secs(75), "{:?}", started.elapsed());
}

#[test]
#[ignore = "needs LATHE_TEST_BAO"]
fn values_of_a_mebibyte_are_whole() {
    let bao = Bao::start();
    let place = Place::new();
    pipeline(&place, &bao.address, 1, 1, 1);
    for (length, fits) in [(1 << 20, true), ((1 << 20) + 1, false)] {
        bao.post("secret/data/d0", &format!(r#"{{"data":{{"k0":"{}"}}}}"#, "x".repeat(length)));
        let run = show(&place);
        assert_eq!(run.code == 0, fits, "{length}: {}", run.stderr);
        if fits {
            let list: Value = serde_json::from_str(&run.stdout).unwrap();
            assert_eq!(list["items"][0]["stringData"]["k0"].as_str().unwrap().len(), length);
        } else {
            assert!(
                run.stderr.contains("a Secret holds 1048576") && run.stderr.len() < 1000,
                "{}",
                run.stderr.len()
            );
        }
    }
}

#[test]
#[ignore = "needs LATHE_TEST_BAO"]
fn what_a_review_does_not_map_is_refused_before_any_login() {
    let bao = Bao::start();
    stock(&bao, 1);
    bao.post("secret/data/review", r#"{"data":{"k0":"of-the-review"}}"#);
    let front = Front::start(&bao, Fault::None);
    let place = Place::new();
    let input = |reference: &str| {
        let host = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: i, namespace: ns}\nspec: {rules: [{host: a.example.org}]}\n";
        place.write("in.yaml", &format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: s, namespace: ns}}\nstringData: {{a: \"{reference}\"}}\n---\n{host}"));
    };
    place.write("lathe.yaml", &format!("apiVersion: lathe.dev/v1alpha1\nkind: Pipeline\nmetadata: {{name: p}}\ninputs: [in.yaml]\nenvironments:\n  review: {{review: true, namespace: \"ns-{{slug}}\", secrets: [{{prefix: secret/d0, to: secret/review}}]}}\nsecrets:\n  providers:\n    bao: {{type: openbao, address: {:?}}}\n    other: {{type: openbao, address: {:?}, mounts: [other]}}\ntransforms:\n- plugin: builtin:secrets\n- plugin: builtin:review-hosts\n  config: {{reviewDomain: review.example.net, hosts: {{a.example.org: web}}}}\n", front.address, front.address));
    let show = || {
        let mut command = place.command(&["render", "--review", "7", "--show-secrets"]);
        finish(command.env("BAO_TOKEN", ROOT).output().unwrap())
    };
    input("<path:secret/data/d0#k0>");
    place.ok(&["lock"]);
    let run = show();
    assert!(run.code == 0 && run.stdout.contains("of-the-review"), "{}", run.stderr);
    for reference in [
        "<path:secret/data/d1#k0>",
        "<path:secret/data/d0#k0#1>",
        "ref+vault://secret/d0?instance=other#/k0",
        "ref+vault://secret/d0?namespace=team#/k0",
        "ref+vault://d0/x?namespace=secret#/k0",
        "ref+vault://secret/review?instance=bao#/k0",
        "ref+vault://secret/review%23x#/k0",
        "ref+vault://secret/d0x#/k0",
        "ref+generated://secret/d1%23k0",
    ] {
        input(reference);
        front.set(Fault::None);
        let run = show();
        assert!(run.code == 3 && run.stderr.contains("does not map it"), "{reference}: {}", run.stderr);
        assert!(front.requests().is_empty(), "{reference}: {:?}", front.requests());
    }
    for reference in ["ref+vault://secret/d0/../prod#/k0", "ref+vault://secret/x?namespace=a/../..#/k0"] {
        input(reference);
        front.set(Fault::None);
        let run = show();
        assert!(
            run.code == 3 && run.stderr.contains("malformed") && front.requests().is_empty(),
            "{reference}: {}",
            run.stderr
        );
    }
}
