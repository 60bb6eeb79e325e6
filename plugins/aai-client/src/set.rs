//! The objects as the clients so far have left them.

use std::collections::{BTreeMap, BTreeSet};

use lathe_sdk::{Environment, Location, Object, Outcome, Value};

/// The objects of the request with what has become of them.
pub(crate) struct Set<'a> {
    /// The objects as they came.
    pub(crate) objects: &'a [Object],
    /// The environment's namespace; may be empty.
    namespace: &'a str,
    changed: BTreeMap<usize, Value>,
    dropped: BTreeSet<usize>,
    /// `ConfigMaps` and Secrets by kind, namespace and name.
    named: BTreeMap<String, Vec<usize>>,
}

impl<'a> Set<'a> {
    /// The objects as they come.
    pub(crate) fn new(objects: &'a [Object], environment: &'a Environment) -> Self {
        let namespace = environment.namespace.as_str();
        let mut named: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, object) in objects.iter().enumerate() {
            if object.is("", "ConfigMap") || object.is("", "Secret") {
                let key = label(&object.kind, home(object, namespace), &object.name);
                named.entry(key).or_default().push(index);
            }
        }
        Self { objects, namespace, changed: BTreeMap::new(), dropped: BTreeSet::new(), named }
    }

    /// Whether the object is in the environment's namespace, or nobody says what that is.
    pub(crate) fn is_at_home(&self, object: &Object) -> bool {
        self.namespace.is_empty() || home(object, self.namespace) == self.namespace
    }

    /// The `ConfigMap` or Secret of that name which a pod of the object's namespace reads.
    pub(crate) fn beside(&self, object: &Object, kind: &str, name: &str) -> &[usize] {
        self.named.get(&label(kind, home(object, self.namespace), name)).map_or(&[], Vec::as_slice)
    }

    /// The `ConfigMaps` or Secrets of that name in the environment's namespace.
    pub(crate) fn holders(&self, kind: &str, name: &str) -> Vec<usize> {
        let is_it = |index: &usize| {
            let object = &self.objects[*index];
            object.is("", kind) && object.name == name && self.is_at_home(object)
        };
        (0..self.objects.len()).filter(is_it).collect()
    }

    /// The object as it is now.
    pub(crate) fn value(&self, index: usize) -> &Value {
        self.changed.get(&index).unwrap_or(&self.objects[index].value)
    }

    /// The object, to be changed.
    pub(crate) fn edit(&mut self, index: usize) -> &mut Value {
        self.changed.entry(index).or_insert_with(|| self.objects[index].value.clone())
    }

    /// Takes the object out.
    pub(crate) fn drop(&mut self, index: usize) {
        self.dropped.insert(index);
    }

    /// A place in an object.
    pub(crate) fn place(&self, index: usize, pointer: impl Into<String>) -> Location {
        Location { object: self.objects[index].key, pointer: pointer.into() }
    }

    /// The objects that stay, as they are now.
    pub(crate) fn staying(&self) -> impl Iterator<Item = (usize, &'a Object, &Value)> {
        let stays =
            |(index, object)| (!self.dropped.contains(&index)).then(|| (index, object, self.value(index)));
        self.objects.iter().enumerate().filter_map(stays)
    }

    /// Tells what has changed.
    pub(crate) fn finish(self, outcome: &mut Outcome) {
        for (index, value) in self.changed {
            if !self.dropped.contains(&index) {
                outcome.edit(&self.objects[index], |now| *now = value);
            }
        }
        for index in self.dropped {
            outcome.drop_object(self.objects[index].key);
        }
    }
}

/// The namespace that an object ends up in, where that is known.
fn home<'o>(object: &'o Object, namespace: &'o str) -> &'o str {
    if object.namespace.is_empty() { namespace } else { &object.namespace }
}

fn label(kind: &str, namespace: &str, name: &str) -> String {
    format!("{kind} {namespace}/{name}")
}
