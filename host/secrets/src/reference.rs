//! The grammar of references, on parsed text only.
//!
//! ```text
//! vals    := ["secret"] "ref+" SCHEME "://" PATH ["?" NAME "=" VALUE {"&" …}] ["#" ["/"] KEY {"/" KEY}] ["+"]
//! avp     := "<path:" PATH "#" KEY ["#" VERSION] {"|" MODIFIER} ">"
//! generic := "<" KEY {"|" MODIFIER} ">"          only in objects annotated `avp.kubernetes.io/path`
//! ```
//!
//! vals: <https://github.com/helmfile/vals>; avp: <https://argocd-vault-plugin.readthedocs.io>. `$$` before a reference of vals makes
//! it text. The built-in secrets plugin has a finder of its own in the sandbox. It is kept apart on purpose: this one checks
//! that one, and a mistake that both shared would go unseen.

mod avp;
mod find;
mod vals;

pub use find::{Keys, find, find_generic, has_brackets, looks_like_generic, may_stand_in, residue, unescape};

use crate::encoding::Encoding;
use crate::modifier::Modifier;

/// A reference that is well-formed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// As written; what `refs` writes again.
    pub text: Box<str>,
    /// What it asks for.
    pub target: Target,
    /// What is done to the value, in order.
    pub modifiers: Vec<Modifier>,
    /// What stands in for a value that is not there: nothing, or this text. `None` where a missing value is an error.
    pub missing: Option<String>,
    /// What the value is outside of Secrets, where it is not text.
    pub shape: Shape,
    /// Whether the environment put it in the place of another.
    pub is_mapped: bool,
}

/// What a value is, in a field that is not a Secret's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// Text.
    #[default]
    Text,
    /// A whole number.
    Int,
    /// `true` or `false`.
    Bool,
    /// Whatever the JSON that it holds is.
    Json,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// A key of a document of a store.
    Store(Address),
    /// A variable of the process environment, through an instance of type `env`.
    Env {
        /// The instance; where it is not named there must be just one.
        instance: Option<String>,
        /// The variable's name.
        name: String,
    },
    /// A file below the pipeline's folder, or a value in it.
    File {
        /// The relative path.
        path: String,
        /// The way to the value in the file; empty for the whole file.
        key: Vec<String>,
    },
    /// A file below the pipeline's folder that sops encrypted.
    Sops {
        /// The relative path.
        path: String,
        /// The way to the value in the file; empty for all of it.
        key: Vec<String>,
    },
    /// A key of a Secret of the cluster.
    Cluster {
        /// The Secret's namespace.
        namespace: String,
        /// The Secret's name.
        name: String,
        /// The key in its `data`.
        key: String,
    },
    /// A value that is made at random once for an environment.
    Generated(Generated),
}

/// A key of a document of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// The provider instance, where the reference names one.
    pub instance: Option<String>,
    /// The path of the document, mount first; of avp with the `data/` of Vault's API behind that.
    pub path: String,
    /// The way to the value in the document.
    pub key: Vec<String>,
    /// The version of the document; the newest where it is left out.
    pub version: Option<u64>,
    /// The namespace of the store (Vault Enterprise, `OpenBao` 2.3).
    pub namespace: Option<String>,
}

/// A value that is made at random.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generated {
    /// What it stands in for: the address of the reference.
    pub name: String,
    /// How many characters it has.
    pub length: usize,
    /// The characters it is made of.
    pub alphabet: String,
}

/// What an object's annotations say of the references in it (avp).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Generic {
    /// `avp.kubernetes.io/path`.
    pub path: String,
    /// `avp.kubernetes.io/secret-version`.
    pub version: Option<String>,
    /// `avp.kubernetes.io/remove-missing`.
    pub remove_missing: bool,
}

impl Reference {
    /// Reads one reference's text; `generic` is what the object that holds it says. `Err` says what is wrong, in one clause.
    pub fn parse(text: &str, generic: Option<&Generic>) -> Result<Self, String> {
        if let Some(body) = text.strip_prefix("<path:").and_then(|rest| rest.strip_suffix('>')) {
            return avp::inline(text, body);
        }
        if let Some(body) = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')) {
            let generic =
                generic.ok_or("the object has no annotation `avp.kubernetes.io/path`, which it needs")?;
            return avp::generic(text, body, generic);
        }
        vals::parse(text)
    }

    pub(crate) fn plain(text: &str, target: Target) -> Self {
        Self {
            text: text.into(),
            target,
            modifiers: Vec::new(),
            missing: None,
            shape: Shape::Text,
            is_mapped: false,
        }
    }
}

