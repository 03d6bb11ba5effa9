//! Answers as sentences, each about what one or two policies say of one question.

mod literal;
mod random;

use serde_json::{Value, json};

use super::*;
use crate::cluster::{Cluster, Event};
use crate::fixtures::cluster;
use crate::model::{Operator, Ports, Selector};
use crate::watch;

/// Two namespaces and their pods, two of them on their nodes' own networks; `lost` is a namespace
/// of which nothing is known but its name.
fn facts() -> Cluster {
    let mut facts = cluster();
    for (name, team) in [("shop", "web"), ("other", "data")] {
        let namespace = Namespace { labels: [("team", team)].into(), ..Namespace::default() };
        facts = facts.with(Event::Put(Key::new("", name), namespace));
    }
    for (pod, node, addresses) in [
        ("shop/cart", "n1", &["10.0.1.1", "fd00::1:1"] as &[&str]),
        ("shop/pay", "n2", &["10.0.1.2"]),
        ("shop/host", "n1", &["192.168.0.1"]),
        ("shop/far", "n2", &["192.168.0.2"]),
        ("shop/done", "n1", &["10.0.1.3"]),
        ("other/db", "n2", &["10.0.2.1"]),
        ("other/new", "n1", &[]),
        ("lost/sheep", "n1", &["10.0.3.1"]),
    ] {
        let (namespace, name) = pod.split_once('/').unwrap();
        let port = |name: &str, number, protocol| (name.into(), number, protocol);
        let (tcp, udp, sctp) = (Protocol::Tcp, Protocol::Udp, Protocol::Sctp);
        let pod = Pod {
            labels: [("app", name), ("tier", "web")].into(),
            addresses: addresses.iter().map(|it| it.parse().unwrap()).collect(),
            ports: Ports::new(vec![
                port("http", 8080, tcp),
                port("dns", 5353, udp),
                port("dns", 5354, tcp),
                port("diameter", 3868, sctp),
            ]),
            node: Some(node.into()),
            host_network: ["host", "far"].contains(&name),
            ended: name == "done",
            ..Pod::default()
        };
        facts = facts.with(Event::Put(Key::new(namespace, name), pod));
    }
    facts
}

/// Puts policies into `shop`, which are called a, b and so on.
fn with(mut facts: Cluster, specs: &[&str]) -> Cluster {
    for (name, spec) in ["a", "b", "c"].iter().zip(specs) {
        let spec: Value = serde_saphyr::from_str(spec).expect(spec);
        let policy = json!({ "metadata": { "namespace": "shop", "name": name }, "spec": spec });
        facts = facts.with(watch::event::<NetworkPolicy>(&policy.to_string()));
    }
    facts
}

fn end<'a>(facts: &'a Cluster, name: &str, nobody: &'a Key) -> End<'a> {
    if let Ok(address) = name.parse() {
        return End::Address(address);
    }
    let mut pods = facts.last_known::<Pod>().unwrap().iter();
    let found = pods.find(|(key, _)| *key.name == *name);
    found.map_or(End::Pod(nobody, None), |(key, pod)| End::Pod(key, Some(pod)))
}

