//! The workers of one study: started when there is work, fed run by run, replaced when they die.

use super::worker_process::{Said, Worker, WorkerExit};
use crate::config::ProbeSection;
use crate::error::UserError;
use crate::kernels::{Device, InstructionSet, Place};
use crate::study::Observer;
use crate::study::folder::StudyFolder;
use crate::study::killed::{Killed, Memory, how_killed, said_of, what_to_do};
use crate::study::plan::Plan;
use crate::study::protocol::{
    MachineInfo, Measure, NoRoom, Order, Report, RunEnd, StepTimes, Task,
};
use crate::study::record::{Record, RunFolder, Status};
use crate::study::run::{Run, Stage};
use anyhow::{Result, bail};
use std::collections::VecDeque;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// How workers are started.
#[derive(Debug, Clone)]
pub struct Workers {
    /// This program.
    pub executable: PathBuf,
    /// Cores that can work at full speed beside each other.
    pub cores: usize,
    /// How many workers, when the user said so; else one a core, or one a GPU.
    pub count: Option<usize>,
    /// What the engine `fused` computes with.
    pub instructions: InstructionSet,
}

/// The workers of one study.
#[derive(Debug)]
pub struct Pool {
    settings: Workers,
    machine_info: MachineInfo,
    /// From the start of the first worker until it was ready.
    start_up: Duration,
    members: Vec<Worker>,
    sender: Sender<(usize, Said)>,
    said: Receiver<(usize, Said)>,
    memory: Memory,
    /// Whether the workers were told to stop.
    stopping: bool,
    /// Why a worker could not go on, where the disk takes no more.
    no_room: Option<NoRoom>,
}

/// What a worker does for a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// The run.
    pub run: Run,
    /// What is measured of it; it is trained when there is nothing.
    pub measurement: Option<Measure>,
}

impl Job {
    /// Training these runs.
    pub(in crate::study) fn train(runs: &[Run]) -> Vec<Self> {
        let train = |run: &Run| Self { run: run.clone(), measurement: None };
        runs.iter().map(train).collect()
    }
}

/// What ends work before all of it is done.
#[derive(Debug, Clone, Copy)]
pub struct Halt<'s> {
    /// Set when somebody wants it to stop: what is at work is saved.
    pub stop: &'s AtomicBool,
    /// From then on nothing is begun; what is at work goes on to its end.
    pub deadline: Option<Instant>,
}

impl Halt<'_> {
    /// Whether somebody wants it to stop.
    pub(in crate::study) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Whether the time is over.
    pub(in crate::study) fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}

/// How often a stop request is looked for.
const POLL: Duration = Duration::from_millis(50);

impl Pool {
    /// Starts the first worker, which tells what the machine has.
    pub fn start(settings: Workers) -> Result<Self> {
        let (sender, said) = channel();
        let (started, memory) = (Instant::now(), Memory::watch());
        let mut first = Worker::spawn(&settings.executable, 0, sender.clone())?;
        let report = said.recv()?.1.report();
        match report {
            Some(Report::MachineInfo(machine_info)) => {
                let start_up = started.elapsed();
                Ok(Self {
                    settings,
                    machine_info,
                    start_up,
                    members: vec![first],
                    sender,
                    said,
                    memory,
                    stopping: false,
                    no_room: None,
                })
            }
            _ => bail!("a worker did not start: {}", first.exit().message),
        }
    }

    /// What the machine has.
    pub fn machine_info(&self) -> &MachineInfo {
        &self.machine_info
    }

    /// How long a worker takes to start.
    pub fn start_up(&self) -> Duration {
        self.start_up
    }

    /// How many runs are trained at a time.
    pub fn parallel(&self, plan: &Plan, runs: usize) -> usize {
        let natural = match plan.devices[0] {
            Device::Cpu => self.settings.cores,
            Device::Cuda(_) => plan.devices.len(),
        };
        self.settings.count.unwrap_or(natural).min(runs).max(1)
    }

    /// Threads that a run may use while so many others are trained: the cores that nothing else
    /// needs.
    pub fn threads(&self, parallel: usize) -> usize {
        (self.settings.cores / parallel).max(1)
    }

    /// What the engine `fused` computes with.
    pub fn instructions(&self) -> InstructionSet {
        self.settings.instructions
    }

    fn place(&self, device: Device, parallel: usize) -> Place {
        let (threads, instructions) = (self.threads(parallel), self.settings.instructions);
        Place { device, threads, instructions }
    }

