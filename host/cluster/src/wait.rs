//! Waiting for what later stages cannot do without: namespaces that are active, definitions that are established.

use std::time::Duration;

use serde::Deserialize;
use tokio::time::{Instant, sleep};

use crate::discovery::{is_definition, is_namespace};
use crate::plan::{Stop, Target};
use crate::request::Requests;

/// How long a namespace or definition may take.
const LONGEST: Duration = Duration::from_mins(1);

const PAUSE: Duration = Duration::from_millis(100);

#[derive(Default, Deserialize)]
struct Live {
    #[serde(default)]
    status: Status,
}

#[derive(Default, Deserialize)]
struct Status {
    #[serde(default)]
    phase: String,
    #[serde(default)]
    conditions: Vec<Condition>,
}

#[derive(Deserialize)]
struct Condition {
    r#type: String,
    status: String,
    #[serde(default)]
    message: String,
}

/// Waits until others can build on the object. Objects that nobody has to wait for are ready at once.
pub(crate) async fn ready(target: &Target<'_>, requests: &Requests) -> Result<(), Stop> {
    if !is_definition(target.object) && !is_namespace(target.object) {
        return Ok(());
    }
    let started = Instant::now();
    loop {
        let text = target.read(requests).await?;
        let live: Live = serde_json::from_str(&text).unwrap_or_default();
        let condition = |name: &str| live.status.conditions.iter().find(|condition| condition.r#type == name);
        let is =
            |name: &str, status: &str| condition(name).is_some_and(|condition| condition.status == status);
        if live.status.phase == "Active" || is("Established", "True") {
            return Ok(());
        }
        if is("NamesAccepted", "False") {
            let why =
                condition("NamesAccepted").map(|condition| condition.message.clone()).unwrap_or_default();
            return Err(target.fail(format!("its names are not accepted: {why}")));
        }
        if started.elapsed() > LONGEST {
            return Err(target.fail(format!("it is not ready after {} s", LONGEST.as_secs())));
        }
        sleep(PAUSE).await;
    }
}
