//! An object's strings, each with what it is: text, the name of a namespace, or something that stays.

use std::collections::BTreeSet;

use lathe_sdk::{Object, Value, escape};

use crate::spelling::is_tool;

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
    /// An annotation that may name an object of another namespace.
    qualified: bool,
    /// Labels, or what selects by them.
    labels: bool,
    namespace_selector: bool,
    /// A list of namespaces.
    namespaces: bool,
    tolerations: bool,
    /// What a pod mounts, where.
    volume: bool,
    /// Something that points at another object by its name.
    reference: bool,
}

/// Calls `visit` for each string of the object. `names` are those of the input's objects.
pub(crate) fn strings(object: &Object, names: &BTreeSet<&str>, visit: &mut impl FnMut(Leaf<'_>)) {
    let data = object.group().is_empty() && matches!(object.kind.as_str(), "ConfigMap" | "Secret");
    let mut walk = Walk { data, names, at: String::with_capacity(128), tool: false, visit };
    walk.value(&object.value, Context::default());
}

struct Walk<'v, F> {
    /// Whether all but the metadata is data that nobody but its reader understands.
    data: bool,
    names: &'v BTreeSet<&'v str>,
    at: String,
    /// Whether the container around runs a command that knows `-n` for a namespace.
    tool: bool,
    visit: &'v mut F,
}

