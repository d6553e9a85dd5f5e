//! Measurements that need gradients: what explains differences between batch sizes.
//!
//! ```text
//! noise      the gradient noise scale in the course of a run
//! rows       the training rows that are measured, the same in all runs
//! ```
//!
//! Nothing here changes a run: weights and the optimizer's state are read and left as they are.

mod noise;
mod rows;

pub use noise::{Noise, NoiseLine, checkpoints, noise};
pub use rows::rows;
