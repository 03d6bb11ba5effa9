//! Do the cluster's own names resolve from where workloads live?
//!
//! Every connection begins with a name, so this is the first thing that users notice. It reads
//! observations only: an API outage must not blind it.
//!
//! Left out: the node's own resolver, which is not what workloads use; names of the world
//! outside, whose servers are not the cluster's.

mod nodes;
mod replicas;

use std::collections::BTreeMap;

use super::pods::Pods;
use super::queries::{ENOUGH, Queries, fails, is_slow, is_there, mostly, queries, service};
use crate::check::components::Components;
use crate::check::words::{count, share, some};
use crate::check::{Check, Code, Finding, Layer, Output, Remedy, Symptom};
use crate::cluster::Cluster;
use crate::family::Family;
use crate::model::{
    DnsPath, DnsQuery, Fact, Failure, Name, Node, Pod, Protocol, Service, Unanswered, Unknown,
    Window,
};

/// Judges the queries of all agents on the pod network.
pub static CHECK: Check = Check {
    id: "dns_success",
    layer: Layer::Dns,
    question: "Do the cluster's own names resolve from where workloads live?",
    runbook: "NetvitalsDNSSuccessLow",
    needs: &[],
    wants: &[Service::KIND],
    families: &[
        RATIO.desc(),
        NODE_RATIO.desc(),
        replicas::OBSERVERS.desc(),
        replicas::FAILING.desc(),
    ],
    codes: &[&LOW, &NODE_LOW, &REPLICA_FAILING, &SLOW],
    run,
};

static RATIO: Family<3> = Family::gauge(
    "netvitals_dns_success_ratio",
    "Share of the queries from the pod network that succeeded; absent below 20 queries.",
    ["path", "query", "protocol"],
);

static NODE_RATIO: Family<1> = Family::gauge(
    "netvitals_node_dns_success_ratio",
    "Share of a node's queries for cluster names that succeeded; absent below 20 queries.",
    ["node"],
);

/// More than a tenth of the queries fail, and no few nodes are to blame.
pub static LOW: Code = Code::problem("dns_success.low", &[Service::KIND])
    .after(GRACE)
    .explain(
        "More than 10 % of the queries for names of the cluster fail, wherever they come from.",
    )
    .felt_as(&[Symptom::Slices, Symptom::AgentsAsk])
    .remedies(&[
        Remedy::inspect(
            "kubectl -n {namespace} get endpointslices -l \
             kubernetes.io/service-name={name} -o wide",
        ),
        Remedy::inspect("kubectl -n {namespace} describe service {name}"),
        Remedy::inspect("kubectl -n {namespace} logs -l {selector} --prefix --tail=50"),
        RESTART,
        RESOLVES,
    ]);

/// Whether a pod's query is answered. BusyBox asks for what has a dot as it stands: the cluster's domain is its pod's to
/// know.
pub(super) const RESOLVES: Remedy = Remedy::verify(
    "kubectl run dns-test --rm -it --restart=Never --image=busybox -- sh -c \
     'nslookup kubernetes.default.$(sed -n \"s/^search [^ ]* \\([^ ]*\\).*/\\1/p\" /etc/resolv.conf)'",
);

/// One node's queries fail while those of the others do not.
pub static NODE_LOW: Code = Code::problem("dns_success.node_low", &[Node::KIND])
    .after(GRACE)
    .explain("More than 10 % of the queries from one node fail while those of most others do not.")
    .felt_as(&[Symptom::PodsOfNode, Symptom::AgentsAsk])
    .remedies(&[
        Remedy::inspect("kubectl get pods -A -o wide --field-selector spec.nodeName={name}"),
        Remedy::inspect("kubectl -n {proxy_namespace} logs {proxy_pod} --tail=50"),
        Remedy::fix(
            "kubectl -n {proxy_namespace} delete pod {proxy_pod}",
            "the rules of the node stay while its DaemonSet makes another, which writes them anew; \
             there is nothing to undo",
        ),
        Remedy::inspect("kubectl -n {cni_namespace} logs {cni_pod} --tail=50"),
        Remedy::verify("kubectl describe node {name}"),
    ]);

/// One replica fails for those that ask it directly.
pub static REPLICA_FAILING: Code = Code::problem("dns_success.replica_failing", &[Pod::KIND])
    .after(GRACE)
    .explain(
        "One pod behind the DNS Service fails for the agents that ask it directly, so that its \
         share of all queries is lost.",
    )
    .felt_as(&[Symptom::PodsOfNode, Symptom::AgentsAsk])
    .runbook("NetvitalsDNSReplicaFailing")
    .remedies(&[
        Remedy::inspect("kubectl -n {namespace} logs {name} --tail=50"),
        Remedy::inspect("kubectl -n {namespace} describe pod {name}"),
        Remedy::fix(
            "kubectl -n {namespace} delete pod {name}",
            "the other replicas carry its share until another is ready; there is nothing to undo",
        ),
        Remedy::verify("kubectl -n {namespace} get pods -l {selector} -o wide"),
    ]);

/// Answers come late.
pub static SLOW: Code = Code::warning("dns_success.slow", &[Service::KIND])
    .after(GRACE)
    .explain("More than 5 % of the answers for names of the cluster take longer than 250 ms.")
    .runbook("NetvitalsDNSLatencyHigh")
    .remedies(&[
        Remedy::inspect("kubectl -n {namespace} top pods -l {selector} --containers"),
        Remedy::inspect("kubectl -n {namespace} describe {owner}"),
        RESTART,
        Remedy::verify("kubectl -n {namespace} top pods -l {selector} --containers"),
    ]);

