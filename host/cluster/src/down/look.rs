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
use crate::set::PART_OF;

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
            let list: Named =
                serde_json::from_str(&self.requests.send(&path, Ask::Read).await?).unwrap_or_default();
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

    /// Whether objects of a kind are there that are not of this set.
    pub(super) async fn has_others(&self, definition: &Member) -> Done {
        let Some(text) = self.requests.find(&definition.path(), Ask::Read).await? else { return Ok(false) };
        let live: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let text = |pointer: &str| {
            live.pointer(pointer).and_then(|text| text.as_str()).unwrap_or_default().to_owned()
        };
        let versions = live.pointer("/spec/versions").and_then(|list| list.as_array());
        let served = |version: &&serde_json::Value| version.get("served") == Some(&true.into());
        let version =
            versions.into_iter().flatten().find(served).and_then(|version| version.get("name")?.as_str());
        let Some(version) = version else { return Ok(false) };
        let selector = encode(&format!("{PART_OF}!={}", self.down.set.id()));
        let (group, plural) = (text("/spec/group"), text("/spec/names/plural"));
        let path = format!("/apis/{group}/{version}/{plural}?labelSelector={selector}&limit=1");
        let list: Named = match self.requests.find(&path, Ask::ReadMetadata).await? {
            Some(text) => serde_json::from_str(&text).unwrap_or_default(),
            None => return Ok(false),
        };
        Ok(list.items.is_some_and(|items| !items.is_empty()))
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
