//! The model as an ONNX graph: IR version 8, opset 17.
//!
//! ```text
//! tokens [B, T] i64 -> Transpose -> Gather(embedding.weight) -> [T, B, F]      text
//! features [B, T, F] f32 -> Transpose -> [T, B, F]                             arrays
//! lengths [B] i64: the steps of each row; those after them are not read        masked text
//! LSTM or GRU -> states of all steps [T, D, B, H] -> [T, B, D H] -> the next layer
//! the last one -> state at each row's last step [B, D H] -> Gemm -> [B, K]
//!     -> Sigmoid -> probability [B, 1]; Softmax -> probabilities [B, K]; nothing -> prediction [B, 1]
//! ```
//!
//! ONNX's LSTM wants its gates in the order `i o f c`, where `c` is our `g`, and two biases; its GRU `z r h`,
//! where `h` is our `n`, and `linear_before_reset`. Both directions, D = 2, stand in one array. A row
//! of length 0 has the state 0, as in every engine: runtimes differ in what their LSTM does with
//! such a row, so it runs one step there and its state is multiplied by 0.

use super::Model;
use super::proto::{
    AttributeProto, Dimension, DimensionProto, FLOAT, GraphProto, INT_ATTRIBUTE, INT32, INT64,
    INTS_ATTRIBUTE, ModelProto, NodeProto, OperatorSetIdProto, STRING_ATTRIBUTE, TensorProto,
    TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use crate::files;
use crate::spec::{Activation, Cell, Layer, Param, Recurrent, Role};
use anyhow::Result;
use prost::Message;
use std::io::Write;
use std::path::Path;

/// ONNX 1.12 (2022) and later read these.
const IR_VERSION: i64 = 8;
const OPSET: i64 = 17;

pub(super) fn write(model: &Model<'_>, path: &Path) -> Result<()> {
    let bytes = model_proto(model).encode_to_vec();
    files::write_atomic(path, |file| Ok(file.write_all(&bytes)?))
}

fn model_proto(model: &Model<'_>) -> ModelProto {
    let tokens = match (model.reads_tokens(), model.masked) {
        (true, true) => {
            "; `tokens` are ids of vocabulary.txt, padded with 0 after `lengths` tokens to at least \
             one step"
        }
        (true, false) => "; `tokens` are ids of vocabulary.txt, padded with 0",
        (false, _) => "",
    };
    ModelProto {
        ir_version: IR_VERSION,
        producer_name: "batchscope".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        doc_string: format!("{}{tokens}", answer(model.head).1),
        graph: Some(graph(model)),
        opset_import: vec![OperatorSetIdProto { domain: Some(String::new()), version: OPSET }],
    }
}

/// Rows of text have lengths of their own where padding is skipped.
fn has_lengths(model: &Model<'_>) -> bool {
    model.masked && model.reads_tokens()
}

fn graph(model: &Model<'_>) -> GraphProto {
    let mut node = Vec::new();
    let inputs = match model.reads_tokens() {
        true => {
            node.push(with_ints(op("Transpose", &["tokens"], "tokens_by_step"), "perm", &[1, 0]));
            node.push(op("Gather", &["embedding.weight", "tokens_by_step"], "vectors"));
            vec![value("tokens", INT64, &[named("B"), named("T")], "token ids")]
        }
        false => {
            node.push(with_ints(op("Transpose", &["features"], "vectors"), "perm", &[1, 0, 2]));
            let dims = [named("B"), named("T"), fixed(model.shape.features())];
            vec![value("features", FLOAT, &dims, "")]
        }
    };
    let lengths =
        value("lengths", INT64, &[named("B")], "the tokens of each row before its padding");
    if has_lengths(model) {
        node.push(op("Max", &["lengths", "one"], "at_least_one"));
        node.push(with_int(op("Cast", &["at_least_one"], "steps"), "to", i64::from(INT32)));
        node.push(op("Greater", &["lengths", "zero"], "is_not_empty"));
        node.push(with_int(op("Cast", &["is_not_empty"], "weight"), "to", i64::from(FLOAT)));
        node.push(op("Unsqueeze", &["weight", "one"], "weights"));
    }
    recurrent_layers(model, &mut node);
    let state = if has_lengths(model) { "state_or_zero" } else { "state" };
    if has_lengths(model) {
        node.push(op("Mul", &["state", "weights"], state));
    }
    let (answer, doc) = answer(model.head);
    let output = if model.head == Activation::Linear { answer } else { "logit" };
    let dense = op("Gemm", &[state, "dense.weight", "dense.bias"], output);
    node.push(with_int(dense, "transB", 1));
    match model.head {
        Activation::Sigmoid => node.push(op("Sigmoid", &[output], answer)),
        Activation::Softmax => node.push(with_int(op("Softmax", &[output], answer), "axis", -1)),
        Activation::Linear => {}
    }
    let dims = [named("B"), fixed(model.shape.outputs)];
    GraphProto {
        node,
        name: "classifier".to_owned(),
        initializer: initializers(model),
        input: inputs.into_iter().chain(has_lengths(model).then_some(lengths)).collect(),
        output: vec![value(answer, FLOAT, &dims, doc)],
    }
}

/// The recurrent layers: from `vectors` to `state`.
fn recurrent_layers(model: &Model<'_>, node: &mut Vec<NodeProto>) {
    let mut read = "vectors".to_owned();
    for (index, layer) in model.shape.layers.iter().enumerate() {
        let name = layer_name(index, layer);
        let of = |part: &str| format!("{name}.{part}");
        let weights = ["W", "R", "B"].map(of);
        let [w, r, b] = &weights;
        let inputs = [read.as_str(), w, r, b, "steps"];
        let inputs = &inputs[..if has_lengths(model) { 5 } else { 4 }];
        let is_last = index + 1 == model.shape.layers.len();
        // The first output has the states of all steps, the second the last ones.
        let (output, of_all) = match (is_last, of("states")) {
            (true, _) => ("last_state".to_owned(), String::new()),
            (false, states) => (states.clone(), states),
        };
        let mut step = op(layer.cell.title(), inputs, &output);
        if is_last {
            step.output.insert(0, of_all);
        }
        step = with_int(step, "hidden_size", layer.units as i64);
        if layer.cell == Cell::Gru {
            step = with_int(step, "linear_before_reset", 1);
        }
        if layer.bidirectional {
            step = with_text(step, "direction", "bidirectional");
        }
        node.push(step);
        read = match is_last {
            true if !layer.bidirectional => {
                node.push(op("Squeeze", &["last_state", "zero"], "state"));
                return;
            }
            // [D, B, H] -> [B, D H]
            true => side_by_side(node, "last_state", &[1, 0, 2], ("two_axes", "state")),
            // [T, D, B, H] -> [T, B, D H]
            false => {
                let outputs = of("outputs");
                side_by_side(node, &of("states"), &[0, 2, 1, 3], ("three_axes", &outputs))
            }
        };
    }
}

/// Moves the axis of directions before that of units and makes one of both.
fn side_by_side(
    node: &mut Vec<NodeProto>,
    from: &str,
    order: &[i64],
    (dims, to): (&str, &str),
) -> String {
    let turned = format!("{from}_by_row");
    node.push(with_ints(op("Transpose", &[from], &turned), "perm", order));
    node.push(op("Reshape", &[&turned, dims], to));
    to.to_owned()
}

/// `lstm`, `gru_1`
fn layer_name(index: usize, layer: &Recurrent) -> String {
    match index {
        0 => layer.cell.name().to_owned(),
        _ => format!("{}_{index}", layer.cell.name()),
    }
}

/// How a head's answer is called, and what it is.
fn answer(head: Activation) -> (&'static str, &'static str) {
    match head {
        Activation::Sigmoid => ("probability", "probability of class 1"),
        Activation::Softmax => ("probabilities", "probability of each class"),
        Activation::Linear => ("prediction", "the number that is predicted"),
    }
}

fn initializers(model: &Model<'_>) -> Vec<TensorProto> {
    let mut tensors = Vec::new();
    let embedding = model.parameters().filter(|(p, _)| p.layer == Layer::Embedding);
    tensors.extend(embedding.map(|(p, values)| floats(&p.path, &p.dims, values)));
    for (index, layer) in model.shape.layers.iter().enumerate() {
        tensors.extend(of_layer(model, index, layer));
    }
    let dense = model.parameters().filter(|(p, _)| p.layer == Layer::Dense);
    tensors.extend(dense.map(|(p, values)| floats(&p.path, &p.dims, values)));
    let layers = &model.shape.layers;
    let ends_both_ways = layers[layers.len() - 1].bidirectional;
    if has_lengths(model) || !ends_both_ways {
        tensors.push(integer("zero", 0));
    }
    if has_lengths(model) {
        tensors.push(integer("one", 1));
    }
    if layers.len() > 1 {
        tensors.push(integers("three_axes", &[0, 0, -1]));
    }
    if ends_both_ways {
        tensors.push(integers("two_axes", &[0, -1]));
    }
    tensors
}

/// The three arrays of a layer, in each of them one direction after the other.
fn of_layer(model: &Model<'_>, index: usize, layer: &Recurrent) -> [TensorProto; 3] {
    let (g, h, name) = (layer.cell.gates(), layer.units, layer_name(index, layer));
    let gather = |wanted: Role| -> Vec<f32> {
        let is_wanted = |p: &Param| {
            let of_layer = matches!(p.layer, Layer::Recurrent { index: i, .. } if i == index);
            of_layer && p.role == wanted
        };
        let found = model.parameters().filter(|(p, _)| is_wanted(p));
        found.flat_map(|(_, values)| gates(layer.cell, values, h)).collect()
    };
    let (first, mut second) = (gather(Role::Bias), gather(Role::RecurrentBias));
    second.resize(first.len(), 0.0);
    let pairs = first.chunks_exact(g * h).zip(second.chunks_exact(g * h));
    let bias = pairs.flat_map(|(first, second)| [first, second].concat()).collect::<Vec<f32>>();
    let (kernel, d) = (gather(Role::Kernel), layer.directions());
    let f = kernel.len() / (d * g * h);
    [
        floats(&format!("{name}.W"), &[d, g * h, f], &kernel),
        floats(&format!("{name}.R"), &[d, g * h, h], &gather(Role::Recurrent)),
        floats(&format!("{name}.B"), &[d, 2 * g * h], &bias),
    ]
}

/// Blocks of rows in our order -> in that of ONNX: `i f g o` -> `i o f g`, `r z n` -> `z r n`.
fn gates(cell: Cell, values: &[f32], units: usize) -> Vec<f32> {
    let size = values.len() / cell.gates();
    debug_assert_eq!(size % units, 0);
    let gate = |gate: usize| &values[gate * size..(gate + 1) * size];
    match cell {
        Cell::Lstm => [gate(0), gate(3), gate(1), gate(2)].concat(),
        Cell::Gru => [gate(1), gate(0), gate(2)].concat(),
    }
}

fn op(kind: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        input: inputs.iter().map(|name| (*name).to_owned()).collect(),
        output: vec![output.to_owned()],
        name: output.to_owned(),
        op_type: kind.to_owned(),
        attribute: Vec::new(),
    }
}

