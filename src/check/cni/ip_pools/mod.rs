//! Are there addresses left for new pods and Services?
//!
//! A node without a free address starts no more pods, and says so only in the events of those
//! that wait; a Service that finds no address is refused, and nothing says so but the answer to who
//! made it. Each way to hand out addresses is an [`Adapter`] in a file of its own, and several may be
//! at work at once.
//!
//! A node's pool may fill on purpose, so it is a problem only once pods wait for an address. What
//! is told of a pool is what the API shows, and an address that a runtime leaked is not seen: so
//! pods that wait for long are told whatever the pool looks like, unless their events say that it is
//! for something else. By its level is judged what serves the whole cluster, and for which nothing
//! else stands in: [`Scope::Cluster`]. What cannot be known is no sample: of how many a pool of which
//! nobody says the range, or a port range that only a flag of an API server out of sight would say.

mod balancers;
mod calico;
mod cilium;
mod codes;
mod host_local;
mod pool;
mod services;
#[cfg(test)]
mod tests;

pub use self::codes::{
    BALANCERS_FILLING, BALANCERS_FULL, CILIUM_FULL, EXHAUSTED, FILLING, FULL, NO_MORE_NODES,
    NO_RANGE, SERVICES_FILLING, TOO_SMALL, WAITING_PODS,
};
pub use self::pool::{Giver, Of, Pool, Scope};
use super::waiting::Cause;
pub use super::waiting::Waiting;
use crate::check::words::{count, some};
use crate::check::{Check, Finding, Layer, Output};
use crate::cluster::Cluster;
use crate::family::Family;
use crate::model::{
    CiliumBalancerPool, CiliumConfig, CiliumNode, Fact, IpAddressPool, IpPool, IpamBlock, Key,
    Kind, Name, Node, Pod, PodEvent, Service, ServiceCidr, Skipped, Unanswered,
};

/// Compares what each pool holds with what pods have of it.
pub static CHECK: Check = Check {
    id: "ip_pools",
    layer: Layer::Cni,
    question: "Are there addresses left for new pods and Services?",
    runbook: "NetvitalsIPPoolExhausted",
    needs: &[Node::KIND, Pod::KIND],
    // Events say which pods wait for something else.
    wants: &[
        PodEvent::KIND,
        IpPool::KIND,
        IpamBlock::KIND,
        CiliumConfig::KIND,
        CiliumNode::KIND,
        CiliumBalancerPool::KIND,
        IpAddressPool::KIND,
        Service::KIND,
        ServiceCidr::KIND,
    ],
    families: &[ADDRESSES.desc(), USED.desc(), RESERVED.desc(), UTILISATION.desc(), WAITING.desc()],
    codes: &[
        &EXHAUSTED,
        &NO_RANGE,
        &FILLING,
        &FULL,
        &SERVICES_FILLING,
        &BALANCERS_FULL,
        &BALANCERS_FILLING,
        &NO_MORE_NODES,
        &CILIUM_FULL,
        &TOO_SMALL,
        &WAITING_PODS,
    ],
    run,
};

const LABELS: [&str; 5] = ["ipam", "pool", "scope", "node", "ip_family"];

static ADDRESSES: Family<5> = Family::gauge(
    "netvitals_ip_pool_addresses",
    "Addresses, ranges for nodes or ports that a pool can ever hand out.",
    LABELS,
);

static USED: Family<5> =
    Family::gauge("netvitals_ip_pool_used", "What of a pool is handed out.", LABELS);

static RESERVED: Family<5> = Family::gauge(
    "netvitals_ip_pool_reserved",
    "What of a pool is kept from those who ask.",
    LABELS,
);

static UTILISATION: Family<5> = Family::gauge(
    "netvitals_ip_pool_utilisation_ratio",
    "Share of what a pool may hand out that is used.",
    LABELS,
);

