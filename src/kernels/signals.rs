//! Signals, as a process that computes has to treat them.
//!
//! Terminals, schedulers and service managers send a signal to all processes of a job. The study is
//! to hear it, and to tell its workers. A worker must not even catch it: oneDNN's LSTM does not
//! survive a handler that runs on its stack (see ARCHITECTURE.md). To ignore a signal is another
//! matter, since then the kernel puts no frame on any stack.

use anyhow::{Context, Result};
use nix::sys::signal::{SigHandler, SigSet, Signal, signal};

/// What is sent to end a job, or to warn it of its end.
pub const STOPS: [Signal; 6] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGXCPU,
];

/// Keeps this thread, and the threads and processes that it starts, from being ended by these
/// signals: they wait until somebody asks for them.
pub fn hold(signals: &[Signal]) -> Result<SigSet> {
    let set: SigSet = signals.iter().copied().collect();
    set.thread_block().context("cannot hold signals back")?;
    Ok(set)
}

/// Ignores [`STOPS`] in this process. Those that came while it was being loaded were held back by the
/// process that started it, and are dropped here.
pub fn ignore_stops() -> Result<()> {
    STOPS.into_iter().try_for_each(ignore)?;
    let set: SigSet = STOPS.into_iter().collect();
    set.thread_unblock().context("cannot let signals through")
}

/// Lets a write beyond the limit on the size of files fail with its reason, in this process and in
/// those that it starts; without this the process would end without a word.
pub fn ignore_file_size_limit() -> Result<()> {
    ignore(Signal::SIGXFSZ)
}

fn ignore(which: Signal) -> Result<()> {
    // SAFETY: `SIG_IGN` names no function, so nothing of this program ever runs in a handler.
    unsafe { signal(which, SigHandler::SigIgn) }
        .with_context(|| format!("cannot ignore {which}"))?;
    Ok(())
}
