//! What of an object is sent: without what the server owns, Secrets as `data`, in its namespace.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lathe_manifest::{Map, Object, Value, json};

/// Members of `metadata` that the server owns. `managedFields` is refused in an apply; the others would make it depend
/// on one state of one cluster.
const SERVER_METADATA: &[&str] = &[
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// The object's JSON for a server-side apply, with labels added. `namespace` is empty for objects that are in none.
pub(crate) fn body(
    object: &Object,
    namespace: &str,
    status_is_apart: bool,
    labels: &[(&str, &str)],
) -> String {
    let mut value = object.value.clone();
    if let Some(map) = value.as_object_mut() {
        if status_is_apart {
            map.remove("status");
        }
        if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) {
            for member in SERVER_METADATA {
                metadata.remove(member);
            }
            // Who owns a map that holds nothing depends on whether a controller was faster to put something into it.
            for member in ["annotations", "labels"] {
                let nothing = |value: &Value| {
                    matches!(value, Value::Null) || value.as_object().is_some_and(Map::is_empty)
                };
                if metadata.get(member).is_some_and(nothing) {
                    metadata.remove(member);
                }
            }
            if !labels.is_empty() && metadata.get("labels").is_none() {
                metadata.insert("labels", Value::Object(Map::new()));
            }
            if let Some(Value::Object(all)) = metadata.get_mut("labels") {
                for (name, text) in labels {
                    all.insert(*name, (*text).into());
                }
            }
            if namespace.is_empty() {
                metadata.remove("namespace");
            } else {
                metadata.insert("namespace", namespace.into());
            }
        }
        // Of a role that others are aggregated into, the controller owns the rules.
        let no_rules =
            |rules: &Value| matches!(rules, Value::Null) || rules.as_array().is_some_and(<[Value]>::is_empty);
        if map.get("aggregationRule").is_some() && map.get("rules").is_some_and(no_rules) {
            map.remove("rules");
        }
        if object.is_secret() {
            encode(map);
        }
    }
    json::to_string(&value)
}

/// Moves `stringData` into `data`, as the server would; but a key that is taken out later then goes there too
/// (kubernetes#108008). What is no text is left for the server to refuse.
fn encode(secret: &mut Map) {
    let Some(Value::Object(texts)) = secret.get("stringData") else { return };
    if texts.iter().any(|(_, value)| value.as_str().is_none()) {
        return;
    }
    let encoded: Vec<(Box<str>, Value)> = texts
        .iter()
        .map(|(key, value)| (key.into(), STANDARD.encode(value.as_str().unwrap_or_default()).into()))
        .collect();
    match secret.get_mut("data") {
        None | Some(Value::Null) => {
            secret.insert("data", Value::Object(Map::new()));
        }
        Some(Value::Object(_)) => {}
        Some(_) => return,
    }
    if let Some(Value::Object(data)) = secret.get_mut("data") {
        for (key, value) in encoded {
            data.insert(key, value);
        }
    }
    secret.remove("stringData");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(text: &str, namespace: &str) -> String {
        body(&Object::added(json::parse(text).unwrap()).unwrap(), namespace, true, &[])
    }

    #[test]
    fn the_servers_own_fields_are_left_out() {
        let text = r#"{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"a","namespace":"b","uid":"1","managedFields":[],"resourceVersion":"2","creationTimestamp":null,"annotations":null,"labels":{}},"status":{"phase":"Active"}}"#;
        assert_eq!(sent(text, ""), r#"{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"a"}}"#);
    }

    #[test]
    fn text_of_secrets_is_sent_as_data() {
        let text = r#"{"apiVersion":"v1","data":{"a":"b2xk"},"kind":"Secret","metadata":{"name":"a"},"stringData":{"a":"new","b":""}}"#;
        assert_eq!(
            sent(text, "n"),
            r#"{"apiVersion":"v1","data":{"a":"bmV3","b":""},"kind":"Secret","metadata":{"name":"a","namespace":"n"}}"#
        );
        // The server refuses these with the field's name.
        assert!(sent(&text.replace("\"new\"", "1"), "n").contains("stringData"));
    }
}
