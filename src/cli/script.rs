//! `batchscope script slurm|kubernetes|compose STUDY`: what a scheduler is given, to be read and kept; and
//! `batchscope submit`, which gives it to Slurm.

use super::diagnostics::Output;
use super::format;
use super::work::SharedStudyArgs;
use crate::config::{ClusterSection, MOST_WORKERS, scheduler_option, scheduler_word};
use crate::error::UserError;
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

/// Who starts workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scheduler {
    Slurm,
    Kubernetes,
    Compose,
}

#[derive(Debug, Args)]
pub(super) struct ScriptArgs {
    /// Who starts the workers
    scheduler: Scheduler,
    #[command(flatten)]
    jobs: Jobs,
}

#[derive(Debug, Args)]
pub(super) struct SubmitArgs {
    /// Who starts the workers
    #[arg(value_parser = ["slurm"])]
    scheduler: String,
    #[command(flatten)]
    jobs: Jobs,
}

#[derive(Debug, Args)]
struct Jobs {
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
    /// Slurm: how long a worker may run, such as 2:00:00; others take its place
    #[arg(long, value_name = "TIME", value_parser = scheduler_word)]
    time: Option<String>,
    /// Slurm: where to run
    #[arg(long, value_name = "NAME", value_parser = scheduler_word)]
    partition: Option<String>,
    /// Kubernetes, Compose: the image [default: batchscope, or batchscope:cpu without GPUs]
    #[arg(long, value_name = "IMAGE", value_parser = scheduler_word)]
    image: Option<String>,
    /// Kubernetes: the claim of the volume that all workers write to (ReadWriteMany) [default: runs]
    #[arg(long, value_name = "NAME", value_parser = scheduler_word)]
    claim: Option<String>,
    /// Kubernetes: the claim of the volume with the experiment file and its data [default: project]
    #[arg(long, value_name = "NAME", value_parser = scheduler_word)]
    project: Option<String>,
    /// Slurm: further options of `sbatch`, such as `--account=abc`; they come after `cluster.options`
    #[arg(last = true, value_parser = scheduler_option)]
    options: Vec<String>,
}

#[derive(Serialize)]
struct Document<'s> {
    study: &'s str,
    script: &'s str,
    /// The name of the job that Slurm has taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<&'s str>,
}

pub(super) fn script(args: &ScriptArgs, output: Output) -> Result<ExitCode> {
    let plan = args.jobs.read()?;
    let script = match args.scheduler {
        Scheduler::Slurm => slurm(&plan)?,
        Scheduler::Kubernetes => kubernetes(&plan),
        Scheduler::Compose => compose(&plan),
    };
    let document = Document { study: &plan.name, script: &script, job: None };
    output.data(&document, script.trim_end())?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn submit(args: &SubmitArgs, output: Output) -> Result<ExitCode> {
    let plan = args.jobs.read()?;
    let script = slurm(&plan)?;
    sbatch(&["--test-only"], &script)?;
    let job = sbatch(&["--parsable"], &script)?;
    let job = job.trim().split(';').next().unwrap_or_default().to_owned();
    let folder = plan.folder.display().to_string();
    let said = format!(
        "job {job}: {} of the study {}\nstatus  {}\nstop    {}",
        format::counted(usize::from(plan.workers), "worker"),
        plan.name,
        format::command(&["batchscope", "status", &folder]),
        format::command(&["batchscope", "stop", &folder, "--cancel"])
    );
    let document = Document { study: &plan.name, script: &script, job: Some(&job) };
    output.answer(&document, &said)?;
    Ok(ExitCode::SUCCESS)
}

/// Gives Slurm a script; what it answers.
fn sbatch(options: &[&str], script: &str) -> Result<String> {
    let mut command = Command::new("sbatch");
    command.args(options).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| {
        UserError::new(
            format!("`sbatch` cannot be started: {error}"),
            "submit where Slurm is installed, or print the script with `batchscope script slurm`",
        )
    })?;
    if let Some(mut input) = child.stdin.take() {
        // Where it does not listen, it says why.
        input.write_all(script.as_bytes()).ok();
    }
    let ended = child.wait_with_output().context("`sbatch` is lost")?;
    match ended.status.success() {
        true => Ok(String::from_utf8_lossy(&ended.stdout).into_owned()),
        false => Err(UserError::new(
            format!("Slurm refuses the job: {}", String::from_utf8_lossy(&ended.stderr).trim()),
            "change what the job asks for; options of `sbatch` stand after `--`",
        )
        .into()),
    }
}