    /// Measures one run's steps and memory on the first worker.
    pub(in crate::study) fn time(&mut self, plan: &Plan, run: &Run) -> Result<StepTimes> {
        let place = self.place(plan.devices[0], self.parallel(plan, plan.runs.len()));
        let task = task(plan, run, &RunFolder::new("".as_ref()), place)?;
        self.members[0].send(&Order::Time(Box::new(task)))?;
        match self.said.recv()?.1.report() {
            Some(Report::Timed(times)) => Ok(times),
            _ => {
                let exit = self.members[0].exit();
                let killed = exit.killed.then(|| self.memory.why_killed());
                let (how, advice) = match killed {
                    None => bail!("timing `{}` failed: {}", run.id(), exit.message),
                    Some(why) => (how_killed(&exit.message, why), what_to_do(why)),
                };
                Err(UserError::new(format!("timing `{}` failed: {how}", run.id()), advice).into())
            }
        }
    }

    /// Does these jobs; gives how each ended, `None` for those that a stop or the end of the time kept
    /// from starting. Where the disk takes no more, all stop as if they were asked to, and that is the
    /// error.
    pub(in crate::study) fn run_all(
        &mut self,
        plan: &Plan,
        folder: &StudyFolder,
        pending: &[Job],
        halt: Halt<'_>,
        observer: &mut dyn Observer,
    ) -> Result<Vec<Option<RunEnd>>> {
        let mut ends: Vec<Option<RunEnd>> = vec![None; pending.len()];
        let mut waiting: VecDeque<usize> = (0..pending.len()).collect();
        let parallel = self.parallel(plan, pending.len());
        self.stopping = false;
        // Runs that have the cores among them.
        let mut sharing = parallel;
        loop {
            let stops = halt.is_stopped() || self.no_room.is_some();
            if stops && !self.stopping {
                self.stopping = true;
                waiting.clear();
                self.stop_busy();
            }
            if halt.is_late() {
                waiting.clear();
            }
            while self.busy() < parallel {
                let Some(index) = waiting.pop_front() else { break };
                let job = &pending[index];
                self.give(plan, &folder.run(&job.run), job, (index, parallel))?;
                if job.measurement.is_none() {
                    observer.on_run_start(&job.run);
                }
            }
            let busy = self.busy();
            if busy == 0 {
                return self.no_room.take().map_or(Ok(ends), |why| Err(stopped_for(why, folder)));
            }
            if waiting.is_empty() && busy < sharing {
                sharing = busy;
                self.share_cores(busy);
            }
            // Nothing said for a while is no error: the sender lives as long as the pool.
            let Ok((id, said)) = self.said.recv_timeout(POLL) else { continue };
            let Some(index) = self.members[id].run else {
                self.members[id].on_message_while_idle(&said);
                continue;
            };
            if let Some(end) = self.hear(id, said, plan, &pending[index], folder, observer)? {
                self.members[id].run = None;
                match pending[index].measurement {
                    None => observer.on_run_end(&pending[index].run, &end),
                    Some(_) => observer.on_measured(&pending[index], &end),
                }
                ends[index] = Some(end);
            }
        }
    }

    /// Passes a report on; gives the end of the run if this was it.
    fn hear(
        &mut self,
        id: usize,
        said: Said,
        plan: &Plan,
        job: &Job,
        folder: &StudyFolder,
        observer: &mut dyn Observer,
    ) -> Result<Option<RunEnd>> {
        let run = &job.run;
        let end = match said.report() {
            Some(Report::Progress(progress)) => {
                observer.on_progress(run, &progress);
                return Ok(None);
            }
            Some(Report::Epoch(metrics, timing)) => {
                observer.on_epoch(run, &metrics, &timing);
                return Ok(None);
            }
            Some(Report::Ended(end)) => end,
            Some(Report::NoRoom(why)) => {
                self.no_room.get_or_insert(why);
                RunEnd::Stopped
            }
            Some(Report::MachineInfo(_) | Report::Timed(_)) => return Ok(None),
            None => {
                let exit = self.members[id].exit();
                let why = exit.killed.then(|| self.memory.why_killed());
                // What ends the job may end its processes one by one: the run goes on another day.
                let stopped = self.stopping && why.is_some();
                let end = match job.measurement {
                    None => end_of_lost_run(&folder.run(run), plan, run, &exit, why)?,
                    Some(_) => RunEnd::Failed { message: said_of(&exit.message, why) },
                };
                match end {
                    RunEnd::Failed { .. } if stopped => RunEnd::Stopped,
                    end => end,
                }
            }
        };
        if matches!(end, RunEnd::Failed { .. }) {
            // After an error of a device, everything else on it would fail too: a new worker
            // serves.
            self.members[id].retire();
        }
        Ok(Some(end))
    }

