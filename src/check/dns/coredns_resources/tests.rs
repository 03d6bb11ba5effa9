use std::time::Duration;

use super::{CHECK, MEBI};
use crate::check::{Output, Severity};
use crate::cluster::{Cluster, Event, Settings};
use crate::fixtures::{Answer, answer, at, cluster};
use crate::model::{
    Amount, Bounded, Bounds, Key, Pod, Resources, Service, Skipped, Unanswered, Unknown,
};
use crate::report::remedy;

const DNS: &str = "kube-system/kube-dns";

fn ask(facts: &Cluster) -> Answer {
    answer(&CHECK, facts)
}

/// A container that answers DNS, with its limit and request of CPU in thousandths and its limit of
/// memory in Mi; 0 is for none.
fn answers(name: &str, cpu: u64, request: u64, memory: u64) -> Bounded {
    let amount = |number| if number == 0 { Amount::Unset } else { Amount::Of(number) };
    let bounds = Bounds {
        cpu_limit: amount(cpu),
        cpu_request: amount(request),
        memory_limit: amount(memory * MEBI),
    };
    Bounded { name: name.into(), udp: true, bounds, oom_killed: None }
}

/// A container beside it.
fn beside(name: &str, cpu: u64, request: u64, memory: u64) -> Bounded {
    Bounded { udp: false, ..answers(name, cpu, request, memory) }
}

fn with(whole: Bounds, containers: impl IntoIterator<Item = Bounded>) -> impl FnOnce(&mut Pod) {
    let containers = containers.into_iter().collect();
    move |pod: &mut Pod| {
        pod.node = Some("a".into());
        pod.deployment = Some("coredns".into());
        pod.resources = Some(Box::new(Resources { whole, containers }));
    }
}

fn has(containers: impl IntoIterator<Item = Bounded>) -> impl FnOnce(&mut Pod) {
    with(Bounds::default(), containers)
}

fn service() -> Cluster {
    cluster().service(DNS)
}

/// Two pods with one container each.
fn two(one: Bounded) -> Cluster {
    service()
        .pod_with("kube-system/kube-dns-1", has([one.clone()]))
        .pod_with("kube-system/kube-dns-2", has([one]))
}

fn codes(facts: &Cluster) -> Vec<String> {
    let code = |text: &String| text.split_once(' ').expect("a code and an object").0.to_owned();
    ask(facts).findings.iter().map(code).collect()
}

fn said(facts: &Cluster) -> Output {
    let mut out = Output::default();
    CHECK.ask(facts, &mut out).expect("an answer");
    out
}

/// What a finding of this code tells to run to repair it.
fn patches(facts: &Cluster, code: &str) -> Vec<String> {
    let out = said(facts);
    let found = out.findings.iter().find(|it| it.code.id == code).expect(code);
    let commands = remedy::commands(found).map(|(_, command)| command);
    commands.filter(|command| command.contains(" patch ")).collect()
}

#[test]
fn what_is_well_is_measured_and_nothing_is_found() {
    let facts = two(answers("coredns", 1500, 250, 512));
    let answer = ask(&facts);
    assert_eq!((answer.result, answer.gaps), (Ok(()), vec![]));
    assert_eq!(answer.findings, [""; 0]);
    assert_eq!(
        answer.samples,
        [
            "netvitals_coredns_cpu_limit_cores{kube-system,kube-dns-1,a} 1.5",
            "netvitals_coredns_cpu_limit_cores{kube-system,kube-dns-2,a} 1.5",
            "netvitals_coredns_cpu_limited{kube-system,kube-dns-1,a} 1",
            "netvitals_coredns_cpu_limited{kube-system,kube-dns-2,a} 1",
            "netvitals_coredns_cpu_request_cores{kube-system,kube-dns-1,a} 0.25",
            "netvitals_coredns_cpu_request_cores{kube-system,kube-dns-2,a} 0.25",
            "netvitals_coredns_memory_limit_bytes{kube-system,kube-dns-1,a} 536870912",
            "netvitals_coredns_memory_limit_bytes{kube-system,kube-dns-2,a} 536870912",
        ]
    );
    assert_eq!(
        said(&facts).statement,
        "2 of 2 DNS pods with a CPU limit of 1500m or more, 2 with a memory limit of 512Mi or more"
    );
}

