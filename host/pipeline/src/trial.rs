//! A plugin tried on objects of its author's choice: what it changes, finds and uses.

use std::collections::{BTreeMap, BTreeSet};

use lathe_manifest::{Map, Object, Pointer, Value, digest, json};
use lathe_runtime::{Limits, Plugin, Runtime};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::environment::Environment;
use crate::file::{AaiSpec, EnvironmentSpec, Metadata, Pipeline, SecretsSpec, TransformSpec};
use crate::lock::Lock;
use crate::output::Output;
use crate::plugin::{Plugins, Prepared};
use crate::problem::Problem;
use crate::provenance::{Provenance, Write};
use crate::render::{Render, Rendered};
use crate::scope::{Grant, WriteRule};
use crate::typed;

/// What a plugin is tried with, beside its objects. The file of it is `case.yaml`.
#[derive(Clone, Debug, JsonSchema, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Case {
    /// The plugin's settings.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub config: Value,
    /// The environment's name.
    pub environment: String,
    /// The environment's namespace.
    pub namespace: String,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            config: Value::Object(Map::new()),
            environment: "test".to_owned(),
            namespace: "test".to_owned(),
        }
    }
}

impl Case {
    /// Reads a case.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self, Vec<Problem>> {
        let problems = |list: Vec<String>| list.into_iter().map(|line| Problem::new("case", line)).collect();
        typed::parse(name, bytes).map_err(problems)
    }
}

/// A plugin to be tried.
pub struct Trial<'a> {
    /// The sandbox.
    pub runtime: &'a Runtime,
    /// The plugin.
    pub plugin: &'a Plugin,
    /// What one call may use.
    pub limits: &'a Limits,
}

impl Trial<'_> {
    /// Runs the plugin on the objects, with leave to write anywhere. `shuffle` gives it the objects in another order; 0 is the
    /// canonical one. One of scope `object` is given `part` objects at once.
    pub fn run(&self, case: &Case, objects: Vec<Object>, shuffle: u64, part: usize) -> Rendered {
        let name = self.plugin.name.clone();
        let everywhere = WriteRule::everywhere();
        let transform = TransformSpec {
            reveal: BTreeSet::new(),
            plugin: name.clone(),
            environments: None,
            selectors: None,
            writes: vec![everywhere.clone()],
            grants: Grant::ALL.to_vec(),
            config: case.config.clone(),
            limits: Some(self.limits.clone()),
        };
        let spec = EnvironmentSpec {
            review: false,
            namespace: case.namespace.clone(),
            inputs: None,
            ops_namespace: None,
            namespace_given: false,
            expires: None,
            clusters: None,
            secrets: Vec::new(),
            pool: None,
        };
        let pipeline = Pipeline {
            api_version: String::new(),
            kind: String::new(),
            metadata: Metadata { name: "test".to_owned(), project: None },
            inputs: Vec::new(),
            environments: BTreeMap::from([(case.environment.clone(), spec)]),
            secrets: SecretsSpec::default(),
            aai: AaiSpec::default(),
            transforms: vec![transform],
            acknowledge: Vec::new(),
        };
        let prepared = Prepared {
            reveal: BTreeSet::new(),
            plugin: self.plugin.clone(),
            builtin: None,
            manifest: None,
            limits: self.limits.clone(),
            writes: [everywhere].into(),
            grants: Grant::ALL.into(),
        };
        let plugins = Plugins(BTreeMap::from([(name, prepared)]));
        let lock = Lock::of(&plugins);
        let environment = Environment {
            name: case.environment.clone(),
            project: "test".to_owned(),
            namespace: case.namespace.clone(),
            review: None,
            hosts: BTreeMap::new(),
            territory: None,
        };
        let render = Render {
            runtime: self.runtime,
            pipeline: &pipeline,
            environment: &environment,
            plugins: &plugins,
            lock: &lock,
            output: Output::References,
            check: true,
            record: false,
            shuffle,
            part,
        };
        render.run(objects)
    }
}

/// Whether a problem of a trial is a plugin's own refusal, or what it found: something that a test may expect. Anything else is a
/// plugin that fails.
pub fn is_refusal(problem: &Problem) -> bool {
    match problem.code.as_str() {
        "plugin" => problem.message.contains(" refuses: "),
        "plugin-fault" | "not-idempotent" | "rounded-number" | "identity" => false,
        _ => true,
    }
}

/// What a plugin changed and found, as `edits.yaml` has it: by object and field, so that it does not matter by which edits it
/// got there. Of values that may be secrets it shows a digest.
pub fn edits(rendered: &Rendered) -> Value {
    let mut edits = Vec::new();
    for (key, object) in rendered.objects.iter().chain(&rendered.dropped) {
        edits.extend(fields(&rendered.provenance, *key, object));
    }
    let findings = rendered.report.findings.iter().map(|finding| {
        let problem = &finding.problem;
        let text = |text: &str| Value::from(text);
        let mut entries = vec![
            ("code", text(&problem.code)),
            ("message", text(&problem.message)),
            ("severity", text(finding.severity)),
        ];
        if !problem.object.is_empty() {
            entries.push(("object", text(&problem.object)));
            entries.push(("pointer", text(&problem.pointer)));
        }
        map(entries)
    });
    map(vec![("edits", Value::Array(edits)), ("findings", Value::Array(findings.collect()))])
}

fn fields(provenance: &Provenance, key: u32, object: &Object) -> Vec<Value> {
    let label = object.label();
    let whole = |what: &str| map(vec![("object", label.as_str().into()), (what, Value::Bool(true))]);
    let mut out = Vec::new();
    for (pointer, writes) in provenance.of(key) {
        let Some(last) = writes.last() else { continue };
        if pointer.is_empty() && writes.iter().any(Write::is_whole) {
            if last.after.is_none() {
                out.push(whole("dropped"));
                continue;
            }
            let mut added = vec![("object", label.as_str().into()), ("added", object.value.clone())];
            if object.is_secret() {
                added[1].1 = hidden(&object.value);
            }
            out.push(map(added));
            continue;
        }
        let value = match &last.after {
            // What is hidden is no JSON.
            Some(text) => {
                let now = || Pointer::parse(pointer).ok()?.get(&object.value).map(hidden);
                ("value", json::parse(text).ok().or_else(now).unwrap_or_else(|| Value::from(text.as_str())))
            }
            None => ("removed", Value::Bool(true)),
        };
        out.push(map(vec![("object", label.as_str().into()), ("pointer", pointer.into()), value]));
    }
    out
}

/// A value in a test's own input; the digest shows a change, and is of use to nobody else.
fn hidden(value: &Value) -> Value {
    Value::from(format!("(secret) {}", digest::of_value(value)))
}

fn map(entries: Vec<(&str, Value)>) -> Value {
    let mut map = Map::new();
    for (key, value) in entries {
        map.insert(key, value);
    }
    Value::Object(map)
}
