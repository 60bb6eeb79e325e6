//! The way to a registry, with the credentials that Docker would use.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use docker_credential::{CredentialRetrievalError as Missing, DockerCredential, get_credential_from_reader};
use lathe_manifest::digest;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::{OciDistributionError, OciErrorCode};
use oci_client::manifest::OciImageManifest;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference, RegistryOperation};
use tokio::io::AsyncWrite;

use crate::artifact::{self, Artifact, MediaTypes};
use crate::error::RegistryError;
use crate::layout::Image;
use crate::store::is_digest;

/// How long an answer may take, and how long a transfer.
const QUESTION: Duration = Duration::from_mins(2);
const TRANSFER: Duration = Duration::from_mins(15);

/// What a plugin's manifest may be.
const MANIFESTS: &[&str] = &["application/vnd.oci.image.manifest.v1+json"];

/// How long a registry may be silent.
const SILENCE: Duration = Duration::from_mins(1);

/// How to reach registries.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Docker's `config.json`, where credentials and helpers are configured.
    pub docker_config: Option<PathBuf>,
}

/// A plugin in a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// `sha256:…` of its manifest.
    pub manifest: String,
    /// `sha256:…` of the wasm.
    pub wasm: String,
    size: u64,
}

/// What was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// `sha256:…` of its manifest.
    pub manifest: String,
    /// `sha256:…` of the wasm.
    pub wasm: String,
    /// The media types that the registry took.
    pub types: MediaTypes,
}

/// Speaks to registries, one request after the other.
pub struct Registry {
    access: Access,
    runtime: tokio::runtime::Runtime,
}

impl Registry {
    /// Sets the client up; connects to nothing.
    pub fn new(access: Access) -> Result<Self, RegistryError> {
        // Another part of the program may have chosen already, and then that holds.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| RegistryError::Setup(error.to_string()))?;
        Ok(Self { access, runtime })
    }

    /// Follows a reference: what it means at this moment.
    pub fn resolve(&self, reference: &Reference) -> Result<Found, RegistryError> {
        let auth = self.credentials(reference)?;
        let client = client(reference);
        let (manifest, digest) =
            self.ask(reference, QUESTION, client.pull_image_manifest(reference, &auth))?;
        if !is_digest(&digest) {
            let why = "the digest of its manifest is no sha256".to_owned();
            return Err(RegistryError::NoPlugin { reference: reference.to_string(), why });
        }
        let (wasm, size) = artifact::wasm_of(&manifest)
            .map_err(|why| RegistryError::NoPlugin { reference: reference.to_string(), why })?;
        Ok(Found { manifest: digest, wasm, size })
    }

    /// The wasm of what was found, checked against its digest.
    pub fn pull(&self, reference: &Reference, found: &Found) -> Result<Vec<u8>, RegistryError> {
        self.blob(reference, &found.wasm, found.size)
    }

    /// The wasm with this digest from the repository of the reference, wherever its tag leads by now.
    pub fn pull_by_digest(&self, reference: &Reference, wasm: &str) -> Result<Vec<u8>, RegistryError> {
        if !is_digest(wasm) {
            let why = "the digest of its wasm is no sha256".to_owned();
            return Err(RegistryError::NoPlugin { reference: reference.to_string(), why });
        }
        self.blob(reference, wasm, crate::LARGEST)
    }

