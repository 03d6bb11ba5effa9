//! Network policies as a policy engine would enforce them; none can be had here.
//!
//! What is covered: both directions, `podSelector` and `namespaceSelector` of peers (labels and expressions), `ipBlock`
//! with exceptions, ports by number, by name and as ranges, several policies on one pod. Only IPv4, only TCP and UDP in
//! ports, and only the pods that are there at the time: who comes later is no peer, and is not restricted.
//!
//! As with most engines, a node always reaches its own pods, and a connection that is there goes on. The lab's own
//! address gets in too: from it the tests look on.

use ipnet::Ipv4Net;
use serde_json::Value;

use super::Fault;
use crate::api::{self, items};
use crate::cluster::Cluster;
use crate::node::Node;
use crate::plan::API_IP;

/// The network policies of a namespace.
pub(crate) struct Policies<'a> {
    cluster: &'a Cluster,
    namespace: String,
}

/// One of the two ways of a pod's packets.
struct Direction {
    /// As in `policyTypes`.
    name: &'static str,
    /// Its rules in a policy, and the peers in a rule.
    rules: &'static str,
    peers: &'static str,
    /// How iptables matches the pod's own address, and that of its peer.
    own: &'static str,
    other: &'static str,
    /// Where the node sees such packets.
    chains: &'static [&'static str],
}

static DIRECTIONS: [Direction; 2] = [
    Direction {
        name: "Ingress",
        rules: "ingress",
        peers: "from",
        own: "-d",
        other: "-s",
        chains: &["FORWARD"],
    },
    Direction {
        name: "Egress",
        rules: "egress",
        peers: "to",
        own: "-s",
        other: "-d",
        chains: &["FORWARD", "INPUT"],
    },
];

/// The pods of the cluster, and the labels of its namespaces.
struct World {
    pods: Vec<Value>,
    namespaces: Vec<Value>,
}

/// Whom a rule lets through: a range of addresses, and the pod where it is one.
type Peer<'a> = (String, Option<&'a Value>);

impl Cluster {
    /// The network policies of a namespace.
    pub(crate) fn policies(&self, namespace: &str) -> Policies<'_> {
        Policies { cluster: self, namespace: namespace.to_owned() }
    }
}

impl<'a> Policies<'a> {
    /// Drops what none of them allows, for each pod that one of them selects.
    pub(crate) fn enforce(&self) -> Fault<'a> {
        let list = |path: &str| {
            self.cluster.api().list(path).unwrap_or_else(|error| panic!("{path}: {error}"))
        };
        let namespace = &self.namespace;
        let path = format!("/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies");
        let policies = list(&path);
        let world = World { pods: list("/api/v1/pods"), namespaces: list("/api/v1/namespaces") };
        let selected = world.pods.iter().filter(|pod| pod["metadata"]["namespace"] == **namespace);
        let mut faults = Vec::new();
        for pod in selected {
            let Some(ip) = address(pod) else { continue };
            for direction in &DIRECTIONS {
                let applies = |policy: &&Value| {
                    selects(&policy["spec"]["podSelector"], pod) && has(policy, direction)
                };
                let policies: Vec<&Value> = policies.iter().filter(applies).collect();
                if policies.is_empty() {
                    continue;
                }
                let allowed: Vec<String> = policies
                    .iter()
                    .flat_map(|policy| items(&policy["spec"][direction.rules]))
                    .flat_map(|rule| world.allowed(direction, rule, namespace, pod))
                    .collect();
                let node = pod["spec"]["nodeName"].as_str().unwrap_or_default();
                faults.push(wall(self.cluster.node(node), direction, ip, &allowed));
            }
        }
        let none = || panic!("no policy in {namespace} selects a pod with an address");
        faults.into_iter().reduce(Fault::and).unwrap_or_else(none)
    }
}

/// Drops what a pod gets or sends, but for what is allowed.
fn wall<'a>(
    node: &'a Node,
    direction: &'static Direction,
    ip: &str,
    allowed: &[String],
) -> Fault<'a> {
    let chain = format!("{}-{ip}", direction.name);
    let run = move |rule: &str| {
        let mut words = vec!["iptables", "-w"];
        words.extend(rule.split_whitespace());
        node.run(&words);
    };
    run(&format!("-N {chain}"));
    run(&format!("-A {chain} -m conntrack --ctstate ESTABLISHED,RELATED -j RETURN"));
    if direction.name == "Ingress" {
        run(&format!("-A {chain} -s {API_IP} -j RETURN"));
    }
    for rule in allowed {
        run(&format!("-A {chain} {rule} -j RETURN"));
    }
    run(&format!("-A {chain} -j DROP"));
    let jump = format!("{} {ip} -j {chain}", direction.own);
    for from in direction.chains {
        run(&format!("-I {from} {jump}"));
    }
    Fault::new(move || {
        for from in direction.chains {
            run(&format!("-D {from} {jump}"));
        }
        run(&format!("-F {chain}"));
        run(&format!("-X {chain}"));
    })
}

