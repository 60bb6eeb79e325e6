//! What secrets need of the world: the process environment, identities, a cluster, an operator's bounds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use lathe_cluster::MadeFrom;
use lathe_manifest::{Map, Object, Value};
use lathe_pipeline::Environment;
use lathe_secrets::provider::{Bounds, ClusterSecret, GiveGenerated, ReadCluster, Surroundings};
use lathe_secrets::reference::Generated;
use lathe_secrets::{GeneratedValues, LiveSecret, REFERENCES_ANNOTATION, SecretBytes, Why};

use super::project::{Project, policies};
use super::review::state;
use crate::console::Failure;
use crate::settings::{Settings, variable};

/// The Secret that keeps what is generated for an environment.
const GENERATED: &str = "lathe-generated";

/// What secrets need of the world, for one environment.
pub(crate) struct World<'a> {
    folder: &'a Path,
    age_keys: Option<&'a Path>,
    bounds: Vec<Bounds>,
    offline: bool,
    settings: &'a Settings,
    connection: Mutex<Option<(tokio::runtime::Runtime, lathe_cluster::Cluster)>>,
    store: Store<'a>,
    generated: Mutex<Option<GeneratedValues>>,
    /// The Secret that generated values were read from, if they were.
    made_from: Mutex<Option<MadeFrom>>,
}

/// Where generated values are kept.
enum Store<'a> {
    None,
    /// A file, and the environment's identity.
    File(PathBuf, String),
    /// The cluster, in this namespace.
    Cluster(&'a str),
}

impl<'a> World<'a> {
    pub(crate) fn new(project: &'a Project, settings: &'a Settings, offline: bool) -> anyhow::Result<Self> {
        Ok(Self {
            folder: &project.folder,
            age_keys: settings.age_keys.as_deref(),
            bounds: policies(settings)?.into_iter().map(|(_, policy)| policy.secrets).collect(),
            offline,
            settings,
            connection: Mutex::new(None),
            store: Store::None,
            generated: Mutex::new(None),
            made_from: Mutex::new(None),
        })
    }

    /// Keeps generated values in a file, if one is named.
    pub(crate) fn with_file(self, file: Option<&Path>, environment: &Environment) -> Self {
        let identity = environment.identity().join("/");
        Self { store: file.map_or(Store::None, |file| Store::File(file.to_owned(), identity)), ..self }
    }

    /// Keeps generated values in the environment's namespace.
    pub(crate) fn with_cluster(self, environment: &'a Environment) -> Self {
        Self { store: Store::Cluster(&environment.namespace), ..self }
    }

