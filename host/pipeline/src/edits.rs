//! A plugin's edits applied to the tree that the host owns. A plugin that answers nonsense is a fault, told by name.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use lathe_manifest::{Edit, Object, Pointer, Value, json, leaf};
use lathe_runtime::types::{Edit as Answer, Location, Write};
use lathe_secrets::{Seal, is_secret_field};

use crate::connect;
use crate::floats::{self, Integers};
use crate::problem::Problem;
use crate::provenance::Provenance;
use crate::render::Revealed;
use crate::scope::Scope;
use crate::tree::Tree;

/// How deep an object may nest after an edit; the reader's own limit.
const DEEPEST: usize = 512;

/// Who edits, and what it may.
pub(crate) struct Editor<'a> {
    pub(crate) plugin: &'a str,
    /// The objects of the request, by their position in it.
    pub(crate) keys: &'a [u32],
    pub(crate) deadline: Duration,
    /// Its settings, from which it may take values.
    pub(crate) config: &'a Value,
    pub(crate) scope: Scope<'a>,
    /// Takes values in again that it was shown.
    pub(crate) seal: &'a Mutex<Seal>,
    pub(crate) revealed: &'a Revealed,
}

/// Applies the edits in order, within the plugin's deadline. Tells how many leaves changed; on an error, and where something
/// is found `beyond` the scope, the tree is not to be used any more.
pub(crate) fn apply(
    tree: &mut Tree,
    editor: &Editor<'_>,
    edits: Vec<Answer>,
    provenance: &mut Provenance,
    beyond: &mut Vec<Problem>,
) -> Result<usize, Problem> {
    let Editor { plugin, keys, deadline, config, scope, seal, revealed } = editor;
    let started = Instant::now();
    let mut changed = 0;
    let mut positions = tree.positions();
    let mut before: BTreeMap<u32, Object> = BTreeMap::new();
    let mut dropped = Vec::new();
    let mut suspects: Vec<((String, String), Value)> = Vec::new();
    for (count, edit) in edits.into_iter().enumerate() {
        if count % 1024 == 1023 && started.elapsed() > *deadline {
            return Err(fault(plugin, "returns edits that take longer to apply than its deadline"));
        }
        match edit {
            Answer::AddObject(text) => {
                let object = parse(&text).ok().and_then(Object::added).filter(is_named);
                let object = object.ok_or_else(|| {
                    fault(plugin, "adds something that is no object with apiVersion, kind and a name")
                })?;
                refuse_list(&object, plugin)?;
                beyond.extend(scope.judge_whole(plugin, &object, true));
                if revealed.stands_in(&object.value) {
                    beyond.push(shown(plugin, object.label(), String::new()));
                }
                if floats::holds_large(&object.value) {
                    suspects.push(((object.label(), String::new()), object.value.clone()));
                }
                let key = tree.add(object);
                provenance.note_object(key, plugin, true);
                changed += 1;
            }
            Answer::DropObject(position) => {
                let key = key_of(keys, position, plugin)?;
                let Some(at) = positions.remove(&key) else {
                    return Err(fault(plugin, "drops an object twice"));
                };
                if let Some(entry) = tree.entries.get(at) {
                    beyond.extend(scope.judge_whole(
                        plugin,
                        before.get(&key).unwrap_or(&entry.object),
                        false,
                    ));
                }
                provenance.note_object(key, plugin, false);
                dropped.push(key);
                changed += 1;
            }
            Answer::Set(write) => {
                let (key, edit) = written(keys, plugin, &write, Edit::Set)?;
                change(tree, &positions, &mut before, plugin, key, edit)?;
            }
            Answer::Insert(write) => {
                let (key, edit) = written(keys, plugin, &write, Edit::Insert)?;
                change(tree, &positions, &mut before, plugin, key, edit)?;
            }
            Answer::Remove(at) => {
                let (key, pointer) = place(keys, plugin, &at)?;
                change(tree, &positions, &mut before, plugin, key, Edit::Remove(pointer))?;
            }
        }
    }
    for (key, before) in &before {
        let key = *key;
        let Some(entry) = positions.get(&key).and_then(|at| tree.entries.get_mut(*at)) else { continue };
        if revealed.keys.contains(&key) {
            connect::lock(seal).conceal(key, plugin, before, &mut entry.object);
            if !entry.object.is_secret() {
                beyond.push(shown(plugin, before.label(), "/kind".to_owned()));
            }
        }
        let entry = &*entry;
        if !is_named(&entry.object) || !entry.object.is_typed() {
            let told = format!("leaves {} without apiVersion, kind or name", entry.object.label());
            return Err(fault(plugin, &told));
        }
        refuse_list(&entry.object, plugin)?;
        let changes = leaf::changes(&before.value, &entry.object.value);
        beyond.extend(scope.judge(plugin, before, &entry.object, &changes, revealed.keys.contains(&key)));
        for change in &changes {
            let told = |value: Option<&Value>| value.is_some_and(|value| revealed.stands_in(value));
            let written = told(change.after) && !told(change.before) || revealed.holds(&change.pointer);
            if written && !is_secret_field(&entry.object, &change.pointer) {
                beyond.push(shown(plugin, entry.object.label(), change.pointer.clone()));
            }
            let Some(after) = change.after.filter(|after| floats::holds_large(after)) else { continue };
            let at = (entry.object.label(), change.pointer.clone());
            if change.before.is_some_and(|before| floats::is_rounded(before, after)) {
                beyond.push(rounded(plugin, at));
            } else {
                suspects.push((at, after.clone()));
            }
        }
        changed += provenance.note(key, plugin, changes, &entry.object);
    }
    if !suspects.is_empty() {
        let given = given(tree, keys, config, &before);
        let made = suspects.into_iter().filter(|(_, value)| given.rounded_in(value));
        beyond.extend(made.map(|(at, _)| rounded(plugin, at)));
    }
    tree.drop_all(&dropped);
    Ok(changed)
}

