//! From an object as it was and as it shall be to the edits between them.

use serde_json::{Map, Value};

use crate::bindings::lathe::transform::types::{Edit, Location, Write};
use crate::request::escape;

/// Adds the edits that make `after` of `before`, leaf by leaf. Items of lists are compared by their position.
pub(crate) fn derive(object: u32, before: &Value, after: &Value, edits: &mut Vec<Edit>) {
    Derive { object, at: String::new(), edits }.compare(before, after);
}

struct Derive<'a> {
    object: u32,
    at: String,
    edits: &'a mut Vec<Edit>,
}

impl Derive<'_> {
    fn compare(&mut self, before: &Value, after: &Value) {
        match (before, after) {
            (Value::Object(before), Value::Object(after)) => self.maps(before, after),
            (Value::Array(before), Value::Array(after)) => self.lists(before, after),
            _ if before == after => {}
            _ => {
                let write = self.write(after);
                self.edits.push(Edit::Set(write));
            }
        }
    }

    fn maps(&mut self, before: &Map<String, Value>, after: &Map<String, Value>) {
        for (key, value) in before {
            self.below(&escape(key), |derive| match after.get(key) {
                Some(now) => derive.compare(value, now),
                None => derive.edits.push(Edit::Remove(derive.location())),
            });
        }
        for (key, value) in after.iter().filter(|(key, _)| !before.contains_key(*key)) {
            self.below(&escape(key), |derive| {
                let write = derive.write(value);
                derive.edits.push(Edit::Set(write));
            });
        }
    }

    fn lists(&mut self, before: &[Value], after: &[Value]) {
        for (index, (old, new)) in before.iter().zip(after).enumerate() {
            self.below(&index.to_string(), |derive| derive.compare(old, new));
        }
        for index in (after.len()..before.len()).rev() {
            self.below(&index.to_string(), |derive| derive.edits.push(Edit::Remove(derive.location())));
        }
        for value in after.iter().skip(before.len()) {
            self.below("-", |derive| {
                let write = derive.write(value);
                derive.edits.push(Edit::Insert(write));
            });
        }
    }

    fn below(&mut self, token: &str, visit: impl FnOnce(&mut Self)) {
        let length = self.at.len();
        self.at.push('/');
        self.at.push_str(token);
        visit(self);
        self.at.truncate(length);
    }

    fn location(&self) -> Location {
        Location { object: self.object, pointer: self.at.clone() }
    }

    fn write(&self, value: &Value) -> Write {
        Write { at: self.location(), value: value.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn derived(before: &Value, after: &Value) -> Vec<String> {
        let mut edits = Vec::new();
        derive(7, before, after, &mut edits);
        let text = |edit: &Edit| match edit {
            Edit::Set(write) => format!("set {} {}", write.at.pointer, write.value),
            Edit::Insert(write) => format!("insert {} {}", write.at.pointer, write.value),
            Edit::Remove(at) => format!("remove {}", at.pointer),
            Edit::AddObject(_) | Edit::DropObject(_) => "object".to_owned(),
        };
        edits.iter().map(text).collect()
    }

    #[test]
    fn only_what_differs_is_edited() {
        let before =
            json!({"a": {"b/c": 1, "d~": [1, 2, {"x": 9_007_199_254_740_993_i64}]}, "e": null, "f": []});
        assert!(derived(&before, &before).is_empty());
        let after = json!({"a": {"b/c": 2, "d~": [1, 3, {"x": 9_007_199_254_740_993_i64}, "new"]}, "f": {}, "g": "😀"});
        assert_eq!(
            derived(&before, &after),
            [
                "set /a/b~1c 2",
                "set /a/d~0/1 3",
                "insert /a/d~0/- \"new\"",
                "remove /e",
                "set /f {}",
                "set /g \"😀\"",
            ]
        );
        assert_eq!(derived(&json!([1, 2, 3]), &json!([1])), ["remove /2", "remove /1"]);
        assert_eq!(derived(&json!(1), &json!([])), ["set  []"]);
    }
}
