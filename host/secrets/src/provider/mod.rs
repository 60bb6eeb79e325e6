//! Where values come from: named instances that the pipeline configures.
//!
//! [`Resolver::fetch`] reads each document once, whatever asks for it; [`Resolver::resolve`] takes values out of what was read.

mod bounds;
mod env;
mod file;
mod spec;
mod vault;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::bytes::SecretBytes;
use crate::error::Why;
use crate::node::Node;
use crate::reference::{Address, Generated, Reference, Shape, Target, is_within, logical};
use crate::sops;
use vault::{Place, Reading};

pub use bounds::Bounds;
pub use spec::{AuthSpec, ProviderSpec, StoreRef, VaultSpec};

/// A Secret's `data`, decoded; `None` where there is no such Secret.
pub type ClusterSecret = Option<BTreeMap<String, SecretBytes>>;

/// Reads a Secret of a cluster, by namespace and name.
pub type ReadCluster<'a> = &'a (dyn Fn(&str, &str) -> Result<ClusterSecret, Why> + Sync);

/// Gives a value that is made at random, or was before.
pub type GiveGenerated<'a> = &'a (dyn Fn(&Generated) -> Result<SecretBytes, Why> + Sync);

/// Provider instances by name.
pub type Instances = BTreeMap<String, ProviderSpec>;

/// What providers need of the world, which this crate does not reach for itself.
#[derive(Clone)]
pub struct Surroundings<'a> {
    /// The pipeline's folder: paths of providers are relative to it and never leave it.
    pub folder: &'a Path,
    /// Reads the process environment.
    pub variable: &'a (dyn Fn(&str) -> Option<String> + Sync),
    /// The user's file of age identities, beside those that the process environment names.
    pub age_keys: Option<&'a Path>,
    /// Reads a Secret of the cluster, by namespace and name.
    pub cluster: Option<ReadCluster<'a>>,
    /// Values that were made at random before, or are now, by what they stand in for.
    pub generated: Option<GiveGenerated<'a>>,
    /// What operators let pipelines read; all of it holds.
    pub bounds: Vec<Bounds>,
    /// Whether no server is asked.
    pub offline: bool,
}

/// A document of a store that has been read.
#[derive(Clone, Default)]
pub(crate) struct Document {
    pub(crate) tree: Node,
    /// All of it as one value, where it can be that.
    pub(crate) whole: Option<SecretBytes>,
    /// Its version, where the store keeps them.
    pub(crate) version: Option<String>,
    /// Whether only the names of its keys were read.
    pub(crate) names_only: bool,
    /// Where it lies in a server: namespace, mount and path, as bounds name them.
    pub(crate) location: Option<String>,
}

/// No value that a cluster takes is larger on its way through modifiers.
const LARGEST: usize = 8 << 20;

/// What a document is asked for by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    File(String),
    Sops(String),
    Cluster(String, String),
    Server(String, Place),
}

/// Resolves references. Each document is read once.
pub struct Resolver<'a> {
    instances: &'a Instances,
    around: &'a Surroundings<'a>,
    documents: BTreeMap<Key, Result<Document, Why>>,
}

/// Where a reference is looked up, and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The instance, or what is asked where none has to be configured.
    pub backend: String,
    /// The version of the document, where the store keeps them.
    pub version: Option<String>,
}

impl<'a> Resolver<'a> {
    /// A resolver over these instances.
    pub fn new(instances: &'a Instances, around: &'a Surroundings<'a>) -> Self {
        Self { instances, around, documents: BTreeMap::new() }
    }

