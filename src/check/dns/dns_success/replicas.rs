//! Which replicas fail for those that ask them directly.

use std::collections::BTreeMap;

use super::REPLICA_FAILING;
use crate::check::dns::pods::Pods;
use crate::check::dns::queries::{Queries, mostly, service};
use crate::check::observers::Observers;
use crate::check::{Finding, Output};
use crate::cluster::Cluster;
use crate::family::Family;
use crate::model::{DnsPath, DnsQuery, Pod, Replica, Window};

pub(super) static OBSERVERS: Family<3> = Family::gauge(
    "netvitals_dns_replica_observers",
    "Agents that ask a replica directly, without those for which every replica fails.",
    ["namespace", "node", "pod"],
);

pub(super) static FAILING: Family<3> = Family::gauge(
    "netvitals_dns_replica_failing_observers",
    "Agents of which more than a tenth of the queries to a replica fail.",
    ["namespace", "node", "pod"],
);

/// Fewer queries than this say nothing of a replica, which has many observers.
const ENOUGH: u64 = 10;

/// What agents know of one replica.
#[derive(Default)]
struct Asked {
    observers: Observers,
    sum: Window,
}

/// Judges each replica by its observers.
pub(super) fn judge(cluster: &Cluster, said: &[Queries<'_>], out: &mut Output) {
    let mut replicas: BTreeMap<&Replica, Asked> = BTreeMap::new();
    let asked: Vec<_> = said.iter().map(|it| (it, windows(it))).collect();
    for replica in asked.iter().flat_map(|(_, windows)| windows.keys()) {
        replicas.entry(replica).or_default();
    }
    let only = replicas.len() == 1;
    let dns = Pods::of(cluster, &service(cluster, said));
    for (it, windows) in &asked {
        if only || !is_to_blame(it, windows) {
            for (replica, window) in windows {
                let asked = replicas.entry(replica).or_default();
                asked.observers.add(window.fails());
                asked.sum.add(window);
            }
        }
    }
    for (replica, Asked { observers, sum }) in replicas {
        let labels = [&*replica.pod.namespace, &*replica.node, &*replica.pod.name];
        out.sample(&OBSERVERS, labels, observers.all as f64);
        out.sample(&FAILING, labels, observers.failing as f64);
        if observers.agree() {
            let Observers { all, failing } = observers;
            let message = format!(
                "fails for {failing} of the {all} agents that ask it directly, {} of {} queries, \
                 mostly with {}: look at its log and at its CPU",
                sum.failures,
                sum.attempts,
                mostly(&sum)
            );
            let finding = Finding::of::<Pod>(&REPLICA_FAILING, replica.pod.clone(), message);
            out.finding(dns.name(finding.on(&replica.node)));
        }
    }
}

/// Returns what one agent knows of each replica.
fn windows<'a>(said: &Queries<'a>) -> BTreeMap<&'a Replica, Window> {
    let mut windows: BTreeMap<&Replica, Window> = BTreeMap::new();
    for row in &said.dns.rows {
        if (row.path, row.query) == (DnsPath::Replica, DnsQuery::Cluster)
            && let Some(replica) = &row.replica
        {
            windows.entry(replica).or_default().add(&row.queries);
        }
    }
    windows.retain(|_, window| window.attempts >= ENOUGH);
    windows
}

/// Whether it is the agent's own way that is broken: every replica fails, or the one that it
/// asks and its resolver with it.
fn is_to_blame(said: &Queries<'_>, windows: &BTreeMap<&Replica, Window>) -> bool {
    let headline = said.headline();
    let alone = windows.len() > 1 || headline.failures == headline.attempts;
    alone && windows.values().all(Window::fails)
}
