//! One row per branch: members of an object beside its kind, and what is made of them.

use super::of;

/// Rows are `members => State: message`, with `@Type=Status:Reason` for a condition. A line without an arrow gives the
/// kind of those below; where it ends in `status`, their members are those of the status.
fn check(table: &str) {
    let (mut version, mut kind, mut status) = ("", "", false);
    for line in table.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let Some((members, wanted)) = line.split_once("=>") else {
            let mut words = line.split(' ');
            (version, kind) = (words.next().unwrap(), words.next().unwrap());
            status = words.next().is_some();
            continue;
        };
        let members = conditions(members);
        let members = if status { format!(r#""status": {{{members}}}"#) } else { members };
        let comma = if members.trim().is_empty() { "" } else { "," };
        let text = format!(r#"{{"apiVersion": "{version}", "kind": "{kind}"{comma} {members}}}"#);
        let health = of(&lathe_manifest::json::parse(&text).unwrap());
        assert_eq!(format!("{:?}: {}", health.state, health.message), wanted.trim(), "{text}");
    }
}

/// Writes out the conditions of a row.
fn conditions(members: &str) -> String {
    let mut parts = members.split('@');
    let mut out = parts.next().unwrap().to_string();
    for part in parts {
        let (condition, rest) = part.split_at(part.find([',', ']']).unwrap());
        let (kind, status) = condition.split_once('=').unwrap();
        let (status, reason) = status.split_once(':').unwrap_or((status, ""));
        out += &format!(r#"{{"type": "{kind}", "status": "{status}", "reason": "{reason}"}}{rest}"#);
    }
    out
}

#[test]
fn signs_of_any_controller() {
    let rows = r#"
        "metadata": {"deletionTimestamp": "2024-01-01T00:00:00Z"} => Terminating: being deleted
        "metadata": {"generation": 3}, STATUS {"observedGeneration": 2} => InProgress: generation 3, but 2 observed
        "metadata": {"generation": 2}, STATUS {"observedGeneration": 3} => InProgress: generation 2, but 3 observed
        STATUS {"conditions": [@Reconciling=True:Busy, @Stalled=True]} => InProgress: reconciling: Busy
        STATUS {"conditions": [@Stalled=True:Broken]} => Failed: stalled: Broken
        STATUS {"conditions": [@Stalled=True]} => Failed: stalled
    "#;
    for kind in ["example.org/v1 Widget", "apps/v1 Deployment", "v1 Secret"] {
        check(&format!("{kind}\n{}", rows.replace("STATUS", r#""status":"#)));
    }
}

#[test]
fn kinds_without_a_rule() {
    let rows = r#"
        => Current: no sign of pending work
        "metadata": {"deletionTimestamp": "", "generation": 1} => Current: no sign of pending work
        "metadata": {"generation": 1}, "status": {"observedGeneration": 1} => Current: no sign of pending work
        "metadata": {"generation": 1}, "status": {"observedGeneration": "x"} => Current: no sign of pending work
        "metadata": [], "status": {"conditions": {}} => Current: no sign of pending work
        "metadata": null, "status": {"conditions": [null, 1, {"type": 2}]} => Current: no sign of pending work
        "status": {"conditions": [@Ready=True]} => Current: ready
        "status": {"conditions": [@Ready=False:Waiting]} => InProgress: not ready: Waiting
        "status": {"conditions": [@Ready=False:a sentence]} => InProgress: not ready
        "status": {"conditions": [{"type": "Ready", "status": "Unknown", "message": "text"}]} => InProgress: not ready
        "status": {"conditions": [@Ready=?]} => Current: no sign of pending work
        "status": {"conditions": [@Reconciling=False, @Stalled=False]} => Current: no sign of pending work
    "#;
    // Some have the name of a built-in kind, but not its group.
    for kind in
        ["example.org/v1 Widget", "example.org/v1 Deployment", "example.org/v1 Service", "apps/v1 Pod"]
    {
        check(&format!("{kind}\n{rows}"));
    }
    assert_eq!(of(&lathe_manifest::Value::Null).message, "no sign of pending work");
}

#[test]
fn kinds_without_containers() {
    let table = r#"
        v1 ConfigMap
            => Current: always current
        batch/v1 CronJob
            => Current: always current
        policy/v1 PodDisruptionBudget
            => Current: disruptions computed
        v1 Namespace status
            => Current: active
            "phase": "Active" => Current: active
            "phase": "Terminating" => Terminating: being deleted
        v1 PersistentVolumeClaim status
            => InProgress: not bound
            "phase": "Bound" => Current: bound
            "phase": "Pending" => InProgress: not bound: Pending
        v1 Service
            => Current: service ready
            "spec": {"type": "LoadBalancer"} => InProgress: no cluster IP yet
            "spec": {"type": "LoadBalancer", "clusterIP": ""} => InProgress: no cluster IP yet
            "spec": {"type": "LoadBalancer", "clusterIP": "10.0.0.1"} => Current: service ready
        apiextensions.k8s.io/v1 CustomResourceDefinition status
            => InProgress: not established yet
            "conditions": [@NamesAccepted=True] => InProgress: not established yet
            "conditions": [@NamesAccepted=False:Taken] => Failed: names not accepted: Taken
            "conditions": [@Established=False:Installing] => InProgress: not established yet
            "conditions": [@Established=False:NotNow] => Failed: not established: NotNow
            "conditions": [@NamesAccepted=True, @Established=True] => Current: established
    "#;
    check(table);
}

#[test]
fn pods() {
    let table = r#"
        v1 Pod status
            => InProgress: no phase yet
            "phase": "Unknown" => InProgress: unexpected phase: Unknown
            "phase": "Succeeded" => Current: completed
            "phase": "Failed" => Failed: its containers failed
            "phase": "Running" => InProgress: running, but not ready
            "phase": "Running", "conditions": [@Ready=True] => Current: ready
            "phase": "Running", "conditions": [@Ready=False] => InProgress: running, but not ready
            "phase": "Pending" => InProgress: pending
            "phase": "Pending", "containerStatuses": [null, {"name": "x"}] => InProgress: pending
            "phase": "Pending", "conditions": [@PodScheduled=True] => InProgress: pending
            "phase": "Pending", "conditions": [@PodScheduled=False] => InProgress: not scheduled
            "phase": "Pending", "conditions": [@PodScheduled=False:Unschedulable] => InProgress: not scheduled: Unschedulable
    "#;
    check(table);
}

#[test]
fn waiting_containers() {
    let waits = |phase: &str, list: &str, reason: &str, wanted: &str| {
        // A name that cannot be one is not shown.
        for (name, shown) in [("web-1", "web-1"), ("a b", "?")] {
            let wanted = wanted.replace("NAME", shown);
            let state = format!(r#"{{"waiting": {{"reason": "{reason}"}}}}"#);
            let container = format!(r#"{{"name": "{name}", "state": {state}}}"#);
            let row = format!(r#""phase": "{phase}", "{list}": [{{}}, {container}] => {wanted}"#);
            check(&format!("v1 Pod status\n{row}"));
        }
    };
    for reason in ["ImagePullBackOff", "ErrImagePull", "InvalidImageName", "CreateContainerConfigError"] {
        let wanted = format!("Failed: container NAME: {reason}");
        waits("Pending", "containerStatuses", reason, &wanted);
        waits("Pending", "initContainerStatuses", reason, &wanted);
        waits("Running", "containerStatuses", reason, &wanted);
        waits("Succeeded", "containerStatuses", reason, "Current: completed");
    }
    let crash = "CrashLoopBackOff";
    waits("Running", "containerStatuses", crash, "Failed: container NAME: CrashLoopBackOff");
    waits("Pending", "initContainerStatuses", crash, "InProgress: pending");
    waits("Pending", "containerStatuses", "ContainerCreating", "InProgress: pending");
}

#[test]
fn deployments() {
    let status = |counts: [u8; 4], deadline: i32, conditions: &str, wanted: &str| {
        let keys = ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"];
        let counts: String = keys.iter().zip(counts).map(|(key, n)| format!("\"{key}\": {n}, ")).collect();
        let spec = format!(r#""spec": {{"replicas": 3, "progressDeadlineSeconds": {deadline}}}"#);
        let row = format!(r#"{spec}, "status": {{{counts} "conditions": [{conditions}]}} => {wanted}"#);
        check(&format!("apps/v1 Deployment\n{row}\nextensions/v1beta1 Deployment\n{row}"));
    };
    let (available, rolled) = ("@Available=True", "@Progressing=True:NewReplicaSetAvailable");
    let both = format!("{available}, {rolled}");
    let paused = format!("{available}, @Progressing=Unknown:DeploymentPaused");
    status([2, 2, 2, 2], 60, &both, "InProgress: 2 of 3 replicas created");
    status([3, 1, 3, 3], 60, &both, "InProgress: 1 of 3 replicas updated");
    status([4, 3, 3, 3], 60, &both, "InProgress: 1 of 4 replicas still to end");
    status([3, 3, 3, 2], 60, &both, "InProgress: 2 of 3 replicas available");
    status([3, 3, 2, 3], 60, &both, "InProgress: 2 of 3 replicas ready");
    status([3, 3, 3, 3], 60, &paused, "InProgress: new replica set not available");
    status([3, 3, 3, 3], 60, rolled, "InProgress: not available");
    status([3, 3, 3, 3], 60, &both, "Current: 3 of 3 replicas available");
    status([3, 3, 3, 3], i32::MAX, available, "Current: 3 of 3 replicas available");
    status(
        [1, 1, 0, 0],
        60,
        "@Progressing=False:ProgressDeadlineExceeded",
        "Failed: ProgressDeadlineExceeded",
    );
    check("apps/v1 Deployment\n=> InProgress: 0 of 1 replicas created");
}

#[test]
fn stateful_sets() {
    let table = r#"
        apps/v1 StatefulSet
            "spec": {"updateStrategy": {"type": "OnDelete"}} => Current: updated by deleting its pods
            THREE}, "status": {"replicas": 2} => InProgress: 2 of 3 replicas created
            THREE}, "status": {"replicas": 3, "readyReplicas": 1} => InProgress: 1 of 3 replicas ready
            THREE}, "status": {"replicas": 5, "readyReplicas": 3} => InProgress: 2 of 5 replicas still to end
            THREE}, FULL} => InProgress: 0 of 3 replicas current
            THREE}, FULL, "currentReplicas": 3, "updateRevision": "b"} => InProgress: update revision is not current yet
            THREE}, FULL, "currentReplicas": 3} => Current: 3 of 3 replicas ready
            PART 0}}}, FULL, "updatedReplicas": 2} => InProgress: 2 of 3 replicas updated
            PART 1}}}, FULL, "updatedReplicas": 2} => Current: 3 of 3 replicas ready
            PART 9}}}, FULL} => Current: 3 of 3 replicas ready
            PART -9223372036854775808}}}, FULL} => InProgress: 0 of 9223372036854775807 replicas updated
    "#;
    let table = table.replace("PART", r#"THREE, "updateStrategy": {"rollingUpdate": {"partition":"#);
    let table = table.replace("THREE", r#""spec": {"replicas": 3"#);
    check(&table.replace("FULL", r#""status": {"replicas": 3, "readyReplicas": 3"#));
}

#[test]
fn replica_and_daemon_sets() {
    let table = r#"
        apps/v1 ReplicaSet status
            => InProgress: 0 of 1 replicas labelled
            "fullyLabeledReplicas": 1 => InProgress: 0 of 1 replicas available
            "fullyLabeledReplicas": 1, "availableReplicas": 1 => InProgress: 0 of 1 replicas ready
            EACH, "replicas": 2 => InProgress: 1 of 2 replicas still to end
            EACH, "replicas": 1 => Current: 1 of 1 replicas available
            EACH, "conditions": [@ReplicaFailure=True:Quota] => InProgress: replica failure: Quota
        apps/v1 DaemonSet
            "metadata": {"generation": 1} => InProgress: not observed yet
            "status": {"observedGeneration": 1, "desiredNumberScheduled": 2} => InProgress: not observed yet
            SEEN} => InProgress: not observed yet
            SEEN, "desiredNumberScheduled": 0} => Current: 0 of 0 pods available
            TWO} => InProgress: 0 of 2 pods scheduled
            TWO, "currentNumberScheduled": 2} => InProgress: 0 of 2 pods updated
            MOST} => InProgress: 0 of 2 pods available
            MOST, "numberAvailable": 2} => InProgress: 0 of 2 pods ready
            MOST, "numberAvailable": 2, "numberReady": 2} => Current: 2 of 2 pods available
    "#;
    let table =
        table.replace("EACH", r#""fullyLabeledReplicas": 1, "availableReplicas": 1, "readyReplicas": 1"#);
    let table = table.replace("MOST", r#"TWO, "currentNumberScheduled": 2, "updatedNumberScheduled": 2"#);
    let table = table.replace("TWO", r#"SEEN, "desiredNumberScheduled": 2"#);
    check(&table.replace("SEEN", r#""metadata": {"generation": 1}, "status": {"observedGeneration": 1"#));
}

#[test]
fn jobs() {
    let table = r#"
        batch/v1 Job
            => InProgress: not started yet
            CONDITIONS [@Suspended=True]} => InProgress: suspended
            CONDITIONS [@Failed=True:BackoffLimitExceeded]} => Failed: job failed: BackoffLimitExceeded
            CONDITIONS [@Failed=False], "startTime": "2024"} => Current: running: 0 active, 0 succeeded, 0 failed
            CONDITIONS [@Complete=True], "succeeded": 1} => Current: 1 of 1 pods succeeded
            "spec": {"parallelism": 2}, CONDITIONS [@Complete=True], "succeeded": 2} => Current: 2 of 2 pods succeeded
            "spec": {"completions": 3, "parallelism": 2}, CONDITIONS [@Complete=True]} => Current: 0 of 3 pods succeeded
    "#;
    check(&table.replace("CONDITIONS", r#""status": {"conditions":"#));
}
