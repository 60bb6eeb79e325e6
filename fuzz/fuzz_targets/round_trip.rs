//! What is read and written reads back the same.
#![no_main]

use lathe_manifest::{ReadOptions, Reader, write};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let options = ReadOptions { max_alias_bytes: 1 << 20, ..ReadOptions::default() };
    let Ok(values) = Reader::documents(options, "x.yaml", bytes) else { return };
    for value in values {
        let mut text = String::new();
        write::yaml_document(&mut text, &value);
        let again = Reader::documents(ReadOptions::default(), "again.yaml", text.as_bytes());
        assert_eq!(again.ok().as_deref(), Some([value].as_slice()), "{text}");
    }
});
