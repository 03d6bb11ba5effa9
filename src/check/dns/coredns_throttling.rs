//! Does the kernel hold back the pods that answer DNS?
//!
//! A CPU limit on CoreDNS stops it for the rest of each period of 100 ms, so that answers come
//! late while its average use looks low. Throttling alone is common and harmless: it is a
//! problem only with late or failing queries beside it.
//!
//! Left out: pods without a limit, which cannot be throttled; a pod that was busy in fewer than
//! 100 periods, because its ratio says nothing.

use std::collections::BTreeSet;

use super::pods::Pods;
use super::queries::{fails, is_slow, is_there, queries};
use crate::check::words::{share, some};
use crate::check::{Check, Code, Finding, Layer, Output, Remedy};
use crate::cluster::Cluster;
use crate::cluster::agents::Agents;
use crate::family::Family;
use crate::model::{
    Cpu, DnsPath, DnsQuery, DnsRow, Fact, Key, Name, Node, Observation, Pod, Replica, Service,
    Skipped, Unanswered, Unknown, Vantage, Window,
};

/// Judges what the agents on the nodes read of the DNS pods' control groups.
pub static CHECK: Check = Check {
    id: "coredns_throttling",
    layer: Layer::Dns,
    question: "Does the kernel hold back the pods that answer DNS?",
    runbook: "NetvitalsCoreDNSThrottled",
    needs: &[],
    wants: &[Node::KIND, Service::KIND],
    families: &[RATIO.desc()],
    codes: &[&STARVED, &THROTTLED],
    run,
};

static RATIO: Family<3> = Family::gauge(
    "netvitals_coredns_cpu_throttled_ratio",
    "Share of the periods in which a DNS pod was throttled; 0 without a limit, absent below 100.",
    ["namespace", "pod", "node"],
);

/// A pod is held back, and queries suffer.
pub static STARVED: Code = Code::problem("coredns_throttling.starved", &[Pod::KIND])
    .after(30)
    .explain(
        "A DNS pod is throttled in more than a quarter of all periods, and queries are late or \
         fail: its CPU limit is too low for the load.",
    )
    .remedies(REMEDIES);

/// A pod is held back, and queries do not suffer.
pub static THROTTLED: Code = Code::info("coredns_throttling.throttled", &[Pod::KIND])
    .after(60)
    .explain(
        "A DNS pod is throttled in more than a quarter of all periods; queries do not suffer yet.",
    )
    .independent()
    .remedies(REMEDIES);

const REMEDIES: &[Remedy] = &[
    Remedy::inspect("kubectl -n {namespace} describe pod {name}"),
    Remedy::inspect("kubectl -n {namespace} top pod {name} --containers"),
    // By name, and no error where the limit comes from elsewhere. `--limits=cpu=0` would set a
    // limit of 0.
    Remedy::fix(
        concat!(
            "kubectl -n {namespace} patch {owner} -p ",
            r#"'{"spec":{"template":{"spec":{"containers":[{"name":"coredns","#,
            r#""resources":{"limits":{"cpu":null}}}]}}}}'"#,
        ),
        "replicas restart one after the other, without a CPU limit of the container coredns; \
         undone by kubectl rollout undo, and what installed them may set it again",
    ),
    Remedy::verify(
        "kubectl -n {namespace} get pods -l {selector} -o \
         'custom-columns=POD:.metadata.name,CPU:.spec.containers[*].resources.limits.cpu'",
    ),
];

/// Fewer periods than this say nothing.
const ENOUGH: u64 = 100;

fn run(cluster: &Cluster, out: &mut Output) -> Result<(), Unanswered> {
    let pods = pods(cluster, out)?;
    let symptom = symptom(cluster);
    let dns = Pods::of(cluster, &cluster.settings().dns_service);
    let limited = pods.iter().filter(|(_, it)| it.limited).count();
    let judged = pods.iter().filter(|(_, it)| it.limited && it.periods >= ENOUGH);
    let worst = judged
        .map(|(_, it)| (it.throttled, it.periods))
        .max_by(|one, other| (one.0 * other.1).cmp(&(other.0 * one.1)));
    for (node, it) in pods {
        let ratio = match it {
            Cpu { limited: false, .. } => 0.0,
            Cpu { periods, .. } if *periods < ENOUGH => continue,
            Cpu { throttled, periods, .. } => *throttled as f64 / *periods as f64,
        };
        out.sample(&RATIO, [&it.pod.namespace, &it.pod.name, node], ratio);
        if ratio <= 0.25 {
            continue;
        }
        let (code, beside) = match &symptom {
            Some(symptom) => (&STARVED, &**symptom),
            None => (&THROTTLED, "queries do not suffer yet"),
        };
        let message = format!(
            "throttled in {} of {} periods, and {beside}: look at its CPU limit",
            it.throttled, it.periods
        );
        out.finding(dns.name(Finding::of::<Pod>(code, it.pod.clone(), message).on(node)));
    }
    let most = worst.map_or_else(String::new, |(throttled, periods)| {
        format!(", the worst throttled in {} of its periods", share(throttled, periods))
    });
    out.statement(format!("{} with a CPU limit{most}", some(limited, "DNS pod")));
    Ok(())
}

