//! Gradients -> weights: penalties, norm, clipping, update. Everything stays on the device.

use super::super::{Clip, Penalty, UpdateRule};
use super::shim::{self, Coefficients};
use anyhow::{Result, bail};
use tch::{Kind, Tensor};

/// The penalty of these weights as one f64 value.
pub(super) fn penalty(penalised: &[(&Tensor, Penalty)]) -> Result<Tensor> {
    let mut sum: Option<Tensor> = None;
    for (weights, penalty) in penalised {
        let weights = weights.f_detach()?;
        let absolute = weights.f_abs()?.f_sum(Kind::Double)?.f_mul_scalar(penalty.l1)?;
        let squares = weights.f_square()?.f_sum(Kind::Double)?.f_mul_scalar(penalty.l2)?;
        let value = absolute.f_add(&squares)?;
        sum = Some(match sum {
            None => value,
            Some(before) => before.f_add(&value)?,
        });
    }
    match sum {
        Some(sum) => Ok(sum),
        None => Ok(Tensor::f_from_slice(&[0f64])?.f_squeeze()?),
    }
}

/// Adds a penalty's gradient to that of its weights.
pub(super) fn penalise(gradient: &mut Tensor, weights: &Tensor, penalty: Penalty) -> Result<()> {
    let weights = weights.f_detach()?;
    if penalty.l1 > 0.0 {
        gradient.f_add_(&weights.f_sign()?.f_mul_scalar(penalty.l1)?).map(drop)?;
    }
    if penalty.l2 > 0.0 {
        gradient.f_add_(&weights.f_mul_scalar(2.0 * penalty.l2)?).map(drop)?;
    }
    Ok(())
}

/// The norm of all gradients together, computed as torch's `clip_grad_norm_` does.
pub(super) fn norm(gradients: &[Tensor]) -> Result<Tensor> {
    let norms = gradients.iter().map(|gradient| gradient.f_norm());
    let norms = norms.collect::<Result<Vec<_>, _>>()?;
    Ok(Tensor::f_stack(&norms, 0)?.f_norm()?)
}

/// Clips gradients, of which `norm` is the norm.
pub(super) fn clip(gradients: &mut [Tensor], norm: &Tensor, clip: Clip) -> Result<()> {
    match clip {
        Clip::Norm(most) => {
            let factor = norm.f_add_scalar(1e-6)?.f_reciprocal()?.f_mul_scalar(most)?;
            let factor = factor.f_clamp_max(1.0)?;
            gradients.iter_mut().try_for_each(|gradient| gradient.f_mul_(&factor).map(drop))?;
        }
        Clip::Value(most) => {
            let cut = |gradient: &mut Tensor| gradient.f_clamp_(-most, most).map(drop);
            gradients.iter_mut().try_for_each(cut)?;
        }
    }
    Ok(())
}

/// One update of all parameters; `t` counts updates from 1, `step` is a tensor that holds t.
pub(super) fn update(
    optimizer: &UpdateRule,
    parameters: &[Tensor],
    gradients: &[Tensor],
    moments: &[Vec<Tensor>],
    step: &Tensor,
    t: u64,
    lr: f64,
) -> Result<()> {
    match *optimizer {
        UpdateRule::Adam { beta_1, beta_2, epsilon, epsilon_hat, weight_decay } => {
            // Epsilon hat stands beside the uncorrected root; libtorch's epsilon beside the
            // corrected one, which is larger by this factor.
            let correction = (1.0 - beta_2.powi(i32::try_from(t).unwrap_or(i32::MAX))).sqrt();
            let epsilon = if epsilon_hat { epsilon / correction } else { epsilon };
            let by = Coefficients { lr, beta1: beta_1, beta2: beta_2, epsilon, weight_decay };
            shim::fused_adam(parameters, gradients, &moments[0], &moments[1], step, &by)
        }
        UpdateRule::Sgd { momentum, nesterov } => {
            let _no_grad = tch::no_grad_guard();
            for (index, (parameter, gradient)) in parameters.iter().zip(gradients).enumerate() {
                let direction = match moments.first() {
                    None => gradient.shallow_clone(),
                    Some(velocities) => {
                        let mut velocity = velocities[index].shallow_clone();
                        velocity.f_mul_scalar_(momentum)?.f_add_(gradient).map(drop)?;
                        match nesterov {
                            true => velocity.f_mul_scalar(momentum)?.f_add(gradient)?,
                            false => velocity,
                        }
                    }
                };
                let mut parameter = parameter.shallow_clone();
                parameter.f_sub_(&direction.f_mul_scalar(lr)?).map(drop)?;
            }
            Ok(())
        }
        UpdateRule::RmsProp { rho, epsilon, momentum, is_keras } => {
            let _no_grad = tch::no_grad_guard();
            let [.., squares] = moments else { bail!("RMSprop keeps averages of squares") };
            for (index, (parameter, gradient)) in parameters.iter().zip(gradients).enumerate() {
                let mut v = squares[index].shallow_clone();
                let new = gradient.f_square()?.f_mul_scalar(1.0 - rho)?;
                v.f_mul_scalar_(rho)?.f_add_(&new).map(drop)?;
                let root = match is_keras {
                    true => v.f_add_scalar(epsilon)?.f_sqrt()?,
                    false => v.f_sqrt()?.f_add_scalar(epsilon)?,
                };
                let of_buffer = if is_keras { lr } else { 1.0 };
                let mut change = gradient.f_div(&root)?.f_mul_scalar(of_buffer)?;
                if momentum > 0.0 {
                    let mut buffer = moments[0][index].shallow_clone();
                    buffer.f_mul_scalar_(momentum)?.f_add_(&change).map(drop)?;
                    change = buffer;
                }
                let change = if is_keras { change } else { change.f_mul_scalar(lr)? };
                parameter.shallow_clone().f_sub_(&change).map(drop)?;
            }
            Ok(())
        }
    }
}
