use std::time::Duration;

use k8s_openapi::api::core::v1::{Pod as ApiPod, Service as ApiService};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::ListParams;
use kube::{Api as Objects, Resource};
use serde::de::DeserializeOwned;
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::*;
use crate::sim::scenario;

async fn start(name: &str) -> (Cluster, CancellationToken) {
    let stop = CancellationToken::new();
    let cluster = Cluster::start(scenario::named(name).unwrap(), stop.clone()).await;
    (cluster.unwrap(), stop)
}

async fn list<T>(cluster: &Cluster) -> Vec<T>
where
    T: Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned,
{
    let client = crate::watch::connect(Some(&cluster.kubeconfig())).await.unwrap();
    Objects::all(client).list(&ListParams::default()).await.unwrap().items
}

async fn answers(address: impl Into<SocketAddr>) -> bool {
    TcpStream::connect(address.into()).await.is_ok()
}

/// The address and the number of each port of each endpoint, with its pod's name.
async fn endpoints(cluster: &Cluster, service: &str) -> Vec<(SocketAddr, Option<String>)> {
    let slices = list::<EndpointSlice>(cluster).await;
    let of = slices.into_iter().filter(|slice| {
        slice.metadata.labels.as_ref().unwrap()["kubernetes.io/service-name"] == service
    });
    let mut found = Vec::new();
    for slice in of {
        let port = slice.ports.unwrap()[0].port.unwrap() as u16;
        for endpoint in slice.endpoints.into_iter().flatten() {
            let address = endpoint.addresses[0].parse().unwrap();
            found
                .push((SocketAddr::new(address, port), endpoint.target_ref.and_then(|it| it.name)));
        }
    }
    found
}

async fn cluster_ip(cluster: &Cluster, name: &str) -> SocketAddr {
    let services = list::<ApiService>(cluster).await;
    let service = services.into_iter().find(|it| it.metadata.name.as_deref() == Some(name));
    let spec = service.unwrap().spec.unwrap();
    let port = spec.ports.unwrap()[0].port as u16;
    SocketAddr::new(spec.cluster_ip.unwrap().parse().unwrap(), port)
}

#[tokio::test]
async fn a_healthy_cluster_answers_wherever_its_objects_say() {
    let (mut cluster, stop) = start("healthy").await;
    for service in ["cart", "web", "db", "kubernetes"] {
        for (address, _) in endpoints(&cluster, service).await {
            assert!(answers(address).await, "{service} at {address}");
        }
    }
    for service in ["cart", "web", "kubernetes", "kube-dns"] {
        assert!(answers(cluster_ip(&cluster, service).await).await, "{service}");
    }
    assert_eq!(cluster.take_agents().iter().filter(|agent| agent.host).count(), 3);
    let target = cluster_ip(&cluster, "cart").await;
    cluster.place_cluster_role(target).await.unwrap();
    assert!(answers(cluster.cluster_role).await);
    let folder = cluster.resolv_conf().parent().unwrap().to_owned();
    assert!(folder.exists());
    stop.cancel();
    cluster.end().await.unwrap();
    assert!(!folder.exists());
}

#[tokio::test]
async fn its_resolver_knows_its_services() {
    let (cluster, _) = start("healthy").await;
    let text = fs::read_to_string(cluster.resolv_conf()).unwrap();
    let server = text.lines().find_map(|line| line.strip_prefix("nameserver ")).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect((server, cluster.dns_port())).await.unwrap();
    // A question for the address of db.shop.svc.cluster.local, in the wire's own form.
    let mut query = b"\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00".to_vec();
    for label in ["db", "shop", "svc", "cluster", "local"] {
        query.push(label.len() as u8);
        query.extend(label.as_bytes());
    }
    query.extend(b"\x00\x00\x01\x00\x01");
    socket.send(&query).await.unwrap();
    let mut reply = [0; 512];
    let length = timeout(Duration::from_secs(5), socket.recv(&mut reply)).await.unwrap().unwrap();
    let (db, _) = endpoints(&cluster, "db").await[0];
    let SocketAddr::V4(db) = db else { panic!("{db}") };
    assert_eq!(reply[length - 4..length], db.ip().octets());
}

#[tokio::test]
async fn dead_endpoints_name_pods_that_are_gone_and_do_not_answer() {
    let (cluster, _) = start("dead-endpoints").await;
    let pods = list::<ApiPod>(&cluster).await;
    let mut dead = Vec::new();
    for (address, name) in endpoints(&cluster, "cart").await {
        let there = pods.iter().any(|pod| pod.metadata.name == name);
        assert_eq!(answers(address).await, there, "{address}");
        dead.extend(name.filter(|_| !there));
    }
    assert_eq!(dead, ["cart-0", "cart-1"]);
}

#[tokio::test]
async fn a_broken_service_is_refused_and_its_pods_are_there() {
    let (cluster, _) = start("service-broken").await;
    assert!(!answers(cluster_ip(&cluster, "netvitals-agent").await).await);
    assert_eq!(endpoints(&cluster, "netvitals-agent").await.len(), 3);
}

#[tokio::test]
async fn an_exhausted_node_has_pods_without_an_address() {
    let (cluster, _) = start("ip-exhausted").await;
    let pods = list::<ApiPod>(&cluster).await.into_iter();
    let here = pods.filter(|pod| pod.spec.as_ref().unwrap().node_name.as_deref() == Some("node-2"));
    let own = here.filter(|pod| pod.spec.as_ref().unwrap().host_network != Some(true));
    let statuses: Vec<_> = own.map(|pod| pod.status.unwrap()).collect();
    let waiting = statuses.iter().filter(|status| status.pod_ip.is_none());
    assert_eq!((statuses.len(), waiting.count()), (16, 3));
}

#[tokio::test]
async fn throttled_dns_pods_count_their_periods_on_their_nodes() {
    let (mut cluster, _) = start("coredns-throttled").await;
    let agents = cluster.take_agents();
    let counted = |agent: &AgentPod| {
        let mut folders = vec![agent.host_root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                match fs::read_to_string(entry.path()) {
                    Ok(text) if text.contains("nr_throttled ") => {
                        return Some(!text.contains("nr_throttled 0\n"));
                    }
                    Ok(_) => {}
                    Err(_) => folders.push(entry.path()),
                }
            }
        }
        None
    };
    let host = || agents.iter().filter(|agent| agent.host);
    assert_eq!(host().filter_map(counted).count(), 2);
    let all = async {
        while !host().filter_map(counted).all(|done| done) {
            tokio::task::yield_now().await
        }
    };
    timeout(Duration::from_secs(5), all).await.expect("the counters go on");
}
