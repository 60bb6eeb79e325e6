//! One run: seal, transform by transform, verify, close, fill.

mod again;
mod close;
mod findings;
mod reveal;
mod settings;
mod transform;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use lathe_manifest::Object;
use lathe_runtime::Runtime;
use lathe_secrets::reference::Reference;
use lathe_secrets::{Rules, Seal, SecretBytes};

use crate::call::PART;
use crate::connect::{self, Intents};
use crate::environment::Environment;
use crate::file::Pipeline;
use crate::lock::Lock;
use crate::output::Output;
use crate::plugin::Plugins;
use crate::problem::Problem;
use crate::provenance::{Provenance, Write};
use crate::report::{Changed, Report, SecretPlace};
use crate::transcript::{self, Recorder, Transcript};
use crate::tree::{Entry, Tree};
pub(crate) use reveal::{Revealed, secret_name};

/// Marks objects that still hold references.
pub(crate) const SECRETS_ANNOTATION: &str = "lathe.dev/secrets";

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
    /// What is written in place of secrets.
    pub output: Output<'a>,
    /// Whether each transform is run on its own output as well, and fields that two plugins write are told.
    pub check: bool,
    /// Whether the transcript is taken down.
    pub record: bool,
    /// Gives plugins their objects in another order; 0 is the canonical one. For trying a plugin.
    pub shuffle: u64,
    /// How many objects a plugin of scope `object` is given at once.
    pub part: usize,
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
    /// What was taken down, if that was asked for. It misses the digest of what is written.
    pub transcript: Option<Transcript>,
    /// Object, pointer and reference of each secret that goes to an object of the output, in order.
    pub references: Vec<(String, String, Reference)>,
    /// Values of secrets that stand outside of Secrets.
    pub outside: Vec<SecretBytes>,
    /// Whether the objects hold values of secrets, of the input or of a store.
    pub holds_values: bool,
}

impl Render<'_> {
    /// How many objects a plugin of scope `object` is given at once in a render.
    pub const PART: usize = PART;

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
        run.check_reveal();
        run.seal();
        if !run.report.problems.is_empty() {
            // What could not be sealed is for no plugin to see.
            return run.finish();
        }
        run.start_transcript();
        for (_, transform) in self.pipeline.transforms_in(&self.environment.name) {
            if let Err(problems) = run.transform(transform) {
                // What later transforms would say of a tree in this state means nothing.
                run.report.problems.extend(problems);
                return run.finish();
            }
        }
        if self.check {
            run.tell_shared_fields();
        }
        if run.tree.entries.is_empty() {
            // Whoever applies or commits this would take everything away.
            run.report.problems.push(Problem::new("output", "the transforms leave no object"));
        }
        run.settle_intents();
        run.verify();
        run.end_transcript();
        run.fill();
        run.close();
        run.finish()
    }
}

/// A run under way.
pub(crate) struct Run<'a> {
    pub(crate) of: &'a Render<'a>,
    pub(crate) tree: Tree,
    pub(crate) seal: Arc<Mutex<Seal>>,
    pub(crate) intents: Arc<Mutex<Intents>>,
    pub(crate) provenance: Provenance,
    pub(crate) report: Report,
    /// What plugins found wrong, with the key of the object; named at the end, as the object is called then.
    found: Vec<(Option<u32>, Problem)>,
    /// The namespace that each object of the input stands in, or is.
    namespaces: BTreeMap<u32, (String, bool)>,
    /// The Services of the input, by name and namespace.
    services: BTreeSet<(String, String)>,
    /// The Secrets of the input, as the pipeline names them.
    secrets: BTreeMap<u32, String>,
    /// The plugins that look at one object at a time.
    per_object: BTreeSet<String>,
    transcript: Option<Transcript>,
    holds_values: bool,
    outside: Vec<SecretBytes>,
}

/// What the capabilities of a call write to.
pub(crate) struct Tables {
    pub(crate) seal: Arc<Mutex<Seal>>,
    pub(crate) intents: Arc<Mutex<Intents>>,
    /// Takes their calls down, where a transcript is asked for.
    pub(crate) recorder: Option<Recorder>,
}

