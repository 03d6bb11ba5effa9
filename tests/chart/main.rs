//! The chart, rendered by both Helms, and the image: `make chart`. Helm is built by Go, and an engine needs root, so that
//! `make test` leaves this out.
//!
//! `UPDATE_GOLDEN=1 make chart` renders `deploy/kustomize` anew.

#![allow(clippy::disallowed_methods)] // The rule is the exporter's: this runs Helm.

#[path = "../cluster/containerfile.rs"]
mod containerfile;
mod helm;
#[path = "../cluster/image.rs"]
#[allow(dead_code, reason = "the test bed makes other images too")]
mod image;
#[path = "image.rs"]
mod shipped;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;

use netvitals::watch;
use serde_json::{Value, json};

use crate::helm::{Helm, all, find, kinds, names, objects};

/// Values that turn everything on.
const EVERYTHING: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/helm/netvitals/ci/everything-values.yaml");

/// Values that turn on what not every cluster takes.
const ADD_ONS: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/helm/netvitals/ci/add-ons-values.yaml");

const BAD_VALUES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/helm/bad-values");

const KUSTOMIZE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/kustomize");

/// The values of each folder of `deploy/kustomize`.
const RENDERED: [(&str, &[&str]); 2] =
    [("default", &[]), ("restricted", &["--set=hostAgent.enabled=false"])];

/// The chart with values, as a release `netvitals` in the namespace `netvitals`.
fn render(values: &[&str]) -> Vec<Value> {
    objects(&Helm::newest().template("netvitals", "netvitals", values).expect("good values"))
}

