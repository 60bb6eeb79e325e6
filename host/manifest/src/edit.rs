//! Changes to one object, by pointer. A plugin returns these instead of documents, so the host always owns the tree.

use crate::pointer::{Pointer, index};
use crate::value::{Map, Value};

/// One change within one object.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// Puts a value in place of what is there, or as a new member. Missing maps on the way are made, missing list
    /// items never.
    Set(Pointer, Value),
    /// Inserts before the list index that the pointer ends in; `-` appends.
    Insert(Pointer, Value),
    /// Takes a member or item away.
    Remove(Pointer),
}

/// Why an edit does not apply. Names the place, never a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// The way leads through something that is neither a map nor a list.
    #[error("nothing can stand below `{0}`")]
    NotACollection(Pointer),
    /// A list has no such item.
    #[error("the list at `{0}` has no such index")]
    NoIndex(Pointer),
    /// `insert` where there is no list.
    #[error("`{0}` is no list to insert into")]
    NotAList(Pointer),
    /// `remove` of what is not there.
    #[error("nothing stands at `{0}`")]
    Missing(Pointer),
    /// `remove` of the whole object.
    #[error("an object is taken out by dropping it, not by removing its root")]
    Root,
}

impl Edit {
    /// The place that the edit is about.
    pub fn pointer(&self) -> &Pointer {
        match self {
            Self::Set(at, _) | Self::Insert(at, _) | Self::Remove(at) => at,
        }
    }

    /// Applies the edit.
    pub fn apply(self, root: &mut Value) -> Result<(), EditError> {
        match self {
            Self::Set(at, value) => set(root, &at, value),
            Self::Insert(at, value) => insert(root, &at, value),
            Self::Remove(at) => remove(root, &at),
        }
    }
}

fn set(root: &mut Value, at: &Pointer, value: Value) -> Result<(), EditError> {
    let mut place = root;
    for (depth, token) in at.tokens().iter().enumerate() {
        // An explicit null stands for a map that is not there, as in `annotations:` without any.
        if *place == Value::Null {
            *place = Value::Object(Map::new());
        }
        let way = || at.tokens().iter().take(depth).fold(Pointer::default(), |way, token| way.join(token));
        place = match place {
            Value::Object(map) => {
                if map.get(token).is_none() {
                    map.insert(token.clone(), Value::Null);
                }
                map.get_mut(token).ok_or_else(|| EditError::Missing(at.clone()))?
            }
            Value::Array(items) => {
                index(token).and_then(|i| items.get_mut(i)).ok_or_else(|| EditError::NoIndex(way()))?
            }
            _ => return Err(EditError::NotACollection(way())),
        };
    }
    *place = value;
    Ok(())
}

fn insert(root: &mut Value, at: &Pointer, value: Value) -> Result<(), EditError> {
    let (list, token) = at.split_last().ok_or(EditError::Root)?;
    let Some(Value::Array(items)) = list.get_mut(root) else {
        return Err(EditError::NotAList(list));
    };
    let at = if token == "-" { Some(items.len()) } else { index(token).filter(|i| *i <= items.len()) };
    items.insert(at.ok_or(EditError::NoIndex(list))?, value);
    Ok(())
}

fn remove(root: &mut Value, at: &Pointer) -> Result<(), EditError> {
    let (parent, token) = at.split_last().ok_or(EditError::Root)?;
    let removed = match parent.get_mut(root) {
        Some(Value::Object(map)) => map.remove(token),
        Some(Value::Array(items)) => index(token).filter(|i| *i < items.len()).map(|i| items.remove(i)),
        _ => None,
    };
    removed.map(drop).ok_or_else(|| EditError::Missing(at.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    fn apply(edit: impl Fn(Pointer) -> Edit, pointer: &str, json: &str) -> Result<String, EditError> {
        let mut value = json::parse(json).unwrap();
        edit(Pointer::parse(pointer).unwrap()).apply(&mut value)?;
        Ok(json::to_string(&value))
    }

    #[test]
    fn set_makes_maps_but_no_items() {
        let set = |at| Edit::Set(at, Value::Bool(true));
        assert_eq!(apply(set, "/a/b~1c", "{}").unwrap(), r#"{"a":{"b/c":true}}"#);
        assert_eq!(apply(set, "/a/b", r#"{"a":null}"#).unwrap(), r#"{"a":{"b":true}}"#);
        assert_eq!(apply(set, "/a/1", r#"{"a":[1,2]}"#).unwrap(), r#"{"a":[1,true]}"#);
        assert!(matches!(apply(set, "/a/2", r#"{"a":[1,2]}"#), Err(EditError::NoIndex(_))));
        assert!(matches!(apply(set, "/a/b", r#"{"a":"x"}"#), Err(EditError::NotACollection(_))));
    }

    #[test]
    fn insert_and_remove_work_on_what_is_there() {
        let insert = |at| Edit::Insert(at, Value::Null);
        assert_eq!(apply(insert, "/a/0", r#"{"a":[1]}"#).unwrap(), r#"{"a":[null,1]}"#);
        assert_eq!(apply(insert, "/a/-", r#"{"a":[1]}"#).unwrap(), r#"{"a":[1,null]}"#);
        assert!(matches!(apply(insert, "/a/2", r#"{"a":[1]}"#), Err(EditError::NoIndex(_))));
        assert!(matches!(apply(insert, "/b/0", "{}"), Err(EditError::NotAList(_))));
        assert_eq!(apply(Edit::Remove, "/a/0", r#"{"a":[1]}"#).unwrap(), r#"{"a":[]}"#);
        assert!(matches!(apply(Edit::Remove, "/b", "{}"), Err(EditError::Missing(_))));
        assert_eq!(apply(Edit::Remove, "", "{}"), Err(EditError::Root));
    }
}
