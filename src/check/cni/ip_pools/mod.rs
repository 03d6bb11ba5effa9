//! Are there addresses left for new pods?
//!
//! A node without a free address starts no more pods, and says so only in the events of those
//! that wait. Each way to hand out addresses is an [`Adapter`] in a file of its own.
//!
//! A node's pool may fill on purpose, so it is a problem only once pods wait for an address. What
//! is told of a pool is what the API shows: an address that a runtime leaked is not seen. Left
//! out: how many nodes or blocks a cluster can still have, where only flags of the controller
//! manager would say it.

mod host_local;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::check::{Check, Code, Finding, Layer, Output, Remedy, Severity, Step};
use crate::cluster::{Cluster, Table};
use crate::family::Family;
use crate::model::{
    Fact, IpFamily, Key, Kind, Name, Node, Object, Pod, Skipped, Unanswered, Unknown,
};

/// Compares what each pool holds with what pods have of it.
pub static CHECK: Check = Check {
    id: "ip_pools",
    layer: Layer::Cni,
    question: "Are there addresses left for new pods?",
    needs: &[Node::KIND, Pod::KIND],
    wants: &[],
    families: &[ADDRESSES.desc(), USED.desc(), RESERVED.desc(), UTILISATION.desc(), WAITING.desc()],
    codes: &[&EXHAUSTED, &FILLING, &TOO_SMALL],
    run,
};

const LABELS: [&str; 5] = ["ipam", "pool", "scope", "node", "ip_family"];

static ADDRESSES: Family<5> = Family::gauge(
    "netvitals_ip_pool_addresses",
    "Addresses that a pool can ever hand out to pods.",
    LABELS,
);

static USED: Family<5> =
    Family::gauge("netvitals_ip_pool_used", "Addresses of a pool that pods have.", LABELS);

static RESERVED: Family<5> = Family::gauge(
    "netvitals_ip_pool_reserved",
    "Addresses of a pool that are kept from pods.",
    LABELS,
);

static UTILISATION: Family<5> = Family::gauge(
    "netvitals_ip_pool_utilisation_ratio",
    "Share of a pool's unreserved addresses that are used.",
    LABELS,
);

static WAITING: Family<5> = Family::gauge(
    "netvitals_ip_pool_waiting_pods",
    "Pods that are scheduled, may take an address of a pool, and have none yet.",
    LABELS,
);

/// No address is free, and pods wait for one.
pub static EXHAUSTED: Code = Code {
    id: "ip_pools.exhausted",
    severity: Severity::Problem,
    // A pod has its address seconds after it was scheduled.
    grace: Duration::from_secs(30),
    explain: "A pool has no free address, and pods that need one cannot start.",
    remedies: &[
        Remedy {
            step: Step::Inspect,
            command: "kubectl get pods -A -o wide --field-selector spec.nodeName={node}",
        },
        Remedy {
            step: Step::Inspect,
            command: "kubectl get events -A --field-selector reason=FailedCreatePodSandBox",
        },
        Remedy { step: Step::Fix, command: "kubectl cordon {node}" },
        Remedy {
            step: Step::Fix,
            command: "kubectl -n <namespace> delete pod <a pod that waits on {node}>",
        },
        Remedy {
            step: Step::Verify,
            command: "kubectl get pods -A -o wide --field-selector \
                      spec.nodeName={node},status.phase=Pending",
        },
    ],
};

/// A pool of the whole cluster is nearly used up.
pub static FILLING: Code = Code {
    id: "ip_pools.filling",
    severity: Severity::Warning,
    grace: Duration::from_secs(60),
    explain: "A pool that serves the whole cluster is more than 85 % used.",
    remedies: &[
        Remedy { step: Step::Inspect, command: "kubectl get pods -A -o wide" },
        Remedy { step: Step::Fix, command: "add a range to the IPAM that the finding names" },
        Remedy { step: Step::Verify, command: "kubectl get pods -A -o wide" },
    ],
};

/// The pool holds fewer addresses than the node takes pods.
pub static TOO_SMALL: Code = Code {
    id: "ip_pools.too_small",
    severity: Severity::Info,
    grace: Duration::ZERO,
    explain: "A node has fewer addresses than it accepts pods, so that the last ones cannot start.",
    remedies: &[
        Remedy { step: Step::Inspect, command: "kubectl describe node {node}" },
        Remedy {
            step: Step::Fix,
            command: "on {node}: set maxPods in /var/lib/kubelet/config.yaml to what the pool \
                      holds, then systemctl restart kubelet",
        },
        Remedy { step: Step::Verify, command: "kubectl describe node {node}" },
    ],
};

/// A cluster's pool is filling from this share on.
const FILLING_FROM: f64 = 0.85;

/// One way to hand out addresses.
#[derive(Debug)]
pub struct Adapter {
    /// Its name: label value, and part of the check that may be a gap.
    pub ipam: &'static str,
    /// The kinds that it reads; each is among the check's `needs` or `wants`.
    pub wants: &'static [&'static Kind],
    /// Adds its pools; [`Skipped`] where the cluster does not use it.
    pub pools: fn(&Cluster, &mut Vec<Pool>) -> Result<(), Unanswered>,
}

