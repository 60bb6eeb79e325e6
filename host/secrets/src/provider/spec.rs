//! How the pipeline configures where values come from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One instance.
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
    /// The same, encrypted by sops for age.
    Sops {
        /// The path, relative to the pipeline's folder.
        path: String,
    },
    /// An `OpenBao` server.
    Openbao(VaultSpec),
    /// A Vault server.
    Vault(VaultSpec),
    /// Secrets of the cluster that the command line's context leads to.
    Kubernetes {
        /// The Secrets that may be read, as `namespace/name`.
        allow: Vec<String>,
    },
}

/// An `OpenBao` or Vault server, and how to log in.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VaultSpec {
    /// Its address, such as `https://bao.example.org:8200`; default is the variable `BAO_ADDR` or `VAULT_ADDR`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The namespace that is logged in to and read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Certificates of the authorities to trust (PEM), relative to the pipeline's folder; default is the variable `BAO_CACERT` or
    /// `VAULT_CACERT`, and without that the machine's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// The mounts that are read here, where the pipeline has several servers; all where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mounts: Option<Vec<String>>,
    /// 1 or 2, the version of its key-value stores, where the server does not tell those who log in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kv_version: Option<u8>,
    /// How to log in; default is the token in the variable `BAO_TOKEN` or `VAULT_TOKEN`.
    #[serde(default)]
    pub auth: AuthSpec,
    /// The store of the External Secrets Operator that reads from this server, for `--secrets externalsecret`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_secret: Option<StoreRef>,
}

/// How to log in. Variables are named, never their values.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum AuthSpec {
    /// A token that is there already.
    Token {
        /// The variable that holds it; default is `BAO_TOKEN`, then `VAULT_TOKEN`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token_env: Option<String>,
    },
    /// `AppRole`.
    Approle {
        /// The variable that holds the role's id.
        role_id_env: String,
        /// The variable that holds the secret id.
        secret_id_env: String,
        /// Where the method is mounted; `approle` where it is left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
    },
    /// The token of a service account, in a pod.
    Kubernetes {
        /// The role.
        role: String,
        /// The file that holds the token; default is where pods have theirs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token_file: Option<String>,
        /// Where the method is mounted; `kubernetes` where it is left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
    },
    /// A JWT, such as the ID token of a GitLab job.
    Jwt {
        /// The role; the mount's own where it is left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<String>,
        /// The variable that holds the JWT.
        token_env: String,
        /// Where the method is mounted; `jwt` where it is left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
    },
}

impl Default for AuthSpec {
    fn default() -> Self {
        Self::Token { token_env: None }
    }
}

/// A store of the External Secrets Operator.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreRef {
    /// Its name.
    pub name: String,
    /// `SecretStore` or `ClusterSecretStore`.
    #[serde(default = "secret_store")]
    pub kind: String,
}

fn secret_store() -> String {
    "SecretStore".to_owned()
}

impl ProviderSpec {
    /// The name of its type, as the pipeline has it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Env { .. } => "env",
            Self::File { .. } => "file",
            Self::Sops { .. } => "sops",
            Self::Openbao(_) => "openbao",
            Self::Vault(_) => "vault",
            Self::Kubernetes { .. } => "kubernetes",
        }
    }

    /// The server, if it is one.
    pub(crate) fn server(&self) -> Option<&VaultSpec> {
        match self {
            Self::Openbao(spec) | Self::Vault(spec) => Some(spec),
            _ => None,
        }
    }
}
