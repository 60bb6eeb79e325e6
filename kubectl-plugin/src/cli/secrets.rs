//! The verbs of `secrets`, and the flags of commands that read values.

use clap::{Args, Subcommand, ValueEnum};

use super::{Source, Target};

#[derive(Debug, Subcommand)]
pub(crate) enum Secrets {
    /// Look up every reference of an environment without printing a value, and list where each comes from and goes to
    Check(SecretsCheck),
}

#[derive(Args, Debug)]
pub(crate) struct SecretsCheck {
    #[command(flatten)]
    pub(crate) source: Source,
    #[command(flatten)]
    pub(crate) target: Target,
    /// Ask no server: only files and variables are looked at
    #[arg(long)]
    pub(crate) offline: bool,
    /// Format of the output
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: TableFormat,
}

/// How a table is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum TableFormat {
    /// Columns
    #[default]
    Table,
    /// JSON
    Json,
}

/// What is written in place of secrets.
#[derive(Args, Debug)]
pub(crate) struct SecretsFlags {
    /// What is written in place of secrets
    #[arg(long, value_enum, value_name = "MODE", default_value_t)]
    pub(crate) secrets: SecretsMode,
    /// The same as `--secrets plain`
    #[arg(long, conflicts_with = "secrets")]
    pub(crate) show_secrets: bool,
    /// Write values even in CI, whose logs others read
    #[arg(long)]
    pub(crate) force_plain: bool,
    /// For whom `--secrets sops` encrypts (repeatable, or a comma list); default is `SOPS_AGE_RECIPIENTS`
    #[arg(long, value_name = "age1…", value_delimiter = ',')]
    pub(crate) age_recipient: Vec<String>,
    /// An earlier output of `--secrets sops`: what is the same there is not encrypted anew
    #[arg(long, value_name = "FILE|DIR")]
    pub(crate) previous: Option<std::path::PathBuf>,
    /// Ask no server for values: only files and variables
    #[arg(long)]
    pub(crate) offline: bool,
}

impl SecretsFlags {
    /// The mode, by either flag.
    pub(crate) fn mode(&self) -> SecretsMode {
        if self.show_secrets { SecretsMode::Plain } else { self.secrets }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum SecretsMode {
    /// The references as they stand in the input: safe to commit, not to apply
    #[default]
    Refs,
    /// Values encrypted as sops does it, for age
    Sops,
    /// Objects of the External Secrets Operator; no value is read
    Externalsecret,
    /// The values
    Plain,
}
