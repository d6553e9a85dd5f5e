//! Panics of other people's readers, caught: damaged input is an error, never a crash.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Whether this thread is inside [`guarded`], where a panic prints nothing.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Calls a library's reader on this thread. A panic in it is the error, with its message, and
/// nothing is printed. What the call has changed is to be thrown away then.
pub(super) fn guarded<T>(read: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = take_hook();
        set_hook(Box::new(move |panic| {
            if !QUIET.get() {
                usual(panic);
            }
        }));
    });
    let before = QUIET.replace(true);
    let ended = catch_unwind(AssertUnwindSafe(read));
    QUIET.set(before);
    ended.map_err(|panic| message(&*panic))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("the reader stopped").lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_with_its_first_line() {
        assert_eq!(guarded(|| 3), Ok(3));
        let values: Vec<u8> = Vec::new();
        let said = guarded(|| values[1]).unwrap_err();
        assert!(said.contains("index out of bounds"), "{said}");
        assert_eq!(guarded(|| panic!("two\nlines")), Err::<(), _>("two".to_owned()));
        assert!(!QUIET.get());
    }
}
