//! The command line's types, and nothing else.

mod aai;
mod cluster;
mod plugin;
mod review;
mod secrets;

use std::path::PathBuf;

pub(crate) use aai::{
    Aai, AaiDeregister, AaiGc, AaiImport, AaiList, AaiPlace, AaiRotate, AaiShow, AaiSync, AaiTarget,
    AaiTestLogin, ClientFlags, ShowFormat,
};
pub(crate) use cluster::{Apply, ApplyFormat, Diff, DiffFormat, Down, DryRun, Gc, Holder, SetPlace, Status};
pub(crate) use plugin::{
    Build, Bundle, Inspect, Language, LimitFlags, New, Plugin, Pull, Push, Run, Test, Types,
};
pub(crate) use review::{
    Discover, Lease, LeaseFormat, LeasePlace, List, Release, Review, ReviewFormat, Show,
};

pub(crate) use secrets::{Secrets, SecretsCheck, SecretsFlags, SecretsMode, TableFormat};

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

/// Sandboxed transforms over rendered Kubernetes manifests.
#[derive(Debug, Parser)]
#[command(name = "kubectl-lathe", version, disable_version_flag = true, max_term_width = 100)]
pub(crate) struct Cli {
    /// Policy that no pipeline and no lock may go beyond; `LATHE_POLICY` names one, too, and both hold
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) policy: Option<PathBuf>,
    /// Bundle of plugins that takes the place of registries, none of which is asked then; `LATHE_BUNDLE` names one, too
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) bundle: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// kubectl's own flags, taken before and after the subcommand; kubectl refuses flags before a plugin's name.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "kubectl's flags, for commands that talk to a cluster")]
pub(crate) struct Global {
    /// Path of the kubeconfig file
    #[arg(long, global = true, hide_short_help = true)]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig
    #[arg(long, global = true, hide_short_help = true)]
    pub(crate) context: Option<String>,
    /// Cluster of the kubeconfig
    #[arg(long, global = true, hide_short_help = true)]
    pub(crate) cluster: Option<String>,
    /// User of the kubeconfig
    #[arg(long, global = true, hide_short_help = true)]
    pub(crate) user: Option<String>,
    /// Namespace
    #[arg(short, long, global = true, hide_short_help = true)]
    pub(crate) namespace: Option<String>,
    /// Address of the API server
    #[arg(short, long, global = true, hide_short_help = true)]
    pub(crate) server: Option<String>,
    /// Bearer token
    #[arg(long, global = true, hide_short_help = true)]
    pub(crate) token: Option<String>,
    /// User to impersonate
    #[arg(long = "as", global = true, hide_short_help = true)]
    pub(crate) as_user: Option<String>,
    /// UID to impersonate
    #[arg(long, global = true, hide_short_help = true)]
    pub(crate) as_uid: Option<String>,
    /// Group to impersonate (repeatable)
    #[arg(long, global = true, hide_short_help = true)]
    pub(crate) as_group: Vec<String>,
    /// Extra to impersonate, key=value (repeatable)
    #[arg(long, global = true, hide_short_help = true)]
    pub(crate) as_user_extra: Vec<String>,
    /// File of the certificate authority
    #[arg(long, global = true, hide_short_help = true)]
    pub(crate) certificate_authority: Option<PathBuf>,
    /// File of the client certificate
    #[arg(long, global = true, hide_short_help = true)]
    pub(crate) client_certificate: Option<PathBuf>,
    /// File of the client key
    #[arg(long, global = true, hide_short_help = true)]
    pub(crate) client_key: Option<PathBuf>,
    /// Do not check the server's certificate
    #[arg(long, global = true, hide_short_help = true)]
    pub(crate) insecure_skip_tls_verify: bool,
    /// Name to check the server's certificate against
    #[arg(long, global = true, hide_short_help = true)]
    pub(crate) tls_server_name: Option<String>,
    /// Proxy to the API server
    #[arg(long, global = true, hide_short_help = true)]
    pub(crate) proxy_url: Option<String>,
    /// Time-out of one request
    #[arg(long, global = true, hide_short_help = true)]
    pub(crate) request_timeout: Option<String>,
    /// Folder of kubectl's discovery cache; accepted and not used
    #[arg(long, global = true, hide_short_help = true)]
    pub(crate) cache_dir: Option<PathBuf>,
    /// Do not compress responses
    #[arg(long, global = true, hide_short_help = true)]
    pub(crate) disable_compression: bool,
    /// Say on standard error what is done; more with `-v=2` or `-v -v`
    #[arg(short = 'v', long = "v", global = true, action = ArgAction::Append, num_args = 0..=1, require_equals = true,
          default_missing_value = "1", value_name = "LEVEL", help_heading = "Options")]
    pub(crate) verbose: Vec<u8>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print the manifests of an environment, transformed
    Render(Render),
    /// Render an environment and apply it to the cluster
    Apply(Apply),
    /// Tell what an apply would change, or what sets two renders apart
    Diff(Diff),
    /// Tell what is applied of each set, and how it is
    Status(Status),
    /// Take a review environment down: all that it has on the cluster
    Down(Down),
    /// Take down the review environments that are not needed any more
    Gc(Gc),
    /// Write lathe.lock: which plugins may take part, with which rights
    Lock(Lock),
    /// Render every environment without printing it, and tell what is wrong
    Check(Check),
    /// Tell which plugin wrote a field, and what stood there before
    Explain(Explain),
    /// Run a transcript's render again, and tell in what it differs
    Replay(Replay),
    /// Look at review environments, propose pipelines for them, and lease hosts of a pool
    #[command(subcommand)]
    Review(Review),
    /// Register login clients, look at them, and take them back
    #[command(subcommand)]
    Aai(Aai),
    /// Look up references to secrets
    #[command(subcommand)]
    Secrets(Secrets),
    /// Write, look at, try and publish plugins
    #[command(subcommand)]
    Plugin(Plugin),
    /// Print the version and the built-in plugins
    Version(Version),
    /// Print a shell's completion script
    Completion(Completion),
    /// Compile the plugin on standard input to native code on standard output, for a Lathe that started this process
    #[command(hide = true)]
    CompilePlugin(CompilePlugin),
}

