//! The most memory that a run takes.

use crate::kernels::{self, Device};
use anyhow::Result;
use std::cell::Cell;
use std::fs;

/// The peak of a run's memory, without that of measurements in between.
pub(super) struct PeakMemory {
    device: Device,
    before: Cell<u64>,
}

impl PeakMemory {
    pub(super) fn of(device: Device) -> Self {
        Self { device, before: Cell::new(0) }
    }

    pub(super) fn get(&self) -> Result<u64> {
        Ok(self.before.get().max(peak_memory(self.device)?))
    }

    /// Does this without counting its memory, as far as it is that of the process.
    pub(super) fn leave_out<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.before.set(self.get()?);
        let done = work()?;
        reset_peak_memory();
        Ok(done)
    }
}

/// The most memory since the run began: of the device on CUDA, else of this process.
pub(super) fn peak_memory(device: Device) -> Result<u64> {
    match kernels::peak_device_memory(device)? {
        Some(bytes) => Ok(bytes),
        None => Ok(resident_peak().unwrap_or(0)),
    }
}

/// Begins a new measurement of this process's peak memory (Linux: `proc(5)`, `clear_refs`).
pub(super) fn reset_peak_memory() {
    kernels::trim_memory();
    // Elsewhere than on Linux there is no such file, and no peak to read either.
    fs::write("/proc/self/clear_refs", "5").ok();
}

/// `VmHWM`, the peak of resident memory, in bytes.
fn resident_peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}
