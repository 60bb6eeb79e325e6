//! `OpenBao` and Vault: key-value stores of version 1 and 2.
//!
//! One login and one read of each document in a run. What a mount is, the server is asked once; where it does not say, the
//! pipeline does, or the path itself.

mod client;
mod login;

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt as _};
use reqwest::{Method, StatusCode};

use super::{Document, Surroundings, is_below};
use crate::error::Why;
use crate::node::Node;
use crate::provider::spec::VaultSpec;
use crate::reference::{Address, check_path, percent};
use client::Client;
use login::Login;

/// How many documents are read at once.
const CONCURRENCY: usize = 8;

/// What one document is asked for by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) path: String,
    pub(super) version: Option<u64>,
    pub(super) namespace: Option<String>,
}

impl From<&Address> for Place {
    fn from(address: &Address) -> Self {
        let Address { path, version, namespace, .. } = address.clone();
        Self { path, version, namespace }
    }
}

/// Where a document lies for the API.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Api {
    namespace: Option<String>,
    mount: String,
    document: String,
    version: Option<u64>,
    kv: u8,
}

impl Api {
    /// Namespace, mount and path, as bounds name them. `own` is the namespace that is logged in to.
    fn location(&self, own: Option<&str>) -> String {
        let namespace = self.namespace.as_deref().or(own);
        let namespace = namespace.map(|name| format!("[{}]", percent(name))).unwrap_or_default();
        format!("{namespace}{}/{}", percent(&self.mount), percent(&self.document))
    }
}

/// What is read of a document.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// Its values.
    Values,
    /// The names of its keys alone, where the store can tell them without the values.
    Names,
}

/// Reads documents from one server.
pub(super) fn read(
    spec: &VaultSpec,
    places: &[Place],
    reading: Reading,
    around: &Surroundings<'_>,
) -> Vec<Result<Document, Why>> {
    let same = |why: &Why| places.iter().map(|_| Err(why.clone())).collect();
    if around.offline {
        return same(&Why::Policy("`--offline` asks no server".to_owned()));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else {
        return same(&Why::Unavailable("the client cannot be started".to_owned()));
    };
    runtime.block_on(async {
        let client = match connect(spec, around) {
            Ok(client) => client,
            Err(why) => return same(&why),
        };
        let login = match Login::new(&spec.auth, &client, around).await {
            Ok(login) => login,
            Err(why) => return same(&why),
        };
        let documents = all(spec, &client, &login.token, places, reading, around).await;
        login.end(&client).await;
        documents
    })
}

fn connect(spec: &VaultSpec, around: &Surroundings<'_>) -> Result<Client, Why> {
    let variable = |names: [&str; 2]| {
        names.iter().find_map(|name| (around.variable)(name).filter(|value| !value.is_empty()))
    };
    let own = spec.address.clone().filter(|address| !address.is_empty());
    let address = own.or_else(|| variable(["BAO_ADDR", "VAULT_ADDR"]));
    let address = address.ok_or_else(|| {
        Why::Policy(
            "the provider has no `address`, and neither `BAO_ADDR` nor `VAULT_ADDR` is set".to_owned(),
        )
    })?;
    let address = client::checked(&address)?;
    around.bounds.iter().try_for_each(|bounds| bounds.address(&address))?;
    let of_authority = |why: Why| Why::Tls(format!("the certificates of the authority: {why}"));
    let ca = match &spec.ca {
        Some(path) => Some(super::file::bytes(around.folder, path).map_err(of_authority)?),
        None => variable(["BAO_CACERT", "VAULT_CACERT"])
            .map(|path| std::fs::read(&path).map_err(|error| Why::Tls(format!("{path}: {error}"))))
            .transpose()?,
    };
    Client::new(&address, ca.as_deref(), namespace(spec, around))
}

/// The namespace that is logged in to.
fn namespace(spec: &VaultSpec, around: &Surroundings<'_>) -> Option<String> {
    let variable = |name: &str| (around.variable)(name).filter(|value| !value.is_empty());
    let own =
        spec.namespace.clone().or_else(|| variable("BAO_NAMESPACE")).or_else(|| variable("VAULT_NAMESPACE"));
    own.map(|name| name.trim_matches('/').to_owned()).filter(|name| !name.is_empty())
}

async fn all(
    spec: &VaultSpec,
    client: &Client,
    token: &str,
    places: &[Place],
    reading: Reading,
    around: &Surroundings<'_>,
) -> Vec<Result<Document, Why>> {
    let own = namespace(spec, around);
    let mut mounts = Mounts { spec, client, token, known: BTreeMap::new() };
    let mut apis = Vec::new();
    let mut away: Option<Why> = None;
    for place in places {
        // Who did not answer about one mount will not about the next.
        let api = match &away {
            Some(why) => Err(why.clone()),
            None => mounts.locate(place).await,
        };
        // What it is, is known only now: a mount may have several parts, and hold what looks like part of Vault's API.
        let api = api.and_then(|api| {
            let location = api.location(own.as_deref());
            around.bounds.iter().try_for_each(|bounds| bounds.document(&location))?;
            Ok(api)
        });
        away = away.or_else(|| api.as_ref().err().filter(|why| why.is_outage()).cloned());
        apis.push(api);
    }
    let wanted: std::collections::BTreeSet<&Api> = apis.iter().filter_map(|api| api.as_ref().ok()).collect();
    let own = own.as_deref();
    let read =
        stream::iter(wanted).map(|api| async move { (api, one(client, token, api, reading, own).await) });
    let read: BTreeMap<&Api, Result<Document, Why>> = read.buffer_unordered(CONCURRENCY).collect().await;
    let found = |api: &Api| {
        let missing = || Err(Why::Unavailable("the document was not read".to_owned()));
        read.get(api).cloned().unwrap_or_else(missing)
    };
    apis.iter().map(|api| api.as_ref().map_err(Clone::clone).and_then(found)).collect()
}

/// What the server said of its mounts.
struct Mounts<'a> {
    spec: &'a VaultSpec,
    client: &'a Client,
    token: &'a str,
    /// By namespace and mount: the version of its store.
    known: BTreeMap<(Option<String>, String), u8>,
}

