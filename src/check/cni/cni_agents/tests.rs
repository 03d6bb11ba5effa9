//! Agents as clusters have them, and what their owners are told.

use super::CHECK;
use crate::cluster::{Cluster, Event};
use crate::fixtures::{Answer, answer, at, cluster};
use crate::model::{
    Counts, Daemon, DaemonContainer, DaemonSet, Ended, Key, Labels, Node, Pod, Skipped, Status,
    Stuck, Template, Unknown,
};

/// A DaemonSet whose pods carry its label, on as many nodes.
fn set(facts: Cluster, name: &str, nodes: u32, change: impl FnOnce(&mut DaemonSet)) -> Cluster {
    let labels: Labels = [("k8s-app", name)].into();
    let mut set = DaemonSet {
        selector: labels.clone(),
        template: Template {
            labels,
            host_network: true,
            tolerates_all: true,
            mounts_cni: true,
            ..Template::default()
        },
        status: Counts { desired: nodes, current: nodes, ready: nodes, ..Counts::default() },
        ..DaemonSet::default()
    };
    change(&mut set);
    facts.with(Event::Put(Key::new("kube-system", name), set))
}

fn agent(facts: Cluster, set: &str, node: &str, change: impl FnOnce(&mut Pod)) -> Cluster {
    let containers = [container(set, true, 0), container("helper", true, 0)];
    facts.pod_with(&format!("kube-system/{set}-{node}"), |pod| {
        pod.node = Some(node.into());
        pod.host_network = true;
        pod.daemon_set = Some(set.into());
        pod.daemon = Some(Box::new(Daemon { containers: containers.into() }));
        change(pod);
    })
}

fn container(name: &str, ready: bool, restarts: u32) -> DaemonContainer {
    let ended = (restarts > 0).then(|| Ended { at: None, reason: "OOMKilled".into() });
    DaemonContainer { name: name.into(), ready, restarts, ended, ..DaemonContainer::default() }
}

fn restarts(pod: &mut Pod, name: &str, number: u32) {
    let one = container(name, pod.ready, number);
    pod.daemon = Some(Box::new(Daemon { containers: [one].into() }));
}

/// Three nodes with an agent each, of which that of `n2` is changed.
fn three(cni: &str, change: impl FnOnce(&mut Pod)) -> Cluster {
    let facts = ["n1", "n2", "n3"].iter().fold(cluster(), |facts, node| facts.node(node));
    let facts = set(facts, cni, 3, |_| {});
    let facts = agent(agent(facts, cni, "n1", |_| {}), cni, "n3", |_| {});
    agent(facts, cni, "n2", change)
}

fn said(facts: &Cluster) -> Answer {
    answer(&CHECK, facts)
}

fn statement(facts: &Cluster) -> String {
    let mut out = crate::check::Output::default();
    assert_eq!(CHECK.ask(facts, &mut out), Ok(()));
    out.statement
}

#[test]
fn agents_that_are_ready_are_healthy_whatever_they_did_long_ago() {
    let facts = three("calico-node", |pod| restarts(pod, "calico-node", 931));
    let said = said(&facts);
    assert_eq!(said.findings, [""; 0]);
    assert_eq!(
        said.samples,
        ["n1", "n2", "n3"].map(|node| format!("netvitals_cni_agent_ready{{{node},calico}} 1"))
    );
    assert_eq!(statement(&facts), "3 of 3 nodes with a ready agent of calico");
}

