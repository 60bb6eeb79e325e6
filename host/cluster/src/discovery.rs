//! Which kinds there are: those that the server knows, and those that the set itself is about to define.

use std::collections::{BTreeSet, HashMap};

use kube::Discovery;
use kube::core::GroupVersionKind;
use kube::core::discovery::{ApiCapabilities, Scope, verbs};
use lathe_manifest::{Object, Value};

use crate::inventory::group_kind;
use crate::request::{RequestError, Requests};

/// Where objects of a kind are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    /// `/api/v1` or `/apis/GROUP/VERSION`.
    root: String,
    plural: String,
    pub(crate) namespaced: bool,
    /// Whether `status` is written apart from the rest, so that it has no place in an apply.
    pub(crate) has_status: bool,
    /// Whether the server lets it be read and patched, which an apply does.
    pub(crate) can_apply: bool,
}

impl Resource {
    fn new(group: &str, version: &str, plural: &str, namespaced: bool, has_status: bool) -> Self {
        let root =
            if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
        Self { root, plural: plural.to_owned(), namespaced, has_status, can_apply: true }
    }

    /// The path of one object.
    pub(crate) fn path(&self, namespace: &str, name: &str) -> String {
        format!("{}/{}", self.collection(namespace), encode(name))
    }

    /// The path of all objects, in the namespace if they are in one.
    pub(crate) fn collection(&self, namespace: &str) -> String {
        let Self { root, plural, .. } = self;
        if self.namespaced {
            format!("{root}/namespaces/{}/{plural}", encode(namespace))
        } else {
            format!("{root}/{plural}")
        }
    }
}

/// The kinds that the server knows now.
pub(crate) struct Known(Discovery);

impl Known {
    /// Asks the server: two requests where it aggregates (Kubernetes 1.26 and later), else one for each group.
    pub(crate) async fn read(requests: &Requests) -> Result<Self, RequestError> {
        let discovery = || Discovery::new(requests.client());
        match discovery().run_aggregated().await {
            Ok(discovery) => return Ok(Self(discovery)),
            // A server that cannot aggregate answers in the old form.
            Err(kube::Error::SerdeError(_)) => {}
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 406) => {}
            Err(error) => return Err(requests.error(error)),
        }
        discovery().run().await.map(Self).map_err(|error| requests.error(error))
    }

    /// The resource of a kind in the version that the server recommends, from the name that a set's parent has for it.
    pub(crate) fn of_kind(&self, group_kind: &str) -> Option<Resource> {
        let (kind, group) = group_kind.split_once('.').unwrap_or((group_kind, ""));
        let (resource, capabilities) = self.0.get(group)?.recommended_kind(kind)?;
        Some(Self::resource(group, &resource.version, &resource.plural, &capabilities))
    }

    /// All kinds outside of namespaces that can be listed, as a set's parent names them.
    pub(crate) fn shared_kinds(&self) -> BTreeSet<String> {
        let mut kinds = BTreeSet::new();
        for group in self.0.groups() {
            for (resource, capabilities) in group.recommended_resources() {
                if capabilities.scope == Scope::Cluster && capabilities.supports_operation(verbs::LIST) {
                    kinds.insert(group_kind(&resource.group, &resource.kind));
                }
            }
        }
        kinds
    }

    pub(crate) fn find(&self, object: &Object) -> Option<Resource> {
        let (group, version) = group_version(object);
        let kind = GroupVersionKind::gvk(group, version, object.kind());
        let (resource, capabilities) = self.0.resolve_gvk(&kind)?;
        Some(Self::resource(group, version, &resource.plural, &capabilities))
    }

    fn resource(group: &str, version: &str, plural: &str, capabilities: &ApiCapabilities) -> Resource {
        let has_status = capabilities.subresources.iter().any(|(sub, _)| sub.plural == "status");
        let namespaced = capabilities.scope == Scope::Namespaced;
        let can_apply = [verbs::GET, verbs::PATCH].iter().all(|verb| capabilities.supports_operation(verb));
        let resource = Resource::new(group, version, plural, namespaced, has_status);
        Resource { can_apply, ..resource }
    }
}

