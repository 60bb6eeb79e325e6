//! Secrets encrypted as sops encrypts them, for age: only what stands in `data` and `stringData`.
//!
//! An encrypted value is another one each time. What an earlier output holds is kept where an object is the same.

use std::io::Write as _;
use std::str::FromStr as _;

use age::armor::{ArmoredWriter, Format};
use age::x25519::{Identity, Recipient};
use lathe_manifest::{Map, Object, Value};
use zeroize::Zeroizing;

use super::cipher::{self, DataKey};
use super::mac::Digest;
use super::scalar::{Kind, Scalar};
use super::{Branch, Tree, yaml};
use crate::error::Why;
use crate::provider::Surroundings;

/// What sops calls its own; Flux and sops ask for no more than this.
const VERSION: &str = "3.13.0";
/// The fields that are encrypted.
const REGEX: &str = "^(data|stringData)$";

/// For whom values are encrypted.
#[derive(Clone)]
pub struct Recipients(Vec<(String, Recipient)>);

/// An earlier output.
pub struct Previous {
    documents: Vec<(Value, Branch)>,
    identities: Vec<Identity>,
}

impl Recipients {
    /// Reads `age1…` recipients.
    pub fn parse(texts: &[String]) -> Result<Self, String> {
        let mut recipients = Vec::new();
        for text in
            texts.iter().flat_map(|text| text.split(',')).map(str::trim).filter(|text| !text.is_empty())
        {
            let recipient = Recipient::from_str(text)
                .map_err(|_| "a recipient of age is `age1…`, and one that is given is not".to_owned())?;
            recipients.push((text.to_owned(), recipient));
        }
        if recipients.is_empty() {
            Err("no recipient of age is named".to_owned())
        } else {
            Ok(Self(recipients))
        }
    }
}

impl Previous {
    /// Reads an earlier output: YAML documents, of which some are encrypted. Without an identity that opens them nothing is kept.
    pub fn parse(text: &str, around: &Surroundings<'_>) -> Result<Self, Why> {
        let told = |why: String| Why::Decrypt(format!("the earlier output: {why}"));
        let trees = yaml::trees(text).map_err(told)?;
        let mut documents = Vec::new();
        for tree in trees {
            if let Tree::Map(branch) = tree {
                documents.push((value(&Tree::Map(branch.clone())), branch));
            }
        }
        Ok(Self { documents, identities: super::identities(around)? })
    }

    /// The document of the same object, decrypted: as it stood, and as it is.
    fn of(&self, object: &Object) -> Option<(&Value, Branch)> {
        let same = |value: &Value| {
            ["apiVersion", "kind"].iter().all(|name| value.get(name) == object.value.get(name))
                && ["name", "namespace"]
                    .iter()
                    .all(|name| value.str_at(&["metadata", name]) == object.value.str_at(&["metadata", name]))
        };
        let (stood, branch) = self.documents.iter().find(|(value, _)| same(value))?;
        let mut branch = branch.clone();
        let at = branch.iter().position(|(key, _)| key == "sops")?;
        let (_, Tree::Map(own)) = branch.remove(at) else { return None };
        let metadata = super::Metadata::read(&own).ok()?;
        let key = metadata.data_key(&self.identities).ok()?;
        let opened = super::mac::open(&[branch], &metadata, &key).ok()?.into_iter().next()?;
        Some((stood, opened))
    }
}

/// An object with its values encrypted and its `sops`. `now` is the time as RFC 3339 has it.
///
/// An object that an earlier output holds unchanged stays as it is there. One that changed gets a new key: whoever wrote the earlier
/// output may know its key, for anybody can encrypt one for a recipient.
pub fn encrypt(
    object: &Object,
    recipients: &Recipients,
    previous: Option<&Previous>,
    now: &str,
) -> Result<Value, Why> {
    let told = |why: String| Why::Decrypt(format!("it cannot be encrypted: {why}"));
    if object.value.get("sops").is_some() {
        return Err(told("it has a member `sops` of its own".to_owned()));
    }
    if let Some((stood, opened)) = previous.and_then(|previous| previous.of(object))
        && is_ours(stood, recipients)
        && value(&Tree::Map(opened)) == object.value
    {
        return Ok(stood.clone());
    }
    let key = fresh_key().map_err(told)?;
    let mut digest = Digest::new(false);
    let sealed = seal(&object.value, &mut Vec::new(), &key, &mut digest).map_err(told)?;
    let Value::Object(mut map) = sealed else { return Err(told("it is no object".to_owned())) };
    let mac = cipher::seal(digest.finish().as_bytes(), &key, now).map_err(told)?;
    let own = [
        ("age", stanzas(&key, recipients).map_err(told)?),
        ("encrypted_regex", REGEX.into()),
        ("lastmodified", now.into()),
        ("mac", mac.into()),
        ("version", VERSION.into()),
    ];
    let mut sops = Map::new();
    for (name, value) in own {
        sops.insert(name, value);
    }
    map.insert("sops", Value::Object(sops));
    Ok(Value::Object(map))
}

