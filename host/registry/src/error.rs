//! What can go wrong on the way to a plugin. Messages name reference and digest, never credentials.

use std::path::PathBuf;

/// A plugin that could not be fetched or published.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The text is no reference.
    #[error("`{0}` is no reference such as registry.example.org/plugins/name:1.0: {1}")]
    Reference(String, String),
    /// The registry refused, or could not be reached.
    #[error("`{reference}`: {why}")]
    Registry {
        /// Of what.
        reference: String,
        /// The registry's words, or the network's.
        why: String,
    },
    /// The image is no plugin.
    #[error("`{reference}` is no plugin: {why}")]
    NoPlugin {
        /// Of what.
        reference: String,
        /// What is wrong with it.
        why: String,
    },
    /// Bytes that are not those that were asked for.
    #[error("{place} gave bytes with the digest {found} for {expected}")]
    Digest {
        /// Where they came from.
        place: String,
        /// What was asked for.
        expected: String,
        /// What came.
        found: String,
    },
    /// The plugin is not in the folder.
    #[error("`{name}` is not in the bundle {}", folder.display())]
    NotBundled {
        /// What was asked for.
        name: String,
        /// The bundle.
        folder: PathBuf,
    },
    /// Nobody may be asked for it.
    #[error(
        "{0} was not fetched before, and no registry is asked here; `plugin pull` fetches what a lock has"
    )]
    Offline(String),
    /// A folder in OCI's image layout is damaged, or none.
    #[error("{} is no bundle of plugins: {why}", folder.display())]
    Bundle {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Credentials are configured and cannot be had.
    #[error("credentials for {0}: {1}")]
    Credentials(String, String),
    /// A file could not be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// The client could not be set up.
    #[error("the registry client could not be set up: {0}")]
    Setup(String),
}
