//! Netvitals' evaluator of policies beside a real engine: they are asked the same about the same pods, and agree.
//!
//! An engine takes in policies in the order in which the API server has them. The last of each set is one that closes or
//! opens a gate on every node; once all gates are so, all before it is in force.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::thread;

use netvitals::cluster::Table;
use netvitals::model::{self, Fact, Key, NetworkPolicy, Protocol};
use netvitals::policy::{Direction, End, Policies, Traffic, Verdict};
use serde_json::{Map, Value, json};

use super::{Scenario, any};
use crate::api;
use crate::cluster::Cluster;
use crate::confine::{exe, word};
use crate::fault::Fault;
use crate::plan::INTERNET_IP;
use crate::stage::Stage;
use crate::tools::{image, source};
use crate::wait::{holds, secs, until};
use crate::watched::Watched;

pub(super) const ALL: &[Scenario] =
    &[any("evaluator_and_engine_agree_on_whom_policies_let_through", agree)];

type Labels = &'static [(&'static str, &'static str)];

/// The namespaces of policies that are judged, and their labels.
const NAMESPACES: &[(&str, Labels)] = &[
    ("va", &[("team", "red"), ("stage", "live")]),
    ("vb", &[("team", "blue"), ("stage", "live")]),
    ("vc", &[("team", "red")]),
];

/// The namespace of the gates.
const GATES: &str = "gates";

/// The pods: where they are, their nodes and their labels. A node reaches its own by whatever policy, and a bridge does not
/// ask an engine, so that only those of different nodes are looked at.
const PODS: &[(&str, &str, &str, Labels)] = &[
    ("va", "client", "n1", &[("app", "client"), ("tier", "front")]),
    ("va", "web", "n2", &[("app", "web"), ("tier", "back"), ("version", "1")]),
    ("vb", "client", "n1", &[("app", "client")]),
    ("vb", "web", "n3", &[("app", "web"), ("tier", "back")]),
    ("vc", "odd", "n2", &[]),
    (GATES, "gate-1", "n1", &[]),
    (GATES, "gate-2", "n2", &[]),
    (GATES, "gate-3", "n3", &[]),
];

/// Each gate is knocked at from another node.
const KNOCKS: [(&str, &str); 3] =
    [("gate-1", "gate-2"), ("gate-2", "gate-3"), ("gate-3", "gate-1")];

/// Where all pods answer.
const PORTS: [(Protocol, u16); 5] = [
    (Protocol::Tcp, 8080),
    (Protocol::Tcp, 8081),
    (Protocol::Tcp, 9090),
    (Protocol::Tcp, 5300),
    (Protocol::Udp, 5300),
];

/// Where the resolver answers that stands for the internet.
const INTERNET_PORTS: [(Protocol, u16); 2] = [(Protocol::Tcp, 53), (Protocol::Udp, 53)];

/// A pod that runs.
struct Pod {
    key: Key,
    node: &'static str,
    uid: String,
    ip: String,
}

/// Who asks whom where.
struct Question<'a> {
    from: &'a Pod,
    /// Absent for the internet.
    to: Option<&'a Pod>,
    protocol: Protocol,
    port: u16,
}

impl Question<'_> {
    fn address(&self) -> String {
        let protocol = if self.protocol == Protocol::Udp { "udp" } else { "tcp" };
        format!("{protocol}/{}:{}", self.to.map_or(INTERNET_IP, |to| &to.ip), self.port)
    }
}

