//! Claims and publishing under kills and pauses: many jobs of milliseconds, several processes that are
//! killed, stopped and started again.

#[cfg(test)]
mod tests {
    use crate::files::listed;
    use crate::study::cluster::claims::{Claims, is_listed, publish};
    use crate::study::cluster::members::{Member, Presence, Watch, members};
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    use std::fs;
    use std::io::Write;
    use std::path::{Path, PathBuf};
    use std::process::{Child, Command, Stdio};
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    const JOBS: usize = 300;
    const LINES: usize = 8;
    const BEAT: Duration = Duration::from_millis(25);
    const FOLDER: &str = "BATCHSCOPE_TEST_CAMPAIGN";

    fn line(job: usize, at: usize) -> String {
        format!("{}\n", blake3::hash(format!("{job} {at}").as_bytes()).to_hex())
    }

    fn whole(job: usize) -> String {
        (0..LINES).map(|at| line(job, at)).collect()
    }

    /// Takes over the most whole lines that an earlier attempt has.
    fn take_over(attempts: &Path, name: &str) -> String {
        let of_job = |found: &String| found.rsplit_once('.').is_some_and(|(of, _)| of == name);
        let earlier = listed(attempts).unwrap().into_iter().filter(of_job);
        let texts =
            earlier.filter_map(|name| fs::read_to_string(attempts.join(name).join("log")).ok());
        let texts = texts.map(|text| text[..text.rfind('\n').map_or(0, |end| end + 1)].to_owned());
        texts.max_by_key(String::len).unwrap_or_default()
    }

    /// One job, from its claim on.
    fn attempt(folder: &Path, job: usize, generation: u32) {
        let attempts = folder.join("attempts");
        let name = format!("job@{job}");
        let mine = attempts.join(format!("{name}.{generation:04}"));
        let earlier = take_over(&attempts, &name);
        fs::create_dir_all(&mine).unwrap();
        let mut log = fs::File::create(mine.join("log")).unwrap();
        log.write_all(earlier.as_bytes()).unwrap();
        for at in earlier.lines().count()..LINES {
            log.write_all(line(job, at).as_bytes()).unwrap();
            sleep(Duration::from_millis(1));
        }
        publish(&mine, &folder.join("done").join(&name)).unwrap();
    }

    /// What a child process does.
    #[test]
    #[ignore = "a part of `kills_and_pauses_lose_no_job_and_do_none_twice`, which starts it"]
    #[expect(
        clippy::disallowed_methods,
        reason = "a test tells the process that it starts its folder"
    )]
    fn worker() {
        let Ok(folder) = std::env::var(FOLDER) else { return };
        let folder = PathBuf::from(folder);
        let workers = folder.join("workers");
        let member = Member::new("here".into(), None, "cpu".into(), BEAT);
        let claims = Claims::new(&folder.join("claims"), &member.id);
        let _presence = Presence::begin(&workers, member).unwrap();
        let mut watch = Watch::default();
        let mut left: Vec<usize> = (0..JOBS).collect();
        while !left.is_empty() {
            watch.look(&members(&workers).unwrap(), Instant::now());
            let done = listed(&folder.join("done")).unwrap();
            left.retain(|job| !done.contains(&format!("job@{job}")));
            for job in left.clone() {
                let name = format!("job@{job}");
                let newest = claims.newest(&name).unwrap();
                let free = newest.as_ref().is_none_or(|claim| {
                    claim.worker.as_ref().is_none_or(|worker| watch.is_dead(worker, BEAT))
                });
                let generation = newest.map_or(1, |claim| claim.generation + 1);
                if free && claims.put(&name, generation).unwrap() {
                    if !is_listed(&folder.join("done").join(&name)).unwrap() {
                        attempt(&folder, job, generation);
                    }
                    break;
                }
            }
            sleep(Duration::from_millis(1));
        }
    }

    fn start(folder: &Path) -> Child {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let name = concat!(module_path!(), "::worker").split_once("::").unwrap().1;
        command.args(["--exact", name, "--ignored", "--quiet"]).env(FOLDER, folder);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    #[test]
    fn kills_and_pauses_lose_no_job_and_do_none_twice() {
        let folder = tempfile::tempdir().unwrap();
        let mut children: Vec<Child> = (0..4).map(|_| start(folder.path())).collect();
        let begun = Instant::now();
        let done = || listed(&folder.path().join("done")).unwrap().len();
        let (mut blows, mut kills) = (0u64, 0);
        while done() < JOBS {
            assert!(begun.elapsed() < Duration::from_secs(300), "{} of {JOBS} are done", done());
            let child = &mut children[blows as usize % 4];
            let pid = Pid::from_raw(child.id().try_into().unwrap());
            blows += 1;
            // One of three is killed, two are stopped: for longer than it takes to be thought dead.
            match blows % 3 {
                0 => {
                    child.kill().unwrap();
                    child.wait().unwrap();
                    *child = start(folder.path());
                    kills += 1;
                }
                _ => {
                    kill(pid, Signal::SIGSTOP).ok();
                    sleep(BEAT * 4);
                    kill(pid, Signal::SIGCONT).ok();
                }
            }
            sleep(Duration::from_millis(15));
        }
        for child in &mut children {
            child.wait().unwrap();
        }
        assert!(kills > 3, "{kills} kills in {blows} blows");
        for job in 0..JOBS {
            let text =
                fs::read_to_string(folder.path().join(format!("done/job@{job}/log"))).unwrap();
            assert_eq!(text, whole(job), "job {job}");
        }
        assert_eq!(done(), JOBS);
    }
}
