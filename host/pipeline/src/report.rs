//! What a run did, as JSON: for merge requests, tests and audits. Holds no secret's value.

use std::collections::BTreeMap;

use lathe_aai::Declared;
use lathe_manifest::Object;
use schemars::JsonSchema;
use serde::Serialize;

use crate::environment::Environment;
use crate::file::API_VERSION;
use crate::lock::OUTPUT;
use crate::problem::Problem;

/// The report of one run. Lists are sorted, so that the same run gives the same bytes.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// `lathe.dev/v1alpha1`.
    pub api_version: &'static str,
    /// `Report`.
    pub kind: &'static str,
    /// The output version of the Lathe that ran; the lock names it too.
    pub output: u32,
    /// The environment.
    pub environment: Environment,
    /// The transforms that ran, in order.
    pub plugins: Vec<PluginRun>,
    /// The objects that plugins changed, in canonical order.
    pub changes: Vec<Changed>,
    /// What the plugins found, short of problems.
    pub findings: Vec<Finding>,
    /// Login clients that were declared.
    pub clients: Vec<Declared>,
    /// Places where a production host or owned zone stands, and why it may.
    pub closure: Vec<Hit>,
    /// Objects that have only a prefix for a name: they can be created, and a server-side apply leaves them out.
    pub create_only: Vec<String>,
    /// References to secrets, by place.
    pub secrets: Vec<SecretPlace>,
    /// What the user should look at.
    pub warnings: Vec<String>,
    /// What keeps the run from its output; empty where all is well.
    pub problems: Vec<Problem>,
}

/// One object that plugins changed.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Changed {
    /// API group, empty for the core group.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Namespace as rendered, empty where there is none.
    pub namespace: String,
    /// Name, empty where there is only a prefix for one.
    pub name: String,
    /// Field → plugins that wrote it, in order; the empty field is the object as a whole.
    pub fields: BTreeMap<String, Vec<String>>,
}

impl Changed {
    pub(crate) fn new(object: &Object, fields: BTreeMap<String, Vec<String>>) -> Self {
        Self {
            group: object.group().to_owned(),
            kind: object.kind().to_owned(),
            namespace: object.namespace().to_owned(),
            name: object.name().to_owned(),
            fields,
        }
    }
}

/// Something that a plugin found and that does not refuse the run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema, Serialize)]
pub struct Finding {
    /// `warning` or `info`.
    pub severity: &'static str,
    /// What and where.
    #[serde(flatten)]
    pub problem: Problem,
}

/// One transform that ran.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct PluginRun {
    /// As the pipeline names it.
    pub plugin: String,
    /// The sha256 of its bytes.
    pub digest: String,
    /// The fuel it used.
    pub fuel: u64,
    /// How many objects it was given.
    pub objects: usize,
    /// How many leaves it changed.
    pub changes: usize,
}

/// One place where a production host or owned zone stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema, Serialize)]
pub struct Hit {
    /// The object.
    pub object: String,
    /// The field.
    pub pointer: String,
    /// What stands there: `host`, `namespace`, `service`, `reference`, or `renders-later` and `acts-outside` for the object as a whole.
    pub kind: &'static str,
    /// The host, namespace or Service in lower case; of a Secret's value only the zone or namespace.
    pub host: String,
    /// The host of production that a review's host stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// Whether it stands in a value of a Secret.
    pub secret: bool,
    /// `rewritten`, `kept`, `protected`, `acknowledged` or `leftover`.
    pub class: &'static str,
    /// The reason of an acknowledgement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// One reference to a secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema, Serialize)]
pub struct SecretPlace {
    /// The object.
    pub object: String,
    /// The field.
    pub pointer: String,
    /// The reference, as written.
    pub reference: String,
    /// What it asks for: the path and key of a store, or scheme and path.
    pub address: String,
}

impl Report {
    pub(crate) fn new(environment: &Environment) -> Self {
        Self {
            api_version: API_VERSION,
            kind: "Report",
            output: OUTPUT,
            environment: environment.clone(),
            plugins: Vec::new(),
            changes: Vec::new(),
            findings: Vec::new(),
            clients: Vec::new(),
            closure: Vec::new(),
            create_only: Vec::new(),
            secrets: Vec::new(),
            warnings: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// The report's text.
    pub fn to_json(&self) -> String {
        // Plain data always serializes.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }
}
