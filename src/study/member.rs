//! One worker process, as the study sees it.

use super::protocol::{Order, Report};
use crate::kernels::Device;
use anyhow::{Context, Result};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::Sender;
use std::thread::{self, JoinHandle};

/// What comes from a worker.
#[derive(Debug)]
pub(super) enum Said {
    Report(Box<Report>),
    /// Its output ended.
    Gone,
}

impl Said {
    pub(super) fn report(self) -> Option<Report> {
        match self {
            Self::Report(report) => Some(*report),
            Self::Gone => None,
        }
    }
}

/// A worker process.
#[derive(Debug)]
pub(super) struct Worker {
    child: Child,
    /// Its end tells the worker to stop and leave.
    input: Option<ChildStdin>,
    /// Gives the last lines of its standard error once it has ended.
    complaints: Option<JoinHandle<VecDeque<String>>>,
    /// Which of the pending runs it trains.
    pub(super) run: Option<usize>,
    /// Where it works, from its first run on.
    pub(super) device: Option<Device>,
}

/// Why a worker is gone.
#[derive(Debug)]
pub(super) struct Farewell {
    /// How it ended, with its last words.
    pub(super) message: String,
    /// Whether it was ended from outside, so that nothing is known against its run.
    pub(super) killed: bool,
}

/// SIGHUP, SIGINT, SIGKILL and SIGTERM: what people and systems send (Linux for want of memory),
/// and what no fault in the program itself raises.
const FROM_OUTSIDE: [i32; 4] = [1, 2, 9, 15];

/// Lines of standard error that are kept for the reason of a worker's end.
const COMPLAINTS: usize = 5;

impl Worker {
    pub(super) fn spawn(
        executable: &Path,
        id: usize,
        sender: Sender<(usize, Said)>,
    ) -> Result<Self> {
        let mut child = command(executable).spawn().context("cannot start a worker process")?;
        let input = child.stdin.take();
        let output = child.stdout.take().context("the worker has no output")?;
        thread::spawn(move || {
            for line in lines(output) {
                // Lines that are no reports are libraries talking.
                let Ok(report) = serde_json::from_str(&line) else { continue };
                if sender.send((id, Said::Report(Box::new(report)))).is_err() {
                    return;
                }
            }
            // Nobody listens when the study has ended; then there is nobody to tell.
            sender.send((id, Said::Gone)).ok();
        });
        let stderr = child.stderr.take().context("the worker has no standard error")?;
        let complaints = thread::spawn(move || {
            let mut last = VecDeque::new();
            for line in lines(stderr) {
                last.push_back(line);
                if last.len() > COMPLAINTS {
                    last.pop_front();
                }
            }
            last
        });
        Ok(Self { child, input, complaints: Some(complaints), run: None, device: None })
    }

    /// Whether it takes orders.
    pub(super) fn is_alive(&self) -> bool {
        self.input.is_some()
    }

    /// Whether it can be given a run.
    pub(super) fn is_idle(&self) -> bool {
        self.run.is_none() && self.is_alive()
    }

    pub(super) fn send(&mut self, order: &Order) -> Result<()> {
        let input = self.input.as_mut().context("the worker takes no orders any more")?;
        let line = serde_json::to_string(order)? + "\n";
        // If the worker is gone, its output says so, and that is where it is dealt with.
        input.write_all(line.as_bytes()).and_then(|()| input.flush()).ok();
        Ok(())
    }

    /// Notes that it ended while it had no run, so that it is not given another.
    pub(super) fn hear_idle(&mut self, said: &Said) {
        if matches!(said, Said::Gone) {
            self.retire();
        }
    }

    /// Gives it no more orders; it ends by itself.
    pub(super) fn retire(&mut self) {
        self.input = None;
    }

    /// Why a worker that ended, or that said what it should not have, is gone.
    pub(super) fn farewell(&mut self) -> Farewell {
        self.retire();
        let (how, killed) = match self.child.wait() {
            Ok(status) => {
                let killed = status.signal().is_some_and(|signal| FROM_OUTSIDE.contains(&signal));
                (format!("the worker process ended ({status})"), killed)
            }
            Err(error) => (format!("the worker process is lost ({error})"), false),
        };
        let last = self.complaints.take().and_then(|reader| reader.join().ok());
        let message = match last.filter(|lines| !lines.is_empty()) {
            Some(lines) => format!("{how}: {}", Vec::from(lines).join(" | ")),
            None => how,
        };
        Farewell { message, killed }
    }
}

impl Drop for Worker {
    /// The end of its input tells a worker to stop; then it is waited for.
    fn drop(&mut self) {
        self.retire();
        self.child.wait().ok();
    }
}

fn command(executable: &Path) -> Command {
    let mut command = Command::new(executable);
    command
        .arg("worker")
        // A terminal's Ctrl-C goes to the study alone, which tells its workers to stop. A worker
        // must not even catch a signal: oneDNN's LSTM does not survive a handler that runs on its
        // stack (libtorch 2.11.0, AVX-512: the heap is corrupt after 2 to 13 signals in training).
        .process_group(0)
        // cuBLAS is deterministic with a fixed workspace only.
        .env("CUBLAS_WORKSPACE_CONFIG", ":4096:2")
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
