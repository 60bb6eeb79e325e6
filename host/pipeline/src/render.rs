//! One run: seal, transform by transform, verify, close, fill.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

use lathe_manifest::{Map, Object, Value, json};
use lathe_runtime::capability::Capabilities;
use lathe_runtime::types::{self, Request};
use lathe_runtime::{Runtime, Transformed};
use lathe_secrets::provider::Resolver;
use lathe_secrets::{Fill, Seal, SecretErrorKind, reference};

use crate::closure::Search;
use crate::connect::{self, Clients, Intents, Secrets};
use crate::descriptor::Descriptor;
use crate::edits::{self, Editor};
use crate::environment::Environment;
use crate::file::{Pipeline, SECRETS, TransformSpec};
use crate::lock::Lock;
use crate::plugin::{Plugins, Prepared};
use crate::problem::Problem;
use crate::provenance::{Provenance, Write};
use crate::report::{Changed, Finding, Hit, PluginRun, Report, SecretPlace};
use crate::scope::{Grant, Scope};
use crate::tree::{Entry, Tree};

/// Marks objects that still hold references.
pub(crate) const SECRETS_ANNOTATION: &str = "lathe.dev/secrets";

/// Reads a variable of the process environment, which this crate does not do itself.
pub type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// All that a run needs.
pub struct Render<'a> {
    /// The sandbox.
    pub runtime: &'a Runtime,
    /// What is done.
    pub pipeline: &'a Pipeline,
    /// For whom.
    pub environment: &'a Environment,
    /// By which plugins.
    pub plugins: &'a Plugins,
    /// As agreed to; it has been compared with `plugins`.
    pub lock: &'a Lock,
    /// The pipeline's folder, which paths of providers are relative to.
    pub folder: &'a Path,
    /// Reads the process environment, for providers of type env; `None` leaves references as they are.
    pub values: Option<Variables<'a>>,
}

/// What came of a run. The objects are to be used only where the report has no problem.
pub struct Rendered {
    /// Key and object, in canonical order.
    pub objects: Vec<(u32, Object)>,
    /// Those that plugins took out.
    pub dropped: Vec<(u32, Object)>,
    /// What was done.
    pub report: Report,
    /// Who wrote what.
    pub provenance: Provenance,
}

impl Render<'_> {
    /// Runs the pipeline over the objects.
    pub fn run(&self, objects: Vec<Object>) -> Rendered {
        let empty = objects.is_empty();
        let mut run = Run::new(self, objects);
        if empty {
            // A render upstream that failed looks like this.
            run.report.problems.push(Problem::new("input", "the inputs hold no object"));
            return run.finish();
        }
        run.check_settings();
        run.seal();
        if !run.report.problems.is_empty() {
            // What could not be sealed is for no plugin to see.
            return run.finish();
        }
        for (_, transform) in self.pipeline.transforms_in(&self.environment.name) {
            if let Err(problems) = run.transform(transform) {
                // What later transforms would say of a tree in this state means nothing.
                run.report.problems.extend(problems);
                return run.finish();
            }
        }
        run.settle_intents();
        run.verify();
        run.fill();
        run.close();
        run.finish()
    }
}

struct Run<'a> {
    of: &'a Render<'a>,
    tree: Tree,
    seal: Arc<Mutex<Seal>>,
    intents: Arc<Mutex<Intents>>,
    provenance: Provenance,
    report: Report,
    /// What plugins found wrong, with the key of the object; named at the end, as the object is called then.
    found: Vec<(Option<u32>, Problem)>,
    /// The namespaces of the input.
    namespaces: BTreeSet<String>,
    /// The Services of the input, by name and namespace.
    services: BTreeSet<(String, String)>,
}

impl<'a> Run<'a> {
    fn new(of: &'a Render<'a>, objects: Vec<Object>) -> Self {
        let [project, name, review] = of.environment.identity();
        let seal = Seal::new(&[&of.lock.digest(), project, name, review]);
        let named = |object: &Object| match (object.group(), object.kind()) {
            ("", "Namespace") => object.name().to_owned(),
            _ => object.namespace().to_owned(),
        };
        let services =
            objects.iter().filter(|object| object.kind() == "Service" && object.group().is_empty());
        let services =
            services.map(|object| (object.name().to_owned(), object.namespace().to_owned())).collect();
        let namespaces = objects.iter().map(named).filter(|name| !name.is_empty()).collect();
        Self {
            of,
            namespaces,
            services,
            tree: Tree::new(objects),
            seal: Arc::new(Mutex::new(seal)),
            intents: Arc::default(),
            provenance: Provenance::default(),
            report: Report::new(of.environment),
            found: Vec::new(),
        }
    }

