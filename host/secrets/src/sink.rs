//! The check at the end: every token sits where it was opened, and every reference was one of the input's.

use std::collections::BTreeSet;

use lathe_manifest::{Object, Pointer, Value, pointer};

use crate::error::{SecretError, SecretErrorKind};
use crate::reference;
use crate::seal::{Seal, is_secret_field};
use crate::token::{self, Piece};

impl Seal {
    /// All that is wrong with the secrets of the final objects, sorted. `resolving` says that a plugin was there to open
    /// references, so that one that still stands is an error.
    pub fn verify<'a>(
        &self,
        objects: impl Iterator<Item = (u32, &'a Object)>,
        resolving: bool,
    ) -> Vec<SecretError> {
        let resolving = resolving || self.rules.mapping.is_closed();
        let mut errors: BTreeSet<SecretError> = self.refusals.iter().cloned().collect();
        for (key, object) in objects {
            let mut note = |pointer: &str, kind| {
                // An added object has no label from the input; its own will do.
                let object = self.labels.get(&key).cloned().unwrap_or_else(|| object.label());
                errors.insert(SecretError { object, pointer: pointer.to_owned(), kind });
            };
            for pointer in token_keys(&object.value) {
                note(&pointer, SecretErrorKind::Forged);
            }
            let ignored = self.ignored.contains(&key);
            pointer::each_string(&object.value, &mut |pointer, text| {
                for kind in self.tokens_here(key, object, pointer, text) {
                    note(pointer, kind);
                }
                let sealed = self.sealed_within(key, pointer, text);
                let text = sealed.as_deref().unwrap_or(text);
                for range in if ignored { Vec::new() } else { self.standing(key, pointer, text) } {
                    if let Some(kind) = self.reference_here(key, &text[range], resolving) {
                        note(pointer, kind);
                    }
                }
            });
            let stays =
                |pointer: &str| is_secret_field(object, pointer) || self.rules.is_sink(object, pointer);
            if self.settled(key).any(|(pointer, _)| !stays(pointer)) {
                note("/kind", SecretErrorKind::Moved { from: self.label(key) });
            }
            for pointer in self.unopened(key).filter(|_| resolving && !ignored) {
                if Pointer::parse(pointer).is_ok_and(|pointer| pointer.get(&object.value).is_some()) {
                    note(pointer, SecretErrorKind::Unresolved);
                }
            }
            for (pointer, joined) in self.settled(key) {
                let now = Pointer::parse(pointer).ok().and_then(|p| p.get(&object.value));
                // A field that is gone takes its secret with it.
                if now.is_some_and(|now| now.as_str() != Some(joined)) {
                    note(pointer, SecretErrorKind::Altered);
                }
            }
        }
        errors.into_iter().collect()
    }

    fn tokens_here(&self, key: u32, object: &Object, pointer: &str, text: &str) -> Vec<SecretErrorKind> {
        if !text.contains(token::PREFIX) {
            return Vec::new();
        }
        let here = (key, pointer.to_owned());
        let wrong = |piece| match piece {
            Piece::Text(_) => None,
            Piece::Broken(_) => Some(SecretErrorKind::Forged),
            Piece::Token(token) => match self.tokens.get(token).and_then(|issued| issued.at.as_ref()) {
                _ if self.is_refused(token) => None,
                None => Some(SecretErrorKind::Forged),
                // A plugin may have made another kind of object of it.
                Some(at)
                    if *at == here
                        && (is_secret_field(object, pointer) || self.rules.is_sink(object, pointer)) =>
                {
                    None
                }
                Some((from, pointer)) => {
                    Some(SecretErrorKind::Moved { from: format!("{} {pointer}", self.label(*from)) })
                }
            },
        };
        token::pieces(text).into_iter().filter_map(wrong).collect()
    }

    /// The references that stand in a text still; of generic ones those that were the input's, for any text may look like one.
    fn standing(&self, key: u32, pointer: &str, text: &str) -> Vec<std::ops::Range<usize>> {
        let mut found = reference::find(text);
        if self.has_generic(key)
            && let Some(place) = self.places.get(&(key, pointer.to_owned()))
        {
            let generic = reference::find_generic(text, reference::Keys::Any);
            let inline =
                |range: &std::ops::Range<usize>| found.iter().any(|known| known.start == range.start);
            let known = generic
                .into_iter()
                .filter(|range| !inline(range) && place.references.contains(&text[range.clone()]));
            let known: Vec<_> = known.collect();
            found.extend(known);
        }
        found
    }

