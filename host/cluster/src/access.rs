//! What the user says of the way to a cluster: kubectl's flags, resolved to values.

use std::path::PathBuf;
use std::time::Duration;

use kube::config::{AuthInfo, Cluster};

/// kubectl's connection flags. Whatever is left out comes from the kubeconfig.
#[derive(Clone, Default)]
pub struct Access {
    /// Kubeconfig files; an earlier one wins.
    pub kubeconfig: Vec<PathBuf>,
    /// Whether the file was named by flag, so that its absence is an error.
    pub explicit: bool,
    /// `--context`.
    pub context: Option<String>,
    /// `--cluster`.
    pub cluster: Option<String>,
    /// `--user`.
    pub user: Option<String>,
    /// `--server`.
    pub server: Option<String>,
    /// `--token`; a secret.
    pub token: Option<String>,
    /// `--as`.
    pub as_user: Option<String>,
    /// `--as-uid`.
    pub as_uid: Option<String>,
    /// `--as-group`.
    pub as_groups: Vec<String>,
    /// `--as-user-extra`, each `key=value`.
    pub as_user_extra: Vec<(String, String)>,
    /// `--certificate-authority`.
    pub certificate_authority: Option<PathBuf>,
    /// `--client-certificate`.
    pub client_certificate: Option<PathBuf>,
    /// `--client-key`.
    pub client_key: Option<PathBuf>,
    /// `--insecure-skip-tls-verify`.
    pub insecure_skip_tls_verify: bool,
    /// `--tls-server-name`.
    pub tls_server_name: Option<String>,
    /// `--proxy-url`.
    pub proxy_url: Option<String>,
    /// `--request-timeout`; how long the server may take for one answer.
    pub request_timeout: Option<Duration>,
    /// `--disable-compression`.
    pub disable_compression: bool,
}

impl Access {
    /// Whether the flags say something of a cluster or of a kubeconfig, which a pod's own account leaves no room for.
    pub(crate) fn names_something(&self) -> bool {
        let Self { context, cluster, user, server, tls_server_name, proxy_url, .. } = self;
        let names = [context, cluster, user, server, tls_server_name, proxy_url];
        let files = [&self.certificate_authority, &self.client_certificate, &self.client_key];
        self.explicit
            || self.insecure_skip_tls_verify
            || names.iter().any(|name| name.is_some())
            || files.iter().any(|file| file.is_some())
    }

    /// Flags win over what the kubeconfig says of the cluster.
    pub(crate) fn override_cluster(&self, cluster: &mut Cluster) {
        let path = |path: &PathBuf| path.display().to_string();
        if let Some(server) = &self.server {
            cluster.server = Some(server.clone());
        }
        if let Some(file) = &self.certificate_authority {
            cluster.certificate_authority = Some(path(file));
            cluster.certificate_authority_data = None;
        }
        if self.insecure_skip_tls_verify {
            cluster.insecure_skip_tls_verify = Some(true);
            cluster.certificate_authority = None;
            cluster.certificate_authority_data = None;
        }
        if self.tls_server_name.is_some() {
            cluster.tls_server_name.clone_from(&self.tls_server_name);
        }
        if self.proxy_url.is_some() {
            cluster.proxy_url.clone_from(&self.proxy_url);
        }
        if self.disable_compression {
            cluster.disable_compression = Some(true);
        }
    }

    /// Flags win over what the kubeconfig says of the user.
    pub(crate) fn override_user(&self, user: &mut AuthInfo) {
        let path = |path: &PathBuf| path.display().to_string();
        if let Some(token) = &self.token {
            user.token = Some(token.clone().into());
            user.token_file = None;
            user.exec = None;
            user.auth_provider = None;
            user.username = None;
            user.password = None;
        }
        if let Some(file) = &self.client_certificate {
            user.client_certificate = Some(path(file));
            user.client_certificate_data = None;
        }
        if let Some(file) = &self.client_key {
            user.client_key = Some(path(file));
            user.client_key_data = None;
        }
        if self.as_user.is_some() {
            user.impersonate.clone_from(&self.as_user);
        }
        if self.as_uid.is_some() {
            user.impersonate_uid.clone_from(&self.as_uid);
        }
        if !self.as_groups.is_empty() {
            user.impersonate_groups = Some(self.as_groups.clone());
        }
        for (key, value) in &self.as_user_extra {
            let extra = user.impersonate_user_extra.get_or_insert_default();
            extra.entry(key.clone()).or_default().push(value.clone());
        }
    }
}
