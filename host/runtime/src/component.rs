//! A plugin's bytes, their digest and tier, and what their import section asks for, without compiling anything.

use std::borrow::Cow;
use std::fmt;

use lathe_manifest::digest;
use wasmparser::{Encoding, ExternalKind, Parser, Payload, TypeRef};

use crate::capability::preview1;
use crate::error::{PluginError, PluginErrorKind};

/// Interfaces that a language's runtime drags in and that Lathe answers itself. WASI 0.2.
const STUBS: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
];

/// Interfaces that are a right: the lock file has to grant them.
const RIGHTS: &[&str] = &["logging", "oidc-clients", "secrets"];

/// One interface that a component imports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    /// `lathe:transform/secrets`
    pub interface: String,
    /// `0.1.0`; empty where the import names none.
    pub version: String,
}

impl Import {
    fn parse(name: &str) -> Self {
        let (interface, version) = name.split_once('@').unwrap_or((name, ""));
        Self { interface: interface.to_owned(), version: version.to_owned() }
    }

    /// The right that this import asks for, such as `secrets`.
    pub fn right(&self) -> Option<&'static str> {
        let name = self.interface.strip_prefix("lathe:transform/")?;
        let known = RIGHTS.iter().find(|right| **right == name)?;
        self.version.starts_with("0.1.").then_some(*known)
    }

    fn is_allowed(&self, tier: Tier) -> bool {
        if tier == Tier::Krm {
            let function = self.interface.strip_prefix(preview1::MODULE).and_then(|f| f.strip_prefix('/'));
            return function.is_some_and(|function| preview1::FUNCTIONS.contains(&function));
        }
        match self.interface.as_str() {
            "lathe:transform/types" => self.version.starts_with("0.1."),
            name if STUBS.contains(&name) => self.version.starts_with("0.2."),
            _ => self.right().is_some(),
        }
    }
}

impl fmt::Display for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.interface)?;
        if self.version.is_empty() { Ok(()) } else { write!(f, "@{}", self.version) }
    }
}

/// How a plugin speaks to the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tier {
    /// A component of the world `lathe:transform`.
    Component,
    /// A command for `wasm32-wasip1` that reads a KRM `ResourceList` and writes one.
    Krm,
}

impl Tier {
    /// What the bytes claim to be.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        if Parser::is_core_wasm(bytes) { Self::Krm } else { Self::Component }
    }

    /// The contract and its version, as the lock file names it.
    pub fn world(self) -> &'static str {
        match self {
            Self::Component => "lathe:transform@0.1",
            Self::Krm => "krm:resource-list@1",
        }
    }
}

/// A plugin: a component or a command whose imports are all on the closed list.
#[derive(Clone, Debug)]
pub struct Plugin {
    /// How the pipeline names it: `builtin:secrets`, `path:plugins/x.wasm`.
    pub name: String,
    /// `sha256:…` of the bytes; the plugin's identity.
    pub digest: String,
    /// How it speaks to the host.
    pub tier: Tier,
    /// What it imports, sorted.
    pub imports: Vec<Import>,
    pub(crate) seed: u64,
    pub(crate) bytes: Cow<'static, [u8]>,
    pub(crate) native: Option<Native>,
    pub(crate) descriptor: Option<&'static str>,
}

/// Native code that [`precompile`](crate::precompile) made of a component, and that is run as it is.
#[derive(Clone, Copy, Debug)]
pub struct Native(pub(crate) &'static [u8]);

impl Native {
    /// Vouches for native code.
    ///
    /// # Safety
    ///
    /// The bytes must be what [`precompile`](crate::precompile) gave, unchanged and out of everybody's reach since: whoever
    /// writes them runs what they like in this process. They should be those of the component that they are used with;
    /// others would run under its name.
    #[allow(
        unsafe_code,
        reason = "wasmtime runs native code as it is given, so somebody has to vouch for it"
    )]
    pub const unsafe fn new(bytes: &'static [u8]) -> Self {
        Self(bytes)
    }
}

impl Plugin {
    /// Looks at a plugin's bytes; refuses what is none and what imports anything off the closed list.
    pub fn new(name: &str, bytes: impl Into<Cow<'static, [u8]>>) -> Result<Self, PluginError> {
        let bytes = bytes.into();
        let digest = digest::of_bytes(&bytes);
        let error = |kind| PluginError { plugin: name.to_owned(), digest: digest.clone(), kind };
        let tier = Tier::of(&bytes);
        let imports = match tier {
            Tier::Component => component_imports(&bytes),
            Tier::Krm => command_imports(&bytes),
        };
        let mut imports = imports.map_err(|why| error(PluginErrorKind::NotAPlugin(why)))?;
        imports.sort();
        imports.dedup();
        let unknown: Vec<String> =
            imports.iter().filter(|i| !i.is_allowed(tier)).map(ToString::to_string).collect();
        if !unknown.is_empty() {
            return Err(error(PluginErrorKind::UnknownImports(unknown)));
        }
        Ok(Self {
            name: name.to_owned(),
            digest,
            tier,
            imports,
            seed: 0,
            bytes,
            native: None,
            descriptor: None,
        })
    }

