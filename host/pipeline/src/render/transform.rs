//! One transform: what the plugin is given, its call, and its answer applied.

use lathe_manifest::json;
use lathe_runtime::capability::Capabilities;
use lathe_runtime::types::{self, Request};
use lathe_runtime::{Limits, PluginError};

use crate::call::Call;
use crate::connect::{self, Clients, Secrets};
use crate::edits::{self, Editor};
use crate::file::{SECRETS, TransformSpec};
use crate::plugin::Prepared;
use crate::problem::Problem;
use crate::render::{Run, Tables};
use crate::report::PluginRun;
use crate::scope::{Grant, Scope};
use crate::transcript::{self, Recorded, Recorder};

impl Run<'_> {
    pub(super) fn transform(&mut self, transform: &TransformSpec) -> Result<(), Vec<Problem>> {
        let name = transform.plugin.as_str();
        let missing = || vec![Problem::new("plugin", format!("plugin `{name}` was not prepared"))];
        let prepared = self.of.plugins.0.get(name).ok_or_else(missing)?;
        let (keys, mut request) = self.request(transform);
        let limits = &transform.limits.clone().unwrap_or_default();
        let recorder = self.of.record.then(Recorder::default);
        let given = recorder.is_some().then(|| transcript::of_request(&request));
        let revealed =
            self.reveal(transform, prepared, &keys, &mut request).map_err(|problem| vec![problem])?;
        let tables = Tables { seal: self.seal.clone(), intents: self.intents.clone(), recorder };
        let (outcome, fuel) = self
            .call(prepared, limits, &keys, request, &tables)
            .map_err(|error| vec![revealed.problem(Problem::from(error))])?;
        if let (Some(transcript), Some(request)) = (&mut self.transcript, given) {
            transcript.transforms.push(Recorded {
                plugin: name.to_owned(),
                digest: prepared.plugin.digest.clone(),
                request,
                calls: tables.recorder.as_ref().map(Recorder::take).unwrap_or_default(),
                fuel: revealed.fuel(fuel),
                outcome: transcript::of_outcome(&revealed.masked(&outcome, &keys)),
            });
        }
        let types::Outcome { edits, findings } = outcome;
        self.take_findings(name, &keys, revealed.findings(findings));
        let scope = Scope::new(prepared.builtin.is_some(), &transform.writes, &transform.grants);
        let config = &transform.config;
        let (deadline, seal) = (limits.deadline(), &*self.seal.clone());
        let editor = Editor { plugin: name, keys: &keys, deadline, config, scope, seal, revealed: &revealed };
        let mut beyond = Vec::new();
        let changes = edits::apply(&mut self.tree, &editor, edits, &mut self.provenance, &mut beyond)
            .map_err(|problem| vec![revealed.problem(problem)])?;
        if !beyond.is_empty() {
            return Err(beyond.into_iter().map(|problem| revealed.problem(problem)).collect());
        }
        self.report.plugins.push(PluginRun {
            plugin: name.to_owned(),
            digest: prepared.plugin.digest.clone(),
            fuel: revealed.fuel(fuel),
            objects: keys.len(),
            changes,
        });
        self.tree.sort();
        let count = self.tree.entries.len();
        let clashes = self.tree.clashes(&mut self.report.warnings);
        if self.tree.entries.len() < count && !editor.scope.has(Grant::DropObjects) {
            let told = "the plugin makes objects equal, of which one is taken out; that takes `grants: [drop-objects]`";
            return Err(vec![Problem::new("write-scope", told).by(name)]);
        }
        self.report.problems.extend(clashes.into_iter().map(|problem| problem.by(name)));
        let positions = self.tree.positions();
        let entries = &self.tree.entries;
        connect::lock(&self.seal).settle(|key, pointer| {
            let object = &entries.get(*positions.get(&key)?)?.object;
            let pointer = lathe_manifest::Pointer::parse(pointer).ok()?;
            Some(pointer.get(&object.value)?.as_str()?.to_owned())
        });
        if self.of.check { self.again(transform, prepared) } else { Ok(()) }
    }

    /// The objects that the transform sees, by key, and what it is told.
    pub(super) fn request(&self, transform: &TransformSpec) -> (Vec<u32>, Request) {
        let matched = self.tree.entries.iter().filter(|entry| {
            let selectors = transform.selectors.as_ref();
            selectors.is_none_or(|list| list.iter().any(|selector| selector.matches(&entry.object)))
        });
        let mut keys = Vec::new();
        let mut objects = Vec::new();
        for entry in matched {
            keys.push(entry.key);
            objects.push(types::Object {
                api_version: entry.object.api_version().to_owned(),
                kind: entry.object.kind().to_owned(),
                namespace: entry.object.namespace().to_owned(),
                name: entry.object.name().to_owned(),
                json: json::to_string(&entry.object.value),
            });
        }
        if self.of.shuffle > 0 {
            shuffle(self.of.shuffle, &mut keys, &mut objects);
        }
        let config = if transform.plugin == SECRETS {
            // Where secrets may stand, the pipeline says in one place.
            self.of.pipeline.secrets.config()
        } else {
            json::to_string(&transform.config)
        };
        (keys, Request { config, environment: self.of.environment.to_json(), objects })
    }

    /// Calls a plugin for the objects of these keys.
    pub(super) fn call(
        &self,
        prepared: &Prepared,
        limits: &Limits,
        keys: &[u32],
        request: Request,
        tables: &Tables,
    ) -> Result<(types::Outcome, u64), PluginError> {
        let granted = |first: usize, count: usize| {
            let keys = keys.iter().skip(first).take(count).copied().collect();
            self.capabilities(prepared, first, keys, tables)
        };
        let plugin = &prepared.plugin;
        // What others are granted reaches tables that all calls share, in the order of the calls.
        let alone = prepared.builtin.is_some() || plugin.rights().iter().all(|right| *right == "logging");
        let part = (alone && self.per_object.contains(&plugin.name)).then_some(self.of.part);
        Call { runtime: self.of.runtime, plugin, limits, part, granted: &granted }.run(request)
    }

    fn capabilities(
        &self,
        prepared: &Prepared,
        part: usize,
        keys: Vec<u32>,
        tables: &Tables,
    ) -> Capabilities {
        let locked = self.of.lock.plugins.get(&prepared.plugin.name);
        let granted =
            |right: &str| locked.is_some_and(|locked| locked.rights.iter().any(|have| have == right));
        let mut capabilities = Capabilities { logging: granted("logging"), ..Capabilities::default() };
        if granted("secrets") {
            let (seal, recorder) = (tables.seal.clone(), tables.recorder.clone());
            capabilities.secrets = Some(Box::new(Secrets { seal, keys, recorder, part }));
        }
        if granted("oidc-clients") {
            let identity = self.of.environment.identity().map(ToOwned::to_owned).to_vec();
            let (intents, recorder) = (tables.intents.clone(), tables.recorder.clone());
            let issuers = self.of.pipeline.aai.issuers.clone();
            capabilities.clients = Some(Box::new(Clients { intents, identity, issuers, recorder, part }));
        }
        capabilities
    }
}

/// Another order of the objects, the same for the same number.
fn shuffle(seed: u64, keys: &mut [u32], objects: &mut [types::Object]) {
    if seed == 1 {
        // What is sure to be another order, however few there are.
        keys.reverse();
        objects.reverse();
        return;
    }
    let mut state = seed;
    for last in (1..keys.len()).rev() {
        // Knuth's MMIX generator; its upper bits are the good ones.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let other = usize::try_from(state >> 33).unwrap_or(0) % (last + 1);
        keys.swap(last, other);
        objects.swap(last, other);
    }
}
