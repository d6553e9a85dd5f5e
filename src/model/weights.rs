//! Weights in safetensors files: under this program's names, and under those of `torch.nn` modules.
//!
//! ```text
//! ours               torch
//! embedding.weight   embedding.weight
//! lstm.weight_ih     lstm.weight_ih_l0
//! lstm.weight_hh     lstm.weight_hh_l0
//! lstm.bias          lstm.bias_ih_l0 + lstm.bias_hh_l0
//! dense.weight       dense.weight
//! dense.bias         dense.bias
//! ```
//!
//! Other recurrent layers are in [`super::torch_names`]. Layouts and the order of the gates are the same.
//! torch's LSTM adds two bias vectors: written, the second is 0; read, they are summed. A torch module's
//! attributes may have any names: recurrent layers are known by `*.weight_ih_l0`, the dense layer by the one
//! bias that is left, and the embedding by the one weight that is left then. A file must hold the model's
//! weights and nothing else.

use super::torch_names::Modules;
use crate::error::UserError;
use crate::files;
use crate::kernels::Arrays;
use crate::spec::{Cell, Input, Layer, Param, Role, Shape};
use anyhow::{Context, Result};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::json;
use std::borrow::Cow;
use std::fs;
use std::io::Write;
use std::path::Path;

/// How the tensors of a weights file are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// As [`Shape::parameters`] calls them.
    Own,
    /// As a `torch.nn.Module` with the attributes `embedding`, `lstm` and `dense` calls them.
    Torch,
}

/// The entry of the metadata that holds the checksum of a file that [`write_sealed_weights`] wrote.
const SEAL: &str = "batchscope";

/// Writes arrays of a model's parameters for this program alone, with a checksum in the file.
pub fn write_sealed_weights(path: &Path, shape: &Shape, weights: &Arrays) -> Result<()> {
    let named = shape.parameters().into_iter().zip(weights);
    let views: Result<Vec<_>> = named
        .map(|(parameter, values)| {
            let view = TensorView::new(Dtype::F32, parameter.dims, bytemuck::cast_slice(values))?;
            Ok((parameter.path, view))
        })
        .collect();
    let bytes = files::seal_tensors(views?, SEAL, json!({}))?;
    files::write_atomic(path, |file| Ok(file.write_all(&bytes)?))
}

/// Reads what [`write_sealed_weights`] wrote, or what an earlier version wrote without a checksum.
///
/// # Errors
/// [`Damaged`](crate::files::Damaged) where they do not fit their checksum or the model.
pub fn read_sealed_weights(path: &Path, shape: &Shape) -> Result<Arrays> {
    let bytes = files::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    files::sealed_entry(path, &bytes, SEAL, true)?;
    parse_weights(path, &bytes, shape)
}

/// Writes the weights of a model; the file is replaced as a whole.
pub fn write_weights(path: &Path, shape: &Shape, weights: &Arrays, names: Names) -> Result<()> {
    let widest = shape.layers.iter().map(|layer| layer.units).max().unwrap_or_default();
    let (no_bias, modules) = (vec![0f32; 4 * widest], Modules::of(shape));
    let mut tensors: Vec<(String, Vec<usize>, &[f32])> = Vec::new();
    for (parameter, values) in shape.parameters().into_iter().zip(weights) {
        let named = |role| match names {
            Names::Own => None,
            Names::Torch => modules.name(&parameter, role),
        };
        if let (Some(second), true) = (named(Role::RecurrentBias), is_lstm_bias(shape, &parameter))
        {
            tensors.push((second, parameter.dims.clone(), &no_bias[..values.len()]));
        }
        let name = named(parameter.role).unwrap_or_else(|| parameter.path.clone());
        tensors.push((name, parameter.dims, values));
    }
    let views = tensors.into_iter().map(|(name, dims, values)| {
        Ok((name, TensorView::new(Dtype::F32, dims, bytemuck::cast_slice(values))?))
    });
    let bytes = safetensors::serialize(views.collect::<Result<Vec<_>>>()?, None)?;
    files::write_atomic(path, |file| Ok(file.write_all(&bytes)?))
}

/// Reads the weights of a model of this shape, whichever [`Names`] they have.
pub fn read_weights(path: &Path, shape: &Shape) -> Result<Arrays> {
    let place = || format!("cannot read the weights {}", path.display());
    parse_weights(path, &fs::read(path).with_context(place)?, shape)
}

