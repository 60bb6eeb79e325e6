//! JSON Schemas (draft 2020-12) of the files that Lathe reads and writes, made from the types that read and write them.

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};

use crate::difference::Diff;
use crate::file::Pipeline;
use crate::lease::Leases;
use crate::lock::Lock;
use crate::plugin_file::PluginFile;
use crate::policy::Policy;
use crate::report::Report;
use crate::review::ReviewSummary;
use crate::transcript::Transcript;
use crate::trial::Case;

/// The schema of one kind of file.
#[derive(Clone, Copy)]
pub struct Schema {
    /// The kind in lower case.
    pub name: &'static str,
    make: fn() -> String,
}

/// All of them.
pub const SCHEMAS: &[Schema] = &[
    Schema { name: "pipeline", make: || text::<Pipeline>(SchemaSettings::draft2020_12()) },
    Schema { name: "lock", make: || text::<Lock>(SchemaSettings::draft2020_12()) },
    Schema { name: "policy", make: || text::<Policy>(SchemaSettings::draft2020_12()) },
    Schema { name: "plugin", make: || text::<PluginFile>(SchemaSettings::draft2020_12()) },
    Schema { name: "case", make: || text::<Case>(SchemaSettings::draft2020_12()) },
    Schema { name: "transcript", make: || text::<Transcript>(SchemaSettings::draft2020_12()) },
    Schema { name: "leases", make: || text::<Leases>(SchemaSettings::draft2020_12()) },
    Schema { name: "review", make: || text::<ReviewSummary>(SchemaSettings::draft2020_12().for_serialize()) },
    Schema { name: "diff", make: || text::<Diff>(SchemaSettings::draft2020_12().for_serialize()) },
    Schema { name: "report", make: || text::<Report>(SchemaSettings::draft2020_12().for_serialize()) },
];

impl Schema {
    /// The schema's text, with a line feed.
    pub fn to_json(self) -> String {
        (self.make)()
    }
}

fn text<T: JsonSchema>(settings: SchemaSettings) -> String {
    let schema = SchemaGenerator::new(settings).into_root_schema_for::<T>();
    // Plain data always serializes.
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}
