//! What is read and written reads back the same, as YAML and as JSON.
#![no_main]

use lathe_manifest::{ReadOptions, Reader, json, write};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let options = ReadOptions { max_alias_bytes: 1 << 20, ..ReadOptions::default() };
    let Ok(values) = Reader::documents(options, "x.yaml", bytes) else { return };
    for value in values {
        let mut text = String::new();
        write::yaml_document(&mut text, &value);
        let again = Reader::documents(ReadOptions::default(), "again.yaml", text.as_bytes());
        assert_eq!(again.ok().as_deref(), Some([value.clone()].as_slice()), "{text}");
        let text = json::to_string(&value);
        assert_eq!(json::parse(&text).ok(), Some(value), "{text}");
    }
});