/// As [`read_weights`], of a file that holds these bytes.
pub fn parse_weights(path: &Path, bytes: &[u8], shape: &Shape) -> Result<Arrays> {
    let file = path.display().to_string();
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| {
        UserError::new(
            format!("{file} is not a safetensors file: {error}"),
            "from torch, write one with `safetensors.torch.save_file(model.state_dict(), path)`",
        )
    })?;
    let own = ["lstm.weight_ih", "gru.weight_ih"];
    let own = tensors.names().iter().any(|name| own.contains(name));
    let file = WeightsFile { file, tensors };
    if own { file.own(shape) } else { file.torch(shape) }
}

/// A weights file and how errors call it.
struct WeightsFile<'b> {
    file: String,
    tensors: SafeTensors<'b>,
}

impl WeightsFile<'_> {
    fn own(&self, shape: &Shape) -> Result<Arrays> {
        let parameters = shape.parameters();
        let known: Vec<&str> = parameters.iter().map(|p| p.path.as_str()).collect();
        let arrays = parameters.iter().map(|p| self.values(&p.path, &p.path, &p.dims));
        let arrays = arrays.collect::<Result<_>>()?;
        self.refuse_others(&known)?;
        Ok(arrays)
    }

    fn torch(&self, shape: &Shape) -> Result<Arrays> {
        let parameters = shape.parameters();
        let modules = self.modules(shape)?;
        let torch_name = |p: &Param, role| modules.name(p, role);
        let names = parameters.iter().flat_map(|p| {
            let second = is_lstm_bias(shape, p).then_some(Role::RecurrentBias);
            [Some(p.role), second].into_iter().flatten().filter_map(|role| torch_name(p, role))
        });
        let recurrent: Vec<String> = names.collect();
        let others = self.names(|name| !recurrent.iter().any(|other| other == name));
        let dense = the_one(&others, ".bias", |_| true);
        let dense = dense.ok_or_else(|| self.unclear("dense layer", "*.bias", &others))?;
        let dense = [format!("{dense}.weight"), format!("{dense}.bias")];
        let mut known: Vec<&str> = recurrent.iter().chain(&dense).map(String::as_str).collect();
        let mut embedding = String::new();
        if matches!(shape.input, Input::Tokens { .. }) {
            let found = the_one(&others, ".weight", |name| name != dense[0]);
            let found = found.ok_or_else(|| self.unclear("embedding", "*.weight", &others))?;
            embedding = format!("{found}.weight");
            known.push(&embedding);
        }
        let mut arrays = Arrays::new();
        for parameter in &parameters {
            let values = |name: &str| self.values(name, &parameter.path, &parameter.dims);
            let of_module = |role| values(&torch_name(parameter, role).unwrap_or_default());
            arrays.push(match (parameter.layer, parameter.role) {
                (Layer::Embedding, _) => values(&embedding)?,
                (Layer::Dense, Role::Bias) => values(&dense[1])?,
                (Layer::Dense, _) => values(&dense[0])?,
                (Layer::Recurrent { .. }, Role::Bias) if is_lstm_bias(shape, parameter) => {
                    let recurrent = of_module(Role::RecurrentBias)?;
                    of_module(Role::Bias)?.iter().zip(recurrent).map(|(ih, hh)| ih + hh).collect()
                }
                (Layer::Recurrent { .. }, role) => of_module(role)?,
            });
        }
        self.refuse_others(&known)?;
        Ok(arrays)
    }

    /// The modules of the recurrent layers, known by what stands before `weight_ih_l0`, such as `lstm.`.
    fn modules(&self, shape: &Shape) -> Result<Modules, UserError> {
        let found = self.names(|name| name.ends_with("weight_ih_l0"));
        let prefixes: Vec<String> =
            found.iter().map(|name| name.trim_end_matches("weight_ih_l0").to_owned()).collect();
        Modules::found(shape, &prefixes).ok_or_else(|| {
            let what = match shape.lstm() {
                Some(_) => "one LSTM".to_owned(),
                None => shape.layers.title(),
            };
            let first = &shape.directions()[0];
            let message = format!(
                "{}: weights of {what} were expected, `{}.weight_ih` or `*.weight_ih_l0`; {} match",
                self.file,
                first.cell.name(),
                found.len()
            );
            UserError::new(message, self.holds())
        })
    }

    /// The values of a tensor that must have these dimensions.
    fn values(&self, name: &str, parameter: &str, dims: &[usize]) -> Result<Vec<f32>> {
        let Ok(tensor) = self.tensors.tensor(name) else {
            let message = format!("{}: the tensor `{name}` is missing", self.file);
            return Err(UserError::new(message, self.holds()).into());
        };
        if tensor.shape() != dims {
            return Err(UserError::new(
                format!(
                    "{}: `{name}` has the shape {:?}, and `{parameter}` of this model has {dims:?}",
                    self.file,
                    tensor.shape()
                ),
                shape_hint(parameter),
            )
            .into());
        }
        let values: Vec<f32> = match tensor.dtype() {
            Dtype::F32 => bytemuck::allocation::pod_collect_to_vec(tensor.data()),
            Dtype::F64 => {
                let wide: Vec<f64> = bytemuck::allocation::pod_collect_to_vec(tensor.data());
                wide.into_iter().map(|value| value as f32).collect()
            }
            other => {
                return Err(UserError::new(
                    format!("{}: `{name}` holds {other:?}, not F32 or F64", self.file),
                    "save the model as float32: `model.float().state_dict()`",
                )
                .into());
            }
        };
        match values.iter().find(|value| !value.is_finite()) {
            None => Ok(values),
            Some(value) => Err(UserError::new(
                format!("{}: `{name}` holds {value}", self.file),
                "weights must be finite numbers",
            )
            .into()),
        }
    }

    fn names(&self, holds: impl Fn(&str) -> bool) -> Vec<&str> {
        let mut names = self.tensors.names();
        names.retain(|name| holds(name));
        names.sort_unstable();
        names
    }

    fn unclear(&self, layer: &str, pattern: &str, others: &[&str]) -> UserError {
        let message = format!(
            "{}: beside the tensors of recurrent layers, exactly one `{pattern}` is expected for the {layer}; \
             there are {}",
            self.file,
            listed(others)
        );
        UserError::new(message, self.holds())
    }

    /// Tensors that this model does not have: another model's file would be read in part otherwise.
    fn refuse_others(&self, known: &[&str]) -> Result<(), UserError> {
        let others = self.names(|name| !known.contains(&name));
        match others.is_empty() {
            true => Ok(()),
            false => Err(UserError::new(
                format!("{}: this model has no place for {}", self.file, listed(&others)),
                "the model has the recurrent layers of `model` and one dense layer, with an embedding \
                 for text only",
            )),
        }
    }

    fn holds(&self) -> String {
        format!("the file holds {}", listed(&self.names(|_| true)))
    }
}

