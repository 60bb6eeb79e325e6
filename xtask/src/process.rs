//! Other programs, run so that their failure is ours and that none outlives us, unless we are killed outright.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// What a signal ends and removes: process groups by their leader's pid, and folders.
static OURS: Mutex<Ours> = Mutex::new(Ours { groups: Vec::new(), folders: Vec::new() });

/// How long a group may take to end when it is asked to; it may have something to end as well.
const GRACE: Duration = Duration::from_secs(5);

struct Ours {
    groups: Vec<u32>,
    folders: Vec<PathBuf>,
}

/// A program in a process group of its own, which ends when this is dropped.
pub(crate) struct Started(Child);

impl Started {
    pub(crate) fn new(command: &mut Command) -> anyhow::Result<Self> {
        // Locked over the start, so that a signal finds it either not begun or on the list.
        let mut ours = ours();
        let child = command.process_group(0).spawn()?;
        ours.groups.push(child.id());
        Ok(Self(child))
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let pid = self.0.id();
        signal("-KILL", pid);
        let _ = self.0.wait();
        ours().groups.retain(|group| *group != pid);
    }
}

/// Ends what was started when Ctrl-C or a termination signal comes.
pub(crate) fn end_with_signals() -> anyhow::Result<()> {
    let end = || {
        let ours = ours();
        // A run of tests may run programs that have servers of their own.
        for name in ["-TERM", "-KILL"] {
            for group in ours.groups.iter().rev() {
                signal(name, *group);
            }
            await_end(&ours.groups);
        }
        for folder in &ours.folders {
            let _ = fs::remove_dir_all(folder);
        }
        #[allow(clippy::exit, reason = "the signal asked for the end, and 130 is how shells tell of it")]
        std::process::exit(130);
    };
    ctrlc::set_handler(end).context("watching for signals")
}

/// Notes a folder that a signal removes, too.
pub(crate) fn remove_at_end(folder: &Path) {
    ours().folders.push(folder.to_owned());
}

fn ours() -> MutexGuard<'static, Ours> {
    OURS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends a signal to a process group; `false` where there is none any more.
fn signal(signal: &str, group: u32) -> bool {
    let output = Command::new("kill").args([signal, "--", &format!("-{group}")]).output();
    output.is_ok_and(|output| output.status.success())
}

/// Waits until the groups are gone, for a while. Members that have ended and that nobody asked about count as gone.
fn await_end(groups: &[u32]) {
    let started = Instant::now();
    while started.elapsed() < GRACE && groups.iter().any(|group| is_alive(*group)) {
        sleep(Duration::from_millis(20));
    }
}

fn is_alive(group: u32) -> bool {
    if !Path::new("/proc/self").exists() {
        return signal("-0", group);
    }
    fs::read_link(format!("/proc/{group}/exe")).is_ok()
}

/// Programs whose command line holds the text, by pid (Linux).
pub(crate) fn with_argument(text: &str) -> Vec<u32> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let holds = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(text)
    };
    pids.filter(|pid| *pid != std::process::id()).filter(holds).collect()
}

/// The top of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

/// A command in the top of the repository.
pub(crate) fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root());
    command
}

/// cargo, as it was called for this verb.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut cargo = command(&std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()), arguments);
    // What `cargo run` says of xtask would make build scripts that watch such variables (ring's) run anew each time.
    for (name, _) in std::env::vars_os() {
        if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// Runs the command to its end; an exit code other than zero is an error.
pub(crate) fn run(mut command: Command) -> anyhow::Result<()> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let shown = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    eprintln!("+ {shown}");
    let mut started = Started::new(&mut command).with_context(|| shown.clone())?;
    let status = started.0.wait().with_context(|| shown.clone())?;
    if !status.success() {
        bail!("{shown}: {status}");
    }
    Ok(())
}
