//! What the chart renders for kustomize: no right more than is used, no pod with more than it needs, and the same nodes
//! as the checks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use netvitals::model::Node;
use netvitals::watch;
use serde_json::{Value, json};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/kustomize/default");

/// Every object, in the order in which `kubectl apply -k` takes those of one kind.
fn objects() -> Vec<Value> {
    let folder = Path::new(FOLDER);
    let kustomization = documents(&folder.join("kustomization.yaml"));
    let files = words(&kustomization[0]["resources"]);
    assert_eq!(files.len(), 2, "{files:?}");
    ["namespace.yaml", "netvitals.yaml"]
        .iter()
        .flat_map(|file| documents(&folder.join(file)))
        .collect()
}

fn documents(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("a manifest can be read");
    serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn object(kind: &str, name: &str) -> Value {
    let mut all = objects().into_iter();
    let found = all.find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("no {kind} {name}"))
}

/// The pods' specs, by component.
fn pods() -> BTreeMap<&'static str, Value> {
    let of = |kind, name| object(kind, name)["spec"]["template"]["spec"].clone();
    BTreeMap::from([
        ("agent", of("DaemonSet", "netvitals-agent")),
        ("cluster", of("Deployment", "netvitals-cluster")),
        ("host-agent", of("DaemonSet", "netvitals-host-agent")),
    ])
}

