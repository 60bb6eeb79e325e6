//! The verbs of `aai`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::cluster::Holder;
use super::{Ci, SetPlace, Source, TableFormat};
use crate::settings::duration;

#[derive(Debug, Subcommand)]
pub(crate) enum Aai {
    /// List the clients that are known, and what is under way with each
    List(AaiList),
    /// Tell all that is known of one client, but for its secrets; or what to tell who registers it by hand
    Show(AaiShow),
    /// Register the clients of an environment, and write the Secrets that its applications read; workloads are applied by others
    Sync(AaiSync),
    /// Take a client over that somebody registered
    Import(AaiImport),
    /// Give a client other credentials; the next apply makes its workloads read them
    Rotate(AaiRotate),
    /// Take clients of an environment back at their provider
    Deregister(AaiDeregister),
    /// Work off what was left: clients whose taking back failed, or whose environment is gone
    Gc(AaiGc),
    /// Log a user in through a client, as its application would, and tell where that fails
    TestLogin(AaiTestLogin),
}

/// Which environment, and where its clients are kept.
#[derive(Args, Clone, Debug)]
pub(crate) struct AaiTarget {
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
    pub(crate) leases: Option<PathBuf>,
    /// Keep clients in this file, and use no cluster
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,
}

/// Clients that are known by what is kept of them; no pipeline is needed.
#[derive(Args, Debug)]
pub(crate) struct AaiPlace {
    #[command(flatten)]
    pub(crate) place: SetPlace,
    /// The environment
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,
    /// Which review
    #[arg(long, value_name = "ID")]
    pub(crate) review: Option<String>,
    /// The file that clients are kept in, where that is no cluster
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,
}

/// How far one goes to register a client.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct ClientFlags {
    /// Fail where a provider of login clients is away, even if nothing has changed
    #[arg(long)]
    pub(crate) strict: bool,
    /// Leave login clients out whose credential for registering is not there, as in merge requests of forks
    #[arg(long)]
    pub(crate) optional: bool,
    /// Register another login client where one is out of reach; in reviews that goes without saying
    #[arg(long)]
    pub(crate) recreate_lost: bool,
}

#[derive(Args, Debug)]
pub(crate) struct AaiList {
    #[command(flatten)]
    pub(crate) place: AaiPlace,
    /// Format of the output
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: TableFormat,
}

#[derive(Args, Debug)]
pub(crate) struct AaiShow {
    /// The client's name in the pipeline
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) source: Source,
    #[command(flatten)]
    pub(crate) target: AaiTarget,
    /// Format of the output
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: ShowFormat,
    /// Write values even in CI, whose logs others read
    #[arg(long)]
    pub(crate) force_plain: bool,
}

/// How one client is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ShowFormat {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object
    Json,
    /// What to tell who registers it by hand, as JSON
    Request,
    /// The Secret that its application reads, with values, as YAML
    Secret,
}

#[derive(Args, Debug)]
pub(crate) struct AaiSync {
    #[command(flatten)]
    pub(crate) source: Source,
    #[command(flatten)]
    pub(crate) target: AaiTarget,
    #[command(flatten)]
    pub(crate) clients: ClientFlags,
    /// Make the environment's namespace where it is missing
    #[arg(long)]
    pub(crate) create_namespace: bool,
    /// Write over Secrets that somebody else made
    #[arg(long)]
    pub(crate) adopt: bool,
    #[command(flatten)]
    pub(crate) holder: Holder,
    /// Format of the output
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: TableFormat,
}

#[derive(Args, Debug)]
pub(crate) struct AaiImport {
    /// The client's name in the pipeline
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) source: Source,
    #[command(flatten)]
    pub(crate) target: AaiTarget,
    /// Its id at the provider
    #[arg(long, value_name = "ID")]
    pub(crate) client_id: String,
    /// File with its secret
    #[arg(long, value_name = "FILE|-")]
    pub(crate) client_secret_file: Option<String>,
    /// Where it is managed (`registration_client_uri`)
    #[arg(long, value_name = "URL")]
    pub(crate) client_uri: Option<String>,
    /// File with its registration access token
    #[arg(long, value_name = "FILE|-")]
    pub(crate) token_file: Option<String>,
    /// Write over a Secret that somebody else made
    #[arg(long)]
    pub(crate) adopt: bool,
    #[command(flatten)]
    pub(crate) holder: Holder,
}

#[derive(Args, Debug)]
pub(crate) struct AaiRotate {
    /// The client's name in the pipeline
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) source: Source,
    #[command(flatten)]
    pub(crate) target: AaiTarget,
    /// Take the client before back at once, where another takes its place; else the next apply does
    #[arg(long)]
    pub(crate) now: bool,
    #[command(flatten)]
    pub(crate) holder: Holder,
}

#[derive(Args, Debug)]
pub(crate) struct AaiDeregister {
    /// The client's name in the pipeline; all of the environment where it is left out
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) place: AaiPlace,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Drop what is known of clients that are out of reach
    #[arg(long)]
    pub(crate) forget: bool,
    #[command(flatten)]
    pub(crate) holder: Holder,
}

#[derive(Args, Debug)]
pub(crate) struct AaiGc {
    #[command(flatten)]
    pub(crate) place: AaiPlace,
    /// Take a client back that carries Lathe's marker and that nothing here knows, by its id (repeatable). Without it such clients
    /// are listed only, for others may keep theirs at the same provider
    #[arg(long, value_name = "CLIENT-ID")]
    pub(crate) delete_orphan: Vec<String>,
    /// Take nothing back where it would be more than this many
    #[arg(long, value_name = "NUMBER", default_value_t = 10)]
    pub(crate) max_delete: usize,
    /// Tell what would be taken back, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) holder: Holder,
}

#[derive(Args, Debug)]
pub(crate) struct AaiTestLogin {
    /// The client's name in the pipeline
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) place: AaiPlace,
    /// The test user; `--user` is kubectl's
    #[arg(long, value_name = "NAME")]
    pub(crate) username: String,
    /// The variable that holds the user's password
    #[arg(long, value_name = "VARIABLE", default_value = "LATHE_TEST_PASSWORD")]
    pub(crate) password_env: String,
    /// Where the user is to be sent back to; default is the first of the client's redirect URIs
    #[arg(long, value_name = "URI")]
    pub(crate) redirect_uri: Option<String>,
    /// How long it may take
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = duration)]
    pub(crate) timeout: Duration,
    /// Format of the output
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: TableFormat,
}
