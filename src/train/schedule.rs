//! Learning rate by epoch, the first being epoch 0, as torch's schedulers give it.

use crate::config::Schedule;

/// The learning rate of an epoch, from the rate before the schedule.
pub fn learning_rate(schedule: &Schedule, lr: f64, epoch: u64) -> f64 {
    match schedule {
        Schedule::Constant => lr,
        Schedule::Exponential(exponential) => {
            lr * exponential.gamma.powi(i32::try_from(epoch).unwrap_or(i32::MAX))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Exponential;

    #[test]
    fn the_seeds_schedule_is_a_thousandth_times_nine_tenths_to_the_epoch() {
        let schedule = Schedule::Exponential(Exponential { gamma: 0.9 });
        for (epoch, expected) in [(0, 1e-3), (1, 9e-4), (2, 8.1e-4), (9, 3.87420489e-4)] {
            let found = learning_rate(&schedule, 1e-3, epoch);
            assert!((found - expected).abs() < 1e-15, "epoch {epoch}: {found}");
        }
        assert!((learning_rate(&Schedule::Constant, 0.5, 7) - 0.5).abs() < 1e-15);
    }
}
