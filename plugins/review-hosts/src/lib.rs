//! Built-in plugin `review-hosts`: turns what production is called into what a review environment is called.
//!
//! Hosts by whole-token match in every text of every object, namespaces in the places that hold one, cluster-scoped
//! objects refused or made the environment's own, clashes taken away. Nothing is guessed: a host in a routing field that has no
//! target is an error. What slips through is found by the host's own closure after the last plugin, which shares no code
//! with this.

mod certificate;
mod checksum;
mod clash;
mod cluster_scoped;
mod cluster_types;
mod config;
mod field;
mod grammar;
mod guard;
mod host;
mod hostless;
mod json;
mod namespace;
mod own_namespace;
mod pod;
mod quantity;
mod review_class;
mod secret;
mod seed;
mod shrink;
mod text;
mod token;
mod typed;
mod walk;

use std::collections::BTreeSet;

use lathe_sdk::{Descriptor, Location, Object, Outcome, Request, Scope, Transform};

use cluster_types::ClusterTypes;
use config::Config;
use host::HostMap;
use namespace::Namespaces;
use text::Rewriter;
use walk::{Leaf, Role};

/// The plugin.
pub struct ReviewHosts;

impl Transform for ReviewHosts {
    fn describe() -> Descriptor {
        Descriptor {
            name: "review-hosts",
            version: env!("CARGO_PKG_VERSION"),
            summary: "Turns production hosts and namespaces into those of a review environment",
            config_schema: config::schema(),
            scope: Scope::Set,
        }
    }

    fn transform(request: &Request) -> Result<Outcome, String> {
        let config: Config = request.config()?;
        let environment = &request.environment;
        let Some(review) = &environment.review else {
            return Err(format!(
                "environment `{}` is no review; limit this entry by `environments`",
                environment.name
            ));
        };
        let objects = &request.objects;
        let hosts = HostMap::new(&environment.hosts, &config.keep);
        let namespaces = Namespaces::new(objects, &environment.namespace);
        let types = ClusterTypes::new(objects);
        let mut run = Run {
            config: &config,
            rewriter: Rewriter { hosts: &hosts, namespaces: &namespaces },
            policy: cluster_scoped::Policy::new(&config, &review.slug, objects),
            checksum: checksum::of(&environment.hosts),
            used: BTreeSet::new(),
            outcome: Outcome::default(),
        };
        for object in objects.iter().filter(|object| !object.is("", "Namespace")) {
            run.object(object, types.include(object));
        }
        run.tell_unused();
        let mut outcome = run.outcome;
        own_namespace::ensure(objects, environment, &namespaces, &mut outcome);
        guard::add(objects, &environment.namespace, &config, &mut outcome);
        Ok(outcome)
    }
}

lathe_sdk::register!(ReviewHosts);

struct Run<'a> {
    config: &'a Config,
    rewriter: Rewriter<'a>,
    policy: cluster_scoped::Policy<'a>,
    /// Of the host map.
    checksum: String,
    /// Entries of the config that named an object.
    used: BTreeSet<&'a str>,
    outcome: Outcome,
}

