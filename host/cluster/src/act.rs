//! One object, for real: applied, created, or deleted and created anew.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::apply::Apply;
use crate::belongs;
use crate::plan::{Stop, Verdict};
use crate::request::{Ask, RequestError, Requests};
use crate::takeover;
use crate::target::{Metadata, Target};

/// How long an object that is replaced may take to go.
const GOING: Duration = Duration::from_mins(1);

/// Whether an apply changed the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrote {
    Yes,
    No,
    /// Nobody can tell from the answer, or there was none.
    Unknown,
}

/// What came of an apply.
pub(crate) struct Sent {
    pub(crate) wrote: Wrote,
    pub(crate) result: Result<(), Stop>,
}

impl Sent {
    fn stopped(wrote: Wrote, stop: Stop) -> Self {
        Self { wrote, result: Err(stop) }
    }
}

impl Target<'_> {
    /// Applies the object.
    pub(crate) async fn apply(&self, requests: &Requests, apply: &Apply<'_>, verdict: &Verdict) -> Sent {
        let mut wrote = Wrote::No;
        if self.object.is_create_only() {
            return match requests.send(&self.collection(""), Ask::Create(self.body())).await {
                Ok(_) => Sent { wrote: Wrote::Yes, result: Ok(()) },
                Err(error) => Sent::stopped(after(&error), self.stop(error)),
            };
        }
        // To delete and to create are one: it is not ended in between.
        if let Some(why) = requests.halt().why() {
            return Sent::stopped(Wrote::No, Stop::Run(RequestError::Halted(why)));
        }
        let unhalted = requests.unhalted();
        let requests = if matches!(verdict, Verdict::Replace { .. }) { &unhalted } else { requests };
        if let Verdict::Replace { uid } = verdict {
            if let Err(stop) = self.remove(requests, uid).await {
                return Sent::stopped(Wrote::Unknown, stop);
            }
            wrote = Wrote::Yes;
        }
        if let Verdict::Change { .. } = verdict
            && let Err(stop) = self.hand_over(requests).await
        {
            return Sent::stopped(Wrote::No, stop);
        }
        let path = self.patch(apply, false, false);
        let answer = match requests.send(&path, Ask::Apply(self.body())).await {
            Ok(answer) => answer,
            Err(error) => {
                let sent = after(&error);
                return Sent::stopped(if wrote == Wrote::Yes { wrote } else { sent }, self.stop(error));
            }
        };
        let metadata = match self.metadata(&answer) {
            Ok(metadata) => metadata,
            Err(stop) => {
                let wrote = if self.is_ours(&answer) { Wrote::Yes } else { Wrote::Unknown };
                return Sent::stopped(wrote, stop);
            }
        };
        if matches!(verdict, Verdict::Change { version } if *version == metadata.resource_version) {
            return Sent { wrote: Wrote::No, result: Ok(()) };
        }
        if apply.adopt
            && let Err(stop) = self.unmark(requests, &metadata).await
        {
            return Sent::stopped(Wrote::Yes, stop);
        }
        if self.holds_nothing_somewhere() || metadata.managed_fields.is_none() {
            // The server drops fields that hold nothing before it notes who set them, and notes that with the next
            // apply only, which would then change an object that nobody changed. So that is done now.
            // Where it cannot be done (some fields may be set once only), the object is applied all the same.
            if let Err(error) = requests.send(&path, Ask::Apply(self.body())).await {
                // By its code alone: a server may quote a Secret.
                let code = if let RequestError::Answered(status) = &error { status.code } else { 0 };
                tracing::debug!(object = self.label(), code, "not settled");
            }
        }
        Sent { wrote: Wrote::Yes, result: Ok(()) }
    }

    /// Takes the marks of other tools off an object that was taken over, so that it is this set's from now on.
    async fn unmark(&self, requests: &Requests, live: &Metadata) -> Result<(), Stop> {
        let own = |part: &str, name: &str| self.object.value.str_at(&["metadata", part, name]).is_some();
        let marks = belongs::marks(&live.labels, &live.annotations).filter(|(part, name)| !own(part, name));
        let patch: Vec<_> = marks
            .map(|(part, name)| json!({"op": "remove", "path": format!("/metadata/{part}/{}", name.replace('/', "~1"))}))
            .collect();
        if patch.is_empty() {
            return Ok(());
        }
        let path = format!("{}?fieldManager={}", self.path(), crate::FIELD_MANAGER);
        let patch = serde_json::Value::from(patch).to_string();
        requests.send(&path, Ask::Patch(&patch)).await.map(drop).map_err(|error| self.stop(error))
    }

    /// Whether a field is an empty map, an empty list or null. Text that looks like one does no harm.
    fn holds_nothing_somewhere(&self) -> bool {
        [":{}", ":[]", ":null"].iter().any(|nothing| self.body().contains(nothing))
    }

    /// Makes the fields of client-side applies Lathe's own.
    async fn hand_over(&self, requests: &Requests) -> Result<(), Stop> {
        if self.control.merge {
            return Ok(());
        }
        loop {
            let live = self.read(requests).await?;
            if !self.takes_over(&live) {
                return Ok(());
            }
            let Some(patch) = takeover::patch(&live) else { return Ok(()) };
            let path = format!("{}?fieldManager={}", self.path(), crate::FIELD_MANAGER);
            match requests.send(&path, Ask::Patch(&patch)).await {
                Ok(_) => return Ok(()),
                // A controller wrote in between.
                Err(RequestError::Answered(status)) if status.code == 409 => {}
                Err(error) => return Err(self.stop(error)),
            }
        }
    }

    /// Deletes the object of this uid and waits until it is gone.
    async fn remove(&self, requests: &Requests, uid: &str) -> Result<(), Stop> {
        let options = json!({
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": { "uid": uid },
        });
        let deleted = requests.find(&self.path(), Ask::Delete(&options.to_string())).await;
        deleted.map_err(|error| self.stop(error))?;
        let started = Instant::now();
        while let Some(text) =
            requests.find(&self.path(), Ask::Read).await.map_err(|error| self.stop(error))?
        {
            if !text.contains(uid) {
                return Ok(());
            }
            if started.elapsed() > GOING {
                return Err(self.fail("it was deleted to be created anew, and is not gone yet".to_owned()));
            }
            sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }
}

/// Whether a request that failed may have taken effect.
fn after(error: &RequestError) -> Wrote {
    if error.is_final() { Wrote::No } else { Wrote::Unknown }
}
