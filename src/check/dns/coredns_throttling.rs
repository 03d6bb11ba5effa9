//! Does the kernel hold back the pods that answer DNS?
//!
//! A CPU limit on CoreDNS stops it for the rest of each period of 100 ms, so that answers come
//! late while its average use looks low. Throttling alone is common and harmless: it is a
//! problem only with late or failing queries beside it.
//!
//! A pod is judged by its containers: it has no quota of its own where one of them has none, and
//! the sum of all else. Where the limit is the pod's, its own group says it.
//!
//! Left out: containers without a limit, which cannot be throttled; one that was busy in fewer than
//! 100 periods, because its ratio says nothing. One that runs and whose group is not found, or
//! which never uses any CPU time, is unknown.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

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
    "Share of the periods in which the worst container of a DNS pod was throttled; absent below 100.",
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
        "A DNS pod is throttled in more than a quarter of all periods; queries do not suffer from it.",
    )
    .independent()
    .remedies(REMEDIES);

const REMEDIES: &[Remedy] = &[
    Remedy::inspect("kubectl -n {namespace} describe pod {name}"),
    Remedy::inspect("kubectl -n {namespace} top pod {name} --containers"),
    // No error where the limit comes from elsewhere. `--limits=cpu=0` would set a limit of 0.
    Remedy::fix(
        concat!(
            "kubectl -n {namespace} patch {owner} -p ",
            r#"'{"spec":{"template":{"spec":{"containers":[{"name":"{container}","#,
            r#""resources":{"limits":{"cpu":null}}}]}}}}'"#,
        ),
        "replicas restart one after the other, without a CPU limit of that container; undone by \
         kubectl rollout undo, and what installed them may set it again",
    ),
    Remedy::verify(
        "kubectl -n {namespace} get pods -l {selector} -o \
         'custom-columns=POD:.metadata.name,CPU:.spec.containers[*].resources.limits.cpu'",
    ),
];

/// Fewer periods than this say nothing.
const ENOUGH: u64 = 100;

/// A container that answers DNS is at work all the time: after so long without any CPU time it is
/// another group that was read.
const AWAKE: Duration = Duration::from_secs(60);

/// One pod, with the groups that were read of it.
#[derive(Default)]
struct Groups<'a>(Vec<&'a Cpu>);

impl<'a> Groups<'a> {
    fn containers(&self) -> impl Iterator<Item = &'a Cpu> {
        self.0.iter().copied().filter(|it| !it.container.is_empty())
    }

    /// Whether the limit of some container that runs cannot be seen.
    fn is_blind(&self) -> bool {
        // One with a limit counts a period whenever it runs.
        let idle = |it: &Cpu| it.used.is_zero() || (it.limited && it.periods == 0);
        let asleep = |it: &Cpu| it.length >= AWAKE && idle(it);
        let is_blind = |it: &Cpu| it.missing || (it.dns && asleep(it));
        let mut containers = self.containers().peekable();
        containers.peek().is_none() || containers.any(is_blind) || self.containers().all(asleep)
    }

    /// Returns the group that is throttled most, and whether it may be the one that answers DNS:
    /// that one comes first where it is throttled too much itself.
    fn worst(&self) -> Option<(f64, &'a Cpu)> {
        let ratio = |it: &'a Cpu| Some((ratio(it)?, it));
        let whole = || self.0.iter().copied().filter(|it| it.container.is_empty());
        // Where both are throttled alike it is the container's limit.
        let ratios = || self.containers().chain(whole()).filter_map(ratio);
        let own = ratios().filter(|(ratio, it)| answers(it) && *ratio > MUCH);
        let worse = |one: (f64, &'a Cpu), other: (f64, &'a Cpu)| {
            if other.0 > one.0 { other } else { one }
        };
        own.reduce(worse).or_else(|| ratios().reduce(worse))
    }
}

/// Whether what holds a group back holds back answers: the whole pod's limit does.
fn answers(it: &Cpu) -> bool {
    it.dns || it.container.is_empty()
}

/// Returns the share of the periods in which a group was throttled, where they say something.
fn ratio(it: &Cpu) -> Option<f64> {
    match it {
        Cpu { missing: true, .. } => None,
        Cpu { limited: false, .. } => Some(0.0),
        Cpu { periods, .. } if *periods < ENOUGH => None,
        Cpu { throttled, periods, .. } => Some(*throttled as f64 / *periods as f64),
    }
}

/// A share of throttled periods that is borne.
const MUCH: f64 = 0.25;