/// Whether a parameter is an LSTM's bias, for which torch has two.
fn is_lstm_bias(shape: &Shape, parameter: &Param) -> bool {
    match (parameter.layer, parameter.role) {
        (Layer::Recurrent { index, .. }, Role::Bias) => shape.layers[index].cell == Cell::Lstm,
        _ => false,
    }
}

/// The only name that ends so and fulfils the condition, without its ending.
fn the_one<'n>(names: &[&'n str], ending: &str, holds: impl Fn(&str) -> bool) -> Option<&'n str> {
    let mut found = names.iter().filter(|name| holds(name)).filter_map(|n| n.strip_suffix(ending));
    found.next().filter(|_| found.next().is_none())
}

fn listed(names: &[&str]) -> Cow<'static, str> {
    match names.is_empty() {
        true => "none".into(),
        false => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ").into(),
    }
}

fn shape_hint(parameter: &str) -> &'static str {
    match parameter {
        "embedding.weight" => {
            "its sizes are the vocabulary (`data.text.max_tokens`, padding and unknown words included) \
             and `model.embedding.dim`"
        }
        "lstm.weight_ih" => {
            "its sizes are 4 * `model.lstm.units` and `model.embedding.dim`, or the features of arrays"
        }
        _ => "the sizes follow from `units` in `model.lstm` or `model.layers`",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Recurrent, Stack};
    use std::path::PathBuf;

    const TEXT: Shape = Shape {
        input: Input::Tokens { vocabulary: 7, dim: 3 },
        layers: Stack::lstm(2),
        outputs: 1,
    };
    const ARRAYS: Shape = Shape { input: Input::Features(3), layers: Stack::lstm(2), outputs: 1 };

    type Tensor = (&'static str, Dtype, Vec<usize>, Vec<u8>);

    fn tensor(name: &'static str, dims: &[usize], value: f32) -> Tensor {
        let values = vec![value; dims.iter().product()];
        (name, Dtype::F32, dims.to_vec(), bytemuck::cast_slice(&values).to_vec())
    }

    /// A torch module with attribute names of its own.
    fn torch() -> Vec<Tensor> {
        vec![
            tensor("emb.weight", &[7, 3], 0.1),
            tensor("rnn.weight_ih_l0", &[8, 3], 0.2),
            tensor("rnn.weight_hh_l0", &[8, 2], 0.3),
            tensor("rnn.bias_ih_l0", &[8], 0.5),
            tensor("rnn.bias_hh_l0", &[8], 0.25),
            tensor("fc.weight", &[1, 2], 0.6),
            tensor("fc.bias", &[1], 0.7),
        ]
    }

    fn saved(folder: &tempfile::TempDir, tensors: &[Tensor]) -> PathBuf {
        let path = folder.path().join("w.safetensors");
        let views = tensors.iter().map(|(name, kind, dims, data)| {
            (*name, TensorView::new(*kind, dims.clone(), data).unwrap())
        });
        fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
        path
    }

    /// Message and hint for a file with these tensors.
    fn refused(shape: &Shape, tensors: &[Tensor]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = saved(&folder, tensors);
        let error = read_weights(&path, shape).unwrap_err();
        let user = error.downcast_ref::<UserError>().unwrap();
        let text = format!("{user} | {}", user.hint.clone().unwrap());
        text.replace(&folder.path().display().to_string(), "")
    }

    #[test]
    fn weights_come_back_to_the_bit_under_either_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        for shape in [TEXT, ARRAYS] {
            let weights = crate::model::keras(&shape, 3);
            for names in [Names::Own, Names::Torch] {
                write_weights(&path, &shape, &weights, names).unwrap();
                assert_eq!(read_weights(&path, &shape).unwrap(), weights, "{names:?}");
            }
        }
    }

    fn deep(layers: &[Recurrent]) -> Shape {
        Shape { layers: Stack::new(layers).unwrap(), ..TEXT }
    }

    #[test]
    fn weights_of_several_layers_come_back_to_the_bit_under_either_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        let (lstm, gru) = (Recurrent::lstm(2), Recurrent::gru(3));
        for layers in [
            vec![lstm, lstm],
            vec![gru],
            vec![gru.both_ways(), gru.both_ways()],
            vec![lstm.both_ways(), gru, lstm],
        ] {
            let shape = deep(&layers);
            let weights = crate::model::torch(&shape, 3);
            for names in [Names::Own, Names::Torch] {
                write_weights(&path, &shape, &weights, names).unwrap();
                assert_eq!(read_weights(&path, &shape).unwrap(), weights, "{layers:?} {names:?}");
            }
        }
    }

    #[test]
    fn several_layers_have_the_names_of_torch() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        let names = |layers: &[Recurrent]| -> Vec<String> {
            let shape = deep(layers);
            let weights = crate::model::keras(&shape, 3);
            write_weights(&path, &shape, &weights, Names::Torch).unwrap();
            let bytes = fs::read(&path).unwrap();
            let file = SafeTensors::deserialize(&bytes).unwrap();
            let mut names: Vec<String> = file.names().into_iter().map(String::from).collect();
            names.retain(|name| !name.starts_with("dense") && !name.starts_with("embedding"));
            names.sort();
            names
        };
        let of_module = |prefix: &str, ends: &[&str]| -> Vec<String> {
            let kinds = ["bias_hh", "bias_ih", "weight_hh", "weight_ih"];
            let each = kinds.iter().flat_map(|kind| ends.iter().map(move |end| (kind, end)));
            each.map(|(kind, end)| format!("{prefix}.{kind}_{end}")).collect()
        };
        let (lstm, gru) = (Recurrent::lstm(2), Recurrent::gru(3));
        let same = names(&[gru.both_ways(), gru.both_ways()]);
        assert_eq!(same, of_module("gru", &["l0", "l0_reverse", "l1", "l1_reverse"]));
        let mixed = names(&[lstm.both_ways(), gru]);
        let expected = [of_module("rnn.0", &["l0", "l0_reverse"]), of_module("rnn.1", &["l0"])];
        assert_eq!(mixed, expected.concat());
    }

    #[test]
    fn modules_of_one_layer_each_are_told_by_their_numbers_and_by_nothing_else() {
        let shape = deep(&[Recurrent::lstm(2), Recurrent::lstm(2)]);
        let found = |names: [&str; 2]| Modules::found(&shape, &names.map(String::from));
        let expected = Modules::Each(vec!["lstm1.".into(), "lstm2.".into()]);
        assert_eq!(found(["lstm2.", "lstm1."]), Some(expected));
        assert_eq!(found(["encoder.", "decoder."]), None);
        assert_eq!(found(["lstm1.", "rnn2."]), None);
        assert_eq!(found(["lstm1.", "lstm01."]), None);
    }

    #[test]
    fn a_torch_module_may_call_its_layers_anything_and_its_biases_are_summed() {
        let folder = tempfile::tempdir().unwrap();
        let weights = read_weights(&saved(&folder, &torch()), &TEXT).unwrap();
        assert_eq!(weights.len(), 6);
        let firsts: Vec<f32> = weights.iter().map(|array| array[0]).collect();
        assert_eq!(firsts, [0.1, 0.2, 0.3, 0.75, 0.6, 0.7]);
        assert_eq!(weights[0].len(), 21);
    }

    #[test]
    fn wide_numbers_are_rounded_and_narrow_ones_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut tensors = torch();
        tensors[6] = ("fc.bias", Dtype::F64, vec![1], 0.1f64.to_le_bytes().to_vec());
        assert_eq!(read_weights(&saved(&folder, &tensors), &TEXT).unwrap()[5], [0.1f32]);
        tensors[6] = ("fc.bias", Dtype::F16, vec![1], vec![0, 0]);
        assert!(refused(&TEXT, &tensors).contains("`fc.bias` holds F16, not F32 or F64"));
        tensors[6] = tensor("fc.bias", &[1], f32::NAN);
        assert!(refused(&TEXT, &tensors).contains("`fc.bias` holds NaN"));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let mut tensors = torch();
        tensors.remove(2);
        let message = refused(&TEXT, &tensors);
        assert!(message.contains("the tensor `rnn.weight_hh_l0` is missing | the file holds `emb"));

        let other = Shape { layers: Stack::lstm(3), ..TEXT };
        assert_eq!(
            refused(&other, &torch()),
            "/w.safetensors: `rnn.weight_ih_l0` has the shape [8, 3], and `lstm.weight_ih` of this \
             model has [12, 3] | its sizes are 4 * `model.lstm.units` and `model.embedding.dim`, or \
             the features of arrays"
        );
        let smaller = Shape { input: Input::Tokens { vocabulary: 6, dim: 3 }, ..TEXT };
        assert!(
            refused(&smaller, &torch()).contains("[7, 3], and `embedding.weight` of this model")
        );

        let mut deeper = torch();
        deeper.push(tensor("rnn.weight_hh_l1", &[8, 2], 0.0));
        assert!(refused(&TEXT, &deeper).contains("no place for `rnn.weight_hh_l1`"));
        assert!(refused(&ARRAYS, &torch()).contains("no place for `emb.weight`"));
        assert!(refused(&TEXT, &torch()[..1]).contains("weights of one LSTM were expected"));

        let mut two = torch();
        two.push(tensor("head.bias", &[1], 0.0));
        assert!(refused(&TEXT, &two).contains("exactly one `*.bias` is expected for the dense"));
    }

    #[test]
    fn a_file_of_another_kind_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.pt");
        fs::write(&path, "PK pickled").unwrap();
        let error = read_weights(&path, &TEXT).unwrap_err();
        assert!(error.to_string().contains("is not a safetensors file"), "{error:#}");
        let error = read_weights(&folder.path().join("none"), &TEXT).unwrap_err();
        assert!(error.to_string().contains("cannot read the weights"), "{error:#}");
    }

    #[test]
    fn damage_of_sealed_weights_is_seen_and_files_without_a_checksum_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        let weights = crate::model::keras(&ARRAYS, 3);
        write_weights(&path, &ARRAYS, &weights, Names::Own).unwrap();
        assert_eq!(read_sealed_weights(&path, &ARRAYS).unwrap(), weights);
        write_sealed_weights(&path, &ARRAYS, &weights).unwrap();
        assert_eq!(read_sealed_weights(&path, &ARRAYS).unwrap(), weights);
        let written = fs::read(&path).unwrap();
        for at in 0..written.len() {
            let mut bytes = written.clone();
            bytes[at] ^= 1 << (at % 7);
            fs::write(&path, &bytes).unwrap();
            match read_sealed_weights(&path, &ARRAYS) {
                Ok(found) => assert_eq!(found, weights, "byte {at}"),
                Err(error) => assert!(format!("{error:#}").contains("w.safetensors"), "{error:#}"),
            }
        }
    }
}
