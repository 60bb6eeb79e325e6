//! Objects outside any namespace: a review must not touch what others share.

use std::collections::BTreeSet;

use lathe_sdk::{Location, Object, Outcome};

use crate::config::Config;

const RBAC: &str = "rbac.authorization.k8s.io";

/// What becomes of cluster-scoped objects in one environment.
pub(crate) struct Policy<'a> {
    config: &'a Config,
    /// What the environment's own names end in.
    suffix: String,
    /// Names of the input's `ClusterRole` objects that become the environment's own.
    roles: BTreeSet<&'a str>,
}

impl<'a> Policy<'a> {
    /// `slug` ends in the hash of the environment's identity.
    pub(crate) fn new(config: &'a Config, slug: &str, objects: &'a [Object]) -> Self {
        let hash = slug.rsplit('-').next().unwrap_or(slug);
        let suffix = format!("-{hash}");
        let roles = objects.iter().filter(|o| o.is(RBAC, "ClusterRole") && !o.name.ends_with(&suffix));
        // What is left out is the cluster's, and bindings go on naming it.
        let roles = roles.filter(|o| !config.drops(o) && !config.shares_role(&o.name));
        let roles = roles.map(|o| o.name.as_str()).collect();
        Self { config, suffix, roles }
    }

    /// Takes the object out, makes it the environment's own, or refuses it. Tells whether it stays.
    pub(crate) fn apply(&self, object: &Object, outcome: &mut Outcome) -> bool {
        match (object.group(), object.kind.as_str()) {
            (RBAC, "ClusterRole") if self.config.shares_role(&object.name) => {
                outcome.drop_object(object.key);
                false
            }
            (RBAC, "ClusterRole") => {
                refuse_aggregated(object, outcome);
                self.rename(object, outcome);
                true
            }
            (RBAC, "ClusterRoleBinding") if self.binds(&object.name) => {
                self.rename(object, outcome);
                true
            }
            (RBAC, "ClusterRoleBinding") => {
                let told = "a binding for the whole cluster lets the review reach what others have; list its name under `clusterRoleBindings`, or the object under `drop`";
                refuse(object, "", told, outcome);
                true
            }
            ("", "PersistentVolume") => {
                refuse(
                    object,
                    "",
                    "a volume made by hand holds production's data; a review claims its own",
                    outcome,
                );
                true
            }
            (_, kind) => {
                let told = format!(
                    "{kind}/{} is cluster-scoped, and a review must not touch what others share; take it out of the input or list it under `drop`",
                    object.name
                );
                refuse(object, "", &told, outcome);
                true
            }
        }
    }

    /// Lets bindings follow the roles that became the environment's own.
    pub(crate) fn follow(&self, object: &Object, outcome: &mut Outcome) {
        let role = &object.value["roleRef"];
        if object.group() == RBAC
            && role["kind"] == "ClusterRole"
            && let Some(name) = role["name"].as_str().filter(|name| self.roles.contains(name))
        {
            outcome.set(object.key, "/roleRef/name", format!("{name}{}", self.suffix));
        }
    }

    fn binds(&self, name: &str) -> bool {
        let own = name.strip_suffix(&self.suffix).unwrap_or(name);
        self.config.cluster_role_bindings.iter().any(|listed| listed == own)
    }

    fn rename(&self, object: &Object, outcome: &mut Outcome) {
        const LONGEST: usize = 253;
        if object.name.ends_with(&self.suffix) {
            return;
        }
        let name = format!("{}{}", object.name, self.suffix);
        if name.len() > LONGEST {
            refuse(object, "/metadata/name", "the name is too long to become the environment's own", outcome);
        }
        outcome.set(object.key, "/metadata/name", name);
    }
}

fn refuse(object: &Object, pointer: &str, told: &str, outcome: &mut Outcome) {
    let at = Location { object: object.key, pointer: pointer.to_owned() };
    outcome.error("cluster-scoped", told, Some(at));
}

/// Refuses a role that is a part of one that others use, or that is made of others' parts.
fn refuse_aggregated(object: &Object, outcome: &mut Outcome) {
    for (label, _) in object.value["metadata"]["labels"].as_object().into_iter().flatten() {
        if label.rsplit('/').next().is_some_and(|name| name.starts_with("aggregate-to-")) {
            let at = format!("/metadata/labels/{}", lathe_sdk::escape(label));
            let told = "this adds the role to one that the whole cluster uses; take the label away, or list the role under `sharedClusterRoles`";
            refuse(object, &at, told, outcome);
        }
    }
    if !object.value["aggregationRule"].is_null() {
        let told = "this takes the rules of others' roles in; list the role under `sharedClusterRoles`, or under `drop`";
        refuse(object, "/aggregationRule", told, outcome);
    }
}
