//! The workers that a scheduler is asked for, and for which study: what `script` and `submit` have in common.

use super::work::SharedStudyArgs;
use crate::config::{
    ClusterSection, MOST_WORKERS, Study, scheduler_option, scheduler_time, scheduler_word,
};
use anyhow::Result;
use clap::Args;
use std::path::{Path, PathBuf};

/// What every scheduler takes.
#[derive(Debug, Args)]
pub(super) struct Workers {
    #[command(flatten)]
    shared: SharedStudyArgs,
    /// Workers at a time [default: `cluster.workers`, or 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(MOST_WORKERS)))]
    workers: Option<u16>,
    /// GPUs of each worker; each trains one run at a time [default: `cluster.gpus`, or 0]
    #[arg(long, value_name = "N")]
    gpus: Option<u8>,
    /// Cores of each worker; without GPUs each trains one run at a time [default: `cluster.cpus`, or 2]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    cpus: Option<u16>,
    /// Memory of each worker, as the scheduler writes it, such as 8G (Kubernetes: 8Gi)
    #[arg(long, value_name = "SIZE", value_parser = scheduler_word)]
    memory: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct SlurmJobs {
    #[command(flatten)]
    workers: Workers,
    /// How long a worker may run, such as 2:00:00; others take its place
    #[arg(long, value_name = "TIME", value_parser = scheduler_time)]
    time: Option<String>,
    /// Where to run
    #[arg(long, value_name = "NAME", value_parser = scheduler_word)]
    partition: Option<String>,
    /// Further options of `sbatch`, such as `--account=abc`; they come after `cluster.options`
    #[arg(last = true, value_parser = scheduler_option)]
    options: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct KubernetesJobs {
    #[command(flatten)]
    workers: Workers,
    /// The image [default: batchscope, or batchscope:cpu without GPUs]
    #[arg(long, value_name = "IMAGE", value_parser = scheduler_word)]
    image: Option<String>,
    /// The claim of the volume that all workers write to (ReadWriteMany) [default: runs]
    #[arg(long, value_name = "NAME", value_parser = scheduler_word)]
    claim: Option<String>,
    /// The claim of the volume with the experiment file and its data [default: project]
    #[arg(long, value_name = "NAME", value_parser = scheduler_word)]
    project: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct ComposeJobs {
    #[command(flatten)]
    workers: Workers,
    /// The image [default: batchscope, or batchscope:cpu without GPUs]
    #[arg(long, value_name = "IMAGE", value_parser = scheduler_word)]
    image: Option<String>,
}

/// What a scheduler is asked for, and for which study.
pub(super) struct Planned {
    pub(super) name: String,
    pub(super) folder: PathBuf,
    /// What each worker is called with before the folder of its study, and after it.
    words: [Vec<String>; 2],
    pub(super) workers: u16,
    pub(super) gpus: u8,
    pub(super) cpus: u16,
    pub(super) memory: Option<String>,
    pub(super) time: Option<String>,
    pub(super) partition: Option<String>,
    pub(super) image: String,
    pub(super) claim: String,
    pub(super) project: String,
    pub(super) options: Vec<String>,
}

/// The jobs of one scheduler. The study is read here, so that an error is shown once and not by each worker;
/// what its file asks for stands where no option does.
pub(super) trait Jobs {
    fn workers(&self) -> &Workers;

    /// Puts the options of this scheduler in place of what the file asks for.
    fn ask(&self, file: &mut ClusterSection);

    fn read(&self) -> Result<(Planned, Study)> {
        let (study, folder) = self.workers().shared.read()?;
        let file = study.experiment.cluster.clone().unwrap_or_default();
        Ok((self.planned(study.name.clone(), folder, file), study))
    }

    fn planned(&self, name: String, folder: PathBuf, mut file: ClusterSection) -> Planned {
        self.ask(&mut file);
        let Workers { shared, workers, gpus, cpus, memory } = self.workers();
        let gpus = gpus.or(file.gpus).unwrap_or(0);
        let usual = if gpus > 0 { "batchscope" } else { "batchscope:cpu" };
        Planned {
            name,
            folder,
            words: words(shared),
            workers: workers.or(file.workers).unwrap_or(4),
            gpus,
            cpus: cpus.or(file.cpus).unwrap_or(2),
            memory: memory.clone().or(file.memory),
            time: file.time,
            partition: file.partition,
            image: file.image.unwrap_or_else(|| usual.into()),
            claim: file.claim.unwrap_or_else(|| "runs".into()),
            project: file.project.unwrap_or_else(|| "project".into()),
            options: file.options,
        }
    }
}

fn put(own: &Option<String>, file: &mut Option<String>) {
    if own.is_some() {
        file.clone_from(own);
    }
}

impl Jobs for SlurmJobs {
    fn workers(&self) -> &Workers {
        &self.workers
    }

    fn ask(&self, file: &mut ClusterSection) {
        put(&self.time, &mut file.time);
        put(&self.partition, &mut file.partition);
        file.options.extend(self.options.iter().cloned());
    }
}

impl Jobs for KubernetesJobs {
    fn workers(&self) -> &Workers {
        &self.workers
    }

    fn ask(&self, file: &mut ClusterSection) {
        put(&self.image, &mut file.image);
        put(&self.claim, &mut file.claim);
        put(&self.project, &mut file.project);
    }
}

impl Jobs for ComposeJobs {
    fn workers(&self) -> &Workers {
        &self.workers
    }

    fn ask(&self, file: &mut ClusterSection) {
        put(&self.image, &mut file.image);
    }
}

/// What a worker is called with before and after the folder of its study.
fn words(shared: &SharedStudyArgs) -> [Vec<String>; 2] {
    let SharedStudyArgs { study, set, mixed, .. } = shared;
    let (before, mut after) = match study.is_dir() {
        true => (vec!["work".to_owned()], Vec::new()),
        false => {
            let before = vec!["work".to_owned(), study.display().to_string(), "--out".into()];
            let sets = set.iter().flat_map(|set| ["--set".to_owned(), set.clone()]);
            (before, sets.collect::<Vec<_>>())
        }
    };
    after.extend(mixed.then(|| "--mixed".into()));
    [before, after]
}

impl Planned {
    /// What a worker is called with, its study's folder being this one.
    pub(super) fn words(&self, folder: &Path) -> Vec<String> {
        let [before, after] = &self.words;
        let folder = [folder.display().to_string()];
        [&before[..], &folder[..], &after[..]].concat()
    }
}
