//! An object's strings, each with what it is: text, the name of a namespace, or something that stays.

use lathe_sdk::{Object, Value, escape};

/// What a string is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Text in which hosts may stand.
    Text,
    /// The same, in an annotation or a list where a namespace may stand before a slash.
    Qualified,
    /// The name of a namespace, if it is one of the input's.
    Namespace,
    /// The same, several in a comma list.
    Namespaces,
    /// A name, a type, a selector or an image.
    Fixed,
}

/// One string of an object.
pub(crate) struct Leaf<'a> {
    pub(crate) pointer: &'a str,
    pub(crate) text: &'a str,
    pub(crate) role: Role,
}

/// What is known of a place by what it stands in.
#[derive(Clone, Copy, Default)]
struct Context<'a> {
    key: &'a str,
    depth: usize,
    metadata: bool,
    annotations: bool,
    /// Labels, or what selects by them.
    labels: bool,
    namespace_selector: bool,
    /// A list of namespaces.
    namespaces: bool,
    tolerations: bool,
    /// Something that points at another object by its name.
    reference: bool,
}

/// Calls `visit` for each string of the object, and of each map.
pub(crate) fn strings(object: &Object, visit: &mut impl FnMut(Leaf<'_>)) {
    let data = object.group().is_empty() && matches!(object.kind.as_str(), "ConfigMap" | "Secret");
    let mut walk = Walk { data, at: String::with_capacity(128), visit };
    walk.value(&object.value, Context::default());
}

struct Walk<'v, F> {
    /// Whether all but the metadata is data that nobody but its reader understands.
    data: bool,
    at: String,
    visit: &'v mut F,
}