impl Target {
    /// What tells it from all others, whichever grammar it was written in: instance, namespace in brackets, path, key and version.
    /// All but the usual characters are `%XX`, so that no two targets share one.
    pub fn address(&self) -> String {
        let key = |key: &[String]| {
            let parts: Vec<String> = key.iter().map(|part| percent(part).replace('/', "%2F")).collect();
            if parts.is_empty() { String::new() } else { format!("#{}", parts.join("/")) }
        };
        match self {
            Self::Store(Address { instance, path, key: way, version, namespace }) => {
                let instance =
                    instance.as_ref().map(|name| format!("{}:", percent(name))).unwrap_or_default();
                let namespace =
                    namespace.as_ref().map(|name| format!("[{}]", percent(name))).unwrap_or_default();
                let version = version.map(|version| format!("#{version}")).unwrap_or_default();
                format!("{instance}{namespace}{}{}{version}", percent(&logical(path)), key(way))
            }
            Self::Env { instance: None, name } => format!("env://{name}"),
            Self::Env { instance: Some(instance), name } => {
                format!("env://{name}?instance={}", percent(instance))
            }
            Self::File { path, key: way } => format!("file://{}{}", percent(path), key(way)),
            Self::Sops { path, key: way } => format!("sops://{}{}", percent(path), key(way)),
            Self::Cluster { namespace, name, key } => {
                format!("k8s://v1/Secret/{}/{}#{}", percent(namespace), percent(name), percent(key))
            }
            Self::Generated(generated) => format!("generated://{}", generated.name),
        }
    }

    /// The same without a version, which is of one document alone.
    pub(crate) fn without_version(&self) -> Self {
        let mut target = self.clone();
        if let Self::Store(address) = &mut target {
            address.version = None;
        }
        target
    }
}

/// A path with all but unreserved characters and `/` as `%XX` (RFC 3986).
pub(crate) fn percent(path: &str) -> String {
    Encoding::Percent.encode(path).replace("%2F", "/")
}

/// Whether a path is a folder's own, or below it.
pub(crate) fn is_within(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether an address is at a path, or below it, with any key.
pub(crate) fn is_at(address: &str, path: &str) -> bool {
    address
        .strip_prefix(path)
        .is_some_and(|rest| rest.is_empty() || path.ends_with('/') || rest.starts_with(['/', '#']))
}

/// Where in a path or key text would lead elsewhere or nowhere.
pub(crate) fn check_path(path: &str) -> Result<(), String> {
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err("its path has an empty part, or one that leads upwards".to_owned());
    }
    if path.chars().any(char::is_control) {
        return Err("its path holds a control character".to_owned());
    }
    Ok(())
}

/// The number of a version; stores count from one.
fn version(text: &str) -> Result<u64, String> {
    let sound = text.starts_with(|c: char| matches!(c, '1'..='9'));
    text.parse().ok().filter(|_| sound).ok_or_else(|| "its version is no number from one on".to_owned())
}

