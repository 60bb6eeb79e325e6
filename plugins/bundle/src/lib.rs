//! The built-in plugins as WebAssembly components, built from this workspace and embedded.

/// One built-in plugin.
#[derive(Clone, Copy)]
pub struct Builtin {
    /// Its name, as in `builtin:NAME`.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// `sha256:…` over the sources it was built from. Compilers of different machines may give different bytes for the
    /// same plugin; this tells that it is the same.
    pub source: &'static str,
    /// The component.
    pub wasm: &'static [u8],
    /// The component compiled for the machine that this was built for, by this workspace's `lathe-runtime`.
    pub native: &'static [u8],
    /// What it says of itself.
    pub descriptor: &'static str,
}

/// All of them, by name.
pub const BUILTINS: &[Builtin] = include!(concat!(env!("OUT_DIR"), "/builtins.rs"));

/// The one of that name.
pub fn find(name: &str) -> Option<&'static Builtin> {
    BUILTINS.iter().find(|builtin| builtin.name == name)
}
