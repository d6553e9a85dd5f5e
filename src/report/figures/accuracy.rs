//! The score against batch size: at the end of the runs, one panel a group of comparable arms, and
//! with equal epochs, steps and time as `analysis::budgets` reads them off the curves.

use super::{ASIDE, Figure, Study, beside, range};
use crate::analysis::{
    ArmFinding, ArmResults, AtBest, BudgetFinding, Comparison, Estimate, GroupView, Split,
};
use crate::report::plot::{Axis, Chart, Mark, Panel, Spread};
use crate::report::words::{self, Scale};
use crate::stats::Interval;

/// What one panel shows.
struct View<'s> {
    title: String,
    /// By batch size.
    arms: Vec<&'s ArmResults>,
    comparison: &'s Comparison,
    /// The estimates of all arms on the axis.
    findings: Vec<&'s ArmFinding>,
    /// Whose scores the axis has room for: panels of the same ones have the same scale.
    scale: Vec<&'s ArmResults>,
    split: Split,
}

pub(super) fn draw(study: &Study) -> Option<Figure> {
    let at_end = at_the_end(study);
    if at_end.is_empty() {
        return None;
    }
    let (ways, caption) = (at_end.len(), caption(study, at_end.len()));
    let legend = match at_end.iter().all(|view| view.is_plain()) {
        true => Vec::new(),
        false => {
            study.legend(&at_end.iter().flat_map(|view| view.arms.clone()).collect::<Vec<_>>())
        }
    };
    let at_best = study.findings.at_best.iter().map(at_best);
    let views = at_end.into_iter().chain(equal(study).map(with_equal)).chain(at_best);
    let panels: Vec<Panel> = views.map(|view| panel(study, &view)).collect();
    let score = study.scale().capital();
    let title = match panels.len() > ways {
        true => format!("{score} by batch size, and by what is held equal"),
        false => format!("{score} by batch size"),
    };
    Some(Figure { name: "accuracy", title, caption, panels, legend })
}

/// The groups in which arms were compared.
fn at_the_end<'s>(study: &Study<'s>) -> Vec<View<'s>> {
    let (results, findings) = (study.results, study.findings);
    let view = |of: GroupView<'s>| {
        let arms = of.places.iter().map(|place| &results.arms[*place]);
        let mut arms: Vec<&ArmResults> = arms.filter(|arm| !arm.runs.is_empty()).collect();
        arms.sort_by_key(|arm| arm.batch_size);
        View {
            title: words::way(of.way).into(),
            arms,
            comparison: of.comparison,
            findings: findings.groups().flat_map(|group| &group.comparison.arms).collect(),
            scale: study.arms().collect(),
            split: results.reported_split(),
        }
    };
    let views = findings.groups().map(view).filter(|view| !view.arms.is_empty());
    let mut views: Vec<View> = views.collect();
    if let [only] = &mut views[..] {
        only.title = "at the end of the runs".into();
    }
    views
}

/// The budgets at which arms can be compared; not those with which all runs end, as they mostly do with
/// equal epochs: these are the same runs once more.
fn equal<'s>(study: &Study<'s>) -> impl Iterator<Item = &'s BudgetFinding> {
    let results = study.results;
    let is_end = |of: &ArmResults| {
        let arm = results.arms.iter().find(|arm| arm.name == of.name);
        arm.is_some_and(|arm| {
            arm.runs.values().map(|run| run.steps).eq(of.runs.values().map(|run| run.steps))
        })
    };
    let budgets = study.findings.budgets.iter().filter(|budget| budget.compares());
    budgets.filter(move |budget| !budget.arms.iter().all(is_end))
}

fn with_equal(budget: &BudgetFinding) -> View<'_> {
    let (equal, amount) = (words::equal(budget.axis), words::amount(budget.axis, budget.amount));
    of_arms(format!("{equal} ({amount})"), &budget.arms, &budget.comparison)
}

fn at_best(found: &AtBest) -> View<'_> {
    of_arms("each run at its best".into(), &found.arms, &found.comparison)
}

fn of_arms<'s>(title: String, arms: &'s [ArmResults], comparison: &'s Comparison) -> View<'s> {
    let mut arms: Vec<&ArmResults> = arms.iter().collect();
    arms.sort_by_key(|arm| arm.batch_size);
    let (findings, split) = (comparison.arms.iter().collect(), Split::Validation);
    View { title, scale: arms.clone(), arms, comparison, findings, split }
}

fn caption(study: &Study, ways: usize) -> String {
    let each = match ways {
        1 => String::new(),
        _ => format!(" The first {ways} panels have the same scale."),
    };
    let score = study.scale().on("validation");
    let equal = match equal(study).next() {
        None => String::new(),
        Some(_) => {
            format!(" Panels with equal amounts show {score} where the shortest run ends.")
        }
    };
    let best = match study.findings.at_best {
        None => String::new(),
        Some(_) => format!(" The last panel shows each run at its best {score}."),
    };
    let all = study.findings.budgets.iter();
    let unread = all.filter(|budget| !budget.unread.is_empty()).map(|budget| {
        let (name, arms) = (words::equal(budget.axis), budget.unread.join(", "));
        format!(" With {name} {arms} had not been measured yet.")
    });
    let rows = match study.results.reported_split() {
        Split::Test => study.scale().over_rows(","),
        Split::Validation => String::new(),
    };
    format!(
        "Small dots are runs, large marks means, bars 95 % t intervals ({}{rows}). Grey band: within the \
         margin of {} {} the best mean. Overlapping bars do not show that sizes are equal; the \
         table of paired differences does.{each}{equal}{best}{}",
        study.seeds(),
        study.scale().amount(study.results.margin),
        if study.results.score.falls() { "above" } else { "below" },
        unread.collect::<String>()
    )
}

