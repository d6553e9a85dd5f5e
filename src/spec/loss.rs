//! What a model is trained for: the head's activation and the loss, and the task that follows from them.
//!
//! With the raw outputs z of the dense layer, the target y, and K outputs:
//!
//! ```text
//! binary_crossentropy        K = 1, p = sigmoid(z)      softplus(z) - y z
//! categorical_crossentropy   K > 1, p = softmax(z)      -sum_k q_k ln p_k,  q = (1 - s) onehot(y) + s / K
//! mse                        K = 1                      (z - y)^2
//! mae                        K = 1                      |z - y|
//! huber                      K = 1, e = |z - y|         e^2 / 2 where e <= delta, else delta e - delta^2 / 2
//! ```
//!
//! s is the label smoothing. Sources: `keras/src/losses/losses.py`; torch calls these `BCEWithLogitsLoss`,
//! `CrossEntropyLoss`, `MSELoss`, `L1Loss` and `HuberLoss`.

use schemars::JsonSchema;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// What the head makes of the dense layer's outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// 1 / (1 + e^-z): the probability of one of two classes.
    #[default]
    Sigmoid,
    /// e^z_k / sum over j of e^z_j: the probabilities of K classes.
    Softmax,
    /// The output itself: a number.
    Linear,
}

impl Activation {
    /// As it is written in experiment files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sigmoid => "sigmoid",
            Self::Softmax => "softmax",
            Self::Linear => "linear",
        }
    }
}

/// What is minimised. A loss with settings may be given by its name alone: `loss: huber`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(transform = allow_names)]
pub enum Loss {
    /// Of a sigmoid: -ln of the probability of the true one of two labels.
    BinaryCrossentropy,
    /// Of a softmax: -ln of the probability of the true class.
    CategoricalCrossentropy(LabelSmoothing),
    /// Of a linear output: the squared error.
    Mse,
    /// Of a linear output: the absolute error.
    Mae,
    /// Of a linear output: squared where the error is small, absolute beyond `delta`.
    Huber(Huber),
}

/// Every name of a loss in experiment files, with the loss that it stands for; the first is its own name.
const NAMES: [(&str, Loss); 8] = {
    const CATEGORICAL: Loss =
        Loss::CategoricalCrossentropy(LabelSmoothing { label_smoothing: 0.0 });
    [
        ("binary_crossentropy", Loss::BinaryCrossentropy),
        ("categorical_crossentropy", CATEGORICAL),
        ("mse", Loss::Mse),
        ("mae", Loss::Mae),
        ("huber", Loss::Huber(Huber { delta: 1.0 })),
        ("sparse_categorical_crossentropy", CATEGORICAL),
        ("mean_squared_error", Loss::Mse),
        ("mean_absolute_error", Loss::Mae),
    ]
};

/// Editors offer the names.
fn allow_names(schema: &mut schemars::Schema) {
    if let Some(ways) = schema.get_mut("oneOf").and_then(|found| found.as_array_mut()) {
        let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
        ways.retain(|way| way.get("const").is_none() && way.get("enum").is_none());
        ways.insert(0, serde_json::json!({ "type": "string", "enum": names }));
    }
}

impl<'de> Deserialize<'de> for Loss {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(LossVisitor)
    }
}

struct LossVisitor;

impl LossVisitor {
    fn by_name<E: Error>(name: &str) -> Result<Loss, E> {
        let found = NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, loss)| *loss).ok_or_else(|| {
            let known = NAMES[..5].iter().map(|(known, _)| format!("`{known}`"));
            let known = known.collect::<Vec<_>>().join(", ");
            E::custom(format!("unknown variant `{name}`, expected one of {known}"))
        })
    }
}

impl<'de> Visitor<'de> for LossVisitor {
    type Value = Loss;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a loss, or { huber: { delta: 1.0 } }")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Loss, E> {
        Self::by_name(name)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Loss, A::Error> {
        let name: String = map.next_key()?.ok_or_else(|| Error::invalid_length(0, &self))?;
        let loss = match Self::by_name(&name)? {
            Loss::CategoricalCrossentropy(_) => Loss::CategoricalCrossentropy(map.next_value()?),
            Loss::Huber(_) => Loss::Huber(map.next_value()?),
            _ => {
                return Err(Error::custom(format!(
                    "`{name}` has no settings: write its name alone"
                )));
            }
        };
        match map.next_key::<String>()? {
            None => Ok(loss),
            Some(other) => {
                Err(Error::custom(format!("one loss is wanted, and `{other}` is a second")))
            }
        }
    }
}

