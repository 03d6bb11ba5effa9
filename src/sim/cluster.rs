//! A whole simulated cluster: its API, DNS, pods, Services and control groups, running.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::addresses::{Addresses, port};
use super::api::Api;
use super::cgroup::{Group, Version};
use super::dns::{Replica, Server};
use super::manifests;
use super::objects::{Pod, Service};
use super::pods::Listening;
use super::scenario::Scenario;
use super::world::{DNS, OWN, World};

/// How old every object is: nothing is young, nothing has just begun.
const AGE: SignedDuration = SignedDuration::from_hours(30 * 24);

const RESOLV_CONF: &str = "resolv.conf";
const KUBECONFIG: &str = "kubeconfig";

/// How often the control groups' counters go on.
const COUNTING: Duration = Duration::from_millis(100);

/// A cluster that runs until it is dropped.
#[derive(Debug)]
pub struct Cluster {
    api: Api,
    agents: Vec<AgentPod>,
    cluster_role: SocketAddr,
    /// It goes away with `counting`, which writes there to the last.
    folder: PathBuf,
    listening: Vec<Listening>,
    _dns: Vec<Server>,
    serving: AbortOnDropHandle<io::Result<()>>,
    counting: AbortOnDropHandle<()>,
    /// Its claim on addresses is the last thing to go.
    world: World,
}

/// A pod in which an agent belongs: the real agent listens there.
#[derive(Debug)]
pub struct AgentPod {
    /// Its node.
    pub node: String,
    /// Whether it has the node's own network.
    pub host: bool,
    /// Where it is to listen.
    pub listener: TcpListener,
    /// What stands for `/` on its node.
    pub host_root: PathBuf,
}

impl Cluster {
    /// Starts a cluster as `scenario` has it; `stop` ends the watches of its API.
    ///
    /// # Errors
    ///
    /// Fails when addresses of the loopback network or a temporary folder cannot be had.
    pub async fn start(scenario: &Scenario, stop: CancellationToken) -> io::Result<Self> {
        for second in Addresses::ALL {
            let started = async {
                let mut world = World::new(Addresses::claim(second)?);
                (scenario.change)(&mut world);
                Self::run(world, stop.clone()).await
            };
            match started.await {
                // Another cluster's, or one whose listeners are not closed yet.
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                    tracing::debug!(second, %error, "addresses are in use");
                }
                started => return started,
            }
        }
        Err(io::Error::other("every range of 127.0.0.0/8 is in use: end other simulated clusters"))
    }

    async fn run(world: World, stop: CancellationToken) -> io::Result<Self> {
        let created = (Timestamp::now() - AGE).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let api = Api::new(stop);
        for object in world.objects(&created) {
            api.put(object)?;
        }
        let folder = TempDir::with_prefix("netvitals-demo-").map_err(|error| {
            io::Error::other(format!("{error}; name a folder for temporary files in TMPDIR"))
        })?;
        write_resolv_conf(&world, folder.path())?;
        write_kubeconfig(&world, folder.path())?;
        let mut cluster = Self {
            agents: Vec::new(),
            cluster_role: (world.api(), port::AGENT).into(),
            listening: listen(&world).await?,
            _dns: dns(&world, &api).await?,
            serving: serve(&world, &api)?,
            folder: folder.path().to_owned(),
            counting: count(&world, folder)?,
            api,
            world,
        };
        cluster.leave_room()?;
        Ok(cluster)
    }

    /// Returns the API's objects, which may be changed while it runs.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// Returns the pods in which agents belong, once: their listeners go to the agents.
    pub fn take_agents(&mut self) -> Vec<AgentPod> {
        std::mem::take(&mut self.agents)
    }

    /// Returns a kubeconfig for the API; no client has to say what it is.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join(KUBECONFIG)
    }

    /// Returns the resolver's configuration of every pod; its server's port is [`dns_port`].
    ///
    /// [`dns_port`]: Self::dns_port
    pub fn resolv_conf(&self) -> PathBuf {
        self.folder.join(RESOLV_CONF)
    }

    /// Returns the port of the cluster's DNS, which is not 53: that one needs a privilege.
    pub fn dns_port(&self) -> u16 {
        port::DNS
    }

    /// Lets the cluster role's own pod answer with what listens at `target`.
    ///
    /// # Errors
    ///
    /// Fails when the pod's address cannot be listened on.
    pub async fn place_cluster_role(&mut self, target: SocketAddr) -> io::Result<()> {
        let listening = Listening::forward(self.cluster_role, vec![target]).await?;
        self.listening.push(listening);
        Ok(())
    }

    /// Waits for the API to end, which it does with the `stop` of [`start`](Self::start), and
    /// takes everything away.
    ///
    /// # Errors
    ///
    /// Returns what the API's listener said.
    pub async fn end(self) -> io::Result<()> {
        let ended = self.serving.await.map_err(io::Error::other)?;
        self.counting.abort();
        // Cancelled, as it was told.
        _ = self.counting.await;
        ended
    }

    /// Finds the pods of netvitals' own, where the real roles listen.
    fn leave_room(&mut self) -> io::Result<()> {
        let world = &self.world;
        for pod in world.pods.iter().filter(|pod| pod.namespace == OWN) {
            let Some((address, node)) = world.address(pod).zip(world.node_of(pod)) else {
                continue;
            };
            let Some(port) = pod.ports.first() else { continue };
            let address = SocketAddr::from((address, port.number));
            if pod.owner.0 != "DaemonSet" {
                self.cluster_role = address;
                continue;
            }
            let listener = TcpListener::bind(address);
            self.agents.push(AgentPod {
                node: node.name.clone(),
                host: pod.host_network,
                listener: listener.map_err(|error| super::cannot_listen(address, &error))?,
                host_root: self.folder.join(&node.name),
            });
        }
        Ok(())
    }
}