impl Mounts<'_> {
    async fn locate(&mut self, place: &Place) -> Result<Api, Why> {
        let Place { path, version, namespace } = place;
        let known = |(of, mount): &(Option<String>, String)| of == namespace && is_below(path, mount);
        let mut found =
            self.known.iter().find(|(key, _)| known(key)).map(|((_, mount), kv)| (mount.clone(), *kv));
        if found.is_none() {
            let (mount, kv) = self.ask(place).await?;
            self.known.insert((namespace.clone(), mount.clone()), kv);
            found = Some((mount, kv));
        }
        let (mount, kv) = found.unwrap_or_default();
        if kv == 1 && version.is_some() {
            return Err(Why::Type(format!("`{mount}` keeps no versions (kv 1)")));
        }
        let behind = path.get(mount.len() + 1..).unwrap_or_default();
        let has_data = path.split('/').nth(1) == Some("data") || behind.starts_with("data/") && kv == 2;
        if has_data && (mount.contains('/') || kv == 1) {
            return Err(Why::Policy(format!(
                "only mounts of kv 2 whose name has one part take `data/` behind it, and `{mount}` is none; leave it out"
            )));
        }
        let document = path.get(mount.len() + 1..).unwrap_or_default();
        let document = if kv == 2 { document.strip_prefix("data/").unwrap_or(document) } else { document };
        if document.is_empty() {
            return Err(Why::NotFound(format!("there is no document behind the mount `{mount}`")));
        }
        Ok(Api { namespace: namespace.clone(), mount, document: document.to_owned(), version: *version, kv })
    }

    async fn ask(&self, place: &Place) -> Result<(String, u8), Why> {
        let first = place.path.split('/').next().unwrap_or_default().to_owned();
        if let Some(kv) = self.spec.kv_version {
            if !matches!(kv, 1 | 2) {
                return Err(Why::Policy("`kvVersion` is 1 or 2".to_owned()));
            }
            let mounts = self.spec.mounts.iter().flatten().map(|mount| mount.trim_matches('/'));
            let longest = mounts.filter(|mount| is_below(&place.path, mount)).max_by_key(|mount| mount.len());
            return Ok((longest.map_or(first, ToOwned::to_owned), kv));
        }
        let path = format!("sys/internal/ui/mounts/{}", escaped(&place.path)?);
        let answer = self
            .client
            .request(Method::GET, &path, place.namespace.as_deref(), Some(self.token), None)
            .await?;
        if answer.status.is_success() {
            let data = answer.json()?;
            let text = |way: [&str; 3]| {
                let way: Vec<String> =
                    way.iter().filter(|name| !name.is_empty()).map(|&name| name.to_owned()).collect();
                data.at(&way)
                    .ok()
                    .and_then(|node| node.clone().into_bytes(false).ok()?.text().map(ToOwned::to_owned))
            };
            let mount = text(["data", "path", ""]).unwrap_or_default().trim_end_matches('/').to_owned();
            if text(["data", "type", ""]).is_some_and(|kind| kind != "kv" && kind != "generic") {
                return Err(Why::Type(format!("`{mount}` is no key-value store")));
            }
            if is_below(&place.path, &mount) {
                let kv = if text(["data", "options", "version"]).as_deref() == Some("2") { 2 } else { 1 };
                return Ok((mount, kv));
            }
        }
        if place.path.split('/').nth(1) == Some("data") {
            return Ok((first, 2));
        }
        // Who may see nothing of a mount is told the same as of one that is not there.
        let told = format!(
            "the login may not see `{first}`, or it is not there; `kvVersion` says what it is where only reading is allowed"
        );
        Err(if answer.status == StatusCode::FORBIDDEN {
            Why::Forbidden(told)
        } else {
            answer.why(&format!("mount `{first}`"))
        })
    }
}

