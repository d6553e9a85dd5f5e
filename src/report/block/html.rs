//! Blocks as HTML. What looks like HTML in them is text (names are the user's), and there are no links or
//! pictures, which might load something.

use super::{Block, Cell, Table};
use crate::report::plot::escaped;

/// Blocks as they stand on the page.
pub(in crate::report) fn html(blocks: &[Block]) -> String {
    blocks.iter().map(block).collect()
}

fn block(block: &Block) -> String {
    match block {
        Block::Heading(title) => format!("<h3>{title}</h3>\n"),
        Block::Paragraph(text) => format!("<p>{}</p>\n", sentence(text)),
        Block::Bullets(lines) => {
            let line = |line: &String| format!("<li>{}</li>\n", sentence(line));
            format!("<ul>\n{}</ul>\n", lines.iter().map(line).collect::<String>())
        }
        Block::Table(of) => table(of),
    }
}

/// A wide table scrolls by itself, not the page.
fn table(table: &Table) -> String {
    let cell = |cell: &&Cell| match cell {
        Cell::Sentence(text) => format!("<td>{}</td>", sentence(text)),
        other => format!("<td>{}</td>", plain(&other.shown())),
    };
    let line =
        |cells: &Vec<&Cell>| format!("<tr>{}</tr>\n", cells.iter().map(cell).collect::<String>());
    let titles = table.titles();
    let head: String = titles.iter().map(|title| format!("<th>{}</th>", plain(title))).collect();
    let body: String = table.lines().iter().map(line).collect();
    format!(
        "<div class=\"scroll\" tabindex=\"0\"><table><thead><tr>{head}</tr></thead><tbody>\n\
         {body}</tbody></table>\n</div>\n"
    )
}

/// Two stars before one: the longer mark is looked for first.
const MARKS: [(&str, &str); 3] = [("**", "strong"), ("*", "em"), ("`", "code")];

/// Sentences with their *emphasis*, **strong** words and `code`.
pub(in crate::report) fn sentence(text: &str) -> String {
    let mut html = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['*', '`']) {
        let (before, from) = rest.split_at(at);
        html += &plain(before);
        // A star within a word, or between spaces, is a star.
        let in_word = before.ends_with(char::is_alphanumeric);
        let marked = MARKS.iter().filter(|_| !in_word).find_map(|mark| marked(from, mark));
        let (shown, after) = marked.unwrap_or_else(|| (from[..1].to_owned(), &from[1..]));
        html += &shown;
        rest = after;
    }
    html + &plain(rest)
}

/// What a mark at the begin of the text encloses, and what follows.
fn marked<'t>(text: &'t str, (mark, tag): &(&str, &str)) -> Option<(String, &'t str)> {
    let (inside, after) = text.strip_prefix(mark)?.split_once(mark)?;
    let is_marked = !inside.is_empty() && inside.trim() == inside;
    is_marked.then(|| (format!("<{tag}>{}</{tag}>", plain(inside)), after))
}

/// Numbers stay with their signs.
fn plain(text: &str) -> String {
    escaped(text)
        .replace(" %", "&nbsp;%")
        .replace("% interval", "%&nbsp;interval")
        .replace("n = ", "n&nbsp;=&nbsp;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_in_names_is_text_and_nothing_is_a_link() {
        let table = Table::of(["<script>x</script>"]).shown("arm", |name| name).table;
        let html = html(&[Block::Table(table), Block::text("[y](javascript:z) <b>")]);
        assert!(html.contains("&lt;script&gt;x") && !html.contains("<script"), "{html}");
        assert!(html.contains("[y](javascript:z) &lt;b&gt;") && !html.contains("<a"), "{html}");
        assert!(html.contains("<div class=\"scroll\" tabindex=\"0\"><table>"), "{html}");
    }

    #[test]
    fn emphasis_strong_words_and_code_are_marked_and_other_stars_stay() {
        let said = "*Box*: **5 %** of `a < b`; 1e-3 * 0.9^epoch, a*b*c, x** and `open";
        let expected = "<em>Box</em>: <strong>5&nbsp;%</strong> of <code>a &lt; b</code>; \
                        1e-3 * 0.9^epoch, a*b*c, x** and `open";
        assert_eq!(sentence(said), expected);
    }
}
