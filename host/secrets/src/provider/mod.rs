//! Where values come from: named instances that the pipeline configures.

mod env;
mod file;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::reference::{Modifier, Reference, Target};

/// A value or file's text; wiped from memory when dropped.
pub type Secret = Zeroizing<String>;

/// How the pipeline configures one instance.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", deny_unknown_fields)]
pub enum ProviderSpec {
    /// Variables of the process environment.
    Env {
        /// The names that may be read.
        allow: Vec<String>,
    },
    /// A YAML or JSON file: documents by name, their keys below them.
    File {
        /// The path, relative to the pipeline's folder.
        path: String,
    },
}

/// Resolves references. Each document is read once per run.
pub struct Resolver<'a> {
    instances: &'a BTreeMap<String, ProviderSpec>,
    folder: PathBuf,
    variable: &'a dyn Fn(&str) -> Option<String>,
    files: HashMap<String, Result<file::SecretFile, String>>,
}

impl<'a> Resolver<'a> {
    /// A resolver over these instances. Paths are relative to `folder` and never leave it; `variable` reads the process
    /// environment, which this crate does not do itself.
    pub fn new(
        instances: &'a BTreeMap<String, ProviderSpec>,
        folder: &Path,
        variable: &'a dyn Fn(&str) -> Option<String>,
    ) -> Self {
        Self { instances, folder: folder.to_owned(), variable, files: HashMap::new() }
    }

    /// The reference's value, modifiers applied. `Err` says why there is none, and holds no value.
    pub fn resolve(&mut self, reference: &Reference) -> Result<Secret, String> {
        let value = match &reference.target {
            Target::File { path, key } => self.file(path)?.get(key),
            Target::Env { instance, name } => self.env(instance.as_deref(), name),
            Target::Instance { instance, document, key } => match self.instances.get(instance) {
                Some(ProviderSpec::File { path }) => {
                    let way: Vec<String> =
                        std::iter::once(document.clone()).chain(key.iter().cloned()).collect();
                    self.file(path)?.get(&way)
                }
                Some(ProviderSpec::Env { .. }) => {
                    Err(format!("`{instance}` is of type env; write `ref+env://NAME`"))
                }
                None => Err(format!("the pipeline has no provider `{instance}` under secrets.providers")),
            },
        }?;
        reference.modifiers.iter().try_fold(value, |value, modifier| modify(&value, *modifier))
    }

    fn file(&mut self, path: &str) -> Result<&file::SecretFile, String> {
        let folder = &self.folder;
        let read = self.files.entry(path.to_owned()).or_insert_with(|| file::SecretFile::read(folder, path));
        read.as_ref().map_err(Clone::clone)
    }

    fn env(&self, instance: Option<&str>, name: &str) -> Result<Secret, String> {
        let mut lists = self.instances.iter().filter_map(|(have, spec)| match spec {
            ProviderSpec::Env { allow } if instance.is_none_or(|wanted| wanted == have) => Some(allow),
            _ => None,
        });
        match (lists.next(), lists.next()) {
            (Some(allow), None) => env::read(allow, name, self.variable),
            (Some(_), Some(_)) => {
                Err("there are several providers of type env; say which by `?instance=NAME`".to_owned())
            }
            (None, _) => {
                Err("the pipeline has no such provider of type env under secrets.providers".to_owned())
            }
        }
    }
}

fn modify(value: &str, modifier: Modifier) -> Result<Secret, String> {
    match modifier {
        Modifier::Base64Encode => Ok(Zeroizing::new(STANDARD.encode(value))),
        Modifier::Base64Decode => {
            let bytes =
                STANDARD.decode(value.trim()).map_err(|_| "the value is no base64 to decode".to_owned())?;
            String::from_utf8(bytes)
                .map(Zeroizing::new)
                .map_err(|_| "the decoded value is no UTF-8 text".to_owned())
        }
    }
}
