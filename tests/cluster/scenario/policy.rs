//! Network policies and netvitals.

use serde_json::{Value, json};

use super::faults::{Sleeper, connects};
use super::{Scenario, quick};
use crate::api;
use crate::cluster::Cluster;
use crate::fault::Fault;
use crate::helm::with_host_agents;
use crate::netvitals::{Part, Pod, findings, roots};
use crate::plan::DNS_IP;
use crate::program::try_run;
use crate::stage::{Stage, listed};
use crate::tools::source;
use crate::wait::{holds, secs, until};

pub(super) const ALL: &[Scenario] = &[
    quick("policy_that_restricts_netvitals_is_named_alone", foreign_deny),
    quick("policies_shipped_let_through_what_is_needed", shipped),
    quick("policies_that_cut_dns_and_a_service_off_are_mended_by_their_remedies", cut_off),
];

const POLICIES: &str = "/apis/networking.k8s.io/v1/namespaces/netvitals/networkpolicies";

/// Where agents and replicas of the cluster role answer.
const PORT: &str = "12350";

/// Somebody else's policy forbids every pod of netvitals everything.
fn foreign_deny(stage: &Stage) {
    let policy = json!({
        "metadata": {"name": "default-deny"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
    });
    let engine = stage.cluster.enforce_policies();
    forgotten(stage);
    stage.cluster.api().create(POLICIES, &policy);
    let [one, other, ..] = &stage.cluster.netvitals(Part::Agent)[..] else { panic!("no agents") };
    let node = stage.cluster.node(&one.node);
    until("the policy is in force", secs(30), || {
        holds(!connects(node, &one.uid, &other.ip, PORT), || "agents reach agents".into())
    });
    let object = "NetworkPolicy netvitals/default-deny";
    stage.finds("agents.restricted_by_policy", object, secs(60));
    // Several windows. What the agents see through the drops may be found, as its consequence; a node is never at fault.
    for _ in 0..9 {
        stage.cluster.rest(secs(5));
        for page in stage.pages() {
            let mut open = findings(&page, false);
            open.retain(|found| !found.code.starts_with("agents."));
            let named = roots(&page);
            let policy = ("agents.restricted_by_policy".to_owned(), object.to_owned());
            let explained = named == [policy];
            assert!(open.is_empty() || explained, "{}; root causes: {named:?}", listed(&open));
        }
    }
    stage.finds("agents.restricted_by_policy", object, secs(10));
    stage.cluster.api().delete(&format!("{POLICIES}/default-deny"), true);
    stage.healthy(secs(180));
    engine.heal();
}

/// Waits until no agent remembers that it failed to reach pods: a policy that keeps it from being asked keeps that, too.
fn forgotten(stage: &Stage) {
    stage.every_page("nobody fails to reach pods", secs(60), |page| {
        let failing = page.sum("netvitals_pod_network_failing_observers", &[]);
        holds(failing == 0.0, || format!("{failing} observers"))
    });
}

/// The chart's own policies: what netvitals needs passes, and so does who may collect; others do not.
fn shipped(stage: &Stage) {
    let cluster = &stage.cluster;
    let collects = json!([{
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}},
        "podSelector": {"matchLabels": {"app": "collector"}},
    }]);
    let rendered = with_host_agents(cluster, "netvitals").objects(&[
        "--set=networkPolicy.enabled=true",
        "--set=networkPolicy.nodeCIDRs={10.99.0.8/29}",
        &format!("--set-json=networkPolicy.scrapers={collects}"),
    ]);
    let policies: Vec<_> =
        rendered.iter().filter(|object| object["kind"] == "NetworkPolicy").collect();
    assert_eq!(policies.len(), 2, "one of agents, one of the cluster role");
    for policy in &policies {
        cluster.api().create(POLICIES, policy);
    }
    let (collector, stranger) =
        (Sleeper::on(cluster, "n1", "collector"), Sleeper::on(cluster, "n1", "stranger"));
    collector.runs();
    stranger.runs();
    let (agents, replicas) = (cluster.netvitals(Part::Agent), cluster.netvitals(Part::Cluster));
    let engine = cluster.enforce_policies();
    let from = |pod: &Pod, to: &Pod| connects(cluster.node(&pod.node), &pod.uid, &to.ip, PORT);
    let n1 = cluster.node("n1");
    let pings =
        |uid: &str, to: &Pod| n1.in_pod(uid, &["ping", "-n", "-c", "1", "-W", "1", &to.ip]).is_ok();
    // Those on other nodes: a node reaches its own pods by whatever policy.
    for pod in agents.iter().chain(&replicas).filter(|pod| pod.node != "n1") {
        assert!(from(&agents[0], pod) || agents[0] == *pod, "{pod:?} from an agent");
        assert!(from(&replicas[0], pod) || replicas[0] == *pod, "{pod:?} from a replica");
        let connect =
            ["timeout", "2", "bash", "-c", &format!("exec 3<>/dev/tcp/{}/{PORT}", pod.ip)];
        assert!(n1.try_run(&connect).is_ok(), "{pod:?} from a host agent");
        assert!(connects(n1, &collector.uid(), &pod.ip, PORT), "{pod:?} from who collects");
        assert!(!pings(&collector.uid(), pod), "{pod:?} from who collects, by ICMP");
        assert!(!connects(n1, &stranger.uid(), &pod.ip, PORT), "{pod:?} from a stranger");
        assert!(!pings(&stranger.uid(), pod), "{pod:?} from a stranger, by ICMP");
    }
    let asks = ["dig", "+short", "+tries=1", "+time=1", &format!("@{DNS_IP}"), "example.com"];
    let node = cluster.node(&agents[0].node);
    assert!(node.in_pod(&agents[0].uid, &asks).is_ok(), "who is selected asks whom it likes");
    // Several windows: all probes are made and collected through the policies. The first packet of each question waits for
    // the engine, which takes time on a machine that is busy.
    for _ in 0..6 {
        cluster.rest(secs(5));
        stage.nothing_but(|found| found.code == "dns_success.slow");
    }
    stage.healthy(secs(60));
    for policy in policies {
        cluster.api().delete(&format!("{POLICIES}/{}", api::name(policy)), true);
    }
    engine.heal();
}