/// Asks as `cart sends to pay:80` or `cart gets from 10.9.9.9:53/udp` has it.
fn ask(facts: &Cluster, others: Vec<OtherPolicy>, question: &str) -> String {
    let nobody = Key::new("shop", "nobody");
    let (pod, rest) = question.split_once(' ').expect(question);
    let (direction, rest) = match rest.strip_prefix("sends to ") {
        Some(rest) => (Direction::Egress, rest),
        None => (Direction::Ingress, rest.strip_prefix("gets from ").expect(question)),
    };
    let (other, port) = rest.rsplit_once(':').expect(question);
    let (port, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
    let all = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp, Protocol::Other];
    let protocol = all.into_iter().find(|it| it.as_str() == protocol).expect(question);
    let (own, other) = (end(facts, pod, &nobody), end(facts, other, &nobody));
    let (from, to) = if direction == Direction::Egress { (own, other) } else { (other, own) };
    let policies = Policies::new(facts.last_known().unwrap(), facts.last_known()).beside(others);
    let traffic = Traffic { from, to, protocol, port: port.parse().expect(question) };
    match policies.judge(direction, &traffic) {
        Verdict::Allow => "allow".to_owned(),
        Verdict::Deny(by) => {
            let names: Vec<&str> = by.iter().map(|key| &*key.name).collect();
            format!("deny by {}", names.join(" "))
        }
        Verdict::Indeterminate(Doubt { reason: Reason::OtherApi(kind), .. }) => {
            format!("perhaps: {}", kind.name)
        }
        Verdict::Indeterminate(Doubt { reason, policy: Some(key) }) => {
            format!("perhaps: {reason:?} of {}", key.name)
        }
        Verdict::Indeterminate(Doubt { reason, .. }) => format!("perhaps: {reason:?}"),
        Verdict::NotApplicable(why) => format!("exempt: {why:?}"),
    }
}

type Row<'a> = (&'a str, &'a [&'a str], &'a str, &'a str);

