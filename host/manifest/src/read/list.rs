//! A document's value as objects: lists taken apart, what is no object refused.

use super::{Reader, Source};
use crate::error::ReadErrorKind;
use crate::excerpt::Excerpt;
use crate::object::Object;
use crate::value::{Map, Value};

impl Reader {
    /// Takes a document's value: one object, or a list of them. `item` tells which of a list's items it is.
    pub(super) fn document(&mut self, source: &Source, item: Option<&str>, value: Value) {
        if value == Value::Null {
            return;
        }
        let Value::Object(mut map) = value else {
            self.fail_at(source, item, ReadErrorKind::NotAnObject(value.type_name()));
            return;
        };
        for field in ["apiVersion", "kind"] {
            if map.get(field).and_then(Value::as_str).is_none_or(str::is_empty) {
                self.fail_at(source, item, ReadErrorKind::MissingField(field));
                return;
            }
        }
        for field in ["name", "namespace", "generateName"] {
            let value = map.get("metadata").and_then(|metadata| metadata.get(field));
            if value.is_some_and(|value| value.as_str().is_none() && *value != Value::Null) {
                let kind = map.get("kind").and_then(Value::as_str);
                self.fail_at(source, item.or(kind), ReadErrorKind::MetadataText(field));
                return;
            }
        }
        // kubectl takes whatever has `items` at its top for a list, and gives items without a kind the list's own.
        let Some(items) = map.remove("items") else {
            self.objects.push(Object::new(Value::Object(map), source.clone()));
            return;
        };
        match items {
            Value::Array(items) => {
                let kind = map.get("kind").and_then(Value::as_str).unwrap_or_default();
                let list = item.map_or_else(|| kind.to_owned(), ToOwned::to_owned);
                for (index, mut value) in items.into_iter().enumerate() {
                    inherit_type(&mut value, &map);
                    self.document(source, Some(&format!("{list}.items[{index}]")), value);
                }
            }
            Value::Null => {}
            _ => self.fail_at(source, item.or(map.get("kind").and_then(Value::as_str)), ReadErrorKind::Items),
        }
    }

    /// Notes a problem of an object that was read.
    fn fail_at(&mut self, source: &Source, object: Option<&str>, kind: ReadErrorKind) {
        let object = object.map(Into::into);
        self.refuse(&source.file, source.document, source.at, Excerpt { object, lines: None }, kind);
    }
}

/// Gives an item of a typed list, such as `ConfigMapList`, the type that it leaves out.
fn inherit_type(item: &mut Value, list: &Map) {
    let Value::Object(item) = item else { return };
    let kind = list.get("kind").and_then(Value::as_str).unwrap_or_default();
    let kind = kind.strip_suffix("List").unwrap_or(kind);
    if kind.is_empty() {
        return;
    }
    let absent = |item: &Map, field| item.get(field).is_none_or(|value| value.as_str() == Some(""));
    if absent(item, "kind") && absent(item, "apiVersion") {
        item.insert("kind", kind.into());
        if let Some(version) = list.get("apiVersion") {
            item.insert("apiVersion", version.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::tests::{errors, read};

    #[test]
    fn lists_are_taken_apart() {
        let text = "apiVersion: v1\nkind: ConfigMapList\nitems:\n- metadata: {name: a}\n- {metadata: {name: b}, apiVersion: v1, kind: Secret}\n";
        let objects = read(text).unwrap();
        assert_eq!(objects.iter().map(Object::label).collect::<Vec<_>>(), ["ConfigMap/a", "Secret/b"]);
        assert_eq!(objects[0].api_version(), "v1");
        assert!(read("apiVersion: v1\nkind: List\nitems: []\n").unwrap().is_empty());
    }

    #[test]
    fn items_of_lists_are_told_by_their_place() {
        let told =
            errors("apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: A}\n- {kind: B}\n- 1\n");
        assert_eq!(told[0], "x.yaml:1:1: document 1: List.items[1]: `apiVersion` is missing or no text");
        assert!(told[1].contains("List.items[2]: a manifest is an object"), "{told:?}");
    }
}
