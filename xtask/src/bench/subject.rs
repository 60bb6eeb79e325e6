//! Programs that are measured.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::Args;
use nix::sys::resource::{UsageWho, getrusage};

/// What one run of a program took.
#[derive(Clone, Copy)]
pub(super) struct Cost {
    pub(super) wall: Duration,
    pub(super) cpu: Duration,
    /// Memory at its most, in bytes.
    pub(super) memory: u64,
}

/// One program with arguments, and what its runs took.
pub(super) struct Subject {
    pub(super) name: &'static str,
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) folder: PathBuf,
    /// `HOME`; one that cannot be written is a cold start.
    pub(super) home: PathBuf,
    pub(super) costs: Vec<Cost>,
}

/// `measure`: runs one program and prints what it took. In a process of its own, because the system keeps the most memory
/// of all programs that a process has run, not of each.
#[derive(Args)]
pub(crate) struct Measure {
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

impl Measure {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let Some((program, arguments)) = self.command.split_first() else { return Ok(()) };
        let started = Instant::now();
        let mut command = Command::new(program);
        let status = command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        let wall = started.elapsed();
        ensure!(status.success(), "{program}: {status}");
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
        let micros = |value: nix::sys::time::TimeVal| value.tv_sec() * 1_000_000 + value.tv_usec();
        let cpu = micros(usage.user_time()) + micros(usage.system_time());
        // Linux counts in kilobytes, others in bytes.
        let unit = if cfg!(target_os = "linux") { 1024 } else { 1 };
        println!("{} {cpu} {}", wall.as_micros(), usage.max_rss() * unit);
        Ok(())
    }
}

impl Subject {
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        self.settle(command.args(&self.arguments));
        command
    }

    fn settle(&self, command: &mut Command) {
        command.current_dir(&self.folder).env_clear().env("HOME", &self.home);
    }

    /// Runs it once and keeps what that took.
    pub(super) fn run(&mut self) -> anyhow::Result<()> {
        let mut command = Command::new(std::env::current_exe()?);
        self.settle(command.arg("measure").arg(&self.program).args(&self.arguments));
        let output = command.stderr(Stdio::inherit()).output()?;
        ensure!(output.status.success(), "{}: {}", self.name, output.status);
        let [wall, cpu, memory] = figures(&output.stdout)?;
        let (wall, cpu) = (Duration::from_micros(wall), Duration::from_micros(cpu));
        self.costs.push(Cost { wall, cpu, memory });
        Ok(())
    }

    pub(super) fn median<T: Copy + Ord + Default>(&self, what: impl Fn(&Cost) -> T) -> T {
        median(self.costs.iter().map(what).collect())
    }
}

/// Numbers that a program prints on one line.
pub(super) fn figures<const COUNT: usize>(text: &[u8]) -> anyhow::Result<[u64; COUNT]> {
    let numbers: Result<Vec<u64>, _> =
        String::from_utf8_lossy(text).split_whitespace().map(str::parse).collect();
    numbers?.try_into().ok().context("a measurement of another form")
}

pub(super) fn median<T: Copy + Ord + Default>(mut all: Vec<T>) -> T {
    all.sort();
    all.get(all.len() / 2).copied().unwrap_or_default()
}

pub(super) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