fn hold(rows: &[Row<'_>]) {
    for (sentence, specs, question, answer) in rows {
        let facts = with(facts(), specs);
        assert_eq!(
            ask(&facts, Vec::new(), question),
            *answer,
            "{sentence}: {question} by {specs:?}"
        );
    }
}

const CLOSED: &str = "{policyTypes: [Ingress, Egress]}";

#[test]
fn a_pod_is_isolated_by_the_policies_that_select_it_in_each_direction_alone() {
    hold(&[
        ("no policy keeps anything away", &[], "cart sends to pay:80", "allow"),
        ("ingress is not egress", &["{policyTypes: [Ingress]}"], "cart sends to pay:80", "allow"),
        (
            "no rule lets nothing in",
            &["{policyTypes: [Ingress]}"],
            "cart gets from pay:80",
            "deny by a",
        ),
        (
            "no rule lets nothing out",
            &["{policyTypes: [Egress]}"],
            "cart sends to pay:80",
            "deny by a",
        ),
        ("egress is not ingress", &["{policyTypes: [Egress]}"], "cart gets from pay:80", "allow"),
        ("nothing said means ingress", &["{}"], "cart gets from pay:80", "deny by a"),
        ("nothing said leaves egress open", &["{}"], "cart sends to pay:80", "allow"),
        ("no types and no egress", &["{egress: []}"], "cart sends to pay:80", "allow"),
        ("no types and some egress", &["{egress: [{}]}"], "cart sends to pay:80", "allow"),
        ("some egress is ingress too", &["{egress: [{}]}"], "cart gets from pay:80", "deny by a"),
        (
            "rules of a direction that is not listed",
            &["{policyTypes: [Ingress], egress: [{to: [{}]}]}"],
            "cart sends to pay:80",
            "allow",
        ),
        (
            "null is absent",
            &["{policyTypes: [Egress], egress: null}"],
            "cart sends to pay:80",
            "deny by a",
        ),
        (
            "an empty rule lets all in",
            &["{ingress: [{}]}"],
            "cart gets from 1.2.3.4:80/sctp",
            "allow",
        ),
        (
            "empty lists in a rule",
            &["{ingress: [{from: [], ports: []}]}"],
            "cart gets from pay:80",
            "allow",
        ),
        (
            "null in a rule",
            &["{ingress: [{from: null, ports: null}]}"],
            "cart gets from pay:80",
            "allow",
        ),
        (
            "a policy for others",
            &["{podSelector: {matchLabels: {app: pay}}}"],
            "cart gets from pay:80",
            "allow",
        ),
        (
            "half of the labels",
            &["{podSelector: {matchLabels: {tier: web, app: pay}}}"],
            "cart gets from pay:80",
            "allow",
        ),
        ("a policy of another namespace", &[CLOSED], "db gets from cart:80", "allow"),
        ("nor does its own forbid that", &[CLOSED], "cart sends to db:80", "deny by a"),
        ("policies add up", &[CLOSED, "{ingress: [{}]}"], "cart gets from pay:80", "allow"),
        (
            "in any order",
            &["{ingress: [{ports: [{port: 80}]}]}", CLOSED],
            "cart gets from pay:80",
            "allow",
        ),
        (
            "all that isolate are named",
            &[CLOSED, "{ingress: [{ports: [{port: 81}]}]}", "{policyTypes: [Egress]}"],
            "cart gets from pay:80",
            "deny by a b",
        ),
    ]);
}

#[test]
fn a_peer_is_a_pod_by_its_labels_and_those_of_its_namespace() {
    let from = |peers: &str| format!("{{ingress: [{{from: [{peers}]}}]}}");
    for (sentence, peers, question, answer) in [
        ("own namespace", "{podSelector: {}}", "cart gets from pay:80", "allow"),
        ("no other", "{podSelector: {}}", "cart gets from db:80", "deny by a"),
        ("no address", "{podSelector: {}}", "cart gets from 10.0.1.2:80", "deny by a"),
        ("every namespace", "{namespaceSelector: {}}", "cart gets from db:80", "allow"),
        ("even one unknown", "{namespaceSelector: {}}", "cart gets from sheep:80", "allow"),
        (
            "some",
            "{namespaceSelector: {matchLabels: {team: data}}}",
            "cart gets from db:80",
            "allow",
        ),
        (
            "not its own",
            "{namespaceSelector: {matchLabels: {team: data}}}",
            "cart gets from pay:80",
            "deny by a",
        ),
        (
            "unknown labels",
            "{namespaceSelector: {matchLabels: {team: data}}}",
            "cart gets from sheep:80",
            "perhaps: Namespace of a",
        ),
        (
            "by name",
            "{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: other}}}",
            "cart gets from db:80",
            "allow",
        ),
        (
            "by name one unknown",
            "{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: lost}}}",
            "cart gets from sheep:80",
            "allow",
        ),
        (
            "by name, not that one",
            "{namespaceSelector: {matchExpressions: [
                {key: kubernetes.io/metadata.name, operator: NotIn, values: [lost]}]}}",
            "cart gets from sheep:80",
            "deny by a",
        ),
        (
            "both at once narrow",
            "{namespaceSelector: {}, podSelector: {matchLabels: {app: pay}}}",
            "cart gets from db:80",
            "deny by a",
        ),
        (
            "both at once meet",
            "{namespaceSelector: {matchLabels: {team: data}}, podSelector: {matchLabels: {app: db}}}",
            "cart gets from db:80",
            "allow",
        ),
        (
            "one after the other widen",
            "{namespaceSelector: {matchLabels: {team: data}}}, {podSelector: {matchLabels: {app: pay}}}",
            "cart gets from pay:80",
            "allow",
        ),
        (
            "one of the values",
            "{podSelector: {matchExpressions: [{key: app, operator: In, values: [x, pay]}]}}",
            "cart gets from pay:80",
            "allow",
        ),
        (
            "none of the values, nor the label",
            "{podSelector: {matchExpressions: [{key: zone, operator: NotIn, values: [x]}]}}",
            "cart gets from pay:80",
            "allow",
        ),
        (
            "a label that is there",
            "{podSelector: {matchExpressions: [{key: app, operator: DoesNotExist}]}}",
            "cart gets from pay:80",
            "deny by a",
        ),
        (
            "a label that is not there",
            "{podSelector: {matchExpressions: [{key: zone, operator: Exists}]}}",
            "cart gets from pay:80",
            "deny by a",
        ),
    ] {
        hold(&[(sentence, &[&from(peers)], question, answer)]);
    }
}

