//! `--open`: the page of a report in a browser.

use super::diagnostics::{Output, print_warnings};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// Opens a page. Where there is no browser, that is said, and is no error.
pub(super) fn open(page: &Path, output: Output) {
    let opened = has_screen() && page.canonicalize().is_ok_and(|page| opens(&page));
    match opened {
        true => output.note(&format!("opened {}", page.display())),
        false => print_warnings(&[format!(
            "no browser could be opened here; the page is {}",
            page.display()
        )]),
    }
}

/// Without a screen, some launchers start a browser in the terminal.
fn has_screen() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !cfg!(target_os = "linux")
        || ["DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME", "BROWSER"].into_iter().any(set)
}

fn opens(page: &Path) -> bool {
    open::commands(page).into_iter().any(starts)
}

/// Whether a launcher ends well, or is still at work after a while.
fn starts(mut launcher: Command) -> bool {
    const WHILE: Duration = Duration::from_millis(50);
    const TIMES: usize = 60;
    launcher.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut launcher) = launcher.spawn() else { return false };
    for _ in 0..TIMES {
        match launcher.try_wait() {
            Ok(None) => sleep(WHILE),
            Ok(Some(status)) => return status.success(),
            Err(_) => return false,
        }
    }
    true
}
