//! Two readings of streams held side by side.

use std::collections::BTreeMap;

use lathe_manifest::{ReadOptions, Reader, Value, json};

use crate::kubectl;

/// What only one side refuses: why, in its words without places and names, and how often, with the shortest example.
#[derive(Default)]
pub(crate) struct OneSided {
    classes: BTreeMap<String, (usize, Vec<u8>)>,
    pub(crate) total: usize,
    /// How many of them Lathe reads.
    pub(crate) read_here: usize,
}

impl OneSided {
    fn note(&mut self, class: String, stream: &[u8]) {
        let class_is_kubectls = class.starts_with("kubectl");
        let (count, example) = self.classes.entry(class).or_insert_with(|| (0, stream.to_vec()));
        *count += 1;
        if stream.len() < example.len() {
            *example = stream.to_vec();
        }
        self.total += 1;
        self.read_here += usize::from(class_is_kubectls);
    }

    /// Prints the classes, most frequent first, with a minimal case of each.
    pub(crate) fn print(&self, of: usize) {
        println!("{} of {of} are refused by one side alone", self.total);
        let mut classes: Vec<_> = self.classes.iter().collect();
        classes.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
        for (class, (count, example)) in classes {
            let of_class = |candidates: &[Vec<u8>]| {
                let theirs = kubectl::read(candidates);
                let classes =
                    candidates.iter().zip(theirs).map(|(stream, theirs)| one_sided(&lathe(stream), &theirs));
                classes.map(|found| found.as_ref() == Some(class)).collect()
            };
            println!("{count:6}  {class}\n        {}", smallest(example, &of_class).escape_ascii());
        }
    }
}

/// Who refuses what the other reads, and why.
fn one_sided(ours: &Result<String, String>, theirs: &Result<Value, String>) -> Option<String> {
    let (side, why) = match (ours, theirs) {
        (Err(why), Ok(_)) => ("lathe", why),
        (Ok(_), Err(why)) => ("kubectl", why),
        _ => return None,
    };
    // `line 3: ` and what stands in quotes differ from text to text.
    let parts: Vec<&str> = why.split(": ").filter(|part| !part.starts_with("line ")).collect();
    Some(format!(
        "{side}: {}",
        parts.join(": ").split(['"', '`', '\'']).step_by(2).collect::<Vec<_>>().join("…")
    ))
}

/// Compares streams. One that both read must have one value; otherwise a minimal case of it is told.
pub(crate) fn streams<T: AsRef<[u8]>>(streams: &[T]) -> OneSided {
    let mut refused = OneSided::default();
    for (stream, theirs) in streams.iter().zip(kubectl::read(streams)) {
        let stream = stream.as_ref();
        // The program knows YAML alone, where kubectl reads JSON, of which there may be several values.
        let several = |read: String| {
            json::parse(&read).is_ok_and(|value| value.as_array().is_some_and(|all| all.len() > 1))
        };
        let is_json = || std::str::from_utf8(stream).is_ok_and(|text| json::parse(text).is_ok());
        if stream.trim_ascii_start().starts_with(b"{") && (is_json() || lathe(stream).is_ok_and(several)) {
            continue;
        }
        match (lathe(stream), theirs) {
            (Ok(ours), Ok(theirs)) if ours != json::to_string(&theirs) => {
                let smallest = smallest(stream, &|candidates| {
                    let theirs = kubectl::read(candidates);
                    let wrong = |(stream, theirs): (&Vec<u8>, Result<Value, String>)| matches!((lathe(stream), theirs), (Ok(a), Ok(b)) if a != json::to_string(&b));
                    candidates.iter().zip(theirs).map(wrong).collect()
                });
                panic!(
                    "{} is read as {:?}, by kubectl as {:?}",
                    smallest.escape_ascii(),
                    lathe(&smallest).ok(),
                    kubectl::read(&[&smallest])[0].as_ref().ok().map(json::to_string)
                );
            }
            (ours, theirs) => {
                if let Some(class) = one_sided(&ours, &theirs) {
                    refused.note(class, stream);
                }
            }
        }
    }
    refused
}

/// Lathe's documents as JSON, or why it refuses them.
pub(crate) fn lathe(stream: &[u8]) -> Result<String, String> {
    let options = ReadOptions { lenient_duplicates: true, ..ReadOptions::default() };
    let read = Reader::documents(options, "x", stream);
    read.map(|values| json::to_string(&Value::Array(values))).map_err(|errors| errors[0].kind.to_string())
}

/// The smallest stream to be had by leaving out parts of which `holds` still holds.
fn smallest(stream: &[u8], holds: &dyn Fn(&[Vec<u8>]) -> Vec<bool>) -> Vec<u8> {
    let mut best = stream.to_vec();
    let mut size = best.len().div_ceil(2);
    while size > 0 {
        let without = |start: usize| [&best[..start], &best[(start + size).min(best.len())..]].concat();
        let candidates: Vec<Vec<u8>> = (0..best.len()).step_by(size).map(without).collect();
        let kept = holds(&candidates).into_iter().position(|holds| holds);
        match kept {
            Some(index) => best.clone_from(&candidates[index]),
            None => size /= 2,
        }
        size = size.min(best.len());
    }
    best
}

#[test]
fn a_difference_shrinks_to_what_it_needs() {
    let holds = |candidates: &[Vec<u8>]| {
        candidates.iter().map(|text| text.contains(&b'a') && text.contains(&b'b')).collect()
    };
    assert_eq!(smallest(b"some text before, and bytes behind", &holds), b"ab");
}