/// A namespace is closed, then opened for its own pods alone: names fail there and its Service answers nobody, the controller of its
/// Ingress least of all, and netvitals tells the policies that mend it.
fn cut_off(stage: &Stage) {
    let cluster = &stage.cluster;
    let (code, to_own) = ("policy_dns_egress.blocked", "NetworkPolicy walled/to-own");
    let walled = source("tests/cluster/files/walled.yaml");
    cluster.apply(&walled);
    let (shut, service) = ("policy_service_ingress.blocked", "Service walled/shop");
    let outside = "policy_ingress_backend.blocked";
    let [shop, client] = ["shop", "client"].map(|name| cluster.pod_ready("walled", name));
    let controller = cluster.pod_ready("edge", "traefik");
    // As its controller would write it: one without an address is told once it is ten minutes old.
    let status = json!({"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.40"}]}}});
    let ingress = "/apis/networking.k8s.io/v1/namespaces/walled/ingresses/shop/status";
    cluster.api().patch(ingress, &status);
    let uid = shop["metadata"]["uid"].as_str().expect("each object has one");
    let client = client["metadata"]["uid"].as_str().expect("each object has one");
    let controller = controller["metadata"]["uid"].as_str().expect("each object has one");
    let ip = shop["status"]["podIP"].as_str().expect("it is ready");
    // From another node: a node reaches its own pods by whatever policy.
    let reaches = || connects(cluster.node("n2"), client, ip, "8080");
    until("the pod is reached", secs(60), || holds(reaches(), || "it is not".into()));
    let serves = || connects(cluster.node("n2"), controller, ip, "8080");
    until("the controller reaches it", secs(60), || holds(serves(), || "it does not".into()));
    let asks = |over: &str| {
        let server = format!("@{DNS_IP}");
        let name = "kubernetes.default.svc.cluster.local";
        let words = ["dig", "+short", "+tries=1", "+time=1", over, &server, name];
        cluster.node("n1").in_pod(uid, &words)
    };
    let is_answered = || asks("+notcp").and_then(|_| asks("+tcp")).map(drop);
    let fails = || holds(asks("+notcp").is_err(), || "the pod's query is answered".into());
    until("the pod's queries are answered", secs(120), is_answered);

    let policies = POLICIES.replace("/netvitals/", "/walled/");
    let deny = json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]});
    cluster.api().create(&policies, &json!({"metadata": {"name": "default-deny"}, "spec": deny}));
    unenforced(stage);
    assert!(reaches(), "nothing enforces a policy, and one is in force");
    is_answered().unwrap_or_else(|error| panic!("nothing enforces a policy: {error}"));
    let engine = cluster.enforce_policies();
    stage.every_page("an engine is known", secs(120), |page| {
        let labels = [("engine", "kube-network-policies")];
        holds(page.sum("netvitals_policy_engine_info", &labels) == 1.0, || "it is not".into())
    });
    until("the policy is in force", secs(120), fails);
    stage.finds("policy_dns_egress.closed", "NetworkPolicy walled/default-deny", secs(180));
    stage.finds(shut, service, secs(180));
    stage.finds(outside, service, secs(180));
    until("nobody reaches the pod", secs(60), || holds(!reaches(), || "it is reached".into()));
    let own = json!({"podSelector": {}, "egress": [{"to": [{"podSelector": {}}]}],
        "policyTypes": ["Egress"]});
    cluster.api().create(&policies, &json!({"metadata": {"name": "to-own"}, "spec": own}));
    stage.finds(code, to_own, secs(180));
    until("it is in force", secs(120), fails);
    // The first packet of each question waits for the engine.
    stage.nothing_but(|found| {
        (found.code == code && found.object == to_own)
            || ([shut, outside].contains(&&*found.code) && found.object == service)
            || found.code == "dns_success.slow"
    });
    stage.monitor().resolves("NetvitalsPolicyNotEnforced", secs(180));
    let alerts = [
        ("NetvitalsDNSBlockedByPolicy", "to-own"),
        ("NetvitalsServiceBlockedByPolicy", "shop"),
        ("NetvitalsIngressBlockedByPolicy", "shop"),
    ];
    for (alert, name) in alerts {
        stage.monitor().fires(alert, secs(150), |alert| alert["labels"]["name"] == name);
    }

    paste_policy_of(cluster, code);
    until("the pod's queries are answered again", secs(120), is_answered);
    paste_policy_of(cluster, shut);
    until("the pod is reached again", secs(120), || holds(reaches(), || "it is not".into()));
    // Those of its namespace may enter, and the controller of another one may not.
    stage.every_page("the Service is open to somebody", secs(180), |page| {
        let mut open = findings(page, true);
        open.retain(|found| found.code.starts_with("policy_service_ingress."));
        holds(open.is_empty(), || listed(&open))
    });
    stage.finds(outside, service, secs(180));
    assert!(!serves(), "the controller is let in nowhere, and reaches the pod");
    paste_policy_of(cluster, outside);
    until("the controller reaches it again", secs(120), || {
        holds(serves(), || "it does not".into())
    });
    stage.every_page("no policy keeps anything from anybody", secs(180), |page| {
        let mut open = findings(page, true);
        open.retain(|found| found.code.starts_with("policy_"));
        holds(open.is_empty(), || listed(&open))
    });
    stage.healthy(secs(180));
    for (alert, _) in alerts {
        stage.monitor().resolves(alert, secs(180));
    }
    cluster.delete(&walled);
    engine.heal();
}

