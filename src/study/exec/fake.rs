//! Workers that are not there: what the pool does with workers, shown without libtorch and processes.

#[cfg(test)]
mod tests {
    use crate::kernels::{CudaDevice, Device, InstructionSet};
    use crate::study::additions::Decision;
    use crate::study::drive::{Agenda, AloneHold, Held, Hold, LastLook, Nobody, WorkEnd, drive};
    use crate::study::environment::Sessions;
    use crate::study::exec::executor::{Executor, Said, WorkerExit, WorkerLink};
    use crate::study::exec::{Halt, Job, Pool, Workers};
    use crate::study::folder::StudyFolder;
    use crate::study::plan::Plan;
    use crate::study::plan::tests::plan_of;
    use crate::study::protocol::{MachineInfo, Order, Report, RunEnd, StepTimes, Task};
    use crate::study::record::Status;
    use crate::study::{Observer, Request, Run, Selection};
    use anyhow::Result;
    use std::path::Path;
    use std::sync::atomic::AtomicBool;
    use std::sync::mpsc::Sender;
    use std::sync::{Arc, Mutex};

    /// What a worker does with a run.
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Act {
        Finish,
        /// The worker ends, from outside or of itself.
        Die(bool),
        /// Until it is stopped.
        Hold,
    }

    type Log = Arc<Mutex<Vec<String>>>;

    #[derive(Debug)]
    struct Fakes {
        log: Log,
        act: fn(&str) -> Act,
    }

    #[derive(Debug)]
    struct Fake {
        id: usize,
        said: Sender<(usize, Said)>,
        log: Log,
        act: fn(&str) -> Act,
        held: bool,
        killed: bool,
    }

    impl Executor for Fakes {
        fn start(&self, id: usize, said: Sender<(usize, Said)>) -> Result<Box<dyn WorkerLink>> {
            let (log, act) = (Arc::clone(&self.log), self.act);
            let fake = Fake { id, said, log, act, held: false, killed: false };
            fake.say(Report::MachineInfo(MachineInfo::default()));
            Ok(Box::new(fake))
        }
    }

    impl Fake {
        fn say(&self, report: Report) {
            self.said.send((self.id, Said::Report(Box::new(report)))).unwrap();
        }

        fn note(&self, what: &str) {
            self.log.lock().unwrap().push(format!("{}: {what}", self.id));
        }

        fn train(&mut self, task: &Task) {
            let folder = task.folder.components().rev().take(2).collect::<Vec<_>>();
            let run = folder.iter().rev().map(|c| c.as_os_str().to_str().unwrap());
            let run = run.collect::<Vec<_>>().join("/");
            let sharing = task.alone.map_or(String::new(), |alone| {
                assert_eq!(alone.seconds_per_step as usize, task.definition.arm.batch_size);
                format!(" of {}", alone.sharing)
            });
            self.note(&format!("{run} with {}{sharing}", task.place.threads));
            match (self.act)(&run) {
                Act::Finish => self.say(Report::Ended(RunEnd::Finished)),
                Act::Hold => self.held = true,
                Act::Die(killed) => {
                    self.killed = killed;
                    self.said.send((self.id, Said::Gone)).unwrap();
                }
            }
        }
    }

    impl Fake {
        fn time(&self, task: &Task) {
            let size = task.definition.arm.batch_size;
            self.note(&format!("{size} alone"));
            self.say(Report::Timed(StepTimes {
                seconds_per_step: size as f64,
                seconds_per_validation_row: 0.5,
                seconds_per_epoch: 0.0,
                peak_memory: 0,
            }));
        }
    }

    impl WorkerLink for Fake {
        fn beside(&self, id: usize, said: Sender<(usize, Said)>) -> Option<Box<dyn WorkerLink>> {
            self.note(&format!("{id} beside"));
            let (log, act) = (Arc::clone(&self.log), self.act);
            Some(Box::new(Self { id, said, log, act, held: false, killed: false }))
        }

        fn send(&mut self, order: &Order) -> Result<()> {
            match order {
                Order::Train(task) => self.train(task),
                Order::Time(task) => self.time(task),
                Order::Threads(threads) => self.note(&format!("threads {threads}")),
                Order::Stop if self.held => self.say(Report::Ended(RunEnd::Stopped)),
                _ => {}
            }
            Ok(())
        }

