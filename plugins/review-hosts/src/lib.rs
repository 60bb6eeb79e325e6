//! Built-in plugin `review-hosts`: turns what production is called into what a review environment is called.
//!
//! Hosts by whole-token match in every text of every object, namespaces in the places that hold one, cluster-scoped
//! objects refused or made the environment's own, clashes taken away. Nothing is guessed: a host in a routing field that has no
//! target is an error. What slips through is found by the host's own closure after the last plugin, which shares no code
//! with this.

mod bookkeeping;
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
mod merge;
mod namespace;
mod own_namespace;
mod pod;
mod quantity;
mod review_class;
mod secret;
mod seed;
mod shrink;
mod spelling;
mod text;
mod token;
mod traefik;
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
        let staying = objects.iter().filter(|object| !config.drops(object));
        let namespaces = Namespaces::new(staying, &config.shared_services, &environment.namespace);
        let types = ClusterTypes::new(objects);
        let mut run = Run {
            config: &config,
            rewriter: Rewriter { hosts: &hosts, namespaces: &namespaces },
            policy: cluster_scoped::Policy::new(&config, &review.slug, objects),
            checksum: checksum::of(&environment.hosts),
            certificates: review_class::certificates(&config, objects),
            gateways: hostless::gateways(objects),
            names: names(objects),
            used: BTreeSet::new(),
            outcome: Outcome::default(),
        };
        for object in objects {
            if run.is_dropped(object) {
                run.outcome.drop_object(object.key);
            } else if !object.is("", "Namespace") {
                run.object(object, types.include(object));
            }
        }
        run.tell_unused(objects);
        let Run { mut outcome, rewriter, .. } = run;
        merge::check(objects, &config, &mut outcome);
        own_namespace::ensure(objects, environment, &config, &rewriter, &namespaces, &mut outcome);
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
    /// Secrets of certificates that routes name.
    certificates: BTreeSet<String>,
    /// The names of the input's Gateways.
    gateways: BTreeSet<&'a str>,
    /// The names of the input's objects.
    names: BTreeSet<&'a str>,
    /// Entries of the config that named an object.
    used: BTreeSet<&'a str>,
    outcome: Outcome,
}

impl Run<'_> {
    fn is_dropped(&mut self, object: &Object) -> bool {
        let config = self.config;
        let entries = config.drop.iter().filter(|entry| config::names(entry, object));
        let listed: Vec<&str> = entries.map(String::as_str).collect();
        self.used.extend(&listed);
        !listed.is_empty()
    }

    fn object(&mut self, object: &Object, cluster_scoped: bool) {
        let smaller = self.config.shrink.as_ref();
        if cluster_scoped {
            if !self.policy.apply(object, &mut self.outcome) {
                return;
            }
        } else if smaller.is_some_and(|shrink| !shrink::apply(object, shrink, &mut self.outcome)) {
            return;
        } else if Namespaces::is_system(&object.namespace) {
            let at = Location { object: object.key, pointer: "/metadata/namespace".to_owned() };
            let told = "this stands in a namespace of the cluster's own, where a review has no place; list the object under `drop`";
            self.outcome.error("system-namespace", told, Some(at));
            return;
        } else if !review_class::keeps(object, self.config, &self.certificates) {
            self.outcome.drop_object(object.key);
            return;
        } else {
            self.outcome.set(object.key, "/metadata/namespace", self.rewriter.namespaces.target);
        }
        secret::check(object, &mut self.outcome);
        hostless::check(object, &self.gateways, &mut self.outcome);
        typed::check(object, self.rewriter.hosts, self.rewriter.namespaces, &mut self.outcome);
        self.strings(object);
        self.policy.follow(object, &mut self.outcome);
        let rewriter = &self.rewriter;
        certificate::common_name(object, |text| rewriter.rewrite(text), &mut self.outcome);
        clash::apply(object, self.config, &mut self.outcome);
        review_class::apply(object, self.config, &self.certificates, &mut self.outcome);
        checksum::apply(object, &self.checksum, &mut self.outcome);
        let seed = self.config.seed.iter().find(|name| object.is("batch", "Job") && **name == object.name);
        if let Some(name) = seed {
            self.used.insert(name);
            seed::apply(object, &mut self.outcome);
        }
        bookkeeping::remove(object, &mut self.outcome);
    }

    fn strings(&mut self, object: &Object) {
        let secret = object.is("", "Secret");
        let data = secret || object.is("", "ConfigMap");
        let (rewriter, outcome) = (&self.rewriter, &mut self.outcome);
        let mut changed = false;
        let leave = self.config.leave.iter().filter_map(|entry| entry.split_once(' '));
        let leave: Vec<&str> =
            leave.filter(|(named, _)| config::names(named, object)).map(|(_, pointer)| pointer).collect();
        walk::strings(object, &self.names, &mut |leaf: Leaf<'_>| {
            if bookkeeping::is_of(leaf.pointer) || leave.contains(&leaf.pointer) {
                return;
            }
            if secret::is_encrypted(leaf.text) && object.value["sops"].is_null() {
                let at = Location { object: object.key, pointer: leaf.pointer.to_owned() };
                outcome.error("sops", "this value is encrypted; decrypt it before", Some(at));
            }
            if let Some(new) = rewritten(&leaf, secret, rewriter, &self.names) {
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

    fn tell_unused(&mut self, objects: &[Object]) {
        let mut tell = |field: &str, entry: &str| {
            self.outcome.warning(
                "unused",
                format!("`{field}` names `{entry}`, which is not in the input"),
                None,
            );
        };
        for (field, entries) in [("drop", &self.config.drop), ("seed", &self.config.seed)] {
            entries
                .iter()
                .filter(|entry| !self.used.contains(entry.as_str()))
                .for_each(|entry| tell(field, entry));
        }
        let there = |kind: &str, name: &str| {
            objects.iter().any(|object| object.kind == kind && object.name.starts_with(name))
        };
        for entry in self.config.shared_cluster_roles.iter().filter(|name| !there("ClusterRole", name)) {
            tell("sharedClusterRoles", entry);
        }
        for entry in
            self.config.cluster_role_bindings.iter().filter(|name| !there("ClusterRoleBinding", name))
        {
            tell("clusterRoleBindings", entry);
        }
    }
}

/// The names of the input's objects, and of the Secrets that its certificates come to stand in.
fn names(objects: &[Object]) -> BTreeSet<&str> {
    let certificates = objects.iter().filter(|object| object.is("cert-manager.io", "Certificate"));
    let secrets = certificates.filter_map(|object| object.value["spec"]["secretName"].as_str());
    objects.iter().map(|object| object.name.as_str()).chain(secrets).filter(|name| !name.is_empty()).collect()
}

/// The string as it is called in the review; `None` where it stays.
fn rewritten(
    leaf: &Leaf<'_>,
    secret: bool,
    rewriter: &Rewriter<'_>,
    names: &BTreeSet<&str>,
) -> Option<String> {
    let Leaf { text, pointer, role, .. } = *leaf;
    if secret && pointer.starts_with("/data/") {
        return secret::data(pointer, text, role, rewriter);
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
    if role == Role::Qualified && text.split_once('/').is_some_and(|(_, name)| names.contains(name)) {
        return namespaces.follow_qualified(text);
    }
    let new = rewriter.followed(text);
    let now = new.as_deref().unwrap_or(text);
    let qualified = if role == Role::Qualified { namespaces.follow_qualified(now) } else { None };
    qualified.or(new)
}
