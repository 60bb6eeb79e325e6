//! Where a transform may write, and what it may do only if somebody granted it.
//!
//! Judged on what differs leaf by leaf before and after, so that it does not matter by which edits a plugin got there.

use std::collections::BTreeSet;
use std::fmt;

use lathe_manifest::leaf::Change;
use lathe_manifest::{Object, Pointer, Value};
use lathe_secrets::TOKEN_PREFIX;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::problem::Problem;

/// How many places outside of a scope are told for one plugin.
const MOST: usize = 100;

/// What no transform may do without being granted it, whatever its `writes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grant {
    /// Add objects to the set.
    AddObjects,
    /// Take objects out of the set.
    DropObjects,
    /// Change, add or take out objects of the group `rbac.authorization.k8s.io`.
    Rbac,
    /// Change an image: any field `image`, but in metadata, a `ConfigMap` or a Secret.
    Images,
    /// Change what a container runs: any field `command` or `args`, but in metadata, a `ConfigMap` or a Secret.
    Commands,
    /// Change the metadata of a Secret.
    SecretMetadata,
    /// Change text in which a secret's token stands.
    TokenText,
}

impl Grant {
    /// All of them, as built-in plugins have them.
    pub(crate) const ALL: [Self; 7] = [
        Self::AddObjects,
        Self::DropObjects,
        Self::Rbac,
        Self::Images,
        Self::Commands,
        Self::SecretMetadata,
        Self::TokenText,
    ];

    /// As the pipeline file spells it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AddObjects => "add-objects",
            Self::DropObjects => "drop-objects",
            Self::Rbac => "rbac",
            Self::Images => "images",
            Self::Commands => "commands",
            Self::SecretMetadata => "secret-metadata",
            Self::TokenText => "token-text",
        }
    }
}

/// Places that may be written: `Kind.group /pointer`, where `*` stands for one segment, or any kind, and `**` at the end for
/// all that is below.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct WriteRule {
    /// Kind and group, `None` for any.
    kind: Option<(String, String)>,
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Name(String),
    One,
    Below,
}

impl TryFrom<String> for WriteRule {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (kind, pointer) = text.split_once(' ').ok_or_else(|| {
            format!("`{text}` is no kind and pointer, such as `Ingress /spec/rules/*/host`")
        })?;
        let pointer = Pointer::parse(pointer.trim()).map_err(|error| format!("`{text}`: {error}"))?;
        let kind = match kind.split_once('.') {
            _ if kind == "*" => None,
            Some((kind, group)) => Some((kind.to_owned(), group.to_owned())),
            None => Some((kind.to_owned(), String::new())),
        };
        let segments: Vec<Segment> = (pointer.tokens().iter())
            .map(|token| match &**token {
                "*" => Segment::One,
                "**" => Segment::Below,
                name => Segment::Name(name.to_owned()),
            })
            .collect();
        if segments.iter().rev().skip(1).any(|segment| *segment == Segment::Below) {
            return Err(format!("`{text}`: `**` stands at the end only"));
        }
        Ok(Self { kind, segments })
    }
}

impl From<WriteRule> for String {
    fn from(rule: WriteRule) -> Self {
        rule.to_string()
    }
}

impl fmt::Display for WriteRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            None => f.write_str("* ")?,
            Some((kind, group)) if group.is_empty() => write!(f, "{kind} ")?,
            Some((kind, group)) => write!(f, "{kind}.{group} ")?,
        }
        for segment in &self.segments {
            match segment {
                Segment::Name(name) => write!(f, "/{}", lathe_manifest::pointer::escape(name))?,
                Segment::One => f.write_str("/*")?,
                Segment::Below => f.write_str("/**")?,
            }
        }
        Ok(())
    }
}

impl WriteRule {
    /// Any field of any object.
    pub(crate) fn everywhere() -> Self {
        Self { kind: None, segments: vec![Segment::Below] }
    }

    /// Whether the rule is about a field of an object.
    pub(crate) fn covers(&self, object: &Object, pointer: &str) -> bool {
        Pointer::parse(pointer).is_ok_and(|place| self.allows(object, place.tokens()))
    }