    /// Holds the settings of all transforms against what their plugins say they take.
    fn check_settings(&mut self) {
        for (index, transform) in self.of.pipeline.transforms_in(&self.of.environment.name) {
            let name = transform.plugin.as_str();
            let Some(prepared) = self.of.plugins.0.get(name) else { continue };
            let limits = transform.limits.clone().unwrap_or_default();
            let checked = (self.of.runtime.descriptor(&prepared.plugin, &limits))
                .map_err(Problem::from)
                .and_then(|text| {
                    let fault =
                        |told: String| Problem::new("plugin-fault", format!("the plugin {told}")).by(name);
                    let descriptor = Descriptor::parse(&text).map_err(fault)?;
                    descriptor.check(&transform.config).map_err(fault)
                });
            match checked {
                Ok(wrong) => self.report.problems.extend(wrong.into_iter().map(|(pointer, message)| {
                    let place = format!("transforms[{index}].config{}", pointer.replace('/', "."));
                    Problem::new("config", format!("{place}: {message}")).by(name)
                })),
                Err(problem) => self.report.problems.push(problem),
            }
        }
    }

    fn seal(&mut self) {
        let mut seal = connect::lock(&self.seal);
        for entry in &mut self.tree.entries {
            seal.seal(entry.key, &mut entry.object);
        }
        self.report.problems.extend(seal.refusals().iter().cloned().map(Problem::from));
    }

