//! Several workers on one study: equal processes, on any machines that see its folder.
//!
//! ```text
//! claims      who does what; an attempt that ended gets its place by one rename
//! members     which workers are alive
//! self_test   whether a file system does what this needs
//! ```

#[cfg(test)]
mod campaign;
mod claims;
mod members;
mod self_test;
