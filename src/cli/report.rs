//! `batchscope report STUDY_DIR...`: what the records of a study say.

use super::diagnostics::{Output, print_warnings};
use super::{SOME_FAILED, browser};
use crate::report::{self, Report, Together};
use anyhow::Result;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(super) struct ReportArgs {
    /// The folders of studies, such as runs/quickstart; a folder of studies stands for all in it
    #[arg(value_name = "STUDY_DIR", required = true)]
    folders: Vec<PathBuf>,
    /// Where the page goes that compares several studies [default: comparison, beside the first]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Open the page in a browser
    #[arg(long)]
    open: bool,
}

const JSON: &str = "\
With --json: reports, a list of study, path, score (metric, unit, better, range, sign_is_changed, values), answer (headline, \
certainty, label, reason, caveat, next), caution_texts, gap, besides and rows (sentences), verdict \
(outcome, recommended, settled, objective, rivals, more, cautions), group (of the arms compared), \
comparison (margin, best, seeds, looks, level, arms), target (target, arms, trade_off, no_trade_off, \
of_several_rates, fastest, in_budget), others (groups of arms), decomposition, no_decomposition, \
tunings, rates, budgets, at_best, factors, fronts, noise, sharpness, audit and claims. For several \
studies comparison (agreement, batch_sizes, not_everywhere, silent, said, notes, path), else null. \
damaged lists the runs that were left out, and why.\n\n\
In this JSON more is always better. A metric that should fall, such as RMSE or log loss, has the other \
sign everywhere: scores, targets, differences and the ends of intervals. sign_is_changed says whether \
the score is one. A difference is an arm minus the best, and from_best an arm minus the best of the \
others: below 0 it is worse. Gaps are the small batch size minus the large one. Margins have no sign. \
Losses are as they were measured, and so are all numbers in sentences. Accuracies and their differences \
are shares of 1.";

pub(super) fn report(args: &ReportArgs, output: Output) -> Result<ExitCode> {
    let written = report::write_all(&args.folders, args.out.as_deref())?;
    print_warnings(&written.warnings);
    print_warnings(&written.damaged);
    let of_study = |report: &Report| format!("study  {}\n\n{}", report.study, report.text());
    let texts: Vec<String> = written.reports.iter().map(of_study).collect();
    let texts = [texts, written.comparison.iter().map(together).collect()].concat();
    output.answer(&written, &texts.join("\n\n"))?;
    if let Some(why) = written.unwritten {
        return Err(why);
    }
    let page = written.comparison.as_ref().map(|found| &found.path);
    let page = page.or_else(|| written.reports.first().map(|report| &report.path));
    if let Some(page) = page.filter(|_| args.open) {
        browser::open(page, output);
    }
    Ok(match written.damaged.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(SOME_FAILED),
    })
}

/// Whether the studies agree, and where the page about them is.
fn together(found: &Together) -> String {
    let lines = found.said.join("\n");
    format!("together\n\n{lines}\nreport: {}", found.path.display())
}
