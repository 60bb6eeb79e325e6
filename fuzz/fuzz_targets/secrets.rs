//! Any text where references may stand, and any file that sops may have written: found, read, told, never a panic.
#![no_main]

use std::path::Path;

use lathe_secrets::output::Previous;
use lathe_secrets::provider::Surroundings;
use lathe_secrets::reference::{self, Generic, Keys, Reference};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let generic = Generic { path: "kv/data/d".to_owned(), version: None, remove_missing: false };
    let all = [reference::find(text), reference::find_generic(text, Keys::Plain), reference::find_generic(text, Keys::Any)];
    for range in all.into_iter().flatten() {
        if let Ok(read) = Reference::parse(&text[range], Some(&generic)) {
            assert!(!read.target.address().is_empty());
        }
    }
    let _ = reference::residue(text);
    let once = reference::unescape(text).into_owned();
    assert!(once.len() <= text.len());
    let variable = |_: &str| None;
    let around = Surroundings {
        folder: Path::new(""),
        variable: &variable,
        age_keys: None,
        cluster: None,
        generated: None,
        bounds: Vec::new(),
        offline: true,
    };
    let _ = Previous::parse(text, &around);
});
