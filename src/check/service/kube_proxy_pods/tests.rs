//! kube-proxy as clusters have it, and what their owners are told.

use super::CHECK;
use crate::check::Output;
use crate::cluster::{Cluster, Event};
use crate::fixtures::{Answer, answer, at, cluster};
use crate::model::{
    CiliumConfig, ConfigMap, Counts, Daemon, DaemonContainer, DaemonSet, Fact, Key,
    KubeProxyConfig, Labels, Node, Pod, Skipped, Status, Stuck, Template, Uid, Unknown,
};

const LABEL: [(&str, &str); 1] = [("k8s-app", "kube-proxy")];

/// kube-proxy's DaemonSet for so many nodes, as kubeadm makes it.
fn set(facts: Cluster, nodes: u32, change: impl FnOnce(&mut DaemonSet)) -> Cluster {
    let mut set = DaemonSet {
        selector: Labels::from(LABEL),
        template: Template {
            labels: LABEL.into(),
            images: [("kube-proxy".into(), "registry.k8s.io/kube-proxy:v1.35.2".into())].into(),
            node_selector: [("kubernetes.io/os", "linux")].into(),
            host_network: true,
            tolerates_all: true,
            ..Template::default()
        },
        status: Counts { desired: nodes, current: nodes, ready: nodes, ..Counts::default() },
        ..DaemonSet::default()
    };
    change(&mut set);
    facts.with(Event::Put(Key::new("kube-system", "kube-proxy"), set))
}

fn proxy(facts: Cluster, node: &str, change: impl FnOnce(&mut Pod)) -> Cluster {
    facts.pod_with(&format!("kube-system/kube-proxy-{node}"), |pod| {
        pod.labels = LABEL.into();
        pod.node = Some(node.into());
        pod.host_network = true;
        pod.daemon_set = Some("kube-proxy".into());
        pod.daemon = Some(Box::default());
        change(pod);
    })
}

/// As RKE2 and GKE run it.
fn from_file(facts: Cluster, node: &str, change: impl FnOnce(&mut Pod)) -> Cluster {
    proxy(facts, node, |pod| {
        pod.labels = [("component", "kube-proxy"), ("tier", "node")].into();
        (pod.daemon_set, pod.daemon) = (None, None);
        pod.config_hash = Some(Box::new(Uid::from("0123")));
        change(pod);
    })
}

fn nodes(number: usize) -> Cluster {
    let linux = |node: &mut Node| node.labels = [("kubernetes.io/os", "linux")].into();
    ["n1", "n2", "n3", "n4"][..number]
        .iter()
        .fold(cluster(), |facts, node| facts.node_with(node, linux))
}

/// Three nodes with a pod each, of which that of `n2` is changed.
fn three(change: impl FnOnce(&mut Pod)) -> Cluster {
    let facts = set(nodes(3), 3, |_| {});
    proxy(proxy(proxy(facts, "n1", |_| {}), "n3", |_| {}), "n2", change)
}

/// Cilium is told to do all of it, or not, and is ready on a node, or not.
fn cilium(facts: Cluster, replaces: &str, ready: bool) -> Cluster {
    let text = [("kube-proxy-replacement".to_owned(), replaces.to_owned())];
    let key = Key::new("kube-system", "cilium-config");
    let facts = facts.with(Event::<CiliumConfig>::Put(key, ConfigMap::new(text)));
    facts.pod_with("kube-system/cilium-1", |pod| {
        pod.labels = [("k8s-app", "cilium")].into();
        pod.node = Some("n2".into());
        (pod.host_network, pod.ready) = (true, ready);
    })
}

fn told(facts: Cluster, config: &str) -> Cluster {
    let text = [("config.conf".to_owned(), config.to_owned())];
    let key = Key::new("kube-system", "kube-proxy");
    facts.with(Event::<KubeProxyConfig>::Put(key, ConfigMap::new(text)))
}

fn said(facts: &Cluster) -> Answer {
    answer(&CHECK, facts)
}

