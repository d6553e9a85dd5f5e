//! Everything that leaves the program: answers on standard output; `error:`, `warning:`, `hint:`
//! and progress on standard error. A reader that has gone away (`batchscope check FILE.yaml | head
//! -1`) is no reason to fail, so errors of writing are dropped.

use crate::error::UserError;
use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};
use std::io::{Write, stderr, stdout};

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
    pub(super) fn answer(self, document: &impl Serialize, text: &str) {
        match self.json {
            true => answer(&document_text(document)),
            false => answer(text),
        }
    }

    /// Prints an error with all its causes, and the advice that came with it.
    pub(super) fn error(self, error: &anyhow::Error) {
        let hint = error.chain().find_map(|cause| cause.downcast_ref::<UserError>()?.hint.clone());
        self.fault(&format!("{error:#}"), hint.as_deref());
    }

    /// Prints what is wrong, and what to do about it.
    pub(super) fn fault(self, message: &str, hint: Option<&str>) {
        note(&format!("error: {message}"));
        if let Some(hint) = hint {
            note(&format!("\nhint: {hint}"));
        }
        if self.json {
            answer(&document_text(&json!({ "error": { "message": message, "hint": hint } })));
        }
    }
}

fn document_text(document: &impl Serialize) -> String {
    let text = serde_json::to_value(document).map(|value: Value| format!("{value:#}"));
    text.unwrap_or_else(|error| json!({ "error": { "message": error.to_string() } }).to_string())
}

/// Prints what is legal but surprising.
pub(super) fn print_warnings(warnings: &[String]) {
    for warning in warnings {
        note(&format!("warning: {warning}"));
    }
}

/// Prints a line on standard error.
pub(super) fn note(line: &str) {
    writeln!(stderr(), "{line}").ok();
}

/// Prints a result.
pub(super) fn answer(text: &str) {
    writeln!(stdout(), "{text}").ok();
}