/// Returns the pods that agents on the nodes read, each with its node.
fn pods<'a>(
    cluster: &'a Cluster,
    out: &mut Output,
) -> Result<Vec<(&'a Name, &'a Cpu)>, Unanswered> {
    let agents = Agents::of(cluster);
    let cpu = |said: &'a Observation| {
        said.cpu.as_deref().ok_or(Unknown::Unreadable("the CPU time of the DNS pods"))
    };
    let gap = &mut |why| out.gap("nodes", why);
    let read = agents.believed(Vantage::Host, cpu, |_| false, gap)?.words.into_iter();
    let pods: Vec<(&Name, &Cpu)> =
        read.flat_map(|(node, cpu)| cpu.iter().map(move |it| (node, it))).collect();
    // Replicas that are asked and whose node says nothing of them; one without agents never will,
    // and one that is young is not listened to yet.
    let nodes = cluster.last_known::<Node>();
    let hosts = |it: &&Replica| {
        let node = nodes.and_then(|nodes| nodes.get(&Key::new("", it.node.clone())));
        node.is_none_or(|node| node.runs_agents() && cluster.is_settled(&it.node, node))
    };
    let speaking = Vantage::ALL.into_iter().flat_map(|vantage| agents.speaking(vantage));
    let asked = speaking.flat_map(|(_, observation)| replicas(observation));
    let asked = asked.filter(hosts).map(|it| &it.pod);
    let read: BTreeSet<&Key> = pods.iter().map(|(_, it)| &it.pod).collect();
    let mut unread = asked.filter(|pod| !read.contains(pod)).peekable();
    match (unread.peek(), pods.is_empty()) {
        (Some(_), true) => Err(Unknown::Stale("agents").into()),
        (None, true) => {
            Err(is_there(cluster).map_or_else(Into::into, |()| Skipped::NotApplicable.into()))
        }
        (unread, false) => {
            if unread.is_some() {
                out.gap("pods", Unknown::Stale("agents"));
            }
            Ok(pods)
        }
    }
}

/// Returns the replicas that an agent asks directly.
fn replicas(observation: &Observation) -> impl Iterator<Item = &Replica> {
    let rows = observation.dns.iter().flat_map(|dns| &dns.rows);
    rows.filter_map(|row| row.replica.as_ref())
}

