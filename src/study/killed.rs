//! Whether Linux killed a process because memory ran out, and how much there was.

use crate::format::bytes;
use crate::kernels::is_about_memory;
use std::fs;
use std::path::{Path, PathBuf};

/// Where Linux tells of the memory of this process's job.
#[derive(Debug)]
pub(super) struct Memory {
    root: PathBuf,
    /// Processes that were killed for want of memory so far; `None` where that is not told.
    killed: Option<u64>,
}

/// Why a process was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Killed {
    /// Memory ran out; the limit of the job in bytes, if it has one.
    ForMemory(Option<u64>),
    /// By a person or a scheduler.
    BySomebody,
    /// Linux does not say.
    Unknown,
}

impl Memory {
    /// From here on kills are counted.
    pub(super) fn watch() -> Self {
        Self::watch_in(Path::new("/"))
    }

    fn watch_in(root: &Path) -> Self {
        Self { root: root.to_owned(), killed: kills(root) }
    }

    /// Why a process of this job was killed just now.
    pub(super) fn why_killed(&mut self) -> Killed {
        let before = self.killed;
        self.killed = kills(&self.root);
        match (before, self.killed) {
            (Some(before), Some(now)) if now > before => Killed::ForMemory(limit(&self.root)),
            (Some(_), Some(_)) => Killed::BySomebody,
            _ => Killed::Unknown,
        }
    }
}

/// Kills for want of memory in the job, or on the machine where the job is not told apart.
fn kills(root: &Path) -> Option<u64> {
    let of_group = |file: PathBuf| counter(&file, "oom_kill");
    let [new, old] = groups(root);
    new.and_then(|folder| of_group(folder.join("memory.events")))
        .or_else(|| old.and_then(|folder| of_group(folder.join("memory.oom_control"))))
        .or_else(|| counter(&root.join("proc/vmstat"), "oom_kill"))
}

/// The smallest limit of the job's control group and of those that it lies in.
pub(super) fn limit(root: &Path) -> Option<u64> {
    let [new, old] = groups(root);
    let limits = |folder: PathBuf, name: &str| -> Option<u64> {
        let read = |folder: &Path| -> Option<u64> {
            fs::read_to_string(folder.join(name)).ok()?.trim().parse().ok()
        };
        // Without a limit there is `max`, or a number beyond any memory.
        folder.ancestors().filter_map(read).filter(|bytes| *bytes < 1 << 60).min()
    };
    let new = new.and_then(|folder| limits(folder, "memory.max"));
    new.or_else(|| old.and_then(|folder| limits(folder, "memory.limit_in_bytes")))
}

/// The folders of this process's control group, of version 2 and of version 1.
fn groups(root: &Path) -> [Option<PathBuf>; 2] {
    let text = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let folder = |mount: &str, is_it: fn(&str) -> bool| {
        text.lines().find_map(|line| {
            let (_, rest) = line.split_once(':')?;
            let (controllers, path) = rest.split_once(':')?;
            let mount = root.join(mount);
            let own = mount.join(path.trim_start_matches('/'));
            // Within a container the path may be that of the machine.
            is_it(controllers).then_some(if own.is_dir() { own } else { mount })
        })
    };
    [
        folder("sys/fs/cgroup", str::is_empty),
        folder("sys/fs/cgroup/memory", |names| names.split(',').any(|name| name == "memory")),
    ]
}

/// The value in a line `name value`.
fn counter(file: &Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let values = text.lines().filter_map(|line| line.split_once(' '));
    let mut values = values.filter(|(found, _)| *found == name);
    values.next()?.1.trim().parse().ok()
}

/// How a worker ended, and what to do when it was killed.
pub(super) fn said_of(how: &str, why: Option<Killed>) -> String {
    match why {
        None => how.to_owned(),
        Some(why) => format!("{}; {}", how_killed(how, why), what_to_do(why)),
    }
}

/// The message of a failure without the calls that libraries name after it, and what to do where memory
/// did not suffice.
pub(super) fn in_short(message: &str) -> String {
    let is_call = |line: &str| {
        let line = line.trim_start();
        line.starts_with("frame #") || line.starts_with("Exception raised from")
    };
    let said: Vec<&str> = message.lines().filter(|line| !is_call(line)).map(str::trim).collect();
    let said = said.join(" ").trim().to_owned();
    match is_about_memory(&said) {
        true => format!("{said}; {}", what_to_do(Killed::ForMemory(None))),
        false => said,
    }
}

