//! Plain values of the input's Secrets, opened for a plugin that was granted to rewrite within, and sealed again.
//!
//! References stay tokens: what a plugin sees is what stands in the input, never what a store holds.

use lathe_manifest::{Object, Pointer, Value, pointer};
use zeroize::Zeroizing;

use crate::encoding::{self, Encoding};
use crate::error::SecretErrorKind;
use crate::reference;
use crate::seal::{At, Content, Field, Seal, secret_field};
use crate::token::{self, Piece};

/// How a field's text is wrapped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrap {
    None,
    /// As base64 with tokens within.
    Text,
    /// As a token for base64.
    Token,
}

impl Seal {
    /// The object with its Secret's plain values in place of their tokens.
    pub fn reveal(&self, key: u32, object: &Object) -> Object {
        let mut revealed = object.clone();
        let mut texts = Vec::new();
        fields(object, &mut |pointer, text, _| {
            texts.extend(self.view(key, pointer, text).map(|(view, _)| (pointer.to_owned(), view)));
        });
        for (pointer, text) in texts {
            put(&mut revealed, &pointer, &text);
        }
        revealed
    }

    /// Seals again what a plugin left of a revealed object; `before` is the object as it was sealed. Tokens derive from the
    /// plugin and the place, never from a value.
    pub fn conceal(&mut self, key: u32, plugin: &str, before: &Object, after: &mut Object) {
        let mut texts = Vec::new();
        fields(after, &mut |pointer, text, field| texts.push((pointer.to_owned(), text.to_owned(), field)));
        for (pointer, text, field) in texts {
            let at = (key, pointer);
            let sealed = Pointer::parse(&at.1).ok().and_then(|place| place.get(&before.value)?.as_str());
            let view = sealed.and_then(|sealed| self.view(key, &at.1, sealed));
            let new = match (sealed, &view) {
                (Some(sealed), Some((view, _))) if view.as_str() == text => sealed.to_owned(),
                // A field that the plugin did not write is sealed still.
                (Some(sealed), _) if sealed == text => continue,
                _ => self.reseal(&at, plugin, &text, field, view.map_or(Wrap::None, |(_, wrap)| wrap)),
            };
            put(after, &at.1, &new);
        }
    }

    /// The plain values of the object's Secret, and what their base64 holds.
    pub fn plain_values(&self, key: u32, object: &Object) -> Vec<Zeroizing<String>> {
        let mut values = Vec::new();
        fields(object, &mut |pointer, text, field| {
            let Some((view, wrap)) = self.view(key, pointer, text) else { return };
            let decoded = (field == Field::Data || wrap != Wrap::None)
                .then(|| encoding::decode(&view).and_then(|bytes| String::from_utf8(bytes).ok()))
                .flatten();
            values.extend(decoded.map(Zeroizing::new));
            values.push(view);
        });
        values
    }

    /// The field's text with plain values in place of their tokens; `None` where it has none.
    fn view(&self, key: u32, pointer: &str, text: &str) -> Option<(Zeroizing<String>, Wrap)> {
        let encoded = |inner: &str| Zeroizing::new(Encoding::Base64.encode(&self.as_plain(inner)));
        if let Some(inner) = self.sealed_within(key, pointer, text) {
            return Some((encoded(&inner), Wrap::Text));
        }
        if !text.contains(token::PREFIX) {
            return None;
        }
        match self.tokens.get(text).map(|issued| &issued.content) {
            Some(Content::Encoded(inner, Encoding::Base64)) => Some((encoded(inner), Wrap::Token)),
            _ => Some((self.as_plain(text), Wrap::None)),
        }
    }

    fn as_plain(&self, text: &str) -> Zeroizing<String> {
        let mut out = Zeroizing::new(String::with_capacity(text.len()));
        for piece in token::pieces(text) {
            match piece {
                Piece::Text(text) | Piece::Broken(text) => out.push_str(text),
                Piece::Token(token) => match self.tokens.get(token).map(|issued| &issued.content) {
                    Some(Content::Plain(value)) => out.push_str(value),
                    _ => out.push_str(token),
                },
            }
        }
        out
    }

