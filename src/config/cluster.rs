//! `cluster`: what a scheduler is asked for. It changes no run, and is not kept with a study.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `cluster`: the workers that `batchscope script` and `submit` ask for, unless their options say otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClusterSection {
    /// Workers at a time.
    pub workers: Option<u16>,
    /// GPUs of each worker.
    pub gpus: Option<u8>,
    /// Cores of each worker.
    pub cpus: Option<u16>,
    /// Memory of each worker, as the scheduler writes it: `8G`, for Kubernetes `8Gi`.
    pub memory: Option<String>,
    /// Slurm: how long a worker may run, such as `2:00:00`.
    pub time: Option<String>,
    /// Slurm: where to run.
    pub partition: Option<String>,
    /// Kubernetes and Compose: the image.
    pub image: Option<String>,
    /// Kubernetes: the claim of the volume that all workers write to.
    pub claim: Option<String>,
    /// Kubernetes: the claim of the volume with the experiment file and its data.
    pub project: Option<String>,
    /// Slurm: further options of `sbatch`, such as `--account=abc`.
    pub options: Vec<String>,
}

/// Workers at a time, at most: Slurm's usual limit of an array.
pub const MOST_WORKERS: u16 = 1000;

/// Refuses a value that would break a script: with blanks, quotes and the like.
///
/// # Errors
/// What is allowed.
pub fn scheduler_word(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/@,+=[]".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => Ok(text.to_owned()),
        false => Err("letters, digits and -_.:/@,+=[] are allowed".into()),
    }
}

/// Refuses what is no time limit of Slurm: minutes, or `2:00:00`, or with days `1-12`.
///
/// # Errors
/// What is allowed.
pub fn scheduler_time(text: &str) -> Result<String, String> {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let (days, rest) = match text.split_once('-') {
        Some((days, rest)) => (Some(days), rest),
        None => (None, text),
    };
    let parts: Vec<&str> = rest.split(':').collect();
    let is_time =
        days.is_none_or(is_number) && parts.len() <= 3 && parts.into_iter().all(is_number);
    match is_time || ["UNLIMITED", "INFINITE"].contains(&text) {
        true => Ok(text.to_owned()),
        false => {
            Err("minutes, hours:minutes:seconds or days-hours are allowed, such as 2:00:00".into())
        }
    }
}

/// Refuses what is no option on a line of its own.
///
/// # Errors
/// What is wanted.
pub fn scheduler_option(text: &str) -> Result<String, String> {
    let is_option = text.starts_with('-') && !text.contains(|c: char| c.is_control());
    if is_option { Ok(text.to_owned()) } else { Err("an option of `sbatch` is wanted".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Source, Study};

    #[test]
    fn what_a_scheduler_is_asked_for_is_read_and_is_no_part_of_the_study() {
        let of = |cluster: &str| {
            let text = format!(
                "study: {{ arms: [{{ batch_size: 8 }}] }}\ndata: {{ arrays: {{ path: a.npz }} }}\n{cluster}"
            );
            Study::from_source(&Source { name: "f".into(), text, overrides: vec![] }, "f").unwrap()
        };
        let asked = of("cluster: { workers: 8, time: '2:00:00' }");
        let section = asked.experiment.cluster.as_ref().unwrap();
        assert_eq!((section.workers, section.time.as_deref()), (Some(8), Some("2:00:00")));
        assert_eq!(asked.to_yaml().unwrap(), of("").to_yaml().unwrap());
    }

    #[test]
    fn values_that_would_break_a_script_are_refused() {
        assert!(
            ["8G", "2:00:00", "a/b:1.2", "gpu[1-2]"].map(scheduler_word).iter().all(Result::is_ok)
        );
        assert!(["a b", "a\nb", "", "a'b", "$(x)"].map(scheduler_word).iter().all(Result::is_err));
        assert!(scheduler_option("--account=abc").is_ok());
        let times = ["90", "90:00", "2:00:00", "1-12", "1-12:30:00", "UNLIMITED"];
        assert!(times.map(scheduler_time).iter().all(Result::is_ok));
        let none = ["abc", "2h", "", ":", "1:2:3:4", "-1", "1-"];
        assert!(none.map(scheduler_time).iter().all(Result::is_err));
        assert!(["rm", "--a\nrm", ""].map(scheduler_option).iter().all(Result::is_err));
    }
}
