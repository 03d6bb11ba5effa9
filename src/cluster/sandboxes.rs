//! Which pods wait for a sandbox, since when, and how long others waited, on netvitals' own clock.
//!
//! The time runs from the moment at which the own watch shows a pod on a node to the one at which it
//! shows its address, which the kubelet tells of together with the condition
//! `PodReadyToStartContainers`. It tells of it when it next writes the pod's status, which may be
//! after its images have come. What changed while a list was under way has no time.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Clock, Cluster, Follower, Step};
use crate::model::{Fact, Key, Kind, Name, NameMap, Pod};

/// The upper bounds of the histogram, in seconds.
pub const SETUP_BOUNDS: &[f64] = &[0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0];

/// Of so many nodes it is known when a pod last got its sandbox; of more, those of the last hour.
const MOST_NODES: usize = 20_000;

/// What may be forgotten of a node.
const LONG_AGO: Duration = Duration::from_secs(3600);

/// Follows the pods.
#[derive(Debug, Default)]
pub struct Sandboxes {
    waiting: BTreeMap<Key, Since>,
    /// When a pod that had waited there last got its sandbox.
    started: NameMap<Name, Clock>,
    counts: [u64; SETUP_BOUNDS.len() + 1],
    sum: Duration,
    /// What changed since the facts were last looked at.
    touched: Vec<(Key, State)>,
}

/// Since when a pod waits.
#[derive(Clone, Copy, Debug)]
struct Since {
    at: Clock,
    /// Whether it began to wait then; else it did some time before.
    exact: bool,
}

/// Where a pod is.
#[derive(Clone, Debug, Eq, PartialEq)]
enum State {
    /// On no node, on its node's own network, or over.
    Elsewhere,
    Waits,
    Started(Name),
}

impl State {
    fn of(pod: &Pod) -> Self {
        match &pod.node {
            Some(_) if pod.waits() => Self::Waits,
            Some(node) if pod.wants_address() && !pod.terminating => Self::Started(node.clone()),
            _ => Self::Elsewhere,
        }
    }
}

impl Follower for Sandboxes {
    fn kinds(&self) -> &'static [&'static Kind] {
        &[Pod::KIND]
    }

    fn step(&mut self, step: &Step<'_>) {
        let Some((old, new)) = step.of::<Pod>() else { return };
        let is_another = old.zip(new).is_some_and(|(old, new)| old.uid != new.uid);
        let [before, state] = [old, new].map(|pod| pod.map_or(State::Elsewhere, State::of));
        if is_another {
            self.touched.push((step.key.clone(), State::Elsewhere));
        }
        if is_another || before != state {
            self.touched.push((step.key.clone(), state));
        }
    }

    fn settle(&mut self, cluster: &Cluster, relists: bool) {
        let exact = cluster.last_known::<Pod>().is_some_and(super::Table::is_complete);
        if relists && !exact {
            self.waiting.values_mut().for_each(|since| since.exact = false);
        }
        for (key, state) in std::mem::take(&mut self.touched) {
            let before = self.waiting.remove(&key);
            match state {
                State::Elsewhere => {}
                State::Waits => {
                    let since = before.unwrap_or_else(|| Since { at: cluster.now(), exact });
                    self.waiting.insert(key, since);
                }
                State::Started(node) => {
                    if let Some(since) = before {
                        self.start(node, since, cluster.now());
                    }
                }
            }
        }
    }
}

impl Sandboxes {
    fn start(&mut self, node: Name, since: Since, now: Clock) {
        if self.started.len() >= MOST_NODES {
            self.started.retain(|_, at| now.since(*at) < LONG_AGO);
        }
        self.started.insert(node, now);
        if since.exact {
            let took = now.since(since.at);
            self.counts[SETUP_BOUNDS.partition_point(|bound| *bound < took.as_secs_f64())] += 1;
            self.sum += took;
        }
    }

    /// Returns how many pods waited how long, by [`SETUP_BOUNDS`], and the sum in seconds.
    pub fn histogram(&self) -> (Vec<u64>, f64) {
        (self.counts.to_vec(), self.sum.as_secs_f64())
    }

    /// Returns the pods that wait on a node, by key: few of all.
    pub fn waiting(&self) -> impl Iterator<Item = &Key> {
        self.waiting.keys()
    }

