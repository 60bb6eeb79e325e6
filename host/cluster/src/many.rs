//! Live objects read many at once: a list for each kind and namespace of which the set holds several, in place of a request for each.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::discovery::encode;
use crate::request::{Ask, RequestError};
use crate::run::{Placed, Run};
use crate::target::Target;

/// From how many objects on a list is worth it.
const MANY: usize = 8;

/// How many objects one answer lists.
const PAGE: u32 = 250;

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    metadata: ListMeta,
    items: Option<Vec<Box<RawValue>>>,
}

#[derive(Default, Deserialize)]
struct ListMeta {
    r#continue: Option<String>,
}

#[derive(Deserialize)]
struct Item {
    metadata: Meta,
}

#[derive(Deserialize)]
struct Meta {
    name: String,
}

/// Texts of live objects by their path.
pub(crate) type Seen = HashMap<String, String>;

impl Run<'_> {
    /// The set's objects that are there, as far as lists tell of them. What they do not tell of is asked for one by one.
    pub(crate) async fn see(&self, targets: &[Placed<'_>]) -> Result<Seen, RequestError> {
        let mut seen = Seen::new();
        // Items of lists go without kind and version, which a comparison would show.
        let Some(id) = self.apply.id().filter(|_| !self.apply.keep) else { return Ok(seen) };
        let mut places: BTreeMap<String, Vec<&Target<'_>>> = BTreeMap::new();
        for (_, target) in targets.iter().filter(|(_, target)| !target.object.is_create_only()) {
            places.entry(target.members(&id)).or_default().push(target);
        }
        for (path, targets) in places.into_iter().filter(|(_, targets)| targets.len() >= MANY) {
            let paths: HashMap<&str, String> =
                targets.iter().map(|target| (target.object.name(), target.path())).collect();
            let mut after = String::new();
            loop {
                let page = format!("{path}&limit={PAGE}{after}");
                let text = match self.requests.find(&page, Ask::Read).await {
                    Ok(Some(text)) => text,
                    // Who may not list may still read; and a list that ran out of time is begun no second time.
                    Ok(None) | Err(RequestError::Answered(_)) => break,
                    Err(error) => return Err(error),
                };
                let Ok(list) = serde_json::from_str::<List>(&text) else { break };
                for item in list.items.into_iter().flatten() {
                    let name = serde_json::from_str::<Item>(item.get()).map(|item| item.metadata.name);
                    if let Some(path) = name.ok().and_then(|name| paths.get(name.as_str())) {
                        seen.insert(path.clone(), item.get().to_owned());
                    }
                }
                match list.metadata.r#continue.filter(|token| !token.is_empty()) {
                    Some(token) => after = format!("&continue={}", encode(&token)),
                    None => break,
                }
            }
        }
        Ok(seen)
    }
}
