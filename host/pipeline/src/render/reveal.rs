//! Plain values of Secrets for a plugin that was granted to see them, kept out of all that is told.

use std::collections::BTreeSet;

use lathe_manifest::{Object, Value, json};
use lathe_runtime::types::{self, Edit, Outcome, Request};
use zeroize::Zeroizing;

use crate::connect;
use crate::file::TransformSpec;
use crate::plugin::Prepared;
use crate::problem::Problem;
use crate::render::Run;

/// What stands in for what may hold a value.
const HIDDEN: &str = "(this held a value of a Secret that was revealed)";

/// The shortest value that is looked for in texts: shorter ones stand in any.
const SHORTEST: usize = 4;

/// The Secrets that one transform sees into.
#[derive(Default)]
pub(crate) struct Revealed {
    pub(crate) keys: BTreeSet<u32>,
    values: Vec<Zeroizing<String>>,
}

impl Revealed {
    /// The text, unless it holds a revealed value.
    pub(crate) fn told(&self, text: &str) -> String {
        if self.holds(text) { HIDDEN.to_owned() } else { text.to_owned() }
    }

    /// Whether a revealed value stands in the text.
    pub(crate) fn holds(&self, text: &str) -> bool {
        self.values.iter().any(|value| text.contains(value.as_str()))
    }

    /// Whether a revealed value stands in a text or key of the value.
    pub(crate) fn stands_in(&self, value: &Value) -> bool {
        !self.values.is_empty()
            && match value {
                Value::String(text) => self.holds(text),
                Value::Array(items) => items.iter().any(|item| self.stands_in(item)),
                Value::Object(map) => map.iter().any(|(key, value)| self.holds(key) || self.stands_in(value)),
                _ => false,
            }
    }

    /// How much fuel is told: with a value in hand the exact number is one more thing that follows from it.
    pub(crate) fn fuel(&self, fuel: u64) -> u64 {
        if self.keys.is_empty() { fuel } else { 0 }
    }

    /// The problem, without revealed values.
    pub(crate) fn problem(&self, problem: Problem) -> Problem {
        Problem { message: self.told(&problem.message), pointer: self.told(&problem.pointer), ..problem }
    }

    /// The answer without revealed values in what it tells the user.
    pub(crate) fn findings(&self, findings: Vec<types::Finding>) -> Vec<types::Finding> {
        let told =
            |finding: types::Finding| types::Finding { message: self.told(&finding.message), ..finding };
        findings.into_iter().map(told).collect()
    }

    /// The answer for a digest that anybody may see: what was written to revealed objects is left out of it, for who knows what stands
    /// beside a short value could guess that.
    pub(crate) fn masked(&self, outcome: &Outcome, keys: &[u32]) -> Outcome {
        let mut outcome = outcome.clone();
        if self.keys.is_empty() {
            return outcome;
        }
        outcome.findings = self.findings(outcome.findings);
        for edit in &mut outcome.edits {
            let (Edit::Set(write) | Edit::Insert(write)) = edit else { continue };
            let key = usize::try_from(write.at.object).ok().and_then(|at| keys.get(at));
            if key.is_none_or(|key| self.keys.contains(key)) {
                HIDDEN.clone_into(&mut write.value);
            }
        }
        outcome
    }
}

/// How the pipeline names a Secret of the input.
pub(crate) fn secret_name(object: &Object) -> String {
    match object.namespace() {
        "" => object.name().to_owned(),
        namespace => format!("{namespace}/{}", object.name()),
    }
}

impl Run<'_> {
    /// Puts plain values into the request, for the Secrets that the transform is granted to see into.
    pub(super) fn reveal(
        &self,
        transform: &TransformSpec,
        prepared: &Prepared,
        keys: &[u32],
        request: &mut Request,
    ) -> Result<Revealed, Problem> {
        let mut revealed = Revealed::default();
        if transform.reveal.is_empty() {
            return Ok(revealed);
        }
        if prepared.builtin.is_none() && prepared.plugin.rights().contains(&"logging") {
            let told =
                "a plugin that logs is shown no values; build it without `logging`, or leave `reveal` out";
            return Err(Problem::new("reveal", told).by(&transform.plugin));
        }
        let mut values = Vec::new();
        let positions = self.tree.positions();
        let seal = connect::lock(&self.seal);
        for (key, object) in keys.iter().zip(&mut request.objects) {
            let granted = self.secrets.get(key).is_some_and(|name| transform.reveal.contains(name));
            let entry = positions.get(key).and_then(|at| self.tree.entries.get(*at));
            if let Some(entry) = entry.filter(|_| granted) {
                object.json = json::to_string(&seal.reveal(*key, &entry.object).value);
                values.extend(seal.plain_values(*key, &entry.object));
                revealed.keys.insert(*key);
            }
        }
        // What Lathe's own plugins tell and write is known.
        if prepared.builtin.is_none() {
            let public = |value: &Zeroizing<String>| {
                let texts = [&request.config, &request.environment].into_iter();
                let sealed =
                    keys.iter().zip(&request.objects).filter(|(key, _)| !revealed.keys.contains(*key));
                texts.chain(sealed.map(|(_, object)| &object.json)).any(|text| text.contains(value.as_str()))
            };
            // A short value, or one that stands in the open as well, would be seen everywhere.
            values.retain(|value| value.len() >= SHORTEST && !public(value));
            revealed.values = values;
        }
        Ok(revealed)
    }

    /// Warns of Secrets that a transform is to see into and that the input does not have.
    pub(super) fn check_reveal(&mut self) {
        let known: BTreeSet<&String> = self.secrets.values().collect();
        for (index, transform) in self.of.pipeline.transforms_in(&self.of.environment.name) {
            for name in transform.reveal.iter().filter(|name| !known.contains(name)) {
                let told = format!("transforms[{index}].reveal: the input has no Secret `{name}`");
                self.report.warnings.push(told);
            }
        }
    }
}
