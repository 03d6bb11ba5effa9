//! Versions as clusters have them, and what their owners are told.

use std::time::Duration;

use super::CHECK;
use crate::check::Output;
use crate::cluster::{Cluster, Event};
use crate::fixtures::{Answer, answer, at, cluster};
use crate::model::{
    Counts, Daemon, DaemonContainer, DaemonSet, Key, Labels, Node, Skipped, Template, Unknown,
};

const DAY: Duration = Duration::from_secs(86_400);
const NOW: Duration = Duration::from_secs(1_800_000_000);

/// Nodes that are a month old, with one release of Kubernetes.
fn nodes(names: &[&str]) -> Cluster {
    let mut facts = names.iter().fold(cluster(), |facts, name| {
        facts.node_with(name, |node: &mut Node| {
            node.created = Some(NOW - 30 * DAY);
            node.kubelet = Some((1, 35));
        })
    });
    facts.set_now(at(0));
    facts
}

/// A DaemonSet whose rollout is over, and its ready pods on nodes, each with its image.
fn set(
    facts: Cluster,
    (namespace, name): (&str, &str),
    image: &str,
    on: &[(&str, &str)],
) -> Cluster {
    set_with(facts, (namespace, name), image, on, |_| {})
}

fn set_with(
    facts: Cluster,
    (namespace, name): (&str, &str),
    image: &str,
    on: &[(&str, &str)],
    change: impl FnOnce(&mut DaemonSet),
) -> Cluster {
    let label = name.split('.').next().unwrap_or_default();
    let labels: Labels = [("k8s-app", label)].into();
    let nodes = on.len() as u32;
    let updated = on.iter().filter(|(_, runs)| *runs == image).count() as u32;
    let mut set = DaemonSet {
        template: Template {
            labels,
            images: [
                ("agent".into(), image.into()),
                ("helper".into(), "example.com/h:v9.9".into()),
            ]
            .into(),
            host_network: true,
            tolerates_all: true,
            mounts_cni: true,
            ..Template::default()
        },
        status: Counts {
            desired: nodes,
            current: nodes,
            ready: nodes,
            updated,
            ..Counts::default()
        },
        ..DaemonSet::default()
    };
    change(&mut set);
    let mut facts = facts.with(Event::Put(Key::new(namespace, name), set));
    for (node, image) in on {
        facts = agent(facts, (namespace, name), node, image, |_| {});
    }
    facts
}

fn agent(
    facts: Cluster,
    (namespace, set): (&str, &str),
    node: &str,
    image: &str,
    change: impl FnOnce(&mut DaemonContainer),
) -> Cluster {
    let mut one = DaemonContainer {
        name: "agent".into(),
        image: image.into(),
        ready: true,
        started: Some(NOW - 20 * DAY),
        ..DaemonContainer::default()
    };
    change(&mut one);
    let helper = DaemonContainer { name: "helper".into(), ..DaemonContainer::default() };
    facts.pod_with(&format!("{namespace}/{set}-{node}"), |pod| {
        pod.node = Some(node.into());
        pod.host_network = true;
        pod.daemon_set = Some(set.into());
        pod.daemon = Some(Box::new(Daemon { containers: [helper, one].into() }));
    })
}

fn said(facts: &Cluster) -> Answer {
    answer(&CHECK, facts)
}

fn statement(facts: &Cluster) -> String {
    let mut out = Output::default();
    assert_eq!(CHECK.ask(facts, &mut out), Ok(()));
    out.statement
}

const CALICO: (&str, &str) = ("calico-system", "calico-node");
const OLD: &str = "docker.io/calico/node:v3.32.0";
const NEW: &str = "docker.io/calico/node:v3.32.1";

/// Two agents of three are of the new version.
fn halfway(change: impl FnOnce(&mut DaemonSet)) -> Cluster {
    let on = [("n1", NEW), ("n2", OLD), ("n3", NEW)];
    set_with(nodes(&["n1", "n2", "n3"]), CALICO, NEW, &on, change)
}