#[test]
fn what_kubeadm_installs_is_noted_and_no_more() {
    let facts = two(answers("coredns", 0, 100, 170));
    assert_eq!(
        ask(&facts).findings,
        [
            "coredns_resources.cpu_request Service kube-system/kube-dns: 2 of 2 DNS pods have no \
             CPU limit and ask for 100m of CPU or less, which is all that a busy node gives them: \
             look at how busy their nodes are",
            "coredns_resources.memory_limit Service kube-system/kube-dns: the container coredns of \
             2 of 2 DNS pods may use 170Mi of memory at most: look at how much they use"
        ]
    );
    let out = said(&facts);
    assert!(out.findings.iter().all(|it| it.code.severity == Severity::Info));
    assert_eq!(
        out.statement,
        "0 of 2 DNS pods with a CPU limit, 2 with a memory limit of 170Mi or more"
    );
    assert!(
        ask(&facts)
            .samples
            .contains(&"netvitals_coredns_cpu_limited{kube-system,kube-dns-1,a} 0".to_owned())
    );
    assert_eq!(
        patches(&facts, "coredns_resources.memory_limit"),
        [
            r#"kubectl -n kube-system patch deployment/coredns -p '{"spec":{"template":{"spec":{"containers":[{"name":"coredns","resources":{"limits":{"memory":"512Mi"}}}]}}}}'"#
        ]
    );
}

#[test]
fn a_limit_of_a_fifth_of_a_core_is_a_warning_and_a_little_more_is_none() {
    let facts = two(answers("coredns", 200, 100, 180));
    assert_eq!(
        ask(&facts).findings,
        [
            "coredns_resources.cpu_limit Service kube-system/kube-dns: the container coredns of 2 of \
          2 DNS pods may use 200m of CPU at most, where 500m are advised: look at what sets \
          the limit"
        ]
    );
    assert_eq!(
        patches(&facts, "coredns_resources.cpu_limit"),
        [
            r#"kubectl -n kube-system patch deployment/coredns -p '{"spec":{"template":{"spec":{"containers":[{"name":"coredns","resources":{"limits":{"cpu":"500m","memory":"512Mi"}}}]}}}}'"#
        ]
    );
    assert_eq!(codes(&two(answers("coredns", 201, 100, 171))), [""; 0]);
    // Of two that differ the lesser is told.
    let facts = facts.pod_with("kube-system/kube-dns-2", has([answers("coredns", 50, 50, 180)]));
    assert!(ask(&facts).findings[0].contains("of 2 of 2 DNS pods may use 50m of CPU"));
    let facts = facts.pod_with("kube-system/kube-dns-2", has([answers("coredns", 0, 200, 0)]));
    assert!(ask(&facts).findings[0].contains("of 1 of 2 DNS pods may use 200m of CPU"));
}

#[test]
fn a_patch_that_takes_memory_away_is_left_out() {
    for memory in [0, 512, 1024] {
        let facts = two(answers("coredns", 100, 100, memory));
        assert_eq!(patches(&facts, "coredns_resources.cpu_limit"), [""; 0], "{memory}");
    }
    // Nothing is known that makes the pods.
    let by_hand = |pod: &mut Pod| {
        has([answers("coredns", 100, 100, 128)])(pod);
        pod.deployment = None;
    };
    let facts = service().pod_with("kube-system/kube-dns-1", by_hand);
    assert_eq!(patches(&facts, "coredns_resources.cpu_limit"), [""; 0]);
}

#[test]
fn what_bounds_the_pod_as_a_whole_bounds_its_containers() {
    let whole = |cpu, request, memory| answers("", cpu, request, memory).bounds;
    let facts = |whole, one: Bounded| {
        service().pod_with("kube-system/kube-dns-1", with(whole, [one, beside("metrics", 0, 0, 0)]))
    };
    let pod = facts(whole(200, 300, 1024), answers("coredns", 0, 0, 0));
    let answer = ask(&pod);
    assert_eq!(
        answer.findings,
        [
            "coredns_resources.cpu_limit Service kube-system/kube-dns: 1 of 1 DNS pod, with all their \
          containers, may use 200m of CPU at most, where 500m are advised: look at what sets \
          the limit"
        ]
    );
    assert_eq!(
        answer.samples,
        [
            "netvitals_coredns_cpu_limit_cores{kube-system,kube-dns-1,a} 0.2",
            "netvitals_coredns_cpu_limited{kube-system,kube-dns-1,a} 1",
            "netvitals_coredns_cpu_request_cores{kube-system,kube-dns-1,a} 0.3",
            "netvitals_coredns_memory_limit_bytes{kube-system,kube-dns-1,a} 1073741824",
        ]
    );
    // No patch of a container changes it.
    assert_eq!(patches(&pod, "coredns_resources.cpu_limit"), [""; 0]);
    // The lesser of the two counts.
    let own = facts(whole(2000, 0, 0), answers("coredns", 150, 100, 256));
    assert!(ask(&own).findings[0].contains("the container coredns of 1 of 1 DNS pod may use 150m"));
    let borne = facts(whole(2000, 0, 0), answers("coredns", 1000, 100, 256));
    assert_eq!(codes(&borne), [""; 0]);
}