/// Whether a document is one that Lathe would write: for the same recipients, by its own rule, with every value encrypted.
fn is_ours(stood: &Value, recipients: &Recipients) -> bool {
    let Some(sops) = stood.get("sops").and_then(Value::as_object) else { return false };
    let names: Vec<&str> = sops.iter().map(|(name, _)| name).collect();
    let wanted: Vec<String> = recipients.0.iter().map(|(text, _)| text.clone()).collect();
    let is_sealed = |value: &Value| match value {
        Value::String(text) => text.is_empty() || text.starts_with("ENC[AES256_GCM,"),
        Value::Null => true,
        _ => false,
    };
    let values = ["data", "stringData"].iter().filter_map(|field| stood.get(field)?.as_object());
    names == ["age", "encrypted_regex", "lastmodified", "mac", "version"]
        && stood.str_at(&["sops", "encrypted_regex"]) == Some(REGEX)
        && recipients_of(stood) == wanted
        && values.flat_map(Map::iter).all(|(_, value)| is_sealed(value))
}

fn fresh_key() -> Result<DataKey, String> {
    let mut key = Zeroizing::new(vec![0_u8; 32]);
    getrandom::fill(&mut key).map_err(|_| "the system gives no randomness".to_owned())?;
    Ok(key)
}

/// The value with the leaves encrypted that the rule is about, all of them in the MAC.
fn seal(part: &Value, path: &mut Vec<String>, key: &DataKey, digest: &mut Digest) -> Result<Value, String> {
    match part {
        Value::Object(map) => {
            let mut out = Map::new();
            for (name, part) in map.iter() {
                path.push(name.to_owned());
                out.insert(name, seal(part, path, key, digest)?);
                path.pop();
            }
            Ok(Value::Object(out))
        }
        Value::Array(items) => {
            let items: Result<_, _> = items.iter().map(|item| seal(item, path, key, digest)).collect();
            Ok(Value::Array(items?))
        }
        leaf => {
            digest.add(&scalar(leaf));
            // sops looks at every part of the path, not at the first alone.
            let sealed = path.iter().any(|name| name == "data" || name == "stringData");
            match leaf {
                Value::String(text) if sealed && !text.is_empty() => {
                    cipher::seal(text.as_bytes(), key, &format!("{}:", path.join(":"))).map(Value::from)
                }
                Value::Bool(_) | Value::Number(_) if sealed => Err("a value of it is no text".to_owned()),
                other => Ok(other.clone()),
            }
        }
    }
}

fn scalar(value: &Value) -> Scalar {
    match value {
        Value::String(text) => Scalar::text(&**text),
        Value::Bool(true) => Scalar::plain("true"),
        Value::Bool(false) => Scalar::plain("false"),
        // As YAML writes the number, read as sops would.
        Value::Number(number) => Scalar::plain(&number.to_string()),
        _ => Scalar::plain(""),
    }
}

/// The data key, for each recipient.
fn stanzas(key: &DataKey, recipients: &Recipients) -> Result<Value, String> {
    let one = |(text, recipient): &(String, Recipient)| -> Option<Value> {
        let encryptor =
            age::Encryptor::with_recipients(std::iter::once(recipient as &dyn age::Recipient)).ok()?;
        let mut out = Vec::new();
        let armor = ArmoredWriter::wrap_output(&mut out, Format::AsciiArmor).ok()?;
        let mut writer = encryptor.wrap_output(armor).ok()?;
        writer.write_all(key).ok()?;
        writer.finish().and_then(ArmoredWriter::finish).ok()?;
        let mut map = Map::new();
        map.insert("enc", String::from_utf8(out).ok()?.into());
        map.insert("recipient", text.as_str().into());
        Some(Value::Object(map))
    };
    let all: Option<Vec<Value>> = recipients.0.iter().map(one).collect();
    all.map(Value::Array).ok_or_else(|| "age fails".to_owned())
}

fn recipients_of(value: &Value) -> Vec<String> {
    let list =
        value.get("sops").and_then(|sops| sops.get("age")).and_then(Value::as_array).unwrap_or_default();
    list.iter().filter_map(|entry| entry.str_at(&["recipient"]).map(ToOwned::to_owned)).collect()
}

/// A tree as a manifest has it.
fn value(tree: &Tree) -> Value {
    match tree {
        Tree::Map(branch) => {
            let mut map = Map::new();
            for (key, tree) in branch {
                map.insert(key.as_str(), value(tree));
            }
            Value::Object(map)
        }
        Tree::List(items) => Value::Array(items.iter().map(value).collect()),
        Tree::Comment => Value::Null,
        Tree::Leaf(leaf) => {
            let text = leaf.text.text().unwrap_or_default();
            match leaf.kind {
                Kind::Null => Value::Null,
                Kind::Bool => Value::Bool(text == "true"),
                Kind::Int | Kind::Float => lathe_manifest::json::parse(text).unwrap_or_else(|_| text.into()),
                Kind::Text | Kind::Time => text.into(),
            }
        }
    }
}