/// `kv/data/portal` and `kv/portal` are one document of mount `kv`.
pub(crate) fn logical(path: &str) -> String {
    match path.split_once('/') {
        Some((mount, rest)) => format!("{mount}/{}", rest.strip_prefix("data/").unwrap_or(rest)),
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> Target {
        Reference::parse(text, None).unwrap().target
    }

    fn store(path: &str, key: &[&str]) -> Address {
        Address { path: path.into(), key: key.iter().map(|&k| k.into()).collect(), ..Address::default() }
    }

    #[test]
    fn what_is_asked_for_is_read() {
        assert_eq!(target("<path:kv/data/portal#db>"), Target::Store(store("kv/data/portal", &["db"])));
        assert_eq!(target("ref+vault://kv/portal#/a/b"), Target::Store(store("kv/portal", &["a", "b"])));
        assert_eq!(
            target("ref+openbao://kv/p%20q?instance=b&version=3&namespace=t#/a+"),
            Target::Store(Address {
                instance: Some("b".into()),
                version: Some(3),
                namespace: Some("t".into()),
                ..store("kv/p q", &["a"])
            })
        );
        assert_eq!(
            target("<path:kv/p#k#7>"),
            Target::Store(Address { version: Some(7), ..store("kv/p", &["k"]) })
        );
        let key = vec!["a".to_owned()];
        assert_eq!(
            target("ref+file://./x.yaml#/a"),
            Target::File { path: "x.yaml".into(), key: key.clone() }
        );
        assert_eq!(target("ref+sops://x.yaml#/a"), Target::Sops { path: "x.yaml".into(), key });
        assert_eq!(target("ref+env://X+"), Target::Env { instance: None, name: "X".into() });
        assert_eq!(
            target("ref+k8s://v1/Secret/ns/name/key"),
            Target::Cluster { namespace: "ns".into(), name: "name".into(), key: "key".into() }
        );
        let both = ["<path:kv/data/p#a | base64decode>", "secretref+vault://kv/p#/a"]
            .map(|text| target(text).address());
        assert_eq!(both, ["kv/p#a", "kv/p#a"]);
    }

    #[test]
    fn what_is_done_to_a_value_is_read() {
        let read = |text| Reference::parse(text, None).unwrap();
        assert_eq!(read("<path:kv/p#k | base64decode|  indent 4>").modifiers.len(), 2);
        assert_eq!(
            read("ref+vault://kv/p?decode=base64&encoding=base64&trim=nl&type=int#/k").modifiers.len(),
            3
        );
        assert_eq!(read("ref+vault://kv/p?type=int#/k").shape, Shape::Int);
        assert_eq!(read("ref+vault://kv/p?optional=true#/k").missing.as_deref(), Some(""));
        assert_eq!(read("ref+vault://kv/p?default=a%20b#/k").missing.as_deref(), Some("a b"));
        assert_eq!(read("<path:kv/p#k | jsonPath {.a|b} | jsonParse>").shape, Shape::Json);
    }

    #[test]
    fn generic_ones_need_the_annotation() {
        let generic = Generic { path: "kv/data/p".into(), version: Some("2".into()), remove_missing: true };
        let read = Reference::parse("< db-password | base64encode >", Some(&generic)).unwrap();
        assert_eq!(
            read.target,
            Target::Store(Address { version: Some(2), ..store("kv/data/p", &["db-password"]) })
        );
        assert_eq!(read.missing.as_deref(), Some(""));
        assert!(Reference::parse("<k>", None).is_err());
        assert!(Reference::parse("<k>", Some(&Generic { path: "kv".into(), ..generic })).is_err());
    }

    #[test]
    fn what_is_malformed_is_told() {
        for text in [
            "<path:kv/p>",
            "<path:kv#k>",
            "<path:kv/p#k|rot13>",
            "<path:kv/p#k#x>",
            "<path:kv/../sys/p#k>",
            "<path:kv//p#k>",
            "<path:kv/p#k | indent>",
            "<path:kv/p#k | jsonPath {.a[?(@.b)]}>",
            "ref+gopher://x",
            "ref+exec://x",
            "ref+echo://x",
            "ref+env://",
            "ref+vault://kv/p",
            "ref+vault://kv/%2e%2e/p#/k",
            "ref+vault://kv/p?version=x#/k",
            "ref+vault://kv/p?version=1&version=2#/k",
            "ref+vault://kv/p?type=xml#/k",
            "ref+vault://kv/p%zz#/k",
            "ref+vault://kv/ref+env://X",
            "ref+file://x?y=z",
            "ref+file://x#",
            "ref+file://x#/",
            "ref+env://A:b@c",
            "ref+k8s://v1/ConfigMap/ns/name/key",
            "ref+vault:kv",
        ] {
            assert!(Reference::parse(text, None).is_err(), "{text}");
        }
        let told = Reference::parse("ref+vault://kv/p?address=http://evil#/k", None).unwrap_err();
        assert!(told.contains("instance"), "{told}");
    }
}
