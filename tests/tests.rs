//! All integration tests, in one binary: libtorch is linked once.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics, in helpers too")]

// Helpers: a folder a test, the program as a user runs it.
mod util;

// Arrays from the file to the report: windows that overlap, labels, what cannot fit.
mod arrays;
// Several equal workers on one study folder.
mod cluster;
// Workers whose shared folder is away now and then.
mod away;
// The command line: answers, errors, exit codes.
mod cli;
// What damage to a study's folder does to its results: nothing unseen.
mod damage;
// From files of every kind to examples in splits, and what is wrong with a file.
mod data;
// The engines against PyTorch's and Keras's own numbers.
mod engine;
// Event files as TensorBoard itself reads them.
mod events;
// Finished runs put to use: measured, asked, and exported to torch, Keras and ONNX.
mod export;
// The files in `experiments/`.
mod experiments;
// Damaged and hostile files of every kind.
mod fuzz;
// Experiment files written for data that was never seen before.
mod init;
// Which module may import which, and where `unsafe` may stand.
mod layers;
// Metrics beside scikit-learn's.
mod metrics;
// What is measured beside accuracy: noise, sharpness, lines between solutions.
mod probe;
// Stacked, bidirectional and GRU layers, from the file to exports.
mod recurrent;
// One whole study's records, to the byte.
mod records;
// The report: one page, its figures.
mod report;
// Interrupted studies that go on to the same bits.
mod resume;
// The JSON Schema of experiment files.
mod schema;
// Signals that end a study, and workers that are killed.
mod stops;
// How a study stands, and which of its runs a session trains.
mod status;
// Studies on a GPU, which is emulated.
mod gpu;
// Whole studies: repeatability, divergence, arrays.
mod study;
// What is submitted to Slurm, and waits.
mod submit;
// What surrounds the program and changes no result: environment, folders that vanish, many runs.
mod surroundings;
mod targets;
// Learning rates that are tuned, and gaps that are taken apart.
mod tuning;
// Seeds that are added until it is settled what to use.
mod until;
