//! What waits for a metric to improve: early stopping and the plateau schedule.
//!
//! Sources: `keras/src/callbacks/{early_stopping,reduce_lr_on_plateau}.py` and
//! `torch/optim/lr_scheduler.py`. Both say "better" strictly; Keras's threshold is absolute,
//! torch's relative to the best value.

use super::EpochMetrics;
use crate::config::{EarlyStopping, Monitor, Plateau, PlateauRule, StopAt, Watched};
use crate::spec::Metrics;
use serde::{Deserialize, Serialize};

/// The value of a monitored metric; `None` where it is not defined (AUC of one label).
pub fn monitored(monitor: Monitor, metrics: &EpochMetrics) -> Option<f64> {
    watched(monitor, Some(&metrics.train), &metrics.validation)
}

/// As [`monitored`]; within an epoch there are no metrics of the training split.
pub fn watched(monitor: Monitor, train: Option<&Metrics>, validation: &Metrics) -> Option<f64> {
    let of = match monitor.split {
        Watched::Train => train?,
        Watched::Validation => validation,
    };
    monitor.metric.map_or(Some(of.loss), |metric| of.get(metric))
}

/// 1 for a metric that should fall, -1 for one that should rise.
fn sign(monitor: Monitor) -> f64 {
    if monitor.should_fall() { 1.0 } else { -1.0 }
}

/// Whether a measurement reaches the target.
pub(super) fn reaches(stop: &StopAt, train: Option<&Metrics>, validation: &Metrics) -> bool {
    let sign = sign(stop.monitor);
    watched(stop.monitor, train, validation).is_some_and(|value| sign * value <= sign * stop.value)
}

/// Keras's test: the first value is an improvement, whatever it is.
fn keras_improves(value: f64, best: Option<f64>, delta: f64, sign: f64) -> bool {
    best.is_none_or(|best| sign * value + delta < sign * best)
}

/// Where early stopping stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Stopping {
    best: Option<f64>,
    /// The epoch whose weights are the best so far.
    pub(super) best_epoch: Option<u64>,
    wait: u64,
}

/// What early stopping says at the end of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Advice {
    /// These weights are the best so far.
    pub(super) keep: bool,
    /// End the run.
    pub(super) stop: bool,
}

impl Stopping {
    pub(super) fn update(
        &mut self,
        settings: &EarlyStopping,
        epoch: u64,
        value: Option<f64>,
    ) -> Advice {
        let nothing = Advice { keep: false, stop: false };
        let Some(value) = value.filter(|_| epoch >= settings.start_from_epoch) else {
            return nothing;
        };
        self.wait += 1;
        let delta = settings.min_delta.abs();
        if keras_improves(value, self.best, delta, sign(settings.monitor)) {
            *self = Self { best: Some(value), best_epoch: Some(epoch), wait: 0 };
            return Advice { keep: true, ..nothing };
        }
        Advice { stop: self.wait >= settings.patience && epoch > 0, ..nothing }
    }
}

/// Where the plateau schedule stands.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PlateauState {
    /// The learning rate of the next epoch.
    pub(super) lr: f64,
    best: Option<f64>,
    bad: u64,
    cooldown: u64,
}

impl PlateauState {
    pub(super) fn new(lr: f64) -> Self {
        Self { lr, best: None, bad: 0, cooldown: 0 }
    }

    pub(super) fn update(&mut self, settings: &Plateau, value: Option<f64>) {
        let Some(value) = value else { return };
        match settings.rule {
            PlateauRule::Torch => self.update_torch(settings, value),
            PlateauRule::Keras => self.update_keras(settings, value),
        }
    }

    fn update_torch(&mut self, settings: &Plateau, value: f64) {
        let sign = sign(settings.monitor);
        let mark =
            self.best.map_or(sign * f64::INFINITY, |best| best * (1.0 - sign * settings.threshold));
        match sign * value < sign * mark {
            true => (self.best, self.bad) = (Some(value), 0),
            false => self.bad += 1,
        }
        if self.cooldown > 0 {
            (self.cooldown, self.bad) = (self.cooldown - 1, 0);
        }
        if self.bad > settings.patience {
            let lr = (self.lr * settings.factor).max(settings.min_lr);
            // torch leaves changes below 1e-8 out.
            if self.lr - lr > 1e-8 {
                self.lr = lr;
            }
            (self.cooldown, self.bad) = (settings.cooldown, 0);
        }
    }