impl Run<'_> {
    fn object(&mut self, object: &Object, cluster_scoped: bool) {
        if let Some(entry) = self.config.drop.iter().find(|entry| names(entry, object)) {
            self.used.insert(entry);
            self.outcome.drop_object(object.key);
            return;
        }
        let smaller = self.config.shrink.as_ref();
        if cluster_scoped {
            if !self.policy.apply(object, &mut self.outcome) {
                return;
            }
        } else if smaller.is_some_and(|shrink| !shrink::apply(object, shrink, &mut self.outcome)) {
            return;
        } else {
            self.outcome.set(object.key, "/metadata/namespace", self.rewriter.namespaces.target);
        }
        secret::check(object, &mut self.outcome);
        typed::check(object, self.rewriter.hosts, self.rewriter.namespaces, &mut self.outcome);
        self.strings(object);
        self.policy.follow(object, &mut self.outcome);
        let rewriter = &self.rewriter;
        certificate::common_name(object, |text| rewriter.rewrite(text), &mut self.outcome);
        clash::apply(object, &mut self.outcome);
        review_class::apply(object, self.config, &mut self.outcome);
        checksum::apply(object, &self.checksum, &mut self.outcome);
        let seed = self.config.seed.iter().find(|name| object.is("batch", "Job") && **name == object.name);
        if let Some(name) = seed {
            self.used.insert(name);
            seed::apply(object, &mut self.outcome);
        }
        let applied = "kubectl.kubernetes.io/last-applied-configuration";
        if !object.value["metadata"]["annotations"][applied].is_null() {
            // kubectl's copy of production's object, of which nothing follows for another one.
            let pointer = format!("/metadata/annotations/{}", lathe_sdk::escape(applied));
            self.outcome.remove(object.key, pointer);
        }
    }

    fn strings(&mut self, object: &Object) {
        let secret = object.is("", "Secret");
        let data = secret || object.is("", "ConfigMap");
        let (rewriter, outcome) = (&self.rewriter, &mut self.outcome);
        let mut changed = false;
        walk::strings(object, &mut |leaf| {
            if secret::is_encrypted(leaf.text) && object.value["sops"].is_null() {
                let at = Location { object: object.key, pointer: leaf.pointer.to_owned() };
                outcome.error("sops", "this value is encrypted; decrypt it before", Some(at));
            }
            if let Some(new) = rewritten(&leaf, secret, data, rewriter) {
                changed |= data && !leaf.pointer.starts_with("/metadata/");
                outcome.set(object.key, leaf.pointer, new);
            }
        });
        if changed && object.value["immutable"] == true {
            let at = Location { object: object.key, pointer: "/immutable".to_owned() };
            let told = "this cannot be changed once it is on the cluster, and its text follows the review's hosts; leave `immutable` out for reviews";
            outcome.error("immutable", told, Some(at));
        }
    }

    fn tell_unused(&mut self) {
        for (field, entries) in [("drop", &self.config.drop), ("seed", &self.config.seed)] {
            for entry in entries.iter().filter(|entry| !self.used.contains(entry.as_str())) {
                self.outcome.info(
                    "unused",
                    format!("`{field}` names `{entry}`, which is not in the input"),
                    None,
                );
            }
        }
    }
}

/// The string as it is called in the review; `None` where it stays.
fn rewritten(leaf: &Leaf<'_>, secret: bool, data: bool, rewriter: &Rewriter<'_>) -> Option<String> {
    let Leaf { text, pointer, role, .. } = *leaf;
    if secret && pointer.starts_with("/data/") {
        return secret::data(pointer, text, rewriter);
    }
    if secret && secret::is_docker_config(pointer) {
        return None;
    }
    let namespaces = rewriter.namespaces;
    let named = match role {
        Role::Fixed => return None,
        Role::Namespace => namespaces.follow_name(text),
        Role::Namespaces => namespaces.follow_list(text),
        Role::Text | Role::Qualified => None,
    };
    if named.is_some() {
        return named;
    }
    let new = rewriter.rewrite(text);
    let now = new.as_deref().unwrap_or(text);
    let qualified = if role == Role::Qualified { namespaces.follow_qualified(now) } else { None };
    let data = data && !pointer.starts_with("/metadata/");
    qualified.or_else(|| namespaces.follow_text(now, data)).or(new)
}

/// Whether `Kind/name`, or `Kind/namespace/name`, is the object.
fn names(entry: &str, object: &Object) -> bool {
    let Some((kind, rest)) = entry.split_once('/') else { return false };
    let name = rest.split_once('/').map_or(rest == object.name, |(namespace, name)| {
        namespace == object.namespace && name == object.name
    });
    kind == object.kind && name
}
