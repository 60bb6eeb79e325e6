//! A review smaller than production: fewer replicas, sleeping jobs, less storage.

use lathe_sdk::{Location, Object, Outcome, Value, json};

use crate::config::Shrink;
use crate::pod;
use crate::quantity;

/// Makes the object smaller. Tells whether it stays.
pub(crate) fn apply(object: &Object, shrink: &Shrink, outcome: &mut Outcome) -> bool {
    let spec = &object.value["spec"];
    match (object.group(), object.kind.as_str()) {
        ("autoscaling", "HorizontalPodAutoscaler")
        | ("autoscaling.k8s.io", "VerticalPodAutoscaler")
        | ("keda.sh", "ScaledObject")
        | ("policy", "PodDisruptionBudget")
            if shrink.replicas.is_some() =>
        {
            outcome.drop_object(object.key);
            return false;
        }
        ("apps", "Deployment" | "StatefulSet" | "ReplicaSet")
        | ("", "ReplicationController")
        | ("apps.openshift.io", "DeploymentConfig")
        | ("argoproj.io", "Rollout") => {
            if let Some(most) = shrink.replicas
                && spec["replicas"].as_u64().unwrap_or(1) > most
            {
                outcome.set(object.key, "/spec/replicas", most);
            }
        }
        ("batch", "CronJob") if shrink.suspend_cron_jobs && spec["suspend"] != true => {
            outcome.set(object.key, "/spec/suspend", true);
        }
        ("", "PersistentVolumeClaim") => storage(object, spec, "/spec", shrink, outcome),
        _ => {}
    }
    if let Some((at, pod)) = pod::spec(object) {
        for (index, volume) in pod["volumes"].as_array().into_iter().flatten().enumerate() {
            let at = format!("{at}/volumes/{index}/ephemeral/volumeClaimTemplate/spec");
            storage(object, &volume["ephemeral"]["volumeClaimTemplate"]["spec"], &at, shrink, outcome);
        }
    }
    if object.is("apps", "StatefulSet") {
        for (index, claim) in spec["volumeClaimTemplates"].as_array().into_iter().flatten().enumerate() {
            let at = format!("/spec/volumeClaimTemplates/{index}/spec");
            storage(object, &claim["spec"], &at, shrink, outcome);
        }
    }
    true
}

fn storage(object: &Object, spec: &Value, at: &str, shrink: &Shrink, outcome: &mut Outcome) {
    let Some(most) = &shrink.storage else { return };
    let asked = &spec["resources"]["requests"]["storage"];
    let text = match asked {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return,
    };
    let pointer = format!("{at}/resources/requests/storage");
    let Some(limit) = quantity::parse(most) else { return };
    match quantity::parse(&text) {
        Some(asked) if asked > limit => outcome.set(object.key, pointer, json!(most)),
        Some(_) => {}
        None => {
            let at = Location { object: object.key, pointer };
            outcome.error("shrink", "this is no quantity, so it cannot be compared", Some(at));
        }
    }
}
