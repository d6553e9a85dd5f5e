//! Worker processes: started when there is work, fed run by run, replaced when they die.

use super::folder::StudyFolder;
use super::plan::{Plan, Run};
use super::protocol::{Hello, Order, Probe, Report, Task, WorkerEnd};
use super::record::{Record, Status};
use super::{Observer, RunFolder};
use crate::kernels::Device;
use anyhow::{Context, Result, bail};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How workers are started.
#[derive(Debug, Clone)]
pub struct Workers {
    /// This program.
    pub executable: PathBuf,
    /// Cores that can work at full speed beside each other.
    pub cores: usize,
    /// How many workers, when the user said so; else one a core, or one a GPU.
    pub count: Option<usize>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub enum RunEnd {
    /// All epochs are done.
    Finished,
    /// The loss of this step was not finite.
    Diverged {
        /// Counted from 1.
        step: u64,
    },
    /// An error, or the end of the worker.
    Failed {
        /// The reason.
        message: String,
    },
    /// Stopped on request, after a checkpoint.
    Stopped,
}

impl From<WorkerEnd> for RunEnd {
    fn from(end: WorkerEnd) -> Self {
        match end {
            WorkerEnd::Finished => Self::Finished,
            WorkerEnd::Diverged { step } => Self::Diverged { step },
            WorkerEnd::Failed { message } => Self::Failed { message },
            WorkerEnd::Stopped => Self::Stopped,
        }
    }
}

/// The workers of one study.
#[derive(Debug)]
pub struct Pool {
    settings: Workers,
    hello: Hello,
    members: Vec<Worker>,
    sender: Sender<(usize, Said)>,
    said: Receiver<(usize, Said)>,
}

/// What comes from a worker.
#[derive(Debug)]
enum Said {
    Report(Box<Report>),
    /// Its output ended.
    Gone,
}

#[derive(Debug)]
struct Worker {
    child: Child,
    input: Option<ChildStdin>,
    /// Which of the pending runs it trains.
    run: Option<usize>,
    /// The last lines of its standard error.
    complaints: Arc<Mutex<VecDeque<String>>>,
    is_gone: bool,
}

/// How often a stop request is looked for.
const POLL: Duration = Duration::from_millis(50);

impl Pool {
    /// Starts the first worker, which tells what the machine has.
    pub fn start(settings: Workers) -> Result<Self> {
        let (sender, said) = channel();
        let none = Hello { libtorch: String::new(), cuda: Vec::new() };
        let mut pool = Self { settings, hello: none, members: Vec::new(), sender, said };
        pool.spawn()?;
        match pool.said.recv() {
            Ok((_, Said::Report(report))) if matches!(*report, Report::Hello(_)) => {
                if let Report::Hello(hello) = *report {
                    pool.hello = hello;
                }
                Ok(pool)
            }
            _ => bail!("a worker did not start: {}", pool.members[0].farewell()),
        }
    }

    /// What the machine has.
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// How many runs are trained at a time.
    pub fn parallel(&self, plan: &Plan, runs: usize) -> usize {
        let natural = match plan.devices[0] {
            Device::Cpu => self.settings.cores,
            Device::Cuda(_) => plan.devices.len(),
        };
        self.settings.count.unwrap_or(natural).min(runs).max(1)
    }

    /// Measures one run's steps and memory on the first worker.
    pub(super) fn probe(&mut self, plan: &Plan, run: &Run, folder: PathBuf) -> Result<Probe> {
        let order = Order::Probe(Box::new(task(plan, run, folder, plan.devices[0])?));
        self.members[0].send(&order)?;
        match self.said.recv() {
            Ok((_, Said::Report(report))) if matches!(*report, Report::Probed(_)) => {
                match *report {
                    Report::Probed(probe) => Ok(probe),
                    _ => unreachable!("matched above"),
                }
            }
            _ => bail!("timing `{}` failed: {}", run.id(), self.members[0].farewell()),
        }
    }

    /// Trains these runs; gives how each ended, `None` for those that a stop kept from starting.
    pub fn run_all(
        &mut self,
        plan: &Plan,
        folder: &StudyFolder,
        pending: &[Run],
        stop: &AtomicBool,
        observer: &mut dyn Observer,
    ) -> Result<Vec<Option<RunEnd>>> {
        let mut ends: Vec<Option<RunEnd>> = vec![None; pending.len()];
        let mut waiting: VecDeque<usize> = (0..pending.len()).collect();
        let parallel = self.parallel(plan, pending.len());
        let mut stopping = false;
        loop {
            if stop.load(Ordering::Relaxed) && !stopping {
                stopping = true;
                waiting.clear();
                self.stop_busy();
            }
            while self.busy() < parallel && !waiting.is_empty() {
                let Some(index) = waiting.pop_front() else { break };
                self.give(plan, folder, &pending[index], index)?;
                observer.on_run_start(&pending[index]);
            }
            if self.busy() == 0 {
                return Ok(ends);
            }
            let (id, said) = match self.said.recv_timeout(POLL) {
                Ok(heard) => heard,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => bail!("all workers are gone"),
            };
            let Some(index) = self.members[id].run else { continue };
            if let Some(end) = self.hear(id, said, &pending[index], folder, observer)? {
                self.members[id].run = None;
                observer.on_run_end(&pending[index], &end);
                ends[index] = Some(end);
            }
        }
    }