impl<F: FnMut(Leaf<'_>)> Walk<'_, F> {
    fn value(&mut self, value: &Value, context: Context<'_>) {
        match value {
            Value::String(text) => self.leaf(text, self.role(context)),
            Value::Array(items) => self.items(items, context),
            Value::Object(map) => {
                let by_name =
                    map.get("key").is_some_and(|key| key.as_str() == Some("kubernetes.io/metadata.name"));
                let variable = map.get("name").and_then(Value::as_str).filter(|_| !self.data);
                let names_namespace =
                    variable.is_some_and(|name| name.ends_with("NAMESPACE") || name.ends_with("NAMESPACES"));
                for (key, value) in map {
                    let length = self.at.len();
                    self.at.push('/');
                    self.at.push_str(&escape(key));
                    let mut below = self.below(key, context);
                    below.namespaces |= by_name && key == "values";
                    match value {
                        Value::String(text) if names_namespace && key == "value" => {
                            self.leaf(text, Role::Namespaces);
                        }
                        value => self.value(value, below),
                    }
                    self.at.truncate(length);
                }
            }
            _ => {}
        }
    }

    fn items(&mut self, items: &[Value], context: Context<'_>) {
        let arguments = !self.data && matches!(context.key, "args" | "command");
        let mut flag = false;
        for (index, item) in items.iter().enumerate() {
            let length = self.at.len();
            self.at.push('/');
            self.at.push_str(&index.to_string());
            match item {
                Value::String(text) if arguments && flag => self.leaf(text, Role::Namespace),
                item => self.value(item, context),
            }
            self.at.truncate(length);
            flag = item.as_str().is_some_and(is_namespace_flag);
        }
    }

    fn below<'k>(&self, key: &'k str, context: Context<'_>) -> Context<'k> {
        let Context { key: parent, depth, metadata, annotations, labels, .. } = context;
        let data = self.data && !(metadata || depth == 0 && key == "metadata");
        if data {
            return Context { key, depth: depth + 1, ..Context::default() };
        }
        let selects = matches!(key, "matchLabels" | "selector" | "nodeSelector");
        Context {
            key,
            depth: depth + 1,
            metadata: metadata || depth == 0 && key == "metadata",
            annotations: annotations || parent == "metadata" && key == "annotations",
            labels: labels || selects || parent == "metadata" && key == "labels",
            namespace_selector: context.namespace_selector || key == "namespaceSelector",
            namespaces: matches!(key, "namespaces" | "exportTo")
                || context.namespace_selector && key == "matchNames",
            tolerations: context.tolerations || matches!(key, "tolerations" | "matchExpressions"),
            reference: parent.ends_with("Ref") || parent.ends_with("Refs") || parent == "imagePullSecrets",
        }
    }

    fn role(&self, context: Context<'_>) -> Role {
        let Context { key, depth, metadata, annotations, labels, .. } = context;
        if self.data && !metadata {
            return if depth == 1 && matches!(key, "apiVersion" | "kind") { Role::Fixed } else { Role::Text };
        }
        if key == "kubernetes.io/metadata.name" {
            return Role::Namespace;
        }
        let own = depth == 1 && key == "kind"
            || metadata && depth == 2 && matches!(key, "name" | "generateName" | "namespace")
            || metadata && key == "finalizers";
        let names = match key {
            "apiVersion" | "apiGroup" | "apiGroups" | "image" | "topologyKey" | "secretName"
            | "credentialName" | "claimName" | "configMapName" | "serviceAccountName" => true,
            "key" => context.tolerations,
            "name" => context.reference,
            _ => false,
        };
        if annotations {
            return if key.ends_with("namespace") { Role::Namespace } else { Role::Qualified };
        }
        if own || names || labels {
            return Role::Fixed;
        }
        if context.namespaces || matches!(key, "namespace" | "targetNamespace") {
            return Role::Namespace;
        }
        // Istio: `namespace/gateway`, `namespace/host`.
        if matches!(key, "gateways" | "hosts") { Role::Qualified } else { Role::Text }
    }

    fn leaf(&mut self, text: &str, role: Role) {
        (self.visit)(Leaf { pointer: &self.at, text, role });
    }
}

/// A flag behind which a namespace stands as an argument of its own.
fn is_namespace_flag(text: &str) -> bool {
    text == "-n" || text.starts_with("--") && text.ends_with("namespace")
}

#[cfg(test)]
mod tests {
    use lathe_sdk::json;

    use super::*;

    fn roles(kind: &str, value: &Value) -> Vec<(String, Role)> {
        let object =
            Object { kind: kind.into(), api_version: "v1".into(), value: value.clone(), ..Object::default() };
        let mut found = Vec::new();
        strings(&object, &mut |leaf| found.push((leaf.pointer.to_owned(), leaf.role)));
        found
    }

    #[test]
    fn strings_have_roles() {
        let value = json!({
            "kind": "X",
            "metadata": {"name": "a", "labels": {"b": "c"}, "annotations": {"x/release-namespace": "p", "y": "z"}},
            "spec": {
                "args": ["-n", "p", "x"],
                "env": [{"name": "POD_NAMESPACE", "value": "p"}, {"name": "URL", "value": "u"}],
                "from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "p"}}}],
                "hosts": ["h"],
                "ref": {"namespace": "p"},
                "secretName": "s",
                "secretKeyRef": {"name": "n", "key": "k"},
                "selector": {"app": "x"},
            },
        });
        let fixed: Vec<_> = roles("X", &value).into_iter().filter(|(_, role)| *role == Role::Fixed).collect();
        let names: Vec<&str> = fixed.iter().map(|(pointer, _)| pointer.as_str()).collect();
        let want = [
            "/kind",
            "/metadata/labels/b",
            "/metadata/name",
            "/spec/secretKeyRef/name",
            "/spec/secretName",
            "/spec/selector/app",
        ];
        assert_eq!(names, want);
        let role = |pointer: &str| roles("X", &value).into_iter().find(|(at, _)| at == pointer).unwrap().1;
        for (pointer, want) in [
            ("/metadata/annotations/x~1release-namespace", Role::Namespace),
            ("/metadata/annotations/y", Role::Qualified),
            ("/spec/args/0", Role::Text),
            ("/spec/args/1", Role::Namespace),
            ("/spec/args/2", Role::Text),
            ("/spec/env/0/value", Role::Namespaces),
            ("/spec/env/1/value", Role::Text),
            ("/spec/from/0/namespaceSelector/matchLabels/kubernetes.io~1metadata.name", Role::Namespace),
            ("/spec/hosts/0", Role::Qualified),
            ("/spec/ref/namespace", Role::Namespace),
            ("/spec/secretKeyRef/key", Role::Text),
        ] {
            assert_eq!(role(pointer), want, "{pointer}");
        }
        let data = json!({"kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"namespace": "p", "kind": "k", "image": "i"}});
        let told: Vec<Role> = roles("ConfigMap", &data).into_iter().map(|(_, role)| role).collect();
        assert_eq!(told, [Role::Text, Role::Text, Role::Text, Role::Fixed, Role::Fixed]);
    }
}
