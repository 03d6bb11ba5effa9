//! The CPU time of pods, as the kernel counts it for their control groups.
//!
//! Read at the level of the pod: it needs no container id, goes on when a container restarts,
//! and counts what the process feels; containers count the same throttling once more.

mod tree;

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch::Receiver;
use tokio::time::{Instant, sleep};

use super::readings::{Readings, Source};
use crate::family::{Desc, Family, Rows};
use crate::model::{Agent, Cpu, Key, Plan, PodPlan, Uid};
use crate::task::apart_within;
use tree::Tree;

/// The families of control groups.
pub static FAMILIES: &[Desc] =
    &[PERIODS.desc(), THROTTLED_PERIODS.desc(), THROTTLED_SECONDS.desc(), USAGE.desc()];

const LABELS: [&str; 5] = ["node", "vantage", "namespace", "pod", "container"];

static PERIODS: Family<5> = Family::counter(
    "netvitals_coredns_cpu_periods_total",
    "Periods in which a DNS pod wanted to run, as the kernel counts them for the pod.",
    LABELS,
);

static THROTTLED_PERIODS: Family<5> = Family::counter(
    "netvitals_coredns_cpu_throttled_periods_total",
    "Periods in which a DNS pod had used up its CPU limit.",
    LABELS,
);

static THROTTLED_SECONDS: Family<5> = Family::counter(
    "netvitals_coredns_cpu_throttled_seconds_total",
    "Time for which the threads of a DNS pod were held back by its CPU limit.",
    LABELS,
);

static USAGE: Family<5> = Family::counter(
    "netvitals_coredns_cpu_usage_seconds_total",
    "CPU time that a DNS pod used.",
    LABELS,
);

/// Between two readings: each is a few files that are not on any disk.
const INTERVAL: Duration = Duration::from_secs(2);

/// For one reading, which is of memory.
const DEADLINE: Duration = Duration::from_secs(10);

/// What an observation counts.
const WINDOW: Duration = Duration::from_secs(120);

/// At most this many DNS pods of a node are read.
const PODS: usize = 6;

/// Between two searches for what is not found: each may look into hundreds of folders, and a plan
/// names a pod that is gone for a while.
const SEARCH: Duration = Duration::from_secs(60);

/// What the kernel says of one pod, since its control group was made.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sample {
    /// `nr_periods`.
    periods: u64,
    /// `nr_throttled`.
    throttled: u64,
    throttled_time: Duration,
    usage: Duration,
    /// Whether there is a quota.
    limited: bool,
}

/// What is read of the DNS pods; clones share it.
#[derive(Clone, Debug)]
pub struct Cgroups {
    agent: Agent,
    root: PathBuf,
    own: PathBuf,
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    search: Option<Search>,
    /// Absent while control groups cannot be read.
    pods: Option<BTreeMap<Uid, Pod>>,
}

/// What came of looking where groups are.
#[derive(Clone, Debug)]
struct Search {
    at: Instant,
    tree: Result<Arc<Tree>, String>,
    /// Whether there was a pod that was not found since: it may be below a root that has come.
    missed: bool,
}

impl Search {
    /// Tells whether it need not be done again.
    fn holds(&self, now: Instant) -> bool {
        let is_new = now - self.at < SEARCH;
        self.tree.as_ref().map_or(is_new, |tree| tree.is_there() && (is_new || !self.missed))
    }
}

#[derive(Clone, Debug)]
struct Pod {
    pod: Key,
    folder: PathBuf,
    /// The newest last, and one that is as old as the window.
    samples: VecDeque<(Instant, Sample)>,
}

impl Cgroups {
    /// Reads below `root`, where the node's control groups are mounted.
    pub fn new(agent: Agent, root: PathBuf) -> Self {
        Self { agent, root, own: "/proc/self/cgroup".into(), known: Arc::default() }
    }

    /// Reads the DNS pods of `plan` again and again.
    pub async fn follow(
        self,
        plan: Receiver<Option<Arc<Plan>>>,
        readings: Arc<Readings>,
        mut alive: impl FnMut(),
    ) {
        loop {
            alive();
            let plan = plan.borrow().clone();
            let (cgroups, now) = (self.clone(), Instant::now());
            // Probes are timed on the threads of tasks: no file may hold them up.
            let reading = apart_within(DEADLINE, move || {
                cgroups.read(plan.as_deref().map_or(&[], |plan| &plan.dns_pods), now)
            });
            let read = reading.await.unwrap_or_else(|error| Err(error.to_string()));
            if let Some(absent) = readings.read(Source::Cgroup, read) {
                readings.read(Source::CgroupPod, none(&absent));
            }
            sleep(INTERVAL).await;
        }
    }

