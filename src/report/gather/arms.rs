//! What the settings of an arm mean for the analysis.

use crate::analysis::ArmFacts;
use crate::config::{
    Arm, EarlyStopping, LayerSection, Monitor, Per, RecurrentSection, Schedule, StopAt,
};

/// What the audit of confounders and the cautions need to know of an arm.
pub(super) fn arm_facts(arm: &Arm) -> ArmFacts {
    let (layers, train) = (arm.model.recurrent(), &arm.train);
    let layers = || layers.iter().map(LayerSection::settings);
    let penalties = |layer: &RecurrentSection| {
        [layer.kernel_regularizer, layer.recurrent_regularizer, layer.bias_regularizer]
    };
    let pulls = layers().flat_map(penalties).any(|penalty| penalty.l1 > 0.0 || penalty.l2 > 0.0);
    let stopping = train.early_stopping.as_ref().map(|stopping| stopping.patience);
    let plateau = match &train.schedule {
        Schedule::Plateau(plateau) => Some(plateau.patience),
        _ => None,
    };
    let restores = |stopping: &&EarlyStopping| {
        stopping.restore_best_weights && stopping.monitor != Monitor::val(arm.score())
    };
    let restored_by = train.early_stopping.as_ref().filter(restores);
    let masked = arm.model.embedding.as_ref().is_none_or(|embedding| embedding.mask_zero);
    ArmFacts {
        decay_of_squares: train.optimizer.decay_of_squares(),
        penalised: pulls || train.optimizer.decays_weights(),
        drops: layers().any(|layer| layer.dropout > 0.0 || layer.recurrent_dropout > 0.0),
        patience: stopping.or(plateau),
        restored_by: restored_by.map(|stopping| stopping.monitor.name()),
        schedule_by_epoch: by_epoch(&train.schedule),
        padding_is_read: !masked,
        micro_batch: train.micro_batch.map(|rows| rows as usize),
        hardware: Default::default(),
        sharing: 1,
    }
}

fn by_epoch(schedule: &Schedule) -> Option<bool> {
    let per = match schedule {
        Schedule::Constant => return None,
        Schedule::Plateau(_) => return Some(true),
        Schedule::OneCycle(_) => return Some(false),
        Schedule::Exponential(settings) => settings.per,
        Schedule::Step(settings) => settings.per,
        Schedule::Multistep(settings) => settings.per,
        Schedule::Cosine(settings) => settings.per,
        Schedule::Table(settings) => settings.per,
    };
    Some(per == Per::Epoch)
}

/// That at which the runs of all arms end, if they have it in common.
pub(super) fn common_stop(arms: &[Arm]) -> Option<StopAt> {
    let first = arms.first()?.train.stop_at?;
    let same = |arm: &Arm| arm.train.stop_at == Some(first);
    arms.iter().all(same).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Source, Study};

    #[test]
    fn padding_is_read_where_an_embedding_does_not_mask_it_in_texts_and_in_arrays() {
        let of = |data: &str, model: &str| {
            let text =
                format!("study: {{ arms: [{{ batch_size: 8 }}] }}\ndata: {data}\nmodel: {model}\n");
            let source = Source { name: "f".into(), text, overrides: vec![] };
            arm_facts(&Study::from_source(&source, "f").unwrap().arms[0]).padding_is_read
        };
        let arrays = "{ arrays: { path: a.npz } }";
        assert!(of(arrays, "{ embedding: { mask_zero: false } }"));
        assert!(of("{ table: { path: t.csv } }", "{ embedding: { mask_zero: false } }"));
        assert!(!of(arrays, "{ embedding: { mask_zero: true } }"));
        assert!(!of(arrays, "{}"), "rows of numbers");
    }

    #[test]
    fn the_metric_that_chooses_the_weights_is_known_where_it_is_not_the_score() {
        let of = |stopping: &str| {
            let text = format!(
                "study: {{ arms: [{{ batch_size: 8 }}] }}\ndata: {{ table: {{ path: t.csv }} }}\n\
                 model: {{ embedding: {{}} }}\ntrain: {{ early_stopping: {stopping} }}\n"
            );
            let source = Source { name: "f".into(), text, overrides: vec![] };
            let study = Study::from_source(&source, "f").unwrap();
            arm_facts(&study.arms[0]).restored_by
        };
        let by_loss = of("{ restore_best_weights: true }");
        assert_eq!(by_loss.as_deref(), Some("val_loss"));
        assert_eq!(of("{ restore_best_weights: true, monitor: val_accuracy }"), None);
        assert_eq!(of("{ patience: 2 }"), None);
    }
}
