//! `error:`, `warning:` and `hint:` on standard error.

#![expect(clippy::print_stderr, reason = "this is where messages leave the program")]

use crate::error::UserError;

/// Prints an error with all its causes, and the advice that came with it.
pub fn print_error(error: &anyhow::Error) {
    eprintln!("error: {error:#}");
    let hint = error.chain().find_map(|cause| cause.downcast_ref::<UserError>()?.hint.as_ref());
    if let Some(hint) = hint {
        eprintln!("\nhint: {hint}");
    }
}

/// Prints what is legal but surprising.
pub(super) fn print_warnings(warnings: &[String]) {
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
}

/// Prints a line beside the results.
pub(super) fn note(line: &str) {
    eprintln!("{line}");
}
