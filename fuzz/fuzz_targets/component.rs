//! Any bytes as a plugin: inspected or refused, never a panic.
#![no_main]

use lathe_runtime::Plugin;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Plugin::new("path:x.wasm", bytes.to_vec());
});
