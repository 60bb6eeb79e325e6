//! Helm's hooks: which objects are hooks, when they run, in which order, and when they are deleted
//! (<https://helm.sh/docs/topics/charts_hooks/>).

use std::time::Duration;

use lathe_manifest::{Object, Value, json, order};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::FIELD_MANAGER;
use crate::apply::Apply;
use crate::member::is_kept;
use crate::outcome::Cause;
use crate::plan::Stop;
use crate::request::{Ask, RequestError, Requests};
use crate::set::PART_OF;
use crate::status::{self, State};
use crate::target::Target;

/// The annotation that makes an object a hook.
pub(crate) const HOOK: &str = "helm.sh/hook";
const WEIGHT: &str = "helm.sh/hook-weight";
const POLICY: &str = "helm.sh/hook-delete-policy";

/// How often a hook that runs is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Before or after the rest of the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    Before,
    After,
}

/// A hook's object on the cluster.
pub(crate) struct Made {
    path: String,
    uid: String,
}

/// What an annotation makes of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hook {
    events: Vec<String>,
    weight: i64,
    policies: Vec<String>,
}

impl Hook {
    /// The hook that an object is; `None` where it is none. Definitions that Helm 2 had as hooks are none.
    pub(crate) fn of(object: &Object) -> Option<Result<Self, String>> {
        let annotation = |name: &str| object.value.str_at(&["metadata", "annotations", name]);
        let list = |text: &str| -> Vec<String> {
            let words = text.split(',').map(|word| word.trim().to_lowercase());
            words.filter(|word| !word.is_empty()).collect()
        };
        let events = list(annotation(HOOK)?);
        if events.is_empty() || events == ["crd-install"] {
            return None;
        }
        let text = annotation(WEIGHT).unwrap_or("0").trim();
        let Ok(weight) = text.parse() else {
            return Some(Err(format!("annotation {WEIGHT} is `{text}` and no whole number")));
        };
        let mut policies = list(annotation(POLICY).unwrap_or_default());
        if policies.is_empty() {
            policies.push("before-hook-creation".to_owned());
        }
        Some(Ok(Self { events, weight, policies }))
    }

    /// Whether it runs at that moment of a first apply, or of a later one.
    pub(crate) fn runs(&self, moment: Moment, first: bool) -> bool {
        let event = match (moment, first) {
            (Moment::Before, true) => "pre-install",
            (Moment::Before, false) => "pre-upgrade",
            (Moment::After, true) => "post-install",
            (Moment::After, false) => "post-upgrade",
        };
        self.events.iter().any(|own| own == event)
    }

    /// By what hooks of one moment are sorted.
    pub(crate) fn key(&self, object: &Object) -> impl Ord + use<> {
        let stage = order::stage(object.group(), object.kind());
        (self.weight, object.name().to_owned(), stage, object.namespace().to_owned())
    }

    fn has(&self, policy: &str) -> bool {
        self.policies.iter().any(|own| own == policy)
    }
}

