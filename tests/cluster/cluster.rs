//! A cluster: Ready nodes, CoreDNS answering, and the ways into it.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::api::{self, Api};
use crate::control_plane::{ControlPlane, Flags};
use crate::lab::Lab;
use crate::node::{Make, Node};
use crate::pki::Pki;
use crate::plan::{API_IP, API_IP_6, INTERNET_IP, UNDERLAY, node_ip, node_ip_6, node_name};
use crate::program::{Program, run, show_logs, try_run};
use crate::tools::{Tools, source};
use crate::wait::{holds, secs, until};

/// What a test may choose.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// How many nodes.
    pub(crate) nodes: usize,
    /// The mode of kube-proxy, node by node; the last goes on.
    pub(crate) proxy_modes: Vec<&'static str>,
    /// kubelet's `maxPods`.
    pub(crate) max_pods: u32,
    /// The control plane's.
    pub(crate) flags: Flags,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nodes: 3,
            proxy_modes: vec!["iptables"],
            max_pods: 60,
            flags: Flags {
                node_cidr_mask: 24,
                dual_stack: false,
                api_server: Vec::new(),
                controller_manager: Vec::new(),
            },
        }
    }
}

/// A cluster that runs. It ends with the process.
pub(crate) struct Cluster {
    pub(crate) lab: Lab,
    pub(crate) tools: Tools,
    pki: Pki,
    control_plane: ControlPlane,
    nodes: Vec<Node>,
    api: Api,
}

impl Cluster {
    /// Starts a cluster, and waits until its nodes are Ready and its DNS answers.
    pub(crate) fn start(lab: Lab, options: &Options) -> Self {
        underlay(options.flags.dual_stack);
        let tools = Tools::find();
        let names: Vec<(String, String)> =
            (0..options.nodes).map(|index| (node_name(index), node_ip(index))).collect();
        let pki = Pki::make(&lab.folder().join("pki"), &names);
        let (folder, logs) = (lab.folder(), lab.logs());
        let api = Api::by(&pki.kubeconfig("admin"));
        let images = tools.images(&folder.join("images"));
        let ready = || {
            until("the API server is ready", secs(120), || api.ready());
        };
        let control_plane =
            ControlPlane::start((&folder, &logs), (&tools, &pki), &options.flags, ready);
        let nodes: Vec<Node> = thread::scope(|scope| {
            let (lab, tools, pki, images) = (&lab, &tools, &pki, images.as_slice());
            let starting: Vec<_> = names
                .iter()
                .enumerate()
                .map(|(index, (name, ip))| {
                    let modes = &options.proxy_modes;
                    let proxy_mode = modes[index.min(modes.len() - 1)];
                    let (name, ip, max_pods) = (name.clone(), ip.clone(), options.max_pods);
                    let flags = &options.flags;
                    let ip_6 = flags.dual_stack.then(|| node_ip_6(index));
                    let make = Make {
                        lab,
                        tools,
                        pki,
                        images,
                        flags,
                        name,
                        ip,
                        ip_6,
                        proxy_mode,
                        max_pods,
                    };
                    scope.spawn(move || Node::start(&make))
                })
                .collect();
            starting
                .into_iter()
                .map(|node| node.join().expect("the node's panic says why"))
                .collect()
        });
        let cluster = Self { lab, tools, pki, control_plane, nodes, api };
        cluster.route_pods();
        until("every node is Ready", secs(180), || cluster.all_ready());
        cluster.apply(&source("tests/cluster/files/coredns.yaml"));
        cluster.rolled_out("kube-system", "deployments", "coredns");
        cluster
    }

    /// Gives each node its CNI configuration, and all others the way to its pods, as flannel's host-gw does.
    fn route_pods(&self) {
        for node in &self.nodes {
            let cidrs = until("the node has its pod CIDRs", secs(60), || {
                let cidrs = self.pod_cidrs(&node.name)?;
                let wanted = 1 + usize::from(node.ip_6.is_some());
                holds(cidrs.len() == wanted, || format!("{cidrs:?}")).map(|()| cidrs)
            });
            for cidr in &cidrs {
                let via = node.ip_6.as_ref().filter(|_| cidr.contains(':')).unwrap_or(&node.ip);
                let route = ["ip", "route", "add", cidr, "via", via];
                run(&route);
                for other in self.nodes.iter().filter(|other| other.name != node.name) {
                    other.run(&route);
                }
            }
            node.write_cni_config(&cidrs);
        }
    }

    /// The pod CIDR of a node.
    ///
    /// # Errors
    ///
    /// Fails when it has none yet.
    pub(crate) fn pod_cidr(&self, node: &str) -> Result<String, String> {
        self.pod_cidrs(node)?.into_iter().next().ok_or_else(|| "none yet".to_owned())
    }

