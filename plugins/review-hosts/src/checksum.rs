//! What makes pods follow a changed host map: a checksum of it in their template.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use lathe_sdk::{Object, Outcome};
use sha2::{Digest as _, Sha256};

const AT: &str = "/spec/template/metadata/annotations/lathe.dev~1checksum-hosts";

/// The map's checksum: 80 bits of SHA-256 over its pairs.
pub(crate) fn of(hosts: &BTreeMap<String, String>) -> String {
    let mut hash = Sha256::new();
    for (from, to) in hosts {
        for part in [from, to] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
    }
    let mut text = String::new();
    for byte in hash.finalize().iter().take(10) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Puts the checksum into the template of a workload whose pods can be replaced. A Job's template cannot change.
pub(crate) fn apply(object: &Object, checksum: &str, outcome: &mut Outcome) {
    let workload = match (object.group(), object.kind.as_str()) {
        ("apps", "Deployment" | "StatefulSet" | "DaemonSet") => object.value["spec"]["template"].is_object(),
        _ => false,
    };
    if workload {
        outcome.set(object.key, AT, checksum);
    }
}
