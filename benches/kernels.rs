//! How fast the engines are, and the kernels of the fused one: `cargo bench --profile dev --bench kernels`,
//! with a part of a name behind `--` to choose (`avx512`, `step/text`, `kernel/avx2/replay`).
//!
//! Elements are floating-point operations of matrix products, so a rate of Gelem/s is GF/s; those of
//! text count the product with each embedded token, though the fused engine shares it among equal
//! tokens. Of kernels without a product they are values.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on panics")]

use batchscope::kernels::{
    self, Device, Engine, EngineKind, Examples, InstructionSet, Place, Sequences, Settings, Split,
    Splits, State, Step, micro,
};
use batchscope::model;
use batchscope::spec::{Input, Objective, Shape, Stack, UpdateRule};
use criterion::{BenchmarkId, Criterion, Throughput};
use std::time::Duration;

const BATCHES: [usize; 3] = [1, 32, 256];
const ROWS: usize = 256;
const STEPS: usize = 200;
const FEATURES: usize = 64;
const UNITS: usize = 64;
const VOCABULARY: usize = 10_000;

/// Examples in memory, as features or as tokens.
struct Scene {
    name: &'static str,
    shape: Shape,
    values: Vec<f32>,
    tokens: Vec<i32>,
    offsets: Vec<u64>,
    labels: Vec<f32>,
}

/// Values in [0, 1) that repeat late.
fn draws(count: usize) -> impl Iterator<Item = f32> {
    (1..=count as u32).map(|at| (at.wrapping_mul(2_654_435_769) >> 8) as f32 / (1 << 24) as f32)
}

impl Scene {
    fn new(name: &'static str, input: Input) -> Self {
        let (values, tokens) = match input {
            Input::Features(features) => (draws(ROWS * STEPS * features).collect(), vec![]),
            // Few tokens make up most of a text.
            Input::Tokens { vocabulary, .. } => {
                let token = |draw: f32| (draw.powi(4) * vocabulary as f32) as i32;
                (vec![], draws(ROWS * STEPS).map(token).collect())
            }
        };
        let offsets = (0..=ROWS).map(|row| (row * STEPS) as u64).collect();
        let labels = (0..ROWS).map(|row| (row % 2) as f32).collect();
        Self {
            name,
            shape: Shape { input, layers: Stack::lstm(UNITS), outputs: 1 },
            values,
            tokens,
            offsets,
            labels,
        }
    }

    fn examples(&self) -> Examples<'_> {
        let sequences = match self.shape.input {
            Input::Features(features) => {
                Sequences::Features { values: &self.values, steps: STEPS, features }
            }
            Input::Tokens { .. } => {
                Sequences::Tokens { tokens: &self.tokens, offsets: &self.offsets }
            }
        };
        Examples { sequences, labels: &self.labels }
    }

    fn engine(&self, kind: EngineKind, place: Place) -> Box<dyn Engine + '_> {
        let (beta_1, beta_2, epsilon) = (0.9, 0.999, 1e-8);
        let optimizer =
            UpdateRule::Adam { beta_1, beta_2, epsilon, epsilon_hat: false, weight_decay: 0.0 };
        let (train, settings) = (self.examples(), Settings::plain(Objective::binary(), optimizer));
        let splits = Splits { train, validation: train, test: train };
        let mut engine = kernels::engine(kind, place, self.shape, splits, settings).unwrap();
        let first = State::new(model::keras(&self.shape, 0), &optimizer);
        engine.set_state(&first).unwrap();
        engine
    }
}

/// Ways to compute, by name.
fn ways() -> Vec<(String, EngineKind, Place)> {
    let cpu = Place::from(Device::Cpu);
    let sets = InstructionSet::ALL.into_iter().filter(|set| set.is_available());
    let fused = sets.map(|instructions| {
        (format!("fused-{}", instructions.name()), EngineKind::Fused, Place { instructions, ..cpu })
    });
    fused.chain([("libtorch".to_owned(), EngineKind::Libtorch, cpu)]).collect()
}

fn engines(criterion: &mut Criterion, scene: &Scene) {
    for (name, kind, place) in ways() {
        for batch in BATCHES {
            // It emulates each fused operation on x86: minutes.
            if name == "fused-portable" && batch > 32 {
                continue;
            }
            let mut engine = scene.engine(kind, place);
            let mut next = 0u32;
            let mut rows = || -> Vec<u32> {
                next = (next + batch as u32) % ROWS as u32;
                (next..next + batch as u32).map(|row| row % ROWS as u32).collect()
            };
            let forward = 2 * batch * STEPS * 4 * UNITS * (FEATURES + UNITS);
            let mut group = criterion.benchmark_group(format!("step/{}", scene.name));
            group.throughput(Throughput::Elements(3 * forward as u64));
            group.bench_function(BenchmarkId::new(&name, batch), |bencher| {
                bencher.iter(|| {
                    let rows = rows();
                    engine.train_step(&Step { rows: &rows, lr: 1e-3, masks: None }).unwrap();
                    engine.take_computed().unwrap()
                });
            });
            group.finish();
            let mut group = criterion.benchmark_group(format!("predict/{}", scene.name));
            group.throughput(Throughput::Elements(forward as u64));
            group.bench_function(BenchmarkId::new(&name, batch), |bencher| {
                bencher.iter(|| engine.predict(Split::Test, &rows()).unwrap());
            });
            group.finish();
        }
    }
}

fn single_kernels(criterion: &mut Criterion) {
    for set in InstructionSet::ALL.into_iter().filter(|set| set.is_available()) {
        let mut group = criterion.benchmark_group(format!("kernel/{}", set.name()));
        for mut kernel in micro::kernels(set).unwrap() {
            group.throughput(Throughput::Elements(kernel.elements as u64));
            group.bench_function(kernel.name, |bencher| bencher.iter(|| (kernel.call)()));
        }
        group.finish();
    }
}

fn main() {
    assert_eq!(kernels::start_libtorch().unwrap(), None);
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    single_kernels(&mut criterion);
    engines(&mut criterion, &Scene::new("features", Input::Features(FEATURES)));
    let text = Input::Tokens { vocabulary: VOCABULARY, dim: FEATURES };
    engines(&mut criterion, &Scene::new("text", text));
    criterion.final_summary();
}
