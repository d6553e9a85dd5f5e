//! All integration tests, in one binary: libtorch is linked once.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics, in helpers too")]

// Helpers: a folder a test, the program as a user runs it.
mod util;

// The command line: answers, errors, exit codes.
mod cli;
// From files of every kind to examples in splits, and what is wrong with a file.
mod data;
// The engines against PyTorch's own numbers.
mod engine;
// Event files as TensorBoard itself reads them.
mod events;
// The files in `experiments/`.
mod experiments;
// Which module may import which, and where `unsafe` may stand.
mod layers;
// Interrupted studies that go on to the same bits.
mod resume;
// Whole studies: repeatability, divergence, arrays.
mod study;
