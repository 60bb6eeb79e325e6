//! The objects of a run, each under a key that it keeps when it is renamed.

use std::collections::{HashMap, HashSet};

use lathe_manifest::{Identity, Object, identity, order};

use crate::problem::Problem;

/// One object of the run.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: u32,
    pub(crate) object: Object,
}

/// All objects of the run, in canonical order.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) entries: Vec<Entry>,
    /// What plugins took out.
    pub(crate) dropped: Vec<Entry>,
    next: u32,
}

impl Tree {
    pub(crate) fn new(objects: Vec<Object>) -> Self {
        let mut tree = Self::default();
        for object in objects {
            tree.add(object);
        }
        tree.sort();
        tree
    }

    /// A copy to try something on.
    pub(crate) fn copy_of(other: &Self) -> Self {
        Self { entries: other.entries.clone(), dropped: Vec::new(), next: other.next }
    }

    /// Adds an object under a key of its own.
    pub(crate) fn add(&mut self, object: Object) -> u32 {
        let key = self.next;
        self.next += 1;
        self.entries.push(Entry { key, object });
        key
    }

    /// Takes objects out.
    pub(crate) fn drop_all(&mut self, keys: &[u32]) {
        if !keys.is_empty() {
            let gone: HashSet<u32> = keys.iter().copied().collect();
            self.dropped.extend(self.entries.extract_if(.., |entry| gone.contains(&entry.key)));
        }
    }

    /// How messages call the objects, as they are named now.
    pub(crate) fn labels(&self) -> HashMap<u32, String> {
        let entries = self.entries.iter().chain(&self.dropped);
        entries.map(|entry| (entry.key, entry.object.label())).collect()
    }

    pub(crate) fn sort(&mut self) {
        self.entries.sort_by_cached_key(|entry| order::key(&entry.object));
    }

    /// Where the entries of each key stand.
    pub(crate) fn positions(&self) -> HashMap<u32, usize> {
        self.entries.iter().enumerate().map(|(at, entry)| (entry.key, at)).collect()
    }

    /// Collapses objects that have become equal, telling each; a problem for each identity that two others claim.
    pub(crate) fn clashes(&mut self, warnings: &mut Vec<String>) -> Vec<Problem> {
        let mut seen: HashMap<Identity, &Entry> = HashMap::with_capacity(self.entries.len());
        let mut problems = Vec::new();
        let mut equal = Vec::new();
        for entry in &self.entries {
            let own = Identity::of(&entry.object);
            let Some(first) = seen.get(&own) else {
                seen.insert(own, entry);
                continue;
            };
            let place = |entry: &Entry| identity::place(entry.object.source.as_ref());
            let (first_place, second_place) = (place(first), place(entry));
            let label = entry.object.label();
            if first.object.value == entry.object.value {
                warnings.push(format!("{label}: two objects have become equal, and one is kept: {first_place} and {second_place}"));
                equal.push(entry.key);
            } else {
                let told = format!("two objects have this name now: {first_place} and {second_place}");
                problems.push(Problem::new("identity", told).at(label, ""));
            }
        }
        self.drop_all(&equal);
        problems
    }
}
