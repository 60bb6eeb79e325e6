//! Where each object of a set goes: its resource, its namespace, and that no two go to one place.

use std::collections::HashMap;

use lathe_manifest::{Object, identity};

use crate::apply::{Action, Failure, Placed, Run};
use crate::discovery::{Defined, Known};
use crate::plan::Target;

impl<'a> Run<'a> {
    /// The targets of all objects that have one. What goes nowhere is a failure.
    pub(crate) fn resolve(&mut self, known: &Known, defined: &Defined) -> Vec<Placed<'a>> {
        let mut targets: Vec<Placed<'a>> = Vec::new();
        let mut places: HashMap<(&str, &str, String, &str), usize> = HashMap::new();
        for (index, object) in self.objects.iter().enumerate() {
            if object.is_create_only() {
                self.actions.insert(index, (object.label(), Action::LeftOut));
                continue;
            }
            let target = match self.target(object, known, defined) {
                Ok(target) => target,
                Err(message) => {
                    self.outcome.failures.push(Failure::new(object.label(), message));
                    continue;
                }
            };
            let place = (object.group(), object.kind(), target.namespace.clone(), object.name());
            if let Some(first) = places.insert(place, index) {
                let source = |index: usize| identity::place(self.objects[index].source.as_ref());
                let message = format!("stands in the set twice: {} and {}", source(first), source(index));
                self.outcome.failures.push(Failure::new(target.label(), message));
            }
            targets.push((index, target));
        }
        targets
    }

    fn target(&self, object: &'a Object, known: &Known, defined: &Defined) -> Result<Target<'a>, String> {
        let found = known.find(object).or_else(|| defined.find(object));
        let resource = found.ok_or_else(|| {
            let version = object.api_version();
            format!("the cluster has no kind {} in {version}, and the set does not define it", object.kind())
        })?;
        let own = object.namespace();
        let namespace = if own.is_empty() { self.apply.namespace.as_str() } else { own };
        // Parts of a path that lead elsewhere.
        let takes = |name: &str| !matches!(name, "" | "." | "..") && !name.contains(['/', '%']);
        if !takes(object.name()) || resource.namespaced && !takes(namespace) {
            return Err("it has no name or namespace that a server would take".to_owned());
        }
        if !resource.can_apply {
            return Err("objects of this kind can be created only, and apply is not for them".to_owned());
        }
        if resource.namespaced && self.apply.only_namespace && namespace != self.apply.namespace {
            return Err(format!(
                "it is in namespace {namespace}, and --namespace says {}",
                self.apply.namespace
            ));
        }
        if !resource.namespaced && self.apply.owner.as_ref().is_some_and(|owner| !owner.may_have(object)) {
            return Err("it is cluster-scoped, and a review must not touch what others share".to_owned());
        }
        Ok(Target::new(object, &resource, namespace))
    }
}
