//! The line protocol of `benches/README.md`: for each number N on standard input, N steps and a
//! line of JSON; one such line first, when warm.

use anyhow::Result;
use batchscope::kernels::libtorch_version;
use serde_json::{Value, json};
use std::io::{Write, stdin, stdout};
use std::time::Instant;

/// Untimed steps, then as many timed ones for the first line.
const WARM_UP: u64 = 3;

/// Serves until the input ends. `run` makes the given number of steps, waits for the last one, and gives
/// its loss.
pub(crate) fn serve(mut run: impl FnMut(u64) -> Result<f64>) -> Result<()> {
    run(WARM_UP)?;
    let mut first = timed(WARM_UP, &mut run)?;
    first["versions"] = json!({ "libtorch": libtorch_version() });
    say(&first)?;
    for line in stdin().lines() {
        say(&timed(line?.trim().parse()?, &mut run)?)?;
    }
    Ok(())
}

fn timed(steps: u64, run: &mut dyn FnMut(u64) -> Result<f64>) -> Result<Value> {
    let started = Instant::now();
    let loss = run(steps)?;
    let seconds = started.elapsed().as_secs_f64();
    Ok(json!({ "steps": steps, "seconds": seconds, "loss": loss }))
}

fn say(line: &Value) -> Result<()> {
    println!("{line}");
    Ok(stdout().flush()?)
}
