//! The model as a `.keras` archive, as Keras 3 saves it: a zip file, nothing compressed, of
//!
//! ```text
//! metadata.json        the version of Keras whose layout this is
//! config.json          Sequential: [Embedding ->] recurrent layers -> Dense
//! model.weights.h5     layers/embedding/vars/0     [V, F]
//!                      layers/lstm/cell/vars/0     kernel [F, 4H], the transpose of weight_ih
//!                      layers/lstm/cell/vars/1     recurrent kernel [H, 4H]
//!                      layers/lstm/cell/vars/2     bias [4H], gates in the same order as ours
//!                      layers/gru/cell/vars/0..2   [F, 3H], [H, 3H], both biases [2, 3H]; gates z r n, ours r z n
//!                      layers/bidirectional/forward_layer/cell/vars/..., backward_layer/...
//!                      layers/dense/vars/0, 1      [H, K], [K]
//! ```
//!
//! The second layer of a class has the name of the class with `_1`, and so on.
//!
//! Source: `keras/src/saving/saving_lib.py`. The configuration names no more than what differs from
//! Keras's defaults, so that other versions than the named one read it; 3.3 and 3.8 were tried.

use super::Model;
use crate::files;
use crate::spec::{Cell, Direction, Input, Layer, Param, Recurrent, Role, Shape};
use anyhow::{Context, Result};
use hdf5_pure::{AttrValue, FileBuilder, FinishedGroup};
use serde_json::{Value, json};
use std::io::{Cursor, Write};
use std::path::Path;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

const KERAS_VERSION: &str = "3.15.1";

pub(super) fn write(model: &Model<'_>, path: &Path) -> Result<()> {
    let metadata = json!({ "keras_version": KERAS_VERSION }).to_string();
    let entries = [
        ("metadata.json", metadata.into_bytes()),
        ("config.json", config(model).to_string().into_bytes()),
        ("model.weights.h5", weights(model)?),
    ];
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in entries {
        archive.start_file(name, stored)?;
        archive.write_all(&bytes)?;
    }
    let bytes = archive.finish()?.into_inner();
    files::write_atomic(path, |file| Ok(file.write_all(&bytes)?))
}

fn config(model: &Model<'_>) -> Value {
    let f = model.shape.features();
    let (input, kind) = match model.shape.input {
        Input::Tokens { .. } => (json!([null, null]), "int32"),
        Input::Features(_) => (json!([null, null, f]), "float32"),
    };
    let mut layers = vec![json!({
        "module": "keras.layers",
        "class_name": "InputLayer",
        "config": { "batch_shape": input, "dtype": kind, "name": "input" },
        "registered_name": null,
    })];
    if let Input::Tokens { vocabulary, dim } = model.shape.input {
        let config = json!({
            "name": "embedding",
            "input_dim": vocabulary,
            "output_dim": dim,
            "mask_zero": model.masked,
        });
        layers.push(layer("Embedding", config, &input));
    }
    let mut width = f;
    let names = names(&model.shape);
    for (index, (recurrent, name)) in model.shape.layers.iter().zip(&names).enumerate() {
        let hands_on_all = index + 1 < model.shape.layers.len();
        let read = json!([null, null, width]);
        layers.push(recurrent_layer(recurrent, name, hands_on_all, &read));
        width = recurrent.width();
    }
    let (units, activation) = (model.shape.outputs, model.head.name());
    let dense = json!({ "name": "dense", "units": units, "activation": activation });
    layers.push(layer("Dense", dense, &json!([null, width])));
    json!({
        "module": "keras",
        "class_name": "Sequential",
        "config": { "name": "classifier", "layers": layers, "build_input_shape": input },
        "registered_name": null,
        "build_config": { "input_shape": input },
    })
}

/// The names under which Keras saves recurrent layers: by their classes, numbered from the second on.
fn names(shape: &Shape) -> Vec<String> {
    let class = |layer: &Recurrent| match layer.bidirectional {
        true => "bidirectional",
        false => layer.cell.name(),
    };
    let name = |(index, layer): (usize, &Recurrent)| {
        let before = shape.layers[..index].iter().filter(|other| class(other) == class(layer));
        match before.count() {
            0 => class(layer).to_owned(),
            number => format!("{}_{number}", class(layer)),
        }
    };
    shape.layers.iter().enumerate().map(name).collect()
}

fn recurrent_layer(recurrent: &Recurrent, name: &str, hands_on_all: bool, read: &Value) -> Value {
    let class = recurrent.cell.title();
    let one_way = |name: &str| {
        let mut config = json!({ "name": name, "units": recurrent.units });
        if hands_on_all {
            config["return_sequences"] = json!(true);
        }
        config
    };
    if !recurrent.bidirectional {
        return layer(class, one_way(name), read);
    }
    let side = |way: &str| {
        let mut config = one_way(&format!("{way}_{name}"));
        config["go_backwards"] = json!(way == "backward");
        layer(class, config, read)
    };
    // Both are named, as Keras names them: from the first alone it makes a second one wrongly where a
    // model has several such layers (3.15).
    let (forward, backward) = (side("forward"), side("backward"));
    let config = json!({
        "name": name,
        "merge_mode": "concat",
        "layer": forward,
        "backward_layer": backward,
    });
    layer("Bidirectional", config, read)
}

