//! Damaged and hostile input, made by changing good files: no reader panics, hangs, or takes memory out of
//! proportion. `scripts/test` tries some hundred inputs with fixed seeds, in seconds; `scripts/fuzz` goes on for
//! as long as it is told.
//!
//! Each input lies in a folder of its own before it is read, so that one that kills the process is there
//! afterwards.

// Good files, one for each reader, and who reads them.
mod corpus;
// How a file is damaged.
mod mutate;

use corpus::{Scene, Target};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Seconds that an input of some kilobytes may take, on a busy machine.
const TOO_LONG: u64 = 20;
/// Memory that an input of some kilobytes may take beyond what was taken before.
const TOO_MUCH: u64 = 400 << 20;

/// What went wrong with an input, in words.
type Fault = String;

/// Tries inputs of one target with seeds one after the other until a moment, or their number.
fn try_inputs(
    target: &Target,
    scene: &mut Scene,
    seeds: std::ops::Range<u64>,
    until: Instant,
) -> Result<u64, Fault> {
    let mut tried = 0;
    for seed in seeds {
        if Instant::now() > until {
            break;
        }
        scene.lay(target, seed);
        reset_peak();
        let before = memory("VmRSS:");
        let alarm = Alarm::set(target.name, seed, scene.path());
        let read = catch_unwind(AssertUnwindSafe(|| (target.read)(scene)));
        drop(alarm);
        let fault = |what: String| format!("{}, seed {seed}: {what}", target.name);
        if let Err(panic) = read {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            return Err(fault(format!("it panics: {}", text.unwrap_or("without a text"))));
        }
        let taken = memory("VmHWM:").saturating_sub(before);
        if taken > TOO_MUCH {
            return Err(fault(format!("it takes {} MB", taken >> 20)));
        }
        tried += 1;
    }
    Ok(tried)
}

/// Ends the process with the input's place when a reader does not come back.
struct Alarm(Arc<AtomicU64>);

impl Alarm {
    #[expect(clippy::print_stderr, reason = "nobody else can say it: the process ends")]
    fn set(target: &'static str, seed: u64, folder: &Path) -> Self {
        let left = Arc::new(AtomicU64::new(TOO_LONG * 20));
        let (watched, folder) = (Arc::clone(&left), folder.to_owned());
        thread::spawn(move || {
            loop {
                thread::sleep(Duration::from_millis(50));
                match watched.load(Ordering::Relaxed) {
                    0 => return,
                    1 => {
                        eprintln!(
                            "fuzz: {target}, seed {seed}: it hangs; see {}",
                            folder.display()
                        );
                        std::process::abort();
                    }
                    more => watched.store(more - 1, Ordering::Relaxed),
                }
            }
        });
        Self(left)
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// A line of /proc/self/status in bytes.
fn memory(line: &str) -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = text.lines().find_map(|text| text.strip_prefix(line));
    found.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// The peak of memory counts anew from here.
fn reset_peak() {
    fs::write("/proc/self/clear_refs", "5").ok();
}

/// Panics of readers are judged here, and need not be printed by the thousand.
fn quietly<T>(work: impl FnOnce() -> T) -> T {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    let result = work();
    std::panic::set_hook(hook);
    result
}

fn folder(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/fuzz");
    root.join(format!("{name}-{}", std::process::id()))
}

#[test]
fn damaged_files_are_refused_or_read_and_never_panic() {
    let folder = folder("test");
    let far = Instant::now() + Duration::from_secs(600);
    let mut scene = Scene::new(&folder);
    for target in corpus::TARGETS {
        // The good file first: a reader that refuses it would make the rest a test of nothing.
        scene.lay_good(target);
        let read = (target.read)(&scene);
        assert!(read.is_ok(), "{}: {:#}", target.name, read.unwrap_err());
        let tried = quietly(|| try_inputs(target, &mut scene, 0..target.quick, far));
        assert_eq!(tried, Ok(target.quick));
    }
    fs::remove_dir_all(&folder).unwrap();
}

/// `scripts/fuzz` starts this with FUZZ_SEED and FUZZ_SECONDS.
#[test]
#[ignore = "runs for minutes: scripts/fuzz"]
#[expect(
    clippy::disallowed_methods,
    reason = "scripts/fuzz says in variables how long, and where to begin"
)]
fn for_as_long_as_it_is_told() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let only = std::env::var("FUZZ_ONLY").unwrap_or_default();
    let seconds = number("FUZZ_SECONDS").unwrap_or(60);
    let first = number("FUZZ_SEED").unwrap_or(0);
    let end = Instant::now() + Duration::from_secs(seconds);
    let folder = folder("long");
    let mut scene = Scene::new(&folder);
    let mut tried = vec![0; corpus::TARGETS.len()];
    let mut seed = first;
    while Instant::now() < end {
        for (target, tried) in corpus::TARGETS.iter().zip(&mut tried) {
            if !only.is_empty() && target.name != only {
                continue;
            }
            let found = quietly(|| try_inputs(target, &mut scene, seed..seed + 100, end));
            *tried += found.unwrap_or_else(|fault| {
                panic!("{fault}\nthe input is in {}", scene.path().display())
            });
        }
        seed += 100;
    }
    for (target, tried) in corpus::TARGETS.iter().zip(tried) {
        println!("fuzz: {}: {tried} inputs", target.name);
    }
    fs::remove_dir_all(&folder).unwrap();
}
