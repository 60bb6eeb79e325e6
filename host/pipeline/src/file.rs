//! The pipeline file, `lathe.yaml`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lathe_aai::IssuerSpec;
use lathe_manifest::Value;
use lathe_runtime::Limits;
use lathe_secrets::provider::ProviderSpec;
use lathe_secrets::{MappedSecret, Mapping};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::environment::is_label_value;
use crate::problem::Problem;
use crate::scope::{Grant, WriteRule};
use crate::selector::{Selector, Selectors};
use crate::territory::to_ascii;
use crate::typed;

/// The version of the files this Lathe reads and writes.
pub(crate) const API_VERSION: &str = "lathe.dev/v1alpha1";

/// The plugin that opens references.
pub(crate) const SECRETS: &str = "builtin:secrets";

/// What happens to which manifests in which environment.
#[derive(Clone, Debug, JsonSchema, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pipeline {
    /// `lathe.dev/v1alpha1`.
    pub api_version: String,
    /// `Pipeline`.
    pub kind: String,
    /// Name and project.
    pub metadata: Metadata,
    /// Files and folders of manifests, relative to the pipeline's folder.
    #[serde(default)]
    pub inputs: Vec<String>,
    /// The environments, by name.
    #[serde(default)]
    pub environments: BTreeMap<String, EnvironmentSpec>,
    /// Where secrets come from.
    #[serde(default)]
    pub secrets: SecretsSpec,
    /// Where login clients are registered.
    #[serde(default)]
    pub aai: AaiSpec,
    /// What is done, in order.
    #[serde(default)]
    pub transforms: Vec<TransformSpec>,
    /// Hosts that may stay where they are, each with its reason.
    #[serde(default)]
    pub acknowledge: Vec<Acknowledge>,
}

/// Name and project of a pipeline.
#[derive(Clone, Debug, JsonSchema, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// The pipeline's name.
    pub name: String,
    /// The project, part of every environment's identity; default is the name.
    #[serde(default)]
    pub project: Option<String>,
}

/// One environment.
#[derive(Clone, Debug, JsonSchema, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentSpec {
    /// Whether it is a class of review environments, one per `--review ID`.
    #[serde(default)]
    pub review: bool,
    /// Its namespace; `{slug}` stands for the review's slug.
    pub namespace: String,
    /// Inputs that take the place of the pipeline's.
    #[serde(default)]
    pub inputs: Option<Vec<String>>,
    /// The namespace that holds its leases and other state; `lathe-system` where it is left out. Reviews and production do not share
    /// one.
    #[serde(default, rename = "opsNamespace")]
    pub ops_namespace: Option<String>,
    /// Whether its namespace is made by somebody else, and neither created, changed nor deleted here: for those who may not.
    #[serde(default, rename = "namespaceGiven")]
    pub namespace_given: bool,
    /// How long it may stay after its last apply, such as `14d`: `gc` takes it down then.
    #[serde(default)]
    pub expires: Option<String>,
    /// The only clusters that it goes to, by the uid of their namespace `kube-system`; any where it is left out.
    #[serde(default)]
    pub clusters: Option<BTreeSet<String>>,
    /// What references stand for here: others, or values that are generated. A review opens none that is not mapped.
    #[serde(default)]
    pub secrets: Vec<MappedSecret>,
    /// Slots of hosts that were registered before, as where a login takes no new ones: a review leases one, and its hosts are
    /// `KEY-SLOT` in place of `KEY-{slug}`.
    #[serde(default)]
    pub pool: Option<Vec<String>>,
}

/// Where secrets come from.
#[derive(Clone, Debug, Default, JsonSchema, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SecretsSpec {
    /// Provider instances, by name.
    pub providers: BTreeMap<String, ProviderSpec>,
    /// Fields where secrets may stand beside the values of Secrets, as `Kind.group /pointer` with `*` for one segment and `**` for
    /// all below. What an object is called is never one.
    pub sinks: Vec<WriteRule>,
}