#[test]
fn what_an_agent_does_is_told_from_what_others_do() {
    type Change = fn(&mut Pod);
    let cases: [(&str, Change, &str); 6] = [
        (
            "aws-node",
            |pod| {
                pod.ready = false;
                pod.stuck = Some(Stuck::Crashing);
                restarts(pod, "aws-node", 12);
            },
            "cni_agents.down Node n2: aws-node-n2 of aws-vpc-cni ends again and again, last with \
             OOMKilled: look at the log of its last end",
        ),
        (
            "canal",
            |pod| {
                pod.ready = false;
                pod.stuck = Some(Stuck::Image);
            },
            "cni_agents.down Node n2: canal-n2 of canal does not run, because its image cannot be \
             pulled: look at its events",
        ),
        (
            "calico-node",
            |pod| pod.ready = false,
            "cni_agents.not_ready Node n2: calico-node-n2 of calico runs and is not ready: look at \
             its log",
        ),
        (
            "cilium",
            |pod| pod.terminating = true,
            "cni_agents.not_ready Node n2: cilium-n2 of cilium is deleted and stays: look at its \
             events",
        ),
        // Nobody knows what stands still without it.
        (
            "ninth",
            |pod| {
                pod.ready = false;
                pod.stuck = Some(Stuck::Crashing);
            },
            "cni_agents.not_ready Node n2: ninth-n2 of other ends again and again: look at the log \
             of its last end",
        ),
        (
            "multus",
            |pod| {
                pod.ready = false;
                pod.stuck = Some(Stuck::Unmade);
            },
            "cni_agents.down Node n2: multus-n2 of multus does not run, because its container \
             cannot be made: look at its events",
        ),
    ];
    for (cni, change, finding) in cases {
        let said = said(&three(cni, change));
        assert_eq!(said.findings, [finding]);
        assert!(said.samples[1].ends_with(" 0"), "{:?}", said.samples);
    }
}

#[test]
fn an_agent_that_begins_again_and_again_is_told_whatever_it_does_now() {
    let step = |facts: Cluster, seconds: u64, number: u32, ready: bool| {
        agent(facts.after(seconds), "aws-node", "n2", |pod| {
            pod.ready = ready;
            restarts(pod, "aws-node", number);
        })
    };
    let facts = three("aws-node", |pod| restarts(pod, "aws-node", 7));
    let facts = step(facts, 10, 7, true);
    let facts = step(step(facts, 200, 8, true), 400, 9, true);
    assert_eq!((said(&facts).result, said(&facts).findings), (Ok(()), Vec::new()));
    // Twice, and it is not ready: it ends, although no kubelet says so at this moment.
    let down = step(facts, 500, 9, false);
    assert!(said(&down).findings[0].starts_with("cni_agents.down Node n2"));
    let facts = step(down, 600, 10, true);
    assert_eq!(
        said(&facts).findings,
        ["cni_agents.restarting Node n2: aws-node-n2 of aws-vpc-cni is ready, and began 3 times \
          again within half an hour, last with OOMKilled: look at the log of its last end"]
    );
    let words = "2 of 3 nodes with a ready agent of aws-vpc-cni, 1 where it begins again and again";
    assert_eq!(statement(&facts), words);
    let later = said(&facts.after(2500));
    assert_eq!((later.result, later.findings), (Ok(()), Vec::new()));
}

#[test]
fn a_node_without_an_agent_is_told_where_one_is_to_be() {
    let two = |change: fn(&mut DaemonSet), node: fn(&mut Node)| {
        let facts = cluster().node("n1").node_with("n2", node);
        let facts = agent(facts, "kindnet", "n1", |_| {});
        set(facts, "kindnet", 2, change)
    };
    // Its controller may not make it: a quota, or what admits pods.
    let lacks = two(|set| set.status.current = 1, |_| {});
    assert_eq!(
        said(&lacks).findings,
        [
            "cni_agents.missing Node n2: no agent of kindnet is there: of its 2 pods 1 are on a node: \
          look at the events of its DaemonSet"
        ]
    );
    assert_eq!(said(&lacks).samples[1], "netvitals_cni_agent_ready{n2,kindnet} 0");
    let words = "1 of 2 nodes with a ready agent of kindnet, 1 where it is missing";
    assert_eq!(statement(&lacks), words);
    // The scheduler has no room for it.
    let waits = agent(two(|_| {}, |_| {}), "kindnet", "n2", |pod| pod.node = None);
    assert!(said(&waits).findings[0].contains("of its 2 pods 1 are on a node"));
    // As kops had it once: a group of nodes with a taint of its own.
    let tainted = |facts: Cluster| said(&facts).findings;
    let keeps: fn(&mut DaemonSet) = |set| {
        set.status = Counts { desired: 1, current: 1, ..Counts::default() };
        set.template.tolerates_all = false;
    };
    let taint: fn(&mut Node) = |node| node.taints = vec!["example.com/gpu".into()];
    assert_eq!(
        tainted(two(keeps, taint)),
        [
            "cni_agents.missing Node n2: no agent of kindnet is there, and no pod has a network: its \
          DaemonSet does not tolerate every taint: look at example.com/gpu"
        ]
    );
    // What else gives pods there a network is not known, and something does.
    let networked = two(keeps, taint).pod_with("shop/web-1", |pod| pod.node = Some("n2".into()));
    assert_eq!(tainted(networked), [""; 0]);
    // It is not for that node: another operating system, a hybrid node, what the affinity says.
    for change in
        [(|set| set.template.node_selector = [("zone", "a")].into()) as fn(&mut DaemonSet), |set| {
            set.status = Counts { desired: 1, current: 1, ..Counts::default() }
        }]
    {
        let facts = two(change, |_| {});
        assert_eq!(said(&facts).findings, [""; 0]);
        let words = "1 of 2 nodes with a ready agent of kindnet, 1 that are to have none";
        assert_eq!(statement(&facts), words);
    }
}

