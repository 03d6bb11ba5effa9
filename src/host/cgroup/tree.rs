//! Where control groups are: two versions, two drivers, and any root.

use std::collections::VecDeque;
use std::fs::{DirEntry, read_dir};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use crate::agent::short;

/// How deep below the mount the kubelet's groups may begin.
const DEPTH: usize = 4;

/// Folders that are looked into on the way there, and entries of each.
const FOLDERS: usize = 512;
const ENTRIES: usize = 4096;

/// What the kernel says of one group, since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sample {
    /// `nr_periods`.
    pub(super) periods: u64,
    /// `nr_throttled`.
    pub(super) throttled: u64,
    /// For how long threads were held back.
    pub(super) throttled_time: Duration,
    /// CPU time.
    pub(super) usage: Duration,
    /// Whether there is a quota.
    pub(super) limited: bool,
}

/// Mounted control groups.
#[derive(Debug)]
pub(super) struct Tree {
    /// Where `cpu.stat` is.
    cpu: PathBuf,
    /// Where `cpuacct.usage` is; absent in version 2, whose `cpu.stat` has it.
    usage: Option<PathBuf>,
    /// The kubelet's groups, below `cpu`: mostly one.
    roots: Vec<PathBuf>,
}

impl Tree {
    /// Looks where the groups below `root` are; `own` is `/proc/self/cgroup`.
    ///
    /// # Errors
    ///
    /// Returns that a controller is not there, or no group of a kubelet.
    pub(super) fn of(root: &Path, own: &Path) -> io::Result<Self> {
        let (cpu, usage) = if root.join("cgroup.controllers").exists() {
            (root.to_owned(), None)
        } else {
            // The first error says whether the root is there at all.
            read_dir(root)?;
            let mounted = |names: [&str; 3]| {
                names.into_iter().map(|name| root.join(name)).find(|path| path.is_dir())
            };
            let cpu = mounted(["cpu,cpuacct", "cpu", "cpuacct,cpu"])
                .ok_or_else(|| io::Error::other("no cpu controller is mounted there"))?;
            let usage = mounted(["cpu,cpuacct", "cpuacct", "cpuacct,cpu"])
                .ok_or_else(|| io::Error::other("no cpuacct controller is mounted there"))?;
            (cpu, Some(usage))
        };
        let own = short(own).unwrap_or_default();
        let here = own.lines().find_map(|line| kubelets(line, usage.is_none()));
        let here = here.filter(|path| cpu.join(path).is_dir());
        let roots = here.map_or_else(|| search(&cpu), |path| vec![path]);
        if roots.is_empty() {
            return Err(io::Error::other("no kubepods group is there"));
        }
        Ok(Self { cpu, usage, roots })
    }

    /// Tells whether it is still as it was found.
    pub(super) fn is_there(&self) -> bool {
        self.roots.iter().all(|root| self.cpu.join(root).is_dir())
    }

    /// Returns the group of the pod with `uid`, below the mount.
    pub(super) fn find(&self, uid: &str) -> Option<PathBuf> {
        let is_pod = |name: &str| {
            let systemd = |name: &str| {
                let name = name.strip_suffix(".slice").and_then(|name| name.rsplit_once("-pod"));
                name.is_some_and(|(_, found)| found == uid.replace('-', "_"))
            };
            name.strip_prefix("pod") == Some(uid) || systemd(name)
        };
        let is_class = |name: &str| {
            let name = name.strip_suffix(".slice").unwrap_or(name);
            ["burstable", "besteffort"].iter().any(|class| {
                name.strip_suffix(class).is_some_and(|rest| rest.is_empty() || rest.ends_with('-'))
            })
        };
        self.roots.iter().find_map(|root| {
            // Guaranteed pods are beside the classes of the others.
            let mut groups: Vec<PathBuf> = vec![root.clone()];
            let classes = folders(&self.cpu.join(root)).into_iter().filter(|name| is_class(name));
            groups.extend(classes.map(|name| root.join(name)));
            groups.into_iter().find_map(|group| {
                let pods = folders(&self.cpu.join(&group)).into_iter();
                pods.filter(|name| is_pod(name)).map(|name| group.join(name)).next()
            })
        })
    }

    /// Returns the group of the container with `id` within that of its pod.
    pub(super) fn container(&self, pod: &Path, id: &str) -> Option<PathBuf> {
        let names = folders(&self.cpu.join(pod)).into_iter();
        names.map(|name| pod.join(name)).find(|path| is_container(path, id))
    }

