//! What is submitted to Slurm is known from the study's folder while it waits. Scripts stand for Slurm.

use crate::util::{Ended, STUDY, Scene};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// A scene whose `sbatch` takes every job as number 12, and whose `scancel` notes what it is asked for.
struct Cluster {
    scene: Scene,
}

impl Cluster {
    fn new() -> Self {
        let scene = Scene::new();
        scene.write("tiny.yaml", STUDY);
        fs::create_dir(scene.path("bin")).unwrap();
        let cluster = Self { scene };
        cluster.program("sbatch", "cat >/dev/null\n[ \"$1\" = --test-only ] || echo 12");
        cluster.program("scancel", "echo \"$@\" >>cancelled");
        cluster
    }

    fn program(&self, name: &str, body: &str) {
        let path = self.scene.path(&format!("bin/{name}"));
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        let path = format!("{}:/usr/bin:/bin", self.scene.path("bin").display());
        Ended::from(self.scene.batchscope(arguments).env("PATH", path).output().unwrap())
    }
}

#[test]
fn a_job_that_waits_is_seen_and_cancelled_before_a_worker_has_begun() {
    let cluster = Cluster::new();
    let said = cluster.run(&["submit", "slurm", "tiny.yaml", "--workers", "3"]).expect(0).stdout;
    assert!(said.starts_with("job 12: 3 workers of the study tiny\n"), "{said}");
    let status = cluster.run(&["status", "runs/tiny"]).expect(0).stdout;
    assert!(status.contains("0 of 4 runs finished; workers are submitted"), "{status}");
    assert!(status.contains("job 12 waits: none of its 3 workers has begun"), "{status}");
    let status = cluster.run(&["status", "runs/tiny", "--json"]).expect(0).stdout;
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(
        (&status["jobs"][0]["job"], &status["jobs"][0]["begun"]),
        (&"slurm 12".into(), &false.into())
    );

    let said = cluster.run(&["stop", "runs/tiny", "--cancel"]).expect(0).stdout;
    assert!(said.contains("job 12 is cancelled"), "{said}");
    assert_eq!(cluster.scene.read("cancelled"), "12\n");
    let again = cluster.run(&["stop", "runs/tiny", "--cancel"]).expect(0).stdout;
    assert!(again.contains("no Slurm job of this study is known"), "{again}");
    let refused = cluster.run(&["submit", "slurm", "tiny.yaml"]).expect(2).stderr;
    assert!(refused.contains("`batchscope stop runs/tiny --undo` lets workers work"), "{refused}");
}

#[test]
fn a_submitted_study_is_trained_as_any_other_and_its_job_is_cancelled_after_its_worker_has_ended() {
    let cluster = Cluster::new();
    cluster.run(&["submit", "slurm", "tiny.yaml"]).expect(0);
    let mut worker = cluster.scene.batchscope(&["work", "runs/tiny", "--workers", "1"]);
    worker.env("SLURM_ARRAY_JOB_ID", "12").env("SLURM_ARRAY_TASK_ID", "0");
    Ended::from(worker.output().unwrap()).expect(0);
    cluster.run(&["run", "tiny.yaml", "--out", "alone"]).expect(0);
    let [alone, shared] =
        ["alone", "runs/tiny"].map(|of| cluster.scene.read(&format!("{of}/study.yaml")));
    assert_eq!(alone, shared);
    let status = cluster.run(&["status", "runs/tiny"]).expect(0).stdout;
    assert!(
        status.contains("4 of 4 runs finished; finished") && !status.contains("waits"),
        "{status}"
    );
    cluster.program(
        "scancel",
        "echo 'scancel: error: Kill job error on job id 12: Invalid job id specified' >&2; exit 1",
    );
    let said = cluster.run(&["stop", "runs/tiny", "--cancel"]).expect(0).stdout;
    assert!(said.contains("job 12 is cancelled"), "{said}");
    cluster.program("scancel", "echo 'scancel: error: Access denied' >&2; exit 1");
    let said = cluster.run(&["stop", "runs/tiny", "--cancel"]).expect(1).stdout;
    assert!(
        said.contains("job 12 is not cancelled: `scancel 12`: scancel: error: Access denied"),
        "{said}"
    );
}

#[test]
fn a_slurm_that_refuses_or_cannot_be_reached_leaves_no_folder() {
    let cluster = Cluster::new();
    for (said, told) in [
        ("Invalid account", "Slurm refuses the job: "),
        ("failed to fetch config", "Slurm cannot be reached from here: "),
    ] {
        cluster.program("sbatch", &format!("echo '{said}' >&2; exit 1"));
        let refused = cluster.run(&["submit", "slurm", "tiny.yaml"]).expect(2).stderr;
        assert!(refused.contains(told), "{refused}");
        assert!(!cluster.scene.path("runs/tiny").exists());
    }
}
