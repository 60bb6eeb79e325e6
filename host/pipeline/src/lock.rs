//! The lock file, `lathe.lock`: which plugins, by digest, may take part with which rights and limits.
//!
//! The pipeline says what is wanted, a plugin's import section what it asks for; the lock says what was agreed to. A
//! built-in plugin is pinned by the digest of its sources, because compilers on different machines may give different
//! bytes for it; every other plugin by the digest of its bytes.

use std::collections::{BTreeMap, BTreeSet};

use lathe_manifest::digest;
use lathe_runtime::Limits;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::file::API_VERSION;
use crate::plugin::{Plugins, Prepared};
use crate::problem::Problem;
use crate::scope::{Grant, WriteRule};
use crate::typed;

/// The version of the output: a Lathe that would write other bytes for the same input has another.
pub(crate) const OUTPUT: u32 = 1;

/// The lock file.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lock {
    /// `lathe.dev/v1alpha1`.
    pub api_version: String,
    /// `Lock`.
    pub kind: String,
    /// The output version that was agreed to.
    pub output: u32,
    /// The plugins, by the name that the pipeline gives them.
    pub plugins: BTreeMap<String, Locked>,
}

/// One plugin that was agreed to.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Locked {
    /// Of a plugin's bytes, or of a built-in plugin's sources.
    pub digest: String,
    /// The manifest that an `oci:` plugin's tag led to when the lock was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
    /// A built-in plugin's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The contract it was written for.
    pub world: String,
    /// All that it imports.
    pub imports: Vec<String>,
    /// The rights it was given: `logging`, `oidc-clients`, `secrets`.
    pub rights: Vec<String>,
    /// Where it may write.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub writes: BTreeSet<WriteRule>,
    /// What it may do besides.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub grants: BTreeSet<Grant>,
    /// The Secrets of the input that it may see into.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub reveal: BTreeSet<String>,
    /// What one call may use.
    pub limits: Limits,
}

impl Lock {
    /// Reads a lock file.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self, Vec<Problem>> {
        let problems = |list: Vec<String>| list.into_iter().map(|line| Problem::new("lock", line)).collect();
        let lock: Self = typed::parse(name, bytes).map_err(problems)?;
        if lock.api_version != API_VERSION || lock.kind != "Lock" {
            let told = format!(
                "{name}: this is {} {}, and {API_VERSION} Lock is expected",
                lock.api_version, lock.kind
            );
            return Err(problems(vec![told]));
        }
        Ok(lock)
    }

    /// The lock that grants these plugins what they ask for.
    pub fn of(plugins: &Plugins) -> Self {
        let plugins =
            plugins.iter().map(|(name, prepared)| (name.to_owned(), Locked::of(prepared))).collect();
        Self { api_version: API_VERSION.to_owned(), kind: "Lock".to_owned(), output: OUTPUT, plugins }
    }

    /// The file's text.
    pub fn to_yaml(&self) -> String {
        format!("# Written by `kubectl lathe lock`, which shows what changes.\n{}", typed::to_yaml(self))
    }

    /// What sets this lock apart from the plugins as they are, a line each; empty where it fits.
    pub fn differences(&self, plugins: &Plugins) -> Vec<String> {
        let wanted = Self::of(plugins);
        let mut told = Vec::new();
        if self.output != wanted.output {
            told.push(format!("output: the lock has {}, this Lathe writes {}", self.output, wanted.output));
        }
        for (name, now) in &wanted.plugins {
            match self.plugins.get(name) {
                None => told.push(format!(
                    "{name}: not in the lock; digest {}, rights {}",
                    now.digest,
                    list(&now.rights)
                )),
                Some(locked) => locked.differences(name, now, &mut told),
            }
        }
        for name in self.plugins.keys().filter(|name| !wanted.plugins.contains_key(*name)) {
            told.push(format!("{name}: in the lock, and not in the pipeline any more"));
        }
        told
    }

    /// What the plugins as they are ask for beyond this lock, a line each: rights, grants, writes and limits of plugins that it
    /// has. What a runtime of a language drags in is no right.
    pub fn widened(&self, plugins: &Plugins) -> Vec<String> {
        let wanted = Self::of(plugins);
        let mut told = Vec::new();
        for (name, now) in &wanted.plugins {
            let Some(then) = self.plugins.get(name) else {
                let beyond = Limits::default().at_least(&now.limits) != Limits::default();
                let asks = !now.rights.is_empty() || !now.writes.is_empty() || !now.reveal.is_empty();
                if beyond || asks || !now.grants.is_empty() {
                    told.push(format!("{name}: not in the lock"));
                    let nothing = Locked {
                        rights: Vec::new(),
                        writes: BTreeSet::new(),
                        grants: BTreeSet::new(),
                        reveal: BTreeSet::new(),
                        limits: Limits::default(),
                        ..now.clone()
                    };
                    nothing.differences(name, now, &mut told);
                }
                continue;
            };
            let within = Locked {
                limits: then.limits.at_least(&now.limits),
                digest: now.digest.clone(),
                manifest: now.manifest.clone(),
                version: now.version.clone(),
                imports: now.imports.clone(),
                rights: union(&then.rights, &now.rights),
                writes: then.writes.union(&now.writes).cloned().collect(),
                grants: then.grants.union(&now.grants).copied().collect(),
                reveal: then.reveal.union(&now.reveal).cloned().collect(),
                ..then.clone()
            };
            let agreed = Locked {
                digest: now.digest.clone(),
                manifest: now.manifest.clone(),
                version: now.version.clone(),
                imports: now.imports.clone(),
                ..then.clone()
            };
            agreed.differences(name, &within, &mut told);
        }
        told
    }

    /// Whether only the digests of `path:` plugins differ: what `--update-lock` may write without asking.
    pub fn only_digests_differ(&self, plugins: &Plugins) -> bool {
        let wanted = Self::of(plugins);
        let mut adapted = self.clone();
        for (name, locked) in adapted.plugins.iter_mut().filter(|(name, _)| name.starts_with("path:")) {
            if let Some(now) = wanted.plugins.get(name) {
                locked.digest.clone_from(&now.digest);
                // Asking for less is no reason to ask anybody.
                let within = |now: &[String], then: &[String]| now.iter().all(|item| then.contains(item));
                if within(&now.imports, &locked.imports) && within(&now.rights, &locked.rights) {
                    locked.imports.clone_from(&now.imports);
                    locked.rights.clone_from(&now.rights);
                }
            }
        }
        adapted == wanted
    }

    /// The digest of the lock, part of what tokens derive from.
    pub(crate) fn digest(&self) -> String {
        digest::of_bytes(typed::to_yaml(self).as_bytes())
    }
}

