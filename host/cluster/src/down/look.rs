//! What has to be looked at before and after something is deleted: claims, objects of others, and what does not go.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{Done, LOOK, Named, Run};
use crate::control;
use crate::discovery::encode;
use crate::member::Member;
use crate::outcome::{Action, Failure};
use crate::request::{Ask, RequestError};

impl Run<'_> {
    /// Deletes volume claims that stateful sets made, where their namespace stays: nothing else does.
    pub(super) async fn claims(
        &mut self,
        workloads: &[Member],
        going: &BTreeSet<String>,
    ) -> Result<(), RequestError> {
        let stateful =
            workloads.iter().filter(|member| member.kind == "StatefulSet" && member.group == "apps");
        for member in stateful.filter(|member| !going.contains(member.namespace())) {
            let Some(text) = self.requests.find(&member.path(), Ask::Read).await? else { continue };
            let live: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            let templates = live.pointer("/spec/volumeClaimTemplates").and_then(|list| list.as_array());
            let prefixes: Vec<String> = (templates.into_iter().flatten())
                .filter_map(|template| template.pointer("/metadata/name")?.as_str())
                .map(|name| format!("{name}-{}-", member.name()))
                .collect();
            if prefixes.is_empty() {
                continue;
            }
            let path = format!("/api/v1/namespaces/{}/persistentvolumeclaims", encode(member.namespace()));
            let list: Named = self.requests.parse(&self.requests.send(&path, Ask::Read).await?)?;
            let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let is_made = |name: &str| {
                prefixes.iter().any(|prefix| name.strip_prefix(prefix.as_str()).is_some_and(is_number))
            };
            let all = self.terms("").all;
            for ObjectMeta { name, uid, annotations, .. } in
                list.items.into_iter().flatten().map(|item| item.metadata)
            {
                let name = name.unwrap_or_default();
                let annotation = |name: &str| annotations.as_ref()?.get(name).cloned();
                if !is_made(&name) || control::stays(annotation) && !all {
                    continue;
                }
                let options =
                    json!({"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": uid}});
                let path = format!("{path}/{}", encode(&name));
                if self.requests.find(&path, Ask::Delete(&options.to_string())).await?.is_some() {
                    self.did(format!("PersistentVolumeClaim/{}/{name}", member.namespace()), Action::Deleted);
                }
            }
        }
        Ok(())
    }

    /// Those definitions of whose kind nothing is left: with the others, objects would go that are not this set's.
    pub(super) async fn without_others(
        &mut self,
        definitions: Vec<Member>,
    ) -> Result<Vec<Member>, RequestError> {
        let mut alone = Vec::new();
        for definition in definitions {
            if self.has_objects(&definition).await? {
                self.did(definition.label(), Action::Left);
            } else {
                alone.push(definition);
            }
        }
        Ok(alone)
    }

    /// Whether objects of a kind are there. Where that cannot be seen, they may be.
    async fn has_objects(&self, definition: &Member) -> Done {
        let Some(text) = self.requests.find(&definition.path(), Ask::Read).await? else { return Ok(false) };
        let live: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let text = |pointer: &str| live.pointer(pointer).and_then(|text| text.as_str()).unwrap_or_default();
        let versions = live.pointer("/spec/versions").and_then(|list| list.as_array());
        let served = |version: &&serde_json::Value| version.get("served") == Some(&true.into());
        let version = versions.into_iter().flatten().find(served);
        let Some(version) = version.and_then(|version| version.get("name")?.as_str()) else {
            return Ok(false);
        };
        let (group, plural) = (text("/spec/group"), text("/spec/names/plural"));
        let path = format!("/apis/{group}/{version}/{plural}?limit=1");
        match self.requests.find(&path, Ask::ReadMetadata).await {
            Ok(None) => Ok(false),
            Ok(Some(text)) => {
                let list: Option<Named> = serde_json::from_str(&text).ok();
                Ok(list.is_none_or(|list| list.items.is_some_and(|items| !items.is_empty())))
            }
            Err(RequestError::Answered(_)) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Waits until the object of this uid is gone. What keeps it is told.
    pub(super) async fn is_gone(&mut self, label: &str, path: &str, uid: &str) -> Done {
        loop {
            let Some(text) = self.requests.find(path, Ask::Read).await? else { return Ok(true) };
            let live: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            if live.pointer("/metadata/uid").and_then(|own| own.as_str()) != Some(uid) {
                return Ok(true);
            }
            if Instant::now() > self.until {
                self.failures.push(Failure::new(
                    label.to_owned(),
                    format!("it is deleted and not gone: {}", kept_by(&live)),
                ));
                return Ok(false);
            }
            sleep(LOOK).await;
        }
    }
}

/// What an object that is being deleted waits for: finalizers, and for a namespace what is left in it.
fn kept_by(live: &serde_json::Value) -> String {
    let texts = |pointer: &str| -> Vec<String> {
        let list = live.pointer(pointer).and_then(|list| list.as_array());
        list.into_iter().flatten().filter_map(|text| text.as_str()).map(ToOwned::to_owned).collect()
    };
    let mut kept: Vec<String> =
        texts("/metadata/finalizers").into_iter().map(|name| format!("finalizer {name}")).collect();
    let conditions = live.pointer("/status/conditions").and_then(|list| list.as_array());
    for condition in conditions.into_iter().flatten() {
        let text = |name: &str| condition.get(name).and_then(|text| text.as_str()).unwrap_or_default();
        if text("status") == "True" && text("type").starts_with("Namespace") {
            kept.push(text("message").to_owned());
        }
    }
    if kept.is_empty() { "something in it takes longer".to_owned() } else { kept.join("; ") }
}