#[test]
fn a_peer_is_an_address_in_a_range_without_its_exceptions() {
    let to = |peers: &str| format!("{{policyTypes: [Egress], egress: [{{to: [{peers}]}}]}}");
    for (sentence, peers, question, answer) in [
        ("inside", "{ipBlock: {cidr: 10.0.0.0/8}}", "cart sends to 10.9.9.9:80", "allow"),
        ("outside", "{ipBlock: {cidr: 10.0.0.0/8}}", "cart sends to 11.0.0.0:80", "deny by a"),
        ("a pod inside", "{ipBlock: {cidr: 10.0.1.0/24}}", "cart sends to pay:80", "allow"),
        ("one address", "{ipBlock: {cidr: 10.0.1.2/32}}", "cart sends to 10.0.1.2:80", "allow"),
        // As the API server reads it.
        ("a zero before", "{ipBlock: {cidr: 010.0.1.0/24}}", "cart sends to pay:80", "allow"),
        ("bits of a host", "{ipBlock: {cidr: 10.0.1.77/24}}", "cart sends to pay:80", "allow"),
        (
            "an exception",
            "{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.1.0/24]}}",
            "cart sends to pay:80",
            "deny by a",
        ),
        (
            "another peer than that with the exception",
            "{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.1.0/24]}}, {ipBlock: {cidr: 10.0.1.2/32}}",
            "cart sends to pay:80",
            "allow",
        ),
        (
            "an exception of the other family",
            "{ipBlock: {cidr: 10.0.0.0/8, except: ['::/0']}}",
            "cart sends to pay:80",
            "allow",
        ),
        ("IPv6", "{ipBlock: {cidr: 'fd00::/8'}}", "cart sends to fd00::9:80", "allow"),
        ("IPv6 is not IPv4", "{ipBlock: {cidr: '::/0'}}", "cart sends to 10.9.9.9:80", "deny by a"),
        (
            "nor as it is mapped",
            "{ipBlock: {cidr: '::/0'}}",
            "cart sends to ::ffff:10.9.9.9:80",
            "deny by a",
        ),
        (
            "IPv4 is not IPv6",
            "{ipBlock: {cidr: 0.0.0.0/0}}",
            "cart sends to fd00::9:80",
            "deny by a",
        ),
        (
            "a mapped address",
            "{ipBlock: {cidr: 10.0.0.0/8}}",
            "cart sends to ::ffff:10.9.9.9:80",
            "allow",
        ),
        (
            "a mapped range",
            "{ipBlock: {cidr: '::ffff:10.0.0.0/104', except: ['::ffff:10.0.1.0/120']}}",
            "cart sends to 10.9.9.9:80",
            "allow",
        ),
        (
            "a mapped exception",
            "{ipBlock: {cidr: 10.0.0.0/8, except: ['::ffff:10.0.1.0/120']}}",
            "cart sends to pay:80",
            "deny by a",
        ),
        (
            "an address that is not there yet",
            "{ipBlock: {cidr: 0.0.0.0/0}}",
            "cart sends to new:80",
            "perhaps: NoAddress of a",
        ),
        (
            "an address that nobody needs",
            "{ipBlock: {cidr: 0.0.0.0/0}}, {namespaceSelector: {}}",
            "cart sends to new:80",
            "allow",
        ),
    ] {
        hold(&[(sentence, &[&to(peers)], question, answer)]);
    }
    let second = "{ingress: [{from: [{ipBlock: {cidr: 'fd00::/8'}}]}]}";
    hold(&[
        (
            "an address of two",
            &[second, "{podSelector: {matchLabels: {app: x}}}"],
            "pay gets from cart:80",
            "allow",
        ),
        ("no address of that family", &[second], "cart gets from pay:80", "deny by a"),
    ]);
}

