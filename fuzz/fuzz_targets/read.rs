//! Any bytes: read or refused, never a panic, and what is told of them has a place in them.
#![no_main]

use lathe_manifest::{ReadOptions, Reader, order, write};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for (file, lenient_duplicates) in [("x.yaml", false), ("x.json", true)] {
        let mut reader = Reader::new(ReadOptions { lenient_duplicates, max_alias_bytes: 1 << 20, ..ReadOptions::default() });
        reader.add(file, bytes);
        match reader.finish() {
            Ok((objects, mut warnings)) => {
                if let Ok(objects) = order::unique(objects, &mut warnings) {
                    write::yaml(&objects);
                    write::json_list(&objects);
                }
            }
            Err(errors) => {
                let lines = 1 + bytes.iter().filter(|byte| **byte == b'\n').count();
                for error in errors {
                    assert!(error.at.line >= 1 && error.at.line <= lines && error.at.column >= 1, "{error}");
                }
            }
        }
    }
});
