//! Records of login clients as Secrets of the ops namespace, and the Secrets that applications read in their own.

use std::collections::BTreeMap;

use crate::console;
use lathe_aai::{Delivered, Kept, Record, SecretText, Store};
use lathe_cluster::{Cluster, RequestError, Set, StateSecret, StateSecrets};

/// The type of the Secrets.
const TYPE: &str = "lathe.dev/client";

/// Keeps records in a cluster.
pub(crate) struct ClusterStore<'a> {
    pub(crate) cluster: &'a Cluster,
    /// The ops namespace.
    pub(crate) namespace: &'a str,
}

impl ClusterStore<'_> {
    fn secrets(&self) -> StateSecrets<'_> {
        StateSecrets { cluster: self.cluster, namespace: self.namespace, kind: TYPE }
    }

    /// The set of a record's environment.
    pub(crate) fn set(&self, record: &Record) -> Set {
        set(&record.identity, self.namespace)
    }

    /// All records of a project, or of all projects, sorted.
    pub(crate) async fn of_project(&self, project: Option<&str>) -> Result<Vec<Kept>, String> {
        let labels = project.map(|project| ("lathe.dev/project".to_owned(), project.to_owned()));
        let found = self.secrets().list(&labels.into_iter().collect()).await.map_err(told)?;
        let mut all = Vec::new();
        for secret in found {
            let label = format!("Secret {}/{}", self.namespace, secret.name);
            match kept(secret) {
                Ok(kept) => all.push(kept),
                // One that cannot be read must not keep all others.
                Err(why) => console::warn(&format!("{label}: the client that it keeps is left alone: {why}")),
            }
        }
        all.sort_by_key(|kept| kept.record.label());
        Ok(all)
    }
}

/// The set of an environment.
pub(crate) fn set([project, environment, review]: &[String; 3], ops_namespace: &str) -> Set {
    Set {
        project: project.clone(),
        environment: environment.clone(),
        review: review.clone(),
        ops_namespace: ops_namespace.to_owned(),
    }
}

fn name(key: &str) -> String {
    format!("lathe-client-{key}")
}

fn text(record: &Record) -> Result<String, String> {
    serde_json::to_string(record).map_err(|error| error.to_string())
}

/// What stands there is not shown, for it holds secrets.
fn kept(secret: StateSecret) -> Result<Kept, String> {
    let record = serde_json::from_str(&secret.text).map_err(|error| {
        format!("it is of another version of Lathe, or was changed by hand (column {})", error.column())
    })?;
    Ok(Kept { record, version: secret.version })
}

#[allow(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
fn told(error: RequestError) -> String {
    error.to_string()
}

impl Store for ClusterStore<'_> {
    async fn read(&self, key: &str) -> Result<Option<Kept>, String> {
        self.secrets().read(&name(key)).await.map_err(told)?.map(kept).transpose()
    }

    async fn list(&self, identity: Option<&[String; 3]>) -> Result<Vec<Kept>, String> {
        let mut all = self.of_project(identity.map(|identity| identity[0].as_str())).await?;
        all.retain(|kept| identity.is_none_or(|own| kept.record.identity == *own));
        Ok(all)
    }

    async fn create(&self, record: &Record) -> Result<Option<Kept>, String> {
        let labels = self.set(record).labels();
        let version =
            self.secrets().create(&name(&record.key), &labels, &text(record)?).await.map_err(told)?;
        Ok(version.map(|version| Kept { record: record.clone(), version }))
    }

    async fn replace(&self, kept: &Kept) -> Result<Option<Kept>, String> {
        let Kept { record, version } = kept;
        let labels = self.set(record).labels();
        let replaced = self.secrets().replace(&name(&record.key), &labels, &text(record)?, version).await;
        Ok(replaced.map_err(told)?.map(|version| Kept { record: record.clone(), version }))
    }

    async fn remove(&self, kept: &Kept) -> Result<(), String> {
        self.secrets().remove(&name(&kept.record.key), &kept.version).await.map_err(told)
    }

    async fn delivered(&self, record: &Record) -> Result<Option<Delivered>, String> {
        let found =
            self.set(record).client_secret(self.cluster, &record.namespace, &record.secret_name).await;
        let found = match found {
            // In a namespace that is not there yet, nobody has rights.
            Err(RequestError::Answered(status))
                if status.code == 403
                    && matches!(self.cluster.has_namespace(&record.namespace).await, Ok(false)) =>
            {
                None
            }
            found => found.map_err(told)?,
        };
        Ok(found.map(|secret| {
            let text = |bytes: Vec<u8>| SecretText::from(String::from_utf8(bytes).unwrap_or_default());
            Delivered {
                is_shared: secret.is_member && secret.key.is_none(),
                key: secret.key,
                generation: secret.generation,
                values: secret.values.into_iter().map(|(name, value)| (name, text(value))).collect(),
            }
        }))
    }

    async fn deliver(&self, record: &Record) -> Result<(), String> {
        let place = [record.namespace.as_str(), record.secret_name.as_str()];
        let values: BTreeMap<String, String> =
            record.values().into_iter().map(|(name, value)| (name, value.expose().to_owned())).collect();
        let which = (record.key.as_str(), record.generation);
        self.set(record).write_client_secret(self.cluster, place, which, &values).await.map_err(told)
    }

    async fn withdraw(&self, record: &Record) -> Result<(), String> {
        let place = [record.namespace.as_str(), record.secret_name.as_str()];
        match self.set(record).remove_client_secret(self.cluster, place, &record.key).await {
            // Where the namespace is gone, its Secrets are.
            Err(RequestError::Answered(status)) if matches!(status.code, 403 | 404) => {
                match self.cluster.has_namespace(&record.namespace).await {
                    Ok(false) => Ok(()),
                    _ => Err(status.message.clone()),
                }
            }
            removed => removed.map_err(told),
        }
    }
}
