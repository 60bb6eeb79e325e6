//! What holds for all maps and texts: a rewritten review is left alone, and nothing but whole hosts changes.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod support;

use std::collections::BTreeMap;

use lathe_plugin_review_hosts::ReviewHosts;
use lathe_sdk::{Transform as _, Value, json};
use proptest::prelude::*;
use support::{TARGET, request};

fn rewritten_by(hosts: &BTreeMap<String, String>, text: &str) -> String {
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "portal"}, "data": {"a": text},
    });
    let mut request = request(&[map], &json!({}));
    request.environment.hosts.clone_from(hosts);
    let outcome = ReviewHosts::transform(&request).unwrap();
    let set = outcome.sets().find(|(_, pointer, _)| *pointer == "/data/a");
    let parse = |value: &str| serde_json::from_str::<Value>(value).unwrap().as_str().unwrap().to_owned();
    set.map_or_else(|| text.to_owned(), |(_, _, value)| parse(value))
}

fn rewritten(text: &str) -> String {
    rewritten_by(&[("portal.example.org".to_owned(), TARGET.to_owned())].into(), text)
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

/// A part of a text: how it is written, and which host of the map it is, if it is one.
#[derive(Clone, Debug)]
enum Part {
    Host { index: usize, upper: bool, dots: &'static str },
    LookAlike { index: usize, before: &'static str, after: &'static str },
    Other(String),
}

fn part() -> impl Strategy<Value = Part> {
    let dots = prop_oneof![Just("."), Just(r"\."), Just(r"\\.")];
    let affixes = prop_oneof![
        Just(("my", "")),
        Just(("", "x")),
        Just(("x.", "")),
        Just(("", ".evil.net")),
        Just(("a-", "")),
        Just(("", "-old")),
        Just(("", "_x")),
        Just(("admin@", "")),
        Just(("urn:geant:", ":x")),
        Just(("${p}.", "")),
        Just(("*.", "")),
    ];
    prop_oneof![
        3 => (any::<usize>(), any::<bool>(), dots).prop_map(|(index, upper, dots)| Part::Host { index, upper, dots }),
        2 => (any::<usize>(), affixes).prop_map(|(index, (before, after))| Part::LookAlike { index, before, after }),
        1 => "[a-z0-9=/]{0,12}".prop_map(Part::Other),
    ]
}

/// What ends a host on both sides.
fn between() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just(" "), Just("\""), Just("'"), Just("\n"), Just(" https://"), Just("\t(")]
}

/// Maps of hosts none of which is the tail or the target of another.
fn maps() -> impl Strategy<Value = Vec<(String, String)>> {
    prop::collection::btree_set("[a-z][a-z0-9]{0,5}(-[a-z0-9]{1,3})?\\.[a-z]{2,6}\\.(org|de|example)", 1..12)
        .prop_map(|hosts| {
            let target =
                |(index, host): (usize, String)| (host, format!("s{index}-review-1-abcd2345.rv.example.net"));
            hosts.into_iter().enumerate().map(target).collect()
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn hosts_change_and_nothing_else_does(map in maps(), parts in prop::collection::vec((between(), part()), 0..8)) {
        let (mut text, mut want) = (String::new(), String::new());
        for (between, part) in &parts {
            // Behind `://` it would be a URL's user.
            let user = matches!(part, Part::LookAlike { before: "admin@" | "urn:geant:", .. });
            let between = if user { " " } else { between };
            text.push_str(between);
            want.push_str(between);
            let (was, is) = match part {
                Part::Host { index, upper, dots } => {
                    let (from, to) = &map[index % map.len()];
                    let from = if *upper { from.to_uppercase() } else { from.clone() };
                    (from.replace('.', dots), to.replace('.', dots))
                }
                Part::LookAlike { index, before, after } => {
                    let same = format!("{before}{}{after}", map[index % map.len()].0);
                    (same.clone(), same)
                }
                Part::Other(same) => (same.clone(), same.clone()),
            };
            text.push_str(&was);
            want.push_str(&is);
        }
        let hosts: BTreeMap<String, String> = map.iter().cloned().collect();
        let once = rewritten_by(&hosts, &text);
        prop_assert_eq!(&once, &want);
        prop_assert_eq!(rewritten_by(&hosts, &once), once);
        // The same within JSON, whose strings are read as they are meant.
        let json = json!({"a": [text]}).to_string();
        prop_assert_eq!(rewritten_by(&hosts, &json), json!({"a": [want]}).to_string());
    }

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