/// Where manifests and pipeline come from.
#[derive(Args, Debug)]
pub(crate) struct Source {
    /// File, folder or `-` for standard input; takes the place of the pipeline's inputs (repeatable, or a comma list)
    #[arg(short, long = "filename", value_name = "FILE|DIR|-", value_delimiter = ',')]
    pub(crate) filename: Vec<String>,
    /// The pipeline, or the folder it lies in; default is ./lathe.yaml if it is there
    #[arg(short, long, value_name = "DIR|FILE")]
    pub(crate) pipeline: Option<PathBuf>,
    /// Take the last of repeated keys in manifests, as kubectl does, and warn
    #[arg(long)]
    pub(crate) lenient_duplicates: bool,
}

/// Which environment.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Target {
    /// The environment; with a review's id it may be left out where the pipeline has one class of reviews
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,
    /// Which review, such as a merge request's number
    #[arg(long, value_name = "ID")]
    pub(crate) review: Option<String>,
    /// Take the review's id from a CI's variables: of GitLab `CI_MERGE_REQUEST_IID`
    #[arg(long, value_enum, value_name = "CI", conflicts_with = "review")]
    pub(crate) from: Option<Ci>,
    /// File of leases, for an environment that takes its hosts from a pool
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,
}

/// A CI whose variables name a review.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ci {
    /// GitLab, in merge request pipelines
    Gitlab,
}

#[derive(Args, Debug)]
pub(crate) struct Render {
    #[command(flatten)]
    pub(crate) source: Source,
    #[command(flatten)]
    pub(crate) target: Target,
    /// Format of the output
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: ObjectFormat,
    /// Write a file for each object into this folder instead, and remove those that an earlier run wrote there
    #[arg(long, value_name = "DIR")]
    pub(crate) output_dir: Option<PathBuf>,
    /// Write a report of what was done (JSON)
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Write a transcript of what plugins were given, asked and answered (JSON, digests only), for `replay`
    #[arg(long, value_name = "FILE")]
    pub(crate) transcript: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) values: SecretsFlags,
    /// Take changed `path:` plugins into the lock where they ask for nothing more; not in CI
    #[arg(long)]
    pub(crate) update_lock: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Lock {
    /// The pipeline, or the folder it lies in; default is ./lathe.yaml
    #[arg(short, long, value_name = "DIR|FILE")]
    pub(crate) pipeline: Option<PathBuf>,
    /// Grant what plugins or the pipeline ask for beyond the lock: rights, grants, writes, limits
    #[arg(long)]
    pub(crate) accept: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) source: Source,
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Args, Debug)]
pub(crate) struct Explain {
    /// The object, as Kind/name or Kind/namespace/name of the rendered set
    #[arg(value_name = "KIND/NAME")]
    pub(crate) object: String,
    /// A JSON pointer; everything at and below it is told
    #[arg(default_value = "")]
    pub(crate) pointer: String,
    #[command(flatten)]
    pub(crate) source: Source,
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Args, Debug)]
pub(crate) struct Replay {
    /// The transcript that `render --transcript` wrote
    #[arg(value_name = "TRANSCRIPT")]
    pub(crate) transcript: PathBuf,
    #[command(flatten)]
    pub(crate) source: Source,
    /// Print what another version of a plugin would change: its file, or `NAME=FILE` where the pipeline has several
    #[arg(long, value_name = "[NAME=]FILE")]
    pub(crate) plugin: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct CompilePlugin {
    /// How long it may take, in milliseconds
    pub(crate) limit: u64,
}

#[derive(Args, Debug)]
pub(crate) struct Version {
    /// Format of the output
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Format,
}

#[derive(Args, Debug)]
pub(crate) struct Completion {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Block YAML, a document per object
    #[default]
    Yaml,
    /// One JSON List
    Json,
}

/// How objects are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ObjectFormat {
    /// Block YAML, a document per object
    #[default]
    Yaml,
    /// One JSON List
    Json,
    /// One line of JSON per object
    Jsonl,
}
