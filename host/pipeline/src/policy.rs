//! An operator's policy: what no pipeline and no lock may go beyond.
//!
//! Pipeline and lock lie in the repository that a merge request changes, so they are no wall against its author. The policy
//! comes from outside of it, and wins.

use std::collections::BTreeSet;

use lathe_runtime::Limits;
use lathe_secrets::provider::Bounds;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::file::API_VERSION;
use crate::plugin::{Plugins, Prepared};
use crate::problem::Problem;
use crate::scope::Grant;
use crate::typed;

/// The policy file.
#[derive(Clone, Debug, JsonSchema, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
    /// `lathe.dev/v1alpha1`.
    pub api_version: String,
    /// `Policy`.
    pub kind: String,
    /// What plugins may be.
    #[serde(default)]
    pub plugins: PluginPolicy,
    /// What secrets may be read.
    #[serde(default)]
    pub secrets: Bounds,
    /// The only issuers that login clients are registered with, as their tokens name them; any where it is left out.
    #[serde(default, deserialize_with = "given")]
    pub issuers: Option<BTreeSet<String>>,
    /// The only clusters that anything is changed on, by the uid of their namespace `kube-system`; any where it is left out.
    #[serde(default, deserialize_with = "given")]
    pub clusters: Option<BTreeSet<String>>,
}

/// What plugins may be and do. What is left out is not restricted.
#[derive(Clone, Debug, Default, JsonSchema, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PluginPolicy {
    /// The only plugins that may run: `builtin:NAME`, `builtin:*`, or the `sha256:…` of a plugin's bytes.
    #[serde(deserialize_with = "given")]
    pub allow: Option<BTreeSet<String>>,
    /// The only rights that a plugin may import: `logging`, `oidc-clients`, `secrets`.
    #[serde(deserialize_with = "given")]
    pub rights: Option<BTreeSet<Right>>,
    /// The only grants that a pipeline may give. Built-in plugins have all of them.
    #[serde(deserialize_with = "given")]
    pub grants: Option<BTreeSet<Grant>>,
    /// The only Secrets of an input, as `namespace/name`, that a plugin may be let see into, built in or not.
    #[serde(deserialize_with = "given")]
    pub reveal: Option<BTreeSet<String>>,
    /// The most that one call may use.
    #[serde(deserialize_with = "given")]
    pub limits: Option<MostLimits>,
}

/// A right that a plugin asks for by an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Right {
    /// Diagnostics.
    Logging,
    /// Login clients.
    OidcClients,
    /// Tokens for secrets.
    Secrets,
}

impl Right {
    fn name(self) -> &'static str {
        match self {
            Self::Logging => "logging",
            Self::OidcClients => "oidc-clients",
            Self::Secrets => "secrets",
        }
    }
}

/// Upper bounds; what is left out is not bounded.
#[derive(Clone, Debug, Default, JsonSchema, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct MostLimits {
    /// WebAssembly instructions, roughly.
    #[serde(deserialize_with = "given")]
    pub fuel: Option<u64>,
    /// Wall-clock milliseconds.
    #[serde(deserialize_with = "given")]
    pub deadline_ms: Option<u64>,
    /// Wall-clock milliseconds for compiling.
    #[serde(deserialize_with = "given")]
    pub compile_ms: Option<u64>,
    /// Bytes of memory.
    #[serde(deserialize_with = "given")]
    pub memory_bytes: Option<u64>,
    /// Elements of one table.
    #[serde(deserialize_with = "given")]
    pub table_elements: Option<u64>,
    /// Bytes handed to the host.
    #[serde(deserialize_with = "given")]
    pub output_bytes: Option<u64>,
    /// Calls of host functions.
    #[serde(deserialize_with = "given")]
    pub host_calls: Option<u64>,
    /// Bytes of log.
    #[serde(deserialize_with = "given")]
    pub log_bytes: Option<u64>,
}

