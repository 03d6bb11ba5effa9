use super::CHECK;
use crate::check::Output;
use crate::cluster::{Cluster, Event, Settings};
use crate::fixtures::says::{asks, row};
use crate::fixtures::{Answer, answer, cluster};
use crate::model::{DnsPath, EndpointSlice, Key, Node, Pod, Service, Status, Stuck, Unknown};
use crate::report::remedy;

const DNS: &str = "kube-system/kube-dns";

fn ask(facts: &Cluster) -> Answer {
    answer(&CHECK, facts)
}

fn server(facts: Cluster, number: u8, node: &str, change: impl FnOnce(&mut Pod)) -> Cluster {
    facts.pod_with(&format!("kube-system/kube-dns-{number}"), |pod| {
        pod.node = Some(node.into());
        pod.deployment = Some("coredns".into());
        change(pod);
    })
}

/// Three nodes, and the DNS Service, which leads to a pod.
fn empty() -> Cluster {
    cluster().node("a").node("b").node("c").service(DNS).slice(DNS, &["kube-dns-1"])
}

/// Two servers on two nodes.
fn two() -> Cluster {
    server(server(empty(), 1, "a", |_| {}), 2, "b", |_| {})
}

fn codes(facts: &Cluster) -> Vec<String> {
    let code = |text: &String| text.split_once(' ').expect("a code and an object").0.to_owned();
    ask(facts).findings.iter().map(code).collect()
}

/// What a finding of this code tells to run.
fn commands(facts: &Cluster, code: &str) -> Vec<String> {
    let mut out = Output::default();
    CHECK.ask(facts, &mut out).expect("an answer");
    let found = out.findings.iter().find(|it| it.code.id == code).expect(code);
    remedy::commands(found).map(|(_, command)| command).collect()
}

#[test]
fn two_ready_servers_on_two_nodes_are_well() {
    let answer = ask(&two());
    assert_eq!((answer.result, answer.gaps), (Ok(()), vec![]));
    assert_eq!(answer.findings, [""; 0]);
    assert_eq!(
        answer.samples,
        [
            "netvitals_dns_servers{crash_looping} 0",
            "netvitals_dns_servers{node_not_ready} 0",
            "netvitals_dns_servers{not_ready} 0",
            "netvitals_dns_servers{pending} 0",
            "netvitals_dns_servers{ready} 2"
        ]
    );
}

#[test]
fn a_server_that_does_not_serve_says_why() {
    type Change = fn(&mut Pod);
    let cases: &[(Change, &str)] = &[
        (|_| {}, "not_ready Pod kube-system/kube-dns-2: runs and is not ready"),
        (
            |pod| pod.stuck = Some(Stuck::Crashing),
            "crash_looping Pod kube-system/kube-dns-2: ends again and again",
        ),
        (
            |pod| pod.stuck = Some(Stuck::Image),
            "pending Pod kube-system/kube-dns-2: its image cannot be pulled",
        ),
        (
            |pod| pod.stuck = Some(Stuck::Unmade),
            "pending Pod kube-system/kube-dns-2: its container cannot be made",
        ),
        (|pod| pod.node = None, "pending Pod kube-system/kube-dns-2: no node takes it"),
        (
            |pod| pod.addresses = [].into_iter().collect(),
            "pending Pod kube-system/kube-dns-2: has no address yet",
        ),
    ];
    for (change, words) in cases {
        let broken = |pod: &mut Pod| {
            pod.ready = false;
            change(pod);
        };
        let found = ask(&server(two(), 2, "b", broken)).findings;
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(&format!("dns_servers.{words}: look at")), "{found:?}");
    }
}