#[test]
fn a_limit_of_nothing_is_no_limit() {
    let mut one = answers("coredns", 0, 0, 0);
    (one.bounds.cpu_limit, one.bounds.memory_limit) = (Amount::Of(0), Amount::Of(0));
    let answer = ask(&two(one));
    assert_eq!(answer.findings.len(), 1, "{:?}", answer.findings);
    assert!(answer.findings[0].starts_with("coredns_resources.cpu_request"));
    let samples = answer.samples.iter().filter(|it| it.contains("kube-dns-1"));
    assert_eq!(
        samples.collect::<Vec<_>>(),
        [
            "netvitals_coredns_cpu_limited{kube-system,kube-dns-1,a} 0",
            "netvitals_coredns_cpu_request_cores{kube-system,kube-dns-1,a} 0"
        ]
    );
}

#[test]
fn a_container_whose_memory_was_used_up_is_named_for_a_day() {
    let now = 1_800_000_000 + 30;
    let killed = |memory: u64, ago: u64| Bounded {
        oom_killed: Some(Duration::from_secs(now - ago)),
        ..answers("coredns", 0, 200, memory)
    };
    let facts = |one: Bounded| {
        let pods = service().pod_with("kube-system/kube-dns-1", has([one]));
        pods.pod_with("kube-system/kube-dns-2", has([answers("coredns", 0, 200, 512)])).after(30)
    };
    let object = "coredns_resources.oom_killed Pod kube-system/kube-dns-1: its container coredns \
                  ended because its memory was used up";
    let day = 24 * 60 * 60;
    for (memory, ago, words, patched) in [
        (
            256,
            60,
            ", and may use 256Mi at most, where 512Mi are advised: look at how much it uses",
            1,
        ),
        (
            256,
            day - 1,
            ", and may use 256Mi at most, where 512Mi are advised: look at how much it uses",
            1,
        ),
        (512, 60, ", and may use 512Mi at most: look at how much it uses", 0),
        (2048, 60, ", and may use 2Gi at most: look at how much it uses", 0),
        (0, 60, ", and no limit of its own is known: look at the memory of its node", 0),
    ] {
        let facts = facts(killed(memory, ago));
        assert_eq!(ask(&facts).findings, [format!("{object}{words}")]);
        assert_eq!(patches(&facts, "coredns_resources.oom_killed").len(), patched, "{memory}");
    }
    assert_eq!(codes(&facts(killed(256, day))), [""; 0]);
    // The API does not say when, or another clock is ahead.
    for end in [Duration::MAX, Duration::from_secs(now + day)] {
        let facts = facts(Bounded { oom_killed: Some(end), ..killed(256, 0) });
        assert_eq!(codes(&facts), ["coredns_resources.oom_killed"]);
    }
    assert_eq!(at(30).unix, Duration::from_secs(now));
}

#[test]
fn of_two_containers_whose_memory_was_used_up_the_one_that_answers_is_named() {
    let killed = |it: Bounded| Bounded { oom_killed: Some(Duration::MAX), ..it };
    let pod = |containers: [Bounded; 2]| {
        ask(&service().pod_with("kube-system/kube-dns-1", has(containers))).findings
    };
    let (dns, metrics) = (answers("coredns", 0, 200, 512), beside("metrics", 0, 0, 32));
    let both = pod([killed(metrics.clone()), killed(dns.clone())]);
    assert_eq!(both.len(), 1, "{both:?}");
    assert!(both[0].contains("its container coredns ended"), "{both:?}");
    let other = pod([killed(metrics), dns]);
    assert!(other[0].contains("its container metrics ended"), "{other:?}");
}

/// How a distribution has it.
struct Installed {
    by: &'static str,
    service: &'static str,
    containers: Vec<Bounded>,
    found: &'static [&'static str],
    /// Whether CPU is limited, the request in cores, and the memory limit in Mi.
    measured: (bool, f64, u64),
}

