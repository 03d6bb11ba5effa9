//! Do the pods that answer DNS have enough CPU and memory?
//!
//! What bounds the containers that declare a port of UDP, as it is now: a resize in place, and what
//! is bounded for the pod as a whole, count too; what a LimitRange adds is in the pod. A low limit
//! is a risk, and no cause: what comes of it is found by `coredns_throttling` and `dns_success`.
//!
//! Left out: how much they use; a kubelet that does not enforce limits of CPU; more than the last
//! end of a container, and that too after a day. Where there is no pod, `dns_servers` says so.

mod codes;

use std::iter;
use std::time::Duration;

pub use self::codes::{CPU_LIMIT, CPU_REQUEST, MEMORY_LIMIT, OOM_KILLED};
use super::pods::{Pods, service};
use crate::check::words::{count, some};
use crate::check::{Check, Finding, Layer, Output};
use crate::cluster::Cluster;
use crate::family::Family;
use crate::model::{
    Amount, Bounded, Bounds, Fact, Key, Pod, Resources, Service, Skipped, Unanswered, Unknown,
};

/// Looks at the limits and requests of the pods behind the DNS Service.
pub static CHECK: Check = Check {
    id: "coredns_resources",
    layer: Layer::Dns,
    question: "Do the pods that answer DNS have enough CPU and memory?",
    runbook: "NetvitalsCoreDNSUnderprovisioned",
    needs: &[Service::KIND, Pod::KIND],
    wants: &[],
    families: &[LIMITED.desc(), LIMIT.desc(), REQUEST.desc(), MEMORY.desc()],
    codes: &[&CPU_LIMIT, &OOM_KILLED, &CPU_REQUEST, &MEMORY_LIMIT],
    run,
};

static LIMITED: Family<3> = Family::gauge(
    "netvitals_coredns_cpu_limited",
    "1 where a DNS pod, or its container that answers DNS, has a CPU limit; else 0.",
    ["namespace", "pod", "node"],
);

static LIMIT: Family<3> = Family::gauge(
    "netvitals_coredns_cpu_limit_cores",
    "The CPU limit of what answers DNS in a pod, or of the pod if that is less; absent without one.",
    ["namespace", "pod", "node"],
);

static REQUEST: Family<3> = Family::gauge(
    "netvitals_coredns_cpu_request_cores",
    "The CPU that is asked for what answers DNS in a pod; 0 where none is.",
    ["namespace", "pod", "node"],
);

static MEMORY: Family<3> = Family::gauge(
    "netvitals_coredns_memory_limit_bytes",
    "The memory limit of what answers DNS in a pod, or of the pod if that is less; absent without one.",
    ["namespace", "pod", "node"],
);

/// From here down a CPU limit is low; that of the CoreDNS chart is 100m, that of Talos 200m.
const LOW_CPU: u64 = 200;

/// kubeadm's request.
const PLAIN_REQUEST: u64 = 100;

/// kubeadm's memory limit.
const PLAIN_MEMORY: u64 = 170 * MEBI;

/// What the remedies give, of CPU in its own words.
const ADVISED_CPU: &str = "500m";
const ADVISED_MEMORY: u64 = 512 * MEBI;

const MEBI: u64 = 1024 * 1024;

/// For so long the end of a container is told.
const TOLD: Duration = Duration::from_secs(24 * 60 * 60);

/// A limit, and the container that has it; none where it is the whole pod's.
#[derive(Clone, Copy)]
struct Limit<'a> {
    amount: u64,
    container: Option<&'a Bounded>,
}

/// A pod behind the Service, by what answers DNS in it.
struct Server<'a> {
    key: &'a Key,
    pod: &'a Pod,
    cpu: Option<Limit<'a>>,
    memory: Option<Limit<'a>>,
    request: u64,
}

fn run(cluster: &Cluster, out: &mut Output) -> Result<(), Unanswered> {
    let service = service(cluster)?;
    let of = &cluster.settings().dns_service;
    let pods = cluster.read::<Pod>()?.namespace(&of.namespace)?;
    let behind = pods.filter(|(_, pod)| !pod.ended && !pod.terminating && service.selects(pod));
    let dns = Pods::of(cluster, of);
    let (mut servers, mut found) = (Vec::new(), Vec::new());
    let mut none = Unanswered::from(Skipped::NotApplicable);
    for (key, pod) in behind {
        found.extend(killed(cluster, &dns, key, pod));
        match Server::of(key, pod) {
            Ok(server) => servers.push(server),
            Err(why) => {
                out.gap("pods", why);
                none = why.into();
            }
        }
    }
    if servers.is_empty() {
        return Err(none);
    }
    let low = Low { dns: &dns, of, servers: &servers };
    found.extend([low.cpu(), low.request(), low.memory()].into_iter().flatten());
    found.into_iter().for_each(|finding| out.finding(finding));
    servers.iter().for_each(|server| server.measure(out));
    out.statement(statement(&servers));
    Ok(())
}