    fn reseal(&mut self, at: &At, plugin: &str, text: &str, field: Field, wrap: Wrap) -> String {
        let decode = |text: &str| encoding::decode(text).and_then(|bytes| String::from_utf8(bytes).ok());
        let decoded = if wrap == Wrap::None { None } else { decode(text) };
        let inner = decoded.as_deref().unwrap_or(text);
        let within = if field == Field::Data && wrap == Wrap::None { decode(text) } else { None };
        // References of an object that asked to be left alone are text as any other.
        let ignored = self.ignored.contains(&at.0);
        let known = |text: &str| self.places.get(at).is_some_and(|place| place.references.contains(text));
        let found = if ignored { Vec::new() } else { reference::find(inner) };
        let invented = found.iter().any(|range| !known(&inner[range.clone()]))
            || within.as_deref().is_some_and(|text| !ignored && !reference::find(text).is_empty());
        if invented {
            self.refuse(at, SecretErrorKind::Invented);
        }
        let mut out = String::with_capacity(inner.len() + token::LENGTH);
        let mut from = 0;
        for range in found {
            self.reseal_between(at, plugin, &inner[from..range.start], from, &mut out);
            out.push_str(&inner[range.clone()]);
            from = range.end;
        }
        self.reseal_between(at, plugin, &inner[from..], from, &mut out);
        let sealed = match wrap {
            _ if out.is_empty() => String::new(),
            Wrap::None => out,
            Wrap::Text => Encoding::Base64.encode(&out),
            Wrap::Token => self.encode(&out, Encoding::Base64),
        };
        let place = self.places.entry(at.clone()).or_default();
        place.sink = true;
        place.joined = Some(sealed.clone());
        place.settled = true;
        sealed
    }

    /// Seals the text beside references, `from` this byte on. The character that ends a reference stays, or the reference would not
    /// end there.
    fn reseal_between(&mut self, at: &At, plugin: &str, text: &str, from: usize, out: &mut String) {
        let ends = text.chars().next().filter(|_| from > 0).map_or(0, char::len_utf8);
        out.push_str(&text[..ends]);
        for (index, piece) in token::pieces(&text[ends..]).into_iter().enumerate() {
            match piece {
                Piece::Text(value) => {
                    let token = self.derive(at, "revealed", &format!("{plugin} {} {index}", out.len()));
                    self.put_plain(token.clone(), at, value);
                    out.push_str(&token);
                }
                Piece::Token(text) | Piece::Broken(text) => out.push_str(text),
            }
        }
    }
}

/// Calls `visit` for each value of a Secret.
fn fields(object: &Object, visit: &mut impl FnMut(&str, &str, Field)) {
    if object.is_secret() {
        pointer::each_string(&object.value, &mut |pointer, text| match secret_field(pointer) {
            Some(field @ (Field::Data | Field::StringData)) => visit(pointer, text, field),
            Some(Field::LastApplied) | None => {}
        });
    }
}

fn put(object: &mut Object, pointer: &str, text: &str) {
    if let Some(place) = Pointer::parse(pointer).ok().as_ref().and_then(|p| p.get_mut(&mut object.value)) {
        *place = Value::from(text);
    }
}

#[cfg(test)]
mod tests {
    use lathe_manifest::json;

    use super::*;
    use crate::fill::Fill;
    use crate::rules::Rules;