#[test]
fn a_port_is_that_of_the_pod_that_gets_the_traffic() {
    let ports = |ports: &str| {
        format!(
            "{{ingress: [{{ports: [{ports}]}}], egress: [{{to: [{{namespaceSelector: {{}}}}], ports: [{ports}]}}]}}"
        )
    };
    for (sentence, list, question, answer) in [
        ("TCP unless said", "{port: 80}", "cart gets from pay:80", "allow"),
        ("and not UDP", "{port: 80}", "cart gets from pay:80/udp", "deny by a"),
        ("UDP", "{port: 53, protocol: UDP}", "cart sends to pay:53/udp", "allow"),
        ("SCTP", "{port: 3868, protocol: SCTP}", "cart gets from pay:3868/sctp", "allow"),
        ("SCTP is not TCP", "{port: 3868, protocol: SCTP}", "cart gets from pay:3868", "deny by a"),
        ("all of a protocol", "{protocol: UDP}", "cart sends to pay:9/udp", "allow"),
        ("none of another", "{protocol: UDP}", "cart sends to pay:9", "deny by a"),
        ("an empty port is all of TCP", "{}", "cart sends to pay:9", "allow"),
        ("first of a range", "{port: 80, endPort: 90}", "cart gets from pay:80", "allow"),
        ("last of a range", "{port: 80, endPort: 90}", "cart gets from pay:90", "allow"),
        ("before a range", "{port: 80, endPort: 90}", "cart gets from pay:79", "deny by a"),
        ("after a range", "{port: 80, endPort: 90}", "cart gets from pay:91", "deny by a"),
        ("one of two", "{port: 80}, {port: 81}", "cart gets from pay:81", "allow"),
        ("a number in quotes", "{port: '80'}", "cart gets from pay:80", "allow"),
        ("a name of its own", "{port: http}", "cart gets from pay:8080", "allow"),
        ("a name for another number", "{port: http}", "cart gets from pay:80", "deny by a"),
        ("a name at the other end", "{port: http}", "cart sends to db:8080", "allow"),
        ("a name by protocol", "{port: dns, protocol: UDP}", "cart sends to db:5353/udp", "allow"),
        ("by the other protocol", "{port: dns}", "cart sends to db:5353", "deny by a"),
        ("a name that no port has", "{port: web}", "cart sends to db:80", "perhaps: PortName of a"),
        (
            "nor with that protocol",
            "{port: http, protocol: UDP}",
            "cart sends to db:80/udp",
            "perhaps: PortName of a",
        ),
        ("a name that nobody needs", "{port: web}, {port: 80}", "cart sends to db:80", "allow"),
        ("a name of no pod", "{port: http}", "cart sends to 10.9.9.9:8080", "deny by a"),
    ] {
        hold(&[(sentence, &[&ports(list)], question, answer)]);
    }
    let any = "{policyTypes: [Egress], egress: [{ports: [{port: http}]}]}";
    let range = "{egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0}}], ports: [{port: http}]}],
        ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0}}], ports: [{port: http}]}]}";
    hold(&[
        ("a name and anybody", &[any], "cart sends to pay:8080", "allow"),
        ("a name and any address", &[any], "cart sends to 10.9.9.9:8080", "deny by a"),
        ("a name and a range", &[range], "cart sends to pay:8080", "perhaps: NameOfRange of a"),
        ("a name and a range on another port", &[range], "cart sends to pay:80", "deny by a"),
        ("a name and a range of no pod", &[range], "cart sends to 10.9.9.9:8080", "deny by a"),
        ("but of a pod that gets from one", &[range], "cart gets from 10.9.9.9:8080", "allow"),
    ]);
}

#[test]
fn what_no_policy_can_speak_of_is_said() {
    let open = "{ingress: [{from: [{ipBlock: {cidr: 192.168.0.0/24}}]}], egress: [{to: [{podSelector: {}}]}]}";
    hold(&[
        ("on its node's network", &[CLOSED], "host sends to pay:80", "exempt: HostNetwork"),
        ("a pod that is done", &[CLOSED], "done gets from pay:80", "exempt: Ended"),
        ("from a pod that is done", &[CLOSED], "cart gets from done:80", "exempt: Ended"),
        ("no such pod", &[CLOSED], "nobody sends to pay:80", "exempt: NoPod"),
        ("to no such pod", &[CLOSED], "cart sends to nobody:80", "exempt: NoPod"),
        ("an address that sends", &[CLOSED], "10.9.9.9 sends to pay:80", "exempt: NoPod"),
        ("ICMP and its like", &[CLOSED], "cart sends to pay:0/other", "exempt: Protocol"),
        ("to itself", &[CLOSED], "cart sends to cart:80", "allow"),
        ("from its own node", &[CLOSED], "cart gets from host:80", "allow"),
        ("to its own node", &[CLOSED], "cart sends to host:80", "perhaps: HostNetwork"),
        ("from another node", &[CLOSED], "cart gets from far:80", "perhaps: HostNetwork"),
        ("another node by its address", &[open], "cart gets from far:80", "allow"),
        (
            "another node by its labels",
            &[open],
            "cart sends to far:80",
            "perhaps: HostNetwork of a",
        ),
    ]);
}

