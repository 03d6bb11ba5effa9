//! Objects as the API server of a healthy cluster has them, written out field by field.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::addresses::port;
use super::cgroup::container_id;
use super::objects::{Node, Pod, Port, Service};

/// Returns an identity that is always the same for the same object, and looks like any other.
pub(super) fn uid(kind: &str, namespace: &str, name: &str) -> String {
    let hash = |salt: u64| {
        // FNV-1a: short, and the same in every build.
        let bytes = kind.bytes().chain([0]).chain(namespace.bytes()).chain([0]).chain(name.bytes());
        bytes.fold(0xcbf2_9ce4_8422_2325 ^ salt, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    };
    let (high, low) = (hash(0), hash(1));
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        low >> 52,
        low & 0xffff_ffff_ffff
    )
}

fn metadata(kind: &str, namespace: &str, name: &str, created: &str, labels: Value) -> Value {
    let mut metadata = json!({
        "name": name, "uid": uid(kind, namespace, name), "creationTimestamp": created,
        "labels": labels,
    });
    if !namespace.is_empty() {
        metadata["namespace"] = namespace.into();
    }
    metadata
}

pub(super) fn namespace(name: &str, created: &str) -> Value {
    let labels = json!({ "kubernetes.io/metadata.name": name });
    json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": metadata("Namespace", "", name, created, labels),
        "spec": { "finalizers": ["kubernetes"] },
        "status": { "phase": "Active" },
    })
}

pub(super) fn node(node: &Node, created: &str) -> Value {
    let name = &node.name;
    let labels = json!({
        "kubernetes.io/arch": "amd64", "kubernetes.io/hostname": name, "kubernetes.io/os": "linux",
    });
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({
            "type": kind, "status": status, "reason": reason, "message": message,
            "lastTransitionTime": created, "lastHeartbeatTime": created,
        })
    };
    let resources = json!({ "cpu": "4", "memory": "8Gi", "pods": "110" });
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": metadata("Node", "", name, created, labels),
        "spec": { "podCIDR": node.pods.to_string(), "podCIDRs": [node.pods.to_string()] },
        "status": {
            "addresses": [
                { "type": "InternalIP", "address": node.address.to_string() },
                { "type": "Hostname", "address": name },
            ],
            "allocatable": resources, "capacity": resources,
            "conditions": [
                condition("NetworkUnavailable", "False", "FlannelIsUp", "flannel runs here"),
                condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "enough"),
                condition("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
            ],
            "daemonEndpoints": { "kubeletEndpoint": { "Port": port::KUBELET } },
            "nodeInfo": {
                "architecture": "amd64", "operatingSystem": "linux", "kubeletVersion": "v1.36.3",
                "containerRuntimeVersion": "containerd://2.1.4", "kernelVersion": "6.12.0",
                "kubeProxyVersion": "", "osImage": "Debian GNU/Linux 13 (trixie)",
                "bootID": "", "machineID": "", "systemUUID": "",
            },
        },
    })
}

pub(super) fn pod(pod: &Pod, nodes: &[Node], created: &str) -> Value {
    let mut metadata = metadata("Pod", &pod.namespace, &pod.name, created, json!(pod.labels));
    let (kind, owner) = &pod.owner;
    metadata["ownerReferences"] = json!([{
        "apiVersion": "apps/v1", "kind": kind, "name": owner,
        "uid": uid(kind, &pod.namespace, owner), "controller": true, "blockOwnerDeletion": true,
    }]);
    let ports = pod.ports.iter().map(|Port { name, number, protocol }| {
        json!({ "name": name, "containerPort": number, "protocol": protocol })
    });
    let ports: Vec<Value> = ports.collect();
    let status = if pod.address.is_some() { "True" } else { "False" };
    let condition = |kind: &str, status: &str| json!({ "type": kind, "status": status, "lastTransitionTime": created });
    let node = pod.node.and_then(|number| nodes.get(usize::from(number) - 1));
    let mut object = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": metadata,
        "spec": {
            "containers": [{
                "name": "main", "image": format!("example.invalid/{}:1", pod.namespace),
                "ports": ports, "resources": pod.resources,
            }],
            "restartPolicy": "Always", "dnsPolicy": "ClusterFirst",
        },
        "status": {
            "phase": if pod.address.is_some() { "Running" } else { "Pending" },
            "conditions": [
                condition("PodScheduled", if node.is_some() { "True" } else { "False" }),
                condition("ContainersReady", status), condition("Ready", status),
            ],
            "qosClass": "Burstable",
        },
    });
    if pod.owner.1 == "coredns" {
        let container = &mut object["spec"]["containers"][0];
        container["args"] = json!(["-conf", "/etc/coredns/Corefile"]);
        container["volumeMounts"] = json!([{ "name": "config", "mountPath": "/etc/coredns" }]);
        object["spec"]["volumes"] =
            json!([{ "name": "config", "configMap": { "name": "coredns" } }]);
    }
    if let Some(node) = node {
        object["spec"]["nodeName"] = json!(node.name);
        object["status"]["hostIP"] = json!(node.address.to_string());
    }
    if pod.host_network {
        object["spec"]["hostNetwork"] = true.into();
    }
    if let Some(address) = pod.address {
        let uid = uid("Pod", &pod.namespace, &pod.name);
        object["status"]["containerStatuses"] = json!([{
            "name": "main", "image": object["spec"]["containers"][0]["image"], "imageID": "",
            "containerID": format!("containerd://{}", container_id(&uid)),
            "ready": true, "started": true, "restartCount": 0,
            "state": { "running": { "startedAt": created } },
        }]);
        object["status"]["podIP"] = json!(address.to_string());
        object["status"]["podIPs"] = json!([{ "ip": address.to_string() }]);
    }
    object
}

