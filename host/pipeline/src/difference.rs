//! What sets two states of a set apart, object by object and field by field: for people, and as JSON for programs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use lathe_manifest::{Value, json, leaf};
use schemars::JsonSchema;
use serde::Serialize;

use crate::file::API_VERSION;
use crate::report::Changed;

/// What stands in place of a secret's value.
const HIDDEN: &str = "***";

/// Members of an object that the server owns, or that hold what was applied in another form.
const SERVER: &[&str] = &[
    "/metadata/creationTimestamp",
    "/metadata/generation",
    "/metadata/managedFields",
    "/metadata/resourceVersion",
    "/metadata/selfLink",
    "/metadata/uid",
    "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration",
    "/metadata/labels/applyset.kubernetes.io~1part-of",
    "/status",
];

/// What an apply would do with an object, or what became of it between two renders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// It is not there yet.
    Create,
    /// Fields of it change.
    Update,
    /// A field of it may not change, so it is deleted and created anew.
    Replace,
    /// It leaves.
    Delete,
    /// It leaves the set, and stays on the cluster.
    Leave,
    /// It is created, and cannot be tried before something else is there.
    Planned,
    /// A hook that runs.
    Run,
    /// Nothing.
    Unchanged,
}

impl Change {
    fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Replace => "replace",
            Self::Delete => "delete",
            Self::Leave => "leave",
            Self::Planned => "planned",
            Self::Run => "run",
            Self::Unchanged => "unchanged",
        }
    }
}

/// What sets two states of a set apart.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Diff {
    /// `lathe.dev/v1alpha1`.
    pub api_version: &'static str,
    /// `Diff`.
    pub kind: &'static str,
    /// The objects that differ, and how many do not.
    pub objects: Vec<ObjectDiff>,
    /// How many objects are as they should be.
    pub unchanged: usize,
    /// Digest of what would be deleted, for `apply --confirm`; empty where nothing is.
    pub deletions: String,
}

/// One object that differs.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectDiff {
    /// `Kind/name` or `Kind/namespace/name`.
    pub object: String,
    /// What would be done.
    pub change: Change,
    /// The fields, for an update; by pointer.
    pub fields: Vec<FieldDiff>,
}

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldDiff {
    /// JSON pointer.
    pub pointer: String,
    /// What stands there, as JSON; `None` where there is nothing. Of secrets `***`.
    pub before: Option<String>,
    /// What would stand there.
    pub after: Option<String>,
    /// Plugins that wrote the field, in order.
    pub plugins: Vec<String>,
    /// Managers beside Lathe that have the field on the cluster: somebody else changed it.
    pub managers: Vec<String>,
}

/// Two states of one object.
pub struct Pair<'a> {
    /// `Kind/name` or `Kind/namespace/name`.
    pub object: String,
    /// API group, kind, namespace and name.
    pub identity: [String; 4],
    /// As it is.
    pub before: Option<&'a Value>,
    /// As it would be.
    pub after: Option<&'a Value>,
    /// What would be done.
    pub change: Change,
}

impl Diff {
    /// Of all objects that differ, in any order.
    pub fn new(pairs: impl IntoIterator<Item = ObjectDiff>, unchanged: usize, deletions: String) -> Self {
        let mut objects: Vec<ObjectDiff> = pairs.into_iter().collect();
        objects.sort_by(|a, b| (&a.object, a.change).cmp(&(&b.object, b.change)));
        Self { api_version: API_VERSION, kind: "Diff", objects, unchanged, deletions }
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.objects.iter().all(|object| object.change == Change::Leave)
    }

    /// As JSON, with a line feed.
    pub fn to_json(&self) -> String {
        // Plain data always serializes.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// A line for each object and field, and the sums.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        let mut sums: BTreeMap<Change, usize> = BTreeMap::new();
        // Writing to a String cannot fail.
        for object in &self.objects {
            *sums.entry(object.change).or_default() += 1;
            let _ = writeln!(out, "{} {}", object.object, object.change.word());
            for field in &object.fields {
                let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
                let _ = write!(out, "  {}: {} -> {}", field.pointer, text(&field.before), text(&field.after));
                if !field.plugins.is_empty() {
                    let _ = write!(out, " (by {})", field.plugins.join(", "));
                }
                if !field.managers.is_empty() {
                    let _ = write!(out, " (changed by {})", field.managers.join(", "));
                }
                out.push('\n');
            }
        }
        sums.insert(Change::Unchanged, self.unchanged);
        let sums: Vec<String> =
            sums.iter().map(|(change, count)| format!("{} {count}", change.word())).collect();
        let _ = writeln!(out, "{}", sums.join(", "));
        if !self.deletions.is_empty() {
            let _ = writeln!(out, "deletions {}", self.deletions);
        }
        out
    }
}