pub(super) fn how_killed(how: &str, why: Killed) -> String {
    match why {
        Killed::ForMemory(None) => format!("{how}: Linux killed it because memory ran out"),
        Killed::ForMemory(Some(limit)) => format!(
            "{how}: Linux killed it because memory ran out: this job may use {}",
            bytes(limit)
        ),
        Killed::BySomebody => format!("{how}: somebody killed it, and memory had not run out"),
        Killed::Unknown => {
            format!("{how}: somebody killed it, or Linux did because memory ran out")
        }
    }
}

/// So that the same does not come again.
pub(super) fn what_to_do(why: Killed) -> &'static str {
    match why {
        Killed::ForMemory(_) => {
            "the same command may end the same way: train one run at a time (`--workers 1`), give the \
             job more memory, or compute parts of each batch (`train.micro_batch`, in a study of \
             another name)"
        }
        Killed::BySomebody => "the same command goes on with it",
        Killed::Unknown => {
            "the same command goes on with it; if memory ran out, train one run at a time \
             (`--workers 1`) or compute parts of each batch (`train.micro_batch`, in a study of \
             another name)"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        files.iter().for_each(|(name, text)| write(root.path(), name, text));
        root
    }

    fn write(root: &Path, name: &str, text: &str) {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn a_failure_for_want_of_memory_says_what_to_do_and_names_no_calls() {
        let torch = "Internal torch error: DefaultCPUAllocator: can't allocate memory: you tried to \
                     allocate 8 bytes.\nException raised from alloc_cpu at alloc.cpp:1\n\
                     frame #0: c10::alloc_cpu(unsigned long) + 0x365 (0x7f in libc10.so)\n";
        let said = in_short(torch);
        assert!(
            said.contains("allocate 8 bytes.; the same command may end the same way"),
            "{said}"
        );
        assert!(said.contains("`train.micro_batch`") && !said.contains("frame #"), "{said}");
        let rust =
            in_short("the worker process ended: memory allocation of 200000000 bytes failed");
        assert!(rust.contains("`--workers 1`"), "{rust}");
        assert_eq!(in_short("the size of tensor a must match"), "the size of tensor a must match");
    }

    const EVENTS: &str = "sys/fs/cgroup/job/step/memory.events";

    #[test]
    fn a_control_group_tells_a_kill_for_memory_from_another() {
        let root = machine(&[
            ("proc/self/cgroup", "0::/job/step\n"),
            (EVENTS, "low 0\nmax 12\noom 0\noom_kill 0\noom_group_kill 0\n"),
            ("sys/fs/cgroup/job/step/memory.max", "max\n"),
            ("sys/fs/cgroup/job/memory.max", "2000000000\n"),
        ]);
        let mut memory = Memory::watch_in(root.path());
        assert_eq!(memory.why_killed(), Killed::BySomebody);
        write(root.path(), EVENTS, "oom 1\noom_kill 1\n");
        assert_eq!(memory.why_killed(), Killed::ForMemory(Some(2_000_000_000)));
        assert_eq!(memory.why_killed(), Killed::BySomebody, "each kill is told of once");
    }

    #[test]
    fn old_control_groups_and_machines_without_any_tell_too() {
        let root = machine(&[
            ("proc/self/cgroup", "5:cpu:/a\n4:memory:/job\n"),
            ("sys/fs/cgroup/memory/job/memory.oom_control", "under_oom 0\noom_kill 3\n"),
            ("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "9223372036854771712\n"),
        ]);
        let mut memory = Memory::watch_in(root.path());
        write(root.path(), "sys/fs/cgroup/memory/job/memory.oom_control", "oom_kill 4\n");
        assert_eq!(memory.why_killed(), Killed::ForMemory(None));

        let root = machine(&[("proc/vmstat", "nr_free 1\noom_kill 7\n")]);
        let mut memory = Memory::watch_in(root.path());
        assert_eq!(memory.why_killed(), Killed::BySomebody);
        let root = machine(&[]);
        assert_eq!(Memory::watch_in(root.path()).why_killed(), Killed::Unknown);
    }
}
