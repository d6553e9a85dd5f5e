//! The rules of `cluster`.

use super::{Checked, broken, count};
use crate::config::{
    ClusterSection, MOST_WORKERS, scheduler_option, scheduler_time, scheduler_word,
};

pub(super) fn check(section: &ClusterSection) -> Checked {
    let ClusterSection { workers, cpus, memory, time, partition, image, claim, project, .. } =
        section;
    for (path, value, most) in
        [("cluster.workers", workers, MOST_WORKERS), ("cluster.cpus", cpus, u16::MAX)]
    {
        value.map_or(Ok(()), |value| count(path, value, most))?;
    }
    for (key, value) in [
        ("memory", memory),
        ("time", time),
        ("partition", partition),
        ("image", image),
        ("claim", claim),
        ("project", project),
    ] {
        let Some(value) = value else { continue };
        let rule = if key == "time" { scheduler_time } else { scheduler_word };
        rule(value).map_err(|rule| {
            broken(&format!("cluster.{key}"), format!("{rule}, received `{value}`"), "")
        })?;
    }
    for (index, option) in section.options.iter().enumerate() {
        scheduler_option(option).map_err(|rule| {
            let rule = format!("{rule}, received `{option}`");
            broken(&format!("cluster.options[{index}]"), rule, "such as `--account=abc`")
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_yaml::from_str;

    #[test]
    fn what_no_scheduler_takes_is_named_by_its_key() {
        for (text, named) in [
            ("workers: 0", Some("cluster.workers")),
            ("workers: 1001", Some("cluster.workers")),
            ("cpus: 0", Some("cluster.cpus")),
            ("memory: 8 G", Some("cluster.memory")),
            ("time: 2h", Some("cluster.time")),
            ("image: \"a'b\"", Some("cluster.image")),
            ("options: [--account=abc, abc]", Some("cluster.options[1]")),
            ("{ workers: 8, gpus: 1, time: '2:00:00', options: [--account=abc] }", None),
        ] {
            let section: ClusterSection = from_str(text).unwrap();
            let found = check(&section).err().map(|violation| violation.path.to_string());
            assert_eq!(found.as_deref(), named, "{text}");
        }
    }
}