fn run(cluster: &Cluster, out: &mut Output) -> Result<(), Unanswered> {
    let read = pods(cluster, out)?;
    let symptom = symptom(cluster);
    let dns = Pods::of(cluster, &cluster.settings().dns_service);
    let blind = Unknown::Unreadable("the CPU time of a container");
    let (mut judged, mut limited, mut most) = (0, 0, None);
    for ((node, pod), groups) in &read {
        let worst = groups.worst();
        let throttled = worst.filter(|(ratio, _)| *ratio > MUCH);
        if groups.is_blind() {
            out.gap("containers", blind);
            if throttled.is_none() {
                continue;
            }
        }
        judged += 1;
        limited += usize::from(groups.0.iter().any(|it| it.limited));
        let Some((ratio, it)) = worst else { continue };
        out.sample(&RATIO, [&pod.namespace, &pod.name, node], ratio);
        if it.limited && most.is_none_or(|(most, _)| ratio > most) {
            most = Some((ratio, it));
        }
        let Some((_, it)) = throttled else { continue };
        let (code, beside) = match &symptom {
            Some(symptom) if answers(it) => (&STARVED, &**symptom),
            Some(_) => (&THROTTLED, "it is not the one that answers DNS"),
            None => (&THROTTLED, "queries do not suffer yet"),
        };
        let what = match &*it.container {
            "" => "it".to_owned(),
            container => format!("its container {container}"),
        };
        let message = format!(
            "{what} is throttled in {} of {} periods, and {beside}: look at its CPU limit",
            it.throttled, it.periods
        );
        let finding = Finding::of::<Pod>(code, (*pod).clone(), message).on(node);
        let container = has_container(cluster, it).then_some(&it.container);
        out.finding(dns.name(finding.with("container", container)));
    }
    if judged == 0 {
        return Err(blind.into());
    }
    let most = most.map_or_else(String::new, |(_, it): (f64, &Cpu)| {
        format!(", the worst throttled in {} of its periods", share(it.throttled, it.periods))
    });
    out.statement(format!("{} with a CPU limit{most}", some(limited, "DNS pod")));
    Ok(())
}

/// Whether the API knows the container: a command is no place for words that only an agent has.
fn has_container(cluster: &Cluster, it: &Cpu) -> bool {
    let pod = cluster.last_known::<Pod>().and_then(|pods| pods.get(&it.pod));
    pod.is_some_and(|pod| pod.containers.iter().any(|known| known.name == it.container))
}

/// The pods that agents on the nodes read, by node.
type Read<'a> = BTreeMap<(&'a Name, &'a Key), Groups<'a>>;