impl Locked {
    fn of(prepared: &Prepared) -> Self {
        let Prepared { plugin, builtin, manifest, limits, writes, grants, reveal } = prepared;
        Self {
            digest: builtin.map_or_else(|| plugin.digest.clone(), |builtin| builtin.source.to_owned()),
            manifest: manifest.clone(),
            version: builtin.map(|builtin| builtin.version.to_owned()),
            world: plugin.tier.world().to_owned(),
            imports: plugin.imports.iter().map(ToString::to_string).collect(),
            rights: plugin.rights().into_iter().map(ToOwned::to_owned).collect(),
            writes: writes.clone(),
            grants: grants.clone(),
            reveal: reveal.clone(),
            limits: limits.clone(),
        }
    }

    fn differences(&self, name: &str, now: &Self, told: &mut Vec<String>) {
        let mut changed = |what: &str, then: &str, now: &str| {
            if then != now {
                told.push(format!("{name}: {what} was {then}, is {now}"));
            }
        };
        let none = || "none".to_owned();
        changed(
            "version",
            &self.version.clone().unwrap_or_else(none),
            &now.version.clone().unwrap_or_else(none),
        );
        changed("digest", &self.digest, &now.digest);
        let manifest = |locked: &Self| locked.manifest.clone().unwrap_or_else(none);
        changed("manifest", &manifest(self), &manifest(now));
        changed("world", &self.world, &now.world);
        for (what, then, now) in
            [("right", &self.rights, &now.rights), ("import", &self.imports, &now.imports)]
        {
            for added in now.iter().filter(|item| !then.contains(item)) {
                told.push(format!("{name}: asks for the {what} {added}, which the lock does not grant"));
            }
            for gone in then.iter().filter(|item| !now.contains(item)) {
                told.push(format!("{name}: does not ask for the {what} {gone} any more"));
            }
        }
        let texts = |locked: &Self| -> [Vec<String>; 3] {
            let grants = locked.grants.iter().map(|grant| grant.name().to_owned()).collect();
            let writes = locked.writes.iter().map(ToString::to_string).collect();
            [grants, writes, locked.reveal.iter().cloned().collect()]
        };
        for (what, (then, now)) in
            ["grant", "write", "reveal"].into_iter().zip(texts(self).into_iter().zip(texts(now)))
        {
            for added in now.iter().filter(|item| !then.contains(item)) {
                told.push(format!("{name}: the pipeline adds the {what} `{added}`"));
            }
            for gone in then.iter().filter(|item| !now.contains(item)) {
                told.push(format!("{name}: the pipeline does not have the {what} `{gone}` any more"));
            }
        }
        if self.limits != now.limits {
            let (then, now) = (typed::to_yaml(&self.limits), typed::to_yaml(&now.limits));
            for (then, now) in then.lines().zip(now.lines()).filter(|(then, now)| then != now) {
                told.push(format!("{name}: limit was {then}, is {now}"));
            }
        }
    }
}

fn union(then: &[String], now: &[String]) -> Vec<String> {
    let all: BTreeSet<&String> = then.iter().chain(now).collect();
    all.into_iter().cloned().collect()
}

fn list(items: &[String]) -> String {
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}
