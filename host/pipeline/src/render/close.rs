//! The end of a run: tokens verified and filled, and in a review the search for what is left of production.

use std::collections::{BTreeSet, HashMap, HashSet};

use lathe_manifest::{Edit, Map, Value};
use lathe_secrets::SecretErrorKind;

use crate::checksum;
use crate::closure::Search;
use crate::connect;
use crate::environment::REVIEW_HOSTS;
use crate::file::{Acknowledge, SECRETS};
use crate::output::{Output, annotation};
use crate::problem::Problem;
use crate::render::{Run, SECRETS_ANNOTATION};
use crate::report::Hit;
use crate::territory::is_within;

/// Namespaces of every cluster, which are nobody's.
const SYSTEM_NAMESPACES: &[&str] = &["kube-system", "kube-public", "kube-node-lease"];

impl Run<'_> {
    pub(super) fn verify(&mut self) {
        let transforms = self.of.pipeline.transforms_in(&self.of.environment.name);
        let opens = transforms.into_iter().any(|(_, transform)| transform.plugin == SECRETS);
        // Where values are asked for, a reference must not pass for one.
        let resolving = opens || self.of.output.resolves();
        let objects = self.tree.entries.iter().map(|entry| (entry.key, &entry.object));
        let errors = connect::lock(&self.seal).verify(objects, resolving);
        self.report.problems.extend(errors.into_iter().map(Problem::from));
    }

    /// Puts references or values in place of tokens, and marks objects that still hold references.
    pub(super) fn fill(&mut self) {
        let shared = self.seal.clone();
        let seal = connect::lock(&shared);
        let there: HashSet<u32> = self.tree.entries.iter().map(|entry| entry.key).collect();
        // Nobody logs in for a run that is refused anyway.
        let output = if self.report.problems.is_empty() { self.of.output } else { Output::References };
        let resolver =
            output.resolver(&self.of.pipeline.secrets.providers, &seal, |key| there.contains(&key));
        let noted = std::sync::Mutex::default();
        let mut plain = 0;
        for entry in &mut self.tree.entries {
            match output.write(&seal, entry.key, &mut entry.object, resolver.as_ref(), &noted) {
                Ok(written) => {
                    plain += written.filled.plain;
                    mark(&mut entry.object.value, written.holds_references);
                }
                Err(errors) => {
                    // Tokens that are none have been told by `verify`.
                    let new = errors.into_iter().filter(|error| error.kind != SecretErrorKind::Forged);
                    self.report.problems.extend(new.map(Problem::from));
                }
            }
        }
        drop(resolver);
        if self.report.problems.is_empty()
            && let Err(why) = checksum::stamp(&mut self.tree.entries, &output, &self.of.environment.namespace)
        {
            // The key lies in the cluster, and who may apply may not be let read it.
            let told = format!(
                "pods carry no checksum of their Secrets: those that had one are made anew now, and a change of these makes none anew later: {why}"
            );
            self.report.warnings.push(told);
        }
        let noted = noted.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.report.warnings.extend(noted.kept);
        if let Some(first) = noted.taken.first() {
            let told = format!(
                "values that go into `data` as their store has them, and are taken for base64: {} (the first is {first}); `| base64encode`, or `stringData`, is for those that are none",
                noted.taken.len()
            );
            self.report.warnings.push(told);
        }
        self.outside = noted.outside;
        // Objects with only a prefix for a name stand by what they hold, which is another thing now.
        self.tree.sort();
        self.holds_values = plain > 0 || self.of.output.reads_values();
        if plain > 0 {
            let told = format!(
                "fields of the input's Secrets that hold plain text and are written as they stood: {plain}"
            );
            self.report.warnings.push(told);
        }
    }

    /// The namespaces of the input, but for those of which every object was left out and those of every cluster.
    fn input_namespaces(&self) -> BTreeSet<String> {
        let dropped: HashSet<u32> = self.tree.dropped.iter().map(|entry| entry.key).collect();
        let staying = self.namespaces.iter().filter(|(key, (_, own))| *own || !dropped.contains(*key));
        let names = staying.map(|(_, (name, _))| name.clone());
        names.filter(|name| !SYSTEM_NAMESPACES.contains(&name.as_str())).collect()
    }

    /// Takes away what review-hosts found of hosts that it does not know and that the pipeline acknowledges. Gives the places of the
    /// acknowledgements that did so.
    fn explained(&mut self, labels: &HashMap<u32, String>) -> HashSet<usize> {
        let acknowledge = &self.of.pipeline.acknowledge;
        let mut used = HashSet::new();
        self.found.retain(|(key, problem)| {
            let unknown = ["unmapped-host", "unmapped-target"].contains(&problem.code.as_str())
                && problem.plugin.as_deref() == Some(REVIEW_HOSTS);
            let Some(label) = key.as_ref().and_then(|key| labels.get(key)).filter(|_| unknown) else {
                return true;
            };
            let host = problem.message.split('`').nth(1).unwrap_or_default();
            let explains = |entry: &&Acknowledge| entry.explains(label, &problem.pointer, host);
            let mut entries = acknowledge.iter().enumerate().filter(|(_, entry)| explains(entry)).peekable();
            let there = entries.peek().is_some();
            used.extend(entries.map(|(index, _)| index));
            !there
        });
        used
    }

    /// In a review, demands that nothing of production is left.
    pub(super) fn close(&mut self) {
        let Some(territory) = &self.of.environment.territory else { return };
        let acknowledge = &self.of.pipeline.acknowledge;
        let namespaces = self.input_namespaces();
        let environment = self.of.environment;
        let services = &self.services;
        let search = Search { environment, territory, namespaces: &namespaces, services, acknowledge };
        let closure = search.check(self.tree.entries.iter().map(|entry| &entry.object));
        let labels = self.tree.labels();
        let explained = self.explained(&labels);
        let told: HashSet<(&String, &String)> = (self.found.iter())
            .filter_map(|(key, problem)| Some((labels.get(key.as_ref()?)?, &problem.pointer)))
            .collect();
        let leftovers = closure.hits.iter().filter(|hit| hit.class == "leftover");
        // What a plugin has said of a place, and how to mend it, need not be said again.
        for hit in leftovers.filter(|hit| !told.contains(&(&hit.object, &hit.pointer))) {
            self.report.problems.push(leftover(hit, &territory.review_domain));
        }
        for index in closure.unused.into_iter().filter(|index| !explained.contains(index)) {
            let entry = &acknowledge[index];
            let told = format!("acknowledge[{index}] ({} {}) explains nothing", entry.object, entry.pointer);
            self.report.warnings.push(told);
        }
        self.report.closure = closure.hits.into_iter().collect();
    }
}

