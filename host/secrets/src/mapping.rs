//! What references stand for in one environment: others, or values that are made at random.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::modifier::Modifier;
use crate::reference::{
    Address, Generated, Reference, Shape, Target, check_path, is_at, is_within, logical, percent,
};

/// What one reference, or all below a path, stands for in an environment.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MappedSecret {
    /// A reference as it stands in a manifest, or what it asks for, such as `kv/portal#password`; its modifiers do not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// A path, such as `kv/portal`, or `file://` and `sops://` and a path: all references at and below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// What takes its place: a reference, or for a prefix a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// A value made at random once for each environment, and kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generate: Option<Generate>,
}

/// How a value is made.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Generate {
    /// How many characters it has, 8 to 1024.
    pub length: usize,
    /// `alphanumeric`, `hex`, `lowercase` (letters and digits), or the characters themselves.
    pub alphabet: String,
}

impl Default for Generate {
    fn default() -> Self {
        Self { length: 32, alphabet: "alphanumeric".to_owned() }
    }
}

/// What references stand for.
#[derive(Clone, Debug, Default)]
pub struct Mapping {
    exact: BTreeMap<String, (usize, Stands)>,
    prefixes: Vec<(String, usize, Stands)>,
    /// Whether a reference that is not mapped is refused.
    is_closed: bool,
}

#[derive(Clone, Debug)]
enum Stands {
    Reference(Target),
    Path(String),
    Generated { length: usize, alphabet: String },
}

impl Mapping {
    /// Reads the entries of an environment. `is_closed` says that it is a review, which opens nothing that is not mapped.
    pub fn new(entries: &[MappedSecret], is_closed: bool) -> Result<Self, Vec<String>> {
        let mut mapping = Self { is_closed, ..Self::default() };
        let mut wrong = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            if let Err(told) = mapping.add(index, entry) {
                wrong.push(format!("[{index}]{told}"));
            }
        }
        // The longest prefix says most.
        mapping.prefixes.sort_by(|(a, ..), (b, ..)| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        if wrong.is_empty() { Ok(mapping) } else { Err(wrong) }
    }

    fn add(&mut self, index: usize, entry: &MappedSecret) -> Result<(), String> {
        let stands = match (&entry.to, &entry.generate) {
            (None, Some(generate)) => generated(generate)?,
            (Some(to), None) if entry.prefix.is_some() => {
                let scheme = |text: &str| text.split_once("://").map(|(scheme, _)| scheme.to_owned());
                let path = to.split_once("://").map_or(to.as_str(), |(_, path)| path).trim_matches('/');
                let sound = check_path(path).is_ok() && !path.contains(['#', '<', '>', '?', '+']);
                if scheme(to) != entry.prefix.as_deref().and_then(scheme) || !sound {
                    return Err(".to: for a prefix it is a path of the same kind".to_owned());
                }
                Stands::Path(to.trim_end_matches('/').to_owned())
            }
            (Some(to), None) => {
                let read = Reference::parse(to, None).map_err(|why| format!(".to: {why}"))?;
                if !read.modifiers.is_empty() || read.missing.is_some() || read.shape != Shape::Text {
                    return Err(
                        ".to: the modifiers of the reference in the manifest hold; it takes none".to_owned()
                    );
                }
                if matches!(read.target, Target::Generated(_)) {
                    return Err(".to: what is generated is asked for by `generate`".to_owned());
                }
                Stands::Reference(read.target)
            }
            _ => return Err(": it takes `to` or `generate`, one of them".to_owned()),
        };
        match (&entry.reference, &entry.prefix) {
            (Some(reference), None) => {
                for address in written(reference).map_err(|why| format!(".reference: {why}"))? {
                    if self.exact.insert(address, (index, stands.clone())).is_some() {
                        return Err(".reference: it is mapped twice".to_owned());
                    }
                }
            }
            (None, Some(prefix)) => {
                let prefix = prefix.trim_matches('/');
                let (scheme, path) = prefix.split_once("://").unwrap_or(("", prefix));
                if path.is_empty() || !matches!(scheme, "" | "file" | "sops") || path.contains('#') {
                    return Err(
                        ".prefix: it is a path such as `kv/portal`, or `file://PATH` or `sops://PATH`"
                            .to_owned(),
                    );
                }
                if path.ends_with("/data") && path.matches('/').count() == 1 {
                    return Err(".prefix: name the mount without `data`, which is of Vault's API".to_owned());
                }
                let prefix = if scheme.is_empty() {
                    percent(&logical(path))
                } else {
                    format!("{scheme}://{}", percent(path))
                };
                if self.prefixes.iter().any(|(known, ..)| *known == prefix) {
                    return Err(".prefix: it is mapped twice".to_owned());
                }
                self.prefixes.push((prefix, index, stands));
            }
            _ => return Err(": it takes `reference` or `prefix`, one of them".to_owned()),
        }
        Ok(())
    }

