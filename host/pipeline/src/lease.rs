//! Leases of a pool: which review holds which slot. A lease is an input of the environment, so it lies in a file.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::file::API_VERSION;
use crate::problem::Problem;
use crate::typed;

/// The file of leases, as `review lease` writes it.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Leases {
    /// `lathe.dev/v1alpha1`.
    pub api_version: String,
    /// `Leases`.
    pub kind: String,
    /// The leases, sorted.
    #[serde(default)]
    pub leases: Vec<Lease>,
    /// Secrets that were generated, by project, environment and review, and by name. A file that holds some is for its owner alone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub generated: BTreeMap<String, BTreeMap<String, String>>,
}

/// One slot that one review holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lease {
    /// The project.
    pub project: String,
    /// The environment, whose pool it is.
    pub environment: String,
    /// The slot.
    pub slot: String,
    /// The review that holds it.
    pub review: String,
}

impl Lease {
    /// Whether it is of this environment's pool.
    fn is_of(&self, project: &str, environment: &str) -> bool {
        self.project == project && self.environment == environment
    }
}

impl Default for Leases {
    fn default() -> Self {
        Self {
            api_version: API_VERSION.to_owned(),
            kind: "Leases".to_owned(),
            leases: Vec::new(),
            generated: BTreeMap::new(),
        }
    }
}

impl Leases {
    /// Reads a file of leases. Two reviews never hold one slot, and no review two of a pool.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self, Vec<Problem>> {
        let problems =
            |list: Vec<String>| list.into_iter().map(|line| Problem::new("leases", line)).collect();
        let leases: Self = typed::parse(name, bytes).map_err(problems)?;
        if leases.api_version != API_VERSION || leases.kind != "Leases" {
            let (version, kind) = (&leases.api_version, &leases.kind);
            let told = format!("{name}: this is {version} {kind}, and {API_VERSION} Leases is expected");
            return Err(problems(vec![told]));
        }
        let mut wrong = Vec::new();
        for (index, lease) in leases.leases.iter().enumerate() {
            let same = |other: &&Lease| {
                other.is_of(&lease.project, &lease.environment)
                    && (other.slot == lease.slot || other.review == lease.review)
            };
            if leases.leases[..index].iter().any(|other| same(&other)) {
                let Lease { slot, review, .. } = lease;
                wrong.push(format!(
                    "{name}: leases[{index}]: slot `{slot}` or review `{review}` stands there twice"
                ));
            }
        }
        if wrong.is_empty() { Ok(leases) } else { Err(problems(wrong)) }
    }

    /// The file's text.
    pub fn to_json(&self) -> String {
        // Plain data always serializes.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// The slot that the review holds.
    pub fn slot(&self, project: &str, environment: &str, review: &str) -> Option<&str> {
        let mut held = self.leases.iter().filter(|lease| lease.is_of(project, environment));
        held.find(|lease| lease.review == review).map(|lease| lease.slot.as_str())
    }

    /// Takes the pool's first free slot for the review, or the one that it holds already; `None` where all are taken.
    pub fn take(
        &mut self,
        project: &str,
        environment: &str,
        review: &str,
        pool: &[String],
    ) -> Option<String> {
        if let Some(slot) = self.slot(project, environment, review) {
            return Some(slot.to_owned());
        }
        let taken = self.leases.iter().filter(|lease| lease.is_of(project, environment));
        let taken: BTreeSet<&String> = taken.map(|lease| &lease.slot).collect();
        let slot = pool.iter().find(|slot| !taken.contains(slot))?.clone();
        let lease = Lease {
            project: project.to_owned(),
            environment: environment.to_owned(),
            slot: slot.clone(),
            review: review.to_owned(),
        };
        self.leases.push(lease);
        self.leases.sort();
        Some(slot)
    }

    /// Gives the review's slot back, and says which it was.
    pub fn release(&mut self, project: &str, environment: &str, review: &str) -> Option<String> {
        let held = |lease: &Lease| lease.is_of(project, environment) && lease.review == review;
        let at = self.leases.iter().position(held)?;
        Some(self.leases.remove(at).slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_held_by_one_review() {
        let pool = ["rv-1".to_owned(), "rv-2".to_owned()];
        let mut leases = Leases::default();
        let mut take = |review: &str| leases.take("p", "review", review, &pool);
        assert_eq!(take("1").as_deref(), Some("rv-1"));
        assert_eq!(take("1").as_deref(), Some("rv-1"));
        assert_eq!(take("2").as_deref(), Some("rv-2"));
        assert_eq!(take("3"), None);
        assert_eq!(leases.release("p", "review", "1").as_deref(), Some("rv-1"));
        assert_eq!(leases.release("p", "review", "1"), None);
        assert_eq!(leases.take("p", "review", "3", &pool).as_deref(), Some("rv-1"));
        assert_eq!(Leases::parse("x", leases.to_json().as_bytes()).unwrap(), leases);
        // Another project's pool is another pool.
        assert_eq!(leases.take("q", "review", "9", &pool).as_deref(), Some("rv-1"));
        let twice = leases.to_json().replace("rv-2", "rv-1");
        assert!(Leases::parse("x", twice.as_bytes()).unwrap_err()[0].to_string().contains("twice"));
    }
}
