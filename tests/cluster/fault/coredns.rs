//! What can go wrong with CoreDNS.

use std::fs;

use serde_json::{Value, json};

use super::Fault;
use super::rules::{self, BOTH};
use crate::api;
use crate::cluster::Cluster;
use crate::node::Node;
use crate::plan::{API_IP, DNS_IP};
use crate::program::Program;
use crate::tools::image;
use crate::wait::{holds, secs, until};

const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/kube-system/deployments/coredns";

const CONFIG: &str = "/api/v1/namespaces/kube-system/configmaps/coredns";

/// The label of its pods.
const PODS: &str = "k8s-app=kube-dns";

/// The cluster's DNS.
pub(crate) struct CoreDns<'a> {
    cluster: &'a Cluster,
}

/// One of its pods.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Replica {
    /// The pod's name.
    pub(crate) pod: String,
    /// Its uid.
    pub(crate) uid: String,
    /// Its address.
    pub(crate) ip: String,
    /// Its node's name.
    pub(crate) node: String,
}

impl Cluster {
    /// The cluster's DNS.
    pub(crate) fn coredns(&self) -> CoreDns<'_> {
        CoreDns { cluster: self }
    }
}

impl<'a> CoreDns<'a> {
    /// Its pods that are there to stay, by name.
    pub(crate) fn replicas(&self) -> Vec<Replica> {
        let pods = self.cluster.pods("kube-system", PODS).unwrap_or_else(|error| panic!("{error}"));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut all: Vec<Replica> = pods
            .iter()
            .filter(|pod| pod["metadata"]["deletionTimestamp"].is_null())
            .map(|pod| Replica {
                pod: api::name(pod).to_owned(),
                uid: text(&pod["metadata"]["uid"]),
                ip: text(&pod["status"]["podIP"]),
                node: text(&pod["spec"]["nodeName"]),
            })
            .collect();
        all.sort_by(|one, other| one.pod.cmp(&other.pod));
        all
    }

