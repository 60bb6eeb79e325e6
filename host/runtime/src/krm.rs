//! The tier for commands that speak KRM functions: a request as a `ResourceList`, and what comes back as edits and findings.
//!
//! KRM Functions Specification, `config.kubernetes.io/v1`. The list is written as JSON, so that a function needs no YAML; it is
//! read as YAML, for published functions write that.

use std::collections::HashMap;

use lathe_manifest::{Map, ReadOptions, Reader, Value, json, pointer};

use crate::types::{Edit, Finding, Location, Object, Outcome, Request, Severity, Write};

/// Tells which object of the request an item is. The specification's rule for this prefix is that a function must not change it.
const KEY: &str = "internal.config.kubernetes.io/lathe-key";

/// What functions may use among themselves, and what no function may change.
const INTERNAL: &str = "internal.config.kubernetes.io/";

/// Where an item stood in which file, by the specification and by what came before it. Functions add these to items.
const PLACES: &[&str] = &[
    "config.k8s.io/id",
    "config.kubernetes.io/index",
    "config.kubernetes.io/path",
    "internal.config.kubernetes.io/id",
    "internal.config.kubernetes.io/index",
    "internal.config.kubernetes.io/path",
    "internal.config.kubernetes.io/seqindent",
    "internal.config.kubernetes.io/wide-seqindent",
];

/// How many results of one function are taken.
const MOST_RESULTS: usize = 10_001;

