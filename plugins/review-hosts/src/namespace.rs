//! Namespaces: the environment has one, and what names one of the input's follows.

use std::collections::BTreeSet;

use lathe_sdk::{Environment, Object, Outcome, Value, json};

/// The namespaces and Services of the input, and the environment's one namespace.
pub(crate) struct Namespaces<'a> {
    sources: BTreeSet<&'a str>,
    services: BTreeSet<(&'a str, &'a str)>,
    target: &'a str,
}

impl<'a> Namespaces<'a> {
    pub(crate) fn new(objects: &'a [Object], target: &'a str) -> Self {
        let mut sources: BTreeSet<&str> = objects.iter().map(|object| object.namespace.as_str()).collect();
        sources.extend(objects.iter().filter(|o| o.is("", "Namespace")).map(|o| o.name.as_str()));
        sources.remove("");
        let services = objects.iter().filter(|o| o.is("", "Service"));
        let services = services.map(|o| (o.name.as_str(), o.namespace.as_str())).collect();
        Self { sources, services, target }
    }

    /// Moves the object and the fields of it that name a namespace.
    pub(crate) fn apply(&self, object: &Object, outcome: &mut Outcome) {
        if object.is("", "Namespace") {
            outcome.set(object.key, "/metadata/name", self.target);
            return;
        }
        outcome.set(object.key, "/metadata/namespace", self.target);
        if !matches!(object.kind.as_str(), "ConfigMap" | "Secret") {
            self.fields(object, &object.value, &mut String::new(), outcome);
        }
    }

    /// Fields that name a namespace, wherever they stand: `namespace`, `targetNamespace`, a selector by name.
    fn fields(&self, object: &Object, value: &Value, at: &mut String, outcome: &mut Outcome) {
        let length = at.len();
        let members: Vec<(String, &Value)> = match value {
            Value::Object(map) => {
                map.iter().map(|(key, value)| (lathe_sdk::escape(key).into_owned(), value)).collect()
            }
            Value::Array(items) => {
                items.iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect()
            }
            _ => return,
        };
        let listed = matches!(at.rsplit('/').next(), Some("namespaces" | "exportTo"));
        let by_name = value["key"] == "kubernetes.io/metadata.name";
        for (token, value) in members {
            at.push('/');
            at.push_str(&token);
            let names =
                matches!(token.as_str(), "namespace" | "targetNamespace" | "kubernetes.io~1metadata.name")
                    || at.contains("/namespaceSelector/matchNames/")
                    || listed;
            let source =
                |value: &Value| value.as_str().is_some_and(|namespace| self.sources.contains(namespace));
            if names && source(value) && at != "/metadata/namespace" {
                outcome.set(object.key, at.clone(), self.target);
            } else if by_name && token == "values" {
                for (index, _) in
                    value.as_array().into_iter().flatten().enumerate().filter(|(_, value)| source(value))
                {
                    outcome.set(object.key, format!("{at}/{index}"), self.target);
                }
            }
            self.fields(object, value, at, outcome);
            at.truncate(length);
        }
    }

    /// The name of a Service of this input in the environment's namespace: `name.ns.svc…`, or `name.ns` where that
    /// Service is in the input and what follows fits an address.
    pub(crate) fn service(&self, token: &str, after: &str) -> Option<String> {
        let labels: Vec<&str> = token.split('.').collect();
        let address = || match after.as_bytes() {
            [b':', next, ..] => next.is_ascii_digit(),
            [next, ..] => !next.is_ascii_alphanumeric() && !b"=:".contains(next),
            [] => true,
        };
        let at = match (service_label(&labels), labels.as_slice()) {
            (Some(svc), _) => svc - 1,
            // `pod.service.namespace` is how a StatefulSet's pods are called.
            (None, [name, namespace] | [_, name, namespace])
                if self.services.contains(&(*name, *namespace)) && address() =>
            {
                labels.len() - 1
            }
            _ => return None,
        };
        let namespace = *labels.get(at)?;
        if !self.sources.contains(namespace) || namespace == self.target {
            return None;
        }
        let mut labels = labels;
        labels[at] = self.target;
        Some(labels.join("."))
    }