impl<F: FnMut(Leaf<'_>)> Walk<'_, F> {
    fn value(&mut self, value: &Value, context: Context<'_>) {
        match value {
            Value::String(text) => self.leaf(text, self.role(context, text)),
            Value::Array(items) => self.items(items, context),
            Value::Object(map) => {
                let by_name = map.get("key").and_then(Value::as_str).is_some_and(is_namespace_label);
                let variable = map.get("name").and_then(Value::as_str).filter(|_| !self.data);
                let names_namespace = variable.is_some_and(is_namespace_variable);
                let of_namespaces = map
                    .get("resources")
                    .and_then(Value::as_array)
                    .is_some_and(|resources| resources.iter().any(|resource| resource == "namespaces"));
                let outer = self.tool;
                self.tool |= map.contains_key("args") || map.contains_key("command");
                self.tool &= outer || runs_tool(map);
                for (key, value) in map {
                    let length = self.at.len();
                    self.at.push('/');
                    self.at.push_str(&escape(key));
                    let mut below = self.below(key, value, context);
                    below.namespaces |= (by_name || context.namespace_selector) && key == "values";
                    below.namespaces |= of_namespaces && key == "resourceNames";
                    below.labels &= !(below.namespaces && key == "values");
                    match value {
                        Value::String(text) if names_namespace && key == "value" => {
                            self.leaf(text, Role::Namespaces);
                        }
                        value => self.value(value, below),
                    }
                    self.at.truncate(length);
                }
                self.tool = outer;
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
                Value::String(text) if arguments && flag => self.leaf(text, Role::Namespaces),
                item => self.value(item, context),
            }
            self.at.truncate(length);
            flag = item.as_str().is_some_and(|text| is_namespace_flag(text, self.tool));
        }
    }

    fn below<'k>(&self, key: &'k str, value: &Value, context: Context<'_>) -> Context<'k> {
        let Context { key: parent, depth, metadata, annotations, labels, .. } = context;
        let data = self.data && !(metadata || depth == 0 && key == "metadata");
        if data {
            return Context { key, depth: depth + 1, ..Context::default() };
        }
        let labelled = || value.as_object().is_some_and(|map| map.values().all(Value::is_string));
        let selects = matches!(key, "matchLabels" | "selector" | "nodeSelector") && labelled();
        Context {
            key,
            depth: depth + 1,
            metadata: metadata || depth == 0 && key == "metadata",
            annotations: annotations || parent == "metadata" && key == "annotations",
            qualified: parent == "annotations" && is_reference(key),
            labels: labels || selects || parent == "metadata" && key == "labels",
            namespace_selector: context.namespace_selector
                || key == "namespaceSelector"
                || parent == "namespaces" && key == "selector",
            // A label of that name is one like any other.
            namespaces: !labels && parent != "labels" && is_namespace_field(key)
                || context.namespace_selector && key == "matchNames",
            volume: context.volume || matches!(key, "volumes" | "volumeMounts"),
            tolerations: context.tolerations || matches!(key, "tolerations" | "matchExpressions"),
            reference: parent.ends_with("Ref")
                || parent.ends_with("Refs")
                || matches!(
                    parent,
                    "imagePullSecrets"
                        | "configMap"
                        | "secret"
                        | "middlewares"
                        | "service"
                        | "services"
                        | "serviceAccount"
                ),
        }
    }

    fn role(&self, context: Context<'_>, text: &str) -> Role {
        let Context { key, depth, metadata, annotations, labels, .. } = context;
        if self.data && !metadata {
            let variable = depth == 2 && is_namespace_variable(key);
            return match key {
                "apiVersion" | "kind" if depth == 1 => Role::Fixed,
                _ if variable => Role::Namespaces,
                _ => Role::Text,
            };
        }
        if is_namespace_label(key) || labels && context.namespace_selector {
            return Role::Namespace;
        }
        let own = depth == 1 && key == "kind"
            || metadata && depth == 2 && matches!(key, "name" | "generateName" | "namespace")
            || metadata && key == "finalizers";
        let names = match key {
            "apiVersion" | "apiGroup" | "apiGroups" | "topologyKey" | "secretName" | "credentialName"
            | "claimName" | "configMapName" | "serviceAccountName" => true,
            // A picture's address is no container's image.
            "image" => !text.contains("://"),
            "key" if context.tolerations => true,
            "name" => context.reference,
            "path" | "subPath" | "mountPath" if context.volume => true,
            "key" if context.volume || context.reference => true,
            "resourceNames" => !context.namespaces && self.names.contains(text),
            _ => false,
        };
        // Called like an object of the input, a text is either its name or a host; where no field says which, it stays, and the
        // closure asks.
        let ambiguous = || text.contains('.') && self.names.contains(text) && !may_hold_a_host(key);
        if annotations {
            return match key {
                _ if ambiguous() => Role::Fixed,
                _ if key.ends_with("namespace") || key.ends_with("namespaces") => Role::Namespaces,
                _ if key.ends_with("/replicate-to") => Role::Namespaces,
                _ if context.qualified || text.ends_with("@kubernetescrd") => Role::Qualified,
                _ => Role::Text,
            };
        }
        if own || names || labels {
            return Role::Fixed;
        }
        if context.namespaces {
            return Role::Namespace;
        }
        if ambiguous() {
            return Role::Fixed;
        }
        // Istio: `namespace/gateway`, `namespace/host`.
        if matches!(key, "gateways" | "hosts" | "serviceAccounts") { Role::Qualified } else { Role::Text }
    }

    fn leaf(&mut self, text: &str, role: Role) {
        (self.visit)(Leaf { pointer: &self.at, text, role });
    }
}

/// A flag behind which a namespace stands as an argument of its own.
fn is_namespace_flag(text: &str, tool: bool) -> bool {
    tool && text == "-n"
        || text.starts_with("--") && (text.ends_with("namespace") || text.ends_with("namespaces"))
}

/// Whether a container runs a command that knows `-n` for a namespace.
fn runs_tool(container: &serde_json::Map<String, Value>) -> bool {
    let texts = ["command", "args"].into_iter().filter_map(|name| container.get(name)?.as_array()).flatten();
    let image = container.get("image").and_then(Value::as_str);
    texts.filter_map(Value::as_str).chain(image).any(|text| text.split_whitespace().any(is_tool))
}

/// A variable that names a namespace, or several in a comma list.
fn is_namespace_variable(name: &str) -> bool {
    if !name.ends_with(['E', 'e', 'S', 's']) {
        return false;
    }
    let name = name.to_ascii_uppercase();
    // What these call a namespace is none of Kubernetes'.
    let other = ["VAULT", "TEMPORAL", "METRIC", "STATSD"].iter().any(|product| name.contains(product));
    let named =
        name.ends_with("NAMESPACE") || name.ends_with("NAMESPACES") || name == "NS" || name.ends_with("_NS");
    named && !other
}

/// A label that the API server, or Cilium, gives by the namespace.
fn is_namespace_label(key: &str) -> bool {
    key == "kubernetes.io/metadata.name"
        || key.ends_with("io.kubernetes.pod.namespace")
        || key == "source.namespace"
}

/// A field of one or several namespaces, by its name.
fn is_namespace_field(key: &str) -> bool {
    matches!(key, "namespace" | "namespaces" | "exportTo" | "notNamespaces" | "namespaceNames")
        || key.ends_with("Namespace")
        || key.ends_with("Namespaces")
}

/// Whether a field of this name may hold a host.
fn may_hold_a_host(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let parts = [
        "host",
        "dns",
        "domain",
        "fqdn",
        "url",
        "uri",
        "addr",
        "commonname",
        "common-name",
        "alias",
        "redirect",
        "origin",
        "signin",
        "authority",
        "sni",
        "server",
        "target",
        "endpoint",
    ];
    parts.iter().any(|part| key.contains(part))
        || matches!(
            key.as_str(),
            "main" | "sans" | "value" | "args" | "command" | "match" | "exact" | "regex"
        )
}

/// An annotation whose text may name an object by `namespace/name`.
fn is_reference(annotation: &str) -> bool {
    let name = annotation.rsplit('/').next().unwrap_or(annotation);
    let parts = ["secret", "middleware", "inject-ca-from", "certificate", "configmap", "config-map"];
    let whole =
        ["replicate-from", "reflects", "networks", "auth-proxy-set-headers", "custom-headers", "policies"];
    parts.iter().any(|part| name.contains(part)) || whole.contains(&name)
}

#[cfg(test)]
mod tests {
    use lathe_sdk::json;

    use super::*;

    fn roles(kind: &str, value: &Value) -> Vec<(String, Role)> {
        let object =
            Object { kind: kind.into(), api_version: "v1".into(), value: value.clone(), ..Object::default() };
        let mut found = Vec::new();
        strings(&object, &[].into(), &mut |leaf| found.push((leaf.pointer.to_owned(), leaf.role)));
        found
    }

    #[test]
    fn strings_have_roles() {
        let value = json!({
            "kind": "X",
            "metadata": {"name": "a", "labels": {"b": "c"}, "annotations": {"x/release-namespace": "p", "y": "z"}},
            "spec": {
                "args": ["kubectl", "-n", "p", "x"],
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
            "/spec/secretKeyRef/key",
            "/spec/secretKeyRef/name",
            "/spec/secretName",
            "/spec/selector/app",
        ];
        assert_eq!(names, want);
        let role = |pointer: &str| roles("X", &value).into_iter().find(|(at, _)| at == pointer).unwrap().1;
        for (pointer, want) in [
            ("/metadata/annotations/x~1release-namespace", Role::Namespaces),
            ("/metadata/annotations/y", Role::Text),
            ("/spec/args/1", Role::Text),
            ("/spec/args/2", Role::Namespaces),
            ("/spec/args/3", Role::Text),
            ("/spec/env/0/value", Role::Namespaces),
            ("/spec/env/1/value", Role::Text),
            ("/spec/from/0/namespaceSelector/matchLabels/kubernetes.io~1metadata.name", Role::Namespace),
            ("/spec/hosts/0", Role::Qualified),
            ("/spec/ref/namespace", Role::Namespace),
        ] {
            assert_eq!(role(pointer), want, "{pointer}");
        }
        let data = json!({"kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"namespace": "p", "kind": "k", "image": "i"}});
        let told: Vec<Role> = roles("ConfigMap", &data).into_iter().map(|(_, role)| role).collect();
        assert_eq!(told, [Role::Text, Role::Text, Role::Namespaces, Role::Fixed, Role::Fixed]);
    }
}
