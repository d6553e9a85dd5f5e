//! The model as an ONNX graph: IR version 8, opset 17.
//!
//! ```text
//! tokens [B, T] i64 -> Transpose -> Gather(embedding.weight) -> [T, B, F]      text
//! features [B, T, F] f32 -> Transpose -> [T, B, F]                             arrays
//! lengths [B] i64: the steps of each row; those after them are not read        masked text
//! LSTM -> state at each row's last step [B, H] -> Gemm -> [B, K]
//!     -> Sigmoid -> probability [B, 1]; Softmax -> probabilities [B, K]; nothing -> prediction [B, 1]
//! ```
//!
//! ONNX's LSTM wants its gates in the order `i o f c`, where `c` is our `g`, and two biases. A row
//! of length 0 has the state 0, as in every engine: runtimes differ in what their LSTM does with
//! such a row, so it runs one step there and its state is multiplied by 0.

use super::Model;
use super::proto::{
    AttributeProto, Dimension, DimensionProto, FLOAT, GraphProto, INT_ATTRIBUTE, INT32, INT64,
    INTS_ATTRIBUTE, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto,
    TensorTypeProto, TypeProto, ValueInfoProto,
};
use crate::files;
use crate::spec::{Activation, Layer, Param, Role};
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
    let lstm_inputs = ["vectors", "lstm.W", "lstm.R", "lstm.B", "steps"];
    let lstm_inputs = &lstm_inputs[..if has_lengths(model) { 5 } else { 4 }];
    if has_lengths(model) {
        node.push(op("Max", &["lengths", "one"], "at_least_one"));
        node.push(with_int(op("Cast", &["at_least_one"], "steps"), "to", i64::from(INT32)));
        node.push(op("Greater", &["lengths", "zero"], "is_not_empty"));
        node.push(with_int(op("Cast", &["is_not_empty"], "weight"), "to", i64::from(FLOAT)));
        node.push(op("Unsqueeze", &["weight", "one"], "weights"));
    }
    let mut lstm = op("LSTM", lstm_inputs, "last_state");
    // Its first output, the states of all steps, is not used.
    lstm.output.insert(0, String::new());
    node.push(with_int(lstm, "hidden_size", model.shape.units as i64));
    node.push(op("Squeeze", &["last_state", "zero"], "state"));
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

/// How a head's answer is called, and what it is.
fn answer(head: Activation) -> (&'static str, &'static str) {
    match head {
        Activation::Sigmoid => ("probability", "probability of class 1"),
        Activation::Softmax => ("probabilities", "probability of each class"),
        Activation::Linear => ("prediction", "the number that is predicted"),
    }
}

fn initializers(model: &Model<'_>) -> Vec<TensorProto> {
    let h = model.shape.units;
    let mut tensors = Vec::new();
    for (Param { path, dims, layer, role }, values) in model.parameters() {
        tensors.push(match (layer, role) {
            (Layer::Lstm, Role::Kernel) => {
                floats("lstm.W", &[1, dims[0], dims[1]], &gates_iofc(values, h))
            }
            (Layer::Lstm, Role::Recurrent) => {
                floats("lstm.R", &[1, dims[0], dims[1]], &gates_iofc(values, h))
            }
            (Layer::Lstm, _) => {
                let both = [gates_iofc(values, h), vec![0.0; 4 * h]].concat();
                floats("lstm.B", &[1, 8 * h], &both)
            }
            _ => floats(path, &dims, values),
        });
    }
    tensors.push(integer("zero", 0));
    if has_lengths(model) {
        tensors.push(integer("one", 1));
    }
    tensors
}

/// Blocks of rows in the order `i f g o` -> `i o f g`.
fn gates_iofc(values: &[f32], units: usize) -> Vec<f32> {
    let columns = values.len() / (4 * units);
    let gate = |gate: usize| &values[gate * units * columns..(gate + 1) * units * columns];
    [gate(0), gate(3), gate(1), gate(2)].concat()
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
    let (name, ints) = (name.to_owned(), Vec::new());
    node.attribute.push(AttributeProto { name, i: Some(value), ints, kind: INT_ATTRIBUTE });
    node
}

fn with_ints(mut node: NodeProto, name: &str, values: &[i64]) -> NodeProto {
    let (name, ints) = (name.to_owned(), values.to_vec());
    node.attribute.push(AttributeProto { name, i: None, ints, kind: INTS_ATTRIBUTE });
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
    let raw_data = value.to_le_bytes().to_vec();
    TensorProto { dims: vec![1], data_type: INT64, name: name.to_owned(), raw_data }
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
    use crate::spec::Shape;
    use std::collections::BTreeSet;

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
        for (shape, masked) in [(TEXT, true), (TEXT, false), (ARRAYS, false), (ARRAYS, true)] {
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
        assert_eq!(gates_iofc(&rows, 2), [[0.0; 4], [3.0; 4], [1.0; 4], [2.0; 4]].concat());
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