static WAITING: Family<5> = Family::gauge(
    "netvitals_ip_pool_waiting_pods",
    "Pods that are scheduled, may take an address of a pool, and have none yet.",
    LABELS,
);

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
pub static ADAPTERS: &[&Adapter] = &[
    &host_local::ADAPTER,
    &calico::ADAPTER,
    &cilium::ADAPTER,
    &services::ADDRESSES,
    &services::PORTS,
    &balancers::METALLB,
    &balancers::CILIUM,
];

fn run(cluster: &Cluster, out: &mut Output) -> Result<(), Unanswered> {
    // What cannot be read may have an address, or a range: the counts are too low.
    out.lacks("pods", cluster.read::<Pod>()?);
    out.lacks("nodes", cluster.read::<Node>()?);
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
    // Where nothing is known of pods' addresses, nothing is known of those that have none.
    if all.iter().any(|pool| pool.of == Of::Pods) {
        let is_told = |node: &Name| {
            let is_here = |pool: &Pool| pool.node().is_none_or(|of| of == node);
            let here = |pool: &&Pool| pool.of == Of::Pods && is_here(pool);
            all.iter().filter(here).any(|pool| pool.is_exhausted(pool.wanted(&waiting)))
        };
        waits(cluster, out, &waiting, is_told)?;
    }
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

/// Says what of the fullest pool of pods is used, and of the fullest of others where that is filling
/// or of pods nothing is known.
fn statement(pools: &[Pool]) -> String {
    let (pods, others): (Vec<&Pool>, Vec<&Pool>) =
        pools.iter().partition(|pool| pool.of == Of::Pods);
    let known = |of: &[&Pool]| {
        let all = of.iter().filter_map(|pool| Some((pool.utilisation()?, fullest(pool)?)));
        all.max_by(|one, other| one.0.total_cmp(&other.0))
    };
    let judged = others.iter().filter(|pool| matches!(pool.scope, Scope::Cluster(_)));
    let others = known(&judged.copied().collect::<Vec<_>>());
    if pods.is_empty() {
        let others = others.map_or_else(|| "of others not the size".to_owned(), |(_, it)| it);
        return format!("of pods no pool is known; {others}");
    }
    let unknown = || format!("{} whose use is not known", some(pods.len(), "pool"));
    let of_pods = known(&pods).map_or_else(unknown, |(_, it)| it);
    match others {
        Some((share, others)) if share >= pool::FILLING_FROM => format!("{of_pods}; {others}"),
        _ => of_pods,
    }
}

fn fullest(pool: &Pool) -> Option<String> {
    let place = match pool.node() {
        Some(node) => format!("{node}, the fullest node"),
        None => pool.name.clone(),
    };
    let (used, available) = (count(pool.used?), count(pool.available()?));
    Some(format!("{used} of {available} {} used on {place}", pool.of.what()))
}

fn tell(out: &mut Output, ipam: &str, pool: &Pool, waiting: &Waiting<'_>) {
    let labels = pool.labels(ipam);
    if let Some(addresses) = pool.addresses {
        out.sample(&ADDRESSES, labels, addresses as f64);
        out.sample(&RESERVED, labels, pool.reserved as f64);
    }
    if pool.of == Of::Pods {
        out.sample(&WAITING, labels, pool.waiting(waiting) as f64);
    }
    if let Some(used) = pool.used {
        out.sample(&USED, labels, used as f64);
    }
    if let Some(utilisation) = pool.utilisation() {
        out.sample(&UTILISATION, labels, utilisation);
    }
    for (code, message) in pool.faults(pool.wanted(waiting)) {
        let node = pool.node();
        let first = node.and_then(|node| waiting.first(node, pool.meant()));
        let subject = pool.subject();
        let of_pool = (subject.kind == IpPool::KIND).then(|| subject.key.name.clone());
        let of_kind = matches!(pool.of, Of::Balancers(_)).then(|| subject.kind);
        let of_kind = of_kind.map(|it| format!("{}.{}", it.plural, it.group));
        let mut finding = Finding::about(code, subject, message)
            .with("pools", of_kind)
            .with("ip_pool", of_pool)
            .with("pod_namespace", first.map(|key| &key.namespace))
            .with("pod", first.map(|key| &key.name));
        finding.node = node.cloned();
        out.finding(finding);
    }
}
