use super::*;
use crate::cluster::Event;
use crate::fixtures::cluster;
use crate::model::{ConfigMap, Counts, Template};

fn with(names: &[&str]) -> Cluster {
    names.iter().fold(cluster(), |facts, name| set(facts, name, "", 3))
}

fn set(facts: Cluster, name: &str, image: &str, desired: u32) -> Cluster {
    let images = [("a".into(), image.into())].into();
    let fact = DaemonSet {
        template: Template { images, host_network: true, ..Template::default() },
        status: Counts { desired, ..Counts::default() },
        ..DaemonSet::default()
    };
    facts.with(Event::Put(Key::new("kube-system", name), fact))
}

fn switched(name: &str, switches: &[(&str, bool)]) -> Cluster {
    let switches = switches.iter().map(|(name, is_on)| ((*name).into(), *is_on)).collect();
    let fact = DaemonSet {
        template: Template { switches, host_network: true, ..Template::default() },
        status: Counts { desired: 3, ..Counts::default() },
        ..DaemonSet::default()
    };
    cluster().with(Event::Put(Key::new("kube-system", name), fact))
}

fn server(facts: Cluster, name: &str, enforces: bool) -> Cluster {
    facts.node_with(name, |node| node.k3s_policies = Some(enforces))
}

fn told(facts: Cluster, key: &str, value: &str) -> Cluster {
    let map: CiliumConfig = ConfigMap::new([(key.to_owned(), value.to_owned())]);
    facts.with(Event::Put(Key::new("kube-system", "cilium-config"), map))
}

/// Those at work, or why none is.
fn says(facts: &Cluster) -> String {
    let engines = Engines::of(facts);
    let off = |off: &Off| match off {
        Off::Agents(key, flag) => format!("{} is not told {flag}", key.name),
        Off::Aws(_) => "aws has no work".to_owned(),
        Off::Cilium(_, key) => format!("cilium is told by {key}"),
        Off::K3s(node) => format!("k3s is told on {node}"),
        Off::Network(key) => format!("{} does not", key.name),
    };
    match engines.enforced() {
        Enforced::Yes => engines.ids().into_iter().collect::<Vec<_>>().join(" "),
        Enforced::No => engines.off().map(off).collect::<Vec<_>>().join(", "),
        Enforced::Unknown => "unknown".to_owned(),
    }
}

#[test]
fn an_engine_is_known_by_its_daemon_set_whatever_stands_around_the_name() {
    for (names, expected) in [
        (&["rke2-canal", "kube-proxy"][..], "calico"),
        (&["cilium", "cilium-envoy"], "cilium"),
        (&["anetd", "netd"], "cilium"),
        (&["calico-node", "kube-router"], "calico kube-router"),
        (&["kube-flannel-ds", "calico-node"], "calico"),
        (&["azure-cns", "azure-npm"], "azure-npm"),
        (&["kube-flannel-ds", "weave-scope-agent"], "kube-flannel-ds does not"),
        (&["netd", "fluentbit-gke"], "netd does not"),
        (&["aws-node"], "aws-node does not"),
        (&["terway-eniip", "kube-proxy"], "unknown"),
        // Whose names have those of others in them.
        (&["netdata-child", "flannel-exporter"], "unknown"),
        (&["aws-node-termination-handler", "cilium-envoy"], "unknown"),
        (&[], "unknown"),
    ] {
        assert_eq!(says(&with(names)), expected, "{names:?}");
    }
}

#[test]
fn what_is_there_and_does_nothing_enforces_nothing() {
    assert_eq!(
        says(&set(with(&["kube-flannel-ds"]), "calico-node", "", 0)),
        "kube-flannel-ds does not"
    );
    let image = "registry.k8s.io/networking/kube-network-policies:v0.7.0";
    assert_eq!(says(&set(cluster(), "kube-flannel-ds", image, 3)), "kube-network-policies");
    let kindnet =
        |tag: &str| says(&set(cluster(), "kindnet", &format!("kindest/kindnetd:{tag}"), 3));
    assert_eq!(kindnet("v20230511-dc714da8"), "kindnet does not");
    assert_eq!(kindnet("v20240813-c6f155d6"), "kindnet");
    assert_eq!(kindnet("latest"), "kindnet");
}