fn statement(facts: &Cluster) -> String {
    let mut out = Output::default();
    assert_eq!(CHECK.ask(facts, &mut out), Ok(()));
    out.statement
}

fn crashes(pod: &mut Pod) {
    pod.ready = false;
    pod.stuck = Some(Stuck::Crashing);
}

#[test]
fn pods_that_are_ready_are_healthy_whoever_made_them() {
    let files = ["n1", "n2"].iter().fold(nodes(2), |facts, node| from_file(facts, node, |_| {}));
    for (facts, words) in [
        (three(|_| {}), "3 of 3 nodes with a ready kube-proxy"),
        (
            told(three(|_| {}), "mode: nftables\n"),
            "3 of 3 nodes with a ready kube-proxy in mode nftables",
        ),
        (files, "2 of 2 nodes with a ready kube-proxy"),
    ] {
        let said = said(&facts);
        assert_eq!((said.findings, said.gaps), (Vec::new(), Vec::new()), "{words}");
        assert_eq!(said.samples[1], "netvitals_kube_proxy_ready{n2} 1");
        assert_eq!(statement(&facts), words);
    }
}

#[test]
fn what_does_not_run_is_told_from_what_is_not_ready() {
    type Change = fn(&mut Pod);
    let cases: [(Change, &str); 4] = [
        // What it is told cannot be read, or its sysctl is not its own.
        (
            crashes,
            "kube_proxy_pods.down Node n2: kube-proxy-n2 ends again and again: look at the log of its \
             last end",
        ),
        // A registry of one's own without the version.
        (
            |pod| {
                pod.ready = false;
                pod.stuck = Some(Stuck::Image);
            },
            "kube_proxy_pods.down Node n2: kube-proxy-n2 does not run, because its image cannot be \
             pulled: look at its events",
        ),
        (
            |pod| pod.ready = false,
            "kube_proxy_pods.not_ready Node n2: kube-proxy-n2 runs and is not ready: look at its log",
        ),
        (
            |pod| pod.terminating = true,
            "kube_proxy_pods.not_ready Node n2: kube-proxy-n2 is deleted and stays: look at its \
             events",
        ),
    ];
    for (change, finding) in cases {
        let facts = three(change);
        let said = said(&facts);
        assert_eq!(said.findings, [finding]);
        assert_eq!(said.samples[1], "netvitals_kube_proxy_ready{n2} 0");
        let words = "2 of 3 nodes with a ready kube-proxy, 1 where it is not ready";
        assert_eq!(statement(&facts), words);
    }
}

#[test]
fn one_that_begins_again_and_again_is_told_whatever_it_does_now() {
    let step = |facts: Cluster, seconds: u64, restarts: u32| {
        proxy(facts.after(seconds), "n2", |pod| {
            let one = DaemonContainer {
                name: "kube-proxy".into(),
                ready: true,
                restarts,
                ..DaemonContainer::default()
            };
            pod.daemon = Some(Box::new(Daemon { containers: [one].into() }));
        })
    };
    let facts = [(10, 7), (400, 8), (800, 9)]
        .iter()
        .fold(three(|_| {}), |facts, (at, number)| step(facts, *at, *number));
    assert_eq!(said(&facts).findings, [""; 0]);
    let facts = step(facts, 1200, 10);
    assert_eq!(
        said(&facts).findings,
        [
            "kube_proxy_pods.restarting Node n2: kube-proxy-n2 is ready, and began 3 times again within \
          half an hour: look at the log of its last end"
        ]
    );
    assert_eq!(said(&facts).samples[1], "netvitals_kube_proxy_ready{n2} 1");
}

