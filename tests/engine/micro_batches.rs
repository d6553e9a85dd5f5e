//! A batch in parts is the batch as a whole, to rounding.

use super::{ADAM, Path, Ragged, engine};
use batchscope::kernels::{Engine, Masks, Penalties, Settings, State, Step};
use batchscope::model;
use batchscope::spec::{Input, Objective, Penalty, Shape, Stack};

const ROWS: usize = 70;
const SHAPE: Shape =
    Shape { input: Input::Tokens { vocabulary: 20, dim: 4 }, layers: Stack::lstm(6), outputs: 1 };

fn ragged() -> Ragged {
    let row = |row: usize| (0..row * 7 % 13).map(|at| ((row + at * at) % 20) as i32).collect();
    Ragged::new(&(0..ROWS).map(row).collect::<Vec<_>>())
}

fn settings(micro_batch: Option<usize>) -> Settings {
    let penalty = Penalty { l1: 0.0, l2: 0.01 };
    let penalties = Penalties { kernel: penalty, recurrent: penalty, bias: penalty };
    let objective = Objective { class_weights: vec![1.0, 2.0], ..Objective::binary() };
    Settings { micro_batch, penalties: vec![penalties], ..Settings::plain(objective, ADAM) }
}

/// Two epochs of batches of 64, the last of which has 6 rows.
fn trained(engine: &mut dyn Engine) -> (State, Vec<f32>) {
    engine.set_state(&State::new(model::keras(&SHAPE, 3), &ADAM)).unwrap();
    let all: Vec<u32> = (0..ROWS as u32).collect();
    for _ in 0..2 {
        for rows in all.chunks(64) {
            let input = (0..rows.len() * 4).map(|at| if at % 5 == 0 { 0.0 } else { 1.25 });
            let masks = Masks { input: input.collect(), recurrent: vec![] };
            engine.train_step(&Step { rows, lr: 0.01, masks: Some(&[masks]) }).unwrap();
        }
    }
    let logits = engine.take_computed().unwrap().logits;
    (engine.state().unwrap(), logits)
}

pub(super) fn parts_of_a_batch_give_the_step_of_the_whole_batch(path: Path) {
    let (ragged, labels) = (ragged(), (0..ROWS).map(|row| (row % 2) as f32).collect::<Vec<_>>());
    let new = |micro| engine(path, SHAPE, ragged.sequences(), &labels, settings(micro));
    let (whole, logits) = trained(new(None).as_mut());
    for micro in [8, 33, 1] {
        let (parts, other) = trained(new(Some(micro)).as_mut());
        assert_eq!(parts.step, 4);
        assert_eq!(other.len(), logits.len());
        let pairs = whole.parameters.iter().flatten().zip(parts.parameters.iter().flatten());
        for (whole, part) in pairs.chain(logits.iter().zip(&other)) {
            assert!((whole - part).abs() < 2e-6, "{micro} at a time: {part} for {whole}");
        }
    }
}
