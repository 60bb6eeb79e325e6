//! To a cluster, as kubectl finds it: kubeconfig, context, flags over both, the pod's own account without any.

use std::time::Duration;

use kube::config::{AuthInfo, Context, KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::config::{NamedAuthInfo, NamedCluster, NamedContext};
use kube::{Client, Config};
use secrecy::ExposeSecret as _;

use crate::access::Access;
use crate::request::credentials;

/// How long a server may take for one answer where `--request-timeout` says nothing. Webhooks may take 30 s.
const ANSWER: Duration = Duration::from_mins(1);

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// A cluster that one can talk to.
#[derive(Clone)]
pub struct Cluster {
    pub(crate) client: Client,
    /// The context's namespace, `default` where it names none.
    pub namespace: String,
    /// The server's address, for messages.
    pub server: String,
}

/// Why there is no way to a cluster.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// No kubeconfig, no flags, and this is no pod.
    #[error("there is no kubeconfig ({0}), and this is no pod of a cluster")]
    NoKubeconfig(String),
    /// The file cannot be read.
    #[error("{file}: {source}")]
    Read {
        /// The file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no kubeconfig. What stands there is not shown, for it may be a credential.
    #[error("{0} is no kubeconfig that can be read")]
    Parse(String),
    /// Neither `--context` nor `current-context`.
    #[error("the kubeconfig has no current context")]
    NoContext,
    /// There is nothing of that name.
    #[error("{what} \"{name}\" does not exist in the kubeconfig{known}")]
    Missing {
        /// `context`, `cluster` or `user`.
        what: &'static str,
        /// The name.
        name: String,
        /// The names there are, as a part of the sentence.
        known: String,
    },
    /// What the kubeconfig holds makes no client.
    #[error("the kubeconfig cannot be used: {0}")]
    Unusable(String),
}

/// Makes a client for the cluster. No request is sent yet, but an exec plugin may be run.
pub async fn connect(access: &Access) -> Result<Cluster, ConnectError> {
    let mut config = config(access).await?;
    config.read_timeout = Some(access.request_timeout.unwrap_or(ANSWER));
    config.connect_timeout = Some(access.request_timeout.unwrap_or(CONNECT).min(CONNECT));
    // Retried here, with a bound that a person would wait for.
    config.default_retry = false;
    let (namespace, server) = (config.default_namespace.clone(), address(&config.cluster_url));
    let client = Client::try_from(config).map_err(|error| ConnectError::Unusable(unusable(&error)))?;
    let namespace = if namespace.is_empty() { "default".to_owned() } else { namespace };
    Ok(Cluster { client, namespace, server })
}

/// The server's address for messages, without a user and password that may stand in it.
fn address(url: &http::Uri) -> String {
    let authority = url.authority().map(http::uri::Authority::as_str).unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let path = url.path().trim_end_matches('/');
    format!("{}://{host}{path}", url.scheme_str().unwrap_or("https"))
}

/// Why a configuration makes no client, without what may be a credential.
fn unusable(error: &kube::Error) -> String {
    match error {
        kube::Error::Auth(error) => credentials(error),
        kube::Error::ProxyProtocolUnsupported { .. } | kube::Error::ProxyProtocolDisabled { .. } => {
            "the proxy's protocol is not supported".to_owned()
        }
        error => told(error),
    }
}

async fn config(access: &Access) -> Result<Config, ConnectError> {
    let Some(kubeconfig) = read(access)? else {
        if access.server.is_some() {
            return resolve(Kubeconfig::default(), access).await;
        }
        let looked = access.kubeconfig.iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
        let none = || {
            let looked = looked.join(", ");
            let told = if looked.is_empty() {
                "neither KUBECONFIG nor HOME is set".to_owned()
            } else {
                format!("looked for {looked}")
            };
            ConnectError::NoKubeconfig(told)
        };
        if access.names_something() {
            return Err(none());
        }
        let mut config = Config::incluster_env().map_err(|_| none())?;
        access.override_user(&mut config.auth_info);
        return Ok(config);
    };
    resolve(kubeconfig, access).await
}

/// The files that are there, merged: for each name the first wins.
fn read(access: &Access) -> Result<Option<Kubeconfig>, ConnectError> {
    let mut merged: Option<Kubeconfig> = None;
    for path in &access.kubeconfig {
        let file = path.display().to_string();
        let next = match Kubeconfig::read_from(path) {
            Ok(next) => next,
            Err(KubeconfigError::ReadConfig(error, _))
                if error.kind() == std::io::ErrorKind::NotFound && !access.explicit =>
            {
                continue;
            }
            Err(KubeconfigError::ReadConfig(source, _)) => return Err(ConnectError::Read { file, source }),
            Err(_) => return Err(ConnectError::Parse(file)),
        };
        merged = Some(match merged {
            None => next,
            Some(merged) => merged.merge(next).map_err(|_| ConnectError::Parse(file))?,
        });
    }
    Ok(merged)
}

/// Chooses context, cluster and user and lays the flags over them.
async fn resolve(kubeconfig: Kubeconfig, access: &Access) -> Result<Config, ConnectError> {
    let context = context(&kubeconfig, access)?;
    let cluster_name = access.cluster.clone().unwrap_or_else(|| context.cluster.clone());
    let found = kubeconfig.clusters.iter().find(|named| named.name == cluster_name);
    let mut cluster = match found.and_then(|named| named.cluster.clone()) {
        Some(cluster) => cluster,
        None if access.server.is_some() && access.cluster.is_none() => kube::config::Cluster::default(),
        None => {
            let names = kubeconfig.clusters.iter().map(|named| named.name.as_str());
            return Err(missing("cluster", &cluster_name, names));
        }
    };
    let user_name = access.user.as_ref().or(context.user.as_ref());
    let found = kubeconfig.auth_infos.iter().find(|named| Some(&named.name) == user_name);
    let mut user = match (found, &access.user) {
        (Some(named), _) => named.auth_info.clone().unwrap_or_default(),
        (None, Some(name)) => {
            let names = kubeconfig.auth_infos.iter().map(|named| named.name.as_str());
            return Err(missing("user", name, names));
        }
        // As with kubectl, a context may name no user, or one that is not there.
        (None, None) => AuthInfo::default(),
    };
    access.override_cluster(&mut cluster);
    access.override_user(&mut user);
    if let Some(server) = cluster.server.as_mut().filter(|server| !server.contains("://")) {
        // As kubectl takes `--server host:port`.
        server.insert_str(0, "https://");
    }
    let own_proxy = cluster.proxy_url.as_ref().is_some_and(|url| !url.is_empty());
    let token = user.token.as_ref().map(|token| token.expose_secret().trim().to_owned());
    if token.as_ref().is_some_and(|token| http::HeaderValue::try_from(token.as_str()).is_err()) {
        return Err(ConnectError::Unusable("the token holds characters that cannot be sent".to_owned()));
    }
    user.token = token.map(Into::into);
    let name = || "lathe".to_owned();
    let context = Context { cluster: name(), user: Some(name()), ..context };
    let chosen = Kubeconfig {
        clusters: vec![NamedCluster { name: name(), cluster: Some(cluster), ..NamedCluster::default() }],
        auth_infos: vec![NamedAuthInfo { name: name(), auth_info: Some(user), ..NamedAuthInfo::default() }],
        contexts: vec![NamedContext { name: name(), context: Some(context), ..NamedContext::default() }],
        current_context: Some(name()),
        ..Kubeconfig::default()
    };
    let config = Config::from_custom_kubeconfig(chosen, &KubeConfigOptions::default()).await;
    let mut config = config.map_err(|error| ConnectError::Unusable(told(&error)))?;
    let host = config.cluster_url.host().unwrap_or_default();
    if !own_proxy && (host == "localhost" || host.starts_with("127.") || host == "[::1]") {
        // The proxy of the process environment is for what is elsewhere.
        config.proxy_url = None;
    }
    Ok(config)
}

fn context(kubeconfig: &Kubeconfig, access: &Access) -> Result<Context, ConnectError> {
    let current = kubeconfig.current_context.as_ref().filter(|name| !name.is_empty());
    let Some(name) = access.context.as_ref().or(current) else {
        // Flags may say all that a context would.
        return if access.server.is_some() || access.cluster.is_some() {
            Ok(Context::default())
        } else {
            Err(ConnectError::NoContext)
        };
    };
    let found = kubeconfig.contexts.iter().find(|named| &named.name == name);
    found.and_then(|named| named.context.clone()).ok_or_else(|| {
        let names = kubeconfig.contexts.iter().map(|named| named.name.as_str());
        missing("context", name, names)
    })
}

fn missing<'a>(what: &'static str, name: &str, names: impl Iterator<Item = &'a str>) -> ConnectError {
    let names: Vec<&str> = names.collect();
    let known = if names.is_empty() { String::new() } else { format!("; it has {}", names.join(", ")) };
    ConnectError::Missing { what, name: name.to_owned(), known }
}

/// An error and its causes on one line; a cause that the error repeats is left out.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let line = next.to_string();
        if !text.contains(&line) {
            text = format!("{text}: {line}");
        }
        cause = next.source();
    }
    text
}
