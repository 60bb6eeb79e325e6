//! Fields that `kubectl apply` without `--server-side` left behind, made Lathe's own: so that those which left the manifest
//! go from the cluster, too. What kubectl does itself when it changes to server-side apply (client-go `csaupgrade`).

use serde_json::{Map, Value, json};

use crate::FIELD_MANAGER;

/// The manager of client-side applies.
pub(crate) const CLIENT_SIDE: &str = "kubectl-client-side-apply";

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The JSON patch (RFC 6902) of a live object that hands over; `None` where there is nothing to hand over.
pub(crate) fn patch(live: &str) -> Option<String> {
    let live: Value = serde_json::from_str(live).ok()?;
    let metadata = live.get("metadata")?;
    let entries = metadata.get("managedFields")?.as_array()?;
    let is = |entry: &Value, manager: &str, operation: &str| {
        entry.get("manager").and_then(Value::as_str) == Some(manager)
            && entry.get("operation").and_then(Value::as_str) == Some(operation)
            && entry.get("subresource").and_then(Value::as_str).is_none_or(str::is_empty)
    };
    let (theirs, rest): (Vec<&Value>, Vec<&Value>) =
        entries.iter().partition(|entry| is(entry, CLIENT_SIDE, "Update"));
    let first = theirs.first()?;
    let (own, rest): (Vec<&Value>, Vec<&Value>) =
        rest.into_iter().partition(|entry| is(entry, FIELD_MANAGER, "Apply"));
    let mut fields = json!({});
    for entry in theirs.iter().chain(&own) {
        unite(&mut fields, entry.get("fieldsV1")?);
    }
    forget(&mut fields, &["f:metadata", "f:annotations", &format!("f:{LAST_APPLIED}")]);
    let mut entry = (*own.first().unwrap_or(first)).clone();
    let object = entry.as_object_mut()?;
    object.insert("manager".to_owned(), FIELD_MANAGER.into());
    object.insert("operation".to_owned(), "Apply".into());
    object.insert("fieldsV1".to_owned(), fields);
    let managed: Vec<Value> = std::iter::once(entry).chain(rest.into_iter().cloned()).collect();
    let mut patch = vec![
        json!({"op": "replace", "path": "/metadata/resourceVersion", "value": metadata.get("resourceVersion")?}),
        json!({"op": "replace", "path": "/metadata/managedFields", "value": managed}),
    ];
    if metadata.get("annotations").is_some_and(|all| all.get(LAST_APPLIED).is_some()) {
        let name = LAST_APPLIED.replace('/', "~1");
        patch.push(json!({"op": "remove", "path": format!("/metadata/annotations/{name}")}));
    }
    Some(Value::from(patch).to_string())
}

/// Puts the fields of one set into another (`FieldsV1`: a tree whose members are fields).
fn unite(into: &mut Value, from: &Value) {
    let (Some(into), Some(from)) = (into.as_object_mut(), from.as_object()) else { return };
    for (name, below) in from {
        unite(into.entry(name).or_insert_with(|| Value::Object(Map::new())), below);
    }
}

fn forget(fields: &mut Value, path: &[&str]) {
    let Some((last, above)) = path.split_last() else { return };
    let mut at = Some(fields);
    for name in above {
        at = at.and_then(|fields| fields.get_mut(*name));
    }
    if let Some(fields) = at.and_then(Value::as_object_mut) {
        fields.remove(*last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_both_become_lathes() {
        let live = json!({"metadata": {
            "resourceVersion": "7",
            "annotations": {LAST_APPLIED: "{}", "a": "b"},
            "managedFields": [
                {"manager": CLIENT_SIDE, "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1",
                 "fieldsV1": {"f:data": {".": {}, "f:x": {}}, "f:metadata": {"f:annotations": {(format!("f:{LAST_APPLIED}")): {}}}}},
                {"manager": "lathe", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1",
                 "fieldsV1": {"f:data": {"f:y": {}}}},
                {"manager": "controller", "operation": "Update", "subresource": "status", "fieldsV1": {}},
            ],
        }});
        let patch: Value = serde_json::from_str(&patch(&live.to_string()).unwrap()).unwrap();
        assert_eq!(patch[0]["value"], "7");
        let managed = &patch[1]["value"];
        assert_eq!(managed.as_array().unwrap().len(), 2);
        assert_eq!(managed[0]["manager"], "lathe");
        assert_eq!(
            managed[0]["fieldsV1"],
            json!({"f:data": {".": {}, "f:x": {}, "f:y": {}}, "f:metadata": {"f:annotations": {}}})
        );
        assert_eq!(
            patch[2]["path"],
            "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration"
        );
    }

    #[test]
    fn without_a_client_side_apply_there_is_nothing_to_hand_over() {
        assert_eq!(patch(r#"{"metadata":{"resourceVersion":"1","managedFields":[]}}"#), None);
        assert_eq!(patch("no JSON"), None);
    }
}
