//! The rules for what runs containers.

use lathe_manifest::Value;

use super::{Health, because, conditions, generation, int_at, is_word, items_at, observed};

/// Beyond kstatus: what a container waits for in vain until someone changes the pod, its image or what it refers to.
const HOPELESS: [&str; 4] =
    ["ImagePullBackOff", "ErrImagePull", "InvalidImageName", "CreateContainerConfigError"];

/// The reason of a rollout that took too long, whatever the condition's status.
const DEADLINE: &str = "ProgressDeadlineExceeded";

/// A pod that has ended is current whichever way it ended, as nothing more will happen to it.
pub(super) fn of_pod(pod: &Value) -> Health {
    match pod.str_at(&["status", "phase"]).unwrap_or_default() {
        "Succeeded" => Health::current("completed"),
        "Failed" => Health::failed("its containers failed"),
        "Running" if has(pod, "Ready") => Health::current("ready"),
        "Running" => hopeless(pod)
            // Init containers that crash are left out as in kstatus: many do so until what they wait for is there.
            .or_else(|| waiting(pod, "containerStatuses", &["CrashLoopBackOff"]))
            .unwrap_or_else(|| Health::in_progress("running, but not ready")),
        "Pending" => {
            hopeless(pod).or_else(|| unscheduled(pod)).unwrap_or_else(|| Health::in_progress("pending"))
        }
        "" => Health::in_progress("no phase yet"),
        phase => Health::in_progress(because("unexpected phase", phase)),
    }
}

/// A failure where a container waits in vain.
fn hopeless(pod: &Value) -> Option<Health> {
    let lists = ["initContainerStatuses", "containerStatuses"];
    lists.into_iter().find_map(|list| waiting(pod, list, &HOPELESS))
}

/// A failure where a container of that list waits for one of these reasons.
fn waiting(pod: &Value, list: &str, reasons: &[&str]) -> Option<Health> {
    items_at(pod, &["status", list]).iter().find_map(|container| {
        let reason = container.str_at(&["state", "waiting", "reason"])?;
        let name = container.str_at(&["name"]).filter(|name| is_word(name)).unwrap_or("?");
        reasons.contains(&reason).then(|| Health::failed(format!("container {name}: {reason}")))
    })
}

/// kstatus calls this a failure after 15 s; without a clock it stays in progress, since a node may still come.
fn unscheduled(pod: &Value) -> Option<Health> {
    conditions(pod).find_map(|condition| match condition {
        ("PodScheduled", "False", reason) => Some(Health::in_progress(because("not scheduled", reason))),
        _ => None,
    })
}

/// The controller's conditions count beside the numbers: they tell a rollout that is over from one that stopped.
pub(super) fn of_deployment(object: &Value) -> Health {
    if conditions(object).any(|(kind, _, reason)| kind == "Progressing" && reason == DEADLINE) {
        return Health::failed(DEADLINE);
    }
    let [wanted, there, updated] =
        [wanted(object), count(object, "replicas"), count(object, "updatedReplicas")];
    let [available, ready] = [count(object, "availableReplicas"), count(object, "readyReplicas")];
    let current = || Health::current(format!("{available} of {wanted} replicas available"));
    first([
        lacks(there, wanted, "replicas created"),
        lacks(updated, wanted, "replicas updated"),
        surplus(there, wanted),
        lacks(available, updated, "replicas available"),
        lacks(ready, wanted, "replicas ready"),
        (!rolled_out(object)).then(|| Health::in_progress("new replica set not available")),
        (!has(object, "Available")).then(|| Health::in_progress("not available")),
    ])
    .unwrap_or_else(current)
}

/// Without a deadline, which the largest 32-bit number also stands for, the controller reports no progress at all.
fn rolled_out(deployment: &Value) -> bool {
    let deadline = int_at(deployment, &["spec", "progressDeadlineSeconds"]);
    deadline.is_none_or(|seconds| seconds == i64::from(i32::MAX))
        || conditions(deployment)
            .any(|condition| condition == ("Progressing", "True", "NewReplicaSetAvailable"))
}

