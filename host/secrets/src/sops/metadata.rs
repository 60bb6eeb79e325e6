//! What sops keeps beside the values: for whom, which leaves, the MAC.

use std::io::Read as _;

use age::armor::ArmoredReader;
use age::x25519::Identity;
use regex::Regex;
use zeroize::Zeroizing;

use super::cipher::DataKey;
use super::{Branch, Tree};

/// The metadata of a file.
#[derive(Default)]
pub(super) struct Metadata {
    age: Vec<String>,
    pub(super) mac: String,
    pub(super) last_modified: String,
    pub(super) mac_only_encrypted: bool,
    unencrypted_suffix: String,
    encrypted_suffix: String,
    unencrypted_regex: Option<Regex>,
    encrypted_regex: Option<Regex>,
    /// Whether another key service than age has the key as well.
    others: bool,
}

impl Metadata {
    /// Reads the branch `sops` of a file.
    pub(super) fn read(branch: &Branch) -> Result<Self, String> {
        let mut metadata = Self::default();
        for (name, tree) in branch {
            let text = || match tree {
                Tree::Leaf(leaf) => leaf.text.text().unwrap_or_default().to_owned(),
                _ => String::new(),
            };
            let regex =
                || Regex::new(&text()).map(Some).map_err(|_| format!("`sops.{name}` is no expression"));
            match name.as_str() {
                "age" => metadata.age = stanzas(tree)?,
                "mac" => metadata.mac = text(),
                "lastmodified" => metadata.last_modified = text(),
                "mac_only_encrypted" => metadata.mac_only_encrypted = text() == "true",
                "unencrypted_suffix" => metadata.unencrypted_suffix = text(),
                "encrypted_suffix" => metadata.encrypted_suffix = text(),
                "unencrypted_regex" if !text().is_empty() => metadata.unencrypted_regex = regex()?,
                "encrypted_regex" if !text().is_empty() => metadata.encrypted_regex = regex()?,
                "unencrypted_comment_regex" | "encrypted_comment_regex" if !text().is_empty() => {
                    return Err(format!("`sops.{name}` chooses by comments, which are not read here"));
                }
                "key_groups" => {
                    return Err("its key is shared among several groups, which is not known here".to_owned());
                }
                "shamir_threshold" if !matches!(text().as_str(), "" | "0") => {
                    return Err("its key is shared among several groups, which is not known here".to_owned());
                }
                "kms" | "gcp_kms" | "azure_kv" | "hc_vault" | "pgp" | "huawei_kms" | "hckms" => {
                    metadata.others |= matches!(tree, Tree::List(items) if !items.is_empty());
                }
                _ => {}
            }
        }
        let Self { unencrypted_suffix, encrypted_suffix, unencrypted_regex, encrypted_regex, .. } = &metadata;
        let rules = [
            !unencrypted_suffix.is_empty(),
            !encrypted_suffix.is_empty(),
            unencrypted_regex.is_some(),
            encrypted_regex.is_some(),
        ];
        match rules.into_iter().filter(|rule| *rule).count() {
            0 => "_unencrypted".clone_into(&mut metadata.unencrypted_suffix),
            1 => {}
            _ => return Err("its metadata has several rules for what is encrypted".to_owned()),
        }
        if metadata.mac.is_empty() {
            return Err("it has no `sops.mac`".to_owned());
        }
        Ok(metadata)
    }

    /// The key of the leaves, for whoever has one of these identities.
    pub(super) fn data_key(&self, identities: &[Identity]) -> Result<DataKey, String> {
        if self.age.is_empty() {
            let others = if self.others { "; other key services are not known here" } else { "" };
            return Err(format!("it is not encrypted for age{others}"));
        }
        if identities.is_empty() {
            return Err("there is no age identity: `SOPS_AGE_KEY`, `SOPS_AGE_KEY_FILE` or the user's `sops/age/keys.txt` holds them".to_owned());
        }
        for stanza in &self.age {
            let opened = age::Decryptor::new(ArmoredReader::new(stanza.as_bytes())).and_then(|decryptor| {
                decryptor.decrypt(identities.iter().map(|identity| identity as &dyn age::Identity))
            });
            let Ok(mut reader) = opened else { continue };
            let mut key = Zeroizing::new(Vec::with_capacity(64));
            // A data key has 32 bytes.
            if reader.by_ref().take(64).read_to_end(&mut key).is_ok() && key.len() == 32 {
                return Ok(key);
            }
        }
        Err("none of the age identities is one that it was encrypted for".to_owned())
    }

    /// Whether the leaf at this path is encrypted.
    pub(super) fn encrypts(&self, path: &[String]) -> bool {
        let any = |matches: &dyn Fn(&String) -> bool| path.iter().any(matches);
        let mut encrypts = true;
        if !self.unencrypted_suffix.is_empty() && any(&|part| part.ends_with(&self.unencrypted_suffix)) {
            encrypts = false;
        }
        if !self.encrypted_suffix.is_empty() {
            encrypts = any(&|part| part.ends_with(&self.encrypted_suffix));
        }
        if let Some(regex) = &self.unencrypted_regex
            && any(&|part| regex.is_match(part))
        {
            encrypts = false;
        }
        if let Some(regex) = &self.encrypted_regex {
            encrypts = any(&|part| regex.is_match(part));
        }
        encrypts
    }
}

fn stanzas(tree: &Tree) -> Result<Vec<String>, String> {
    let Tree::List(items) = tree else { return Ok(Vec::new()) };
    let enc = |item: &Tree| match item {
        Tree::Map(branch) => branch.iter().find_map(|(name, tree)| match tree {
            Tree::Leaf(leaf) if name == "enc" => leaf.text.text().map(ToOwned::to_owned),
            _ => None,
        }),
        _ => None,
    };
    items
        .iter()
        .map(|item| enc(item).ok_or_else(|| "`sops.age` has an entry without `enc`".to_owned()))
        .collect()
}