impl Target<'_> {
    /// Asks the server whether it would take the hook. What an earlier run left under its name does not count, nor what other
    /// hooks have yet to bring; somebody else's object does.
    pub(crate) async fn try_hook(&self, requests: &Requests, apply: &Apply<'_>) -> Result<(), Stop> {
        let mut applies = false;
        if !self.object.is_create_only() {
            match requests.find(&self.path(), Ask::Read).await {
                Ok(Some(text)) => self.check_in_way(&text, apply)?,
                Ok(None) => applies = true,
                Err(RequestError::Answered(_)) => {}
                Err(error) => return Err(self.stop(error)),
            }
        }
        // Where nothing is in its way, just what is sent later.
        let tried = if applies {
            requests.send(&self.patch(apply, true, false), Ask::Apply(self.body())).await
        } else {
            requests.send(&self.collection("&dryRun=All"), Ask::Create(self.body())).await
        };
        match tried {
            Err(RequestError::Answered(status)) if matches!(status.code, 400 | 413 | 422 | 500) => {
                Err(self.stop(RequestError::Answered(status)))
            }
            Ok(_) | Err(RequestError::Answered(_)) => Ok(()),
            Err(error) => Err(self.stop(error)),
        }
    }

    /// Creates the hook and waits until it has done its work. `made` is told what was made as soon as it is.
    pub(crate) async fn run_hook(
        &self,
        hook: &Hook,
        requests: &Requests,
        apply: &Apply<'_>,
        until: Instant,
        made: &mut Option<Made>,
    ) -> Result<(), Stop> {
        // An object with a name is applied, so that its fields are owned as those of all others are, should it be no hook one day.
        let created = if self.object.is_create_only() {
            requests.send(&self.collection(""), Ask::Create(self.body())).await
        } else {
            self.clear(requests, apply, until).await?;
            requests.send(&self.patch(apply, false, false), Ask::Apply(self.body())).await
        };
        let created = created.map_err(|error| self.stop(error))?;
        let (path, uid) = self.created(&created)?;
        let Made { path, uid } = made.insert(Made { path, uid });
        if !matches!((self.object.group(), self.object.kind()), ("batch", "Job") | ("", "Pod")) {
            return Ok(());
        }
        match self.await_hook(path, uid, requests, until).await {
            Err(stop) if hook.has("hook-failed") => {
                // That it failed is told, whether or not it can be deleted.
                if self.delete(path, uid, requests).await.is_err() {
                    tracing::warn!(object = self.label(), "the failed hook cannot be deleted");
                }
                Err(stop)
            }
            done => done,
        }
    }

    /// Deletes the hook where its policy says so.
    pub(crate) async fn end_hook(&self, hook: &Hook, made: &Made, requests: &Requests) -> Result<(), Stop> {
        if hook.has("hook-succeeded") { self.delete(&made.path, &made.uid, requests).await } else { Ok(()) }
    }

    /// What stands under the hook's name may only be what an earlier run left there, and no volume.
    fn check_in_way(&self, text: &str, apply: &Apply<'_>) -> Result<(), Stop> {
        let live = json::parse(text).unwrap_or(Value::Null);
        let is_hook = live.str_at(&["metadata", "annotations", HOOK]).is_some();
        let id = apply.id();
        let is_own = match live.str_at(&["metadata", "labels", PART_OF]) {
            Some(member) => Some(member) == id.as_deref(),
            // Without a set, what Lathe made and nobody else is its own.
            None => id.is_none() && text.contains(&format!("\"manager\":\"{FIELD_MANAGER}\"")),
        };
        if !is_hook || !is_own && !apply.adopt {
            let told = "an object of its name is there that is no hook of this set; it would have to be deleted first";
            return Err(self.fail_for(Cause::Foreign, told.to_owned()));
        }
        if is_kept(self.object.group(), self.object.kind()) {
            let told = "it is there already, and objects of this kind are never deleted by an apply";
            return Err(self.fail(told.to_owned()));
        }
        Ok(())
    }

    /// Takes what an earlier run left under the hook's name out of the way, whatever its policies say: that run may have been
    /// killed before it could.
    async fn clear(&self, requests: &Requests, apply: &Apply<'_>, until: Instant) -> Result<(), Stop> {
        let path = self.path();
        let mut asked = String::new();
        loop {
            let live = requests.find(&path, Ask::Read).await.map_err(|error| self.stop(error))?;
            let Some(text) = live else { return Ok(()) };
            self.check_in_way(&text, apply)?;
            if Instant::now() > until {
                return Err(self.fail("what an earlier run left of it is not gone in time".to_owned()));
            }
            let live = json::parse(&text).unwrap_or(Value::Null);
            let uid = live.str_at(&["metadata", "uid"]).unwrap_or_default();
            if asked != uid {
                uid.clone_into(&mut asked);
                self.delete(&path, uid, requests).await?;
            }
            sleep(LOOK).await;
        }
    }

    /// Deletes the object of this uid, if it is still there.
    async fn delete(&self, path: &str, uid: &str, requests: &Requests) -> Result<(), Stop> {
        let options = json!({
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "propagationPolicy": "Background",
            "preconditions": { "uid": uid },
        });
        match requests.find(path, Ask::Delete(&options.to_string())).await {
            Ok(_) => Ok(()),
            // Another has its name by now.
            Err(RequestError::Answered(status)) if status.code == 409 => Ok(()),
            Err(error) => Err(self.stop(error)),
        }
    }

    async fn await_hook(
        &self,
        path: &str,
        uid: &str,
        requests: &Requests,
        until: Instant,
    ) -> Result<(), Stop> {
        loop {
            let live = requests.find(path, Ask::Read).await.map_err(|error| self.stop(error))?;
            let live = live.map(|text| json::parse(&text).unwrap_or(Value::Null));
            let live = live.filter(|live| live.str_at(&["metadata", "uid"]) == Some(uid));
            let Some(live) = live else {
                // It may have failed as well.
                let told = "the hook was gone before it was seen to be done (ttlSecondsAfterFinished, or somebody deleted it)";
                return Err(self.fail(told.to_owned()));
            };
            let health = status::of(&live);
            match health.state {
                State::Failed => return Err(self.fail(format!("the hook failed: {}", health.message))),
                _ if is_done(&live) => return Ok(()),
                _ if Instant::now() > until => {
                    return Err(self.fail(format!("the hook is not done in time: {}", health.message)));
                }
                _ => sleep(LOOK).await,
            }
        }
    }
}

