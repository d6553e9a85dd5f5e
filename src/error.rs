//! Errors that a person can act on: the rule that was broken, and what to do about it.
//!
//! Every layer may raise a [`UserError`]; `cli` prints its message after `error:` and its advice
//! after `hint:`. Errors without advice travel as plain `anyhow` chains.

use std::fmt;

/// A broken rule with its remedy. `Display` gives the message alone; the hint is printed apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserError {
    /// What rule was broken, what was received, and where.
    pub message: String,
    /// What to do about it, when there is something to say.
    pub hint: Option<String>,
}

impl UserError {
    /// An error with advice.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: Some(hint.into()) }
    }

    /// An error of any kind, with the advice that it has.
    pub fn of(error: anyhow::Error) -> Self {
        let other = |error: anyhow::Error| Self { message: format!("{error:#}"), hint: None };
        error.downcast::<Self>().unwrap_or_else(other)
    }
}

impl fmt::Display for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for UserError {}
