//! argocd-vault-plugin's two grammars.

use super::find::Braces;
use super::{Address, Generic, Reference, Shape, Target, check_path};
use crate::modifier::Modifier;

/// `<path:PATH#KEY[#VERSION] | MODIFIER …>`; `body` is what stands between.
pub(super) fn inline(text: &str, body: &str) -> Result<Reference, String> {
    let (place, modifiers) = split(body)?;
    let (path, key) = place.split_once('#').ok_or("it has no `#key`")?;
    let (key, version) = match key.split_once('#') {
        Some((key, version)) => (key, Some(version)),
        None => (key, None),
    };
    reference(text, path.trim(), key.trim(), version, modifiers)
}

/// `<KEY | MODIFIER …>`.
pub(super) fn generic(text: &str, body: &str, generic: &Generic) -> Result<Reference, String> {
    let (key, modifiers) = split(body)?;
    let mut read = reference(text, &generic.path, key, generic.version.as_deref(), modifiers)?;
    read.missing = generic.remove_missing.then(String::new);
    Ok(read)
}

fn reference(
    text: &str,
    path: &str,
    key: &str,
    version: Option<&str>,
    modifiers: Vec<Modifier>,
) -> Result<Reference, String> {
    check_path(path)?;
    if !path.contains('/') {
        return Err("its path has no document behind the mount".to_owned());
    }
    if key.is_empty() || key.chars().any(char::is_control) {
        return Err("its key is empty, or holds a control character".to_owned());
    }
    let version = version.map(|version| super::version(version.trim()));
    let address = Address {
        path: path.to_owned(),
        key: vec![key.to_owned()],
        version: version.transpose()?,
        ..Address::default()
    };
    // avp gives a field that ends in a parsed value that value, whatever its type.
    let parsed = matches!(modifiers.last(), Some(Modifier::JsonParse | Modifier::YamlParse));
    let shape = if parsed { Shape::Json } else { Shape::Text };
    Ok(Reference { modifiers, shape, ..Reference::plain(text, Target::Store(address)) })
}

/// No reference has so many modifiers.
const MOST_MODIFIERS: usize = 16;

/// What is asked for, and the modifiers behind it. A `|` within the braces of a path belongs to that.
fn split(body: &str) -> Result<(&str, Vec<Modifier>), String> {
    let mut parts = Vec::new();
    let (mut braces, mut from) = (Braces::default(), 0);
    for (at, byte) in body.bytes().enumerate() {
        if !braces.hold(byte) && byte == b'|' {
            parts.push(body[from..at].trim());
            from = at + 1;
        }
    }
    parts.push(body[from..].trim());
    if parts.len() > MOST_MODIFIERS {
        return Err("it has too many modifiers".to_owned());
    }
    let modifiers = parts[1..].iter().map(|part| Modifier::parse(part)).collect::<Result<_, _>>()?;
    Ok((parts[0], modifiers))
}