const RESTART: Remedy = Remedy::fix(
    "kubectl -n {namespace} rollout restart {owner}",
    "replicas restart one after the other, and their caches begin empty; there is nothing to undo",
);

const GRACE: u64 = 30;

fn run(cluster: &Cluster, out: &mut Output) -> Result<(), Unanswered> {
    let said = queries(cluster, out)?;
    ratios(&said, out);
    let mut by_node: BTreeMap<&Name, Window> = BTreeMap::new();
    let mut total = Window::default();
    let mut unasked = None;
    for it in &said {
        let headline = it.headline();
        // One that has just begun is no gap: what it will say is soon there.
        if let Some(why) = it.unasked() {
            unasked = unasked.max(Some(why));
            if why != Unknown::TooFewSamples {
                out.gap("resolvers", why);
            }
            continue;
        }
        if headline.attempts >= ENOUGH
            && let Some(failed) = headline.failed()
        {
            out.sample(&NODE_RATIO, [it.node], 1.0 - failed);
        }
        total.add(&headline);
        by_node.insert(it.node, headline);
    }
    if let Err(why) = is_there(cluster) {
        out.gap("replicas", why);
    }
    replicas::judge(cluster, &said, out);
    match total.attempts {
        0 => return Err(unasked.unwrap_or(Unknown::TooFewSamples).into()),
        attempts if attempts < ENOUGH => return Err(Unknown::TooFewSamples.into()),
        _ => {}
    }
    let (alone, others) = nodes::single_out(&by_node);
    let components = Components::of(cluster);
    for node in alone {
        let from_it: Vec<&Queries<'_>> = said.iter().filter(|it| it.node == node).collect();
        let window = &by_node[node];
        let told = tell(window, &from_it, "look at the node's path to the DNS pods");
        let message = format!("{told}, which other nodes do not share");
        let finding = Finding::of_node(&NODE_LOW, node, message);
        out.finding(components.name_cni(components.name_proxy(finding)));
    }
    let service = service(cluster, &said);
    let dns = Pods::of(cluster, &service);
    if fails(&others) {
        let all: Vec<&Queries<'_>> = said.iter().collect();
        let message = tell(&others, &all, "look at the DNS pods and their CPU");
        out.finding(dns.name(Finding::of::<Service>(&LOW, service.clone(), message)));
    }
    if is_slow(&total) {
        let message = format!(
            "{} of {} answers took longer than 250 ms, {} of them longer than 1 s: look at the \
             CPU of the DNS pods",
            total.slow,
            total.answers(),
            total.very_slow
        );
        out.finding(dns.name(Finding::of::<Service>(&SLOW, service, message)));
    }
    out.statement(format!(
        "{} of {} queries from {}, {} of the answers slower than 250 ms",
        share(total.answers(), total.attempts),
        count(total.attempts),
        some(by_node.len(), "node"),
        share(total.slow, total.answers()),
    ));
    Ok(())
}

/// Gives the share of success of each way to ask.
fn ratios(said: &[Queries<'_>], out: &mut Output) {
    let mut sums: BTreeMap<[&str; 3], Window> = BTreeMap::new();
    for row in said.iter().flat_map(|it| &it.dns.rows) {
        // A newer agent's path or question would add up with others under one name.
        if row.path != DnsPath::Other && row.query != DnsQuery::Other {
            let labels = [row.path.as_str(), row.query.as_str(), row.protocol.as_str()];
            sums.entry(labels).or_default().add(&row.queries);
        }
    }
    for (labels, sum) in sums {
        if sum.attempts >= ENOUGH
            && let Some(failed) = sum.failed()
        {
            out.sample(&RATIO, labels, 1.0 - failed);
        }
    }
}

/// Says how many queries failed, why, and where to look.
fn tell(window: &Window, said: &[&Queries<'_>], otherwise: &'static str) -> String {
    let sum = |path: DnsPath| {
        let mut sum = Window::default();
        for it in said {
            sum.add(&it.sum(|row| {
                (row.path, row.query, row.protocol) == (path, DnsQuery::Cluster, Protocol::Udp)
            }));
        }
        sum
    };
    let direct = sum(DnsPath::Replica);
    let directly_fine = direct.attempts >= ENOUGH && !fails(&direct);
    let next = match window.mostly {
        Some(Failure::Blocked) => "look at the egress policies of netvitals' namespace",
        Some(Failure::Servfail) => "look at the log of the DNS pods, which may not reach the API",
        Some(Failure::Nxdomain) => "compare the cluster domain of the Corefile and the kubelets",
        Some(Failure::RcodeRefused) => "look at the zones and acl in the Corefile",
        _ if directly_fine && fails(&sum(DnsPath::Service)) => {
            "asked directly the DNS pods answer, so look at kube-proxy"
        }
        Some(Failure::Refused) => "look at the EndpointSlices of the DNS Service",
        _ => otherwise,
    };
    format!(
        "{} of {} queries failed, mostly with {}: {next}",
        window.failures,
        window.attempts,
        mostly(window)
    )
}

#[cfg(test)]
mod tests;
