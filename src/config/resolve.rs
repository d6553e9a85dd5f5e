//! [`Experiment`] -> [`Study`]: checked, complete, with every arm spelled out.

use super::arm::{self, Arm};
use super::arms::{self, Written};
use super::rules::{self, Violation};
use super::{
    ArmRate, ArmSection, Experiment, Growth, LearningRate, Margin, Source, Sqrt, TextSection,
    Tuned, load, overlay, rates,
};
use crate::error::UserError;
use crate::spec::Metric;
use std::collections::{BTreeMap, BTreeSet};

/// A study as it will run. Its experiment is the resolved file: nothing in it is left to a default.
#[derive(Debug, Clone, PartialEq)]
pub struct Study {
    /// The name of the study and of its folder.
    pub name: String,
    /// Seeds 0, 1, 2, ...; each arm runs with each, unless it has fewer.
    pub seeds: Vec<u64>,
    /// How many seeds arms have that have fewer.
    pub fewer: BTreeMap<String, u64>,
    /// Seeds beyond them that count for an arm too, since its runs with them are finished.
    pub beyond: BTreeMap<String, BTreeSet<u64>>,
    /// What is compared, in the order of the file.
    pub arms: Vec<Arm>,
    /// The names of the arms whose learning rate is the best of several. They hold the rate around
    /// which it is looked for, until [`Study::set_tuned_lr`] gives them another.
    pub tuned: BTreeSet<String>,
    /// How it adds seeds, if it goes on.
    pub growth: Option<Growth>,
    /// The resolved file.
    pub experiment: Experiment,
    /// The file as it was typed, for errors that are found later.
    pub(super) source: Source,
}

impl Study {
    /// Reads and checks an experiment file. `stem` names the study when the file does not.
    ///
    /// # Errors
    /// As [`load`](super::load), and where arms do not fit together.
    pub fn from_source(source: &Source, stem: &str) -> Result<Self, UserError> {
        let mut experiment = load(source)?;
        experiment.study.name.get_or_insert_with(|| stem.to_owned());
        if experiment.data.table.is_some() {
            experiment.data.text.get_or_insert_with(TextSection::default);
        }
        let place = |broken: Violation| source.error(&broken.path, &broken.rule, broken.hint);
        rules::check(&experiment).map_err(place)?;

        let from_grid = experiment.study.grid.is_some();
        let resolved = resolved(&experiment).map_err(place)?;
        let arms: Vec<Arm> = resolved.iter().map(|(_, arm)| arm.clone()).collect();
        rules::arms(&arms, &experiment.study, from_grid).map_err(place)?;
        rules::score(&experiment.study, &arms).map_err(place)?;
        rules::line(&experiment.study, &arms).map_err(place)?;

        let rule = experiment.study.learning_rate.clone();
        let is_tuned = |(section, _): &&(ArmSection, Arm)| how(section, &rule).is_none();
        let tuned: BTreeSet<String> =
            resolved.iter().filter(is_tuned).map(|(_, arm)| arm.name.clone()).collect();
        let own = resolved.iter().map(|(section, arm)| (arm.name.clone(), section.seeds));
        let fewer = own.filter_map(|(name, own)| Some((name, u64::from(own?)))).collect();
        let spelled_out = |(section, arm)| spelled_out(section, &arm, &rule);
        experiment.model.name_one_lstm();
        let study = &mut experiment.study;
        if let Some(first) = arms.first() {
            study.score.get_or_insert(first.score());
            study.margin.get_or_insert(Margin::of(first.score()));
            experiment.train.metrics.clone_from(&first.train.metrics);
        }
        study.arms = Some(resolved.into_iter().map(spelled_out).collect());
        study.grid = None;
        study.learning_rate = match (&rule, tuned.is_empty()) {
            (_, true) => LearningRate::Given,
            (LearningRate::Tuned(_), false) => rule,
            (_, false) => LearningRate::Tuned(Tuned::default()),
        };
        rules::tuning(study).map_err(place)?;
        Ok(Self {
            name: study.name.clone().unwrap_or_default(),
            seeds: (0..u64::from(study.seeds)).collect(),
            fewer,
            beyond: BTreeMap::new(),
            arms,
            tuned,
            growth: study.growth(),
            experiment,
            source: source.clone(),
        })
    }

    /// The metric of the validation split that decides.
    pub fn score(&self) -> Metric {
        self.arms.first().map_or(Metric::Accuracy, Arm::score)
    }

