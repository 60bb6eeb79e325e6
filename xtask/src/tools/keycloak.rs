//! Keycloak, an identity provider, with a realm for tests.

use std::path::Path;
use std::process::Command;

use super::{Tool, files, said, source};

/// Keycloak's distribution, built, and a database that holds the realm.
pub(crate) struct Keycloak;

/// The only one.
pub(crate) const KEYCLOAK: Keycloak = Keycloak;

impl Tool for Keycloak {
    fn name(&self) -> &'static str {
        "keycloak"
    }

    fn pins(&self) -> anyhow::Result<Vec<Vec<u8>>> {
        let mut version = Command::new("java");
        version.arg("--version");
        let mut pins = vec![said(version)?];
        pins.extend(files(self.name())?);
        Ok(pins)
    }

    fn commands(&self, work: &Path) -> Vec<Command> {
        let folder = source(self.name());
        let mut build = Command::new("bash");
        build.arg(folder.join("build.sh")).arg(&folder).arg(work);
        // What a machine sets for its own programs is none of this one's business.
        build.env_remove("JAVA_OPTS").env_remove("JAVA_TOOL_OPTIONS");
        vec![build]
    }
}