    /// A kind without a group means that kind in every group: in a manifest nobody confuses them.
    fn allows(&self, object: &Object, place: &[Box<str>]) -> bool {
        let is_kind = self.kind.as_ref().is_none_or(|(kind, group)| {
            kind == object.kind() && (group.is_empty() || group == object.group())
        });
        let below = self.segments.last() == Some(&Segment::Below);
        let named = if below { &self.segments[..self.segments.len() - 1] } else { self.segments.as_slice() };
        let length = if below { place.len() >= named.len() } else { place.len() == named.len() };
        is_kind
            && length
            && named.iter().zip(place).all(|(segment, name)| match segment {
                Segment::Name(wanted) => **wanted == **name,
                Segment::One | Segment::Below => true,
            })
    }
}

/// What one transform may do.
#[derive(Clone, Debug)]
pub(crate) struct Scope<'a> {
    /// `None` for a built-in plugin without rules of its own, which may write anywhere.
    rules: Option<&'a [WriteRule]>,
    grants: BTreeSet<Grant>,
}

impl<'a> Scope<'a> {
    pub(crate) fn new(builtin: bool, rules: &'a [WriteRule], grants: &[Grant]) -> Self {
        let rules = (!builtin || !rules.is_empty()).then_some(rules);
        let grants = if builtin { Grant::ALL.into() } else { grants.iter().copied().collect() };
        Self { rules, grants }
    }

    /// What of an object's changes goes beyond the scope. `before` is the object as the plugin was given it, but for values of a Secret
    /// that it was `shown`.
    pub(crate) fn judge(
        &self,
        plugin: &str,
        before: &Object,
        after: &Object,
        changes: &[Change<'_>],
        shown: bool,
    ) -> Vec<Problem> {
        let mut found = Vec::new();
        let label = before.label();
        let told = |found: &mut Vec<Problem>, message: String, pointer: &str| {
            found.push(Problem::new("write-scope", message).at(&label, pointer).by(plugin));
        };
        if !changes.is_empty() && (is_rbac(before) || is_rbac(after)) {
            self.need(Grant::Rbac, "changes an object of RBAC", &mut found, "", &told);
        }
        let identity = |object: &Object| {
            [object.group(), object.kind(), object.namespace(), object.name()].map(ToOwned::to_owned)
        };
        if identity(before) != identity(after) {
            for grant in [Grant::DropObjects, Grant::AddObjects] {
                self.need(grant, "makes another object of this one", &mut found, "", &told);
            }
        }
        for change in changes {
            // What the host derived is a pointer.
            let place = Pointer::parse(&change.pointer).unwrap_or_default();
            let place = place.tokens();
            let guarded = protected(before, after, change, place);
            if let Some((grant, what)) = guarded.filter(|(grant, _)| !(shown && *grant == Grant::TokenText)) {
                self.need(grant, what, &mut found, &change.pointer, &told);
            }
            if self.rules.is_some_and(|rules| !rules.iter().any(|rule| rule.allows(before, place))) {
                let kind = match before.group() {
                    "" => before.kind().to_owned(),
                    group => format!("{}.{group}", before.kind()),
                };
                let message = format!(
                    "the plugin may not write here; `writes: [\"{kind} {}\"]` would allow it",
                    change.pointer
                );
                told(&mut found, message, &change.pointer);
            }
        }
        if found.len() > MOST {
            let more = found.len() - MOST;
            found.truncate(MOST);
            told(&mut found, format!("and {more} places more"), "");
        }
        found
    }

    /// Whether it was granted.
    pub(crate) fn has(&self, grant: Grant) -> bool {
        self.grants.contains(&grant)
    }

    /// What of an object that is added or taken out as a whole goes beyond the scope.
    pub(crate) fn judge_whole(&self, plugin: &str, object: &Object, added: bool) -> Vec<Problem> {
        let mut found = Vec::new();
        let label = object.label();
        let told = |found: &mut Vec<Problem>, message: String, pointer: &str| {
            found.push(Problem::new("write-scope", message).at(&label, pointer).by(plugin));
        };
        let (grant, what) = if added {
            (Grant::AddObjects, "adds an object")
        } else {
            (Grant::DropObjects, "takes an object out")
        };
        self.need(grant, what, &mut found, "", &told);
        if is_rbac(object) {
            self.need(Grant::Rbac, "adds or takes out an object of RBAC", &mut found, "", &told);
        }
        found
    }

    fn need(
        &self,
        grant: Grant,
        what: &str,
        found: &mut Vec<Problem>,
        pointer: &str,
        told: &dyn Fn(&mut Vec<Problem>, String, &str),
    ) {
        if !self.grants.contains(&grant) {
            let name = grant.name();
            told(found, format!("the plugin {what}, which takes `grants: [{name}]`"), pointer);
        }
    }
}

fn is_rbac(object: &Object) -> bool {
    object.group() == "rbac.authorization.k8s.io"
}

/// What a change needs a grant for, and how that is called.
fn protected(
    before: &Object,
    after: &Object,
    change: &Change<'_>,
    place: &[Box<str>],
) -> Option<(Grant, &'static str)> {
    let names: Vec<&str> = place.iter().map(AsRef::as_ref).collect();
    if (before.is_secret() || after.is_secret()) && names.first() == Some(&"metadata") {
        return Some((Grant::SecretMetadata, "changes the metadata of a Secret"));
    }
    let has_token = |value: &Value| value.as_str().is_some_and(|text| text.contains(TOKEN_PREFIX));
    if change.before.is_some_and(has_token) && change.after.is_some() {
        return Some((Grant::TokenText, "changes text in which a secret's token stands"));
    }
    let text =
        |object: &Object| object.group().is_empty() && ["ConfigMap", "Secret"].contains(&object.kind());
    if names.first() == Some(&"metadata") || text(before) && text(after) {
        return None;
    }
    // Wherever these stand: in a Pod, a template of one, or some resource that makes Pods in a way of its own.
    if names.iter().any(|name| ["command", "args"].contains(name)) {
        return Some((Grant::Commands, "changes what a container runs"));
    }
    let containers = ["containers", "initContainers", "ephemeralContainers"];
    let is_container = |at: usize| {
        at.checked_sub(2).and_then(|list| names.get(list)).is_some_and(|name| containers.contains(name))
    };
    // Servers know containers by their names, so a name that moves takes the image along.
    let renames = names.last() == Some(&"name") && is_container(names.len() - 1);
    // Or a container as a whole, where it is given as something that is no map.
    let is_image = names.contains(&"image") || renames || is_container(names.len());
    is_image.then_some((Grant::Images, "changes the image of a container"))
}

#[cfg(test)]
mod tests {
    use lathe_manifest::{json, leaf};

