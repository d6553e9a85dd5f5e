//! A guard around readers of other libraries, which may panic on a damaged file.
//!
//! The file is the user's, so what is wrong with it is said as an error that names it, and the panic
//! prints nothing of its own.

use crate::error::UserError;
use anyhow::Result;
use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Whether this thread is inside [`guarded`], where a panic is an answer about the file.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Reads `name`, the file as messages call it. A panic of the reader becomes an error which says that
/// the file is damaged.
pub(super) fn guarded<T>(name: &str, read: impl FnOnce() -> Result<T>) -> Result<T> {
    let stopped =
        |panic: String| Err(damaged(name, &format!("its reader stopped: {panic}")).into());
    caught(read).unwrap_or_else(stopped)
}

/// Calls a reader; its panic is the error, as the first line that it says.
pub(super) fn caught<T>(read: impl FnOnce() -> T) -> Result<T, String> {
    quieten();
    let outer = GUARDED.replace(true);
    // What the reader leaves half done is dropped with it: only the answer leaves this call.
    let read = catch_unwind(AssertUnwindSafe(read));
    GUARDED.set(outer);
    read.map_err(|panic| message(&*panic))
}

/// The error for a file that its reader cannot make sense of.
pub(super) fn damaged(name: &str, why: &str) -> UserError {
    UserError::new(
        format!("{name} is damaged: {why}"),
        "copy it again from where it came from, or write it again",
    )
}

/// Lets panics inside [`guarded`] print nothing; others are printed as before.
fn quieten() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            if !GUARDED.get() {
                before(info);
            }
        }));
    });
}

/// The first line of what a panic says.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default();
    let first = text.lines().next().unwrap_or_default();
    // What a library takes for granted of its file does not hold; how it says so is about its code.
    match first.starts_with("assertion ") {
        true => "its parts do not fit together".to_owned(),
        false => first.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_panics_leaves_an_error_that_names_the_file() {
        let error = guarded("x.npy", || -> Result<()> { panic!("out of {}", "range") });
        let error = error.unwrap_err().downcast::<UserError>().unwrap();
        assert_eq!(error.message, "x.npy is damaged: its reader stopped: out of range");
        assert!(error.hint.is_some());
        assert!(!GUARDED.get(), "later panics are printed");
    }

    #[test]
    fn a_panic_is_an_error_with_its_first_line() {
        assert_eq!(caught(|| 3), Ok(3));
        let values: Vec<u8> = Vec::new();
        let said = caught(|| values[1]).unwrap_err();
        assert!(said.contains("index out of bounds"), "{said}");
        assert_eq!(caught(|| panic!("two\nlines")), Err::<(), _>("two".to_owned()));
        let said = caught(|| assert!(values.len() > 7)).unwrap_err();
        assert_eq!(said, "its parts do not fit together");
    }

    #[test]
    fn what_a_reader_says_passes_through() {
        assert_eq!(guarded("x.npy", || Ok(3)).unwrap(), 3);
        let error = guarded("x.npy", || -> Result<()> { anyhow::bail!("no such column") });
        assert_eq!(error.unwrap_err().to_string(), "no such column");
    }
}
