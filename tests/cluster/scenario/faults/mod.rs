//! The test bed's own faults: seen by other means than netvitals to be there, and to be gone.

pub(super) mod control_plane;
pub(super) mod dns;
pub(super) mod ingress;
pub(super) mod network;
pub(super) mod node;
pub(super) mod policy;

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::node::Node;
use crate::tools::{image, source};
use crate::wait::{holds, secs, undo, until};

const PODS: &str = "/api/v1/namespaces/default/pods";

/// The condition Ready of a node.
fn ready(cluster: &Cluster, node: &str) -> Result<Value, String> {
    let node = cluster.api().get(&format!("/api/v1/nodes/{node}"))?;
    let conditions = node["status"]["conditions"].as_array().ok_or("no conditions yet")?;
    let ready = conditions.iter().find(|condition| condition["type"] == "Ready");
    ready.cloned().ok_or_else(|| "no condition Ready".to_owned())
}

/// How many of `count` echo requests from a node are answered.
fn pings(from: &Node, to: &str, count: usize) -> usize {
    let count = count.to_string();
    let said = from.try_run(&["ping", "-n", "-c", &count, "-i", "0.05", "-W", "1", to]);
    let said = said.unwrap_or_else(|said| said);
    said.lines().filter(|line| line.contains("bytes from")).count()
}

/// The workload on every node, by node: the pod's uid and address.
fn web(cluster: &Cluster, node: &str) -> (String, String) {
    cluster.apply(&source("tests/cluster/files/web.yaml"));
    cluster.rolled_out("default", "deployments", "web");
    let pods = cluster.pods("default", "app=web").unwrap();
    // One of the revision before may still be about to go.
    let stays = |pod: &&Value| pod["metadata"]["deletionTimestamp"].is_null();
    let pod = pods.iter().filter(stays).find(|pod| pod["spec"]["nodeName"] == node);
    let pod = pod.expect("it runs on every node");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&pod["metadata"]["uid"]), text(&pod["status"]["podIP"]))
}

/// Whether the workload's pod of a node can connect to an address.
pub(super) fn connects(node: &Node, uid: &str, ip: &str, port: &str) -> bool {
    let script = format!("exec 3<>/dev/tcp/{ip}/{port}");
    node.in_pod(uid, &["timeout", "2", "bash", "-c", &script]).is_ok()
}

/// What ping says of a packet of `size` bytes with all headers that must not be taken apart, sent by a pod.
fn whole(node: &Node, uid: &str, to: &str, size: u32) -> String {
    let payload = (size - 28).to_string();
    let said = node.in_pod(
        uid,
        &["ping", "-n", "-c", "2", "-i", "0.2", "-W", "1", "-M", "do", "-s", &payload, to],
    );
    said.unwrap_or_else(|said| said)
}

/// Whether ping got an answer to each of its two requests.
fn all_answered(said: &str) -> bool {
    said.contains("2 received")
}

/// A pod that sleeps. Dropped, it is deleted.
pub(super) struct Sleeper<'a> {
    cluster: &'a Cluster,
    name: &'static str,
}

impl<'a> Sleeper<'a> {
    /// Makes it on a node, whatever the scheduler thinks of that.
    pub(super) fn on(cluster: &'a Cluster, node: &str, name: &'static str) -> Self {
        let container = json!({
            "name": "sleeper", "image": image::BUSYBOX, "imagePullPolicy": "Never",
            "command": ["sleep", "3600"],
        });
        let spec = json!({
            "nodeName": node, "containers": [container], "terminationGracePeriodSeconds": 0,
        });
        let metadata = json!({"name": name, "labels": {"app": name}});
        cluster.api().create(PODS, &json!({"metadata": metadata, "spec": spec}));
        Self { cluster, name }
    }

    fn object(&self) -> Result<Value, String> {
        self.cluster.api().get(&format!("{PODS}/{}", self.name))
    }

    pub(super) fn uid(&self) -> String {
        let pod = self.object().unwrap_or_else(|error| panic!("{error}"));
        pod["metadata"]["uid"].as_str().expect("each object has one").to_owned()
    }

    /// Waits until it runs, and returns its address.
    pub(super) fn runs(&self) -> String {
        until(&format!("pod {} runs", self.name), secs(90), || {
            let pod = self.object()?;
            let ip = pod["status"]["podIP"].as_str().unwrap_or_default();
            let running = pod["status"]["phase"] == "Running" && !ip.is_empty();
            holds(running, || pod["status"].to_string()).map(|()| ip.to_owned())
        })
    }

    /// Waits until an event of it says `words`.
    fn says(&self, words: &str) {
        let path = format!(
            "/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3D{}",
            self.name
        );
        until(&format!("an event of pod {} says {words:?}", self.name), secs(60), || {
            let events = self.cluster.api().list(&path)?;
            let messages: Vec<&str> =
                events.iter().filter_map(|event| event["message"].as_str()).collect();
            let said = messages.iter().any(|message| message.contains(words));
            holds(said, || format!("{messages:?}"))
        });
    }
}

impl Drop for Sleeper<'_> {
    fn drop(&mut self) {
        undo(|| {
            self.cluster.api().delete(&format!("{PODS}/{}", self.name), true);
            until(&format!("pod {} is gone", self.name), secs(60), || {
                let gone = self.object().is_err_and(|error| error.contains("not found"));
                holds(gone, || "it is there".into())
            });
        });
    }
}