    /// Returns the folders outside of the kubelet's groups that may be those of containers: a
    /// runtime with another driver than the kubelet's makes them below its own group.
    pub(super) fn elsewhere(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut waiting = VecDeque::from([PathBuf::new()]);
        for _ in 0..FOLDERS {
            let Some(folder) = waiting.pop_front() else { break };
            for name in folders(&self.cpu.join(&folder)) {
                let path = folder.join(&name);
                if found.len() < ENTRIES && has_id(&name) {
                    found.push(path);
                } else if !self.roots.contains(&path) && path.components().count() < DEPTH {
                    waiting.push_back(path);
                }
            }
        }
        found
    }

    /// Reads the group at `folder`; none when it is gone.
    pub(super) fn sample(&self, folder: &Path) -> Option<Sample> {
        let group = self.cpu.join(folder);
        let stat = short(&group.join("cpu.stat")).ok()?;
        // The counts of periods are only there where the controller is on: without it there is
        // no limit either.
        let value = |name: &str| {
            let mut lines = stat.lines().filter_map(|line| line.split_once(' '));
            lines.find(|(it, _)| *it == name)?.1.trim().parse::<u64>().ok()
        };
        let (throttled_time, usage, limited) = match &self.usage {
            None => (
                Duration::from_micros(value("throttled_usec").unwrap_or(0)),
                Duration::from_micros(value("usage_usec")?),
                short(&group.join("cpu.max")).is_ok_and(|quota| !quota.starts_with("max")),
            ),
            Some(usage) => (
                Duration::from_nanos(value("throttled_time").unwrap_or(0)),
                Duration::from_nanos(number(&usage.join(folder).join("cpuacct.usage"))?),
                // -1 is none, and no number here.
                number(&group.join("cpu.cfs_quota_us")).is_some(),
            ),
        };
        Some(Sample {
            periods: value("nr_periods").unwrap_or(0),
            throttled: value("nr_throttled").unwrap_or(0),
            throttled_time,
            usage,
            limited,
        })
    }
}

/// Whether `path` is the group of the container with `id`: runtimes put words of their own around
/// it, and give the process that watches over a container a group too.
pub(super) fn is_container(path: &Path, id: &str) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    !id.is_empty() && name.contains(id) && !name.contains("conmon")
}

/// Whether a name may have the id of a container in it.
fn has_id(name: &str) -> bool {
    let mut words = name.split(|char: char| !char.is_ascii_hexdigit());
    words.any(|word| word.len() >= 8)
}

fn number(path: &Path) -> Option<u64> {
    short(path).ok()?.trim().parse().ok()
}

/// Returns the kubelet's group in a line of `/proc/self/cgroup`, where the agent's own pod is
/// below it: what else a machine holds belongs to other nodes.
fn kubelets(line: &str, unified: bool) -> Option<PathBuf> {
    let mut parts = line.splitn(3, ':');
    let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
    let right = match unified {
        true => controllers.is_empty(),
        false => controllers.split(',').any(|controller| controller == "cpu"),
    };
    let mut group = PathBuf::new();
    for component in Path::new(path).components().filter(|_| right) {
        match component {
            Component::Normal(name) => group.push(name),
            Component::RootDir => continue,
            // Relative to a root that is not mounted here.
            _ => return None,
        }
        if component.as_os_str().to_str().is_some_and(is_kubelets) {
            return Some(group);
        }
    }
    None
}

fn is_kubelets(name: &str) -> bool {
    matches!(name, "kubepods" | "kubepods.slice") || name.ends_with("-kubepods.slice")
}

/// Returns the kubelets' groups below `root`, breadth first: a container of its own namespace
/// is not told where it is.
fn search(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = VecDeque::from([PathBuf::new()]);
    for _ in 0..FOLDERS {
        let Some(folder) = waiting.pop_front() else { break };
        for name in folders(&root.join(&folder)) {
            let path = folder.join(&name);
            if is_kubelets(&name) {
                found.push(path);
            } else if path.components().count() < DEPTH {
                waiting.push_back(path);
            }
        }
    }
    found.sort();
    found
}

/// Returns the names of the folders in `folder`, sorted.
fn folders(folder: &Path) -> Vec<String> {
    let is_folder = |entry: &DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    let entries = read_dir(folder).into_iter().flatten().take(ENTRIES).filter_map(Result::ok);
    let names = entries.filter(is_folder).filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}
