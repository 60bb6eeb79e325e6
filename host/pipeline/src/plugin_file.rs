//! The file of a plugin's project, `plugin.yaml`: how it is built, and what its tests may use.

use lathe_runtime::Limits;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::file::API_VERSION;
use crate::problem::Problem;
use crate::typed;

/// A plugin's project.
#[derive(Clone, Debug, JsonSchema, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PluginFile {
    /// `lathe.dev/v1alpha1`.
    pub api_version: String,
    /// `Plugin`.
    pub kind: String,
    /// The plugin's name.
    pub metadata: PluginName,
    /// What `plugin build` gives to `sh -eu` in the project's folder.
    pub build: String,
    /// What the build leaves: a component, a command for wasm32-wasip1, or a core module for `world`.
    pub wasm: String,
    /// The world of `wit/` that a core module is for; `plugin build` makes a component of it.
    #[serde(default)]
    pub world: Option<String>,
    /// The most fuel that a test may use.
    #[serde(default)]
    pub fuel: Option<u64>,
    /// What one call may use in tests, where it is not the default.
    #[serde(default)]
    pub limits: Option<Limits>,
}

/// The name of a plugin.
#[derive(Clone, Debug, JsonSchema, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PluginName {
    /// Lower case, digits and `-`.
    pub name: String,
}

impl PluginFile {
    /// Reads a plugin's file.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<Self, Vec<Problem>> {
        let problems =
            |list: Vec<String>| list.into_iter().map(|line| Problem::new("plugin-file", line)).collect();
        let file: Self = typed::parse(name, bytes).map_err(problems)?;
        if file.api_version != API_VERSION || file.kind != "Plugin" {
            let told = format!(
                "{name}: this is {} {}, and {API_VERSION} Plugin is expected",
                file.api_version, file.kind
            );
            return Err(problems(vec![told]));
        }
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if file.metadata.name.is_empty() || !file.metadata.name.bytes().all(letter) {
            let told = format!("{name}: metadata.name: lower-case letters, digits and `-` are expected");
            return Err(problems(vec![told]));
        }
        Ok(file)
    }
}