    /// Limits the CPU of each replica, by a rollout, as a person would; undoing rolls out what was there.
    pub(crate) fn limit_cpu(&self, limit: &str) -> Fault<'a> {
        self.containers(|containers| limited(containers, limit))
    }

    /// Rolls out other containers; undoing rolls out what was there.
    fn containers(&self, change: impl FnOnce(&mut Value)) -> Fault<'a> {
        let deployment =
            self.cluster.api().get(DEPLOYMENT).unwrap_or_else(|error| panic!("{error}"));
        let was = deployment["spec"]["template"]["spec"]["containers"].clone();
        let mut changed = was.clone();
        change(&mut changed);
        let cluster = self.cluster;
        let change =
            |containers: Value| json!({"spec": {"template": {"spec": {"containers": containers}}}});
        roll_out(cluster, &change(changed));
        Fault::new(move || roll_out(cluster, &change(was)))
    }

    /// Limits the CPU of CoreDNS in each replica beside a container that has no limit: such a pod has no quota of its own.
    pub(crate) fn limit_cpu_beside_sidecar(&self, limit: &str) -> Fault<'a> {
        let sidecar = json!({
            "name": "sidecar", "image": image::BUSYBOX, "imagePullPolicy": "Never",
            "command": ["sleep", "100000"],
        });
        self.containers(|containers| {
            limited(containers, limit);
            containers.as_array_mut().expect("a pod has containers").push(sidecar);
        })
    }

    /// Changes the number of replicas, and waits until those are there, or none is.
    pub(crate) fn scale(&self, replicas: u32) -> Fault<'a> {
        let deployment =
            self.cluster.api().get(DEPLOYMENT).unwrap_or_else(|error| panic!("{error}"));
        let was = deployment["spec"]["replicas"].clone();
        let cluster = self.cluster;
        let change = |replicas: &Value| json!({"spec": {"replicas": replicas}});
        if replicas == 0 {
            cluster.api().patch(DEPLOYMENT, &change(&json!(0)));
            until("the last replica is gone", secs(60), || {
                let left = cluster.pods("kube-system", PODS)?;
                holds(left.is_empty(), || format!("{} are there", left.len()))
            });
        } else {
            roll_out(cluster, &change(&json!(replicas)));
        }
        Fault::new(move || roll_out(cluster, &change(&was)))
    }

    /// The Corefile.
    pub(crate) fn read_corefile(&self) -> String {
        let map = self.cluster.api().get(CONFIG).unwrap_or_else(|error| panic!("{error}"));
        map["data"]["Corefile"].as_str().expect("CoreDNS has a Corefile").to_owned()
    }

    /// Gives it another Corefile, by a rollout: the plugin `reload` would take a minute or two to see it.
    pub(crate) fn corefile(&self, text: &str) -> Fault<'a> {
        let (cluster, was) = (self.cluster, self.read_corefile());
        let roll_out = move |text: &str| {
            let map = cluster.api().patch(CONFIG, &json!({"data": {"Corefile": text}}));
            // Another annotation of the template is what `kubectl rollout restart` writes, too.
            let version = json!({"corefile": map["metadata"]["resourceVersion"]});
            let template = json!({"metadata": {"annotations": version}});
            roll_out(cluster, &json!({"spec": {"template": template}}));
        };
        roll_out(text);
        Fault::new(move || roll_out(&was))
    }

    /// Writes another Corefile, of which the pods that run hear only by their plugin `reload`.
    pub(crate) fn written(&self, text: &str) -> Fault<'a> {
        let (cluster, was) = (self.cluster, self.read_corefile());
        let write = move |text: &str| {
            cluster.api().patch(CONFIG, &json!({"data": {"Corefile": text}}));
        };
        write(text);
        Fault::new(move || write(&was))
    }

    /// Lets it hide Services without endpoints, as its plugin `kubernetes` can.
    pub(crate) fn ignore_empty_services(&self) -> Fault<'a> {
        let (was, plain) = (self.read_corefile(), "pods insecure");
        assert!(was.contains(plain), "the Corefile has no line {plain:?}: {was}");
        self.corefile(&was.replace(plain, &format!("{plain}\n       ignore empty_service")))
    }

    /// Lets each replica answer `percent` of all questions with SERVFAIL, by the random id of the question.
    pub(crate) fn servfail(&self, percent: u8) -> Fault<'a> {
        // Of two blocks for a zone the first whose view fits answers.
        self.corefile(&format!(
            ".:53 {{\n    view failing {{\n        expr id() % 100 < {percent}\n    }}\n    \
             template ANY ANY . {{\n        rcode SERVFAIL\n    }}\n}}\n{}",
            self.read_corefile()
        ))
    }

    /// Drops `percent` of the UDP packets to one replica's port 53, from wherever they come.
    pub(crate) fn drop_on_replica(&self, replica: &Replica, percent: u8) -> Fault<'a> {
        let matching = format!("-p udp -d {} --dport 53", replica.ip);
        rules::drop(self.cluster.node(&replica.node), &BOTH, &matching, percent)
    }

    /// Drops `percent` of the UDP packets to every replica's port 53.
    pub(crate) fn drop_udp(&self, percent: u8) -> Fault<'a> {
        let all = self.replicas();
        assert!(!all.is_empty(), "there is no DNS to drop packets of");
        let faults = all.iter().map(|replica| self.drop_on_replica(replica, percent));
        faults.reduce(Fault::and).expect("there is a replica")
    }

    /// Cuts one replica off from the API: it goes on with what it knows.
    pub(crate) fn cut_off_from_api(&self, replica: &Replica) -> Fault<'a> {
        let node = self.cluster.node(&replica.node);
        let asks = format!("-p tcp -s {} -d {API_IP} --dport 6443", replica.ip);
        // Both ways: on an open watch the API server speaks unasked.
        let hears = format!("-p tcp -s {API_IP} --sport 6443 -d {}", replica.ip);
        rules::drop(node, &["FORWARD"], &asks, 100).and(rules::drop(
            node,
            &["FORWARD"],
            &hears,
            100,
        ))
    }

    /// Asks it `rate` questions a second from a node, until it is undone.
    pub(crate) fn load(&self, node: &'a Node, rate: u32) -> Fault<'a> {
        let folder = self.cluster.lab.folder();
        let file = folder.join("questions");
        // Each a name of its own, so that the cache does not answer.
        let names: String = (0..20_000)
            .map(|index| format!("load-{index}.default.svc.cluster.local A\n"))
            .collect();
        fs::write(&file, names).expect("the lab's folder can be written");
        let (holder, rate, file) =
            (node.holder().to_string(), rate.to_string(), file.display().to_string());
        let argv = [
            "nsenter", "-t", &holder, "--net", "--", "dnsperf", "-s", DNS_IP, "-d", &file, "-c",
            "16", "-T", "1", "-t", "2", "-l", "1800", "-Q", &rate,
        ];
        let argv = argv.iter().map(|word| (*word).to_owned()).collect();
        let program = Program::start(&self.cluster.lab.logs(), "dnsperf", argv);
        Fault::new(move || program.kill())
    }

    /// Waits until every replica gives a true answer to a node's question.
    pub(crate) fn answers(&self) {
        let node = &self.cluster.nodes()[0];
        until("every replica answers", secs(60), || {
            for replica in self.replicas() {
                let said = dig(node, &replica.ip, "kubernetes.default.svc.cluster.local")?;
                holds(said == "10.96.0.1", || format!("{}: {said}", replica.pod))?;
            }
            Ok(())
        });
    }
}

/// Limits the CPU of the first container.
fn limited(containers: &mut Value, limit: &str) {
    containers[0]["resources"]["limits"]["cpu"] = json!(limit);
    containers[0]["resources"]["requests"]["cpu"] = json!(limit);
}

/// Changes the Deployment, and waits until all replicas are the newest and ready.
fn roll_out(cluster: &Cluster, change: &Value) {
    cluster.api().patch(DEPLOYMENT, change);
    cluster.rolled_out("kube-system", "deployments", "coredns");
}

/// Asks a DNS server once, from a node, and returns the addresses that it gives, one a line.
///
/// # Errors
///
/// Fails where no answer came.
pub(crate) fn dig(node: &Node, server: &str, name: &str) -> Result<String, String> {
    let server = format!("@{server}");
    let said = node.try_run(&["dig", "+short", "+tries=1", "+time=1", &server, name, "A"])?;
    Ok(said.trim().to_owned())
}
