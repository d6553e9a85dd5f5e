//! A folder of its own for each test, small data, and the program as a user runs it.

use nix::errno::Errno;
use nix::sys::signal::{SigHandler, Signal, kill, killpg, signal};
use nix::unistd::Pid;
use npyz::WriterBuilder;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A temporary folder with a table of 120 short texts in it.
pub(crate) struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let scene = Self { folder: tempfile::tempdir().unwrap() };
        fs::write(scene.path("reviews.csv"), table()).unwrap();
        scene
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The program in this folder, with these arguments.
    pub(crate) fn batchscope(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_batchscope"));
        command.current_dir(self.folder.path()).args(arguments);
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        Ended::from(self.batchscope(arguments).output().unwrap())
    }

    /// As [`Scene::run`], where no file may grow beyond so many kB: to the program as a disk that is full.
    pub(crate) fn run_within(&self, kilobytes: u32, arguments: &[&str]) -> Ended {
        let mut shell = Command::new("bash");
        shell.args(["-c", "ulimit -f \"$1\"; shift; exec \"$@\"", "bash", &kilobytes.to_string()]);
        shell.arg(env!("CARGO_BIN_EXE_batchscope")).args(arguments);
        Ended::from(shell.current_dir(self.folder.path()).output().unwrap())
    }

    /// As [`Scene::run`], where the modes of files count for root too.
    pub(crate) fn run_without_override(&self, arguments: &[&str]) -> Ended {
        let mut command = self.batchscope(arguments);
        // Safety: nothing is allocated between fork and exec. The program gets no capability that is
        // dropped here; for other users the calls fail, and modes count anyway.
        unsafe {
            command.pre_exec(|| {
                const DAC_OVERRIDE: libc::c_ulong = 1;
                const DAC_READ_SEARCH: libc::c_ulong = 2;
                for capability in [DAC_OVERRIDE, DAC_READ_SEARCH] {
                    libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0);
                }
                Ok(())
            });
        }
        Ended::from(command.output().unwrap())
    }

    /// Starts the program and leaves it alone.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.batchscope(arguments);
        // Safety: a signal's default is set, and nothing else, between fork and exec.
        unsafe {
            // Under `nohup` the tests ignore it, and what they start would too.
            command.pre_exec(|| Ok(signal(Signal::SIGHUP, SigHandler::SigDfl).map(drop)?));
        }
        // A process group of its own, as a shell gives each command of a terminal.
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).spawn().unwrap()
    }
}

/// What a finished program said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Ended {
    /// Panics with everything the program said unless it ended with this code.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

/// A study of two arms and two seeds on the table of the scene.
pub(crate) const STUDY: &str = "\
study:
  name: tiny
  seeds: 2
  arms:
    - { name: small, batch_size: 8 }
    - { name: large, batch_size: 32, schedule: { exponential: { gamma: 0.9 } } }
data:
  table: { path: reviews.csv }
  text: { max_tokens: 100, length: 12 }
model:
  embedding: { dim: 6 }
  lstm: { units: 5 }
train:
  epochs: 3
  device: cpu
";

/// Texts whose label can be learned: a good and a bad word among others, of different lengths.
fn table() -> String {
    let fillers = ["plot", "actor", "scene", "music", "story", "it", "was", "the", "long", "film"];
    let mut text = String::from("text,label\n");
    for row in 0..120usize {
        let positive = row % 2 == 0;
        let mut words: Vec<&str> =
            (0..1 + row * 7 % 15).map(|at| fillers[(row * 3 + at * at) % 10]).collect();
        words.insert(row % words.len(), if positive { "splendid" } else { "dreadful" });
        text += &format!("\"{} {row}\",{}\n", words.join(" "), u8::from(positive));
    }
    text
}

/// Waits until something holds; panics after five minutes.
#[track_caller]
pub(crate) fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(300), "waited five minutes for: {what}");
        sleep(Duration::from_millis(1));
    }
}

/// Waits until something holds of a program at work, or until that has ended.
#[track_caller]
pub(crate) fn wait_for(program: &Child, what: &str, holds: impl Fn() -> bool) {
    wait_until(what, || holds() || has_ended(program.id()));
}

/// Whether a process is gone, or waits for its parent to ask how it ended.
pub(crate) fn has_ended(process: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/status"));
    status.map_or(true, |text| text.contains("State:\tZ"))
}

/// The first run of [`STUDY`].
pub(crate) const FIRST_RUN: &str = "small/seed-0";

/// Starts a study and deals it a blow in the middle of its first run, after six epochs. A blow that
/// came too late hit nothing: then all is begun again with four times the epochs, which stand in the
/// text as `EPOCHS`. Gives them, and how the study ended.
pub(crate) fn disturb(
    scene: &Scene,
    text: &str,
    study: &str,
    blow: impl Fn(&Child),
) -> (usize, Ended) {
    let run = scene.path(study).join(FIRST_RUN);
    for epochs in [40, 160, 640, 2560] {
        scene.write("tiny.yaml", &text.replace("EPOCHS", &epochs.to_string()));
        let program = scene.start(&["run", "tiny.yaml", "--workers", "1", "--out", study]);
        wait_for(&program, "six epochs", || line_count(&run.join("metrics.jsonl")) >= 6);
        blow(&program);
        let ended = Ended::from(program.wait_with_output().unwrap());
        if !scene.read(&format!("{study}/{FIRST_RUN}/record.json")).contains("\"finished\"") {
            return (epochs, ended);
        }
        fs::remove_dir_all(scene.path(study)).unwrap();
    }
    panic!("{FIRST_RUN} is too fast to be disturbed");
}

/// The lines of a log so far.
pub(crate) fn line_count(path: &Path) -> usize {
    fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

/// The processes that a study has started.
pub(crate) fn children(study: &Child) -> Vec<u32> {
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let id: u32 = entry.unwrap().file_name().to_str()?.parse().ok()?;
        // `id (name) state parent ...`; the process may be gone by now.
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        let parent = stat.rsplit(')').next()?.split_whitespace().nth(1)?;
        (parent == study.id().to_string()).then_some(id)
    });
    processes.collect()
}

/// As [`children`], of a study that has one worker at a time and has not ended.
#[track_caller]
pub(crate) fn workers(study: &Child) -> Vec<u32> {
    let workers = children(study);
    assert!(workers.len() == 1 || has_ended(study.id()), "{workers:?}");
    workers
}

/// Sends a signal to a process, if there is still one.
pub(crate) fn send(signal: Signal, process: u32) {
    match kill(id(process), signal) {
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(error) => panic!("{signal} to {process}: {error}"),
    }
}

/// Ctrl-C, as a terminal sends it: to every process of the program's group.
pub(crate) fn interrupt(program: &Child) {
    killpg(id(program.id()), Signal::SIGINT).unwrap();
}

fn id(process: u32) -> Pid {
    Pid::from_raw(process.try_into().unwrap())
}

/// The checkout's Python, which has TensorBoard; the system's where libtorch came from elsewhere.
pub(crate) fn python() -> Command {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
    Command::new(if own.exists() { own } else { "python3".into() })
}

/// An array as numpy saves it.
pub(crate) fn npy<T: npyz::AutoSerialize + Clone>(dims: &[u64], values: &[T]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let options = npyz::WriteOptions::new().default_dtype().shape(dims);
    let mut writer = options.writer(&mut bytes).begin_nd().unwrap();
    writer.extend(values.iter().cloned()).unwrap();
    writer.finish().unwrap();
    bytes
}