fn it(
    by: &'static str,
    containers: &[Bounded],
    found: &'static [&'static str],
    measured: (bool, f64, u64),
) -> Installed {
    Installed { by, service: DNS, containers: containers.to_vec(), found, measured }
}

#[test]
fn every_usual_installation_is_judged_by_the_container_that_answers() {
    const CPU: &str = "coredns_resources.cpu_limit";
    const REQUEST: &str = "coredns_resources.cpu_request";
    const MEMORY: &str = "coredns_resources.memory_limit";
    const RKE2: &str = "kube-system/rke2-coredns-rke2-coredns";
    const OPENSHIFT: &str = "openshift-dns/dns-default";
    let cases = [
        it("kubeadm", &[answers("coredns", 0, 100, 170)], &[REQUEST, MEMORY], (false, 0.1, 170)),
        it("k3s", &[answers("coredns", 0, 100, 170)], &[REQUEST, MEMORY], (false, 0.1, 170)),
        it("EKS", &[answers("coredns", 0, 100, 170)], &[REQUEST, MEMORY], (false, 0.1, 170)),
        it("Kubespray", &[answers("coredns", 0, 100, 300)], &[REQUEST], (false, 0.1, 300)),
        it("AKS", &[answers("coredns", 3000, 100, 500)], &[], (true, 0.1, 500)),
        it("Talos", &[answers("coredns", 200, 100, 170)], &[CPU, MEMORY], (true, 0.1, 170)),
        it("Helm", &[answers("coredns", 100, 100, 128)], &[CPU, MEMORY], (true, 0.1, 128)),
        Installed {
            service: RKE2,
            ..it("RKE2", &[answers("coredns", 100, 100, 128)], &[CPU, MEMORY], (true, 0.1, 128))
        },
        Installed {
            service: OPENSHIFT,
            ..it(
                "OpenShift",
                &[answers("dns", 0, 50, 0), beside("kube-rbac-proxy", 0, 10, 0)],
                &[REQUEST],
                (false, 0.05, 0),
            )
        },
        // Two of three listen on UDP, and only one of them has a limit.
        it(
            "GKE",
            &[
                answers("kubedns", 0, 100, 210),
                answers("dnsmasq", 0, 150, 0),
                beside("sidecar", 0, 10, 0),
            ],
            &[REQUEST],
            (false, 0.1, 210),
        ),
        // A small limit beside the one that answers holds back no answer.
        it(
            "a mesh",
            &[answers("coredns", 1000, 200, 512), beside("proxy", 100, 10, 64)],
            &[],
            (true, 0.2, 512),
        ),
    ];
    for Installed { by, service, containers, found, measured } in cases {
        let (namespace, app) = service.split_once('/').unwrap();
        let settings = Settings { dns_service: Key::new(namespace, app), ..Settings::default() };
        let facts = Cluster::new(settings)
            .with(Event::<Service>::Begin)
            .with(Event::<Service>::Done)
            .with(Event::<Pod>::Begin)
            .with(Event::<Pod>::Done)
            .service(service)
            .pod_with(&format!("{namespace}/{app}-1"), has(containers))
            // A cache on the node, and a pod that another takes the place of, are none of them.
            .pod_with("kube-system/node-local-dns-1", has([answers("node-cache", 25, 25, 30)]))
            .pod_with(&format!("{namespace}/{app}-2"), |pod| {
                has([answers("coredns", 10, 10, 10)])(pod);
                pod.terminating = true;
            });
        let answer = ask(&facts);
        assert_eq!((answer.result, answer.gaps), (Ok(()), vec![]), "{by}");
        assert_eq!(codes(&facts), *found, "{by}");
        let value = |name: &str| {
            let wanted = format!("netvitals_coredns_{name}{{{namespace},{app}-1,a}} ");
            let value = answer.samples.iter().find_map(|it| it.strip_prefix(&wanted));
            value.map(|value| value.parse::<f64>().unwrap())
        };
        let (limited, request, memory) = measured;
        assert_eq!(value("cpu_limited"), Some(f64::from(limited)), "{by}");
        assert_eq!(value("cpu_limit_cores").is_some(), limited, "{by}");
        assert_eq!(value("cpu_request_cores"), Some(request), "{by}");
        let memory = (memory > 0).then_some((memory * MEBI) as f64);
        assert_eq!(value("memory_limit_bytes"), memory, "{by}");
    }
}