fn layer(class: &str, config: Value, input: &Value) -> Value {
    json!({
        "module": "keras.layers",
        "class_name": class,
        "config": config,
        "registered_name": null,
        "build_config": { "input_shape": input },
    })
}

/// An HDF5 file with one group a layer.
fn weights(model: &Model<'_>) -> Result<Vec<u8>> {
    let mut file = FileBuilder::new();
    let mut layers = Vec::new();
    if model.reads_tokens() {
        let arrays = [array(model, (Layer::Embedding, Role::Embedding), false)?];
        let vars = variables(&mut file, "embedding", &arrays);
        layers.push(group(&mut file, "embedding", vec![vars]));
    }
    let directions = model.shape.directions();
    for (index, name) in names(&model.shape).iter().enumerate() {
        let mut sides = Vec::new();
        for direction in directions.iter().filter(|direction| direction.index == index) {
            let arrays = cell(model, direction)?;
            let vars = variables(&mut file, &format!("{}_cell", direction.cell.name()), &arrays);
            sides.push(group(&mut file, "cell", vec![vars]));
        }
        let inner = model.shape.layers[index].cell.name();
        let mut parts = match <[FinishedGroup; 2]>::try_from(sides) {
            Err(only) => only,
            Ok(sides) => {
                let named = ["forward", "backward"].into_iter().zip(sides);
                let side = |(way, cell): (&str, FinishedGroup)| {
                    let vars = variables(&mut file, &format!("{way}_{inner}"), &[]);
                    group(&mut file, &format!("{way}_layer"), vec![cell, vars])
                };
                named.map(side).collect()
            }
        };
        parts.push(variables(&mut file, name, &[]));
        layers.push(group(&mut file, name, parts));
    }
    let arrays = [
        array(model, (Layer::Dense, Role::Kernel), true)?,
        array(model, (Layer::Dense, Role::Bias), false)?,
    ];
    let vars = variables(&mut file, "dense", &arrays);
    layers.push(group(&mut file, "dense", vec![vars]));
    let layers = group(&mut file, "layers", layers);
    file.add_group(layers);
    let vars = variables(&mut file, "classifier", &[]);
    file.add_group(vars);
    file.finish().context("cannot write the weights as HDF5")
}

type Array = (Vec<u64>, Vec<f32>);

/// The arrays of one direction as its cell has them.
fn cell(model: &Model<'_>, direction: &Direction) -> Result<[Array; 3]> {
    let layer = direction.layer();
    let kernel = array(model, (layer, Role::Kernel), true)?;
    let recurrent = array(model, (layer, Role::Recurrent), true)?;
    let bias = array(model, (layer, Role::Bias), false)?;
    if direction.cell == Cell::Lstm {
        return Ok([kernel, recurrent, bias]);
    }
    let units = direction.units;
    let second = array(model, (layer, Role::RecurrentBias), false)?;
    let both = [gates_zrn(bias.1, units), gates_zrn(second.1, units)].concat();
    let turned = |(dims, values): Array| (dims, gates_zrn(values, units));
    Ok([turned(kernel), turned(recurrent), (vec![2, 3 * units as u64], both)])
}

/// Rows of three gates in the order `r z n` -> `z r n`.
fn gates_zrn(mut values: Vec<f32>, units: usize) -> Vec<f32> {
    for row in values.chunks_exact_mut(3 * units) {
        let (r, rest) = row.split_at_mut(units);
        r.swap_with_slice(&mut rest[..units]);
    }
    values
}

/// One parameter with its dimensions, or the transpose of a matrix.
fn array(model: &Model<'_>, (layer, role): (Layer, Role), transposed: bool) -> Result<Array> {
    let found = model.parameters().find(|(p, _)| (p.layer, p.role) == (layer, role));
    let (Param { dims, .. }, values) =
        found.with_context(|| format!("there is no {role:?} of a layer {layer:?}"))?;
    let mut wide: Vec<u64> = dims.iter().map(|dim| *dim as u64).collect();
    if !transposed {
        return Ok((wide, values.to_vec()));
    }
    wide.reverse();
    let (rows, columns) = (dims[0], dims[1]);
    let at = |index: usize| values[index % rows * columns + index / rows];
    Ok((wide, (0..values.len()).map(at).collect()))
}

fn group(file: &mut FileBuilder, name: &str, children: Vec<FinishedGroup>) -> FinishedGroup {
    let mut group = file.create_group(name);
    children.into_iter().for_each(|child| group.add_group(child));
    group.finish()
}