    /// What providers need; the closures outlive what is made with them.
    pub(crate) fn surroundings<'b>(
        &'b self,
        cluster: ReadCluster<'b>,
        generated: GiveGenerated<'b>,
    ) -> Surroundings<'b> {
        Surroundings {
            folder: self.folder,
            variable: &variable,
            age_keys: self.age_keys,
            cluster: Some(cluster),
            generated: if matches!(self.store, Store::None) { None } else { Some(generated) },
            bounds: self.bounds.clone(),
            offline: self.offline,
        }
    }

    /// The values of a Secret of the cluster.
    pub(crate) fn secret(&self, namespace: &str, name: &str) -> Result<ClusterSecret, Why> {
        Ok(self.live(namespace, name)?.map(values))
    }

    /// A Secret of the cluster with what it notes of its references.
    pub(crate) fn noted(&self, namespace: &str, name: &str) -> Result<Option<LiveSecret>, Why> {
        let Some(live) = self.live(namespace, name)? else { return Ok(None) };
        let annotations = live.metadata.annotations.as_ref();
        let references = annotations.and_then(|all| all.get(REFERENCES_ANNOTATION)).cloned();
        Ok(Some(LiveSecret { data: values(live), references }))
    }

    fn live(&self, namespace: &str, name: &str) -> Result<Option<lathe_cluster::Secret>, Why> {
        let mut connection = locked(&self.connection);
        if connection.is_none() {
            let told = |error: String| Why::Unavailable(format!("the cluster: {error}"));
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error| told(error.to_string()))?;
            let cluster = runtime.block_on(lathe_cluster::connect(&self.settings.access));
            *connection = Some((runtime, cluster.map_err(|error| told(error.to_string()))?));
        }
        let Some((runtime, cluster)) = connection.as_ref() else { return Ok(None) };
        let namespace = if namespace.is_empty() { cluster.namespace.as_str() } else { namespace };
        let read = runtime.block_on(cluster.secret(namespace, name));
        read.or_else(|error| match error {
            // In a namespace that is not there yet, nobody has rights.
            lathe_cluster::RequestError::Answered(status)
                if status.code == 403
                    && matches!(runtime.block_on(cluster.has_namespace(namespace)), Ok(false)) =>
            {
                Ok(None)
            }
            error => Err(error),
        })
        .map_err(|error| match error {
            lathe_cluster::RequestError::Answered(status) if status.code == 403 => {
                Why::Forbidden(format!("the cluster does not let Secret {namespace}/{name} be read"))
            }
            error => Why::Unavailable(error.to_string()),
        })
    }

    /// A value that is generated.
    pub(crate) fn generate(&self, wanted: &Generated) -> Result<SecretBytes, Why> {
        self.kept(|generated| generated.get(wanted))
    }

    /// The key of checksums.
    pub(crate) fn checksum_key(&self) -> Result<SecretBytes, Why> {
        self.kept(GeneratedValues::checksum_key)
    }

    fn kept<T>(&self, get: impl FnOnce(&GeneratedValues) -> Result<T, Why>) -> Result<T, Why> {
        let mut generated = locked(&self.generated);
        if let Some(generated) = generated.as_ref() {
            return get(generated);
        }
        let known = match &self.store {
            Store::None => BTreeMap::new(),
            Store::Cluster(namespace) => {
                let live = self.live(namespace, GENERATED)?;
                let version = live.as_ref().and_then(|live| live.metadata.resource_version.clone());
                let (namespace, name) = ((*namespace).to_owned(), GENERATED.to_owned());
                *locked(&self.made_from) = Some(MadeFrom { namespace, name, version });
                live.map(values).unwrap_or_default()
            }
            Store::File(file, identity) => {
                let leases =
                    state::read_or_new(file).map_err(|error| Why::Unavailable(format!("{error:#}")))?;
                let known = leases.generated.get(identity).cloned().unwrap_or_default();
                known.into_iter().map(|(name, value)| (name, value.into())).collect()
            }
        };
        get(generated.insert(GeneratedValues::new(known)))
    }

    /// What of the cluster the generated values come from; `None` where none were needed.
    pub(crate) fn made_from(&self) -> Option<MadeFrom> {
        locked(&self.made_from).clone()
    }

    /// Keeps what was made in the file; gives the Secret that keeps it in the cluster.
    pub(crate) fn keep(self) -> anyhow::Result<Option<Object>> {
        let generated = self.generated.into_inner().unwrap_or_else(PoisonError::into_inner);
        let Some((values, is_new)) = generated.map(GeneratedValues::into_parts) else { return Ok(None) };
        match &self.store {
            Store::None => Ok(None),
            Store::File(file, identity) => {
                if is_new {
                    let text = |value: &SecretBytes| value.text().unwrap_or_default().to_owned();
                    // Another run may have made some in between: what was first stays, and this run's values are not those.
                    let raced = state::change(file, |leases| {
                        let known = leases.generated.entry(identity.clone()).or_default();
                        let differs = |(name, value): (&String, &SecretBytes)| {
                            known.get(name).is_some_and(|known| *known != text(value))
                        };
                        if values.iter().any(differs) {
                            return true;
                        }
                        known.extend(values.iter().map(|(name, value)| (name.clone(), text(value))));
                        false
                    })?;
                    if raced {
                        let told =
                            format!("{}: another run generated values at the same time", file.display());
                        return Err(Failure::refused(told, &[]).with_hint("run it again").into());
                    }
                    crate::console::note(&format!("{}: it keeps what was generated", file.display()));
                }
                Ok(None)
            }
            Store::Cluster(namespace) => Ok(object(namespace, &values)),
        }
    }
}

fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn values(secret: lathe_cluster::Secret) -> BTreeMap<String, SecretBytes> {
    let data = secret.data.unwrap_or_default().into_iter();
    data.map(|(name, value)| (name, value.0.into())).collect()
}

/// The Secret that keeps generated values.
fn object(namespace: &str, values: &BTreeMap<String, SecretBytes>) -> Option<Object> {
    let map = |entries: Vec<(&str, Value)>| {
        let mut map = Map::new();
        for (name, value) in entries {
            map.insert(name, value);
        }
        Value::Object(map)
    };
    let texts = values.iter().filter_map(|(name, value)| Some((name.as_str(), value.text()?.into())));
    Object::added(map(vec![
        ("apiVersion", "v1".into()),
        ("kind", "Secret".into()),
        (
            "metadata",
            map(vec![
                // Who made it for a field that is gone wants it again when the field is back.
                ("annotations", map(vec![("lathe.dev/prune", "disabled".into())])),
                ("name", GENERATED.into()),
                ("namespace", namespace.into()),
            ]),
        ),
        ("type", "lathe.dev/generated".into()),
        ("stringData", map(texts.collect())),
    ]))
}
