//! The workers of one study: started when there is work, fed run by run, replaced when they die.

use super::executor::{Executor, Said, WorkerExit, WorkerLink};
use super::job::{Job, task};
use super::lost::{end_of_lost_run, stopped_for};
use super::worker_process::LocalWorkers;
use crate::config::Arm;
use crate::error::UserError;
use crate::kernels::{Device, InstructionSet, Place};
use crate::study::Observer;
use crate::study::folder::StudyFolder;
use crate::study::killed::{Memory, how_killed, said_of, what_to_do};
use crate::study::packing::{packs, runs_on_a_gpu};
use crate::study::plan::Plan;
use crate::study::protocol::{Alone, MachineInfo, NoRoom, Order, Report, RunEnd, StepTimes};
use crate::study::record::RunFolder;
use crate::study::run::{Run, Stage};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// How workers are started.
#[derive(Debug, Clone)]
pub struct Workers {
    /// This program.
    pub executable: PathBuf,
    /// Cores that can work at full speed beside each other.
    pub cores: usize,
    /// How many runs at a time, when the user said so; else one a core, or one a GPU.
    pub count: Option<usize>,
    /// What the engine `fused` computes with.
    pub instructions: InstructionSet,
}

/// The workers of one study.
#[derive(Debug)]
pub struct Pool {
    settings: Workers,
    machine_info: MachineInfo,
    /// What a run of each arm takes of a GPU that it has for itself, where runs are to share one.
    alone: BTreeMap<String, StepTimes>,
    /// From the start of the first worker until it was ready.
    start_up: Duration,
    executor: Box<dyn Executor>,
    members: Vec<Member>,
    sender: Sender<(usize, Said)>,
    said: Receiver<(usize, Said)>,
    memory: Memory,
    /// Whether the workers were told to stop.
    stopping: bool,
    /// Why a worker could not go on, where the disk takes no more.
    no_room: Option<NoRoom>,
}

/// A lane of a worker, as the pool sees it.
#[derive(Debug)]
struct Member {
    link: Box<dyn WorkerLink>,
    /// Whose process it is: the number of the member with which that was started.
    process: usize,
    /// Whether it takes orders.
    is_alive: bool,
    /// Which of the jobs it does.
    run: Option<usize>,
    /// Where it works, from its first run on.
    device: Option<Device>,
}

impl Member {
    /// Whether it can be given a run.
    fn is_idle(&self) -> bool {
        self.run.is_none() && self.is_alive
    }

    fn retire(&mut self) {
        self.is_alive = false;
        self.link.retire();
    }

    fn exit(&mut self) -> WorkerExit {
        self.is_alive = false;
        self.link.exit()
    }
}

/// How often a stop request is looked for.
const POLL: Duration = Duration::from_millis(50);

impl Pool {
    /// Starts the first worker, which tells what the machine has.
    pub fn start(settings: Workers) -> Result<Self> {
        let executable = settings.executable.clone();
        Self::with(Box::new(LocalWorkers { executable }), settings)
    }