#[test]
fn k3s_enforces_policies_unless_its_servers_are_told_not_to() {
    assert_eq!(says(&server(server(cluster(), "n1", true), "n2", true)), "kube-router");
    assert_eq!(says(&server(server(cluster(), "n1", false), "n2", false)), "k3s is told on n1");
    // As while it is changed on one server after the other.
    assert_eq!(says(&server(server(cluster(), "n1", false), "n2", true)), "kube-router");
    assert_eq!(says(&server(with(&["calico-node"]), "n1", false)), "calico");
    assert_eq!(says(&cluster().node("n1")), "unknown");
}

#[test]
fn aws_enforces_policies_where_its_controller_works_on_them() {
    let served = |facts: Cluster| {
        facts.with(Event::<PolicyEndpoint>::Begin).with(Event::<PolicyEndpoint>::Done)
    };
    let one = || Event::Put(Key::new("shop", "deny-x7xq2"), PolicyEndpoint {});
    assert_eq!(says(&served(with(&["aws-node"]))), "aws has no work");
    assert_eq!(says(&served(with(&["aws-node", "calico-node"]))), "calico");
    let told = |switches| served(switched("aws-node", switches)).with(one());
    assert_eq!(says(&told(&[("enable-network-policy", true)])), "aws");
    // As the manifest has it, where only the controller was switched on.
    let off = "aws-node is not told enable-network-policy";
    assert_eq!(says(&told(&[("enable-network-policy", false)])), off);
    assert_eq!(says(&told(&[])), off);
    let beside = told(&[]).node_with("n1", |node| node.labels = [AUTO].into());
    assert_eq!(says(&beside), "aws");
    let unseen = served(with(&["aws-node"])).unlisted::<PolicyEndpoint>();
    assert_eq!(says(&unseen), "unknown");
    // Auto Mode has no DaemonSets.
    assert_eq!(says(&served(cluster()).with(one())), "aws");
    let auto = served(cluster()).node_with("n1", |node| {
        node.labels = [("eks.amazonaws.com/compute-type", "auto")].into();
    });
    assert_eq!(says(&auto), "aws has no work");
    // The kind alone may be left over.
    assert_eq!(says(&served(cluster())), "unknown");
}

#[test]
fn cilium_may_be_told_to_let_everything_through() {
    let cilium = || with(&["cilium"]);
    assert_eq!(says(&told(cilium(), "enable-policy", "default")), "cilium");
    assert_eq!(says(&told(cilium(), "enable-policy", "never")), "cilium is told by enable-policy");
    let other = "enable-k8s-networkpolicy";
    assert_eq!(says(&told(cilium(), other, "false")), format!("cilium is told by {other}"));
    assert_eq!(says(&told(cluster(), "enable-policy", "never")), "unknown");
}

#[test]
fn kube_router_may_be_told_to_route_alone() {
    let told = |switches| says(&switched("kube-router", switches));
    assert_eq!(told(&[]), "kube-router");
    assert_eq!(told(&[("run-firewall", true)]), "kube-router");
    assert_eq!(told(&[("run-firewall", false)]), "kube-router is not told run-firewall");
}

#[test]
fn what_one_of_them_does_not_do_none_is_believed_to() {
    let of = |names: &[&str]| {
        let engines = Engines::of(&with(names));
        (engines.see_pods(), engines.hold_ranges())
    };
    assert_eq!(of(&["calico-node"]), (true, true));
    assert_eq!(of(&["calico-node", "kube-router"]), (false, true));
    assert_eq!(of(&["cilium"]), (true, false));
    assert_eq!(of(&[]), (true, true));
}
