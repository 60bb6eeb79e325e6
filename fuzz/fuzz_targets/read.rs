//! Any bytes: read or refused, never a panic.
#![no_main]

use lathe_manifest::{ReadOptions, Reader};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for lenient_duplicates in [false, true] {
        let mut reader = Reader::new(ReadOptions { lenient_duplicates, max_alias_bytes: 1 << 20, ..ReadOptions::default() });
        reader.add("x.yaml", bytes);
        let _ = reader.finish();
    }
});