#[test]
fn one_version_that_is_tested_is_healthy() {
    let facts = set(nodes(&["n1", "n2"]), CALICO, NEW, &[("n1", NEW), ("n2", NEW)]);
    let said = said(&facts);
    assert_eq!((said.result, said.findings), (Ok(()), Vec::new()));
    assert_eq!(said.samples, ["netvitals_cni_nodes{calico,3.32.1,tested} 2"]);
    assert_eq!(statement(&facts), "2 nodes: calico 3.32.1 on 2");
}

#[test]
fn a_rollout_that_stands_still_is_told_and_one_that_moves_is_not() {
    let still = halfway(|_| {});
    assert_eq!(
        said(&still).findings,
        [
            "cni_versions.mixed DaemonSet calico-system/calico-node: the agents of calico on linux are \
          not of one version, 3.32.0 on 1 node, 3.32.1 on 2 nodes: the rollout of this DaemonSet \
          stands still: look at its events"
        ]
    );
    assert_eq!(
        said(&still).samples,
        [
            "netvitals_cni_nodes{calico,3.32.0,tested} 1",
            "netvitals_cni_nodes{calico,3.32.1,tested} 2"
        ]
    );
    let begun = |ago: u64, restarts: u32| {
        agent(halfway(|_| {}), CALICO, "n3", NEW, |one| {
            one.started = Some(NOW - Duration::from_secs(ago));
            one.restarts = restarts;
        })
    };
    let moving = begun(600, 0);
    assert_eq!(said(&moving).findings, [""; 0]);
    let words =
        "3 nodes: calico 3.32.0 on 1, 3.32.1 on 2, 3 that a rollout is bringing to one version";
    assert_eq!(statement(&moving), words);
    // An hour after its last step, and where the container only began again.
    assert_eq!(said(&begun(3601, 0)).findings.len(), 1);
    assert_eq!(said(&begun(600, 1)).findings.len(), 1);
    // A node that has just come brings an agent with it, and is no step.
    let young =
        begun(600, 0).node_with("n3", |node| node.created = Some(NOW - Duration::from_secs(900)));
    assert_eq!(said(&young).findings.len(), 1);
}

#[test]
fn one_that_waits_for_hands_is_told_by_its_own_code() {
    let facts = halfway(|set| set.on_delete = true);
    assert_eq!(
        said(&facts).findings,
        [
            "cni_versions.on_delete DaemonSet calico-system/calico-node: the agents of calico on linux \
          are not of one version, 3.32.0 on 1 node, 3.32.1 on 2 nodes: this DaemonSet makes a pod \
          anew only when somebody deletes it: look at its pods"
        ]
    );
}

#[test]
fn what_only_looks_like_a_difference_is_none() {
    // A runtime that knows the image by several names; the controller has counted all as updated.
    let alias = halfway(|set| set.status.updated = 3);
    assert_eq!(said(&alias).findings, [""; 0]);
    assert_eq!(statement(&alias), "3 nodes: calico 3.32.1 on 3");
    // Its counts are of what was asked before.
    let stale = halfway(|set| (set.status.updated, set.generation) = (3, 2));
    assert_eq!(said(&stale).findings.len(), 1);
    // As OpenShift has them: by digest alone.
    let digest = |name: char| format!("quay.io/a/b@sha256:{name}");
    let (one, other) = (digest('0'), digest('1'));
    let facts =
        set(nodes(&["n1", "n2"]), ("o", "ovnkube-node"), &other, &[("n1", &one), ("n2", &other)]);
    assert_eq!(said(&facts).findings, [""; 0]);
    assert_eq!(said(&facts).samples.len(), 1);
    // Builds of one version: EKS and RKE2.
    let builds = ["a/amazon-k8s-cni:v1.20.4-eksbuild.1", "a/amazon-k8s-cni:v1.20.4-eksbuild.2"];
    let on = [("n1", builds[0]), ("n2", builds[1])];
    let facts = set(nodes(&["n1", "n2"]), ("kube-system", "aws-node"), builds[1], &on);
    assert_eq!(said(&facts).findings, [""; 0]);
    // Windows has its own DaemonSet, and its own pace.
    let facts = set(nodes(&["n1"]), CALICO, NEW, &[("n1", NEW)]);
    let facts =
        facts.node_with("w1", |node| node.labels = [("kubernetes.io/os", "windows")].into());
    let windows = "docker.io/calico/node-windows:v3.31.0";
    let facts = set(facts, ("calico-system", "calico-node-windows"), windows, &[("w1", windows)]);
    assert_eq!(said(&facts).findings, [""; 0]);
    // One that is not ready is another check's.
    let down = halfway(|_| {}).pod_with("calico-system/calico-node-n2", |pod| {
        pod.ready = false;
        pod.node = Some("n2".into());
        pod.daemon_set = Some("calico-node".into());
        pod.daemon = Some(Box::default());
    });
    assert_eq!(said(&down).findings, [""; 0]);
}

