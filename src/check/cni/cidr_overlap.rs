//! Do the ranges of pods, Services and nodes stay apart?
//!
//! What counts is what is handed out: the ranges of nodes whose pods have addresses of them, the
//! blocks of pools in which pods have addresses, the addresses of nodes, and all that is reserved for
//! Services. Where such lie in one another, packets go astray. A pool that could hand out what others
//! have, and has not yet, is a warning; so a network whose pods have addresses of the cloud's own
//! needs no exception: no pool, no conflict.
//!
//! Pools are read where Calico (`crd.projectcalico.org`), Cilium (`cluster-pool`) and flannel say
//! them. Who says what Services have, the best first: ServiceCIDRs, flags of the control plane where
//! it runs as pods, what kubeadm was told if the API's own Service fits it, else their addresses.
//!
//! Left out: routes and addresses of nodes that the API does not show, such as docker0 and VPNs;
//! other machines in the range of pods; addresses by which nodes are known outside; pools by
//! `projectcalico.org/v3` alone, `CiliumPodIPPool`, Kube-OVN, OVN-Kubernetes, of which only single
//! addresses of pods are compared with Services; ranges of load balancers.

mod codes;
mod facts;
mod ranges;
mod rules;
mod sources;

pub use self::codes::{
    LATENT, ONE_FAMILY, OUTSIDE, PODS_NODES, PODS_SERVICES, POOLS, SERVICE_OUTSIDE, SERVICES_NODES,
    SHARED,
};
use self::facts::Facts;
use crate::check::words::{count, some};
use crate::check::{Check, Layer, Output};
use crate::cluster::Cluster;
use crate::family::Family;
use crate::model::{
    CiliumConfig, Fact, FlannelConfig, IpPool, KubeadmConfig, Node, Pod, Service, ServiceCidr,
    Skipped, Unanswered,
};

/// Compares all ranges, and the addresses of nodes.
pub static CHECK: Check = Check {
    id: "cidr_overlap",
    layer: Layer::Cni,
    question: "Do the ranges of pods, Services and nodes stay apart?",
    runbook: "NetvitalsCIDROverlap",
    needs: &[Node::KIND, Pod::KIND, Service::KIND],
    wants: &[
        ServiceCidr::KIND,
        IpPool::KIND,
        KubeadmConfig::KIND,
        FlannelConfig::KIND,
        CiliumConfig::KIND,
    ],
    families: &[OVERLAPS.desc()],
    codes: &[
        &SHARED,
        &PODS_SERVICES,
        &PODS_NODES,
        &SERVICES_NODES,
        &OUTSIDE,
        &LATENT,
        &POOLS,
        &ONE_FAMILY,
        &SERVICE_OUTSIDE,
    ],
    run,
};

static OVERLAPS: Family<2> = Family::gauge(
    "netvitals_cidr_overlaps",
    "Nodes of which a range or an address lies in one that is for something else, or is another's.",
    ["first", "second"],
);

fn run(cluster: &Cluster, out: &mut Output) -> Result<(), Unanswered> {
    let facts = Facts::of(cluster, out)?;
    if facts.nodes.nodes.is_empty() {
        return Err(Skipped::NotApplicable.into());
    }
    let found = [
        ("pod", "pod", rules::shared(&facts, out)),
        ("pod", "service", rules::pods_services(&facts, out)),
        ("pod", "node", rules::pods_nodes(&facts, out)),
        ("service", "node", rules::services_nodes(&facts, out)),
    ];
    for (first, second, number) in found {
        out.sample(&OVERLAPS, [first, second], number as f64);
    }
    rules::outside(&facts, out);
    rules::latent(&facts, out);
    rules::pools(&facts, out);
    rules::one_family(&facts, out);
    rules::service_outside(&facts, out);
    let wrong: usize = found.iter().map(|(.., number)| number).sum();
    let overlaps = if wrong == 0 { "no overlap".to_owned() } else { some(wrong, "overlap") };
    out.statement(format!(
        "{overlaps} among {} of pods, {} of Services, {}, and {}",
        some(facts.handed.len(), "range"),
        count(facts.services.ranges.len() as u64),
        facts.services.by.words(),
        some(facts.nodes.nodes.len(), "node")
    ));
    Ok(())
}

#[cfg(test)]
mod tests;
