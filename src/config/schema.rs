//! The JSON Schema of experiment files, from the same types that read them.

use super::Experiment;
use schemars::SchemaGenerator;
use serde_json::{Value, json};

/// The schema, in the dialect 2020-12: every key with its description, its type and its default.
pub fn schema() -> Value {
    let mut schema = SchemaGenerator::default().into_root_schema_for::<Experiment>();
    schema.insert("title".into(), json!("batchscope experiment"));
    schema.to_value()
}
