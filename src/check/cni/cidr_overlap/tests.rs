mod healthy;
mod wrong;

use self::healthy::HEALTHY;
use self::wrong::WRONG;
use super::CHECK;
use crate::check::Output;
use crate::cluster::{Cluster, Event};
use crate::fixtures::{Answer, answer, cluster};
use crate::model::{
    CiliumConfig, ControlPlane, IpPool, IpPoolSpec, Key, Node, Pod, Service, ServiceCidr,
    ServiceCidrSpec, Skipped, Unanswered, Unknown,
};
use crate::report::remedy;

fn ask(facts: &Cluster) -> Answer {
    answer(&CHECK, facts)
}

/// Builders of ranges.
impl Cluster {
    /// A node with addresses, and with ranges for pods.
    fn at(self, node: &str, addresses: &str, ranges: &str) -> Self {
        self.at_with(node, addresses, ranges, |_| {})
    }

    fn at_with(
        self,
        node: &str,
        addresses: &str,
        ranges: &str,
        change: impl FnOnce(&mut Node),
    ) -> Self {
        self.node_with(node, |fact| {
            fact.addresses = parsed(addresses);
            fact.pod_cidrs = parsed(ranges);
            change(fact);
        })
    }

    /// A pod with addresses.
    fn holds(self, pod: &str, node: &str, addresses: &str) -> Self {
        self.pod_with(&format!("shop/{pod}-1"), |fact| {
            fact.node = Some(node.into());
            fact.addresses = parsed(addresses).into_iter().collect();
        })
    }

    /// The pod of a CNI.
    fn runs(self, label: (&str, &str), node: &str) -> Self {
        self.pod_with(&format!("kube-system/{}-{node}", label.1), |fact| {
            fact.labels = [label].into();
            fact.node = Some(node.into());
            fact.host_network = true;
        })
    }

    /// A Service with an address.
    fn serves(self, service: &str, addresses: &str) -> Self {
        let fact = Service { addresses: parsed(addresses), ..Service::default() };
        self.with(Event::Put(Key::new("default", service), fact))
    }

    fn service_cidr(self, ranges: &str) -> Self {
        let spec = Some(ServiceCidrSpec { cidrs: Some(parsed(ranges)) });
        self.with(Event::Begin::<ServiceCidr>)
            .with(Event::Put(Key::new("", "kubernetes"), ServiceCidr { spec, status: None }))
            .with(Event::Done::<ServiceCidr>)
    }

    fn ip_pool(self, name: &str, range: &str) -> Self {
        let cidr = Some(range.parse().expect(range));
        let pool = IpPool { spec: Some(IpPoolSpec { cidr, ..IpPoolSpec::default() }) };
        self.with(Event::Begin::<IpPool>)
            .with(Event::Put(Key::new("", name), pool))
            .with(Event::Done::<IpPool>)
    }

    fn flags(self, component: &str, services: &str, pods: &str) -> Self {
        self.pod_with(&format!("kube-system/{component}-1"), |fact| {
            let told = ControlPlane {
                services: parsed(services),
                pods: parsed(pods),
                ..ControlPlane::default()
            };
            fact.control_plane = Some(Box::new(told));
            fact.host_network = true;
        })
    }

    fn flannel(self, network: &str) -> Self {
        let text = format!(r#"{{ "Network": "{network}", "Backend": {{ "Type": "vxlan" }} }}"#);
        self.config_map::<6>("kube-flannel-cfg", &[("net-conf.json", &text)])
    }

    fn cilium(self, range: &str) -> Self {
        let texts =
            [("ipam", "cluster-pool"), ("cluster-pool-ipv4-cidr", range), ("x", "10.0.0.0/8")];
        self.config_map::<7>("cilium-config", &texts)
    }
}

fn parsed<T: std::str::FromStr>(text: &str) -> Vec<T> {
    text.split_whitespace().map(|it| it.parse().ok().expect("an address or a range")).collect()
}

/// Services of kubeadm's range, as most clusters say it.
fn kubeadm() -> Cluster {
    cluster().service_cidr("10.96.0.0/12").serves("kubernetes", "10.96.0.1")
}

/// A cluster as it is found in the wild, and the code and the name of what is found of it.
struct Shape {
    of: &'static str,
    facts: fn() -> Cluster,
    found: &'static [&'static str],
}

