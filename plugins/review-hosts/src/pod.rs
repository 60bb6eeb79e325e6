//! Where objects hold the specification of a pod.

use lathe_sdk::{Object, Value};

/// Pointer of a pod's specification, or of the template that holds one.
pub(crate) fn spec(object: &Object) -> Option<(&'static str, &Value)> {
    let at = match (object.group(), object.kind.as_str()) {
        ("", "Pod") => "/spec",
        ("", "PodTemplate") => "/template/spec",
        ("", "ReplicationController")
        | ("apps" | "extensions", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet")
        | ("batch", "Job")
        | ("apps.openshift.io", "DeploymentConfig")
        | ("argoproj.io", "Rollout") => "/spec/template/spec",
        ("batch", "CronJob") => "/spec/jobTemplate/spec/template/spec",
        _ => return None,
    };
    Some((at, object.value.pointer(at)?))
}

/// All containers of a pod's specification, with their pointers.
pub(crate) fn containers<'a>(at: &'a str, spec: &'a Value) -> impl Iterator<Item = (String, &'a Value)> {
    ["containers", "initContainers", "ephemeralContainers"].into_iter().flat_map(move |list| {
        let items = spec[list].as_array().into_iter().flatten().enumerate();
        items.map(move |(index, item)| (format!("{at}/{list}/{index}"), item))
    })
}