#[test]
fn none_that_is_ready_is_a_problem_with_the_state_of_each() {
    let facts = server(empty(), 1, "a", |pod| {
        (pod.ready, pod.stuck) = (false, Some(Stuck::Crashing));
    });
    let facts = server(facts, 2, "b", |pod| (pod.ready, pod.node) = (false, None));
    assert_eq!(
        ask(&facts).findings[0],
        "dns_servers.none_ready Service kube-system/kube-dns: 0 of 2 DNS pods ready, 1 crash \
         looping, 1 pending: look at the log of the DNS pods, and at their events"
    );
    assert_eq!(
        codes(&facts)[1..],
        ["dns_servers.crash_looping", "dns_servers.pending"].map(String::from)
    );
}

#[test]
fn none_at_all_is_a_problem_unless_every_query_is_answered() {
    let gone = |pod: &mut Pod| pod.terminating = true;
    let ended = |pod: &mut Pod| pod.ended = true;
    let facts = || server(server(empty(), 1, "a", gone), 2, "b", ended);
    let none = "dns_servers.none Service kube-system/kube-dns: it selects no pod that is there: \
                look at what makes its pods";
    assert_eq!(ask(&facts()).findings, [none]);
    let asked =
        |attempts, failures| facts().hears("a", asks([row(DnsPath::Resolver, attempts, failures)]));
    assert_eq!(ask(&asked(30, 1)).findings, [none]);
    assert_eq!(ask(&asked(19, 0)).findings, [none], "too few to say so");
    assert_eq!(
        ask(&asked(30, 0)).findings,
        [
            "dns_servers.elsewhere Service kube-system/kube-dns: it selects no pod that is there, and \
          all 30 queries are answered: look at what the nameserver of the pods is"
        ]
    );
    assert_eq!(
        commands(&facts(), "dns_servers.none")[3],
        "kubectl -n kube-system scale deployment -l app=kube-dns --replicas=2"
    );
}

#[test]
fn ready_servers_that_no_slice_has_are_a_problem() {
    let facts = two().slice(DNS, &[]);
    assert_eq!(
        ask(&facts).findings,
        [
            "dns_servers.no_endpoints Service kube-system/kube-dns: 2 of 2 DNS pods ready on 2 nodes, and \
          no EndpointSlice has one: look at its ports"
        ]
    );
    let elsewhere = cluster().slice("kube-system/other", &["kube-dns-1"]);
    let elsewhere = server(elsewhere.node("a").service(DNS), 1, "a", |_| {});
    assert_eq!(codes(&elsewhere), ["dns_servers.no_endpoints"]);
}

#[test]
fn an_endpoint_that_ends_still_serves() {
    let mut slice = EndpointSlice { service: Some("kube-dns".into()), ..Default::default() };
    let pod = two().slice(DNS, &["kube-dns-1"]);
    let key = Key::new("kube-system", "kube-dns");
    let last = |serving| {
        let table = pod.last_known::<EndpointSlice>().expect("slices");
        let mut endpoint = table.get(&key).expect("a slice").endpoints[0].clone();
        (endpoint.ready, endpoint.serving, endpoint.terminating) = (false, serving, true);
        endpoint
    };
    slice.endpoints = vec![last(true)];
    assert_eq!(codes(&two().with(Event::Put(key.clone(), slice.clone()))), [""; 0]);
    slice.endpoints = vec![last(false)];
    assert_eq!(codes(&two().with(Event::Put(key.clone(), slice))), ["dns_servers.no_endpoints"]);
}

#[test]
fn a_service_without_a_selector_is_judged_by_where_it_leads() {
    let outside = |facts: Cluster| {
        let service = Service { routed: true, ..Service::default() };
        facts.with(Event::Put(Key::new("kube-system", "kube-dns"), service))
    };
    let answer = ask(&outside(empty()));
    assert_eq!(answer.findings, [""; 0]);
    assert_eq!(answer.samples, ["netvitals_dns_servers{ready} 1"]);
    assert_eq!(
        ask(&outside(empty().slice(DNS, &[]))).findings,
        ["dns_servers.no_endpoints Service kube-system/kube-dns: it selects no pod, and has no \
          endpoint: look at what writes its EndpointSlices"]
    );
}