    /// Reads once, and returns the pods that have no group: one that is gone or not there yet
    /// does not hide the others.
    ///
    /// # Errors
    ///
    /// Returns why no group can be read.
    fn read(&self, planned: &[PodPlan], now: Instant) -> Result<Vec<Key>, String> {
        // No lock is held while files are read, and what is known stays until more is.
        let (search, mut old) = {
            let known = self.lock();
            (known.search.clone(), known.pods.clone().unwrap_or_default())
        };
        let search = search.filter(|search| search.holds(now));
        let mut search = search.unwrap_or_else(|| self.search(now));
        let tree = search.tree.clone().inspect_err(|_| {
            *self.lock() = Known { search: Some(search.clone()), pods: None };
        })?;
        let mut pods = BTreeMap::new();
        let mut absent = Vec::new();
        for PodPlan { pod, uid } in planned.iter().take(PODS) {
            let known = old.remove(uid);
            let folder = known.as_ref().map(|it| it.folder.as_path());
            let Some((folder, sample)) = sample(&tree, uid, folder) else {
                absent.push(pod.clone());
                continue;
            };
            let samples = known.map(|it| it.samples).unwrap_or_default();
            let samples = kept(samples, sample, now);
            pods.insert(uid.clone(), Pod { pod: pod.clone(), folder, samples });
        }
        search.missed = !absent.is_empty();
        *self.lock() = Known { search: Some(search), pods: Some(pods) };
        Ok(absent)
    }

    fn search(&self, at: Instant) -> Search {
        let tree = Tree::of(&self.root, &self.own).map(Arc::new);
        let tree = tree.map_err(|error| format!("{}: {error}", self.root.display()));
        Search { at, tree, missed: false }
    }

    /// Returns what the last minutes were like; none where control groups cannot be read.
    pub fn observe(&self) -> Option<Vec<Cpu>> {
        let known = self.lock();
        let cpu = |(uid, Pod { pod, samples, .. }): (&Uid, &Pod)| {
            let ((then, first), (now, last)) = (samples.front()?, samples.back()?);
            Some(Cpu {
                pod: pod.clone(),
                uid: uid.clone(),
                length: *now - *then,
                periods: last.periods - first.periods,
                throttled: last.throttled - first.throttled,
                limited: last.limited,
            })
        };
        Some(known.pods.as_ref()?.iter().filter_map(cpu).collect())
    }

    /// Returns the counts, which are the kernel's own.
    pub fn rows(&self) -> Rows {
        let mut rows = Rows::default();
        let (node, vantage) = (&*self.agent.node, self.agent.vantage.as_str());
        for Pod { pod, samples, .. } in self.lock().pods.iter().flat_map(BTreeMap::values) {
            let Some((_, sample)) = samples.back() else { continue };
            // Empty, because it is the whole pod that is counted.
            let labels = [node, vantage, &*pod.namespace, &*pod.name, ""];
            rows.push(&PERIODS, labels, sample.periods as f64);
            rows.push(&THROTTLED_PERIODS, labels, sample.throttled as f64);
            rows.push(&THROTTLED_SECONDS, labels, sample.throttled_time.as_secs_f64());
            rows.push(&USAGE, labels, sample.usage.as_secs_f64());
        }
        rows
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // It is only ever replaced as a whole.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells that no pod is absent.
///
/// # Errors
///
/// Returns which are.
fn none(absent: &[Key]) -> Result<(), String> {
    let absent: Vec<String> =
        absent.iter().map(|pod| format!("pod {pod} has no control group with cpu.stat")).collect();
    if absent.is_empty() { Ok(()) } else { Err(absent.join("; ")) }
}

/// Reads one pod: where it was found the last time, or else where it is now.
fn sample(tree: &Tree, uid: &Uid, folder: Option<&Path>) -> Option<(PathBuf, Sample)> {
    let again = folder.and_then(|folder| Some((folder.to_owned(), tree.sample(folder)?)));
    again.or_else(|| {
        let folder = tree.find(&uid.to_string())?;
        let sample = tree.sample(&folder)?;
        Some((folder, sample))
    })
}

/// Adds a sample, and forgets those that are older than the window; counts that fall are those
/// of another group.
fn kept(
    mut samples: VecDeque<(Instant, Sample)>,
    sample: Sample,
    now: Instant,
) -> VecDeque<(Instant, Sample)> {
    let fell = |(_, last): &(Instant, Sample)| {
        sample.periods < last.periods || sample.throttled < last.throttled
    };
    if samples.back().is_some_and(fell) {
        samples.clear();
    }
    samples.push_back((now, sample));
    while samples.get(1).is_some_and(|(at, _)| now - *at >= WINDOW) {
        samples.pop_front();
    }
    samples
}

#[cfg(test)]
mod tests;