    use super::*;

    fn object(kind: &str, rest: &str) -> Object {
        let version = match kind {
            "Deployment" => "apps/v1",
            "Role" => "rbac.authorization.k8s.io/v1",
            _ => "v1",
        };
        let text =
            format!(r#"{{"apiVersion":"{version}","kind":"{kind}","metadata":{{"name":"a"}},{rest}}}"#);
        Object::added(json::parse(&text).unwrap()).unwrap()
    }

    fn judged(kind: &str, before: &str, after: &str, rules: &[&str], grants: &[Grant]) -> Vec<String> {
        let rules: Vec<WriteRule> =
            rules.iter().map(|rule| WriteRule::try_from((*rule).to_owned()).unwrap()).collect();
        let (before, after) = (object(kind, before), object(kind, after));
        let changes = leaf::changes(&before.value, &after.value);
        let scope = Scope::new(false, &rules, grants);
        scope
            .judge("path:x", &before, &after, &changes, false)
            .into_iter()
            .map(|problem| problem.message)
            .collect()
    }

    #[test]
    fn only_places_that_rules_name_may_be_written() {
        let (before, after) = (r#""spec":{"a":{"b":[1,2]}}"#, r#""spec":{"a":{"b":[1,3]},"c":1}"#);
        let told = judged("Deployment", before, after, &["Deployment /spec/a/*/1"], &[]);
        assert_eq!(
            told,
            ["the plugin may not write here; `writes: [\"Deployment.apps /spec/c\"]` would allow it"]
        );
        for (rule, count) in [
            ("* /**", 0),
            ("Deployment.apps /spec/**", 0),
            ("Deployment.batch /spec/**", 2),
            ("Service /**", 2),
            ("* /spec/a/**", 1),
            ("* /spec/a/b/1", 1),
            ("* /spec/*", 1),
            ("* /spec/a/b", 2),
            ("* /spec/a/b/1/**", 1),
        ] {
            assert_eq!(judged("Deployment", before, after, &[rule], &[]).len(), count, "{rule}");
        }
        assert_eq!(judged("Deployment", before, after, &[], &Grant::ALL).len(), 2, "no rule allows nothing");
    }

    #[test]
    fn some_things_take_a_grant_whatever_the_rules() {
        let pod = |inner: &str| {
            format!(r#""spec":{{"template":{{"spec":{{"containers":[{{"name":"a",{inner}}}]}}}}}}"#)
        };
        let image = |text: &str| pod(&format!(r#""image":"{text}""#));
        let token = |before: &str| format!(r#""data":{{"a":"{before}{TOKEN_PREFIX}abc"}}"#);
        for (kind, before, after, grant) in [
            ("Deployment", image("a"), image("b"), Grant::Images),
            ("Deployment", pod(r#""args":["a"]"#), pod(r#""args":["b"]"#), Grant::Commands),
            (
                "Deployment",
                pod(r#""livenessProbe":{"exec":{"command":["a"]}}"#),
                pod(r#""livenessProbe":{"exec":{"command":["b"]}}"#),
                Grant::Commands,
            ),
            (
                "Widget",
                r#""spec":{"image":"a"}"#.to_owned(),
                r#""spec":{"image":"b"}"#.to_owned(),
                Grant::Images,
            ),
            (
                "Pod",
                r#""spec":{"volumes":[{"image":{"reference":"a"}}]}"#.to_owned(),
                r#""spec":{"volumes":[{"image":{"reference":"b"}}]}"#.to_owned(),
                Grant::Images,
            ),
            (
                "Pod",
                r#""spec":{"containers":[1]}"#.to_owned(),
                r#""spec":{"containers":[2]}"#.to_owned(),
                Grant::Images,
            ),
            (
                "Deployment",
                pod(r#""x":1"#),
                pod(r#""x":1"#).replace(r#""name":"a""#, r#""name":"b""#),
                Grant::Images,
            ),
            ("Role", r#""rules":[]"#.to_owned(), r#""rules":[1]"#.to_owned(), Grant::Rbac),
            ("ConfigMap", token("x"), token("y"), Grant::TokenText),
        ] {
            let told = judged(kind, &before, &after, &["* /**"], &[]);
            assert!(told.len() == 1 && told[0].contains(grant.name()), "{told:?}");
            assert!(judged(kind, &before, &after, &["* /**"], &[grant]).is_empty());
        }
        let told = judged("ConfigMap", r#""data":{"image":"a"}"#, r#""data":{"image":"b"}"#, &["* /**"], &[]);
        assert!(told.is_empty(), "{told:?}");
        let secret = |label: &str| {
            let text = format!(
                r#"{{"apiVersion":"v1","kind":"Secret","metadata":{{"name":"a","labels":{{"x":"{label}"}}}}}}"#
            );
            Object::added(json::parse(&text).unwrap()).unwrap()
        };
        let (before, after) = (secret("a"), secret("b"));
        let changes = leaf::changes(&before.value, &after.value);
        let rules = [WriteRule::try_from("* /**".to_owned()).unwrap()];
        assert_eq!(Scope::new(false, &rules, &[]).judge("x", &before, &after, &changes, false).len(), 1);
        let other = object("ConfigMap", r#""data":{}"#);
        let moved = leaf::changes(&before.value, &other.value);
        let told =
            Scope::new(false, &rules, &[Grant::SecretMetadata]).judge("x", &before, &other, &moved, false);
        assert!(told.len() == 2 && told[0].message.contains("drop-objects"), "{told:?}");
        assert!(Scope::new(true, &[], &[]).judge("x", &before, &after, &changes, false).is_empty());
        assert_eq!(Scope::new(false, &rules, &[]).judge_whole("x", &before, true).len(), 1);
        assert_eq!(
            Scope::new(false, &rules, &[]).judge_whole("x", &object("Role", r#""rules":[]"#), false).len(),
            2
        );
    }

    #[test]
    fn rules_read_and_write_the_same() {
        for text in ["* /**", "Deployment.apps /spec/*/a~1b", "Service /", "* "] {
            let rule = WriteRule::try_from(text.to_owned()).unwrap();
            assert_eq!(rule.to_string(), text);
        }
        for text in ["Ingress", "Ingress spec", "* /**/a", "* /~2"] {
            assert!(WriteRule::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
