use std::time::Duration;

use super::*;
use crate::model::Node;
use crate::watch::object::tests::{absent, read};

#[test]
fn every_field_may_be_absent_or_null() {
    let empty = absent::<DaemonSet>(
        r#"{
            "metadata": { "creationTimestamp": "2026-07-01T12:00:00Z", "generation": 2,
                "deletionTimestamp": "2026-07-01T12:00:00Z", "labels": {} },
            "spec": {
                "selector": { "matchLabels": {} },
                "updateStrategy": { "type": "OnDelete" },
                "template": { "metadata": { "labels": {} }, "spec": {
                    "containers": [{ "name": "a", "image": "b", "command": ["c"],
                        "args": ["--run-firewall=false"] }],
                    "nodeSelector": {}, "hostNetwork": true,
                    "affinity": { "nodeAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": {
                            "nodeSelectorTerms": [{ "matchExpressions": [
                                { "key": "a", "operator": "In", "values": ["b"] }] }] } } },
                    "tolerations": [{ "key": "a", "operator": "Exists", "effect": "b" }],
                    "volumes": [{ "hostPath": { "path": "/opt/cni/bin" } }] } }
            },
            "status": { "observedGeneration": 2, "desiredNumberScheduled": 3,
                "currentNumberScheduled": 3, "numberReady": 3, "updatedNumberScheduled": 3,
                "numberMisscheduled": 0 }
        }"#,
    );
    assert_eq!(empty, DaemonSet::default());
}

#[test]
fn a_daemon_set_has_what_its_pods_are_made_of_and_what_its_controller_counts() {
    let set: DaemonSet = read(
        r#"{
            "metadata": { "creationTimestamp": "1970-01-02T00:00:00Z", "generation": 5,
                "labels": { "k8s-app": "calico-node" } },
            "spec": {
                "selector": { "matchLabels": { "k8s-app": "calico-node" } },
                "updateStrategy": { "type": "RollingUpdate" },
                "template": { "metadata": { "labels": { "k8s-app": "calico-node" } }, "spec": {
                    "containers": [{ "name": "calico-node",
                        "image": "registry.example.com/calico/node:v3.32.1" }],
                    "nodeSelector": { "kubernetes.io/os": "linux" }, "hostNetwork": true,
                    "tolerations": [{ "operator": "Exists", "effect": "NoSchedule" },
                        { "operator": "Exists", "key": "CriticalAddonsOnly" }],
                    "volumes": [{ "name": "run", "hostPath": { "path": "/var/run/calico" } },
                        { "hostPath": { "path": "/etc/cni/net.d" } }] } }
            },
            "status": { "observedGeneration": 4, "desiredNumberScheduled": 3,
                "currentNumberScheduled": 2, "numberReady": 1, "updatedNumberScheduled": 2 }
        }"#,
    );
    let labels: Labels = [("k8s-app", "calico-node")].into();
    let image = "registry.example.com/calico/node:v3.32.1";
    let expected = DaemonSet {
        created: Some(Duration::from_secs(86_400)),
        labels: labels.clone(),
        generation: 5,
        selector: labels.clone(),
        template: Template {
            labels,
            images: [("calico-node".into(), image.into())].into(),
            switches: Box::default(),
            node_selector: [("kubernetes.io/os", "linux")].into(),
            os: Some("linux".into()),
            host_network: true,
            tolerates_all: true,
            mounts_cni: true,
        },
        status: Counts {
            generation: 4,
            desired: 3,
            current: 2,
            ready: 1,
            updated: 2,
            misscheduled: 0,
        },
        ..DaemonSet::default()
    };
    assert_eq!(set, expected);
    assert!(!set.is_observed());
    let waits: DaemonSet = read(r#"{ "spec": { "updateStrategy": { "type": "OnDelete" } } }"#);
    assert!(waits.on_delete && waits.is_observed());
}

