//! The configuration of a node's programs.

use std::fs;
use std::path::Path;

use super::Make;
use crate::plan::{DNS_IP, INTERNET_IP, POD_RANGE, POD_RANGE_6};
use crate::tools::image;

/// Writes the configuration of the node's programs.
pub(super) fn write(make: &Make<'_>, folder: &Path, cgroup: &str) {
    let at = folder.display();
    let put = |file: &str, text: String| {
        fs::write(folder.join(file), text).expect("the lab's folder can be written");
    };
    put("resolv.conf", format!("nameserver {INTERNET_IP}\n"));
    // restrict_oom_score_adj: without CAP_SYS_RESOURCE runc dies of the pause container's score ("can't get final
    // child's PID from pipe: EOF").
    let pause = image::PAUSE;
    put(
        "containerd.toml",
        format!(
            r#"version = 2
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  sandbox_image = "{pause}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
"#
        ),
    );
    // imageGCHighThresholdPercent: 100 is never: an image that was removed comes back from nowhere.
    let (ca, max_pods) = (make.pki.path("ca.crt"), make.max_pods);
    put(
        "kubelet.yaml",
        format!(
            r#"apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {{anonymous: {{enabled: false}}, webhook: {{enabled: true}}, x509: {{clientCAFile: {ca}}}}}
authorization: {{mode: Webhook}}
cgroupDriver: cgroupfs
cgroupRoot: /{cgroup}
failCgroupV1: false
failSwapOn: false
clusterDNS: [{DNS_IP}]
clusterDomain: cluster.local
resolvConf: {at}/resolv.conf
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
imageGCHighThresholdPercent: 100
evictionHard: {{memory.available: 50Mi, nodefs.available: "1%", imagefs.available: "1%"}}
nodeStatusUpdateFrequency: 5s
readOnlyPort: 0
maxPods: {max_pods}
"#
        ),
    );
    let (user, mode, name) = (make.pki.kubeconfig("proxy"), make.proxy_mode, &make.name);
    let pods = make.flags.both(POD_RANGE, POD_RANGE_6);
    put(
        "kube-proxy.yaml",
        format!(
            r#"apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {{kubeconfig: {user}}}
clusterCIDR: "{pods}"
mode: {mode}
hostnameOverride: {name}
conntrack: {{maxPerCore: 0, min: 0}}
metricsBindAddress: 127.0.0.1:10249
"#
        ),
    );
}
