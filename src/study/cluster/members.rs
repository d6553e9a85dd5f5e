//! Which workers of a study are alive.
//!
//! Each worker rewrites a file `workers/ID.json` every 30 seconds, with a counter in it. A reader judges by the
//! counter and its own clock: it never uses a time that another machine wrote.

use crate::files::{self, listed};
use crate::study::record::wall_clock;
use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How far a worker is with one of its runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// As `Run::id` gives it.
    pub run: String,
    /// Whole epochs so far, also where they are not saved in the study's folder yet.
    #[serde(default)]
    pub epochs: u64,
    /// Training rows seen so far.
    pub examples: u64,
    /// Training rows that its budget allows.
    pub all_examples: u64,
    /// Training rows a second, as it last said.
    pub examples_per_second: f64,
    /// Until its budget is spent, with what is measured and written.
    pub seconds_left: f64,
}

/// What a worker says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// 128 random bits.
    pub id: String,
    /// The name of its machine.
    pub host: String,
    /// The number of its process there.
    pub process: u32,
    /// The scheduler's name of its job, such as `slurm 26_3`.
    pub job: Option<String>,
    /// Where it trains: `cpu`, or the names of its GPUs.
    pub device: String,
    /// Whether it is a `batchscope run`, which has the study for itself.
    pub alone: bool,
    /// Grows as long as it lives.
    pub counter: u64,
    /// How often the counter grows.
    pub beat_seconds: f64,
    /// When it began, in seconds since 1970 by its own clock.
    pub began: f64,
    /// When it wrote this, by its own clock: for people, who may compare it; no worker does.
    pub seen: f64,
    /// The runs that it trains.
    pub runs: Vec<String>,
    /// How far it is with them; empty for those of which it has heard nothing yet.
    #[serde(default)]
    pub progress: Vec<Standing>,
    /// How many runs it brought to an end.
    pub ended_runs: u64,
    /// Whether it has ended, and said so.
    pub ended: bool,
}

impl Member {
    /// A worker that begins now.
    pub fn new(host: String, job: Option<String>, device: String, beat: Duration) -> Self {
        let now = wall_clock();
        Self {
            id: format!("{:032x}", rand::random::<u128>()),
            host,
            process: std::process::id(),
            job,
            device,
            alone: false,
            counter: 0,
            beat_seconds: beat.as_secs_f64(),
            began: now,
            seen: now,
            runs: Vec::new(),
            progress: Vec::new(),
            ended_runs: 0,
            ended: false,
        }
    }
}

fn file(workers: &Path, id: &str) -> PathBuf {
    workers.join(format!("{id}.json"))
}

/// All workers that a study had. One whose file cannot be read just now is left out.
pub(in crate::study) fn members(workers: &Path) -> Result<BTreeMap<String, Member>> {
    let names = listed(workers)?;
    let ids = names.iter().filter_map(|name| name.strip_suffix(".json"));
    let read = |id: &str| files::read_json::<Member>(&file(workers, id)).ok().flatten();
    Ok(ids.filter_map(|id| Some((id.to_owned(), read(id)?))).collect())
}

/// How many beats of silence mean that a worker is dead.
pub(super) const SILENT_BEATS: u32 = 3;

/// How long others wait to see which runs a worker began: it may begin more in that time.
const SOON: Duration = Duration::from_secs(2);

/// Says that this worker lives, until it is dropped.
#[derive(Debug)]
pub(in crate::study) struct Presence {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What a worker says of its runs goes through this, which may outlive it.
#[derive(Debug, Clone)]
pub(super) struct Voice(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    state: Mutex<Member>,
    /// Asks for a beat soon; its end ends the beats.
    soon: Mutex<Option<Sender<()>>>,
    /// Times in a row that it could not be written.
    failed: AtomicU32,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, Member> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn soon(&self) -> MutexGuard<'_, Option<Sender<()>>> {
        self.soon.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what it says of its runs.
    fn change(&self, change: impl FnOnce(&mut Member)) {
        let mut member = self.state();
        let before = member.runs.clone();
        change(&mut member);
        if member.runs != before
            && let Some(soon) = &*self.soon()
        {
            // The thread listens as long as `soon` is there.
            soon.send(()).ok();
        }
        let Member { runs, progress, .. } = &mut *member;
        progress.retain(|standing| runs.contains(&standing.run));
    }

    /// Writes what it says. The folder is there: one that was removed is not made again.
    fn write(&self) -> Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        if !files::is_there(folder)? {
            bail!("{} is gone", folder.display());
        }
        let member = {
            let mut member = self.state();
            member.counter += 1;
            member.seen = wall_clock();
            member.clone()
        };
        files::write_json(&self.path, &member)
    }

