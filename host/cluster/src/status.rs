//! Whether an object is as its spec wants it, read from the object alone (kstatus: sigs.k8s.io/cli-utils).
//!
//! A port of kstatus 0.37.2: signs that any controller may leave come first, then the rules of built-in kinds, then a
//! `Ready` condition; an object without any of them counts as current. It differs where kstatus needs a clock or gives
//! an error, and where it would wait for what does not come by itself: images that cannot be pulled.
//!
//! Messages hold counts and single words only. Free text of conditions stays out, because it may quote values.

mod workload;

use lathe_manifest::{Number, Value};

/// How far an object is, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// How far it is.
    pub state: State,
    /// Why, in a few words that are safe to show and to log.
    pub message: String,
}

/// How far an object is on its way to what its spec says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Its controller is at work, or has not seen the spec yet.
    InProgress,
    /// It will not get there without a change.
    Failed,
    /// It is as its spec wants it.
    Current,
    /// It is being deleted.
    Terminating,
}

impl Health {
    /// Still to be waited for.
    pub(crate) fn in_progress(message: impl Into<String>) -> Self {
        Self { state: State::InProgress, message: message.into() }
    }

    /// Not to be waited for.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self { state: State::Failed, message: message.into() }
    }

    /// There.
    pub(crate) fn current(message: impl Into<String>) -> Self {
        Self { state: State::Current, message: message.into() }
    }

    /// On its way out.
    fn terminating() -> Self {
        Self { state: State::Terminating, message: "being deleted".into() }
    }
}

/// Judges an object as the cluster gives it, with its status; a member of another type than expected counts as absent.
pub fn of(object: &Value) -> Health {
    of_any(object)
        .or_else(|| rule(object).map(|judge| judge(object)))
        .or_else(|| of_ready(object))
        .unwrap_or_else(|| Health::current("no sign of pending work"))
}

/// The rule for a built-in kind; the group counts, because others define kinds of the same name.
fn rule(object: &Value) -> Option<fn(&Value) -> Health> {
    let version = object.str_at(&["apiVersion"])?;
    let group = version.split_once('/').map_or("", |(group, _)| group);
    Some(match (group, object.str_at(&["kind"])?) {
        ("", "ConfigMap" | "Secret") | ("batch", "CronJob") => |_| Health::current("always current"),
        ("", "Namespace") => of_namespace,
        ("", "PersistentVolumeClaim") => of_claim,
        ("", "Pod") => workload::of_pod,
        ("", "Service") => of_service,
        ("apiextensions.k8s.io", "CustomResourceDefinition") => of_definition,
        ("apps" | "extensions", "DaemonSet") => workload::of_daemon_set,
        ("apps" | "extensions", "Deployment") => workload::of_deployment,
        ("apps" | "extensions", "ReplicaSet") => workload::of_replica_set,
        ("apps", "StatefulSet") => workload::of_stateful_set,
        ("batch", "Job") => workload::of_job,
        // Its controller sets no more than observedGeneration, which has been looked at by now.
        ("policy", "PodDisruptionBudget") => |_| Health::current("disruptions computed"),
        _ => return None,
    })
}

/// What holds for every kind, and makes all else irrelevant.
fn of_any(object: &Value) -> Option<Health> {
    if object.str_at(&["metadata", "deletionTimestamp"]).is_some_and(|time| !time.is_empty()) {
        return Some(Health::terminating());
    }
    if let (Some(wanted), Some(seen)) = (generation(object), observed(object))
        && wanted != seen
    {
        return Some(Health::in_progress(format!("generation {wanted}, but {seen} observed")));
    }
    conditions(object).find_map(|condition| match condition {
        ("Reconciling", "True", reason) => Some(Health::in_progress(because("reconciling", reason))),
        ("Stalled", "True", reason) => Some(Health::failed(because("stalled", reason))),
        _ => None,
    })
}

/// What many custom resources say of themselves.
fn of_ready(object: &Value) -> Option<Health> {
    conditions(object).find_map(|condition| match condition {
        ("Ready", "True", _) => Some(Health::current("ready")),
        // Whether it still makes progress cannot be seen from outside.
        ("Ready", "False" | "Unknown", reason) => Some(Health::in_progress(because("not ready", reason))),
        _ => None,
    })
}

/// Beyond kstatus, which takes every namespace that has no deletion time as current.
fn of_namespace(object: &Value) -> Health {
    match object.str_at(&["status", "phase"]) {
        Some("Terminating") => Health::terminating(),
        _ => Health::current("active"),
    }
}

/// A claim that nothing uses may stay in progress for ever, where its class waits for a first consumer.
fn of_claim(object: &Value) -> Health {
    match object.str_at(&["status", "phase"]).unwrap_or_default() {
        "Bound" => Health::current("bound"),
        phase => Health::in_progress(because("not bound", phase)),
    }
}

/// As in kstatus the load balancer's own address is not asked for: not every cluster gives one.
fn of_service(object: &Value) -> Health {
    let address = object.str_at(&["spec", "clusterIP"]).unwrap_or_default();
    match object.str_at(&["spec", "type"]) {
        Some("LoadBalancer") if address.is_empty() => Health::in_progress("no cluster IP yet"),
        _ => Health::current("service ready"),
    }
}

/// A definition is of use once its names are served.
fn of_definition(object: &Value) -> Health {
    let found = conditions(object).find_map(|condition| match condition {
        ("NamesAccepted", "False", reason) => Some(Health::failed(because("names not accepted", reason))),
        ("Established", "False", "Installing") => None,
        ("Established", "False", reason) => Some(Health::failed(because("not established", reason))),
        ("Established", "True", _) => Some(Health::current("established")),
        _ => None,
    });
    found.unwrap_or_else(|| Health::in_progress("not established yet"))
}

/// The number of the spec's last change.
fn generation(object: &Value) -> Option<i64> {
    int_at(object, &["metadata", "generation"])
}

/// The number of the last change that the controller has acted on.
fn observed(object: &Value) -> Option<i64> {
    int_at(object, &["status", "observedGeneration"])
}

/// Type, status and reason of each condition, in the object's order; what is missing is empty.
fn conditions(object: &Value) -> impl Iterator<Item = (&str, &str, &str)> {
    let text = |condition, key| Value::str_at(condition, &[key]).unwrap_or_default();
    items_at(object, &["status", "conditions"])
        .iter()
        .map(move |condition| (text(condition, "type"), text(condition, "status"), text(condition, "reason")))
}

/// The list at a path, empty where there is none.
fn items_at<'a>(object: &'a Value, path: &[&str]) -> &'a [Value] {
    at(object, path).and_then(Value::as_array).unwrap_or_default()
}

/// The whole number at a path.
fn int_at(object: &Value, path: &[&str]) -> Option<i64> {
    match at(object, path)? {
        Value::Number(Number::Int(int)) => Some(*int),
        _ => None,
    }
}

/// The value at a path.
fn at<'a>(object: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(object, |value, key| value.get(key))
}

/// A message with the reason's word, where it is one.
fn because(what: &str, reason: &str) -> String {
    if is_word(reason) { format!("{what}: {reason}") } else { what.into() }
}

/// Custom resources need not keep to one word where a reason belongs, and may put a sentence there.
fn is_word(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

#[cfg(test)]
mod tests;