/// Returns what users notice, when there is something.
fn symptom(cluster: &Cluster) -> Option<String> {
    // What agents leave out is no gap here: `dns_success` says so.
    let said = queries(cluster, &mut Output::default()).ok()?;
    let (mut headline, mut random) = (Window::default(), Window::default());
    for it in &said {
        headline.add(&it.headline());
        // Behind a cache on the node only names that were never asked for before come this far.
        random.add(
            &it.sum(|row: &DnsRow| {
                (row.path, row.query) == (DnsPath::Resolver, DnsQuery::Negative)
            }),
        );
    }
    if fails(&headline) {
        Some(format!("{} of {} queries fail", headline.failures, headline.attempts))
    } else if is_slow(&headline) {
        let (slow, all) = (headline.slow, headline.answers());
        Some(format!("{slow} of {all} answers take longer than 250 ms"))
    } else if is_slow(&random) {
        let (slow, all) = (random.slow, random.answers());
        Some(format!("{slow} of {all} answers for random names take longer than 250 ms"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Settings;
    use crate::fixtures::says::{asks, replica_row, row, window};
    use crate::fixtures::{Answer, answer, cluster};

    const DNS: &str = "kube-system/kube-dns";

    fn cpu(pod: &str, periods: u64, throttled: u64) -> Cpu {
        let pod = Key::new("kube-system", pod);
        Cpu { pod, periods, throttled, limited: true, ..Cpu::default() }
    }

    fn reads(pods: impl IntoIterator<Item = Cpu>) -> Observation {
        Observation { cpu: Some(pods.into_iter().collect()), ..Observation::default() }
    }

    fn ask(facts: &Cluster) -> Answer {
        answer(&CHECK, facts)
    }

    fn slow(query: DnsQuery) -> Observation {
        let queries = Window { slow: 7, ..window(60, 0) };
        asks([
            row(DnsPath::Resolver, 60, 0),
            DnsRow { query, queries, ..row(DnsPath::Resolver, 0, 0) },
        ])
    }

    #[test]
    fn a_throttled_pod_is_an_info_and_with_a_symptom_a_problem() {
        let throttled = || cluster().hears_host("a", reads([cpu("dns-1", 1000, 251)]));
        let fine = ask(&throttled().hears("a", asks([row(DnsPath::Resolver, 60, 6)])));
        assert_eq!(
            fine.findings,
            ["coredns_throttling.throttled Pod kube-system/dns-1: throttled in 251 of 1000 \
              periods, and queries do not suffer yet: look at its CPU limit"]
        );
        assert_eq!(
            fine.samples,
            ["netvitals_coredns_cpu_throttled_ratio{kube-system,dns-1,a} 0.251"]
        );
        let failing = asks([row(DnsPath::Resolver, 60, 7)]);
        for (symptom, words) in [
            (failing, "7 of 60 queries fail"),
            (slow(DnsQuery::Cluster), "7 of 120 answers take longer"),
            (slow(DnsQuery::Negative), "7 of 60 answers for random names take longer"),
        ] {
            let found = ask(&throttled().hears("a", symptom)).findings;
            assert!(found[0].starts_with("coredns_throttling.starved"), "{found:?}");
            assert!(found[0].contains(words), "{found:?}");
        }
    }

    #[test]
    fn a_quarter_is_borne_an_idle_pod_says_nothing_and_one_without_a_limit_is_fine() {
        let unlimited = Cpu { limited: false, ..cpu("dns-3", 0, 0) };
        let pods = [cpu("dns-1", 1000, 250), cpu("dns-2", 99, 99), unlimited];
        let answer = ask(&cluster().hears_host("a", reads(pods)));
        assert_eq!(answer.findings, [""; 0]);
        assert_eq!(
            answer.samples,
            [
                "netvitals_coredns_cpu_throttled_ratio{kube-system,dns-1,a} 0.25",
                "netvitals_coredns_cpu_throttled_ratio{kube-system,dns-3,a} 0"
            ]
        );
    }

    #[test]
    fn a_node_that_cannot_be_read_is_a_gap_and_when_all_cannot_it_is_unknown() {
        let why = Unknown::Unreadable("the CPU time of the DNS pods").into();
        let blind = || cluster().hears_host("b", Observation::default());
        assert_eq!(ask(&blind()).result, Err(why));
        let answer = ask(&blind().hears_host("a", reads([cpu("dns-1", 1000, 0)])));
        assert_eq!(answer.gaps, [("nodes", why)]);
    }

    #[test]
    fn a_replica_of_which_no_node_says_anything_is_a_gap() {
        let asking = asks([replica_row("a/dns-1", 10, 0), replica_row("b/dns-2", 10, 0)]);
        let facts =
            |pods: Vec<Cpu>| cluster().hears("a", asking.clone()).hears_host("a", reads(pods));
        let both = ask(&facts(vec![cpu("dns-1", 1000, 0), cpu("dns-2", 1000, 0)]));
        assert_eq!((both.result, both.gaps), (Ok(()), vec![]));
        let stale = Unknown::Stale("agents").into();
        assert_eq!(ask(&facts(vec![cpu("dns-1", 1000, 0)])).gaps, [("pods", stale)]);
        assert_eq!(ask(&facts(vec![])).result, Err(stale));
    }

    #[test]
    fn a_replica_on_a_node_without_agents_is_left_out() {
        let virtual_kubelet = |node: &mut Node| node.labels = [("type", "virtual-kubelet")].into();
        let asking = asks([replica_row("b/dns-2", 10, 0)]);
        let facts = cluster().service(DNS).node_with("b", virtual_kubelet).hears("a", asking);
        let answer = ask(&facts.hears_host("a", reads([])));
        assert_eq!(answer.result, Err(Skipped::NotApplicable.into()));
    }

    #[test]
    fn silent_agents_no_agents_and_no_pods_are_told_apart() {
        assert_eq!(ask(&cluster()).result, Err(Unknown::Stale("agents").into()));
        assert_eq!(ask(&cluster().agent("a", 30, 0)).result, Err(Unknown::Stale("agents").into()));
        let none = Settings { host_agents: None, ..Settings::default() };
        assert_eq!(ask(&Cluster::new(none)).result, Err(Skipped::NotConfigured.into()));
        let nothing = |facts: Cluster| ask(&facts.hears_host("a", reads([]))).result;
        assert_eq!(nothing(cluster().service(DNS)), Err(Skipped::NotApplicable.into()));
        let misnamed = Unknown::NotFound("the Service that dns_service names");
        assert_eq!(nothing(cluster()), Err(misnamed.into()));
    }
}