#[test]
fn what_is_not_understood_is_never_taken_for_a_no_or_a_yes() {
    let perhaps = "perhaps: NotUnderstood of a";
    let from = |spec: &'static str, answer| ("a rule", spec, "cart gets from pay:80", answer);
    for (sentence, spec, question, answer) in [
        from("{ingress: [{from: [{}]}]}", perhaps),
        from("{ingress: [{from: [{serviceSelector: {}}]}]}", perhaps),
        from("{ingress: [{from: [{ipBlock: {}}]}]}", perhaps),
        from("{ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/33}}]}]}", perhaps),
        from("{ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0, except: [x]}}]}]}", perhaps),
        from("{ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0}, podSelector: {}}]}]}", perhaps),
        from("{ingress: [{ports: [{port: 0}]}]}", perhaps),
        from("{ingress: [{ports: [{port: ''}]}]}", perhaps),
        from("{ingress: [{ports: [{port: 90, endPort: 80}]}]}", perhaps),
        from("{ingress: [{ports: [{port: http, endPort: 9000}]}]}", perhaps),
        from("{ingress: [{ports: [{endPort: 9000}]}]}", perhaps),
        from("{ingress: [{ports: [{port: 80, protocol: ICMP}]}]}", perhaps),
        from("{ingress: [{ports: [{port: 80, protocol: tcp}]}]}", perhaps),
        from(
            "{ingress: [{from: [{podSelector: {matchExpressions: [{key: app, operator: Near}]}}]}]}",
            perhaps,
        ),
        from(
            "{ingress: [{from: [{podSelector: {matchExpressions: [{key: app, operator: In}]}}]}]}",
            perhaps,
        ),
        from("{ingress: [{from: [{podSelector: {matchExpressions: [{}]}}]}]}", perhaps),
        // The rest of the rule, or another rule, decides without it.
        from("{ingress: [{from: [{}], ports: [{port: 81}]}]}", "deny by a"),
        from("{ingress: [{from: [{}]}, {ports: [{port: 80}]}]}", "allow"),
        from(
            "{ingress: [{from: [{podSelector: {matchLabels: {app: x}, matchExpressions: [{key: app, operator: Near}]}}]}]}",
            "deny by a",
        ),
        from("{policyTypes: [Sideways]}", "allow"),
        // What no field of a policy can be.
        from("{ingress: [{ports: [{port: 70000}]}]}", "perhaps: Undecoded"),
        from("{ingress: [{ports: [{port: -1}]}]}", "perhaps: Undecoded"),
        from("{ingress: [{ports: [{port: 80, endPort: 70000}]}]}", "perhaps: Undecoded"),
        from("{ingress: {}}", "perhaps: Undecoded"),
        from("{podSelector: {matchLabels: {app: null}}}", "perhaps: Undecoded"),
        (
            "it may have been for egress",
            "{podSelector: []}",
            "cart sends to pay:80",
            "perhaps: Undecoded",
        ),
        ("but not elsewhere", "{podSelector: 7}", "db sends to pay:80", "allow"),
    ] {
        hold(&[(sentence, &[spec], question, answer)]);
    }
}

