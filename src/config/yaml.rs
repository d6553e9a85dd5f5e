//! YAML text -> a value, with limits that keep a damaged file from taking time without end.

use crate::error::UserError;
use serde_yaml::Value;

/// Brackets that may be open at a time: the parser takes quadratic time in them.
const MOST_BRACKETS: usize = 1000;

/// Reads a text; messages call it `name`.
pub(super) fn parse(name: &str, text: &str) -> Result<Value, UserError> {
    refuse_brackets(name, text)?;
    serde_yaml::from_str(text).map_err(|error| not_yaml(name, &error))
}

/// Refuses a text in which too many brackets are open. Those in strings count too, which does no harm.
pub(super) fn refuse_brackets(name: &str, text: &str) -> Result<(), UserError> {
    let mut open = 0usize;
    for (line, content) in text.lines().enumerate() {
        for byte in content.bytes() {
            match byte {
                b'[' | b'{' => open += 1,
                b']' | b'}' => open = open.saturating_sub(1),
                _ => {}
            }
            if open > MOST_BRACKETS {
                let line = line + 1;
                return Err(UserError::new(
                    format!("{name}, line {line}: more than {MOST_BRACKETS} brackets are open"),
                    "an experiment file has a few: close each `[` and each `{`",
                ));
            }
        }
    }
    Ok(())
}

fn not_yaml(name: &str, error: &serde_yaml::Error) -> UserError {
    let place = error.location().map_or(String::new(), |at| format!(", line {}", at.line()));
    let said = error.to_string();
    if said.contains("recursion limit") {
        return UserError::new(
            format!("{name}{place}: keys and lists lie more than 128 deep within each other"),
            "an experiment file has about six levels: look for a line that is indented too far, or a \
             bracket that is not closed",
        );
    }
    UserError::new(
        format!("{name}{place}: this is not YAML: {said}"),
        match said.contains("duplicate entry") {
            true => "the same key stands twice in one mapping: keep one of them",
            false => "indent with spaces, and put a space after each `:`",
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        parse("file.yaml", text).unwrap_err().message
    }

    #[test]
    fn brackets_and_keys_within_each_other_without_end_are_refused_at_once() {
        let open = "[{".repeat(200_000);
        let said = refusal(&format!("study:\n  grid: {open}"));
        assert_eq!(said, "file.yaml, line 2: more than 1000 brackets are open");
        let said = refusal(&format!("study: {}1{}\n", "[".repeat(300), "]".repeat(300)));
        assert!(said.contains("line 1: keys and lists lie more than 128 deep"), "{said}");
        let indented: String = (0..200).map(|at| format!("{}a:\n", " ".repeat(at))).collect();
        assert!(refusal(&indented).contains("lie more than 128 deep"));
        let many: Vec<String> = (0..2000).map(|at| format!("k{at}: [1, {{ a: 2 }}]\n")).collect();
        parse("file.yaml", &many.concat()).unwrap();
    }
}