/// A request as it was sent: the objects, to compare with what comes back.
pub(crate) struct Sent {
    objects: Vec<Value>,
    identities: HashMap<[String; 4], usize>,
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn map(entries: Vec<(&str, Value)>) -> Value {
    let mut map = Map::new();
    for (key, value) in entries {
        map.insert(key, value);
    }
    Value::Object(map)
}

/// The `ResourceList` for a request. A `config` with apiVersion and kind is the function's own; another is put into `spec` of
/// one, beside the environment.
pub(crate) fn encode(request: &Request) -> Result<(Sent, Vec<u8>), String> {
    let parse = |what: &str, text: &str| json::parse(text).map_err(|_| format!("{what} is no JSON"));
    let config = parse("config", &request.config)?;
    let environment = parse("environment", &request.environment)?;
    let config = if text(&config, "apiVersion").is_empty() || text(&config, "kind").is_empty() {
        map(vec![
            ("apiVersion", "lathe.dev/v1alpha1".into()),
            ("kind", "Config".into()),
            ("metadata", map(vec![("name", "config".into())])),
            ("environment", environment),
            ("spec", config),
        ])
    } else {
        config
    };
    let mut sent = Sent { objects: Vec::new(), identities: HashMap::new() };
    let mut out = String::from(r#"{"apiVersion":"config.kubernetes.io/v1","functionConfig":"#);
    json::write_value(&mut out, &config);
    out.push_str(r#","items":["#);
    for (index, object) in request.objects.iter().enumerate() {
        let mut value = parse("an object", &object.json)?;
        // Those with only a prefix for a name are told apart by their keys alone.
        if !object.name.is_empty() {
            sent.identities.entry(identity(object)).or_insert(index);
        }
        sent.objects.push(value.clone());
        annotate(&mut value, index);
        if index > 0 {
            out.push(',');
        }
        json::write_value(&mut out, &value);
    }
    out.push_str(r#"],"kind":"ResourceList"}"#);
    Ok((sent, out.into_bytes()))
}

fn identity(object: &Object) -> [String; 4] {
    [&object.api_version, &object.kind, &object.namespace, &object.name].map(Clone::clone)
}

fn identity_of(value: &Value) -> [String; 4] {
    let meta = |key| value.str_at(&["metadata", key]).unwrap_or_default();
    [text(value, "apiVersion"), text(value, "kind"), meta("namespace"), meta("name")].map(ToOwned::to_owned)
}

fn annotate(value: &mut Value, index: usize) {
    let Some(metadata) =
        value.as_object_mut().and_then(|map| map.get_mut("metadata")).and_then(Value::as_object_mut)
    else {
        return;
    };
    if !matches!(metadata.get("annotations"), Some(Value::Object(_))) {
        metadata.insert("annotations", Value::Object(Map::new()));
    }
    if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
        annotations.insert(KEY, index.to_string().as_str().into());
    }
}

fn annotations(value: &Value) -> Option<&Map> {
    value.get("metadata")?.get("annotations")?.as_object()
}

impl Sent {
    /// What a function answers that ended with this exit code, said this last, and wrote this: its outcome, or why it refuses.
    /// `Err` says what it wrote is not.
    pub(crate) fn answer(
        &self,
        code: i32,
        said: &str,
        output: &[u8],
    ) -> Result<Result<Outcome, String>, String> {
        if code == 0 {
            return self.decode(output).map(Ok);
        }
        let reasons = reasons(output).join("; ");
        let exit = format!("it ended with exit code {code}");
        let told = [reasons.as_str(), said, &exit].into_iter().find(|text| !text.is_empty());
        Ok(Err(told.unwrap_or_default().to_owned()))
    }

    /// Reads what the function wrote. `Err` says what that is not.
    fn decode(&self, output: &[u8]) -> Result<Outcome, String> {
        const WHAT: &str = "ResourceList";
        let documents = read(output);
        let mut documents = documents.map_err(|()| format!("{WHAT}, in JSON or YAML"))?;
        let (Some(mut list), true) = (documents.pop(), documents.is_empty()) else {
            return Err(format!("single {WHAT}"));
        };
        if text(&list, "kind") != WHAT {
            return Err(WHAT.to_owned());
        }
        let mut outcome = Outcome { edits: Vec::new(), findings: Vec::new() };
        let results = results(&list).ok_or_else(|| format!("{WHAT} with a list of results"))?;
        outcome.findings = results.iter().take(MOST_RESULTS).map(|result| self.finding(result)).collect();
        // That no object is left is something to say, not to leave out.
        let Some(Value::Array(items)) = list.as_object_mut().and_then(|list| list.remove("items")) else {
            return Err(format!("{WHAT} with a list of items"));
        };
        let mut there = vec![false; self.objects.len()];
        let mut new = Vec::new();
        for item in items {
            match key(&item, &there)? {
                Some(index) => self.returned(index, item, &mut there, &mut outcome)?,
                None => new.push(item),
            }
        }
        // Of those that have lost their keys, or never had one, names tell which objects they are.
        for mut item in new {
            let known = self.identities.get(&identity_of(&item)).copied().filter(|index| !there[*index]);
            if let Some(index) = known {
                self.returned(index, item, &mut there, &mut outcome)?;
                continue;
            }
            strip(&mut item, None)?;
            outcome.edits.push(Edit::AddObject(json::to_string(&item)));
        }
        let gone = (0..).zip(there).filter(|(_, there)| !there);
        outcome.edits.extend(gone.map(|(index, _)| Edit::DropObject(index)));
        Ok(outcome)
    }

    /// Takes an item for the object at this position.
    fn returned(
        &self,
        index: usize,
        mut item: Value,
        there: &mut [bool],
        outcome: &mut Outcome,
    ) -> Result<(), String> {
        there[index] = true;
        let before = &self.objects[index];
        strip(&mut item, Some(before))?;
        if &item != before {
            let object = u32::try_from(index).unwrap_or(u32::MAX);
            let at = Location { object, pointer: String::new() };
            outcome.edits.push(Edit::Set(Write { at, value: json::to_string(&item) }));
        }
        Ok(())
    }

    fn finding(&self, result: &Value) -> Finding {
        let severity = match text(result, "severity") {
            "info" => Severity::Info,
            "warning" => Severity::Warning,
            // The specification's default, and the safe reading of a word that it does not have.
            _ => Severity::Error,
        };
        let code = result.str_at(&["tags", "code"]).unwrap_or("krm-result").to_owned();
        let at = result.get("resourceRef").and_then(|reference| {
            let own = [
                text(reference, "apiVersion"),
                text(reference, "kind"),
                text(reference, "namespace"),
                text(reference, "name"),
            ];
            let object = self.identities.get(&own.map(ToOwned::to_owned))?;
            let pointer = pointer_of(result.str_at(&["field", "path"]).unwrap_or_default());
            Some(Location { object: u32::try_from(*object).ok()?, pointer })
        });
        Finding { severity, code, message: text(result, "message").to_owned(), at }
    }
}

/// Which object of the request an item is by its key.
fn key(item: &Value, there: &[bool]) -> Result<Option<usize>, String> {
    let Some(key) = annotations(item).and_then(|map| map.get(KEY)) else { return Ok(None) };
    let index = key.as_str().and_then(|key| key.parse().ok());
    match index {
        Some(index) if there.get(index) == Some(&false) => Ok(Some(index)),
        _ => Err(format!("ResourceList whose items have the annotation {KEY} that they were given")),
    }
}

/// Takes away what host and functions use among themselves.
fn strip(item: &mut Value, before: Option<&Value>) -> Result<(), String> {
    let old = before.and_then(annotations);
    let metadata =
        item.as_object_mut().and_then(|map| map.get_mut("metadata")).and_then(Value::as_object_mut);
    let Some(metadata) = metadata else { return Ok(()) };
    let stood = before.and_then(|before| before.get("metadata")?.get("annotations"));
    let Some(Value::Object(annotations)) = metadata.get_mut("annotations") else {
        // Annotations that were none, such as null, need not come back.
        if let Some(stood) = stood.filter(|stood| stood.as_object().is_none_or(Map::is_empty))
            && metadata.get("annotations").is_none()
        {
            metadata.insert("annotations", stood.clone());
        }
        return Ok(());
    };
    annotations.remove(KEY);
    if let Some(own) = old.and_then(|old| old.get(KEY)) {
        annotations.insert(KEY, own.clone());
    }
    let added = |name: &&&str| old.is_none_or(|old| old.get(name).is_none());
    for name in PLACES.iter().filter(added) {
        annotations.remove(name);
    }
    let internal = |name: &str| name.starts_with(INTERNAL) && !PLACES.contains(&name);
    let changed = annotations
        .iter()
        .find(|(name, value)| internal(name) && old.and_then(|old| old.get(name)) != Some(value))
        .map(|(name, _)| name.to_owned());
    let lost = old
        .into_iter()
        .flat_map(Map::iter)
        .find(|(name, _)| internal(name) && annotations.get(name).is_none());
    if let Some(name) = changed.or(lost.map(|(name, _)| name.to_owned())) {
        let name: String = name.chars().take(256).collect();
        return Err(format!("ResourceList that leaves annotations of {INTERNAL} alone, as `{name}`"));
    }
    // A function that took the last of them away found the host's among them.
    if annotations.is_empty() && old.is_none_or(|old| !old.is_empty()) {
        metadata.remove("annotations");
    }
    // An item whose annotations were no map, such as null, was given one.
    if let Some(stood) = stood.filter(|stood| stood.as_object().is_none())
        && metadata.get("annotations").is_none()
    {
        metadata.insert("annotations", stood.clone());
    }
    Ok(())
}

/// The documents of what a function wrote; how much that may be has been decided before.
fn read(output: &[u8]) -> Result<Vec<Value>, ()> {
    let options = ReadOptions { max_document_bytes: usize::MAX, ..ReadOptions::default() };
    Reader::documents(options, "output", output).map_err(drop)
}

/// The results of a list: the specification's list of them or, as it once was, a map that holds one. `None` for anything else.
fn results(list: &Value) -> Option<&[Value]> {
    match list.get("results") {
        None | Some(Value::Null) => Some(&[]),
        Some(Value::Array(results)) => Some(results),
        Some(map) => map.get("items").or_else(|| map.get("results"))?.as_array(),
    }
}

/// The error results of what a function wrote before it failed, for the reason why.
fn reasons(output: &[u8]) -> Vec<String> {
    let documents = read(output).unwrap_or_default();
    let results = documents.first().and_then(results).unwrap_or_default();
    let errors = results.iter().filter(|result| !matches!(text(result, "severity"), "info" | "warning"));
    errors.map(|result| text(result, "message").to_owned()).filter(|message| !message.is_empty()).collect()
}

/// A field's path as results spell it, `spec.containers[0].image`, as a JSON pointer.
fn pointer_of(path: &str) -> String {
    let mut out = String::new();
    let tokens = path.split('.').flat_map(|part| part.split('[')).map(|token| token.trim_end_matches(']'));
    for token in tokens.filter(|token| !token.is_empty()) {
        out.push('/');
        out.push_str(&pointer::escape(token.trim_matches('"')));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(objects: &[&str]) -> Request {
        let objects = objects.iter().map(|text| {
            let value = json::parse(text).unwrap();
            let [api_version, kind, namespace, name] = identity_of(&value);
            Object { api_version, kind, namespace, name, json: (*text).to_owned() }
        });
        Request { config: r#"{"a":1}"#.into(), environment: "{}".into(), objects: objects.collect() }
    }

    const A: &str = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"n":9007199254740993}"#;
    const B: &str = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"annotations":null,"name":"b"}}"#;
    const D: &str = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"annotations":{"internal.config.kubernetes.io/lathe-key":"own"},"name":"d"}}"#;
    const C: &str = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"annotations":{"internal.config.kubernetes.io/x":"1"},"name":"c"}}"#;

    #[test]
    fn what_comes_back_as_it_was_is_no_edit() {
        let (sent, list) = encode(&request(&[A, B, C, D])).unwrap();
        let text = String::from_utf8(list.clone()).unwrap();
        assert!(text.contains(r#""kind":"Config","metadata":{"name":"config"},"spec":{"a":1}"#), "{text}");
        assert!(sent.decode(&list).unwrap().edits.is_empty());
        // As functions' libraries leave it.
        let text = text.replace(r#""annotations":{"#, r#""annotations":{"config.kubernetes.io/index":"0","#);
        assert!(sent.decode(text.as_bytes()).unwrap().edits.is_empty());
    }

    #[test]
    fn items_are_changed_added_and_dropped() {
        let (sent, list) = encode(&request(&[A, B])).unwrap();
        let text = String::from_utf8(list).unwrap().replace("740993", "740992");
        let edits = sent.decode(text.as_bytes()).unwrap().edits;
        assert!(
            matches!(&edits[..], [Edit::Set(write)] if write.at.object == 0 && write.value.contains("740992") && !write.value.contains("annotations"))
        );
        let list = r"{kind: ResourceList, items: [{apiVersion: v1, kind: ConfigMap, metadata: {name: b, annotations: {x: y}}}, {kind: New}]}";
        let edits = sent.decode(list.as_bytes()).unwrap().edits;
        assert!(
            matches!(&edits[..], [Edit::Set(set), Edit::AddObject(new), Edit::DropObject(0)] if set.at.object == 1 && new == r#"{"kind":"New"}"#),
            "{edits:?}"
        );
    }

    #[test]
    fn what_the_specification_forbids_is_refused() {
        let (sent, list) = encode(&request(&[A, B, C])).unwrap();
        let text = String::from_utf8(list).unwrap();
        for (from, to) in [
            (r#"lathe-key":"1""#, r#"lathe-key":"0""#),
            (r#"lathe-key":"1""#, r#"lathe-key":"7""#),
            (r#"lathe-key":"1""#, r#"lathe-key":1"#),
            (r#"kubernetes.io/x":"1""#, r#"kubernetes.io/x":"2""#),
            (r#"kubernetes.io/x":"1""#, r#"kubernetes.io/y":"1""#),
            ("ResourceList", "List"),
            (r#""items":["#, r#""items":"x","b":["#),
            (r#""items":["#, r#""b":["#),
            (r#""kind":"ResourceList""#, r#""kind":"ResourceList","results":5"#),
        ] {
            let changed = text.replace(from, to);
            assert_ne!(changed, text, "{from}");
            assert!(sent.decode(changed.as_bytes()).is_err(), "{to}");
        }
        assert!(sent.decode(b"").is_err());
        assert!(sent.decode(b"a: [").is_err());
    }

    #[test]
    fn results_become_findings() {
        let (sent, _) = encode(&request(&[A])).unwrap();
        let list = r#"{"kind":"ResourceList","items":[],"results":[{"message":"m","severity":"warning","tags":{"code":"c"},"resourceRef":{"apiVersion":"v1","kind":"ConfigMap","name":"a"},"field":{"path":"spec.a[0].b/c"}},{"message":"n"}]}"#;
        let findings = sent.decode(list.as_bytes()).unwrap().findings;
        let at = findings[0].at.as_ref().unwrap();
        assert_eq!((findings[0].code.as_str(), at.pointer.as_str()), ("c", "/spec/a/0/b~1c"));
        assert!(findings[1].at.is_none() && findings[1].severity == Severity::Error);
        let old = r#"{"kind":"ResourceList","items":[],"results":{"name":"v","items":[{"message":"m","severity":"Error"}]}}"#;
        assert_eq!(sent.decode(old.as_bytes()).unwrap().findings[0].severity, Severity::Error);
        assert_eq!(reasons(list.as_bytes()), ["n"]);
    }
}