fn args(workload: &Value) -> BTreeSet<&str> {
    let args = workload["spec"]["template"]["spec"]["containers"][0]["args"].as_array();
    args.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The pods of the workloads, by the workload's name.
fn pods(chart: &[Value]) -> BTreeMap<&str, &Value> {
    let named =
        chart.iter().map(|it| (it["metadata"]["name"].as_str(), &it["spec"]["template"]["spec"]));
    named.filter(|(_, pod)| pod.is_object()).filter_map(|(name, pod)| Some((name?, pod))).collect()
}

#[test]
fn every_helm_lints_it_and_renders_the_same() {
    let mut rendered = BTreeMap::new();
    for helm in Helm::every() {
        for values in [&[][..], &["--values", EVERYTHING], &["--values", ADD_ONS]] {
            helm.lint(values).unwrap_or_else(|error| panic!("{}: {error}", helm.name));
            // Only the order of objects of one kind is Helm's own.
            let text = helm.template("watcher", "sight", values).expect("good values");
            let mut all: Vec<String> = objects(&text).iter().map(Value::to_string).collect();
            all.sort();
            let first = rendered.entry(values.to_vec()).or_insert_with(|| all.clone());
            assert_eq!(*first, all, "{} renders another chart", helm.name);
        }
    }
    assert_eq!(Helm::every().len(), 2, "Helm 3 and Helm 4");
}

#[test]
fn defaults_need_no_operator() {
    let expected: BTreeMap<&str, usize> = BTreeMap::from([
        ("ClusterRole", 1),
        ("ClusterRoleBinding", 1),
        ("DaemonSet", 2),
        ("Deployment", 1),
        ("PodDisruptionBudget", 1),
        ("Service", 3),
        ("ServiceAccount", 3),
    ]);
    assert_eq!(kinds(&render(&[])), expected.into_iter().map(|(k, n)| (k.into(), n)).collect());
}

#[test]
fn everything_that_the_chart_can_make_is_shown() {
    let mut shown = kinds(&render(&["--values", EVERYTHING]));
    shown.append(&mut kinds(&render(&["--values", ADD_ONS])));
    for kind in [
        "ConfigMap",
        "GrafanaDashboard",
        "HTTPRoute",
        "Ingress",
        "NetworkPolicy",
        "PodMonitor",
        "PriorityClass",
        "PrometheusRule",
        "ServiceMonitor",
        "VerticalPodAutoscaler",
    ] {
        assert!(shown.contains_key(kind), "{kind} in {shown:?}");
    }
}

#[test]
fn bad_values_are_refused_with_words_that_help() {
    let mut files: Vec<_> = fs::read_dir(BAD_VALUES)
        .expect("the folder is there")
        .map(|entry| entry.expect("the folder can be read").path())
        .collect();
    files.sort();
    assert!(files.len() > 15, "{}", files.len());
    for path in files {
        let text = fs::read_to_string(&path).expect("a file of values can be read");
        let name = path.display().to_string();
        let expected = text.lines().next().and_then(|line| line.strip_prefix("# expect: "));
        let expected = expected.unwrap_or_else(|| panic!("{name} does not say what to expect"));
        for helm in Helm::every() {
            let refused = helm.template("netvitals", "netvitals", &["--values", &name]);
            let error = refused.err().unwrap_or_else(|| panic!("{} takes {name}", helm.name));
            assert!(error.contains(expected), "{}, {name}: {error}", helm.name);
        }
    }
}

#[test]
fn a_parent_chart_turns_it_on_and_off_by_a_condition() {
    let parent = tempfile::tempdir().expect("a temporary folder");
    let dependency = "{name: netvitals, version: '>=0.1.0-0', condition: netvitals.enabled}";
    let about =
        format!("apiVersion: v2\nname: parent\nversion: 1.0.0\ndependencies: [{dependency}]\n");
    fs::write(parent.path().join("Chart.yaml"), about).expect("a file can be written");
    fs::create_dir(parent.path().join("charts")).expect("a folder can be made");
    symlink(helm::CHART, parent.path().join("charts/netvitals")).expect("a link can be made");
    let parent = parent.path().to_str().expect("a path of letters");
    for helm in Helm::every() {
        let kinds = |values: &[&str]| {
            let text = helm.template_of(parent, "netvitals", "netvitals", values);
            kinds(&objects(&text.unwrap_or_else(|error| panic!("{}: {error}", helm.name))))
        };
        let on = kinds(&["--set=netvitals.enabled=true"]);
        assert!(on.contains_key("DaemonSet"), "{}: {on:?}", helm.name);
        assert_eq!(on, kinds(&[]), "{}", helm.name);
        assert_eq!(kinds(&["--set=netvitals.enabled=false"]).len(), 0, "{}", helm.name);
    }
}

#[test]
fn the_role_may_what_is_watched_and_nothing_else() {
    let watched: BTreeSet<(&str, &str, Option<&str>)> = watch::ALL
        .iter()
        .map(|watch| (watch.kind.group, watch.kind.plural, watch.kind.only))
        .collect();
    for values in [&[][..], &["--values", EVERYTHING]] {
        let chart = render(values);
        let mut allowed = BTreeSet::new();
        let rules = find(&chart, "ClusterRole", "netvitals:netvitals-cluster")["rules"].as_array();
        for rule in rules.expect("rules") {
            assert_eq!(rule["verbs"], json!(["list", "watch"]), "{rule}");
            let only = rule["resourceNames"][0].as_str();
            let keys = rule.as_object().expect("a rule").len();
            assert_eq!(keys, 3 + usize::from(only.is_some()), "{rule}");
            let groups = rule["apiGroups"].as_array().expect("groups");
            let resources = rule["resources"].as_array().expect("resources");
            for group in groups.iter().filter_map(Value::as_str) {
                allowed.extend(resources.iter().filter_map(|it| Some((group, it.as_str()?, only))));
            }
        }
        assert_eq!(allowed, watched);
        let roles = ["Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"];
        let roles: Vec<String> = roles.iter().flat_map(|kind| names(&chart, kind)).collect();
        assert_eq!(roles.len(), 2, "a role and its binding: {roles:?}");
        for object in chart.iter().filter(|object| object["kind"] == "ClusterRole") {
            let text = object.to_string();
            for word in ["/proxy", "secrets", "\"*\"", "impersonate", "escalate", "bind\""] {
                assert!(!text.contains(word), "{word}: {text}");
            }
        }
    }
}

#[test]
fn names_of_a_release_are_told_to_the_program() {
    let text = Helm::newest().template("watcher", "sight", &[]).expect("good values");
    let chart = objects(&text);
    for component in ["agent", "host-agent"] {
        let agent = find(&chart, "DaemonSet", &format!("watcher-netvitals-{component}"));
        let told = "--cluster-service=watcher-netvitals-cluster:12350";
        assert!(args(agent).contains(told), "{:?}", args(agent));
    }
    let services = names(&chart, "Service");
    for name in ["watcher-netvitals-agent", "watcher-netvitals-agents", "watcher-netvitals-cluster"]
    {
        assert!(services.contains(name), "{services:?}");
    }
    let expected = BTreeSet::from([
        "cluster",
        "--agents.daemonset=watcher-netvitals-agent",
        "--agents.host-daemonset=watcher-netvitals-host-agent",
        "--agents.service=watcher-netvitals-agent",
        "--agents.headless-service=watcher-netvitals-agents",
    ]);
    assert_eq!(args(find(&chart, "Deployment", "watcher-netvitals-cluster")), expected);
    for object in &chart {
        let namespace = &object["metadata"]["namespace"];
        let everywhere = object["kind"].as_str().is_some_and(|kind| kind.starts_with("Cluster"));
        assert_eq!(namespace == "sight", !everywhere, "{object}");
    }
}

#[test]
fn two_releases_in_two_namespaces_share_no_name() {
    let of = |namespace| {
        let text = Helm::newest().template("netvitals", namespace, &["--values", EVERYTHING]);
        let all = objects(&text.expect("good values"));
        let own = all.into_iter().filter(|object| object["metadata"]["namespace"].is_null());
        // What the values add by hand is theirs.
        let own = own.filter(|object| object["kind"] != "ConfigMap");
        own.map(|object| format!("{} {}", object["kind"], object["metadata"]["name"])).collect()
    };
    let (one, other): (BTreeSet<String>, BTreeSet<String>) = (of("one"), of("other"));
    assert_eq!(one.len(), 3, "a role, its binding, a priority class: {one:?}");
    assert!(one.is_disjoint(&other), "{one:?}");
}

#[test]
fn without_host_agents_nothing_of_them_is_left() {
    let chart = render(&["--set=hostAgent.enabled=false"]);
    assert_eq!(names(&chart, "DaemonSet"), BTreeSet::from(["netvitals-agent".to_owned()]));
    let cluster = find(&chart, "Deployment", "netvitals-cluster");
    assert!(args(cluster).contains("--agents.host-daemonset="), "{:?}", args(cluster));
    for word in ["hostNetwork", "hostPath", "host-agent"] {
        assert!(!chart.iter().any(|object| object.to_string().contains(word)), "{word}");
    }
}

#[test]
fn a_single_replica_has_no_disruption_budget() {
    assert_eq!(names(&render(&[]), "PodDisruptionBudget").len(), 1);
    let single = render(&["--set=cluster.replicas=1"]);
    assert!(names(&single, "PodDisruptionBudget").is_empty(), "nobody could drain its node");
}

#[test]
fn another_way_to_replace_pods_has_no_numbers_of_the_default() {
    let values =
        ["--set=cluster.updateStrategy.type=Recreate", "--set=agent.updateStrategy.type=OnDelete"];
    let chart = render(&values);
    let spec = |name: &str| {
        &chart
            .iter()
            .find(|it| it["spec"]["template"].is_object() && it["metadata"]["name"] == name)
            .expect("it is rendered")["spec"]
    };
    assert_eq!(spec("netvitals-cluster")["strategy"], json!({"type": "Recreate"}));
    assert_eq!(spec("netvitals-agent")["updateStrategy"], json!({"type": "OnDelete"}));
    assert!(spec("netvitals-host-agent")["updateStrategy"]["rollingUpdate"].is_object());
}

#[test]
fn a_user_namespace_has_the_groups_that_it_maps() {
    let range = |values: &[&str]| {
        let chart = render(values);
        pods(&chart)["netvitals-agent"]["securityContext"]["sysctls"][0]["value"].clone()
    };
    assert_eq!(range(&[]), "0 2147483647");
    assert_eq!(range(&["--set=agent.hostUsers=true"]), "0 2147483647");
    assert_eq!(range(&["--set=agent.hostUsers=false"]), "0 65535");
}

#[test]
fn ids_can_be_left_to_the_platform() {
    for helm in Helm::every() {
        let nulls =
            ["--set=podSecurityContext.runAsUser=null", "--set=podSecurityContext.runAsGroup=null"];
        let text = helm.template("netvitals", "netvitals", &nulls).expect("good values");
        for object in objects(&text) {
            let security = &object["spec"]["template"]["spec"]["securityContext"];
            let Some(security) = security.as_object() else { continue };
            assert!(!security.contains_key("runAsUser"), "{}: {security:?}", helm.name);
            assert!(!security.contains_key("runAsGroup"), "{}: {security:?}", helm.name);
            assert_eq!(security["runAsNonRoot"], true);
        }
    }
}

#[test]
fn service_meshes_leave_the_pods_alone_unless_they_are_wanted() {
    let annotated = |chart: &[Value]| -> Vec<Value> {
        let pods = chart.iter().map(|object| object["spec"]["template"]["metadata"].clone());
        pods.filter(Value::is_object).collect()
    };
    let pods = annotated(&render(&[]));
    assert_eq!(pods.len(), 3);
    for pod in pods {
        assert_eq!(pod["labels"]["sidecar.istio.io/inject"], "false");
        assert_eq!(pod["labels"]["istio.io/dataplane-mode"], "none");
        assert_eq!(pod["labels"]["kuma.io/sidecar-injection"], "disabled");
        assert_eq!(pod["annotations"]["linkerd.io/inject"], "disabled");
    }
    for pod in annotated(&render(&["--set=serviceMesh.optOut=false"])) {
        assert_eq!(pod["labels"].as_object().expect("labels").len(), 3, "{pod}");
        assert!(pod["annotations"].is_null(), "{pod}");
    }
}

#[test]
fn monitors_select_the_pods_that_they_are_for() {
    let chart = render(&["--values", EVERYTHING]);
    let monitor = find(&chart, "ServiceMonitor", "netvitals-cluster");
    let service = find(&chart, "Service", "netvitals-cluster");
    for (key, value) in monitor["spec"]["selector"]["matchLabels"].as_object().expect("labels") {
        assert_eq!(service["metadata"]["labels"][key], *value, "{key}");
    }
    assert_eq!(monitor["metadata"]["labels"]["release"], "monitoring");
    assert_eq!(monitor["spec"]["endpoints"][0]["honorLabels"], true);
    let monitor = find(&chart, "PodMonitor", "netvitals-agents");
    let components = &monitor["spec"]["selector"]["matchExpressions"][0]["values"];
    for workload in all(&chart, "DaemonSet") {
        let labels = &workload["spec"]["template"]["metadata"]["labels"];
        for (key, value) in monitor["spec"]["selector"]["matchLabels"].as_object().expect("labels")
        {
            assert_eq!(labels[key], *value, "{key}");
        }
        let component = &labels["app.kubernetes.io/component"];
        assert!(components.as_array().expect("values").contains(component), "{component}");
    }
}

#[test]
fn rules_are_the_shipped_ones_but_for_what_values_say() {
    let shipped: Value = serde_saphyr::from_str(include_str!("../../alerts/netvitals.rules.yaml"))
        .expect("the shipped rules are YAML");
    let plain = render(&["--set=prometheusRule.enabled=true"]);
    let rule = find(&plain, "PrometheusRule", "netvitals");
    assert_eq!(rule["spec"]["groups"], shipped["groups"]);

    let chart = render(&["--values", EVERYTHING]);
    let spec = &find(&chart, "PrometheusRule", "netvitals")["spec"];
    let groups = spec["groups"].as_array().expect("groups");
    let rules: Vec<&Value> =
        groups.iter().flat_map(|group| group["rules"].as_array().expect("rules")).collect();
    let all = |alert: &str| -> Vec<&Value> {
        rules.iter().copied().filter(|rule| rule["alert"] == alert).collect()
    };
    assert!(all("NetvitalsIPPoolFilling").is_empty(), "it is disabled");
    let low = all("NetvitalsDNSSuccessLow");
    assert_eq!((&low[0]["for"], &low[1]["for"]), (&json!("7m"), &json!("5m")));
    assert_eq!(low[0]["labels"]["severity"], "page");
    assert_eq!(low[1]["labels"]["severity"], "warning");
    assert!(all("NetvitalsDown").iter().all(|rule| rule["expr"] == "vector(1)"));
    assert_eq!(all("Own").len(), 1);
    for rule in rules.iter().filter(|rule| rule["alert"] != "Own") {
        assert_eq!(rule["labels"]["team"], "network", "{rule}");
        let alert = rule["alert"].as_str().expect("a name");
        let runbook = format!("https://git.corp.example.com/netvitals/alerts/runbooks/{alert}.md");
        assert_eq!(rule["annotations"]["runbook_url"], runbook);
        let page = &rule["annotations"]["status_url"];
        assert!(page.is_null() || page == "https://netvitals.corp.example.com/", "{page}");
        let dashboard = rule["annotations"]["dashboard_url"].as_str().unwrap_or_default();
        assert!(dashboard.starts_with("https://grafana.corp.example.com/d/"), "{dashboard}");
    }
}

#[test]
fn dashboards_are_the_shipped_ones_with_links_to_the_runbooks() {
    let text = include_str!("../../dashboards/netvitals-overview.json");
    let runbooks = "https://runbooks.example.com/";
    assert!(text.contains(runbooks));
    let text = text.replace(runbooks, "https://git.corp.example.com/netvitals/alerts/runbooks/");
    let text =
        text.replace("https://netvitals.example.com/", "https://netvitals.corp.example.com/");
    let shipped: Value = serde_json::from_str(&text).expect("the dashboard is JSON");
    let chart = render(&["--values", EVERYTHING]);
    let map = find(&chart, "ConfigMap", "netvitals-overview");
    assert_eq!(map["metadata"]["labels"]["grafana_dashboard"], "1");
    let object = find(&chart, "GrafanaDashboard", "netvitals-overview");
    for text in [&map["data"]["netvitals-overview.json"], &object["spec"]["json"]] {
        let text = text.as_str().expect("a text");
        assert_eq!(serde_json::from_str::<Value>(text).expect("JSON"), shipped);
    }
}

#[test]
fn the_configuration_is_mounted_and_a_change_of_it_rolls_the_pods() {
    let sums = |values: &[&str]| -> Vec<Value> {
        let chart = render(values);
        let pods =
            chart.iter().map(|object| &object["spec"]["template"]).filter(|it| it.is_object());
        pods.map(|pod| {
            let told = &pod["spec"]["containers"][0]["args"].to_string();
            assert!(told.contains("--config.file=/etc/netvitals/config.yaml"), "{told}");
            let mounts = pod["spec"]["containers"][0]["volumeMounts"].as_array().expect("mounts");
            assert!(mounts.iter().any(|it| it["mountPath"] == "/etc/netvitals"), "{mounts:?}");
            pod["metadata"]["annotations"]["checksum/config"].clone()
        })
        .collect()
    };
    let one = sums(&["--set=config.dns.interval=5s"]);
    let other = sums(&["--set=config.dns.interval=6s"]);
    assert_eq!(one.len(), 3);
    assert!(one.iter().zip(&other).all(|(one, other)| one.is_string() && one != other));
}

#[test]
fn a_configuration_of_one_s_own_is_mounted_in_the_place_of_the_chart_s() {
    let chart = render(&["--set=existingConfigMap=own"]);
    assert!(names(&chart, "ConfigMap").is_empty(), "it is the user's");
    let pods = pods(&chart);
    assert_eq!(pods.len(), 3);
    for pod in pods.values() {
        let container = &pod["containers"][0];
        let told = container["args"].to_string();
        assert!(told.contains("--config.file=/etc/netvitals/config.yaml"), "{told}");
        let volumes = pod["volumes"].as_array().expect("volumes");
        let volume = volumes.iter().find(|it| it["configMap"]["name"] == "own");
        let name = &volume.unwrap_or_else(|| panic!("{volumes:?}"))["name"];
        let mounts = container["volumeMounts"].as_array().expect("mounts");
        let mount = mounts.iter().find(|it| it["name"] == *name);
        assert_eq!(mount.expect("a mount")["mountPath"], "/etc/netvitals");
    }
}

#[test]
fn containers_and_probes_of_one_s_own_are_in_every_pod() {
    let names = |containers: &Value| -> Vec<String> {
        let all = containers.as_array().into_iter().flatten();
        all.filter_map(|it| it["name"].as_str().map(str::to_owned)).collect()
    };
    let chart = render(&["--values", EVERYTHING]);
    let with = pods(&chart);
    assert_eq!(with.len(), 3);
    for pod in with.values() {
        // Tools take the first container where none is named.
        assert_eq!(names(&pod["containers"]), ["netvitals", "beside"]);
        assert_eq!(names(&pod["initContainers"]), ["before"]);
        let probe = json!({"httpGet": {"path": "/livez", "port": "http"}, "failureThreshold": 30});
        assert_eq!(pod["containers"][0]["startupProbe"], probe);
    }
    assert_eq!(with["netvitals-agent"]["hostUsers"], true);
    assert_eq!(with["netvitals-cluster"]["hostUsers"], false, "false is a choice, not the default");
    assert!(with["netvitals-host-agent"]["hostUsers"].is_null(), "the API server refuses it");
    let chart = render(&[]);
    for pod in pods(&chart).values() {
        assert_eq!(names(&pod["containers"]), ["netvitals"]);
        for key in ["initContainers", "hostUsers"] {
            assert!(pod.get(key).is_none(), "{key}: {pod}");
        }
        assert!(pod["containers"][0].get("startupProbe").is_none(), "{pod}");
    }
}

#[test]
fn the_page_is_led_to_by_an_ingress_or_a_route() {
    let port = |chart: &[Value], service: &Value| {
        let service = find(chart, "Service", service.as_str().expect("a name"));
        assert_eq!(service["spec"]["selector"]["app.kubernetes.io/component"], "cluster");
        service["spec"]["ports"][0].clone()
    };
    let chart = render(&["--values", EVERYTHING]);
    let ingress = find(&chart, "Ingress", "netvitals-cluster");
    assert_eq!(ingress["metadata"]["annotations"], json!({"example.com/ingress": "yes"}));
    let spec = &ingress["spec"];
    assert_eq!(spec["ingressClassName"], "public");
    let tls = json!([{"hosts": ["netvitals.corp.example.com"], "secretName": "page"}]);
    assert_eq!(spec["tls"], tls);
    let rules = spec["rules"].as_array().expect("rules");
    let hosts: Vec<&str> = rules.iter().filter_map(|rule| rule["host"].as_str()).collect();
    assert_eq!(hosts, ["netvitals.corp.example.com", "netvitals.example.org"]);
    for rule in rules {
        let path = &rule["http"]["paths"][0];
        assert_eq!((&path["path"], &path["pathType"]), (&json!("/"), &json!("Prefix")));
        let service = &path["backend"]["service"];
        assert_eq!(service["port"]["name"], port(&chart, &service["name"])["name"]);
    }
    let chart = render(&["--values", ADD_ONS]);
    let route = find(&chart, "HTTPRoute", "netvitals-cluster");
    assert_eq!(route["metadata"]["annotations"], json!({"example.com/route": "yes"}));
    assert_eq!(route["spec"]["parentRefs"], json!([{"name": "public", "namespace": "gateways"}]));
    assert_eq!(route["spec"]["hostnames"], json!(["netvitals.corp.example.com"]));
    let backend = &route["spec"]["rules"][0]["backendRefs"][0];
    assert_eq!(backend["port"], port(&chart, &backend["name"])["port"]);
}

#[test]
fn an_autoscaler_is_there_for_every_workload() {
    for values in [&[][..], &["--set=hostAgent.enabled=false"]] {
        let chart = render(&[&["--values", ADD_ONS], values].concat());
        let targets: BTreeSet<(String, String)> = all(&chart, "VerticalPodAutoscaler")
            .map(|object| {
                let spec = &object["spec"];
                assert_eq!(spec["updatePolicy"]["updateMode"], "Initial");
                let policy = &spec["resourcePolicy"]["containerPolicies"][0];
                assert_eq!(policy["controlledValues"], "RequestsOnly");
                let target = &spec["targetRef"];
                assert_eq!(target["apiVersion"], "apps/v1");
                (target["kind"].to_string(), target["name"].to_string())
            })
            .collect();
        let workloads = chart.iter().filter(|it| it["spec"]["template"].is_object());
        let workloads =
            workloads.map(|it| (it["kind"].to_string(), it["metadata"]["name"].to_string()));
        assert_eq!(targets, workloads.collect());
    }
    // Without quotes it would be a boolean, which the API server refuses.
    for object in
        all(&render(&["--set=verticalPodAutoscaler.enabled=true"]), "VerticalPodAutoscaler")
    {
        assert_eq!(object["spec"]["updatePolicy"]["updateMode"], "Off");
    }
}

#[test]
fn services_have_the_families_and_only_the_cluster_role_s_is_distributed() {
    let chart = render(&["--values", ADD_ONS]);
    assert_eq!(all(&chart, "Service").count(), 3);
    for service in all(&chart, "Service") {
        assert_eq!(service["spec"]["ipFamilyPolicy"], "RequireDualStack");
        assert_eq!(service["spec"]["ipFamilies"], json!(["IPv6", "IPv4"]));
        let wanted = match service["metadata"]["name"].as_str() {
            Some("netvitals-cluster") => json!("PreferClose"),
            // A Service that is probed shows every endpoint to every node.
            _ => Value::Null,
        };
        assert_eq!(service["spec"]["trafficDistribution"], wanted);
    }
}

#[test]
fn rules_of_one_s_own_are_added_to_the_role() {
    let rules = |values: &[&str]| -> Vec<Value> {
        let role = find(&render(values), "ClusterRole", "netvitals:netvitals-cluster").clone();
        role["rules"].as_array().expect("rules").clone()
    };
    let mut wanted = rules(&[]);
    wanted.push(json!({
        "apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"],
    }));
    assert_eq!(rules(&["--values", ADD_ONS]), wanted);
}

