//! Safetensors files with a checksum over their tensors and over what is said of them. Both stand in
//! one entry of the metadata: several would be written in the order of a hash map.

use super::seal::{Damaged, seal, short, unsealed};
use anyhow::Result;
use safetensors::tensor::{SafeTensors, TensorView};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// The checksum of the tensors, in the entry of the metadata.
const TENSORS: &str = "tensors";

/// The bytes of a file with these tensors, whose metadata have one entry: `about`, a JSON object.
pub fn seal_tensors(
    views: Vec<(String, TensorView<'_>)>,
    entry: &str,
    mut about: Value,
) -> Result<Vec<u8>> {
    about[TENSORS] =
        checksum(views.iter().map(|(name, view)| (name.as_str(), view.clone()))).into();
    let text = serde_json::to_string(&seal(&about)?)?;
    let metadata = [(entry.to_owned(), text)];
    Ok(safetensors::serialize(views, Some(metadata.into_iter().collect()))?)
}

/// The tensors of a file.
pub fn parse_tensors<'b>(path: &Path, bytes: &'b [u8]) -> Result<SafeTensors<'b>, Damaged> {
    SafeTensors::deserialize(bytes).map_err(|error| Damaged::new(path, error.to_string()))
}

/// The entry of a file's metadata, `None` if there is none. Where it has a checksum, that is checked;
/// that of the tensors, which takes as long as reading them, only where `all` says so.
pub fn sealed_entry(path: &Path, bytes: &[u8], entry: &str, all: bool) -> Result<Option<Value>> {
    let damaged = |why: String| Damaged::new(path, why);
    let metadata = SafeTensors::read_metadata(bytes).map_err(|error| damaged(error.to_string()))?.1;
    let Some(text) = metadata.metadata().as_ref().and_then(|entries| entries.get(entry)) else {
        return Ok(None);
    };
    let value = serde_json::from_str(text).map_err(|error| damaged(error.to_string()))?;
    let value = unsealed(value).ok_or_else(|| Damaged::checksum(path))?;
    let tensors = parse_tensors(path, bytes)?;
    match value.get(TENSORS).and_then(Value::as_str) {
        Some(said) if all && said != checksum(tensors.iter()) => {
            Err(Damaged::checksum(path).into())
        }
        _ => Ok(Some(value)),
    }
}

/// Over names, types, sizes and values, in the order of the names.
fn checksum<'t>(tensors: impl Iterator<Item = (&'t str, TensorView<'t>)>) -> String {
    let mut hasher = blake3::Hasher::new();
    for (name, view) in tensors.collect::<BTreeMap<_, _>>() {
        let about = json!([name, format!("{:?}", view.dtype()), view.shape()]);
        hasher.update(about.to_string().as_bytes());
        hasher.update(view.data());
    }
    short(hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::Dtype;

    #[test]
    fn a_flipped_bit_anywhere_is_seen_or_changes_nothing() {
        let (a, b) = ([1u8; 8], [2u8; 16]);
        let views = vec![
            ("a".to_owned(), TensorView::new(Dtype::F32, vec![2], &a).unwrap()),
            ("b".to_owned(), TensorView::new(Dtype::F32, vec![2, 2], &b).unwrap()),
        ];
        let about = json!({ "step": 17 });
        let written = seal_tensors(views, "about", about).unwrap();
        let path = Path::new("x.safetensors");
        let read = |bytes: &[u8]| -> Result<Option<(Value, Vec<u8>)>> {
            let Some(entry) = sealed_entry(path, bytes, "about", true)? else { return Ok(None) };
            let data = |name: &str| Ok(parse_tensors(path, bytes)?.tensor(name)?.data().to_vec());
            let values: Result<Vec<Vec<u8>>> = ["a", "b"].into_iter().map(data).collect();
            Ok(Some((entry["step"].clone(), values?.concat())))
        };
        let whole = read(&written).unwrap().unwrap();
        assert_eq!(whole, (17.into(), [&a[..], &b[..]].concat()));
        for at in 0..written.len() {
            for bit in 0..8 {
                let mut bytes = written.clone();
                bytes[at] ^= 1 << bit;
                match read(&bytes) {
                    // The name of the entry is gone.
                    Ok(None) => assert!(at < 100),
                    Ok(Some(found)) => assert_eq!(found, whole, "byte {at}, bit {bit}"),
                    Err(error) => assert!(error.to_string().contains("x.safetensors is damaged")),
                }
            }
        }
    }
}