    /// The same from beat to beat: what fails once may work the next time.
    fn beat(&self) {
        match self.write() {
            Ok(()) => self.failed.store(0, Ordering::Relaxed),
            Err(_) => drop(self.failed.fetch_add(1, Ordering::Relaxed)),
        }
    }
}

impl Presence {
    /// From here on the worker is seen.
    pub(in crate::study) fn begin(workers: &Path, member: Member) -> Result<Self> {
        let beat = Duration::from_secs_f64(member.beat_seconds);
        let path = file(workers, &member.id);
        let state = Mutex::new(member);
        files::make_folder(workers)?;
        let (soon, asked) = channel::<()>();
        let soon = Mutex::new(Some(soon));
        let shared = Arc::new(Shared { path, state, soon, failed: AtomicU32::new(0) });
        shared.write()?;
        let of_thread = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            let mut next = Instant::now() + beat;
            loop {
                match asked.recv_timeout(next.saturating_duration_since(Instant::now())) {
                    Ok(()) => next = next.min(Instant::now() + SOON),
                    Err(RecvTimeoutError::Timeout) => {
                        of_thread.beat();
                        next = Instant::now() + beat;
                    }
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        });
        Ok(Self { shared, thread: Some(thread) })
    }

    /// What it says of itself.
    pub(in crate::study) fn member(&self) -> Member {
        self.shared.state().clone()
    }

    /// Changes what it says of its runs; seen within seconds.
    pub(in crate::study) fn set_runs(&self, runs: Vec<String>, ended_runs: u64) {
        self.shared.change(|member| (member.runs, member.ended_runs) = (runs, ended_runs));
    }

    /// For those that hear of its runs.
    pub(super) fn voice(&self) -> Voice {
        Voice(Arc::clone(&self.shared))
    }

    /// Whether it could not say that it lives for so long that others may soon take it for dead.
    pub(in crate::study) fn is_lost(&self) -> bool {
        self.shared.failed.load(Ordering::Relaxed) >= SILENT_BEATS - 1
    }
}

impl Voice {
    /// Says how far one of its runs is; seen from the next beat on.
    pub(super) fn set_standing(&self, standing: Standing) {
        let mut member = self.0.state();
        member.progress.retain(|old| old.run != standing.run);
        member.progress.push(standing);
    }

    /// A `batchscope run` claims nothing: what it trains is what begins.
    pub(super) fn begins(&self, run: String) {
        self.0.change(|member| {
            if member.alone {
                member.runs.push(run);
            }
        });
    }

    /// The same of what ends.
    pub(super) fn ends(&self, run: &str) {
        self.0.change(|member| {
            if member.alone {
                member.runs.retain(|of| of != run);
                member.ended_runs += 1;
            }
        });
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.shared.soon().take();
        self.thread.take().and_then(|thread| thread.join().ok());
        self.shared.state().ended = true;
        // Else it is found dead after a while.
        self.shared.write().ok();
    }
}

/// Judges which workers are dead, by how often this worker saw them unchanged.
#[derive(Debug, Default)]
pub(in crate::study) struct Watch {
    seen: BTreeMap<String, Seen>,
    last: Option<Instant>,
}

#[derive(Debug, Default)]
struct Seen {
    counter: Option<u64>,
    beat: Duration,
    silence: Duration,
    ended: bool,
}

impl Watch {
    /// Takes note of what the files say now. Of the time since it last looked no more than a beat counts as
    /// silence: this process may have been stopped itself.
    pub(in crate::study) fn look(&mut self, members: &BTreeMap<String, Member>, now: Instant) {
        let gap = self.last.map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
        self.last = Some(now);
        for id in members.keys() {
            self.seen.entry(id.clone()).or_default();
        }
        for (id, seen) in &mut self.seen {
            let member = members.get(id);
            if let Some(member) = member {
                seen.beat = Duration::from_secs_f64(member.beat_seconds.clamp(0.001, 3600.0));
                seen.ended = member.ended;
            }
            match member.map(|member| member.counter) {
                Some(counter) if seen.counter != Some(counter) => {
                    (seen.counter, seen.silence) = (Some(counter), Duration::ZERO);
                }
                _ => seen.silence += gap.min(seen.beat),
            }
        }
    }

    /// Whether a worker is dead. One of which there is no file is watched from now on.
    pub(in crate::study) fn is_dead(&mut self, id: &str, beat: Duration) -> bool {
        let new = || Seen { beat, ..Seen::default() };
        let seen = self.seen.entry(id.to_owned()).or_insert_with(new);
        seen.ended || seen.silence >= seen.beat * SILENT_BEATS
    }

