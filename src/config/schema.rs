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

/// How the mapping is written that one of these types reads: with the keys that must be there, or for an
/// example the first one, of two both, and all that it may have.
pub(super) fn usage_of(type_name: &str) -> Option<String> {
    let schema = schema();
    let definition = schema["$defs"].get(type_name)?;
    let known: Vec<&str> =
        definition["properties"].as_object()?.keys().map(String::as_str).collect();
    let required = definition["required"].as_array().into_iter().flatten();
    let mut shown: Vec<&str> = required.filter_map(Value::as_str).collect();
    if shown.is_empty() {
        shown.extend(known.iter().take(if known.len() == 2 { 2 } else { 1 }));
    }
    let shown: Vec<String> = shown.iter().map(|key| format!("{key}: ...")).collect();
    Some(format!("write `{{ {} }}`; its keys are {}", shown.join(", "), known.join(", ")))
}