fn with_int(mut node: NodeProto, name: &str, value: i64) -> NodeProto {
    let (i, kind) = (Some(value), INT_ATTRIBUTE);
    node.attribute.push(AttributeProto { name: name.to_owned(), i, kind, ..Default::default() });
    node
}

fn with_text(mut node: NodeProto, name: &str, value: &str) -> NodeProto {
    let (s, kind) = (Some(value.to_owned()), STRING_ATTRIBUTE);
    node.attribute.push(AttributeProto { name: name.to_owned(), s, kind, ..Default::default() });
    node
}

fn with_ints(mut node: NodeProto, name: &str, values: &[i64]) -> NodeProto {
    let (ints, kind) = (values.to_vec(), INTS_ATTRIBUTE);
    node.attribute.push(AttributeProto { name: name.to_owned(), ints, kind, ..Default::default() });
    node
}

fn floats(name: &str, dims: &[usize], values: &[f32]) -> TensorProto {
    TensorProto {
        dims: dims.iter().map(|dim| *dim as i64).collect(),
        data_type: FLOAT,
        name: name.to_owned(),
        raw_data: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
    }
}

/// A constant of one integer, as an axis or to compare with.
fn integer(name: &str, value: i64) -> TensorProto {
    integers(name, &[value])
}

fn integers(name: &str, values: &[i64]) -> TensorProto {
    let raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let dims = vec![values.len() as i64];
    TensorProto { dims, data_type: INT64, name: name.to_owned(), raw_data }
}