fn template(spec: &str) -> DaemonSet {
    read(&format!(r#"{{ "spec": {{ "template": {{ "spec": {{ {spec} }} }} }} }}"#))
}

#[test]
fn its_operating_system_is_that_of_the_selector_or_of_every_term() {
    let affinity = |terms: &str| {
        format!(
            r#""affinity": {{ "nodeAffinity": {{
                "requiredDuringSchedulingIgnoredDuringExecution": {{
                    "nodeSelectorTerms": [{terms}] }} }} }}"#
        )
    };
    let term = |key: &str, operator: &str, values: &str| {
        format!(
            r#"{{ "matchExpressions": [{{ "key": "zone", "operator": "Exists" }},
                {{ "key": "{key}", "operator": "{operator}", "values": [{values}] }}] }}"#
        )
    };
    let windows = term("kubernetes.io/os", "In", r#""windows""#);
    let linux = term("beta.kubernetes.io/os", "In", r#""linux""#);
    for (spec, os) in [
        (r#""nodeSelector": { "kubernetes.io/os": "windows" }"#.to_owned(), Some("windows")),
        (r#""nodeSelector": { "beta.kubernetes.io/os": "linux" }"#.to_owned(), Some("linux")),
        (r#""nodeSelector": { "zone": "a" }"#.to_owned(), None),
        (affinity(&windows), Some("windows")),
        (affinity(&format!("{linux}, {linux}")), Some("linux")),
        (affinity(&format!("{linux}, {windows}")), None),
        (affinity(&term("kubernetes.io/os", "NotIn", r#""windows""#)), None),
        (affinity(&term("kubernetes.io/os", "In", r#""linux", "windows""#)), None),
        (affinity(r#"{ "matchExpressions": [] }"#), None),
    ] {
        assert_eq!(template(&spec).template.os.as_deref(), os, "{spec}");
    }
}

#[test]
fn it_fits_nodes_that_have_what_it_selects() {
    let node = |labels: Labels| Node { labels, ..Node::default() };
    let linux = node([("kubernetes.io/os", "linux"), ("zone", "a")].into());
    for (spec, fits) in [
        (r#""nodeSelector": {}"#, true),
        (r#""nodeSelector": { "zone": "a" }"#, true),
        (r#""nodeSelector": { "kubernetes.io/os": "windows" }"#, false),
        (r#""nodeSelector": { "zone": "a", "rack": "7" }"#, false),
    ] {
        assert_eq!(template(spec).fits(&linux), fits, "{spec}");
    }
}

#[test]
fn what_its_containers_are_told_of_policies_is_known() {
    for (container, switches) in [
        (
            r#""args": ["--enable-ipv6=false", "--enable-network-policy=false"]"#,
            &[("enable-network-policy", false)][..],
        ),
        (r#""args": ["--enable-network-policy=true"]"#, &[("enable-network-policy", true)]),
        (r#""command": ["/agent", "-enable-network-policy"]"#, &[("enable-network-policy", true)]),
        (r#""args": ["--run-router=true", "--run-firewall=False"]"#, &[("run-firewall", false)]),
        (r#""args": ["enable-network-policy", "--enable-network-policy-x=true"]"#, &[]),
        (r#""args": []"#, &[]),
    ] {
        let found = template(&format!(r#""containers": [{{ "name": "a", {container} }}]"#));
        let found: Vec<(&str, bool)> =
            found.template.switches.iter().map(|(name, on)| (&**name, *on)).collect();
        assert_eq!(found, switches, "{container}");
    }
}

#[test]
fn what_it_tolerates_and_mounts_is_known() {
    for (spec, tolerates_all, mounts_cni) in [
        (r#""tolerations": [{ "operator": "Exists" }]"#, true, false),
        (r#""tolerations": [{ "operator": "Exists", "effect": "NoExecute" }]"#, false, false),
        (r#""tolerations": [{ "operator": "Exists", "key": "a" }]"#, false, false),
        (r#""volumes": [{ "hostPath": { "path": "/opt/cni/bin" } }]"#, false, true),
        (
            r#""volumes": [{ "hostPath": { "path": "/var/lib/rancher/k3s/agent/etc/cni/net.d" } }]"#,
            false,
            true,
        ),
        (r#""volumes": [{ "hostPath": { "path": "/home/cnidaria" } }]"#, false, false),
        (r#""volumes": [{ "configMap": { "name": "cni" } }]"#, false, false),
    ] {
        let found = template(spec).template;
        assert_eq!((found.tolerates_all, found.mounts_cni), (tolerates_all, mounts_cni), "{spec}");
    }
}
