//! JSON, dotenv and INI files of sops. The latter two have no nesting: metadata is spelt in the names.

use super::metadata::Metadata;
use super::scalar::Scalar;
use super::{Branch, File, Tree};
use crate::node::Node;

/// Reads a JSON file; one that holds a file of any other kind has only `data`.
pub(super) fn json(text: &str, is_binary: bool) -> Result<File, String> {
    let node =
        Node::json(text.as_bytes()).map_err(|_| "it is no JSON, and not encrypted by sops".to_owned())?;
    let Tree::Map(mut branch) = tree(&node)? else { return Err("it is no map".to_owned()) };
    let at = branch.iter().position(|(key, _)| key == "sops");
    let (_, Tree::Map(own)) = branch.remove(at.ok_or("it has no metadata of sops: it is not encrypted")?)
    else {
        return Err("its metadata of sops is no map".to_owned());
    };
    Ok(File { documents: vec![branch], metadata: Metadata::read(&own)?, is_binary })
}

fn tree(node: &Node) -> Result<Tree, String> {
    Ok(match node {
        Node::Map(members) => {
            let members = members.iter().map(|(key, node)| Ok::<_, String>((key.clone(), tree(node)?)));
            Tree::Map(members.collect::<Result<_, _>>()?)
        }
        Node::List(items) => Tree::List(items.iter().map(tree).collect::<Result<_, _>>()?),
        Node::Text(text) => Tree::Leaf(Scalar::text(text.text().unwrap_or_default())),
        Node::Plain(text) => match text.text().unwrap_or_default() {
            plain @ ("true" | "false") => Tree::Leaf(Scalar::plain(plain)),
            number => Tree::Leaf(Scalar::number(number)),
        },
        Node::Null => Tree::Leaf(Scalar::plain("")),
        _ => return Err("it holds a number that 64 bits do not hold".to_owned()),
    })
}

/// Reads a dotenv file.
pub(super) fn dotenv(text: &str) -> Result<File, String> {
    let (mut branch, mut metadata) = (Branch::new(), Vec::new());
    for (index, line) in text.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) =
            line.split_once('=').ok_or_else(|| format!("line {}: it has no `=`", index + 1))?;
        match key.strip_prefix("sops_") {
            Some(name) => metadata.push((name.to_owned(), value.replace("\\n", "\n"))),
            None => add(&mut branch, key, Tree::Leaf(Scalar::text(value.replace("\\n", "\n"))))?,
        }
    }
    Ok(File { documents: vec![branch], metadata: Metadata::read(&nested(metadata)?)?, is_binary: false })
}

/// Reads an INI file; sections are maps.
pub(super) fn ini(text: &str) -> Result<File, String> {
    let (mut branch, mut metadata) = (Branch::new(), Vec::new());
    // What stands before the first section is in one that go-ini calls so.
    let mut section = "DEFAULT".to_owned();
    for (index, line) in text.lines().map(str::trim).enumerate() {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.trim().clone_into(&mut section);
            if section != "sops" {
                add(&mut branch, &section, Tree::Map(Vec::new()))?;
            }
            continue;
        }
        let (key, value) =
            line.split_once('=').ok_or_else(|| format!("line {}: it has no `=`", index + 1))?;
        let (key, value) = (key.trim().to_owned(), unquoted(value.trim()));
        if section == "sops" {
            metadata.push((key, value.replace("\\n", "\n")));
            continue;
        }
        if branch.is_empty() {
            branch.push((section.clone(), Tree::Map(Vec::new())));
        }
        if let Some((_, Tree::Map(entries))) = branch.last_mut() {
            add(entries, &key, Tree::Leaf(Scalar::text(value)))?;
        }
    }
    // sops keeps an empty section of that name for itself.
    Ok(File { documents: vec![branch], metadata: Metadata::read(&nested(metadata)?)?, is_binary: false })
}

/// Adds an entry. Of two of one name another reader could take the other.
fn add(branch: &mut Branch, name: &str, tree: Tree) -> Result<(), String> {
    if branch.iter().any(|(known, _)| known == name) {
        return Err("a name of it stands twice".to_owned());
    }
    if branch.len() >= MOST {
        return Err("it has too many entries".to_owned());
    }
    branch.push((name.to_owned(), tree));
    Ok(())
}

/// A file has no more entries in one place.
const MOST: usize = 10_000;

fn unquoted(value: &str) -> &str {
    ["`", "\"\"\"", "\""]
        .iter()
        .find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(value)
}

/// The metadata of names such as `age__list_0__map_enc`.
fn nested(entries: Vec<(String, String)>) -> Result<Branch, String> {
    let mut branch = Branch::new();
    let mut age: Vec<Branch> = Vec::new();
    for (name, value) in entries {
        let leaf = Tree::Leaf(Scalar::text(value));
        let Some(rest) = name.strip_prefix("age__list_") else {
            // Lists of other services are there to be told of, and no more.
            match name.split_once("__list_") {
                Some((service, _)) => branch.push((service.to_owned(), Tree::List(vec![leaf]))),
                None => branch.push((name, leaf)),
            }
            continue;
        };
        let (index, field) = rest.split_once("__map_").ok_or("its metadata of age cannot be read")?;
        let index: usize =
            index.parse().ok().filter(|index| *index < 1000).ok_or("its metadata of age cannot be read")?;
        if age.len() <= index {
            age.resize_with(index + 1, Branch::new);
        }
        age[index].push((field.to_owned(), leaf));
    }
    branch.push(("age".to_owned(), Tree::List(age.into_iter().map(Tree::Map).collect())));
    Ok(branch)
}
