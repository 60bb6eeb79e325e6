//! A walk over a file's leaves: each opened, all of them held against the MAC.

use sha2::{Digest as _, Sha512};

use super::cipher::{self, DataKey};
use super::metadata::Metadata;
use super::scalar::{Kind, Scalar};
use super::{Branch, Tree};
use crate::error::Why;

/// sha256 of `sops`, which stands before the leaves where only encrypted ones count.
const ONLY_ENCRYPTED: &str = "8a3fd2ad54ce66527b1034f3d147be0b0b975b3bf44f72c6fdadec8176f27d69";

/// Files nest no deeper.
const DEEPEST: usize = 400;

/// What is wrong, and where.
pub(super) enum Fault {
    Leaf(String, String),
    Mac(String),
}

impl Fault {
    pub(super) fn told(self, name: &str) -> Why {
        match self {
            Self::Leaf(path, told) => {
                Why::Decrypt(format!("`{name}` {}: {told}", path.trim_end_matches(':')))
            }
            Self::Mac(told) => Why::Mac(format!("`{name}`: {told}")),
        }
    }
}

/// The bytes over which the MAC goes.
pub(super) struct Digest(Sha512);

impl Digest {
    pub(super) fn new(only_encrypted: bool) -> Self {
        let mut hash = Sha512::new();
        if only_encrypted {
            let bytes =
                (0..32).filter_map(|at| u8::from_str_radix(&ONLY_ENCRYPTED[at * 2..at * 2 + 2], 16).ok());
            hash.update(bytes.collect::<Vec<u8>>());
        }
        Self(hash)
    }

    pub(super) fn add(&mut self, leaf: &Scalar) {
        match (leaf.kind, leaf.text.expose()) {
            (Kind::Null, _) => {}
            (Kind::Bool, b"true") => self.0.update(b"True"),
            (Kind::Bool, _) => self.0.update(b"False"),
            (_, bytes) => self.0.update(bytes),
        }
    }

    pub(super) fn finish(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02X}")).collect()
    }
}

/// Opens all leaves and checks the MAC.
pub(super) fn open(documents: &[Branch], metadata: &Metadata, key: &DataKey) -> Result<Vec<Branch>, Fault> {
    let mut walk = Walk { metadata, key, digest: Digest::new(metadata.mac_only_encrypted), path: Vec::new() };
    let opened = documents.iter().map(|branch| walk.branch(branch)).collect::<Result<_, _>>()?;
    let own = walk.digest.finish();
    let wrong = |told: &str| Fault::Mac(format!("its MAC {told}"));
    let Ok(Tree::Leaf(mac)) = cipher::open(&metadata.mac, key, &metadata.last_modified) else {
        return Err(wrong("cannot be decrypted"));
    };
    if mac.text.expose().eq_ignore_ascii_case(own.as_bytes()) {
        Ok(opened)
    } else {
        Err(wrong("is that of another file: something was changed after it was encrypted"))
    }
}

struct Walk<'a> {
    metadata: &'a Metadata,
    key: &'a DataKey,
    digest: Digest,
    path: Vec<String>,
}

impl Walk<'_> {
    fn branch(&mut self, branch: &Branch) -> Result<Branch, Fault> {
        let mut opened = Vec::with_capacity(branch.len());
        for (key, tree) in branch {
            self.path.push(key.clone());
            let tree = self.tree(tree)?;
            self.path.pop();
            opened.push((key.clone(), tree));
        }
        Ok(opened)
    }

    fn tree(&mut self, tree: &Tree) -> Result<Tree, Fault> {
        if self.path.len() > DEEPEST {
            return Err(Fault::Leaf(self.place(), "it nests too deep".to_owned()));
        }
        match tree {
            Tree::Map(branch) => self.branch(branch).map(Tree::Map),
            Tree::List(items) => {
                items.iter().map(|item| self.tree(item)).collect::<Result<_, _>>().map(Tree::List)
            }
            Tree::Comment => Ok(Tree::Comment),
            Tree::Leaf(leaf) => self.leaf(leaf),
        }
    }

    fn leaf(&mut self, leaf: &Scalar) -> Result<Tree, Fault> {
        let encrypted = self.metadata.encrypts(&self.path);
        let opened = if encrypted && leaf.kind != Kind::Null && !leaf.text.expose().is_empty() {
            let text = leaf.text.text().unwrap_or_default();
            cipher::open(text, self.key, &self.place()).map_err(|told| Fault::Leaf(self.place(), told))?
        } else {
            Tree::Leaf(leaf.clone())
        };
        if let Tree::Leaf(leaf) = &opened
            && (encrypted || !self.metadata.mac_only_encrypted)
        {
            self.digest.add(leaf);
        }
        Ok(opened)
    }

    /// What a leaf is bound to: its keys, each with a colon behind it.
    fn place(&self) -> String {
        let mut place = self.path.join(":");
        place.push(':');
        place
    }
}
