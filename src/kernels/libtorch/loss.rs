//! Losses as libtorch has them, for f32 and f64.

use super::super::Loss;
use anyhow::Result;
use tch::{Kind, Reduction, Tensor};

/// The loss of logits `[B, K]` for targets `[B]`, each row times its weight `[B]`; the mean divides by B.
pub(super) fn of(
    loss: Loss,
    logits: &Tensor,
    targets: &Tensor,
    weights: Option<&Tensor>,
    reduction: Reduction,
) -> Result<Tensor> {
    if let Loss::BinaryCrossentropy = loss {
        let logits = logits.f_reshape([-1])?;
        return Ok(logits.f_binary_cross_entropy_with_logits(targets, weights, None, reduction)?);
    }
    let each = of_rows(loss, logits, targets)?;
    let each = weights.map_or(Ok(each.shallow_clone()), |weights| each.f_mul(weights))?;
    let kind = each.kind();
    Ok(match reduction {
        Reduction::Mean => each.f_mean(kind)?,
        _ => each.f_sum(kind)?,
    })
}

/// Row by row, `[B]`.
fn of_rows(loss: Loss, logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    let number = || logits.f_reshape([-1]);
    Ok(match loss {
        Loss::CategoricalCrossentropy(smoothing) => logits.f_cross_entropy_loss(
            &targets.f_to_kind(Kind::Int64)?,
            None::<Tensor>,
            Reduction::None,
            -100,
            smoothing.label_smoothing,
        )?,
        Loss::Mse => number()?.f_mse_loss(targets, Reduction::None)?,
        Loss::Mae => number()?.f_l1_loss(targets, Reduction::None)?,
        Loss::Huber(huber) => number()?.f_huber_loss(targets, Reduction::None, huber.delta)?,
        Loss::BinaryCrossentropy => unreachable!("it has a function of its own"),
    })
}