    /// What the reference stands for, and by which entry; `None` where it may not be opened. `Err` says why what it stands for has no
    /// spelling.
    pub(crate) fn apply(&self, reference: Reference) -> Result<Option<(Reference, Option<usize>)>, String> {
        if let Target::Generated(generated) = &reference.target {
            // What a render wrote is read again.
            let name = generated.name.clone();
            let made = match self.find(&name) {
                Some((index, _, Stands::Generated { length, alphabet })) => {
                    let target =
                        Target::Generated(Generated { name, length: *length, alphabet: alphabet.clone() });
                    Some((Reference { target, ..reference }, Some(index)))
                }
                _ => None,
            };
            return Ok(made);
        }
        let address = reference.target.address();
        let Some((index, prefix, stands)) = self.find(&address) else {
            // A version of what is mapped is neither that nor something else.
            let is_version = self.find(&reference.target.without_version().address()).is_some();
            let is_open = if self.is_closed { self.is_own(&reference.target) } else { !is_version };
            return Ok(is_open.then_some((reference, None)));
        };
        let target = match stands {
            Stands::Reference(target) => target.clone(),
            Stands::Generated { length, alphabet } => {
                Target::Generated(Generated { name: address, length: *length, alphabet: alphabet.clone() })
            }
            Stands::Path(to) => match moved(&reference.target, prefix, to) {
                Some(target) => target,
                None => return Ok(None),
            },
        };
        let mut reference = reference;
        if matches!(target, Target::Generated(_)) {
            // What is made is what a store would hold once it is decoded and taken apart.
            let made = |step: &Modifier| {
                !matches!(
                    step,
                    Modifier::Base64Decode
                        | Modifier::JsonPath(_)
                        | Modifier::JsonParse
                        | Modifier::YamlParse
                )
            };
            reference.modifiers.retain(made);
            if matches!(reference.shape, Shape::Int | Shape::Bool) {
                return Err("what is generated is text, and another type is asked for".to_owned());
            }
            reference.missing = None;
            reference.shape = Shape::Text;
        }
        let text = spelled(&target, &reference)?;
        Ok(Some((Reference { text: text.into(), target, is_mapped: true, ..reference }, Some(index))))
    }

    /// The entry for an address: its place, its prefix, and what it stands for.
    fn find(&self, address: &str) -> Option<(usize, &str, &Stands)> {
        if let Some((index, stands)) = self.exact.get(address) {
            return Some((*index, "", stands));
        }
        let found = self.prefixes.iter().find(|(prefix, ..)| is_at(address, prefix));
        found.map(|(prefix, index, stands)| (*index, prefix.as_str(), stands))
    }

    /// Whether something is mapped to this: it is the environment's own. Paths have to be the same as written, for `data` may be a
    /// folder of another store.
    fn is_own(&self, target: &Target) -> bool {
        let exact = |stands: &Stands| matches!(stands, Stands::Reference(own) if own == target);
        let below = |stands: &Stands| match (stands, target) {
            (Stands::Path(to), Target::Store(address)) => {
                let plain =
                    address.instance.is_none() && address.namespace.is_none() && address.version.is_none();
                plain && (is_within(&address.path, to) || is_within(&address.path, &raw(to)))
            }
            (Stands::Path(to), Target::File { path, .. }) => {
                to.strip_prefix("file://").is_some_and(|to| is_within(path, to))
            }
            (Stands::Path(to), Target::Sops { path, .. }) => {
                to.strip_prefix("sops://").is_some_and(|to| is_within(path, to))
            }
            _ => false,
        };
        self.exact.values().any(|(_, stands)| exact(stands))
            || self.prefixes.iter().any(|(.., stands)| below(stands))
    }

