//! batchscope answers one question: how does batch size affect the accuracy of *my* LSTM, on *my*
//! data, and which batch size should I use?
//!
//! One YAML file describes a study; `batchscope run` trains its runs on CPU or CUDA, keeps records
//! and TensorBoard curves, and says what was found.
//!
//! # Layers
//!
//! Imports flow one way; `tests/layers` checks it.
//!
//! ```text
//! cli -> study -> train, probe -> model, data -> kernels
//!  \   \    \-> stats, events
//!   \   \-> report -> study, analysis -> stats
//!    \-> export -> model
//! config, kernels -> spec
//! leaves, which import none of these:
//!     spec, rng, stats, events, files, format, error
//! ```
//!
//! # Words
//!
//! - **study**: all runs of one YAML file. **arm**: one configuration in it. **run**: one arm with one
//!   seed. **step**: one optimizer update. **epoch**, **split**, **batch** as everywhere.
//! - Dimensions: `B` batch rows, `T` time steps, `F` input features, `H` units, `V` vocabulary, `N`
//!   examples. Gates of an LSTM are in the order `i f g o`, of a GRU `r z n`. *Kernel* means compute code only.

pub mod analysis;
pub mod cli;
pub mod config;
pub mod data;
pub mod error;
pub mod events;
pub mod export;
pub mod files;
pub mod format;
pub mod kernels;
pub mod model;
pub mod probe;
pub mod report;
pub mod rng;
pub mod spec;
pub mod stats;
pub mod study;
pub mod train;
