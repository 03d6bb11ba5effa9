//! The CPU time of the pods that answer DNS, as the kernel counts it for their control groups.
//!
//! Each container's group is read, because only there is it seen which one its limit holds back;
//! and the pod's, which has a quota of its own where the limit is the pod's.

mod tree;

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch::Receiver;
use tokio::time::{Instant, sleep};

use crate::agent::readings::{Input, Readings};
use crate::agent::{Context, Part, Running, Switch};
use crate::family::{Desc, Family, Rows};
use crate::model::{
    Agent, ContainerPlan, Cpu, Group, Key, Name, Plan, PodPlan, Uid, Unreadable, Vantage,
};
use crate::task::apart_within;
use tree::{Sample, Tree};

/// Reads the control groups of the DNS pods on the agent's own node.
pub static PART: Part =
    Part { vantages: &[Vantage::Host], switches: || vec![SWITCH], families: FAMILIES, start };

const SWITCH: Switch =
    Switch { name: "cgroup", off: |observation| observation.cpu = Some(Group::Disabled) };

/// Where control groups are on a node.
const ROOT: &str = "sys/fs/cgroup";

static FAMILIES: &[Desc] =
    &[PERIODS.desc(), THROTTLED_PERIODS.desc(), THROTTLED_SECONDS.desc(), USAGE.desc()];

const LABELS: [&str; 5] = ["node", "vantage", "namespace", "pod", "container"];

static PERIODS: Family<5> = Family::counter(
    "netvitals_coredns_cpu_periods_total",
    "Periods in which a container of a DNS pod wanted to run, as the kernel counts them.",
    LABELS,
);

static THROTTLED_PERIODS: Family<5> = Family::counter(
    "netvitals_coredns_cpu_throttled_periods_total",
    "Periods in which a container of a DNS pod had used up its CPU limit.",
    LABELS,
);

static THROTTLED_SECONDS: Family<5> = Family::counter(
    "netvitals_coredns_cpu_throttled_seconds_total",
    "Time for which the threads of a container of a DNS pod were held back by its CPU limit.",
    LABELS,
);

static USAGE: Family<5> = Family::counter(
    "netvitals_coredns_cpu_usage_seconds_total",
    "CPU time that a container of a DNS pod used.",
    LABELS,
);

/// Between two readings: each is a few files that are not on any disk.
const INTERVAL: Duration = Duration::from_secs(2);

/// For one reading, which is of memory.
const DEADLINE: Duration = Duration::from_secs(10);

/// What an observation counts.
const WINDOW: Duration = Duration::from_secs(120);

/// At most this many DNS pods of a node are read, and this many containers of each, the one that
/// answers DNS first; those beyond are said to be missing.
const PODS: usize = 4;
const CONTAINERS: usize = 8;

/// At most this many containers of a node are exported, those that answer DNS first.
const EXPORTED: usize = 2;

/// Between two searches for what is not found: each may look into hundreds of folders, and a plan
/// names a pod that is gone for a while.
const SEARCH: Duration = Duration::from_secs(60);

/// What is read of the DNS pods; clones share it.
#[derive(Clone, Debug)]
pub struct Cgroups {
    agent: Agent,
    root: PathBuf,
    own: PathBuf,
    known: Arc<Mutex<LastReading>>,
}

/// What came of the last reading.
#[derive(Debug)]
struct LastReading {
    search: Option<Search>,
    groups: Result<BTreeMap<Unit, Counted>, Unreadable>,
}

impl Default for LastReading {
    fn default() -> Self {
        Self { search: None, groups: Err(Unreadable::NoPlan) }
    }
}

/// What is counted: a container by its id, or with an empty one the whole pod.
type Unit = (Uid, String);

/// What came of looking where groups are.
#[derive(Clone, Debug)]
struct Search {
    at: Instant,
    tree: Result<Arc<Tree>, String>,
    /// Groups of containers outside of those of their pods, once one is looked for there.
    elsewhere: Option<Arc<Vec<PathBuf>>>,
    /// Whether something was not found since: it may be below a root that has come.
    missed: bool,
}

impl Search {
    /// Tells whether it need not be done again.
    fn holds(&self, now: Instant) -> bool {
        let is_new = now - self.at < SEARCH;
        self.tree.as_ref().map_or(is_new, |tree| tree.is_there() && (is_new || !self.missed))
    }

