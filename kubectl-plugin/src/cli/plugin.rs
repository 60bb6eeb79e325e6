//! The verbs of `plugin`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::Format;

#[derive(Debug, Subcommand)]
pub(crate) enum Plugin {
    /// Start a plugin: a project that builds, with a test
    New(New),
    /// Build the plugin of a project
    Build(Build),
    /// Run a plugin's tests: each case, in several orders, with other randomness, one object at a time
    Test(Test),
    /// Run a plugin over manifests and print what it changes, as a diff
    Run(Run),
    /// Print what a plugin is and asks for: digest, imports, rights, its own description
    Inspect(Inspect),
    /// Publish a plugin to an OCI registry
    Push(Push),
    /// Fetch plugins from registries: those of a pipeline's lock, or one
    Pull(Pull),
    /// Write the registry plugins of a pipeline's lock into a folder, for a place without a network
    Bundle(Bundle),
}

#[derive(Args, Debug)]
pub(crate) struct New {
    /// The plugin's name: lower-case letters, digits and `-`; its folder is made here
    pub(crate) name: String,
    /// The language
    #[arg(long, value_enum)]
    pub(crate) lang: Language,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    /// Rust, with the SDK
    Rust,
    /// JavaScript, by componentize-qjs
    Js,
    /// Python, by componentize-py
    Python,
    /// C, by Zig's compiler
    C,
    /// Go, as a KRM function
    Go,
}

#[derive(Args, Debug)]
pub(crate) struct Build {
    /// The project's folder
    #[arg(default_value = ".")]
    pub(crate) folder: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct Test {
    /// The project's folder
    #[arg(default_value = ".")]
    pub(crate) folder: PathBuf,
    /// Write what the plugin does now as what it is expected to do
    #[arg(long)]
    pub(crate) update: bool,
    #[command(flatten)]
    pub(crate) limits: LimitFlags,
}

#[derive(Args, Debug)]
pub(crate) struct Run {
    /// `builtin:NAME`, `oci:REFERENCE`, or a file
    pub(crate) plugin: String,
    /// File, folder or `-` for standard input (repeatable, or a comma list)
    #[arg(short, long = "filename", value_name = "FILE|DIR|-", value_delimiter = ',', required = true)]
    pub(crate) filename: Vec<String>,
    /// A case's file: `config`, `environment`, `namespace`
    #[arg(long, value_name = "FILE")]
    pub(crate) case: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) limits: LimitFlags,
}

/// What one call may use, for commands that are about one plugin.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Limits of one call")]
pub(crate) struct LimitFlags {
    /// WebAssembly instructions, roughly
    #[arg(long)]
    pub(crate) fuel: Option<u64>,
    /// Milliseconds for the call
    #[arg(long, value_name = "MS")]
    pub(crate) deadline_ms: Option<u64>,
    /// Milliseconds for compiling
    #[arg(long, value_name = "MS")]
    pub(crate) compile_ms: Option<u64>,
    /// Bytes of memory
    #[arg(long, value_name = "BYTES")]
    pub(crate) memory_bytes: Option<u64>,
    /// Elements of one table
    #[arg(long, value_name = "COUNT")]
    pub(crate) table_elements: Option<u64>,
    /// Bytes handed to the host
    #[arg(long, value_name = "BYTES")]
    pub(crate) output_bytes: Option<u64>,
    /// Calls of host functions
    #[arg(long, value_name = "COUNT")]
    pub(crate) host_calls: Option<u64>,
    /// Bytes of log that are kept
    #[arg(long, value_name = "BYTES")]
    pub(crate) log_bytes: Option<u64>,
}

#[derive(Args, Debug)]
pub(crate) struct Inspect {
    /// `builtin:NAME`, `oci:REFERENCE`, or a file
    pub(crate) plugin: String,
    /// Format of the output
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Format,
    #[command(flatten)]
    pub(crate) limits: LimitFlags,
}

#[derive(Args, Debug)]
pub(crate) struct Push {
    /// The plugin's file
    pub(crate) file: PathBuf,
    /// Where to: REGISTRY/REPOSITORY:TAG
    pub(crate) reference: String,
    /// The image's media types; without this the standard ones, and the older ones where a registry does not know those
    #[arg(long, value_enum)]
    pub(crate) media_types: Option<Types>,
    /// An annotation of the manifest, key=value (repeatable)
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) annotation: Vec<String>,
}

/// Media types of an image that holds wasm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Types {
    /// application/wasm, as the CNCF has it
    Standard,
    /// application/vnd.wasm.content.layer.v1+wasm, which older registries take
    Module,
}

#[derive(Args, Debug)]
pub(crate) struct Pull {
    /// REGISTRY/REPOSITORY:TAG or @sha256:…; without it, all that the pipeline's lock has
    pub(crate) reference: Option<String>,
    /// The file to write
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// The pipeline, or the folder it lies in; default is ./lathe.yaml
    #[arg(short, long, value_name = "DIR|FILE", conflicts_with = "reference")]
    pub(crate) pipeline: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Bundle {
    /// The folder to write; OCI's image layout
    pub(crate) folder: PathBuf,
    /// The pipeline, or the folder it lies in; default is ./lathe.yaml
    #[arg(short, long, value_name = "DIR|FILE")]
    pub(crate) pipeline: Option<PathBuf>,
}