fn write_resolv_conf(world: &World, folder: &Path) -> io::Result<()> {
    let dns = world.services.iter().filter(|service| is_dns(&service.selector));
    let servers = dns.filter_map(|service| service.address);
    let servers: String = servers.map(|address| format!("nameserver {address}\n")).collect();
    let search = "search default.svc.cluster.local svc.cluster.local cluster.local\n";
    fs::write(folder.join(RESOLV_CONF), format!("{search}{servers}options ndots:5\n"))
}

fn write_kubeconfig(world: &World, folder: &Path) -> io::Result<()> {
    let named = |field: &str, value: Value| json!([{ "name": "demo", field: value }]);
    let server = format!("http://{}:{}", world.api(), port::API);
    // JSON is YAML too.
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "demo",
        "clusters": named("cluster", json!({ "server": server })),
        "users": named("user", json!({})),
        "contexts": named("context", json!({ "cluster": "demo", "user": "demo" })),
    });
    fs::write(folder.join(KUBECONFIG), config.to_string())
}

/// Listens for kubelets, pods and Services; DNS and netvitals do so for themselves.
async fn listen(world: &World) -> io::Result<Vec<Listening>> {
    let mut listening = Vec::new();
    for node in &world.nodes {
        let kubelet = (node.address, port::KUBELET).into();
        listening.push(Listening::accept(kubelet).await?);
    }
    let silent = |pod: &Pod| {
        let gone = world.gone.contains(&(pod.namespace.clone(), pod.name.clone()));
        gone || pod.namespace == OWN || is_dns(&pod.labels)
    };
    for pod in world.pods.iter().filter(|pod| !silent(pod)) {
        let Some(address) = world.address(pod) else { continue };
        for port in pod.ports.iter().filter(|port| port.protocol == "TCP") {
            listening.push(Listening::accept((address, port.number).into()).await?);
        }
    }
    for service in world.services.iter().filter(|service| !is_dns(&service.selector)) {
        let name = (service.namespace.clone(), service.name.clone());
        let Some(address) = service.address.filter(|_| !world.broken.contains(&name)) else {
            continue;
        };
        for (port, target) in &service.ports {
            let address = (address, port.number).into();
            let behind = behind(world, service, target);
            listening.push(Listening::forward(address, behind).await?);
        }
    }
    Ok(listening)
}

/// Returns where a Service leads.
fn behind(world: &World, service: &Service, target: &str) -> Vec<SocketAddr> {
    if service.selector.is_empty() {
        return vec![(world.api(), port::API).into()];
    }
    let behind = world.selected(service).into_iter().filter_map(|pod| {
        let number = pod.ports.iter().find(|port| port.name == target)?.number;
        Some(SocketAddr::from((world.address(pod)?, number)))
    });
    behind.collect()
}

fn is_dns(labels: &BTreeMap<String, String>) -> bool {
    labels.get(DNS.0).is_some_and(|value| value == DNS.1)
}

fn cgroup_root(folder: &Path, node: &str) -> PathBuf {
    folder.join(node).join("sys/fs/cgroup")
}

/// Starts the replicas, and the Service in front of them.
async fn dns(world: &World, api: &Api) -> io::Result<Vec<Server>> {
    let (mut servers, mut replicas) = (Vec::new(), Vec::new());
    for pod in world.pods.iter().filter(|pod| is_dns(&pod.labels)) {
        let Some(address) = pod.address else { continue };
        let replica = Replica::new(api.clone());
        replica.fail(world.dns.get(&pod.name).copied().unwrap_or_default());
        replicas.push(replica.clone());
        servers.push(Server::start((address, port::DNS).into(), vec![replica]).await?);
    }
    for service in world.services.iter().filter(|service| is_dns(&service.selector)) {
        let Some(address) = service.address else { continue };
        servers.push(Server::start((address, port::DNS).into(), replicas.clone()).await?);
    }
    Ok(servers)
}

fn serve(world: &World, api: &Api) -> io::Result<AbortOnDropHandle<io::Result<()>>> {
    let address = SocketAddr::from((world.api(), port::API));
    let listener = TcpListener::bind(address);
    let listener = listener.map_err(|error| super::cannot_listen(address, &error))?;
    Ok(AbortOnDropHandle::new(tokio::spawn(api.clone().serve(listener))))
}

/// Makes the control groups of the nodes and of the DNS pods on them, and lets them count.
fn count(world: &World, folder: TempDir) -> io::Result<AbortOnDropHandle<()>> {
    let mut groups = Vec::new();
    for (at, node) in world.nodes.iter().enumerate() {
        // Both versions are read by some agent.
        let version = if at == 0 { Version::V1 } else { Version::V2 };
        let root = cgroup_root(folder.path(), &node.name);
        version.prepare(&root)?;
        let here = |pod: &&Pod| world.node_of(pod).is_some_and(|it| it.name == node.name);
        for pod in world.pods.iter().filter(here).filter(|pod| is_dns(&pod.labels)) {
            let uid = manifests::uid("Pod", &pod.namespace, &pod.name);
            groups.push(Group::new(&root, version, &uid, world.throttled)?);
        }
    }
    let start = Instant::now();
    Ok(AbortOnDropHandle::new(tokio::spawn(async move {
        let _folder = folder;
        let mut tick = tokio::time::interval(COUNTING);
        loop {
            tick.tick().await;
            for group in &groups {
                if let Err(error) = group.advance(start.elapsed()) {
                    tracing::warn!(%error, "cannot write a simulated control group");
                }
            }
        }
    })))
}

#[cfg(test)]
mod tests;