fn agree(stage: &Stage) {
    let cluster = &stage.cluster;
    let engine = cluster.enforce_policies();
    let made = make(cluster);
    let pods: Vec<Pod> = PODS
        .iter()
        .map(|(namespace, name, node, _)| running(cluster, namespace, name, node))
        .collect();
    let questions = questions(&pods);
    let mut facts = Watched::by(&cluster.kubeconfig());
    // Each kind comes by a list of its own, in no order.
    until("netvitals knows the pods and their namespaces", secs(60), || {
        facts.catch_up();
        let namespaces = facts.table::<model::Namespace>()?;
        let known = facts.table::<model::Pod>()?;
        pods.iter().try_for_each(|Pod { key, .. }| {
            let is_known = known.get(key).is_some_and(|it| !it.addresses.is_empty())
                && namespaces.get(&Key::new("", key.namespace.clone())).is_some();
            holds(is_known, || key.to_string())
        })
    });
    let (mut denied, mut open) = (0, 0);
    let sets = sets(cluster, &pods);
    for (index, set) in sets.iter().enumerate() {
        let says = set["says"].as_str().expect("each set says what it is");
        let policies = apply(cluster, set);
        let is_shut = index % 2 == 0;
        gates(cluster, &pods, is_shut);
        until("netvitals knows the set", secs(60), || {
            facts.catch_up();
            let known = facts.table::<NetworkPolicy>()?;
            let gate = known.get(&Key::new(GATES, "gate"));
            let is_so =
                gate.and_then(|it| it.ingress.as_ref()).is_some_and(|it| it.is_empty() == is_shut);
            let judged = known.iter().filter(|(key, _)| is_judged(&key.namespace)).count();
            holds(is_so && judged == policies.len(), || format!("{judged} of {}", policies.len()))
        });
        let verdicts: Vec<Option<bool>> = judge(&facts, &questions);
        denied += verdicts.iter().filter(|it| **it == Some(false)).count();
        open += verdicts.iter().filter(|it| it.is_none()).count();
        // A busy machine may answer late, so what is silent and should not be is asked again; nothing that is denied answers.
        let mut asked: Vec<usize> =
            (0..questions.len()).filter(|it| verdicts[*it].is_some()).collect();
        until(&format!("they agree on {says:?}"), secs(60), || {
            let answers = ask(cluster, asked.iter().map(|it| &questions[*it]));
            let differs =
                |(at, answers): (&usize, bool)| (verdicts[*at] != Some(answers)).then_some(*at);
            asked = asked.iter().zip(answers).filter_map(differs).collect();
            let wrong = |at: &usize| {
                let Question { from, to, .. } = &questions[*at];
                let to = to.map_or("the internet".to_owned(), |to| to.key.to_string());
                let said = if verdicts[*at] == Some(true) {
                    "allowed, and silent"
                } else {
                    "denied, and answered"
                };
                format!("{} to {to}, {}: {said}", from.key, questions[*at].address())
            };
            if let Some(at) = asked.iter().find(|at| verdicts[**at] == Some(false)) {
                panic!("{says}: {}", wrong(at));
            }
            holds(asked.is_empty(), || asked.iter().map(wrong).collect::<Vec<_>>().join("; "))
        });
        for path in &policies {
            cluster.api().delete(path, true);
        }
    }
    println!(
        "    {} sets of policies, {} questions to each: {denied} answers are no, {open} are not certain",
        sets.len(),
        questions.len()
    );
    assert!(
        open * 20 < sets.len() * questions.len(),
        "the evaluator leaves open what the engine knows"
    );
    made.heal();
    engine.heal();
}

/// Whether policies are judged in a namespace: others are not of the set.
fn is_judged(namespace: &str) -> bool {
    NAMESPACES.iter().any(|(name, _)| *name == namespace)
}

