//! Any text in a review's manifests: rewritten or left, never a panic, and left alone the second time.
#![no_main]

use lathe_plugin_review_hosts::ReviewHosts;
use lathe_sdk::{Environment, Object, Outcome, Request, Review, Transform as _, Value, json};
use libfuzzer_sys::fuzz_target;

const HOST: &str = "portal.example.org";
const TARGET: &str = "portal-review-1-abcd2345.rv.example.net";

fn transform(objects: &[Value]) -> Outcome {
    let environment = Environment {
        name: "review".into(),
        project: "portal".into(),
        namespace: "portal-review-1-abcd2345".into(),
        review: Some(Review { id: "1".into(), slug: "review-1-abcd2345".into() }),
        hosts: [(HOST.to_owned(), TARGET.to_owned())].into(),
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let objects = (0..).zip(objects).map(|(key, value)| Object {
        key,
        api_version: text(&value["apiVersion"]),
        kind: text(&value["kind"]),
        namespace: "portal".into(),
        name: text(&value["metadata"]["name"]),
        value: value.clone(),
    });
    let config = json!({"reviewDomain": "rv.example.net", "hosts": {HOST: "portal"}});
    let request = Request { config, environment, objects: objects.collect() };
    ReviewHosts::transform(&request).expect("a sound config")
}

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let map = |text: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": text}});
    let route = json!({"apiVersion": "traefik.io/v1alpha1", "kind": "IngressRoute", "metadata": {"name": "r"},
        "spec": {"routes": [{"match": text}]}});
    let annotated = json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "i", "annotations": {
        "nginx.ingress.kubernetes.io/server-alias": text, "nginx.ingress.kubernetes.io/auth-url": text, "x/auth-secret": text}}});
    let outcome = transform(&[map(&text), route, annotated]);
    let now = outcome.sets().find(|(key, pointer, _)| (*key, *pointer) == (0, "/data/a"));
    if let Some((.., now)) = now {
        let now: Value = serde_json::from_str(now).expect("a JSON text");
        let now = now.as_str().unwrap_or_default();
        let again = transform(&[map(now)]);
        assert!(!again.sets().any(|(key, pointer, _)| (key, pointer) == (0, "/data/a")), "{text:?} {now:?}");
    }
});