        fn retire(&mut self) {}

        fn exit(&mut self) -> WorkerExit {
            WorkerExit { message: "the worker is gone".into(), killed: self.killed }
        }
    }

    fn plan() -> Plan {
        let text = "study: { seeds: 2, arms: [{ name: a, batch_size: 1 }, { name: b, batch_size: 2 }] }\n\
                    data: { arrays: { path: a.npz } }\n";
        plan_of(text)
    }

    /// How the runs of a plan end on workers that act so, and what the workers heard.
    fn ends(folder: &Path, act: fn(&str) -> Act, stop: bool) -> (Vec<Option<RunEnd>>, Vec<String>) {
        ends_of(plan(), folder, act, stop)
    }

    fn ends_of(
        plan: Plan,
        folder: &Path,
        act: fn(&str) -> Act,
        stop: bool,
    ) -> (Vec<Option<RunEnd>>, Vec<String>) {
        let log = Log::default();
        let executor = Box::new(Fakes { log: Arc::clone(&log), act });
        let mut pool = Pool::with(executor, settings()).unwrap();
        let folder = StudyFolder::open(folder).unwrap();
        let sessions = Sessions::begin(&folder, &plan, &pool, &[]).unwrap();
        let stop = AtomicBool::new(stop);
        let request = Request {
            selection: &Selection::default(),
            command: &[],
            halt: Halt { stop: &stop, deadline: None },
            decide: &|_, _| Ok(Decision::default()),
        };
        let mut hold = AloneHold::new(&plan, &folder, request, sessions);
        drive(&mut hold, &mut pool, &mut Nobody).unwrap();
        let ends = plan.runs.iter().map(|run| hold.ends.get(&run.id()).cloned()).collect();
        let said = log.lock().unwrap().clone();
        (ends, said)
    }

    fn settings() -> Workers {
        let instructions = InstructionSet::best();
        Workers { executable: "none".into(), cores: 4, count: Some(2), instructions }
    }

    #[test]
    fn each_run_is_trained_once_on_two_workers_that_share_the_cores() {
        let folder = tempfile::tempdir().unwrap();
        let (ends, said) = ends(folder.path(), |_| Act::Finish, false);
        assert_eq!(ends, vec![Some(RunEnd::Finished); 4]);
        let mut runs: Vec<&str> = said
            .iter()
            .filter_map(|line| line.split_once(": ")?.1.strip_suffix(" with 2"))
            .collect();
        runs.sort_unstable();
        assert_eq!(runs, ["a/seed-0", "a/seed-1", "b/seed-0", "b/seed-1"], "{said:?}");
        assert!(said.iter().any(|line| line.ends_with("threads 4")), "the last one has all cores");
    }

    #[test]
    fn runs_that_share_a_gpu_are_lanes_of_one_worker_and_another_serves_after_a_failure() {
        let on_gpu = || {
            let gpu =
                CudaDevice { index: 0, name: "GPU".into(), memory: 8 << 30, architecture: None };
            let machine = MachineInfo { cuda: vec![gpu], ..MachineInfo::default() };
            Plan { devices: vec![Device::Cuda(0)], machine, ..plan() }
        };
        let folder = tempfile::tempdir().unwrap();
        let (ends, said) = ends_of(on_gpu(), folder.path(), |_| Act::Finish, false);
        assert_eq!(ends, vec![Some(RunEnd::Finished); 4]);
        assert!(said.contains(&"0: 1 beside".to_owned()), "{said:?}");
        assert_eq!(&said[..2], ["0: 1 alone", "0: 2 alone"], "timed before the first run");
        let shared = said.iter().filter(|line| line.contains("seed") && line.ends_with("of 2"));
        assert_eq!(shared.count(), 4, "{said:?}");

        let folder = tempfile::tempdir().unwrap();
        let act = |run: &str| if run == "a/seed-0" { Act::Die(false) } else { Act::Finish };
        let (ends, said) = ends_of(on_gpu(), folder.path(), act, false);
        assert_eq!(ends.iter().filter(|end| **end == Some(RunEnd::Finished)).count(), 3);
        assert!(said.iter().any(|line| line.starts_with("2: ")), "a third lane: {said:?}");
    }