/// Returns the pods that agents on the nodes read.
fn pods<'a>(cluster: &'a Cluster, out: &mut Output) -> Result<Read<'a>, Unanswered> {
    let agents = Agents::of(cluster);
    let gap = &mut |why| out.gap("nodes", why);
    let read = agents.believed(Vantage::Host, Observation::cpu, |_| false, gap)?.words;
    let mut pods = Read::new();
    for (node, cpu) in read {
        for it in cpu {
            pods.entry((node, &it.pod)).or_default().0.push(it);
        }
    }
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
    let read: BTreeSet<&Key> = pods.keys().map(|(_, pod)| *pod).collect();
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
    let rows = observation.dns().into_iter().flat_map(|dns| &dns.rows);
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
    use crate::model::{Group, Unreadable};

    const DNS: &str = "kube-system/kube-dns";

    fn cpu(pod: &str, periods: u64, throttled: u64) -> Cpu {
        Cpu {
            pod: Key::new("kube-system", pod),
            container: "coredns".into(),
            dns: true,
            length: Duration::from_secs(120),
            used: Duration::from_secs(1),
            periods,
            throttled,
            limited: true,
            ..Cpu::default()
        }
    }

    /// The whole pod, without a limit of its own.
    fn whole(pod: &str) -> Cpu {
        Cpu { container: "".into(), dns: false, limited: false, ..cpu(pod, 0, 0) }
    }

    fn beside(pod: &str, periods: u64, throttled: u64) -> Cpu {
        Cpu { container: "sidecar".into(), dns: false, ..cpu(pod, periods, throttled) }
    }

    fn reads(pods: impl IntoIterator<Item = Cpu>) -> Observation {
        Observation {
            cpu: Some(pods.into_iter().collect::<Vec<_>>().into()),
            ..Observation::default()
        }
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
            ["coredns_throttling.throttled Pod kube-system/dns-1: its container coredns is \
              throttled in 251 of 1000 periods, and queries do not suffer yet: look at its CPU \
              limit"]
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
    fn a_container_is_judged_whatever_its_pod_and_the_others_are_like() {
        let slow = || slow(DnsQuery::Cluster);
        let unlimited = Cpu { limited: false, ..beside("dns-1", 0, 0) };
        let asleep = Cpu { used: Duration::ZERO, limited: true, ..whole("dns-1") };
        for (groups, found, ratio) in [
            // A sidecar without a limit takes the pod's quota away.
            (
                vec![whole("dns-1"), cpu("dns-1", 9000, 8100), unlimited.clone()],
                "starved Pod kube-system/dns-1: its container coredns is throttled in 8100 of 9000",
                "0.9",
            ),
            // The container is outside of its pod's group, which stays empty.
            (
                vec![asleep, cpu("dns-1", 9000, 8100)],
                "starved Pod kube-system/dns-1: its container coredns is throttled in 8100 of 9000",
                "0.9",
            ),
            // The limit is the whole pod's.
            (
                vec![
                    Cpu { limited: true, periods: 100, throttled: 30, ..whole("dns-1") },
                    Cpu { limited: false, ..cpu("dns-1", 0, 0) },
                ],
                "starved Pod kube-system/dns-1: it is throttled in 30 of 100",
                "0.3",
            ),
            // Two are throttled: the one that answers DNS is named.
            (
                vec![cpu("dns-1", 1000, 300), beside("dns-1", 1000, 900)],
                "starved Pod kube-system/dns-1: its container coredns is throttled in 300 of 1000",
                "0.3",
            ),
            // One beside it is throttled, which does not make answers late.
            (
                vec![cpu("dns-1", 1000, 0), beside("dns-1", 1000, 900)],
                "throttled Pod kube-system/dns-1: its container sidecar is throttled in 900 of \
                 1000 periods, and it is not the one that answers DNS",
                "0.9",
            ),
        ] {
            let answer = ask(&cluster().hears_host("a", reads(groups)).hears("a", slow()));
            assert_eq!(answer.result, Ok(()), "{found}");
            let expected = format!("coredns_throttling.{found}");
            assert!(answer.findings[0].starts_with(&expected), "{:?}", answer.findings);
            assert!(answer.samples[0].ends_with(ratio), "{:?}", answer.samples);
            assert_eq!(answer.gaps, []);
        }
    }

    #[test]
    fn a_container_that_cannot_be_seen_is_no_health() {
        let why = Unknown::Unreadable("the CPU time of a container").into();
        let missing = Cpu { missing: true, limited: false, ..cpu("dns-1", 0, 0) };
        let asleep = Cpu { used: Duration::ZERO, ..cpu("dns-1", 0, 0) };
        for (groups, what) in [
            (vec![whole("dns-1"), missing.clone()], "its group is not found"),
            (vec![whole("dns-1"), asleep], "it uses no CPU time"),
            (vec![whole("dns-1"), cpu("dns-1", 0, 0)], "it has a limit and never runs"),
            (vec![whole("dns-1")], "its containers are not known"),
            (vec![cpu("dns-1", 9, 0), Cpu { missing: true, ..beside("dns-1", 0, 0) }], "a sidecar"),
        ] {
            let blind = || cluster().hears_host("a", reads(groups.clone()));
            let alone = ask(&blind());
            assert_eq!((alone.result, alone.findings.len()), (Err(why), 0), "{what}");
            let well = reads([whole("dns-2"), cpu("dns-2", 1000, 0)]);
            let answer = ask(&blind().hears_host("b", well));
            assert_eq!((answer.result, answer.gaps), (Ok(()), vec![("containers", why)]), "{what}");
            assert_eq!(answer.samples.len(), 1, "{what}: {:?}", answer.samples);
        }
        // What is seen of it counts all the same.
        let groups = [missing, beside("dns-1", 1000, 900)];
        let answer = ask(&cluster().hears_host("a", reads(groups)));
        assert_eq!((answer.findings.len(), answer.gaps.len()), (1, 1));
        // Just begun.
        let young =
            Cpu { length: Duration::from_secs(59), used: Duration::ZERO, ..cpu("dns-1", 0, 0) };
        assert_eq!(ask(&cluster().hears_host("a", reads([young]))).result, Ok(()));
        // A sidecar that sleeps is one.
        let sleeps = Cpu { used: Duration::ZERO, ..beside("dns-1", 0, 0) };
        let awake = reads([cpu("dns-1", 1000, 0), sleeps]);
        assert_eq!(ask(&cluster().hears_host("a", awake)).gaps, []);
    }

    #[test]
    fn a_node_that_cannot_be_read_is_a_gap_and_when_all_cannot_it_is_unknown() {
        for (group, why) in [
            (None, Unknown::AgentTooOld.into()),
            (Some(Group::Disabled), Skipped::Disabled.into()),
            (Some(Group::Unreadable(Unreadable::NoPlan)), Unknown::NoPlan.into()),
            (
                Some(Group::Unreadable(Unreadable::NoCgroups)),
                Unknown::Unreadable("the CPU time of the DNS pods").into(),
            ),
        ] {
            let said = || Observation { cpu: group.clone(), ..Observation::default() };
            let blind = || cluster().hears_host("b", said());
            assert_eq!(ask(&blind()).result, Err(why));
            let answer = ask(&blind().hears_host("a", reads([cpu("dns-1", 1000, 0)])));
            assert_eq!(answer.gaps, [("nodes", why)]);
        }
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
