//! Network policies, enforced by a real engine: kube-network-policies decides about the first packet of a connection.
//!
//! Its own rules want queues of nftables, which a kernel may lack; the bed has the same rules of iptables. As with most
//! engines, a node's root processes always reach its pods, and a connection that is there goes on. The lab's own address
//! gets in too: from it the tests look on. What is queued while no engine listens passes.

use super::Fault;
use crate::cluster::Cluster;
use crate::node::Node;
use crate::plan::API_IP;
use crate::tools::{image, source};
use crate::wait::{holds, secs, until};

/// The engine's, in `files/policy-engine.yaml`.
const QUEUE: &str = "100";

const CHAIN: &str = "policy-engine";

/// What an engine looks at: the first packets, once they have their way and before their source is hidden.
fn rules() -> [String; 5] {
    [
        "-o lo -j RETURN".into(),
        "-m owner --uid-owner 0 -j RETURN".into(),
        format!("-s {API_IP} -j RETURN"),
        "-m conntrack ! --ctstate NEW -j RETURN".into(),
        format!("-j NFQUEUE --queue-num {QUEUE} --queue-bypass"),
    ]
}

impl Cluster {
    /// Installs the engine on every node: from now on all policies of the cluster are in force, those to come as well.
    pub(crate) fn enforce_policies(&self) -> Fault<'_> {
        let file = self.lab.folder().join("images");
        let image = self.tools.image_of("kube-network-policies", image::POLICY_ENGINE, &file);
        for node in self.nodes() {
            node.import(&image);
        }
        let manifest = source("tests/cluster/files/policy-engine.yaml");
        self.apply(&manifest);
        self.rolled_out("kube-system", "daemonsets", "kube-network-policies");
        for node in self.nodes() {
            // Bound to its queue it has listed all policies.
            until(&format!("the engine of {} listens", node.name), secs(60), || {
                let queues = node.run(&["cat", "/proc/net/netfilter/nfnetlink_queue"]);
                let first = |line: &str| line.split_whitespace().next() == Some(QUEUE);
                holds(queues.lines().any(first), || format!("queues: {queues:?}"))
            });
            queue(node);
        }
        Fault::new(move || {
            for node in self.nodes() {
                table(node, &["-D", "POSTROUTING", "-j", CHAIN]);
                table(node, &["-F", CHAIN]);
                table(node, &["-X", CHAIN]);
            }
            self.delete(&manifest);
        })
    }
}

/// Queues what a node's pods and the node begin.
fn queue(node: &Node) {
    table(node, &["-N", CHAIN]);
    for rule in rules() {
        let words: Vec<&str> = ["-A", CHAIN].into_iter().chain(rule.split(' ')).collect();
        table(node, &words);
    }
    table(node, &["-A", "POSTROUTING", "-j", CHAIN]);
}

fn table(node: &Node, words: &[&str]) {
    node.run(&[&["iptables", "-w", "-t", "mangle"], words].concat());
}