    /// Returns the group of a container: mostly within its pod's, else wherever the runtime put it.
    fn container(&mut self, tree: &Tree, pod: Option<&Path>, id: &str) -> Option<PathBuf> {
        let within = pod.and_then(|pod| tree.container(pod, id));
        within.or_else(|| {
            let elsewhere = self.elsewhere.get_or_insert_with(|| Arc::new(tree.elsewhere()));
            elsewhere.iter().find(|path| tree::is_container(path, id)).cloned()
        })
    }
}

#[derive(Clone, Debug)]
struct Counted {
    pod: Key,
    /// Empty for the whole pod.
    container: Name,
    dns: bool,
    /// Absent where it is not found.
    folder: Option<PathBuf>,
    /// The newest last, and one that is as old as the window.
    samples: VecDeque<(Instant, Sample)>,
}

fn start(context: &Context) -> Running {
    let root = context.options.host_root.join(ROOT);
    let cgroups = Cgroups::new(context.agent().clone(), root);
    let (plan, readings) = (context.plan.clone(), context.readings.clone());
    let (observed, exported) = (cgroups.clone(), cgroups.clone());
    Running::default()
        .task("cgroup", move |task| {
            cgroups.clone().follow(plan.subscribe(), readings.clone(), move || task.beat())
        })
        .observes(move |observation| observation.cpu = Some(observed.observe()))
        .exports(move || exported.rows())
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
            let began = std::time::Instant::now();
            let reading = apart_within(DEADLINE, move || {
                cgroups.read(plan.as_deref().map(|plan| &*plan.dns_pods), now)
            });
            let read = reading.await.unwrap_or_else(|error| Err(error.to_string()));
            if let Some(absent) = readings.timed(Input::Cgroup, began, read) {
                readings.read(Input::CgroupPod, none(&absent));
            }
            sleep(INTERVAL).await;
        }
    }

    /// Reads once, and returns what has no group: one that is gone or not there yet does not hide
    /// the others. Without a plan nothing is looked for.
    ///
    /// # Errors
    ///
    /// Returns why no group can be read.
    fn read(&self, planned: Option<&[PodPlan]>, now: Instant) -> Result<Vec<String>, String> {
        // No lock is held while files are read, and what is known stays until more is.
        let (search, mut old) = {
            let known = self.lock();
            (known.search.clone(), known.groups.clone().unwrap_or_default())
        };
        let search = search.filter(|search| search.holds(now));
        let mut search = search.unwrap_or_else(|| self.search(now));
        let tree = search.tree.clone().inspect_err(|_| {
            let groups = Err(Unreadable::NoCgroups);
            *self.lock() = LastReading { search: Some(search.clone()), groups };
        })?;
        let (mut groups, mut absent) = (BTreeMap::new(), Vec::new());
        for pod in planned.unwrap_or_default().iter().take(PODS) {
            for (unit, counted) in read_pod(&tree, &mut search, pod, &mut old, now) {
                if counted.folder.is_none() {
                    absent.push(match &*counted.container {
                        "" => format!("pod {}", counted.pod),
                        container => format!("container {container} of pod {}", counted.pod),
                    });
                }
                groups.insert(unit, counted);
            }
        }
        search.missed = !absent.is_empty();
        let groups = planned.map(|_| groups).ok_or(Unreadable::NoPlan);
        *self.lock() = LastReading { search: Some(search), groups };
        Ok(absent)
    }

    fn search(&self, at: Instant) -> Search {
        let tree = Tree::of(&self.root, &self.own).map(Arc::new);
        let tree = tree.map_err(|error| format!("{}: {error}", self.root.display()));
        Search { at, tree, elsewhere: None, missed: false }
    }

    /// Returns what the last minutes were like.
    pub fn observe(&self) -> Group<Vec<Cpu>> {
        let cpu = |((uid, _), it): (&Unit, &Counted)| {
            let named = Cpu {
                pod: it.pod.clone(),
                uid: uid.clone(),
                container: it.container.clone(),
                dns: it.dns,
                ..Cpu::default()
            };
            let Some(((then, first), (now, last))) = it.samples.front().zip(it.samples.back())
            else {
                return Cpu { missing: true, ..named };
            };
            Cpu {
                length: *now - *then,
                periods: last.periods - first.periods,
                throttled: last.throttled - first.throttled,
                used: last.usage.saturating_sub(first.usage),
                limited: last.limited,
                ..named
            }
        };
        match &self.lock().groups {
            Ok(groups) => Group::Read(groups.iter().map(cpu).collect()),
            Err(why) => Group::Unreadable(*why),
        }
    }

    /// Returns the counts, which are the kernel's own: those of the whole pod only where its
    /// containers are not known, or they would count twice.
    pub fn rows(&self) -> Rows {
        let mut rows = Rows::default();
        let (node, vantage) = (&*self.agent.node, self.agent.vantage.as_str());
        let known = self.lock();
        let groups = || known.groups.iter().flatten().filter(|(_, it)| !it.samples.is_empty());
        let is_known = |uid: &Uid| groups().any(|((other, id), _)| other == uid && !id.is_empty());
        let mut exported: Vec<_> =
            groups().filter(|((uid, id), _)| !id.is_empty() || !is_known(uid)).collect();
        exported.sort_by_key(|(_, it)| !it.dns);
        for (_, it) in exported.into_iter().take(EXPORTED) {
            let Some((_, sample)) = it.samples.back() else { continue };
            let labels = [node, vantage, &*it.pod.namespace, &*it.pod.name, &*it.container];
            rows.push(&PERIODS, labels, sample.periods as f64);
            rows.push(&THROTTLED_PERIODS, labels, sample.throttled as f64);
            rows.push(&THROTTLED_SECONDS, labels, sample.throttled_time.as_secs_f64());
            rows.push(&USAGE, labels, sample.usage.as_secs_f64());
        }
        rows
    }

    fn lock(&self) -> MutexGuard<'_, LastReading> {
        // It is only ever replaced as a whole.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the groups of one pod and of its containers.