    /// The same plugin, with its native code at hand, so that it need not be compiled.
    #[must_use]
    pub fn with_native(self, native: Native) -> Self {
        Self { native: Some(native), ..self }
    }

    /// The same plugin, with what it says of itself at hand, so that it need not be asked.
    #[must_use]
    pub fn with_descriptor(self, descriptor: &'static str) -> Self {
        Self { descriptor: Some(descriptor), ..self }
    }

    /// The same plugin, whose language finds other randomness; 0 is what it finds in a render.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The rights that its imports ask for, sorted.
    pub fn rights(&self) -> Vec<&'static str> {
        self.imports.iter().filter_map(Import::right).collect()
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many bytes it has.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// An error of this plugin.
    pub fn error(&self, kind: PluginErrorKind) -> PluginError {
        PluginError { plugin: self.name.clone(), digest: self.digest.clone(), kind }
    }
}

/// The imports of the outermost component.
fn component_imports(bytes: &[u8]) -> Result<Vec<Import>, String> {
    let mut imports = Vec::new();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(|error| error.message().to_owned())? {
            Payload::Version { encoding, .. } => {
                if depth == 0 && encoding != Encoding::Component {
                    return Err("it is no component".to_owned());
                }
                depth += 1;
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    let import = import.map_err(|error| error.message().to_owned())?;
                    imports.push(Import::parse(import.name.name));
                }
            }
            _ => {}
        }
    }
    if depth == 0 { Ok(imports) } else { Err("it ends too early".to_owned()) }
}

/// The imports of a command, as `module/name`, each once.
fn command_imports(bytes: &[u8]) -> Result<Vec<Import>, String> {
    let mut imports = Vec::new();
    let (mut starts, mut memory, mut ended) = (false, false, false);
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(|error| error.message().to_owned())? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.map_err(|error| error.message().to_owned())?;
                    let what = if matches!(import.ty, TypeRef::Func(_)) { "" } else { " (no function)" };
                    let interface = format!("{}/{}{what}", import.module, import.name);
                    imports.push(Import { interface, version: String::new() });
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export.map_err(|error| error.message().to_owned())?;
                    starts |= export.name == "_start" && export.kind == ExternalKind::Func;
                    memory |= export.name == "memory" && export.kind == ExternalKind::Memory;
                }
            }
            Payload::End(_) => ended = true,
            _ => {}
        }
    }
    match (ended, starts && memory) {
        (false, _) => Err("it ends too early".to_owned()),
        (_, false) => Err("it is a core module that exports no `_start` and `memory`, as a command does; \
                           `plugin build` makes a component of a core module for `lathe:transform`"
            .to_owned()),
        _ => Ok(imports),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(bytes: &'static [u8]) -> PluginErrorKind {
        Plugin::new("path:x.wasm", bytes).unwrap_err().kind
    }

    #[test]
    fn bytes_that_are_no_component_are_refused() {
        assert!(matches!(kind(b""), PluginErrorKind::NotAPlugin(_)));
        assert!(matches!(kind(b"apiVersion: v1"), PluginErrorKind::NotAPlugin(_)));
        assert!(
            matches!(kind(b"\0asm\x01\0\0\0"), PluginErrorKind::NotAPlugin(why) if why.starts_with("it is a core module"))
        );
    }

    #[test]
    fn only_names_on_the_list_are_allowed() {
        for (name, allowed) in [
            ("wasi:cli/environment@0.2.6", true),
            ("wasi:cli/environment@0.3.0", false),
            ("wasi:filesystem/types@0.2.6", false),
            ("wasi:sockets/tcp@0.2.0", false),
            ("lathe:transform/secrets@0.1.0", true),
            ("lathe:transform/secrets@0.2.0", false),
            ("lathe:transform/egress@0.1.0", false),
            ("lathe:transform/secrets", false),
            ("wasi_snapshot_preview1/fd_write", false),
        ] {
            assert_eq!(Import::parse(name).is_allowed(Tier::Component), allowed, "{name}");
        }
    }
}