fn panel(study: &Study, view: &View) -> Panel {
    let scale = study.scale();
    let shown = shown(study, view).into_iter().map(|turned| scale.natural(turned));
    let y = Axis::over(&scale.on(view.split), Spread::Linear, scale.axis(), shown);
    let [least, most] = scale.limits();
    let x = Axis::of_batch_sizes(&study.sizes());
    let mut chart = Chart::new(&view.title, x, y.within(least, most));
    if let Some(best) = view.comparison.best().and_then(|best| best.score(view.split)) {
        let (margin, best) = (study.results.margin, best.summary);
        let says = format!("within {} of the best mean", scale.amount(margin));
        chart.between_y(scale.natural_pair([best.mean - margin, best.mean]), &says);
    }
    let means = view.arms.iter().filter_map(|arm| Some((*arm, view.score(arm)?)));
    let means: Vec<(&ArmResults, &Estimate)> = means.collect();
    if view.is_plain() {
        let mean = |of: &Estimate| scale.natural(of.summary.mean);
        let line = means.iter().map(|(arm, of)| [arm.batch_size as f64, mean(of)]);
        chart.reference(&line.collect::<Vec<_>>(), "means");
    }
    for (arm, of) in &means {
        draw_arm(study, &mut chart, arm, of, Place::of(study, &view.arms, arm));
    }
    chart.finish()
}

/// The scores that an axis has room for, turned. A bar of two seeds may be wider than everything: it is
/// shown as far as twice the data.
fn shown(study: &Study, view: &View) -> Vec<f64> {
    let runs = view.scale.iter().flat_map(|arm| arm.runs.values()).map(|run| run.reported_score());
    let mut shown: Vec<f64> = runs.collect();
    let [low, high] = range(shown.iter().copied());
    let room = 1.5 * (high - low).max(study.results.margin);
    let bars = view.scale.iter().filter_map(|arm| ends(study.scale(), view.score(arm)?)).flatten();
    shown.extend(bars.map(|end| end.clamp(low - room, high + room)));
    shown
}

/// The ends of the interval of a mean, cut to what the score can be; turned.
fn ends(scale: Scale, estimate: &Estimate) -> Option<[f64; 2]> {
    let Interval { low, high } = scale.within_limits(estimate.interval?);
    Some(scale.natural_pair([low, high]))
}

impl View<'_> {
    /// Whether its arms differ in their batch sizes alone, so that these name them.
    fn is_plain(&self) -> bool {
        let alike = |pair: &[&ArmResults]| {
            pair[0].batch_size != pair[1].batch_size && pair[0].settings == pair[1].settings
        };
        self.arms.windows(2).all(alike)
    }

    fn score(&self, arm: &ArmResults) -> Option<&Estimate> {
        self.findings.iter().find(|found| found.name == arm.name)?.score(self.split)
    }
}

/// Where an arm stands beside its batch size, in units of the drawing.
struct Place {
    /// Of its mean.
    mean: f64,
    /// Of the middle of its seeds.
    seeds: f64,
    /// What the distances between seeds are multiplied by.
    narrow: f64,
}

impl Place {
    /// Arms of the same size stand side by side.
    fn of(study: &Study, arms: &[&ArmResults], arm: &ArmResults) -> Self {
        let twins = || arms.iter().filter(|other| other.batch_size == arm.batch_size);
        let count = twins().count();
        if count < 2 {
            return Self { mean: 0.0, seeds: ASIDE, narrow: 1.0 };
        }
        let at = twins().position(|other| other.name == arm.name).unwrap_or(0);
        let apart = (180.0 / (study.sizes().len() * count) as f64).min(26.0);
        let mean = apart * (at as f64 - (count - 1) as f64 / 2.0);
        Self { mean, seeds: mean - apart / 2.0, narrow: apart / 40.0 }
    }
}

fn draw_arm(study: &Study, chart: &mut Chart, arm: &ArmResults, of: &Estimate, place: Place) {
    let scale = study.scale();
    let (x, mark): (f64, Mark) = (arm.batch_size as f64, study.mark(arm));
    for (at, (seed, run)) in arm.runs.iter().enumerate() {
        let score = run.reported_score();
        let says = format!("{}, seed {seed}: {}", arm.name, scale.value(score));
        let shift = place.seeds + place.narrow * beside(at, arm.runs.len());
        chart.seed(x, scale.natural(score), shift, mark, &says);
    }
    let mut says = format!("{}: {} on average", arm.name, scale.value(of.summary.mean));
    if let Some(ends) = ends(scale, of) {
        chart.interval(x, scale.natural_pair(ends), place.mean, mark);
        let [low, high] = if scale.falls() { [ends[1], ends[0]] } else { ends };
        says += &format!(", 95 % interval {} to {}", scale.value(low), scale.value(high));
    }
    chart.mean(x, scale.natural(of.summary.mean), place.mean, mark, &says);
}
