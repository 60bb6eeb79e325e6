//! Lathe's own files (pipeline, lock) as Rust types, read by the same reader as manifests.
//!
//! So a key that stands twice is refused with both lines, and `on`, `0644` and kin mean in these files what they mean
//! in the manifests beside them.

use lathe_manifest::{ReadOptions, Reader, Value, json, write};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Reads the one document of a file. `Err` lists what is wrong with it.
pub(crate) fn parse<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, Vec<String>> {
    let documents = Reader::documents(ReadOptions::default(), name, bytes)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    let [document] = documents.as_slice() else {
        return Err(vec![format!("{name}: holds {} documents, and one is expected", documents.len())]);
    };
    if document.as_object().is_none() {
        return Err(vec![format!("{name}: is of type {}, and a map is expected", document.type_name())]);
    }
    from_value(document).map_err(|why| vec![format!("{name}: {why}")])
}

/// A value as a Rust type; `Err` names the place and what is wrong there.
pub(crate) fn from_value<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
    let text = json::to_string(value);
    serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(&text)).map_err(|error| {
        let place = error.path().to_string();
        let message = error.into_inner().to_string();
        // The line and column are those of the intermediate JSON.
        let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(head, _)| head);
        if place == "." { message.to_owned() } else { format!("{place}: {message}") }
    })
}

/// A type as YAML text.
pub(crate) fn to_yaml<T: Serialize>(typed: &T) -> String {
    // A type of plain data always serializes, and what serde_json writes is JSON.
    let value =
        serde_json::to_string(typed).ok().and_then(|text| json::parse(&text).ok()).unwrap_or_default();
    let mut out = String::new();
    write::yaml_document(&mut out, &value);
    out
}
