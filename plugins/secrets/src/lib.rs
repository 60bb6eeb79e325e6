//! Built-in plugin `secrets`: finds references in the values of manifests and puts the host's tokens in their place.
//!
//! It sees no secret. Which references are well-formed, allowed and resolvable is the host's to say; this plugin finds
//! them, and the host checks that it found each one.

mod base64;
mod find;
mod sinks;

use lathe_sdk::secrets::{self, Encoding};
use lathe_sdk::{Descriptor, Location, Object, Outcome, Request, Scope, Transform, each_string, json};

use find::{Generic, Piece};
use sinks::Sinks;

/// The plugin.
pub struct Secrets;

impl Transform for Secrets {
    fn describe() -> Descriptor {
        Descriptor {
            name: "secrets",
            version: env!("CARGO_PKG_VERSION"),
            summary: "Replaces secret references in manifests by tokens that the host fills at the very end",
            config_schema: json!({
                "type": "object",
                "additionalProperties": false,
                "properties": {"sinks": {"type": "array", "items": {"type": "string"}}},
            }),
            scope: Scope::Object,
        }
    }

    fn transform(request: &Request) -> Result<Outcome, String> {
        let sinks = Sinks::read(request)?;
        let mut outcome = Outcome::default();
        for object in request.objects.iter().filter(|object| !is_ignored(object)) {
            let generic = is_generic(object);
            each_string(&object.value, &mut |pointer, text| {
                if let Some(sealed) = seal(object, pointer, text, generic, &sinks) {
                    outcome.set(object.key, pointer, sealed);
                }
            });
        }
        Ok(outcome)
    }
}

lathe_sdk::register!(Secrets);

/// The text with each reference replaced by its token; `None` where there is no reference.
fn seal(object: &Object, pointer: &str, text: &str, generic: bool, sinks: &Sinks) -> Option<String> {
    let is_secret = object.is("", "Secret");
    let any = if generic { Generic::Any } else { Generic::No };
    if is_secret
        && pointer.starts_with("/data/")
        && let Some(sealed) = base64::decode_text(text).and_then(|text| open_all(object, pointer, &text, any))
    {
        return Some(secrets::encode(&sealed, Encoding::Base64));
    }
    if generic && text.contains('<') {
        let is_value = is_secret && (pointer.starts_with("/data/") || pointer.starts_with("/stringData/"));
        if is_value || sinks.cover(object, pointer) {
            return open_all(object, pointer, text, Generic::Any);
        }
        // Elsewhere `<KEY>` is a reference only where nothing stands beside it.
        if matches!(find::pieces(text, Generic::Plain).as_slice(), [Piece::Reference(_)]) {
            return open_all(object, pointer, text, Generic::Plain);
        }
    }
    if find::may_hold_reference(text) { open_all(object, pointer, text, Generic::No) } else { None }
}

fn open_all(object: &Object, pointer: &str, text: &str, generic: Generic) -> Option<String> {
    let pieces = find::pieces(text, generic);
    if !pieces.iter().any(|piece| matches!(piece, Piece::Reference(_))) {
        return None;
    }
    let at = Location { object: object.key, pointer: pointer.to_owned() };
    Some(
        pieces
            .into_iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.to_owned(),
                Piece::Reference(reference) => secrets::open(&at, reference),
            })
            .collect(),
    )
}

/// Whether `<KEY>` is a reference in the object.
fn is_generic(object: &Object) -> bool {
    object.value["metadata"]["annotations"]["avp.kubernetes.io/path"].is_string()
}

/// Whether the object asks to be left alone, or is a definition, whose texts are documentation.
fn is_ignored(object: &Object) -> bool {
    if object.kind == "CustomResourceDefinition" {
        return true;
    }
    let annotation = |name: &str| object.value["metadata"]["annotations"][name].as_str();
    annotation("avp.kubernetes.io/ignore") == Some("true")
        || annotation("lathe.dev/ignore")
            .is_some_and(|list| list.split(',').any(|name| name.trim() == "secrets"))
}
