//! Values that a cluster has, for the time that a store is down.
//!
//! A Secret that Lathe applied notes for each of its keys which reference it was made of. Where a reference cannot be read for an
//! outage and is the same, what the cluster has may stay.

use std::collections::BTreeMap;

use lathe_manifest::{Object, Pointer, digest, json, pointer};

use crate::bytes::SecretBytes;
use crate::provider::ClusterSecret;
use crate::reference::Reference;
use crate::seal::{Content, Field, Seal, secret_field};

/// Notes which reference each key of a Secret was made of.
pub const REFERENCES_ANNOTATION: &str = "lathe.dev/references";

/// A Secret of a cluster, and what it notes of its references.
pub struct LiveSecret {
    /// Its `data`.
    pub data: ClusterSecret,
    /// The annotation [`REFERENCES_ANNOTATION`].
    pub references: Option<String>,
}

/// Reads Secrets of a cluster by namespace and name; `None` where that cannot be.
pub struct Live<'a> {
    /// Reads one; the namespace is empty where the object names none.
    pub read: &'a (dyn Fn(&str, &str) -> Option<LiveSecret> + Sync),
}

impl Live<'_> {
    /// The value of a key that was made of this reference.
    pub(crate) fn value(&self, object: &Object, key: &str, reference: &Reference) -> Option<SecretBytes> {
        let live = (self.read)(object.namespace(), object.name())?;
        let notes = json::parse(&live.references?).ok()?;
        let key = key.replace("~1", "/").replace("~0", "~");
        let is_same = notes.str_at(&[&key]) == Some(note(reference).as_str());
        live.data.filter(|_| is_same)?.remove(&key)
    }
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