/// A bound that is there; one that was left empty must not pass for none.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl Policy {
    /// Reads a policy file.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self, Vec<Problem>> {
        let problems =
            |list: Vec<String>| list.into_iter().map(|line| Problem::new("policy", line)).collect();
        let policy: Self = typed::parse(name, bytes).map_err(problems)?;
        let Self { api_version, kind, .. } = &policy;
        if api_version != API_VERSION || kind != "Policy" {
            let told = format!("{name}: this is {api_version} {kind}, and {API_VERSION} Policy is expected");
            return Err(problems(vec![told]));
        }
        let known = |entry: &&String| !entry.starts_with("builtin:") && !entry.starts_with("sha256:");
        let unknown = policy.plugins.allow.iter().flatten().filter(known);
        let wrong: Vec<String> = unknown
            .map(|entry| format!("{name}: plugins.allow: `{entry}` is neither `builtin:NAME` nor `sha256:…`"))
            .collect();
        if wrong.is_empty() { Ok(policy) } else { Err(problems(wrong)) }
    }

    /// What of the plugins goes beyond the policy.
    pub fn judge(&self, plugins: &Plugins) -> Vec<Problem> {
        plugins.iter().flat_map(|(name, prepared)| self.one(name, prepared)).collect()
    }

    fn one(&self, name: &str, prepared: &Prepared) -> Vec<Problem> {
        let Prepared { plugin, builtin, limits, grants, reveal, .. } = prepared;
        let PluginPolicy { allow, rights, grants: allowed, reveal: open, limits: most } = &self.plugins;
        let mut told = Vec::new();
        let named = |allow: &BTreeSet<String>| match builtin {
            Some(_) => allow.contains(name) || allow.contains("builtin:*"),
            None => allow.contains(&plugin.digest),
        };
        if allow.as_ref().is_some_and(|allow| !named(allow)) {
            told.push(format!("the policy does not allow this plugin ({})", plugin.digest));
        }
        if let Some(rights) = rights {
            let beyond =
                plugin.rights().into_iter().filter(|right| !rights.iter().any(|have| have.name() == *right));
            told.extend(beyond.map(|right| format!("the policy does not allow the right `{right}`")));
        }
        if let Some(allowed) = allowed {
            let beyond = grants.difference(allowed);
            told.extend(
                beyond.map(|grant| format!("the policy does not allow the grant `{}`", grant.name())),
            );
        }
        if let Some(open) = open {
            let beyond = reveal.difference(open);
            told.extend(
                beyond.map(|name| format!("the policy does not let it see into the Secret `{name}`")),
            );
        }
        if let Some(most) = most {
            told.extend(most.exceeded(limits));
        }
        told.into_iter().map(|line| Problem::new("policy", line).by(name)).collect()
    }
}

impl MostLimits {
    fn exceeded(&self, limits: &Limits) -> Vec<String> {
        let pairs = [
            ("fuel", self.fuel, limits.fuel),
            ("deadlineMs", self.deadline_ms, limits.deadline_ms),
            ("compileMs", self.compile_ms, limits.compile_ms),
            ("memoryBytes", self.memory_bytes, limits.memory_bytes),
            ("tableElements", self.table_elements, limits.table_elements),
            ("outputBytes", self.output_bytes, limits.output_bytes),
            ("hostCalls", self.host_calls, limits.host_calls),
            ("logBytes", self.log_bytes, limits.log_bytes),
        ];
        let beyond = pairs
            .into_iter()
            .filter_map(|(name, most, has)| Some((name, most.filter(|most| has > *most)?, has)));
        beyond
            .map(|(name, most, has)| format!("the policy allows `{name}` up to {most}, and it has {has}"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Policy, Vec<Problem>> {
        let head = "apiVersion: lathe.dev/v1alpha1\nkind: Policy\n";
        Policy::parse("policy.yaml", format!("{head}{text}").as_bytes())
    }

    #[test]
    fn mistakes_are_told() {
        assert!(parse("").is_ok());
        assert!(
            parse("plugins: {rights: [], allow: ['builtin:*'], grants: [images], limits: {fuel: 1}}\n")
                .is_ok()
        );
        for text in [
            "plugin: {}\n",
            "plugins: {rights: [root]}\n",
            "plugins: {allow: [secrets]}\n",
            "plugins: {grants: [all]}\n",
            "plugins: {limits: {cpu: 1}}\n",
            "plugins: {grants: }\n",
            "plugins: {limits: {fuel: }}\n",
        ] {
            let told = parse(text).unwrap_err();
            assert!(told[0].to_string().starts_with("policy.yaml: "), "{}", told[0]);
        }
    }

    #[test]
    fn limits_are_bounded_from_above() {
        let most = MostLimits { fuel: Some(5), ..MostLimits::default() };
        assert!(most.exceeded(&Limits { fuel: 5, ..Limits::default() }).is_empty());
        assert_eq!(
            most.exceeded(&Limits { fuel: 6, ..Limits::default() }),
            ["the policy allows `fuel` up to 5, and it has 6"]
        );
    }
}