    fn transform(&mut self, transform: &TransformSpec) -> Result<(), Vec<Problem>> {
        let name = transform.plugin.as_str();
        let missing = || vec![Problem::new("plugin", format!("plugin `{name}` was not prepared"))];
        let prepared = self.of.plugins.0.get(name).ok_or_else(missing)?;
        let (keys, request) = self.request(transform);
        let granted = self.capabilities(prepared, &keys);
        let limits = &transform.limits.clone().unwrap_or_default();
        let Transformed { outcome, fuel, .. } = (self.of.runtime)
            .transform(&prepared.plugin, &request, granted, limits)
            .map_err(|error| vec![Problem::from(error)])?;
        let types::Outcome { edits, findings } = outcome;
        self.take_findings(name, &keys, findings);
        let scope = Scope::new(prepared.builtin.is_some(), &transform.writes, &transform.grants);
        let editor = Editor { plugin: name, keys: &keys, deadline: limits.deadline(), scope };
        let mut beyond = Vec::new();
        let changes = edits::apply(&mut self.tree, &editor, edits, &mut self.provenance, &mut beyond)
            .map_err(|problem| vec![problem])?;
        if !beyond.is_empty() {
            return Err(beyond);
        }
        self.report.plugins.push(PluginRun {
            plugin: name.to_owned(),
            digest: prepared.plugin.digest.clone(),
            fuel,
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
        Ok(())
    }

    /// The objects that the transform sees, by key, and what it is told.
    fn request(&self, transform: &TransformSpec) -> (Vec<u32>, Request) {
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
        let config = json::to_string(&transform.config);
        (keys, Request { config, environment: self.of.environment.to_json(), objects })
    }

    fn capabilities(&self, prepared: &Prepared, keys: &[u32]) -> Capabilities {
        let locked = self.of.lock.plugins.get(&prepared.plugin.name);
        let granted =
            |right: &str| locked.is_some_and(|locked| locked.rights.iter().any(|have| have == right));
        let mut capabilities = Capabilities { logging: granted("logging"), ..Capabilities::default() };
        if granted("secrets") {
            let secrets = Secrets { seal: self.seal.clone(), keys: keys.to_vec() };
            capabilities.secrets = Some(Box::new(secrets));
        }
        if granted("oidc-clients") {
            let identity = self.of.environment.identity().map(ToOwned::to_owned).to_vec();
            capabilities.clients = Some(Box::new(Clients { intents: self.intents.clone(), identity }));
        }
        capabilities
    }

    fn take_findings(&mut self, plugin: &str, keys: &[u32], findings: Vec<types::Finding>) {
        const LONGEST: usize = 4096;
        const MOST: usize = 10_000;
        let labels = self.tree.labels();
        if findings.len() > MOST {
            let told = format!("the plugin has {} findings, and {MOST} are told", findings.len());
            self.found.push((None, Problem::new("too-many-findings", told).by(plugin)));
        }
        for finding in findings.into_iter().take(MOST) {
            let position = finding.at.as_ref().and_then(|at| usize::try_from(at.object).ok());
            let key = position.and_then(|at| keys.get(at)).copied();
            let mut pointer = finding.at.map(|at| at.pointer).unwrap_or_default();
            pointer.truncate(pointer.floor_char_boundary(LONGEST));
            let mut message = finding.message;
            message.truncate(message.floor_char_boundary(LONGEST));
            let kebab = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            let sound = finding.code.len() <= 64 && finding.code.bytes().all(kebab);
            let code = if sound { finding.code.as_str() } else { "malformed-code" };
            let object = key.and_then(|key| labels.get(&key)).cloned().unwrap_or_default();
            let problem = Problem::new(code, message).at(object, pointer).by(plugin);
            let severity = match finding.severity {
                types::Severity::Error => {
                    self.found.push((key, problem));
                    continue;
                }
                types::Severity::Warning => {
                    self.report.warnings.push(problem.to_string());
                    "warning"
                }
                types::Severity::Info => "info",
            };
            self.report.findings.push(Finding { severity, problem });
        }
    }

    fn settle_intents(&mut self) {
        let mut intents = connect::lock(&self.intents);
        intents.declared.sort_by(|a, b| a.intent.name.cmp(&b.intent.name));
        for error in &intents.refused {
            self.report.problems.push(Problem::new("client", error.to_string()));
        }
        let (mut keys, mut secrets) = (HashSet::new(), HashSet::new());
        let environment = self.of.environment;
        for declared in &intents.declared {
            let (name, secret) = (&declared.intent.name, &declared.intent.secret_name);
            if !keys.insert(&declared.key) || !secrets.insert(secret) {
                let told = format!(
                    "login client `{name}` is declared twice, or shares Secret `{secret}` with another"
                );
                self.report.problems.push(Problem::new("client", told));
            }
            let own = |host: &String| {
                environment.review.is_none() || environment.hosts.values().any(|target| target == host)
            };
            for host in declared.intent.hosts.iter().filter(|host| !own(host)) {
                let told = format!("login client `{name}`: `{host}` is no host of this review");
                self.report.problems.push(Problem::new("client", told));
            }
        }
        self.report.clients.clone_from(&intents.declared);
    }

    fn verify(&mut self) {
        let transforms = self.of.pipeline.transforms_in(&self.of.environment.name);
        let opens = transforms.into_iter().any(|(_, transform)| transform.plugin == SECRETS);
        // Where values are asked for, a reference must not pass for one.
        let resolving = opens || self.of.values.is_some();
        let objects = self.tree.entries.iter().map(|entry| (entry.key, &entry.object));
        let errors = connect::lock(&self.seal).verify(objects, resolving);
        self.report.problems.extend(errors.into_iter().map(Problem::from));
    }

    /// Puts references or values in place of tokens, and marks objects that still hold references.
    fn fill(&mut self) {
        let seal = connect::lock(&self.seal);
        let no_variables = |_: &str| None;
        let variable = self.of.values.unwrap_or(&no_variables);
        let mut resolver = Resolver::new(&self.of.pipeline.secrets.providers, self.of.folder, variable);
        let mut resolve = |reference: &_| resolver.resolve(reference);
        let mut fill = if self.of.values.is_some() { Fill::Values(&mut resolve) } else { Fill::References };
        let mut plain = 0;
        for entry in &mut self.tree.entries {
            match seal.fill(entry.key, &mut entry.object, &mut fill) {
                Ok(filled) => plain += filled.plain,
                Err(errors) => {
                    // Tokens that are none have been told by `verify`.
                    let new = errors.into_iter().filter(|error| error.kind != SecretErrorKind::Forged);
                    self.report.problems.extend(new.map(Problem::from));
                }
            }
            let holds = self.of.values.is_none()
                && entry.object.is_secret()
                && seal.holds_references(entry.key, &entry.object);
            mark(&mut entry.object.value, holds);
        }
        // Objects with only a prefix for a name stand by what they hold, which is another thing now.
        self.tree.sort();
        if plain > 0 {
            let told = format!(
                "fields of the input's Secrets that hold plain text and are written as they stood: {plain}"
            );
            self.report.warnings.push(told);
        }
    }

    /// In a review, demands that nothing of production is left.
    fn close(&mut self) {
        let Some(territory) = &self.of.environment.territory else { return };
        let acknowledge = &self.of.pipeline.acknowledge;
        let namespaces = &self.namespaces;
        let (environment, services) = (self.of.environment, &self.services);
        let search = Search { environment, territory, namespaces, services, acknowledge };
        let closure = search.check(self.tree.entries.iter().map(|entry| &entry.object));
        let labels = self.tree.labels();
        let told: HashSet<(&String, &String)> = (self.found.iter())
            .filter_map(|(key, problem)| Some((labels.get(key.as_ref()?)?, &problem.pointer)))
            .collect();
        let leftovers = closure.hits.iter().filter(|hit| hit.class == "leftover");
        // What a plugin has said of a place, and how to mend it, need not be said again.
        for hit in leftovers.filter(|hit| !told.contains(&(&hit.object, &hit.pointer))) {
            self.report.problems.push(leftover(hit));
        }
        for index in closure.unused {
            let entry = &acknowledge[index];
            let told = format!("acknowledge[{index}] ({} {}) explains nothing", entry.object, entry.pointer);
            self.report.warnings.push(told);
        }
        self.report.closure = closure.hits.into_iter().collect();
    }

    fn finish(mut self) -> Rendered {
        let labels = self.tree.labels();
        for (key, problem) in self.found {
            let object = key.and_then(|key| labels.get(&key)).cloned().unwrap_or_default();
            self.report.problems.push(Problem { object, ..problem });
        }
        self.report.problems.sort();
        self.report.problems.dedup();
        self.report.findings.sort();
        for entry in self.tree.entries.iter().chain(&self.tree.dropped) {
            let plugins = |writes: &[Write]| writes.iter().map(|write| write.plugin.clone()).collect();
            let fields = self.provenance.of(entry.key);
            let fields: BTreeMap<_, _> =
                fields.map(|(pointer, writes)| (pointer.to_owned(), plugins(writes))).collect();
            if !fields.is_empty() {
                self.report.changes.push(Changed::new(&entry.object, fields));
            }
        }
        for (key, pointer, reference) in connect::lock(&self.seal).references() {
            let object = labels.get(&key).cloned().unwrap_or_default();
            // What is no reference may be anything, a password as well.
            let known = reference::parse(reference).is_ok();
            let reference = if known { reference.to_owned() } else { "(malformed)".to_owned() };
            let place = SecretPlace { object, pointer: pointer.to_owned(), reference };
            self.report.secrets.push(place);
        }
        self.report.secrets.sort();
        let create_only = self.tree.entries.iter().filter(|entry| entry.object.is_create_only());
        self.report.create_only = create_only.map(|entry| entry.object.label()).collect();
        let keyed =
            |entries: Vec<Entry>| entries.into_iter().map(|entry| (entry.key, entry.object)).collect();
        Rendered {
            objects: keyed(self.tree.entries),
            dropped: keyed(self.tree.dropped),
            report: self.report,
            provenance: self.provenance,
        }
    }
}

/// What is told of a place that nothing explains.
fn leftover(hit: &Hit) -> Problem {
    let host = &hit.host;
    let told = match hit.kind {
        "namespace" if host.is_empty() => "this stands in no namespace; a review has one".to_owned(),
        "namespace" => format!("namespace `{host}` of the input is left here; a review has one namespace"),
        "service" => format!(
            "`{host}` is a Service outside of this review; list it under `sharedServices` or acknowledge it"
        ),
        "renders-later" => {
            "this makes objects on the cluster, where nobody looks for hosts; acknowledge it".to_owned()
        }
        _ if hit.secret => format!(
            "a host of `{host}` is left in this value, which no plugin sees; put it elsewhere or acknowledge it"
        ),
        _ => format!("`{host}` of production is left here; map it, keep it or acknowledge it"),
    };
    Problem::new(&format!("leftover-{}", hit.kind), told).at(&hit.object, &hit.pointer)
}

/// Sets or takes away the mark of an object that holds references.
fn mark(value: &mut Value, holds: bool) {
    let Some(metadata) =
        value.as_object_mut().and_then(|map| map.get_mut("metadata")).and_then(Value::as_object_mut)
    else {
        return;
    };
    let marked =
        |metadata: &Map| metadata.get("annotations").and_then(|a| a.get(SECRETS_ANNOTATION)).is_some();
    if holds {
        if !matches!(metadata.get("annotations"), Some(Value::Object(_))) {
            metadata.insert("annotations", Value::Object(Map::new()));
        }
        if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
            annotations.insert(SECRETS_ANNOTATION, "refs".into());
        }
    } else if marked(metadata)
        && let Some(Value::Object(annotations)) = metadata.get_mut("annotations")
    {
        annotations.remove(SECRETS_ANNOTATION);
        if annotations.is_empty() {
            metadata.remove("annotations");
        }
    }
}