impl SecretsSpec {
    /// What the secrets plugin is told, as JSON.
    pub(crate) fn config(&self) -> String {
        let sinks: Vec<String> = self.sinks.iter().map(ToString::to_string).collect();
        serde_json::json!({ "sinks": sinks }).to_string()
    }
}

/// Where login clients are registered.
#[derive(Clone, Debug, Default, JsonSchema, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AaiSpec {
    /// Identity providers, by the name that clients call them by.
    pub issuers: BTreeMap<String, IssuerSpec>,
}

/// One transform.
#[derive(Clone, Debug, JsonSchema, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransformSpec {
    /// `builtin:NAME`, `path:FILE` relative to the pipeline's folder, or `oci:REGISTRY/REPOSITORY:TAG` (or `@sha256:…`).
    pub plugin: String,
    /// The environments it runs in; all where it is left out.
    #[serde(default)]
    pub environments: Option<Vec<String>>,
    /// The objects it sees; all where it is left out.
    #[serde(default, rename = "match", deserialize_with = "selectors")]
    #[schemars(with = "Option<Selectors>")]
    pub selectors: Option<Vec<Selector>>,
    /// Where it may write, as `Kind.group /pointer` with `*` for one segment and `**` for all below. A plugin that is not
    /// built in writes nowhere else.
    #[serde(default)]
    pub writes: Vec<WriteRule>,
    /// What it may do that `writes` cannot allow.
    #[serde(default)]
    pub grants: Vec<Grant>,
    /// The plugin's own settings.
    #[serde(default = "no_config")]
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub config: Value,
    /// Secrets of the input, as `namespace/name` (or `name` where they name none), whose plain values it sees.
    #[serde(default)]
    pub reveal: BTreeSet<String>,
    /// What one call may use, where it is not the default.
    #[serde(default)]
    pub limits: Option<Limits>,
}

/// A host that may stay where it is.
#[derive(Clone, Debug, JsonSchema, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledge {
    /// `Kind/name`, or `Kind/namespace/name` as rendered.
    pub object: String,
    /// JSON pointer of the field; the empty one is the whole object.
    pub pointer: String,
    /// The one host, namespace or Service that may stand there; any where it is left out.
    #[serde(default)]
    pub host: Option<String>,
    /// Why.
    pub reason: String,
}

impl Acknowledge {
    /// Whether it is about the object that is called so: `Kind/namespace/name`, or `Kind/name` alone.
    pub(crate) fn names(&self, label: &str) -> bool {
        let short = || {
            let (kind, rest) = label.split_once('/')?;
            Some((kind, rest.rsplit_once('/').map_or(rest, |(_, name)| name)))
        };
        self.object == label || self.object.split_once('/') == short()
    }

    /// Whether it explains that the host stands there.
    pub(crate) fn explains(&self, label: &str, pointer: &str, host: &str) -> bool {
        let named = |name: &String| to_ascii(&name.to_lowercase()) == to_ascii(host);
        self.pointer == pointer && self.host.as_ref().is_none_or(named) && self.names(label)
    }
}

/// A time as `14d`, `12h`, `30m` or `45s` says it; `None` where the text says none, or more than a thousand years.
pub fn age(text: &str) -> Option<Duration> {
    let split = text.len().checked_sub(1).filter(|at| text.is_char_boundary(*at))?;
    let (number, unit) = text.split_at(split);
    let seconds = match unit {
        "d" => 86_400,
        "h" => 3_600,
        "m" => 60,
        "s" => 1,
        _ => return None,
    };
    let number: u64 = number.parse().ok().filter(|number| *number > 0)?;
    number.checked_mul(seconds).filter(|all| *all < 1000 * 365 * 86_400).map(Duration::from_secs)
}

fn no_config() -> Value {
    Value::Object(lathe_manifest::Map::new())
}

fn selectors<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Selector>>, D::Error> {
    Ok(Some(Selectors::deserialize(deserializer)?.into()))
}