    /// A difference in the score up to this does not matter; `None` for a share of a baseline that is not
    /// known.
    pub fn margin(&self, baseline: Option<f64>) -> Option<f64> {
        let margin = self.experiment.study.margin;
        margin.unwrap_or(Margin::of(self.score())).value(baseline)
    }

    /// How learning rates are tuned; `None` when none is.
    pub fn tuning(&self) -> Option<&Tuned> {
        match &self.experiment.study.learning_rate {
            LearningRate::Tuned(rule) => Some(rule),
            _ => None,
        }
    }

    /// The arms between whose solutions a line is drawn, if one is asked for.
    pub fn line_ends(&self) -> Option<[&Arm; 2]> {
        let study = &self.experiment.study;
        study.probe.line.as_ref()?.ends(&self.arms, study.decompose.is_some())
    }

    /// Gives a tuned arm the learning rate that was found.
    pub fn set_tuned_lr(&mut self, arm: &str, lr: f64) {
        for arm in self.arms.iter_mut().filter(|other| other.name == arm) {
            *arm = arm.with_rate(lr);
        }
    }

    /// The resolved file as YAML.
    pub fn to_yaml(&self) -> Result<String, serde_yaml::Error> {
        serde_yaml::to_string(&self.experiment)
    }
}

/// All arms, twins included, each with its section; violations are placed where they were written.
fn resolved(experiment: &Experiment) -> Result<Vec<(ArmSection, Arm)>, Violation> {
    let resolve = |written: &[Written]| -> Result<Vec<Arm>, Violation> {
        let arms = written.iter().map(|Written { section, origin }| {
            arm(section, experiment).map_err(|broken| {
                let path = overlay::written(&broken.path, section, *origin);
                Violation { path, ..broken }
            })
        });
        arms.collect()
    };
    let mut written = arms::written(experiment);
    let mut arms = resolve(&written)?;
    let twins = arms::twins(experiment, &written, &arms)?;
    arms.extend(resolve(&twins)?);
    written.extend(twins);
    Ok(written.into_iter().map(|written| written.section).zip(arms).collect())
}

/// The rule by which an arm comes by its learning rate; `None` when it is tuned.
fn how<'r>(section: &ArmSection, rule: &'r LearningRate) -> Option<&'r LearningRate> {
    match (section.lr, overlay::says_rate(section), rule) {
        (Some(ArmRate::TUNED), ..) => None,
        (_, true, _) => Some(&LearningRate::Given),
        (_, false, LearningRate::Tuned(_)) => None,
        (_, false, rule) => Some(rule),
    }
}

fn arm(section: &ArmSection, experiment: &Experiment) -> Result<Arm, Violation> {
    let (mut model, mut train) = overlay::sections(section, experiment)?;
    let batch_size = section.effective_batch_size();
    rules::arm(&model, &train, &experiment.data)?;
    let how = how(section, &experiment.study.learning_rate);
    rules::rate_is_used(how, &train)?;
    if let Some(rule) = how {
        rates::apply(rule, batch_size, &mut train)?;
    }
    let loss = arm::spell_out(&mut model, &mut train);
    // The score is drawn first.
    let score = experiment.study.score.unwrap_or(Metric::of_task(loss.task()));
    train.metrics.retain(|metric| *metric != score);
    train.metrics.insert(0, score);
    Ok(Arm {
        name: section.name.clone().unwrap_or_else(|| section.plain_name()),
        batch_size: batch_size as usize,
        model,
        train,
    })
}

