//! Where each object of a set goes: its resource, its namespace, and that no two go to one place.

use std::collections::HashMap;

use lathe_manifest::{Object, identity};

use crate::control::Control;
use crate::discovery::{Defined, Known};
use crate::outcome::Failure;
use crate::run::{Placed, Run};
use crate::set::PART_OF;
use crate::target::Target;

impl<'a> Run<'a> {
    /// The targets of all objects that have one. What goes nowhere is a failure.
    pub(crate) fn resolve(&mut self, known: &Known, defined: &Defined) -> Vec<Placed<'a>> {
        let mut targets: Vec<Placed<'a>> = Vec::new();
        let id = self.apply.id();
        let mut places: HashMap<(&str, &str, String, &str), usize> = HashMap::new();
        for (index, object) in self.objects.iter().enumerate() {
            let target = match self.target(object, known, defined, id.as_deref()) {
                Ok(target) => target,
                Err(message) => {
                    self.outcome.failures.push(Failure::new(object.label(), message));
                    continue;
                }
            };
            let place = (object.group(), object.kind(), target.namespace.clone(), object.name());
            if let Some(first) = places.insert(place, index).filter(|_| !object.is_create_only()) {
                let source = |index: usize| identity::place(self.objects[index].source.as_ref());
                let message = format!("stands in the set twice: {} and {}", source(first), source(index));
                self.outcome.failures.push(Failure::new(target.label(), message));
            }
            targets.push((index, target));
        }
        targets
    }

    fn target(
        &self,
        object: &'a Object,
        known: &Known,
        defined: &Defined,
        id: Option<&str>,
    ) -> Result<Target<'a>, String> {
        let found = known.find(object).or_else(|| defined.find(object));
        let resource = found.ok_or_else(|| {
            let version = object.api_version();
            format!("the cluster has no kind {} in {version}, and the set does not define it", object.kind())
        })?;
        let own = object.namespace();
        let namespace = if own.is_empty() { self.apply.namespace.as_str() } else { own };
        // Parts of a path that lead elsewhere.
        let takes = |name: &str| !matches!(name, "" | "." | "..") && !name.contains(['/', '%']);
        if !(takes(object.name()) || object.is_create_only()) || resource.namespaced && !takes(namespace) {
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
        if object.value.get("metadata").and_then(|metadata| metadata.str_at(&["labels", PART_OF])).is_some() {
            return Err(format!("it carries the label {PART_OF}, which says to which set an object belongs"));
        }
        let control = Control::of(object)?;
        Ok(Target::new(object, resource, namespace, control, id))
    }
}
