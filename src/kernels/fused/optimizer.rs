//! From an optimizer and a learning rate to the numbers of one update; penalties and clipping.

use super::super::{Clip, Penalty, UpdateRule};
use super::elementwise::Rule;

impl Rule {
    /// The numbers of update `t`, counted from 1; see [`UpdateRule`].
    pub(super) fn new(optimizer: &UpdateRule, t: u64, lr: f64) -> Self {
        match *optimizer {
            UpdateRule::Adam { beta_1, beta_2, epsilon, epsilon_hat, weight_decay } => {
                let t = i32::try_from(t).unwrap_or(i32::MAX);
                let first = 1.0 - beta_1.powi(t);
                let root = (1.0 - beta_2.powi(t)).sqrt();
                let (rate, root) = match epsilon_hat {
                    true => (lr * root / first, 1.0),
                    false => (lr / first, 1.0 / root),
                };
                let pair = |beta: f64| [beta as f32, (1.0 - beta) as f32];
                Self::Adam {
                    beta_1: pair(beta_1),
                    beta_2: pair(beta_2),
                    decay: (1.0 - lr * weight_decay) as f32,
                    rate: rate as f32,
                    root: root as f32,
                    epsilon: epsilon as f32,
                }
            }
            UpdateRule::Sgd { momentum, nesterov } if momentum > 0.0 => {
                Self::Momentum { rate: lr as f32, momentum: momentum as f32, nesterov }
            }
            UpdateRule::Sgd { .. } => Self::Descent { rate: lr as f32 },
            UpdateRule::RmsProp { rho, epsilon, momentum, is_keras } => Self::RootMeanSquare {
                rho: [rho as f32, (1.0 - rho) as f32],
                rate: lr as f32,
                epsilon: epsilon as f32,
                momentum: (momentum > 0.0).then_some(momentum as f32),
                is_keras,
            },
        }
    }
}

/// The penalty of some weights.
pub(super) fn penalty(weights: &[f32], by: Penalty) -> f64 {
    let each = weights.iter().map(|weight| f64::from(*weight));
    let (absolute, squares) =
        each.fold((0.0, 0.0), |(absolute, squares), w| (absolute + w.abs(), squares + w * w));
    by.l1 * absolute + by.l2 * squares
}

/// Adds a penalty's gradient.
pub(super) fn penalise(gradient: &mut [f32], weights: &[f32], by: Penalty) {
    let (l1, l2) = (by.l1 as f32, (2.0 * by.l2) as f32);
    for (gradient, weight) in gradient.iter_mut().zip(weights) {
        let sign = f32::from(i8::from(*weight > 0.0) - i8::from(*weight < 0.0));
        *gradient += l1 * sign + l2 * weight;
    }
}

/// Clips gradients that have this norm together.
pub(super) fn clip(gradients: [&mut [f32]; 2], norm: f32, clip: Clip) {
    let all = gradients.into_iter().flatten();
    match clip {
        Clip::Norm(most) => {
            let factor = (most / (f64::from(norm) + 1e-6)).min(1.0) as f32;
            all.for_each(|gradient| *gradient *= factor);
        }
        Clip::Value(most) => {
            all.for_each(|gradient| *gradient = gradient.clamp(-most as f32, most as f32));
        }
    }
}