#[test]
fn a_policy_that_may_select_a_pod_counts_only_where_that_matters() {
    let near = "podSelector: {matchExpressions: [{key: app, operator: Near}]}";
    let (shut, open, other) = (
        &*format!("{{{near}}}"),
        &*format!("{{{near}, ingress: [{{}}]}}"),
        &*format!("{{{near}, ingress: [{{ports: [{{port: 81}}]}}]}}"),
    );
    let question = "cart gets from pay:80";
    hold(&[
        ("it may be all there is", &[shut], question, "perhaps: NotUnderstood of a"),
        ("it takes nothing away", &[open], question, "allow"),
        ("it may open what is closed", &["{}", open], question, "perhaps: NotUnderstood of b"),
        ("it may not", &["{}", other], question, "deny by a"),
        ("another opens it already", &["{ingress: [{}]}", shut], question, "allow"),
        (
            "one may close what the other opens",
            &[open, shut],
            question,
            "perhaps: NotUnderstood of b",
        ),
        (
            "what cannot be read takes nothing away",
            &["{ingress: [{}]}", "{ingress: 1}"],
            question,
            "allow",
        ),
        ("what cannot be read may open", &["{}", "{ingress: 1}"], question, "perhaps: Undecoded"),
    ]);
}

#[test]
fn a_policy_of_another_api_makes_every_answer_uncertain_for_whom_it_selects() {
    static KIND: Kind = Kind { group: "cilium.io", ..Kind::new("CiliumNetworkPolicy", "cnps") };
    let labels =
        |key: &str, value: &str| Selector { labels: [(key, value)].into(), ..Selector::default() };
    let unreadable = Selector {
        expressions: vec![crate::model::Expression {
            key: "app".into(),
            operator: Operator::Other,
            values: Vec::new(),
        }],
        ..Selector::default()
    };
    let shop = || labels("kubernetes.io/metadata.name", "shop");
    for (namespaces, pods, question, answer) in [
        (shop(), Selector::default(), "cart sends to pay:80", "perhaps: CiliumNetworkPolicy"),
        (shop(), labels("app", "cart"), "cart gets from pay:80", "perhaps: CiliumNetworkPolicy"),
        (shop(), labels("app", "cart"), "pay gets from cart:80", "allow"),
        (shop(), unreadable, "pay gets from cart:80", "perhaps: CiliumNetworkPolicy"),
        (shop(), Selector::default(), "db gets from cart:80", "allow"),
        (
            labels("team", "data"),
            Selector::default(),
            "sheep sends to db:80",
            "perhaps: CiliumNetworkPolicy",
        ),
        (shop(), Selector::default(), "cart sends to cart:80", "allow"),
    ] {
        let other = OtherPolicy { kind: &KIND, namespaces, pods };
        assert_eq!(ask(&facts(), vec![other], question), answer, "{question}");
    }
}

#[test]
fn pods_that_no_selector_tells_apart_are_looked_at_once() {
    let facts = with(facts(), &["{podSelector: {matchLabels: {app: cart}}}"]);
    let policies = Policies::new(facts.last_known().unwrap(), facts.last_known());
    let class = |labels: &[(&str, &str)]| {
        let all = labels.iter().map(|(key, value)| ((*key).into(), (*value).into()));
        let labels: std::collections::BTreeMap<Name, Name> = all.collect();
        policies.class(&"shop".into(), &labels.into())
    };
    let first = class(&[("app", "cart"), ("job", "1")]);
    assert!(Rc::ptr_eq(&first, &class(&[("app", "cart"), ("job", "2")])));
    assert!(!Rc::ptr_eq(&first, &class(&[("app", "pay"), ("job", "1")])));
    let group = |app: &str| policies.group(&"shop".into(), &[("app", app), ("job", "3")].into());
    assert_eq!(group("cart"), first.number);
    assert_ne!(group("cart"), group("pay"));
    let names = |direction| {
        let cart = Pod { labels: [("app", "cart")].into(), ..Pod::default() };
        let policies = policies.isolating(direction, &Key::new("shop", "x"), &cart);
        policies.into_iter().map(|key| key.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(Direction::ALL.map(names), [vec![], vec!["shop/a".to_owned()]]);
}