fn read_pod(
    tree: &Tree,
    search: &mut Search,
    plan: &PodPlan,
    old: &mut BTreeMap<Unit, Counted>,
    now: Instant,
) -> Vec<(Unit, Counted)> {
    let PodPlan { pod, uid, containers } = plan;
    let mut read = |container: &ContainerPlan, find: &mut dyn FnMut() -> Option<PathBuf>| {
        let unit = (uid.clone(), container.id.clone());
        let (folder, samples) =
            old.remove(&unit).map(|known| (known.folder, known.samples)).unwrap_or_default();
        // Where it was found the last time, or else where it is now.
        let again = folder.and_then(|folder| Some((tree.sample(&folder)?, folder)));
        let found = again.or_else(|| {
            let folder = find()?;
            Some((tree.sample(&folder)?, folder))
        });
        let named = Counted {
            pod: pod.clone(),
            container: container.name.clone(),
            dns: container.dns,
            folder: None,
            samples: VecDeque::new(),
        };
        let counted = match found {
            Some((sample, folder)) => {
                Counted { folder: Some(folder), samples: kept(samples, sample, now), ..named }
            }
            None => named,
        };
        (unit, counted)
    };
    let whole = read(&ContainerPlan::default(), &mut || tree.find(&uid.to_string()));
    let mut containers: Vec<&ContainerPlan> =
        containers.iter().filter(|container| !container.id.is_empty()).collect();
    containers.sort_by_key(|container| !container.dns);
    let folder = whole.1.folder.clone();
    let find = |(at, it): (usize, &ContainerPlan)| {
        read(it, &mut || {
            let within = at < CONTAINERS;
            within.then(|| search.container(tree, folder.as_deref(), &it.id)).flatten()
        })
    };
    let mut groups: Vec<(Unit, Counted)> = containers.into_iter().enumerate().map(find).collect();
    // Where all containers are elsewhere the pod may have no group at all.
    if groups.is_empty() || folder.is_some() {
        groups.push(whole);
    }
    groups
}

/// Tells that nothing is absent.
///
/// # Errors
///
/// Returns what is.
fn none(absent: &[String]) -> Result<(), String> {
    let absent: Vec<String> =
        absent.iter().map(|it| format!("{it} has no control group with cpu.stat")).collect();
    if absent.is_empty() { Ok(()) } else { Err(absent.join("; ")) }
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
