//! What the API server demands of a Secret, told before anything is sent
//! (<https://kubernetes.io/docs/concepts/configuration/secret/>).

use std::collections::BTreeMap;

use lathe_manifest::{Map, Object, Value, pointer};

use crate::bytes::SecretBytes;
use crate::encoding;
use crate::error::{SecretError, SecretErrorKind, Why};

/// A Secret holds no more bytes than this, all values together.
const LARGEST: usize = 1 << 20;

/// What is wrong with a Secret whose values are there; nothing for other objects.
pub fn check_secret(object: &Object) -> Vec<SecretError> {
    if !object.is_secret() {
        return Vec::new();
    }
    let mut wrong = Vec::new();
    let mut note = |pointer: &str, why| {
        wrong.push(SecretError {
            object: object.label(),
            pointer: pointer.to_owned(),
            kind: SecretErrorKind::Unfit(why),
        });
    };
    let told = |text: &str| Why::Type(text.to_owned());
    let mut values: BTreeMap<String, SecretBytes> = BTreeMap::new();
    // `stringData` wins where both have a key.
    for field in ["data", "stringData"] {
        for (name, value) in
            object.value.get(field).and_then(Value::as_object).into_iter().flat_map(Map::iter)
        {
            let at = format!("/{field}/{}", pointer::escape(name));
            if !is_key(name) {
                note(&at, told("a key of a Secret is 1 to 253 of A-Z a-z 0-9 - _ . and not `.` or `..`"));
            }
            let Value::String(text) = value else { continue };
            let bytes = if field == "data" { encoding::decode(text) } else { Some(text.as_bytes().to_vec()) };
            match bytes {
                Some(bytes) => drop(values.insert(name.to_owned(), bytes.into())),
                None => note(&at, told("this is no base64, and `data` holds base64")),
            }
        }
    }
    let size: usize = values.values().map(|value| value.expose().len()).sum();
    if size > LARGEST {
        note("", Why::Size(format!("its values have {size} bytes together, and a Secret holds {LARGEST}")));
    }
    let has = |key: &str| values.contains_key(key);
    let needs =
        |keys: &[&str]| keys.iter().filter(|key| !has(key)).map(|key| format!("`{key}`")).collect::<Vec<_>>();
    match object.value.str_at(&["type"]).unwrap_or_default() {
        "kubernetes.io/tls" => {
            let missing = needs(&["tls.crt", "tls.key"]);
            if !missing.is_empty() {
                note(
                    "",
                    Why::Type(format!("a Secret of type kubernetes.io/tls needs {}", missing.join(" and "))),
                );
            }
        }
        "kubernetes.io/ssh-auth" if !has("ssh-privatekey") => {
            note("", told("a Secret of type kubernetes.io/ssh-auth needs `ssh-privatekey`"));
        }
        "kubernetes.io/basic-auth" if !has("username") && !has("password") => {
            note("", told("a Secret of type kubernetes.io/basic-auth needs `username` or `password`"));
        }
        "kubernetes.io/dockerconfigjson" => {
            if let Some(told) = docker(values.get(".dockerconfigjson"), ".dockerconfigjson") {
                note("", told);
            }
        }
        "kubernetes.io/dockercfg" => {
            if let Some(told) = docker(values.get(".dockercfg"), ".dockercfg") {
                note("", told);
            }
        }
        _ => {}
    }
    wrong
}

fn docker(value: Option<&SecretBytes>, key: &str) -> Option<Why> {
    let Some(value) = value else { return Some(Why::Type(format!("a Secret of its type needs `{key}`"))) };
    let parsed = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(value.expose());
    parsed.is_err().then(|| Why::Type(format!("`{key}` is no JSON object")))
}

fn is_key(name: &str) -> bool {
    (1..=253).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        && !matches!(name, "." | "..")
        && !name.starts_with("..")
}

#[cfg(test)]
mod tests {
    use super::*;
    use lathe_manifest::json;

    fn wrong(fields: &str) -> Vec<String> {
        let text = format!(r#"{{"apiVersion":"v1","kind":"Secret","metadata":{{"name":"s"}},{fields}}}"#);
        let object = Object::added(json::parse(&text).unwrap()).unwrap();
        check_secret(&object).iter().map(|error| error.kind.to_string()).collect()
    }

    #[test]
    fn what_the_server_would_refuse_is_told() {
        for fields in [
            r#""data":{"a":"!"}"#,
            r#""stringData":{"a b":"x"}"#,
            r#""stringData":{"..":"x"}"#,
            r#""type":"kubernetes.io/tls","stringData":{"tls.crt":"x"}"#,
            r#""type":"kubernetes.io/dockerconfigjson","stringData":{".dockerconfigjson":"[]"}"#,
            r#""type":"kubernetes.io/basic-auth","stringData":{"x":"y"}"#,
        ] {
            assert_eq!(wrong(fields).len(), 1, "{fields}");
        }
        let large = format!(r#""stringData":{{"a":"{}"}}"#, "x".repeat(LARGEST + 1));
        assert_eq!(wrong(&large).len(), 1);
        let largest = format!(r#""stringData":{{"a":"{}"}}"#, "x".repeat(LARGEST));
        assert!(wrong(&largest).is_empty());
        assert!(wrong(r#""type":"kubernetes.io/tls","data":{"tls.crt":"","tls.key":""}"#).is_empty());
    }

    #[test]
    fn values_are_not_told() {
        let told = wrong(r#""data":{"a":"hunter2!"}"#);
        assert!(!told[0].contains("hunter2"), "{told:?}");
    }
}
