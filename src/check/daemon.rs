//! What the pod of a DaemonSet does on a node, where it has to be on each: an agent of a CNI, kube-proxy.
//!
//! One that begins again and again runs at most moments at which one looks: it is told by how often
//! it began within half an hour, whatever it does now. Of the pods of files nothing is known but what
//! they do now.

use std::time::Duration;

use super::words::count;
use crate::cluster::Cluster;
use crate::cluster::restarts::restarts;
use crate::model::{DaemonContainer, Key, Name, Pod, Stuck};

/// A kubelet waits at most five minutes before a container begins again.
const WINDOW: Duration = Duration::from_secs(1800);

/// Who begins so often within that time does so again and again.
const OFTEN: usize = 3;

/// What it does, the worst first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum State {
    /// It does not run.
    Down,
    /// It runs, and is not ready.
    NotReady,
    /// It is ready at this moment, and was not for long.
    Restarting,
    Ready,
}

impl State {
    pub(super) fn of(cluster: &Cluster, key: &Key, pod: &Pod) -> Self {
        let often = often(cluster, key).map_or(0, |(_, often)| often);
        if pod.ready && !pod.terminating {
            return if often >= OFTEN { Self::Restarting } else { Self::Ready };
        }
        // Between two ends it runs for a moment, which changes nothing.
        let ends = pod.stuck.is_some() || often + 1 >= OFTEN;
        if ends && !pod.terminating { Self::Down } else { Self::NotReady }
    }

    /// Says what it does, and where to look next.
    pub(super) fn does(self, cluster: &Cluster, key: &Key, pod: &Pod) -> String {
        let often = often(cluster, key).map_or(0, |(_, often)| often);
        let last = last_end(cluster, key, pod);
        match (self, pod.stuck) {
            (Self::Restarting | Self::Ready, _) => format!(
                "is ready, and began {} times again within half an hour{last}: look at the log of \
                 its last end",
                count(often as u64)
            ),
            (_, Some(Stuck::Image)) => {
                "does not run, because its image cannot be pulled: look at its events".into()
            }
            (_, Some(Stuck::Unmade)) => {
                "does not run, because its container cannot be made: look at its events".into()
            }
            (_, Some(Stuck::Crashing)) | (Self::Down, None) => {
                format!("ends again and again{last}: look at the log of its last end")
            }
            _ if pod.terminating => "is deleted and stays: look at its events".into(),
            _ => "runs and is not ready: look at its log".into(),
        }
    }
}

/// Returns the container of a pod that began again most often of late.
fn often<'c>(cluster: &'c Cluster, key: &Key) -> Option<(&'c Name, usize)> {
    restarts(cluster).of(key, cluster.now(), WINDOW)
}

/// Says how the container ended last that is not as it should be.
fn last_end(cluster: &Cluster, key: &Key, pod: &Pod) -> String {
    let Some(name) = container(cluster, key, pod) else { return String::new() };
    let one = containers(pod).find(|it| it.name == name);
    let reason = one.and_then(|it| it.ended.as_ref()).map(|it| &it.reason);
    match reason.filter(|reason| !reason.is_empty()) {
        Some(reason) => format!(", last with {reason}"),
        None => String::new(),
    }
}

/// Returns the container that is to be looked at.
pub(super) fn container(cluster: &Cluster, key: &Key, pod: &Pod) -> Option<Name> {
    let restarted = often(cluster, key).map(|(name, _)| name.clone());
    let not_ready = || containers(pod).find(|it| !it.ready).map(|it| it.name.clone());
    restarted.or_else(not_ready).or_else(|| containers(pod).next().map(|it| it.name.clone()))
}

fn containers(pod: &Pod) -> impl Iterator<Item = &DaemonContainer> {
    pod.daemon.iter().flat_map(|daemon| &daemon.containers)
}
