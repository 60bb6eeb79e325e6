//! Secrets as objects of the External Secrets Operator (<https://external-secrets.io>, v1): no value is read.

use std::collections::BTreeMap;

use lathe_manifest::{Map, Object, Value};

use crate::error::{SecretErrorKind, Why};
use crate::guard::looks_like_json;
use crate::modifier::Modifier;
use crate::provider::Resolver;
use crate::reference::{self, Address, Reference, Target, logical};
use crate::seal::{Content, Field, Seal, holds_token, secret_field};
use crate::token::{self, Piece};
use crate::{Encoding, SecretError, encoding};

/// The `ExternalSecret` that makes this Secret, and how many plain texts of the input it holds; `None` where no reference is among the
/// Secret's values.
pub fn external_secret(
    seal: &Seal,
    key: u32,
    object: &Object,
    resolver: &Resolver<'_>,
) -> Result<Option<(Value, usize)>, Vec<SecretError>> {
    if !object.is_secret() || !seal.holds_references(key, object) {
        return Ok(None);
    }
    let whole =
        |told: &str| vec![SecretError { object: seal.label(key), pointer: String::new(), kind: unfit(told) }];
    let known = ["apiVersion", "kind", "metadata", "type", "immutable", "data", "stringData"];
    let mut members = object.value.as_object().into_iter().flat_map(Map::iter);
    if members.any(|(name, _)| !known.contains(&name)) {
        return Err(whole("it has members that an ExternalSecret could not keep"));
    }
    if object.name().is_empty() {
        return Err(whole("it has only a prefix for a name, and an ExternalSecret needs a name"));
    }
    let mut making = Making { seal, resolver, store: None, remotes: BTreeMap::new(), plain: 0 };
    let (mut errors, mut data) = (Vec::new(), Map::new());
    lathe_manifest::pointer::each_string(&object.value, &mut |pointer, text| {
        let Some(field @ (Field::Data | Field::StringData)) = secret_field(pointer) else { return };
        let name = pointer.rsplit('/').next().unwrap_or_default().replace("~1", "/").replace("~0", "~");
        match making.template(key, pointer, text, field) {
            // `stringData` wins where both have a key, and comes last.
            Ok(template) => drop(data.insert(name, template.into())),
            Err(kind) => {
                errors.push(SecretError { object: seal.label(key), pointer: pointer.to_owned(), kind });
            }
        }
    });
    if !errors.is_empty() {
        return Err(errors);
    }
    let remotes = std::mem::take(&mut making.remotes);
    let Some((store, kind)) = making.store else { return Ok(None) };
    let mut template = Map::new();
    template.insert("data", Value::Object(data));
    template.insert("engineVersion", "v2".into());
    let mut kept = metadata(object, &["labels", "annotations"]);
    if !kept.is_empty() {
        // The operator takes texts of these for templates as well.
        for part in ["labels", "annotations"] {
            if let Some(Value::Object(map)) = kept.get_mut(part) {
                let text = |(name, value): (&str, &Value)| Some((name.to_owned(), escaped(value.as_str()?)));
                let texts: Vec<(String, String)> = map.iter().filter_map(text).collect();
                for (name, text) in texts {
                    map.insert(name, text.into());
                }
            }
        }
        template.insert("metadata", Value::Object(kept));
    }
    if let Some(kind) = object.value.get("type") {
        template.insert("type", kind.clone());
    }
    let mut target = Map::new();
    target.insert("name", object.name().into());
    target.insert("creationPolicy", "Owner".into());
    if let Some(immutable) = object.value.get("immutable") {
        target.insert("immutable", immutable.clone());
    }
    target.insert("template", Value::Object(template));
    let mut store_ref = Map::new();
    store_ref.insert("name", store.into());
    store_ref.insert("kind", kind.into());
    let mut spec = Map::new();
    spec.insert("secretStoreRef", Value::Object(store_ref));
    spec.insert("target", Value::Object(target));
    spec.insert("data", Value::Array(remotes.into_values().collect()));
    let mut external = Map::new();
    external.insert("apiVersion", "external-secrets.io/v1".into());
    external.insert("kind", "ExternalSecret".into());
    external.insert("metadata", Value::Object(metadata(object, &["name", "namespace", "labels"])));
    external.insert("spec", Value::Object(spec));
    let external = Value::Object(external);
    if holds_token(&external) {
        return Err(whole("a secret stands outside of its values, where an ExternalSecret has none"));
    }
    Ok(Some((external, making.plain)))
}