/// What is found, without messages.
fn found(facts: &Cluster) -> Vec<String> {
    let short = |text: &String| {
        let (head, _) = text.split_once(": ").expect("a message");
        let (code, subject) = head.split_once(' ').expect("a subject");
        let name = subject.split_once(' ').expect("a kind").1;
        format!("{} {name}", code.strip_prefix("cidr_overlap.").expect("its own"))
    };
    let mut all: Vec<String> = ask(facts).findings.iter().map(short).collect();
    all.sort();
    all
}

#[test]
fn clusters_of_which_the_ranges_are_apart_are_left_alone() {
    for Shape { of, facts, found: expected } in HEALTHY {
        let facts = facts();
        assert_eq!(found(&facts), *expected, "{of}");
        let samples = ask(&facts).samples;
        assert!(samples.len() == 4 && samples.iter().all(|it| it.ends_with(" 0")), "{of}");
    }
}

#[test]
fn what_lies_in_one_another_is_found_as_people_met_it() {
    for Shape { of, facts, found: expected } in WRONG {
        let mut expected: Vec<&str> = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(found(&facts()), expected, "{of}");
    }
}

#[test]
fn messages_say_both_ranges_and_what_to_look_at() {
    for (number, messages) in [
        (
            0,
            &[
                "its block 10.0.1.0/24 of ConfigMap kube-system/cilium-config lies in what Services have, \
            10.0.0.0/16, as ServiceCIDRs say: look at which of the two can be changed",
            ][..],
        ),
        (
            1,
            &["its address 10.0.0.5 lies in the block 10.0.0.0/24 of ConfigMap \
            kube-system/cilium-config that node n2 has: look at the routes on nodes, and plan another range"],
        ),
        (
            4,
            &[
                "its address 192.168.50.10 lies in 192.168.0.0/16 of IPPool default-ipv4-ippool, which \
            is for pods: look at the routes on nodes, and plan another range",
            ],
        ),
        (
            6,
            &["its range for pods 10.224.0.0/24 is no part of 10.244.0.0/16, as ConfigMap \
            kube-system/kube-flannel-cfg has it: look at which of the two is meant"],
        ),
        (
            7,
            &[
                "its range for pods 10.244.0.0/16 is that of node n1: look at who gives nodes their \
            ranges, and at pods with the same address",
                "its range for pods 10.244.3.0/24 lies in that of node n2, 10.244.0.0/16: look at who \
            gives nodes their ranges, and at pods with the same address",
            ],
        ),
        (
            9,
            &[
                "its pod shop/web-1 at 10.100.12.9 lies in what Services have, 10.100.0.0/17, as far as \
            their addresses show: look at which of the two can be changed",
            ],
        ),
    ] {
        let findings = ask(&(WRONG[number].facts)()).findings;
        for message in messages {
            let end = format!(": {message}");
            assert!(findings.iter().any(|it| it.ends_with(&end)), "{message}\n{findings:#?}");
        }
    }
}

#[test]
fn the_statement_says_how_many_ranges_were_compared_and_who_says_them() {
    let statement = |facts: &Cluster| {
        let mut out = Output::default();
        CHECK.ask(facts, &mut out).expect("an answer");
        out.statement
    };
    let healthy = statement(&(HEALTHY[0].facts)());
    let expected =
        "no overlap among 2 ranges of pods, 1 of Services, as ServiceCIDRs say, and 2 nodes";
    assert_eq!(healthy, expected);
    let wrong = statement(&(WRONG[7].facts)());
    assert!(wrong.starts_with("2 overlaps among 3 ranges of pods, "), "{wrong}");
}

#[test]
fn who_says_what_services_have_is_the_best_that_can_be_seen() {
    let by = |facts: Cluster| {
        let mut out = Output::default();
        CHECK.ask(&facts.at("n1", "192.168.1.1", ""), &mut out).expect("an answer");
        out.statement.split(", ").nth(2).expect("who says so").to_owned()
    };
    let api = || cluster().serves("kubernetes", "10.96.0.1");
    let told = |range: &str| {
        let text = format!("networking:\n  dnsDomain: a\n  serviceSubnet: {range}\nx: [1]\n");
        api().config_map::<5>("kubeadm-config", &[("ClusterConfiguration", &text)])
    };
    assert_eq!(by(api()), "as far as their addresses show");
    assert_eq!(by(told("10.96.0.0/12")), "as kubeadm was told");
    // It is long past, or it is none.
    assert_eq!(by(told("10.32.0.0/16")), "as far as their addresses show");
    assert_eq!(by(told("{")), "as far as their addresses show");
    let flags = told("10.96.0.0/12").flags("kube-apiserver", "10.96.0.0/16", "");
    assert_eq!(by(flags), "as the flags of the control plane say");
    assert_eq!(by(kubeadm()), "as ServiceCIDRs say");
}