/// What is told of a place that nothing explains.
fn leftover(hit: &Hit, review_domain: &str) -> Problem {
    let host = &hit.host;
    let told = match hit.kind {
        "namespace" if host.is_empty() => "this stands in no namespace; a review has one".to_owned(),
        "namespace" => format!(
            "namespace `{host}` of the input is left here; a review has one namespace (acknowledge it if it is none)"
        ),
        "reference" => {
            format!("`{host}` is an object outside of this review; acknowledge it if reviews may use it")
        }
        "acts-outside" => {
            "this acts on something outside of the cluster, which may be production's; acknowledge it"
                .to_owned()
        }
        "service" => format!(
            "`{host}` is a Service outside of this review; list it under `sharedServices` or acknowledge it"
        ),
        "renders-later" => {
            "this makes objects on the cluster, where nobody looks for hosts; acknowledge it".to_owned()
        }
        _ if hit.secret => format!(
            "a host of `{host}` is left in this value; map or keep it, `reveal` the Secret if it has to be rewritten, or acknowledge it"
        ),
        _ if is_within(host, review_domain) => {
            format!("`{host}` lies under the review domain and is no host of this review")
        }
        _ => format!("`{host}` of production is left here; map it, keep it or acknowledge it"),
    };
    Problem::new(&format!("leftover-{}", hit.kind), told).at(&hit.object, &hit.pointer)
}

/// Sets or takes away the mark of an object that holds references.
fn mark(value: &mut Value, holds: bool) {
    let place = annotation(SECRETS_ANNOTATION);
    if holds {
        // Annotations that are none are for the server to refuse.
        let _ = Edit::Set(place, "refs".into()).apply(value);
    } else if Edit::Remove(place).apply(value).is_ok()
        && let Some(metadata) = value.as_object_mut().and_then(|map| map.get_mut("metadata")?.as_object_mut())
        && metadata.get("annotations").and_then(Value::as_object).is_some_and(Map::is_empty)
    {
        metadata.remove("annotations");
    }
}