    /// Returns since when a pod waits, as far as was seen.
    pub fn since(&self, pod: &Key) -> Option<Clock> {
        self.waiting.get(pod).map(|since| since.at)
    }

    /// Returns when a pod that had waited on a node last got its sandbox.
    pub fn started(&self, node: &Name) -> Option<Clock> {
        self.started.get(node).copied()
    }
}

/// Returns what is known of pods that wait for a sandbox.
pub fn sandboxes(cluster: &Cluster) -> &Sandboxes {
    cluster.follower().expect("the list of followers has this one, and no follower asks for it")
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::cluster::Event;
    use crate::fixtures::{at, cluster};
    use crate::model::Addresses;

    const POD: &str = "shop/web-1";

    fn begins(seconds: u64) -> Cluster {
        let mut facts = cluster();
        facts.set_now(at(seconds));
        facts
    }

    fn pod(mut facts: Cluster, seconds: u64, change: impl FnOnce(&mut Pod)) -> Cluster {
        facts.set_now(at(seconds));
        facts.pod_with(POD, |pod| {
            pod.node = Some("n1".into());
            pod.addresses = Addresses::default();
            change(pod);
        })
    }

    fn runs(pod: &mut Pod) {
        pod.addresses = [IpAddr::from([10, 244, 1, 9])].into_iter().collect();
    }

    fn measured(facts: &Cluster) -> (u64, f64) {
        let (counts, sum) = sandboxes(facts).histogram();
        (counts.iter().sum(), sum)
    }

    fn since(facts: &Cluster) -> Option<Clock> {
        sandboxes(facts).since(&Key::new("shop", "web-1"))
    }

    #[test]
    fn the_time_runs_from_the_node_to_the_address() {
        let facts = pod(begins(5), 10, |pod| pod.node = None);
        assert_eq!(since(&facts), None);
        let facts = pod(pod(facts, 12, |_| {}), 14, |pod| pod.labels = [("a", "b")].into());
        assert_eq!(since(&facts), Some(at(12)));
        assert_eq!(sandboxes(&facts).started(&"n1".into()), None);
        let facts = pod(facts, 16, runs);
        assert_eq!((since(&facts), measured(&facts)), (None, (1, 4.0)));
        assert_eq!(sandboxes(&facts).started(&"n1".into()), Some(at(16)));
        // It goes on, and is gone, without another.
        let facts = pod(facts, 20, |pod| {
            runs(pod);
            pod.ready = false;
        });
        let gone = facts.with(Event::<Pod>::Gone(Key::new("shop", "web-1")));
        assert_eq!(measured(&gone), (1, 4.0));
    }

    #[test]
    fn a_pod_that_loses_its_sandbox_waits_once_more() {
        let facts = pod(pod(begins(5), 10, runs), 30, |_| {});
        assert_eq!(since(&facts), Some(at(30)));
        assert_eq!(measured(&pod(facts, 35, runs)), (1, 5.0));
    }

    #[test]
    fn what_ends_leaves_or_is_another_waits_no_more() {
        let changes: [fn(&mut Pod); 3] =
            [|pod| pod.terminating = true, |pod| pod.ended = true, |pod| pod.host_network = true];
        for change in changes {
            let facts = pod(pod(begins(5), 10, |_| {}), 20, change);
            assert_eq!((since(&facts), measured(&facts)), (None, (0, 0.0)));
        }
        let facts = pod(pod(begins(5), 10, |_| {}), 20, |pod| pod.uid = "another".into());
        assert_eq!(since(&facts), Some(at(20)));
    }

    #[test]
    fn what_a_list_shows_has_waited_for_nobody_knows_how_long() {
        let facts = begins(5).with(Event::<Pod>::Begin);
        let facts = pod(facts, 10, |_| {}).with(Event::<Pod>::Done);
        assert_eq!(since(&facts), Some(at(10)));
        let facts = pod(facts, 15, runs);
        assert_eq!(measured(&facts), (0, 0.0));
        assert_eq!(sandboxes(&facts).started(&"n1".into()), Some(at(15)));
        // A list in between takes the time away, not the pod.
        let facts = pod(begins(5), 10, |_| {}).with(Event::<Pod>::Begin);
        let facts = pod(facts, 12, |_| {}).with(Event::<Pod>::Done);
        assert_eq!(since(&facts), Some(at(10)));
        assert_eq!(measured(&pod(facts, 14, runs)), (0, 0.0));
    }
}
