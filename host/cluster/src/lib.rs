//! Where objects meet a cluster.
//!
//! So far this holds what rendering shares with applying: which objects a server-side apply cannot name.

use lathe_manifest::Object;

/// Whether the object can only be created, never applied: it has no name, only a prefix for one.
pub fn is_create_only(object: &Object) -> bool {
    object.name().is_empty() && object.value.str_at(&["metadata", "generateName"]).is_some()
}
