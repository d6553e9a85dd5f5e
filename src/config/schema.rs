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

/// How the mapping is written that one of these types reads: its keys, and those that must be there.
pub(super) fn usage_of(type_name: &str) -> Option<String> {
    let schema = schema();
    let definition = schema["$defs"].get(type_name)?;
    let known: Vec<&str> =
        definition["properties"].as_object()?.keys().map(String::as_str).collect();
    let required: Vec<String> = definition["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|key| Some(format!("{}: ...", key.as_str()?)))
        .collect();
    let keys = known.join(", ");
    Some(match required.is_empty() {
        true => format!("write `{{}}` for the defaults, or some of its keys in braces: {keys}"),
        false => format!("write `{{ {} }}`; its keys are {keys}", required.join(", ")),
    })
}
