//! `batchscope script slurm|kubernetes|compose STUDY`: what a scheduler is given, to be read and kept.

use super::diagnostics::Output;
use super::format;
use super::jobs::{ComposeJobs, Jobs, KubernetesJobs, Planned, SlurmJobs};
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde::Serialize;
use std::path::Path;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct ScriptArgs {
    #[command(subcommand)]
    scheduler: Scheduler,
}

/// Who starts workers.
#[derive(Debug, Subcommand)]
enum Scheduler {
    /// A job array for `sbatch`
    Slurm(SlurmJobs),
    /// A job for `kubectl apply`
    Kubernetes(KubernetesJobs),
    /// A file for `docker compose`
    Compose(ComposeJobs),
}

#[derive(Serialize)]
struct Document<'s> {
    study: &'s str,
    script: &'s str,
}

pub(super) fn script(args: &ScriptArgs, output: Output) -> Result<ExitCode> {
    let (plan, script) = match &args.scheduler {
        Scheduler::Slurm(jobs) => {
            let plan = jobs.read()?.0;
            let script = slurm(&plan)?;
            (plan, script)
        }
        Scheduler::Kubernetes(jobs) => with(jobs.read()?.0, kubernetes),
        Scheduler::Compose(jobs) => with(jobs.read()?.0, compose),
    };
    output.data(&Document { study: &plan.name, script: &script }, script.trim_end())?;
    Ok(ExitCode::SUCCESS)
}

fn with(plan: Planned, write: fn(&Planned) -> String) -> (Planned, String) {
    let script = write(&plan);
    (plan, script)
}

/// Tasks of a job array beyond those at work: one takes the place of each that ends at its time limit.
const SURPLUS: usize = 3;
/// Slurm's limit of the tasks of an array, if it is not changed.
const MOST_TASKS: usize = 1000;

pub(super) fn slurm(plan: &Planned) -> Result<String> {
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
    use std::path::PathBuf;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: ScriptArgs,
    }

    fn parsed(scheduler: &str, words: &[&str]) -> Result<Scheduler, clap::Error> {
        let line = Line::try_parse_from([&["x", scheduler, "a b.yaml"], words].concat());
        line.map(|line| line.args.scheduler)
    }

    fn planned_for(scheduler: &str, words: &[&str], cluster: &str) -> Planned {
        let cluster = serde_yaml::from_str(cluster).unwrap();
        let (name, folder) = ("My study".into(), PathBuf::from("runs/My study"));
        match parsed(scheduler, words).unwrap() {
            Scheduler::Slurm(jobs) => jobs.planned(name, folder, cluster),
            Scheduler::Kubernetes(jobs) => jobs.planned(name, folder, cluster),
            Scheduler::Compose(jobs) => jobs.planned(name, folder, cluster),
        }
    }

    fn planned(words: &[&str], cluster: &str) -> Planned {
        planned_for("slurm", words, cluster)
    }

    #[test]
    fn options_that_a_scheduler_does_not_know_are_refused() {
        for (scheduler, words, is_known) in [
            ("kubernetes", &["--time", "1:00:00"][..], false),
            ("kubernetes", &["--", "--account=abc"], false),
            ("compose", &["--time", "1:00:00"], false),
            ("compose", &["--partition", "gpu"], false),
            ("compose", &["--claim", "runs"], false),
            ("slurm", &["--image", "mine"], false),
            ("slurm", &["--time", "abc"], false),
            ("slurm", &["--time", "1-12", "--partition", "gpu", "--", "--account=abc"], true),
            ("kubernetes", &["--image", "mine", "--claim", "a", "--project", "b"], true),
            ("compose", &["--image", "mine"], true),
        ] {
            assert_eq!(parsed(scheduler, words).is_ok(), is_known, "{scheduler} {words:?}");
        }
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
        assert!(kubernetes(&planned_for("kubernetes", &[], file)).contains("image: \"mine\""));
        assert!(compose(&planned_for("compose", &[], "{}")).contains("image: \"batchscope:cpu\""));
    }

    #[test]
    fn a_job_has_a_name_that_every_scheduler_takes() {
        assert_eq!([label("Ärger_1"), label("..")], ["rger-1", "study"]);
    }
}
