//! Installed as users install it: by Helm, twice, in namespaces of different levels.

use std::collections::BTreeSet;
use std::fs;
use std::time::Instant;

use axum::http::Method;
use netvitals::watch;
use serde_json::{Value, json};

use super::{Scenario, bare};
use crate::cluster::Cluster;
use crate::helm::{Release, with_host_agents, without_host_agents};
use crate::monitor::{Monitor, Watch};
use crate::netvitals::{Part, Pod, findings};
use crate::node::processes;
use crate::operator;
use crate::page::Page;
use crate::stage::{Stage, healthy};
use crate::tools::source;
use crate::wait::{holds, secs, timed, until};

pub(super) const ALL: &[Scenario] = &[
    bare("install_renders_what_the_api_server_takes", accepted),
    bare("install_refused_by_pod_security_names_the_command", refused),
    bare("install_twice_by_helm_finds_and_fires_nothing", twice),
];

/// How long nothing may fire.
const CALM: u64 = 600;

/// The unlabelled namespace of the release with host agents.
const OPEN: &str = "vitals";

/// The namespace that enforces `restricted`, of the release without.
const STRICT: &str = "vitals-restricted";

/// A namespace that enforces `baseline`.
const REFUSING: &str = "vitals-baseline";

const LEVEL: &str = "pod-security.kubernetes.io/enforce";

/// What makes the chart render its monitors.
const MONITORS: &[&str] = &["--set=serviceMonitor.enabled=true", "--set=podMonitor.enabled=true"];

/// Two releases, by the chart's defaults and without host agents, until they are gone again.
fn twice(stage: &Stage) {
    let cluster = &stage.cluster;
    assert!(!stage.is_installed(), "the ports of host agents are taken: show this first");
    namespace(cluster, OPEN, &json!({}));
    namespace(cluster, STRICT, &json!({LEVEL: "restricted"}));
    let (open, strict) = (with_host_agents(cluster, OPEN), without_host_agents(cluster, STRICT));
    let began = Instant::now();
    open.upgrade(&[]);
    strict.upgrade(&[]);
    open.rolled_out();
    strict.rolled_out();
    for (release, agents) in [(&open, 6.0), (&strict, 3.0)] {
        let left = secs(240).saturating_sub(began.elapsed());
        until(&format!("{} is healthy", release.namespace), left, || {
            cluster.verdicts_in(release.namespace)?.iter().try_for_each(|page| {
                healthy(page)?;
                let reporting = page.sum("netvitals_agent_reporting", &[]);
                holds(reporting == agents, || format!("{reporting} of {agents} agents report"))
            })
        });
    }
    println!("    both answered and healthy after {:.1} s", began.elapsed().as_secs_f64());
    for release in [&open, &strict] {
        let said = release.helm(&["test", release.name]);
        assert!(said.contains("Succeeded"), "{said}");
    }
    // What only host agents read is asked in one, and not applicable in the other.
    let throttling = |page: &Page| {
        page.all("netvitals_check_answered", &[("check", "coredns_throttling")]).len()
    };
    for (release, asked) in [(&open, 1), (&strict, 0)] {
        for page in cluster.verdicts_in(release.namespace).unwrap() {
            assert_eq!(throttling(&page), asked, "{}", release.namespace);
        }
    }
    calm(cluster, &[&open, &strict], || {
        for release in [&open, &strict] {
            privileges(cluster, release);
        }
    });
    change(cluster, &open);
    for release in [&open, &strict] {
        release.helm(&["uninstall", release.name, "--wait"]);
    }
    nothing_left(cluster);
    for name in [OPEN, STRICT] {
        cluster.kubectl(&["delete", "namespace", name, "--wait=false"]);
    }
}

fn namespace(cluster: &Cluster, name: &str, labels: &Value) {
    let object = json!({"metadata": {"name": name, "labels": labels}});
    // Where an earlier scenario had one of that name, it may still be on its way out.
    until(&format!("there is a new namespace {name}"), secs(60), || {
        cluster.api().ask(Method::POST, "/api/v1/namespaces", Some(&object)).map(drop)
    });
}

