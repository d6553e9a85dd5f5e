//! Worker processes with their lanes, as the study sees them.

use super::executor::{Executor, Said, WorkerExit, WorkerLink};
use crate::study::killed::in_short;
use crate::study::protocol::{Order, Report};
use anyhow::{Context, Result, ensure};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};

/// A worker process.
#[derive(Debug)]
struct WorkerProcess {
    child: Mutex<Child>,
    /// Its end tells the worker to stop and leave.
    input: Mutex<Option<ChildStdin>>,
    lanes: Arc<Mutex<Lanes>>,
    /// Gives what matters of its standard error once it has ended.
    stderr_tail: Mutex<Option<JoinHandle<StderrTail>>>,
    exit: OnceLock<WorkerExit>,
}

/// Who hears each of a worker's lanes.
#[derive(Debug, Default)]
struct Lanes {
    listeners: Vec<(usize, Sender<(usize, Said)>)>,
    /// How many take orders.
    open: usize,
    /// Whether no more are opened: one was retired (after an error of a device, everything else on it would
    /// fail too), or the process is gone and all were told.
    is_closed: bool,
}

/// One lane of a worker process.
#[derive(Debug)]
struct Lane {
    process: Arc<WorkerProcess>,
    number: usize,
    is_open: bool,
}

/// Starts worker processes of this program on this machine.
#[derive(Debug)]
pub(super) struct LocalWorkers {
    pub(super) executable: PathBuf,
}

impl Executor for LocalWorkers {
    fn start(&self, id: usize, sender: Sender<(usize, Said)>) -> Result<Box<dyn WorkerLink>> {
        let process = Arc::new(WorkerProcess::spawn(&self.executable, id, sender)?);
        Ok(Box::new(Lane { process, number: 0, is_open: true }))
    }
}

/// SIGHUP, SIGINT, SIGKILL and SIGTERM: what people and systems send (Linux for want of memory),
/// and what no fault in the program itself raises. A worker ignores all of them but SIGKILL.
const FROM_OUTSIDE: [i32; 4] = [1, 2, 9, 15];

/// The last lines of standard error, for the reason of a worker's end.
#[derive(Debug, Default)]
struct StderrTail {
    last: VecDeque<String>,
    /// Whether a backtrace of Rust began and has not ended.
    in_backtrace: bool,
}

impl StderrTail {
    const LINES: usize = 5;

    /// Takes a line, unless it is one of the calls that led to an error: the error stands before them.
    fn add(&mut self, line: String) {
        let inner = line.trim_start();
        let digits = inner.trim_start_matches(|c: char| c.is_ascii_digit());
        let is_call =
            inner.starts_with("at ") || digits.len() < inner.len() && digits.starts_with(':');
        self.in_backtrace = match self.in_backtrace {
            true => is_call,
            false => inner.eq_ignore_ascii_case("stack backtrace:"),
        };
        let of_libtorch = inner.starts_with("frame #");
        let about = inner.starts_with("note: Some details are omitted")
            || inner.starts_with("note: run with `RUST_BACKTRACE");
        if self.in_backtrace || of_libtorch || about || inner.is_empty() {
            return;
        }
        self.last.push_back(line);
        if self.last.len() > Self::LINES {
            self.last.pop_front();
        }
    }
}

impl WorkerProcess {
    /// Starts it with one lane.
    fn spawn(executable: &Path, id: usize, sender: Sender<(usize, Said)>) -> Result<Self> {
        let mut child = command(executable).spawn().context("cannot start a worker process")?;
        let input = child.stdin.take();
        let output = child.stdout.take().context("the worker has no output")?;
        let lanes = Lanes { listeners: vec![(id, sender)], open: 1, is_closed: false };
        let lanes = Arc::new(Mutex::new(lanes));
        let hearing = Arc::clone(&lanes);
        thread::spawn(move || {
            for line in lines(output) {
                // Lines that are no reports are libraries talking.
                let Ok((lane, report)) = serde_json::from_str(&line) else { continue };
                if !locked(&hearing).pass_on(lane, report) {
                    return;
                }
            }
            locked(&hearing).end();
        });
        let stderr = child.stderr.take().context("the worker has no standard error")?;
        let stderr_tail = thread::spawn(move || {
            let mut stderr_tail = StderrTail::default();
            lines(stderr).for_each(|line| stderr_tail.add(line));
            stderr_tail
        });
        Ok(Self {
            child: Mutex::new(child),
            input: Mutex::new(input),
            lanes,
            stderr_tail: Mutex::new(Some(stderr_tail)),
            exit: OnceLock::new(),
        })
    }

    /// Waits for its end, which the end of its input asks for.
    fn end(&self) -> WorkerExit {
        *locked(&self.input) = None;
        let (how, killed) = match locked(&self.child).wait() {
            Ok(status) => {
                let killed = status.signal().is_some_and(|signal| FROM_OUTSIDE.contains(&signal));
                (format!("the worker process ended ({status})"), killed)
            }
            Err(error) => (format!("the worker process is lost ({error})"), false),
        };
        let stderr_tail = locked(&self.stderr_tail).take().and_then(|reader| reader.join().ok());
        let last = Vec::from(stderr_tail.unwrap_or_default().last);
        let message = match last.is_empty() {
            false => in_short(&format!("{how}: {}", last.join(" | "))),
            true => how,
        };
        WorkerExit { message, killed }
    }
}

impl Lanes {
    /// Whether somebody may still hear the worker.
    fn pass_on(&self, lane: usize, report: Report) -> bool {
        let Some((id, sender)) = self.listeners.get(lane) else { return true };
        sender.send((*id, Said::Report(Box::new(report)))).is_ok()
    }