#[test]
fn a_node_without_one_is_told_where_its_daemon_set_lacks_one() {
    let two = |change: fn(&mut DaemonSet)| set(proxy(nodes(2), "n1", |_| {}), 2, change);
    let lacks = two(|set| set.status.current = 1);
    let words = "kube_proxy_pods.missing Node n2: no kube-proxy is there: of its 2 pods 1 are on a \
                 node: look at the events of its DaemonSet";
    assert_eq!(said(&lacks).findings, [words]);
    assert_eq!(said(&lacks).samples[1], "netvitals_kube_proxy_ready{n2} 0");
    // The scheduler has no room for it.
    let waits = proxy(two(|_| {}), "n2", |pod| pod.node = None);
    assert_eq!(said(&waits).findings, [words]);
    // It is not to be there: nodes of EKS that have it in their image, hybrid nodes, Windows.
    let fewer = two(|set| (set.status.desired, set.status.current) = (1, 1));
    assert_eq!(said(&fewer).findings, [""; 0]);
    assert_eq!(statement(&fewer), "1 of 2 nodes with a ready kube-proxy, 1 that are to have none");
    // Of two without one is to have it, and nobody knows which.
    let facts = proxy(nodes(3), "n1", |_| {});
    let unknown = set(facts, 2, |set| set.status.current = 1);
    assert_eq!(
        said(&unknown).findings,
        [
            "kube_proxy_pods.missing DaemonSet kube-system/kube-proxy: 1 of 2 nodes without kube-proxy are \
          to have it: of its 2 pods 1 are on a node: look at the events of its DaemonSet"
        ]
    );
    assert_eq!(
        statement(&unknown),
        "1 of 3 nodes with a ready kube-proxy, 1 where it is missing, 1 that are to have none"
    );
    // The one that it lacks is that of a node that has just come.
    let mut young = unknown.node_with("n3", |node| {
        node.labels = [("kubernetes.io/os", "linux")].into();
        node.created = Some(at(0).unix);
    });
    young.set_now(at(0));
    assert_eq!(said(&young).findings, [""; 0]);
}

#[test]
fn a_node_lacks_what_most_have_from_files_unless_they_go() {
    let facts = || from_file(from_file(nodes(3), "n1", |_| {}), "n3", |_| {});
    assert_eq!(
        said(&facts()).findings,
        [
            "kube_proxy_pods.missing Node n2: no kube-proxy is there, as it is from a file on 2 of 3 \
          nodes: look at the kubelet and its folder of files"
        ]
    );
    // The half may be on its way to something else, or Cilium does it, or it is Windows.
    let half = from_file(from_file(nodes(4), "n1", |_| {}), "n3", |_| {});
    let windows =
        facts().node_with("n2", |node| node.labels = [("kubernetes.io/os", "windows")].into());
    let replaced = cilium(facts(), "true", true);
    let unknown = facts().unlisted::<CiliumConfig>();
    for facts in [half, windows, replaced, unknown] {
        assert_eq!(said(&facts).findings, [""; 0]);
    }
    let down = from_file(facts(), "n2", crashes);
    assert!(said(&down).findings[0].starts_with("kube_proxy_pods.down Node n2"));
}

#[test]
fn clusters_without_it_are_not_judged() {
    let applies_not = Err(Skipped::NotApplicable.into());
    // k3s, OVN-Kubernetes, kube-router, and Cilium that does its work.
    for facts in [nodes(2), cilium(nodes(2), "true", true)] {
        assert_eq!(said(&facts).result, applies_not);
    }
    // Not its own network: an exporter of its metrics.
    let exporter = set(nodes(1), 1, |set| set.template.host_network = false);
    assert_eq!(said(&exporter).result, applies_not);
    // Nothing but Fargate, for which no DaemonSet is.
    let virtual_node = |node: &mut Node| {
        node.labels = [("eks.amazonaws.com/compute-type", "fargate")].into();
    };
    let fargate = set(cluster().node_with("n1", virtual_node), 0, |_| {});
    assert_eq!(said(&fargate).result, applies_not);
    for (facts, kind) in [
        (nodes(1).undecoded::<DaemonSet>("kube-system/kube-proxy"), DaemonSet::KIND),
        (nodes(1).undecoded::<Pod>("kube-system/kube-proxy-1"), Pod::KIND),
    ] {
        assert_eq!(said(&facts).result, Err(Unknown::Undecoded(kind.name).into()));
    }
}