/// Whether a Job or a Pod has come to its end, not only to its work.
pub(crate) fn is_done(live: &Value) -> bool {
    let conditions = live.get("status").and_then(|status| status.get("conditions"));
    let complete = conditions.and_then(Value::as_array).unwrap_or_default().iter().any(|condition| {
        condition.str_at(&["type"]) == Some("Complete") && condition.str_at(&["status"]) == Some("True")
    });
    complete
        || live.str_at(&["kind"]) == Some("Pod") && live.str_at(&["status", "phase"]) == Some("Succeeded")
}

#[cfg(test)]
mod tests {
    use lathe_manifest::json;

    use super::*;

    fn hook(annotations: &str) -> Option<Result<Hook, String>> {
        let text = format!(
            r#"{{"apiVersion":"batch/v1","kind":"Job","metadata":{{"name":"a","annotations":{{{annotations}}}}}}}"#
        );
        Hook::of(&Object::added(json::parse(&text).unwrap()).unwrap())
    }

    #[test]
    fn hooks_run_at_their_moment_alone() {
        let own =
            hook(r#""helm.sh/hook":"pre-install, Pre-Upgrade","helm.sh/hook-weight":"-5""#).unwrap().unwrap();
        assert!(own.runs(Moment::Before, true) && own.runs(Moment::Before, false));
        assert!(!own.runs(Moment::After, true) && !own.runs(Moment::After, false));
        assert!(own.has("before-hook-creation") && own.weight == -5);
        let test = hook(r#""helm.sh/hook":"test,post-rollback""#).unwrap().unwrap();
        for (moment, first) in [(Moment::Before, true), (Moment::After, true), (Moment::After, false)] {
            assert!(!test.runs(moment, first));
        }
        assert_eq!(hook(""), None);
        assert_eq!(hook(r#""helm.sh/hook":"crd-install""#), None);
        assert!(hook(r#""helm.sh/hook":"test","helm.sh/hook-weight":"heavy""#).unwrap().is_err());
        let policy = hook(r#""helm.sh/hook":"test","helm.sh/hook-delete-policy":"hook-succeeded""#);
        assert!(!policy.unwrap().unwrap().has("before-hook-creation"));
    }
}
