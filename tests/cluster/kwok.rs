//! Nodes that are not there: KWOK says for them that they are Ready, and that their pods run.

use serde_json::{Value, json};

use crate::api;
use crate::cluster::Cluster;
use crate::fault::Fault;
use crate::program::Program;
use crate::tools::source;
use crate::wait::{holds, secs, until};

const NODES: &str = "/api/v1/nodes";

/// The label by which KWOK knows its nodes.
const MARK: (&str, &str) = ("testbed", "kwok");

impl Cluster {
    /// Adds so many nodes that nobody answers for, and waits until they are Ready. Undone, they and their pods are gone.
    pub(crate) fn kwok(&self, count: u16) -> Fault<'_> {
        let argv = vec![
            self.tools.path("kwok"),
            format!("--kubeconfig={}", self.kubeconfig()),
            format!("--config={}", source("tests/cluster/files/kwok.yaml").display()),
            format!("--manage-nodes-with-label-selector={}={}", MARK.0, MARK.1),
            // Ranges that lead nowhere.
            "--cidr=198.18.0.0/16".into(),
            // KWOK renews a lease each quarter of this. Without leases the node lifecycle controller takes a node for
            // dead after 50 s: a busy machine then loses nodes as fast as KWOK makes them Ready.
            "--node-lease-duration-seconds=100".into(),
        ];
        let program = Program::start(&self.lab.logs(), "kwok", argv);
        // Before the first of them: what fails in the middle is undone, too.
        let fault = Fault::new(move || {
            let selector = format!("--selector={}={}", MARK.0, MARK.1);
            self.kubectl(&["delete", "nodes", &selector, "--wait=false"]);
            until("the nodes of KWOK are gone", secs(120), || {
                let left = self.kwok_nodes()?.len();
                holds(left == 0, || format!("{left}"))
            });
            program.kill();
            let pods = self.api().list("/api/v1/pods").unwrap_or_else(|error| panic!("{error}"));
            let theirs = |pod: &&Value| {
                pod["spec"]["nodeName"].as_str().is_some_and(|node| node.starts_with("kwok-"))
            };
            for pod in pods.iter().filter(theirs) {
                let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default();
                let path = format!("/api/v1/namespaces/{namespace}/pods/{}", api::name(pod));
                self.api().delete(&path, true);
            }
        });
        for index in 1..=count {
            let address = format!("198.19.{}.{}", index >> 8, index & 255);
            let metadata = json!({
                "name": format!("kwok-{index}"),
                "labels": {MARK.0: MARK.1, "kubernetes.io/os": "linux"},
                "annotations": {"address": address},
            });
            self.api().create(NODES, &json!({"metadata": metadata}));
        }
        until(&format!("{count} nodes of KWOK are Ready"), secs(600), || {
            let nodes = self.kwok_nodes()?;
            let ready = nodes.iter().filter(|node| api::condition(node, "Ready") == "True");
            let ready = ready.count();
            holds(ready == usize::from(count), || format!("{ready}"))
        });
        fault
    }

    fn kwok_nodes(&self) -> Result<Vec<Value>, String> {
        self.api().list(&format!("{NODES}?labelSelector={}%3D{}", MARK.0, MARK.1))
    }
}
