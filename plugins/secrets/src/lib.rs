//! Built-in plugin `secrets`: finds references in the values of manifests and puts the host's tokens in their place.
//!
//! It sees no secret. Which references are well-formed, allowed and resolvable is the host's to say; this plugin finds
//! them, and the host checks that it found each one.

mod base64;
mod find;

use lathe_sdk::secrets::{self, Encoding};
use lathe_sdk::{Descriptor, Location, Object, Outcome, Request, Scope, Transform, each_string, json};

use find::Piece;

/// The plugin.
pub struct Secrets;

impl Transform for Secrets {
    fn describe() -> Descriptor {
        Descriptor {
            name: "secrets",
            version: env!("CARGO_PKG_VERSION"),
            summary: "Replaces secret references in manifests by tokens that the host fills at the very end",
            config_schema: json!({"type": "object", "additionalProperties": false}),
            scope: Scope::Object,
        }
    }

    fn transform(request: &Request) -> Result<Outcome, String> {
        if !request.config.as_object().is_none_or(serde_json::Map::is_empty) {
            return Err("config: this plugin takes none".to_owned());
        }
        let mut outcome = Outcome::default();
        for object in request.objects.iter().filter(|object| !is_ignored(object)) {
            each_string(&object.value, &mut |pointer, text| {
                if let Some(sealed) = seal(object, pointer, text) {
                    outcome.set(object.key, pointer, sealed);
                }
            });
        }
        Ok(outcome)
    }
}

lathe_sdk::register!(Secrets);

/// The text with each reference replaced by its token; `None` where there is no reference.
fn seal(object: &Object, pointer: &str, text: &str) -> Option<String> {
    let in_data = object.is("", "Secret") && pointer.starts_with("/data/");
    if in_data
        && let Some(sealed) = base64::decode_text(text).and_then(|text| open_all(object, pointer, &text))
    {
        return Some(secrets::encode(&sealed, Encoding::Base64));
    }
    if find::may_hold_reference(text) { open_all(object, pointer, text) } else { None }
}

fn open_all(object: &Object, pointer: &str, text: &str) -> Option<String> {
    let pieces = find::pieces(text);
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

/// Whether the object asks to be left alone.
fn is_ignored(object: &Object) -> bool {
    let annotation = |name: &str| object.value["metadata"]["annotations"][name].as_str();
    annotation("avp.kubernetes.io/ignore") == Some("true")
        || annotation("lathe.dev/ignore")
            .is_some_and(|list| list.split(',').any(|name| name.trim() == "secrets"))
}
