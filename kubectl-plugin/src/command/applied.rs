//! What is noted of an apply: where the pipeline comes from, and who is at work.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use lathe_cluster::Applied;

use crate::settings::{now, time_after, variable};

/// What is noted of an apply that begins now.
pub(crate) fn of(
    namespace: &str,
    digest: &str,
    expires: Option<Duration>,
    folder: &Path,
    generation: Option<u64>,
) -> Applied {
    let (commit, time) = commit(folder);
    Applied {
        namespace: namespace.to_owned(),
        commit,
        job: variable("CI_JOB_URL").unwrap_or_default(),
        generation: generation.or(time),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        digest: digest.to_owned(),
        at: now(),
        expires: expires.map(time_after).unwrap_or_default(),
    }
}

/// How others see who is at work; no two runs are seen as one.
pub(crate) fn holder() -> String {
    let place = variable("CI_JOB_URL").or_else(|| variable("HOSTNAME")).filter(|text| !text.is_empty());
    let place = place.unwrap_or_else(|| "a machine without a name".to_owned());
    format!("{place}, process {}, since {}", std::process::id(), Timestamp::now())
}

/// The commit and its time in seconds: as the CI has them, or as git does in the pipeline's folder.
fn commit(folder: &Path) -> (String, Option<u64>) {
    let given = |name: &str| variable(name).filter(|text| !text.is_empty());
    if let (Some(commit), Some(time)) = (given("CI_COMMIT_SHA"), given("CI_COMMIT_TIMESTAMP")) {
        let time = time.parse::<Timestamp>().ok().and_then(|time| u64::try_from(time.as_second()).ok());
        return (commit, time);
    }
    let log = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(["log", "-1", "--no-show-signature", "--format=%H %ct"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let text = log.ok().filter(|log| log.status.success()).and_then(|log| String::from_utf8(log.stdout).ok());
    let pair = text.as_deref().and_then(|text| text.trim().split_once(' '));
    pair.map(|(commit, time)| (commit.to_owned(), time.parse().ok())).unwrap_or_default()
}