#[test]
fn daemon_sets_of_one_cni_that_ask_for_different_versions_are_told() {
    // As manifests by architecture were left behind by one for all.
    let images = ["quay.io/a/flannel:v0.25.1-arm64", "ghcr.io/a/flannel:v0.26.7"];
    let facts = nodes(&["a1", "n1"]);
    let facts =
        set(facts, ("kube-system", "kube-flannel-ds-arm64"), images[0], &[("a1", images[0])]);
    let facts = set(facts, ("kube-system", "kube-flannel-ds"), images[1], &[("n1", images[1])]);
    assert_eq!(
        said(&facts).findings,
        [
            "cni_versions.mixed DaemonSet kube-system/kube-flannel-ds-arm64: the agents of flannel on \
          linux are not of one version, 0.25.1 on 1 node, 0.26.7 on 1 node: its DaemonSets ask for \
          different ones: look at their images"
        ]
    );
}

#[test]
fn two_cnis_on_a_node_are_told_unless_they_work_together() {
    let pair = |one: (&str, &str), other: (&str, &str)| {
        let facts = set(nodes(&["n1"]), one, "example.com/a:latest", &[("n1", "")]);
        said(&set(facts, other, "example.com/b:latest", &[("n1", "")])).findings
    };
    // The namespace of flannel changed in 0.19, and on Talos it is there from the beginning.
    assert_eq!(
        pair(("kube-system", "kube-flannel-ds"), ("kube-flannel", "kube-flannel-ds")),
        [
            "cni_versions.several DaemonSet kube-flannel/kube-flannel-ds: flannel is there twice, also \
          as DaemonSet kube-system/kube-flannel-ds, and both have an agent on 1 node: look at which \
          of them is to be"
        ]
    );
    // What was left behind when Cilium came.
    let system = |name| ("kube-system", name);
    assert_eq!(
        pair(system("calico-node"), system("cilium")),
        [
            "cni_versions.several DaemonSet kube-system/calico-node: calico is there and so is cilium, \
          as DaemonSet kube-system/cilium, and both have an agent on 1 node: look at which of them \
          is to be"
        ]
    );
    for (one, other) in [
        ("aws-node", "cilium"),
        ("aws-node", "calico-node"),
        ("azure-cns", "cilium"),
        ("netd", "anetd"),
        ("kube-flannel-ds", "cilium"),
        ("calico-node", "multus"),
        ("cilium", "istio-cni-node"),
        ("kindnet", "ninth"),
    ] {
        assert_eq!(pair(system(one), system(other)), [""; 0], "{one} {other}");
    }
    // EKS with hybrid nodes: each kind of node has its own.
    let facts = set(nodes(&["n1", "h1"]), system("kindnet"), "a:latest", &[("n1", "")]);
    let facts = set(facts, system("calico-node"), "b:latest", &[("h1", "")]);
    assert_eq!(said(&facts).findings, [""; 0]);
}

#[test]
fn the_older_of_two_is_the_one_that_may_go() {
    let old = |set: &mut DaemonSet| set.created = Some(NOW - 300 * DAY);
    let new = |set: &mut DaemonSet| set.created = Some(NOW - DAY);
    let flannel = "kube-flannel-ds";
    let facts = set_with(nodes(&["n1"]), ("kube-system", flannel), "a", &[("n1", "")], old);
    let facts = set_with(facts, ("kube-flannel", flannel), "b", &[("n1", "")], new);
    assert!(said(&facts).findings[0].contains("DaemonSet kube-system/kube-flannel-ds: flannel"));
}