#[test]
fn nodes_that_come_go_or_are_silent_are_left_out() {
    type Change = fn(&mut Node);
    let changes: [Change; 4] = [
        |node| node.created = Some(at(0).unix),
        |node| node.taints = vec!["karpenter.sh/disrupted".into()],
        |node| node.ready.as_mut().expect("a condition").status = Status::Unknown,
        |node| node.ready = None,
    ];
    for change in changes {
        let mut facts = three("cilium", |pod| pod.ready = false).node_with("n2", change);
        facts.set_now(at(0));
        assert_eq!(said(&facts).findings, [""; 0]);
        assert!(statement(&facts).ends_with(", 1 young, silent or being taken away"));
    }
}

#[test]
fn while_an_agent_is_replaced_its_successor_is_the_one_that_counts() {
    let facts = three("cilium", |pod| {
        pod.ready = false;
        pod.terminating = true;
    });
    let facts = facts.pod_with("kube-system/cilium-next", |pod| {
        pod.node = Some("n2".into());
        pod.daemon_set = Some("cilium".into());
        pod.daemon = Some(Box::default());
    });
    assert_eq!(said(&facts).findings, [""; 0]);
}

#[test]
fn clusters_whose_cni_has_no_daemon_set_are_not_judged() {
    // k3s, kubenet, plugins of one's own: kube-proxy and an exporter are no CNI.
    let plain = |set: &mut DaemonSet| set.template.mounts_cni = false;
    let facts = set(cluster().node("n1"), "kube-proxy", 1, plain);
    let facts = set(facts, "node-exporter", 1, plain);
    assert_eq!(said(&facts).result, Err(Skipped::NotApplicable.into()));
    let undecoded = facts.undecoded::<DaemonSet>("kube-system/cilium");
    let unknown = Unknown::Undecoded("DaemonSet");
    assert_eq!(said(&undecoded).result, Err(unknown.into()));
    let unlisted = cluster().node("n1").unlisted::<DaemonSet>();
    assert_eq!(said(&unlisted).result, Err(Unknown::NotListed("DaemonSet").into()));
}

#[test]
fn a_daemon_set_for_no_node_is_a_note_unless_another_has_its_place() {
    let nowhere: fn(&mut DaemonSet) = |set| {
        set.template.node_selector = [("non-existing", "true")].into();
        set.status = Counts::default();
    };
    let facts = set(cluster().node("n1"), "aws-node", 0, nowhere);
    assert_eq!(
        said(&facts).findings,
        [
            "cni_agents.no_node DaemonSet kube-system/aws-node: the DaemonSet of aws-vpc-cni is for no \
          node: look at its node selector and affinity"
        ]
    );
    assert_eq!(statement(&facts), "no node is to have an agent of aws-vpc-cni");
    // As those do who put Cilium in its place.
    let facts = agent(set(facts, "cilium", 1, |_| {}), "cilium", "n1", |_| {});
    assert_eq!(said(&facts).findings, [""; 0]);
}

#[test]
fn two_cnis_on_a_node_are_two_series_and_each_has_its_word() {
    let facts = set(three("azure-cns", |_| {}), "cilium", 3, |_| {});
    let facts = agent(facts, "cilium", "n2", |pod| pod.ready = false);
    let said = said(&facts);
    assert!(said.findings[0].starts_with("cni_agents.not_ready Node n2: cilium-n2 of cilium"));
    assert!(said.samples.contains(&"netvitals_cni_agent_ready{n2,azure} 1".to_owned()));
    assert!(said.samples.contains(&"netvitals_cni_agent_ready{n2,cilium} 0".to_owned()));
}
