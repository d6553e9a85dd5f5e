//! The gap between two batch sizes in numbers.

use super::{Block, Table};
use crate::analysis::{Decomposition, Parts};
use crate::report::Report;
use crate::report::block::Cell;
use crate::report::words::{self, Scale, whole};

/// Its arms, and a table of its parts on both splits.
pub(super) fn gap(report: &Report) -> Vec<Block> {
    let findings = &report.findings;
    let scale = Scale::from(findings);
    match &findings.decomposition {
        _ if findings.no_decomposition.is_some() => vec![Block::text(report.gap.join(" "))],
        Some(found) => {
            vec![arms(found, scale), parts(found, scale), Block::Paragraph(about(scale))]
        }
        None => Vec::new(),
    }
}

fn arms(found: &Decomposition, scale: Scale) -> Block {
    let rows = Table::of(&found.arms)
        .shown("arm", |arm| &arm.name)
        .shown("batch size", |arm| arm.batch_size)
        .shown("learning rate", |arm| Cell::Exact(arm.learning_rate))
        .shown("updates", |arm| whole(arm.updates))
        .shown(&scale.on("validation"), |arm| Cell::Score(scale, Some(arm.validation)))
        .shown(&scale.on("test"), |arm| Cell::Score(scale, arm.test));
    Block::Table(rows.table)
}

fn about(scale: Scale) -> String {
    format!(
        "Small minus large in {}, paired by seed, with 95 % t intervals{}. \
         Total = learning rate + updates + residual. *Learning rate*: what tuning gives the large batch more \
         than the small one. *Updates*: what a budget of as many steps adds. *Residual*: the rest. Rates were \
         tuned on validation with separate seeds.",
        scale.in_unit(),
        scale.over_rows("; on the test split")
    )
}

fn parts(found: &Decomposition, scale: Scale) -> Block {
    let of = |parts: &Parts, at: usize| Cell::Difference(scale, Some(parts.all()[at].estimate));
    let rows = Table::of(0..words::PARTS.len())
        .shown("part", |at| words::PARTS[at])
        .shown("on validation", |at| of(&found.validation, at))
        .shown("at the best measurement", |at| of(&found.best, at))
        .shown("on the test split", |at| found.test.as_ref().map(|parts| of(parts, at)));
    Block::Table(rows.table)
}
