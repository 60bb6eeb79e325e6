//! Values that a cluster has, for the time that a store is down.
//!
//! A Secret that Lathe applied notes for each of its keys which reference it was made of. Where a reference cannot be read for an
//! outage and is the same, what the cluster has may stay.

use std::collections::BTreeMap;

use lathe_manifest::{Object, Pointer, digest, json, pointer};

use crate::bytes::SecretBytes;
use crate::error::Why;
use crate::reference::Reference;
use crate::seal::{Content, Field, Seal, secret_field};

/// Notes which reference each key of a Secret was made of.
pub const REFERENCES_ANNOTATION: &str = "lathe.dev/references";

/// A Secret of a cluster, and what it notes of its references.
pub struct LiveSecret {
    /// Its `data`, decoded.
    pub data: BTreeMap<String, SecretBytes>,
    /// The annotation [`REFERENCES_ANNOTATION`].
    pub references: Option<String>,
}

/// Reads a Secret of a cluster, if there is one, by namespace and name; the namespace is empty where the object names none.
pub type Live<'a> = &'a (dyn Fn(&str, &str) -> Result<Option<LiveSecret>, Why> + Sync);

/// The value of a key that was made of this reference.
pub(crate) fn value(
    live: Live<'_>,
    object: &Object,
    key: &str,
    reference: &Reference,
) -> Result<Option<SecretBytes>, Why> {
    let Some(mut live) = live(object.namespace(), object.name())? else { return Ok(None) };
    let notes = live.references.as_deref().and_then(|notes| json::parse(notes).ok());
    let key = key.replace("~1", "/").replace("~0", "~");
    let is_same = notes.is_some_and(|notes| notes.str_at(&[&key]) == Some(note(reference).as_str()));
    Ok(live.data.remove(&key).filter(|_| is_same))
}

/// What is noted of a reference: all of it, but not for all to read.
fn note(reference: &Reference) -> String {
    let address = reference.target.address();
    digest::base32(&digest::of_parts(&[address.as_bytes(), reference.text.as_bytes()]), 16)
}

impl Seal {
    /// What a Secret is to note of the references that its keys are made of, each of one; `None` where it has none.
    pub fn notes(&self, key: u32, object: &Object) -> Option<String> {
        let mut notes: BTreeMap<String, String> = BTreeMap::new();
        if !object.is_secret() {
            return None;
        }
        pointer::each_string(&object.value, &mut |pointer, text| {
            let field = secret_field(pointer);
            let mut content = self.tokens.get(text).map(|issued| &issued.content);
            while let Some(Content::Encoded(inner, _)) = content {
                content = self.tokens.get(inner).map(|issued| &issued.content);
            }
            if let (Some(Field::Data | Field::StringData), Some(Content::Reference(reference))) =
                (field, content)
                && self.places.contains_key(&(key, pointer.to_owned()))
                && let Some(name) =
                    Pointer::parse(pointer).ok().and_then(|place| place.tokens().last().cloned())
            {
                notes.insert(name.into(), note(reference));
            }
        });
        let text = notes.iter().map(|(name, note)| {
            let mut member = String::new();
            json::write_string(&mut member, name);
            format!("{member}:\"{note}\"")
        });
        (!notes.is_empty()).then(|| format!("{{{}}}", text.collect::<Vec<_>>().join(",")))
    }
}