    /// `system:serviceaccount:NS:NAME` and `system:serviceaccounts:NS` in text.
    pub(crate) fn follow_text(&self, text: &str) -> Option<String> {
        const ONE: &str = "system:serviceaccount:";
        const ALL: &str = "system:serviceaccounts:";
        if let Some(namespace) = text.strip_prefix(ALL) {
            return self.sources.contains(namespace).then(|| format!("{ALL}{}", self.target));
        }
        if !text.contains(ONE) {
            return None;
        }
        let mut out = String::with_capacity(text.len());
        for (index, part) in text.split(ONE).enumerate() {
            if index > 0 {
                out.push_str(ONE);
            }
            let follows =
                part.split_once(':').filter(|(namespace, _)| index > 0 && self.sources.contains(namespace));
            match follows {
                Some((_, rest)) => {
                    out.push_str(self.target);
                    out.push(':');
                    out.push_str(rest);
                }
                None => out.push_str(part),
            }
        }
        (out != text).then_some(out)
    }

    /// The text with its namespace replaced, where the field has a spelling of its own for one.
    pub(crate) fn follow_spelling(&self, object: &Object, pointer: &str, text: &str) -> Option<String> {
        if matches!(object.kind.as_str(), "ConfigMap" | "Secret") && !pointer.starts_with("/metadata/") {
            return None;
        }
        let target = self.target;
        let known = |name: &str| self.sources.contains(name);
        let annotation = pointer.contains("/annotations/");
        if annotation && pointer.ends_with("namespace") && known(text) {
            return Some(target.to_owned());
        }
        if (annotation || pointer.contains("/gateways/"))
            && let Some((_, name)) = text.split_once('/').filter(|(namespace, _)| known(namespace))
        {
            return Some(format!("{target}/{name}"));
        }
        if annotation && text.ends_with("@kubernetescrd") {
            let rest = self.sources.iter().find_map(|name| text.strip_prefix(name)?.strip_prefix('-'))?;
            return Some(format!("{target}-{rest}"));
        }
        if let Some((flag, _)) = text.split_once('=').filter(|(_, namespace)| known(namespace))
            && flag.starts_with("--")
            && flag.ends_with("namespace")
        {
            return Some(format!("{flag}={target}"));
        }
        let (before, rest) = text.split_once("/ns/")?;
        let (_, after) = rest.split_once('/').filter(|(namespace, _)| known(namespace))?;
        Some(format!("{before}/ns/{target}/{after}"))
    }

    /// The environment's Namespace with its labels: the input's, or a new one.
    pub(crate) fn ensure(&self, objects: &[Object], environment: &Environment, outcome: &mut Outcome) {
        let review = environment.review.as_ref().map(|review| review.id.as_str()).unwrap_or_default();
        let labels = [
            ("lathe.dev/project", environment.project.as_str()),
            ("lathe.dev/environment", environment.name.as_str()),
            ("lathe.dev/review", review),
        ];
        let mut given = false;
        for object in objects.iter().filter(|object| object.is("", "Namespace")) {
            given = true;
            for (name, value) in labels {
                outcome.set(object.key, format!("/metadata/labels/{}", lathe_sdk::escape(name)), value);
            }
        }
        if !given {
            let labels: serde_json::Map<String, Value> =
                labels.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
            outcome.add_object(&json!({
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": self.target, "labels": labels},
            }));
        }
    }
}

/// Where the label `svc` of a Service's DNS name stands: behind a namespace, at the end or before the cluster's domain.
/// The Service's own name may be a variable that is no label.
fn service_label(labels: &[&str]) -> Option<usize> {
    let at = labels.iter().rposition(|label| *label == "svc")?;
    let rest = &labels[at + 1..];
    (at >= 1 && (rest.is_empty() || rest.len() >= 2)).then_some(at)
}
