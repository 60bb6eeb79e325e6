//! Fields that hold hosts by a grammar of their own: every host in them has to be known, or two environments would claim the
//! same, or one would send its users to the other.

use lathe_sdk::{Location, Object, Outcome, Value};

use crate::field::{ANNOTATIONS, FIELDS, Grammar};
use crate::grammar::{self, Claim};
use crate::host::HostMap;
use crate::hostless;
use crate::namespace::Namespaces;

/// Reports each host in the object's typed fields that the environment does not know.
pub(crate) fn check(object: &Object, hosts: &HostMap, namespaces: &Namespaces, outcome: &mut Outcome) {
    let mut check = Check { object, hosts, namespaces, outcome };
    for field in FIELDS.iter().filter(|field| field.is_of(object)) {
        let path: Vec<&str> = field.path.split('/').collect();
        walk(&object.value, &path, &mut String::new(), &mut |pointer, text| {
            check.text(pointer, text, field.grammar);
        });
    }
    for (name, value) in object.value["metadata"]["annotations"].as_object().into_iter().flatten() {
        let grammar = ANNOTATIONS.iter().find(|annotation| annotation.is(name)).map(|a| a.grammar);
        if let (Some(grammar), Some(text)) = (grammar, value.as_str()) {
            check.text(&format!("/metadata/annotations/{}", lathe_sdk::escape(name)), text, grammar);
        }
    }
}

struct Check<'a> {
    object: &'a Object,
    hosts: &'a HostMap<'a>,
    namespaces: &'a Namespaces<'a>,
    outcome: &'a mut Outcome,
}

impl Check<'_> {
    fn text(&mut self, pointer: &str, text: &str, grammar: Grammar) {
        for claim in grammar::claims(grammar, text) {
            let at = Location { object: self.object.key, pointer: pointer.to_owned() };
            match claim {
                Claim::Host(host) if !self.is_known(&host, grammar) => {
                    let message = format!(
                        "`{host}` has no review host; add it to `hosts`, or to `keep` if it may stay"
                    );
                    let code = if grammar.claims() { "unmapped-host" } else { "unmapped-target" };
                    self.outcome.error(code, message, Some(at));
                }
                Claim::Host(_) => {}
                Claim::Pattern(hosts) => {
                    if hosts.is_empty() || !hosts.iter().all(|host| self.hosts.knows(host)) {
                        let message =
                            "the pattern holds hosts that have no review host; name each host instead";
                        self.outcome.error("unmapped-host", message, Some(at));
                    }
                }
                Claim::Every => hostless::report(self.outcome, self.object, pointer.to_owned()),
            }
        }
    }

    fn is_known(&self, host: &str, grammar: Grammar) -> bool {
        let in_cluster = || {
            let labels: Vec<&str> = host.trim_start_matches("*.").split('.').collect();
            labels.last() == Some(&"svc")
                || labels.ends_with(&["svc", "cluster", "local"])
                || matches!(labels.as_slice(), [name, namespace]
                    if self.namespaces.has_service(name)
                        && (self.namespaces.is_source(namespace) || *namespace == self.namespaces.target))
                || labels.len() == 1
        };
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        self.hosts.knows(host)
            || (!grammar.claims() && bare.parse::<std::net::IpAddr>().is_ok())
            || (grammar.asks_in_cluster() && in_cluster())
    }
}

/// Visits pointer and text of each string at the path, of which `*` is each item of a list.
pub(crate) fn walk(value: &Value, path: &[&str], at: &mut String, visit: &mut dyn FnMut(&str, &str)) {
    let Some((token, rest)) = path.split_first() else {
        if let Some(text) = value.as_str() {
            visit(at, text);
        }
        return;
    };
    let length = at.len();
    if *token == "*" {
        for (index, item) in value.as_array().into_iter().flatten().enumerate() {
            at.push_str(&format!("/{index}"));
            walk(item, rest, at, visit);
            at.truncate(length);
        }
    } else if let Some(member) = value.get(*token) {
        at.push('/');
        at.push_str(token);
        walk(member, rest, at, visit);
        at.truncate(length);
    }
}
