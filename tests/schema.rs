use crate::util::Scene;
use serde_json::Value;
use std::fs;
use std::path::Path;

fn schema() -> Value {
    let text = Scene::new().run(&["schema"]).expect(0).stdout;
    serde_json::from_str(&text).unwrap()
}

/// The schemas that may describe a value under `schema`: references followed, choices opened.
fn choices<'s>(root: &'s Value, schema: &'s Value) -> Vec<&'s Value> {
    if let Some(reference) = schema["$ref"].as_str() {
        return choices(root, root.pointer(&reference[1..]).unwrap());
    }
    let options = ["anyOf", "oneOf"].iter().find_map(|key| schema[key].as_array());
    match options {
        Some(options) => options.iter().flat_map(|option| choices(root, option)).collect(),
        None => vec![schema],
    }
}

/// What is wrong with a value: keys that no schema has.
fn unknown_keys(root: &Value, schema: &Value, value: &Value, path: &str) -> Vec<String> {
    let choices = choices(root, schema);
    match value {
        Value::Object(object) => object
            .iter()
            .flat_map(|(key, value)| {
                let path = format!("{path}.{key}");
                let of = |choice: &&&Value| {
                    choice["properties"].get(key).is_some()
                        || choice["additionalProperties"].is_object()
                };
                match choices.iter().find(of) {
                    None => vec![path],
                    Some(choice) => match choice["properties"].get(key) {
                        Some(inner) => unknown_keys(root, inner, value, &path),
                        None => unknown_keys(root, &choice["additionalProperties"], value, &path),
                    },
                }
            })
            .collect(),
        Value::Array(values) => {
            let list = choices.iter().find(|choice| choice["items"].is_object());
            let Some(list) = list else { return vec![format!("{path} is no list")] };
            values
                .iter()
                .flat_map(|value| unknown_keys(root, &list["items"], value, &format!("{path}[]")))
                .collect()
        }
        _ => Vec::new(),
    }
}

fn unknown(schema: &Value, yaml: &str) -> Vec<String> {
    unknown_keys(schema, schema, &serde_yaml::from_str(yaml).unwrap(), "")
}

#[test]
fn every_key_of_the_experiments_is_in_the_schema_and_a_wrong_one_is_not() {
    let schema = schema();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments");
    let mut files = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(unknown(&schema, &text), Vec::<String>::new(), "{}", path.display());
        let wrong = text.replacen("epochs:", "epochz:", 1).replacen("  seeds:", "  seedz:", 1);
        assert_eq!(unknown(&schema, &wrong).len(), 2, "{}", path.display());
        files += 1;
    }
    assert!(files >= 5);
}

#[test]
fn editors_can_explain_every_key_and_refuse_the_rest() {
    let schema = schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["title"], "batchscope experiment");
    let sections = schema["$defs"].as_object().unwrap();
    let mut keys = 0;
    for (name, section) in sections.iter().chain([(&"the file".to_owned(), &schema)]) {
        let Some(properties) = section["properties"].as_object() else { continue };
        assert_eq!(section["additionalProperties"], false, "{name}");
        for (key, property) in properties {
            assert!(property["description"].is_string(), "{name}: `{key}` is not explained");
            keys += 1;
        }
    }
    assert!(keys > 40, "the test reads nothing");
}
