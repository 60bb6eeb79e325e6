//! Ends a run without a word when it asks for something.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::cluster::Cluster;
use super::finish;
use super::proxy::Deed;

/// The n-th request of a kind, before or after it was seen at its end.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub method: &'static str,
    /// What the path holds.
    pub path: &'static str,
    pub nth: usize,
    pub after: bool,
}

/// A run that is killed at its moment, by who judges its requests.
#[derive(Clone, Default)]
pub struct Victim(Arc<Mutex<Option<u32>>>);

impl Victim {
    /// What judges requests.
    pub fn judge(&self, moment: Moment) -> impl Fn(&str) -> Deed + Send + Sync + 'static {
        let (own, seen) = (self.clone(), Arc::new(AtomicUsize::new(0)));
        move |line| {
            let is_it = line.starts_with(&format!("{} ", moment.method))
                && line.contains(moment.path)
                && !line.contains("dryRun")
                && !line.contains("/events");
            if !is_it || seen.fetch_add(1, Ordering::SeqCst) + 1 != moment.nth {
                return Deed::Pass;
            }
            let own = own.clone();
            let kill = move || own.kill();
            if moment.after {
                return Deed::Then(Box::new(kill));
            }
            kill();
            Deed::Cut
        }
    }

    /// Runs until it is killed.
    pub fn run(&self, mut command: Command, what: &str) {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        *self.0.lock().unwrap() = Some(child.id());
        let run = finish(child.wait_with_output().unwrap());
        assert_eq!(run.code, -1, "{what}: it came to its end: {}{}", run.stdout, run.stderr);
    }

    fn kill(&self) {
        loop {
            if let Some(pid) = *self.0.lock().unwrap() {
                Command::new("sh").args(["-c", &format!("kill -9 {pid}")]).status().unwrap();
                // Until it is dead, it must hear no answer.
                std::thread::sleep(Duration::from_millis(50));
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// The turn of a run that was killed ends after 30 s, which another test waits for.
pub fn end_turn(cluster: &Cluster, ops: &str) {
    for lease in cluster.kubectl(&["get", "leases", "-n", ops, "-o", "name"]).stdout.lines() {
        let free = r#"{"spec":{"holderIdentity":""}}"#;
        cluster.ok(&["patch", "-n", ops, lease, "--type=merge", "-p", free]);
    }
}