    /// Whether a reference that is not mapped is refused.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }
}

fn generated(generate: &Generate) -> Result<Stands, String> {
    let alphabet = match generate.alphabet.as_str() {
        "alphanumeric" => "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".to_owned(),
        "hex" => "0123456789abcdef".to_owned(),
        "lowercase" => "abcdefghijklmnopqrstuvwxyz0123456789".to_owned(),
        own => own.to_owned(),
    };
    let distinct: std::collections::BTreeSet<char> = alphabet.chars().collect();
    if distinct.len() < 2
        || distinct.len() != alphabet.chars().count()
        || distinct.iter().any(|c| c.is_control())
    {
        return Err(".generate.alphabet: it is `alphanumeric`, `hex`, `lowercase`, or two characters or more, each once".to_owned());
    }
    if !(8..=1024).contains(&generate.length) {
        return Err(".generate.length: it is 8 to 1024".to_owned());
    }
    Ok(Stands::Generated { length: generate.length, alphabet })
}

/// A reference as an entry names it: as written in a manifest, or by what it asks for. The addresses that it may have.
fn written(text: &str) -> Result<Vec<String>, String> {
    if text.starts_with('<') || text.contains("ref+") {
        return Ok(vec![Reference::parse(text, None)?.target.address()]);
    }
    if text.contains("://") {
        return Ok(vec![Reference::parse(&format!("ref+{text}"), None)?.target.address()]);
    }
    let (path, key) = text
        .split_once('#')
        .ok_or("it is a reference, or what one asks for, such as `kv/portal#password`")?;
    let path = path.trim_matches('/');
    // Instance and namespace stand before the path.
    let at = path.rfind([':', ']']).map_or(0, |at| at + 1);
    let (before, path) = path.split_at(at);
    let escaped = |text: &str| if text.contains('%') { text.to_owned() } else { percent(text) };
    let (path, key) = (escaped(&logical(path)), escaped(key.trim_matches('/')));
    // A key may hold what parts a way elsewhere.
    let whole = key.replace('/', "%2F");
    let mut all = vec![format!("{before}{path}#{key}")];
    if whole != key {
        all.push(format!("{before}{path}#{whole}"));
    }
    Ok(all)
}

/// The path as Vault's API has it.
fn raw(path: &str) -> String {
    path.split_once('/').map_or(path.to_owned(), |(mount, rest)| format!("{mount}/data/{rest}"))
}

/// The target with its path below another. A version of one document says nothing of another, so it goes nowhere, nor does what lies
/// in a namespace.
fn moved(target: &Target, prefix: &str, to: &str) -> Option<Target> {
    let below = |path: &str, scheme: &str| {
        let rest = percent(path);
        let rest = rest.strip_prefix(prefix.strip_prefix(scheme)?)?;
        // The rest of the path as it was written: its end.
        let rest = path.get(path.len() - decoded_length(rest)..)?;
        let to = to.strip_prefix(scheme).unwrap_or(to);
        (rest.is_empty() || rest.starts_with('/')).then(|| format!("{to}{rest}"))
    };
    match target {
        Target::Store(Address { version: None, namespace: None, instance: None, path, key }) => {
            let is_raw = path.split('/').nth(1) == Some("data");
            let path = below(&logical(path), "")?;
            let path = if is_raw && path.split('/').nth(1) != Some("data") { raw(&path) } else { path };
            Some(Target::Store(Address { path, key: key.clone(), ..Address::default() }))
        }
        Target::File { path, key } => Some(Target::File { path: below(path, "file://")?, key: key.clone() }),
        Target::Sops { path, key } => Some(Target::Sops { path: below(path, "sops://")?, key: key.clone() }),
        _ => None,
    }
}

/// How many bytes a text has whose `%XX` are one each.
fn decoded_length(text: &str) -> usize {
    text.len() - 2 * text.matches('%').count()
}