impl<'a> Server<'a> {
    fn of(key: &'a Key, pod: &'a Pod) -> Result<Self, Unknown> {
        const NO_PORT: Unknown = Unknown::NotFound("a port of UDP in a container of a DNS pod");
        let resources = pod.resources.as_deref().ok_or(NO_PORT)?;
        let answers = || resources.containers.iter().filter(|it| it.udp);
        if answers().next().is_none() {
            return Err(NO_PORT);
        }
        Ok(Self {
            key,
            pod,
            cpu: limit(resources, answers(), |it| it.cpu_limit)?,
            memory: limit(resources, answers(), |it| it.memory_limit)?,
            request: request(resources, answers())?,
        })
    }

    fn measure(&self, out: &mut Output) {
        let node = self.pod.node.as_deref().unwrap_or_default();
        let labels = [&*self.key.namespace, &*self.key.name, node];
        let cores = |thousandths: u64| thousandths as f64 / 1000.0;
        out.sample(&LIMITED, labels, f64::from(self.cpu.is_some()));
        out.sample(&REQUEST, labels, cores(self.request));
        if let Some(cpu) = self.cpu {
            out.sample(&LIMIT, labels, cores(cpu.amount));
        }
        if let Some(memory) = self.memory {
            out.sample(&MEMORY, labels, memory.amount as f64);
        }
    }
}

/// What is said that is no quantity.
const NO_QUANTITY: Unknown = Unknown::Undecoded(Pod::KIND.label);

/// Returns the least limit of some containers of a pod, or that of the pod if it is less. A limit of
/// 0 is none, to the kubelet as well.
fn limit<'a>(
    of: &Resources,
    containers: impl Iterator<Item = &'a Bounded>,
    which: fn(&Bounds) -> Amount,
) -> Result<Option<Limit<'a>>, Unknown> {
    let own = containers.map(|it| (which(&it.bounds), Some(it)));
    let mut least: Option<Limit<'a>> = None;
    for (amount, container) in own.chain([(which(&of.whole), None)]) {
        let amount = match amount {
            Amount::Unset | Amount::Of(0) => continue,
            Amount::Of(amount) => amount,
            Amount::Unreadable => return Err(NO_QUANTITY),
        };
        if least.is_none_or(|least| amount < least.amount) {
            least = Some(Limit { amount, container });
        }
    }
    Ok(least)
}

/// Returns the least request of some containers of a pod, of which one without its own has a part of
/// the pod's.
fn request<'a>(
    of: &Resources,
    containers: impl Iterator<Item = &'a Bounded>,
) -> Result<u64, Unknown> {
    let amount = |it: &'a Bounded| match (it.bounds.cpu_request, of.whole.cpu_request) {
        (Amount::Of(own), _) => Ok(own),
        (Amount::Unset, Amount::Of(whole)) => Ok(whole),
        (Amount::Unset, Amount::Unset) => Ok(0),
        (Amount::Unreadable, _) | (Amount::Unset, Amount::Unreadable) => Err(NO_QUANTITY),
    };
    let amounts = containers.map(amount).collect::<Result<Vec<_>, _>>()?;
    Ok(amounts.into_iter().min().unwrap_or_default())
}

/// Says which container of a pod ended of late because its memory was used up, first the one that
/// answers DNS.
fn killed(cluster: &Cluster, dns: &Pods, key: &Key, pod: &Pod) -> Option<Finding> {
    let resources = pod.resources.as_deref()?;
    let is_late = |at: Duration| cluster.now().unix.saturating_sub(at) < TOLD;
    let killed = || resources.containers.iter().filter(|it| it.oom_killed.is_some_and(is_late));
    let it = killed().find(|it| it.udp).or_else(|| killed().next())?;
    let limit = limit(resources, iter::once(it), |it| it.memory_limit).ok().flatten();
    let limited = match limit {
        None => ", and no limit of its own is known: look at the memory of its node".to_owned(),
        // It may have been another one then: a resize in place leaves the end as it was.
        Some(limit) if limit.amount < ADVISED_MEMORY => format!(
            ", and may use {} at most, where {} are advised: look at how much it uses",
            memory(limit.amount),
            memory(ADVISED_MEMORY)
        ),
        Some(limit) => {
            format!(", and may use {} at most: look at how much it uses", memory(limit.amount))
        }
    };
    let message =
        format!("its container {} ended because its memory was used up{limited}", it.name);
    let mut finding = Finding::of::<Pod>(&OOM_KILLED, key.clone(), message);
    if let Some(node) = &pod.node {
        finding = finding.on(node);
    }
    Some(raised(dns, finding, limit))
}