/// A Prometheus with the shipped rules and the chart's monitors sees every target, and nothing fires.
fn calm(cluster: &Cluster, releases: &[&Release<'_>], meanwhile: impl FnOnce()) {
    let objects: Vec<Value> =
        releases.iter().flat_map(|release| release.objects(MONITORS)).collect();
    let jobs = operator::jobs(&objects);
    assert_eq!(jobs.len(), 4, "two monitors of each release");
    let rules = fs::read_to_string(source("alerts/netvitals.rules.yaml")).unwrap();
    let watch = Watch { port: 9091, interval: "10s", rules: &rules, jobs };
    let monitor = Monitor::start_with(cluster, watch);
    // 3 agents, 3 host agents and 2 replicas; 3 agents and 2 replicas.
    monitor.targets_up(13, secs(60));
    let began = Instant::now();
    let up = |labels: &str| monitor.query(&format!("up{{{labels}}}")).unwrap().len();
    assert_eq!(up(r#"job="netvitals-cluster", node="""#), 2);
    assert_eq!(up(r#"job="netvitals-agent", vantage="pod", node=~"n.+""#), 3);
    assert_eq!(up(r#"job="netvitals-host-agent", vantage="host", node=~"n.+""#), 3);
    assert_eq!(up(r#"job="watcher-netvitals-agent", namespace="vitals-restricted""#), 3);
    meanwhile();
    while began.elapsed() < secs(CALM) {
        cluster.rest(secs(5));
        let firing = monitor.firing().unwrap();
        assert!(firing.is_empty(), "fires though nothing is wrong: {firing:?}");
        for release in releases {
            for page in cluster.verdicts_in(release.namespace).unwrap() {
                healthy(&page).unwrap_or_else(|wrong| panic!("{}: {wrong}", release.namespace));
            }
        }
    }
    monitor.targets_up(13, secs(1));
    println!("    no alert and no finding in {CALM} s");
}

/// What the release's accounts and processes may is what the chart says.
fn privileges(cluster: &Cluster, release: &Release<'_>) {
    let namespace = release.namespace;
    let may = |account: &str| -> BTreeSet<String> {
        let user = format!("--as=system:serviceaccount:{namespace}:{account}");
        let said = cluster.kubectl(&["auth", "can-i", "--list", "--no-headers", &user]);
        said.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    };
    // Everybody who is known may this much.
    let nothing = may("default");
    for part in release.parts {
        let account = format!("{}-{}", release.fullname, part.component());
        let more: BTreeSet<String> = may(&account).difference(&nothing).cloned().collect();
        let watched = watch::ALL.iter().map(|watch| {
            let group = watch.kind.group;
            let dot = if group.is_empty() { "" } else { "." };
            let (plural, only) = (watch.kind.plural, watch.kind.only.unwrap_or_default());
            format!("{plural}{dot}{group} [] [{only}] [list watch]")
        });
        let expected = if *part == Part::Cluster { watched.collect() } else { BTreeSet::new() };
        assert_eq!(more, expected, "{account}");
        for pod in cluster.netvitals_in(namespace, *part) {
            holds_little(cluster, namespace, *part, &pod);
        }
    }
}

/// A pod's process has no user of weight, no capability, and a token only where it needs one.
fn holds_little(cluster: &Cluster, namespace: &str, part: Part, pod: &Pod) {
    let object = cluster.api().get(&format!("/api/v1/namespaces/{namespace}/pods/{}", pod.name));
    let token = object.unwrap().to_string().contains("serviceAccountToken");
    assert_eq!(token, part == Part::Cluster, "{}: a token", pod.name);
    let group = cluster.node(&pod.node).pod_group("pids", &pod.uid).expect("the pod runs there");
    let named = |pid: &i32| {
        fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "netvitals")
    };
    let found: Vec<i32> = processes(&group).into_iter().filter(named).collect();
    let [pid] = found[..] else { panic!("{}: processes {found:?}", pod.name) };
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let value = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("no {key}")).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    for key in ["Uid", "Gid"] {
        assert_eq!(value(key), "65532 65532 65532 65532", "{}: {key}", pod.name);
    }
    for key in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(value(key), "0000000000000000", "{}: {key}", pod.name);
    }
    assert_eq!((&*value("Seccomp"), &*value("NoNewPrivs")), ("2", "1"), "{}", pod.name);
    if part == Part::Agent {
        let icmp = [("probe", "icmp")];
        let page = until("the agent answers", secs(60), || pod.page());
        let supported = page.value("netvitals_probe_supported", &icmp);
        assert_eq!(supported, Ok(1.0), "{}: ICMP without a capability", pod.name);
    }
}

/// An upgrade rolls the pods, a rollback too, and both end healthy.
fn change(cluster: &Cluster, release: &Release<'_>) {
    let uids = || -> BTreeSet<String> {
        let pods = Part::ALL.iter().flat_map(|part| cluster.netvitals_in(OPEN, *part));
        pods.map(|pod| pod.uid).collect()
    };
    let before = uids();
    release.upgrade(&["--set=config.log.format=json"]);
    release.rolled_out();
    let after = uids();
    assert!(before.is_disjoint(&after), "every pod reads the configuration");
    let ((), took) = timed("the upgraded release is healthy", secs(120), || {
        cluster.verdicts_in(OPEN)?.iter().try_for_each(healthy)
    });
    println!("    healthy {:.1} s after the upgrade", took.as_secs_f64());
    release.helm(&["rollback", release.name, "1"]);
    release.rolled_out();
    assert!(after.is_disjoint(&uids()), "every pod reads the configuration of before");
    until("the release of before is healthy", secs(120), || {
        cluster.verdicts_in(OPEN)?.iter().try_for_each(healthy)
    });
}

/// No object of any kind is left of a release.
fn nothing_left(cluster: &Cluster) {
    let listed =
        cluster.kubectl(&["api-resources", "--verbs=list", "--output=name", "--no-headers=true"]);
    let kinds: Vec<&str> = listed
        .split_whitespace()
        // Not objects of their own: they end with what they are about.
        .filter(|kind| !kind.starts_with("events") && !kind.contains("metrics.k8s.io"))
        .collect();
    let kinds = kinds.join(",");
    until("nothing is left", secs(60), || {
        let mut left = String::new();
        for selector in ["app.kubernetes.io/name=netvitals", "owner=helm"] {
            let words = ["get", &kinds, "--all-namespaces", "--output=name", "-l", selector];
            left += &cluster.try_kubectl(&words)?;
        }
        holds(left.trim().is_empty(), || left.trim().replace('\n', ", "))
    });
}

/// What the page says of a namespace whose level refuses host agents, and what helps.
fn refused(stage: &Stage) {
    let cluster = &stage.cluster;
    namespace(cluster, REFUSING, &json!({LEVEL: "baseline"}));
    let release = with_host_agents(cluster, REFUSING);
    // Beside an installation whose host agents have the usual port.
    let port = "--set=hostAgent.port=12361";
    release.upgrade(&[port]);
    let of_host_agents =
        "-l app.kubernetes.io/name=netvitals,app.kubernetes.io/component=host-agent";
    let commands = [
        format!("kubectl label ns {REFUSING} {LEVEL}=privileged --overwrite"),
        format!("kubectl -n {REFUSING} rollout restart daemonset {of_host_agents}"),
    ];
    let each = |look: &dyn Fn(&Pod) -> Result<(), String>| {
        let replicas = cluster.netvitals_in(REFUSING, Part::Cluster);
        holds(replicas.len() == 2, || format!("{} replicas", replicas.len()))?;
        replicas.iter().try_for_each(look)
    };
    let refused = |pod: &Pod| -> Result<bool, String> {
        Ok(findings(&pod.page()?, true).iter().any(|found| found.code == "agents.refused"))
    };
    until("the refusal is told with its commands", secs(150), || {
        each(&|pod| {
            holds(refused(pod)?, || "not found".to_owned())?;
            let report = pod.get("/v1/report")?;
            let told = commands.iter().all(|command| report.contains(command));
            holds(told, || report.chars().take(2000).collect())
        })
    });
    for command in &commands {
        let words: Vec<&str> = command.split(' ').skip(1).collect();
        cluster.kubectl(&words);
    }
    release.rolled_out();
    until("the refusal is over, and every host agent is heard", secs(180), || {
        each(&|pod| {
            holds(!refused(pod)?, || "still found".to_owned())?;
            let heard = pod.page()?.sum("netvitals_agent_reporting", &[("vantage", "host")]);
            holds(heard == 3.0, || format!("{heard} of 3 host agents"))
        })
    });
    release.helm(&["uninstall", release.name, "--wait"]);
    cluster.kubectl(&["delete", "namespace", REFUSING, "--wait=false"]);
}

/// Kinds of operators, as far as they are needed for the API server to take their objects.
const OPERATORS: [(&str, &str, &str); 4] = [
    ("monitoring.coreos.com", "v1", "ServiceMonitor"),
    ("monitoring.coreos.com", "v1", "PodMonitor"),
    ("monitoring.coreos.com", "v1", "PrometheusRule"),
    ("grafana.integreatly.org", "v1beta1", "GrafanaDashboard"),
];

/// The API server takes everything that the chart and kustomize make. Of operators' kinds it knows the names only.
fn accepted(stage: &Stage) {
    let cluster = &stage.cluster;
    const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let mut made = Vec::new();
    for (group, version, kind) in OPERATORS {
        let plural = format!("{}s", kind.to_lowercase());
        let schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        let object = json!({
            "metadata": {"name": format!("{plural}.{group}")},
            "spec": {
                "group": group, "scope": "Namespaced",
                "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase()},
                "versions": [{
                    "name": version, "served": true, "storage": true,
                    "schema": {"openAPIV3Schema": schema},
                }],
            },
        });
        cluster.api().create(CRDS, &object);
        let path = format!("/apis/{group}/{version}/{plural}");
        until("the kind is served", secs(30), || cluster.api().list(&path).map(drop));
        made.push(format!("{CRDS}/{plural}.{group}"));
    }
    namespace(cluster, OPEN, &json!({}));
    let release = with_host_agents(cluster, OPEN);
    let everything = source("deploy/helm/netvitals/ci/everything-values.yaml");
    let everything = format!("--values={}", everything.display());
    let file = cluster.lab.folder().join("rendered.yaml");
    for values in [&[][..], &[everything.as_str()]] {
        fs::write(&file, release.template(values)).unwrap();
        let path = file.display().to_string();
        let apply = ["apply", "--dry-run=server", "--validate=strict", "-n", OPEN, "-f", &path];
        let said = cluster.kubectl(&apply);
        println!("    {} objects are taken", said.lines().count());
    }
    cluster.kubectl(&["delete", "namespace", OPEN, "--wait=false"]);
    for path in made {
        cluster.api().delete(&path, false);
    }
    for folder in ["default", "restricted"] {
        let path = source("deploy/kustomize").join(folder).display().to_string();
        // A namespace of a dry run is none: its objects are looked at on their own.
        let rendered = cluster.kubectl(&["kustomize", &path]);
        let in_default = rendered.replace("namespace: netvitals", "namespace: default");
        fs::write(&file, in_default).unwrap();
        let path = file.display().to_string();
        cluster.kubectl(&["apply", "--dry-run=server", "--validate=strict", "-f", &path]);
    }
}