#[test]
fn amounts_are_written_as_manifests_have_them() {
    for (thousandths, text) in [(1, "1m"), (250, "250m"), (1000, "1"), (1001, "1001m")] {
        assert_eq!(super::cpu(thousandths), text);
    }
    for (bytes, text) in [
        (170 * MEBI, "170Mi"),
        (3 * 1024 * MEBI, "3Gi"),
        (512_000_000, "512M"),
        (1536, "1,536 bytes"),
        (2048, "2Ki"),
        (128_974_849, "128,974,849 bytes"),
        (u64::MAX, "18,446,744,073,709,551,615 bytes"),
    ] {
        assert_eq!(super::memory(bytes), text);
    }
}

#[test]
fn hostile_amounts_are_no_health_and_end_nothing() {
    let most = Amount::Of(u64::MAX);
    let bounds = Bounds { cpu_limit: most, cpu_request: most, memory_limit: most };
    let huge = Bounded { bounds, ..answers("coredns", 0, 0, 0) };
    assert_eq!(codes(&two(huge)), [""; 0]);

    let why = Unanswered::from(Unknown::Undecoded("Pod"));
    type Change = fn(&mut Bounds);
    let changes: [Change; 3] = [
        |it| it.cpu_limit = Amount::Unreadable,
        |it| it.cpu_request = Amount::Unreadable,
        |it| it.memory_limit = Amount::Unreadable,
    ];
    for change in changes {
        let mut broken = answers("coredns", 100, 100, 128);
        change(&mut broken.bounds);
        assert_eq!(ask(&two(broken.clone())).result, Err(why));
        let one = two(answers("coredns", 1000, 200, 512))
            .pod_with("kube-system/kube-dns-2", has([broken]));
        let answer = ask(&one);
        assert_eq!((answer.result, answer.gaps), (Ok(()), vec![("pods", why)]));
        assert_eq!(answer.findings, [""; 0]);
        // Of the pod as a whole, likewise.
        let mut whole = Bounds::default();
        change(&mut whole);
        let pod = with(whole, [answers("coredns", 0, 0, 0)]);
        let answer = ask(&service().pod_with("kube-system/kube-dns-1", pod));
        assert_eq!(answer.result, Err(why));
    }
}

#[test]
fn a_pod_whose_container_is_not_known_is_a_gap_and_when_all_are_it_is_unknown() {
    let why = Unanswered::from(Unknown::NotFound("a port of UDP in a container of a DNS pod"));
    let unknown: [fn(&mut Pod); 3] = [
        |_| {},
        |pod| pod.resources = Some(Box::default()),
        |pod| has([beside("coredns", 0, 100, 170)])(pod),
    ];
    for change in unknown {
        let alone = service().pod_with("kube-system/kube-dns-1", change);
        assert_eq!(ask(&alone).result, Err(why));
        let other = has([answers("coredns", 0, 200, 512)]);
        let answer = ask(&alone.pod_with("kube-system/kube-dns-2", other));
        assert_eq!((answer.result, answer.gaps), (Ok(()), vec![("pods", why)]));
    }
}

#[test]
fn what_cannot_be_read_is_unknown_and_without_pods_there_is_nothing_to_ask() {
    let fine = || two(answers("coredns", 0, 200, 512));
    for (facts, why) in [
        (fine().unlisted::<Pod>(), Unknown::NotListed("Pod")),
        (fine().unlisted::<Service>(), Unknown::NotListed("Service")),
        (fine().undecoded::<Pod>("kube-system/kube-dns-3"), Unknown::Undecoded("Pod")),
        (fine().undecoded::<Service>(DNS), Unknown::Undecoded("Service")),
        (cluster(), Unknown::NotFound("the Service that dns_service names")),
    ] {
        assert_eq!(ask(&facts).result, Err(why.into()));
    }
    let ended = |pod: &mut Pod| {
        has([answers("coredns", 100, 100, 128)])(pod);
        pod.ended = true;
    };
    let none = service().pod_with("kube-system/kube-dns-1", ended);
    assert_eq!(ask(&none).result, Err(Skipped::NotApplicable.into()));
    let outside = Service { routed: true, ..Service::default() };
    let outside = fine().with(Event::Put(Key::new("kube-system", "kube-dns"), outside));
    assert_eq!(ask(&outside).result, Err(Skipped::NotApplicable.into()));
}