#[test]
fn a_network_policy_lets_scrapes_in_by_port_and_netvitals_without() {
    let chart = render(&["--values", EVERYTHING]);
    let policies: Vec<&Value> = all(&chart, "NetworkPolicy").collect();
    assert_eq!(policies.len(), 2);
    for policy in policies {
        // By this label the program knows that it is no foreign one.
        assert_eq!(policy["metadata"]["labels"]["app.kubernetes.io/name"], "netvitals");
        assert_eq!(policy["spec"]["policyTypes"], json!(["Ingress"]), "egress stays open");
        let [own, scrapes] = policy["spec"]["ingress"].as_array().expect("rules").as_slice() else {
            panic!("{policy}")
        };
        assert!(own["ports"].is_null(), "ICMP would be cut off: {own}");
        let ranges = own["from"].as_array().expect("peers");
        assert!(ranges.iter().any(|it| it["ipBlock"]["cidr"] == "10.99.0.0/24"), "{own}");
        assert_eq!(scrapes["ports"], json!([{"port": "http"}]));
    }
}

#[test]
fn kustomize_is_what_the_chart_renders() {
    for (folder, values) in RENDERED {
        let text = Helm::newest().template("netvitals", "netvitals", values).expect("good values");
        let of_helm =
            ["app.kubernetes.io/managed-by:", "helm.sh/chart:", "# Source: ", "helm.sh/hook"];
        let kept = text.lines().map(str::trim_end).filter(|line| {
            !line.is_empty() && !of_helm.iter().any(|word| line.trim_start().starts_with(word))
        });
        let head =
            "# Rendered from deploy/helm/netvitals by `UPDATE_GOLDEN=1 make chart`: edit that one.";
        let kept: Vec<&str> =
            [head].into_iter().chain(kept.skip_while(|it| *it == "---")).collect();
        let rendered = kept.join("\n") + "\n";
        let path = format!("{KUSTOMIZE}/{folder}/netvitals.yaml");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&path, rendered).expect("the folder can be written");
            continue;
        }
        let is = fs::read_to_string(&path).expect("what was rendered is there");
        assert!(is == rendered, "{path} is old: run UPDATE_GOLDEN=1 make chart");
    }
}

