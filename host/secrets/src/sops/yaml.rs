//! YAML files of sops, by events: their scalars are go-yaml v3's, not kubectl's.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Parser, ScalarStyle};

use super::metadata::Metadata;
use super::scalar::{Kind, Scalar};
use super::{Branch, File, Tree};

/// A rough count of the bytes that a node takes in memory, beside its text.
const WEIGHT: usize = 48;
/// A file, with its aliases expanded, takes no more.
const MOST: usize = 256 << 20;
/// Files nest no deeper.
const DEEPEST: usize = 400;

/// Reads a file with its metadata, which every document repeats.
pub(super) fn read(text: &str) -> Result<File, String> {
    let mut documents = Vec::new();
    let mut metadata = None;
    for (index, document) in trees(text)?.into_iter().enumerate() {
        let Tree::Map(mut branch) = document else { return Err("a document of it is no map".to_owned()) };
        if let Some(at) = branch.iter().position(|(key, _)| key == "sops") {
            let own = branch.remove(at).1;
            // The first document speaks for all.
            if index == 0 {
                metadata = Some(own);
            }
        }
        documents.push(branch);
    }
    let Some(Tree::Map(metadata)) = metadata else {
        return Err("it has no metadata of sops: it is not encrypted".to_owned());
    };
    Ok(File { documents, metadata: Metadata::read(&metadata)?, is_binary: false })
}

/// The documents of a text.
pub(super) fn trees(text: &str) -> Result<Vec<Tree>, String> {
    let mut reader = Reader { anchors: HashMap::new(), open: Vec::new(), documents: Vec::new(), count: 0 };
    for event in Parser::new_from_str(text) {
        // The parser's messages quote nothing.
        let (event, _) = event.map_err(|error| format!("line {}: it is no YAML", error.marker().line()))?;
        reader.take(event)?;
    }
    Ok(reader.documents)
}

struct Reader {
    anchors: HashMap<usize, (Tree, usize)>,
    open: Vec<Open>,
    documents: Vec<Tree>,
    count: usize,
}

/// A map or list that has not ended.
struct Open {
    anchor: usize,
    content: Content,
    start: usize,
}

enum Content {
    /// Entries, the key of the next one, and all keys.
    Map(Branch, Option<String>, HashSet<String>),
    List(Vec<Tree>),
}

impl Reader {
    fn take(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let tag = tag.map(|tag| format!("{}{}", tag.handle, tag.suffix));
                let tag = tag.as_deref().and_then(|tag| {
                    tag.strip_prefix("tag:yaml.org,2002:").or_else(|| tag.strip_prefix("!!"))
                });
                // This parser says `~` of a scalar that is left out.
                let leaf = match tag {
                    None if style == ScalarStyle::Plain => Scalar::plain(&text),
                    // A merge is what sops leaves it as: a key of that name.
                    None | Some("str" | "merge") => Scalar::text(&*text),
                    Some(_) => return Err("it has a tag, which is not read here".to_owned()),
                };
                // A key is its text, whatever it would be as a value.
                if let Some(Open { content: Content::Map(_, key @ None, _), .. }) = self.open.last_mut() {
                    *key = Some(text.into_owned());
                    return Ok(());
                }
                let size = WEIGHT + text.len();
                self.count(size)?;
                self.keep(Tree::Leaf(leaf), anchor, size)
            }
            Event::MappingStart(anchor, _) => {
                self.open(anchor, Content::Map(Vec::new(), None, HashSet::new()))
            }
            Event::SequenceStart(anchor, _) => self.open(anchor, Content::List(Vec::new())),
            Event::MappingEnd | Event::SequenceEnd => {
                let Some(Open { anchor, content, start }) = self.open.pop() else { return Ok(()) };
                let size = self.count - start + WEIGHT;
                self.count += WEIGHT;
                let tree = match content {
                    Content::Map(branch, ..) => Tree::Map(branch),
                    Content::List(items) => Tree::List(items),
                };
                self.keep(tree, anchor, size)
            }
            Event::Alias(anchor) => {
                let (_, size) = self.anchors.get(&anchor).ok_or("an alias of it leads nowhere")?;
                let size = *size;
                self.count(size)?;
                let tree = self.anchors.get(&anchor).map(|(tree, _)| tree.clone());
                self.keep(tree.unwrap_or(Tree::Comment), 0, size)
            }
            Event::DocumentStart(_) => {
                self.anchors.clear();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, anchor: usize, content: Content) -> Result<(), String> {
        if self.open.len() >= DEEPEST {
            return Err("it nests too deep".to_owned());
        }
        if matches!(self.open.last(), Some(Open { content: Content::Map(_, None, _), .. })) {
            return Err("a key of it is a map or list".to_owned());
        }
        self.open.push(Open { anchor, content, start: self.count });
        Ok(())
    }

    fn count(&mut self, size: usize) -> Result<(), String> {
        self.count = self.count.saturating_add(size);
        if self.count > MOST {
            Err("it holds, or its aliases expand to, too much".to_owned())
        } else {
            Ok(())
        }
    }

    fn keep(&mut self, tree: Tree, anchor: usize, size: usize) -> Result<(), String> {
        if anchor > 0 {
            self.anchors.insert(anchor, (tree.clone(), size));
        }
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.documents.push(tree),
            Some(Content::List(items)) => items.push(tree),
            Some(Content::Map(branch, key, keys)) => {
                let key = match (key.take(), &tree) {
                    (Some(key), _) => key,
                    (None, Tree::Leaf(leaf)) if leaf.kind != Kind::Null => {
                        // An alias as a key.
                        let text = leaf.text.text().unwrap_or_default().to_owned();
                        if let Some(Open { content: Content::Map(_, key, _), .. }) = self.open.last_mut() {
                            *key = Some(text);
                        }
                        return Ok(());
                    }
                    (None, _) => return Err("a key of it is no text".to_owned()),
                };
                if !keys.insert(key.clone()) {
                    return Err("a key of it stands twice in one map".to_owned());
                }
                branch.push((key, tree));
            }
        }
        Ok(())
    }
}