/// `loss.categorical_crossentropy`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LabelSmoothing {
    /// The share of the true class that all classes get in equal parts; 0 for none.
    pub label_smoothing: f64,
}

/// `loss.huber`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Huber {
    /// The error up to which the loss is squared, in the unit of the target; with `data.scale`, of scaled targets:
    /// 1 is then a standard deviation, or with `minmax` the whole range.
    pub delta: f64,
}

impl Default for Huber {
    fn default() -> Self {
        Self { delta: 1.0 }
    }
}

/// What is asked of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Which of two classes.
    Binary,
    /// Which of several classes.
    Multiclass,
    /// Which number.
    Regression,
}

impl Loss {
    /// The one that a head has unless the file names another.
    pub fn of(activation: Activation) -> Self {
        match activation {
            Activation::Sigmoid => Self::BinaryCrossentropy,
            Activation::Softmax => Self::CategoricalCrossentropy(LabelSmoothing::default()),
            Activation::Linear => Self::Mse,
        }
    }

    /// The head that it is the loss of.
    pub fn activation(&self) -> Activation {
        match self {
            Self::BinaryCrossentropy => Activation::Sigmoid,
            Self::CategoricalCrossentropy(_) => Activation::Softmax,
            Self::Mse | Self::Mae | Self::Huber(_) => Activation::Linear,
        }
    }

    /// The task that it is the loss of.
    pub fn task(&self) -> Task {
        match self.activation() {
            Activation::Sigmoid => Task::Binary,
            Activation::Softmax => Task::Multiclass,
            Activation::Linear => Task::Regression,
        }
    }

    /// As it is written in experiment files.
    pub fn name(&self) -> &'static str {
        match self {
            Self::BinaryCrossentropy => "binary_crossentropy",
            Self::CategoricalCrossentropy(_) => "categorical_crossentropy",
            Self::Mse => "mse",
            Self::Mae => "mae",
            Self::Huber(_) => "huber",
        }
    }

    /// Of one row, from the raw outputs of the head.
    pub fn of_row(&self, outputs: &[f32], target: f32) -> f64 {
        let error = || (f64::from(outputs[0]) - f64::from(target)).abs();
        match self {
            Self::BinaryCrossentropy => binary_cross_entropy(outputs[0], target),
            Self::CategoricalCrossentropy(smoothing) => {
                categorical_cross_entropy(outputs, target, smoothing.label_smoothing)
            }
            Self::Mse => error().powi(2),
            Self::Mae => error(),
            Self::Huber(Huber { delta }) => match error() {
                e if e <= *delta => e * e / 2.0,
                e => delta * e - delta * delta / 2.0,
            },
        }
    }
}

/// `-ln p` of the true label, from the logit, without overflow: `max(z, 0) - z y + ln(1 + e^-|z|)`.
pub(super) fn binary_cross_entropy(logit: f32, label: f32) -> f64 {
    let (z, y) = (f64::from(logit), f64::from(label));
    z.max(0.0) - z * y + (-z.abs()).exp().ln_1p() + if z.is_nan() { f64::NAN } else { 0.0 }
}

/// `ln sum e^z - sum q z`, with the largest z taken out; see the head of this file.
pub(super) fn categorical_cross_entropy(outputs: &[f32], class: f32, smoothing: f64) -> f64 {
    let z = |k: usize| f64::from(outputs[k]);
    let true_z = z(class as usize);
    let mean = (0..outputs.len()).map(z).sum::<f64>() / outputs.len() as f64;
    log_sum_exp(outputs) - (1.0 - smoothing) * true_z - smoothing * mean
}

/// `ln sum over k of e^z_k`, without overflow; not a number where one output is not.
pub(super) fn log_sum_exp(outputs: &[f32]) -> f64 {
    let wide = || outputs.iter().map(|z| f64::from(*z));
    let most = wide().fold(f64::NEG_INFINITY, |a, b| if b.is_nan() { b } else { a.max(b) });
    most + wide().map(|z| (z - most).exp()).sum::<f64>().ln()
}

/// The probability of each class: the softmax of K > 1 outputs.
pub fn probabilities(outputs: &[f32]) -> Vec<f64> {
    let sum = log_sum_exp(outputs);
    outputs.iter().map(|z| (f64::from(*z) - sum).exp()).collect()
}

/// The probability of label 1.
pub fn probability(logit: f32) -> f64 {
    1.0 / (1.0 + (-f64::from(logit)).exp())
}