#[test]
fn the_notes_say_what_is_to_be_done_next() {
    let notes = |values: &[&str]| Helm::newest().notes(values);
    let text = notes(&[]);
    for words in [
        "kubectl -n netvitals port-forward service/netvitals-cluster 12350",
        "kubectl label ns netvitals pod-security.kubernetes.io/enforce=privileged --overwrite",
        "--set hostAgent.enabled=false",
        "--set serviceMonitor.additionalLabels.release=<its release>",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(!notes(&["--set=hostAgent.enabled=false"]).contains("kubectl label ns"));
    // Without the flag an upgrade forgets what the installation was given.
    let both = notes(&["--set=serviceMonitor.enabled=true", "--set=podMonitor.enabled=true"]);
    for text in [&text, &both] {
        let mut upgrades = text.lines().filter(|line| line.contains("helm upgrade ")).peekable();
        assert!(upgrades.peek().is_some(), "{text}");
        assert!(upgrades.all(|line| line.contains(" --reuse-values")), "{text}");
    }
    let half = notes(&["--set=serviceMonitor.enabled=true"]);
    assert!(half.contains("Enable both") && !half.contains("Nothing is told"), "{half}");
}

#[test]
fn scrape_jobs_without_the_operator_make_the_labels_of_the_monitors() {
    let shipped: Value =
        serde_saphyr::from_str(include_str!("../../deploy/prometheus/scrape-configs.yaml"))
            .expect("the shipped jobs are YAML");
    let job = &shipped["scrape_configs"][0];
    let chart = render(&["--set=serviceMonitor.enabled=true", "--set=podMonitor.enabled=true"]);
    let by_label = |rules: &Value, name: &str| -> BTreeMap<String, BTreeSet<String>> {
        let mut labels: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for rule in rules.as_array().expect("rules") {
            if let Some(label) = rule[name].as_str() {
                let text = rule["replacement"].as_str().unwrap_or("$1").to_owned();
                labels.entry(label.to_owned()).or_default().insert(text);
            }
        }
        labels
    };
    let shipped = by_label(&job["relabel_configs"], "target_label");
    let mut wanted = BTreeMap::new();
    for (kind, endpoints) in
        [("ServiceMonitor", "endpoints"), ("PodMonitor", "podMetricsEndpoints")]
    {
        let monitor = all(&chart, kind).next().expect("a monitor");
        let endpoint = &monitor["spec"][endpoints][0];
        assert_eq!(job["honor_labels"], endpoint["honorLabels"], "{kind}");
        wanted.extend(by_label(&endpoint["relabelings"], "targetLabel"));
    }
    // What an operator adds to every target.
    for label in ["namespace", "pod", "container", "endpoint"] {
        wanted.insert(label.to_owned(), BTreeSet::from(["$1".to_owned()]));
    }
    assert_eq!(shipped, wanted);
}