/// What a scheduler is asked for, and for which study.
struct Planned {
    name: String,
    folder: PathBuf,
    /// What each worker is called with before the folder of its study, and after it.
    words: [Vec<String>; 2],
    workers: u16,
    gpus: u8,
    cpus: u16,
    memory: Option<String>,
    time: Option<String>,
    partition: Option<String>,
    image: String,
    claim: String,
    project: String,
    options: Vec<String>,
}

impl Jobs {
    /// Reads the study here, so that an error is shown once and not by each worker. What its file asks for
    /// stands where no option does.
    fn read(&self) -> Result<Planned> {
        let (study, folder) = self.shared.read()?;
        Ok(self.planned(study.name, folder, study.experiment.cluster.unwrap_or_default()))
    }

    fn planned(&self, name: String, folder: PathBuf, file: ClusterSection) -> Planned {
        let or = |own: &Option<String>, file: Option<String>| own.clone().or(file);
        let gpus = self.gpus.or(file.gpus).unwrap_or(0);
        let usual = if gpus > 0 { "batchscope" } else { "batchscope:cpu" };
        Planned {
            name,
            folder,
            words: self.words(),
            workers: self.workers.or(file.workers).unwrap_or(4),
            gpus,
            cpus: self.cpus.or(file.cpus).unwrap_or(2),
            memory: or(&self.memory, file.memory),
            time: or(&self.time, file.time),
            partition: or(&self.partition, file.partition),
            image: or(&self.image, file.image).unwrap_or_else(|| usual.into()),
            claim: or(&self.claim, file.claim).unwrap_or_else(|| "runs".into()),
            project: or(&self.project, file.project).unwrap_or_else(|| "project".into()),
            options: [file.options, self.options.clone()].concat(),
        }
    }

