//! The names of members, each kept once: manifests repeat few of them without end.

use std::collections::HashSet;
use std::sync::Arc;

/// Names longer than this are hardly ever repeated.
const LONGEST: usize = 64;

/// How many names are kept; input that never repeats itself must not cost more than its tree.
const MOST: usize = 1 << 16;

/// The names seen so far, over all documents.
#[derive(Debug, Default)]
pub(crate) struct Keys(HashSet<Arc<str>>);

impl Keys {
    /// The name, shared with those that were equal.
    pub(super) fn get(&mut self, name: &str) -> Arc<str> {
        if name.len() > LONGEST {
            return name.into();
        }
        if let Some(known) = self.0.get(name) {
            return known.clone();
        }
        let new: Arc<str> = name.into();
        if self.0.len() < MOST {
            self.0.insert(new.clone());
        }
        new
    }
}