impl<'a> Run<'a> {
    fn new(of: &'a Render<'a>, objects: Vec<Object>) -> Self {
        let [project, name, review] = of.environment.identity();
        let sinks = of.pipeline.secrets.sinks.clone();
        let rules = Rules::new(of.pipeline.mapping(name), move |object, pointer| {
            sinks.iter().any(|sink| sink.covers(object, pointer))
        });
        let seal = Seal::new(&[&of.lock.digest(), project, name, review], rules);
        let tree = Tree::new(objects);
        let named = |object: &Object| match (object.group(), object.kind()) {
            ("", "Namespace") => (object.name().to_owned(), true),
            _ => (object.namespace().to_owned(), false),
        };
        let namespaces = tree.entries.iter().map(|entry| (entry.key, named(&entry.object)));
        let namespaces = namespaces.filter(|(_, (name, _))| !name.is_empty()).collect();
        let services = tree.entries.iter().map(|entry| &entry.object);
        let services = services.filter(|object| object.kind() == "Service" && object.group().is_empty());
        let services = services.map(|object| (object.name().to_owned(), object.namespace().to_owned()));
        let services = services.collect();
        let secrets = tree.entries.iter().filter(|entry| entry.object.is_secret());
        let secrets = secrets.map(|entry| (entry.key, secret_name(&entry.object))).collect();
        Self {
            of,
            namespaces,
            services,
            secrets,
            per_object: BTreeSet::new(),
            transcript: None,
            holds_values: false,
            outside: Vec::new(),
            tree,
            seal: Arc::new(Mutex::new(seal)),
            intents: Arc::default(),
            provenance: Provenance::default(),
            report: Report::new(of.environment),
            found: Vec::new(),
        }
    }

    fn seal(&mut self) {
        let mut seal = connect::lock(&self.seal);
        for entry in &mut self.tree.entries {
            seal.seal(entry.key, &mut entry.object);
        }
        self.report.problems.extend(seal.refusals().iter().cloned().map(Problem::from));
    }

    fn start_transcript(&mut self) {
        if self.of.record {
            let environment = self.of.environment;
            let input = transcript::of_objects(self.tree.entries.iter().map(|entry| &entry.object));
            self.transcript = Some(Transcript::new(environment, self.of.lock.digest(), input));
        }
    }

    fn end_transcript(&mut self) {
        if let Some(transcript) = &mut self.transcript {
            transcript.sealed = transcript::of_objects(self.tree.entries.iter().map(|entry| &entry.object));
        }
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
        let seal = connect::lock(&self.seal);
        self.report.warnings.extend(seal.warnings().map(ToOwned::to_owned));
        let name = &self.of.environment.name;
        let entries = self.of.pipeline.environments.get(name).map_or(0, |spec| spec.secrets.len());
        let idle = (0..entries).filter(|entry| !seal.has_used(*entry) && self.report.problems.is_empty());
        let told =
            |entry| format!("environments.{name}.secrets[{entry}] stands for no reference of the input");
        self.report.warnings.extend(idle.map(told));
        for (key, pointer, reference) in seal.references() {
            let object = labels.get(&key).cloned().unwrap_or_default();
            // What is no reference may be anything, a password as well.
            let address = seal.address(key, reference);
            let reference = if address.is_some() { reference.to_owned() } else { "(malformed)".to_owned() };
            let address = address.unwrap_or_default();
            let place = SecretPlace { object, pointer: pointer.to_owned(), reference, address };
            self.report.secrets.push(place);
        }
        let there: BTreeSet<u32> = self.tree.entries.iter().map(|entry| entry.key).collect();
        let opened = seal.opened().filter(|(key, ..)| there.contains(key));
        let name = |key: u32| labels.get(&key).cloned().unwrap_or_default();
        let mut references: Vec<_> = opened
            .map(|(key, pointer, reference)| (name(key), pointer.to_owned(), reference.clone()))
            .collect();
        references.sort_by(|a, b| (&a.0, &a.1, &a.2.text).cmp(&(&b.0, &b.1, &b.2.text)));
        drop(seal);
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
            transcript: self.transcript,
            references,
            outside: self.outside,
            holds_values: self.holds_values,
        }
    }
}
