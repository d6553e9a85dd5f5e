//! What metrics are computed from.

/// Rows of a split: raw outputs of the head `[N][K]` and targets `[N]`, which are numbers of classes (0 or
/// 1 of two) or the numbers that are predicted.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'r> {
    pub(super) outputs: &'r [f32],
    pub(super) width: usize,
    pub(super) targets: &'r [f32],
}

impl<'r> Rows<'r> {
    /// Rows with `width` outputs each.
    pub fn new(outputs: &'r [f32], width: usize, targets: &'r [f32]) -> Self {
        debug_assert_eq!(outputs.len(), width * targets.len());
        Self { outputs, width, targets }
    }

    pub(super) fn len(&self) -> usize {
        self.targets.len()
    }

    /// Outputs and target, row by row.
    pub(super) fn each(&self) -> impl Iterator<Item = (&'r [f32], f32)> + use<'r> {
        self.outputs.chunks_exact(self.width).zip(self.targets.iter().copied())
    }
}