/// Makes the namespaces and the pods.
fn make(cluster: &Cluster) -> Fault<'_> {
    let labels = |all: &[(&str, &str)]| {
        all.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect::<Map<_, _>>()
    };
    let gates = [(GATES, &[][..])];
    for (name, own) in NAMESPACES.iter().copied().chain(gates) {
        let metadata = json!({"name": name, "labels": labels(own)});
        cluster.api().create("/api/v1/namespaces", &json!({"metadata": metadata}));
    }
    let fault = Fault::new(move || {
        let all: Vec<&str> = NAMESPACES.iter().map(|it| it.0).chain([GATES]).collect();
        cluster.delete_namespaces(&all);
    });
    for (namespace, name, node, own) in PODS {
        let (web, admin) = if *name == "odd" { (8081, 8080) } else { (8080, 8081) };
        let httpd =
            "httpd -p 8080 -h /tmp && httpd -p 8081 -h /tmp && exec httpd -f -p 9090 -h /tmp";
        let spec = json!({
            "nodeName": node,
            "terminationGracePeriodSeconds": 0,
            "volumes": [{"name": "tmp", "emptyDir": {}}],
            "containers": [
                {
                    "name": "httpd", "image": image::BUSYBOX, "imagePullPolicy": "Never",
                    "command": ["sh", "-c", httpd],
                    "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
                    "ports": [
                        {"name": "web", "containerPort": web},
                        {"name": "admin", "containerPort": admin},
                        {"containerPort": 9090},
                    ],
                },
                {
                    // Without a file it says what it was asked.
                    "name": "dns", "image": image::COREDNS, "imagePullPolicy": "Never", "args": ["-dns.port=5300"],
                    "ports": [
                        {"name": "dns", "containerPort": 5300, "protocol": "UDP"},
                        {"name": "dns-tcp", "containerPort": 5300, "protocol": "TCP"},
                    ],
                },
            ],
        });
        let metadata = json!({"name": name, "labels": labels(own)});
        let path = format!("/api/v1/namespaces/{namespace}/pods");
        until("the namespace has its ServiceAccount", secs(60), || {
            cluster.api().get(&format!("/api/v1/namespaces/{namespace}/serviceaccounts/default"))
        });
        cluster.api().create(&path, &json!({"metadata": metadata, "spec": spec}));
    }
    let spec = json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]});
    let path = format!("{POLICIES}/{GATES}/networkpolicies");
    cluster.api().create(&path, &json!({"metadata": {"name": "gate"}, "spec": spec}));
    fault
}

const POLICIES: &str = "/apis/networking.k8s.io/v1/namespaces";

/// Waits until a pod runs.
fn running(cluster: &Cluster, namespace: &str, name: &str, node: &'static str) -> Pod {
    let pod = cluster.pod_ready(namespace, name);
    let text = |value: &Value| value.as_str().expect("it is ready").to_owned();
    let (uid, ip) = (text(&pod["metadata"]["uid"]), text(&pod["status"]["podIP"]));
    Pod { key: Key::new(namespace, name), node, uid, ip }
}

/// All questions: each pod to each of another node, and to the internet.
fn questions(pods: &[Pod]) -> Vec<Question<'_>> {
    let judged = || pods.iter().filter(|pod| is_judged(&pod.key.namespace));
    let ask = |from, to, (protocol, port)| Question { from, to, protocol, port };
    let mut all = Vec::new();
    for from in judged() {
        for to in judged().filter(|to| to.node != from.node) {
            all.extend(PORTS.map(|port| ask(from, Some(to), port)));
        }
        all.extend(INTERNET_PORTS.map(|port| ask(from, None, port)));
    }
    all
}

