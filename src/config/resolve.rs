//! [`Experiment`] -> [`Study`]: checked, complete, with every arm spelled out.

use super::rules::{self, Violation};
use super::{
    ArmSection, EngineChoice, Experiment, GridSection, Logging, ModelSection, Optimizer, Source,
    TextSection, TrainSection, load, overlay,
};
use crate::error::UserError;
use serde::{Deserialize, Serialize};

/// A study as it will run. Its experiment is the resolved file: nothing in it is left to a default.
#[derive(Debug, Clone, PartialEq)]
pub struct Study {
    /// The name of the study and of its folder.
    pub name: String,
    /// Seeds 0, 1, 2, ...; each arm runs with each.
    pub seeds: Vec<u64>,
    /// What is compared, in the order of the file.
    pub arms: Vec<Arm>,
    /// The resolved file.
    pub experiment: Experiment,
}

/// One configuration that is compared with others: everything that its runs depend on, apart from
/// the data and the seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    /// Unique in the study; also the name of its folder.
    pub name: String,
    /// Examples per step.
    pub batch_size: usize,
    /// The classifier.
    pub model: ModelSection,
    /// How it is trained.
    pub train: TrainSection,
}

impl Arm {
    /// The arm without what changes no result: where it is trained and what is written down.
    pub fn defining(&self) -> Self {
        let mut arm = self.clone();
        arm.train.device = String::new();
        arm.train.engine = EngineChoice::Auto;
        arm.train.logging = Logging::default();
        arm.train.metrics = Vec::new();
        arm
    }
}

impl Study {
    /// Reads and checks an experiment file. `stem` names the study when the file does not.
    pub fn from_source(source: &Source, stem: &str) -> Result<Self, UserError> {
        let mut experiment = load(source)?;
        experiment.study.name.get_or_insert_with(|| stem.to_owned());
        if experiment.data.table.is_some() {
            experiment.data.text.get_or_insert_with(TextSection::default);
        }
        let place = |broken: Violation| source.error(&broken.path, &broken.rule, broken.hint);
        rules::check(&experiment).map_err(place)?;

        let from_grid = experiment.study.grid.is_some();
        let sections = arm_sections(&experiment);
        let mut arms = Vec::new();
        for (index, section) in sections.iter().enumerate() {
            let arm = arm(section, &experiment).map_err(|mut broken| {
                broken.path = overlay::written(&broken.path, section, index, from_grid);
                place(broken)
            })?;
            arms.push(arm);
        }
        rules::arms(&arms, from_grid).map_err(place)?;

        let spelled_out = |(section, arm)| spelled_out(section, arm);
        experiment.study.arms = Some(sections.into_iter().zip(&arms).map(spelled_out).collect());
        experiment.study.grid = None;
        Ok(Self {
            name: experiment.study.name.clone().unwrap_or_default(),
            seeds: (0..u64::from(experiment.study.seeds)).collect(),
            arms,
            experiment,
        })
    }

    /// The resolved file as YAML.
    pub fn to_yaml(&self) -> Result<String, serde_yaml::Error> {
        serde_yaml::to_string(&self.experiment)
    }
}

fn arm_sections(experiment: &Experiment) -> Vec<ArmSection> {
    match (&experiment.study.arms, &experiment.study.grid) {
        (Some(arms), _) => arms.clone(),
        (None, Some(grid)) => combine(grid),
        (None, None) => Vec::new(),
    }
}

fn combine(grid: &GridSection) -> Vec<ArmSection> {
    let section = |batch_size: u32, lr: Option<f64>| ArmSection {
        name: lr.map(|lr| format!("batch-{batch_size}-lr-{lr}")),
        lr,
        ..ArmSection::new(batch_size)
    };
    let rates: Vec<Option<f64>> = match &grid.lr {
        Some(rates) => rates.iter().copied().map(Some).collect(),
        None => vec![None],
    };
    let sizes = grid.batch_size.iter();
    sizes.flat_map(|size| rates.iter().map(move |lr| section(*size, *lr))).collect()
}

fn arm(section: &ArmSection, experiment: &Experiment) -> Result<Arm, Violation> {
    let (model, mut train) = overlay::sections(section, experiment)?;
    rules::arm(&model, &train, &experiment.data)?;
    if let Optimizer::Adam(adam) = &mut train.optimizer {
        // The definition of a run leaves nothing to a default.
        adam.epsilon = Some(adam.epsilon());
    }
    Ok(Arm {
        name: section.name.clone().unwrap_or_else(|| format!("batch-{}", section.batch_size)),
        batch_size: section.batch_size as usize,
        model,
        train,
    })
}

/// The section of an arm with its name, learning rate, schedule and budget.
fn spelled_out(section: ArmSection, arm: &Arm) -> ArmSection {
    let train = &arm.train;
    ArmSection {
        train: section.train.map(overlay::without_short_forms),
        name: Some(arm.name.clone()),
        lr: Some(train.optimizer.lr()),
        schedule: Some(train.schedule.clone()),
        epochs: train.epochs,
        steps: train.steps,
        examples: train.examples,
        ..section
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Exponential, Per, Schedule};

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
        let text = format!("study: {{ grid: {{ batch_size: [8, 16], lr: [0.1] }} }}\n{DATA}");
        let first = study(&text).unwrap();
        assert_eq!(study(&first.to_yaml().unwrap()).unwrap(), first);
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
            (format!("study: {{ grid: {{ batch_size: [8, 8] }} }}\n{DATA}"), "same value twice"),
            (format!("study: {{ seeds: 2 }}\n{DATA}"), "neither `arms` nor `grid`"),
            (
                format!("study: {{ margin: 5, grid: {{ batch_size: [8] }} }}\n{DATA}"),
                "must be above 0 and at most 0.5, received 5 (at `study.margin`)",
            ),
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