/// The section of an arm with its name, learning rate, schedule and budget.
fn spelled_out(section: ArmSection, arm: &Arm, rule: &LearningRate) -> ArmSection {
    let train = &arm.train;
    let how = how(&section, rule);
    let lr = match how {
        None => ArmRate::TUNED,
        Some(_) => ArmRate::Value(train.optimizer.lr()),
    };
    let own = section.train.map(overlay::without_short_forms);
    let own = match how {
        Some(LearningRate::Sqrt(Sqrt { betas: true, .. })) => {
            Some(overlay::with_betas(own, &train.optimizer))
        }
        _ => own,
    };
    ArmSection {
        train: own,
        name: Some(arm.name.clone()),
        lr: Some(lr),
        schedule: Some(train.schedule.clone()),
        epochs: train.epochs,
        steps: train.steps,
        examples: train.examples,
        steps_of: train.steps_of,
        ..section
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Exponential, Per, Schedule, StepsOf};

    fn study(text: &str) -> Result<Study, UserError> {
        let source = Source { name: "f.yaml".into(), text: text.into(), overrides: vec![] };
        Study::from_source(&source, "f")
    }

    fn refusal(text: &str) -> String {
        study(text).unwrap_err().message
    }

    const DATA: &str = "data: { table: { path: a.csv } }\nmodel: { embedding: { dim: 8 } }\n";

    #[test]
    fn an_arm_takes_from_train_what_it_does_not_say_itself() {
        let text = format!(
            "study:\n  arms:\n    - {{ batch_size: 32 }}\n    - {{ name: large, batch_size: 256, \
             schedule: {{ exponential: {{ gamma: 0.9 }} }} }}\n{DATA}train: {{ epochs: 4 }}\n"
        );
        let study = study(&text).unwrap();
        assert_eq!(study.name, "f");
        assert_eq!(study.arms[0].name, "batch-32");
        let lr = study.arms[0].train.optimizer.lr();
        assert_eq!((study.arms[0].train.epochs, lr.to_bits()), (Some(4), 1e-3f64.to_bits()));
        assert_eq!(study.arms[0].train.schedule, Schedule::Constant);
        let exponential = Exponential { gamma: 0.9, per: Per::Epoch };
        assert_eq!(study.arms[1].train.schedule, Schedule::Exponential(exponential));
    }

    #[test]
    fn an_optimizer_leaves_nothing_to_a_default() {
        let optimizer = |kind: &str, settings: &str| {
            let arm =
                format!("{{ batch_size: 8, train: {{ optimizer: {{ {kind}: {settings} }} }} }}");
            let study = study(&format!("study: {{ arms: [{arm}] }}\n{DATA}")).unwrap();
            serde_json::to_string(&study.arms[0].train.optimizer).unwrap()
        };
        for kind in ["adam", "adamw"] {
            assert!(optimizer(kind, "{}").contains("\"epsilon\":1e-8"));
            assert!(optimizer(kind, "{ form: keras }").contains("\"epsilon\":1e-7"));
        }
        let before_there_was_a_form = "{\"adamw\":{\"lr\":0.001,\"beta_1\":0.9,\"beta_2\":0.999,\
                                       \"epsilon\":1e-8,\"weight_decay\":0.01}}";
        assert_eq!(optimizer("adamw", "{}"), before_there_was_a_form);
    }

    #[test]
    fn a_grid_makes_every_combination() {
        let text = format!("study: {{ grid: {{ batch_size: [8, 16], lr: [0.1, 3e-4] }} }}\n{DATA}");
        let names: Vec<_> = study(&text).unwrap().arms.into_iter().map(|arm| arm.name).collect();
        assert_eq!(
            names,
            ["batch-8-lr-0.1", "batch-8-lr-0.0003", "batch-16-lr-0.1", "batch-16-lr-0.0003"]
        );
    }

    #[test]
    fn the_resolved_file_resolves_to_the_same_study() {
        let studies = [
            "{ grid: { batch_size: [8, 16], lr: [0.1] } }",
            "{ grid: { batch_size: [8, 16], lr: { from: 1.0e-3, to: 0.1, count: 4 }, schedule: \
             [constant, { exponential: { gamma: 0.9 } }], accumulate: [1, 4], variants: [{ name: a }, \
             { name: b, model: { lstm: { dropout: 0.2 } }, train: { clip: { norm: 1 } } }] } }",
            "{ learning_rate: { sqrt: { base: 8, betas: true } }, arms: [{ batch_size: 8 }, \
             { batch_size: 16, train: { optimizer: { adamw: { weight_decay: 0.1 } } } }, \
             { batch_size: 32, lr: 0.2 }] }",
            "{ learning_rate: { linear: { base: 8 } }, arms: [{ batch_size: 16, accumulate: 2 }, \
             { name: t, batch_size: 32, lr: tuned }] }",
            "{ learning_rate: { tuned: { rates: { from: 1.0e-4, to: 1.0e-2, count: 3 }, sampling: \
             quasi_random } }, budgets: [epochs, steps, target], grid: { batch_size: [8, 16, 32] } }",
            "{ decompose: { small: 8, large: 32 }, budgets: [epochs, steps] }",
        ];
        for text in studies {
            let first = study(&format!("study: {text}\n{DATA}")).unwrap();
            let again = study(&first.to_yaml().unwrap()).unwrap_or_else(|e| panic!("{e}: {text}"));
            let first = Study { source: again.source.clone(), ..first };
            assert_eq!(again, first, "{text}");
        }
    }

    #[test]
    fn decompose_makes_five_arms_of_which_three_are_tuned() {
        let text = format!(
            "study: {{ decompose: {{ small: 8, large: 32 }} }}\n{DATA}train: {{ epochs: 4 }}\n"
        );
        let study = study(&text).unwrap();
        let arms: Vec<_> =
            study.arms.iter().map(|arm| (arm.name.as_str(), arm.batch_size)).collect();
        let names = ["small", "large", "small-tuned", "large-tuned", "large-tuned-equal-steps"];
        assert_eq!(arms, names.into_iter().zip([8, 32, 8, 32, 32]).collect::<Vec<_>>());
        assert_eq!(study.tuned, names[2..].iter().map(|name| name.to_string()).collect());
        let budgets: Vec<_> =
            study.arms.iter().map(|arm| (arm.train.epochs, arm.train.steps_of)).collect();
        let steps_of = StepsOf { batch_size: 8, epochs: 4 };
        assert_eq!(budgets[..4], [(Some(4), None); 4]);
        assert_eq!(budgets[4], (None, Some(steps_of)));
        assert_eq!(study.tuning().unwrap().seeds, 2);
    }

    #[test]
    fn arms_that_make_fewer_steps_than_the_smallest_get_a_twin_that_makes_as_many() {
        let text = format!(
            "study:\n  budgets: [epochs, steps]\n  arms:\n    - {{ batch_size: 8 }}\n    - {{ \
             batch_size: 16, train: {{ epochs: 3, clip: {{ norm: 1 }} }} }}\n    - {{ name: long, \
             batch_size: 16, epochs: 8 }}\n    - {{ name: own, batch_size: 64, steps: 5 }}\n{DATA}\
             train: {{ epochs: 4 }}\n"
        );
        let study = study(&text).unwrap();
        let names: Vec<_> = study.arms.iter().map(|arm| arm.name.as_str()).collect();
        assert_eq!(names, ["batch-8", "batch-16", "long", "own", "batch-16-equal-steps"]);
        let twin = &study.arms[4].train;
        assert_eq!(twin.steps_of, Some(StepsOf { batch_size: 8, epochs: 4 }));
        assert_eq!((twin.epochs, twin.clip), (None, study.arms[1].train.clip));
    }

    #[test]
    fn gradients_that_are_summed_over_parts_make_one_batch_of_all_of_them() {
        let text = format!("study: {{ arms: [{{ batch_size: 32, accumulate: 8 }}] }}\n{DATA}");
        let arm = study(&text).unwrap().arms.remove(0);
        assert_eq!((arm.name.as_str(), arm.batch_size), ("batch-256-accumulate-8", 256));
        assert_eq!(arm.train.micro_batch, Some(32));
    }

    #[test]
    fn a_rule_for_rates_is_for_arms_that_do_not_say_their_own() {
        let text = format!(
            "study: {{ learning_rate: {{ linear: {{ base: 8 }} }}, arms: [{{ batch_size: 16 }}, \
             {{ name: own, batch_size: 16, lr: 0.5 }}, {{ name: deep, batch_size: 16, train: {{ \
             optimizer: {{ adam: {{ lr: 0.25 }} }} }} }}, {{ name: found, batch_size: 16, lr: tuned }}] \
             }}\n{DATA}"
        );
        let study = study(&text).unwrap();
        let rates: Vec<f64> = study.arms.iter().map(|arm| arm.train.optimizer.lr()).collect();
        assert_eq!(rates, [2e-3, 0.5, 0.25, 1e-3]);
        assert_eq!(study.tuned, BTreeSet::from(["found".to_owned()]));
    }

    #[test]
    fn broken_rules_name_the_line_the_key_and_what_was_received() {
        let arms = "study:\n  arms:\n    - batch_size: 0\n";
        assert_eq!(
            refusal(&format!("{arms}{DATA}")),
            "f.yaml, line 3: must be from 1 to 16777216, received 0 (at `study.arms[0].batch_size`)"
        );
        let one = "study: { grid: { batch_size: [8] } }\n";
        let cases = [
            (format!("{one}data: {{ table: {{ path: a.csv }} }}\n"), "text needs an `embedding`"),
            (format!("{one}data: {{}}\n"), "no source of examples"),
            (format!("{one}{DATA}train: {{ device: gpu }}\n"), "unknown device `gpu`"),
            (format!("{one}{DATA}train: {{ optimizer: {{ adam: {{ lr: -1 }} }} }}\n"), "above 0"),
            (
                format!("{one}{}", DATA.replace("a.csv }", "a.csv }, split: { test: 0.9 }")),
                "take all",
            ),
        ];
        for (text, expected) in cases {
            assert!(refusal(&text).contains(expected), "{} lacks {expected}", refusal(&text));
        }
    }
}