/// The group `vars` of the layer with this name: its arrays by number.
fn variables(file: &mut FileBuilder, layer: &str, arrays: &[Array]) -> FinishedGroup {
    let mut vars = file.create_group("vars");
    vars.set_attr("name", AttrValue::String(layer.to_owned()));
    for (index, (dims, values)) in arrays.iter().enumerate() {
        vars.create_dataset(&index.to_string()).with_f32_data(values).with_shape(dims);
    }
    vars.finish()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ARRAYS, TEXT};
    use super::*;
    use crate::spec::{Activation, Stack};

    fn written<T>(shape: Shape, what: impl FnOnce(&Model<'_>) -> T) -> T {
        let weights = crate::model::keras(&shape, 4);
        what(&Model { shape, masked: true, head: Activation::Sigmoid, weights: &weights })
    }

    #[test]
    fn every_parameter_has_the_place_and_the_shape_that_keras_gives_it() {
        let bytes = written(TEXT, |model| weights(model).unwrap());
        let file = hdf5_pure::File::from_bytes(bytes).unwrap();
        let expected: [(&str, &[u64]); 6] = [
            ("layers/embedding/vars/0", &[7, 3]),
            ("layers/lstm/cell/vars/0", &[3, 8]),
            ("layers/lstm/cell/vars/1", &[2, 8]),
            ("layers/lstm/cell/vars/2", &[8]),
            ("layers/dense/vars/0", &[2, 1]),
            ("layers/dense/vars/1", &[1]),
        ];
        for (path, dims) in expected {
            assert_eq!(file.dataset(path).unwrap().shape().unwrap(), dims, "{path}");
        }
        let kernel = file.dataset("layers/lstm/cell/vars/0").unwrap().read_f32().unwrap();
        let weight_ih = written(TEXT, |model| model.weights[1].clone());
        for (gate, feature) in [(0, 0), (5, 0), (7, 2), (3, 1)] {
            let (found, expected) = (kernel[feature * 8 + gate], weight_ih[gate * 3 + feature]);
            assert_eq!(found.to_bits(), expected.to_bits());
        }
    }

    #[test]
    fn arrays_need_no_embedding() {
        let bytes = written(ARRAYS, |model| weights(model).unwrap());
        let file = hdf5_pure::File::from_bytes(bytes).unwrap();
        assert!(file.dataset("layers/embedding/vars/0").is_err());
        let config = written(ARRAYS, config);
        let classes = |layer: &Value| layer["class_name"].as_str().unwrap().to_owned();
        let layers = config["config"]["layers"].as_array().unwrap();
        let layers: Vec<String> = layers.iter().map(classes).collect();
        assert_eq!(layers, ["InputLayer", "LSTM", "Dense"]);
        assert_eq!(config["build_config"]["input_shape"], json!([null, null, 3]));
    }

    #[test]
    fn several_layers_have_the_names_and_shapes_that_keras_gives_them() {
        let layers = [
            Recurrent::gru(2).both_ways(),
            Recurrent::lstm(3),
            Recurrent::lstm(4).both_ways(),
            Recurrent::lstm(2),
        ];
        let shape = Shape { layers: Stack::new(&layers).unwrap(), ..TEXT };
        let bytes = written(shape, |model| weights(model).unwrap());
        let file = hdf5_pure::File::from_bytes(bytes).unwrap();
        let expected: [(&str, &[u64]); 9] = [
            ("layers/bidirectional/forward_layer/cell/vars/0", &[3, 6]),
            ("layers/bidirectional/backward_layer/cell/vars/1", &[2, 6]),
            ("layers/bidirectional/backward_layer/cell/vars/2", &[2, 6]),
            ("layers/lstm/cell/vars/0", &[4, 12]),
            ("layers/bidirectional_1/forward_layer/cell/vars/0", &[3, 16]),
            ("layers/bidirectional_1/backward_layer/cell/vars/2", &[16]),
            ("layers/lstm_1/cell/vars/0", &[8, 8]),
            ("layers/lstm_1/cell/vars/2", &[8]),
            ("layers/dense/vars/0", &[2, 1]),
        ];
        for (path, dims) in expected {
            assert_eq!(file.dataset(path).unwrap().shape().unwrap(), dims, "{path}");
        }
        let config = written(shape, config);
        let layers = config["config"]["layers"].as_array().unwrap();
        assert_eq!(layers[2]["config"]["layer"]["config"]["return_sequences"], true);
        assert_eq!(layers[4]["build_config"]["input_shape"], json!([null, null, 3]));
        assert_eq!(layers[5]["config"]["return_sequences"], Value::Null);
        assert_eq!(layers[5]["config"]["name"], "lstm_1");
    }

    #[test]
    fn gates_of_a_gru_are_put_into_the_order_of_keras() {
        let rows = vec![0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 10.0, 10.5, 11.0, 11.5, 12.0, 12.5];
        let expected = [1.0, 1.5, 0.0, 0.5, 2.0, 2.5, 11.0, 11.5, 10.0, 10.5, 12.0, 12.5];
        assert_eq!(gates_zrn(rows, 2), expected);
    }
}
