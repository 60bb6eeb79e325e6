//! The commands that look at what is on a cluster, or change it.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{ClientFlags, Source, TableFormat, Target};
use crate::settings::{age, duration};

#[derive(Args, Debug)]
pub(crate) struct Apply {
    #[command(flatten)]
    pub(crate) source: Source,
    #[command(flatten)]
    pub(crate) target: Target,
    /// Ask the server what would happen, and change nothing
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "server", value_name = "server|none")]
    pub(crate) dry_run: Option<DryRun>,
    /// Take fields over that belong to other field managers
    #[arg(long)]
    pub(crate) force_conflicts: bool,
    /// Take objects over that belong to another set, to Flux, Helm or Argo CD
    #[arg(long)]
    pub(crate) adopt: bool,
    /// Do not run Helm's hooks
    #[arg(long)]
    pub(crate) no_hooks: bool,
    /// Wait until everything is as its spec wants it, and only then delete what left the set
    #[arg(long)]
    pub(crate) wait: bool,
    /// How long hooks, and waiting, may take
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration)]
    pub(crate) timeout: Duration,
    /// Agree to deletions, by the digest that `diff` prints of them
    #[arg(long, value_name = "DIGEST")]
    pub(crate) confirm: Option<String>,
    /// What tells newer from older: an older one never overwrites a newer; default is the commit's time
    #[arg(long, value_name = "NUMBER")]
    pub(crate) generation: Option<u64>,
    #[command(flatten)]
    pub(crate) clients: ClientFlags,
    #[command(flatten)]
    pub(crate) holder: Holder,
    /// Ask no store for values: only files and variables
    #[arg(long)]
    pub(crate) offline: bool,
    /// Where a store of secrets does not answer, keep what the cluster has of the same references
    #[arg(long)]
    pub(crate) keep_live_secrets: bool,
    /// Format of the output
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: ApplyFormat,
}

/// Who changes a set while others want to.
#[derive(Args, Debug)]
pub(crate) struct Holder {
    /// How long another run that changes the same set is waited for
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration)]
    pub(crate) lock_timeout: Duration,
}

#[derive(Args, Debug)]
pub(crate) struct Diff {
    #[command(flatten)]
    pub(crate) source: Source,
    /// The environment; with a review's id it may be left out where the pipeline has one class of reviews
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,
    /// Which review, such as a merge request's number
    #[arg(long, value_name = "ID")]
    pub(crate) review: Option<String>,
    /// File of leases, for an environment that takes its hosts from a pool
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,
    /// Compare with an earlier output of `render` instead of the cluster
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Option<PathBuf>,
    /// Ask no store for values: only files and variables
    #[arg(long)]
    pub(crate) offline: bool,
    /// Format of the output
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: DiffFormat,
}

/// Which sets.
#[derive(Args, Debug)]
pub(crate) struct SetPlace {
    /// The pipeline, or the folder it lies in; default is ./lathe.yaml if it is there. `--project` does without
    #[arg(short, long, value_name = "DIR|FILE")]
    pub(crate) pipeline: Option<PathBuf>,
    /// The project
    #[arg(long, value_name = "NAME")]
    pub(crate) project: Option<String>,
    /// The namespace where sets are kept; default is the pipeline's, or `lathe-system`
    #[arg(long, value_name = "NAMESPACE")]
    pub(crate) ops_namespace: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) place: SetPlace,
    /// The environment
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,
    /// Which review
    #[arg(long, value_name = "ID")]
    pub(crate) review: Option<String>,
    /// Format of the output
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: TableFormat,
}

#[derive(Args, Debug)]
pub(crate) struct Down {
    #[command(flatten)]
    pub(crate) place: SetPlace,
    /// Which review
    #[arg(long, value_name = "ID")]
    pub(crate) review: Option<String>,
    /// The environment; without `--review` it names one that is no review, and that has to be meant
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// How long it may take
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) holder: Holder,
}

#[derive(Args, Debug)]
pub(crate) struct Gc {
    #[command(flatten)]
    pub(crate) place: SetPlace,
    /// Take down reviews whose last apply is that long ago, such as 7d
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub(crate) older_than: Option<Duration>,
    /// Take down reviews that are not open: a JSON object with `project`, `open` (a list of ids) and `complete: true`.
    /// One has to be missing in two runs
    #[arg(long, value_name = "FILE|-")]
    pub(crate) open: Option<String>,
    /// Take down nothing where it would be more than this many
    #[arg(long, value_name = "NUMBER", default_value_t = 10)]
    pub(crate) max_delete: usize,
    /// Tell what would be taken down, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How long each may take
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) holder: Holder,
}

/// How an apply is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ApplyFormat {
    /// A line for each object, at the end
    #[default]
    Text,
    /// A line of JSON for each event, as it happens
    Jsonl,
}

/// How a comparison is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum DiffFormat {
    /// A line for each field
    #[default]
    Text,
    /// One JSON object
    Json,
}

/// kubectl's words; a dry run on the client would say nothing of what the server thinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DryRun {
    /// The server tries everything and keeps nothing
    Server,
    /// No dry run
    None,
}