    /// The image that a reference meant when its manifest had this digest, around wasm that is at hand.
    pub fn image(
        &self,
        reference: &Reference,
        manifest: &str,
        wasm: Vec<u8>,
    ) -> Result<Image, RegistryError> {
        let no_plugin = |why: String| RegistryError::NoPlugin { reference: reference.to_string(), why };
        if !is_digest(manifest) {
            return Err(no_plugin("the digest of its manifest is no sha256".to_owned()));
        }
        let pinned = reference.clone_with_digest(manifest.to_owned());
        let auth = self.credentials(&pinned)?;
        let (bytes, _) =
            self.ask(&pinned, QUESTION, client(&pinned).pull_manifest_raw(&pinned, &auth, MANIFESTS))?;
        let found = digest::of_bytes(&bytes);
        if found != manifest {
            let (place, expected) = (reference.to_string(), manifest.to_owned());
            return Err(RegistryError::Digest { place, expected, found });
        }
        let parsed: OciImageManifest =
            serde_json::from_slice(&bytes).map_err(|error| no_plugin(error.to_string()))?;
        let config = self.pull_by_digest(&pinned, &parsed.config.digest)?;
        Ok(Image { manifest: bytes.to_vec(), config, wasm })
    }

    /// Waits for an answer, but not forever, and takes a client that panics for one that fails.
    fn ask<T>(
        &self,
        reference: &Reference,
        most: Duration,
        question: impl Future<Output = Result<T, OciDistributionError>>,
    ) -> Result<T, RegistryError> {
        let asked = || self.runtime.block_on(async { tokio::time::timeout(most, question).await });
        let failed = |why: String| RegistryError::Registry { reference: reference.to_string(), why };
        match std::panic::catch_unwind(std::panic::AssertUnwindSafe(asked)) {
            Ok(Ok(answer)) => answer.map_err(|error| told(reference, &error)),
            Ok(Err(_)) => Err(failed(format!("it takes longer than {} s to answer", most.as_secs()))),
            Err(_) => Err(failed("it answers with what the client cannot take".to_owned())),
        }
    }

    fn blob(&self, reference: &Reference, wasm: &str, most: u64) -> Result<Vec<u8>, RegistryError> {
        let auth = self.credentials(reference)?;
        let client = client(reference);
        let mut bytes = Capped { bytes: Vec::new(), most };
        self.ask(reference, TRANSFER, async {
            client.auth(reference, &auth, RegistryOperation::Pull).await?;
            client.pull_blob(reference, wasm, &mut bytes).await
        })?;
        let found = digest::of_bytes(&bytes.bytes);
        if found != wasm {
            let (place, expected) = (reference.to_string(), wasm.to_owned());
            return Err(RegistryError::Digest { place, expected, found });
        }
        Ok(bytes.bytes)
    }

    /// Publishes wasm. Without `types` the standard's media types are tried first, and the older ones where the registry does
    /// not know those.
    pub fn push(
        &self,
        reference: &Reference,
        wasm: &[u8],
        types: Option<MediaTypes>,
        annotations: &BTreeMap<String, String>,
    ) -> Result<Pushed, RegistryError> {
        let first = types.unwrap_or(MediaTypes::Standard);
        let pushed = self.push_as(reference, wasm, first, annotations)?;
        match pushed {
            None if types.is_none() => self.push_as(reference, wasm, MediaTypes::Module, annotations)?,
            pushed => pushed,
        }
        .ok_or_else(|| RegistryError::Registry {
            reference: reference.to_string(),
            why: "the manifest is invalid to it, as with an unknown media type".to_owned(),
        })
    }

    /// Publishes with these media types; `None` where the registry does not take the manifest.
    fn push_as(
        &self,
        reference: &Reference,
        wasm: &[u8],
        types: MediaTypes,
        annotations: &BTreeMap<String, String>,
    ) -> Result<Option<Pushed>, RegistryError> {
        let auth = self.credentials(reference)?;
        let Artifact { layer, config, manifest } = Artifact::new(wasm.to_vec(), types, annotations);
        let wasm = layer.sha256_digest();
        let client = client(reference);
        self.ask(reference, TRANSFER, async {
            match client.push(reference, &[layer], config, &auth, Some(manifest)).await {
                Err(error) if is_unknown_type(&error) => return Ok(None),
                pushed => pushed?,
            };
            let manifest = client.fetch_manifest_digest(reference, &auth).await?;
            Ok(Some(Pushed { manifest, wasm, types }))
        })
    }