impl World {
    /// What a rule of a policy lets through, as iptables matches it.
    fn allowed(
        &self,
        direction: &Direction,
        rule: &Value,
        namespace: &str,
        pod: &Value,
    ) -> Vec<String> {
        let peers = items(&rule[direction.peers]);
        let peers: Vec<Peer<'_>> = if peers.is_empty() {
            vec![("0.0.0.0/0".to_owned(), None)]
        } else {
            peers.iter().flat_map(|peer| self.peers(peer, namespace)).collect()
        };
        let ports = items(&rule["ports"]);
        let mut all = Vec::new();
        for (range, peer) in &peers {
            let from = format!("{} {range}", direction.other);
            if ports.is_empty() {
                all.push(from.clone());
            }
            // A name is one of the pod that is connected to.
            let named = if direction.name == "Ingress" { Some(pod) } else { *peer };
            all.extend(
                ports.iter().filter_map(|port| Some(format!("{from} {}", matching(port, named)?))),
            );
        }
        all
    }

    /// The addresses of a peer.
    fn peers(&self, peer: &Value, namespace: &str) -> Vec<Peer<'_>> {
        let block = &peer["ipBlock"];
        if let Some(cidr) = block["cidr"].as_str() {
            let parse = |text: &str| text.parse().unwrap_or_else(|_| panic!("no range: {text}"));
            let except = items(&block["except"]).iter().filter_map(Value::as_str).map(parse);
            let ranges = except.fold(vec![parse(cidr)], |ranges: Vec<Ipv4Net>, except| {
                ranges.into_iter().flat_map(|range| without(range, except)).collect()
            });
            return ranges.into_iter().map(|range| (range.to_string(), None)).collect();
        }
        let near = |pod: &Value| match &peer["namespaceSelector"] {
            Value::Null => pod["metadata"]["namespace"] == *namespace,
            selector => self.namespaces.iter().any(|other| {
                pod["metadata"]["namespace"] == *api::name(other) && selects(selector, other)
            }),
        };
        let pods = self.pods.iter().filter(|pod| near(pod) && selects(&peer["podSelector"], pod));
        pods.filter_map(|pod| Some((address(pod)?.to_owned(), Some(pod)))).collect()
    }
}

/// A port of a policy as iptables matches it; none where it is a name that nobody has.
fn matching(port: &Value, pod: Option<&Value>) -> Option<String> {
    let protocol = port["protocol"].as_str().unwrap_or("TCP").to_lowercase();
    let number = match &port["port"] {
        Value::Null => return Some(format!("-p {protocol}")),
        Value::String(name) => {
            let containers = items(&pod?["spec"]["containers"]);
            let mut ports = containers.iter().flat_map(|container| items(&container["ports"]));
            ports.find(|port| port["name"] == **name)?["containerPort"].to_string()
        }
        number => number.to_string(),
    };
    let end = port["endPort"].as_u64().map(|end| format!(":{end}")).unwrap_or_default();
    Some(format!("-p {protocol} --dport {number}{end}"))
}

/// Whether a policy says anything about a direction.
fn has(policy: &Value, direction: &Direction) -> bool {
    match items(&policy["spec"]["policyTypes"]) {
        // As the API server fills it in.
        [] => direction.name == "Ingress" || !policy["spec"]["egress"].is_null(),
        types => types.iter().any(|kind| kind == direction.name),
    }
}

/// Whether a label selector fits an object; an empty one, or none, fits all.
fn selects(selector: &Value, object: &Value) -> bool {
    let labels = &object["metadata"]["labels"];
    let fits = |(key, value): (&String, &Value)| labels[key.as_str()] == *value;
    let expression = |expression: &Value| {
        let label = &labels[expression["key"].as_str().unwrap_or_default()];
        let listed = items(&expression["values"]).contains(label);
        match expression["operator"].as_str() {
            Some("In") => listed,
            Some("NotIn") => !listed,
            Some("Exists") => !label.is_null(),
            Some("DoesNotExist") => label.is_null(),
            other => panic!("no operator: {other:?}"),
        }
    };
    selector["matchLabels"].as_object().is_none_or(|wanted| wanted.iter().all(fits))
        && items(&selector["matchExpressions"]).iter().all(expression)
}

/// The address of a pod that is on the pod network and has not ended.
fn address(pod: &Value) -> Option<&str> {
    let ended = matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    let on_host = pod["spec"]["hostNetwork"] == true;
    if ended || on_host { None } else { pod["status"]["podIP"].as_str() }
}

/// What is left of a range without another.
fn without(range: Ipv4Net, except: Ipv4Net) -> Vec<Ipv4Net> {
    if except.contains(&range) {
        return Vec::new();
    }
    if !range.contains(&except) {
        return vec![range];
    }
    let halves = range.subnets(range.prefix_len() + 1).expect("it is larger than the exception");
    halves.flat_map(|half| without(half, except)).collect()
}
