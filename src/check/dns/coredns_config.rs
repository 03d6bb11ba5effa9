//! Is CoreDNS told what the cluster needs?
//!
//! The Corefile of the pods behind the DNS Service, with all that it imports: whether CoreDNS takes
//! it, answers for the cluster's names, hands others on and not back to itself, and takes up what
//! changes. It is what the next pod begins with; those that run may go on with an older one. Of the
//! caches on nodes it is looked at whether they begin, and whether they ask themselves.
//!
//! Left out: what comes from the environment or from files that no ConfigMap of a known name has,
//! which is never guessed; what a plugin makes of a property that is not known here; whether a
//! server that is named answers, and what `/etc/resolv.conf` of a pod holds, which queries show.
//! What is missing on purpose in a cluster without a way out is a warning and pages nobody.

mod around;
mod codes;
mod fit;
mod forwards;
mod rules;

use self::around::Around;
pub use self::codes::{
    CLUSTER_ZONE, EXTERNAL, FORWARD_TWICE, KEPT_LONG, LACKS, LOOP, NODE_CACHE, NOTES, REFUSED,
    RELOAD, UNCLAIMED,
};
use self::rules::{judge, judge_caches};
use super::corefile::{told, told_caches};
use super::pods::{Pods, service};
use super::queries::{answered, queries};
use crate::check::words::{count, some};
use crate::check::{Check, Finding, Layer, Output};
use crate::cluster::Cluster;
use crate::model::{CONFIG_MAPS, Fact, Pod, Service, Unanswered, Unknown};

/// Reads the Corefile.
pub static CHECK: Check = Check {
    id: "coredns_config",
    layer: Layer::Dns,
    question: "Is CoreDNS told what the cluster needs?",
    runbook: "NetvitalsCoreDNSMisconfigured",
    needs: &[Service::KIND, Pod::KIND],
    wants: &CONFIG_MAPS,
    families: &[],
    codes: &[
        &REFUSED,
        &CLUSTER_ZONE,
        &LOOP,
        &UNCLAIMED,
        &EXTERNAL,
        &NODE_CACHE,
        &FORWARD_TWICE,
        &RELOAD,
        &LACKS,
        &KEPT_LONG,
        &NOTES,
    ],
    run,
};

fn run(cluster: &Cluster, out: &mut Output) -> Result<(), Unanswered> {
    let told = told(cluster)?;
    let key = &cluster.settings().dns_service;
    let service = service(cluster)?;
    let dns = Pods::of(cluster, key);
    let pods = cluster.read::<Pod>()?.namespace(&key.namespace)?;
    let behind = pods.filter(|(_, pod)| service.selects(pod));
    let around = Around {
        service: &service.addresses,
        pods: behind.flat_map(|(_, pod)| pod.addresses.iter()).collect(),
        domain: domain(cluster),
        asked: answered(cluster),
    };
    let (found, unsure) = judge(&told, &around);
    for (code, message) in found {
        let finding = Finding::about(code, told.of.clone(), message);
        out.finding(dns.name(finding));
    }
    if unsure {
        out.gap("imports", Unknown::Unread("what the Corefile imports or takes from elsewhere"));
    }
    match told_caches(cluster) {
        Ok(None) | Err(Unanswered::Skipped(_)) => {}
        Err(why) => out.gap("node_caches", why),
        Ok(Some(caches)) => {
            // The commands that name the DNS pods are about others.
            for (code, message) in judge_caches(&caches, &around) {
                out.finding(Finding::about(code, caches.of.clone(), message));
            }
        }
    }
    let name = &told.of.key;
    out.statement(match &told.corefile {
        Err(_) => format!("the Corefile in ConfigMap {name} is refused"),
        Ok(all) => {
            let plugins: usize = all.blocks.iter().map(|block| block.plugins.len()).sum();
            let blocks = some(all.blocks.len(), "server block");
            format!("{blocks} with {} plugins in ConfigMap {name}", count(plugins as u64))
        }
    });
    Ok(())
}

/// Returns the cluster's domain, where all agents say the same.
fn domain(cluster: &Cluster) -> Option<String> {
    let said = queries(cluster, &mut Output::default()).unwrap_or_default();
    let mut domains = said.iter().filter_map(|it| it.dns.domain.as_ref());
    let first = domains.next()?;
    domains.all(|it| it == first).then(|| first.to_string())
}

#[cfg(test)]
mod tests;
