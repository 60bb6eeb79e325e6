//! Files that sops encrypted for age, read and written as sops 3.13 does (<https://getsops.io>).
//!
//! A file is a tree whose leaves are encrypted one by one, a data key encrypted for each recipient, and a MAC over the leaves in
//! their order. The MAC is always checked. Of sops' key services only age is known.

mod cipher;
mod encrypt;
mod flat;
mod mac;
mod metadata;
mod scalar;
mod yaml;

use age::x25519::Identity;

use crate::bytes::SecretBytes;
use crate::error::Why;
use crate::node::Node;
use crate::provider::Surroundings;
use metadata::Metadata;
use scalar::{Kind, Scalar};

pub use encrypt::{Previous, Recipients, encrypt};

/// A branch of a file: keys in their order.
type Branch = Vec<(String, Tree)>;

/// A part of a file.
#[derive(Clone)]
pub(crate) enum Tree {
    Map(Branch),
    List(Vec<Tree>),
    Leaf(Scalar),
    /// An encrypted comment in a list, which is no item.
    Comment,
}

/// A file as it is encrypted.
struct File {
    documents: Vec<Branch>,
    metadata: Metadata,
    is_binary: bool,
}

/// What a file holds.
pub(crate) struct Decrypted {
    pub(crate) tree: Node,
    /// All of it as one value, where it is one.
    pub(crate) whole: Option<SecretBytes>,
}

/// The age identities that sops would use: of the variables `SOPS_AGE_KEY` and `SOPS_AGE_KEY_FILE`, or the user's file.
pub(crate) fn identities(around: &Surroundings<'_>) -> Result<Vec<Identity>, Why> {
    let variable = |name: &str| (around.variable)(name).filter(|value| !value.is_empty());
    let file = variable("SOPS_AGE_KEY_FILE").map(std::path::PathBuf::from);
    let mut texts: Vec<zeroize::Zeroizing<String>> =
        variable("SOPS_AGE_KEY").map(zeroize::Zeroizing::new).into_iter().collect();
    let own = around.age_keys.filter(|path| path.is_file()).map(ToOwned::to_owned);
    for path in file.into_iter().chain(own) {
        let text = std::fs::read_to_string(&path);
        texts.push(zeroize::Zeroizing::new(text.map_err(|error| {
            Why::Decrypt(format!("the file of age identities {}: {error}", path.display()))
        })?));
    }
    let lines = texts.iter().flat_map(|text| text.lines()).map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    // Identities of plugins and of ssh are for others to use.
    let known = lines.filter(|line| line.starts_with("AGE-SECRET-KEY-1"));
    known
        .map(|line| line.parse().map_err(|_| Why::Decrypt("an age identity cannot be read".to_owned())))
        .collect()
}

/// Decrypts a file; its name says its format, as it does for sops.
pub(crate) fn decrypt(name: &str, bytes: &[u8], identities: &[Identity]) -> Result<Decrypted, Why> {
    let text = std::str::from_utf8(bytes);
    let text = text.map_err(|_| Why::Decrypt(format!("`{name}` is not encrypted by sops: it is no text")))?;
    let told = |why: String| Why::Decrypt(format!("`{name}`: {why}"));
    let file = match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "yaml" | "yml" => yaml::read(text).map_err(told)?,
        "env" => flat::dotenv(text).map_err(told)?,
        "ini" => flat::ini(text).map_err(told)?,
        extension => flat::json(text, extension != "json").map_err(told)?,
    };
    let key = file.metadata.data_key(identities).map_err(told)?;
    let documents = mac::open(&file.documents, &file.metadata, &key).map_err(|fault| fault.told(name))?;
    let first = documents.first().cloned().unwrap_or_default();
    let whole = if file.is_binary {
        match first.as_slice() {
            [(_, Tree::Leaf(data))] => Some(data.text.clone()),
            _ => return Err(told("a binary file holds `data` and nothing else".to_owned())),
        }
    } else {
        None
    };
    let tree = if file.is_binary {
        Node::Unreadable(format!("`{name}` is one value and has no keys"))
    } else {
        Node::from(&Tree::Map(first))
    };
    Ok(Decrypted { tree, whole })
}

impl From<&Tree> for Node {
    fn from(tree: &Tree) -> Self {
        match tree {
            Tree::Map(branch) => {
                Self::Map(branch.iter().map(|(key, tree)| (key.clone(), tree.into())).collect())
            }
            Tree::List(items) => {
                let items = items.iter().filter(|item| !matches!(item, Tree::Comment));
                Self::List(items.map(Self::from).collect())
            }
            Tree::Leaf(scalar) => match scalar.kind {
                Kind::Null => Self::Null,
                Kind::Int | Kind::Float | Kind::Bool => Self::Plain(scalar.text.clone()),
                Kind::Text | Kind::Time => Self::Text(scalar.text.clone()),
            },
            Tree::Comment => Self::Null,
        }
    }
}
