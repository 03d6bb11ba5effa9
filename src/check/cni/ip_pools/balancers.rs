//! Load balancers within the cluster: MetalLB and Cilium give Services addresses of their pools.
//!
//! A pool of one address for the only Service that needs one is full on purpose, so that a full one is
//! a fault only once a Service waits. Used is what Services have, counted once where they share it: a
//! status of the pools is newer than many clusters, and that of Cilium's stays behind at times.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::pool::{CAP, Of, Pool, Scope, together};
use super::{Adapter, Waiting};
use crate::cluster::Cluster;
use crate::model::{
    CiliumBalancerPool, Fact, IpAddressPool, IpFamily, LoadBalancer, Object, Service, Skipped,
    Span, Unanswered,
};

/// Compares MetalLB's pools with the addresses of Services.
pub(super) static METALLB: Adapter =
    Adapter { ipam: "metallb", wants: &[IpAddressPool::KIND, Service::KIND], pools: of_metallb };

/// Compares Cilium's pools for load balancers with the addresses of Services.
pub(super) static CILIUM: Adapter = Adapter {
    ipam: "cilium-lb",
    wants: &[CiliumBalancerPool::KIND, Service::KIND],
    pools: of_cilium,
};

fn of_metallb(cluster: &Cluster, _: &Waiting<'_>, out: &mut Vec<Pool>) -> Result<(), Unanswered> {
    of(cluster, out, |pool: &IpAddressPool| (&pool.spans, pool.avoids_buggy, pool.is_for_some))
}

fn of_cilium(cluster: &Cluster, _: &Waiting<'_>, out: &mut Vec<Pool>) -> Result<(), Unanswered> {
    of(cluster, out, |pool: &CiliumBalancerPool| (&pool.spans, false, pool.is_for_some))
}

/// Compares pools of one kind, of each of which is said what it has, whether it avoids what old routers
/// take for something else, and whether it is for some Services alone.
fn of<T: Fact>(
    cluster: &Cluster,
    out: &mut Vec<Pool>,
    has: impl Fn(&T) -> (&[Span], bool, bool),
) -> Result<(), Unanswered> {
    let all = cluster.read::<T>()?.whole()?;
    let services = Balanced::of(cluster)?;
    let (mut judged, mut others) = (Vec::new(), Vec::new());
    for (key, pool) in all.iter() {
        let what = Object { kind: T::KIND, key: key.clone() };
        let (spans, avoids_buggy, is_for_some) = has(pool);
        let pools = services.pools(&what, spans, avoids_buggy);
        if is_for_some { others.extend(pools) } else { judged.extend(pools) }
    }
    services.tell(judged, others, out)
}

/// What Services have and want of load balancers.
struct Balanced<'a> {
    addresses: BTreeSet<IpAddr>,
    waiting: Vec<&'a Service>,
}

impl<'a> Balanced<'a> {
    fn of(cluster: &'a Cluster) -> Result<Self, Unanswered> {
        let services = cluster.read::<Service>()?;
        services.whole()?;
        let all = || {
            let all = services.iter().map(|(_, service)| service);
            all.filter_map(|service| Some((service, service.load_balancer.as_deref()?)))
        };
        // One with a class is another's, unless that has the pools.
        let waits =
            |it: &LoadBalancer| !it.has_address && it.class.is_none() && it.deleted.is_none();
        Ok(Self {
            addresses: all()
                .flat_map(|(_, it)| it.addresses.iter())
                .filter_map(|it| it.parse().ok())
                .collect(),
            waiting: all().filter(|(_, it)| waits(it)).map(|(service, _)| service).collect(),
        })
    }

    /// Returns the pools of an object: one for each family.
    fn pools(&self, what: &Object, spans: &[Span], avoids_buggy: bool) -> Vec<Pool> {
        let name = match &*what.key.namespace {
            "" => what.key.name.to_string(),
            namespace => format!("{namespace}/{}", what.key.name),
        };
        let of = |family: IpFamily| {
            let own: Vec<&Span> =
                spans.iter().filter(|it| IpFamily::of(&it.first) == family).collect();
            if own.is_empty() {
                return None;
            }
            let all = own.iter().fold(0_u128, |sum, it| sum.saturating_add(it.size()));
            let buggy: u64 = own.iter().map(|it| it.buggy()).sum();
            let is_used = |it: &&IpAddr| own.iter().any(|span| span.contains(it));
            Some(Pool {
                of: Of::Balancers(None),
                name: name.clone(),
                scope: Scope::Cluster(what.clone()),
                family: Some(family),
                addresses: Some(u64::try_from(all).map_or(CAP, |all| all.min(CAP))),
                used: Some(self.addresses.iter().filter(is_used).count() as u64),
                reserved: if avoids_buggy { buggy } else { 0 },
                uncertain: 0,
            })
        };
        [of(IpFamily::V4), of(IpFamily::V6)].into_iter().flatten().collect()
    }

    /// Tells pools: those that stand in for each other together. None of which anything has an
    /// address is told, since what owns them may be gone.
    fn tell(
        &self,
        judged: Vec<Pool>,
        others: Vec<Pool>,
        out: &mut Vec<Pool>,
    ) -> Result<(), Unanswered> {
        if judged.iter().chain(&others).all(|pool| pool.used == Some(0)) {
            return Err(Skipped::NotInstalled.into());
        }
        out.extend(together(judged).into_iter().map(|pool| {
            let is_whole = matches!(pool.scope, Scope::Cluster(_));
            let waiting = is_whole.then(|| self.waiting(pool.family));
            Pool { of: Of::Balancers(waiting), ..pool }
        }));
        out.extend(others);
        for pool in out.iter_mut() {
            if matches!(pool.of, Of::Balancers(_)) {
                pool.scope = Scope::Shared(pool.subject());
            }
        }
        Ok(())
    }

    fn waiting(&self, family: Option<IpFamily>) -> u64 {
        let wants = |service: &&&Service| match (family, &*service.families) {
            (Some(family), [first, ..]) => *first == family,
            _ => family == Some(IpFamily::V4),
        };
        self.waiting.iter().filter(wants).count() as u64
    }
}
