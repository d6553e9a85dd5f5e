//! What several metrics have in common, computed once.

use super::confusion::Confusion;
use super::errors::Errors;
use super::rows::Rows;
use std::cell::OnceCell;

/// Rows, and what several metrics are computed from, made once.
pub(super) struct Measured<'r> {
    pub(super) rows: Rows<'r>,
    confusion: OnceCell<Confusion>,
    errors: OnceCell<Errors>,
}

impl<'r> Measured<'r> {
    pub(super) fn new(rows: Rows<'r>) -> Self {
        Self { rows, confusion: OnceCell::new(), errors: OnceCell::new() }
    }

    pub(super) fn confusion(&self) -> &Confusion {
        self.confusion.get_or_init(|| Confusion::of(&self.rows))
    }

    pub(super) fn errors(&self) -> &Errors {
        self.errors.get_or_init(|| Errors::of(&self.rows))
    }
}
