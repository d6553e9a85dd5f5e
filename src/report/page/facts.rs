//! What one needs to repeat a study.

use crate::config::{FIRST_TUNING_SEED, Study};
use crate::format::command;
use serde_json::Value;

/// What one needs to repeat the study, from its file and its last session: names and values.
pub(super) fn facts(study: &Study, sessions: &[Value]) -> Vec<(&'static str, String)> {
    let mut all = of_session(sessions);
    let split = &study.experiment.data.split;
    let tuning = study.tuning().map(|rule| {
        let seeds = (0..u64::from(rule.seeds)).map(|seed| FIRST_TUNING_SEED + seed);
        seeds.collect::<Vec<_>>()
    });
    all.push(("Seeds", runs_of(&study.all_seeds())));
    all.extend(tuning.map(|seeds| ("Seeds of tuning", runs_of(&seeds))));
    all.push(("Seed of the split", split.seed.to_string()));
    all
}

/// `0 to 4, 7`
fn runs_of(seeds: &[u64]) -> String {
    let mut runs: Vec<[u64; 2]> = Vec::new();
    for seed in seeds {
        match runs.last_mut() {
            Some([_, last]) if *last + 1 == *seed => *last = *seed,
            _ => runs.push([*seed, *seed]),
        }
    }
    let text = |[first, last]: &[u64; 2]| match last - first {
        0 => first.to_string(),
        1 => format!("{first}, {last}"),
        _ => format!("{first} to {last}"),
    };
    runs.iter().map(text).collect::<Vec<_>>().join(", ")
}

fn of_session(sessions: &[Value]) -> Vec<(&'static str, String)> {
    let Some(last) = sessions.last() else { return Vec::new() };
    let texts = |values: &[Value]| -> Vec<String> {
        values.iter().map(|v| v.as_str().map_or(v.to_string(), String::from)).collect()
    };
    let text = |value: &Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Array(values) if values.is_empty() => None,
        Value::Array(values) => Some(texts(values).join(", ")),
        other => Some(other.to_string()),
    };
    let rows = |split: &str| {
        let (of, positives) = (&last["data"][split]["examples"], &last["data"][split]["positives"]);
        let share = positives.as_u64().map_or(String::new(), |p| format!(", {p} of class 1"));
        of.as_u64().map(|of| format!("{of} examples{share}"))
    };
    let facts = [
        ("Command", last["command"].as_array().map(|arguments| command(&texts(arguments)))),
        ("Data hash (rows and split)", text(&last["data"]["hash"])),
        ("Training split", rows("train")),
        ("Validation split", rows("validation")),
        ("Test split", rows("test")),
        ("Margin", text(&last["margin"])),
        ("batchscope", text(&last["batchscope"])),
        ("libtorch", text(&last["libtorch"])),
        ("Engine", text(&last["engine"])),
        ("Instructions", text(&last["instructions"])),
        ("Device", text(&last["device"])),
        ("GPUs", text(&last["cuda"])),
        ("Processor", text(&last["cpu"])),
        ("System", text(&last["system"])),
        ("Sessions", (sessions.len() > 1).then(|| sessions.len().to_string())),
    ];
    facts.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_facts_are_those_of_the_last_session_without_what_is_not_known() {
        let sessions =
            [json!({ "device": "cuda" }), json!({ "device": "cpu", "command": ["a", "b"] })];
        let facts = of_session(&sessions);
        let expected = [("Command", "a b"), ("Device", "cpu"), ("Sessions", "2")];
        assert_eq!(facts, expected.map(|(name, value)| (name, value.to_owned())));
    }

    #[test]
    fn seeds_in_a_row_are_one_range() {
        assert_eq!(runs_of(&[0, 1, 2, 3, 7, 9, 10]), "0 to 3, 7, 9, 10");
        assert_eq!(runs_of(&[5]), "5");
    }
}