    /// The pod CIDRs of a node, one of each family that the cluster has.
    ///
    /// # Errors
    ///
    /// Fails with the API's words.
    fn pod_cidrs(&self, node: &str) -> Result<Vec<String>, String> {
        let node = self.api.get(&format!("/api/v1/nodes/{node}"))?;
        let cidrs = api::items(&node["spec"]["podCIDRs"]).iter();
        Ok(cidrs.filter_map(|cidr| cidr.as_str().map(str::to_owned)).collect())
    }

    /// Whether every node is Ready; else which is not.
    pub(crate) fn all_ready(&self) -> Result<(), String> {
        let nodes = self.api.list("/api/v1/nodes")?;
        let unready: Vec<&str> = nodes
            .iter()
            .filter(|node| api::condition(node, "Ready") != "True")
            .map(api::name)
            .collect();
        holds(unready.is_empty(), || format!("not Ready: {unready:?}"))
    }

    /// The API, as an administrator.
    pub(crate) fn api(&self) -> &Api {
        &self.api
    }

    /// A node by name.
    pub(crate) fn node(&self, name: &str) -> &Node {
        let found = self.nodes.iter().find(|node| node.name == name);
        found.unwrap_or_else(|| panic!("no node {name}"))
    }

    /// The nodes.
    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The control plane.
    pub(crate) fn control_plane(&self) -> &ControlPlane {
        &self.control_plane
    }

    /// The administrator's kubeconfig.
    pub(crate) fn kubeconfig(&self) -> String {
        self.pki.kubeconfig("admin")
    }

    /// Runs kubectl as an administrator.
    ///
    /// # Errors
    ///
    /// Fails with its words.
    pub(crate) fn try_kubectl(&self, args: &[&str]) -> Result<String, String> {
        let (kubectl, config) = (self.tools.path("kubectl"), self.kubeconfig());
        // At home, where it is otherwise, all labs would believe in each other's kinds: they have one address.
        let cache = self.lab.folder().join("kubectl").display().to_string();
        let mut words = vec![kubectl.as_str(), "--kubeconfig", &config, "--cache-dir", &cache];
        words.extend(args);
        try_run(&words)
    }

    /// Runs kubectl as an administrator.
    ///
    /// # Panics
    ///
    /// Panics with its words.
    pub(crate) fn kubectl(&self, args: &[&str]) -> String {
        self.try_kubectl(args).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Applies a file or a folder of manifests, as a user would.
    pub(crate) fn apply(&self, path: &Path) {
        self.kubectl(&["apply", "-f", &path.display().to_string()]);
    }

    /// Makes the kinds of a file of definitions, and waits until the API server has them.
    pub(crate) fn serve(&self, path: &Path) {
        self.apply(path);
        let path = path.display().to_string();
        self.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "-f", &path]);
    }

    /// Deletes what a file of manifests has, and waits for that.
    pub(crate) fn delete(&self, path: &Path) {
        self.kubectl(&["delete", "-f", &path.display().to_string()]);
    }

    /// Waits until a workload's pods are the newest and ready; `kind` is the plural, as the API has it.
    pub(crate) fn rolled_out(&self, namespace: &str, kind: &str, name: &str) {
        until(&format!("{namespace}/{name} is rolled out"), secs(180), || {
            self.is_rolled_out(namespace, kind, name)
        });
    }

    /// Whether a workload's pods are the newest and ready.
    ///
    /// # Errors
    ///
    /// Fails with what is missing.
    pub(crate) fn is_rolled_out(
        &self,
        namespace: &str,
        kind: &str,
        name: &str,
    ) -> Result<(), String> {
        let object =
            self.api.get(&format!("/apis/apps/v1/namespaces/{namespace}/{kind}/{name}"))?;
        rolled_out(&object).map_err(|missing| format!("{missing}; {}", self.pods_of(namespace)))
    }

    /// The pods of a namespace that match a label selector.
    pub(crate) fn pods(&self, namespace: &str, selector: &str) -> Result<Vec<Value>, String> {
        let selector = selector.replace('=', "%3D").replace(',', "%2C");
        self.api.list(&format!("/api/v1/namespaces/{namespace}/pods?labelSelector={selector}"))
    }

    /// The states of a namespace's pods, for a person.
    fn pods_of(&self, namespace: &str) -> String {
        let pods =
            self.api.list(&format!("/api/v1/namespaces/{namespace}/pods")).unwrap_or_default();
        pods.iter().map(state).collect::<Vec<_>>().join(", ")
    }

    /// Deletes namespaces, and waits until they are gone.
    pub(crate) fn delete_namespaces(&self, names: &[&str]) {
        self.kubectl(&[&["delete", "namespace", "--wait=false"], names].concat());
        for name in names {
            until(&format!("namespace {name} is gone"), secs(120), || {
                let there = self.try_kubectl(&["get", "namespace", name]);
                holds(there.is_err(), || "it is there".into())
            });
        }
    }

    /// Waits until a pod is ready, and returns it.
    pub(crate) fn pod_ready(&self, namespace: &str, name: &str) -> Value {
        let path = format!("/api/v1/namespaces/{namespace}/pods/{name}");
        until(&format!("pod {namespace}/{name} is ready"), secs(60), || {
            let pod = self.api.get(&path)?;
            holds(api::condition(&pod, "Ready") == "True", || state(&pod)).map(|()| pod)
        })
    }

    /// Says which program ended that nobody stopped.
    pub(crate) fn broken(&self) -> Option<String> {
        let nodes = self.nodes.iter().flat_map(Node::programs);
        let all: Vec<&Program> = self.control_plane.programs().into_iter().chain(nodes).collect();
        all.into_iter().find_map(Program::ended)
    }

    /// Shows what a person wants to see of a cluster in which a test failed.
    pub(crate) fn show(&self) {
        show_logs(&self.lab.logs(), 8);
        for args in [
            &["get", "nodes,pods", "-A", "-o", "wide"][..],
            &["get", "events", "-A", "--field-selector=type=Warning"][..],
            &[
                "logs",
                "-n",
                "netvitals",
                "-l",
                "app.kubernetes.io/name=netvitals",
                "--prefix",
                "--tail=15",
            ][..],
        ] {
            println!("---- kubectl {}", args.join(" "));
            println!("{}", self.try_kubectl(args).unwrap_or_else(|error| error));
        }
        if let Some(broken) = self.broken() {
            println!("---- {broken}");
        }
    }

    /// The command by which a person outside enters it, with kubectl and the rest in the path.
    pub(crate) fn entrance(&self) -> String {
        let (owner, config, path) = (self.lab.owner(), self.kubeconfig(), self.tools.search_path());
        format!(
            "nsenter -t $(pgrep -P $(pgrep -P {owner} -x unshare)) --net --mount --pid --wdns=$PWD \\\n  \
             env KUBECONFIG={config} PATH={path} bash"
        )
    }

    /// Sleeps while the cluster goes on, and fails when a part of it ended.
    pub(crate) fn rest(&self, time: Duration) {
        thread::sleep(time);
        let broken = self.broken();
        assert!(broken.is_none(), "{}", broken.unwrap_or_default());
    }
}

