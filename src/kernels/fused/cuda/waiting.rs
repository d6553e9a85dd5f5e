//! What training steps computed, on the GPU until somebody asks for it.

use super::gpu::Gpu;
use super::memory::Room;
use super::step::{Address, StepArguments};
use crate::kernels::Computed;
use anyhow::Result;
use std::rc::Rc;

/// Steps whose results wait, at most.
const STEPS: usize = 1 << 12;
/// Logits that wait, at least.
const LOGITS: usize = 1 << 16;

/// Results of steps.
pub(super) struct Waiting {
    logits: Room,
    /// f32 each.
    norms: Room,
    /// f64 each.
    penalties: Room,
    /// The parts of a penalty.
    parts: Room,
    /// How many of each there are.
    steps: usize,
    values: usize,
    penalises: bool,
    /// What was taken from the GPU already.
    computed: Computed,
}

impl Waiting {
    pub(super) fn new(gpu: &Rc<Gpu>) -> Result<Self> {
        let mut rooms: [Room; 4] = Default::default();
        // Two penalties for each of the most panels, and the bias's.
        let sizes = [4 * LOGITS, 4 * STEPS, 8 * STEPS, 8 * 32];
        for (room, bytes) in rooms.iter_mut().zip(sizes) {
            room.hold(gpu, bytes)?;
        }
        let [logits, norms, penalties, parts] = rooms;
        let computed = Computed::default();
        Ok(Self {
            logits,
            norms,
            penalties,
            parts,
            steps: 0,
            values: 0,
            penalises: false,
            computed,
        })
    }

    /// Room for the logits of one more step.
    pub(super) fn reserve(&mut self, gpu: &Rc<Gpu>, logits: usize) -> Result<Address> {
        if self.steps == STEPS || 4 * (self.values + logits) > self.logits.bytes() {
            self.collect()?;
        }
        Ok(self.logits.hold(gpu, 4 * logits)? + 4 * self.values as Address)
    }

    /// Tells a step where its norm and its penalty go.
    pub(super) fn tell(&self, step: &mut StepArguments) {
        step.norm = self.norms.address() + 4 * self.steps as Address;
        step.penalty = self.penalties.address() + 8 * self.steps as Address;
        step.parts = self.parts.address();
    }

    /// One more step has been launched.
    pub(super) fn add(&mut self, logits: usize, penalises: bool) {
        (self.steps, self.values) = (self.steps + 1, self.values + logits);
        self.penalises = penalises;
    }

    /// Drops everything.
    pub(super) fn forget(&mut self) {
        (self.steps, self.values, self.computed) = (0, 0, Computed::default());
    }

    fn collect(&mut self) -> Result<()> {
        let penalties = match self.penalises {
            true => self.penalties.get(self.steps)?,
            false => vec![0.0; self.steps],
        };
        self.computed.logits.extend(self.logits.get::<f32>(self.values)?);
        self.computed.gradient_norms.extend(self.norms.get::<f32>(self.steps)?);
        self.computed.penalties.extend(penalties);
        (self.steps, self.values) = (0, 0);
        Ok(())
    }

    /// All that waits.
    pub(super) fn take(&mut self) -> Result<Computed> {
        self.collect()?;
        Ok(std::mem::take(&mut self.computed))
    }
}
