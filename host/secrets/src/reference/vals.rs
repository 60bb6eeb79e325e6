//! The grammar of vals.

use super::{Address, Generated, Reference, Shape, Target, check_path};
use crate::modifier::Modifier;

/// Names that vals takes and that would let a manifest say whom to log in to, and as whom.
const FOR_THE_PIPELINE: &[&str] = &[
    "address",
    "proto",
    "auth_method",
    "role_id",
    "secret_id",
    "secret_id_env",
    "token_env",
    "token_file",
    "role",
    "role_env",
    "username",
    "username_env",
    "password_env",
    "password_file",
    "kubeConfigPath",
    "kubeContext",
    "inCluster",
    "key_type",
];

/// What the query says.
#[derive(Default)]
struct Query {
    instance: Option<String>,
    namespace: Option<String>,
    version: Option<u64>,
    decode: bool,
    encode: bool,
    json: bool,
    trim: bool,
    missing: Option<String>,
    shape: Shape,
}

/// `ref+SCHEME://PATH?QUERY#/KEY`.
pub(super) fn parse(text: &str) -> Result<Reference, String> {
    let body = text
        .strip_prefix("secret")
        .unwrap_or(text)
        .strip_prefix("ref+")
        .ok_or("it does not start with `ref+`")?;
    let body = body.strip_suffix('+').unwrap_or(body);
    let (scheme, rest) = body.split_once("://").ok_or("it has no `://`")?;
    if rest.contains("ref+") {
        return Err("a reference within a reference is not followed".to_owned());
    }
    let (rest, fragment) = match rest.split_once('#') {
        Some((_, fragment)) if fragment.trim_matches('/').is_empty() => {
            return Err("its `#` names no key".to_owned());
        }
        Some(split) => split,
        None => (rest, ""),
    };
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let path = decoded(path)?;
    let key =
        fragment.split('/').filter(|part| !part.is_empty()).map(decoded).collect::<Result<Vec<_>, _>>()?;
    if key.iter().any(|part| part.chars().any(char::is_control)) {
        return Err("its key holds a control character".to_owned());
    }
    let query = Query::parse(query)?;
    let target = target(scheme, path, key, &query)?;
    let steps = [
        (query.decode, Modifier::Base64Decode),
        (query.trim, Modifier::TrimNewline),
        (query.encode, Modifier::Base64Encode),
        (query.json, Modifier::JsonEscape),
    ];
    let modifiers = steps.into_iter().filter(|(wanted, _)| *wanted).map(|(_, step)| step).collect();
    Ok(Reference { modifiers, missing: query.missing, shape: query.shape, ..Reference::plain(text, target) })
}

fn target(scheme: &str, path: String, key: Vec<String>, query: &Query) -> Result<Target, String> {
    let only_store = match query {
        Query { version: Some(_), .. } => Some("version"),
        Query { namespace: Some(_), .. } => Some("namespace"),
        _ => None,
    };
    if let (Some(name), false) = (only_store, matches!(scheme, "vault" | "openbao")) {
        return Err(format!("`{name}` is for `ref+vault` and `ref+openbao`"));
    }
    if query.instance.is_some() && !matches!(scheme, "vault" | "openbao" | "env") {
        return Err(format!("`ref+{scheme}` takes no instance"));
    }
    match scheme {
        "file" | "sops" if path.trim_start_matches("./").is_empty() => Err("it names no file".to_owned()),
        "file" => Ok(Target::File { path: path.trim_start_matches("./").to_owned(), key }),
        "sops" => Ok(Target::Sops { path: path.trim_start_matches("./").to_owned(), key }),
        "env" if key.is_empty() && is_variable(&path) => {
            Ok(Target::Env { instance: query.instance.clone(), name: path })
        }
        "env" => Err("`ref+env` names one variable, of letters, digits and `_`".to_owned()),
        "k8s" => cluster(&path, &key),
        // What a review's render writes for what only an apply makes; the pipeline says how.
        "generated" if key.is_empty() && !path.is_empty() => {
            Ok(Target::Generated(Generated { name: path, length: 0, alphabet: String::new() }))
        }
        "vault" | "openbao" => {
            check_path(&path)?;
            if !path.contains('/') {
                return Err("its path has no document behind the mount".to_owned());
            }
            if key.is_empty() {
                return Err("it has no `#/key`".to_owned());
            }
            Ok(Target::Store(Address {
                instance: query.instance.clone(),
                path,
                key,
                version: query.version,
                namespace: query.namespace.clone(),
            }))
        }
        _ => Err("there is no provider for its scheme; there are env, file, k8s, openbao, sops and vault"
            .to_owned()),
    }
}

/// `v1/Secret/NAMESPACE/NAME/KEY`, as in vals.
fn cluster(path: &str, key: &[String]) -> Result<Target, String> {
    check_path(path)?;
    let parts: Vec<&str> = path.split('/').collect();
    match (parts.as_slice(), key) {
        (["v1", "Secret", namespace, name, key], []) => Ok((namespace, name, (*key).to_owned())),
        (["v1", "Secret", namespace, name], [key]) => Ok((namespace, name, key.clone())),
        _ => Err("`ref+k8s` is `ref+k8s://v1/Secret/NAMESPACE/NAME/KEY`".to_owned()),
    }
    .map(|(namespace, name, key)| Target::Cluster {
        namespace: (*namespace).to_owned(),
        name: (*name).to_owned(),
        key,
    })
}

impl Query {
    fn parse(text: &str) -> Result<Self, String> {
        let mut query = Self::default();
        let mut seen = std::collections::BTreeSet::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or("its query has a part without `=`")?;
            if !seen.insert(name) {
                return Err("its query says one thing twice".to_owned());
            }
            let value = decoded(value)?;
            match (name, value.as_str()) {
                ("instance", name) if !name.is_empty() => query.instance = Some(value),
                // A server takes many spellings for one namespace, and `..` for the one above.
                ("namespace", name) => {
                    check_path(name)?;
                    if name.trim() != name || name.eq_ignore_ascii_case("root") {
                        return Err("its namespace has a space at an end, or is the root".to_owned());
                    }
                    query.namespace = Some(value);
                }
                ("version", number) => {
                    query.version = Some(super::version(number)?);
                }
                ("decode", "base64") => query.decode = true,
                ("encoding", "base64") => query.encode = true,
                ("encoding", "json") => query.json = true,
                ("encoding", "raw") | ("type", "string") | ("optional", "false") => {}
                ("trim", "nl") => query.trim = true,
                ("optional", "true") => drop(query.missing.get_or_insert_default()),
                ("default", _) => query.missing = Some(value),
                ("type", "int") => query.shape = Shape::Int,
                ("type", "bool") => query.shape = Shape::Bool,
                ("type", "json") => query.shape = Shape::Json,
                (name, _) if FOR_THE_PIPELINE.contains(&name) => {
                    return Err(format!(
                        "`{name}` is for the pipeline to say, under `secrets.providers`; `instance=NAME` names one"
                    ));
                }
                _ => {
                    return Err("its query may say instance, namespace, version, decode=base64, encoding=base64|json|raw, type=string|int|bool|json, trim=nl, optional=true and default".to_owned());
                }
            }
        }
        Ok(query)
    }
}

/// Without `%XX` (RFC 3986, section 2.1).
fn decoded(text: &str) -> Result<String, String> {
    let wrong = || "its `%` is not followed by two hexadecimal digits of UTF-8".to_owned();
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16)).ok_or_else(wrong);
        let value = digit()? * 16 + digit()?;
        bytes.push(u8::try_from(value).map_err(|_| wrong())?);
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