fn words(list: &Value) -> BTreeSet<String> {
    let items = list.as_array().into_iter().flatten();
    items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

#[test]
fn the_role_may_list_and_watch_what_is_watched_and_nothing_else() {
    let watched = watch::ALL.iter().map(|watch| {
        let only = watch.kind.only.into_iter().map(str::to_owned).collect();
        (watch.kind.group.to_owned(), watch.kind.plural.to_owned(), only)
    });
    let watched: BTreeSet<(String, String, BTreeSet<String>)> = watched.collect();
    let mut allowed = BTreeSet::new();
    for rule in
        object("ClusterRole", "netvitals:netvitals-cluster")["rules"].as_array().expect("rules")
    {
        let named: Vec<&str> =
            rule.as_object().expect("a rule").keys().map(String::as_str).collect();
        let known = ["apiGroups", "resourceNames", "resources", "verbs"];
        assert!(named.iter().all(|key| known.contains(key)), "{rule}");
        let names = words(&rule["resourceNames"]);
        assert_eq!(rule["verbs"], json!(["list", "watch"]), "{rule}");
        for group in words(&rule["apiGroups"]) {
            allowed.extend(
                words(&rule["resources"])
                    .into_iter()
                    .map(|plural| (group.clone(), plural, names.clone())),
            );
        }
    }
    assert_eq!(allowed, watched);
    let roles = ["Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"];
    let all: Vec<_> = objects();
    let all: Vec<_> =
        all.iter().filter(|it| roles.contains(&it["kind"].as_str().unwrap_or(""))).collect();
    assert_eq!(all.len(), 2, "a role and its binding");
    let subjects = &object("ClusterRoleBinding", "netvitals:netvitals-cluster")["subjects"];
    assert_eq!(
        *subjects,
        json!([{"kind": "ServiceAccount", "name": "netvitals-cluster", "namespace": "netvitals"}])
    );
}

#[test]
fn only_the_cluster_role_has_a_token() {
    for (component, pod) in pods() {
        let expected = component == "cluster";
        assert_eq!(pod["automountServiceAccountToken"], json!(expected), "{component}");
        assert_eq!(pod["serviceAccountName"], format!("netvitals-{component}"));
        let account = object("ServiceAccount", &format!("netvitals-{component}"));
        assert_eq!(account["automountServiceAccountToken"], false, "{component}");
    }
}

#[test]
fn every_pod_has_the_least_that_pod_security_asks_for() {
    for (component, pod) in pods() {
        let security = &pod["securityContext"];
        assert_eq!(security["runAsNonRoot"], true, "{component}");
        assert_eq!(security["runAsUser"], 65532, "{component}");
        assert_eq!(security["runAsGroup"], 65532, "{component}: else it is group 0");
        assert_eq!(security["seccompProfile"]["type"], "RuntimeDefault", "{component}");
        for container in pod["containers"].as_array().expect("containers") {
            let wanted = json!({
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": {"drop": ["ALL"]},
            });
            assert_eq!(container["securityContext"], wanted, "{component}");
            assert!(container["resources"]["limits"]["memory"].is_string(), "{component}");
            assert!(
                container["resources"]["limits"]["cpu"].is_null(),
                "{component} would be throttled"
            );
            assert_eq!(container["livenessProbe"]["httpGet"]["path"], "/livez", "{component}");
            assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/readyz", "{component}");
            assert_eq!(container["ports"][0]["name"], "http", "{component}");
        }
    }
}

#[test]
fn only_host_agents_see_the_node_and_only_read() {
    for (component, pod) in pods() {
        let host = component == "host-agent";
        assert_eq!(pod["hostNetwork"] == true, host, "{component}");
        for key in ["hostPID", "hostIPC"] {
            assert!(pod[key].is_null(), "{component}: {key}");
        }
        let paths: Vec<&Value> = pod["volumes"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|volume| &volume["hostPath"]["path"])
            .collect();
        assert_eq!(paths, if host { vec!["/sys/fs/cgroup"] } else { vec![] }, "{component}");
        for mounted in pod["containers"][0]["volumeMounts"].as_array().into_iter().flatten() {
            assert_eq!(mounted["readOnly"], true, "{component}: {mounted}");
        }
    }
    let pods = pods();
    assert_eq!(pods["host-agent"]["dnsPolicy"], "ClusterFirstWithHostNet");
    // A safe sysctl, but not for the node's own network: the API refuses it there.
    assert!(pods["host-agent"]["securityContext"]["sysctls"].is_null());
    assert_eq!(
        pods["agent"]["securityContext"]["sysctls"],
        json!([{"name": "net.ipv4.ping_group_range", "value": "0 2147483647"}])
    );
}

/// Whether a node with these labels is one of those that the affinity asks for.
fn admits(affinity: &Value, labels: &[(&str, &str)]) -> bool {
    let terms = &affinity["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    let holds = |expression: &Value| {
        let key = expression["key"].as_str().expect("a key");
        let value = labels.iter().find(|(name, _)| *name == key).map(|(_, value)| *value);
        let listed = value.is_some_and(|value| words(&expression["values"]).contains(value));
        match expression["operator"].as_str() {
            Some("In") => listed,
            Some("NotIn") => !listed,
            Some("DoesNotExist") => value.is_none(),
            other => panic!("unknown operator {other:?}"),
        }
    };
    let terms = terms["nodeSelectorTerms"].as_array().expect("terms");
    terms
        .iter()
        .any(|term| term["matchExpressions"].as_array().expect("expressions").iter().all(holds))
}

#[test]
fn agents_run_on_the_nodes_on_which_they_are_expected() {
    let linux = ("kubernetes.io/os", "linux");
    let cases: [&[(&str, &str)]; 9] = [
        &[],
        &[linux],
        &[("kubernetes.io/os", "windows")],
        &[linux, ("type", "virtual-kubelet")],
        &[linux, ("liqo.io/type", "virtual-node")],
        &[("type", "virtual-kubelet")],
        &[linux, ("type", "gpu")],
        &[linux, ("eks.amazonaws.com/compute-type", "fargate")],
        &[linux, ("eks.amazonaws.com/compute-type", "auto")],
    ];
    for labels in cases {
        let node = Node {
            labels: labels
                .iter()
                .map(|(key, value)| ((*key).into(), (*value).into()))
                .collect::<BTreeMap<_, _>>()
                .into(),
            ..Node::default()
        };
        for component in ["agent", "host-agent"] {
            let pod = &pods()[component];
            assert_eq!(
                admits(&pod["affinity"], labels),
                node.runs_agents(),
                "{component} {labels:?}"
            );
            assert_eq!(pod["tolerations"], json!([{"operator": "Exists"}]), "{component}");
        }
    }
}

#[test]
fn a_service_selects_the_pods_that_it_is_named_for() {
    let cases = [
        ("netvitals-cluster", "Deployment", "netvitals-cluster", false),
        ("netvitals-agent", "DaemonSet", "netvitals-agent", false),
        ("netvitals-agents", "DaemonSet", "netvitals-agent", true),
    ];
    for (service, kind, workload, headless) in cases {
        let (service, workload) = (object("Service", service), object(kind, workload));
        let labels = &workload["spec"]["template"]["metadata"]["labels"];
        for (key, value) in service["spec"]["selector"].as_object().expect("a selector") {
            assert_eq!(labels[key], *value, "{key}");
        }
        assert_eq!(service["spec"]["selector"], workload["spec"]["selector"]["matchLabels"]);
        assert_eq!(service["spec"]["clusterIP"] == "None", headless);
        assert_eq!(
            service["spec"]["ports"],
            json!([{"name": "http", "port": 12350, "targetPort": "http"}])
        );
    }
}

#[test]
fn services_are_there_before_the_pods_that_read_their_variables() {
    let order: Vec<String> = objects()
        .iter()
        .map(|object| object["kind"].as_str().unwrap_or_default().to_owned())
        .collect();
    let last_service = order.iter().rposition(|kind| kind == "Service");
    let first_pods = order.iter().position(|kind| kind == "DaemonSet" || kind == "Deployment");
    assert!(order.first().is_some_and(|kind| kind == "Namespace"), "{order:?}");
    assert!(last_service < first_pods, "{order:?}");
}

#[test]
fn everything_is_in_the_namespace_and_has_the_names_of_its_component() {
    for object in objects() {
        let kind = object["kind"].as_str().unwrap_or_default();
        let everywhere = ["Namespace", "ClusterRole", "ClusterRoleBinding"].contains(&kind);
        assert_eq!(object["metadata"]["namespace"] == "netvitals", !everywhere, "{object}");
        assert_eq!(object["metadata"]["labels"]["app.kubernetes.io/name"], "netvitals", "{object}");
    }
}
