//! Rules of `study.probe`.

use super::{Checked, MOST_ROWS, broken, count};
use crate::config::{Arm, LayerSection, ProbeSection, StudySection};
use crate::spec::Recurrent;

pub(super) fn check(probe: &ProbeSection) -> Checked {
    if let Some(noise) = probe.noise_scale {
        count("study.probe.noise_scale.checkpoints", noise.checkpoints, 1000u32)?;
        at_least("study.probe.noise_scale.rows", noise.rows, 64)?;
    }
    if let Some(sharpness) = probe.sharpness {
        at_least("study.probe.sharpness.rows", sharpness.rows, 1)?;
        count("study.probe.sharpness.steps", sharpness.steps, 1000u32)?;
        count("study.probe.sharpness.vectors", sharpness.vectors, 10_000u32)?;
    }
    if let Some(line) = &probe.line {
        at_least("study.probe.line.rows", line.rows, 1)?;
        if line.points < 4 || line.points % 3 != 1 || line.points > 1000 {
            return Err(broken(
                "study.probe.line.points",
                format!(
                    "must be one more than a multiple of 3, from 4 to 1000, received {}",
                    line.points
                ),
                "the points go from -1 to 2 in equal steps, with both solutions (0 and 1) among them: \
                 take 13, 25 or 49",
            ));
        }
    }
    Ok(())
}

/// A line needs two solutions of one model that began with the same weights.
pub(in crate::config) fn line(study: &StudySection, arms: &[Arm]) -> Checked {
    let Some(section) = &study.probe.line else { return Ok(()) };
    let path = match section.between {
        Some(_) => "study.probe.line.between",
        None => "study.probe.line",
    };
    let Some([small, large]) = section.ends(arms, study.decompose.is_some()) else {
        let names: Vec<String> = arms.iter().map(|arm| format!("`{}`", arm.name)).collect();
        return Err(broken(
            path,
            match &section.between {
                Some([small, large]) => format!("there is no arm `{small}` or no arm `{large}`"),
                None => "all arms have one batch size, so it is not known between which to draw it"
                    .into(),
            },
            &match names.len() {
                1 => "a line takes two arms: add one with another batch size".to_owned(),
                _ => format!("name two of {} under `between`", names.join(", ")),
            },
        ));
    };
    let sizes = |arm: &Arm| {
        let layers = arm.model.recurrent();
        let layers: Vec<Recurrent> = layers.iter().map(LayerSection::sizes).collect();
        (layers, arm.model.embedding.as_ref().map(|e| e.dim))
    };
    let differs = match () {
        () if small.name == large.name => "are one",
        () if sizes(small) != sizes(large) => "have models of different sizes",
        () if small.model.init != large.model.init => "begin with different weights (`model.init`)",
        () => return Ok(()),
    };
    Err(broken(
        path,
        format!("the arms `{}` and `{}` {differs}", small.name, large.name),
        "a line joins the solutions of two arms that have the same model and the same first weights",
    ))
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