#[test]
fn a_daemon_set_for_no_node_is_a_note_unless_cilium_does_its_work() {
    // As Calico's documents tell for eBPF.
    let nowhere = |facts: Cluster| {
        set(facts, 0, |set| set.template.node_selector = [("non-calico", "true")].into())
    };
    let facts = nowhere(nodes(2));
    assert_eq!(
        said(&facts).findings,
        [
            "kube_proxy_pods.no_node DaemonSet kube-system/kube-proxy: it is for no node, and nothing that \
          is known does its work: look at its node selector, and at what your CNI does"
        ]
    );
    assert_eq!(statement(&facts), "no node is to have kube-proxy: nothing is judged");
    for replaces in ["true", "strict"] {
        let facts = cilium(nowhere(nodes(2)), replaces, true);
        assert_eq!(said(&facts).findings, [""; 0]);
        assert_eq!(statement(&facts), "no node is to have kube-proxy: Cilium does its work");
    }
    // What was told to Cilium that is gone, or is told to leave it.
    for (replaces, ready) in [("true", false), ("false", true), ("partial", true)] {
        assert_eq!(said(&cilium(nowhere(nodes(2)), replaces, ready)).findings.len(), 1);
    }
    // Its controller has not counted yet.
    let new = set(nodes(2), 0, |set| set.generation = 1);
    assert_eq!(said(&new).findings, [""; 0]);
}

#[test]
fn both_at_once_are_a_note_and_what_cilium_does_is_not_missed() {
    let both = cilium(three(|_| {}), "true", true);
    assert_eq!(
        said(&both).findings,
        [
            "kube_proxy_pods.together ConfigMap kube-system/cilium-config: Cilium is told to do the work of \
          kube-proxy, which is ready beside it on 1 node: look at whether it is to go"
        ]
    );
    let one = cilium(three(crashes), "true", true);
    assert_eq!(said(&one).findings, [""; 0]);
    assert_eq!(
        statement(&one),
        "2 of 3 nodes with a ready kube-proxy, 1 where Cilium does its work"
    );
}

#[test]
fn ipvs_is_a_note_from_the_version_on_with_which_it_is_deprecated() {
    let ipvs = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nmode: \"ipvs\"\n";
    let facts = told(three(|_| {}), ipvs);
    assert_eq!(
        said(&facts).findings,
        [
            "kube_proxy_pods.ipvs ConfigMap kube-system/kube-proxy: kube-proxy is told to use IPVS, which is \
          deprecated: look at what nftables needs"
        ]
    );
    assert_eq!(statement(&facts), "3 of 3 nodes with a ready kube-proxy in mode ipvs");
    let image = |image: &'static str| {
        set(told(three(|_| {}), ipvs), 3, |set| {
            set.template.images = [("kube-proxy".into(), image.into())].into();
        })
    };
    for older in ["registry.k8s.io/kube-proxy:v1.34.7", "mirror.example.com/kube-proxy:stable"] {
        assert_eq!(said(&image(older)).findings, [""; 0], "{older}");
    }
}

#[test]
fn nodes_that_come_go_or_are_silent_are_left_out() {
    type Change = fn(&mut Node);
    let changes: [Change; 4] = [
        |node| node.created = Some(at(0).unix),
        |node| node.taints = vec!["ToBeDeletedByClusterAutoscaler".into()],
        |node| node.ready.as_mut().expect("a condition").status = Status::Unknown,
        |node| node.ready = None,
    ];
    for change in changes {
        let mut facts = three(|pod| pod.ready = false).node_with("n2", change);
        facts.set_now(at(0));
        assert_eq!(said(&facts).findings, [""; 0]);
        assert!(statement(&facts).ends_with(", 1 young, silent or being taken away"));
    }
}

#[test]
fn while_one_is_replaced_its_successor_is_the_one_that_counts() {
    let facts = three(|pod| (pod.ready, pod.terminating) = (false, true));
    let facts = facts.pod_with("kube-system/kube-proxy-next", |pod| {
        pod.labels = LABEL.into();
        pod.node = Some("n2".into());
        pod.host_network = true;
    });
    assert_eq!(said(&facts).findings, [""; 0]);
}
