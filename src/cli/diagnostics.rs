//! Everything that leaves the program: answers on standard output; `error:`, `warning:`, `hint:`
//! and progress on standard error.
//!
//! An answer that cannot be written is an error of the command. A reader that has gone away
//! (`batchscope check FILE.yaml | head -1`) is no reason to complain. Nobody can be told that
//! standard error cannot be written, so errors there are dropped.

use super::sink::{self, Undelivered};
use super::wrap::wrap;
use crate::error::UserError;
use crate::files;
use crate::format::{is_hidden, visible};
use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};
use std::io::{self, ErrorKind, IsTerminal, Write, stderr, stdout};
use terminal_size::{Width, terminal_size_of};

/// What the flags of every command ask of everything that is printed.
#[derive(Debug, Clone, Copy, Default, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct Output {
    /// Print nothing on standard error but warnings and errors
    #[arg(long, global = true)]
    pub(super) quiet: bool,
    /// Print the result, or the error, as one JSON document on standard output
    #[arg(long, global = true)]
    pub(super) json: bool,
}

impl Output {
    /// Prints a line beside the results.
    pub(super) fn note(self, line: &str) {
        if !self.quiet {
            note(line);
        }
    }

    /// Prints the one result of a command: the text, or with `--json` the document.
    pub(super) fn answer(self, document: &impl Serialize, text: &str) -> Result<(), Undelivered> {
        match self.json {
            true => print_document(document),
            false => {
                let width = terminal_size_of(stdout()).map(|(Width(width), _)| width);
                print_line(&wrap(&visible(text), width))
            }
        }
    }

    /// As [`Output::answer`], for a text that another program is to read: signs that a terminal would
    /// act on are made visible on a terminal alone.
    pub(super) fn data(self, document: &impl Serialize, text: &str) -> Result<(), Undelivered> {
        match self.json {
            true => print_document(document),
            false if stdout().is_terminal() => print_line(&visible(text)),
            false => print_line(text),
        }
    }

    /// Prints an error with all its causes, and the advice that came with it.
    pub(super) fn error(self, error: &anyhow::Error) {
        let of_disk = || files::no_room(error).map(|why| why.hint().to_owned());
        let denied = || is_denied(error).then(|| DENIED.to_owned());
        let hint = advice(error).or_else(of_disk).or_else(denied);
        self.fault(&format!("{error:#}"), hint.as_deref());
    }

    /// Prints what is wrong, and what to do about it.
    pub(super) fn fault(self, message: &str, hint: Option<&str>) {
        complain(message, hint);
        if self.json
            && let Err(lost) = print_document(&fault_document(message, hint))
            && !lost.is_unread()
        {
            complain(&format!("cannot write the error to {lost}"), None);
        }
    }
}

const DENIED: &str = "this user may not do that there: `ls -l` shows owners and modes; change them, copy the \
                      folder, or name another";

pub(super) fn is_denied(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|cause| cause.kind() == ErrorKind::PermissionDenied)
}

/// The advice that came with an error.
pub(super) fn advice(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(|cause| cause.downcast_ref::<UserError>()?.hint.clone())
}

/// The value of `error` in documents, within one of its own.
fn fault_document(message: &str, hint: Option<&str>) -> Value {
    json!({ "error": { "message": message, "hint": hint } })
}

/// Prints an error on standard error.
pub(super) fn complain(message: &str, hint: Option<&str>) {
    note(&format!("error: {message}"));
    if let Some(hint) = hint {
        note(&format!("\nhint: {hint}"));
    }
}

fn print_document(document: &impl Serialize) -> Result<(), Undelivered> {
    let text = serde_json::to_value(document).map(|value: Value| format!("{value:#}"));
    let failed = |error: serde_json::Error| fault_document(&error.to_string(), None).to_string();
    print_line(&escaped(&text.unwrap_or_else(failed)))
}

/// JSON in which signs that a terminal would act on are written as `\u001b`. They can stand inside its
/// strings alone, so the values stay the same.
fn escaped(json: &str) -> String {
    let acts = |c: char| is_hidden(c) && c != '\n';
    let escape = |c: char| match acts(c) {
        true => c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
        false => c.to_string(),
    };
    match json.contains(acts) {
        true => json.chars().map(escape).collect(),
        false => json.to_owned(),
    }
}

/// Prints a result and the end of its line.
fn print_line(text: &str) -> Result<(), Undelivered> {
    sink::print(format!("{text}\n").as_bytes())
}

/// Prints what is legal but surprising.
pub(super) fn print_warnings(warnings: &[String]) {
    for warning in warnings {
        note(&format!("warning: {warning}"));
    }
}

/// Prints a line on standard error.
pub(super) fn note(line: &str) {
    let width = terminal_size_of(stderr()).map(|(Width(width), _)| width);
    writeln!(stderr(), "{}", wrap(&visible(line), width)).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_keeps_its_values_and_shows_no_hidden_signs() {
        let value = json!({ "name": "a\u{1b}[31m\u{202e}b\u{9b}\u{e0001}\n" });
        let text = escaped(&format!("{value:#}"));
        assert!(!text.contains(|c| is_hidden(c) && c != '\n'), "{text}");
        assert!(text.contains(r"\u001b[31m\u202eb\u009b\udb40\udc01\n"), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