    fn busy(&self) -> usize {
        self.members.iter().filter(|worker| worker.run.is_some()).count()
    }

    /// Gives the cores of workers that have no more to do to those that still train.
    fn share_cores(&mut self, busy: usize) {
        let threads = self.threads(busy);
        for worker in self.members.iter_mut().filter(|worker| worker.run.is_some()) {
            // As for `stop_busy`.
            worker.send(&Order::Threads(threads)).ok();
        }
    }

    fn stop_busy(&mut self) {
        for worker in self.members.iter_mut().filter(|worker| worker.run.is_some()) {
            // A worker that cannot be told is gone, which its output will say.
            worker.send(&Order::Stop).ok();
        }
    }

    /// Gives a job to an idle worker, or to a new one.
    fn give(
        &mut self,
        plan: &Plan,
        folder: &RunFolder,
        job: &Job,
        (index, parallel): (usize, usize),
    ) -> Result<()> {
        let id = match self.members.iter().position(Worker::is_idle) {
            Some(id) => id,
            None => self.spawn()?,
        };
        let device = match self.members[id].device {
            Some(device) => device,
            None => self.least_used(&plan.devices),
        };
        self.members[id].device = Some(device);
        self.members[id].run = Some(index);
        let task = Box::new(task(plan, &job.run, folder, self.place(device, parallel))?);
        self.members[id].send(&match &job.measurement {
            None => Order::Train(task),
            Some(measurement) => Order::Measure(task, measurement.clone()),
        })
    }

    /// The device on which the fewest workers live.
    fn least_used(&self, devices: &[Device]) -> Device {
        let living = |device: &Device| {
            let on_it = |worker: &&Worker| worker.device == Some(*device) && worker.is_alive();
            self.members.iter().filter(on_it).count()
        };
        devices.iter().copied().min_by_key(living).unwrap_or(Device::Cpu)
    }

    fn spawn(&mut self) -> Result<usize> {
        let id = self.members.len();
        self.members.push(Worker::spawn(&self.settings.executable, id, self.sender.clone())?);
        Ok(id)
    }
}

/// The error of a study whose disk takes no more.
fn stopped_for(why: NoRoom, folder: &StudyFolder) -> anyhow::Error {
    let NoRoom { message, hint } = why;
    let folder = folder.path().display();
    UserError::new(
        format!("the study in {folder} stopped, since its disk takes no more: {message}"),
        format!("{hint}, and runs that are not finished go on from what is saved"),
    )
    .into()
}

fn task(plan: &Plan, run: &Run, folder: &RunFolder, place: Place) -> Result<Task> {
    Ok(Task {
        definition: plan.definition(run),
        stage: run.stage,
        place,
        dataset: plan.dataset(),
        folder: folder.path().to_owned(),
        resolved: plan.study.to_yaml()?,
        metrics: run.arm.train.metrics.clone(),
        logging: plan.study.experiment.train.logging.clone(),
        probe: match run.stage {
            Stage::Tuning => ProbeSection::default(),
            Stage::Report => plan.study.experiment.study.probe.clone(),
        },
    })
}

/// How a run ended whose worker is gone. The worker may have recorded its end and died before it
/// could say so. One that was killed from outside leaves a run that is not finished, as a crash of
/// the machine does; else it is recorded here that the run failed.
fn end_of_lost_run(
    folder: &RunFolder,
    plan: &Plan,
    run: &Run,
    exit: &WorkerExit,
    why: Option<Killed>,
) -> Result<RunEnd> {
    let message = said_of(&exit.message, why);
    match folder.record()?.map(|record| record.status) {
        Some(Status::Finished) => Ok(RunEnd::Finished),
        Some(Status::Diverged { step }) => Ok(RunEnd::Diverged { step }),
        Some(Status::Running) | None if why.is_some() => Ok(RunEnd::Failed { message }),
        _ => {
            fs::create_dir_all(folder.path())?;
            let status = Status::Failed { message: message.clone() };
            folder.write_record(&Record::new(status, plan.definition(run))?)?;
            Ok(RunEnd::Failed { message })
        }
    }
}
