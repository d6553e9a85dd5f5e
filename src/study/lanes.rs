//! A worker process: hears orders on its input, has its lanes obey them, and reports on its output.
//!
//! A lane is a thread that does one thing at a time. On the processor, and with libtorch, a worker has one
//! lane. With the engine `fused` one run leaves most of a GPU idle, so a worker has a lane for each of the
//! runs that share the GPU. Each run has memory and a stream of its own there: nothing of what it computes
//! depends on its neighbours.

use super::control::RunControl;
use super::protocol::{MachineInfo, Order, Report, RunEnd};
use super::worker::obey;
use crate::kernels::{self, CudaDevice, cuda_devices, libtorch_version, signals};
use anyhow::{Result, anyhow};
use std::any::Any;
use std::io::{BufRead, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// Serves orders until the input ends. Signals that end a job are ignored: the study hears them too, and
/// says what is to be done.
pub fn serve(
    input: impl BufRead + Send + 'static,
    output: impl Write + Send + 'static,
) -> Result<()> {
    signals::ignore_stops()?;
    let (machine, gpus) = machine_info()?;
    let worker = Worker { output: Arc::new(Mutex::new(Box::new(output))), gpus: gpus.into() };
    worker.tell(0, &Report::MachineInfo(machine))?;
    // Lane 0 is this thread, which started libtorch.
    let (first, orders) = Lane::new();
    let control = Arc::clone(&first.control);
    let others = worker.clone();
    let listener = thread::spawn(move || listen(input, first, &others));
    let done = worker.work(0, &orders, &control);
    done.and_then(|()| listener.join().map_err(|_| anyhow!("the orders cannot be heard"))?)
}

/// What this machine has, and its GPUs by whichever of the two engines can use them.
fn machine_info() -> Result<(MachineInfo, Vec<CudaDevice>)> {
    let cuda_trouble = kernels::start_libtorch()?;
    let (libtorch, cuda) = (libtorch_version(), cuda_devices()?);
    let (gpus, gpu_trouble) = match kernels::driver_devices() {
        Ok(gpus) => (gpus, None),
        Err(error) => (Vec::new(), Some(format!("{error:#}"))),
    };
    let seen = if cuda.is_empty() { gpus.clone() } else { cuda.clone() };
    Ok((MachineInfo { libtorch, cuda, cuda_trouble, gpus, gpu_trouble }, seen))
}

/// Reads orders while lanes are at work, so that a stop, or the end of the input because the study is
/// gone, is heard there. Ends when all lanes but the first have ended.
fn listen(input: impl BufRead, first: Lane, worker: &Worker) -> Result<()> {
    let mut lanes = vec![first];
    let mut threads = Vec::new();
    for line in input.lines().map_while(Result::ok) {
        let Ok((number, order)) = serde_json::from_str::<(usize, Order)>(&line) else { break };
        // Lanes are opened one after the other.
        if number == lanes.len() {
            let (lane, thread) = worker.open(number);
            lanes.push(lane);
            threads.push(thread);
        }
        if lanes.get(number).is_none_or(|lane| lane.give(order).is_err()) {
            break;
        }
    }
    lanes.iter().for_each(|lane| lane.control.stop.store(true, Ordering::Relaxed));
    drop(lanes);
    threads.into_iter().try_for_each(|thread| {
        thread.join().map_err(|_| anyhow!("a lane of the worker ended early"))?
    })
}

/// A lane, for who gives it orders.
struct Lane {
    control: Arc<RunControl>,
    orders: Sender<Order>,
}

impl Lane {
    fn new() -> (Self, Receiver<Order>) {
        let (orders, received) = channel();
        (Self { control: Arc::default(), orders }, received)
    }

    /// Gives it an order. What concerns the run in training it hears at once.
    fn give(&self, order: Order) -> Result<()> {
        let RunControl { stop, threads } = &*self.control;
        match &order {
            Order::Stop => stop.store(true, Ordering::Relaxed),
            Order::Train(task) => threads.store(task.place.threads, Ordering::Relaxed),
            Order::Threads(count) => threads.store(*count, Ordering::Relaxed),
            Order::Time(_) | Order::Measure(..) => {}
        }
        Ok(self.orders.send(order)?)
    }
}

/// What all lanes of a worker have.
#[derive(Clone)]
struct Worker {
    output: Arc<Mutex<Box<dyn Write + Send>>>,
    gpus: Arc<[CudaDevice]>,
}

impl Worker {
    fn tell(&self, lane: usize, report: &Report) -> Result<()> {
        let line = serde_json::to_string(&(lane, report))? + "\n";
        let mut output = self.output.lock().map_err(|_| anyhow!("a lane ended while it wrote"))?;
        output.write_all(line.as_bytes())?;
        Ok(output.flush()?)
    }

    /// Does what a lane is told until nobody can tell it anything more.
    fn work(&self, lane: usize, orders: &Receiver<Order>, control: &RunControl) -> Result<()> {
        let mut tell = |report| self.tell(lane, &report);
        orders.iter().try_for_each(|order| obey(order, control, &self.gpus, &mut tell))
    }

    /// Opens one more lane.
    fn open(&self, number: usize) -> (Lane, JoinHandle<Result<()>>) {
        let (lane, orders) = Lane::new();
        let (control, worker) = (Arc::clone(&lane.control), self.clone());
        let thread = thread::spawn(move || {
            let work = || worker.work(number, &orders, &control);
            // Nobody else would tell of this lane's run; its neighbours go on.
            catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|fault| {
                let message = format!("a fault of the program: {}", what_was_said(&*fault));
                worker.tell(number, &Report::Ended(RunEnd::Failed { message }))
            })
        });
        (lane, thread)
    }
}

/// The words of a panic.
fn what_was_said(fault: &(dyn Any + Send)) -> &str {
    let text = fault.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| fault.downcast_ref::<&str>().copied()).unwrap_or("it says nothing of itself")
}