#[test]
fn one_server_is_fragile_where_another_node_could_have_one() {
    let one = |facts: Cluster| server(facts, 1, "a", |_| {});
    assert_eq!(
        ask(&one(empty())).findings,
        ["dns_servers.single Service kube-system/kube-dns: kube-dns-1 on a is the only DNS pod, \
          and 3 nodes could have one: look at how many replicas it is to have"]
    );
    let fix = "kubectl -n kube-system scale deployment/coredns --replicas=2";
    assert_eq!(commands(&one(empty()), "dns_servers.single")[1], fix);
    // A DaemonSet has no number of replicas that could be changed.
    let of_daemon_set = server(empty(), 1, "a", |pod| {
        (pod.deployment, pod.daemon_set) = (None, Some("dns-default".into()));
    });
    let commands = commands(&of_daemon_set, "dns_servers.single");
    assert!(!commands.iter().any(|it| it.contains(" scale ")), "{commands:?}");

    type Change = fn(&mut Node);
    let without_room: [Change; 5] = [
        |node| node.cordoned = true,
        |node| node.taints = vec!["nvidia.com/gpu".into()],
        |node| node.labels = [("kubernetes.io/os", "windows")].into(),
        |node| node.ready.as_mut().unwrap().status = Status::False,
        |node| node.terminating = true,
    ];
    for change in without_room {
        let facts = cluster().service(DNS).slice(DNS, &["kube-dns-1"]).node("a");
        assert_eq!(codes(&one(facts.node_with("b", change))), [""; 0]);
    }
    let control_plane = |node: &mut Node| {
        node.taints = vec!["node-role.kubernetes.io/control-plane".into()];
    };
    let facts = cluster().service(DNS).slice(DNS, &["kube-dns-1"]).node("a");
    assert_eq!(codes(&one(facts.node_with("b", control_plane))), ["dns_servers.single"]);
}

#[test]
fn servers_on_one_node_are_fragile_where_there_are_others() {
    let facts = |nodes: Cluster| {
        let nodes = nodes.service(DNS).slice(DNS, &["kube-dns-1"]);
        server(server(nodes, 1, "a", |_| {}), 2, "a", |_| {})
    };
    assert_eq!(
        ask(&facts(cluster().node("a").node("b"))).findings,
        [
            "dns_servers.one_node Service kube-system/kube-dns: all 2 ready DNS pods are on a, and 2 \
          nodes could have one: look at how its pods are spread"
        ]
    );
    assert_eq!(codes(&facts(cluster().node("a"))), [""; 0]);
}

#[test]
fn a_server_on_a_node_that_is_not_ready_does_not_count_and_the_node_is_to_blame() {
    for status in [Status::False, Status::Unknown] {
        let facts = two().node_with("b", |node| node.ready.as_mut().unwrap().status = status);
        assert_eq!(
            ask(&facts).findings,
            ["dns_servers.node_not_ready Pod kube-system/kube-dns-2: its node is not ready: look \
              at the node"]
        );
        let facts = facts.node_with("a", |node| node.ready.as_mut().unwrap().status = status);
        assert_eq!(codes(&facts)[0], "dns_servers.none_ready");
    }
}

#[test]
fn a_server_on_a_node_that_goes_is_counted_and_not_told() {
    let going = |node: &mut Node| node.taints = vec!["karpenter.sh/disrupted".into()];
    let facts = server(two().node_with("b", going), 2, "b", |pod| pod.ready = false);
    let answer = ask(&facts);
    assert_eq!(answer.findings, [""; 0]);
    assert!(answer.samples.contains(&"netvitals_dns_servers{not_ready} 1".to_owned()));
}

/// How a distribution has it: one pod on each of these of three nodes.
struct Installed {
    by: &'static str,
    service: &'static str,
    daemon_set: bool,
    on: &'static [&'static str],
    found: &'static [&'static str],
}