    fn update_keras(&mut self, settings: &Plateau, value: f64) {
        if self.cooldown > 0 {
            (self.cooldown, self.bad) = (self.cooldown - 1, 0);
        }
        if keras_improves(value, self.best, settings.threshold, sign(settings.monitor)) {
            (self.best, self.bad) = (Some(value), 0);
        } else if self.cooldown == 0 {
            self.bad += 1;
            if self.bad >= settings.patience && self.lr > settings.min_lr {
                self.lr = (self.lr * settings.factor).max(settings.min_lr);
                (self.cooldown, self.bad) = (settings.cooldown, 0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::DeserializeOwned;
    use serde_json::Value;

    /// Metric values of which JSON has no `NaN`.
    fn metrics(case: &Value) -> Vec<f64> {
        let values = case["metrics"].as_array().unwrap().iter();
        values.map(|value| value.as_f64().unwrap_or(f64::NAN)).collect()
    }

    fn fixture(text: &str, list: &str) -> Vec<Value> {
        let fixture: Value = serde_json::from_str(text).unwrap();
        fixture[list].as_array().unwrap().clone()
    }

    /// The settings under our names; a monitor whose direction is that of the case.
    fn settings<T: DeserializeOwned>(case: &Value, names: &[(&str, &str)], extra: Value) -> T {
        let mut ours = extra;
        for (theirs, our) in names {
            ours[*our] = case["settings"][*theirs].clone();
        }
        let monitor = case["settings"]["monitor"].as_str();
        ours["monitor"] = match case["settings"]["mode"].as_str().unwrap() {
            "auto" => monitor.unwrap().into(),
            "min" => "val_loss".into(),
            _ => "val_accuracy".into(),
        };
        serde_json::from_value(ours).unwrap()
    }

    #[track_caller]
    fn assert_rates(case: &Value, found: &[f64]) {
        let expected: Vec<f64> = serde_json::from_value(case["learning_rates"].clone()).unwrap();
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            let error = (found - expected).abs() / expected;
            assert!(error < 1e-6, "{}: {found} for {expected}", case["name"]);
        }
    }

    #[test]
    fn plateaus_are_cut_where_torch_cuts_them() {
        let names = [
            ("factor", "factor"),
            ("patience", "patience"),
            ("threshold", "threshold"),
            ("cooldown", "cooldown"),
            ("min_lr", "min_lr"),
        ];
        let mut checked = 0;
        let text = include_str!("../../tests/fixtures/torch_schedulers.json");
        for case in fixture(text, "plateau") {
            let scheduler = &case["settings"];
            if scheduler["threshold_mode"] != "rel" {
                continue;
            }
            let settings: Plateau = settings(&case, &names, serde_json::json!({ "rule": "torch" }));
            let mut state = PlateauState::new(1e-3);
            let mut rates = vec![state.lr];
            for value in metrics(&case) {
                state.update(&settings, Some(value));
                rates.push(state.lr);
            }
            assert_rates(&case, &rates);
            checked += 1;
        }
        assert!(checked >= 10, "{checked}");
    }

    #[test]
    fn plateaus_are_cut_where_keras_cuts_them() {
        let names = [
            ("factor", "factor"),
            ("patience", "patience"),
            ("min_delta", "threshold"),
            ("cooldown", "cooldown"),
            ("min_lr", "min_lr"),
        ];
        let text = include_str!("../../tests/fixtures/keras_callbacks.json");
        for case in fixture(text, "reduce_lr_on_plateau") {
            let settings: Plateau = settings(&case, &names, serde_json::json!({ "rule": "keras" }));
            let mut state = PlateauState::new(1e-3);
            let rates = metrics(&case).into_iter().map(|value| {
                state.update(&settings, Some(value));
                state.lr
            });
            assert_rates(&case, &rates.collect::<Vec<_>>());
        }
    }

    #[test]
    fn runs_are_stopped_where_keras_stops_them() {
        let names = [
            ("min_delta", "min_delta"),
            ("patience", "patience"),
            ("start_from_epoch", "start_from_epoch"),
        ];
        let text = include_str!("../../tests/fixtures/keras_callbacks.json");
        let cases = fixture(text, "early_stopping");
        let ours = cases.iter().filter(|case| case["settings"]["baseline"].is_null());
        for case in ours {
            let settings: EarlyStopping = settings(case, &names, serde_json::json!({}));
            let mut state = Stopping::default();
            let mut stopped = None;
            for (epoch, value) in metrics(case).into_iter().enumerate() {
                if state.update(&settings, epoch as u64, Some(value)).stop {
                    stopped = Some(epoch as u64);
                    break;
                }
            }
            assert_eq!(stopped, case["last_epoch"].as_u64(), "{}", case["name"]);
            let best = case["best_epoch"].as_u64();
            assert_eq!(state.best_epoch.or(Some(0)), best, "{}", case["name"]);
        }
    }

    #[test]
    fn a_metric_that_is_not_defined_is_passed_over() {
        let mut state = Stopping::default();
        assert!(!state.update(&EarlyStopping::default(), 5, None).stop);
        assert_eq!(state, Stopping::default());
    }
}
