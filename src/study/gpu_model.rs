//! Studies whose bits depend on the model of the GPU stay on one model, unless they are told otherwise.
//!
//! libtorch on CUDA chooses its kernels by the GPU, so another model gives other last digits, and two arms
//! that were trained on different ones differ in more than their batch size. The engine `fused` gives the
//! same bits on all.

use super::environment::session_values;
use super::folder::{all_run_folders, held_runs};
use super::plan::Plan;
use super::record::RunFolder;
use crate::error::UserError;
use crate::kernels::EngineKind;
use anyhow::Result;
use serde_json::json;
use std::collections::BTreeSet;
use std::path::Path;

impl Plan {
    /// The models of the GPUs on which it trains, where its bits depend on them; else none.
    pub(super) fn gpu_models(&self) -> BTreeSet<String> {
        if self.engine != EngineKind::Libtorch {
            return BTreeSet::new();
        }
        let found = self.devices.iter().filter_map(|device| self.gpu(*device));
        found.map(|gpu| gpu.name.clone()).collect()
    }
}

/// Refuses to go on with a study on GPUs of another model than its records name, and on GPUs of several
/// models.
///
/// # Errors
/// A [`UserError`] with both models.
pub fn refuse_other_gpus(plan: &Plan, study: &Path) -> Result<()> {
    let here = plan.gpu_models();
    if here.is_empty() {
        return Ok(());
    }
    refusal(&here, &recorded_models(study)?, study).map_or(Ok(()), |error| Err(error.into()))
}

/// Why GPUs of these models are refused, if they are; nothing is known of a study that names none.
pub(super) fn refusal(
    here: &BTreeSet<String>,
    recorded: &BTreeSet<String>,
    study: &Path,
) -> Option<UserError> {
    let message = match here.len() {
        0 => return None,
        1 if recorded.is_empty() || here.is_subset(recorded) => return None,
        1 => format!(
            "the GPU here is {}, and runs of the study in {} were trained on {}: with libtorch another model \
             gives other bits",
            named(here),
            study.display(),
            named(recorded)
        ),
        _ => format!(
            "the GPUs here are of different models ({}): with libtorch each gives other bits",
            named(here)
        ),
    };
    Some(UserError::new(
        message,
        "use GPUs of one model (Slurm: `--constraint` after `--` of `batchscope script slurm`; on one machine \
         CUDA_VISIBLE_DEVICES), or mix them with `--mixed`, and the report says so; the engine `fused` gives \
         the same bits on all GPUs",
    ))
}

fn named(models: &BTreeSet<String>) -> String {
    Vec::from_iter(models.iter().map(String::as_str)).join(", ")
}

/// The models on which the runs of a study were trained; before there are any, the model that its last
/// session says.
fn recorded_models(study: &Path) -> Result<BTreeSet<String>> {
    let mut folders = all_run_folders(study)?;
    folders.extend(held_runs(study)?);
    let of_runs: BTreeSet<String> =
        folders.iter().flat_map(|run| RunFolder::new(run).gpus()).collect();
    if !of_runs.is_empty() {
        return Ok(of_runs);
    }
    let sessions = session_values(study)?;
    let on_gpu = |session: &&serde_json::Value| {
        session["device"] == "cuda" && session["engine"] == json!(EngineKind::Libtorch)
    };
    let last = sessions.iter().rfind(on_gpu);
    let gpus = last.and_then(|session| session["cuda"].as_array()).into_iter().flatten();
    let names: BTreeSet<String> =
        gpus.filter_map(|gpu| gpu["name"].as_str().map(String::from)).collect();
    // Of several it is not known which one was used.
    Ok(if names.len() == 1 { names } else { BTreeSet::new() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files;
    use crate::kernels::{CudaDevice, Device, InstructionSet, Place};
    use crate::study::plan::tests::plan_on;
    use std::fs;

    fn refused(plan: &Plan, study: &Path) -> Option<UserError> {
        refuse_other_gpus(plan, study).err().map(UserError::of)
    }

    const GPU: [Device; 1] = [Device::Cuda(0)];

    #[test]
    fn another_gpu_model_than_that_of_the_runs_is_refused_with_both() {
        let folder = tempfile::tempdir().unwrap();
        let study = folder.path();
        let other = plan_on(EngineKind::Libtorch, &GPU, &["NVIDIA L4"]);
        assert_eq!(refused(&other, study), None, "nothing is recorded");
        for run in ["a/seed-0", "tuning/a/lr-0.1/seed-9", ".work/runs/a@seed-1.0001"] {
            let path = study.join(run);
            fs::create_dir_all(&path).unwrap();
            let gpus = [CudaDevice {
                index: 0,
                name: "NVIDIA H100".into(),
                memory: 1,
                architecture: None,
            }];
            let place = Place {
                device: Device::Cuda(0),
                threads: 1,
                instructions: InstructionSet::Portable,
            };
            RunFolder::new(&path).write_ran_on(place, &gpus).unwrap();
            let error = refused(&other, study).unwrap();
            let both = error.message.contains("NVIDIA L4") && error.message.contains("NVIDIA H100");
            assert!(both, "{run}: {error}");
            let hint = error.hint.unwrap();
            assert!(hint.contains("--mixed") && hint.contains("--constraint"), "{hint}");
            let same = plan_on(EngineKind::Libtorch, &GPU, &["NVIDIA H100"]);
            assert_eq!(refused(&same, study), None);
            let fused = plan_on(EngineKind::Fused, &GPU, &["NVIDIA L4"]);
            assert_eq!(refused(&fused, study), None, "the same bits everywhere");
            let processor = plan_on(EngineKind::Libtorch, &[Device::Cpu], &["NVIDIA L4"]);
            assert_eq!(refused(&processor, study), None);
            fs::remove_dir_all(study.join(run.split('/').next().unwrap())).unwrap();
        }
    }

    #[test]
    fn before_there_are_runs_the_last_session_says_the_model() {
        let folder = tempfile::tempdir().unwrap();
        let session = |device: &str, gpus: &[&str]| {
            let cuda: Vec<_> = gpus.iter().map(|name| json!({ "name": name })).collect();
            json!({ "started": 1.0, "engine": "libtorch", "device": device, "cuda": cuda })
        };
        let other = plan_on(EngineKind::Libtorch, &GPU, &["NVIDIA L4"]);
        for (device, gpus, is_refused) in [
            ("cuda", &["NVIDIA H100"][..], true),
            ("cpu", &["NVIDIA H100"], false),
            ("cuda", &["NVIDIA H100", "NVIDIA A100"], false),
            ("cuda", &["NVIDIA L4"], false),
        ] {
            let sealed = files::seal(&session(device, gpus)).unwrap();
            files::write_json(&folder.path().join("environment.json"), &[sealed]).unwrap();
            assert_eq!(refused(&other, folder.path()).is_some(), is_refused, "{device} {gpus:?}");
        }
    }

    #[test]
    fn one_machine_with_several_models_is_refused_and_one_of_its_gpus_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let gpus = ["NVIDIA L4", "NVIDIA T4"];
        let both = plan_on(EngineKind::Libtorch, &[Device::Cuda(0), Device::Cuda(1)], &gpus);
        let error = refused(&both, folder.path()).unwrap();
        assert!(error.message.contains("NVIDIA L4, NVIDIA T4"), "{error}");
        let one = plan_on(EngineKind::Libtorch, &[Device::Cuda(1)], &gpus);
        assert_eq!(one.gpu_models(), BTreeSet::from(["NVIDIA T4".to_owned()]));
        assert_eq!(refused(&one, folder.path()), None);
    }
}
