//! What holds for all manifests: writing and reading are inverse, order and form of the input do not matter, edits do
//! what their difference says.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use lathe_manifest::{Edit, Map, Object, Pointer, ReadOptions, Reader, Value, json, leaf, order, write};
use proptest::prelude::*;

/// Text with all that makes YAML hard.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,12}",
        "\\PC{0,8}",
        "[a-z]{1,8}(\n[a-z #:-]{0,8}){0,4}\n{0,3}",
        "(y|no|on|null|~|0x1|1e3|08|1_0|<<|=|-|\\?|\\.inf|2001-01-01|1:20|lathe)",
        "[\u{0}-\u{20}\u{7f}-\u{a0}\u{2028}\u{2029}\u{feff}\u{fffd}]{0,4}",
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<i64>().prop_map(|n| Value::Number(lathe_manifest::Number::Int(n))),
        any::<u64>().prop_map(|n| Value::Number(lathe_manifest::Number::from_u64(n))),
        any::<f64>().prop_map(|n| lathe_manifest::Number::from_f64(n).map_or(Value::Null, Value::Number)),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        number,
        text().prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::btree_map(text(), inner, 0..5).prop_map(|members| {
                let entries = members.into_iter().map(|(key, value)| (key.into(), value));
                Value::Object(Map::from_entries(entries.collect()).unwrap())
            }),
        ]
    })
}

fn object(name: &str, spec: Value) -> Object {
    let head = format!(r#"{{"apiVersion":"example.org/v1","kind":"Sample","metadata":{{"name":"{name}"}}}}"#);
    let mut value = json::parse(&head).unwrap();
    value.as_object_mut().unwrap().insert("spec", spec);
    Object::added(value).unwrap()
}

fn read(text: &str) -> Vec<Object> {
    let mut reader = Reader::new(ReadOptions::default());
    reader.add("x.yaml", text.as_bytes());
    let (objects, _) = reader.finish().unwrap();
    order::unique(objects, &mut Vec::new()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_written_reads_back_the_same(spec in value()) {
        let object = object("a", spec);
        let yaml = write::yaml([&object]);
        let again = read(&yaml);
        prop_assert_eq!(&again[0].value, &object.value);
        prop_assert_eq!(write::yaml(&again), yaml);
        let from_json = read(&write::json_list([&object]));
        prop_assert_eq!(&from_json[0].value, &object.value);
    }

    #[test]
    fn order_does_not_matter(specs in prop::collection::vec(value(), 1..6), turn in 0_usize..6) {
        let mut objects: Vec<Object> =
            specs.into_iter().enumerate().map(|(n, spec)| object(&format!("n{n}"), spec)).collect();
        let want = write::yaml(&read(&write::yaml(&objects)));
        let length = objects.len();
        objects.rotate_left(turn % length);
        prop_assert_eq!(write::yaml(&read(&write::yaml(&objects))), want);
    }

    #[test]
    fn the_difference_says_what_an_edit_did(before in value(), set in value()) {
        let before = object("a", before).value;
        let mut after = before.clone();
        Edit::Set(Pointer::parse("/spec").unwrap(), set.clone()).apply(&mut after).unwrap();
        let changes = leaf::changes(&before, &after);
        prop_assert_eq!(changes.is_empty(), before == after);
        for change in &changes {
            prop_assert!(change.pointer == "/spec" || change.pointer.starts_with("/spec/"));
            let place = Pointer::parse(&change.pointer).unwrap();
            if change.after.is_some() {
                prop_assert_eq!(place.get(&after), change.after);
            }
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[\\-:,?&*!|>'\"%@`\\[\\]{}#\n \t~a0.<]{0,60}") {
        let mut reader = Reader::new(ReadOptions { lenient_duplicates: true, ..ReadOptions::default() });
        reader.add("x.yaml", text.as_bytes());
        let _ = reader.finish();
    }
}