    /// What a worker is called with before and after the folder of its study.
    fn words(&self) -> [Vec<String>; 2] {
        let SharedStudyArgs { study, set, mixed, .. } = &self.shared;
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
}

impl Planned {
    /// What a worker is called with, its study's folder being this one.
    fn words(&self, folder: &Path) -> Vec<String> {
        let [before, after] = &self.words;
        let folder = [folder.display().to_string()];
        [&before[..], &folder[..], &after[..]].concat()
    }
}

/// Tasks of a job array beyond those at work: one takes the place of each that ends at its time limit.
const SURPLUS: usize = 3;
/// Slurm's limit of the tasks of an array, if it is not changed.
const MOST_TASKS: usize = 1000;

fn slurm(plan: &Planned) -> Result<String> {
    let here = std::env::current_dir().context("the current folder is gone")?;
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let workers = usize::from(plan.workers);
    let tasks = (workers * SURPLUS).min(MOST_TASKS).max(workers);
    let mut options = vec![
        format!("--job-name={}", label(&plan.name)),
        format!("--array=0-{}%{workers}", tasks - 1),
        format!("--cpus-per-task={}", plan.cpus),
    ];
    if plan.gpus > 0 {
        options.extend([format!("--gpus-per-task={}", plan.gpus), "--ntasks=1".into()]);
    }
    options.extend(plan.memory.as_ref().map(|of| format!("--mem={of}")));
    options.extend(plan.time.as_ref().map(|of| format!("--time={of}")));
    options.extend(plan.partition.as_ref().map(|of| format!("--partition={of}")));
    options.extend(["--requeue", "--signal=B:TERM@120", "--open-mode=append"].map(String::from));
    options.push(format!("--output={}-%A_%a.log", label(&plan.name)));
    options.extend(plan.options.iter().cloned());
    let options: String = options.iter().map(|of| format!("#SBATCH {of}\n")).collect();
    let mut words = vec![program.display().to_string()];
    words.extend(plan.words(&plan.folder));
    let folder = plan.folder.display().to_string();
    Ok(format!(
        "#!/bin/bash\n\
         # {workers} equal workers of the study {}. A task that ends early is replaced by the next one of the\n\
         # array; those that find nothing left to do end at once.\n\
         # Start:  sbatch FILE\n\
         # Status: {}\n\
         # Stop:   {}\n\
         {options}cd {}\n\
         # `exec`: the signal before the time limit must reach the program.\n\
         exec {}\n",
        plan.name,
        format::command(&["batchscope", "status", &folder]),
        format::command(&["batchscope", "stop", &folder, "--cancel"]),
        format::command(&[here.display().to_string()]),
        format::command(&words)
    ))
}

/// A name as Kubernetes and Compose allow it.
fn label(name: &str) -> String {
    let sign = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let text: String = name.chars().map(sign).take(50).collect();
    match text.trim_matches('-') {
        "" => "study".into(),
        text => text.into(),
    }
}

/// A list as YAML, whatever stands in it.
fn list(words: &[String]) -> String {
    serde_json::to_string(words).unwrap_or_default()
}

fn kubernetes(plan: &Planned) -> String {
    let (name, workers, image) = (label(&plan.name), plan.workers, &plan.image);
    let inside = Path::new("/runs").join(plan.folder.file_name().unwrap_or_default());
    let words = list(&plan.words(&inside));
    let memory = plan.memory.as_ref().map_or(String::new(), |of| format!(", memory: \"{of}\""));
    let gpus =
        if plan.gpus > 0 { format!(", nvidia.com/gpu: {}", plan.gpus) } else { String::new() };
    format!(
        "# {workers} equal workers of the study {study}.\n\
         # Start:  kubectl apply -f FILE      Stop: kubectl delete job {name}\n\
         # The claim `{claim}` is a volume that all pods write to (ReadWriteMany), the claim `{project}` one with\n\
         # the experiment file and its data. A pod that is evicted begins again. One that cannot work on its node\n\
         # (exit code 2), or that ends with runs that failed or diverged (1), does not.\n\
         apiVersion: batch/v1\n\
         kind: Job\n\
         metadata:\n\
         \x20 name: {name}\n\
         \x20 labels: {{ app.kubernetes.io/name: batchscope }}\n\
         spec:\n\
         \x20 completionMode: Indexed\n\
         \x20 completions: {workers}\n\
         \x20 parallelism: {workers}\n\
         \x20 backoffLimitPerIndex: 5\n\
         \x20 maxFailedIndexes: {workers}\n\
         \x20 podReplacementPolicy: Failed\n\
         \x20 podFailurePolicy:\n\
         \x20   rules:\n\
         \x20     - action: Ignore\n\
         \x20       onPodConditions: [{{ type: DisruptionTarget, status: \"True\" }}]\n\
         \x20     - action: FailIndex\n\
         \x20       onExitCodes: {{ containerName: work, operator: In, values: [1, 2] }}\n\
         \x20 template:\n\
         \x20   metadata:\n\
         \x20     labels: {{ app.kubernetes.io/name: batchscope }}\n\
         \x20   spec:\n\
         \x20     restartPolicy: Never\n\
         \x20     terminationGracePeriodSeconds: 120\n\
         \x20     securityContext: {{ runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000 }}\n\
         \x20     containers:\n\
         \x20       - name: work\n\
         \x20         image: \"{image}\"\n\
         \x20         args: {words}\n\
         \x20         workingDir: /project\n\
         \x20         resources:\n\
         \x20           limits: {{ cpu: \"{cpus}\"{memory}{gpus} }}\n\
         \x20         volumeMounts:\n\
         \x20           - {{ name: project, mountPath: /project, readOnly: true }}\n\
         \x20           - {{ name: runs, mountPath: /runs }}\n\
         \x20     volumes:\n\
         \x20       - {{ name: project, persistentVolumeClaim: {{ claimName: \"{project}\" }} }}\n\
         \x20       - {{ name: runs, persistentVolumeClaim: {{ claimName: \"{claim}\" }} }}\n",
        study = plan.name,
        claim = plan.claim,
        project = plan.project,
        cpus = plan.cpus,
    )
}

fn compose(plan: &Planned) -> String {
    let inside = Path::new("/runs").join(plan.folder.file_name().unwrap_or_default());
    let mut words = plan.words(&inside);
    words.insert(0, "batchscope".into());
    let memory =
        plan.memory.as_ref().map_or(String::new(), |of| format!("    mem_limit: \"{of}\"\n"));
    let gpus = match plan.gpus {
        0 => String::new(),
        count => format!(
            "    deploy:\n      resources:\n        reservations:\n          devices:\n            \
             - {{ driver: nvidia, count: {count}, capabilities: [gpu] }}\n"
        ),
    };
    format!(
        "# Equal workers of the study {study} on one machine.\n\
         # Start:  docker compose -f FILE up --scale work={workers}      Stop: docker compose -f FILE down\n\
         name: {name}\n\
         services:\n\
         \x20 work:\n\
         \x20   image: \"{image}\"\n\
         \x20   user: \"${{UID:-1000}}:${{GID:-1000}}\"\n\
         \x20   entrypoint: [tini, --]\n\
         \x20   command: {words}\n\
         \x20   working_dir: /project\n\
         \x20   stop_grace_period: 2m\n\
         \x20   cpus: {cpus}\n\
         {memory}{gpus}\
         \x20   volumes:\n\
         \x20     - {{ type: bind, source: ., target: /project, read_only: true }}\n\
         \x20     - {{ type: bind, source: ./runs, target: /runs, bind: {{ create_host_path: false }} }}\n",
        study = plan.name,
        workers = plan.workers,
        name = label(&plan.name),
        image = &plan.image,
        words = list(&words),
        cpus = plan.cpus,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        jobs: Jobs,
    }

    fn planned(words: &[&str], cluster: &str) -> Planned {
        let line = Line::parse_from([&["x", "a b.yaml"], words].concat());
        let cluster = serde_yaml::from_str(cluster).unwrap();
        line.jobs.planned("My study".into(), PathBuf::from("runs/My study"), cluster)
    }

    #[test]
    fn a_slurm_script_has_surplus_tasks_and_hands_the_signal_to_the_program() {
        let words = ["--workers", "8", "--gpus", "1", "--time", "2:00:00", "--", "--account=abc"];
        let script = slurm(&planned(&words, "{}")).unwrap();
        for line in [
            "#SBATCH --job-name=my-study",
            "#SBATCH --array=0-23%8",
            "#SBATCH --gpus-per-task=1",
            "#SBATCH --time=2:00:00",
            "#SBATCH --requeue",
            "#SBATCH --signal=B:TERM@120",
            "#SBATCH --account=abc",
        ] {
            assert!(script.lines().any(|found| found == line), "{line} in {script}");
        }
        let last = script.lines().last().unwrap();
        assert!(last.starts_with("exec "), "{last}");
        assert!(last.ends_with("work 'a b.yaml' --out 'runs/My study'"), "{last}");
    }

    #[test]
    fn workers_are_told_that_gpus_may_differ() {
        for (words, is_told) in [(&["--mixed"][..], true), (&[], false)] {
            let called = planned(words, "{}").words(Path::new("runs/x"));
            assert_eq!(called.last().is_some_and(|word| word == "--mixed"), is_told, "{called:?}");
        }
    }

    #[test]
    fn files_for_kubernetes_and_compose_are_yaml_and_name_what_was_asked_for() {
        let words = ["--workers", "3", "--gpus", "2", "--memory", "8Gi", "--set", "a=\"b\""];
        let plan = planned(&words, "{}");
        let job: serde_yaml::Value = serde_yaml::from_str(&kubernetes(&plan)).unwrap();
        let spec = &job["spec"];
        assert_eq!(
            (spec["completions"].as_u64(), job["metadata"]["name"].as_str()),
            (Some(3), Some("my-study"))
        );
        let container = &spec["template"]["spec"]["containers"][0];
        assert_eq!(container["args"][3], "/runs/My study");
        assert_eq!(container["args"][5], "a=\"b\"");
        assert_eq!(container["resources"]["limits"]["nvidia.com/gpu"], 2);
        assert_eq!(container["resources"]["limits"]["memory"], "8Gi");
        let file: serde_yaml::Value = serde_yaml::from_str(&compose(&plan)).unwrap();
        let work = &file["services"]["work"];
        assert_eq!(
            (work["command"][0].as_str(), work["cpus"].as_u64()),
            (Some("batchscope"), Some(2))
        );
        assert_eq!(work["deploy"]["resources"]["reservations"]["devices"][0]["count"], 2);
    }

    #[test]
    fn what_the_file_asks_for_stands_where_no_option_does() {
        let file =
            "{ workers: 16, gpus: 1, time: '4:00:00', image: mine, options: [--account=abc] }";
        let script = slurm(&planned(&["--workers", "2", "--", "--qos=low"], file)).unwrap();
        for line in ["--array=0-5%2", "--gpus-per-task=1", "--time=4:00:00"] {
            assert!(script.contains(&format!("#SBATCH {line}\n")), "{line} in {script}");
        }
        assert!(script.contains("#SBATCH --account=abc\n#SBATCH --qos=low\n"), "{script}");
        assert!(kubernetes(&planned(&[], file)).contains("image: \"mine\""));
        assert!(compose(&planned(&[], "{}")).contains("image: \"batchscope:cpu\""));
    }

    #[test]
    fn a_job_has_a_name_that_every_scheduler_takes() {
        assert_eq!([label("Ärger_1"), label("..")], ["rger-1", "study"]);
    }
}