/// The sets of policies, with the addresses of this cluster.
fn sets(cluster: &Cluster, pods: &[Pod]) -> Vec<Value> {
    let file = source("tests/cluster/files/policies.yaml");
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{error}"));
    let nodes = cluster.api().list("/api/v1/nodes").unwrap_or_else(|error| panic!("{error}"));
    let ranges = nodes.iter().map(|node| {
        (format!("{{{}}}", api::name(node)), node["spec"]["podCIDR"].as_str().unwrap_or_default())
    });
    let addresses = pods.iter().map(|pod| (format!("{{{}}}", pod.key), &*pod.ip));
    let text = ranges.chain(addresses).fold(text, |text, (hole, value)| text.replace(&hole, value));
    assert!(!text.contains("\"{"), "a hole is left");
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Makes the policies of a set, and returns their paths.
fn apply(cluster: &Cluster, set: &Value) -> Vec<String> {
    let mut paths = Vec::new();
    for (namespace, _) in NAMESPACES {
        let specs = set[namespace].as_array().into_iter().flatten();
        for (index, spec) in specs.enumerate() {
            let (path, name) =
                (format!("{POLICIES}/{namespace}/networkpolicies"), format!("it-{index}"));
            cluster.api().create(&path, &json!({"metadata": {"name": name}, "spec": spec}));
            paths.push(format!("{path}/{name}"));
        }
    }
    paths
}

/// Shuts or opens the gates, and waits until each is so.
fn gates(cluster: &Cluster, pods: &[Pod], shut: bool) {
    let rules = if shut { json!([]) } else { json!([{}]) };
    cluster.api().patch(
        &format!("{POLICIES}/{GATES}/networkpolicies/gate"),
        &json!({"spec": {"ingress": rules}}),
    );
    let pod = |name: &str| pods.iter().find(|pod| *pod.key.name == *name).expect("it was made");
    let knocks = KNOCKS.map(|(to, from)| Question {
        from: pod(from),
        to: Some(pod(to)),
        protocol: Protocol::Tcp,
        port: 8080,
    });
    until(&format!("the gates are {}", if shut { "shut" } else { "open" }), secs(60), || {
        let answers = ask(cluster, knocks.iter());
        holds(answers.iter().all(|it| *it != shut), || format!("{answers:?}"))
    });
}

/// Asks the engine: which questions are answered. Those of one pod are asked by one process, all at once.
fn ask<'a>(cluster: &Cluster, questions: impl Iterator<Item = &'a Question<'a>>) -> Vec<bool> {
    let questions: Vec<&Question<'_>> = questions.collect();
    let mut by_pod: BTreeMap<&Key, (&Pod, Vec<String>)> = BTreeMap::new();
    for it in &questions {
        by_pod.entry(&it.from.key).or_insert((it.from, Vec::new())).1.push(it.address());
    }
    let exe = exe().display().to_string();
    let knock = |pod: &Pod, addresses: &[String]| {
        let words = [&*exe, word::KNOCK].into_iter().chain(addresses.iter().map(|it| &**it));
        let said = cluster.node(pod.node).in_pod(&pod.uid, &words.collect::<Vec<_>>());
        said.unwrap_or_else(|error| panic!("{}: {error}", pod.key))
    };
    let said: BTreeMap<&Key, String> = thread::scope(|scope| {
        let all: Vec<_> = by_pod
            .iter()
            .map(|(key, (pod, addresses))| (*key, scope.spawn(|| knock(pod, addresses))))
            .collect();
        all.into_iter().map(|(key, it)| (key, it.join().expect("it said why"))).collect()
    });
    let answers = |it: &&Question<'_>| said[&it.from.key].lines().any(|line| line == it.address());
    questions.iter().map(answers).collect()
}

/// A pod, as policies see it.
fn end<'a>(key: &'a Key, pods: &'a Table<model::Pod>) -> End<'a> {
    let pod = pods.get(key);
    assert!(pod.is_some_and(|it| !it.addresses.is_empty()), "{key} is not known");
    End::Pod(key, pod)
}

/// Asks the evaluator: which questions are answered; absent where it is not certain.
fn judge(facts: &Watched, questions: &[Question<'_>]) -> Vec<Option<bool>> {
    fn table<T: Fact>(facts: &Watched) -> &Table<T> {
        facts.table().unwrap_or_else(|error| panic!("{error}"))
    }
    let policies = Policies::new(table(facts), Some(table(facts)));
    let pods = table::<model::Pod>(facts);
    let internet: IpAddr = INTERNET_IP.parse().expect("it is one");
    let answers = |it: &Question<'_>| {
        let traffic = Traffic {
            from: end(&it.from.key, pods),
            to: it.to.map_or(End::Address(internet), |to| end(&to.key, pods)),
            protocol: it.protocol,
            port: it.port,
        };
        let verdicts = Direction::ALL.map(|direction| policies.judge(direction, &traffic));
        let is_denied = verdicts.iter().any(|it| matches!(it, Verdict::Deny(_)));
        let is_certain = verdicts.iter().all(|it| !matches!(it, Verdict::Indeterminate(_)));
        (is_denied || is_certain).then_some(!is_denied)
    };
    questions.iter().map(answers).collect()
}
