//! The nodes on which servers are, or could be.

use crate::cluster::{Cluster, Table};
use crate::model::{Key, Name, Node, Status};

/// Taints that the pods of cluster DNS bear wherever it is installed as usual.
const BORNE: &[&str] = &[
    "CriticalAddonsOnly",
    "node-role.kubernetes.io/control-plane",
    "node-role.kubernetes.io/master",
];

pub(super) struct Nodes<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) nodes: &'a Table<Node>,
}

impl Nodes<'_> {
    fn get(&self, name: &Name) -> Option<&Node> {
        self.nodes.get(&Key::new("", name.clone()))
    }

    /// Whether a node says that it is not ready, or says nothing any more; of one that is not known
    /// yet nothing is said.
    pub(super) fn is_down(&self, name: &Name) -> bool {
        let ready = self.get(name).and_then(|node| node.ready.as_ref());
        ready.is_some_and(|ready| ready.status != Status::True)
    }

    /// Whether a node neither comes nor goes.
    pub(super) fn is_settled(&self, name: &Name) -> bool {
        self.get(name).is_none_or(|node| self.cluster.is_settled(name, node))
    }

    /// Counts the nodes that could have a server, `host` among them. What is not sure to take one
    /// does not count: a selector of the pods is not known.
    pub(super) fn with_room(&self, host: &Name) -> usize {
        let takes = |name: &Name, node: &Node| {
            let ready = node.ready.as_ref().is_some_and(|ready| ready.status == Status::True);
            let borne = node.taints.iter().all(|taint| BORNE.contains(&&**taint));
            ready && borne && !node.cordoned && node.runs_agents() && self.is_settled(name)
        };
        let nodes = self.nodes.iter();
        nodes.filter(|(key, node)| key.name == *host || takes(&key.name, node)).count()
    }
}