/// Nothing enforces the policies that are here, and a node tells why, as a server of k3s does.
fn unenforced(stage: &Stage) {
    let n1 = "/api/v1/nodes/n1";
    let told = |words: Value| json!({"metadata": {"annotations": {"k3s.io/node-args": words}}});
    let words = r#"["server","--disable-network-policy"]"#;
    stage.cluster.api().patch(n1, &told(words.into()));
    stage.finds("policy_engine.k3s_off", "Node n1", secs(180));
    stage.monitor().fires("NetvitalsPolicyNotEnforced", secs(150), |alert| {
        alert["labels"]["code"] == "policy_engine.k3s_off"
    });
    stage.cluster.api().patch(n1, &told(Value::Null));
}

/// Pastes the command by which the report tells to make a policy, where it has a finding of that code.
fn paste_policy_of(cluster: &Cluster, code: &str) {
    let command = until("the report has the policy that is to be made", secs(120), || {
        let replicas = cluster.netvitals(Part::Cluster);
        making(&replicas.first().ok_or("no replica")?.get("/v1/report")?, code)
    });
    let home = format!("HOME={}", cluster.lab.folder().display());
    let config = format!("KUBECONFIG={}", cluster.kubeconfig());
    let path = format!("PATH={}", cluster.tools.search_path());
    let said = try_run(&["env", &home, &config, &path, "bash", "-c", &command]);
    println!("    {}", said.unwrap_or_else(|error| panic!("{command}: {error}")).trim());
}

/// The command by which a report tells to make a policy.
fn making(report: &str, code: &str) -> Result<String, String> {
    let report: Value = serde_json::from_str(report).map_err(|error| error.to_string())?;
    let checks =
        api::items(&report["layers"]).iter().flat_map(|layer| api::items(&layer["checks"]));
    let mut found = checks.flat_map(|check| api::items(&check["findings"]));
    let found = found.find(|it| it["code"] == code).ok_or("it is not found")?;
    let mut commands =
        api::items(&found["remedies"]).iter().filter_map(|it| it["command"].as_str());
    let making = commands.find(|command| command.contains(" create "));
    making.map(str::to_owned).ok_or_else(|| found.to_string())
}

/// Somebody's policy that lets in what netvitals needs, in force: it may explain nothing of what is found meanwhile.
pub(super) fn own_port(stage: &Stage) -> Fault<'_> {
    let policy = json!({
        "metadata": {"name": "own-port"},
        "spec": {
            "podSelector": {}, "policyTypes": ["Ingress"],
            "ingress": [{"ports": [{"port": 12350}]}],
        },
    });
    let engine = stage.cluster.enforce_policies();
    forgotten(stage);
    stage.cluster.api().create(POLICIES, &policy);
    engine.and(Fault::new(|| stage.cluster.api().delete(&format!("{POLICIES}/own-port"), true)))
}