/// The target as a reference, with what the first reference has done to its value.
fn spelled(target: &Target, reference: &Reference) -> Result<String, String> {
    let text = &reference.text;
    let behind = text.find('|').map_or("", |at| text[at..].trim_end_matches('>').trim_end());
    if let (true, Target::Store(Address { instance: None, namespace: None, path, key, version })) =
        (text.starts_with('<') && reference.missing.is_none(), target)
        && let [key] = key.as_slice()
        && !key.contains(['#', '|', '<', '>', '{', '}', '\n'])
        && !path.contains(['#', '|', '<', '>', '{', '}'])
    {
        let version = version.map(|version| format!("#{version}")).unwrap_or_default();
        let space = if behind.is_empty() { "" } else { " " };
        return Ok(format!("<path:{path}#{key}{version}{space}{behind}>"));
    }
    // A query does its steps in one order, each once.
    let order = |step: &Modifier| match step {
        Modifier::Base64Decode => 1,
        Modifier::TrimNewline => 2,
        Modifier::Base64Encode => 3,
        Modifier::JsonEscape => 4,
        _ => 0,
    };
    let steps: Vec<i32> = reference.modifiers.iter().map(order).collect();
    if steps.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Err("its modifiers cannot be spelled for what it is mapped to".to_owned());
    }
    let mut query = Vec::new();
    for step in &reference.modifiers {
        query.push(match step {
            Modifier::Base64Decode => "decode=base64".to_owned(),
            Modifier::Base64Encode => "encoding=base64".to_owned(),
            Modifier::TrimNewline => "trim=nl".to_owned(),
            Modifier::JsonEscape => "encoding=json".to_owned(),
            _ => return Err("its modifiers cannot be spelled for what it is mapped to".to_owned()),
        });
    }
    let missing = reference.missing.as_ref().map(|text| {
        if text.is_empty() { "optional=true".to_owned() } else { format!("default={}", percent(text)) }
    });
    query.extend(missing);
    query.extend(match reference.shape {
        Shape::Text => None,
        Shape::Int => Some("type=int".to_owned()),
        Shape::Bool => Some("type=bool".to_owned()),
        Shape::Json => Some("type=json".to_owned()),
    });
    let way = |key: &[String]| key.iter().map(|part| format!("/{}", percent(part))).collect::<String>();
    let (path, key) = match target {
        Target::Store(Address { instance, path, key, version, namespace }) => {
            query.extend(instance.as_ref().map(|name| format!("instance={}", percent(name))));
            query.extend(version.map(|version| format!("version={version}")));
            query.extend(namespace.as_ref().map(|name| format!("namespace={}", percent(name))));
            (format!("vault://{}", percent(path)), way(key))
        }
        Target::Env { instance, name } => {
            query.extend(instance.as_ref().map(|name| format!("instance={}", percent(name))));
            (format!("env://{name}"), String::new())
        }
        Target::File { path, key } => (format!("file://{}", percent(path)), way(key)),
        Target::Sops { path, key } => (format!("sops://{}", percent(path)), way(key)),
        Target::Cluster { namespace, name, key } => (
            format!("k8s://v1/Secret/{}/{}/{}", percent(namespace), percent(name), percent(key)),
            String::new(),
        ),
        Target::Generated(generated) => (format!("generated://{}", percent(&generated.name)), String::new()),
    };
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    let key = if key.is_empty() { key } else { format!("#{key}") };
    Ok(format!("ref+{path}{query}{key}+"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(
        reference: Option<&str>,
        prefix: Option<&str>,
        to: Option<&str>,
        generate: Option<usize>,
    ) -> MappedSecret {
        let owned = |text: Option<&str>| text.map(ToOwned::to_owned);
        let generate = generate.map(|length| Generate { length, ..Generate::default() });
        MappedSecret { reference: owned(reference), prefix: owned(prefix), to: owned(to), generate }
    }

    fn mapped(mapping: &Mapping, text: &str) -> Option<String> {
        let reference = Reference::parse(text, None).unwrap();
        mapping.apply(reference).unwrap().map(|(reference, _)| reference.text.into())
    }

    #[test]
    fn references_stand_for_others() {
        let entries = [
            entry(Some("<path:kv/data/p#a>"), None, Some("<path:kv/data/r#b>"), None),
            entry(None, Some("kv/portal"), Some("kv/portal-review"), None),
            entry(None, Some("kv/portal/inner"), None, Some(24)),
            entry(Some("ref+env://X"), None, Some("ref+file://r.yaml#/x"), None),
        ];
        let mapping = Mapping::new(&entries, true).unwrap();
        for (text, want) in [
            ("<path:kv/data/p#a | base64decode>", Some("<path:kv/data/r#b | base64decode>")),
            ("ref+vault://kv/p?decode=base64#/a", Some("ref+vault://kv/data/r?decode=base64#/b+")),
            ("<path:kv/data/portal#k>", Some("<path:kv/data/portal-review#k>")),
            ("<path:kv/data/portal/x#k>", Some("<path:kv/data/portal-review/x#k>")),
            ("ref+vault://kv/portal/inner#/k", Some("ref+generated://kv/portal/inner%23k+")),
            ("ref+env://X", Some("ref+file://r.yaml#/x+")),
            ("<path:kv/data/portals#k>", None),
            ("<path:kv/data/portal#k#3>", None),
            ("<path:kv/data/p#b>", None),
            ("<path:kv/data/r#b>", Some("<path:kv/data/r#b>")),
            ("ref+vault://kv/portal-review/x#/k", Some("ref+vault://kv/portal-review/x#/k")),
            ("<path:kv/data/portal-review/x#k>", Some("<path:kv/data/portal-review/x#k>")),
            ("ref+vault://kv/portal-review/x?instance=prod#/k", None),
            ("ref+vault://kv/portal-review%23x#/k", None),
            ("ref+vault://portal-review/x?namespace=kv#/k", None),
            ("ref+vault://kv/portal?instance=other#/k", None),
            ("ref+generated://kv/portal/inner%23k+", Some("ref+generated://kv/portal/inner%23k+")),
            ("ref+generated://kv/portal%23k+", None),
        ] {
            assert_eq!(mapped(&mapping, text).as_deref(), want, "{text}");
        }
        let open = Mapping::new(&entries, false).unwrap();
        assert_eq!(mapped(&open, "<path:kv/data/p#b>").as_deref(), Some("<path:kv/data/p#b>"));
        assert_eq!(mapped(&open, "<path:kv/data/p#a#3>"), None);
        let entries = [entry(Some("kv/data/p#/a"), None, None, Some(9))];
        for (entry_text, reference) in [
            ("kv/my doc#k", "<path:kv/data/my doc#k>"),
            ("kv/d#a:b", "<path:kv/data/d#a:b>"),
            ("kv/d#a/b", "<path:kv/data/d#a/b>"),
            ("kv/d#a/b", "ref+vault://kv/d#/a/b"),
            ("vault://kv/d#/v", "ref+vault://kv/d#/v"),
            ("k8s://v1/Secret/n/s/k", "ref+k8s://v1/Secret/n/s/k"),
            ("file://./v.yaml#/d/k", "ref+file://v.yaml#/d/k"),
        ] {
            let one = Mapping::new(&[entry(Some(entry_text), None, None, Some(9))], false).unwrap();
            assert!(mapped(&one, reference).unwrap().starts_with("ref+generated://"), "{entry_text}");
        }
        let spelled = Mapping::new(&entries, false).unwrap();
        assert_eq!(mapped(&spelled, "<path:kv/data/p#a>").as_deref(), Some("ref+generated://kv/p%23a+"));
    }

    #[test]
    fn what_is_wrong_is_told() {
        for wrong in [
            entry(None, None, Some("ref+env://X"), None),
            entry(Some("ref+env://X"), None, None, None),
            entry(Some("ref+env://X"), Some("kv"), None, Some(9)),
            entry(Some("ref+env://X"), None, None, Some(2)),
            entry(Some("x"), None, None, Some(9)),
            entry(Some("ref+env://X"), None, Some("<path:kv/p#k | base64decode>"), None),
            entry(None, Some("http://x"), Some("kv"), None),
            entry(None, Some("kv/x"), Some("ref+env://A"), None),
            entry(None, Some("kv/x"), Some("file://v.yaml"), None),
            entry(Some("ref+env://X"), None, Some("ref+generated://x"), None),
        ] {
            assert!(Mapping::new(std::slice::from_ref(&wrong), true).is_err(), "{wrong:?}");
        }
        let twice = entry(Some("ref+env://X"), None, None, Some(9));
        assert!(Mapping::new(&[twice.clone(), twice], true).is_err());
    }
}
