//! Sums over the errors of predicted numbers.

use super::rows::Rows;

/// Sums over rows with target y and error e. Targets are taken from their mean, so that squares of large
/// ones lose no digits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Errors {
    rows: f64,
    squares: f64,
    center: f64,
    targets: f64,
    target_squares: f64,
}

impl Errors {
    pub(super) fn of(rows: &Rows<'_>) -> Self {
        let count = rows.len() as f64;
        let center = rows.targets.iter().map(|y| f64::from(*y)).sum::<f64>() / count;
        let none = Self { rows: 0.0, squares: 0.0, center, targets: 0.0, target_squares: 0.0 };
        rows.each().fold(none, |sums, (z, y)| sums.with(z[0], y, 1.0))
    }

    fn with(&self, output: f32, target: f32, times: f64) -> Self {
        let error = f64::from(output) - f64::from(target);
        let target = f64::from(target) - self.center;
        Self {
            rows: self.rows + times,
            squares: self.squares + times * error * error,
            center: self.center,
            targets: self.targets + times * target,
            target_squares: self.target_squares + times * target * target,
        }
    }

    /// The sums without a row.
    pub(super) fn without(&self, output: f32, target: f32) -> Self {
        self.with(output, target, -1.0)
    }

    pub(super) fn mse(&self) -> f64 {
        // What is left after a subtraction may be below 0 by rounding.
        self.squares.max(0.0) / self.rows
    }

    /// `None` where all targets are the same.
    pub(super) fn r2(&self) -> Option<f64> {
        let spread = self.target_squares - self.targets * self.targets / self.rows;
        (spread > 0.0).then(|| 1.0 - self.squares / spread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variance_that_is_explained_does_not_depend_on_where_the_targets_lie() {
        let r2 = |shift: f32| {
            let targets = [1.0f32, 2.0, 3.0, 4.0].map(|y| y + shift);
            let outputs = [1.5f32, 2.0, 2.5, 4.0].map(|z| z + shift);
            Errors::of(&Rows::new(&outputs, 1, &targets)).r2()
        };
        assert_eq!(r2(0.0), Some(1.0 - 0.5 / 5.0));
        assert_eq!(r2(4096.0), r2(0.0));
        assert_eq!(Errors::of(&Rows::new(&[1.0, 2.0], 1, &[5.0, 5.0])).r2(), None);
    }
}