    /// Reads the documents of these references, each once. What cannot be read is told by who asks for it.
    pub fn fetch<'r>(&mut self, references: impl IntoIterator<Item = &'r Reference>) {
        self.read(references, Reading::Values);
    }

    /// Reads which keys the documents have, without values where the store can do that.
    pub fn probe<'r>(&mut self, references: impl IntoIterator<Item = &'r Reference>) {
        self.read(references, Reading::Names);
    }

    fn read<'r>(&mut self, references: impl IntoIterator<Item = &'r Reference>, reading: Reading) {
        let keys = references.into_iter().filter_map(|reference| self.key(&reference.target).ok().flatten());
        let wanted: BTreeSet<Key> = keys.map(|(key, _)| key).collect();
        let mut servers: BTreeMap<String, Vec<Place>> = BTreeMap::new();
        for key in wanted {
            if self.documents.contains_key(&key) {
                continue;
            }
            let document = match &key {
                Key::File(path) => file::read(self.around.folder, path),
                Key::Sops(path) => self.sops(path),
                Key::Cluster(namespace, name) => self.cluster(namespace, name),
                Key::Server(instance, place) => {
                    servers.entry(instance.clone()).or_default().push(place.clone());
                    continue;
                }
            };
            self.documents.insert(key, document);
        }
        for (instance, places) in servers {
            let Some(spec) = self.instances.get(&instance).and_then(ProviderSpec::server) else { continue };
            let read = vault::read(spec, &places, reading, self.around);
            let keys = places.into_iter().map(|place| Key::Server(instance.clone(), place));
            self.documents.extend(keys.zip(read));
        }
    }

    /// Whether the reference has a value, and where; the value itself only as far as the document had to be read.
    pub fn check(&self, reference: &Reference) -> Result<Found, Why> {
        let backend = self.backend(&reference.target)?;
        let Some((key, way)) = self.key(&reference.target)? else {
            return match self.resolve(reference) {
                Err(why) if !(why.is_missing() && reference.missing.is_some()) => Err(why),
                _ => Ok(Found { backend, version: None }),
            };
        };
        let looked_up = self.document(&key, &way).and_then(|document| Ok((document, document.get(&way)?)));
        let version = match looked_up {
            Err(why) if why.is_missing() && reference.missing.is_some() => None,
            Err(why) => return Err(why),
            Ok((document, node)) => {
                if !document.names_only {
                    self.resolve(reference)?.into_bytes(reference.shape == Shape::Json)?;
                } else if reference.modifiers.is_empty()
                    && reference.shape != Shape::Json
                    && matches!(node, Node::Map(_))
                {
                    node.into_bytes(false)?;
                }
                document.version.clone()
            }
        };
        Ok(Found { backend, version })
    }

    /// The reference's value, as JSON would have it, modifiers applied.
    pub(crate) fn resolve(&self, reference: &Reference) -> Result<Node, Why> {
        let node = match &reference.target {
            Target::Env { instance, name } => self.env(instance.as_deref(), name).map(Node::Text)?,
            Target::Generated(generated) => {
                let missing = || {
                    Why::Policy("a value that is generated for a review is kept in the cluster, or in the file of `--state`".to_owned())
                };
                let make = self.around.generated.ok_or_else(missing)?;
                make(generated).map(Node::Text)?
            }
            target => {
                let Some((key, way)) = self.key(target)? else { return Ok(Node::Null) };
                self.document(&key, &way)?.get(&way)?
            }
        };
        reference.modifiers.iter().try_fold(node, |node, modifier| {
            let node = modifier.apply(node)?;
            if node.size() > LARGEST {
                Err(Why::Size("its modifiers make too much of it".to_owned()))
            } else {
                Ok(node)
            }
        })
    }

    /// The store of the External Secrets Operator that has the document.
    pub(crate) fn store_of(&self, address: &Address) -> Result<&'a StoreRef, Why> {
        let (name, spec) = self.instance(address)?;
        let own = spec.server().and_then(|server| server.namespace.clone());
        let target = Target::Store(Address { instance: None, namespace: own, ..address.clone() });
        let bounds = &self.around.bounds;
        bounds.iter().try_for_each(|bounds| bounds.provider(spec.type_name()))?;
        bounds.iter().try_for_each(|bounds| bounds.path(&target.address()))?;
        // Whom the operator asks, its store says; what the provider names has to be allowed all the same.
        if let Some(address) = spec.server().and_then(|server| server.address.as_deref()) {
            bounds.iter().try_for_each(|bounds| bounds.address(address))?;
        }
        let store = spec.server().and_then(|server| server.external_secret.as_ref());
        store.ok_or_else(|| {
            Why::Policy(format!(
                "the provider `{name}` has no `externalSecret`, which names the operator's store"
            ))
        })
    }

    /// The document, for a way in it that may be gone.
    fn document(&self, key: &Key, way: &[String]) -> Result<&Document, Why> {
        let missing = || Why::Unavailable("the document was not read".to_owned());
        let document = self.documents.get(key).ok_or_else(missing)?.as_ref().map_err(Clone::clone)?;
        if let Some(location) = &document.location {
            let address = Address { key: way.to_owned(), ..Address::default() };
            let path = format!("{location}{}", Target::Store(address).address());
            self.around.bounds.iter().try_for_each(|bounds| bounds.path(&path))?;
        }
        Ok(document)
    }

    /// The name of what is asked.
    fn backend(&self, target: &Target) -> Result<String, Why> {
        Ok(match target {
            Target::Store(address) => {
                let (name, spec) = self.instance(address)?;
                format!("{name} ({})", spec.type_name())
            }
            Target::Env { .. } => "env".to_owned(),
            Target::File { .. } => "file".to_owned(),
            Target::Sops { .. } => "sops".to_owned(),
            Target::Cluster { .. } => "kubernetes".to_owned(),
            Target::Generated(_) => "generated".to_owned(),
        })
    }

    /// The document that the target lies in, and the way to it there; `None` where there are no documents.
    fn key(&self, target: &Target) -> Result<Option<(Key, Vec<String>)>, Why> {
        let bounds = &self.around.bounds;
        let path = |target: &Target| bounds.iter().try_for_each(|bounds| bounds.path(&target.address()));
        let allowed = |kind: &str| bounds.iter().try_for_each(|bounds| bounds.provider(kind));
        Ok(Some(match target {
            Target::Env { .. } => return allowed("env").map(|()| None),
            Target::Generated(_) => return Ok(None),
            Target::File { path: file, key } => {
                allowed("file")?;
                path(target)?;
                (Key::File(file.clone()), key.clone())
            }
            Target::Sops { path: file, key } => {
                allowed("sops")?;
                path(target)?;
                (Key::Sops(file.clone()), key.clone())
            }
            Target::Cluster { namespace, name, key } => {
                allowed("kubernetes")?;
                path(target)?;
                let listed = format!("{namespace}/{name}");
                let mut specs = self.instances.values();
                let open = |spec: &ProviderSpec| matches!(spec, ProviderSpec::Kubernetes { allow } if allow.contains(&listed));
                if !specs.any(open) {
                    return Err(Why::Policy(format!(
                        "no provider of type kubernetes has `{listed}` in its `allow`"
                    )));
                }
                (Key::Cluster(namespace.clone(), name.clone()), vec![key.clone()])
            }
            Target::Store(address) => {
                let (name, spec) = self.instance(address)?;
                allowed(spec.type_name())?;
                let document = || {
                    let path = logical(&address.path);
                    let document = path.split_once('/').map(|(_, rest)| rest.to_owned()).unwrap_or_default();
                    std::iter::once(document).chain(address.key.iter().cloned()).collect()
                };
                match spec {
                    ProviderSpec::File { .. } | ProviderSpec::Sops { .. }
                        if address.version.is_some() || address.namespace.is_some() =>
                    {
                        return Err(Why::Type(format!(
                            "`{name}` is of type {}, which keeps no versions or namespaces",
                            spec.type_name()
                        )));
                    }
                    // Bounds are about what is read, whatever the instance is called.
                    ProviderSpec::File { path: file } => {
                        let key: Vec<String> = document();
                        path(&Target::File { path: file.clone(), key: key.clone() })?;
                        (Key::File(file.clone()), key)
                    }
                    ProviderSpec::Sops { path: file } => {
                        let key: Vec<String> = document();
                        path(&Target::Sops { path: file.clone(), key: key.clone() })?;
                        (Key::Sops(file.clone()), key)
                    }
                    ProviderSpec::Openbao(_) | ProviderSpec::Vault(_) => {
                        (Key::Server(name.to_owned(), Place::from(address)), address.key.clone())
                    }
                    ProviderSpec::Env { .. } => {
                        return Err(Why::Policy(format!("`{name}` is of type env; write `ref+env://NAME`")));
                    }
                    ProviderSpec::Kubernetes { .. } => {
                        return Err(Why::Policy(format!(
                            "`{name}` is of type kubernetes; write `ref+k8s://…`"
                        )));
                    }
                }
            }
        }))
    }

    /// The instance that has the document.
    fn instance(&self, address: &Address) -> Result<(&'a str, &'a ProviderSpec), Why> {
        let named = |name: &str| self.instances.get_key_value(name).map(|(name, spec)| (name.as_str(), spec));
        let none = |name: &str| {
            Why::Policy(format!("the pipeline has no provider `{name}` under secrets.providers"))
        };
        if let Some(name) = &address.instance {
            return named(name).ok_or_else(|| none(name));
        }
        let mount = address.path.split('/').next().unwrap_or_default();
        let own = named(mount);
        if let Some(found) = own.filter(|(_, spec)| spec.server().is_none()) {
            return Ok(found);
        }
        let servers =
            self.instances.iter().filter_map(|(name, spec)| Some((name.as_str(), spec, spec.server()?)));
        let has =
            |mounts: &[String]| mounts.iter().any(|mount| is_below(&address.path, mount.trim_matches('/')));
        let (by_mount, any): (Vec<_>, Vec<_>) = servers
            .filter(|(_, _, server)| server.mounts.as_deref().is_none_or(has))
            .partition(|(_, _, server)| server.mounts.is_some());
        let mut fitting = if by_mount.is_empty() { any } else { by_mount };
        if fitting.len() > 1 && fitting.iter().any(|(name, ..)| *name == mount) {
            fitting.retain(|(name, ..)| *name == mount);
        }
        match fitting.as_slice() {
            [(name, spec, _)] => Ok((*name, *spec)),
            [] => Err(none(mount)),
            _ => Err(Why::Policy(format!(
                "several servers may have `{mount}`; their `mounts`, or `?instance=NAME` in a reference of vals, say which"
            ))),
        }
    }

    fn env(&self, instance: Option<&str>, name: &str) -> Result<SecretBytes, Why> {
        let bounds = &self.around.bounds;
        bounds.iter().try_for_each(|bounds| bounds.provider("env"))?;
        let target = Target::Env { instance: None, name: name.to_owned() };
        bounds.iter().try_for_each(|bounds| bounds.path(&target.address()))?;
        let mut lists = self.instances.iter().filter_map(|(have, spec)| match spec {
            ProviderSpec::Env { allow } if instance.is_none_or(|wanted| wanted == have) => Some(allow),
            _ => None,
        });
        match (lists.next(), lists.next()) {
            (Some(allow), None) => env::read(allow, name, self.around.variable),
            (Some(_), Some(_)) => Err(Why::Policy(
                "there are several providers of type env; say which by `?instance=NAME`".to_owned(),
            )),
            (None, _) => Err(Why::Policy(
                "the pipeline has no such provider of type env under secrets.providers".to_owned(),
            )),
        }
    }

    fn sops(&self, path: &str) -> Result<Document, Why> {
        let bytes = file::bytes(self.around.folder, path)?;
        let keys = sops::identities(self.around)?;
        let decrypted = sops::decrypt(path, &bytes, &keys)?;
        Ok(Document { tree: decrypted.tree, whole: decrypted.whole, ..Document::default() })
    }

    fn cluster(&self, namespace: &str, name: &str) -> Result<Document, Why> {
        if self.around.offline {
            return Err(Why::Policy("`--offline` asks no server".to_owned()));
        }
        let missing = || Why::Policy("no cluster is asked here".to_owned());
        let read = self.around.cluster.ok_or_else(missing)?;
        let data = read(namespace, name)?;
        let data = data.ok_or_else(|| Why::NotFound(format!("there is no Secret {namespace}/{name}")))?;
        Ok(Document {
            tree: Node::Map(data.into_iter().map(|(key, value)| (key, Node::Text(value))).collect()),
            ..Document::default()
        })
    }
}

/// Whether a path lies below a mount.
pub(crate) fn is_below(path: &str, mount: &str) -> bool {
    !mount.is_empty() && path != mount && is_within(path, mount)
}

impl Document {
    /// The value at the end of the way; the whole document for an empty one.
    fn get(&self, way: &[String]) -> Result<Node, Why> {
        if let (true, Some(whole)) = (way.is_empty(), &self.whole) {
            return Ok(Node::Text(whole.clone()));
        }
        if let Node::Unreadable(told) = &self.tree {
            return Err(Why::Type(told.clone()));
        }
        // A key may hold what parts a way elsewhere.
        let joined = way.join("/");
        let found = self.tree.at(way).or_else(|depth| self.tree.get(&joined).ok_or(depth));
        match found {
            // Without values a store says of lists and texts that they are null, and nothing of what is below.
            Err(depth)
                if self.names_only
                    && depth > 1
                    && matches!(self.tree.at(&way[..depth - 1]), Ok(Node::Null)) =>
            {
                Ok(Node::Null)
            }
            Err(depth) => Err(Why::KeyMissing(format!("there is no `{}`", way[..depth].join("/")))),
            Ok(node) => Ok(node.clone()),
        }
    }
}