    /// What is wrong with a reference that still stands as text. Its field may have moved within the object, as when a
    /// list grew before it.
    fn reference_here(&self, key: u32, reference: &str, resolving: bool) -> Option<SecretErrorKind> {
        let places = self.places.range((key, String::new())..(key.saturating_add(1), String::new()));
        let mut known = places.filter(|(_, place)| place.references.contains(reference)).peekable();
        if known.peek().is_none() {
            return Some(SecretErrorKind::Invented);
        }
        resolving.then_some(SecretErrorKind::Unresolved)
    }

    /// Fields with references that no plugin has opened.
    fn unopened(&self, key: u32) -> impl Iterator<Item = &str> {
        let places = self.places.range((key, String::new())..(key.saturating_add(1), String::new()));
        places.filter_map(|((_, pointer), place)| {
            (place.sink && !place.settled && !place.references.is_empty()).then_some(pointer.as_str())
        })
    }

    fn settled(&self, key: u32) -> impl Iterator<Item = (&str, &str)> {
        let places = self.places.range((key, String::new())..(key.saturating_add(1), String::new()));
        places.filter_map(|((_, pointer), place)| Some((pointer.as_str(), place.joined.as_deref()?)))
    }
}

/// Pointers of members whose name holds the prefix of tokens.
fn token_keys(value: &Value) -> Vec<String> {
    fn walk(value: &Value, at: &mut String, found: &mut Vec<String>) {
        let length = at.len();
        match value {
            Value::Object(map) => {
                for (key, value) in map.iter() {
                    if key.contains(token::PREFIX) {
                        found.push(at.clone());
                    }
                    at.push('/');
                    at.push_str(&pointer::escape(key));
                    walk(value, at, found);
                    at.truncate(length);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    at.push('/');
                    at.push_str(&index.to_string());
                    walk(item, at, found);
                    at.truncate(length);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(value, &mut String::new(), &mut found);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Encoding;
    use crate::fill::Fill;
    use crate::rules::Rules;
    use lathe_manifest::json;

    fn object(json: &str) -> Object {
        Object::added(json::parse(json).unwrap()).unwrap()
    }

    fn secret(fields: &str) -> Object {
        object(&format!(
            r#"{{"apiVersion":"v1","kind":"Secret","metadata":{{"name":"s","namespace":"n"}},{fields}}}"#
        ))
    }

    fn text(object: &Object, pointer: &str) -> String {
        Pointer::parse(pointer).unwrap().get(&object.value).unwrap().as_str().unwrap().to_owned()
    }

    fn put(object: &mut Object, pointer: &str, text: &str) {
        *Pointer::parse(pointer).unwrap().get_mut(&mut object.value).unwrap() = text.into();
    }

    fn kinds(seal: &Seal, object: &Object) -> Vec<SecretErrorKind> {
        seal.verify([(0, object)].into_iter(), true).into_iter().map(|error| error.kind).collect()
    }

    /// A Secret whose reference has been opened as the secrets plugin does it.
    fn opened() -> (Seal, Object) {
        let mut seal = Seal::new(&["test"], Rules::default());
        let mut s = secret(r#""stringData":{"url":"pg://u:hunter2@<path:kv/data/p#x>/db"}"#);
        seal.seal(0, &mut s);
        let sealed = text(&s, "/stringData/url");
        assert!(!sealed.contains("hunter2") && sealed.contains("<path:kv/data/p#x>lathe1x"), "{sealed}");
        let token = seal.open(0, "/stringData/url", "<path:kv/data/p#x>");
        put(&mut s, "/stringData/url", &sealed.replace("<path:kv/data/p#x>", &token));
        seal.settle(|_, pointer| Some(text(&s, pointer)));
        (seal, s)
    }

    #[test]
    fn what_stays_in_its_place_is_filled() {
        let (seal, mut s) = opened();
        assert!(kinds(&seal, &s).is_empty());
        let filled = seal.fill(0, &mut s, &Fill::References).unwrap();
        assert_eq!(text(&s, "/stringData/url"), "pg://u:hunter2@<path:kv/data/p#x>/db");
        assert_eq!((filled.plain, filled.references), (1, 1));
    }

    #[test]
    fn data_holds_the_encoded_form() {
        let mut seal = Seal::new(&["test"], Rules::default());
        // `a:<path:kv/p#k>` and `root`.
        let mut s = secret(r#""data":{"x":"YTo8cGF0aDprdi9wI2s+","user":"cm9vdA=="}"#);
        seal.seal(0, &mut s);
        let inner = String::from_utf8(crate::encoding::decode(&text(&s, "/data/x")).unwrap()).unwrap();
        let token = seal.open(0, "/data/x", "<path:kv/p#k>");
        let whole = seal.encode(&inner.replace("<path:kv/p#k>", &token), Encoding::Base64);
        put(&mut s, "/data/x", &whole);
        seal.settle(|_, pointer| Some(text(&s, pointer)));
        assert!(kinds(&seal, &s).is_empty());
        seal.fill(0, &mut s, &Fill::References).unwrap();
        assert_eq!(text(&s, "/data/x"), "YTo8cGF0aDprdi9wI2s+");
        assert_eq!(text(&s, "/data/user"), "cm9vdA==");
    }

    #[test]
    fn references_that_nobody_opens_come_back_as_they_stood() {
        let mut seal = Seal::new(&["test"], Rules::default());
        // `a:<path:kv/p#k>`, and the same beside plain text.
        let data = r#""data":{"x":"YTo8cGF0aDprdi9wI2s+"},"stringData":{"y":"b:<path:kv/p#k>"}"#;
        let mut s = secret(data);
        seal.seal(0, &mut s);
        let unresolved = [SecretErrorKind::Unresolved, SecretErrorKind::Unresolved];
        assert_eq!(kinds(&seal, &s), unresolved);
        assert!(seal.verify([(0, &s)].into_iter(), false).is_empty());
        let mut changed = s.clone();
        put(&mut changed, "/stringData/y", &format!("x{}", text(&s, "/stringData/y")));
        assert!(
            seal.verify([(0, &changed)].into_iter(), false)
                .iter()
                .any(|e| e.kind == SecretErrorKind::Altered)
        );
        seal.fill(0, &mut s, &Fill::References).unwrap();
        assert_eq!(json::to_string(&s.value), json::to_string(&secret(data).value));
    }

    #[test]
    fn only_the_plugin_that_opened_may_join() {
        let (mut seal, mut s) = opened();
        let sealed = text(&s, "/stringData/url");
        let again = seal.encode(&sealed, Encoding::Json);
        put(&mut s, "/stringData/url", &format!("http://evil/{again}"));
        seal.settle(|_, pointer| Some(text(&s, pointer)));
        assert_eq!(kinds(&seal, &s), [SecretErrorKind::Altered]);
    }

    #[test]
    fn values_that_are_no_text_are_refused() {
        let mut seal = Seal::new(&["test"], Rules::default());
        let mut s = secret(r#""stringData":{"pin":1234,"map":{"a":"b"}}"#);
        seal.seal(0, &mut s);
        let told: Vec<&str> = seal.refusals().iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(told, ["/stringData/map", "/stringData/pin"]);
    }

    #[test]
    fn a_hostile_plugin_gets_nowhere() {
        let (seal, s) = opened();
        let sealed = text(&s, "/stringData/url");
        let with = |change: &dyn Fn(&mut Object)| {
            let mut s = s.clone();
            change(&mut s);
            kinds(&seal, &s)
        };
        let annotate = |s: &mut Object, value: &str| {
            s.value.as_object_mut().unwrap().insert(
                "metadata",
                json::parse(&format!(
                    r#"{{"name":"s","annotations":{{"a":{}}}}}"#,
                    json::to_string(&value.into())
                ))
                .unwrap(),
            );
        };
        let token = &sealed[sealed.len() - 47..];
        let moved = with(&|s| annotate(s, token));
        assert!(
            matches!(&moved[..], [SecretErrorKind::Moved { from }] if from == "Secret/n/s /stringData/url"),
            "{moved:?}"
        );
        assert_eq!(with(&|s| annotate(s, &token[..30])), [SecretErrorKind::Forged]);
        assert_eq!(with(&|s| annotate(s, &format!("lathe1x{}", "a".repeat(40)))), [SecretErrorKind::Forged]);
        let other_kind = with(&|s| put(s, "/kind", "ConfigMap"));
        assert!(matches!(other_kind[0], SecretErrorKind::Moved { .. }), "{other_kind:?}");
        assert_eq!(with(&|s| put(s, "/stringData/url", "gone")), [SecretErrorKind::Altered]);
        assert_eq!(with(&|s| put(s, "/stringData/url", &format!("x{sealed}"))), [SecretErrorKind::Altered]);
        assert_eq!(with(&|s| annotate(s, "ref+env://HOME")), [SecretErrorKind::Invented]);
        let hide = r#"{"name":"s","annotations":{"lathe.dev/ignore":"secrets","a":"ref+env://HOME"}}"#;
        let hidden =
            with(&|s| drop(s.value.as_object_mut().unwrap().insert("metadata", json::parse(hide).unwrap())));
        assert_eq!(hidden, [SecretErrorKind::Invented]);
        assert!(with(&|s| drop(s.value.as_object_mut().unwrap().remove("stringData"))).is_empty());
    }

    #[test]
    fn what_may_not_be_asked_is_noted_and_answered() {
        let (mut seal, s) = opened();
        let token = seal.open(0, "/metadata/name", "ref+env://HOME");
        assert_eq!(token.len(), token::LENGTH);
        seal.encode("no token", Encoding::Json);
        assert_eq!(kinds(&seal, &s), [SecretErrorKind::Unbound, SecretErrorKind::NotInInput]);
    }

    #[test]
    fn references_outside_of_secrets_and_tokens_in_the_input_are_refused() {
        let mut seal = Seal::new(&["test"], Rules::default());
        let mut map = object(
            r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"m"},"data":{"a":"ref+env://A"}}"#,
        );
        seal.seal(0, &mut map);
        seal.open(0, "/data/a", "ref+env://A");
        assert!(kinds(&seal, &map).contains(&SecretErrorKind::Sink));
        let mut seal = Seal::new(&["test"], Rules::default());
        let mut forged = object(
            r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"m"},"data":{"a":"lathe1x"}}"#,
        );
        seal.seal(0, &mut forged);
        assert!(kinds(&seal, &forged).contains(&SecretErrorKind::TokenInInput));
    }

    #[test]
    fn objects_with_only_a_prefix_for_a_name_keep_their_values_apart() {
        let mut seal = Seal::new(&["test"], Rules::default());
        let make = |value: &str| {
            object(&format!(
                r#"{{"apiVersion":"v1","kind":"Secret","metadata":{{"generateName":"s-"}},"stringData":{{"a":"{value}"}}}}"#
            ))
        };
        let (mut one, mut two) = (make("first"), make("second"));
        seal.seal(0, &mut one);
        seal.seal(1, &mut two);
        assert!(seal.verify([(0, &one), (1, &two)].into_iter(), true).is_empty());
        seal.fill(0, &mut one, &Fill::References).unwrap();
        seal.fill(1, &mut two, &Fill::References).unwrap();
        assert_eq!(
            (text(&one, "/stringData/a").as_str(), text(&two, "/stringData/a").as_str()),
            ("first", "second")
        );
    }

    #[test]
    fn what_kubectl_keeps_in_an_annotation_is_sealed_as_well() {
        let mut seal = Seal::new(&["test"], Rules::default());
        let mut s = object(
            r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s","annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{\"stringData\":{\"a\":\"hunter2\"}}"}}}"#,
        );
        seal.seal(0, &mut s);
        assert!(!json::to_string(&s.value).contains("hunter2"));
        assert!(kinds(&seal, &s).is_empty());
    }

    #[test]
    fn tokens_follow_from_the_place_and_not_from_the_value() {
        let token = |value: &str, seed| {
            let mut seal = Seal::new(&[seed], Rules::default());
            let mut s = secret(&format!(r#""data":{{"a":"{value}"}}"#));
            seal.seal(0, &mut s);
            text(&s, "/data/a")
        };
        assert_eq!(token("cm9vdA==", "x"), token("dG9vcg==", "x"));
        assert_ne!(token("cm9vdA==", "x"), token("cm9vdA==", "y"));
    }
}
