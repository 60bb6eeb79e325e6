//! Values made at random once for an environment, and the key of its checksums.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use hmac::{Hmac, Mac as _};
use lathe_manifest::digest;
use sha2::Sha256;

use crate::bytes::SecretBytes;
use crate::error::Why;
use crate::reference::Generated;

/// The name under which the key of checksums is kept.
const KEY: &str = "checksum-key";

/// The values that an environment has, and those that are made for it now.
pub struct GeneratedValues {
    values: Mutex<State>,
}

#[derive(Default)]
struct State {
    values: BTreeMap<String, SecretBytes>,
    is_new: bool,
}

impl GeneratedValues {
    /// Values that were made before, by the names under which they are kept.
    pub fn new(values: BTreeMap<String, SecretBytes>) -> Self {
        Self { values: Mutex::new(State { values, is_new: false }) }
    }

    /// The value, made now if it was not before.
    pub fn get(&self, wanted: &Generated) -> Result<SecretBytes, Why> {
        let Generated { name, length, alphabet } = wanted;
        self.keep(&stored(name), || random(*length, alphabet))
    }

    /// The key of checksums, made now if it was not before.
    pub fn checksum_key(&self) -> Result<SecretBytes, Why> {
        self.keep(KEY, || random(64, "0123456789abcdef"))
    }

    fn keep(&self, name: &str, make: impl FnOnce() -> Result<SecretBytes, Why>) -> Result<SecretBytes, Why> {
        let mut state = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(value) = state.values.get(name) {
            return Ok(value.clone());
        }
        let value = make()?;
        state.values.insert(name.to_owned(), value.clone());
        state.is_new = true;
        Ok(value)
    }

    /// All values, by the names under which they are kept, and whether some are new.
    pub fn into_parts(self) -> (BTreeMap<String, SecretBytes>, bool) {
        let state = self.values.into_inner().unwrap_or_else(PoisonError::into_inner);
        (state.values, state.is_new)
    }
}

/// A digest of parts that nobody can compute, or guess values by, who has not the key (HMAC-SHA256, RFC 2104).
pub fn keyed_digest(key: &SecretBytes, parts: &[&[u8]]) -> String {
    // A key may have any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.expose()) else { return String::new() };
    mac.update(&digest::of_parts(parts));
    digest::base32(&mac.finalize().into_bytes(), 26)
}

/// The name under which a value is kept: one that a key of a Secret may have.
fn stored(name: &str) -> String {
    let readable: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '.' })
        .take(60)
        .collect();
    let readable = readable.trim_matches('.');
    format!("{readable}-{}", digest::base32(&digest::of_parts(&[name.as_bytes()]), 12))
}

/// Characters of an alphabet, each as likely as any other.
fn random(length: usize, alphabet: &str) -> Result<SecretBytes, Why> {
    let characters: Vec<char> = alphabet.chars().collect();
    let told = || Why::Unavailable("the system gives no randomness".to_owned());
    let count = u32::try_from(characters.len()).ok().filter(|count| *count > 0).ok_or_else(told)?;
    // Above the last whole multiple, some would be likelier.
    let bound = u32::MAX - u32::MAX % count;
    let mut out = SecretBytes::default();
    for _ in 0..length {
        let character = loop {
            let mut bytes = [0_u8; 4];
            getrandom::fill(&mut bytes).map_err(|_| told())?;
            let number = u32::from_le_bytes(bytes);
            if number < bound {
                break characters[(number % count) as usize];
            }
        };
        out.push(character.encode_utf8(&mut [0; 4]).as_bytes());
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_needs_its_key() {
        let of = |key: &str, part: &str| keyed_digest(&key.into(), &[part.as_bytes()]);
        assert_eq!(of("k", "a"), of("k", "a"));
        assert!(of("k", "a") != of("l", "a") && of("k", "a") != of("k", "b") && of("k", "a").len() == 26);
    }

    #[test]
    fn values_are_made_once() {
        let wanted = |name: &str| Generated { name: name.to_owned(), length: 24, alphabet: "ab".to_owned() };
        let values = GeneratedValues::new(BTreeMap::new());
        let first = values.get(&wanted("kv/p#a")).ok().unwrap();
        assert!(first == values.get(&wanted("kv/p#a")).ok().unwrap());
        assert!(first != values.get(&wanted("kv/p#b")).ok().unwrap());
        assert!(first.text().unwrap().chars().all(|c| c == 'a' || c == 'b') && first.expose().len() == 24);
        let (kept, is_new) = values.into_parts();
        assert!(is_new && kept.len() == 2 && kept.keys().all(|key| key.starts_with("kv.p.")));
        let again = GeneratedValues::new(kept);
        assert!(first == again.get(&wanted("kv/p#a")).ok().unwrap());
        assert!(!again.into_parts().1);
    }
}