/// The integers that the plugin was given: in its settings, and in its objects as they were.
fn given(tree: &Tree, keys: &[u32], config: &Value, before: &BTreeMap<u32, Object>) -> Integers {
    let mut given = Integers::default();
    given.add(config);
    for object in before.values() {
        given.add(&object.value);
    }
    let keys: HashSet<&u32> = keys.iter().collect();
    let unchanged = |key: &u32| keys.contains(key) && !before.contains_key(key);
    tree.entries
        .iter()
        .filter(|entry| unchanged(&entry.key))
        .for_each(|entry| given.add(&entry.object.value));
    given
}

fn rounded(plugin: &str, (object, pointer): (String, String)) -> Problem {
    let told = "the plugin writes an integer as its language's floating point rounds it";
    Problem::new("rounded-number", told).at(object, pointer).by(plugin)
}

fn shown(plugin: &str, object: String, pointer: String) -> Problem {
    let told = "the plugin writes a value of a Secret that it was shown to a place where no secret may stand";
    Problem::new("reveal", told).at(object, pointer).by(plugin)
}

fn change(
    tree: &mut Tree,
    positions: &HashMap<u32, usize>,
    before: &mut BTreeMap<u32, Object>,
    plugin: &str,
    key: u32,
    edit: Edit,
) -> Result<(), Problem> {
    let entry = positions.get(&key).and_then(|at| tree.entries.get_mut(*at));
    let Some(entry) = entry else { return Err(fault(plugin, "edits an object that it has dropped")) };
    before.entry(key).or_insert_with(|| entry.object.clone());
    let applied = edit.apply(&mut entry.object.value);
    applied.map_err(|error| {
        let told = format!("an edit of the plugin does not apply: {error}");
        Problem::new("plugin-fault", told).at(entry.object.label(), "").by(plugin)
    })
}

fn written(
    keys: &[u32],
    plugin: &str,
    write: &Write,
    edit: fn(Pointer, Value) -> Edit,
) -> Result<(u32, Edit), Problem> {
    let (key, pointer) = place(keys, plugin, &write.at)?;
    let value = parse(&write.value).map_err(|()| fault(plugin, &format!("writes no JSON to `{pointer}`")))?;
    if pointer.tokens().len() + depth(&value) > DEEPEST {
        return Err(fault(plugin, &format!("nests an object deeper than {DEEPEST} levels")));
    }
    Ok((key, edit(pointer, value)))
}

fn place(keys: &[u32], plugin: &str, at: &Location) -> Result<(u32, Pointer), Problem> {
    let key = key_of(keys, at.object, plugin)?;
    let pointer =
        Pointer::parse(&at.pointer).map_err(|error| fault(plugin, &format!("names no place: {error}")))?;
    Ok((key, pointer))
}

fn key_of(keys: &[u32], position: u32, plugin: &str) -> Result<u32, Problem> {
    let key = usize::try_from(position).ok().and_then(|at| keys.get(at)).copied();
    key.ok_or_else(|| match position {
        // What became of a position that is none in a part of the objects.
        u32::MAX => fault(plugin, "names an object that it was not given"),
        _ => fault(plugin, &format!("names object {position}, and it was given {}", keys.len())),
    })
}

fn parse(text: &str) -> Result<Value, ()> {
    // What is wrong with the text could quote it, and it could hold anything.
    json::parse(text).map_err(drop)
}

/// How deep a value nests. Parsing has bounded it.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(map) => 1 + map.iter().map(|(_, value)| depth(value)).max().unwrap_or(0),
        _ => 0,
    }
}

/// Whatever has `items` at its top is a list to everyone who reads it, and its items would be objects that nobody judged.
fn refuse_list(object: &Object, plugin: &str) -> Result<(), Problem> {
    if object.value.get("items").is_none() {
        return Ok(());
    }
    Err(fault(plugin, "makes a list of an object, by `items` at its top").at(object.label(), "/items"))
}

fn is_named(object: &Object) -> bool {
    let prefix = object.value.str_at(&["metadata", "generateName"]);
    !object.name().is_empty() || prefix.is_some_and(|prefix| !prefix.is_empty())
}

fn fault(plugin: &str, told: &str) -> Problem {
    Problem::new("plugin-fault", format!("the plugin {told}")).by(plugin)
}