impl Pair<'_> {
    /// What differs. `changes` tells which plugins wrote what; `hide` takes values of secrets out of a text. A pair whose fields are all the same is unchanged.
    pub fn compare(&self, changes: &[Changed], hide: &dyn Fn(&str) -> String) -> ObjectDiff {
        let mut fields = Vec::new();
        if let (Some(before), Some(after), Change::Update | Change::Replace) =
            (self.before, self.after, self.change)
        {
            let secret = self.identity[0].is_empty() && self.identity[1] == "Secret";
            let owners = Owners::of(before);
            let written = self.written(changes);
            for change in leaf::changes(before, after) {
                let own = |below: &str| {
                    change.pointer == below
                        || change.pointer.strip_prefix(below).is_some_and(|rest| rest.starts_with('/'))
                };
                if SERVER.iter().any(|below| own(below)) {
                    continue;
                }
                let hides = secret && ["/data", "/stringData"].iter().any(|below| own(below));
                let shown = [change.before, change.after].map(|value| value.map(json::to_string));
                // A variable that is taken out may have held what is a secret elsewhere by now.
                let taken = change.after.is_none() && change.pointer.contains("/env/");
                // Where one side is a secret, so was the other.
                let hides = hides || taken || shown.iter().flatten().any(|text| hide(text) != *text);
                let [before, after] =
                    shown.map(|text| text.map(|text| if hides { HIDDEN.to_owned() } else { text }));
                fields.push(FieldDiff {
                    plugins: written(&change.pointer),
                    managers: owners.of_field(&change.pointer),
                    pointer: change.pointer,
                    before,
                    after,
                });
            }
        }
        let nothing = self.change == Change::Update && fields.is_empty() && self.after.is_some();
        let change = if nothing { Change::Unchanged } else { self.change };
        ObjectDiff { object: self.object.clone(), change, fields }
    }

    /// Which plugins wrote a field of this object, or something above or below it.
    fn written(&self, changes: &[Changed]) -> impl Fn(&str) -> Vec<String> {
        let [group, kind, namespace, name] = &self.identity;
        let is_this = |changed: &&Changed| {
            changed.group == *group
                && changed.kind == *kind
                && changed.name == *name
                && (changed.namespace.is_empty() || changed.namespace == *namespace)
        };
        let fields = changes.iter().find(is_this).map(|changed| changed.fields.clone()).unwrap_or_default();
        move |pointer: &str| {
            let within =
                |a: &str, b: &str| a == b || a.strip_prefix(b).is_some_and(|rest| rest.starts_with('/'));
            let own = fields.iter().filter(|(field, _)| within(field, pointer) || within(pointer, field));
            let names: BTreeSet<String> = own.flat_map(|(_, plugins)| plugins.iter().cloned()).collect();
            names.into_iter().collect()
        }
    }
}

/// Which managers have which fields of a live object (`managedFields`).
struct Owners<'a>(Vec<(&'a str, &'a Value)>);

impl<'a> Owners<'a> {
    fn of(live: &'a Value) -> Self {
        let entries = live.get("metadata").and_then(|metadata| metadata.get("managedFields"));
        let entries = entries.and_then(Value::as_array).unwrap_or_default();
        let others =
            entries.iter().filter_map(|entry| Some((entry.str_at(&["manager"])?, entry.get("fieldsV1")?)));
        Self(others.filter(|(manager, _)| !manager.starts_with("lathe")).collect())
    }

    /// The managers of a field. Items of lists are known by keys there, so a list is looked at as a whole.
    fn of_field(&self, pointer: &str) -> Vec<String> {
        let has = |fields: &Value| {
            let mut at = fields;
            for token in pointer.split('/').skip(1) {
                if token.bytes().all(|byte| byte.is_ascii_digit()) {
                    return true;
                }
                let name = format!("f:{}", token.replace("~1", "/").replace("~0", "~"));
                match at.get(&name) {
                    Some(below) => at = below,
                    None => return false,
                }
            }
            true
        };
        let own = self.0.iter().filter(|(_, fields)| has(fields));
        let names: BTreeSet<&str> = own.map(|(manager, _)| *manager).collect();
        names.into_iter().map(ToOwned::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(kind: &str, before: &str, after: &str) -> ObjectDiff {
        let (before, after) = (json::parse(before).unwrap(), json::parse(after).unwrap());
        let fields = BTreeMap::from([("/data/a".to_owned(), vec!["path:x".to_owned()])]);
        let changed = Changed {
            group: String::new(),
            kind: kind.to_owned(),
            namespace: String::new(),
            name: "a".to_owned(),
            fields,
        };
        let pair = Pair {
            object: format!("{kind}/n/a"),
            identity: ["", kind, "n", "a"].map(ToOwned::to_owned),
            before: Some(&before),
            after: Some(&after),
            change: Change::Update,
        };
        pair.compare(&[changed], &|text| text.replace("hunter2", "(secret)"))
    }

    #[test]
    fn fields_are_told_with_plugin_and_manager() {
        let before = r#"{"data":{"a":"1","b":"2"},"metadata":{"resourceVersion":"1","managedFields":[{"manager":"kubectl-edit","fieldsV1":{"f:data":{"f:b":{}}}}]}}"#;
        let after = r#"{"data":{"a":"2","b":"3","c":"4"},"metadata":{"resourceVersion":"2"}}"#;
        let told = Diff::new([compare("ConfigMap", before, after)], 3, String::new()).to_text();
        assert_eq!(
            told,
            "ConfigMap/n/a update\n  /data/a: \"1\" -> \"2\" (by path:x)\n  /data/b: \"2\" -> \"3\" (changed by kubectl-edit)\n  /data/c: nothing -> \"4\"\nupdate 1, unchanged 3\n"
        );
    }

    #[test]
    fn values_of_secrets_are_not_told() {
        let told = compare("Secret", r#"{"data":{"a":"b2xk"}}"#, r#"{"data":{"a":"bmV3"}}"#);
        assert_eq!(told.fields[0].before.as_deref(), Some(HIDDEN));
        assert_eq!(told.fields[0].after.as_deref(), Some(HIDDEN));
        // Nor a value elsewhere, and not the one that stood there before.
        let told = compare("ConfigMap", r#"{"data":{"a":"old-one"}}"#, r#"{"data":{"a":"hunter2"}}"#);
        assert_eq!(told.fields[0].before.as_deref(), Some(HIDDEN));
    }

    #[test]
    fn what_only_the_server_wrote_is_no_difference() {
        let told =
            compare("ConfigMap", r#"{"status":{"a":1}}"#, r#"{"status":{"a":2},"metadata":{"uid":"x"}}"#);
        assert_eq!((told.change, told.fields.len()), (Change::Unchanged, 0));
    }
}