/// Every known way.
pub static ADAPTERS: &[&Adapter] = &[&host_local::ADAPTER];

/// Some addresses, and what has become of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    /// What tells it from the others of its IPAM: a range, or an object's name.
    pub name: String,
    /// Whom it serves.
    pub scope: Scope,
    /// Of which family its addresses are.
    pub family: IpFamily,
    /// All that it can ever hand out.
    pub addresses: u64,
    /// Those that pods have; absent where nobody can say.
    pub used: Option<u64>,
    /// Those that are kept from pods.
    pub reserved: u64,
    /// Pods that may take one, and have none yet.
    pub waiting: u64,
}

/// Whom a pool serves.
#[derive(Clone, Debug, PartialEq)]
pub enum Scope {
    /// Any node; the object is what people edit to make it larger.
    Cluster(Object),
    /// One node.
    Node {
        /// Its name.
        node: Name,
        /// How many pods it accepts.
        max_pods: Option<u64>,
    },
}

impl Pool {
    fn available(&self) -> u64 {
        self.addresses.saturating_sub(self.reserved)
    }

    /// Returns the share that is used; a pool without addresses is full.
    fn utilisation(&self) -> Option<f64> {
        let used = self.used?;
        Some(if self.available() == 0 { 1.0 } else { used as f64 / self.available() as f64 })
    }

    /// Returns what is wrong, in words that end with the next thing to look at.
    fn faults(&self) -> Vec<(&'static Code, String)> {
        let Self { name, waiting, .. } = self;
        let available = self.available();
        let used = self.used.unwrap_or_default();
        let mut faults = Vec::new();
        if self.used.is_some_and(|used| used >= available) && *waiting > 0 {
            faults.push((
                &EXHAUSTED,
                format!(
                    "{used} of {available} addresses of {name} are used and pods wait: {waiting}: \
                     look at the events of the pods that are Pending"
                ),
            ));
        }
        match &self.scope {
            Scope::Cluster(_) => {
                if let Some(share) = self.utilisation().filter(|share| *share >= FILLING_FROM) {
                    faults.push((
                        &FILLING,
                        format!(
                            "{:.0} % of the addresses of {name} are used: look at its size",
                            share * 100.0
                        ),
                    ));
                }
            }
            Scope::Node { max_pods, .. } => {
                if let Some(pods) = max_pods.filter(|pods| *pods > available) {
                    faults.push((
                        &TOO_SMALL,
                        format!(
                            "{name} has {available} addresses for up to {pods} pods: look at \
                             maxPods of the kubelet and at the size of node ranges"
                        ),
                    ));
                }
            }
        }
        faults
    }
}

fn run(cluster: &Cluster, out: &mut Output) -> Result<(), Unanswered> {
    // What cannot be read may have an address, or a range: the counts are too low.
    if cluster.read::<Pod>().is_ok_and(Table::has_undecoded) {
        out.gap("pods", Unknown::Undecoded(Pod::KIND.name));
    }
    if cluster.read::<Node>().is_ok_and(Table::has_undecoded) {
        out.gap("nodes", Unknown::Undecoded(Node::KIND.name));
    }
    judge(ADAPTERS, cluster, out)
}

/// Asks every adapter; one that cannot answer is a gap, unless no other answers.
fn judge(adapters: &[&Adapter], cluster: &Cluster, out: &mut Output) -> Result<(), Unanswered> {
    let mut silence = Unanswered::from(Skipped::NotApplicable);
    let mut answered = false;
    for adapter in adapters {
        let mut pools = Vec::new();
        match (adapter.pools)(cluster, &mut pools) {
            Ok(()) => {
                answered = true;
                pools.iter().for_each(|pool| tell(out, adapter.ipam, pool));
            }
            Err(Unanswered::Skipped(_)) => {}
            Err(why) => {
                out.gap(adapter.ipam, why);
                silence = why;
            }
        }
    }
    if answered { Ok(()) } else { Err(silence) }
}

fn tell(out: &mut Output, ipam: &str, pool: &Pool) {
    let (scope, subject, node) = match &pool.scope {
        Scope::Cluster(subject) => ("cluster", subject.clone(), None),
        Scope::Node { node, .. } => {
            let key = Key::new("", node.clone());
            ("node", Object { kind: Node::KIND, key }, Some(node.clone()))
        }
    };
    let on = node.as_deref().unwrap_or_default();
    let labels = [ipam, &pool.name, scope, on, pool.family.as_str()];
    out.sample(&ADDRESSES, labels, pool.addresses as f64);
    out.sample(&RESERVED, labels, pool.reserved as f64);
    out.sample(&WAITING, labels, pool.waiting as f64);
    if let (Some(used), Some(utilisation)) = (pool.used, pool.utilisation()) {
        out.sample(&USED, labels, used as f64);
        out.sample(&UTILISATION, labels, utilisation);
    }
    for (code, message) in pool.faults() {
        out.finding(Finding { code, subject: subject.clone(), node: node.clone(), message });
    }
}