    fn secret(data: &str) -> Object {
        let text = format!(r#"{{"apiVersion":"v1","kind":"Secret","metadata":{{"name":"s"}},{data}}}"#);
        Object::added(json::parse(&text).unwrap()).unwrap()
    }

    fn text(object: &Object, pointer: &str) -> String {
        Pointer::parse(pointer).unwrap().get(&object.value).unwrap().as_str().unwrap().to_owned()
    }

    /// Seals, opens references as the secrets plugin would, reveals, lets the function change each text, conceals and fills.
    fn through(object: &Object, change: impl Fn(&str) -> String) -> (Seal, Object, Object) {
        let mut seal = Seal::new(&["test"], Rules::default());
        let mut sealed = object.clone();
        seal.seal(0, &mut sealed);
        let mut left = seal.reveal(0, &sealed);
        let mut changed = Vec::new();
        fields(&left, &mut |pointer, text, _| changed.push((pointer.to_owned(), change(text))));
        for (pointer, text) in changed {
            put(&mut left, &pointer, &text);
        }
        seal.conceal(0, "x", &sealed, &mut left);
        let concealed = left.clone();
        assert!(seal.fill(0, &mut left, &Fill::References).is_ok());
        (seal, concealed, left)
    }

    #[test]
    fn what_is_left_alone_is_sealed_as_it_was() {
        let object =
            secret(r#""data":{"a":"aHVudGVy"},"stringData":{"b":"hunter","c":"u:ref+vault://kv/a#b@h"}"#);
        let mut seal = Seal::new(&["test"], Rules::default());
        let mut sealed = object.clone();
        seal.seal(0, &mut sealed);
        let revealed = seal.reveal(0, &sealed);
        assert_eq!(
            (text(&revealed, "/data/a").as_str(), text(&revealed, "/stringData/b").as_str()),
            ("aHVudGVy", "hunter")
        );
        let (_, concealed, filled) = through(&object, ToOwned::to_owned);
        assert_eq!(concealed.value, sealed.value);
        assert_eq!(filled.value, object.value);
    }

    #[test]
    fn what_is_changed_is_sealed_and_filled() {
        let object =
            secret(r#""data":{"a":"aHVudGVy"},"stringData":{"b":"hunter","c":"u:ref+vault://kv/a#b"}"#);
        let (seal, concealed, filled) =
            through(&object, |text| text.replace("hunter", "gatherer").replace("u:", "v:"));
        assert!(!json::to_string(&concealed.value).contains("gatherer"));
        assert_eq!(text(&filled, "/stringData/b"), "gatherer");
        assert_eq!(text(&filled, "/stringData/c"), "v:ref+vault://kv/a#b");
        assert_eq!(text(&filled, "/data/a"), "aHVudGVy");
        assert!(seal.verify([(0, &concealed)].into_iter(), false).is_empty());
        assert!(seal.plain_values(0, &concealed).iter().any(|value| value.as_str() == "hunter"));
    }

    #[test]
    fn references_within_base64_stay_tokens() {
        // base64 of `u:ref+vault://kv/a#b`.
        let object = secret(r#""data":{"a":"dTpyZWYrdmF1bHQ6Ly9rdi9hI2I="}"#);
        let change = |text: &str| {
            let inner = String::from_utf8(encoding::decode(text).unwrap()).unwrap();
            Encoding::Base64.encode(&inner.replace("u:", "v:"))
        };
        let (seal, concealed, filled) = through(&object, change);
        let inner = String::from_utf8(encoding::decode(&text(&filled, "/data/a")).unwrap()).unwrap();
        assert_eq!(inner, "v:ref+vault://kv/a#b");
        assert!(seal.verify([(0, &concealed)].into_iter(), false).is_empty());
    }

    #[test]
    fn what_was_opened_and_encoded_is_sealed_and_filled() {
        // base64 of `u:ref+vault://kv/a#b`, opened as the secrets plugin opens it.
        let object = secret(r#""data":{"a":"dTpyZWYrdmF1bHQ6Ly9rdi9hI2I=","c":"aHVudGVy"}"#);
        let mut seal = Seal::new(&["test"], Rules::default());
        let mut sealed = object.clone();
        seal.seal(0, &mut sealed);
        let inner = String::from_utf8(encoding::decode(&text(&sealed, "/data/a")).unwrap()).unwrap();
        let token = seal.open(0, "/data/a", "ref+vault://kv/a#b");
        let encoded = seal.encode(&inner.replace("ref+vault://kv/a#b", &token), Encoding::Base64);
        put(&mut sealed, "/data/a", &encoded);
        let now = sealed.clone();
        seal.settle(|_, pointer| Some(text(&now, pointer)));
        let view = text(&seal.reveal(0, &sealed), "/data/a");
        let view = String::from_utf8(encoding::decode(&view).unwrap()).unwrap();
        assert_eq!(view, format!("u:{token}"));
        let fill = |seal: &Seal, mut object: Object| {
            assert!(seal.verify([(0, &object)].into_iter(), true).is_empty());
            assert!(seal.fill(0, &mut object, &Fill::References).is_ok());
            String::from_utf8(encoding::decode(&text(&object, "/data/a")).unwrap()).unwrap()
        };
        // Another field was written, as a plugin writes single fields: this one is sealed still.
        let mut left = sealed.clone();
        put(&mut left, "/data/c", "Z2F0aGVyZXI=");
        let mut other = seal.clone();
        other.conceal(0, "x", &sealed, &mut left);
        assert_eq!(fill(&other, left), "u:ref+vault://kv/a#b");
        let mut left = sealed.clone();
        put(&mut left, "/data/a", &Encoding::Base64.encode(&format!("v:{token}")));
        seal.conceal(0, "x", &sealed, &mut left);
        assert_eq!(fill(&seal, left), "v:ref+vault://kv/a#b");
    }

    #[test]
    fn a_reference_that_a_plugin_writes_is_refused() {
        for object in [secret(r#""stringData":{"b":"hunter"}"#), secret(r#""data":{"a":"aHVudGVy"}"#)] {
            // base64 of `ref+vault://kv/a#b` is what a plugin could write into data.
            let (seal, ..) = through(&object, |_| "ref+vault://kv/a#b".to_owned());
            assert!(!seal.refusals().is_empty());
        }
        let (seal, ..) =
            through(&secret(r#""data":{"a":"aHVudGVy"}"#), |_| "cmVmK3ZhdWx0Oi8va3YvYSNi".to_owned());
        assert!(matches!(seal.refusals()[0].kind, SecretErrorKind::Invented));
    }
}
