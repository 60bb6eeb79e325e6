//! Whose turn it is to change a set: a Lease (coordination.k8s.io) beside the set's parent, renewed for as long as a run lives.
//!
//! When it was renewed last is read from what the server noted (`managedFields`) and held against the server's own clock, so
//! that clocks of laptops and CI machines decide nothing.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::FIELD_MANAGER;
use crate::connect::Cluster;
use crate::ops;
use crate::request::{Ask, Halt, RequestError, Requests};
use crate::set::Set;

/// After how long without a renewal the turn is over.
const LIFE: Duration = Duration::from_secs(30);

/// How often it is renewed.
const RENEWAL: Duration = Duration::from_secs(6);

/// After how long without a renewal the run ends by itself: well before somebody else may begin.
const SAFE: Duration = Duration::from_secs(20);

const LOST: &str =
    "the turn to change this set was lost: it could not be renewed in time, or another run has taken it";

/// How often somebody who waits looks.
const LOOK: Duration = Duration::from_secs(1);

/// Why there is no turn.
pub(crate) enum NoTurn {
    /// Somebody else had it all the time.
    Taken {
        /// Who.
        holder: String,
    },
    /// The server did not let it be taken.
    Request(RequestError),
}

impl From<RequestError> for NoTurn {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}

/// The right to change a set, until it is given back or lost.
pub(crate) struct Turn {
    requests: Requests,
    path: String,
    holder: String,
    renewal: JoinHandle<()>,
    /// Whether a run that was waited for ended with the set itself: only a `down` takes the Lease away.
    pub(crate) was_ended: bool,
}

/// Does something with a set while no other run changes it. Where the set has no record, nothing is left of the turn.
pub async fn in_turn<T>(
    cluster: &Cluster,
    set: &Set,
    holder: String,
    patience: Duration,
    halt: &Halt,
    wait: &dyn Fn(&str),
    work: impl AsyncFnOnce() -> T,
) -> Result<T, RequestError> {
    let requests = Requests::with(cluster, halt.clone());
    let turn = match Turn::take(&requests, set, holder, patience, wait).await {
        Ok(turn) => turn,
        Err(NoTurn::Request(error)) => return Err(error),
        Err(NoTurn::Taken { holder }) => {
            let told = format!("another run has {}, and did not end in time: {holder}", set.label());
            return Err(RequestError::Answered(Box::new(kube::core::Status::failure(&told, "Conflict"))));
        }
    };
    let done = work().await;
    let record = requests.unhalted().find(&ops::secret(&set.ops_namespace, &set.name()), Ask::Read).await;
    match record {
        Ok(None) => drop(turn.end().await),
        _ => turn.give_back().await,
    }
    Ok(done)
}

/// What is there of the Lease.
struct Seen {
    version: String,
    holder: String,
    /// Whether nobody renewed it for [`LIFE`].
    over: bool,
}