/// The squared distance of the probabilities from the true class; of two classes that of label 1 alone.
pub(super) fn brier(outputs: &[f32], target: f32) -> f64 {
    if let [logit] = outputs {
        return (probability(*logit) - f64::from(target)).powi(2);
    }
    let sum = log_sum_exp(outputs);
    let p = |k: usize| (f64::from(outputs[k]) - sum).exp();
    let hit = |k: usize| f64::from(u8::from(k == target as usize));
    (0..outputs.len()).map(|k| (p(k) - hit(k)).powi(2)).sum()
}

/// -ln p of the true class.
pub(super) fn log_loss(outputs: &[f32], target: f32) -> f64 {
    match outputs {
        [logit] => binary_cross_entropy(*logit, target),
        _ => categorical_cross_entropy(outputs, target, 0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::close;
    use super::*;

    #[test]
    fn binary_losses_agree_with_the_definition_and_do_not_overflow() {
        for (logit, label) in [(0.3f32, 1.0f32), (-2.0, 1.0), (1.5, 0.0)] {
            let p = 1.0 / (1.0 + (-f64::from(logit)).exp());
            let expected = if label > 0.5 { -p.ln() } else { -(1.0 - p).ln() };
            close(Loss::BinaryCrossentropy.of_row(&[logit], label), expected);
        }
        assert!((binary_cross_entropy(1e4, 0.0) - 1e4).abs() < 1e-9);
        assert!(binary_cross_entropy(-1e4, 0.0) < 1e-9);
        for logit in [f32::NAN, f32::INFINITY] {
            assert!(!binary_cross_entropy(logit, 0.0).is_finite());
        }
    }

    #[test]
    fn categorical_losses_agree_with_the_definition_with_and_without_smoothing() {
        let outputs = [0.5f32, -1.0, 2.0];
        let sum: f64 = outputs.iter().map(|z| f64::from(*z).exp()).sum();
        let log_p = |k: usize| f64::from(outputs[k]) - sum.ln();
        let loss = |label_smoothing| {
            Loss::CategoricalCrossentropy(LabelSmoothing { label_smoothing }).of_row(&outputs, 1.0)
        };
        close(loss(0.0), -log_p(1));
        let smoothed = (0..3).map(|k| (0.1 / 3.0 + if k == 1 { 0.9 } else { 0.0 }) * log_p(k));
        close(loss(0.1), -smoothed.sum::<f64>());
        let huge = [1e30f32, 0.0, -1e30];
        close(categorical_cross_entropy(&huge, 0.0, 0.0), 0.0);
        assert!(!categorical_cross_entropy(&[f32::NAN, 0.0], 1.0, 0.0).is_finite());
        assert!(!categorical_cross_entropy(&[f32::INFINITY, 0.0], 1.0, 0.0).is_finite());
    }

    #[test]
    fn a_loss_is_named_alone_or_with_its_settings() {
        let read = |text: &str| serde_json::from_str::<Loss>(text);
        for (name, loss) in NAMES {
            assert_eq!(read(&format!("\"{name}\"")).unwrap(), loss);
        }
        for (name, loss) in &NAMES[..5] {
            assert_eq!(loss.name(), *name);
            let written = serde_json::to_string(loss).unwrap();
            assert_eq!(read(&written).unwrap(), *loss, "{written}");
        }
        let huber = read("{\"huber\": {\"delta\": 0.5}}").unwrap();
        assert_eq!(huber, Loss::Huber(Huber { delta: 0.5 }));
        let said = |text: &str| read(text).unwrap_err().to_string();
        assert!(said("\"hinge\"").contains("unknown variant `hinge`, expected one of `binary_"));
        assert!(said("{\"mse\": {}}").contains("`mse` has no settings"));
        assert!(said("{\"huber\": {}, \"mse\": {}}").contains("`mse` is a second"));
        assert!(said("{}").contains("the name of a loss"));
        assert!(said("3").contains("the name of a loss"));
    }

    #[test]
    fn losses_of_numbers_are_keras_s() {
        let check = |loss: Loss, expected: [f64; 2]| {
            let found = [0.5f32, 3.0].map(|z| loss.of_row(&[z], 1.0));
            found.into_iter().zip(expected).for_each(|(found, expected)| close(found, expected));
        };
        check(Loss::Mse, [0.25, 4.0]);
        check(Loss::Mae, [0.5, 2.0]);
        check(Loss::Huber(Huber::default()), [0.125, 1.5]);
        check(Loss::Huber(Huber { delta: 0.25 }), [0.25 * 0.5 - 0.03125, 0.5 - 0.03125]);
    }
}
