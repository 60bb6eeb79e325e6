//! What an environment lets be done with references.

use std::fmt;
use std::sync::Arc;

use lathe_manifest::Object;

use crate::mapping::Mapping;

/// Says of an object and a pointer whether a secret may stand there.
type Sinks = Arc<dyn Fn(&Object, &str) -> bool + Send + Sync>;

/// Where secrets may stand beside Secrets, and what references stand for.
#[derive(Clone, Default)]
pub struct Rules {
    sinks: Option<Sinks>,
    /// What references stand for here.
    pub(crate) mapping: Mapping,
}

/// Fields that say what an object is. A secret there would be one in every log.
const IDENTITY: &[&str] =
    &["/apiVersion", "/kind", "/metadata/name", "/metadata/namespace", "/metadata/generateName"];

impl Rules {
    /// Rules with a mapping and with sinks beside the values of Secrets.
    pub fn new(mapping: Mapping, sinks: impl Fn(&Object, &str) -> bool + Send + Sync + 'static) -> Self {
        Self { sinks: Some(Arc::new(sinks)), mapping }
    }

    /// Whether a secret may stand in the field, which is none of a Secret's values.
    pub(crate) fn is_sink(&self, object: &Object, pointer: &str) -> bool {
        !IDENTITY.contains(&pointer) && self.sinks.as_ref().is_some_and(|sinks| sinks(object, pointer))
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules").field("mapping", &self.mapping).finish_non_exhaustive()
    }
}
