//! Settings as a flat list of paths and values.

use serde_json::Value;
use std::collections::BTreeMap;

/// `train.optimizer.adam.lr: 0.001` for every leaf of a section that was turned into JSON; of a list of
/// sections, `model.layers[0].lstm.units: 64`.
pub fn leaves(section: &Value) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    collect("", section, &mut found);
    found
}

/// Whether a path is this part of the file or lies in it.
pub fn is_under(path: &str, part: &str) -> bool {
    path.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn collect(path: &str, value: &Value, found: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let at = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                collect(&at, value, found);
            }
        }
        Value::Array(list) if !list.is_empty() && list.iter().all(Value::is_object) => {
            for (at, value) in list.iter().enumerate() {
                collect(&format!("{path}[{at}]"), value, found);
            }
        }
        Value::String(text) => {
            found.insert(path.to_owned(), text.clone());
        }
        other => {
            found.insert(path.to_owned(), other.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn leaves_have_their_whole_paths_and_lists_of_values_are_one_leaf() {
        let found = leaves(&json!({ "a": { "b": 1.5, "c": "text" }, "d": [1, 2], "e": null }));
        let expected = [("a.b", "1.5"), ("a.c", "text"), ("d", "[1,2]"), ("e", "null")];
        assert_eq!(found, expected.map(|(path, text)| (path.to_owned(), text.to_owned())).into());
        let layers = json!({ "layers": [{ "lstm": { "units": 3 } }, { "gru": { "units": 2 } }] });
        let expected = [("layers[0].lstm.units", "3"), ("layers[1].gru.units", "2")];
        assert_eq!(leaves(&layers), expected.map(|(path, text)| (path.into(), text.into())).into());
        assert!(
            is_under("layers[0].lstm.units", "layers")
                && is_under("a.b", "a")
                && is_under("a.b", "a.b")
                && !is_under("ab.c", "a")
        );
    }
}
