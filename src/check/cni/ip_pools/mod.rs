//! Are there addresses left for new pods?
//!
//! A node without a free address starts no more pods, and says so only in the events of those
//! that wait. Each way to hand out addresses is an [`Adapter`] in a file of its own.
//!
//! A node's pool may fill on purpose, so it is a problem only once pods wait for an address. What
//! is told of a pool is what the API shows, and an address that a runtime leaked is not seen: so
//! pods that wait for long are told whatever the pool looks like, unless their events say that it is
//! for something else. Left out: how many nodes or blocks a cluster can still have, where only flags
//! of the controller manager would say it.

mod codes;
mod host_local;
#[cfg(test)]
mod tests;

pub use self::codes::{EXHAUSTED, FILLING, TOO_SMALL, WAITING_PODS};
use super::waiting::Cause;
pub use super::waiting::Waiting;
use crate::check::words::{count, some};
use crate::check::{Check, Code, Finding, Layer, Output};
use crate::cluster::Cluster;
use crate::family::Family;
use crate::model::{
    Fact, IpFamily, Key, Kind, Name, Node, Object, Pod, PodEvent, Skipped, Unanswered, Unknown,
};

/// Compares what each pool holds with what pods have of it.
pub static CHECK: Check = Check {
    id: "ip_pools",
    layer: Layer::Cni,
    question: "Are there addresses left for new pods?",
    runbook: "NetvitalsIPPoolExhausted",
    needs: &[Node::KIND, Pod::KIND],
    // They say which pods wait for something else.
    wants: &[PodEvent::KIND],
    families: &[ADDRESSES.desc(), USED.desc(), RESERVED.desc(), UTILISATION.desc(), WAITING.desc()],
    codes: &[&EXHAUSTED, &FILLING, &TOO_SMALL, &WAITING_PODS],
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

/// A cluster's pool is filling from this share on.
const FILLING_FROM: f64 = 0.85;

/// One way to hand out addresses.
#[derive(Debug)]
pub struct Adapter {
    /// Its name: label value, and part of the check that may be a gap.
    pub ipam: &'static str,
    /// The kinds that it reads; each is among the check's `needs` or `wants`.
    pub wants: &'static [&'static Kind],
    /// Adds its pools, and may look at the pods that wait; [`Skipped`] where the cluster does not
    /// use it.
    pub pools: fn(&Cluster, &Waiting<'_>, &mut Vec<Pool>) -> Result<(), Unanswered>,
}

/// Every known way.
pub static ADAPTERS: &[&Adapter] = &[&host_local::ADAPTER];

/// Some addresses, and what has become of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    /// What tells it from the others of its IPAM: a range, or an object's name.
    pub name: String,
    /// Where its addresses are handed out.
    pub scope: Scope,
    /// Of which family its addresses are.
    pub family: IpFamily,
    /// All that it can ever hand out.
    pub addresses: u64,
    /// Those that pods have; absent where that cannot be known.
    pub used: Option<u64>,
    /// Those that are kept from pods.
    pub reserved: u64,
    /// As many more may be kept by a CNI that is not known.
    pub uncertain: u64,
}

/// Where the addresses of a pool are handed out.
#[derive(Clone, Debug, PartialEq)]
pub enum Scope {
    /// On any node; the object is what people edit to make it larger.
    Cluster(Object),
    /// On one node.
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

    fn waiting(&self, waiting: &Waiting<'_>) -> u64 {
        match &self.scope {
            Scope::Cluster(_) => waiting.all(),
            Scope::Node { node, .. } => waiting.on(node),
        }
    }

    /// What a pod may wait for that has something to do with the pool. One without any address
    /// fails in as many words as there are plugins.
    fn meant(&self) -> fn(Cause) -> bool {
        if self.addresses == 0 { Cause::may_be_network } else { Cause::may_be_address }
    }

    /// Returns how many pods may wait for an address of it, rather than for something else.
    fn wanted(&self, waiting: &Waiting<'_>) -> u64 {
        match &self.scope {
            Scope::Cluster(_) => waiting.count(None, self.meant()),
            Scope::Node { node, .. } => waiting.count(Some(node), self.meant()),
        }
    }

    /// Whether no address is free; where it is not known how many the CNI keeps, more pods that
    /// wait than there seem to be addresses say so.
    fn is_exhausted(&self, waiting: u64) -> bool {
        let free = self.used.map(|used| self.available().saturating_sub(used));
        free.is_some_and(|free| waiting > free && free <= self.uncertain)
    }

