//! Everything that leaves the program: answers on standard output; `error:`, `warning:`, `hint:`
//! and progress on standard error. A reader that has gone away (`batchscope check FILE.yaml | head
//! -1`) is no reason to fail, so errors of writing are dropped.

use crate::error::UserError;
use std::io::{Write, stderr, stdout};

/// Prints an error with all its causes, and the advice that came with it.
pub fn print_error(error: &anyhow::Error) {
    note(&format!("error: {error:#}"));
    let hint = error.chain().find_map(|cause| cause.downcast_ref::<UserError>()?.hint.as_ref());
    if let Some(hint) = hint {
        note(&format!("\nhint: {hint}"));
    }
}

/// Prints what is legal but surprising.
pub(super) fn print_warnings(warnings: &[String]) {
    for warning in warnings {
        note(&format!("warning: {warning}"));
    }
}

/// Prints a line beside the results.
pub(super) fn note(line: &str) {
    writeln!(stderr(), "{line}").ok();
}

/// Prints a result.
pub(super) fn answer(text: &str) {
    writeln!(stdout(), "{text}").ok();
}