/// Returns the DaemonSet that has put a pod, and as many as there are, on nodes.
pub(super) fn daemon_set(pod: &Pod, pods: usize, created: &str) -> Value {
    let mut spec = json!({
        "containers": [{
            "name": "main", "image": format!("example.invalid/{}:1", pod.namespace),
            "resources": pod.resources,
        }],
        "tolerations": [{ "operator": "Exists" }],
    });
    if pod.host_network {
        spec["hostNetwork"] = true.into();
    }
    let mut metadata =
        metadata("DaemonSet", &pod.namespace, &pod.owner.1, created, json!(pod.labels));
    metadata["generation"] = 1.into();
    json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": metadata,
        "spec": {
            "selector": { "matchLabels": pod.labels },
            "template": { "metadata": { "labels": pod.labels }, "spec": spec },
            "updateStrategy": { "type": "RollingUpdate" },
        },
        "status": {
            "observedGeneration": 1, "currentNumberScheduled": pods,
            "desiredNumberScheduled": pods, "numberAvailable": pods, "numberMisscheduled": 0,
            "numberReady": pods, "updatedNumberScheduled": pods,
        },
    })
}

/// Returns the Corefile of kubeadm, at the port of simulated DNS.
pub(super) fn corefile() -> String {
    format!(
        ".:{} {{\n    errors\n    health\n    ready\n    \
         kubernetes cluster.local in-addr.arpa ip6.arpa {{\n        pods insecure\n        \
         fallthrough in-addr.arpa ip6.arpa\n        ttl 30\n    }}\n    prometheus :9153\n    \
         forward . /etc/resolv.conf\n    cache 30\n    loop\n    reload\n    loadbalance\n}}\n",
        port::DNS
    )
}

pub(super) fn config_map(namespace: &str, name: &str, corefile: &str, created: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": metadata("ConfigMap", namespace, name, created, json!({ "app": name })),
        "data": { "Corefile": corefile },
    })
}

pub(super) fn service(service: &Service, created: &str) -> Value {
    let labels = json!({ "app.kubernetes.io/name": service.name });
    let address = service.address.map_or_else(|| "None".to_owned(), |it| it.to_string());
    let ports = service.ports.iter().map(|(Port { name, number, protocol }, target)| {
        json!({ "name": name, "port": number, "protocol": protocol, "targetPort": target })
    });
    let ports: Vec<Value> = ports.collect();
    let mut object = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": metadata("Service", &service.namespace, &service.name, created, labels),
        "spec": {
            "type": "ClusterIP", "clusterIP": address, "clusterIPs": [address],
            "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
            "internalTrafficPolicy": "Cluster", "sessionAffinity": "None", "ports": ports,
        },
        "status": { "loadBalancer": {} },
    });
    if !service.selector.is_empty() {
        object["spec"]["selector"] = json!(service.selector);
    }
    object
}

/// Returns the slice that the endpoint controller would write for `pods`.
pub(super) fn slice(service: &Service, pods: &[&Pod], nodes: &[Node], created: &str) -> Value {
    let endpoint = |pod: &&Pod| {
        let node = nodes.get(usize::from(pod.node?) - 1)?;
        Some(json!({
            "addresses": [pod.address?.to_string()],
            "conditions": { "ready": true, "serving": true, "terminating": false },
            "nodeName": node.name,
            "targetRef": {
                "kind": "Pod", "namespace": pod.namespace, "name": pod.name,
                "uid": uid("Pod", &pod.namespace, &pod.name),
            },
        }))
    };
    let endpoints: Vec<Value> = pods.iter().filter_map(endpoint).collect();
    let number = |target: &str| {
        let named =
            |pod: &&Pod| pod.ports.iter().find(|port| port.name == target).map(|it| it.number);
        pods.iter().find_map(named)
    };
    let ports = service.ports.iter().map(|(Port { name, protocol, .. }, target)| {
        json!({ "name": name, "port": number(target), "protocol": protocol })
    });
    let ports: Vec<Value> = ports.collect();
    let mut labels = json!({
        "kubernetes.io/service-name": service.name,
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    });
    if service.address.is_none() {
        labels["service.kubernetes.io/headless"] = "".into();
    }
    let name = format!(
        "{}-{}",
        service.name,
        &uid("EndpointSlice", &service.namespace, &service.name)[..5]
    );
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": metadata("EndpointSlice", &service.namespace, &name, created, labels),
        "addressType": "IPv4", "ports": ports, "endpoints": endpoints,
    })
}

/// Returns the slice that the API server itself writes for `default/kubernetes`.
pub(super) fn api_slice(address: Ipv4Addr, created: &str) -> Value {
    let labels = json!({ "kubernetes.io/service-name": "kubernetes" });
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": metadata("EndpointSlice", "default", "kubernetes", created, labels),
        "addressType": "IPv4",
        "ports": [{ "name": "https", "port": port::API, "protocol": "TCP" }],
        "endpoints": [{ "addresses": [address.to_string()], "conditions": { "ready": true } }],
    })
}