/// Fills the patch, but where it would give a container less memory than it has, or the limit is the
/// whole pod's: a command that is left out harms nobody.
fn raised(dns: &Pods, finding: Finding, limit: Option<Limit<'_>>) -> Finding {
    let little = |it: &&Bounded| matches!(it.bounds.memory_limit, Amount::Of(1..ADVISED_MEMORY));
    match limit.and_then(|limit| limit.container).filter(little) {
        Some(it) => dns.name(finding).with("container", Some(&it.name)),
        None => dns.name_without_owner(finding),
    }
}

/// What is low, of all pods: they are made of one template, mostly.
struct Low<'a> {
    dns: &'a Pods,
    of: &'a Key,
    servers: &'a [Server<'a>],
}

impl<'a> Low<'a> {
    fn cpu(&self) -> Option<Finding> {
        let (who, least) = self.least(|it| it.cpu, LOW_CPU)?;
        let message = format!(
            "{who} may use {} of CPU at most, where {ADVISED_CPU} are advised: look at what sets the \
             limit",
            cpu(least.amount)
        );
        let finding = Finding::of::<Service>(&CPU_LIMIT, self.of.clone(), message);
        Some(raised(self.dns, finding, Some(least)))
    }

    fn memory(&self) -> Option<Finding> {
        let (who, least) = self.least(|it| it.memory, PLAIN_MEMORY)?;
        let message = format!(
            "{who} may use {} of memory at most: look at how much they use",
            memory(least.amount)
        );
        let finding = Finding::of::<Service>(&MEMORY_LIMIT, self.of.clone(), message);
        Some(raised(self.dns, finding, Some(least)))
    }

    fn request(&self) -> Option<Finding> {
        let little = |it: &&Server<'_>| it.cpu.is_none() && it.request <= PLAIN_REQUEST;
        let number = self.servers.iter().filter(little).count();
        let message = format!(
            "{} of {} have no CPU limit and ask for 100m of CPU or less, which is all that a busy node \
             gives them: look at how busy their nodes are",
            count(number as u64),
            some(self.servers.len(), "DNS pod")
        );
        let finding = Finding::of::<Service>(&CPU_REQUEST, self.of.clone(), message);
        (number > 0).then(|| self.dns.name_without_owner(finding))
    }

    /// Returns whose limit is `low` or less, and the least.
    fn least(
        &self,
        of: impl Fn(&Server<'a>) -> Option<Limit<'a>>,
        low: u64,
    ) -> Option<(String, Limit<'a>)> {
        let limits = self.servers.iter().filter_map(of).filter(|it| it.amount <= low);
        let limits: Vec<Limit<'a>> = limits.collect();
        let least = *limits.iter().min_by_key(|it| it.amount)?;
        let pods =
            format!("{} of {}", count(limits.len() as u64), some(self.servers.len(), "DNS pod"));
        Some(match least.container {
            Some(container) => (format!("the container {} of {pods}", container.name), least),
            None => (format!("{pods}, with all their containers,"), least),
        })
    }
}

fn statement(servers: &[Server<'_>]) -> String {
    let least = |limits: &[Limit<'_>], text: fn(u64) -> String| {
        let least = limits.iter().map(|it| it.amount).min();
        least.map_or_else(String::new, |least| format!(" of {} or more", text(least)))
    };
    let cpus: Vec<_> = servers.iter().filter_map(|it| it.cpu).collect();
    let memories: Vec<_> = servers.iter().filter_map(|it| it.memory).collect();
    format!(
        "{} of {} with a CPU limit{}, {} with a memory limit{}",
        count(cpus.len() as u64),
        some(servers.len(), "DNS pod"),
        least(&cpus, cpu),
        count(memories.len() as u64),
        least(&memories, memory)
    )
}

/// Writes an amount of CPU as manifests do.
fn cpu(thousandths: u64) -> String {
    match thousandths % 1000 {
        0 => count(thousandths / 1000),
        _ => format!("{thousandths}m"),
    }
}

/// Writes an amount of memory as manifests do.
fn memory(bytes: u64) -> String {
    let units = [(1024 * MEBI, "Gi"), (MEBI, "Mi"), (1_000_000, "M"), (1024, "Ki")];
    let unit = units.iter().find(|(unit, _)| bytes.is_multiple_of(*unit));
    unit.map_or_else(|| count(bytes) + " bytes", |(unit, name)| format!("{}{name}", bytes / unit))
}

#[cfg(test)]
mod tests;
