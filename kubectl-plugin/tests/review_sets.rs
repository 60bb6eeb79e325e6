//! Real applications as reviews: nothing of production is left, and with one host missing every place is named.
//!
//! The sets lie beside the checkout, and their pipelines here. What is left is looked for by a decoder of this test's own.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail loudly")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use lathe_manifest::{Object, ReadOptions, Reader, Value};
use support::{Place, root, shared};

/// A set, its pipeline, and the host that the twin misses.
const SETS: &[(&str, &str, &str)] = &[
    ("p01-hedgedoc-chart/rendered.yaml", "hedgedoc.yaml", "notes.example.org"),
    ("p02-jupyterhub/rendered.yaml", "jupyterhub.yaml", "jupyter.example.org"),
    ("p04-portal-a/rendered.yaml", "portal.yaml", "admin.portal.example.org"),
    ("p08-istio/rendered.yaml", "istio.yaml", "shop.example.org"),
    ("p11-oauth2-proxy/rendered.yaml", "oauth2-proxy.yaml", "portal.example.org"),
];

fn pipeline(name: &str) -> String {
    fs::read_to_string(root().join("kubectl-plugin/tests/review-sets").join(name)).unwrap()
}

/// The set's manifests; Istio's have no application of their own, so one stands beside them.
fn input(corpus: &Path, set: &str) -> String {
    let text = fs::read_to_string(corpus.join(set)).unwrap();
    if set.contains("istio") { format!("{text}\n---\n{}", pipeline("istio-app.yaml")) } else { text }
}

/// Object and pointer of each string, and of each base64 of a Secret, in which the host stands as a whole name, however it is
/// escaped.
fn places(objects: &[Object], host: &str) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for object in objects {
        let named = format!("{}/{}", object.kind(), object.name());
        lathe_manifest::pointer::each_string(&object.value, &mut |pointer, text| {
            let decoded = if object.kind() == "Secret" { base64(text) } else { None };
            let holds = [Some(text.to_owned()), decoded].into_iter().flatten().any(|text| holds(&text, host));
            // Names of objects claim nothing.
            if holds
                && pointer != "/metadata/name"
                && !pointer.ends_with("/secretName")
                && !pointer.ends_with("/credentialName")
            {
                found.insert((named.clone(), pointer.to_owned()));
            }
        });
    }
    found
}

fn holds(text: &str, host: &str) -> bool {
    let plain =
        text.to_lowercase().replace("%2f", "/").replace("%3a", ":").replace("\\.", ".").replace("\\/", "/");
    plain.match_indices(host).any(|(at, _)| {
        let end = at + host.len();
        let label = |c: char| c.is_alphanumeric() || c == '-' || c == '.';
        !plain[..at].ends_with(label)
            && !plain[..at].ends_with('@')
            && !plain[end..].starts_with(|c: char| c.is_alphanumeric() || c == '-')
    })
}

/// RFC 4648 section 4, for text.
fn base64(text: &str) -> Option<String> {
    let digit = |c: u8| {
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".bytes().position(|d| d == c)
    };
    let digits: Vec<usize> = text.trim_end_matches('=').bytes().map(digit).collect::<Option<_>>()?;
    let bits =
        digits.iter().flat_map(|digit| (0..6).rev().map(move |bit| u8::try_from(digit >> bit & 1).unwrap()));
    let bits: Vec<u8> = bits.collect();
    let bytes = bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |byte, bit| byte << 1 | bit)).collect();
    String::from_utf8(bytes).ok()
}

fn objects(text: &str) -> Vec<Object> {
    let options = ReadOptions { lenient_duplicates: true, ..ReadOptions::default() };
    let documents: Vec<Value> = Reader::documents(options, "text", text.as_bytes()).unwrap();
    documents.into_iter().filter_map(Object::added).collect()
}

/// The source hosts of a pipeline.
fn hosts(pipeline: &str) -> Vec<String> {
    let documents = Reader::documents(ReadOptions::default(), "lathe.yaml", pipeline.as_bytes()).unwrap();
    let transforms = documents[0].get("transforms").unwrap().as_array().unwrap();
    let hosts = transforms.iter().find_map(|transform| transform.get("config")?.get("hosts")?.as_object());
    hosts.unwrap().iter().map(|(host, _)| host.to_owned()).collect()
}

#[test]
fn nothing_of_production_is_left() {
    let Some(corpus) = shared("corpus") else { return };
    for (set, name, _) in SETS {
        let place = Place::new();
        let pipeline = pipeline(name);
        place.write("lathe.yaml", &pipeline);
        place.write("in.yaml", &input(&corpus, set));
        place.ok(&["lock", "--accept"]);
        let run = place.run(&["render", "--review", "42", "--report", "report.json"]);
        assert_eq!(run.code, 0, "{set}: {}", run.stderr);
        let rendered = objects(&run.stdout);
        for host in hosts(&pipeline) {
            let left = places(&rendered, &host);
            assert!(left.is_empty(), "{set}: {host} at {left:?}");
        }
        let report = fs::read_to_string(place.path("report.json")).unwrap();
        assert!(!report.contains("\"class\": \"leftover\""), "{set}");
        let namespaces: BTreeSet<&str> = rendered.iter().map(Object::namespace).collect();
        let outside = ["", rendered.iter().find(|object| object.kind() == "Namespace").unwrap().name()];
        assert!(namespaces.iter().all(|namespace| outside.contains(namespace)), "{set}: {namespaces:?}");
        // A rendered review is its own review.
        place.write("in.yaml", &run.stdout);
        let again = place.run(&["render", "--review", "42"]);
        assert!(again.stdout == run.stdout, "{set}: {}", again.stderr);
    }
}

#[test]
fn with_one_host_missing_every_place_is_named() {
    let Some(corpus) = shared("corpus") else { return };
    for (set, name, missing) in SETS {
        let place = Place::new();
        let twin: Vec<String> = pipeline(name)
            .lines()
            .filter(|line| !line.trim().starts_with(&format!("{missing}: ")))
            .map(ToOwned::to_owned)
            .collect();
        place.write("lathe.yaml", &(twin.join("\n") + "\n"));
        let input = input(&corpus, set);
        place.write("in.yaml", &input);
        place.ok(&["lock", "--accept"]);
        let run = place.run(&["render", "--review", "42"]);
        assert_eq!((run.code, run.stdout.as_str()), (3, ""), "{set}");
        let places = places(&objects(&input), missing);
        assert!(!places.is_empty(), "{set}");
        for (object, pointer) in places {
            let (kind, name) = object.split_once('/').unwrap();
            let told = run.stderr.lines().any(|line| {
                line.trim_start().starts_with(&format!("{kind}/"))
                    && line.contains(&format!("/{name} {pointer}"))
            });
            assert!(told, "{set}: {object} {pointer}\n{}", run.stderr);
        }
    }
}