/// The kinds that definitions (`CustomResourceDefinition`) of the set define, by group, version and kind.
#[derive(Default)]
pub(crate) struct Defined(HashMap<(String, String, String), Resource>);

impl Defined {
    pub(crate) fn of<'a>(objects: impl Iterator<Item = &'a Object>) -> Self {
        let mut defined = Self::default();
        for object in objects.filter(|object| is_definition(object)) {
            let _ = defined.add(object);
        }
        defined
    }

    pub(crate) fn find(&self, object: &Object) -> Option<Resource> {
        let (group, version) = group_version(object);
        self.0.get(&(group.to_owned(), version.to_owned(), object.kind().to_owned())).cloned()
    }

    pub(crate) fn has(&self, object: &Object) -> bool {
        self.find(object).is_some()
    }

    /// `None` where it is no definition that a server would take, which the server says better.
    fn add(&mut self, definition: &Object) -> Option<()> {
        let spec = definition.value.get("spec")?;
        let group = spec.str_at(&["group"])?;
        let (plural, kind) = (spec.str_at(&["names", "plural"])?, spec.str_at(&["names", "kind"])?);
        let namespaced = spec.str_at(&["scope"])? == "Namespaced";
        for version in spec.get("versions")?.as_array()? {
            let served = version.get("served") == Some(&Value::Bool(true));
            let name = version.str_at(&["name"])?;
            let has_status = version.get("subresources").and_then(|sub| sub.get("status")).is_some();
            if served {
                let resource = Resource::new(group, name, plural, namespaced, has_status);
                self.0.insert((group.to_owned(), name.to_owned(), kind.to_owned()), resource);
            }
        }
        Some(())
    }
}

/// Whether the object defines a kind.
pub(crate) fn is_definition(object: &Object) -> bool {
    object.kind() == "CustomResourceDefinition" && object.group() == "apiextensions.k8s.io"
}

/// Whether the object is a namespace.
pub(crate) fn is_namespace(object: &Object) -> bool {
    object.kind() == "Namespace" && object.group().is_empty()
}

fn group_version(object: &Object) -> (&str, &str) {
    object.api_version().rsplit_once('/').unwrap_or(("", object.api_version()))
}

/// A part of a path (RFC 3986 `pchar` without the sub-delimiters).
pub(crate) fn encode(part: &str) -> String {
    let mut out = String::with_capacity(part.len());
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use lathe_manifest::json;

    use super::*;

    fn object(text: &str) -> Object {
        Object::added(json::parse(text).unwrap()).unwrap()
    }

    #[test]
    fn the_set_defines_kinds_in_the_versions_that_are_served() {
        let definition = object(
            r#"{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"x"},"spec":{"group":"example.org","scope":"Namespaced","names":{"plural":"gears","kind":"Gear"},"versions":[{"name":"v1","served":true,"subresources":{"status":{}}},{"name":"v0","served":false}]}}"#,
        );
        let defined = Defined::of([&definition].into_iter());
        let gear = |version| object(&format!(r#"{{"apiVersion":"example.org/{version}","kind":"Gear"}}"#));
        let resource = defined.find(&gear("v1")).unwrap();
        assert!(resource.has_status);
        assert_eq!(resource.path("a", "b c"), "/apis/example.org/v1/namespaces/a/gears/b%20c");
        assert!(defined.find(&gear("v0")).is_none());
    }

    #[test]
    fn names_stay_within_their_part_of_the_path() {
        let roles = Resource::new("", "v1", "nodes", false, false);
        assert_eq!(roles.path("", "system:a/../b?c"), "/api/v1/nodes/system:a%2F..%2Fb%3Fc");
    }
}