    #[test]
    fn a_worker_that_dies_fails_its_run_and_another_takes_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let act = |run: &str| if run == "a/seed-0" { Act::Die(false) } else { Act::Finish };
        let (ends, said) = ends(folder.path(), act, false);
        let message = "the worker is gone".to_owned();
        assert_eq!(ends[0], Some(RunEnd::Failed { message: message.clone() }));
        assert_eq!(ends[1..], vec![Some(RunEnd::Finished); 3]);
        assert!(said.iter().any(|line| line.starts_with("2: ")), "a third worker: {said:?}");
        let folder = StudyFolder::open(folder.path()).unwrap();
        let record = folder.run(&plan().runs[0]).record().unwrap().unwrap();
        assert_eq!(record.status, Status::Failed { message });
    }

    #[test]
    fn a_run_whose_worker_was_killed_from_outside_is_not_recorded_as_failed() {
        let folder = tempfile::tempdir().unwrap();
        let (ends, _) = ends(folder.path(), |_| Act::Die(true), false);
        assert!(ends.iter().all(|end| matches!(end, Some(RunEnd::Failed { .. }))), "{ends:?}");
        let folder = StudyFolder::open(folder.path()).unwrap();
        assert_eq!(folder.run(&plan().runs[0]).record().unwrap(), None);
    }

    #[test]
    fn a_stop_keeps_runs_from_being_started() {
        let folder = tempfile::tempdir().unwrap();
        let (ends, said) = ends(folder.path(), |_| Act::Hold, true);
        assert_eq!((ends, said), (vec![None; 4], vec![]));
    }

    /// Two jobs, and one more that others give up later.
    struct Company {
        folder: StudyFolder,
        plan: Plan,
        looks: Vec<Vec<Run>>,
        free: Vec<Job>,
        ended: usize,
    }

    impl Hold for Company {
        fn folder(&self) -> &StudyFolder {
            &self.folder
        }

        fn is_to_stop(&mut self) -> Result<bool> {
            Ok(self.ended == 2)
        }

        fn look(&mut self, _: &mut dyn Observer) -> Result<Option<Agenda>> {
            self.free = Job::train(&self.looks.pop().unwrap_or_default());
            let jobs = Job::train(&self.plan.runs[..2]);
            Ok(Some(Agenda {
                plan: self.plan.clone(),
                jobs,
                left: vec![],
                tunings: vec![],
                trials: vec![],
                additions: None,
                fewer: [].into(),
            }))
        }

        fn is_to_look_again(&self, last: &LastLook, _: usize) -> bool {
            last.is_old || self.ended == 1 && !self.looks.is_empty()
        }

        fn take(&mut self, _: &Agenda, _: usize) -> Result<Option<Held>> {
            let held = |job: Job| Held { folder: self.folder.run(&job.run).path().into(), job };
            Ok(self.free.pop().map(held))
        }

        fn ended(&mut self, _: usize, _: &Held, _: &RunEnd, _: &Plan) -> Result<()> {
            self.ended += 1;
            Ok(())
        }

        fn is_over(&mut self, _: &Agenda) -> Result<bool> {
            Ok(false)
        }
    }

    #[test]
    fn a_run_has_the_cores_for_which_no_job_is_free_until_one_is() {
        let (folder, plan, log) = (tempfile::tempdir().unwrap(), plan(), Log::default());
        let act = |run: &str| if run == "a/seed-0" { Act::Hold } else { Act::Finish };
        let executor = Box::new(Fakes { log: Arc::clone(&log), act });
        let mut pool = Pool::with(executor, settings()).unwrap();
        let run = |index: usize| plan.runs[index].clone();
        let mut hold = Company {
            folder: StudyFolder::open(folder.path()).unwrap(),
            looks: vec![vec![run(2)], vec![], vec![run(1), run(0)]],
            free: vec![],
            ended: 0,
            plan: plan.clone(),
        };
        let end = drive(&mut hold, &mut pool, &mut Nobody).unwrap();
        assert_eq!(end, WorkEnd::Stopped);
        let said = log.lock().unwrap().clone();
        let begun = ["0: a/seed-0 with 2", "1: b/seed-0 with 2", "0: threads 4"];
        let later = ["1: a/seed-1 with 2", "0: threads 2", "1: threads 2"];
        assert_eq!(said, [begun, later].concat());
    }
}