#[test]
fn addresses_too_far_apart_for_one_range_stand_each_for_itself() {
    let facts = cluster()
        .serves("kubernetes", "10.0.0.1")
        .serves("web", "10.200.0.1")
        .at("n1", "10.44.0.1", "")
        .at("n2", "10.200.0.1", "");
    assert_eq!(found(&facts), ["services_nodes n2"]);
}

#[test]
fn nodes_that_leave_are_left_out_and_pods_that_go_too() {
    let leaves = (WRONG[7].facts)()
        .at_with("n2", "192.168.1.2", "10.244.0.0/16", |node| node.terminating = true)
        .at_with("n3", "192.168.1.3", "10.244.3.0/24", |node| {
            node.taints = vec!["ToBeDeletedByClusterAutoscaler".into()];
        });
    assert_eq!(found(&leaves), [""; 0]);
    let goes = (WRONG[9].facts)().pod_with("shop/web-1", |pod: &mut Pod| {
        pod.node = Some("n1".into());
        pod.addresses = parsed("10.100.12.9").into_iter().collect();
        pod.terminating = true;
    });
    assert_eq!(found(&goes), ["services_nodes n1"]);
}

#[test]
fn what_cannot_be_seen_is_said() {
    let facts = || kubeadm().at("n1", "192.168.1.1", "");
    assert_eq!(ask(&cluster()).result, Err(Skipped::NotApplicable.into()));
    for (unseen, kind) in [
        (facts().unlisted::<Node>(), "Node"),
        (facts().unlisted::<Pod>(), "Pod"),
        (facts().unlisted::<Service>(), "Service"),
    ] {
        assert_eq!(ask(&unseen).result, Err(Unknown::NotListed(kind).into()));
    }
    let gap = |facts: Cluster| ask(&facts).gaps;
    assert_eq!(gap(facts()), []);
    let of = |part, why: Unknown| [(part, Unanswered::from(why))];
    let unlisted = facts().unlisted::<ServiceCidr>();
    assert_eq!(gap(unlisted), of("servicecidrs", Unknown::NotListed("ServiceCIDR")));
    let unlisted = facts().unlisted::<CiliumConfig>();
    let label = "ConfigMap/cilium-config";
    assert_eq!(gap(unlisted), of("configmaps", Unknown::NotListed(label)));
    let undecoded = facts()
        .runs(("k8s-app", "calico-node"), "n1")
        .ip_pool("a", "10.1.0.0/16")
        .with(Event::<IpPool>::Undecoded(Key::new("", "b")));
    let label = "IPPool.crd.projectcalico.org";
    assert_eq!(gap(undecoded), of("ippools", Unknown::Undecoded(label)));
    let undecoded = facts().undecoded::<Service>("shop/x");
    assert_eq!(gap(undecoded), of("services", Unknown::Undecoded("Service")));
}

#[test]
fn five_thousand_nodes_are_compared_at_once() {
    let mut facts = kubeadm();
    for number in 0..5000_u32 {
        let [_, _, high, low] = number.to_be_bytes();
        let (node, range) = (format!("n{number}"), format!("10.{}.{low}.0/24", 128 + high));
        facts = facts.at(&node, &format!("192.168.{high}.{low}"), &range);
    }
    let facts = facts.holds("web", "n0", "10.128.0.7").at("last", "192.168.99.1", "10.128.7.0/25");
    assert_eq!(found(&facts), ["shared last"]);
}

#[test]
fn remedies_name_the_node() {
    let facts = (WRONG[7].facts)();
    let mut out = Output::default();
    CHECK.ask(&facts, &mut out).expect("an answer");
    let commands: Vec<String> = remedy::commands(&out.findings[0]).map(|it| it.1).collect();
    assert!(commands.contains(&"kubectl cordon n2".to_owned()), "{commands:?}");
}
