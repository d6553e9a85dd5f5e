//! Prose between the edges of a terminal: lines end between words.

/// Breaks lines of prose that are wider than this. What stands in columns stays as it is, and so do
/// commands, which are to be copied as a whole.
pub(super) fn wrap(text: &str, width: Option<u16>) -> String {
    let Some(width) = width.map(usize::from).filter(|width| *width >= 20) else {
        return text.to_owned();
    };
    let lines = text.split('\n').map(|line| match is_prose(line, width) {
        true => broken(line, width),
        false => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn is_prose(line: &str, width: usize) -> bool {
    // A label may stand before a sentence: `data   72 training rows`.
    let spaces = line.find("  ").map(|at| (at, line[at..].trim_start()));
    let in_columns =
        line.starts_with(' ') || spaces.is_some_and(|(at, rest)| at > LABEL || rest.contains("  "));
    line.chars().count() > width && !in_columns
}

/// The longest word before a sentence.
const LABEL: usize = 8;

fn broken(line: &str, width: usize) -> String {
    let (mut lines, mut column) = (String::new(), 0);
    for word in pieces(line) {
        let long = word.chars().count();
        if column > 0 {
            let fits = column + 1 + long <= width;
            lines.push(if fits { ' ' } else { '\n' });
            column = if fits { column + 1 } else { 0 };
        }
        lines.push_str(word);
        column += long;
    }
    lines
}

/// Words; what stands between backticks is one.
fn pieces(line: &str) -> Vec<&str> {
    let (mut pieces, mut start, mut quoted) = (Vec::new(), 0, false);
    for (at, c) in line.char_indices() {
        match c {
            '`' => quoted = !quoted,
            ' ' if !quoted => {
                pieces.push(&line[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    pieces.push(&line[start..]);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_ends_its_lines_between_words_and_columns_stay() {
        let prose =
            "Use batch size 128: as accurate as 32, and `batchscope run a.yaml --set b=c` goes on.";
        let table = format!(" arm    {}", "batch size   ".repeat(5));
        let said = wrap(&format!("{prose}\n{table}"), Some(40));
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(
            lines[..3],
            [
                "Use batch size 128: as accurate as 32,",
                "and `batchscope run a.yaml --set b=c`",
                "goes on."
            ]
        );
        assert_eq!(lines[3], table);
        assert_eq!(said.replace('\n', " "), format!("{prose} {table}"));
        let places = "records: runs/a   curves: tensorboard --logdir runs/a";
        assert_eq!(wrap(places, Some(30)), places);
        let labelled = wrap("data   72 training rows, 24 validation rows", Some(30));
        assert_eq!(labelled, "data   72 training rows, 24\nvalidation rows");
    }

    #[test]
    fn without_a_terminal_nothing_is_broken() {
        let long = "word ".repeat(60);
        assert_eq!(wrap(&long, None), long);
    }
}