    /// As [`Pool::start`], with workers that this one starts.
    pub(super) fn with(executor: Box<dyn Executor>, settings: Workers) -> Result<Self> {
        let (sender, said) = channel();
        let (started, memory) = (Instant::now(), Memory::watch());
        let mut pool = Self {
            settings,
            machine_info: MachineInfo::default(),
            alone: BTreeMap::new(),
            start_up: Duration::ZERO,
            executor,
            members: Vec::new(),
            sender,
            said,
            memory,
            stopping: false,
            no_room: None,
        };
        let first = pool.spawn()?;
        match pool.said.recv()?.1.report() {
            Some(Report::MachineInfo(machine_info)) => {
                (pool.machine_info, pool.start_up) = (machine_info, started.elapsed());
                Ok(pool)
            }
            _ => bail!("a worker did not start: {}", pool.members[first].exit().message),
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
        let gpus = plan.devices.len();
        let (natural, most) = match plan.devices[0] {
            Device::Cpu => (self.settings.cores, runs),
            Device::Cuda(_) if packs(plan) => (gpus, gpus * runs_on_a_gpu(plan)),
            Device::Cuda(_) => (gpus, runs),
        };
        self.settings.count.unwrap_or(natural).min(most).min(runs).max(1)
    }

    /// How many runs could be trained at a time if the user asked for it, where that is more.
    pub fn could_share(&self, plan: &Plan, runs: usize) -> Option<usize> {
        let most = (plan.devices.len() * runs_on_a_gpu(plan)).min(runs);
        let is_more = self.settings.count.is_none() && most > self.parallel(plan, runs);
        (packs(plan) && is_more).then_some(most)
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

    /// Measures the steps and the memory of an arm's runs on the first worker.
    pub(in crate::study) fn time(&mut self, plan: &Plan, arm: &Arm) -> Result<StepTimes> {
        let run = Run { arm: arm.clone(), seed: 0, stage: Stage::Report };
        let place = self.place(plan.devices[0], self.parallel(plan, plan.runs.len()));
        let nowhere = Path::new("");
        let task = task(plan, &run, (nowhere, &RunFolder::new(nowhere)), place, None)?;
        self.members[0].link.send(&Order::Time(Box::new(task)))?;
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

    /// What a run would take of its GPU alone, if it is to share it. All arms are timed before the first run
    /// is given, when nothing else is trained.
    fn alone(&mut self, plan: &Plan, run: &Run, parallel: usize) -> Result<Option<Alone>> {
        let sharing = |parallel: usize| parallel.div_ceil(plan.devices.len());
        if plan.devices[0] == Device::Cpu || sharing(self.parallel(plan, usize::MAX)) < 2 {
            return Ok(None);
        }
        if self.alone.is_empty() {
            for arm in &plan.study.arms {
                let times = self.time(plan, arm)?;
                self.alone.insert(arm.name.clone(), times);
            }
        }
        let rows = plan.data.facts.validation.examples as f64;
        let times = self.alone.get(&run.arm.name).context("an arm was not timed")?;
        Ok((sharing(parallel) > 1).then(|| Alone {
            sharing: sharing(parallel),
            seconds_per_step: times.seconds_per_step,
            seconds_per_evaluation: rows * times.seconds_per_validation_row,
        }))
    }

    /// Waits a moment for what workers say, and passes it on. Gives which of the jobs ended, and how; `of`
    /// gives a job and the folder of its run.
    pub(in crate::study) fn next_end<'j>(
        &mut self,
        plan: &Plan,
        of: &dyn Fn(usize) -> (&'j Job, RunFolder),
        observer: &mut dyn Observer,
    ) -> Result<Option<(usize, RunEnd)>> {
        // Nothing said for a while is no error: the sender lives as long as the pool.
        let Ok((id, said)) = self.said.recv_timeout(POLL) else { return Ok(None) };
        let Some(index) = self.members[id].run else {
            if matches!(said, Said::Gone) {
                // It ended while it had no run, and is not given another.
                self.members[id].retire();
            }
            return Ok(None);
        };
        let (job, folder) = of(index);
        let Some(end) = self.hear(id, said, plan, job, &folder, observer)? else {
            return Ok(None);
        };
        self.members[id].run = None;
        match job.measurement {
            None => observer.on_run_end(&job.run, &end),
            Some(_) => observer.on_measured(job, &end),
        }
        Ok(Some((index, end)))
    }

    /// Passes a report on; gives the end of the run if this was it.
    fn hear(
        &mut self,
        id: usize,
        said: Said,
        plan: &Plan,
        job: &Job,
        folder: &RunFolder,
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
                    None => end_of_lost_run(folder, plan, run, &exit, why)?,
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

    /// How many workers have a job.
    pub(in crate::study) fn busy(&self) -> usize {
        self.members.iter().filter(|worker| worker.run.is_some()).count()
    }

    /// Shares the cores among so many jobs, such as those that are left when other workers have no more to do.
    pub(in crate::study) fn share_cores(&mut self, among: usize) {
        let threads = self.threads(among);
        for worker in self.members.iter_mut().filter(|worker| worker.run.is_some()) {
            // As for `stop_all`.
            worker.link.send(&Order::Threads(threads)).ok();
        }
    }

    /// Has all runs in training saved and ended; says so once.
    pub(in crate::study) fn stop_all(&mut self) {
        if self.stopping {
            return;
        }
        self.stopping = true;
        for worker in self.members.iter_mut().filter(|worker| worker.run.is_some()) {
            // A worker that cannot be told is gone, which its output will say.
            worker.link.send(&Order::Stop).ok();
        }
    }

    /// Whether the disk takes no more.
    pub(in crate::study) fn has_no_room(&self) -> bool {
        self.no_room.is_some()
    }

    /// That the disk takes no more, as an error.
    pub(in crate::study) fn take_no_room(&mut self, folder: &StudyFolder) -> Option<anyhow::Error> {
        self.no_room.take().map(|why| stopped_for(why, folder))
    }

    /// Gives a job to an idle worker, or to a new one, with the folders of the study and of the run.
    pub(in crate::study) fn give(
        &mut self,
        plan: &Plan,
        folders: (&Path, &RunFolder),
        job: &Job,
        (index, parallel): (usize, usize),
    ) -> Result<()> {
        let alone = self.alone(plan, &job.run, parallel)?;
        let device = self.least_used(&plan.devices);
        let id = match self.members.iter().position(Member::is_idle) {
            Some(id) => id,
            None if packs(plan) => self.open_lane(device, parallel.div_ceil(plan.devices.len()))?,
            None => self.spawn()?,
        };
        let device = *self.members[id].device.get_or_insert(device);
        self.members[id].run = Some(index);
        let task = Box::new(task(plan, &job.run, folders, self.place(device, parallel), alone)?);
        self.members[id].link.send(&match &job.measurement {
            None => Order::Train(task),
            Some(measurement) => Order::Measure(task, measurement.clone()),
        })
    }

    /// The device on which the fewest workers live.
    fn least_used(&self, devices: &[Device]) -> Device {
        let living = |device: &Device| {
            let on_it = |worker: &&Member| worker.device == Some(*device) && worker.is_alive;
            self.members.iter().filter(on_it).count()
        };
        devices.iter().copied().min_by_key(living).unwrap_or(Device::Cpu)
    }

    fn spawn(&mut self) -> Result<usize> {
        let id = self.members.len();
        let link = self.executor.start(id, self.sender.clone())?;
        Ok(self.take(Member { link, process: id, is_alive: true, run: None, device: None }))
    }

    /// Opens a lane in a worker on this device that has fewer than `most`, or in a new worker.
    fn open_lane(&mut self, device: Device, most: usize) -> Result<usize> {
        let id = self.members.len();
        let living = || self.members.iter().filter(|m| m.is_alive && m.device == Some(device));
        let beside = living().find_map(|member| {
            let process = member.process;
            let has_room = living().filter(|m| m.process == process).count() < most;
            Some((has_room.then(|| member.link.beside(id, self.sender.clone()))??, process))
        });
        match beside {
            None => self.spawn(),
            Some((link, process)) => {
                let device = Some(device);
                Ok(self.take(Member { link, process, is_alive: true, run: None, device }))
            }
        }
    }

    fn take(&mut self, member: Member) -> usize {
        self.members.push(member);
        self.members.len() - 1
    }
}