impl Turn {
    /// Takes the turn, waiting for it as long as `patience` says. `wait` is told once of whom is waited for.
    pub(crate) async fn take(
        requests: &Requests,
        set: &Set,
        holder: String,
        patience: Duration,
        wait: &dyn Fn(&str),
    ) -> Result<Self, NoTurn> {
        let folder = ops::lease(&set.ops_namespace, "");
        let path = ops::lease(&set.ops_namespace, &set.name());
        let started = Instant::now();
        let (mut told, mut was_ended) = (false, false);
        loop {
            let taken = match look(requests, &path).await? {
                None => {
                    was_ended |= told;
                    let body = body(set, &holder, None);
                    let path = format!("{folder}?fieldManager={FIELD_MANAGER}");
                    requests.send(&path, Ask::Create(&body)).await
                }
                // An answer to the first try was lost.
                Some(seen) if seen.holder == holder => break,
                Some(seen) if seen.holder.is_empty() || seen.over => {
                    let body = body(set, &holder, Some(&seen.version));
                    let path = format!("{path}?fieldManager={FIELD_MANAGER}");
                    requests.send(&path, Ask::Replace(&body)).await
                }
                Some(seen) => {
                    if started.elapsed() >= patience {
                        return Err(NoTurn::Taken { holder: seen.holder });
                    }
                    if !std::mem::replace(&mut told, true) {
                        wait(&seen.holder);
                    }
                    sleep(LOOK).await;
                    continue;
                }
            };
            match taken {
                Ok(_) => break,
                // Somebody else was faster.
                Err(RequestError::Answered(status)) if status.code == 409 => {
                    if started.elapsed() >= patience.max(LOOK * 10) {
                        return Err(NoTurn::Request(RequestError::Answered(status)));
                    }
                    sleep(LOOK / 10).await;
                }
                Err(RequestError::Answered(status))
                    if status.code == 404 && status.message.starts_with("namespaces ") =>
                {
                    ops::ensure(requests, &set.ops_namespace).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        requests.halt().after(Timestamp::now() + SAFE, LOST);
        let own = requests.unhalted();
        let renewal = renew(own.clone(), path.clone(), holder.clone(), requests.halt().clone());
        Ok(Self { requests: own, path, holder, renewal: tokio::spawn(renewal), was_ended })
    }

    /// Gives the turn back. Where that fails it ends by itself.
    pub(crate) async fn give_back(self) {
        self.renewal.abort();
        let Ok(Some(seen)) = look(&self.requests, &self.path).await else { return };
        if seen.holder == self.holder {
            let patch = json!([
                {"op": "test", "path": "/metadata/resourceVersion", "value": seen.version},
                {"op": "replace", "path": "/spec/holderIdentity", "value": ""},
            ]);
            let path = format!("{}?fieldManager={FIELD_MANAGER}", self.path);
            let _ = self.requests.send(&path, Ask::Patch(&patch.to_string())).await;
        }
    }

    /// Gives it back for good: what it was about is no more. A turn that somebody else has by now stays theirs.
    pub(crate) async fn end(self) -> Result<(), RequestError> {
        self.renewal.abort();
        let Some(seen) = look(&self.requests, &self.path).await? else { return Ok(()) };
        if seen.holder != self.holder {
            return Ok(());
        }
        let options = json!({
            "kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"resourceVersion": seen.version},
        });
        match self.requests.find(&self.path, Ask::Delete(&options.to_string())).await {
            Err(RequestError::Answered(status)) if status.code == 409 => Ok(()),
            deleted => deleted.map(drop),
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

/// Renews until the turn is somebody else's, or until it may be because no renewal came through.
async fn renew(requests: Requests, path: String, holder: String, halt: Halt) {
    let mut renewed = Instant::now();
    let path = format!("{path}?fieldManager={FIELD_MANAGER}");
    loop {
        sleep(RENEWAL).await;
        let patch = json!([
            {"op": "test", "path": "/spec/holderIdentity", "value": holder},
            {"op": "replace", "path": "/spec/renewTime", "value": now()},
        ]);
        let (asked, by_clock) = (Instant::now(), Timestamp::now());
        let patch = patch.to_string();
        let answer = tokio::time::timeout(RENEWAL, requests.send(&path, Ask::Patch(&patch))).await;
        let gone = match answer {
            Ok(Ok(_)) => {
                renewed = asked;
                halt.after(by_clock + SAFE, LOST);
                false
            }
            // The test failed, or the Lease is gone: it is somebody else's.
            Ok(Err(RequestError::Answered(status))) => matches!(status.code, 404 | 422),
            _ => false,
        };
        if gone || renewed.elapsed() > SAFE {
            halt.now(LOST);
            return;
        }
    }
}

async fn look(requests: &Requests, path: &str) -> Result<Option<Seen>, RequestError> {
    let (text, now) = requests.read_at(path).await?;
    let Some(lease) = text.and_then(|text| serde_json::from_str::<Lease>(&text).ok()) else {
        return Ok(None);
    };
    let noted = lease.metadata.managed_fields.iter().flatten();
    let renewed = noted.filter_map(|entry| entry.time.as_ref()).map(|time| time.0).max();
    let over = match (renewed, now) {
        (Some(renewed), Some(now)) => now.duration_since(renewed).unsigned_abs() >= LIFE && now > renewed,
        _ => false,
    };
    let holder = lease.spec.and_then(|spec| spec.holder_identity).unwrap_or_default();
    Ok(Some(Seen { version: lease.metadata.resource_version.unwrap_or_default(), holder, over }))
}

fn body(set: &Set, holder: &str, version: Option<&str>) -> String {
    let now = now();
    let mut metadata = json!({ "name": set.name(), "namespace": set.ops_namespace, "labels": set.labels() });
    if let (Some(version), Some(metadata)) = (version, metadata.as_object_mut()) {
        metadata.insert("resourceVersion".to_owned(), version.into());
    }
    json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": metadata,
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": LIFE.as_secs(),
            "acquireTime": now,
            "renewTime": now,
        },
    })
    .to_string()
}

/// The time of this moment with microseconds, as the kind wants it.
fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}