/// These members of an object's metadata, without what Lathe and kubectl note for themselves.
fn metadata(object: &Object, names: &[&str]) -> Map {
    let mut kept = Map::new();
    for name in names {
        let Some(mut value) = object.value.get("metadata").and_then(|metadata| metadata.get(name)).cloned()
        else {
            continue;
        };
        if let Value::Object(map) = &mut value {
            map.remove("lathe.dev/secrets");
            map.remove("kubectl.kubernetes.io/last-applied-configuration");
            if map.is_empty() {
                continue;
            }
        }
        kept.insert(*name, value);
    }
    kept
}

/// An `ExternalSecret` under way.
struct Making<'a> {
    seal: &'a Seal,
    resolver: &'a Resolver<'a>,
    store: Option<(String, String)>,
    /// By the name that the template calls it.
    remotes: BTreeMap<String, Value>,
    /// How many plain texts of the input stand in it.
    plain: usize,
}

impl Making<'_> {
    /// A field as a Go template over the values that are fetched.
    fn template(
        &mut self,
        key: u32,
        pointer: &str,
        text: &str,
        field: Field,
    ) -> Result<String, SecretErrorKind> {
        let within = self.seal.sealed_within(key, pointer, text);
        let mut inner = within.as_deref().unwrap_or(text);
        let mut encoded = field == Field::StringData || within.is_some();
        while let Some(Content::Encoded(deeper, Encoding::Base64)) =
            self.seal.tokens.get(inner).map(|issued| &issued.content)
        {
            inner = deeper;
            encoded = true;
        }
        if !encoded {
            return self.plain_data(inner);
        }
        let (mut out, mut plain) = (String::new(), String::new());
        let pieces = token::pieces(inner);
        for (index, piece) in pieces.iter().enumerate() {
            let token = match piece {
                Piece::Text(text) => {
                    plain.push_str(text);
                    continue;
                }
                Piece::Broken(_) => return Err(SecretErrorKind::Forged),
                Piece::Token(token) => *token,
            };
            match self.seal.tokens.get(token).map(|issued| &issued.content) {
                Some(Content::Plain(value)) => {
                    self.plain += 1;
                    plain.push_str(value);
                }
                Some(Content::Reference(reference)) => {
                    let before = std::mem::take(&mut plain);
                    if looks_like_json(&format!("{out}{before}")) {
                        return Err(unfit(
                            "it stands in what looks like JSON, which a template would not keep",
                        ));
                    }
                    out.push_str(&escaped(&reference::unescape(&before)));
                    let name = self.remote(reference)?;
                    let behind = pieces.get(index + 1);
                    let ends_line = behind.is_some_and(|piece| self.seal.starts_line(piece));
                    out.push_str(&in_lines(&name, &before, behind.is_none(), ends_line));
                }
                _ => {
                    return Err(unfit(
                        "it is encoded in a way that a template of External Secrets does not know",
                    ));
                }
            }
        }
        out.push_str(&escaped(&reference::unescape(&plain)));
        Ok(out)
    }

    /// A field of `data` that is written as it is there: base64, or a reference to some.
    fn plain_data(&mut self, text: &str) -> Result<String, SecretErrorKind> {
        match self.seal.tokens.get(text).map(|issued| &issued.content) {
            None if text.is_empty() => Ok(String::new()),
            Some(Content::Plain(value)) => {
                self.plain += 1;
                let bytes =
                    encoding::decode(value).ok_or_else(|| unfit("`data` holds base64, and this is none"))?;
                let text = String::from_utf8(bytes);
                let text = text.map_err(|_| unfit("bytes that are no text cannot stand in a template"))?;
                Ok(escaped(&reference::unescape(&text)))
            }
            Some(Content::Reference(reference)) => {
                // What avp and vals put into `data` as it is, is base64.
                let mut decoded = (**reference).clone();
                match decoded.modifiers.last() {
                    Some(Modifier::Base64Encode) => drop(decoded.modifiers.pop()),
                    _ => decoded.modifiers.push(Modifier::Base64Decode),
                }
                self.remote(&decoded).map(|name| format!("{{{{ .{name} }}}}"))
            }
            _ => Err(unfit("a reference within base64 that is not opened cannot stand in a template")),
        }
    }

    /// Asks for the value of a reference, and gives the name that the template has for it.
    fn remote(&mut self, reference: &Reference) -> Result<String, SecretErrorKind> {
        let told = |why| SecretErrorKind::Resolve { reference: reference.text.to_string(), why };
        let Target::Store(address) = &reference.target else {
            return Err(told(Why::Type(
                "only what lies in OpenBao or Vault can be left to External Secrets".to_owned(),
            )));
        };
        let store = self.resolver.store_of(address).map_err(told)?;
        let store = (store.name.clone(), store.kind.clone());
        if self.store.get_or_insert_with(|| store.clone()) != &store {
            return Err(told(Why::Type(
                "the values of one Secret come from one store of External Secrets".to_owned(),
            )));
        }
        let decoded = match reference.modifiers.as_slice() {
            [] => false,
            [Modifier::Base64Decode] => true,
            _ => return Err(told(Why::Type("External Secrets know no such modifier".to_owned()))),
        };
        if reference.missing.is_some() {
            return Err(told(Why::Type("External Secrets know no value that may be missing".to_owned())));
        }
        let Address { path, key, version, namespace, .. } = address;
        let refused = |why: &str| Err(told(Why::Type(why.to_owned())));
        if namespace.is_some() {
            return refused("a store of External Secrets has one namespace, and a reference names another");
        }
        let is_plain =
            |part: &String| part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if !key.iter().all(is_plain) {
            return refused("its key has characters that External Secrets take for a way");
        }
        // The operator's store names the mount, and takes paths with or without it.
        let mut remote = Map::new();
        remote.insert("key", logical(path).into());
        remote.insert("property", key.join(".").into());
        if let Some(version) = version {
            remote.insert("version", version.to_string().into());
        }
        if decoded {
            remote.insert("decodingStrategy", "Base64".into());
        }
        let address = reference.target.address();
        let digest = lathe_manifest::digest::of_parts(&[address.as_bytes(), &[u8::from(decoded)]]);
        let name = format!("v{}", lathe_manifest::digest::base32(&digest, 12));
        let mut entry = Map::new();
        entry.insert("secretKey", name.as_str().into());
        entry.insert("remoteRef", Value::Object(remote));
        self.remotes.insert(name.clone(), Value::Object(entry));
        Ok(name)
    }
}

/// The value of this name in a template. One of several lines that stands alone on a line takes its indentation, as when it is filled.
fn in_lines(name: &str, before: &str, is_last: bool, ends_line: bool) -> String {
    let indent = before.rsplit('\n').next().unwrap_or_default();
    let is_alone = (ends_line || is_last) && before.contains('\n') && indent.bytes().all(|b| b == b' ');
    if !is_alone {
        return format!("{{{{ .{name} }}}}");
    }
    let trimmed = if ends_line { " | trimSuffix \"\\n\"" } else { "" };
    format!("{{{{ .{name}{trimmed} | replace \"\\n\" \"\\n{indent}\" }}}}")
}

/// Text that a Go template prints as it is.
fn escaped(text: &str) -> String {
    let text = text.replace("{{", "{{ \"{{\" }}");
    // One brace at the end would join those of what comes next.
    match text.strip_suffix('{') {
        Some(before) => format!("{before}{{{{ \"{{\" }}}}"),
        None => text,
    }
}

fn unfit(told: &str) -> SecretErrorKind {
    SecretErrorKind::Unfit(Why::Type(told.to_owned()))
}
