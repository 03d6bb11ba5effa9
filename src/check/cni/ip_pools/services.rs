//! Services: the addresses of their ranges, and the ports of nodes.
//!
//! When there are none left, whoever makes a Service is refused, and no event and no object says so.

use std::net::IpAddr;

use ipnet::IpNet;

use super::pool::{ALL, CAP, Of, Pool, Scope, together};
use super::{Adapter, Waiting};
use crate::check::cni::control_plane;
use crate::cluster::Cluster;
use crate::model::{Fact, IpFamily, Key, Object, Pod, Service, ServiceCidr, Skipped, Unanswered};

/// Compares the ranges of Services with the addresses that they have.
pub(super) static ADDRESSES: Adapter = Adapter {
    ipam: "services",
    wants: &[Service::KIND, ServiceCidr::KIND, Pod::KIND],
    pools: addresses,
};

/// Compares the range of ports with those that Services have.
pub(super) static PORTS: Adapter =
    Adapter { ipam: "node-ports", wants: &[Service::KIND, Pod::KIND], pools: ports };

fn addresses(cluster: &Cluster, _: &Waiting<'_>, pools: &mut Vec<Pool>) -> Result<(), Unanswered> {
    let mut used: Vec<IpAddr> = services(cluster)?
        .filter(|service| !service.external_name)
        .flat_map(|service| service.addresses.iter().copied())
        .collect();
    used.sort_unstable();
    used.dedup();
    let ranges = ranges(cluster)?;
    // Of a range that lies in another the addresses are the other's.
    let lies_in_other = |at: usize, range: &IpNet| {
        let mut others = ranges.iter().enumerate().filter(|(other, _)| *other != at);
        others.any(|(other, (_, it))| it.contains(range) && (it != range || other < at))
    };
    let own = ranges.iter().enumerate().filter(|(at, (_, range))| !lies_in_other(*at, range));
    let told = own.map(|(_, (what, range))| Pool {
        of: Of::Services,
        name: range.to_string(),
        scope: Scope::Cluster(what.clone()),
        family: Some(IpFamily::of(&range.addr())),
        addresses: Some(hosts(range)),
        used: Some(used.iter().filter(|it| range.contains(*it)).count() as u64),
        reserved: 0,
        uncertain: 0,
    });
    pools.extend(together(told.collect()));
    for family in [IpFamily::V4, IpFamily::V6] {
        let number = used.iter().filter(|it| IpFamily::of(it) == family).count();
        if number > 0 && !pools.iter().any(|pool| pool.family == Some(family)) {
            pools.push(of_unknown_size(Of::Services, Some(family), number));
        }
    }
    if pools.is_empty() { Err(Skipped::NotInstalled.into()) } else { Ok(()) }
}

fn ports(cluster: &Cluster, _: &Waiting<'_>, pools: &mut Vec<Pool>) -> Result<(), Unanswered> {
    let mut used: Vec<u16> =
        services(cluster)?.flat_map(|service| service.node_ports.iter().copied()).collect();
    used.sort_unstable();
    used.dedup();
    let mut flags = control_plane::flags(cluster)?;
    if let Some((key, range)) = flags.find_map(|(key, told)| Some((key, told.node_ports.clone()?)))
    {
        pools.push(Pool {
            of: Of::Ports,
            name: format!("{}-{}", range.start(), range.end()),
            scope: Scope::Cluster(Object { kind: Pod::KIND, key: key.clone() }),
            family: None,
            addresses: Some(range.len() as u64),
            used: Some(used.iter().filter(|port| range.contains(port)).count() as u64),
            reserved: 0,
            uncertain: 0,
        });
    } else if !used.is_empty() {
        pools.push(of_unknown_size(Of::Ports, None, used.len()));
    } else {
        return Err(Skipped::NotInstalled.into());
    }
    Ok(())
}

/// Returns all Services; where one cannot be read, the count would be too low.
fn services(cluster: &Cluster) -> Result<impl Iterator<Item = &Service>, Unanswered> {
    Ok(cluster.read::<Service>()?.whole()?.iter().map(|(_, service)| service))
}

/// Returns the ranges of which Services get their addresses, and who says so; none where nobody
/// does for certain. Flags know one of each family, so that they do not count where there are
/// objects which cannot be seen.
fn ranges(cluster: &Cluster) -> Result<Vec<(Object, IpNet)>, Unanswered> {
    match cluster.read::<ServiceCidr>() {
        Ok(objects) => {
            let open = objects.whole()?.iter().filter(|(_, it)| it.is_open());
            let ranges: Vec<(Object, IpNet)> = open
                .flat_map(|(key, it)| {
                    let what = Object { kind: ServiceCidr::KIND, key: key.clone() };
                    it.ranges().map(move |range| (what.clone(), range.trunc()))
                })
                .collect();
            if !ranges.is_empty() {
                return Ok(ranges);
            }
        }
        Err(Unanswered::Skipped(_)) => {}
        Err(why) => return Err(why),
    }
    let mut flags = control_plane::flags(cluster)?;
    let told = flags.find(|(_, told)| !told.services.is_empty());
    Ok(told.map_or_else(Vec::new, |(key, told)| {
        let what = Object { kind: Pod::KIND, key: key.clone() };
        told.services.iter().map(|range| (what.clone(), range.trunc())).collect()
    }))
}

fn of_unknown_size(of: Of, family: Option<IpFamily>, used: usize) -> Pool {
    let what = Object { kind: Service::KIND, key: Key::new("default", "kubernetes") };
    Pool {
        of,
        name: ALL.to_owned(),
        scope: Scope::Shared(what),
        family,
        addresses: None,
        used: Some(used as u64),
        reserved: 0,
        uncertain: 0,
    }
}

/// Returns how many addresses an API server hands out: not that of the network, nor the broadcast
/// address of IPv4.
fn hosts(range: &IpNet) -> u64 {
    let kept = if matches!(range, IpNet::V4(_)) { 2 } else { 1 };
    let bits = u32::from(range.max_prefix_len() - range.prefix_len());
    1_u64.checked_shl(bits).map_or(CAP, |all| all.min(CAP)).saturating_sub(kept)
}
