//! Where in the list of jobs a worker begins: each at a place of its own, so that a hundred workers do not all
//! try to claim the first run.
//!
//! The list has the longest runs first, and they should begin first. So places are spread over as many jobs
//! as there may be workers at once, and over no more. Which run is trained when changes no result.

use crate::study::exec::Job;

/// The jobs in the order in which this worker tries them, while other workers train `others` runs.
pub(super) fn from_own_place<'j>(
    jobs: &'j [Job],
    worker: &str,
    others: usize,
) -> impl Iterator<Item = &'j Job> {
    let (near, far) = jobs.split_at(jobs.len().min(1 + 2 * others));
    let hash = blake3::hash(worker.as_bytes());
    let number =
        hash.as_bytes().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte));
    let place = number.checked_rem(near.len() as u64).unwrap_or(0) as usize;
    near[place..].iter().chain(&near[..place]).chain(far)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Source, Study};
    use crate::study::run::Run;
    use std::collections::BTreeSet;

    fn jobs(seeds: usize) -> Vec<Job> {
        let text = format!(
            "study: {{ seeds: {seeds}, arms: [{{ name: a, batch_size: 1 }}] }}\n\
             data: {{ arrays: {{ path: a.npz }} }}\n"
        );
        let source = Source { name: "f".into(), text, overrides: vec![] };
        Job::train(&Run::all(&Study::from_source(&source, "f").unwrap()))
    }

    fn order(jobs: &[Job], worker: &str, others: usize) -> Vec<u64> {
        from_own_place(jobs, worker, others).map(|job| job.run.seed).collect()
    }

    #[test]
    fn each_worker_tries_every_job_once_from_a_place_of_its_own() {
        let jobs = jobs(500);
        let mut first = BTreeSet::new();
        for worker in 0..100 {
            let order = order(&jobs, &format!("worker-{worker}"), 99);
            assert_eq!(BTreeSet::from_iter(&order).len(), 500);
            // The others come after all of these, in the order of the list.
            assert!(order[..199].iter().all(|seed| *seed < 199));
            assert_eq!(order[199..], Vec::from_iter(199..500));
            first.insert(order[0]);
        }
        assert!(first.len() > 60, "{} of 100 begin at places of their own", first.len());
    }

    #[test]
    fn a_worker_without_others_keeps_the_order() {
        let jobs = jobs(5);
        assert_eq!(order(&jobs, "worker", 0), [0, 1, 2, 3, 4]);
        assert!(order(&[], "worker", 7).is_empty());
        let mut two = order(&jobs[..2], "worker", 7);
        two.sort();
        assert_eq!(two, [0, 1]);
    }
}