fn named(name: &str) -> Dimension {
    Dimension::Name(name.to_owned())
}

fn fixed(size: usize) -> Dimension {
    Dimension::Value(size as i64)
}

fn value(name: &str, kind: i32, dims: &[Dimension], doc: &str) -> ValueInfoProto {
    let dim = dims.iter().map(|dim| DimensionProto { value: Some(dim.clone()) }).collect();
    let tensor = TensorTypeProto { elem_type: kind, shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto {
        name: name.to_owned(),
        kind: Some(TypeProto { tensor_type: Some(tensor) }),
        doc_string: doc.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ARRAYS, TEXT};
    use super::*;
    use crate::spec::{Shape, Stack};
    use std::collections::BTreeSet;

    /// Models of several layers: text that ends in two directions, arrays that end in one.
    fn deep() -> [Shape; 2] {
        let (lstm, gru) = (Recurrent::lstm(2), Recurrent::gru(3));
        let stack = |layers: &[Recurrent]| Stack::new(layers).unwrap();
        [
            Shape { layers: stack(&[lstm, gru.both_ways()]), ..TEXT },
            Shape { layers: stack(&[lstm.both_ways(), gru, lstm]), ..ARRAYS },
        ]
    }

    #[test]
    fn each_layer_has_one_array_of_each_kind_for_both_directions() {
        let graph = read_back(deep()[0], true);
        let dims = |name: &str| {
            graph.initializer.iter().find(|tensor| tensor.name == name).unwrap().dims.clone()
        };
        assert_eq!(dims("lstm.W"), [1, 8, 3]);
        assert_eq!(dims("gru_1.W"), [2, 9, 2]);
        assert_eq!(dims("gru_1.R"), [2, 9, 3]);
        assert_eq!(dims("gru_1.B"), [2, 18]);
        assert_eq!(dims("dense.weight"), [1, 6]);
        let gru = graph.node.iter().find(|node| node.op_type == "GRU").unwrap();
        let attributes: Vec<&str> = gru.attribute.iter().map(|a| a.name.as_str()).collect();
        assert_eq!(attributes, ["hidden_size", "linear_before_reset", "direction"]);
        assert_eq!(gru.attribute[2].s.as_deref(), Some("bidirectional"));
    }

    /// The graph as it is read back from bytes.
    fn read_back(shape: Shape, masked: bool) -> GraphProto {
        graph_of(shape, masked, Activation::Sigmoid)
    }

    fn graph_of(shape: Shape, masked: bool, head: Activation) -> GraphProto {
        let weights = crate::model::keras(&shape, 4);
        let bytes = model_proto(&Model { shape, masked, head, weights: &weights }).encode_to_vec();
        ModelProto::decode(bytes.as_slice()).unwrap().graph.unwrap()
    }

    #[test]
    fn every_name_that_a_node_reads_was_given_before_and_all_weights_are_used() {
        let [two, mixed] = deep();
        for (shape, masked) in [
            (TEXT, true),
            (TEXT, false),
            (ARRAYS, false),
            (ARRAYS, true),
            (two, true),
            (two, false),
            (mixed, true),
            (mixed, false),
        ] {
            let graph = read_back(shape, masked);
            let inputs = graph.input.iter().map(|input| input.name.clone());
            let constants = graph.initializer.iter().map(|tensor| tensor.name.clone());
            let mut known: BTreeSet<String> = inputs.chain(constants).collect();
            let mut unread = known.clone();
            for node in &graph.node {
                for name in &node.input {
                    assert!(known.contains(name), "{}: `{name}` comes from nowhere", node.op_type);
                    unread.remove(name);
                }
                known.extend(node.output.iter().filter(|name| !name.is_empty()).cloned());
            }
            assert!(known.contains("probability"));
            assert!(unread.is_empty(), "not used: {unread:?}");
        }
    }

    #[test]
    fn each_head_has_an_answer_of_its_own() {
        let several = Shape { outputs: 3, ..ARRAYS };
        for (head, shape, name, last) in [
            (Activation::Sigmoid, ARRAYS, "probability", "Sigmoid"),
            (Activation::Softmax, several, "probabilities", "Softmax"),
            (Activation::Linear, ARRAYS, "prediction", "Gemm"),
        ] {
            let graph = graph_of(shape, false, head);
            assert_eq!(graph.output[0].name, name);
            let node = graph.node.last().unwrap();
            assert_eq!((node.op_type.as_str(), node.output[0].as_str()), (last, name));
            let weight = graph.initializer.iter().find(|tensor| tensor.name == "dense.weight");
            assert_eq!(weight.unwrap().dims, [shape.outputs as i64, 2]);
        }
    }

    #[test]
    fn rows_have_lengths_where_padding_is_skipped_only() {
        let inputs = |shape, masked| -> Vec<String> {
            read_back(shape, masked).input.into_iter().map(|input| input.name).collect()
        };
        assert_eq!(inputs(TEXT, true), ["tokens", "lengths"]);
        assert_eq!(inputs(TEXT, false), ["tokens"]);
        assert_eq!(inputs(ARRAYS, true), ["features"]);
    }

    #[test]
    fn gates_are_put_into_the_order_of_onnx() {
        // Two units, two columns; the value tells the gate.
        let rows = [[0.0; 4], [1.0; 4], [2.0; 4], [3.0; 4]].concat();
        let expected = [[0.0; 4], [3.0; 4], [1.0; 4], [2.0; 4]].concat();
        assert_eq!(gates(Cell::Lstm, &rows, 2), expected);
        let expected = [[1.0; 4], [0.0; 4], [2.0; 4]].concat();
        assert_eq!(gates(Cell::Gru, &rows[..12], 2), expected);
    }

    #[test]
    fn constants_have_as_many_bytes_as_their_dimensions_say() {
        for tensor in read_back(TEXT, true).initializer {
            let size = if tensor.data_type == INT64 { 8 } else { 4 };
            let count: i64 = tensor.dims.iter().product();
            assert_eq!(tensor.raw_data.len() as i64, size * count, "{}", tensor.name);
        }
    }
}
