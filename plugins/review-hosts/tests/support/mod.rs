//! A review of the portal for tests.
#![allow(dead_code, reason = "no test uses all of it")]

use std::collections::BTreeMap;

use lathe_plugin_review_hosts::ReviewHosts;
use lathe_sdk::{Environment, Object, Outcome, Request, Review, Transform as _, Value, json};

/// What `portal.example.org` becomes.
pub(crate) const TARGET: &str = "portal-review-1-abcd2345.rv.example.net";

/// The review's namespace.
pub(crate) const NAMESPACE: &str = "portal-review-1-abcd2345";

/// A request for a review of these objects; `config` is added to what every config has.
pub(crate) fn request(objects: &[Value], config: &Value) -> Request {
    let hosts: BTreeMap<String, String> = [
        ("portal.example.org", TARGET),
        ("*.apps.example.org", "apps-review-1-abcd2345.rv.example.net"),
        ("münchen.example.org", "m-review-1-abcd2345.rv.example.net"),
        ("xn--mnchen-3ya.example.org", "m-review-1-abcd2345.rv.example.net"),
    ]
    .map(|(from, to)| (from.to_owned(), to.to_owned()))
    .into();
    let environment = Environment {
        name: "review".into(),
        project: "portal".into(),
        namespace: NAMESPACE.into(),
        review: Some(Review { id: "1".into(), slug: "review-1-abcd2345".into() }),
        hosts,
    };
    let mut all = json!({
        "reviewDomain": "rv.example.net",
        "hosts": {"portal.example.org": "portal"},
        "zones": ["example.org"],
        "keep": ["aai.example.org"],
    });
    for (name, value) in config.as_object().into_iter().flatten() {
        all[name] = value.clone();
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let objects = (0..).zip(objects).map(|(key, value)| Object {
        key,
        api_version: text(&value["apiVersion"]),
        kind: text(&value["kind"]),
        namespace: text(&value["metadata"]["namespace"]),
        name: text(&value["metadata"]["name"]),
        value: value.clone(),
    });
    Request { config: all, environment, objects: objects.collect() }
}

pub(crate) fn run(objects: &[Value], config: &Value) -> Outcome {
    ReviewHosts::transform(&request(objects, config)).unwrap()
}

/// The edits of the first object, but for its namespace: `pointer = value`, `- pointer`, `dropped`, `+ object`.
pub(crate) fn edits(objects: &[Value], config: &Value) -> Vec<String> {
    run(objects, config).edits().filter(|edit| !edit.starts_with("/metadata/namespace =")).collect()
}

/// Codes of what was found, with the place.
pub(crate) fn findings(objects: &[Value], config: &Value) -> Vec<String> {
    run(objects, config).findings().map(|(code, message)| format!("{code}: {message}")).collect()
}
