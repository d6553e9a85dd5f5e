//! Numbers moved and stretched: `offset + factor * x`.

use serde::{Deserialize, Serialize};

/// From a scaled number to the one that it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Affine {
    /// What 0 stands for.
    pub offset: f64,
    /// How far 1 is from there; not 0.
    pub factor: f64,
}

impl Affine {
    /// What changes nothing.
    pub const NONE: Self = Self { offset: 0.0, factor: 1.0 };

    /// The number that a scaled one stands for.
    pub fn natural(&self, scaled: f32) -> f32 {
        match *self == Self::NONE {
            // To the bit, also of what is no number.
            true => scaled,
            false => (self.offset + self.factor * f64::from(scaled)) as f32,
        }
    }

    /// The way back.
    pub fn scaled(&self, natural: f32) -> f32 {
        match *self == Self::NONE {
            true => natural,
            false => ((f64::from(natural) - self.offset) / self.factor) as f32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_scaled_comes_back_and_no_scale_keeps_every_bit() {
        let affine = Affine { offset: 1000.0, factor: 250.0 };
        let found = [affine.scaled(1500.0), affine.natural(2.0)];
        assert_eq!(found.map(f32::to_bits), [2.0f32, 1500.0].map(f32::to_bits));
        for value in [f32::NAN, -0.0, f32::INFINITY, 1e-40] {
            assert_eq!(Affine::NONE.natural(value).to_bits(), value.to_bits());
            assert_eq!(Affine::NONE.scaled(value).to_bits(), value.to_bits());
        }
    }
}