#[test]
fn every_usual_installation_is_seen() {
    let well = |by, service, on| Installed { by, service, daemon_set: false, on, found: &[] };
    let cases = [
        well("kubeadm", DNS, &["a", "b"]),
        well("RKE2", "kube-system/rke2-coredns-rke2-coredns", &["a", "b"]),
        well("GKE", DNS, &["a", "c"]),
        Installed {
            daemon_set: true,
            ..well("OpenShift", "openshift-dns/dns-default", &["a", "b", "c"])
        },
        // k3s has one replica, on however many nodes.
        Installed { found: &["dns_servers.single"], ..well("k3s", DNS, &["a"]) },
        // Nodes that came one by one found both replicas on the first.
        Installed { found: &["dns_servers.one_node"], ..well("EKS", DNS, &["a", "a"]) },
        // The nameserver is the cloud's, and the pods are scaled to none.
        Installed { found: &["dns_servers.elsewhere"], ..well("GKE with Cloud DNS", DNS, &[]) },
    ];
    for Installed { by, service, daemon_set, on, found } in cases {
        let (namespace, app) = service.split_once('/').unwrap();
        let settings = Settings { dns_service: Key::new(namespace, app), ..Settings::default() };
        let mut facts = cluster_of(settings).node("a").node("b").node("c").service(service);
        let names: Vec<String> = (1..=on.len()).map(|at| format!("{app}-{at}")).collect();
        facts = facts.slice(service, &names.iter().map(String::as_str).collect::<Vec<_>>());
        for (pod, node) in names.iter().zip(on) {
            facts = facts.pod_with(&format!("{namespace}/{pod}"), |pod| {
                pod.node = Some((*node).into());
                pod.daemon_set = daemon_set.then(|| app.into());
            });
        }
        // A cache on the node stands before them: it is no server of the cluster's.
        facts = facts.pod_with("kube-system/node-local-dns-1", |pod| {
            pod.node = Some("a".into());
            pod.ready = false;
        });
        facts = facts.hears("a", asks([row(DnsPath::Resolver, 60, 0)]));
        assert_eq!(codes(&facts), *found, "{by}");
        assert_eq!(ask(&facts).result, Ok(()), "{by}");
    }
}

fn cluster_of(settings: Settings) -> Cluster {
    Cluster::new(settings)
        .with(Event::<Service>::Begin)
        .with(Event::<Service>::Done)
        .with(Event::<Pod>::Begin)
        .with(Event::<Pod>::Done)
        .with(Event::<EndpointSlice>::Begin)
        .with(Event::<EndpointSlice>::Done)
        .with(Event::<Node>::Begin)
        .with(Event::<Node>::Done)
}

#[test]
fn what_cannot_be_read_is_unknown_and_without_nodes_a_part_is() {
    for (facts, kind) in [
        (two().unlisted::<Pod>(), "Pod"),
        (two().unlisted::<Service>(), "Service"),
        (two().unlisted::<EndpointSlice>(), "EndpointSlice"),
    ] {
        assert_eq!(ask(&facts).result, Err(Unknown::NotListed(kind).into()));
    }
    for (facts, kind) in [
        (two().undecoded::<Pod>("kube-system/kube-dns-3"), "Pod"),
        (two().undecoded::<Service>(DNS), "Service"),
        (two().undecoded::<EndpointSlice>(DNS), "EndpointSlice"),
    ] {
        assert_eq!(ask(&facts).result, Err(Unknown::Undecoded(kind).into()));
    }
    let misnamed = Unknown::NotFound("the Service that dns_service names");
    assert_eq!(ask(&cluster()).result, Err(misnamed.into()));
    let blind = ask(&server(empty(), 1, "a", |_| {}).unlisted::<Node>());
    assert_eq!(blind.gaps, [("nodes", Unknown::NotListed("Node").into())]);
    assert_eq!(blind.findings, [""; 0]);
}
