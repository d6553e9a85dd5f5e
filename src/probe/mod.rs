//! Measurements that need gradients: what explains differences between batch sizes.
//!
//! ```text
//! noise      the gradient noise scale in the course of a run
//! sharpness  how fast the loss rises around the weights with which a run ended
//! curvature  the Hessian by its products with vectors: top eigenvalue, trace
//! line       loss and accuracy between two solutions
//! rows       the rows that are measured, the same in all runs
//! ```
//!
//! Nothing here changes a run: weights and the optimizer's state are read and left as they are.

mod curvature;
mod line;
mod noise;
mod rows;
mod sharpness;

pub use line::{LinePointRecord, LineRecord, line};
pub use noise::{Noise, NoiseLine, adam_factors, checkpoints, noise};
pub use rows::rows;
pub use sharpness::{AdamStep, SharpnessRecord, sharpness};