    fn credentials(&self, reference: &Reference) -> Result<RegistryAuth, RegistryError> {
        let registry = reference.resolve_registry();
        let failed = |why: String| RegistryError::Credentials(registry.to_owned(), why);
        let Some(path) = &self.access.docker_config else { return Ok(RegistryAuth::Anonymous) };
        let file = match File::open(path) {
            Ok(file) if fs::metadata(path).is_ok_and(|meta| meta.is_file()) => file,
            Ok(_) => return Err(failed(format!("{} is no plain file", path.display()))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(RegistryAuth::Anonymous),
            Err(error) => return Err(failed(format!("{}: {error}", path.display()))),
        };
        match get_credential_from_reader(file, registry) {
            Ok(DockerCredential::UsernamePassword(user, password)) => Ok(RegistryAuth::Basic(user, password)),
            // As Docker's own client: an identity token is a password without a user.
            Ok(DockerCredential::IdentityToken(token)) => {
                Ok(RegistryAuth::Basic("<token>".to_owned(), token))
            }
            Err(Missing::NoCredentialConfigured) => Ok(RegistryAuth::Anonymous),
            // Helpers say so in words of their own where they know of none.
            Err(Missing::HelperFailure { stdout, .. }) if stdout.contains("credentials not found") => {
                Ok(RegistryAuth::Anonymous)
            }
            // What a helper prints may hold what it was asked for.
            Err(Missing::HelperFailure { helper, .. }) => {
                Err(failed(format!("the helper `{helper}` failed")))
            }
            Err(error) => Err(failed(error.to_string())),
        }
    }
}

/// A client for the reference's registry, which knows nobody yet.
fn client(reference: &Reference) -> Client {
    let registry = reference.resolve_registry();
    let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
    let here = matches!(host, "localhost" | "127.0.0.1");
    // As Docker does.
    let protocol = if here { ClientProtocol::Http } else { ClientProtocol::Https };
    Client::new(ClientConfig {
        protocol,
        read_timeout: Some(SILENCE),
        connect_timeout: Some(SILENCE),
        platform_resolver: None,
        user_agent: concat!("lathe/", env!("CARGO_PKG_VERSION")),
        ..ClientConfig::default()
    })
}

fn is_unknown_type(error: &OciDistributionError) -> bool {
    match error {
        OciDistributionError::RegistryError { envelope, .. } => {
            envelope.errors.iter().any(|error| error.code == OciErrorCode::ManifestInvalid)
        }
        OciDistributionError::ServerError { code: 400, message, .. } => message.contains("MANIFEST_INVALID"),
        _ => false,
    }
}

/// The client's error in words for a user. Addresses of uploads hold state that is nobody's business.
fn told(reference: &Reference, error: &OciDistributionError) -> RegistryError {
    let why = match error {
        OciDistributionError::RegistryError { envelope, .. } => {
            let told = envelope.errors.iter().map(|error| format!("{:?}: {}", error.code, error.message));
            told.collect::<Vec<_>>().join("; ")
        }
        OciDistributionError::ServerError { code, message, .. } => format!("it answers {code}: {message}"),
        OciDistributionError::RequestError(error) => {
            let mut causes = vec![error.to_string()];
            let mut source = std::error::Error::source(error);
            while let Some(cause) = source {
                causes.push(cause.to_string());
                source = cause.source();
            }
            causes.dedup();
            causes.pop().unwrap_or_default()
        }
        error => error.to_string(),
    };
    let why: String = why.chars().take(1000).collect();
    RegistryError::Registry { reference: reference.to_string(), why }
}

/// Takes bytes up to a number of them.
struct Capped {
    bytes: Vec<u8>,
    most: u64,
}

impl AsyncWrite for Capped {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        if (self.bytes.len() + bytes.len()) as u64 > self.most {
            return Poll::Ready(Err(std::io::Error::other("it is larger than its manifest says")));
        }
        self.bytes.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
