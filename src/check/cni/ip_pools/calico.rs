//! Calico's own IPAM: nodes get blocks of pools, and pods addresses of blocks.
//!
//! A node whose blocks are full gets another, and where there is none it borrows of others', unless
//! it is told not to: so a pool is used up once no address is free, and a node that starves before
//! that is seen by its pods that wait. Read is `crd.projectcalico.org`, which holds them wherever
//! both groups are there. Left out: reservations, of which a pool has as much less; limits of blocks
//! for each node; pools for load balancers.

use ipnet::IpNet;

use super::pool::{CAP, Of, Pool, Scope, together};
use super::{Adapter, Waiting};
use crate::check::cni::running::{CALICO, is_run};
use crate::cluster::Cluster;
use crate::model::{Fact, IpFamily, IpPool, IpamBlock, Key, Object, Pod, Skipped, Unanswered};

/// Compares pools with what of their blocks is handed out.
pub(super) static ADAPTER: Adapter =
    Adapter { ipam: "calico", wants: &[IpPool::KIND, IpamBlock::KIND, Pod::KIND], pools };

/// A pool, and what is used of it.
struct Found<'a> {
    key: &'a Key,
    pool: &'a IpPool,
    range: IpNet,
    used: u64,
    blocks: usize,
}

fn pools(cluster: &Cluster, _: &Waiting<'_>, pools: &mut Vec<Pool>) -> Result<(), Unanswered> {
    let (all, blocks) = (cluster.read::<IpPool>()?, cluster.read::<IpamBlock>()?);
    if !is_run(cluster, CALICO)? {
        return Err(Skipped::NotInstalled.into());
    }
    all.whole()?;
    blocks.whole()?;
    let mut found: Vec<Found<'_>> = all
        .iter()
        .filter_map(|(key, pool)| {
            let (range, _) = pool.range()?;
            Some(Found { key, pool, range, used: 0, blocks: 0 })
        })
        .collect();
    for (_, block) in blocks.iter() {
        let Some(range) = block.range else { continue };
        let around = found.iter_mut().filter(|it| it.range.contains(&range));
        if let Some(of) = around.max_by_key(|it| it.range.prefix_len()) {
            of.used += block.used;
            of.blocks += 1;
        }
    }
    // Calico may be there for policies alone, or give pods addresses of the ranges of nodes.
    if found.iter().all(|it| it.used == 0) {
        return Err(Skipped::NotInstalled.into());
    }
    let there = found.iter().filter(|it| it.pool.is_for_pods());
    let there = there.filter(|it| it.pool.is_enabled() || it.blocks > 0);
    let (judged, others): (Vec<&Found<'_>>, Vec<&Found<'_>>) =
        there.partition(|it| it.pool.is_enabled() && it.pool.is_for_all());
    pools.extend(together(judged.into_iter().map(|it| it.told(Scope::Cluster)).collect()));
    pools.extend(others.into_iter().map(|it| it.told(Scope::Shared)));
    Ok(())
}

impl Found<'_> {
    fn told(&self, scope: fn(Object) -> Scope) -> Pool {
        let bits = u32::from(self.range.max_prefix_len() - self.range.prefix_len());
        Pool {
            of: Of::Pods,
            name: self.key.name.to_string(),
            scope: scope(Object { kind: IpPool::KIND, key: self.key.clone() }),
            family: Some(IpFamily::of(&self.range.addr())),
            // The first and the last are handed out too.
            addresses: Some(1_u64.checked_shl(bits).map_or(CAP, |all| all.min(CAP))),
            used: Some(self.used),
            reserved: 0,
            uncertain: 0,
        }
    }
}
