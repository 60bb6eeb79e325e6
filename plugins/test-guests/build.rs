//! Builds the misbehaving guest.

use std::path::Path;

fn main() -> Result<(), String> {
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).ok_or("the crate lies in plugins/")?;
    let built = lathe_component_build::build(root, &[("lathe-test-guest", "plugins/test-guests/guest")])?;
    let file = built.first().map(|component| component.wasm.display().to_string()).unwrap_or_default();
    lathe_component_build::write("guest.rs", &format!("include_bytes!({file:?})"))
}
