//! How often the containers of daemons began again of late, on netvitals' own clock.
//!
//! A count that is large says nothing of now, and a container that runs at this moment may have begun
//! again a minute ago: so the moments are kept at which the own watch saw a count grow. What was
//! before the start is not known. A count that falls is that of a kubelet which has lost containers.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Clock, Cluster, Follower, Step};
use crate::model::{Fact, Key, Kind, Name, Pod, Uid};

/// Of so many restarts of a container the moments are kept.
const MOST: usize = 3;

/// Follows the pods of DaemonSets on their nodes' own networks.
#[derive(Debug, Default)]
pub struct Restarts {
    pods: BTreeMap<Key, Seen>,
    /// What changed since the facts were last looked at; absent for what is gone.
    touched: Vec<(Key, Option<(Uid, Counts)>)>,
}

/// Each container, and how often it began again.
type Counts = Vec<(Name, u32)>;

#[derive(Debug, Default)]
struct Seen {
    uid: Uid,
    containers: Vec<Counted>,
}

#[derive(Debug)]
struct Counted {
    name: Name,
    count: u32,
    /// When it grew, the last one last.
    at: Vec<Clock>,
}

impl Follower for Restarts {
    fn kinds(&self) -> &'static [&'static Kind] {
        &[Pod::KIND]
    }

    fn step(&mut self, step: &Step<'_>) {
        let Some((old, new)) = step.of::<Pod>() else { return };
        let counts = |pod: &Pod| -> Option<(Uid, Counts)> {
            let containers = pod.daemon.as_ref()?.containers.iter();
            Some((pod.uid.clone(), containers.map(|it| (it.name.clone(), it.restarts)).collect()))
        };
        let [old, new] = [old, new].map(|pod| pod.and_then(counts));
        if old != new {
            self.touched.push((step.key.clone(), new));
        }
    }

    fn settle(&mut self, cluster: &Cluster, _relists: bool) {
        for (key, counts) in std::mem::take(&mut self.touched) {
            let before = self.pods.remove(&key);
            let Some((uid, counts)) = counts else { continue };
            let mut seen = before.filter(|seen| seen.uid == uid).unwrap_or_default();
            seen.uid = uid;
            seen.see(counts, cluster.now());
            self.pods.insert(key, seen);
        }
    }
}

impl Seen {
    fn see(&mut self, counts: Counts, now: Clock) {
        for (name, count) in counts {
            let Some(known) = self.containers.iter_mut().find(|it| it.name == name) else {
                self.containers.push(Counted { name, count, at: Vec::new() });
                continue;
            };
            let more = count.saturating_sub(known.count) as usize;
            known.count = count;
            known.at.extend(std::iter::repeat_n(now, more.min(MOST)));
            known.at.drain(..known.at.len().saturating_sub(MOST));
        }
    }
}

impl Restarts {
    /// Returns the container of a pod that began again most often within a time, and how often: at
    /// most three times.
    pub fn of(&self, pod: &Key, now: Clock, within: Duration) -> Option<(&Name, usize)> {
        let often = |it: &Counted| it.at.iter().filter(|at| now.since(**at) < within).count();
        let all = self.pods.get(pod)?.containers.iter().map(|it| (&it.name, often(it)));
        all.filter(|(_, often)| *often > 0).max_by_key(|(_, often)| *often)
    }
}

/// Returns how often containers of daemons began again.
pub fn restarts(cluster: &Cluster) -> &Restarts {
    cluster.follower().expect("the list of followers has this one, and no follower asks for it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Event;
    use crate::fixtures::{at, cluster};
    use crate::model::{Daemon, DaemonContainer};

    const HALF_AN_HOUR: Duration = Duration::from_secs(1800);

    fn counts(mut facts: Cluster, seconds: u64, uid: &str, counts: [u32; 2]) -> Cluster {
        facts.set_now(at(seconds));
        let containers = [("agent", counts[0]), ("helper", counts[1])].map(|(name, restarts)| {
            DaemonContainer { name: name.into(), restarts, ..DaemonContainer::default() }
        });
        facts.pod_with("kube-system/agent-1", |pod| {
            pod.uid = uid.into();
            pod.daemon = Some(Box::new(Daemon { containers: containers.into() }));
        })
    }

    fn often(facts: &Cluster) -> Option<(String, usize)> {
        let key = Key::new("kube-system", "agent-1");
        let found = restarts(facts).of(&key, facts.now(), HALF_AN_HOUR);
        found.map(|(name, often)| (name.to_string(), often))
    }

    #[test]
    fn what_was_before_is_not_known_and_what_is_seen_counts_for_a_while() {
        let facts = counts(cluster(), 0, "a", [931, 0]);
        assert_eq!(often(&facts), None);
        let facts = counts(facts, 60, "a", [932, 1]);
        let facts = counts(facts, 600, "a", [933, 1]);
        assert_eq!(often(&facts), Some(("agent".into(), 2)));
        // Several at once, of which the watch showed the last only.
        let facts = counts(facts, 700, "a", [940, 1]);
        assert_eq!(often(&facts), Some(("agent".into(), 3)));
        let facts = counts(facts, 2600, "a", [940, 1]);
        assert_eq!(often(&facts), None);
    }

    #[test]
    fn another_pod_begins_anew_and_one_that_is_gone_has_none() {
        let facts = counts(counts(cluster(), 0, "a", [0, 0]), 60, "a", [2, 0]);
        assert_eq!(often(&facts), Some(("agent".into(), 2)));
        let another = counts(facts, 70, "b", [4, 0]);
        assert_eq!(often(&another), None);
        let facts = counts(another, 80, "b", [5, 0]);
        let gone = facts.with(Event::<Pod>::Gone(Key::new("kube-system", "agent-1")));
        assert_eq!(often(&gone), None);
    }

    #[test]
    fn a_count_that_falls_is_no_restart() {
        let facts = counts(counts(cluster(), 0, "a", [7, 0]), 60, "a", [2, 0]);
        assert_eq!(often(&facts), None);
        assert_eq!(often(&counts(facts, 90, "a", [3, 0])), Some(("agent".into(), 1)));
    }
}