    /// Passes a report on; gives the end of the run if this was it.
    fn hear(
        &mut self,
        id: usize,
        said: Said,
        run: &Run,
        folder: &StudyFolder,
        observer: &mut dyn Observer,
    ) -> Result<Option<RunEnd>> {
        match said {
            Said::Report(report) => match *report {
                Report::Progress(progress) => observer.on_progress(run, &progress),
                Report::Epoch(metrics, timing) => observer.on_epoch(run, &metrics, &timing),
                Report::Ended(end) => return Ok(Some(end.into())),
                Report::Hello(_) | Report::Probed(_) => {}
            },
            Said::Gone => {
                let message = self.members[id].farewell();
                record_failure(&folder.run(run), &message)?;
                return Ok(Some(RunEnd::Failed { message }));
            }
        }
        Ok(None)
    }

    fn busy(&self) -> usize {
        self.members.iter().filter(|worker| worker.run.is_some()).count()
    }

    fn stop_busy(&mut self) {
        for worker in self.members.iter_mut().filter(|worker| worker.run.is_some()) {
            // A worker that cannot be told is gone, which its output will say.
            worker.send(&Order::Stop).ok();
        }
    }

    /// Gives a run to an idle worker, or to a new one.
    fn give(&mut self, plan: &Plan, folder: &StudyFolder, run: &Run, index: usize) -> Result<()> {
        let idle = self.members.iter().position(|worker| worker.run.is_none() && !worker.is_gone);
        let id = match idle {
            Some(id) => id,
            None => self.spawn()?,
        };
        let device = plan.devices[id % plan.devices.len()];
        let order =
            Order::Train(Box::new(task(plan, run, folder.run(run).path().to_owned(), device)?));
        self.members[id].run = Some(index);
        self.members[id].send(&order)
    }

    fn spawn(&mut self) -> Result<usize> {
        let id = self.members.len();
        let worker = Worker::spawn(&self.settings.executable, id, self.sender.clone())
            .context("cannot start a worker process")?;
        self.members.push(worker);
        Ok(id)
    }
}

impl Worker {
    fn spawn(executable: &PathBuf, id: usize, sender: Sender<(usize, Said)>) -> Result<Self> {
        let mut child = Command::new(executable)
            .arg("worker")
            // A terminal's Ctrl-C goes to the study alone, which tells its workers to stop. A worker must
            // not even catch a signal: oneDNN's LSTM does not survive a handler that runs on its stack
            // (libtorch 2.11.0, AVX-512: the heap is corrupt after 2 to 13 signals in training).
            .process_group(0)
            // cuBLAS is deterministic with a fixed workspace only.
            .env("CUBLAS_WORKSPACE_CONFIG", ":4096:2")
            .env("OMP_NUM_THREADS", "1")
            .env("MKL_NUM_THREADS", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take();
        let output = child.stdout.take().context("the worker has no output")?;
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // Lines that are no reports are libraries talking.
                let Ok(report) = serde_json::from_str(&line) else { continue };
                if sender.send((id, Said::Report(Box::new(report)))).is_err() {
                    return;
                }
            }
            // Nobody listens when the study has ended; then there is nobody to tell.
            sender.send((id, Said::Gone)).ok();
        });
        let complaints = Arc::new(Mutex::new(VecDeque::new()));
        let stderr = child.stderr.take().context("the worker has no standard error")?;
        let last = Arc::clone(&complaints);
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let Ok(mut last) = last.lock() else { return };
                last.push_back(line);
                if last.len() > 5 {
                    last.pop_front();
                }
            }
        });
        Ok(Self { child, input, run: None, complaints, is_gone: false })
    }

    fn send(&mut self, order: &Order) -> Result<()> {
        let input = self.input.as_mut().context("the worker takes no orders any more")?;
        let line = serde_json::to_string(order)? + "\n";
        // If the worker is gone, its output says so, and that is where it is dealt with.
        input.write_all(line.as_bytes()).and_then(|()| input.flush()).ok();
        Ok(())
    }

    /// Why a worker whose output ended is gone.
    fn farewell(&mut self) -> String {
        self.is_gone = true;
        let how = match self.child.wait() {
            Ok(status) => format!("the worker process ended ({status})"),
            Err(error) => format!("the worker process is lost ({error})"),
        };
        let last = self.complaints.lock().map(|lines| lines.iter().cloned().collect::<Vec<_>>());
        match last {
            Ok(lines) if !lines.is_empty() => format!("{how}: {}", lines.join(" | ")),
            _ => how,
        }
    }
}

impl Drop for Worker {
    /// The end of its input tells a worker to stop; then it is waited for.
    fn drop(&mut self) {
        self.input = None;
        self.child.wait().ok();
    }
}

fn task(plan: &Plan, run: &Run, folder: PathBuf, device: Device) -> Result<Task> {
    Ok(Task {
        arm: run.arm.clone(),
        seed: run.seed,
        shape: plan.shape,
        engine: plan.engine,
        device,
        dataset: plan.dataset(),
        folder,
        resolved: plan.study.to_yaml()?,
    })
}

/// Writes down the end of a run whose worker could not.
fn record_failure(folder: &RunFolder, message: &str) -> Result<()> {
    match folder.record()? {
        Some(record) => folder.write_record(&Record {
            status: Status::Failed { message: message.to_owned() },
            ..record
        }),
        None => Ok(()),
    }
}
