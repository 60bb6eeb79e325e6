//! The verbs of `review`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{SetPlace, Source, TableFormat, Target};

#[derive(Debug, Subcommand)]
pub(crate) enum Review {
    /// Print what a review is called: slug, namespace, hosts, redirect URIs
    Show(Show),
    /// Propose a pipeline for manifests: which hosts are rewritten, which stay, what has to be explained
    Discover(Discover),
    /// List the reviews that are on the cluster
    List(List),
    /// Take a slot of the environment's pool for a review, or tell the one that it holds
    Lease(Lease),
    /// Give a review's slot back to the environment's pool
    Release(Release),
}

#[derive(Args, Debug)]
pub(crate) struct Show {
    #[command(flatten)]
    pub(crate) source: Source,
    #[command(flatten)]
    pub(crate) target: Target,
    /// Format of the output
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: ReviewFormat,
    /// Write the review's address and hosts as variables, for GitLab's `artifacts:reports:dotenv`
    #[arg(long, value_name = "FILE")]
    pub(crate) dotenv: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) place: SetPlace,
    /// The environment
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,
    /// Format of the output
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: TableFormat,
}

#[derive(Args, Debug)]
pub(crate) struct Discover {
    /// File, folder or `-` for standard input (repeatable, or a comma list)
    #[arg(short, long = "filename", value_name = "FILE|DIR|-", value_delimiter = ',', required = true)]
    pub(crate) filename: Vec<String>,
    /// The domain that reviews' hosts lie under; default is `review.` and a zone of production's
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) review_domain: Option<String>,
    /// Take the last of repeated keys in manifests, as kubectl does, and warn
    #[arg(long)]
    pub(crate) lenient_duplicates: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Lease {
    #[command(flatten)]
    pub(crate) place: LeasePlace,
    /// Format of the output
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: LeaseFormat,
}

#[derive(Args, Debug)]
pub(crate) struct Release {
    #[command(flatten)]
    pub(crate) place: LeasePlace,
}

/// Whose lease, and where leases are kept: in the ops namespace of the cluster, or in the file of `--state`.
#[derive(Args, Debug)]
pub(crate) struct LeasePlace {
    /// The pipeline, or the folder it lies in; default is ./lathe.yaml
    #[arg(short, long, value_name = "DIR|FILE")]
    pub(crate) pipeline: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReviewFormat {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object
    Json,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LeaseFormat {
    /// The slot's name
    #[default]
    Name,
    /// The lease as a file for `--state`
    Json,
}
