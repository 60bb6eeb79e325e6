//! What only `check` looks at: a transform that changes its own output, and fields that two plugins write.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use lathe_runtime::types;

use crate::connect;
use crate::edits::{self, Editor};
use crate::file::TransformSpec;
use crate::plugin::Prepared;
use crate::problem::Problem;
use crate::provenance::Provenance;
use crate::render::{Run, Tables};
use crate::scope::{Grant, Scope};
use crate::tree::Tree;

/// How many places are told for one plugin.
const MOST: usize = 20;

impl Run<'_> {
    /// Runs a transform on what it has left, on copies of all that it could change. t(t(x)) has to be t(x), or what is rendered
    /// would depend on whether the input had been rendered before.
    pub(crate) fn again(
        &mut self,
        transform: &TransformSpec,
        prepared: &Prepared,
    ) -> Result<(), Vec<Problem>> {
        let name = transform.plugin.as_str();
        let (keys, mut request) = self.request(transform);
        let revealed =
            self.reveal(transform, prepared, &keys, &mut request).map_err(|problem| vec![problem])?;
        let limits = &transform.limits.clone().unwrap_or_default();
        let tables = Tables {
            seal: Arc::new(Mutex::new(connect::lock(&self.seal).clone())),
            intents: Arc::new(Mutex::new(connect::lock(&self.intents).clone())),
            recorder: None,
        };
        let (outcome, _) = self.call(prepared, limits, &keys, request, &tables).map_err(|error| {
            let told = format!("the plugin fails on its own output: {}", error.kind);
            vec![revealed.problem(Problem::new("not-idempotent", told).by(name))]
        })?;
        let mut tree = Tree::copy_of(&self.tree);
        let scope = Scope::new(prepared.builtin.is_some(), &transform.writes, &transform.grants);
        let config = &transform.config;
        let (deadline, seal) = (limits.deadline(), &*tables.seal);
        let editor = Editor { plugin: name, keys: &keys, deadline, config, scope, seal, revealed: &revealed };
        let (mut changes, mut beyond) = (Provenance::default(), Vec::new());
        let applied = edits::apply(&mut tree, &editor, outcome.edits, &mut changes, &mut beyond);
        if let Err(problem) = applied {
            let problem = revealed.problem(problem);
            self.report.problems.push(Problem { code: "not-idempotent".into(), ..problem });
            return Ok(());
        }
        let error = |finding: &&types::Finding| finding.severity == types::Severity::Error;
        // What it found wrong the first time it may well find again.
        let found_before = self.found.iter().any(|(_, problem)| problem.plugin.as_deref() == Some(name));
        for finding in outcome.findings.iter().filter(error).filter(|_| !found_before).take(MOST) {
            let code: String = revealed.told(&finding.code).chars().take(64).collect();
            let told = format!("the plugin finds an error in its own output: {code}");
            self.report.problems.push(Problem::new("not-idempotent", told).by(name));
        }
        tree.sort();
        // An object that was added again and is what it was is no other one.
        let count = tree.entries.len();
        drop(tree.clashes(&mut Vec::new()));
        if tree.entries.len() < count && !editor.scope.has(Grant::DropObjects) {
            let told = "the plugin adds objects to its own output that are there already";
            self.report.problems.push(Problem::new("not-idempotent", told).by(name));
        }
        let (then, now) = (&self.tree.entries, &tree.entries);
        if then.iter().map(|entry| &entry.object.value).eq(now.iter().map(|entry| &entry.object.value)) {
            return Ok(());
        }
        let labels = tree.labels();
        let mut told = 0;
        for (key, label) in labels.into_iter().collect::<BTreeMap<_, _>>() {
            for (pointer, _) in changes.of(key) {
                told += 1;
                if told <= MOST {
                    let message =
                        "the plugin changes its own output here: run twice, it gives something else";
                    self.report
                        .problems
                        .push(Problem::new("not-idempotent", message).at(&label, pointer).by(name));
                }
            }
        }
        if told > MOST {
            let message = format!("the plugin changes its own output in {} places more", told - MOST);
            self.report.problems.push(Problem::new("not-idempotent", message).by(name));
        }
        Ok(())
    }

    /// Warns of fields that more than one plugin wrote: which of them has its way depends on their order.
    pub(crate) fn tell_shared_fields(&mut self) {
        for entry in self.tree.entries.iter().chain(&self.tree.dropped) {
            for (pointer, writes) in self.provenance.of(entry.key) {
                let plugins: BTreeSet<&str> = writes.iter().map(|write| write.plugin.as_str()).collect();
                if plugins.len() > 1 {
                    let order: Vec<&str> = writes.iter().map(|write| write.plugin.as_str()).collect();
                    let label = entry.object.label();
                    self.report.warnings.push(format!(
                        "{label} {pointer}: more than one plugin writes this field: {}",
                        order.join(", then ")
                    ));
                }
            }
        }
    }
}
