//! Builds the misbehaving guest.

fn main() -> Result<(), String> {
    let root = lathe_component_build::root()?;
    let built = lathe_component_build::build(&root, &[("lathe-test-guest", "plugins/test-guests/guest")])?;
    let file = built.first().map(|component| component.wasm.display().to_string()).unwrap_or_default();
    lathe_component_build::write("guest.rs", &format!("include_bytes!({file:?})"))
}