#[test]
fn versions_are_judged_by_what_is_published_of_them() {
    let one = |name: &str, image: &str, minor: u16| {
        let facts = nodes(&["n1"]).node_with("n1", |node| node.kubelet = Some((1, minor)));
        said(&set(facts, ("kube-system", name), image, &[("n1", image)])).findings
    };
    assert_eq!(
        one("kube-flannel-ds", "rancher/mirrored-flannelcni-flannel:v0.15.1", 33),
        [
            "cni_versions.eol DaemonSet kube-system/kube-flannel-ds: flannel 0.15.1 has reached its end \
          of life (it is of 2021, made with Go 1.16 and a client of Kubernetes 1.19, which get no \
          repairs, as of October 2026), and its manifest cannot be applied to Kubernetes 1.25 and \
          later any more: look at https://github.com/flannel-io/flannel/releases"
        ]
    );
    let before = one("kube-flannel-ds", "quay.io/coreos/flannel:v0.15.1", 24);
    assert!(!before[0].contains("manifest"), "{before:?}");
    assert_eq!(
        one("kube-flannel-ds", "quay.io/coreos/flannel:v0.17.0", 25),
        [
            "cni_versions.manifest DaemonSet kube-system/kube-flannel-ds: flannel 0.17.0 runs on, and \
          its manifest cannot be applied to Kubernetes 1.25 and later any more, because of its \
          PodSecurityPolicy: look at what it is installed from"
        ]
    );
    assert_eq!(
        one("cilium", "quay.io/cilium/cilium:v1.18.1@sha256:0123", 35),
        [
            "cni_versions.untested DaemonSet kube-system/cilium: cilium 1.18.1 is tested with Kubernetes \
          1.30 to 1.33 as of October 2026, and 1 node is with 1.35: look at \
          https://docs.cilium.io/en/stable/network/kubernetes/compatibility/"
        ]
    );
    assert!(one("weave-net", "weaveworks/weave-kube:2.8.1", 30)[0].starts_with("cni_versions.eol"));
    for (name, image, minor) in [
        ("kube-flannel-ds", "quay.io/coreos/flannel:v0.17.0", 24),
        ("kube-flannel-ds", "ghcr.io/flannel-io/flannel:v0.26.7", 35),
        // AKS and GKE look after theirs themselves.
        ("cilium", "mcr.microsoft.com/oss/cilium/cilium:v1.16.6", 33),
        ("anetd", "gke.gcr.io/cilium/cilium:v1.15.6-gke.21", 33),
        ("aws-node", "0.dkr.ecr.eu-west-1.amazonaws.com/amazon-k8s-cni:v1.20.4", 35),
        ("calico-node", "docker.io/calico/node:v3.20.0", 35),
    ] {
        assert_eq!(one(name, image, minor), [""; 0], "{image}");
    }
}

#[test]
fn an_image_without_a_version_is_of_the_one_that_its_label_says() {
    let on = [("n1", "example.com/net:1")];
    let labelled =
        |set: &mut DaemonSet| set.labels = [("app.kubernetes.io/version", "0.15.1")].into();
    let flannel = ("kube-system", "kube-flannel-ds");
    let facts = set_with(nodes(&["n1"]), flannel, "example.com/net:1", &on, labelled);
    assert_eq!(said(&facts).samples, ["netvitals_cni_nodes{flannel,0.15.1,eol} 1"]);
    let unlabelled = set(nodes(&["n1"]), flannel, "example.com/net:1", &on);
    assert_eq!(said(&unlabelled).samples, ["netvitals_cni_nodes{flannel,unknown,unknown} 1"]);
    assert_eq!(statement(&unlabelled), "1 node: flannel of no known version on 1");
}

#[test]
fn clusters_whose_cni_has_no_daemon_set_are_not_judged() {
    let plain = set_with(nodes(&["n1"]), ("kube-system", "proxy"), "a", &[], |set| {
        set.template.mounts_cni = false;
    });
    assert_eq!(said(&plain).result, Err(Skipped::NotApplicable.into()));
    let undecoded = plain.undecoded::<DaemonSet>("kube-system/cilium");
    assert_eq!(said(&undecoded).result, Err(Unknown::Undecoded("DaemonSet").into()));
    let none = set(nodes(&["n1"]), CALICO, NEW, &[]);
    assert_eq!(statement(&none), "0 nodes: no agent of a CNI is ready");
}
