//! Control groups of pods on a node: files as the kernel has them, whose counters go on.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Which layout a node has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Version {
    /// A folder for each controller; cgroupfs names.
    V1,
    /// One tree; systemd names.
    V2,
}

/// The length of a period. The kernel's default is ten times longer; a short one counts fast.
const PERIOD: Duration = Duration::from_millis(10);

impl Version {
    /// Makes what every node has below its `root`, with or without pods.
    ///
    /// # Errors
    ///
    /// Fails when `root` cannot be written to.
    pub fn prepare(self, root: &Path) -> io::Result<()> {
        match self {
            Self::V1 => fs::create_dir_all(root.join("cpu,cpuacct/kubepods/burstable")),
            Self::V2 => {
                fs::create_dir_all(root.join("kubepods.slice/kubepods-burstable.slice"))?;
                fs::write(root.join("cgroup.controllers"), "cpuset cpu io memory pids\n")
            }
        }
    }
}

/// Returns the runtime's id of the one container of a pod.
pub fn container_id(uid: &str) -> String {
    uid.replace('-', "").repeat(2)
}

/// The CPU time of one pod, at the level of the pod and of its one container.
#[derive(Debug)]
pub struct Group {
    version: Version,
    folders: [PathBuf; 2],
    throttled: Option<f64>,
}

impl Group {
    /// Makes the folders of a pod below `root`, which stands for `/sys/fs/cgroup`.
    ///
    /// The pod is throttled in a share of its periods; without one it has no limit.
    ///
    /// # Errors
    ///
    /// Fails when `root` cannot be written to.
    pub fn new(
        root: &Path,
        version: Version,
        uid: &str,
        throttled: Option<f64>,
    ) -> io::Result<Self> {
        let container = container_id(uid);
        let (pod, scope) = match version {
            Version::V1 => {
                (root.join(format!("cpu,cpuacct/kubepods/burstable/pod{uid}")), container)
            }
            Version::V2 => {
                let name = format!("kubepods-burstable-pod{}.slice", uid.replace('-', "_"));
                let parents = "kubepods.slice/kubepods-burstable.slice";
                (root.join(parents).join(name), format!("cri-containerd-{container}.scope"))
            }
        };
        let folders = [pod.clone(), pod.join(scope)];
        version.prepare(root)?;
        fs::create_dir_all(&folders[1])?;
        let group = Self { version, folders, throttled };
        group.limit()?;
        group.advance(Duration::ZERO)?;
        Ok(group)
    }

    fn limit(&self) -> io::Result<()> {
        let period = PERIOD.as_micros();
        for folder in &self.folders {
            match (self.version, self.throttled.map(|_| period / 10)) {
                (Version::V1, quota) => {
                    let quota = quota.map_or_else(|| "-1".to_owned(), |quota| quota.to_string());
                    fs::write(folder.join("cpu.cfs_quota_us"), quota + "\n")?;
                    fs::write(folder.join("cpu.cfs_period_us"), format!("{period}\n"))?;
                }
                (Version::V2, quota) => {
                    let quota = quota.map_or_else(|| "max".to_owned(), |quota| quota.to_string());
                    fs::write(folder.join("cpu.max"), format!("{quota} {period}\n"))?;
                }
            }
        }
        Ok(())
    }

    /// Writes the counters as they are when the pod has run for `age`.
    ///
    /// # Errors
    ///
    /// Fails when the folder cannot be written to any more.
    pub fn advance(&self, age: Duration) -> io::Result<()> {
        let (periods, throttled) = match self.throttled {
            // Without a quota no period is counted.
            None => (0, 0),
            Some(share) => {
                let periods = age.as_millis() / PERIOD.as_millis();
                (periods, (periods as f64 * share) as u128)
            }
        };
        let usage = age.as_micros() / 10;
        let waited = throttled * PERIOD.as_micros() / 2;
        let text = match self.version {
            Version::V1 => format!(
                "nr_periods {periods}\nnr_throttled {throttled}\nthrottled_time {}\n",
                waited * 1000
            ),
            Version::V2 => format!(
                "usage_usec {usage}\nuser_usec {usage}\nsystem_usec 0\nnr_periods {periods}\n\
                 nr_throttled {throttled}\nthrottled_usec {waited}\n"
            ),
        };
        for folder in &self.folders {
            replace(&folder.join("cpu.stat"), &text)?;
            if self.version == Version::V1 {
                replace(&folder.join("cpuacct.usage"), &format!("{}\n", usage * 1000))?;
            }
        }
        Ok(())
    }
}

/// No agent reads half of a file.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    fs::write(&new, text)?;
    fs::rename(new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

    #[test]
    fn counters_go_on_at_the_level_of_the_pod_in_both_versions() {
        for (version, pod, expected) in [
            (
                Version::V1,
                "cpu,cpuacct/kubepods/burstable/pod0f8fad5b-d9cb-469f-a165-70867728950e",
                "nr_periods 200\nnr_throttled 120\nthrottled_time 600000000\n",
            ),
            (
                Version::V2,
                "kubepods.slice/kubepods-burstable.slice/\
                 kubepods-burstable-pod0f8fad5b_d9cb_469f_a165_70867728950e.slice",
                "usage_usec 200000\nuser_usec 200000\nsystem_usec 0\nnr_periods 200\n\
                 nr_throttled 120\nthrottled_usec 600000\n",
            ),
        ] {
            let root = tempfile::tempdir().unwrap();
            let group = Group::new(root.path(), version, UID, Some(0.6)).unwrap();
            let read = || fs::read_to_string(root.path().join(pod).join("cpu.stat")).unwrap();
            assert!(read().contains("nr_periods 0\n"));
            group.advance(Duration::from_secs(2)).unwrap();
            assert_eq!(read(), expected);
        }
    }

    #[test]
    fn a_pod_without_a_limit_counts_no_period() {
        let root = tempfile::tempdir().unwrap();
        let group = Group::new(root.path(), Version::V2, UID, None).unwrap();
        group.advance(Duration::from_secs(9)).unwrap();
        let read = |file: &str| fs::read_to_string(group.folders[0].join(file)).unwrap();
        assert_eq!(read("cpu.max"), "max 10000\n");
        assert!(read("cpu.stat").contains("nr_periods 0\n"));
    }
}
