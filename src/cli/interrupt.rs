//! Signals that end a study: the first one saves and ends, the second one ends at once.
//!
//! They are held back in every thread, and one thread waits for them. So no handler runs in the midst
//! of other work, and a worker that is just being started hears of none (it ignores them from its first
//! moment on, and is told by the study).

use super::diagnostics::Output;
use super::format;
use crate::files;
use crate::kernels::signals::{STOPS, hold};
use anyhow::Result;
use nix::sys::signal::Signal;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// What the study is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Reading and preparing data: there is nothing to save.
    Preparing,
    Training,
    /// A signal came while it was training.
    Stopping,
    /// All results are saved.
    Reporting,
}

/// Hears the signals that end a study.
#[derive(Debug, Clone)]
pub(super) struct Interrupt {
    stop: Arc<AtomicBool>,
    phase: Arc<Mutex<Phase>>,
    output: Output,
    study: PathBuf,
}

impl Interrupt {
    /// Begins to listen, for the study in this folder. To be called before any thread is started.
    pub(super) fn listen(output: Output, study: &Path) -> Result<Self> {
        let phase = Arc::new(Mutex::new(Phase::Preparing));
        let interrupt = Self { stop: Arc::default(), phase, output, study: study.to_owned() };
        let ignored = is_ignored(Signal::SIGHUP);
        let heard: Vec<Signal> = STOPS
            .into_iter()
            // `nohup` ignores it, so that the study outlives its terminal.
            .filter(|signal| !(ignored && *signal == Signal::SIGHUP))
            .collect();
        let held = hold(&heard)?;
        let listener = interrupt.clone();
        thread::spawn(move || {
            while let Ok(signal) = held.wait() {
                listener.on_signal(signal);
            }
        });
        Ok(interrupt)
    }

    /// Set when the runs in training are to be saved.
    pub(super) fn stop(&self) -> &AtomicBool {
        &self.stop
    }

    /// From here on there is something to save.
    pub(super) fn training(&self) {
        *self.phase() = Phase::Training;
    }

    /// From here on everything is saved.
    pub(super) fn reporting(&self) {
        let mut phase = self.phase();
        if *phase == Phase::Training {
            *phase = Phase::Reporting;
        }
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn on_signal(&self, signal: Signal) {
        // Held while the study is being left: it must not go on to its next phase.
        let mut phase = self.phase();
        match *phase {
            Phase::Preparing => self.leave(
                &format!("stopped by {signal} before training began"),
                "there was nothing to save: the same command begins again",
            ),
            Phase::Training => {
                *phase = Phase::Stopping;
                drop(phase);
                self.stop.store(true, Ordering::Relaxed);
                let how = "saving the runs in training (Ctrl-C again: at once)";
                self.output.note(&format!("\nstopping on {signal}: {how}"));
            }
            Phase::Stopping if is_repeated_by_itself(signal) => {}
            Phase::Stopping => leave_at_once(),
            Phase::Reporting => {
                let report = ["batchscope", "report", &self.study.display().to_string()];
                let command = format::command(&report);
                self.leave(
                    &format!("stopped by {signal} after training"),
                    &format!("all results are saved: `{command}` writes the report"),
                );
            }
        }
    }

    fn leave(&self, why: &str, hint: &str) -> ! {
        files::abandon();
        self.output.fault(why, Some(hint));
        leave_at_once()
    }
}

/// A terminal that closes sends SIGHUP more than once, and a limit on processor time is told of every
/// second: neither is somebody who loses patience.
fn is_repeated_by_itself(signal: Signal) -> bool {
    matches!(signal, Signal::SIGHUP | Signal::SIGXCPU)
}

/// Whether whoever started this process had it ignore a signal (Linux: `proc(5)`).
fn is_ignored(signal: Signal) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.unwrap_or(0) >> (signal as i32 - 1) & 1 == 1
}

#[expect(clippy::exit, reason = "what is saved is whole, and nothing more is wanted")]
fn leave_at_once() -> ! {
    std::process::exit(i32::from(super::INTERRUPTED))
}
