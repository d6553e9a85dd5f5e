//! Rules of `study.probe`.

use super::{Checked, MOST_ROWS, broken, count};
use crate::config::ProbeSection;

pub(super) fn check(probe: &ProbeSection) -> Checked {
    if let Some(noise) = probe.noise_scale {
        count("study.probe.noise_scale.checkpoints", noise.checkpoints, 1000u32)?;
        at_least("study.probe.noise_scale.rows", noise.rows, 64)?;
    }
    Ok(())
}

/// Too few rows say nothing.
fn at_least(path: &str, rows: u32, least: u32) -> Checked {
    match (least..=MOST_ROWS).contains(&rows) {
        true => Ok(()),
        false => Err(broken(
            path,
            format!("must be from {least} to {MOST_ROWS}, received {rows}"),
            "it is how many training rows are measured; leave the key out for the default",
        )),
    }
}
