//! Waiting: for what later stages cannot do without, and in the end for everything to be as its spec wants it.

use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use lathe_manifest::{Value, json};
use tokio::time::{Instant, sleep};

use crate::apply::Event;
use crate::discovery::{is_definition, is_namespace};
use crate::hook::is_done;
use crate::outcome::Failure;
use crate::plan::Stop;
use crate::request::{Ask, RequestError, Requests};
use crate::run::{CONCURRENCY, Placed, Run};
use crate::status::{self, Health, State};
use crate::target::Target;

/// How long a namespace or definition may take.
const LONGEST: Duration = Duration::from_mins(1);

const PAUSE: Duration = Duration::from_millis(100);

/// How often the whole set is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Waits until others can build on the object. Objects that nobody has to wait for are ready at once.
pub(crate) async fn ready(target: &Target<'_>, requests: &Requests) -> Result<(), Stop> {
    if !is_definition(target.object) && !is_namespace(target.object) {
        return Ok(());
    }
    let started = Instant::now();
    loop {
        let live = json::parse(&target.read(requests).await?).unwrap_or(Value::Null);
        let health = status::of(&live);
        match health.state {
            State::Current => return Ok(()),
            State::Failed => return Err(target.fail(health.message)),
            _ if started.elapsed() > LONGEST => {
                return Err(target.fail(format!("it is not ready after {} s", LONGEST.as_secs())));
            }
            _ => sleep(PAUSE).await,
        }
    }
}

impl Run<'_> {
    /// Waits until namespaces of the set that are being deleted are gone, so that they can be made anew. Others are told when
    /// they are tried: what deletes them is not known to end.
    pub(crate) async fn await_going(&mut self, targets: &[Placed<'_>]) -> Result<(), RequestError> {
        if self.apply.dry_run || !self.outcome.failures.is_empty() {
            return Ok(());
        }
        let until = Instant::now() + self.apply.timeout;
        for (_, target) in targets.iter().filter(|(_, target)| is_namespace(target.object)) {
            let mut told = false;
            while let Ok(Some(live)) = self.requests.find(&target.path(), Ask::Read).await {
                let health = status::of(&json::parse(&live).unwrap_or(Value::Null));
                if health.state != State::Terminating || Instant::now() > until {
                    break;
                }
                if !std::mem::replace(&mut told, true) {
                    (self.apply.tell)(Event::Health { object: &target.label(), health: &health });
                }
                sleep(LOOK).await;
            }
        }
        Ok(())
    }

    /// Waits until everything is as its spec wants it, if that is asked for. What has failed for good ends it at once.
    pub(crate) async fn await_all(&mut self, applied: &[Placed<'_>]) -> Result<(), RequestError> {
        if !self.apply.wait || !self.outcome.failures.is_empty() {
            return Ok(());
        }
        let until = Instant::now() + self.apply.timeout;
        let named = applied.iter().map(|(_, target)| target).filter(|target| !target.object.is_create_only());
        let mut waiting: Vec<(&Target<'_>, Health)> =
            named.map(|target| (target, Health::in_progress("not looked at yet"))).collect();
        loop {
            let requests = &self.requests;
            let mut looks = stream::iter(waiting)
                .map(|(target, before)| async move { (target, before, look(target, requests).await) })
                .buffered(CONCURRENCY);
            let mut still = Vec::new();
            while let Some((target, before, health)) = looks.next().await {
                let health = match health {
                    Ok(health) => health,
                    Err(Stop::Object(failure)) => {
                        self.outcome.failures.push(failure);
                        continue;
                    }
                    Err(Stop::Run(error)) => return Err(error),
                };
                if health != before {
                    (self.apply.tell)(Event::Health { object: &target.label(), health: &health });
                }
                match health.state {
                    State::Current => {}
                    State::Failed => {
                        let told = format!("it is applied and has failed: {}", health.message);
                        self.outcome.failures.push(Failure::new(target.label(), told));
                    }
                    State::InProgress | State::Terminating => still.push((target, health)),
                }
            }
            drop(looks);
            waiting = still;
            if waiting.is_empty() || !self.outcome.failures.is_empty() {
                return Ok(());
            }
            if Instant::now() > until {
                let late = |(target, health): &(&Target<'_>, Health)| {
                    let told = format!("it is applied and not ready in time: {}", health.message);
                    Failure::new(target.label(), told)
                };
                self.outcome.failures.extend(waiting.iter().map(late));
                return Ok(());
            }
            sleep(LOOK).await;
        }
    }
}

/// How an object is now. A Job is waited for until it is done; one that is gone has ended, with a time to live.
async fn look(target: &Target<'_>, requests: &Requests) -> Result<Health, Stop> {
    let live = requests.find(&target.path(), Ask::Read).await.map_err(|error| target.stop(error))?;
    let is_job = target.object.group() == "batch" && target.object.kind() == "Job";
    let Some(live) = live else {
        let spec = target.object.value.get("spec");
        let may_go = is_job && spec.is_some_and(|spec| spec.get("ttlSecondsAfterFinished").is_some());
        return if may_go {
            Ok(Health::current("it has ended"))
        } else {
            Err(target.fail("it is gone from the cluster".to_owned()))
        };
    };
    let live = json::parse(&live).unwrap_or(Value::Null);
    let health = status::of(&live);
    let suspended = live.get("spec").and_then(|spec| spec.get("suspend")) == Some(&Value::Bool(true));
    match health.state {
        State::Current if is_job && !suspended && !is_done(&live) => {
            Ok(Health::in_progress("the Job is not done"))
        }
        // A Job that is suspended is as its spec wants it.
        State::InProgress if is_job && suspended => Ok(Health::current("suspended")),
        _ => Ok(health),
    }
}