    /// Returns what is wrong, in words that end with the next thing to look at.
    fn faults(&self, waiting: u64) -> Vec<(&'static Code, String)> {
        let (name, available) = (&self.name, self.available());
        let mut faults = Vec::new();
        if self.is_exhausted(waiting) {
            let used = self.used.unwrap_or_default();
            let message = if self.addresses == 0 {
                format!(
                    "it has no addresses for pods (range: {name}) and pods wait: {waiting}: look \
                     at spec.podCIDRs of the node, then at the log of kube-controller-manager"
                )
            } else {
                format!(
                    "{used} of {available} addresses of {name} are used and pods wait: {waiting}: \
                     look at the events of the pods that are Pending"
                )
            };
            faults.push((&EXHAUSTED, message));
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
    if cluster.read::<Pod>()?.has_undecoded() {
        out.gap("pods", Unknown::Undecoded(Pod::KIND.name));
    }
    if cluster.read::<Node>()?.has_undecoded() {
        out.gap("nodes", Unknown::Undecoded(Node::KIND.name));
    }
    judge(ADAPTERS, cluster, out)
}

/// Asks every adapter; one that cannot answer is a gap, unless no other answers.
fn judge(adapters: &[&Adapter], cluster: &Cluster, out: &mut Output) -> Result<(), Unanswered> {
    let waiting = Waiting::of(cluster, cluster.remember::<PodEvent>().ok())?;
    let mut silence = Unanswered::from(Skipped::NotApplicable);
    let mut all: Option<Vec<Pool>> = None;
    for adapter in adapters {
        let mut pools = Vec::new();
        match (adapter.pools)(cluster, &waiting, &mut pools) {
            Ok(()) => {
                pools.iter().for_each(|pool| tell(out, adapter.ipam, pool, &waiting));
                all.get_or_insert_default().append(&mut pools);
            }
            Err(Unanswered::Skipped(_)) => {}
            Err(why) => {
                out.gap(adapter.ipam, why);
                silence = why;
            }
        }
    }
    let all = all.ok_or(silence)?;
    let is_told = |node: &Name| {
        let here = |pool: &&Pool| matches!(&pool.scope, Scope::Node { node: of, .. } if of == node);
        all.iter().filter(here).any(|pool| pool.is_exhausted(pool.wanted(&waiting)))
    };
    waits(cluster, out, &waiting, is_told)?;
    out.statement(statement(&all));
    Ok(())
}

/// Finds the pods that wait although their node's pool does not say why; `is_told` says of which
/// node it does.
fn waits(
    cluster: &Cluster,
    out: &mut Output,
    waiting: &Waiting<'_>,
    is_told: impl Fn(&Name) -> bool,
) -> Result<(), Unanswered> {
    let nodes = cluster.read::<Node>()?;
    // On a node that is young, leaves or has no network of its own, that is no fault.
    let counts = |name: &Name| {
        let node = nodes.get(&Key::new("", name.clone()));
        node.is_some_and(|node| !node.is_virtual() && cluster.is_settled(name, node))
    };
    for (node, pods) in waiting.iter().filter(|(node, _)| counts(node) && !is_told(node)) {
        for waiter in pods.iter().filter(|it| it.cause.may_be_address()) {
            let message = format!(
                "on {node}, where addresses look free, it has none yet: look at its events for \
                 FailedCreatePodSandBox"
            );
            out.finding(Finding::of::<Pod>(&WAITING_PODS, waiter.key.clone(), message).on(node));
        }
    }
    Ok(())
}

fn statement(pools: &[Pool]) -> String {
    let known = pools.iter().filter_map(|pool| Some((pool, pool.used?, pool.utilisation()?)));
    let Some((fullest, used, _)) = known.max_by(|one, other| one.2.total_cmp(&other.2)) else {
        return format!("{} whose use is not known", some(pools.len(), "pool"));
    };
    let place = match &fullest.scope {
        Scope::Node { node, .. } => format!("{node}, the fullest node"),
        Scope::Cluster(_) => format!("{}, the fullest pool", fullest.name),
    };
    format!("{} of {} addresses used on {place}", count(used), count(fullest.available()))
}

fn tell(out: &mut Output, ipam: &str, pool: &Pool, waiting: &Waiting<'_>) {
    let (scope, subject, node) = match &pool.scope {
        Scope::Cluster(subject) => ("cluster", subject.clone(), None),
        Scope::Node { node, .. } => {
            let key = Key::new("", node.clone());
            ("node", Object { kind: Node::KIND, key }, Some(node))
        }
    };
    let on = node.map_or("", |node| &**node);
    let labels = [ipam, &pool.name, scope, on, pool.family.as_str()];
    let waits = pool.waiting(waiting);
    out.sample(&ADDRESSES, labels, pool.addresses as f64);
    out.sample(&RESERVED, labels, pool.reserved as f64);
    out.sample(&WAITING, labels, waits as f64);
    if let (Some(used), Some(utilisation)) = (pool.used, pool.utilisation()) {
        out.sample(&USED, labels, used as f64);
        out.sample(&UTILISATION, labels, utilisation);
    }
    for (code, message) in pool.faults(pool.wanted(waiting)) {
        let first = node.and_then(|node| waiting.first(node, pool.meant()));
        let mut finding = Finding::about(code, subject.clone(), message)
            .with("pod_namespace", first.map(|key| &key.namespace))
            .with("pod", first.map(|key| &key.name));
        finding.node = node.cloned();
        out.finding(finding);
    }
}
