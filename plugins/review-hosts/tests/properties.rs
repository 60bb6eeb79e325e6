//! What holds for all texts: a rewritten review is left alone, and nothing but whole hosts changes.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use lathe_plugin_review_hosts::ReviewHosts;
use lathe_sdk::{Environment, Object, Request, Review, Transform as _, Value, json};
use proptest::prelude::*;

const TARGET: &str = "portal-review-1-x.rv.example.net";

fn request(text: &str) -> Request {
    let environment = Environment {
        name: "review".into(),
        project: "portal".into(),
        namespace: "portal-review-1-x".into(),
        review: Some(Review { id: "1".into(), slug: "review-1-x".into() }),
        hosts: [("portal.example.org".into(), TARGET.into())].into(),
    };
    let value = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "portal"}, "data": {"a": text},
    });
    let object = Object {
        key: 0,
        api_version: "v1".into(),
        kind: "ConfigMap".into(),
        namespace: "portal".into(),
        name: "c".into(),
        value,
    };
    let hosts = json!({"portal.example.org": "portal"});
    let config = json!({"reviewDomain": "rv.example.net", "hosts": hosts, "zones": ["example.org"]});
    Request { config, environment, objects: vec![object] }
}

fn rewritten(text: &str) -> String {
    let outcome = ReviewHosts::transform(&request(text)).unwrap();
    let set = outcome.sets().find(|(_, pointer, _)| *pointer == "/data/a");
    let parse = |value: &str| serde_json::from_str::<Value>(value).unwrap().as_str().unwrap().to_owned();
    set.map_or_else(|| text.to_owned(), |(_, _, value)| parse(value))
}

/// Hosts, look-alikes and what may stand around them.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("portal.example.org".to_owned()),
        Just("PORTAL.example.org".to_owned()),
        Just(r"portal\.example\.org".to_owned()),
        Just("myportal.example.org".to_owned()),
        Just("portal.example.org.evil.net".to_owned()),
        Just("db.portal.svc".to_owned()),
        "[ @:/.,;'\"%\\\\{}$()=a-c0-9_\n-]{0,4}",
        "\\PC{0,3}",
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_second_time_changes_nothing(text in pieces()) {
        let once = rewritten(&text);
        prop_assert_eq!(rewritten(&once), once);
    }

    #[test]
    fn text_without_a_host_stays(text in "[ @:/,;'\"%\\\\{}$()=a-z0-9_\n.-]{0,40}") {
        prop_assume!(!text.contains("portal") && !text.contains("svc"));
        prop_assert_eq!(rewritten(&text), text);
    }

    #[test]
    fn look_alikes_are_never_touched(before in "[a-z0-9-]{1,5}", after in "[a-z0-9]{1,5}") {
        for text in [
            format!("https://{before}portal.example.org/"),
            format!("https://portal.example.org.{after}/"),
            format!("https://portal.example.org{after}/"),
        ] {
            prop_assert_eq!(rewritten(&text), text.clone());
        }
    }

    #[test]
    fn a_host_between_separators_always_changes(
        before in "(https://|'|\"|,| |=|\\(|:)",
        after in "(/x|'|\"|,| |;|\\)|:8443)?",
    ) {
        let text = format!("{before}portal.example.org{after}");
        prop_assert_eq!(rewritten(&text), format!("{before}{TARGET}{after}"));
    }
}