    /// Whether a worker was seen, has not ended, and is not dead.
    pub(in crate::study) fn is_alive(&self, id: &str) -> bool {
        let alive = |seen: &Seen| !seen.ended && seen.silence < seen.beat * SILENT_BEATS;
        self.seen.get(id).is_some_and(alive)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEAT: Duration = Duration::from_secs(30);

    fn member(id: &str, counter: u64) -> (String, Member) {
        let member = Member::new("node1".into(), None, "cpu".into(), BEAT);
        (id.to_owned(), Member { id: id.into(), counter, ..member })
    }

    #[test]
    fn a_worker_is_dead_after_three_beats_without_a_change_or_when_it_says_so() {
        let (mut watch, start) = (Watch::default(), Instant::now());
        let mut all = BTreeMap::from([member("a", 1), member("b", 7)]);
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        for beat in 0..=3 {
            all.get_mut("b").unwrap().counter += 1;
            watch.look(&all, at(30 * beat));
            assert_eq!(watch.is_dead("a", BEAT), beat == 3, "{beat}");
            assert!(!watch.is_dead("b", BEAT) && watch.is_alive("b"));
        }
        all.get_mut("a").unwrap().counter += 1;
        watch.look(&all, at(91));
        assert!(!watch.is_dead("a", BEAT), "it came back");
        all.get_mut("b").unwrap().ended = true;
        watch.look(&all, at(92));
        assert!(watch.is_dead("b", BEAT));
    }

    #[test]
    fn who_was_stopped_itself_takes_nobody_for_dead() {
        let (mut watch, start) = (Watch::default(), Instant::now());
        let all = BTreeMap::from([member("a", 1)]);
        watch.look(&all, start);
        watch.look(&all, start + Duration::from_secs(100_000));
        assert!(!watch.is_dead("a", BEAT), "nobody looked meanwhile");
    }

    #[test]
    fn a_worker_without_a_file_is_dead_once_it_was_missed_for_three_beats() {
        let (mut watch, start) = (Watch::default(), Instant::now());
        watch.look(&BTreeMap::new(), start);
        assert!(!watch.is_dead("x", BEAT));
        for beat in 1..=3 {
            watch.look(&BTreeMap::new(), start + BEAT * beat);
        }
        assert!(watch.is_dead("x", BEAT));
    }

    #[test]
    fn a_presence_that_cannot_be_written_is_lost_and_makes_no_folder() {
        let folder = tempfile::tempdir().unwrap();
        let beat = Duration::from_millis(5);
        let workers = folder.path().join("workers");
        let member = Member::new("node1".into(), None, "cpu".into(), beat);
        let presence = Presence::begin(&workers, member).unwrap();
        std::fs::remove_dir_all(&workers).unwrap();
        let begun = Instant::now();
        while !presence.is_lost() {
            assert!(begun.elapsed() < Duration::from_secs(60));
            thread::sleep(beat);
        }
        drop(presence);
        assert!(!workers.exists());
    }

    #[test]
    fn a_presence_is_seen_to_live_and_to_end() {
        let folder = tempfile::tempdir().unwrap();
        let beat = Duration::from_millis(5);
        let member = Member::new("node1".into(), Some("slurm 1_2".into()), "cpu".into(), beat);
        let id = member.id.clone();
        let presence = Presence::begin(folder.path(), member).unwrap();
        let counter = || members(folder.path()).unwrap()[&id].counter;
        let before = counter();
        while counter() < before + 3 {
            thread::sleep(beat);
        }
        presence.set_runs(vec!["a/seed-0".into()], 1);
        assert!(!presence.is_lost() && !members(folder.path()).unwrap()[&id].ended);
        assert_eq!(presence.member().id, id);
        drop(presence);
        let found = &members(folder.path()).unwrap()[&id];
        assert!(found.ended && found.runs == ["a/seed-0"]);
    }

    #[test]
    fn runs_that_began_are_seen_long_before_the_next_beat() {
        let folder = tempfile::tempdir().unwrap();
        let beat = Duration::from_secs(3600);
        let member = Member::new("node1".into(), None, "cpu".into(), beat);
        let id = member.id.clone();
        let presence = Presence::begin(folder.path(), member).unwrap();
        let runs = ["a/seed-0", "a/seed-1"].map(String::from);
        for count in [1, 2] {
            presence.set_runs(runs[..count].to_vec(), 0);
        }
        let began = Instant::now();
        while members(folder.path()).unwrap()[&id].runs != runs {
            assert!(began.elapsed() < beat / 60, "nothing was said of them");
            thread::sleep(Duration::from_millis(20));
        }
    }
}
