//! The line protocol of `benches/README.md`: for each number N on standard input, N steps and a
//! line of JSON; one such line first, when warm.

use anyhow::Result;
use batchscope::kernels::libtorch_version;
use serde_json::{Value, json};
use std::io::{Write, stdin, stdout};
use std::time::Instant;

/// Untimed steps, then as many timed ones for the first line.
const WARM_UP: u64 = 3;

/// Serves until the input ends. A step gives its loss.
pub(crate) fn serve(mut step: impl FnMut() -> Result<f64>) -> Result<()> {
    run(WARM_UP, &mut step)?;
    let mut first = run(WARM_UP, &mut step)?;
    first["versions"] = json!({ "libtorch": libtorch_version() });
    say(&first)?;
    for line in stdin().lines() {
        say(&run(line?.trim().parse()?, &mut step)?)?;
    }
    Ok(())
}

fn run(steps: u64, step: &mut dyn FnMut() -> Result<f64>) -> Result<Value> {
    let started = Instant::now();
    let mut loss = f64::NAN;
    for _ in 0..steps {
        loss = step()?;
    }
    let seconds = started.elapsed().as_secs_f64();
    Ok(json!({ "steps": steps, "seconds": seconds, "loss": loss }))
}

fn say(line: &Value) -> Result<()> {
    println!("{line}");
    Ok(stdout().flush()?)
}