impl Pipeline {
    /// Reads a pipeline file. `name` is how messages call it.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self, Vec<Problem>> {
        let problems =
            |list: Vec<String>| list.into_iter().map(|line| Problem::new("pipeline", line)).collect();
        let pipeline: Self = typed::parse(name, bytes).map_err(problems)?;
        let wrong = pipeline.check();
        if wrong.is_empty() {
            Ok(pipeline)
        } else {
            Err(problems(wrong.into_iter().map(|line| format!("{name}: {line}")).collect()))
        }
    }

    /// The project, part of every environment's identity.
    pub fn project(&self) -> &str {
        self.metadata.project.as_deref().unwrap_or(&self.metadata.name)
    }

    /// The name of the one environment that is a class of reviews; `None` where there are several, or none.
    pub fn only_review(&self) -> Option<&str> {
        let mut reviews = self.environments.iter().filter(|(_, spec)| spec.review);
        let (name, _) = reviews.next()?;
        reviews.next().is_none().then_some(name.as_str())
    }

    /// The transforms that run in an environment, with their place in the file.
    pub fn transforms_in<'a>(
        &'a self,
        environment: &'a str,
    ) -> impl Iterator<Item = (usize, &'a TransformSpec)> {
        self.transforms.iter().enumerate().filter(move |(_, transform)| {
            transform.environments.as_ref().is_none_or(|list| list.iter().any(|name| name == environment))
        })
    }

    /// What references stand for in an environment; it has been checked.
    pub(crate) fn mapping(&self, environment: &str) -> Mapping {
        let spec = self.environments.get(environment);
        let mapping = spec.map(|spec| Mapping::new(&spec.secrets, spec.review));
        mapping.and_then(Result::ok).unwrap_or_default()
    }

    fn check(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.api_version != API_VERSION || self.kind != "Pipeline" {
            wrong.push(format!(
                "this is {} {}, and {API_VERSION} Pipeline is expected",
                self.api_version, self.kind
            ));
        }
        let own = [self.project(), &self.metadata.name].into_iter();
        let names: BTreeSet<&str> = own.chain(self.environments.keys().map(String::as_str)).collect();
        for name in names {
            if !is_label_value(name) {
                wrong.push(format!(
                    "`{name}` names a project or environment and is no label value (63 of A-Z a-z 0-9 - _ .)"
                ));
            }
        }
        for (index, transform) in self.transforms.iter().enumerate() {
            for name in transform.environments.iter().flatten() {
                if !self.environments.contains_key(name) {
                    wrong.push(format!("transforms[{index}].environments: there is no environment `{name}`"));
                }
            }
            if transform.plugin.starts_with("builtin:") && !transform.grants.is_empty() {
                wrong.push(format!("transforms[{index}].grants: a built-in plugin has all of them"));
            }
            let known =
                ["builtin:", "path:", "oci:"].iter().any(|scheme| transform.plugin.starts_with(scheme));
            if !known {
                let plugin = &transform.plugin;
                wrong.push(format!(
                    "transforms[{index}].plugin: `{plugin}` is none of `builtin:NAME`, `path:FILE`, `oci:REFERENCE`"
                ));
            }
        }
        let mut slots: BTreeMap<&String, &String> = BTreeMap::new();
        for (name, environment) in &self.environments {
            for slot in environment.pool.iter().flatten() {
                if let Some(other) = slots.insert(slot, name).filter(|other| *other != name) {
                    wrong.push(format!("environments.{name}.pool: `{slot}` is a slot of `{other}` as well"));
                }
            }
            let pool = environment.pool.as_ref();
            let distinct: Option<BTreeSet<&String>> = pool.map(|pool| pool.iter().collect());
            if !environment.review && pool.is_some() {
                wrong.push(format!("environments.{name}.pool: only a review has a pool"));
            } else if distinct
                .is_some_and(|distinct| distinct.is_empty() || distinct.len() != pool.map_or(0, Vec::len))
            {
                wrong.push(format!("environments.{name}.pool: a pool has one slot or more, each once"));
            }
        }
        for (name, environment) in &self.environments {
            if let Some(text) = environment.expires.as_deref().filter(|text| age(text).is_none()) {
                wrong.push(format!("environments.{name}.expires: `{text}` is no time such as 14d or 12h"));
            }
            let told = Mapping::new(&environment.secrets, environment.review).err().unwrap_or_default();
            wrong.extend(told.into_iter().map(|told| format!("environments.{name}.secrets{told}")));
        }
        for (name, environment) in
            self.environments.iter().filter(|(_, own)| own.review && own.namespace_given)
        {
            let is_same = |(other, spec): &(&String, &EnvironmentSpec)| {
                *other != name && spec.namespace == environment.namespace
            };
            if let Some((other, _)) = self.environments.iter().find(is_same) {
                wrong.push(format!("environments.{name}.namespace: it is that of `{other}` as well"));
            }
        }
        for environment in self.environments.keys() {
            let late =
                self.transforms_in(environment).skip(1).find(|(_, transform)| transform.plugin == SECRETS);
            if let Some((index, _)) = late {
                wrong.push(format!(
                    "transforms[{index}].plugin: {SECRETS} comes first in `{environment}`, before plugins that see its tokens"
                ));
            }
        }
        for (name, issuer) in &self.aai.issuers {
            wrong.extend(issuer.check().into_iter().map(|told| format!("aai.issuers.{name}{told}")));
        }
        for (index, entry) in self.acknowledge.iter().enumerate() {
            if lathe_manifest::Pointer::parse(&entry.pointer).is_err() {
                wrong.push(format!("acknowledge[{index}].pointer: `{}` is no JSON pointer", entry.pointer));
            }
            if entry.reason.trim().is_empty() {
                wrong.push(format!("acknowledge[{index}].reason: a reason is needed"));
            }
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> Vec<String> {
        let head = "apiVersion: lathe.dev/v1alpha1\nkind: Pipeline\nmetadata: {name: x}\n";
        let problems = Pipeline::parse("lathe.yaml", format!("{head}{text}").as_bytes()).unwrap_err();
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        assert_eq!(
            wrong("transform: []\n"),
            [
                "lathe.yaml: transform: unknown field `transform`, expected one of `apiVersion`, `kind`, `metadata`, `inputs`, `environments`, `secrets`, `aai`, `transforms`, `acknowledge`"
            ]
        );
        assert_eq!(
            wrong("inputs: []\ninputs: []\n"),
            [
                "lathe.yaml:5:1: document 1: Pipeline: the key `inputs` stands here again; it stood on line 4 first\n5 | inputs: []\n  | ^"
            ]
        );
        let told = wrong(
            "environments: {a: {namespace: a}}\ntransforms:\n- plugin: git:x\n  environments: [prd]\n- plugin: path:x\n- plugin: builtin:secrets\n",
        );
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(
            wrong("environments: {a: {namespace: b, review: x}}\n")[0]
                .starts_with("lathe.yaml: environments.a.review: ")
        );
    }

    #[test]
    fn ages_have_a_unit() {
        assert_eq!(age("14d"), Some(Duration::from_hours(14 * 24)));
        assert_eq!(age("90s"), Some(Duration::from_secs(90)));
        for text in ["", "d", "5", "0d", "-1d", "1.5h", "1w", "99999999999999999999d", "9999999999d", "5µ"] {
            assert_eq!(age(text), None, "{text}");
        }
        let told = wrong("environments: {a: {namespace: a, expires: soon}}\n");
        assert_eq!(told, ["lathe.yaml: environments.a.expires: `soon` is no time such as 14d or 12h"]);
    }

    #[test]
    fn a_match_is_one_selector_or_several() {
        let text = "apiVersion: lathe.dev/v1alpha1\nkind: Pipeline\nmetadata: {name: x}\ntransforms:\n- plugin: path:a\n  match: {kind: Secret}\n- plugin: path:b\n  match: [{group: apps}, {labels: {a: b}}]\n";
        let pipeline = Pipeline::parse("x", text.as_bytes()).unwrap();
        let counts: Vec<_> =
            pipeline.transforms.iter().map(|t| t.selectors.as_ref().unwrap().len()).collect();
        assert_eq!(counts, [1, 2]);
    }
}