/// The state of a pod, for a person: what it waits for, too.
fn state(pod: &Value) -> String {
    let status = &pod["status"];
    let container = &status["containerStatuses"][0]["state"]["waiting"]["reason"];
    let conditions = api::items(&status["conditions"]).iter();
    let messages: Vec<&str> = conditions.filter_map(|it| it["message"].as_str()).collect();
    let node = &pod["spec"]["nodeName"];
    format!("{} on {node}: {} {container} {messages:?}", api::name(pod), status["phase"])
}

/// Whether a Deployment or a DaemonSet is rolled out; else what is missing.
fn rolled_out(object: &Value) -> Result<(), String> {
    let number = |value: &Value| value.as_i64().unwrap_or(0);
    let status = &object["status"];
    let seen = number(&status["observedGeneration"]) >= number(&object["metadata"]["generation"]);
    let (wanted, updated, ready, all) = match object["spec"]["replicas"].as_i64() {
        Some(replicas) => (
            replicas,
            number(&status["updatedReplicas"]),
            number(&status["readyReplicas"]),
            number(&status["replicas"]),
        ),
        None => (
            number(&status["desiredNumberScheduled"]),
            number(&status["updatedNumberScheduled"]),
            number(&status["numberReady"]),
            number(&status["currentNumberScheduled"]),
        ),
    };
    let done = seen && wanted > 0 && updated == wanted && ready == wanted && all == wanted;
    holds(done, || format!("wanted {wanted}, updated {updated}, ready {ready}, all {all}"))
}

/// The lab's own network: the bridge that nodes are plugged into, and what stands for the internet.
fn underlay(dual_stack: bool) {
    run(&["mount", "--make-rprivate", "/"]);
    run(&["mount", "-t", "tmpfs", "tmpfs", "/run"]);
    fs::create_dir_all("/run/lock").expect("a fresh tmpfs can be written");
    run(&["ip", "link", "set", "lo", "up"]);
    run(&["ip", "link", "add", UNDERLAY, "type", "bridge"]);
    run(&["ip", "addr", "add", &format!("{API_IP}/24"), "dev", UNDERLAY]);
    run(&["ip", "link", "set", UNDERLAY, "up"]);
    run(&["ip", "addr", "add", &format!("{INTERNET_IP}/32"), "dev", "lo"]);
    fs::write("/proc/sys/net/ipv4/ip_forward", "1").expect("root may forward");
    if dual_stack {
        // nodad: an address that is still looked for elsewhere cannot be used yet.
        run(&["ip", "addr", "add", &format!("{API_IP_6}/64"), "dev", UNDERLAY, "nodad"]);
        fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1").expect("root may forward");
    }
}