    /// Tells all that the worker is gone.
    fn end(&mut self) {
        self.is_closed = true;
        for (id, sender) in &self.listeners {
            // Nobody listens when the study has ended; then there is nobody to tell.
            sender.send((*id, Said::Gone)).ok();
        }
    }
}

/// What a thread that panicked left is as good as before: each change here is one assignment.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl WorkerLink for Lane {
    fn beside(&self, id: usize, said: Sender<(usize, Said)>) -> Option<Box<dyn WorkerLink>> {
        let mut lanes = locked(&self.process.lanes);
        if lanes.is_closed {
            return None;
        }
        let number = lanes.listeners.len();
        lanes.listeners.push((id, said));
        lanes.open += 1;
        Some(Box::new(Self { process: Arc::clone(&self.process), number, is_open: true }))
    }

    fn send(&mut self, order: &Order) -> Result<()> {
        ensure!(self.is_open, "the worker takes no orders any more");
        let line = serde_json::to_string(&(self.number, order))? + "\n";
        if let Some(input) = &mut *locked(&self.process.input) {
            // If the worker is gone, its output says so, and that is where it is dealt with.
            input.write_all(line.as_bytes()).and_then(|()| input.flush()).ok();
        }
        Ok(())
    }

    fn retire(&mut self) {
        if !std::mem::take(&mut self.is_open) {
            return;
        }
        let mut lanes = locked(&self.process.lanes);
        lanes.is_closed = true;
        lanes.open -= 1;
        if lanes.open == 0 {
            *locked(&self.process.input) = None;
        }
    }

    fn exit(&mut self) -> WorkerExit {
        self.retire();
        self.process.exit.get_or_init(|| self.process.end()).clone()
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.retire();
    }
}

impl Drop for WorkerProcess {
    /// The end of its input tells a worker to stop; then it is waited for.
    fn drop(&mut self) {
        *locked(&self.input) = None;
        locked(&self.child).wait().ok();
    }
}

fn command(executable: &Path) -> Command {
    let mut command = Command::new(executable);
    command
        .arg("worker")
        // A terminal's Ctrl-C goes to the study alone, which tells its workers to stop. They ignore
        // what schedulers send to every process (`kernels::signals`).
        .process_group(0)
        // cuBLAS is deterministic with a fixed workspace only.
        .env("CUBLAS_WORKSPACE_CONFIG", ":4096:2")
        // Work of different lanes waits for each other where they share a connection: the most there are.
        .env("CUDA_DEVICE_MAX_CONNECTIONS", "32")
        .env("OMP_NUM_THREADS", "1")
        .env("MKL_NUM_THREADS", "1")
        // What these make libraries print would cut the reports on standard output.
        .env_remove("ONEDNN_VERBOSE")
        .env_remove("DNNL_VERBOSE")
        .env_remove("MKL_VERBOSE")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// The lines of a stream, whatever bytes are in them.
fn lines(stream: impl Read) -> impl Iterator<Item = String> {
    let parts = BufReader::new(stream).split(b'\n').map_while(Result::ok);
    parts.map(|line| String::from_utf8_lossy(&line).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(said: &str) -> Vec<String> {
        let mut stderr_tail = StderrTail::default();
        said.lines().for_each(|line| stderr_tail.add(line.to_owned()));
        stderr_tail.last.into()
    }

    #[test]
    fn all_lanes_hear_that_their_worker_is_gone_and_no_more_are_opened() {
        let (sender, said) = std::sync::mpsc::channel();
        let start = |program: &str| LocalWorkers { executable: program.into() };
        // It waits for the end of its input, and then ends without a word.
        let mut first = start("grep").start(0, sender.clone()).unwrap();
        let mut second = first.beside(1, sender.clone()).unwrap();
        first.retire();
        assert!(first.beside(2, sender.clone()).is_none(), "after one was retired");
        assert!(said.try_recv().is_err(), "the other still works");
        assert!(!second.exit().killed);
        let mut gone: Vec<usize> = said.iter().take(2).map(|(id, _)| id).collect();
        gone.sort_unstable();
        assert_eq!(gone, [0, 1]);

        let dead = start("true").start(3, sender.clone()).unwrap();
        assert!(matches!(said.recv().unwrap(), (3, Said::Gone)));
        assert!(dead.beside(4, sender).is_none(), "after it ended");
    }

    #[test]
    fn the_reason_stays_when_a_backtrace_follows_it() {
        let calls: Vec<String> = (0..40)
            .map(|n| {
                format!("  {n:2}: core::panicking::panic_fmt\n             at /rustc/a.rs:{n}:5\n")
            })
            .collect();
        let panic = "thread 'main' (7) panicked at src/a.rs:1:2:\nthe shape is wrong\n";
        let note =
            "note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose one.";
        let said = format!("{panic}stack backtrace:\n{}{note}\n", calls.concat());
        assert_eq!(kept(&said), panic.lines().collect::<Vec<_>>());
        let after = format!("{said}fatal: 3: no more\n12: twelve\n");
        assert_eq!(kept(&after)[2..], ["fatal: 3: no more", "12: twelve"]);
    }

    #[test]
    fn the_reason_stays_when_libtorch_lists_its_frames() {
        let frames: Vec<String> =
            (0..30).map(|n| format!("frame #{n}: c10::f() (0x7f)\n")).collect();
        let said = "terminate called after throwing 'c10::Error'\n  what():  no memory\n";
        assert_eq!(kept(&format!("{said}{}\n", frames.concat())), said.lines().collect::<Vec<_>>());
    }
}