/// There are no conditions to go by, so a failure cannot be seen.
pub(super) fn of_stateful_set(object: &Value) -> Health {
    if object.str_at(&["spec", "updateStrategy", "type"]) == Some("OnDelete") {
        return Health::current("updated by deleting its pods");
    }
    let [wanted, there] = [wanted(object), count(object, "replicas")];
    let [ready, updated] = [count(object, "readyReplicas"), count(object, "updatedReplicas")];
    let scale = first([
        lacks(there, wanted, "replicas created"),
        lacks(ready, wanted, "replicas ready"),
        surplus(there, wanted),
    ]);
    let rollout = || match int_at(object, &["spec", "updateStrategy", "rollingUpdate", "partition"]) {
        // Replicas below the partition keep the old revision on purpose.
        Some(partition) => lacks(updated, wanted.saturating_sub(partition), "replicas updated"),
        None => first([
            lacks(count(object, "currentReplicas"), wanted, "replicas current"),
            (revision(object, "currentRevision") != revision(object, "updateRevision"))
                .then(|| Health::in_progress("update revision is not current yet")),
        ]),
    };
    scale.or_else(rollout).unwrap_or_else(|| Health::current(format!("{ready} of {wanted} replicas ready")))
}

/// The name of a stateful set's revision.
fn revision<'a>(object: &'a Value, key: &str) -> &'a str {
    object.str_at(&["status", key]).unwrap_or_default()
}

/// Pods that cannot be created may be so later, when a quota allows.
pub(super) fn of_replica_set(object: &Value) -> Health {
    let failure = conditions(object).find_map(|condition| match condition {
        ("ReplicaFailure", "True", reason) => Some(Health::in_progress(because("replica failure", reason))),
        _ => None,
    });
    let [wanted, available] = [wanted(object), count(object, "availableReplicas")];
    first([
        failure,
        lacks(count(object, "fullyLabeledReplicas"), wanted, "replicas labelled"),
        lacks(available, wanted, "replicas available"),
        lacks(count(object, "readyReplicas"), wanted, "replicas ready"),
        surplus(count(object, "replicas"), wanted),
    ])
    .unwrap_or_else(|| Health::current(format!("{available} of {wanted} replicas available")))
}

/// Its controller always sets both generations, so their absence means that it has not been here.
pub(super) fn of_daemon_set(object: &Value) -> Health {
    let seen = generation(object).and(observed(object));
    let wanted = int_at(object, &["status", "desiredNumberScheduled"]);
    let Some(wanted) = seen.and(wanted) else { return Health::in_progress("not observed yet") };
    let available = count(object, "numberAvailable");
    first([
        lacks(count(object, "currentNumberScheduled"), wanted, "pods scheduled"),
        lacks(count(object, "updatedNumberScheduled"), wanted, "pods updated"),
        lacks(available, wanted, "pods available"),
        lacks(count(object, "numberReady"), wanted, "pods ready"),
    ])
    .unwrap_or_else(|| Health::current(format!("{available} of {wanted} pods available")))
}

/// A job is current as soon as it runs: how long the work takes is not for a rollout to wait for.
pub(super) fn of_job(object: &Value) -> Health {
    let [active, succeeded, failed] = ["active", "succeeded", "failed"].map(|key| count(object, key));
    let completions = int_at(object, &["spec", "completions"])
        .or_else(|| int_at(object, &["spec", "parallelism"]))
        .unwrap_or(1);
    let ended = conditions(object).find_map(|condition| match condition {
        ("Complete", "True", _) => {
            Some(Health::current(format!("{succeeded} of {completions} pods succeeded")))
        }
        ("Failed", "True", reason) => Some(Health::failed(because("job failed", reason))),
        _ => None,
    });
    let started = || match object.str_at(&["status", "startTime"]).unwrap_or_default() {
        "" if has(object, "Suspended") => Health::in_progress("suspended"),
        "" => Health::in_progress("not started yet"),
        _ => Health::current(format!("running: {active} active, {succeeded} succeeded, {failed} failed")),
    };
    ended.unwrap_or_else(started)
}

/// Whether a condition is true.
fn has(object: &Value, kind: &str) -> bool {
    conditions(object).any(|(have, status, _)| have == kind && status == "True")
}

/// The replicas asked for; controllers take one where none are named.
fn wanted(object: &Value) -> i64 {
    int_at(object, &["spec", "replicas"]).unwrap_or(1)
}

/// A number of the status, which controllers leave out where it is zero.
fn count(object: &Value, key: &str) -> i64 {
    int_at(object, &["status", key]).unwrap_or(0)
}

/// In progress where there are fewer than wanted.
fn lacks(have: i64, wanted: i64, what: &str) -> Option<Health> {
    (have < wanted).then(|| Health::in_progress(format!("{have} of {wanted} {what}")))
}

/// In progress where there are more than wanted.
fn surplus(have: i64, wanted: i64) -> Option<Health> {
    let more = have.saturating_sub(wanted);
    (more > 0).then(|| Health::in_progress(format!("{more} of {have} replicas still to end")))
}

/// The first finding, in the order in which a rollout passes them.
fn first<const N: usize>(findings: [Option<Health>; N]) -> Option<Health> {
    findings.into_iter().flatten().next()
}