async fn one(
    client: &Client,
    token: &str,
    api: &Api,
    reading: Reading,
    own: Option<&str>,
) -> Result<Document, Why> {
    let Api { namespace, mount, document, version, kv } = api;
    let (mount_path, document_path) = (escaped(mount)?, escaped(document)?);
    let names = reading == Reading::Names && *kv == 2;
    let mut path = match (kv, names) {
        (2, true) => format!("{mount_path}/subkeys/{document_path}"),
        (2, false) => format!("{mount_path}/data/{document_path}"),
        _ => format!("{mount_path}/{document_path}"),
    };
    if let Some(version) = version {
        path.push_str(&format!("?version={version}"));
    }
    let of = version.map(|version| format!("version {version} of ")).unwrap_or_default();
    let what = format!("{of}`{document}` in `{mount}`");
    let answer = client.request(Method::GET, &path, namespace.as_deref(), Some(token), None).await?;
    let json = if matches!(answer.status, StatusCode::OK | StatusCode::NOT_FOUND) {
        answer.json().ok()
    } else {
        None
    };
    let below = |way: &[&str]| {
        let way: Vec<String> = way.iter().map(|&name| name.to_owned()).collect();
        json.as_ref().and_then(|json| json.at(&way).ok()).cloned()
    };
    let text = |way: &[&str]| below(way)?.into_bytes(false).ok()?.text().map(ToOwned::to_owned);
    let is_gone = text(&["data", "metadata", "deletion_time"]).is_some_and(|time| !time.is_empty())
        || text(&["data", "metadata", "destroyed"]).as_deref() == Some("true");
    // One that is to be deleted later has a time as well, and is there.
    if *kv == 2 && answer.status == StatusCode::NOT_FOUND && is_gone {
        return Err(Why::Deleted(format!("{what} was deleted")));
    }
    if names && answer.status == StatusCode::FORBIDDEN {
        // Who may not see names alone may see the document.
        return Box::pin(one(client, token, api, Reading::Values, own)).await;
    }
    if !answer.status.is_success() {
        return Err(answer.why(&what));
    }
    let way: &[&str] = match (kv, names) {
        (2, true) => &["data", "subkeys"],
        (2, false) => &["data", "data"],
        _ => &["data"],
    };
    match below(way) {
        Some(tree @ Node::Map(_)) => Ok(Document {
            // kv 2 keeps numbers as doubles.
            tree: if *kv == 2 { tree.distrust() } else { tree },
            location: Some(api.location(own)),
            version: if *kv == 2 { text(&["data", "metadata", "version"]) } else { None },
            whole: None,
            names_only: names,
        }),
        _ => Err(Why::Answer(format!("the server's answer holds no {what}"))),
    }
}

/// A path as it stands in a URL.
fn escaped(path: &str) -> Result<String, Why> {
    check_path(path).map_err(Why::Policy)?;
    Ok(percent(path))
}
